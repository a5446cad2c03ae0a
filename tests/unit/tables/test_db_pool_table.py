"""What was measured -> what must be concluded, for every cause of the runbook db_pool."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.observers.postgres_activity import SPEC
from ansible_collections.oncall.runbooks.plugins.module_utils.postgres.activity import summarize
from ansible_collections.oncall.runbooks.tests.support.tables import causes_that_are, steps_that_act

THRESHOLDS = {key: value["default"] for key, value in SPEC.items() if "default" in value}
SUPERVISED = {"manager": "supervisor", "name": "x", "config": "/etc/s.conf", "program_config": "/etc/x.conf"}
SYSTEM = {
    "system_services": {"api": SUPERVISED, "database": SUPERVISED},
    "system_endpoints": {"api": "http://127.0.0.1:8080/metrics"},
    "system_metrics": {"db_pool_waiting": "w", "db_pool_in_use": "u", "db_pool_max": "m"},
    "system_database": {"name": "labpics", "service": "database"},
}
_pids = itertools.count(100)


def has(*variables: str) -> dict[str, Any]:
    """The application, with these environment variables of those that were asked for."""
    return {
        "available": True,
        "services": {"api": {"available": True, "state": "running", "variables": list(variables)}},
    }


@pytest.fixture
def diagnose(diagnose):
    """As everywhere, of an application that has the variable which is looked for where none is named."""

    def of_one_that_has_it(runbook: str, observed: dict[str, Any], **variables: Any) -> Any:
        seen = {"service": has("PG_POOL_MAX"), **observed}
        return diagnose(runbook, {name: one for name, one in seen.items() if one is not None}, **variables)

    return of_one_that_has_it


def session(state: str = "active", seconds: float = 1, query: str = "SELECT 1", **changes: Any) -> dict[str, Any]:
    pid = changes.pop("pid", None) or next(_pids)
    row = {
        "pid": pid,
        "backend_start": f"1763687000.{pid:06d}",
        "query_start": f"1763687100.{pid:06d}",
        "user": "app",
        "application_name": "api",
        "client": "127.0.0.1",
        "state": state,
        "state_seconds": seconds,
        "transaction_seconds": seconds,
        "query_seconds": seconds,
        "wait_event_type": None,
        "wait_event": None,
        "is_superuser": False,
        "may_end": True,
        "query": query,
        "blocked_by": None,
        "wait_seconds": None,
    }
    return {**row, **changes}


def queue_behind(pid: int, count: int, seconds: float = 60) -> list[dict[str, Any]]:
    return [
        session(seconds=seconds, wait_seconds=seconds, blocked_by=[pid], wait_event_type="Lock") for _ in range(count)
    ]


def prepared(gid: str, seconds: float, blocks: int) -> dict[str, Any]:
    return {"gid": gid, "owner": "app", "database": "labpics", "age_seconds": seconds, "blocks": blocks}


def role(limit: int, used: int, name: str = "app") -> dict[str, Any]:
    return {"role": name, "limit": limit, "used": used, "idle": 0, "here": used}


def pooled(waiting: int, idle: int) -> dict[str, Any]:
    clients = {"cl_active": 8, "cl_waiting": waiting, "sv_active": 8, "sv_idle": idle, "sv_used": 0, "maxwait": 3}
    return {"database": "labpics", "user": "app", "pool_mode": "transaction", **clients}


def committing(seconds: float, **changes: Any) -> dict[str, Any]:
    return session(seconds=seconds, query="COMMIT", wait_event_type="IPC", wait_event="SyncRep", **changes)


def activity(sessions: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    """What postgres_activity_info tells of a server with these sessions."""
    applications: dict[tuple, dict[str, Any]] = {}
    for one in sessions:
        entry = applications.setdefault(
            (one["application_name"], one["user"]),
            {"application_name": one["application_name"], "user": one["user"], "sessions": 0, "active": 0}
            | {"idle": 0, "idle_in_transaction": 0, "unused": 0, "unused_in_transaction": 0, "idle_long": 0},
        )
        entry["sessions"] += 1
        state = one["state"] if one["state"] in ("active", "idle", "disabled") else "idle_in_transaction"
        entry[state] = entry.get(state, 0) + 1
        entry["unused_in_transaction"] += (
            state == "idle_in_transaction" and one["state_seconds"] >= THRESHOLDS["unused_seconds"]
        )
        entry["unused"] += state == "idle" and one["state_seconds"] >= THRESHOLDS["unused_seconds"]
        entry["idle_long"] += state == "idle" and one["state_seconds"] >= THRESHOLDS["idle_seconds"]
    document = {
        "server": {
            "version_num": 160000,
            "in_recovery": changes.pop("in_recovery", False),
            "user": "oncall",
            "database": "labpics",
            "started_seconds": 1000,
            "max_connections": changes.pop("max_connections", 100),
            "superuser_reserved_connections": 3,
            "reserved_connections": 0,
            "is_superuser": False,
            "sees_all": True,
            "signals_all": True,
            "max_connections_by_alter_system": False,
            "max_connections_source": changes.pop("source", "configuration file"),
            "standbys": changes.pop("standbys", 0),
            "synchronous_standby_names": changes.pop("synchronous_standby_names", ""),
            "synchronous_standbys": changes.pop("synchronous_standbys", 0),
        },
        "connections": {
            "used": changes.pop("used", len(sessions)),
            "in_other_databases": changes.pop("in_other_databases", 0),
            "database_limit": changes.pop("database_limit", -1),
            "in_database": len(sessions),
            "roles": changes.pop("roles", []),
            "hidden": changes.pop("hidden", 0),
            "stateless": sum(one["state"] == "disabled" for one in sessions),
            "stateless_roles": ["app"],
        },
        "applications": list(applications.values()),
        "clients": [{**row, "database": "labpics"} for row in applications.values()],
        "replication": changes.pop("replication", []),
        "sessions": [one for one in sessions if one["state"] != "idle" or one["state_seconds"] >= 600],
        "prepared": changes.pop("prepared", []),
        "prepared_count": 0,
        "tables": [],
    }
    document["prepared_count"] = len(document["prepared"])
    assert not changes
    statements = {"available": False, "reason": "pg_stat_statements is not installed in this database"}
    return dict(summarize(document, THRESHOLDS), available=True, statements=statements)


def pool(waiting: float, in_use: float, size: float = 25, replicas: int = 1) -> dict[str, Any]:
    return {
        "available": True,
        "value": {"waiting": waiting, "in_use": in_use, "max": size},
        "metric": {"max": {"available": True, "series": replicas}},
    }


def of_replicas(**replicas: tuple[float, float, float]) -> dict[str, Any]:
    """Waiting, in use and size of each replica's pool, and the sums."""
    kinds = ("waiting", "in_use", "max")
    told = {kind: {name: one[place] for name, one in replicas.items()} for place, kind in enumerate(kinds)}
    sums = {kind: sum(own.values()) for kind, own in told.items()}
    metric = {kind: {"available": True, "series": len(own), "by_endpoint": own} for kind, own in told.items()}
    return {"available": True, "value": sums, "metric": metric}


NO_METRICS = {
    "available": False,
    "reason": "http://127.0.0.1:8080/metrics: connection refused",
    "value": {},
    "metric": {},
}
NO_DATABASE = {"available": False, "reason": "PostgreSQL labpics at db: connection refused", "error": "refused"}
FULL = {
    "available": False,
    "reason": "PostgreSQL labpics at db: FATAL: sorry, too many clients already",
    "error": "too_many_connections",
}
BUSY = [session() for _ in range(25)]
QUIET = pool(0, 3)
PRESSED = pool(7, 25)
ABORTED = "idle in transaction (aborted)"
REFRESH = "REFRESH MATERIALIZED VIEW stats"


MEASURED_CONCLUDED = {
    # name: (pool, sessions or activity, problems, available remedies)
    "nothing": (QUIET, [session() for _ in range(3)], [], []),
    "high usage, nobody waits": (pool(0, 22), [session() for _ in range(22)], [], []),
    "idle in transaction": (
        PRESSED,
        [session("idle in transaction", 400) for _ in range(25)],
        ["idle_in_transaction"],
        ["end_idle_in_transaction"],
    ),
    "aborted in transaction": (QUIET, [session(ABORTED, 301)], ["idle_in_transaction"], ["end_idle_in_transaction"]),
    "idle in transaction, not long enough": (QUIET, [session("idle in transaction", 299)], [], []),
    "a backup's leader idles in transaction": (
        QUIET,
        [session("idle in transaction", 4000, application_name="pg_dump")],
        [],
        [],
    ),
    "pgBackRest idles in transaction": (
        QUIET,
        [session("idle in transaction", 4000, application_name="pgBackRest [backup]")],
        [],
        [],
    ),
    "blocker with a queue": (
        PRESSED,
        [session(pid=7, seconds=90, application_name="migrate"), *queue_behind(7, 25)],
        ["blocker"],
        ["end_blocker"],
    ),
    "blocker idle in transaction, not long": (
        PRESSED,
        [session("idle in transaction", 90, pid=7), *queue_behind(7, 24)],
        ["blocker"],
        ["end_blocker"],
    ),
    "a chain has one root": (
        PRESSED,
        [
            session(pid=7, seconds=90),
            *queue_behind(7, 1, 80),
            session(pid=9, seconds=80, wait_seconds=80, blocked_by=[7]),
            *queue_behind(9, 3, 70),
        ],
        ["blocker"],
        ["end_blocker"],
    ),
    "a prepared transaction with a queue": (
        PRESSED,
        activity(queue_behind(0, 25), prepared=[prepared("order-17", 90, 25)]),
        ["prepared_transaction"],
        [],
    ),
    "its waiters give up early": (
        PRESSED,
        activity(queue_behind(0, 25, seconds=3), prepared=[prepared("order-17", 90, 25)]),
        ["prepared_transaction"],
        [],
    ),
    "a queue behind a waiter of it": (
        PRESSED,
        activity(
            [
                session(pid=9, seconds=80, wait_seconds=80, blocked_by=[0], wait_event_type="Lock"),
                *queue_behind(9, 24, 70),
            ],
            prepared=[prepared("order-17", 90, 1)],
        ),
        ["prepared_transaction"],
        [],
    ),
    "prepared, and in nobody's way": (
        PRESSED,
        activity(BUSY, prepared=[prepared("order-17", 9000, 0)]),
        ["pool_too_small"],
        ["raise_pool_size"],
    ),
    "prepared just now": (QUIET, activity(queue_behind(0, 2, 1), prepared=[prepared("order-17", 1, 2)]), [], []),
    "the synchronous standby is gone": (
        PRESSED,
        [committing(400) for _ in range(25)],
        ["synchronous_standby_missing"],
        [],
    ),
    "it has just gone": (PRESSED, [committing(1) for _ in range(25)], ["synchronous_standby_missing"], []),
    "it is connected, and does not answer": (
        PRESSED,
        activity([committing(31) for _ in range(25)], synchronous_standbys=1),
        ["synchronous_standby_missing"],
        [],
    ),
    "the standby takes a moment for each commit": (
        PRESSED,
        activity([*BUSY[:20], *(committing(0.01) for _ in range(5))], synchronous_standbys=1),
        ["pool_too_small"],
        ["raise_pool_size"],
    ),
    "a commit that waits for the standby holds the lock": (
        PRESSED,
        [committing(90, pid=7, application_name="migrate"), *queue_behind(7, 25)],
        ["synchronous_standby_missing"],
        [],
    ),
    "a refresh whose commit waits for the standby": (
        PRESSED,
        [{**committing(90, pid=7), "query": REFRESH}, *queue_behind(7, 25)],
        ["matview_refresh", "synchronous_standby_missing"],
        [],
    ),
    "two wait behind it: no queue": (QUIET, [session(pid=7, seconds=90), *queue_behind(7, 2)], [], []),
    "the queue is young": (QUIET, [session(pid=7, seconds=90), *queue_behind(7, 9, seconds=29)], [], []),
    "the blocker is a superuser": (
        PRESSED,
        [session(pid=7, seconds=90, is_superuser=True, may_end=False), *queue_behind(7, 25)],
        ["blocker"],
        [],
    ),
    "no right to end it": (QUIET, [session("idle in transaction", 400, may_end=False)], ["idle_in_transaction"], []),
    "refresh with readers behind it": (
        PRESSED,
        [session(pid=7, seconds=90, query=REFRESH, application_name="cron"), *queue_behind(7, 25)],
        ["matview_refresh"],
        ["cancel_refresh"],
    ),
    "refresh that bothers nobody": (QUIET, [session(pid=7, seconds=900, query=REFRESH)], [], []),
    "long queries hold the pool": (
        PRESSED,
        [session(seconds=400) for _ in range(20)],
        ["long_queries"],
        ["cancel_long_queries"],
    ),
    "long queries, nobody waits": (pool(0, 20), [session(seconds=400) for _ in range(20)], [], []),
    "a few long queries are not the cause": (
        PRESSED,
        [session(seconds=400) for _ in range(3)] + [session() for _ in range(22)],
        ["pool_too_small"],
        ["raise_pool_size"],
    ),
    "another application's long queries do not hold the pool": (
        PRESSED,
        [*BUSY, *(session(seconds=400, application_name="nightly-etl") for _ in range(13))],
        ["pool_too_small"],
        ["raise_pool_size"],
    ),
    "whose long queries these are cannot be told": (
        PRESSED,
        [session(seconds=400, application_name="") for _ in range(25)],
        ["application_unknown"],
        [],
    ),
    "long queries of the same name, outside of the pool": (
        PRESSED,
        [*BUSY, *(session(seconds=400) for _ in range(13))],
        ["pool_too_small"],
        ["raise_pool_size"],
    ),
    "another application leaks": (
        pool(9, 12),
        [session("idle", 700, application_name="reports") for _ in range(80)] + [session() for _ in range(12)],
        ["leaked_sessions"],
        ["end_leaked_sessions"],
    ),
    "idle sessions, the server has room": (
        QUIET,
        [session("idle", 700, application_name="reports") for _ in range(60)],
        [],
        [],
    ),
    "healthy idle pools beside many who are active": (
        pool(9, 10),
        [session(application_name=f"consumer-{number % 13}") for number in range(65)]
        + [session("idle", 700, application_name=name) for name in ["api"] * 10 + ["billing"] * 10],
        ["waiting_unexplained"],
        [],
    ),
    "healthy idle pools on a full server": (
        pool(9, 10),
        [session(application_name="consumer") for _ in range(75)]
        + [session("idle", 700, application_name=name) for name in ["api"] * 10 + ["billing"] * 10],
        ["max_connections_reached"],
        ["raise_max_connections"],
    ),
    "many idle sessions, nobody waits, and connections are free": (
        QUIET,
        [session("idle", 700, application_name="reports") for _ in range(85)],
        [],
        [],
    ),
    "many idle sessions that are the pool": (
        pool(9, 80, 85),
        [session("idle", 700) for _ in range(85)],
        ["pool_leak"],
        ["restart_application"],
    ),
    "handlers hold connections while a partner takes 75 s": (
        PRESSED,
        [session("idle", 75) for _ in range(25)],
        ["held_without_work"],
        [],
    ),
    "handlers hold a transaction while a partner takes 75 s": (
        PRESSED,
        [session("idle in transaction", 75) for _ in range(25)],
        ["held_in_transactions"],
        [],
    ),
    "half of them hold a transaction": (
        PRESSED,
        [session("idle in transaction", 75) for _ in range(13)] + [session() for _ in range(12)],
        ["held_in_transactions"],
        [],
    ),
    "half of them do": (
        PRESSED,
        [session("idle", 75) for _ in range(13)] + [session() for _ in range(12)],
        ["held_without_work"],
        [],
    ),
    "the pool's way to the database hangs": (pool(14, 8, 8), [], ["way_hangs"], []),
    "it hangs, beside sessions of others": (
        pool(14, 8, 8),
        [session(application_name=name) for name in ("psql", "exporter")],
        ["way_hangs"],
        [],
    ),
    "a part of its connections is in the database": (
        pool(14, 8, 8),
        [session() for _ in range(6)],
        ["waiting_unexplained"],
        [],
    ),
    "none of them, but as many of another application": (
        pool(14, 8, 8),
        [session(application_name="billing") for _ in range(8)],
        ["waiting_unexplained"],
        [],
    ),
    "the role's limit": (
        pool(7, 3, 25),
        activity([session() for _ in range(3)], roles=[role(3, 3)]),
        ["limit_reached"],
        [],
    ),
    "the role's limit, and all of its pool waits for that": (
        pool(14, 8, 8),
        activity([session() for _ in range(1)], roles=[role(1, 1)]),
        ["limit_reached"],
        [],
    ),
    "the way hangs, while another role has reached its limit": (
        pool(14, 8, 8),
        activity([session(application_name="exporter")], roles=[role(1, 1)]),
        ["way_hangs", "limit_reached"],
        [],
    ),
    "the role's limit, and another program has its connections": (
        pool(7, 1, 25),
        activity([session() for _ in range(1)], roles=[role(3, 3)]),
        ["limit_reached"],
        [],
    ),
    "the database's limit": (
        pool(7, 3, 25),
        activity([session() for _ in range(5)], database_limit=5),
        ["limit_reached"],
        [],
    ),
    "the role's limit leaves no room for a larger pool": (
        PRESSED,
        activity(BUSY, roles=[role(27, 25)]),
        ["waiting_unexplained"],
        [],
    ),
    "the database's limit leaves no room for a larger pool": (
        PRESSED,
        activity(BUSY, database_limit=30),
        ["waiting_unexplained"],
        [],
    ),
    "the role's limit has room": (
        PRESSED,
        activity(BUSY, roles=[role(40, 25)]),
        ["pool_too_small"],
        ["raise_pool_size"],
    ),
    "a pool as large as the role's limit": (pool(0, 5), activity(BUSY, roles=[role(25, 25)]), [], []),
    "another role has reached its limit": (QUIET, activity(BUSY[:3], roles=[role(5, 5, "reports")]), [], []),
    "the database's limit keeps this diagnosis out": (
        PRESSED,
        {"available": False, "reason": 'too many connections for database "shop"', "error": "database_limit"},
        ["connections_refused"],
        [],
    ),
    "a pooler refuses": (
        PRESSED,
        {"available": False, "reason": "PgBouncer answers: no more connections allowed", "error": "pooler_full"}
        | {"pooler": {"name": "PgBouncer", "pools": [], "reason": "name the role in stats_users"}},
        ["pooler_refuses"],
        [],
    ),
    "a pooler lets its clients wait": (
        PRESSED,
        {**activity(BUSY), "pooler": {"name": "PgBouncer", "pools": [pooled(7, 0)], "reason": ""}},
        ["pooler_short"],
        [],
    ),
    "a pooler with few connections lets its clients wait": (
        PRESSED,
        {**activity(BUSY[:2]), "pooler": {"name": "PgBouncer", "pools": [pooled(7, 0)], "reason": ""}},
        ["pooler_short"],
        [],
    ),
    "a pooler has connections left": (
        PRESSED,
        {**activity(BUSY), "pooler": {"name": "PgBouncer", "pools": [pooled(0, 3)], "reason": ""}},
        ["pool_too_small"],
        ["raise_pool_size"],
    ),
    "the pool lost its connections": (
        PRESSED,
        [session("idle", 700) for _ in range(25)],
        ["pool_leak"],
        ["restart_application"],
    ),
    "another application's idle sessions, and the pool's have several names": (
        PRESSED,
        [session(application_name=f"api-{number % 2}") for number in range(25)]
        + [session("idle", 40, application_name="sidekiq") for _ in range(26)],
        ["application_unknown"],
        [],
    ),
    "another application's idle sessions beside PgBouncer's": (
        PRESSED,
        [session("idle", 40) for _ in range(10)] + [session("idle", 40, application_name="sidekiq") for _ in range(26)],
        ["application_unknown"],
        [],
    ),
    "idle sessions of the same name, outside of the pool": (
        PRESSED,
        [*BUSY, *(session("idle", 40) for _ in range(26))],
        ["pool_too_small"],
        ["raise_pool_size"],
    ),
    "sessions without a name, and nothing that needs to know whose they are": (
        PRESSED,
        [session(application_name="") for _ in range(25)],
        ["pool_too_small"],
        ["raise_pool_size"],
    ),
    "idle for a moment between statements": (
        PRESSED,
        [session("idle", 0.1) for _ in range(25)],
        ["pool_too_small"],
        ["raise_pool_size"],
    ),
    "max_connections reached": (
        pool(9, 12),
        [session(application_name=f"app-{number % 40}") for number in range(96)],
        ["max_connections_reached"],
        ["raise_max_connections"],
    ),
    "not even this diagnosis gets in": (PRESSED, FULL, ["connections_refused"], []),
    "idle transactions fill the server": (
        pool(9, 12),
        [session("idle in transaction", 400) for _ in range(96)],
        ["idle_in_transaction"],
        ["end_idle_in_transaction"],
    ),
    "a queue fills the server": (
        pool(9, 25),
        [session(pid=7, seconds=90, application_name="migrate"), *queue_behind(7, 96)],
        ["blocker"],
        ["end_blocker"],
    ),
    "busy pool beside another's idle sessions": (
        PRESSED,
        [*BUSY, *(session("idle", 100, application_name="worker") for _ in range(40))],
        ["pool_too_small"],
        ["raise_pool_size"],
    ),
    "the waiters run long, but wait only now": (
        QUIET,
        [session(pid=7, seconds=90)]
        + [session(seconds=90, wait_seconds=1, blocked_by=[7], wait_event_type="Lock") for _ in range(9)],
        [],
        [],
    ),
    "the blocker is pgBackRest": (
        PRESSED,
        [session(pid=7, seconds=90, application_name="pgBackRest [backup]"), *queue_behind(7, 25)],
        ["blocker"],
        [],
    ),
    "the blocker is a backup": (
        PRESSED,
        [session(pid=7, seconds=90, application_name="pg_dump"), *queue_behind(7, 25)],
        ["blocker"],
        [],
    ),
    "the leak has no name": (
        pool(9, 12),
        [session("idle", 700, application_name="") for _ in range(80)] + [session() for _ in range(12)],
        ["leaked_sessions"],
        [],
    ),
    "the pool is too small": (PRESSED, BUSY, ["pool_too_small"], ["raise_pool_size"]),
    "one of them just changes hands": (pool(7, 24), BUSY[:24], ["pool_too_small"], ["raise_pool_size"]),
    "already as large as it may be": (pool(7, 35, 35), [session() for _ in range(35)], ["pool_too_small"], []),
    "two replicas, each too small": (pool(7, 50, 50, 2), BUSY + BUSY, ["pool_too_small"], ["raise_pool_size"]),
    "waiting without a known cause": (pool(3, 10), [session() for _ in range(10)], ["waiting_unexplained"], []),
}


@pytest.mark.parametrize("measured", MEASURED_CONCLUDED.values(), ids=MEASURED_CONCLUDED)
def test_measured_concluded(diagnose, measured):
    metrics, sessions, problems, expected = measured
    database = sessions if isinstance(sessions, dict) else activity(sessions)
    result = diagnose("db_pool", {"metrics": metrics, "postgres_activity": database}, **SYSTEM)
    found = causes_that_are(result, "problem")
    assert found == problems
    assert steps_that_act(result) == expected
    assert result["status"] == ("problem" if problems else "healthy")
    assert "not available:" not in result["msg"]


MISSING = {
    # name: (metrics, database, problems, unknown causes among)
    "no metrics": (NO_METRICS, activity(BUSY), [], {"pool_too_small", "long_queries", "waiting_unexplained"}),
    "no database": (QUIET, NO_DATABASE, [], {"idle_in_transaction", "blocker", "max_connections_reached"}),
    "neither": (NO_METRICS, NO_DATABASE, [], {"idle_in_transaction", "pool_too_small", "high_usage"}),
    "other roles' sessions are hidden": (QUIET, activity(BUSY[:3], hidden=4), [], {"idle_in_transaction", "blocker"}),
    "waiting, and hidden sessions": (PRESSED, activity(BUSY, hidden=4), [], {"pool_too_small"}),
    "waiting behind what was prepared just now": (
        PRESSED,
        activity(queue_behind(0, 25, 1), prepared=[prepared("order-17", 1, 25)]),
        [],
        {"prepared_transaction", "pool_too_small", "waiting_unexplained"},
    ),
    "commits hold the pool, and a standby is there": (
        PRESSED,
        activity([committing(3) for _ in range(25)], synchronous_standbys=1),
        [],
        {"synchronous_standby_missing", "pool_too_small"},
    ),
    "no session tells its state": (
        PRESSED,
        activity([session("disabled", state_seconds=None, query_seconds=None, query="") for _ in range(25)]),
        [],
        {"idle_in_transaction", "blocker", "long_queries", "pool_leak", "pool_too_small", "waiting_unexplained"},
    ),
    "one tells no state, and nobody waits": (
        QUIET,
        activity([*BUSY[:3], session("disabled", state_seconds=None)]),
        [],
        {"idle_in_transaction", "blocker", "matview_refresh"},
    ),
    "the diagnosing role has no connection left": (
        PRESSED,
        {"available": False, "reason": 'too many connections for role "oncall"', "error": "role_limit"},
        [],
        {"idle_in_transaction", "max_connections_reached", "pool_too_small", "waiting_unexplained"},
    ),
    "waiting, and no database": (PRESSED, NO_DATABASE, [], {"pool_too_small", "waiting_unexplained"}),
    "one family is missing": (
        {"available": False, "reason": "family w is missing", "value": {"in_use": 25, "max": 25}, "metric": {}},
        activity(BUSY),
        [],
        {"pool_too_small"},
    ),
}


@pytest.mark.parametrize("measured", MISSING.values(), ids=MISSING)
def test_what_could_not_be_measured_is_unknown_and_starts_nothing(diagnose, measured):
    metrics, database, problems, unknown = measured
    result = diagnose("db_pool", {"metrics": metrics, "postgres_activity": database}, **SYSTEM)
    status = {finding["cause"]: finding["status"] for finding in result["findings"]}
    assert [cause for cause, one in status.items() if one == "problem"] == problems
    assert unknown <= {cause for cause, one in status.items() if one == "unknown"}
    assert result["status"] == "unknown"
    assert steps_that_act(result) == []
    reasons = [observed.get("reason") for observed in (metrics, database) if not observed["available"]]
    assert all(reason in result["msg"] for reason in reasons)
    if database.get("connections", {}).get("stateless"):
        assert "of app tell no state" in result["msg"] and "RESET track_activities" in result["msg"]


def test_what_is_found_is_found_although_the_metrics_are_missing(diagnose):
    sessions = activity([session("idle in transaction", 400)])
    result = diagnose("db_pool", {"metrics": NO_METRICS, "postgres_activity": sessions}, **SYSTEM)
    assert steps_that_act(result) == ["end_idle_in_transaction"]
    assert result["status"] == "problem"


@pytest.mark.parametrize(
    ("changes", "risk", "available"),
    [
        ({}, "medium", True),
        ({"in_other_databases": 3}, "high", True),
        ({"in_recovery": True}, "medium", False),
        ({"standbys": 1}, "high", True),
        ({"source": "command line"}, "medium", False),
        ({"backup": "pg_dump"}, "high", True),
        ({"backup": "pgBackRest [backup]"}, "high", True),
        ({"backup": "psql"}, "medium", True),
        ({"replication": [{"application_name": "pg_basebackup", "user": "backup", "state": "backup"}]}, "high", True),
        ({"max_connections": 250, "used": 246}, "medium", False),
    ],
)
def test_raising_max_connections(diagnose, changes, risk, available):
    sessions = [session(application_name=f"app-{number % 40}") for number in range(96)]
    changes = dict(changes)
    backup = changes.pop("backup", "")
    sessions += [session("idle in transaction", 4, application_name=backup)] if backup else []
    observed = {"metrics": pool(9, 12), "postgres_activity": activity(sessions, **changes)}
    result = diagnose("db_pool", observed, **SYSTEM)
    (step,) = result["plan"]["steps"]
    assert (step["risk"], step["available"]) == (risk, available)
    # What nobody had set by ALTER SYSTEM is not set by it after a rollback.
    assert step["undo"] == {"value": str(changes.get("max_connections", 100)), "by_alter_system": False}
    (finding,) = [one for one in result["findings"] if one["status"] == "problem"]
    cut = "pg_basebackup" if "replication" in changes else backup
    assert (f"would cut off {cut} of " in finding["advice"][1]) is (cut not in ("", "psql"))


@pytest.mark.parametrize(
    ("service", "why_not"),
    [
        ({"manager": "command", "commands": {"restart": ["x"]}}, "set_environment"),
        ({"manager": "supervisor", "name": "x", "config": "/etc/s.conf"}, "program_config"),
        ({"manager": "command", "commands": {"restart": ["x"], "set_environment": ["y"]}}, ""),
    ],
)
def test_a_verb_the_manager_cannot_do_is_known_in_the_plan(diagnose, service, why_not):
    system = {**SYSTEM, "system_services": {"api": service}}
    result = diagnose("db_pool", {"metrics": PRESSED, "postgres_activity": activity(BUSY)}, **system)
    (step,) = result["plan"]["steps"]
    assert why_not in step["why_not"]
    assert step["available"] is not bool(why_not)


def test_the_plan_names_exactly_what_it_touches(diagnose):
    result = diagnose("db_pool", {"metrics": pool(7, 50, 50, 2), "postgres_activity": activity(BUSY + BUSY)}, **SYSTEM)
    (step,) = result["plan"]["steps"]
    change = {"service": "api", "variable": "PG_POOL_MAX", "url_parameter": "", "from": 25, "to": 35}
    assert step["targets"] == [change]
    assert step["undo"] == {"size": 25}


@pytest.mark.parametrize(
    ("more", "outcome"),
    [
        # It ran for a moment between two ends.
        ({"restarts": 4, "restarts_per_hour": 4, "uptime_seconds": 2.0}, "unknown"),
        ({"state": "restarting"}, "unknown"),
        ({"restarts": 4, "restarts_per_hour": 0, "uptime_seconds": 9000.0}, "healthy"),
        ({"restarts": 1, "restarts_per_hour": 1, "uptime_seconds": 2.0}, "healthy"),
        ({"state": "unknown", "available": False}, "healthy"),
    ],
)
def test_the_pool_of_an_application_that_ends_again_and_again_is_not_well(diagnose, more, outcome):
    seen = {"available": True, "services": {"api": {**has()["services"]["api"], **more}}}
    result = diagnose(
        "db_pool", {"metrics": QUIET, "postgres_activity": activity([session()] * 3), "service": seen}, **SYSTEM
    )
    assert (result["status"], "ends by itself again and again" in result["msg"]) == (outcome, outcome == "unknown"), (
        result["msg"]
    )


@pytest.mark.parametrize(
    ("seen", "named", "variable"),
    [
        (has("PG_POOL_MAX"), "", "PG_POOL_MAX"),
        (has(), "", ""),
        ({"available": False, "reason": "the Docker engine does not answer", "services": {}}, "", ""),
        # Its process cannot be looked into, or a status command is all there is.
        ({"available": True, "services": {"api": {"available": True, "state": "running", "variables": None}}}, "", ""),
        # Where nobody looked: from the controller.
        (None, "", ""),
        (has(), "DB_POOL", "DB_POOL"),
        (has("PG_POOL_MAX"), "DB_POOL", "DB_POOL"),
    ],
)
def test_a_variable_that_is_only_assumed_is_in_no_plan_before_the_service_is_seen_to_have_it(
    diagnose, seen, named, variable
):
    observed = {"metrics": PRESSED, "postgres_activity": activity(BUSY), "service": seen}
    result = diagnose("db_pool", observed, **SYSTEM, db_pool_size_variable=named)
    assert causes_that_are(result, "problem") == ["pool_too_small"]
    (step,) = result["plan"]["steps"]
    assert [one["variable"] for one in step["targets"]] == ([variable] if variable else [])
    assert step["available"] is bool(variable)
    advice = str([one for one in result["findings"] if one["cause"] == "pool_too_small"])
    assert ("Name it in db_pool_size_variable" in advice) is not bool(variable)


@pytest.mark.parametrize(
    ("metrics", "problems", "says"),
    [
        (of_replicas(a=(6, 5, 5), b=(0, 0, 5)), ["one_replica"], "only a has no connection left (5 of 5 in use, 6 requests wait)"),
        (of_replicas(a=(6, 5, 5), b=(0, 1, 5), c=(2, 5, 5)), ["one_replica"], "only a has no connection left"),
        # Nobody waits there, or its pool is not used up: the reason is another.
        (of_replicas(a=(0, 5, 5), b=(0, 0, 5)), [], ""),
        (of_replicas(a=(3, 2, 5), b=(0, 0, 5)), ["waiting_unexplained"], ""),
        # One that does not tell its size is not known to be full.
        (of_replicas(a=(6, 5, 5), b=(0, 0, 5)) | {"metric": {"max": {"available": True, "series": 2}}}, ["waiting_unexplained"], ""),
    ],
)  # fmt: skip
def test_a_replica_without_connections_is_not_hidden_by_the_sum(diagnose, metrics, problems, says):
    result = diagnose(
        "db_pool", {"metrics": metrics, "postgres_activity": activity([session() for _ in range(5)])}, **SYSTEM
    )
    assert causes_that_are(result, "problem") == problems, result["msg"]
    assert steps_that_act(result) == []
    assert says in result["msg"]


def test_the_hash_is_over_what_is_touched_and_not_over_what_passes(diagnose):
    def plan_hash(seconds: float, pids: list[int], **variables: Any) -> str:
        sessions = [session("idle in transaction", seconds, pid=pid) for pid in pids]
        observed = {"metrics": PRESSED, "postgres_activity": activity(sessions)}
        return diagnose("db_pool", observed, **SYSTEM, **variables)["plan"]["hash"]

    first = plan_hash(400, [1, 2])
    assert plan_hash(500, [2, 1]) == first
    assert plan_hash(400, [1, 3]) != first
    assert plan_hash(400, [1, 2], inventory_hostname="other") != first


@pytest.mark.parametrize(
    "changes",
    [
        {"db_pool_size_url_parameter": "connection_limit"},
        {"db_pool_raise_to": 40},
        {"system_services": {**SYSTEM["system_services"], "api": {**SUPERVISED, "name": "other"}}},
    ],
)
def test_the_hash_knows_how_it_is_done(diagnose, changes):
    observed = {"metrics": PRESSED, "postgres_activity": activity(BUSY)}
    hashes = [diagnose("db_pool", observed, **{**SYSTEM, **more})["plan"]["hash"] for more in ({}, changes)]
    assert hashes[0] != hashes[1]


@pytest.mark.parametrize(
    ("names", "patterns", "problem"),
    [
        (["lab-api"], None, "pool_leak"),
        (["LAB-API"], None, "pool_leak"),
        (["billing-api"], None, "application_unknown"),
        (["web"], None, "application_unknown"),
        (["web"], ["web"], "pool_leak"),
        (["web-1", "web-2"], ["web-*"], "pool_leak"),
        (["web-1", "web-2"], ["web-1"], "application_unknown"),
        ([""], ["*"], "application_unknown"),
    ],
)
def test_whose_sessions_are_the_pools(diagnose, names, patterns, problem):
    sessions = [session("idle", 700, application_name=names[number % len(names)]) for number in range(25)]
    observed = {"metrics": PRESSED, "postgres_activity": activity(sessions)}
    more = {"db_pool_applications": patterns} if patterns else {}
    result = diagnose("db_pool", observed, **SYSTEM, **more)
    assert causes_that_are(result, "problem") == [problem]
    assert steps_that_act(result) == (["restart_application"] if problem == "pool_leak" else [])


@pytest.mark.parametrize(
    ("in_progress", "seconds", "problem"),
    [(32, 75, "held_without_work"), (31, 700, "held_without_work"), (7, 75, "pool_leak"), (9, 700, "pool_leak")],
)
def test_requests_in_progress_tell_a_lost_connection_from_a_held_one(diagnose, in_progress, seconds, problem):
    metrics = pool(7, 25)
    metrics["value"]["in_progress"] = in_progress
    observed = {"metrics": metrics, "postgres_activity": activity([session("idle", seconds) for _ in range(25)])}
    result = diagnose("db_pool", observed, **SYSTEM, db_pool_in_progress="requests")
    assert causes_that_are(result, "problem") == [problem]
    assert steps_that_act(result) == (["restart_application"] if problem == "pool_leak" else [])


def test_a_role_at_its_limit_whose_role_nobody_knows_is_no_healthy_pool(diagnose):
    seen = activity([session(application_name="cron", user="app") for _ in range(3)], roles=[role(3, 3)])
    result = diagnose("db_pool", {"metrics": pool(0, 0), "postgres_activity": seen}, **SYSTEM)
    assert result["status"] == "unknown" and "the role app has all of its 3 connections" in result["msg"]
    assert "db_pool_applications" in result["msg"]


def test_only_the_statements_of_the_application_are_cancelled(diagnose):
    others = [session(seconds=400, application_name="nightly-etl") for _ in range(13)]
    observed = {
        "metrics": PRESSED,
        "postgres_activity": activity([*others, *(session(seconds=400, pid=pid) for pid in range(1, 26))]),
    }
    (step,) = diagnose("db_pool", observed, **SYSTEM)["plan"]["steps"]
    assert [target["pid"] for target in step["targets"]] == list(range(1, 26))


def test_a_leak_is_told_by_name_and_role(diagnose):
    leaked = [session("idle", 700, application_name="reports", user="a", pid=pid) for pid in range(1, 90)]
    other = session("idle", 700, application_name="reports", user="b", pid=999)
    observed = {"metrics": pool(9, 12), "postgres_activity": activity([*leaked, other])}
    (step,) = diagnose("db_pool", observed, **SYSTEM)["plan"]["steps"]
    assert [target["pid"] for target in step["targets"]] == list(range(1, 90))


def test_the_gid_to_end_is_named(diagnose):
    two = [prepared("order-17", 90, 25), prepared("order-9", 9000, 0)]
    observed = {"metrics": PRESSED, "postgres_activity": activity(queue_behind(0, 25), prepared=two)}
    result = diagnose("db_pool", observed, **SYSTEM)
    (finding,) = [one for one in result["findings"] if one["status"] == "problem"]
    assert "25 sessions wait" in finding["summary"] and "(order-17)" in finding["summary"]
    assert "ROLLBACK PREPARED" in finding["advice"] and "(order-17)" in finding["advice"]
    assert [row["gid"] for row in finding["evidence"]] == ["order-17", "order-9"]


def test_of_the_pools_own_application_only_what_is_beyond_the_pool_is_leaked(diagnose):
    sessions = [session("idle", 1000 - pid, pid=pid) for pid in range(1, 93)]
    observed = {"metrics": pool(9, 12), "postgres_activity": activity(sessions)}
    (step,) = diagnose("db_pool", observed, **SYSTEM)["plan"]["steps"]
    # Those idle for longest.
    assert [target["pid"] for target in step["targets"]] == list(range(1, 68))


@pytest.mark.parametrize(("sessions", "problem"), [(97, "leaked_sessions"), (12, None)])
def test_a_leak_that_fills_the_server_is_found_without_metrics(diagnose, sessions, problem):
    leaked = [session("idle", 700, application_name="reports") for _ in range(sessions)]
    result = diagnose("db_pool", {"metrics": NO_METRICS, "postgres_activity": activity(leaked)}, **SYSTEM)
    assert causes_that_are(result, "problem") == ([problem] if problem else [])
    assert steps_that_act(result) == (["end_leaked_sessions"] if problem else [])


@pytest.mark.parametrize(
    ("who", "named"),
    [
        ({"consumer": 75, "billing": 20}, "consumer of app 75, billing of app 20"),
        ({"": 96}, "without a name of app 96"),
    ],
)
def test_a_full_server_says_by_whom(diagnose, who, named):
    sessions = [session(application_name=name) for name, number in who.items() for _ in range(number)]
    result = diagnose("db_pool", {"metrics": pool(9, 12), "postgres_activity": activity(sessions)}, **SYSTEM)
    assert f"most by {named}" in result["msg"]


def test_a_cause_of_ones_own(diagnose):
    observed = {"metrics": QUIET, "postgres_activity": activity([])}
    mine = {"quiet": {"when": "true", "summary": "all quiet", "advice": "enjoy"}}
    result = diagnose("db_pool", observed, **SYSTEM, db_pool_extra_causes=mine)
    assert result["status"] == "unknown"  # this process gave it as untrusted text, which is never evaluated


@pytest.mark.parametrize(
    "sessions",
    [
        [session("idle in transaction", 400, is_superuser=True, may_end=False, user="shop")],
        [session(seconds=400, is_superuser=True, may_end=False, user="shop") for _ in range(25)],
        [session(pid=7, seconds=90, is_superuser=True, may_end=False, user="shop"), *queue_behind(7, 25)],
    ],
)
def test_why_sessions_of_a_superuser_are_left_alone_and_what_to_change(diagnose, sessions):
    result = diagnose("db_pool", {"metrics": PRESSED, "postgres_activity": activity(sessions)}, **SYSTEM)
    (step,) = result["plan"]["steps"]
    assert not step["available"]
    assert "role shop is a superuser" in step["why_not"] and "ALTER ROLE shop NOSUPERUSER" in step["why_not"]


def test_text_from_the_database_is_never_a_template(diagnose):
    evil = session("idle in transaction", 400, application_name="{{ lookup('pipe', 'id') }}", query="{{ 7*7 }}")
    result = diagnose("db_pool", {"metrics": QUIET, "postgres_activity": activity([evil])}, **SYSTEM)
    (finding,) = [one for one in result["findings"] if one["status"] == "problem"]
    assert finding["evidence"][0]["application_name"] == "{{ lookup('pipe', 'id') }}"
    assert finding["evidence"][0]["query"] == "{{ 7*7 }}"


# The rows that every runbook has; tests/contract sees that they conclude this.
HEALTHY_ROW = "test_measured_concluded[nothing]"
WRONG_CAUSE_ROW = "test_measured_concluded[waiting without a known cause]"
NO_TELEMETRY_ROW = "test_what_could_not_be_measured_is_unknown_and_starts_nothing[neither]"


LEAKED = [session("idle", 60) for _ in range(25)]
USED_UP_AND_NOBODY_WAITS = {
    # name: (metrics, sessions, the status)
    "all of it is lost": (pool(0, 25), LEAKED, "unknown"),
    "half of it is lost": (pool(0, 25), LEAKED[:13] + BUSY[:12], "unknown"),
    "half of it holds a transaction and does nothing": (
        pool(0, 25),
        [session("idle in transaction", 75) for _ in range(13)] + BUSY[:12],
        "unknown",
    ),
    "nobody knows its sessions": (pool(0, 25), [session(application_name="") for _ in range(25)], "unknown"),
    "all of it is at work": (pool(0, 25), BUSY, "healthy"),
    "it has just changed hands": (pool(0, 25), [session("idle", 0.1) for _ in range(25)], "healthy"),
    "one is left": (pool(0, 24), LEAKED, "healthy"),
}


@pytest.mark.parametrize("measured", USED_UP_AND_NOBODY_WAITS.values(), ids=USED_UP_AND_NOBODY_WAITS)
def test_that_nobody_waits_in_this_moment_does_not_make_a_lost_pool_well(diagnose, measured):
    metrics, sessions, status = measured
    result = diagnose("db_pool", {"metrics": metrics, "postgres_activity": activity(sessions)}, **SYSTEM)
    assert (result["status"], causes_that_are(result, "problem")) == (status, []), result["findings"]
    assert steps_that_act(result) == []
    if status == "unknown":
        assert "a request gets a connection of the pool at once" in result["msg"], result["msg"]
