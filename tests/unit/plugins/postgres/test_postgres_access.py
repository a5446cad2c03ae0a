"""postgres_access_info: what the server answers -> who is kept out, and whether new sessions may write."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.observe import needs_host
from ansible_collections.oncall.runbooks.plugins.module_utils.postgres.access import observe, summarize


def answer(**changes: Any) -> dict[str, Any]:
    found = {"user": "oncall", "database": "labpics", "in_recovery": False, "roles": [], "read_only": False}
    found.update({"read_only_source": "default", "read_only_by_database": None, "read_only_by_all_roles": None})
    return {**found, **changes}


def role(**changes: Any) -> dict[str, Any]:
    return {"name": "app", "may_login": True, "is_expired": False, "connection_limit": -1, "sessions": 25, **changes}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, ""),
        ({"may_login": False}, "it is NOLOGIN"),
        ({"is_expired": True}, "its VALID UNTIL is over"),
        ({"connection_limit": 26}, ""),
        ({"connection_limit": 25}, "it has 25 sessions, and its CONNECTION LIMIT is 25"),
        ({"connection_limit": 0, "sessions": 0}, "it has 0 sessions, and its CONNECTION LIMIT is 0"),
    ],
)
def test_who_is_kept_out(changes, reason):
    found = summarize(answer(roles=[role(**changes)]))
    assert found["barred"] == ([{"role": "app", "reason": reason}] if reason else [])


@pytest.mark.parametrize(
    ("changes", "read_only", "source"),
    [
        ({}, False, "default"),
        ({"read_only": True, "read_only_source": "configuration file"}, True, "configuration file"),
        # Of the database's own and that of all roles the former counts, and both before the files.
        ({"read_only_by_database": True}, True, "ALTER DATABASE"),
        ({"read_only_by_all_roles": True}, True, "ALTER ROLE ALL"),
        ({"read_only_by_database": False, "read_only_by_all_roles": True}, False, "ALTER DATABASE"),
        # The role that asks has one of its own.
        ({"read_only": True, "read_only_source": "user"}, None, ""),
        ({"read_only": False, "read_only_source": "database user"}, None, ""),
        ({"read_only": True, "read_only_source": "user", "read_only_by_database": False}, False, "ALTER DATABASE"),
    ],
)
def test_whether_new_sessions_may_write(changes, read_only, source):
    found = summarize(answer(**changes))
    assert (found["default_read_only"], found["default_read_only_source"]) == (read_only, source)
    assert len(found["limits"]) == (1 if read_only is None else 0)


def test_a_database_that_cannot_be_asked_is_not_available():
    database = {"transport": "psycopg", "host": "127.0.0.1", "port": 1, "name": "labpics", "password": "s3cret"}
    found = observe({"database": database, "timeout_seconds": 2.0})
    assert (found["available"], found["error"]) == (False, "refused")
    assert "s3cret" not in found["reason"]


def test_a_container_is_asked_from_its_own_host():
    assert needs_host({"postgres_access": {"database": {"transport": "docker"}}})
    assert not needs_host({"postgres_access": {"database": {"transport": "psycopg"}}})
