"""What was measured -> what must be concluded, for every cause of the runbook resource_usage."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.oncall.runbooks.tests.support.observed_services import (
    MIB,
    concluded,
    crashing,
    observed,
    running,
    unseen,
)

COMPOSE = {"manager": "compose", "project": "/srv/app"}
SYSTEM = {"system_services": {"api": COMPOSE, "worker": COMPOSE}, "system_redis": {"service": "redis"}}
WELL = {"api": running(), "worker": running()}
REDIS = {"available": True, "memory_ratio": 0.4, "maxmemory_policy": "noeviction"}
HOST = {
    "available": True,
    "memory_total_bytes": 8192 * MIB,
    "memory_available_bytes": 4096 * MIB,
    "memory_used_ratio": 0.5,
    "cpu_ratio": 0.3,
    "top_processes": [{"pid": 7, "command": "python3", "rss_bytes": 900 * MIB, "cpu_seconds": 3}],
    "oom_kills": [],
}


def full(ratio: float, growth: str = "flat", **changes: Any) -> dict[str, Any]:
    used = int(changes.get("memory_limit_bytes", 512 * MIB) * ratio)
    return running(memory_used_bytes=used, memory_ratio=ratio, growth=growth, **changes)


def growing(ratio: float, seconds_to_limit: float, **changes: Any) -> dict[str, Any]:
    slope = 512 * MIB * (1 - ratio) / seconds_to_limit
    return full(ratio, "growing", memory_slope_bytes_per_second=slope, seconds_to_limit=seconds_to_limit, **changes)


MEASURED_CONCLUDED = {
    # name: (what differs, status, problems, available remedies, handed over to)
    "nothing": ({}, "healthy", [], [], []),
    "450 of 512 MB, and it stays": (
        {"api": full(450 / 512)}, "problem", ["memory_plateau"], ["raise_memory_limit"], [],
    ),
    "450 of 512 MB, and 435 without the process of a health check": (
        {"api": full(450 / 512, memory_kept_ratio=434 / 512)}, "unknown", [], [], [],
    ),
    "450 of 512 MB, of which all but the process of a health check stays": (
        {"api": full(480 / 512, memory_kept_ratio=450 / 512)},
        "problem", ["memory_plateau"], ["raise_memory_limit"], [],
    ),
    "435 of 512 MB": ({"api": full(434 / 512)}, "healthy", [], [], []),
    "a leak near the limit": ({"api": growing(0.9, 60)}, "problem", ["memory_leak"], ["restart_service"], []),
    "a leak on the way to the limit": ({"worker": growing(0.6, 600)}, "problem", ["memory_leak"], ["restart_service"], []),
    "grows so slowly that it is a plateau for now": (
        {"api": growing(0.9, 90000)}, "problem", ["memory_plateau"], ["raise_memory_limit"], [],
    ),
    "grows far below the limit": ({"api": growing(0.3, 600)}, "healthy", [], [], []),
    "full, and too few looks to tell a leak": ({"api": full(0.95, "unknown")}, "unknown", [], [], []),
    "killed, and restarted again and again": (
        {"api": crashing(oom_killed=True)}, "problem", ["killed_for_memory"], ["raise_memory_limit"], [],
    ),
    "killed, and down": (
        {"worker": crashing(state="exited", oom_killed=True, restarts=0)},
        "problem", ["killed_for_memory"], ["raise_memory_limit"], [],
    ),
    "killed, and up again just now": (
        {"api": running(oom_killed=True, restarts=1, uptime_seconds=9.0)},
        "problem", ["killed_for_memory"], ["raise_memory_limit"], [],
    ),
    "killed, and takes memory at its start": (
        {"api": growing(0.6, 10, oom_killed=True, restarts=1, uptime_seconds=3.0)},
        "problem", ["killed_for_memory"], ["raise_memory_limit"], [],
    ),
    "killed, and leaks since": (
        {"api": growing(0.9, 60, oom_killed=True, restarts=1, uptime_seconds=400.0)}, "problem", ["memory_leak"], ["restart_service"], [],
    ),
    "killed, while another leaks": (
        {"api": crashing(oom_killed=True), "worker": growing(0.9, 60)},
        "problem", ["killed_for_memory", "memory_leak"], ["raise_memory_limit", "restart_service"], [],
    ),
    "killed, and up again since": ({"api": running(oom_killed=True, restarts=1, uptime_seconds=40.0)}, "healthy", [], [], []),
    "killed every 45 s, and up for 40": (
        {
            "api": running(
                oom_killed=True, restarts=4, restarts_per_hour=4, restart_times=[1000.0, 1045.0], uptime_seconds=40.0
            )
        },
        "problem", ["killed_for_memory"], ["raise_memory_limit"], [],
    ),
    "killed often, and when is forgotten": (
        {"api": running(oom_killed=True, restarts=4, restarts_per_hour=None, uptime_seconds=40.0)}, "unknown", [], [], [],
    ),
    "killed, and restarted by a person since": ({"api": running(oom_killed=True)}, "healthy", [], [], []),
    "killed, and the host has no memory for more": (
        {"api": crashing(oom_killed=True), "host": {"memory_available_bytes": 700 * MIB}},
        "problem", ["killed_for_memory"], [], [],
    ),
    "killed, and its limit is high already": (
        {"api": crashing(oom_killed=True, memory_limit_bytes=2048 * MIB)}, "problem", ["killed_for_memory"], [], [],
    ),
    "killed without a limit of its own": (
        {"api": crashing(oom_killed=True, memory_limit_bytes=None)}, "problem", ["killed_for_memory"], [], [],
    ),
    "a child of it was killed": ({"worker": running(oom_kills=3)}, "problem", ["processes_killed"], [], []),
    "busy": ({"api": running(cpu_ratio=0.93, cpu_cores=1.86)}, "problem", ["cpu_saturated"], ["restart_service"], []),
    "busy, but below": ({"api": running(cpu_ratio=0.79)}, "healthy", [], [], []),
    "processor time was not seen": ({"api": running(cpu_ratio=None)}, "unknown", [], [], []),
    "its processor time cannot be read": (
        {"api": running(cpu_ratio=None, cpu_seconds=None)}, "unknown", [], [], [],
    ),
    "its memory cannot be read": (
        {"api": running(memory_used_bytes=None, memory_ratio=None, growth="unknown")}, "unknown", [], [], [],
    ),
    "half full, and too few looks to tell a leak": ({"api": full(0.6, "unknown")}, "unknown", [], [], []),
    "killed, and nobody knows by whom": (
        {"api": crashing(state="exited", signal="SIGKILL", oom_killed=None, stopped_by_person=None)},
        "unknown", [], [], [],
    ),
    "killed by a person": (
        {"api": crashing(state="exited", signal="SIGKILL", oom_killed=None, stopped_by_person=True)},
        "healthy", [], [], [],
    ),
    "stopped by a person, after a child of it was killed": (
        {"api": crashing(state="exited", exit_code=0, oom_killed=True, stopped_by_person=True)}, "healthy", [], [], [],
    ),
    "a leak and a plateau": (
        {"api": growing(0.9, 60), "worker": full(0.9)},
        "problem", ["memory_leak", "memory_plateau"], ["restart_service", "raise_memory_limit"], [],
    ),
    "Redis is full and refuses": ({"redis": {"memory_ratio": 0.9}}, "problem", ["redis_full"], [], []),
    "Redis is full and evicts": (
        {"redis": {"memory_ratio": 0.99, "maxmemory_policy": "allkeys-lru"}}, "healthy", [], [], [],
    ),
    "Redis has no limit": ({"redis": {"memory_ratio": None}}, "healthy", [], [], []),
    "Redis cannot be asked": ({"redis": {"available": False, "reason": "refused"}}, "unknown", [], [], []),
    "the host is full": ({"host": {"memory_used_ratio": 0.91}}, "problem", ["host_memory"], [], []),
    "something else: it crashes": ({"api": crashing("cannot start")}, "healthy", [], [], []),
    "one cannot be seen": ({"worker": unseen()}, "unknown", [], [], []),
    "none can be seen": ({"api": unseen(), "worker": unseen()}, "unknown", [], [], []),
}  # fmt: skip


def measure(changes: dict[str, Any]) -> dict[str, Any]:
    services = {name: changes.get(name, one) for name, one in WELL.items()}
    return {
        "service": observed(services),
        "host": {**HOST, **changes.get("host", {})},
        "redis": {**REDIS, **changes.get("redis", {})},
    }


@pytest.mark.parametrize("measured", MEASURED_CONCLUDED)
def test_concluded(diagnose, measured):
    changes, *expected = MEASURED_CONCLUDED[measured]
    assert list(concluded(diagnose("resource_usage", measure(changes), **SYSTEM))) == expected


def test_a_kill_that_is_over_is_told(diagnose):
    api = running(oom_killed=True, restarts=1, uptime_seconds=40.0)
    result = diagnose("resource_usage", measure({"api": api}), **SYSTEM)
    (told,) = (one for one in result["findings"] if one["cause"] == "killed_before")
    assert told["summary"] == "The kernel once killed api for want of memory, which runs well since: no action"


def test_the_host_was_not_seen(diagnose):
    observations = {**measure({"api": full(0.9)}), "host": {"available": False, "reason": "no /proc"}}
    result = diagnose("resource_usage", observations, **SYSTEM)
    (step,) = result["plan"]["steps"]
    assert (step["remedy"], step["available"]) == ("raise_memory_limit", False)


def test_without_redis_nothing_is_missing(diagnose):
    observations = measure({})
    del observations["redis"]
    system = {key: value for key, value in SYSTEM.items() if key != "system_redis"}
    assert diagnose("resource_usage", observations, **system)["status"] == "healthy"


def test_targets_and_undo_of_a_raised_limit(diagnose):
    for api, restart in ((full(0.9), False), (crashing(oom_killed=True), True)):
        (step,) = diagnose("resource_usage", measure({"api": api}), **SYSTEM)["plan"]["steps"]
        assert step["targets"] == [{"service": "api", "from": 512 * MIB, "to": 1024 * MIB, "restart": restart}]
        assert step["undo"] == {"memory_limit_bytes": {"api": 512 * MIB}}
        assert step["risk"] == "medium"


def test_a_restart_for_load_needs_a_person(diagnose):
    (step,) = diagnose("resource_usage", measure({"api": running(cpu_ratio=0.99)}), **SYSTEM)["plan"]["steps"]
    assert (step["risk"], step["targets"]) == ("high", [{"service": "api"}])


def test_all_that_show_the_same_signal_are_seen_to(diagnose):
    raised = [{"service": name, "from": 512 * MIB, "to": 1024 * MIB, "restart": False} for name in ("api", "worker")]
    result = diagnose("resource_usage", measure({"api": full(0.88), "worker": full(0.97)}), **SYSTEM)
    (step,) = result["plan"]["steps"]
    assert (step["available"], step["targets"]) == (True, raised)
    assert step["undo"] == {"memory_limit_bytes": {"api": 512 * MIB, "worker": 512 * MIB}}
    assert "worker and api use up to 97.0 %" in result["msg"]
    services = {"api": growing(0.9, 60), "worker": growing(0.8, 60)}
    result = diagnose("resource_usage", measure(services), **SYSTEM)
    (step,) = result["plan"]["steps"]
    assert (step["remedy"], step["targets"]) == ("restart_service", [{"service": "api"}, {"service": "worker"}])
    assert "so does that of worker" in result["msg"]


def test_what_helps_one_only_is_not_done(diagnose):
    high = {"memory_limit_bytes": 1024 * MIB}
    for changes, words in (
        ({"api": full(0.88), "worker": full(0.97, **high)}, "The limit of worker is not below"),
        (
            {"api": full(0.88), "worker": full(0.97), "host": {"memory_available_bytes": 1200 * MIB}},
            "only 1200 MiB left",
        ),
    ):
        result = diagnose("resource_usage", measure(changes), **SYSTEM)
        (step,) = result["plan"]["steps"]
        assert (step["available"], step["why_not"]) == (False, "there is nothing it may touch")
        assert words in str(result["findings"])


def test_each_replica_takes_what_a_limit_is_raised_by(diagnose):
    for replicas, available in ((1, True), (3, False)):
        changes = {"api": full(0.9, replicas=replicas), "host": {"memory_available_bytes": 1024 * MIB}}
        (step,) = diagnose("resource_usage", measure(changes), **SYSTEM)["plan"]["steps"]
        assert step["available"] is available


def test_each_remedy_asks_what_its_own_service_can_do(diagnose):
    hosted = {"manager": "command", "commands": {"status": ["true"]}}
    system = {**SYSTEM, "system_services": {"api": COMPOSE, "worker": hosted}}
    services = {"api": growing(0.9, 60), "worker": running(manager="command", cpu_ratio=0.99)}
    leak, load = diagnose("resource_usage", measure(services), **system)["plan"]["steps"]
    assert (leak["targets"], leak["available"]) == ([{"service": "api"}], True)
    assert (load["targets"], load["available"]) == ([{"service": "worker"}], False)
    services = {"api": full(0.9), "worker": full(0.9, manager="command")}
    (step,) = diagnose("resource_usage", measure(services), **system)["plan"]["steps"]
    assert (step["available"], "worker" in step["why_not"]) == (False, True)


@pytest.mark.parametrize(
    ("api", "risk"),
    [
        (growing(0.6, 600), "high"),
        (running(oom_killed=True, restarts=1, uptime_seconds=9.0), "high"),
        (crashing(oom_killed=True), "medium"),
        (full(0.9), "medium"),
    ],
)
def test_a_database_that_runs_is_not_restarted_without_a_person(diagnose, api, risk):
    (step,) = diagnose("resource_usage", measure({"api": api}), **SYSTEM, system_database={"service": "api"})["plan"][
        "steps"
    ]
    assert (step["available"], step["risk"]) == (True, risk)


def test_a_host_that_others_keep_busy_is_told(diagnose):
    # The load is an average, and rises late.
    busy = {"host": {"cpu_ratio": 0.97, "load_1_minute": 0.2, "cores": 2}}
    result = diagnose("resource_usage", measure(busy), **SYSTEM)
    assert (result["status"], "97.0 % busy" in result["msg"]) == ("problem", True)
    assert result["plan"]["steps"] == []
    result = diagnose("resource_usage", measure(busy), **SYSTEM, resource_usage_host_cpu_ratio=1.01)
    assert (result["status"], "97 % of its processors" in result["msg"]) == ("healthy", True)
    services = {**busy, "api": running(cpu_ratio=0.9, cpu_cores=1.8)}
    result = diagnose("resource_usage", measure(services), **SYSTEM)
    assert next(one for one in result["findings"] if one["cause"] == "host_busy")["explained_by"] == "cpu_saturated"


def test_the_plan_does_not_change_by_itself(diagnose):
    plans = {
        diagnose("resource_usage", measure({"api": growing(ratio, seconds)}), **SYSTEM)["plan"]["hash"]
        for ratio, seconds in ((0.9, 60), (0.92, 50))
    }
    assert len(plans) == 1


def test_why_a_limit_is_not_raised_is_said(diagnose):
    changes = {"api": full(0.9), "host": {"memory_available_bytes": 700 * MIB}}
    result = diagnose("resource_usage", measure(changes), **SYSTEM)
    advice = next(one["advice"] for one in result["findings"] if one["cause"] == "memory_plateau")
    assert "700 MiB left" in advice[0]


def test_evidence_from_the_logs(diagnose):
    log = ["INFO sync batch of 50000 records", "slow query (4312 ms): SELECT 1", "MemoryError", "fine"]
    result = diagnose("resource_usage", measure({"worker": full(0.9, log_tail=log)}), **SYSTEM)
    assert result["evidence"]["slow_queries"] == [log[1]]
    assert result["evidence"]["memory_and_batches_in_logs"] == [log[0], log[2]]
    assert result["evidence"]["host"]["top_processes"]
    assert result["evidence"]["services"]["worker"]["memory_ratio"] == 0.9


# The rows that every runbook has; tests/contract sees that they conclude this.
HEALTHY_ROW = "test_concluded[nothing]"
WRONG_CAUSE_ROW = "test_concluded[something else: it crashes]"
NO_TELEMETRY_ROW = "test_concluded[none can be seen]"
