"""What postgres_session chooses, and what postgres_activity_info makes of rows, without a server."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.postgres import activity as postgres_activity
from ansible_collections.oncall.runbooks.plugins.module_utils.postgres import client as postgres
from ansible_collections.oncall.runbooks.plugins.module_utils.postgres import sessions as postgres_sessions
from ansible_collections.oncall.runbooks.plugins.module_utils.postgres import troubles


def row(**changes):
    return {
        "pid": 7,
        "backend_start": "1.5",
        "query_start": "2.5",
        "user": "app",
        "application_name": "api",
        "client": "local",
        "state": "idle",
        "state_seconds": 10.0,
        "query": "SELECT 1",
        "is_superuser": False,
        "may_signal": True,
        "awaits_standby": False,
        **changes,
    }


@pytest.mark.parametrize(
    ("changes", "allow", "deny", "why"),
    [
        ({}, [], [], ""),
        ({"is_superuser": True}, [], [], "session of a superuser"),
        ({"may_signal": False}, [], [], "pg_signal_backend"),
        ({"application_name": postgres.APPLICATION_NAME}, [], [], "these runbooks"),
        ({"awaits_standby": True}, ["*"], [], "waits for a synchronous standby"),
        ({"application_name": "pg_dump"}, [], ["pg_dump*"], "deny list"),
        ({"application_name": "pg_dumpall"}, ["*"], ["pg_dump*"], "deny list"),
        ({"application_name": "pgBackRest [backup]"}, [], postgres_sessions.DENIED_APPLICATIONS, "deny list"),
        ({"application_name": "Barman_Streaming"}, [], postgres_sessions.DENIED_APPLICATIONS, "deny list"),
        ({"application_name": "pgBackRest [backup]"}, [], ["PGBACKREST [backup]"], "deny list"),
        ({"application_name": "my_pgbackrest"}, [], postgres_sessions.DENIED_APPLICATIONS, ""),
        ({"application_name": "API"}, ["api"], [], "not on the allow list"),
        ({"application_name": None}, ["api"], [], "not on the allow list"),
        ({"application_name": "api-7"}, ["api-*"], [], ""),
    ],
)
def test_who_may_be_ended(changes, allow, deny, why):
    chosen, left_alone = postgres_sessions.sort_out([row(**changes)], allow, deny, 10)
    assert (len(chosen), len(left_alone)) == ((0, 1) if why else (1, 0))
    if why:
        assert why in left_alone[0]["why"]


def test_the_cap_leaves_the_rest_and_says_so():
    chosen, left_alone = postgres_sessions.sort_out([row(pid=pid) for pid in range(5)], [], [], 2)
    assert [one["pid"] for one in chosen] == [0, 1]
    assert {one["why"] for one in left_alone} == {"above the limit of 2 sessions for one run"}


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("SELECT * FROM t WHERE name = 'Ada' AND n = 5", "SELECT * FROM t WHERE name = '?' AND n = 5"),
        ("ALTER ROLE app PASSWORD 'geheim'", "ALTER ROLE app PASSWORD '?'"),
        ("SELECT 'it''s', E'a\\'b', 'x'", "SELECT '?', '?', '?'"),
        ("SELECT $$geheim$$, $tag$ge'heim$tag$ FROM t", "SELECT '?', '?' FROM t"),
        ("ALTER ROLE app PASSWORD 'cut off in the mid", "ALTER ROLE app PASSWORD '?'"),
        ("SELECT\n\t1\x1b[31m", "SELECT 1 [31m"),
        ("SELECT 'C:\\', 'geheim'", "SELECT '?', '?'"),
        ("", ""),
        (None, ""),
        ("SELECT " + "x" * 100, "SELECT " + "x" * 72 + "…"),
    ],
)
def test_statements_are_shown_without_what_is_in_quotes(query, shown):
    assert postgres_activity.redacted(query, 80) == shown


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("FATAL:  sorry, too many clients already", "too_many_connections"),
        (
            "FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute",
            "too_many_connections",
        ),
        ('FATAL:  too many connections for role "oncall"', "role_limit"),
        ('53300 connection failed: FATAL:  too many connections for role "oncall"', "role_limit"),
        ('FATAL:  too many connections for database "labpics"', "database_limit"),
        ("FATAL:  the database system is starting up", "starting_up"),
        ('FATAL:  password authentication failed for user "app"', "credentials"),
        ('FATAL:  database "x" does not exist', "no_database"),
        ('FATAL:  database "we"ird \'db\' a=b" does not exist', "no_database"),
        ("57014 canceling statement due to statement timeout", "statement_timeout"),
        ("connection to server at 10.0.0.5 failed: timeout expired", "timeout"),
        (
            '53100 could not resize shared memory segment "/PostgreSQL.1276397638" to 4194304 bytes: No space left on device',
            "no_shared_memory",
        ),
        ("53100 FATAL:  no se pudo cambiar el segmento «/PostgreSQL.7» a 4194304 bytes", "no_shared_memory"),
        (
            'FATAL:  could not resize shared memory segment "/PostgreSQL.4" to 26976 bytes:\nNo space left on device',
            "no_shared_memory",
        ),
        ('could not resize shared memory segment "/PostgreSQL.4": Cannot allocate memory', "other"),
        ("53100 could not extend file base/5/16384: No space left on device", "disk_full"),
        ("FATAL:  the database system is not yet accepting connections", "starting_up"),
        ("Error response from daemon: Container 1f2e is paused, unpause the container before exec", "no_engine"),
        ("Error response from daemon: container 1f2e is not running", "no_engine"),
        ('connection to server at "127.0.0.1", port 1 failed: Connection refused', "refused"),
        ('connection to server at "10.0.0.5", port 5432 failed: Connection timed out', "timeout"),
        ('connection to server at "10.0.0.5", port 5432 failed: Network is unreachable', "refused"),
        ('connection to server at "127.0.0.1", port 1 failed: server closed the connection unexpectedly', "refused"),
        ("connection to server at 10.0.0.5 failed: could not receive data: Connection reset by peer", "refused"),
        ("server closed the connection unexpectedly", "other"),
        ('FATAL:  role "app" is not permitted to log in', "credentials"),
        ('FATAL:  pg_hba.conf rejects connection for host "10.0.0.9", user "app"', "credentials"),
        ('FATAL:  database "app" is not currently accepting connections', "not_allowed"),
        ('could not translate host name "nope" to address: Name or service not known', "name_resolution"),
        ("42501 permission denied for view pg_file_settings", "not_allowed"),
        ("Error response from daemon: No such container: db", "no_engine"),
        ("psql: ERROR:  42501: permission denied", "not_allowed"),
        ("FATAL:  unsupported startup parameter: options", "pooler_refuses_options"),
        ("FATAL:  unsupported startup parameter in options: statement_timeout", "pooler_refuses_options"),
        (
            "FATAL:  Feature not supported: RDS Proxy currently doesn't support command-line options.",
            "pooler_refuses_options",
        ),
        ("FATAL:  no more connections allowed (max_client_conn)", "pooler_full"),
        ("FATAL:  (EMAXCONNSESSION) max clients reached in session mode", "pooler_full"),
        ("FATAL:  Max client connections reached", "pooler_full"),
        ("FATAL:  query_wait_timeout", "pooler_waits"),
        ("FATAL:  server login has been failing, try again later (server_login_retry)", "pooler_without_server"),
        ("FATAL:  pgbouncer cannot connect to server", "pooler_without_server"),
        ("ERROR:  pgpool is not accepting any new connections", "pooler_without_server"),
        ("FATAL:  no such database: shop", "pooler_no_database"),
        ('FATAL:  No pool configured for database: "shop", user: "app"', "pooler_no_database"),
        ("something else", "other"),
    ],
)
def test_kinds_of_trouble(message, kind):
    if kind.startswith("pooler_"):
        assert troubles.pooler_of(message) in ("PgBouncer", "RDS Proxy", "Supavisor", "Pgpool", "PgCat")
    assert troubles.kind_of(message) == kind
    assert kind == "other" or troubles.ADVICE[kind]


@pytest.mark.parametrize(
    ("kind", "failures", "attempts", "answers"),
    [
        ("too_many_connections", 0, 1, True),
        ("too_many_connections", 2, 3, True),
        ("too_many_connections", 9, 3, False),
        ("credentials", 9, 1, False),
    ],
)
def test_a_reserved_connection_that_others_hold_for_a_moment_is_asked_for_again(
    monkeypatch, kind, failures, attempts, answers
):
    monkeypatch.setattr(postgres, "_PAUSES_SECONDS", (0, 0))
    client = postgres.Client({"transport": "psycopg", "name": "shop"})
    asked = []

    def run(statement, parameters):
        asked.append(statement)
        if len(asked) <= failures:
            raise postgres.DatabaseError(kind, "no")
        return "[]"

    monkeypatch.setattr(client, "_run_psycopg", run)
    with nullcontext() if answers else pytest.raises(postgres.DatabaseError):
        assert client.query("SELECT 1") == []
    assert len(asked) == attempts
