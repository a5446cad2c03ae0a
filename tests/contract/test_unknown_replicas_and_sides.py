"""Failures that nobody thought of, of a second kind: one of several alike is broken, and two sides disagree.

Of what the rows of the table tests observed, a part is put into a healthy look: what one observer saw of a fault while the
others see nothing, or the state of a broken one as that of one of its peers, of one of its replicas, or of what exchanged its
facts with another. No remedy may touch one that is well, or rest on what one side alone says.
"""

from __future__ import annotations

import copy
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import table_rows
from collection import RUNBOOKS
from test_unknown_failures import places, shows_no_signal
from two_faults import both_of, members_differ, same

# All of them: ONCALL_FAILURES=100000 pytest tests/contract/test_unknown_replicas_and_sides.py
CASES = int(os.environ.get("ONCALL_FAILURES", "30"))
# Those that were judged wrong once: runbook, what was done, the row of the table test.
KEPT = json.loads((Path(__file__).parent / "data" / "unknown_replicas_and_sides.json").read_text())
# One side is enough for these, as rows of their tables say.
ONE_SIDE_IS_ENOUGH = {
    ("api_down", "hangs"): "its manager says that it runs, and nobody gets an answer: that is a hang",
    ("cache", "loading"): "it is only waited for",
    ("certificate_expiry", "not_renewed"): "a certificate says itself when it ends",
    ("db_down", "starting_up"): "it is only waited for",
    ("db_pool", "blocker"): "who waits for whom the database alone knows",
    ("db_pool", "idle_in_transaction"): "the database alone knows it",
    ("db_pool", "leaked_sessions"): "the database alone knows it",
    ("db_pool", "matview_refresh"): "the database alone knows it",
    ("db_pool", "max_connections_reached"): "a full server is full, whoever waits",
    ("disk_full", "container_logs"): "the filesystem alone knows it",
    ("job_scheduler", "scheduler_hangs"): "its manager says that it runs, and no job is started: that is a hang",
    ("port_conflict", "other_container"): "a service may run and try again",
    ("port_conflict", "own_old_process"): "its manager no longer knows the process: that is the fault",
    ("port_conflict", "stranger"): "a service may run and try again",
    ("resource_usage", "memory_plateau"): "the service alone knows it",
    ("stalled_workflow", "events_lost"): "the queue is asked as well, and has no event for them: that is the fault",
    ("sync_lag", "interrupted"): "a connector says itself how its run ended",
    ("sync_lag", "poison_record"): "which record each try ends at a connector says itself",
    ("worker_queue", "too_few_workers"): "what comes and what is done the queue alone counts",
}

Case = tuple[str, str, dict[str, Any], set[str]]


def at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def alike(value: Any) -> bool:
    """Several of a kind: services, endpoints, certificates, filesystems, routes."""
    entries = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return len(entries) > 1 and all(isinstance(one, dict) and set(one) == set(entries[0]) for one in entries)


def exchanged(healthy: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Two of several alike exchange one fact."""
    for path in places(healthy):
        around = at(healthy, path)
        if not alike(around):
            continue
        names = list(around) if isinstance(around, dict) else list(range(len(around)))
        for one, other in zip(names, names[1:]):
            for key in around[one]:
                if not same(around[one][key], around[other][key]):
                    look = copy.deepcopy(healthy)
                    pair = at(look, path)
                    pair[one][key], pair[other][key] = pair[other][key], pair[one][key]
                    yield f"{one} and {other} exchange {key}", look


def one_side(healthy: dict[str, Any], row: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What one observer saw of a fault that several see, while the others see nothing."""
    observed = row["observed"]
    differ = [name for name in observed if name in healthy and not same(healthy[name], observed[name])]
    for name in differ if len(differ) > 1 else ():
        yield f"only {name} shows it", {**healthy, name: observed[name]}


def a_peer(healthy: dict[str, Any], row: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], set[str]]]:
    """A peer, and a replica, in the state of a broken one."""
    here = members_differ(healthy, row["observed"])
    if here is None:
        return
    place, member = here
    broken, well = at(row["observed"], place)[member], at(healthy, place)
    for peer in (key for key in (well if isinstance(well, dict) else range(len(well))) if key != member):
        look = copy.deepcopy(healthy)
        at(look, place)[peer] = both_of(well[member], broken, well[peer])
        yield f"{peer} is as {member} was", look, {str(peer)}
    if "replicas" in well[member] and "state" in broken:
        look = copy.deepcopy(healthy)
        keys = ("state", "health", "exit_code", "oom_killed", "restarts", "uptime_seconds")
        of_one = {key: broken[key] for key in keys if key in broken}
        containers = [{**well[member], "container": "one"}, {**well[member], **of_one, "container": "two"}]
        at(look, place)[member].update(containers=containers, replicas=2)
        yield f"the second replica of {member} is broken", look, {str(member)}


def cases(runbook: str, rows: dict[str, list[dict[str, Any]]]) -> list[Case]:
    healthy = healthy_of(runbook, rows)["observed"]
    found: list[Case] = [(how, "", look, set()) for how, look in exchanged(healthy)]
    for name, looks in rows.items():
        if not name.startswith(f"{table_rows.test_file(runbook)}::"):
            continue
        row = name.partition("::")[2]
        for one in looks:
            if not same(one["variables"], healthy_of(runbook, rows)["variables"]):
                continue
            found += [(how, row, look, set()) for how, look in one_side(healthy, one)]
            # A peer that is as one that is well may be well.
            if "healthy" not in one["words"]:
                found += [(how, row, look, sick) for how, look, sick in a_peer(healthy, one)]
    return found


def healthy_of(runbook: str, rows: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    return rows[table_rows.rows(runbook)["HEALTHY_ROW"]][0]


def wrong_about(runbook: str, case: Case, variables: dict[str, Any], known: list[dict[str, Any]]) -> str:
    """What a table concludes that it may not, in one line, or ""."""
    from ansible_collections.oncall.runbooks.tests.support import tables

    _how, _row, observed, sick = case
    result = tables.diagnose(runbook, observed, **variables)
    if result["status"] == "healthy" and not shows_no_signal(runbook, observed):
        return f"healthy: {result['msg']}"
    if any(same(observed, look) for look in known):
        return ""
    for step in result["plan"]["steps"]:
        if not step["available"] or (runbook, step["cause"]) in ONE_SIDE_IS_ENOUGH:
            continue
        touched = {str(target.get("service", "")) for target in step["targets"]}
        if not touched <= sick or not sick:
            return f"{step['remedy']} of {sorted(touched)} is planned for {step['cause']}: {result['msg']}"
    return ""


@pytest.fixture(scope="module")
def rows(tmp_path_factory) -> dict[str, list[dict[str, Any]]]:
    return table_rows.looks(tmp_path_factory.mktemp("looks"))


def known_looks(runbook: str, rows: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    file = f"{table_rows.test_file(runbook)}::"
    return [one["observed"] for name, looks in rows.items() if name.startswith(file) for one in looks]


@pytest.mark.parametrize("runbook", RUNBOOKS)
def test_a_broken_replica_and_a_side_that_disagrees_start_nothing_and_hide_nothing(runbook, rows):
    choices = cases(runbook, rows)
    # The same ones each time.
    some = random.Random(runbook).sample(choices, min(CASES, len(choices)))
    variables, known = healthy_of(runbook, rows)["variables"], known_looks(runbook, rows)
    wrong = {(case[0], case[1]): wrong for case in some if (wrong := wrong_about(runbook, case, variables, known))}
    print(f"{runbook}: {len(some)} of {len(choices)} cases, {len(wrong)} judged wrong")
    assert wrong == {}


@pytest.mark.parametrize(("runbook", "how", "row"), KEPT)
def test_what_was_judged_wrong_once_is_not_again(runbook, how, row, rows):
    variables, known = healthy_of(runbook, rows)["variables"], known_looks(runbook, rows)
    (case,) = (one for one in cases(runbook, rows) if one[:2] == (how, row))
    assert wrong_about(runbook, case, variables, known) == ""
