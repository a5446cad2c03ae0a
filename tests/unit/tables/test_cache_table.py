"""What was measured -> what must be concluded, for every cause of the runbook cache."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.oncall.runbooks.tests.support.tables import causes_that_are, steps_that_act

SYSTEM = {
    "system_services": {
        "api": {"manager": "compose", "project": "/srv/app"},
        "redis": {"manager": "compose", "project": "/srv/app"},
    },
    "system_endpoints": {"api": "http://127.0.0.1:8080/metrics"},
    "system_metrics": {
        "cache_enabled": "app_cache_enabled",
        "cache_hits": "app_cache_hits_total",
        "cache_misses": "app_cache_misses_total",
        "cache_errors": "app_cache_errors_total",
        "cache_invalidations": "app_cache_invalidations_total",
    },
    "system_redis": {"transport": "docker", "container": "app-redis-1", "service": "redis"},
}


def redis(
    error: str = "",
    *,
    ratio: float | None = 0.9,
    evicted: float | None = 0,
    rejected: float | None = 0,
    refused: int | None = 0,
    codes: dict[str, int] | None = None,
    **changes: Any,
):
    """What redis_info tells of a server that answers."""
    return {
        "available": True,
        "error": error,
        "reason": f"Redis: {error}",
        "uptime_seconds": 90_000,
        "used_memory_bytes": 30_000_000,
        "maxmemory_bytes": 32_000_000,
        "maxmemory_policy": "noeviction" if error == "out_of_memory" else "allkeys-lru",
        "keys": 500,
        "rdb_changes_since_last_save": 12,
        "role": "slave" if error == "read_only" else "master",
        "master_link_status": "down" if error == "read_only" else None,
        "window": {
            "lookups": 1000,
            "hit_ratio": ratio,
            "evicted_keys_per_second": evicted,
            "rejected_connections_per_second": rejected,
            "no_replicas_errors": refused,
            "refused": codes or {},
        },
        "cluster_enabled": False,
        "cluster_state": None,
        **changes,
    }


def gone(error: str) -> dict[str, Any]:
    return {"available": False, "error": error, "reason": f"Redis in container app-redis-1: {error}"}


def service(state: str = "running", **changes: Any) -> dict[str, Any]:
    one = {
        "available": True,
        "state": state,
        "health": None,
        "uptime_seconds": 90_000.0 if state == "running" else None,
    }
    one.update({"log_tail": ["Ready to accept connections"]}, **changes)
    return {"available": True, "services": {"redis": one}}


def app(enabled: float = 1, hits: float = 900, misses: float = 100, errors: float = 0, invalidations: float = 0):
    value = {"enabled": enabled, "hits": hits, "misses": misses, "errors": errors, "invalidations": invalidations}
    return {"available": True, "value": value}


NO_METRICS = {"available": False, "reason": "http://127.0.0.1:8080/metrics: connection refused", "value": {}}
NO_SERVICE = {
    "available": False,
    "reason": "the Docker engine does not answer",
    "services": {"redis": {"available": False, "reason": "the Docker engine does not answer"}},
}
NO_SPACE = [
    "1:M 01 Jan 2026 00:00:00.000 # Background saving error",
    "1:C 01 Jan 2026 00:00:00.000 # Write error saving DB on disk: No space left on device",
]
COLD = app(hits=100, misses=900)


def conclude(diagnose, metrics, server, state, **variables):
    observed = {"metrics": metrics, "redis": server, "service": state}
    return diagnose("cache", observed, **{**SYSTEM, **variables})


MEASURED_CONCLUDED = {
    # name: (application, Redis, service, problems, available remedies, words of the message)
    "nothing": (app(), redis(), service(), [], [], ""),
    "nobody asks": (app(hits=0, misses=0), redis(ratio=None), service(), [], [], ""),
    "too few lookups to tell": (app(hits=0, misses=19), redis(), service(), [], [], ""),
    "its policy evicts, and every SET is refused": (
        app(),
        redis(codes={"OOM": 7}),
        service(),
        ["out_of_memory"],
        [],
        "7 refused while it was looked at",
    ),
    "above its limit without a single key": (
        app(),
        redis("out_of_memory", keys=0),
        service(),
        ["out_of_memory"],
        [],
        "is full",
    ),
    "its cluster is not whole": (
        app(),
        redis("cluster_down", cluster_enabled=True, cluster_state="fail"),
        service(),
        ["cluster_down"],
        [],
        "its cluster is fail",
    ),
    "keys of another node's slots are refused": (
        app(),
        redis(codes={"CLUSTERDOWN": 3}),
        service(),
        ["cluster_down"],
        [],
        "3 while it was looked at",
    ),
    "a client has a wrong password": (
        app(),
        redis(codes={"WRONGPASS": 9, "ERR": 4}),
        service(),
        ["application_refused"],
        [],
        "refused 9 commands",
    ),
    "one typing error of a person": (app(), redis(codes={"WRONGPASS": 1, "ERR": 4}), service(), [], [], ""),
    "exited": (app(0), gone("no_engine"), service("exited"), ["redis_down"], ["restart_redis"], "exited"),
    "exited, and the log cannot be read": (
        app(0),
        gone("refused"),
        service("exited", log_tail=None, exit_meaning="ended by SIGKILL", oom_killed=True),
        ["redis_down"],
        ["restart_redis"],
        "want of memory",
    ),
    "stopped under supervisor": (
        app(0),
        gone("refused"),
        service("stopped", stopped_by_person=True),
        ["stopped_by_person"],
        ["restart_redis"],
        "A person stopped Redis",
    ),
    "unhealthy, and it answers": (
        app(),
        redis(),
        service(health="unhealthy", health_output="NOAUTH Authentication required."),
        ["health_check_fails"],
        [],
        "NOAUTH",
    ),
    "its service cannot be seen, and it answers": (app(), redis(), NO_SERVICE, [], [], ""),
    "the container is gone": (app(0), gone("no_engine"), service("absent"), ["redis_down"], ["restart_redis"], ""),
    "down, and the application does not answer": (
        NO_METRICS,
        gone("refused"),
        service("exited"),
        ["redis_down"],
        ["restart_redis"],
        "",
    ),
    "a stopped container beside a Redis that answers": (app(), redis(), service("exited"), [], [], ""),
    "started again and again": (app(0), gone("refused"), service("restarting"), ["crash_loop"], [], ""),
    "started again and again, and it runs in the moment of the look": (
        app(0),
        gone("refused"),
        service(restarts=5, restarts_per_hour=5, uptime_seconds=2.0),
        ["crash_loop"],
        [],
        "again and again",
    ),
    "started again and again, and it reads its data in the moment of the look": (
        app(0),
        gone("loading"),
        service(restarts=5, restarts_per_hour=5, uptime_seconds=2.0),
        ["crash_loop"],
        [],
        "",
    ),
    "started again twice, and it reads its data": (
        app(0),
        gone("loading"),
        service(restarts=2, restarts_per_hour=2, uptime_seconds=2.0),
        ["loading"],
        ["wait_until_ready"],
        "",
    ),
    "it hangs, and was restarted often a day ago": (
        app(0),
        gone("timeout"),
        service(restarts=5, restarts_per_hour=0),
        ["hangs"],
        ["restart_redis"],
        "",
    ),
    "paused": (app(0), gone("timeout"), service("paused"), ["paused"], [], ""),
    "paused, through the container": (app(0), gone("no_engine"), service("paused"), ["paused"], [], ""),
    "back for a moment": (
        app(0, 0, 0),
        redis(uptime_seconds=5),
        service(),
        ["reconnecting"],
        ["wait_until_reconnected"],
        "started 5 s ago, and api does not work with it again yet",
    ),
    "loading": (app(0), gone("loading"), service(), ["loading"], ["wait_until_ready"], ""),
    "loading, as INFO tells": (app(0), redis("loading"), service(), ["loading"], ["wait_until_ready"], ""),
    "starting": (app(0), gone("refused"), service(health="starting"), ["loading"], ["wait_until_ready"], ""),
    "the container was just started": (
        app(0),
        gone("refused"),
        service(uptime_seconds=0.0),
        ["loading"],
        ["wait_until_ready"],
        "",
    ),
    "started behind a proxy": (
        app(0),
        gone("closed"),
        service(uptime_seconds=0.5),
        ["loading"],
        ["wait_until_ready"],
        "",
    ),
    "hangs": (app(0), gone("timeout"), service(), ["hangs"], ["restart_redis"], ""),
    "all its clients are paused": (app(0), gone("clients_paused"), service(), ["clients_paused"], [], "CLIENT PAUSE"),
    "writes are paused": (app(), redis("clients_paused"), service(), ["clients_paused"], [], "CLIENT PAUSE"),
    "another port": (app(0), gone("refused"), service(), ["not_listening"], [], ""),
    "wrong password": (app(), gone("credentials"), service(), ["credentials"], [], ""),
    "no right to ask": (app(), gone("not_allowed"), service(), ["credentials"], [], ""),
    "a script": (app(0), gone("busy"), service(), ["busy"], [], ""),
    "maxclients reached": (app(), gone("too_many_clients"), service(), ["too_many_clients"], [], ""),
    "maxclients reached now and then": (app(), redis(rejected=3), service(), ["too_many_clients"], [], ""),
    "cannot save": (app(), redis("misconf"), service(), ["persistence_failing"], [], ""),
    "cannot save, and nobody knows why": (
        app(),
        redis("misconf"),
        service(log_tail=None),
        ["persistence_failing"],
        [],
        "",
    ),
    "cannot save, the disk is full": (app(), redis("misconf"), service(log_tail=NO_SPACE), ["disk_full"], [], ""),
    "full": (app(), redis("out_of_memory"), service(), ["out_of_memory"], [], "noeviction"),
    "a replica": (app(), redis("read_only"), service(), ["read_only"], [], ""),
    "a replica that takes writes, without its primary": (
        app(),
        redis("primary_down", role="slave", replica_read_only=False, master_link_status="down"),
        service(),
        ["read_only"],
        [],
        "loses them when it finds its primary again; its link to the primary is down",
    ),
    "no replica, where writes need one": (
        app(),
        redis("no_replicas", good_replicas=0, connected_replicas=0),
        service(),
        ["no_replicas"],
        [],
        "0 of 0 keep up",
    ),
    "one replica, where writes need two": (
        app(),
        redis(good_replicas=1, connected_replicas=1, refused=4),
        service(),
        ["no_replicas"],
        [],
        "1 of 1 keep up",
    ),
    "the application gets errors": (app(errors=7), redis(), service(), ["unreachable_from_app"], [], "7 cache errors"),
    "it gets errors and gave up": (app(0, errors=7), redis(), service(), ["unreachable_from_app"], [], ""),
    "switched off": (app(0, 0, 0), redis(), service(), ["disabled_in_app"], [], ""),
    "evicting": (COLD, redis(evicted=50), service(), ["evicting"], [], "50 keys per second"),
    "evicting, right after a restart": (COLD, redis(evicted=50, uptime_seconds=60), service(), ["evicting"], [], ""),
    "evicting and useful": (app(), redis(evicted=50), service(), [], [], "no action"),
    "invalidation storm": (
        app(hits=10, misses=90, invalidations=4),
        redis(),
        service(),
        ["invalidation_storm"],
        [],
        "4 invalidations",
    ),
    "invalidations that do no harm": (app(invalidations=4), redis(), service(), [], [], ""),
    "cold": (COLD, redis(uptime_seconds=60), service(), [], [], "the cache is cold, no action"),
    "not cold any more": (COLD, redis(uptime_seconds=1801), service(), ["low_hit_rate"], [], "10.0 %"),
    "others use the same Redis well": (COLD, redis(ratio=0.99), service(), ["low_hit_rate"], [], ""),
}


@pytest.mark.parametrize("measured", MEASURED_CONCLUDED.values(), ids=MEASURED_CONCLUDED)
def test_measured_concluded(diagnose, measured):
    metrics, server, state, problems, expected, words = measured
    result = conclude(diagnose, metrics, server, state)
    assert causes_that_are(result, "problem") == problems, result["findings"]
    assert steps_that_act(result) == expected
    if metrics["available"] and problems != ["redis_down"]:
        assert causes_that_are(result, "unknown") == [] or not server["available"]
    assert result["status"] == ("problem" if problems else "healthy")
    assert words in result["msg"]
    assert "not available:" not in result["msg"]


def test_harmless_causes_say_so(diagnose):
    for cause, arguments in {
        "cold_cache": (COLD, redis(uptime_seconds=60)),
        "evicting_but_useful": (app(), redis(evicted=50)),
    }.items():
        result = conclude(diagnose, *arguments, service())
        assert [one["cause"] for one in result["findings"] if one["status"] == "ok" and "summary" in one] == [cause]


MISSING = {
    # name: (application, Redis, service, unknown causes among)
    "no application": (NO_METRICS, redis(), service(), {"disabled_in_app", "low_hit_rate", "invalidation_storm"}),
    "no driver": (app(), gone("no_driver"), service(), {"hangs", "out_of_memory", "low_hit_rate"}),
    "no such host": (app(0), gone("name_resolution"), service(), {"hangs", "disabled_in_app"}),
    "something else answers": (app(0), gone("protocol"), service(), {"hangs", "out_of_memory"}),
    "refused, and nobody knows the service": (app(0), gone("refused"), NO_SERVICE, {"redis_down", "not_listening"}),
    "a hang, and nobody knows the service": (app(0), gone("timeout"), NO_SERVICE, {"redis_down", "hangs"}),
    "nothing at all": (NO_METRICS, gone("no_engine"), NO_SERVICE, {"redis_down", "hangs", "disabled_in_app"}),
    "its counters went back meanwhile": (
        COLD,
        redis(ratio=None, evicted=None, rejected=None),
        service(),
        {"too_many_clients", "evicting", "low_hit_rate"},
    ),
}


@pytest.mark.parametrize("measured", MISSING.values(), ids=MISSING)
def test_what_could_not_be_measured_is_unknown_and_starts_nothing(diagnose, measured):
    metrics, server, state, unknown = measured
    result = conclude(diagnose, metrics, server, state)
    assert causes_that_are(result, "problem") == []
    assert unknown <= set(causes_that_are(result, "unknown"))
    assert (result["status"], steps_that_act(result)) == ("unknown", [])


def test_a_stack_that_tells_nothing_about_its_cache(diagnose):
    observed = {"redis": redis(), "service": service()}
    result = diagnose("cache", observed, **{**SYSTEM, "system_metrics": {}, "system_endpoints": {}})
    assert result["status"] == "healthy"
    assert "Only Redis was looked at" in result["msg"]
    (only,) = [one["cause"] for one in result["findings"] if "summary" in one]
    assert only == "application_not_asked"
    low = diagnose(
        "cache",
        {"redis": redis(ratio=0.2), "service": service()},
        **{**SYSTEM, "system_metrics": {}, "system_endpoints": {}},
    )
    assert causes_that_are(low, "problem") == ["low_hit_rate"]
    assert "500 keys are in it" in str(low["findings"])


ELSEWHERE = {"host": "10.0.0.5", "service": "redis"}
RISKS = {
    # name: (application, Redis, service, how it is reached, risk)
    "a person stopped it": (app(0), gone("refused"), service("exited", stopped_by_person=True), ELSEWHERE, "high"),
    "ended well, by whom is forgotten": (
        app(0),
        gone("refused"),
        service("exited", stopped_by_person=None, exit_code=0),
        ELSEWHERE,
        "high",
    ),
    "it crashed": (
        app(0),
        gone("refused"),
        service("exited", stopped_by_person=False, exit_code=139),
        ELSEWHERE,
        "medium",
    ),
    "only this look says that it hangs": (app(), gone("timeout"), service(), ELSEWHERE, "high"),
    "it hangs, and nobody asks the application": (NO_METRICS, gone("timeout"), service(), ELSEWHERE, "high"),
    "it hangs beside us": (NO_METRICS, gone("timeout"), service(), {"host": "127.0.0.1", "service": "redis"}, "medium"),
    "beside us, and its health check is fine": (
        app(),
        gone("timeout"),
        service(health="healthy"),
        {"host": "127.0.0.1", "service": "redis"},
        "high",
    ),
    "the application has errors too": (app(errors=3), gone("timeout"), service(), ELSEWHERE, "medium"),
    "its health check fails too": (app(), gone("timeout"), service(health="unhealthy"), ELSEWHERE, "medium"),
}


@pytest.mark.parametrize("measured", RISKS.values(), ids=RISKS)
def test_the_risk_of_a_restart(diagnose, measured):
    metrics, server, state, reach, risk = measured
    (step,) = conclude(diagnose, metrics, server, state, system_redis=reach)["plan"]["steps"]
    assert (step["remedy"], step["available"], step["risk"]) == ("restart_redis", True, risk)


def test_only_redis_is_ever_touched(diagnose):
    result = conclude(diagnose, app(0), gone("timeout"), service())
    (step,) = result["plan"]["steps"]
    assert (step["targets"], step["risk"]) == ([{"service": "redis"}], "medium")


def test_a_hosted_redis_cannot_be_restarted_from_here(diagnose):
    observed = {"metrics": app(0), "redis": gone("timeout"), "service": service()}
    hosted = {"manager": "command", "commands": {"status": ["true"]}}
    services = {**SYSTEM["system_services"], "redis": hosted}
    result = diagnose("cache", observed, **{**SYSTEM, "system_services": services})
    (step,) = result["plan"]["steps"]
    assert (step["available"], "restart" in step["why_not"]) == (False, True)


# The rows that every runbook has; tests/contract sees that they conclude this.
HEALTHY_ROW = "test_measured_concluded[nothing]"
WRONG_CAUSE_ROW = "test_measured_concluded[switched off]"
NO_TELEMETRY_ROW = "test_what_could_not_be_measured_is_unknown_and_starts_nothing[nothing at all]"
