# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the stacks are put through. Each scene is one state of one real stack; every runbook that is asked in it is a case.

What is true of a fault is said where the fault is: ``lab/*/faults``, ``lab/*/pairs.py``, ``tests/foreign/breakages.py``. Here are those that
are no faults: red herrings, which look bad and are harmless, and telemetry that is not to be had.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import redis

from ansible_collections.oncall.runbooks.tests.support.accuracy.verdicts import Truth
from ansible_collections.oncall.runbooks.tests.support.lab_parts import session
from ansible_collections.oncall.runbooks.tests.support.waiting import going_on, until
from lab import Lab
from lab.database import connect
from lab.faults import load_faults
from lab.rights import PAGES_ALONE, WITHOUT_METRICS, Pair, Right, Rights, right, together, unseen

HEALTHY, FAULT, PAIR, HERRING, BLIND, ELSEWHERE = (
    "healthy", "fault", "pair of faults", "red herring", "not to be seen", "wrong cause",
)  # fmt: skip
KINDS = (FAULT, PAIR, HERRING, HEALTHY, BLIND, ELSEWHERE)
# Longer than the lab's inventory lets anything be idle, or run.
OLD_SECONDS = 7

Breaks = Callable[[Any], AbstractContextManager[None]]
Variables = Callable[[Any], Mapping[str, Any]]


def _none(_stack: Any) -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True)
class Scene:
    """One state of one stack.

    Args:
        stack: the kind of stack.
        kind: one of :data:`KINDS`.
        name: of the scene; a stack has each name once.
        summary: what is wrong there, for people.
        breaks: gets the stack, and has it in that state.
        truth: what is true then.
        variables: gets the stack, and gives the inventory's variables that are different then.
        lasts: a fault of a lab that is measured once more when all have answered.
    """

    stack: str
    kind: str
    name: str
    summary: str
    breaks: Breaks
    truth: Truth
    variables: Variables = field(default=_none)
    lasts: str = ""

    def kind_for(self, runbook: str) -> str:
        """Of what kind the case of one runbook is."""
        if self.kind in (FAULT, PAIR):
            if runbook not in self.truth.rights:
                return ELSEWHERE
            if not self.truth.of(runbook).seen or self.truth.of(runbook).blind:
                return BLIND
        return self.kind


# Both labs.


def nothing_wrong(stack: str) -> Scene:
    return Scene(stack, HEALTHY, "nothing is wrong", "Everything runs, and users are served.", _as_it_is, Truth({}))


@contextmanager
def _as_it_is(_stack: Any) -> Iterator[None]:
    yield


def injected(*names: str) -> Breaks:
    """Faults of a lab, one after the other. The stack is mended after every scene."""

    @contextmanager
    def breaks(stack: Any) -> Iterator[None]:
        for name in names:
            stack.lab.inject(name)
        yield

    return breaks


def faults_of_a_lab(stack: str, pairs: tuple[Pair, ...]) -> list[Scene]:
    """Every fault by itself, and the pairs. One of which nothing is wrong is a red herring."""
    faults = {name: fault for same in load_faults(stack).values() for name, fault in same.items()}
    rights: dict[str, Rights] = {name: fault.rights for name, fault in faults.items()}
    scenes = []
    for name, fault in faults.items():
        harmless = bool(fault.rights) and all(one.healthy for one in fault.rights.values())
        kind = HERRING if harmless else FAULT
        scenes.append(Scene(stack, kind, name, fault.summary, injected(name), Truth(fault.rights), lasts=name))
    for pair in pairs:
        names = (pair.first, pair.second)
        summary = "; ".join(faults[name].summary for name in names)
        truth = Truth(pair.rights(rights))
        # With the second the first may no longer be measured.
        scenes.append(Scene(stack, PAIR, " + ".join(names), summary, injected(*names), truth, lasts=pair.second))
    return scenes


# Red herrings of the embedded lab: sessions, lines and load that are nobody's trouble.


@contextmanager
def _sessions(stack: Any, application: str, count: int, statement: str = "") -> Iterator[None]:
    with contextlib.ExitStack() as open_:
        for _ in range(count):
            one = open_.enter_context(contextlib.closing(session(stack.lab, application, autocommit=True)))
            one.execute("SELECT 1")
            if statement:
                one.pgconn.send_query(statement.encode())
                one.pgconn.flush()
        time.sleep(OLD_SECONDS)
        yield
        # A backend at work does not notice that its client is gone.
        with connect(stack.lab.layout) as superuser:
            superuser.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s", [application]
            )


def _held(application: str, count: int, statement: str = "") -> Breaks:
    return lambda stack: _sessions(stack, application, count, statement)


@contextmanager
def _words_in_the_log(stack: Any) -> Iterator[None]:
    with (stack.lab.layout.logs / "api.log").open("a") as log:
        for number in range(30):
            log.write(f"INFO: report {number}: 0 errors, no FATAL exception, 0 tracebacks, deadlock check passed\n")
    yield


@contextmanager
def _strangers(stack: Any) -> Iterator[None]:
    with going_on(lambda: stack.lab.request("/wp-login.php", seconds=5), 0.02):
        time.sleep(2)
        yield


@contextmanager
def _idle_clients_of_redis(stack: Any) -> Iterator[None]:
    with contextlib.ExitStack() as open_:
        for number in range(150):
            client = redis.Redis(port=stack.lab.layout.ports["redis"], socket_timeout=60, client_name=f"idle-{number}")
            open_.enter_context(contextlib.closing(client))
            client.ping()
        yield


@contextmanager
def _a_client_waits_for_work(stack: Any) -> Iterator[None]:
    client = redis.Redis(port=stack.lab.layout.ports["redis"])
    with going_on(lambda: client.blpop(["nobody-puts-anything-here"], timeout=1)):
        yield
    client.close()


@contextmanager
def _keys_that_end(stack: Any) -> Iterator[None]:
    with contextlib.closing(redis.Redis(port=stack.lab.layout.ports["redis"])) as client:
        for number in range(5000):
            client.set(f"herring:{number}", b"x", px=1500)
        yield


@contextmanager
def _restarted_by_a_person(stack: Any) -> Iterator[None]:
    stack.lab.supervisor.restart("api")
    until(lambda: stack.lab.request("/readyz")[0] == 200)
    time.sleep(OLD_SECONDS)
    yield


@contextmanager
def _a_neighbour_computes(_stack: Any) -> Iterator[None]:
    neighbour = subprocess.Popen([sys.executable, "-c", "while True: sum(range(10000))"], stdin=subprocess.DEVNULL)
    try:
        yield
    finally:
        neighbour.kill()
        neighbour.wait()


_HERRINGS: tuple[tuple[str, str, Breaks], ...] = (
    ("long statements of another application", "Six statements of nightly-etl run for long, and nobody waits for them.",
     _held("nightly-etl", 6, "SELECT pg_sleep(900)")),
    ("idle sessions of another application", "sidekiq keeps 26 sessions and does not use them; there is room for more.",
     _held("sidekiq", 26)),
    ("a backup runs", "pg_dump reads for long, as it does every night.", _held("pg_dump", 1, "SELECT pg_sleep(900)")),
    ("a lock that nobody wants", "A session holds an advisory lock, and nobody asks for it.",
     _held("leader-election", 1, "SELECT pg_advisory_lock(42)")),
    ("a log that speaks of errors", "Lines of level INFO have the words errors, FATAL, exception and deadlock.", _words_in_the_log),
    ("users ask for what is not there", "Somebody looks for holes: half of the answers are 404.", _strangers),
    ("many idle clients of Redis", "150 clients are connected and ask nothing.", _idle_clients_of_redis),
    ("a client of Redis waits for work", "A blocked client, as every worker that waits for a list is.", _a_client_waits_for_work),
    ("keys end in Redis", "5,000 keys with a time to live end: that is no eviction.", _keys_that_end),
    ("a restart by a person", "Somebody restarted the API a moment ago, and it is back.", _restarted_by_a_person),
    ("a neighbour computes", "Another process of the host uses a whole processor.", _a_neighbour_computes),
)  # fmt: skip


# Telemetry of the embedded lab that is not to be had, while all is well or while something is not.


@dataclass(frozen=True)
class Unseen:
    """What cannot be seen, and by whom: these may not say healthy, and nothing of what they cannot see is to be named."""

    name: str
    summary: str
    runbooks: str
    breaks: Breaks
    variables: Variables
    rights: Mapping[str, Right] = field(default_factory=dict)

    @property
    def all_rights(self) -> dict[str, Right]:
        return {**unseen(*self.runbooks.split()), **self.rights}


def _metrics_elsewhere(stack: Any) -> Mapping[str, Any]:
    routes = {route: f"{stack.lab.url}/{route}" for route in ("health", "orders", "stats")}
    # Only its metrics are asked for at the wrong place.
    return {
        "system_endpoints": {"api": "http://127.0.0.1:1/metrics"},
        "api_down_endpoints": routes,
        "db_down_dependants": {"api": f"{stack.lab.url}/readyz"},
        "circuit_breaker_dependencies": {},
    }


def _database_elsewhere(stack: Any) -> Mapping[str, Any]:
    return {"system_database": {**stack.inventory()["system_database"], "port": 1}}


def _manager_elsewhere(stack: Any) -> Mapping[str, Any]:
    services = stack.variables()["system_services"]
    return {
        "system_services": {name: {**one, "config": "/nonexistent/supervisord.conf"} for name, one in services.items()}
    }


def _all_elsewhere(stack: Any) -> Mapping[str, Any]:
    return {**_metrics_elsewhere(stack), **_database_elsewhere(stack), **_manager_elsewhere(stack)}


@contextmanager
def _a_role_without_rights(stack: Any) -> Iterator[None]:
    with connect(stack.lab.layout) as superuser:
        superuser.execute("DROP ROLE IF EXISTS onlooker")
        superuser.execute("CREATE ROLE onlooker LOGIN PASSWORD 'looks-on'")
        try:
            yield
        finally:
            superuser.execute("DROP ROLE onlooker")


def _as_onlooker(stack: Any) -> Mapping[str, Any]:
    return {"system_database": {**stack.inventory()["system_database"], "user": "onlooker", "password": "looks-on"}}


@contextmanager
def _a_user_of_redis_without_rights(stack: Any) -> Iterator[None]:
    with contextlib.closing(redis.Redis(port=stack.lab.layout.ports["redis"])) as client:
        client.execute_command("ACL", "SETUSER", "onlooker", "on", ">looks-on", "+ping")
        try:
            yield
        finally:
            client.execute_command("ACL", "DELUSER", "onlooker")


def _as_onlooker_of_redis(stack: Any) -> Mapping[str, Any]:
    return {"system_redis": {**stack.inventory()["system_redis"], "username": "onlooker", "password": "looks-on"}}


_OF_METRICS = " ".join(WITHOUT_METRICS)
_OF_TABLES = "job_scheduler stalled_workflow sync_lag worker_queue"
_OF_THE_MANAGER = "crash_loop port_conflict resource_usage"
_NOT_FROM_HERE = {"db_down": right("not_reached_from_here", also="unresponsive"), "db_pool": right()}
# What the metrics, the pages and a refusal say all the same, where something is wrong meanwhile.
_BESIDE_A_BLIND_ROLE = {
    "db_pool": right(also="connections_refused"),
    "db_down": right(also="gets_no_connection", healthy=True),
    "api_down": right(also="pool_exhausted", healthy=True),
    "error_rate": right(also="database_connections", healthy=True),
}
_UNSEEN = (
    Unseen("metrics that nobody gives", "Nobody listens where the inventory says that the metrics are.", _OF_METRICS, _as_it_is,
           _metrics_elsewhere, PAGES_ALONE),
    Unseen("a database that is not reached from here", "The inventory names a port of the database where nobody listens.",
           _OF_TABLES, _as_it_is, _database_elsewhere, _NOT_FROM_HERE),
    Unseen("a role without rights", "The role of the runbooks may log in, and see nothing of others.", _OF_TABLES,
           _a_role_without_rights, _as_onlooker, _BESIDE_A_BLIND_ROLE),
    Unseen("a user of Redis without rights", "The user of the runbooks may say PING to Redis, and nothing else.", "",
           _a_user_of_redis_without_rights, _as_onlooker_of_redis, {"cache": right("credentials")}),
    Unseen("a manager that is not reached", "The socket of supervisord is not where the inventory says.", _OF_THE_MANAGER, _as_it_is,
           _manager_elsewhere, dict.fromkeys(("cache", "db_down"), right(healthy=True, seen=False))),
    Unseen("nothing is to be seen", "No metrics, no database, no manager.", f"{_OF_METRICS} {_OF_TABLES} {_OF_THE_MANAGER}", _as_it_is,
           _all_elsewhere, {**_NOT_FROM_HERE, "db_down": right("not_reached_from_here", also="unresponsive", seen=False)}),
)  # fmt: skip
# Which faults are there meanwhile, in further scenes.
_UNSEEN_WITH = {
    "metrics that nobody gives": ("blocker", "leaked_sessions"),
    "a database that is not reached from here": ("blocker", "idle_in_transaction"),
    "a role without rights": ("blocker", "leaked_sessions"),
    "a manager that is not reached": ("redis_down", "database_down"),
    "nothing is to be seen": ("blocker",),
}


def _with_fault(lack: Unseen, fault: str, rights: Rights, summary: str) -> Scene:
    parts: Mapping[str, Rights] = {fault: rights, lack.name: lack.all_rights}
    runbooks = sorted({runbook for one in parts.values() for runbook in one})
    merged = {
        runbook: together([(name, one[runbook]) for name, one in parts.items() if runbook in one])
        for runbook in runbooks
    }

    @contextmanager
    def breaks(stack: Any) -> Iterator[None]:
        with injected(fault)(stack), lack.breaks(stack):
            yield

    name, both = f"{fault} + {lack.name}", f"{lack.summary} Meanwhile {summary}."
    return Scene("embedded", BLIND, name, both, breaks, Truth(merged), lack.variables, lasts=fault)


def embedded() -> list[Scene]:
    """The scenes of the embedded lab."""
    from lab.embedded.pairs import PAIRS

    faults = {name: fault for same in load_faults("embedded").values() for name, fault in same.items()}
    return [
        nothing_wrong(Lab.kind),
        *faults_of_a_lab(Lab.kind, PAIRS),
        *(Scene(Lab.kind, HERRING, name, summary, breaks, Truth({})) for name, summary, breaks in _HERRINGS),
        *(Scene(Lab.kind, BLIND, one.name, one.summary, one.breaks, Truth(one.all_rights), one.variables) for one in _UNSEEN),
        *(
            _with_fault(one, fault, faults[fault].rights, faults[fault].summary)
            for one in _UNSEEN
            for fault in _UNSEEN_WITH.get(one.name, ())
        ),
    ]  # fmt: skip


# What a person asks for, in the lab in containers: without that nobody restores anything, and there is nothing to name.


@dataclass(frozen=True)
class Wish:
    """A restore that is asked for beside a fault.

    Args:
        name: of the scene.
        summary: what is wrong, for people.
        fault: of the lab.
        restore: what is right for it.
        confirmed: whether the name of the database is given too.
        cut_off: whether such a restore was killed, and nobody asks for it again.
    """

    name: str
    summary: str
    fault: str
    restore: Right
    confirmed: bool = True
    cut_off: bool = False

    def asked(self, stack: Any) -> Mapping[str, Any]:
        confirmed = {"restore_confirm": stack.lab.layout.shape.database} if self.confirmed else {}
        return {"restore_from": "newest", **confirmed}

    def variables(self, stack: Any) -> Mapping[str, Any]:
        return {} if self.cut_off else self.asked(stack)

    @contextmanager
    def breaks(self, stack: Any) -> Iterator[None]:
        stack.lab.inject(self.fault)
        if self.cut_off:
            stack.cut_off("restore", self.asked(stack), lambda: bool(_restoring(stack)))
            until(lambda: not any(busy for _name, busy in _restoring(stack)))
        yield


def _restoring(stack: Any) -> list[tuple[str, bool]]:
    """The databases that a restore writes, or has written and given no name yet; each with whether somebody is in it."""
    return stack.lab.target.sql(
        "SELECT datname, EXISTS (SELECT 1 FROM pg_stat_activity a WHERE a.datname = d.datname) "
        "FROM pg_database d WHERE starts_with(datname, 'oncall_')"
    )


_WISHES = (
    Wish("rows_deleted + the backup is asked for", "Rows were deleted that the backup has, and a person asks for it.", "rows_deleted",
         right("restore_requested", "restore")),
    Wish("rows_deleted + a restore that nobody confirmed", "A person asks for the backup, and does not name the database.",
         "rows_deleted", right("not_confirmed"), confirmed=False),
    Wish("rows_deleted + a restore that was killed", "A restore was killed before its database got the name.", "rows_deleted",
         right("left_over", "clean_up"), cut_off=True),
    Wish("backup_cut_off + that backup is asked for", "A person asks for a backup that was cut off.", "backup_cut_off",
         right("not_proven")),
)  # fmt: skip


def compose() -> list[Scene]:
    """The scenes of the lab in containers: what is different is the lab that the faults are of."""
    from lab.compose.pairs import PAIRS

    faults = {name: fault for same in load_faults("compose").values() for name, fault in same.items()}
    return [
        nothing_wrong("compose"),
        *faults_of_a_lab("compose", PAIRS),
        *(
            Scene("compose", FAULT, one.name, one.summary, one.breaks,
                  Truth({**faults[one.fault].rights, "restore": one.restore}), one.variables)
            for one in _WISHES
        ),
    ]  # fmt: skip


def _on_the_shop(case: Any) -> Breaks:
    return lambda stack: case.breaks(stack.shop)


def _settings_of(case: Any) -> Variables:
    return lambda stack: case.settings(stack.shop)


def foreign() -> list[Scene]:
    """The scenes of the stack that nobody here wrote; tests/foreign has to be importable."""
    from breakages import CASES  # type: ignore[import-not-found]

    scenes = [nothing_wrong("foreign")]
    for case in CASES:
        rights = case.rights
        if all(one.blind for one in rights.values()):
            kind = BLIND
        elif all(one.healthy for one in rights.values()):
            kind = HERRING
        else:
            kind = FAULT
        truth = Truth(rights, complete=False)
        scenes.append(Scene("foreign", kind, case.name, case.expert, _on_the_shop(case), truth, _settings_of(case)))
    return scenes
