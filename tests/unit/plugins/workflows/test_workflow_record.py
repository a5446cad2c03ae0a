# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What workflow_record does to records in a real PostgreSQL: exactly one, or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.workflows.act import LeftAlone, move
from ansible_collections.oncall.runbooks.tests.support.modules import run_module
from ansible_collections.oncall.runbooks.tests.support.postgres_servers import Server
from ansible_collections.oncall.runbooks.tests.support.postgres_servers import server as postgres

WORKFLOW = {"table": "proposals", "since_column": "at", "waiting": ["pending"]}
HOSTILE = "'; DROP TABLE proposals; --"


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with postgres() as server:
        server.execute("CREATE TABLE proposals (id text, status text, at timestamptz DEFAULT now())", user="app")
        server.execute("GRANT SELECT, UPDATE ON proposals TO oncall", user="app")
        yield server


@pytest.fixture
def server(running) -> Server:
    running.execute("TRUNCATE proposals")
    running.execute(
        "INSERT INTO proposals VALUES ('1', 'pending'), ('2', 'pending'), ('two', 'pending'), ('two', 'pending')"
    )
    running.execute("INSERT INTO proposals VALUES ('''; DROP TABLE proposals; --', 'pending')")
    return running


def moved(
    server: Server, identity: str, from_state: str = "pending", to_state: str = "validated", **more: Any
) -> dict[str, Any]:
    params = {
        "name": "proposal",
        "workflow": WORKFLOW,
        "database": server.reach(),
        "id": identity,
        "version": None,
        "timeout_seconds": 10,
    }
    result = move({**params, "from_state": from_state, "to_state": to_state, **more})
    assert isinstance(result, dict)
    return result


def states(server: Server) -> dict[str, str]:
    return dict(server.execute("SELECT id, status FROM proposals"))


@pytest.mark.parametrize("identity", ["1", HOSTILE])
def test_one_and_no_other(server, identity):
    assert moved(server, identity)["id"] == identity
    assert states(server) == {
        "1": "pending",
        "2": "pending",
        "two": "pending",
        HOSTILE: "pending",
        identity: "validated",
    }
    # Once more changes nothing.
    assert moved(server, identity) == {"id": identity, "version": None}


@pytest.mark.parametrize(
    ("identity", "from_state", "said"),
    [
        ("1", "rejected", "proposal 1 is in the state pending by now, and not in rejected; nothing was changed"),
        ("9", "pending", "there is no proposal 9 (any more)"),
        ("two", "pending", "there is more than one proposal two"),
    ],
)
def test_what_is_not_as_it_was_is_left_alone(server, identity, from_state, said):
    with pytest.raises(LeftAlone) as error:
        moved(server, identity, from_state)
    assert said in str(error.value)
    assert set(states(server).values()) == {"pending"}


def test_it_is_taken_back_only_while_it_is_ours(server):
    done = moved(server, "1")
    assert moved(server, "1", "validated", "pending", version=done["version"])["id"] == "1"
    assert states(server)["1"] == "pending"
    done = moved(server, "2")
    # Somebody else has been there: whatever they did, it is theirs.
    server.execute("UPDATE proposals SET at = now() WHERE id = '2'")
    with pytest.raises(LeftAlone, match="somebody has changed proposal 2 since"):
        moved(server, "2", "validated", "pending", version=done["version"])
    assert states(server)["2"] == "validated"


def test_the_module(server, tmp_path):
    who = {"approved_by": "lead@example.com", "reason": "the release waits for it"}
    params = {
        "name": "proposal", "workflow": WORKFLOW, "database": server.reach(), "id": "1", "from_state": "pending", "to_state": "validated", **who,
    }  # fmt: skip
    code, checked = run_module("workflow_record", tmp_path, check=True, **params)
    assert (code, checked["changed"], states(server)["1"]) == (0, True, "pending"), checked
    code, told = run_module("workflow_record", tmp_path, **params)
    assert (code, told["changed"], states(server)["1"]) == (0, True, "validated"), told
    assert who.items() <= told.items()
    code, told = run_module("workflow_record", tmp_path, **params)
    assert (code, told["changed"]) == (0, False), told
    code, failed = run_module("workflow_record", tmp_path, **{**params, "to_state": "rejected"})
    assert (code, "proposal 1 is in the state validated by now, and not in pending" in failed["msg"]) == (1, True), (
        failed
    )
