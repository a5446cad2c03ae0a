# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens for one task on a real server: given, used once, and revoked whatever becomes of the task.

What break_glass_write, break_glass_revoke and break_glass_info do. As modules in a play they are in tests/integration/test_break_glass.py.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.oncall.runbooks.plugins.module_utils.break_glass import granted, issuer, journal
from ansible_collections.oncall.runbooks.plugins.module_utils.break_glass.look import observe
from ansible_collections.oncall.runbooks.plugins.module_utils.break_glass.spec import (
    apart,
    checked,
    filled,
    grant_of,
    together,
)
from ansible_collections.oncall.runbooks.plugins.module_utils.break_glass.write import NotWritten, write
from ansible_collections.oncall.runbooks.plugins.module_utils.connectors.act import act
from ansible_collections.oncall.runbooks.plugins.module_utils.connectors.failures import SourceError
from ansible_collections.oncall.runbooks.plugins.modules.connector_action import ARGUMENT_SPEC
from ansible_collections.oncall.runbooks.tests.support.read_only_system import PASSWORD, ReadOnlySystem
from ansible_collections.oncall.runbooks.tests.support.waiting import until

# The servers of these tests are threads of this process, which forks a keeper; a module has none.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
REPOSITORY = Path(__file__).parents[4]
WHY = {"reason": "INC-42 orders are stuck", "ttl_seconds": 300}
# A task in a process of its own, as a module is one: it says that it has a token, then does what it is told.
TASK = """
import json, os, signal, sys, time
# Where all of this runs in the background, an interrupt is not heard.
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path.insert(0, {path!r})
from ansible_collections.oncall.runbooks.plugins.module_utils.break_glass.granted import granted
from ansible_collections.oncall.runbooks.plugins.module_utils.break_glass.spec import checked, grant_of
settings, want, directory, then = json.load(sys.stdin)
try:
    with granted(checked(settings), grant_of(want), "alice", directory, 60.0) as grant:
        print("has", flush=True)
        if then == "fail":
            raise RuntimeError("the task failed")
        time.sleep(0 if then == "end" else 600)
    print(json.dumps(grant.told()), flush=True)
except RuntimeError as error:
    print(json.dumps({{"failed": str(error), **grant.told()}}), flush=True)
"""


@pytest.fixture
def system():
    running = ReadOnlySystem()
    yield running
    running.close()


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(granted, "_PAUSES", (0.0, 0.1))


@pytest.fixture
def task(system, tmp_path):
    """A function that begins a task in a process of its own, and returns when that has its token."""
    begun: list[subprocess.Popen[str]] = []

    def begin(then: str, **changed: Any) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", TASK.format(path=str(REPOSITORY / "collections"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        begun.append(process)
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps([system.settings(**changed), WHY, str(tmp_path), then]))
        process.stdin.close()
        assert process.stdout.readline() == "has\n"
        return process

    yield begin
    for process in begun:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def ended(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    told = json.loads(process.stdout.readline())
    process.wait(60)
    return told


def written(folder: Path) -> str:
    return "".join(path.read_text() for path in folder.rglob("*") if path.is_file())


def secrets_in(text: str, system: ReadOnlySystem) -> list[str]:
    return [one for one in (PASSWORD, *(given["token"] for given in system.tokens.values())) if one in text]


@pytest.mark.covers("PD-7-1")
@pytest.mark.parametrize("then", ["end", "fail"])
def test_it_is_revoked_when_the_task_ends_and_when_it_fails(task, system, tmp_path, then):
    told = ended(task(then))
    assert (told["state"], told["how"], told["who"], told["why"]) == (
        "revoked",
        "after the task",
        "alice",
        WHY["reason"],
    )
    assert told["given_at_seconds"] < told["revoked_at_seconds"] < told["expires_at_seconds"]
    assert system.open_ones() == {}
    (given,) = system.tokens.values()
    assert given["minutes"] == 5
    assert given["reason"].startswith("INC-42 orders are stuck [oncall ")
    assert secrets_in(json.dumps(told) + written(tmp_path), system) == []
    (entry,), limits = journal.read(str(tmp_path))
    assert (entry["state"], entry["held"], limits) == ("revoked", False, [])
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "break_glass").iterdir()] == [0o600]


@pytest.mark.covers("PD-7-1")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_it_is_revoked_when_the_task_is_killed(task, system, tmp_path, number):
    process = task("hang")
    assert len(system.open_ones()) == 1
    os.kill(process.pid, number)
    process.wait(60)
    until(lambda: system.open_ones() == {})
    until(lambda: journal.read(str(tmp_path))[0][0]["state"] == "revoked")
    assert journal.read(str(tmp_path))[0][0]["how"] == "as the task was gone"


@pytest.mark.parametrize("has_dates", [True, False], ids=["its answers have a date", "they have none"])
@pytest.mark.parametrize("ahead", [3600.0, -3600.0])
def test_a_clock_that_is_an_hour_off_takes_no_token_away_and_leaves_none(task, system, tmp_path, ahead, has_dates):
    system.ahead_seconds, system.has_dates = ahead, has_dates
    process = task("hang", expires="expires_at")
    (entry,) = journal.read(str(tmp_path))[0]
    if has_dates or ahead < 0:
        assert entry["expires_at_seconds"] == pytest.approx(entry["given_at_seconds"] + WHY["ttl_seconds"], abs=120)
    # The task has it, though by the other clock it was over before it was given.
    assert len(system.open_ones()) == 1
    end_its_keeper(process)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(60)
    # And where both are gone, it is known to be open.
    until(lambda: [journal.is_left(one, time.time()) for one in journal.read(str(tmp_path))[0]] == [True])


def test_the_whole_process_group_that_is_killed_takes_no_token_with_it(task, system):
    process = task("hang")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(60)
    until(lambda: system.open_ones() == {})


def end_its_keeper(process: subprocess.Popen[str]) -> None:
    """It has let go of all that it had when this returns."""
    keeper = keeper_of(process)
    os.kill(keeper, signal.SIGKILL)
    until(lambda: is_over(keeper))


def is_over(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def keeper_of(process: subprocess.Popen[str]) -> int:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return int(children[0])


def test_where_the_keeper_is_killed_the_task_revokes(task, system, tmp_path):
    process = task("hang")
    end_its_keeper(process)
    assert len(system.open_ones()) == 1
    process.send_signal(signal.SIGINT)
    process.wait(60)
    until(lambda: system.open_ones() == {})
    assert journal.read(str(tmp_path))[0][0]["how"] == "by the task, as its keeper was gone"


def test_where_both_are_killed_the_next_run_revokes(task, system, tmp_path, quick):
    process = task("hang")
    end_its_keeper(process)
    process.kill()
    process.wait(60)
    (left,) = [one for one in journal.read(str(tmp_path))[0] if journal.is_left(one, time.time())]
    assert left["state"] == "open"
    (done,) = granted.sweep(checked(system.settings()), str(tmp_path), 60.0)
    assert (done["state"], done["how"]) == ("revoked", "by a later run, as it was left")
    assert system.open_ones() == {}
    assert granted.sweep(checked(system.settings()), str(tmp_path), 60.0) == []


def test_a_token_that_a_task_has_is_not_swept(task, system, tmp_path, quick):
    process = task("hang")
    assert granted.sweep(checked(system.settings()), str(tmp_path), 60.0) == []
    assert len(system.open_ones()) == 1
    process.kill()
    process.wait(60)
    until(lambda: system.open_ones() == {})


def test_one_whose_answer_was_lost_is_found_by_its_reference(system, tmp_path, quick):
    """The issuer gave it, and nobody heard of it."""
    folder = journal.folder_of(str(tmp_path))
    record = {
        "reference": "ab" * 8,
        "who": "bob",
        "why": "x",
        "state": "asking",
        "id": "",
        "how": "",
        "revoked_at_seconds": None,
    }
    entry = journal.Entry(
        folder / f"{'ab' * 8}.json",
        {**record, "given_at_seconds": time.time(), "expires_at_seconds": time.time() + 300},
    )
    entry.close()
    system.said("POST", "/v1/admin/break-glass/start", {"reason": "a person's", "ttl_minutes": 5}, basic(system))
    system.said(
        "POST", "/v1/admin/break-glass/start", {"reason": f"x [oncall {'ab' * 8}]", "ttl_minutes": 5}, basic(system)
    )
    (done,) = granted.sweep(checked(system.settings()), str(tmp_path), 60.0)
    assert done["state"] == "revoked"
    # That of a person is not touched.
    assert [one["reason"] for one in system.open_ones().values()] == ["a person's"]


@pytest.mark.parametrize(("status", "left"), [(502, 1), (504, 1), (408, 1), (403, 0)])
def test_a_token_that_a_server_on_the_way_kept_back_is_left_and_revoked(system, tmp_path, quick, status, left):
    system.loses["/v1/admin/break-glass/start"] = status
    with pytest.raises(granted.NotGranted, match=f"answers {status}"), granted.granted(
        checked(system.settings()), grant_of(WHY), "alice", str(tmp_path), 60.0
    ):
        pytest.fail("the task was begun")
    # The keeper ends by itself.
    until(lambda: not any(one["held"] for one in journal.read(str(tmp_path))[0]))
    noted = [journal.is_left(one, time.time()) for one in journal.read(str(tmp_path))[0]]
    assert noted == [left == 1]
    # It is open, whatever was noted: a refusal that was none is found where the issuer lists it.
    assert len(seen(system, tmp_path)["left"]) == 1
    (done,) = granted.sweep(checked(system.settings()), str(tmp_path), 60.0)
    assert (done["state"], system.open_ones()) == ("revoked", {})
    assert seen(system, tmp_path)["left"] == []


def test_one_that_is_noted_as_revoked_and_listed_as_open_is_left(task, system, tmp_path, quick):
    assert ended(task("end"))["state"] == "revoked"
    (given,) = system.tokens.values()
    given["revoked_at"] = None
    until(lambda: not any(one["held"] for one in journal.read(str(tmp_path))[0]))
    assert [one["state"] for one in seen(system, tmp_path)["left"]] == ["revoked"]
    granted.sweep(checked(system.settings()), str(tmp_path), 60.0)
    assert (system.open_ones(), seen(system, tmp_path)["left"]) == ({}, [])


def basic(system: ReadOnlySystem) -> dict[str, str]:
    request, _secrets = filled("x", system.settings()["start"], {})
    return {"authorization": request["headers"]["Authorization"]}


@pytest.mark.parametrize(
    ("path", "more"),
    [
        # Another place answers 404 as well, and one that takes everything answers 200.
        ("/nowhere/{id}", {}),
        ("/nowhere/{id}", {"open": None}),
        ("/v1/orders/{id}", {"open": None}),
        ("/anything/{id}", {}),
    ],
)
def test_a_revocation_that_fails_is_told_and_is_left_to_the_next_run(task, system, tmp_path, path, more):
    if "anything" in path:
        system.takes_everything = True
    told = ended(task("end", revoke={"url": system.url + path}, **more))
    assert told["state"] == "open"
    assert told["how"].startswith("not revoked: system_break_glass.revoke: ")
    assert len(system.open_ones()) == 1
    assert [journal.is_left(one, time.time()) for one in journal.read(str(tmp_path))[0]] == [True]


def test_without_a_way_to_revoke_it_ends_by_itself_and_that_is_said(task, system, tmp_path):
    told = ended(task("end", revoke=None))
    assert (told["state"], told["revoked_at_seconds"]) == ("ends_by_itself", None)
    assert "the inventory has no system_break_glass.revoke" in told["how"]


def test_a_token_can_be_revoked_by_itself(task, system, tmp_path):
    revoke = {"url": f"{system.url}/v1/admin/break-glass/end", "body": {"token": "{token}"}}
    system.has_ids = False
    told = ended(task("end", revoke=revoke, id=None))
    assert told["state"] == "revoked"
    assert system.open_ones() == {}


def test_a_token_can_be_revoked_with_delete(task, system):
    told = ended(task("end", revoke={"url": f"{system.url}/v1/admin/break-glass/{{id}}", "method": "DELETE"}))
    assert told["state"] == "revoked"
    assert system.open_ones() == {}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (
            {
                "start": {
                    "url": "{url}/v1/admin/break-glass/start",
                    "auth": {"basic": {"user": "admin", "password": "wr0ng-pass"}},
                    "body": {"reason": "{reason}", "ttl_minutes": "{ttl_minutes}"},
                }
            },
            "answers 401",
        ),
        ({"start": {"url": "{url}/nowhere"}}, "answers 404"),
        ({"start": {"url": "{url}/v1/state", "method": "GET"}}, "has no token at token"),
        ({"start": {"url": "http://127.0.0.1:1/"}}, "connection refused"),
    ],
)
def test_no_token_no_task(system, tmp_path, changed, words):
    text = json.dumps(changed).replace("{url}", system.url)
    with pytest.raises(granted.NotGranted, match=words) as failed, granted.granted(
        checked(system.settings(**json.loads(text))), grant_of(WHY), "alice", str(tmp_path), 60.0
    ):
        pytest.fail("the task was begun")
    assert "wr0ng-pass" not in str(failed.value)


def test_where_nothing_can_be_recorded_no_token_is_asked_for(system, tmp_path):
    (tmp_path / "break_glass").mkdir(mode=0o777)
    (tmp_path / "break_glass").chmod(0o777)
    with pytest.raises(granted.NotGranted, match="none is asked for"), granted.granted(
        checked(system.settings()), grant_of(WHY), "alice", str(tmp_path), 60.0
    ):
        pytest.fail("the task was begun")
    assert system.asked == []


# The write.


def params(system: ReadOnlySystem, folder: Path, **changed: Any) -> dict[str, Any]:
    return {
        "break_glass": system.settings(),
        "write": "release_orders",
        "grant": WHY,
        "by": "alice",
        "directory": str(folder),
        "timeout_seconds": 60.0,
        **changed,
    }


@pytest.mark.covers("PD-7-1")
def test_a_write_into_a_system_that_is_read_only(system, tmp_path):
    done = write(params(system, tmp_path))
    assert (done["changed"], done["status"], done["break_glass"]["state"], system.orders) == (
        True,
        200,
        "revoked",
        "released",
    )
    assert len(system.tokens) == 1
    assert system.open_ones() == {}
    assert secrets_in(json.dumps(done) + written(tmp_path), system) == []
    # It is done, and nothing is asked for again.
    again = write(params(system, tmp_path))
    assert (again["changed"], len(system.tokens)) == (False, 1)


def test_a_write_into_a_system_that_is_not_read_only_takes_no_token(system, tmp_path):
    system.read_only = False
    done = write(params(system, tmp_path))
    assert (done["changed"], done["break_glass"], system.tokens, system.orders) == (True, None, {}, "released")


def test_a_write_that_is_refused_leaves_no_token(system, tmp_path):
    system.refuses["/v1/orders/release"] = 500
    with pytest.raises(NotWritten, match="answers 500") as failed:
        write(params(system, tmp_path))
    assert failed.value.record["state"] == "revoked"
    assert system.open_ones() == {}
    # The system sends back what it was sent.
    assert secrets_in(str(failed.value), system) == []


@pytest.mark.parametrize("answer", [500, 302, 404])
def test_where_it_is_not_known_nothing_is_sent(system, tmp_path, answer):
    system.refuses["/v1/state"] = answer
    with pytest.raises(NotWritten, match="not written, because"):
        write(params(system, tmp_path))
    assert system.tokens == {}
    assert ("POST", "/v1/orders/release") not in system.asked


def test_whether_it_is_read_only_has_to_be_known(system, tmp_path):
    settings = system.settings(read_only={"url": f"{system.url}/v1/state", "field": "orders"})
    with pytest.raises(NotWritten, match="neither true nor false"):
        write(params(system, tmp_path, break_glass=settings))
    assert system.tokens == {}


@pytest.mark.parametrize("field", ["ordres", "orders.state", "admin"])
def test_a_field_that_the_answer_does_not_have_is_not_known_and_nothing_is_sent(system, tmp_path, field):
    settings = system.settings()
    settings["writes"]["release_orders"]["done"]["field"] = field
    with pytest.raises(NotWritten, match=f"at {field}"):
        write(params(system, tmp_path, break_glass=settings))
    found = seen(system, tmp_path, break_glass=settings)["writes"]["release_orders"]
    assert (found["value"], f"at {field}" in found["reason"], system.tokens, system.orders) == (None, True, {}, "held")


@pytest.mark.parametrize(
    ("value", "equals", "is_done"),
    [
        (True, "true", True),
        ("true", True, True),
        (True, True, True),
        (True, "false", False),
        (3, 3.0, True),
        (3, "3", True),
        (None, None, True),
        (None, "released", False),
        ("released", None, False),
        ("Released", "released", False),
    ],
)
def test_a_write_that_is_done_in_another_spelling_is_not_sent_again(system, tmp_path, value, equals, is_done):
    system.orders = value
    settings = system.settings()
    settings["writes"]["release_orders"]["done"]["equals"] = equals
    assert seen(system, tmp_path, break_glass=settings)["writes"]["release_orders"]["value"] is is_done


def test_a_connector_gets_a_token_as_well(system, tmp_path):
    given = {
        "source": "app",
        "verb": "sync",
        "connector": "crm",
        "request": {"url": f"{system.url}/v1/orders/release"},
        "break_glass": {"settings": system.settings(), "grant": WHY, "by": "alice", "directory": str(tmp_path)},
    }
    validated = ArgumentSpecValidator(ARGUMENT_SPEC).validate(given)
    done = act(validated.validated_parameters)
    assert (done["status"], done["break_glass"]["state"], system.orders, system.open_ones()) == (
        200,
        "revoked",
        "released",
        {},
    )
    system.refuses["/v1/orders/release"] = 500
    with pytest.raises(SourceError, match="answers 500") as failed:
        act(validated.validated_parameters)
    assert secrets_in(str(failed.value), system) == []
    assert system.open_ones() == {}
    with pytest.raises(SourceError, match="answers 500"):
        act({**validated.validated_parameters, "break_glass": None})


# What is seen.


def seen(system: ReadOnlySystem, folder: Path, **changed: Any) -> dict[str, Any]:
    return observe(
        {
            "break_glass": system.settings(),
            "writes": ["release_orders"],
            "directory": str(folder),
            "timeout_seconds": 60.0,
            **changed,
        }
    )


def test_what_is_open(task, system, tmp_path):
    process = task("hang")
    found = seen(system, tmp_path)
    assert (found["read_only"]["value"], found["writes"]["release_orders"]["value"], found["complete"]) == (
        True,
        False,
        True,
    )
    assert [(one["state"], one["held"]) for one in found["given"]] == [("open", True)]
    assert found["left"] == []
    assert [one["reference"] for one in found["open"]["tokens"]] == [found["given"][0]["reference"]]
    assert secrets_in(json.dumps(found), system) == []
    end_its_keeper(process)
    process.kill()
    process.wait(60)
    assert [one["reference"] for one in seen(system, tmp_path)["left"]] == [found["given"][0]["reference"]]


def test_a_system_that_does_not_answer(system, tmp_path):
    system.refuses.update({"/v1/state": 500, "/v1/admin/break-glass": 500})
    found = seen(system, tmp_path)
    assert (found["available"], found["read_only"]["value"], found["open"]["known"]) == (False, None, False)


@pytest.mark.parametrize("content", ["", "no json", "[]", '{"state": 1}'])
def test_a_record_that_cannot_be_read_is_told(system, tmp_path, content):
    folder = journal.folder_of(str(tmp_path))
    (folder / f"{'0' * 16}.json").write_text(content)
    found = seen(system, tmp_path)
    assert found["complete"] is False
    assert "is no record of a token" in found["limits"][0]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"start": None}, "give system_break_glass.start, a dict with the key url"),
        ({"start": {"url": "http://a.example", "body": "{password}"}}, "there is nothing for {password}"),
        ({"revoke": {"url": "http://a.example/revoke"}}, "revoke nothing or everything"),
        ({"revoke": {"url": "http://a.example/{token}"}}, "does not belong into a URL"),
        ({"revoke": {"url": "http://a.example/{id}"}, "id": None}, "needs system_break_glass.id"),
        ({"header": "X: y"}, "must be the name of a header"),
        ({"token": "a b"}, "must be a path"),
        ({"read_only": {"url": "http://a.example"}}, "field: must say where"),
        ({"writes": {"x": {"url": "http://a.example"}}}, "done: must say what shows"),
        ({"wirtes": {}}, "unknown key wirtes"),
    ],
)
def test_an_inventory_that_cannot_be_used(system, changed, words):
    with pytest.raises(ValueError, match=words):
        checked(system.settings(**changed))


@pytest.mark.parametrize(
    "grant",
    [
        {},
        {"reason": "x"},
        {"reason": "long enough", "ttl_seconds": 59},
        {"reason": "long enough", "ttl_seconds": 3601},
        {"reason": "long enough", "token": "x"},
        "x",
    ],
)
def test_a_grant_without_a_reason_or_for_too_long(grant):
    with pytest.raises(ValueError, match="break_glass"):
        grant_of(grant)


def test_a_reason_is_data():
    request, _secrets = filled(
        "x",
        {"url": "http://a.example/{id}", "body": {"r": "{reason}", "n": "{ttl_minutes}"}},
        {"reason": '"}{id} {{ x }}', "ttl_minutes": 5, "id": "../x?y"},
    )
    assert request["url"] == "http://a.example/..%2Fx%3Fy"
    assert json.loads(request["body"]) == {"r": '"}{id} {{ x }}', "n": 5}


def test_the_mark_of_ours():
    assert issuer.MARK.search("why [oncall 0123456789abcdef]")
    assert not issuer.MARK.search("why [oncall 0123]")


def test_what_is_secret_goes_apart_and_comes_together_again(system):
    settings = system.settings()
    without, secrets = apart(settings)
    assert PASSWORD not in json.dumps(without)
    assert set(secrets) == {"start", "revoke", "open"}
    assert together(without, secrets) == settings
    own = {"start": {"url": "x", "body": {"auth": "no secret"}, "headers": {"X-Key": "k3y"}}}
    without, secrets = apart(own)
    assert (without["start"]["body"], secrets) == ({"auth": "no secret"}, {"start": {"headers": {"X-Key": "k3y"}}})
    assert together(without, secrets) == own
