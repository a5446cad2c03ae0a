# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What workflow_request has an application do for records in a real PostgreSQL: one first, each once, none that got on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.workflows.request import RequestError, request
from ansible_collections.oncall.runbooks.tests.support.modules import run_module
from ansible_collections.oncall.runbooks.tests.support.postgres_servers import Server
from ansible_collections.oncall.runbooks.tests.support.postgres_servers import server as postgres

# An application that validates at once what it is asked for, but for one that it cannot; it notes what it was asked for.
APPLICATION = """
import sys
import psycopg
with open(sys.argv[2], "a") as file:
    print(sys.argv[3], file=file)
with psycopg.connect(sys.argv[1], autocommit=True) as db:
    db.execute("UPDATE proposals SET status = 'validated', at = now() WHERE id = ANY (%s) AND id <> 'poison'", (sys.argv[3].split(","),))
if "breaks" in sys.argv[3]:
    sys.exit("password=s3cret: the broker is away")
"""


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with postgres() as server:
        server.execute(
            "CREATE TABLE proposals (id text PRIMARY KEY, status text, at timestamptz DEFAULT now() - interval '1 h')",
            user="app",
        )
        server.execute("GRANT SELECT ON proposals TO oncall", user="app")
        yield server


class Application:
    """A database with proposals, and what was asked for."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server, self.asked_file, self.state = server, folder / "asked", folder / "state"
        self.state.mkdir()
        program = folder / "application.py"
        program.write_text(APPLICATION)
        url = f"postgresql://app@127.0.0.1:{server.port}/shop"
        self.command = [sys.executable, str(program), url, str(self.asked_file), "{ids}"]
        server.execute("TRUNCATE proposals")

    def propose(self, *ids: str) -> list[str]:
        self.server.execute(f"INSERT INTO proposals (id, status) SELECT unnest(ARRAY{[*ids]!r}), 'pending'")
        return [*ids]

    def params(self, *ids: str, **more: Any) -> dict[str, Any]:
        workflow = {"table": "proposals", "since_column": "at", "waiting": ["pending"], "request": self.command}
        defaults = {
            "batch_size": 50,
            "per_minute": 6000,
            "proof_seconds": 0.5,
            "most_waiting": 100,
            "seconds": 60.0,
            "reason": "a test",
        }
        fixed = {
            "name": "proposals",
            "workflow": workflow,
            "database": self.server.reach(),
            "directory": str(self.state),
        }
        return {**defaults, **fixed, "ids": [*ids], "queue": {}, "redis": None, "timeout_seconds": 20.0, **more}

    def request(self, *ids: str, check_mode: bool = False, **more: Any) -> dict[str, Any]:
        result = request(self.params(*ids, **more), check_mode)
        assert isinstance(result, dict)
        return result

    def asked(self) -> list[list[str]]:
        """The ids of each time that it was asked."""
        return (
            [line.split(",") for line in self.asked_file.read_text().splitlines()] if self.asked_file.exists() else []
        )


@pytest.fixture
def application(running, tmp_path) -> Application:
    return Application(running, tmp_path)


def test_one_then_ten_then_the_rest_and_none_that_got_on(application):
    ids = application.propose(*(f"p{n}" for n in range(30)))
    application.server.execute("UPDATE proposals SET status = 'validated' WHERE id = 'p3'")
    planned = application.request(*ids, check_mode=True)
    assert (planned["chosen"], application.asked(), [*application.state.iterdir()]) == (29, [], [])
    found = application.request(*ids, "nobody")
    assert (found["found"], found["replayed"], found["done"], found["stopped"]) == (29, 29, 29, "")
    assert [len(one) for one in application.asked()] == [1, 10, 18]
    asked = [one for some in application.asked() for one in some]
    assert sorted(asked) == sorted({*ids} - {"p3"})
    again = application.request(*ids)
    assert (again["found"], again["replayed"]) == (0, 0)


def test_it_stops_at_the_first_that_does_not_get_on_and_asks_for_none_twice(application):
    ids = application.propose("poison", "a", "b")
    found = application.request(*ids)
    assert (found["done"], found["still_running"], found["left"], found["stopped_by"]) == (0, 1, 2, "not_proven")
    assert application.asked() == [["poison"]]
    # The next run leaves that one alone.
    found = application.request(*ids)
    assert (found["set_aside"], found["done"]) == (1, 2)
    assert application.asked() == [["poison"], ["a"], ["b"]]


def test_a_command_that_fails_may_have_asked_and_is_not_run_for_them_again(application):
    application.propose("poison", "a")
    application.command[-1] = "{ids},breaks"
    with pytest.raises(RequestError) as error:
        application.request("poison", "a")
    assert "request: " in str(error.value) and "s3cret" not in str(error.value)
    application.command[-1] = "{ids}"
    found = application.request("poison", "a")
    assert (found["lost"], found["done"]) == (1, 0)
    assert "look, before you send it again" in found["stopped"]
    found = application.request("poison", "a")
    assert (found["set_aside"], found["done"]) == (1, 1)
    assert [one[0] for one in application.asked()] == ["poison", "a"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"ids": []}, "ids names no record"),
        ({"ids": ["a,b"]}, "'a,b' cannot be an argument of a command"),
        ({"ids": ["--all"]}, "'--all' cannot be an argument of a command"),
        ({"ids": ["'; DROP TABLE x; --"]}, "cannot be an argument of a command"),
        ({"batch_size": 0}, "batch_size must be above 0"),
        (
            {"workflow": {"table": "proposals", "since_column": "at", "waiting": ["pending"]}},
            "request does not say which command",
        ),
    ],
)
def test_what_cannot_be_asked_for(application, wrong, said):
    with pytest.raises(ValueError, match=said.replace("(", r"\(")):
        application.request(*wrong.pop("ids", ["a"]), **wrong)
    assert application.asked() == []


def test_the_module(application, tmp_path):
    ids = application.propose("a", "b")
    params = {key: value for key, value in application.params(*ids).items() if value not in (None, {})}
    code, checked = run_module("workflow_request", tmp_path, check=True, **params)
    assert (code, checked["changed"], checked["found"], checked["requested"]) == (0, True, 2, 0), checked
    code, told = run_module("workflow_request", tmp_path, **params)
    assert (code, told["changed"], told["found"], told["requested"], told["done"]) == (0, True, 2, 2, 2), told
    code, told = run_module("workflow_request", tmp_path, **params)
    assert (code, told["changed"], told["found"]) == (0, False, 0), told
    code, failed = run_module("workflow_request", tmp_path, **{**params, "ids": ["a,b"]})
    assert (code, failed["msg"]) == (1, "'a,b' cannot be an argument of a command: letters, digits and . _ : @ - can")
