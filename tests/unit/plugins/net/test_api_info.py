# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""api_info against real servers: the fields that expressions find, and one line for everything that can be wrong."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.net.documents import secrets_of
from ansible_collections.oncall.runbooks.plugins.plugin_utils.finishing import expressions
from ansible_collections.oncall.runbooks.tests.support.observing import Answers, observed
from lab.ports import free_port

CONNECTORS = {
    "connectors": [
        {"name": "crm", "enabled": True, "lag": "12.5", "failures": 3, "at": "2026-11-29T08:00:00+01:00", "tasks": [{"state": "RUNNING"}, {"state": "FAILED"}]},
        {"name": "'; DROP TABLE x; --", "enabled": True, "lag": 0, "failures": 0, "at": 1780041600000, "tasks": []},
        {"name": "../x", "enabled": False, "lag": None, "at": 0},
    ],
    "note": "{{ lookup('pipe', 'id') }}",
}  # fmt: skip
# As the REST of Kafka Connect answers /connectors?expand=status.
CONNECT = {
    "sink": {"status": {"connector": {"state": "RUNNING"}, "tasks": [{"id": 0, "state": "RUNNING"}, {"id": 1, "state": "FAILED"}]}},
}  # fmt: skip
HTML = b"<!DOCTYPE html><html><body>sign in, password=hunter2</body></html>"
TOKEN = 'tok-7f3a9c"q'


def echo(headers: dict[str, str]) -> tuple[int, bytes, dict[str, str]]:
    """What a careless server does with a wrong key."""
    sent = {name: headers[name] for name in ("authorization", "cookie", "x-key") if name in headers}
    return 403, json.dumps({"error": "not allowed", "sent": sent}).encode(), {}


def echo_well(headers: dict[str, str]) -> bytes:
    return json.dumps(
        {"error": f"key {headers.get('authorization', '')} {headers.get('cookie', '')} ends soon"}
    ).encode()


@pytest.fixture(scope="module")
def server():
    whole = json.dumps(CONNECTORS).encode()
    running = Answers(
        {
            "/connectors": whole,
            "/connect": json.dumps(CONNECT).encode(),
            "/500": (500, json.dumps({"error": "db gone, password=hunter2"}).encode(), {}),
            "/503": (503, b'{"db": "down"}', {"Retry_After": "30"}),
            "/html": (200, HTML, {"Content_Type": "text/html"}),
            "/html-500": (500, HTML, {"Content_Type": "text/html"}),
            "/xml": b'<?xml version="1.0"?><a/>',
            "/empty": b"",
            "/text": b"all is well",
            "/cut": whole[:60],
            "/deep": b"[" * 100_000,
            "/latin": b'"\xe9"',
            "/large": b'["' + b"x" * 50_000_000 + b'"]',
            "/many": json.dumps([{"n": number} for number in range(1200)]).encode(),
            "/bom": b"\xef\xbb\xbf" + whole,
            "/utf16": json.dumps({"ok": "ja"}).encode("utf-16"),
            "/away": (302, b"", {"Location": "http://other.example/?token=abcdef"}),
            "/moved": (302, b"", {"Location": "/connectors"}),
            "/echo": echo,
            "/echo-well": echo_well,
            "/graphql": json.dumps({"data": {"runs": [{"id": "r1"}]}}).encode(),
        }
    )
    yield running
    running.close()


@pytest.fixture
def ask(server):
    """A function: path and keys of one API -> what is told of it."""

    def one(path: str, **given: Any) -> dict[str, Any]:
        return look(it={"url": server.url + path, "fields": {"name": "name"}, **given})["apis"]["it"]

    return one


def look(**apis: Any) -> dict[str, Any]:
    return observed("api_info", apis=apis, timeout_seconds=15)


def test_exactly_the_fields_of_each_thing(ask):
    told = ask(
        "/connectors",
        list="connectors[?enabled]",
        fields={"name": "name", "lag_seconds": "lag", "failures": "failures", "at": "at", "tasks": "tasks[].state"},
        types={"lag_seconds": "float", "failures": "int", "at": "time"},
    )
    assert told.pop("milliseconds") > 0
    assert told == {
        "available": True,
        "status": 200,
        "complete": True,
        "limits": [],
        "total": 2,
        "things": [
            {"name": "crm", "lag_seconds": 12.5, "failures": 3, "at": 1795935600.0, "tasks": ["RUNNING", "FAILED"]},
            {"name": "'; DROP TABLE x; --", "lag_seconds": 0.0, "failures": 0, "at": 1780041600.0, "tasks": []},
        ],
    }


def test_without_a_list_the_document_is_the_thing(ask):
    told = ask("/connectors", fields={"count": "length(connectors)", "note": "note", "nothing": "no.such"})
    assert told["things"] == [{"count": 3, "note": CONNECTORS["note"], "nothing": None}]
    assert told["complete"] is True


def test_the_entries_of_an_object_are_things_with_their_key(ask):
    told = ask("/connect", list="@", fields={"name": "key", "state": "value.status.connector.state", "tasks": "value.status.tasks[].state"})  # fmt: skip
    assert told["things"] == [{"name": "sink", "state": "RUNNING", "tasks": ["RUNNING", "FAILED"]}]


def test_a_body_is_sent_as_data(ask, server):
    told = ask("/graphql", body={"query": "{ runs }"}, list="data.runs", fields={"id": "id"})
    assert told["things"] == [{"id": "r1"}]
    method, _path, headers, body = server.asked[-1]
    assert (method, headers["content-type"], json.loads(body)) == ("POST", "application/json", {"query": "{ runs }"})


TELLS = {
    "500": ("/500", "bad_status", 'answers 500, expected was 200 to 299: {"error": "db gone, password=********'),
    "HTML": ("/html", "html", "answers 200 with HTML or XML and not JSON"),
    "HTML with 500": ("/html-500", "bad_status", "answers 500, expected was 200 to 299"),
    "XML": ("/xml", "html", "answers 200 with HTML or XML"),
    "nothing": ("/empty", "bad_json", "answers 200 without a body"),
    "text": ("/text", "bad_json", "the answer is no JSON (line 1, column 1: Expecting value)"),
    "cut off": ("/cut", "bad_json", "the JSON is cut off after 60 bytes"),
    "nested without end": ("/deep", "bad_json", "nested too deeply"),
    "no text": ("/latin", "bad_json", "no JSON"),
    "50 MB": ("/large", "too_large", "the body is larger than 5000000 bytes"),
    "to another host": ("/away", "redirect", "redirects to another place, http://other.example:80; not followed"),
    "404": ("/nothing", "bad_status", "answers 404, expected was 200 to 299: not here"),
}


@pytest.mark.parametrize("case", TELLS)
def test_one_line_for_what_cannot_be_read(ask, case):
    path, error, says = TELLS[case]
    told = ask(path)
    assert (told["available"], told["error"], told["things"], told["total"]) == (False, error, [], None)
    assert says in told["reason"]
    assert told["reason"].isprintable()
    assert len(told["reason"]) < 400
    assert "hunter2" not in str(told)


@pytest.mark.parametrize("path", ["/moved", "/bom"])
def test_what_is_read_all_the_same(ask, path):
    assert ask(path, list="connectors")["total"] == 3


def test_another_encoding_of_json(ask):
    assert ask("/utf16", fields={"ok": "ok"})["things"] == [{"ok": "ja"}]


def test_nobody_there(ask):
    told = look(it={"url": f"http://127.0.0.1:{free_port()}/", "fields": {"a": "a"}})
    assert (told["available"], told["apis"]["it"]["error"], told["apis"]["it"]["status"]) == (False, "refused", None)
    assert "connection refused" in told["reason"]


def test_one_that_hangs_stops_no_other(server):
    import socket

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        began = time.monotonic()
        told = look(
            slow={"url": url, "fields": {"a": "a"}, "timeout_seconds": 0.3},
            well={"url": f"{server.url}/connectors", "fields": {"a": "note"}},
        )
    assert time.monotonic() - began < 10
    assert (told["available"], told["complete"], told["unknown"]) == (True, False, ["slow"])
    assert told["apis"]["slow"]["error"] == "timeout"
    assert told["limits"] == [f"slow: {told['apis']['slow']['reason']}"]


def test_another_status_can_be_right(ask):
    told = ask("/503", status=[200, 503], fields={"db": "db"})
    assert (told["available"], told["status"], told["things"]) == (True, 503, [{"db": "down"}])
    assert told["retry_after_seconds"] == 30.0


def test_what_is_cut_is_told(ask):
    told = ask("/many", list="@", fields={"n": "n"})
    assert (len(told["things"]), told["total"], told["complete"]) == (500, 1200, False)
    assert told["limits"] == ["1200 things are there, and 500 were read"]


WRONG_VALUES = {
    "no number": ("note", "float", "is no number"),
    "no whole number": ("connectors[0].lag", "int", "is no whole number"),
    "neither true nor false": ("note", "bool", "is neither true nor false"),
    "no time": ("note", "time", "is no time in ISO 8601"),
    "an object": ("connectors[0]", "", "is no single value"),
    "objects": ("connectors", "", "is no single value"),
    "a function that gets the wrong type": ("max(connectors)", "", "max() takes array-number"),
}


@pytest.mark.parametrize("case", WRONG_VALUES)
def test_what_is_not_of_its_type_is_null_and_told(ask, case):
    expression, kind, says = WRONG_VALUES[case]
    told = ask("/connectors", fields={"it": expression, "n": "length(connectors)"}, types={"it": kind} if kind else {})
    assert told["things"] == [{"it": None, "n": 3}]
    assert (told["available"], told["complete"]) == (True, False)
    assert told["limits"][0].startswith(f"it: {says}")


def test_a_list_that_is_not_there_is_not_an_empty_one(ask):
    told = ask("/connectors", list="conectors")
    assert (told["available"], told["error"], told["things"]) == (False, "bad_json", [])
    assert told["reason"] == "list finds nothing in the answer, and neither a list nor an object"
    assert ask("/connectors", list="note")["available"] is False
    assert ask("/connectors", list="connectors[?name=='nobody']")["total"] == 0


BAD_EXPRESSIONS = {
    "a sign that is none": ({"fields": {"lag": "sync.# lag"}}, r"^system_apis\.crm\.fields\.lag: .*at column 6$"),
    "ends too early": ({"fields": {"lag": "sync."}}, r"^system_apis\.crm\.fields\.lag: .*ends too early, at column 6$"),
    "one bracket too many": ({"fields": {"lag": "a"}, "list": "things]"}, r"^system_apis\.crm\.list: unexpected '\]' at column 7$"),
    "no such function": ({"fields": {"lag": "a || lenght(b)"}}, r"there is no function lenght\(\) at column 6$"),
    "too few arguments": ({"fields": {"lag": "join(a)"}}, r"join\(\) takes 2 arguments, not 1 at column 1$"),
    "too few of any number": ({"fields": {"lag": "not_null()"}}, r"not_null\(\) takes at least 1 argument, not 0"),
    "empty": ({"fields": {"lag": " "}}, r"\.fields\.lag: must be a JMESPath expression$"),
    "a number": ({"fields": {"lag": 5}}, r"\.fields\.lag: must be a JMESPath expression$"),
    "no fields": ({}, r"^system_apis\.crm\.fields: must be a dict"),
    "a type that is none": ({"fields": {"lag": "a"}, "types": {"lag": "date"}}, r"types\.lag: unknown type date"),
    "a type of no field": ({"fields": {"lag": "a"}, "types": {"lagg": "int"}}, r"types\.lagg: there is no such field"),
    "a key with a slip": ({"fields": {"lag": "a"}, "lists": "b"}, r"^system_apis\.crm: unknown key lists"),
    "a method that changes": ({"fields": {"lag": "a"}, "method": "DELETE"}, r"crm\.method: unknown method DELETE"),
    "a GET with a body": ({"fields": {"lag": "a"}, "method": "GET", "body": "x"}, r"crm\.body: a GET has no body"),
    "auth of two kinds": ({"fields": {"lag": "a"}, "auth": {"bearer": "a", "cookie": "b"}}, r"crm\.auth: must be"),
    "basic without user": ({"fields": {"lag": "a"}, "auth": {"basic": {"password": "b"}}}, r"crm\.auth\.basic: must be"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_EXPRESSIONS)
def test_a_bad_api_is_told_with_its_place_before_anything_is_fetched(server, case):
    given, message = BAD_EXPRESSIONS[case]
    before = len(server.asked)
    with pytest.raises(ValueError, match=message):
        look(crm={"url": f"{server.url}/connectors", **given})
    assert len(server.asked) == before


def test_no_url():
    with pytest.raises(ValueError, match=r"^system_apis\.crm: must be a dict with the key url$"):
        look(crm={"fields": {"a": "a"}})


def test_nothing_to_ask():
    assert look() == {
        "available": False, "complete": False, "apis": {}, "unknown": [], "limits": [],
        "reason": "no API to ask: name one in system_apis",
    }  # fmt: skip


def test_without_the_library_nothing_is_fetched(server, monkeypatch):
    monkeypatch.setattr(expressions, "library", lambda: None)
    from ansible_collections.oncall.runbooks.plugins.plugin_utils.finishing import api

    monkeypatch.setattr(api, "library", lambda: None)
    before = len(server.asked)
    asked = {"apis": {"it": {"url": f"{server.url}/connectors", "fields": {"a": "note"}}}}
    told = observed("observe", api=asked, http_probe={"endpoints": {"it": f"{server.url}/connect"}})
    assert told["http_probe"]["available"] is True, "it stops no other"
    assert (told["api"]["available"], told["api"]["apis"]) == (False, {})
    assert told["api"]["reason"].startswith("the Python library jmespath is not installed on the controller")
    assert [path for _method, path, *_more in server.asked[before:]] == ["/connect"]


AUTH = {
    "bearer": {"auth": {"bearer": TOKEN}},
    "basic": {"auth": {"basic": {"user": "oncall", "password": TOKEN}}},
    "cookie": {"auth": {"cookie": f"theme=dark; session={TOKEN}"}},
    "a header": {"headers": {"X-Key": TOKEN}},
}


@pytest.mark.parametrize("kind", AUTH)
def test_a_secret_is_sent_and_never_shown(ask, server, kind):
    said = [ask("/echo", **AUTH[kind]), ask("/echo-well", fields={"error": "error"}, **AUTH[kind])]
    sent = str(server.asked[-1][2])
    basic = base64.b64encode(f"oncall:{TOKEN}".encode()).decode()
    assert json.dumps(TOKEN)[1:-1] in sent or TOKEN in sent or basic in sent
    shown = json.dumps(said)
    assert "not allowed" in shown
    for secret in (TOKEN, json.dumps(TOKEN)[1:-1], "7f3a9c", basic, "document"):
        assert secret not in shown, kind


def test_a_secret_in_the_url_is_sent_and_never_shown(server):
    place = server.place
    for url in (f"http://oncall:hunter-7f3a%40x@{place}/echo-well", f"http://{place}/echo-well?api_key=hunter-7f3a"):
        told = look(it={"url": url, "fields": {"error": "error"}})
        assert told["apis"]["it"]["available"] is True
        assert "7f3a" not in json.dumps(told)
    assert server.asked[-2][2]["authorization"].startswith("Basic ")


def test_the_secrets_of_a_request():
    found = secrets_of({"url": "https://u:p%40ss@h/?token=abcdef&page=second", "auth": {"cookie": "sid=xyz123; a=b"}})
    assert {"p%40ss", "p@ss", "abcdef", "xyz123"} <= set(found)
    assert "second" not in found


def test_a_template_in_an_answer_stays_text(ask):
    (thing,) = ask("/connectors", fields={"note": "note"})["things"]
    assert thing["note"] == "{{ lookup('pipe', 'id') }}"


def test_a_long_text_is_cut(server, ask):
    server.answers["/long"] = json.dumps({"name": "n" * 5000 + "\n\x1b[2J"}).encode()
    (thing,) = ask("/long")["things"]
    assert len(thing["name"]) == 300
    assert thing["name"].isprintable()


MOMENTS = {
    "seconds": (1795935600, 1795935600.0),
    "milliseconds": (1795935600123, 1795935600.123),
    "milliseconds as text": ("1795935600123", 1795935600.123),
    "UTC": ("2026-11-29T07:00:00Z", 1795935600.0),
    "with a zone": ("2026-11-29T08:00:00.5+01:00", 1795935600.5),
    "never, in Go": ("0001-01-01T00:00:00Z", None),
    "never": (0, None),
}


@pytest.mark.parametrize("case", MOMENTS)
def test_moments(server, ask, case):
    written, seconds = MOMENTS[case]
    server.answers["/time"] = json.dumps({"at": written}).encode()
    told = ask("/time", fields={"at": "at"}, types={"at": "time"})
    assert (told["things"], told["complete"]) == ([{"at": seconds}], True)


@pytest.mark.parametrize("written", ["2026-11-29T07:00:00", True, 1e20, "soon", float("nan")])
def test_what_is_no_moment(server, ask, written):
    server.answers["/time"] = json.dumps({"at": written}).encode()
    told = ask("/time", fields={"at": "at"}, types={"at": "time"})
    assert told["things"] == [{"at": None}]
    # NaN is no JSON: not measured, like null.
    assert told["complete"] is (written != written)
