# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was measured -> what must be concluded, for every cause of the runbook latency."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.oncall.runbooks.tests.support.tables import causes_that_are, steps_that_act

COMPOSE = {"manager": "compose", "project": "/srv/app"}
SYSTEM = {
    "system_services": {"api": COMPOSE},
    "system_endpoints": {"api": "http://127.0.0.1:8080/metrics"},
    "system_metrics": {
        "request_duration": "app_request_duration_seconds",
        "provider_request_duration": "app_provider_request_duration_seconds",
        "db_pool_waiting": "app_db_pool_waiting",
    },
    "system_database": {"name": "labpics", "service": "database"},
}
REFUSED = "GET http://127.0.0.1:8080/metrics: connection refused"
NO_METRICS: dict[str, Any] = {"available": False, "reason": REFUSED, "value": {}, "metric": {}}
NO_DATABASE = {"available": False, "reason": "PostgreSQL labpics at db: connection refused", "error": "refused"}
N_PLUS_ONE = {"query": "SELECT * FROM customers WHERE id = $1", "calls": 5000, "calls_per_second": 1000.0}
N_PLUS_ONE |= {"total_milliseconds": 250.0, "mean_milliseconds": 0.05}
SLOW = {"query": "SELECT * FROM events WHERE actor = $1", "calls": 50, "calls_per_second": 10.0}
SLOW |= {"total_milliseconds": 30000.0, "mean_milliseconds": 600.0}
PLAN = {
    "available": True,
    "lines": ["Seq Scan on public.events, 5 rows, cost 12000, filter (actor = $1)"],
    "read_in_full": ["public.events"],
}
INDEX = {"schema": "public", "table": "events", "name": "events_pkey", "definition": "CREATE INDEX e ON events (id)"}


def requests(p95: dict[str, float], count: float = 100, waiting: float = 0, **provider_p95: float) -> dict[str, Any]:
    """Requests of each route over 5 s, all of them equally many."""
    value: dict[str, Any] = {
        "p50": p95,
        "p95": p95,
        "p99": p95,
        "p95_of_all": max(p95.values()),
        "buckets": {"0.1": 90.0, "1.0": 100.0, "5.0": 100.0, "+Inf": 100.0},
        "requests": dict.fromkeys(p95, count),
        "requests_per_second": count * len(p95) / 5,
        "requests_ever": 100000.0,
        "pool_waiting": waiting,
        "provider_requests": {host.replace("_", "."): 50.0 for host in provider_p95},
        "query_execution_duration": 0.01,
    }
    if provider_p95:
        value["provider_p95"] = {host.replace("_", "."): seconds for host, seconds in provider_p95.items()}
    return {"available": True, "value": value, "metric": {"requests": {"available": True, "seconds": 5.0}}}


def database(*statements: dict[str, Any], blockers: int = 0, **changes: Any) -> dict[str, Any]:
    rows = [{"pid": 7, "application_name": "migration", "blocks": blockers, "may_end": True}] if blockers else []
    window = {"seconds": 5.0, "complete": changes.pop("complete", True), "statements": list(statements)}
    return {
        "available": True,
        "complete": True,
        "blockers": rows,
        "applications": [],
        "longest": [],
        "tables_without_index_use": [],
        "statements": {"available": True, "slowest": [], "window": window},
        **changes,
    }


def service(
    cpu_ratio: float | None = 0.2, replicas: int | None = 1, port: int | None = None, fixed: bool = False
) -> dict[str, Any]:
    one = {
        "available": True,
        "uptime_seconds": 5000.0,
        "replicas": replicas,
        "ports": [{"container_port": 80, "protocol": "tcp", "host_port": port, "host_port_fixed": fixed}],
        "cpu_ratio": cpu_ratio,
        "cpu_cores": 0.9,
        "window_seconds": 5.0,
    }
    return {"available": True, "services": {"api": one}}


FAST = requests({"/a": 0.05, "/b": 0.1})
SLOWLY = requests({"/a": 0.05, "/b": 1.2})
RARELY_SLOW = requests({"/a": 0.1, "/b": 3.0})
RARELY_SLOW["value"].update(p95_of_all=0.1, requests={"/a": 198.0, "/b": 2.0})
RARELY_SLOW["value"]["p50"] = {"/a": 0.1, "/b": 2.5}
RARELY_ONE_SLOW = requests({"/a": 0.1, "/b": 3.0})
RARELY_ONE_SLOW["value"].update(p95_of_all=0.1, p50={"/a": 0.1, "/b": 0.2}, requests={"/a": 198.0, "/b": 9.0})
FEW_OF_EACH = requests({f"/{number}": 3.0 for number in range(4)}, 8)
FEW_BESIDE_SLOW = requests({"/a": 0.1, "/b": 3.0, "/c": 1.2})
FEW_BESIDE_SLOW["value"]["requests"]["/b"] = 2.0
FEW_BEYOND = requests({"/a": 0.05, "/b": 0.25})
FEW_BEYOND["value"].update(p95_of_all=0.05, requests={"/a": 100.0, "/b": 8.0}, buckets={"0.25": 100.0, "+Inf": 108.0})
SLOW_SCRAPE = requests({"/a": 0.1, "/metrics": 2.0, "/healthz": 0.6})
SLOW_SCRAPE["value"].update(p95_of_all=0.1, requests={"/a": 198.0, "/metrics": 1.0, "/healthz": 3.0})
ONLY_CHECKS = requests({"/metrics": 0.1, "/api/health": 0.1, "/readyz": 0.1})
SHORT_BUCKETS, SHORT_BUT_FAST = requests({"/a": 0.05, "/b": 0.25}), requests({"/a": 0.05, "/b": 0.2})
for told in (SHORT_BUCKETS, SHORT_BUT_FAST):
    told["value"]["buckets"] = {"0.1": 90.0, "0.25": 92.0, "+Inf": 100.0}
NO_STATEMENTS = {"available": False, "reason": "pg_stat_statements is not installed in this database"}

CONCLUDED = [
    ("fast", FAST, database(), service(), [], "healthy"),
    ("busy, yet fast", FAST, database(N_PLUS_ONE, SLOW), service(0.99), [], "healthy"),
    ("fast, and the buckets end early", SHORT_BUT_FAST, database(), service(), [], "healthy"),
    ("beyond the last bucket", SHORT_BUCKETS, database(), service(0.95), [], "unknown"),
    ("locks, and beyond the last bucket", SHORT_BUCKETS, database(blockers=3), service(), ["blocker"], "problem"),
    ("slow, but of a route few ask", RARELY_SLOW, database(), service(), [], "unknown"),
    ("slow for one, of a route few ask", RARELY_ONE_SLOW, database(), service(), [], "healthy"),
    ("slow, and few ask each route", FEW_OF_EACH, database(), service(), ["slow_unexplained"], "problem"),
    ("slow, beside a route few ask", FEW_BESIDE_SLOW, database(), service(), ["slow_unexplained"], "problem"),
    ("few, beyond the last bucket", FEW_BEYOND, database(), service(), [], "unknown"),
    ("locks, and a slow route few ask", RARELY_SLOW, database(blockers=3), service(), ["blocker"], "problem"),
    ("slow scrapes", SLOW_SCRAPE, database(), service(), [], "healthy"),
    ("nothing but health checks", ONLY_CHECKS, database(), service(), [], "unknown"),
    ("locks", FAST, database(blockers=3), service(), ["blocker"], "problem"),
    ("locks that nobody comes back from", requests({"/a": 0.1}, 1), database(blockers=3), service(), ["blocker"], "problem"),
    ("no connection left", requests({"/b": 1.2}, waiting=4), database(), service(), ["pool_exhausted"], "problem"),
    ("locks fill the pool", requests({"/b": 1.2}, waiting=4), database(blockers=9), service(), ["blocker"], "problem"),
    ("nobody asks", requests({"/a": 3.0}, 2), database(), service(), [], "unknown"),
    ("a provider", requests({"/b": 1.2}, pay_example=0.9), database(), service(), ["slow_provider"], "problem"),
    ("a provider, and busy", requests({"/b": 1.2}, pay_example=0.9), database(), service(0.95), ["slow_provider"], "problem"),
    ("a fast provider", requests({"/b": 1.2}, pay_example=0.1), database(), service(), ["slow_unexplained"], "problem"),
    ("n+1", SLOWLY, database(N_PLUS_ONE), service(), ["n_plus_one"], "problem"),
    ("n+1 that needs the processor", SLOWLY, database(N_PLUS_ONE), service(0.95), ["n_plus_one"], "problem"),
    # 240 times a second with 20 slow and 20 other requests: less than 10 for each slow one.
    ("often, but not n+1", SLOWLY, database({**N_PLUS_ONE, "calls_per_second": 239.0}), service(), ["slow_unexplained"], "problem"),
    ("often enough", SLOWLY, database({**N_PLUS_ONE, "calls_per_second": 241.0}), service(), ["n_plus_one"], "problem"),
    ("a statement", SLOWLY, database(SLOW), service(), ["slow_statement"], "problem"),
    ("a statement, and busy", SLOWLY, database(SLOW), service(0.95), ["slow_statement"], "problem"),
    ("load", SLOWLY, database(), service(0.95), ["saturation"], "problem"),
    ("nothing known", SLOWLY, database(), service(), ["slow_unexplained"], "problem"),
    ("no metrics", NO_METRICS, database(), service(), [], "unknown"),
    ("no database, yet fast", FAST, NO_DATABASE, service(), [], "unknown"),
    ("no database", SLOWLY, NO_DATABASE, service(0.95), [], "unknown"),
    ("no statements, yet fast", FAST, database(statements=NO_STATEMENTS), service(), [], "healthy"),
    ("no statements", SLOWLY, database(statements=NO_STATEMENTS), service(0.95), [], "unknown"),
    ("not all statements", SLOWLY, database(complete=False), service(0.95), [], "unknown"),
    ("no processor time", SLOWLY, database(), service(None), [], "unknown"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("metrics", "activity", "services", "problems", "status"),
    [pytest.param(*row[1:], id=row[0]) for row in CONCLUDED],
)
def test_what_is_concluded(diagnose, metrics, activity, services, problems, status):
    concluded = look(diagnose, metrics, activity, services)
    assert causes_that_are(concluded, "problem") == problems
    assert concluded["status"] == status
    # Only load is acted on.
    assert steps_that_act(concluded) == (["scale_out"] if problems == ["saturation"] else [])


def look(diagnose: Any, metrics: Any, activity: Any, services: Any, **variables: Any) -> dict[str, Any]:
    observed = {"metrics": metrics, "postgres_activity": activity, "service": services}
    concluded: dict[str, Any] = diagnose("latency", observed, **{**SYSTEM, **variables})
    for found in concluded["findings"]:
        assert "not available" not in str(found.get("summary", "")) + str(found.get("advice", "")), found
    return concluded


def finding(concluded: dict[str, Any], cause: str) -> dict[str, Any]:
    (found,) = [found for found in concluded["findings"] if found["cause"] == cause]
    return found


def test_locks_and_the_pool_are_handed_over(diagnose):
    for metrics, activity, cause in (
        (FAST, database(blockers=2), "blocker"),
        (requests({"/b": 2.0}, waiting=1), database(), "pool_exhausted"),
    ):
        assert finding(look(diagnose, metrics, activity, service()), cause)["hand_over"] == "db_pool"


def test_saturation_is_scaled_out(diagnose):
    concluded = look(diagnose, SLOWLY, database(), service(0.95, replicas=2))
    (step,) = concluded["plan"]["steps"]
    assert (step["remedy"], step["risk"]) == ("scale_out", "medium")
    assert step["targets"] == [{"service": "api", "from": 2, "to": 3}]
    assert step["undo"] == {"replicas": 2}
    assert finding(concluded, "saturation")["summary"] == (
        "/b: 95th percentile 1.2 s; api uses 95 % of the processor time it may, at 40.0 requests per second"
    )


@pytest.mark.parametrize(
    ("services", "system", "why_not"),
    [
        (service(0.95, replicas=3), {}, "nothing it may touch"),
        (service(0.95, port=8080, fixed=True), {}, "nothing it may touch"),
        (service(0.95), {"api": {"manager": "docker", "name": "api"}}, "scale"),
        (service(0.95), {"api": {"manager": "systemd", "name": "api.service"}}, "scale"),
    ],
)
def test_what_cannot_be_scaled_is_left_to_a_person(diagnose, services, system, why_not):
    concluded = look(diagnose, SLOWLY, database(), services, system_services=system or SYSTEM["system_services"])
    (step,) = concluded["plan"]["steps"]
    assert not step["available"]
    assert why_not in step["why_not"]


def test_a_port_that_the_system_chose_can_be_had_again(diagnose):
    (step,) = look(diagnose, SLOWLY, database(), service(0.95, port=49153))["plan"]["steps"]
    assert step["available"]


def test_n_plus_one_names_the_statement_and_how_often(diagnose):
    found = finding(look(diagnose, SLOWLY, database(N_PLUS_ONE), service()), "n_plus_one")
    # 1000 calls a second, less one for each of 40 requests, over 20 slow ones.
    assert "runs 48 times for each of them: SELECT * FROM customers WHERE id = $1" in found["summary"]
    assert "/b asks for row by row" in found["advice"]
    assert "SELECT * FROM customers" in found["advice"]


def test_a_slow_statement_comes_with_its_plan_and_indexes(diagnose):
    row = {**SLOW, "plan": PLAN, "indexes": [INDEX]}
    found = finding(look(diagnose, SLOWLY, database(row), service()), "slow_statement")
    assert "takes 600 ms on average: SELECT * FROM events" in found["summary"]
    assert found["advice"][0].endswith("Seq Scan on public.events, 5 rows, cost 12000, filter (actor = $1)")
    assert found["advice"][1].startswith("public.events is read in full: an index")
    assert found["advice"][2] == "the indexes of its tables: CREATE INDEX e ON events (id)"
    no_plan = {"available": False, "reason": "it takes values"}
    row = {**SLOW, "plan": no_plan, "indexes": []}
    found = finding(look(diagnose, SLOWLY, database(row), service()), "slow_statement")
    assert found["advice"][0] == "SELECT * FROM events WHERE actor = $1: no plan, it takes values"


def test_the_provider_is_named(diagnose):
    metrics = requests({"/b": 1.2}, pay_example=0.9, mail_example=0.1)
    found = finding(look(diagnose, metrics, database(), service()), "slow_provider")
    assert "pay.example takes 0.9 s" in found["summary"]
    assert "mail.example" not in found["summary"] + str(found["advice"])


def test_a_stack_without_providers_and_pool_is_judged_by_the_rest(diagnose):
    metrics = {"request_duration": "app_request_duration_seconds"}
    concluded = look(diagnose, SLOWLY, database(), service(0.95), system_metrics=metrics)
    assert [step["remedy"] for step in concluded["plan"]["steps"]] == ["scale_out"]


def test_what_is_fast_is_normal_and_no_problem(diagnose):
    found = finding(look(diagnose, FAST, database(), service()), "normal")
    assert (found["status"], found["summary"]) == (
        "ok",
        "the 95th percentile of 200 requests is 0.1 s: no action",
    )


def test_the_evidence_says_what_was_measured_and_leaves_out_the_rest(diagnose):
    evidence = look(diagnose, SLOWLY, database(SLOW), service())["evidence"]
    assert evidence["p95_seconds"] == {"/a": 0.05, "/b": 1.2}
    assert evidence["requests_per_second_since_start"] == 20.0
    assert evidence["query_execution_duration"] == 0.01
    assert not {"websocket_connections", "connection_pool", "provider_p95_seconds"} & set(evidence)


def test_routes_that_few_ask_are_named(diagnose):
    concluded = look(diagnose, RARELY_SLOW, database(), service())
    assert (
        "2.0 requests of /b took 2.5 s in the median: fewer than 20 of a route are too few to judge" in concluded["msg"]
    )
    assert concluded["evidence"]["routes_too_few_to_judge"] == {"/b": 2.0}
    assert (
        "0.1 s: no action (too few requests to judge: /b)"
        in look(diagnose, RARELY_ONE_SLOW, database(), service())["msg"]
    )


def test_what_the_table_says_itself_comes_before_what_could_not_be_seen(diagnose):
    msg = look(diagnose, RARELY_SLOW, database(), {"available": False, "reason": "no engine"})["msg"]
    assert msg.index("2.0 requests of /b") < msg.index("; no engine")


def test_the_percentiles_can_be_of_chosen_requests_and_the_threshold_moved(diagnose):
    slower = look(diagnose, SLOWLY, database(), service(), latency_p95_seconds=1.5)
    assert slower["status"] == "healthy"


# The rows that every runbook has; tests/contract sees that they conclude this.
HEALTHY_ROW = "test_what_is_concluded[fast]"
WRONG_CAUSE_ROW = "test_what_is_concluded[locks]"
NO_TELEMETRY_ROW = "test_what_is_concluded[no metrics]"
