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
    used = int(512 * MIB * ratio)
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
    "killed, and up again": (
        {"api": running(oom_killed=True, restarts=1)}, "problem", ["killed_for_memory"], ["raise_memory_limit"], [],
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
        assert step["undo"] == {"memory_limit_bytes": 512 * MIB}
        assert step["risk"] == "medium"


def test_a_restart_for_load_needs_a_person(diagnose):
    (step,) = diagnose("resource_usage", measure({"api": running(cpu_ratio=0.99)}), **SYSTEM)["plan"]["steps"]
    assert (step["risk"], step["targets"]) == ("high", [{"service": "api"}])


def test_the_fullest_comes_first(diagnose):
    services = {"api": full(0.88), "worker": full(0.97)}
    (step,) = diagnose("resource_usage", measure(services), **SYSTEM)["plan"]["steps"]
    assert step["targets"][0]["service"] == "worker"


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
