"""Failures that nobody thought of: one thing of a healthy look is broken at random. Nothing may be done for it, and where the
signal is there the host is not healthy."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import table_rows
from collection import RUNBOOKS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

# More of them: ONCALL_FAILURES=5000 pytest tests/contract/test_unknown_failures.py
CASES = int(os.environ.get("ONCALL_FAILURES", "60"))
# Those that were judged wrong once: runbook, what was done, to which value.
KEPT = json.loads((Path(__file__).parent / "data" / "unknown_failures.json").read_text())

Break = Callable[[Any], Any]
NUMBERS: dict[str, Break] = {
    "zero": lambda value: 0,
    "double": lambda value: value * 2,
    "tenfold": lambda value: value * 10,
    "a day older": lambda value: value + 86400,
    "below nothing": lambda value: -value - 1,
}
TEXTS: dict[str, Break] = {"blank": lambda value: "", "another word": lambda value: "another"}
UNAVAILABLE = {"available": False, "reason": "it gave no answer"}
GONE = object()


def breaks_of(value: Any) -> dict[str, Break]:
    """What can be done to a value, by name."""
    found: dict[str, Break] = {"gone": lambda value: GONE, "not known": lambda value: None}
    if isinstance(value, bool):
        return {**found, "the contrary": lambda value: not value}
    if isinstance(value, (int, float)):
        return {**found, **NUMBERS}
    if isinstance(value, str):
        return {**found, **TEXTS}
    if isinstance(value, list) and len(value) > 1:
        found["the other way round"] = lambda value: value[::-1]
    if isinstance(value, (dict, list)) and value:
        found["empty"] = lambda value: type(value)()
    if isinstance(value, dict) and value.get("available") is True:
        found["no answer"] = lambda value: dict(UNAVAILABLE)
    return found


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path to each value inside."""
    for key, one in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*path, key)
        yield from places(one, (*path, key))


def at(value: Any, path: tuple[str | int, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def broken(observed: dict[str, Any], path: tuple[str | int, ...], how: str) -> dict[str, Any]:
    observed = copy.deepcopy(observed)
    around = at(observed, path[:-1])
    value = breaks_of(around[path[-1]])[how](around[path[-1]])
    if value is GONE:
        del around[path[-1]]
    else:
        around[path[-1]] = value
    return observed


def all_breaks(observed: dict[str, Any]) -> list[tuple[tuple[str | int, ...], str]]:
    # An observer always answers with a dictionary.
    return [(path, how) for path in places(observed) for how in breaks_of(at(observed, path)) if len(path) > 1] + [
        ((observer,), "no answer") for observer in observed
    ]


def available(observed: dict[str, Any], observer: str) -> dict[str, Any]:
    """What it measured; nothing where it says that it measured nothing. Of metrics each says so itself."""
    found = observed[observer]
    return found if observer == "metrics" or found.get("available") is True else {}


# What a look has to show before anybody may call the host healthy, said again in words of its own: what was observed, read plainly.


def db_pool(observed: dict[str, Any]) -> bool:
    pool, connections = available(observed, "metrics")["value"], available(observed, "postgres_activity")["connections"]
    return pool["waiting"] == 0 and pool["in_use"] >= 0 and connections["used"] < connections["usable"]


def latency(observed: dict[str, Any]) -> bool:
    value = available(observed, "metrics")["value"]
    return 0 < value["p95_of_all"] < 1.5 and all(value["p95"][route] < 1.5 for route in value["requests"])


def error_rate(observed: dict[str, Any]) -> bool:
    value = available(observed, "metrics")["value"]
    errors = sum(value.get("errors_by_route", {}).values())
    return errors <= 20 and (value["errors"] <= 20 or "errors_by_route" not in value)


def api_down(observed: dict[str, Any]) -> bool:
    endpoints = available(observed, "http_probe")["endpoints"].values()
    state = available(observed, "service")["services"]["api"]["state"]
    return len(endpoints) >= 3 and all(one["available"] and one["ok"] for one in endpoints) and state == "running"


def cache(observed: dict[str, Any]) -> bool:
    return available(observed, "redis")["error"] == ""


def certificate_expiry(observed: dict[str, Any]) -> bool:
    served = available(observed, "certificate")["served"]
    return len(served) > 0 and all(one["days_left"] > 21 for one in served)


def crash_loop(observed: dict[str, Any]) -> bool:
    services = available(observed, "service")["services"]
    return len(services) == 3 and all(one["state"] in ("running", "exited") for one in services.values())


def db_down(observed: dict[str, Any]) -> bool:
    server = available(observed, "postgres_activity")["server"]
    return server["in_recovery"] is False and available(observed, "postgres_access")["default_read_only"] is False


def disk_full(observed: dict[str, Any]) -> bool:
    filesystems = available(observed, "filesystem")["filesystems"]
    return len(filesystems) > 0 and all(one["used_ratio"] < 1 and not one["full"] for one in filesystems)


def port_conflict(observed: dict[str, Any]) -> bool:
    holders = available(observed, "port")["ports"]["service"]["holders"]
    return available(observed, "service")["services"]["api"]["state"] == "running" and len(holders) > 0


def resource_usage(observed: dict[str, Any]) -> bool:
    services = available(observed, "service")["services"]
    return len(services) == 2 and all(one["memory_ratio"] < 0.85 for one in services.values())


def rollback(observed: dict[str, Any]) -> bool:
    services = available(observed, "service")["services"]
    return len(services) == 2 and all(one["state"] == "running" for one in services.values())


def worker_queue(observed: dict[str, Any]) -> bool:
    queues = available(observed, "queue")["queues"].values()
    return len(queues) == 1 and all(
        one["available"] is True and 0 <= one["ready"] < 100 and one.get("oldest_ready_age_seconds", 0) < 300
        for one in queues
    )


def job_scheduler(observed: dict[str, Any]) -> bool:
    schedules = available(observed, "job_schedule")["schedules"].values()
    jobs = {job["name"]: job for one in schedules if one["available"] is True for job in one["jobs"]}
    times = {
        name: [job[key] for key in ("started_age_seconds", "succeeded_age_seconds") if job.get(key) is not None]
        for name, job in jobs.items()
    }
    due, period, grace = (
        jobs["invoices"]["due_since_seconds"],
        jobs["digest"]["period_seconds"],
        jobs["digest"]["grace_seconds"],
    )
    in_time = -30 <= min(times["digest"]) <= period * 1.5 + grace and -30 <= min(times["invoices"]) <= due + 5
    return in_time and period > 0 and available(observed, "service")["services"]["scheduler"]["state"] == "running"


def circuit_breaker(observed: dict[str, Any]) -> bool:
    value = available(observed, "metrics")["value"]
    replicas = [value["codes@web-1"], value["codes@web-2"]]
    return all(len(one) > 0 and set(one.values()) == {0} for one in replicas)


def stalled_workflow(observed: dict[str, Any]) -> bool:
    workflows = available(observed, "workflow")["workflows"].values()
    return len(workflows) == 1 and all(
        one["available"] is True
        and one["stuck_count"] == 0
        and one["is_part"] is False
        and 0 <= one.get("oldest_seconds", 0) <= one["limit_seconds"]
        for one in workflows
    )


def payment_webhook(observed: dict[str, Any]) -> bool:
    found = available(observed, "webhook")
    endpoint, events, stored = found["endpoint"], found["events"], found["database"]
    is_taken = endpoint["status"] == 200 and endpoint["right_secret"] == 1 and endpoint["takes_forged"] is False
    # Of amounts that the database does not tell, nothing is known.
    is_there = stored["processed_known"] is True and stored["amounts_known"] is True and events["complete"] is True
    states = {row["state"] for row in events["told"]} | set(events["counts"])
    return (
        is_taken
        and is_there
        and states <= {"ok", "pending"}
        and events["seen"] > 0
        and found["provider"]["enabled"] is True
        and found["provider"]["not_subscribed"] == []
    )


def sync_lag(observed: dict[str, Any]) -> bool:
    sources = available(observed, "sync_state")["sources"].values()
    connectors = [one for source in sources for one in source["connectors"]]
    return (
        len(connectors) > 0
        and all(source["available"] is True and source["complete"] is True for source in sources)
        and all(
            0 <= one["lag_seconds"] <= 3600 and one.get("state", "ok") in ("ok", "running", "retrying", "paused")
            for one in connectors
        )
    )


def migrations(observed: dict[str, Any]) -> bool:
    sets = available(observed, "migrations")["migrations"].values()
    said = [one["fields"]["migrations_current"] for one in available(observed, "http_probe")["endpoints"].values()]
    return (
        len(sets) == 1
        and said == [True]
        and all(
            one["available"] is True
            and one["complete"] is True
            and one["in_recovery"] is False
            and one["pending_count"] == 0
            and not (one["failed"] or one["unknown"] or one["disagrees"] or (one["lock"] or {}).get("locked"))
            for one in sets
        )
    )


def notification_provider(observed: dict[str, Any]) -> bool:
    (channel,) = available(observed, "notification_provider")["channels"].values()
    used = available(observed, "service")["services"]["worker"]["compared"]["MAIL_PROVIDER"]
    (provider,) = [one for one in channel["providers"] if one["name"] == used]
    (mail,) = available(observed, "queue")["queues"].values()
    waits = mail["ready"] >= 100 or mail.get("oldest_ready_age_seconds", 0) >= 300 or mail.get("paused") is True
    return (
        provider["last_passed"] is True
        and mail["available"]
        and not waits
        and 0 <= mail["dead_lately"] < 10
        and mail["ready"] >= 0
    )


def backup(observed: dict[str, Any]) -> bool:
    ones = available(observed, "backup")["backups"].values()
    rungs = ("file", "listed", "read", "ended", "tables")
    return len(ones) == 1 and all(
        one["available"] is True
        and -300 <= one["newest"]["age_seconds"] <= 93600
        and one["proof"]["failed"] == ""
        and all(one["proof"]["rungs"][rung] is True for rung in rungs)
        for one in ones
    )


def restore(observed: dict[str, Any]) -> bool:
    (one,) = available(observed, "backup")["backups"].values()
    (state,) = [service["state"] for service in available(observed, "service")["services"].values()]
    database = one["database"]
    return (
        database["available"] is True
        and database["is_there"] is True
        # One that is kept after it was exchanged is how every restore ends. One that is half made is the signal.
        and all(restored["is"] in ("old", "failed", "restored") for restored in database["restores"])
        and state in ("running", "starting")
    )


def auth_failures(observed: dict[str, Any]) -> bool:
    auth = available(observed, "auth")
    login, requests, keys, discovery = auth["login"], auth["requests"], auth["published"], auth["discovery"]
    refused = requests["unauthorized"] + requests["forbidden"]
    few = 0 <= refused < 20 or refused < 0.5 * (refused + requests["let_in"])
    store = available(observed, "service")["services"]["sessions"]
    return (
        login["probed"] is True
        and login["state"] == login["route"]["state"] == "in"
        and not any(one["problems"] for one in login["cookies"])
        and requests["available"] is True
        and few
        and discovery["available"] is True
        and discovery["issuer_right"] is True
        and keys["available"] is True
        and keys["count"] > 0
        and keys["private"] == []
        # A session may be in a cookie alone.
        and (auth["token"] or {}).get("issuer_right") is not False
        and store["available"]
        and store["state"] == "running"
        and store["health"] != "unhealthy"
    )


def break_glass(observed: dict[str, Any]) -> bool:
    glass = available(observed, "break_glass")
    return glass["complete"] is True and glass["left"] == [] and glass["read_only"]["value"] in (True, False)


NO_SIGNAL = {name: function for name, function in globals().items() if name in RUNBOOKS}


def shows_no_signal(runbook: str, observed: dict[str, Any]) -> bool:
    try:
        return NO_SIGNAL[runbook](observed)
    except (AttributeError, KeyError, TypeError, ValueError):
        # What is not there shows nothing.
        return False


@pytest.fixture(scope="module")
def looks(tmp_path_factory) -> dict[str, dict[str, Any]]:
    """What the healthy row of each table test observed, with the variables of its inventory."""
    results = table_rows.concluded(RUNBOOKS, tmp_path_factory.mktemp("rows"))
    return {runbook: results[table_rows.rows(runbook)["HEALTHY_ROW"]][0] for runbook in RUNBOOKS}


def wrong_about(runbook: str, look: dict[str, Any], path: tuple[str | int, ...], how: str) -> str:
    """What a table concludes that it may not, in one line, or ""."""
    from ansible_collections.oncall.runbooks.tests.support import tables

    observed = broken(look["observed"], path, how)
    result = tables.diagnose(runbook, observed, **look["variables"])
    if acts := tables.steps_that_act(result):
        return f"{acts} is planned for {tables.causes_that_are(result, 'problem')}"
    if result["status"] == "healthy" and not shows_no_signal(runbook, observed):
        return f"healthy: {result['msg']}"
    return ""


@pytest.mark.parametrize("runbook", RUNBOOKS)
def test_a_healthy_look_shows_no_signal(runbook, looks):
    assert shows_no_signal(runbook, looks[runbook]["observed"])


@pytest.mark.parametrize("runbook", RUNBOOKS)
def test_one_broken_thing_starts_nothing_and_hides_nothing(runbook, looks):
    look = looks[runbook]
    choices = all_breaks(look["observed"])

    @settings(
        max_examples=CASES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
    )
    @given(st.sampled_from(choices))
    def judged(choice: tuple[tuple[str | int, ...], str]) -> None:
        assert wrong_about(runbook, look, *choice) == "", choice

    judged()


@pytest.mark.parametrize(("runbook", "how", "path"), KEPT)
def test_what_was_judged_wrong_once_is_not_again(runbook, how, path, looks):
    assert wrong_about(runbook, looks[runbook], tuple(path), how) == ""
