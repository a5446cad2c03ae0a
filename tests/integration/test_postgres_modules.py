"""The database modules against the lab's PostgreSQL: what they see, whom they end, and whom they leave alone."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from modules import run_module

from ansible_collections.oncall.runbooks.tests.support.lab_parts import session as session_of
from lab import Lab
from lab.database import connect


@contextlib.contextmanager
def session(lab: Lab, role: str = "app", application: str = "victim", *statements: str) -> Iterator[psycopg.Connection]:
    with contextlib.closing(session_of(lab, application, role)) as connection:
        for statement in statements:
            connection.execute(statement)
        yield connection


def database(lab: Lab, role: str = "oncall", **changes: Any) -> dict[str, Any]:
    reached = {"host": "127.0.0.1", "port": lab.layout.ports["database"], "name": "labpics", "user": role}
    return {**reached, "password": lab.layout.secrets()[role], **changes}


def alive(connection: psycopg.Connection) -> bool:
    try:
        connection.execute("SELECT 1")
        return True
    except psycopg.Error:
        return False


def identity(lab: Lab, connection: psycopg.Connection) -> dict[str, Any]:
    with connect(lab.layout, "oncall") as other:
        start = other.execute(
            "SELECT extract(epoch FROM backend_start)::text FROM pg_stat_activity WHERE pid = %s",
            [connection.info.backend_pid],
        ).fetchone()[0]
    return {"pid": connection.info.backend_pid, "backend_start": start}


TERMINATE = {"states": ["idle in transaction"], "method": "terminate", "grace_seconds": 2}


def test_check_mode_lists_exactly_what_would_end_and_ends_nothing(healthy_lab, tmp_path):
    with session(healthy_lab, "app", "victim", "SELECT 'geheim'") as victim:
        code, result = run_module(
            "postgres_session", tmp_path, check=True, diff=True, database=database(healthy_lab), **TERMINATE
        )
        assert (code, result["changed"]) == (0, True)
        assert [one["pid"] for one in result["sessions"]] == [victim.info.backend_pid]
        assert "SELECT '?'" in result["diff"]["before"] and "geheim" not in str(result)
        assert alive(victim)
        code, result = run_module("postgres_session", tmp_path, database=database(healthy_lab), **TERMINATE)
        assert (code, result["changed"], result["terminated"]) == (0, True, [victim.info.backend_pid])
        assert result["remaining"] == []
        assert not alive(victim)
        code, result = run_module("postgres_session", tmp_path, database=database(healthy_lab), **TERMINATE)
        assert (code, result["changed"], result["sessions"]) == (0, False, [])


def test_what_is_private_in_a_statement_is_not_shown(healthy_lab, tmp_path):
    statement = "SELECT /* don't */ 1 -- it's\n, 'jane.doe@example.com' AS \"who's\", E'it\\'s jane', $a$jane's$a$"
    with session(healthy_lab, "app", "victim", statement):
        code, result = run_module("postgres_activity_info", tmp_path, database=database(healthy_lab), query_length=200)
        assert code == 0 and "jane" not in str(result)
        (shown,) = [one["query"] for one in result["longest"] if one["application_name"] == "victim"]
        assert shown == "SELECT 1 , '?' AS \"who's\", '?', '?'"
        code, result = run_module(
            "postgres_session", tmp_path, check=True, diff=True, database=database(healthy_lab), **TERMINATE
        )
        assert code == 0 and len(result["sessions"]) == 1 and "jane" not in str(result)


@pytest.mark.parametrize(
    ("role", "application", "options", "why"),
    [
        ("postgres", "psql", {}, "superuser"),
        ("app", "pg_dump", {}, "deny list"),
        ("app", "pgBackRest [backup]", {}, "deny list"),
        ("app", "victim", {"deny_applications": ["vic*"]}, "deny list"),
        ("app", "victim", {"allow_applications": ["reports"]}, "allow list"),
        ("app", "victim", {"max_sessions": 0}, "limit"),
        ("app", "oncall.runbooks", {}, "these runbooks"),
    ],
)
def test_who_is_left_alone(healthy_lab, tmp_path, role, application, options, why):
    with session(healthy_lab, role, application, "SELECT 1") as victim:
        code, result = run_module(
            "postgres_session", tmp_path, database=database(healthy_lab), **{**TERMINATE, **options}
        )
        assert (code, result["changed"], result["sessions"]) == (0, False, [])
        assert why in result["left_alone"][0]["why"]
        assert alive(victim)


def test_without_the_right_to_signal_nothing_is_ended_and_it_is_said(healthy_lab, tmp_path):
    with session(healthy_lab, "oncall", "victim", "SELECT 1") as victim:
        code, result = run_module("postgres_session", tmp_path, database=database(healthy_lab, "app"), **TERMINATE)
        assert (code, result["changed"]) == (0, False)
        assert alive(victim)


def test_a_process_id_used_again_is_never_hit(healthy_lab, tmp_path):
    with session(healthy_lab, "app", "victim", "SELECT 1") as victim:
        other = dict(identity(healthy_lab, victim), backend_start="1763687654.123456")
        code, result = run_module(
            "postgres_session", tmp_path, database=database(healthy_lab), sessions=[other], **TERMINATE
        )
        assert (code, result["changed"], result["gone"]) == (0, False, [other])
        assert alive(victim)


def test_a_target_that_moved_on_is_left_alone(healthy_lab, tmp_path):
    with session(healthy_lab, "app", "victim", "SELECT 1") as victim:
        target = identity(healthy_lab, victim)
        victim.commit()
        code, result = run_module(
            "postgres_session", tmp_path, database=database(healthy_lab), sessions=[target], **TERMINATE
        )
        assert (code, result["changed"], result["gone"]) == (0, False, [target])
        assert alive(victim)


def running(lab: Lab, victim: psycopg.Connection, statement: str) -> None:
    """Send a statement without waiting for its end, and wait until the server runs it."""
    victim.pgconn.send_query(statement.encode())
    victim.pgconn.flush()
    with connect(lab.layout, "oncall") as other:
        for _attempt in range(100):
            row = other.execute(
                "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND state = 'active'", [victim.info.backend_pid]
            ).fetchone()
            if row:
                return
            time.sleep(0.05)
    raise AssertionError("the statement does not run")


def test_the_ladder_cancels_first_and_that_is_enough(healthy_lab, tmp_path):
    with session(healthy_lab) as victim:
        running(healthy_lab, victim, "SELECT pg_sleep(60)")
        code, result = run_module(
            "postgres_session",
            tmp_path,
            database=database(healthy_lab),
            states=["active"],
            allow_applications=["victim"],
        )
        assert (code, result["cancelled"], result["terminated"]) == (0, [victim.info.backend_pid], [])


def test_the_ladder_terminates_what_a_cancel_does_not_end(healthy_lab, tmp_path):
    stubborn = (
        "DO $$ BEGIN LOOP BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $$"
    )
    with session(healthy_lab) as victim:
        running(healthy_lab, victim, stubborn)
        pid = victim.info.backend_pid
        code, result = run_module(
            "postgres_session",
            tmp_path,
            database=database(healthy_lab),
            states=["active"],
            allow_applications=["victim"],
            grace_seconds=1,
        )
        assert (code, result["cancelled"], result["terminated"], result["remaining"]) == (0, [pid], [pid], [])


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"password": "wr0ng-geheim"}, "credentials", "password"),
        ({"port": 1}, "refused", "refused"),
        ({"name": "nope"}, "no_database", "nope"),
        ({"user": "nope"}, "credentials", "nope"),
        ({"host": "no-such-host.invalid"}, "name_resolution", "no-such-host"),
        ({"transport": "docker", "container": "nope"}, None, "nope"),
    ],
)
def test_a_database_that_cannot_be_asked(healthy_lab, tmp_path, changes, error, text):
    asked = database(healthy_lab, **changes)
    code, result = run_module("postgres_activity_info", tmp_path, database=asked)
    assert (code, result["available"]) == (0, False)
    assert error is None or result["error"] == error
    assert text in result["reason"] and "\n" not in result["reason"]
    assert asked["password"] not in str(result)
    code, result = run_module("postgres_session", tmp_path, database=asked, **TERMINATE)
    assert code == 1 and result["failed"]
    assert asked["password"] not in str(result)


def test_the_limit_of_the_role_is_not_told_as_a_full_server(healthy_lab, tmp_path):
    with connect(healthy_lab.layout) as connection:
        connection.execute("ALTER ROLE oncall CONNECTION LIMIT 0")
        try:
            code, result = run_module("postgres_activity_info", tmp_path, database=database(healthy_lab))
        finally:
            connection.execute("ALTER ROLE oncall CONNECTION LIMIT -1")
    assert (code, result["available"], result["error"]) == (0, False, "role_limit")
    assert "every connection slot" not in result["reason"] and "CONNECTION LIMIT" in result["reason"]


@pytest.mark.parametrize("driver", ["psycopg2", "psycopg", "docker"])
def test_any_byte_in_a_statement_is_read(healthy_lab, tmp_path, monkeypatch, docker, driver):
    with connect(healthy_lab.layout) as connection:
        connection.execute(
            "CREATE DATABASE bytes OWNER app TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'"
        )
    try:
        with contextlib.closing(session_of(healthy_lab, "victim", database="bytes")) as victim:
            victim.pgconn.exec_(b"BEGIN")
            victim.pgconn.exec_(b'SELECT 1 AS "caf\xe9"')
            asked = database(healthy_lab, name="bytes", **(docker if driver == "docker" else {}))
            if driver == "psycopg":
                # The folder a module starts in is where Python looks first.
                (tmp_path / "psycopg2.py").write_text("raise ImportError")
                monkeypatch.chdir(tmp_path)
            code, result = run_module("postgres_activity_info", tmp_path, database=asked)
            assert (code, result["available"]) == (0, True), result
            (shown,) = [one["query"] for one in result["longest"] if one["application_name"] == "victim"]
            assert shown == 'SELECT 1 AS "caf\N{REPLACEMENT CHARACTER}"'
            code, result = run_module("postgres_session", tmp_path, database=asked, **TERMINATE)
            assert (code, len(result["terminated"])) == (0, 1)
    finally:
        with connect(healthy_lab.layout) as connection:
            connection.execute("DROP DATABASE bytes WITH (FORCE)")


def test_a_database_that_hangs_is_given_up_in_time(healthy_lab, tmp_path):
    healthy_lab.inject("database_hang")
    began = time.monotonic()
    code, result = run_module("postgres_activity_info", tmp_path, database=database(healthy_lab), timeout_seconds=2)
    took = time.monotonic() - began
    healthy_lab.heal_all()
    assert (code, result["available"], result["error"]) == (0, False, "timeout")
    # Without a limit it would take as long as the fault lasts.
    assert took < 30, took


def test_what_is_hidden_is_said(healthy_lab, tmp_path):
    with session(healthy_lab, "oncall", "hidden", "SELECT 1"):
        code, result = run_module("postgres_activity_info", tmp_path, database=database(healthy_lab, "app"))
    assert (code, result["available"], result["complete"]) == (0, True, False)
    assert any("pg_monitor" in limit for limit in result["limits"])


def test_statistics_of_statements(healthy_lab, tmp_path):
    code, result = run_module("postgres_activity_info", tmp_path, database=database(healthy_lab))
    assert (code, result["available"], result["complete"]) == (0, True, True)
    assert not result["statements"]["available"]
    assert "pg_stat_statements is not installed" in result["statements"]["reason"]


def test_the_session_that_looks_cannot_write_and_is_not_counted(healthy_lab, tmp_path):
    code, result = run_module("postgres_activity_info", tmp_path, database=database(healthy_lab))
    assert code == 0
    assert "oncall.runbooks" not in {one["application_name"] for one in result["applications"]}


def test_both_transports_give_the_same(healthy_lab, tmp_path, docker):
    with session(healthy_lab, "app", 'it\'s "%s" :x {{ 1 }}', "SELECT ':y', 1") as victim:
        answers = [
            run_module("postgres_activity_info", tmp_path, database=database(healthy_lab, **transport))[1]
            for transport in ({}, docker)
        ]
        for answer in answers:
            answer.pop("invocation", None)
            for one in [*answer["longest"], answer["server"], *answer["idle_in_transaction"]]:
                for key in ("state_seconds", "query_seconds", "transaction_seconds", "started_seconds"):
                    one.pop(key, None)
        assert answers[0] == answers[1]
        asked = database(healthy_lab, **docker)
        code, result = run_module("postgres_session", tmp_path, database=asked, **TERMINATE)
        assert (code, result["terminated"]) == (0, [victim.info.backend_pid])
        code, result = run_module("postgres_activity_info", tmp_path, database=dict(asked, password="wr0ng-geheim"))
        assert (result["error"], "geheim" in str(result)) == ("credentials", False)


def test_settings(healthy_lab, tmp_path):
    def setting(check=False, **options):
        return run_module(
            "postgres_setting", tmp_path, check=check, diff=True, database=database(healthy_lab), **options
        )

    def in_file() -> bool:
        with connect(healthy_lab.layout, "postgres") as connection:
            rows = connection.execute(
                "SELECT 1 FROM pg_file_settings WHERE name = 'max_connections' AND sourcefile LIKE '%auto.conf'"
            )
            return bool(rows.fetchall())

    code, result = setting(check=True, name="max_connections", value="150")
    assert (code, result["changed"], result["previous_value"], in_file()) == (0, True, "100", False)
    code, result = setting(name="max_connections", value="150")
    assert (code, result["changed"], result["needs_restart"], in_file()) == (0, True, True, True)
    code, result = setting(name="max_connections", state="absent")
    assert (code, in_file()) == (0, False)
    code, result = setting(name="max_connections", value="100")
    assert (code, result["changed"]) == (0, False)
    code, result = setting(name="max_conn'; DROP TABLE orders; --", value="1")
    assert code == 1 and "has no setting" in result["msg"]
    code, result = setting(name="work_mem", value="64MB")
    assert code == 1 and "permission denied" in result["msg"]
    code, result = setting(name="max_connections", value="10'; DROP TABLE orders; --")
    assert code == 1 and "\n" not in result["msg"]
