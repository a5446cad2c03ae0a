"""postgres_wal_info and postgres_replication_slot where the server cannot be asked, and what is decided about a slot."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.postgres.client import DatabaseError
from ansible_collections.oncall.runbooks.plugins.module_utils.postgres.wal import drop_slot
from ansible_collections.oncall.runbooks.tests.support.modules import run_module

SLOT = {"name": "old_standby", "restart_lsn": "0/3000028"}


@pytest.fixture
def nobody_listens():
    """A database at a port that is taken and where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield {
            "host": "127.0.0.1",
            "port": taken.getsockname()[1],
            "name": "labpics",
            "user": "oncall",
            "password": "s3cret",
        }


def test_a_database_that_is_down_is_not_available(nobody_listens, tmp_path):
    code, found = run_module("postgres_wal_info", tmp_path, database=nobody_listens)
    assert (code, found["available"], found["error"]) == (0, False, "refused")
    assert "s3cret" not in str(found["reason"])
    code, found = run_module("postgres_replication_slot", tmp_path, database=nobody_listens, **SLOT)
    assert (code, found["error"]) == (1, "refused")


class Server:
    """Answers as a server would that has the slot in some state."""

    def __init__(self, before: dict[str, Any] | None, may_checkpoint: bool = True) -> None:
        self._before, self._may_checkpoint = before, may_checkpoint
        self.dropped, self.executed = 0, []

    def query(self, _statement: str, parameters: dict[str, Any]) -> dict[str, Any]:
        fits = self._before == {"slot_name": SLOT["name"], "active": False, "restart_lsn": parameters["restart_lsn"]}
        self.dropped = int(fits and not parameters["check"])
        return {"before": self._before, "dropped": self.dropped}

    def execute(self, statement: str) -> None:
        self.executed.append(statement)
        if not self._may_checkpoint:
            raise DatabaseError("not_allowed", "must be superuser")


def state(**changes: Any) -> dict[str, Any]:
    return {"slot_name": "old_standby", "active": False, "restart_lsn": "0/3000028", **changes}


@pytest.mark.parametrize(
    ("before", "check", "changed", "why_not"),
    [
        (state(), False, True, ""),
        (state(), True, True, ""),
        (None, False, False, "there is no such slot (any more)"),
        (state(active=True), False, False, "it is in use"),
        (state(active=True), True, False, "it is in use"),
        (state(restart_lsn="0/4000000"), False, False, "it was used meanwhile and stands at 0/4000000 now"),
    ],
)
def test_what_is_decided_about_a_slot(before, check, changed, why_not):
    server = Server(before)
    result = drop_slot(server, SLOT, check)
    assert (result["changed"], result["why_not"]) == (changed, why_not)
    assert server.executed == (["CHECKPOINT"] if changed and not check else [])


def test_a_checkpoint_that_is_not_allowed_is_told():
    result = drop_slot(Server(state(), may_checkpoint=False), SLOT, check=False)
    assert result["changed"] is True
    assert "must be superuser" in result["checkpoint"]
