# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP API of a running service, as programs use it: who may, what is done, and what is answered where it is not."""

from __future__ import annotations

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from itertools import chain
from pathlib import Path

import pytest
import sqlalchemy as sa

from ansible_collections.oncall.runbooks.tests.support.incident_api import RECORD, TOKENS, Answer, Person, with_people
from ansible_collections.oncall.runbooks.tests.support.postgres_servers import server
from ansible_collections.oncall.runbooks.tests.support.schemas import as_documented
from ansible_collections.oncall.runbooks.tests.support.serving import TOKEN, alert, notification
from ansible_collections.oncall.runbooks.tests.support.told_people import into_inventory
from ansible_collections.oncall.runbooks.tests.support.waiting import until
from oncall.serve.api.app import MOST_BODY_BYTES
from oncall.serve.api.operations import OPERATIONS

TEAM = {
    "incident_severities": {"P0": {"name": "critical"}, "P1": {"name": "high"}},
    "system_severities": [
        {"level": "P0", "means": "nothing works", "when": ["critical"]},
        {"level": "P1", "means": "much is broken", "when": ["high", "medium", "low"]},
    ],
    "incident_people": {"ann": {}, "ben": {}},
}


@pytest.fixture(scope="module", params=["SQLite", "PostgreSQL"])
def serving(request, tmp_path_factory):
    with ExitStack() as ended:
        one = with_people(tmp_path_factory.mktemp("api"))
        if request.param == "PostgreSQL":
            postgres = ended.enter_context(server())
            postgres.execute("CREATE DATABASE oncall", dbname="postgres")
            one.write(database=f"postgresql://postgres@127.0.0.1:{postgres.port}/oncall")
        ended.callback(one.stop)
        yield one.start()


@pytest.fixture
def ann(serving):
    return Person(serving, "ann")


@pytest.fixture
def ben(serving):
    return Person(serving, "ben")


def test_a_system_that_nobody_knows_is_refused_with_those_that_there_are(ann):
    asked = {"title": "checkout is down", "system": "shpo"}
    said = ann.refused("/incidents", asked, 422)
    assert "there is no system 'shpo'" in said and "there are shop; say that you want it anyway" in said
    told = ann.do("/incidents", {**asked, "anyway": True}, 201)
    assert told["incident"]["system"] == "shpo" and "there is no system 'shpo'" in told["warning"]
    # What is known is taken without a word.
    assert "warning" not in ann.do("/incidents", {**asked, "system": "shop"}, 201)


def test_an_incident_from_its_beginning_to_its_post_mortem(serving, ann, ben):
    opened = ann.ask("POST", "/incidents", {"title": "checkout is down", "system": "shop", "severity": "P1"})
    one = opened.headers["location"].removeprefix("/api/v1")
    assert (opened.status, ann.get(one)["title"], ann.get(one)["state"]) == (201, "checkout is down", "triggered")
    ann.do(f"{one}/acknowledge")
    ann.do(f"{one}/role", {"role": "commander", "to": "ann"})
    ann.do(f"{one}/assign", {"to": "ben"})
    ben.do(f"{one}/severity", {"to": "P0", "why": "all users"})
    ben.do(f"{one}/note", {"text": "the provider says 20 minutes", "at": time.time() - 60})
    ben.do(f"{one}/correct", {"number": 6, "text": "it said 30"})
    ben.do(f"{one}/pin", {"number": 6})
    ben.do(f"{one}/update", {"conditions": "half of it works", "next_update_at": time.time() + 1800})
    ben.do(f"{one}/escalate", {"targets": ["team lead"], "tried": "restart", "need": "a decision"})
    ben.do(f"{one}/snooze", {"until": time.time() + 600, "why": "the provider works on it"})
    ben.do(f"{one}/step", {"checklist": "respond", "step": "status page updated"})
    done = ben.do(f"{one}/attach", {"record": RECORD, "name": "20260101T000000Z-cache-1"})["entries"]
    assert [entry["kind"] for entry in done] == ["finding", "action", "verification", "run", "mitigated"]
    assert ben.do(f"{one}/attach", {"record": RECORD})["entries"] == []
    assert ben.do(f"{one}/mitigate", {"how": "rolled back"})["entries"] == []
    ben.do(f"{one}/resolve", {"how": "the pool is larger"})
    ann.do(f"{one}/reopen", {"why": "it is slow again"})
    ann.do(f"{one}/resolve", {"how": "the pool is much larger"})
    ann.do(f"{one}/item", {"text": "alert on the pool", "owner": "ben"})
    ann.do(f"{one}/item", {"item": "A1", "done": True})
    for state in ("due", "draft", "review", "done"):
        ann.do(f"{one}/postmortem", {"state": state, "owner": "ann"})
    other = ann.open("the same")
    ann.do(f"{other}/link", {"to": one.rpartition("/")[2], "why": "the same pool"})
    another = ann.open("the same once more")
    ann.do(f"{another}/merge", {"into": other.rpartition("/")[2]})
    ann.do(f"{other}/cancel", {"why": "a drill"})
    ann.do(f"{one}/close")
    told, timeline = ann.get(one), ann.get(f"{one}/timeline")
    assert (told["state"], told["severity"], told["assignee"], told["roles"]) == (
        "closed",
        "P0",
        "ben",
        {"commander": "ann"},
    )
    assert (told["pins"], told["postmortem"]["state"], told["reopenings"]) == ([6], "done", 1)
    assert {entry["who"] for entry in timeline["entries"]} == {"ann", "ben"} and timeline["next"] is None
    exported = ann.get(f"{one}/export")
    assert exported["timeline"] == timeline["entries"] and exported["incident"] == told
    # The same as the command line shows, and proves.
    shown = serving.command("incident", "show", told["name"], "--json")
    assert json.loads(shown.stdout) == exported
    assert ann.get(f"{one}/verify")["sound"] is True
    head = exported["incident"]["head"]
    wrong = f"{head['number']}:{'0' * 64}:{'0' * 8}:{'0' * 64}"
    assert "not here" in str(ann.get(f"{one}/verify?head={wrong}"))
    found = ann.get(f"{one}/postmortem")
    assert found == json.loads(serving.command("incident", "postmortem", told["name"], "--json").stdout)
    text, page = ann.ask("GET", f"{one}/postmortem.md"), ann.ask("GET", f"{one}/postmortem.html")
    assert text.headers["content-type"].startswith("text/markdown") and "restart_redis" in text.body.decode()
    assert page.headers["content-type"] == "text/html; charset=utf-8" and b"restart_redis" in page.body
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert as_documented("incident_stats", json.dumps(ann.get("/stats?severity=P0")))["incidents"] >= 1
    assert ann.get("/due")["action_items"] == []


def test_no_post_mortem_is_made_of_a_timeline_that_was_changed(serving, ann):
    one = ann.open("the disk is full")
    ann.do(f"{one}/note", {"text": "somebody filled it"})
    assert ann.get(f"{one}/postmortem")
    with closing(serving.store()) as store, store._engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE oncall_timeline SET words = 'all is well' WHERE words = 'somebody filled it'")
        )
    for path in ("postmortem", "postmortem.md", "postmortem.html"):
        answer = ann.ask("GET", f"{one}/{path}")
        assert (answer.status, "was changed: entry" in answer.detail) == (409, True), (path, answer.body)


def test_each_operation_is_tried_here():
    """What has no line above is tried by nobody."""
    source = Path(__file__).read_text()
    for one in OPERATIONS:
        last = one.path.rpartition("/")[2]
        assert f"/{last}" in source or last == "{incident}", one.name


def test_lists_have_pages_filters_and_a_search(serving, ann):
    begun = time.time()
    names = [ann.open(f"paging number {place}", system="pages", at=begun - 100 * (place % 3)) for place in range(7)]
    ann.do(f"{names[0]}/acknowledge")
    pages, before = [], ""
    while True:
        told = ann.get(f"/incidents?system=pages&limit=3{before}")
        pages.append([one["opened_at"] for one in told["incidents"]])
        if told["next"] is None:
            break
        before = f"&before={told['next']}"
    # Those that were written down later, and were open earlier, are on one page too.
    assert [len(page) for page in pages] == [3, 3, 1]
    assert [*chain(*pages)] == sorted(chain(*pages), reverse=True)
    found = ann.get("/incidents?system=pages&state=acknowledged&state=closed")["incidents"]
    assert [f"/incidents/{one['name']}" for one in found] == [names[0]]
    assert len(ann.get("/incidents?system=pages&state=triggered")["incidents"]) == 6
    assert len(ann.get("/incidents?search=paging%20numb")["incidents"]) == 7
    assert ann.get(f"/incidents?system=pages&since={begun + 1000}")["incidents"] == []
    assert len(ann.get(f"/incidents?system=pages&until={begun - 150}")["incidents"]) == 2
    for place in range(5):
        ann.do(f"{names[0]}/note", {"text": f"note {place}"})
    first = ann.get(f"{names[0]}/timeline?limit=4")
    assert [one["number"] for one in first["entries"]] == [1, 2, 3, 4] and first["next"] == 4
    rest = ann.get(f"{names[0]}/timeline?after=4")
    assert rest["entries"] == ann.get(f"{names[0]}/timeline")["entries"][4:] and rest["next"] is None


# ---------------------------------------------------------------------- who may
def test_viewers_read_and_nothing_else(serving, ann):
    vic, one = Person(serving, "vic"), ann.open()
    assert vic.get(one)["title"] == "checkout is down"
    for path in (f"{one}/acknowledge", "/incidents"):
        assert (
            vic.refused(path, {"title": "x"}, 403) == "the token of vic is that of a viewer, and this needs a responder"
        )
    assert serving.request("POST", "/alerts", notification([alert()]), token=TOKENS["vic"])[0] == 403
    assert Person(serving, "eve").do(f"{one}/note", {"text": "seen"})["entries"][0]["who"] == "eve"


@pytest.mark.parametrize("token", [TOKEN, "prometheus"])
def test_a_token_alone_reads_no_incidents(serving, token):
    answer = Person(serving, token).ask("GET", "/incidents")
    assert answer.status == 403 and "TOKEN ROLE NAME" in answer.detail
    assert Person(serving, token).ask("GET", "/openapi.json").status == 403


@pytest.mark.parametrize("token", ["", "wrong-wrong-wrong-wrong"])
def test_strangers_are_told_nothing(serving, token):
    for path in ("/incidents", "/openapi.json", "/nothing", "/incidents/INC-1/note"):
        answer = Person(serving, token).ask("GET", path)
        assert (answer.status, answer.detail) == (401, "no valid token")
        assert answer.headers["www-authenticate"] == "Bearer"


def test_a_name_that_was_taken_back_is_nobodys(tmp_path):
    serving = with_people(tmp_path)
    try:
        serving.start()
        ann, file = Person(serving), serving.folder / "tokens"
        one = ann.open()
        file.write_text(f"{TOKENS['ann']} viewer ann\n")
        assert "that of a viewer" in ann.refused(f"{one}/acknowledge", {}, 403)
        file.write_text(f"{TOKENS['ben']} responder ben\n")
        assert ann.ask("GET", one).status == 401
        for wrong, says in {
            f"{TOKENS['ben']} boss ben": "the roles are sender, viewer, responder, admin",
            f"{TOKENS['ben']} ben": "something else than a role and a name",
            f"{TOKENS['ben']} admin oncall": "a name that nobody has",
            f"{TOKENS['ben']} viewer ben\n{TOKENS['ben']} viewer ann": "that of somebody else too",
        }.items():
            file.write_text(f"{wrong}\n")
            assert Person(serving, "ben").ask("GET", one).status == 503
            assert says in serving.command("serve", "--check").stderr
        assert TOKENS["ben"] not in serving.log.read_text()
    finally:
        serving.stop()


def test_without_incidents_the_api_says_what_to_configure(tmp_path):
    serving = with_people(tmp_path)
    serving.write(incidents=None)
    try:
        serving.start()
        ann = Person(serving)
        answer = ann.ask("GET", "/incidents")
        assert (answer.status, answer.detail) == (
            404,
            "no incidents are kept here: the settings of the service need incidents",
        )
        assert ann.ask("GET", "/openapi.json").status == 200
        serving.reload(incidents={})
        assert ann.get("/incidents")["incidents"] == []
    finally:
        serving.stop()


# ---------------------------------------------------------------------- two at once, and twice
def acknowledge(path: str, people: dict[str, Person]) -> dict[str, Answer]:
    """All at once."""
    with ThreadPoolExecutor(len(people)) as at_once:
        asked = {name: at_once.submit(person.ask, "POST", f"{path}/acknowledge") for name, person in people.items()}
        return {name: one.result() for name, one in asked.items()}


def test_of_two_who_acknowledge_one_wins_and_the_other_is_told_what_is_so(serving, ann, ben):
    for _ in range(5):
        one = ann.open()
        answers = acknowledge(one, {"ann": ann, "ben": ben})
        (winner,) = [name for name, answer in answers.items() if answer.status == 200]
        (loser,) = [answer for answer in answers.values() if answer.status == 409]
        assert loser.detail == f"{winner} was first: {one.rpartition('/')[2]} is acknowledged (acknowledged)"
        assert loser.told["incident"]["acknowledged_by"] == winner
        assert [entry["kind"] for entry in ann.said(one)] == ["opened", "acknowledged"]


def test_of_two_who_end_it_one_says_how(serving, ann, ben):
    one = ann.open()
    assert ann.do(f"{one}/resolve", {"how": "the pool is larger"})["incident"]["state"] == "resolved"
    # The same person, once more: it is so already.
    assert ann.do(f"{one}/resolve", {"how": "the pool is larger"})["entries"] == []
    assert "ann was first" in ben.refused(f"{one}/resolve", {"how": "it was the cache"}, 409)


def test_what_is_written_after_what_one_knows_comes_first(serving, ann, ben):
    one = ann.open()
    first = ben.do(f"{one}/assign", {"to": "ben", "after": 1})["entries"][0]["number"]
    said = ann.refused(f"{one}/assign", {"to": "ann", "after": 1}, 409)
    assert said == f"ben has written entry {first} of {one.rpartition('/')[2]}: assigned to ben"
    # What the service writes down of its own work is no reason to read it again.
    until(lambda: len(ann.get(f"{one}/timeline")["entries"]) > len(ann.said(one)))
    after = ann.do(f"{one}/assign", {"to": "ann", "after": first})["entries"][0]["number"]
    with ThreadPoolExecutor(8) as many:
        told = many.map(
            lambda place: ben.ask("POST", f"{one}/note", {"text": f"{place}", "after": after}).status, range(8)
        )
        assert sorted(told) == [200] + [409] * 7
    assert len(ann.said(one)) == 4
    assert "has no entry 9999 yet" in ann.refused(f"{one}/note", {"text": "x", "after": 9999}, 409)


def test_a_request_that_is_sent_again_is_not_done_again(serving, ann, ben):
    key = {"Idempotency_Key": "deploy-4711"}
    with ThreadPoolExecutor(8) as many:
        answers = [*many.map(lambda _: ann.ask("POST", "/incidents", {"title": "sent again"}, **key), range(8))]
    assert sorted(answer.status for answer in answers) == [200] * 7 + [201]
    assert len({answer.told["incident"]["id"] for answer in answers}) == 1
    assert sum(answer.headers.get("idempotency-replayed") == "true" for answer in answers) == 7
    one = f"/incidents/{answers[0].told['incident']['name']}"
    for entries in (1, 0, 0):
        assert len(ann.do(f"{one}/note", {"text": "once"}, **key)["entries"]) == entries
    assert [entry["kind"] for entry in ann.said(one)] == ["opened", "note"]
    # Another person's key is another one.
    assert ben.ask("POST", "/incidents", {"title": "sent again"}, **key).status == 201
    assert "1 to 200 characters" in ann.refused("/incidents", {"title": "x"}, 400, Idempotency_Key="with a space")


def test_to_acknowledge_what_is_resolved_is_a_note(serving, ann, ben):
    one = ann.open()
    ann.do(f"{one}/resolve", {"how": "by itself"})
    done = ben.do(f"{one}/acknowledge")
    assert (done["incident"]["state"], [entry["kind"] for entry in done["entries"]]) == ("resolved", ["note"])


def test_what_is_over_never_changes(serving, ann):
    one = ann.open()
    assert "resolve it first" in ann.refused(f"{one}/close", {}, 409)
    ann.do(f"{one}/resolve", {"how": "by itself"})
    ann.do(f"{one}/close")
    for path, body in {"acknowledge": {}, "note": {"text": "x"}, "reopen": {"why": "x"}, "close": {}}.items():
        assert "closed, and never changes again" in ann.refused(f"{one}/{path}", body, 409)
    assert ann.ask("POST", f"{one}/reopen", {"why": "x"}).told["incident"]["state"] == "closed"
    assert "closed, and never changes again" in ann.refused(f"{one}/postmortem", {"state": "due"}, 409)
    merged, into = ann.open(), ann.open()
    ann.do(f"{merged}/merge", {"into": into.rpartition("/")[2]})
    # Named is the one that goes on, however many were merged on the way there.
    last = ann.open()
    ann.do(f"{into}/merge", {"into": last.rpartition("/")[2]})
    for path, body in (("postmortem", {"state": "due"}), ("note", {"text": "x"})):
        said = ann.refused(f"{merged}/{path}", body, 409)
        assert said.endswith(f"is merged into another one, which goes on: {last.rpartition('/')[2]}")
    said = ann.refused(f"{last}/merge", {"into": merged.rpartition("/")[2]}, 409)
    assert said.endswith(f"which goes on: {last.rpartition('/')[2]}")
    again = ann.do("/incidents", {"title": "again", "again": one.rpartition("/")[2]}, 201)["incident"]
    assert again["links"][0]["why"] == "a repeat of it"


# ---------------------------------------------------------------------- bad input
WRONG = {
    "an unknown field": ("/incidents", b'{"title": "x", "colour": "red"}', 400, "unknown field `colour`"),
    "no title": ("/incidents", b"{}", 400, "missing required field `title`"),
    "a title of nothing": ("/incidents", b'{"title": "  "}', 422, "say in a few words what is wrong"),
    "a title that is a number": ("/incidents", b'{"title": 1}', 400, "Expected `str`, got `int`"),
    "a list": ("/incidents", b"[]", 400, "Expected `object`, got `array`"),
    "no JSON": ("/incidents", b"{", 400, "in the body"),
    "no UTF-8": ("/incidents", b'{"title": "\xff"}', 400, "in the body"),
    "nested deeply": ("/incidents", b"[" * 100_000, 400, "body"),
    "a severity that is no name": ("ONE/severity", b'{"to": "<b>"}', 422, "is no name of a severity"),
    "a role that there is not": ("ONE/role", b'{"role": "boss", "to": "ann"}', 400, "Invalid enum value 'boss'"),
    "a record that is none": ("ONE/attach", b'{"record": []}', 400, "Expected `object`, got `array`"),
    "a record with a run that is none": (
        "ONE/attach",
        b'{"record": {"runs": [{"runbook": "cache", "host": "h", "run_id": "x", "findings": 7}]}}',
        422,
        "has a result that cannot be read",
    ),
    "an empty note": ("ONE/note", b'{"text": " "}', 422, "the note is empty"),
    "a time that is none": ("ONE/note", b'{"text": "x", "at": 1e300}', 400, "at"),
    "a number that is too large": ("ONE/pin", b'{"number": 99999999999999999999}', 400, "number"),
    "an entry that is not there": ("ONE/pin", b'{"number": 99}', 422, "there is no entry 99"),
    "a snooze into the past": ("ONE/snooze", b'{"until": 1, "why": "x"}', 422, "not into the past"),
    "a merge into itself": ("ONE/merge", b'{"into": "NAME"}', 422, "cannot be merged into itself"),
    "a merge into nothing": ("ONE/merge", b'{"into": "INC-99999"}', 422, "there is no incident 'INC-99999'"),
    "a situation without a policy": ("ONE/escalate", b'{"situation": "x"}', 422, "without a policy"),
    "nobody to escalate to": ("ONE/escalate", b"{}", 422, "say to whom"),
    "an action item that is not there": ("ONE/item", b'{"item": "A9", "done": true}', 422, "has no action item 'A9'"),
    "a post-mortem that is done at once": ("ONE/postmortem", b'{"state": "done"}', 422, "none was asked for yet"),
    "an incident that is not there": ("/incidents/99999/note", b'{"text": "x"}', 404, "there is no incident '99999'"),
    "an incident that is no name": ("/incidents/..%2f..%2fetc/note", b'{"text": "x"}', 404, ""),
    "a path that is not there": ("/incidents/1/dance", b"{}", 404, "openapi.json says what there is"),
}


@pytest.mark.parametrize("path, body, status, says", WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told_in_one_line(serving, ann, path, body, status, says):
    one = ann.open()
    name = one.rpartition("/")[2]
    said = ann.refused(path.replace("ONE", one), body.replace(b"NAME", name.encode()), status)
    assert says in said
    assert len(ann.said(one)) == 1


@pytest.mark.parametrize(
    "query",
    ["colour=red", "limit=0", "limit=x", "state=gone", "since=-1", "since=nan", "system=%00", "limit=1&limit=2"],
)
def test_a_query_that_is_wrong_is_told_in_one_line(ann, query):
    answer = ann.ask("GET", f"/incidents?{query}")
    assert answer.status == 400 and answer.detail.startswith(("in the query: ", "limit is given twice"))


def test_methods_kinds_and_sizes(serving, ann):
    one = ann.open()
    answer = ann.ask("DELETE", one)
    assert (answer.status, answer.headers["allow"], answer.detail) == (405, "GET, HEAD", "DELETE is not possible here")
    assert ann.ask("HEAD", one).body == b""
    assert "has to be application/json" in ann.refused(
        f"{one}/note", b"text=x", 415, Content_Type="application/x-www-form-urlencoded"
    )
    assert "encoded" in ann.refused(f"{one}/note", b"{}", 415, Content_Encoding="gzip")

    # Before it is read, one that says how long it is, and meanwhile one that does not.
    head = f"POST /api/v1{one}/note HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKENS['ann']}\r\n"
    with socket.create_connection(("127.0.0.1", serving.port), timeout=30) as client:
        client.sendall(f"{head}Content-Length: {MOST_BODY_BYTES + 1}\r\n\r\n".encode())
        assert b" 413 " in client.recv(1000)
    with socket.create_connection(("127.0.0.1", serving.port), timeout=30) as client:
        head += "Transfer-Encoding: chunked\r\n\r\n"
        client.sendall(head.encode())
        with suppress(OSError):
            for _ in range(MOST_BODY_BYTES // 65536 + 2):
                client.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        with suppress(ConnectionResetError):
            assert b" 413 " in client.recv(1000)
    assert len(ann.said(one)) == 1


def test_a_note_of_a_megabyte_is_cut_and_markup_stays_text(serving, ann):
    one = ann.open("<script>alert(1)</script> {{ 7 * 7 }}")
    done = ann.do(f"{one}/note", {"text": "<img src=x onerror=alert(1)>" + "é" * 1_000_000})
    assert "cut: it had 1,000,028 characters" in done["entries"][0]["data"]["text"]
    assert len(done["entries"][0]["data"]["text"]) < 17_000
    ann.do(f"{one}/note", {"text": "a\u0000b\u202ec\u001b[31md"})
    page, text = (
        ann.ask("GET", f"{one}/postmortem.html").body.decode(),
        ann.ask("GET", f"{one}/postmortem.md").body.decode(),
    )
    assert "<script" not in page and "<img src=x" not in page and "{{ 7 * 7 }}" in page
    assert r"\<script>" in text and "<script" not in text.replace(r"\<", "")
    assert "\x1b" not in text and "\u202e" not in text


def test_people_and_severities_that_the_inventory_names(tmp_path):
    serving = with_people(tmp_path)
    into_inventory(
        tmp_path,
        TEAM,
    )
    try:
        serving.start()
        ann = Person(serving)
        # It is read beside everything else.
        until(lambda: ann.ask("POST", "/incidents", {"title": "x", "system": "shop", "severity": "P9"}).status == 422)
        assert "no severity 'P9'" in ann.refused("/incidents", {"title": "x", "system": "shop", "severity": "P9"}, 422)
        one = ann.open(system="shop", severity="P1")
        assert "there are P0, P1" in ann.refused(f"{one}/severity", {"to": "P7"}, 422)
        for path, body in {
            "assign": {"to": "bem"},
            "role": {"role": "scribe", "to": "bem"},
            "item": {"text": "x", "owner": "bem"},
            "escalate": {"targets": ["bem"]},
        }.items():
            assert "did you mean ben" in ann.refused(f"{one}/{path}", body, 422)
        ann.do(f"{one}/resolve", {"how": "by itself"})
        assert "did you mean ben" in ann.refused(f"{one}/postmortem", {"state": "due", "owner": "bem"}, 422)
        ann.do(f"{one}/item", {"text": "x", "owner": "ben"})
    finally:
        serving.stop()
