"""What triage takes from the tables besides their causes: what was measured -> whether the fact is there."""

from __future__ import annotations

import time
from typing import Any

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.connectors.answer import told
from ansible_collections.oncall.runbooks.plugins.module_utils.connectors.error_classes import table_of
from ansible_collections.oncall.runbooks.plugins.module_utils.connectors.spec import described
from ansible_collections.oncall.runbooks.plugins.plugin_utils.role_contract import ROLES, read_role_file
from ansible_collections.oncall.runbooks.tests.support.tables import true_of

OWN = read_role_file(ROLES / "triage" / "vars" / "main.yml")
FACTS = {**OWN["triage_facts"], **OWN["triage_hints"]}
SYSTEM = {
    "system_services": {"api": {"manager": "systemd", "name": "api.service"}},
    "system_deployment": {"path": "/srv/app", "services": ["api"]},
    "system_database": {"name": "shop"},
    "system_endpoints": {"api": "http://127.0.0.1:8080/metrics"},
    "system_metrics": {"responses": "http_total"},
}


def there(name: str, observed: dict[str, Any], **variables: Any) -> bool:
    fact = FACTS[name]
    conditions = fact["when"] if isinstance(fact["when"], list) else [fact["when"]]
    return true_of(fact["of"], observed, conditions, **{**SYSTEM, **variables}) == conditions


def probe(**rows: bool) -> dict[str, Any]:
    endpoints = {
        name: {"available": True, "ok": ok, "reason": "503", "error": "bad_status"} for name, ok in rows.items()
    }
    failing = [name for name, ok in rows.items() if not ok]
    return {"http_probe": {"available": True, "endpoints": endpoints, "failing": failing, "unknown": [], "limits": []}}


@pytest.mark.covers("JO-0-3")
@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ({"health": False, "orders": False}, True),
        ({"health": True, "orders": False}, False),
        ({"health": True}, False),
        ({"health": False, "platform": True}, True),
        ({}, False),
    ],
)
def test_every_request_fails(rows, expected):
    assert there("every_request_fails", probe(**rows)) is expected


@pytest.mark.covers("JO-0-3")
@pytest.mark.parametrize(
    ("errors", "answers", "expected"),
    [(600, 1000, True), (500, 1000, True), (400, 1000, False), (1, 1, False), (None, None, False)],
)
def test_most_requests_fail(errors, answers, expected):
    value = {} if errors is None else {"errors": float(errors), "answers": float(answers)}
    metrics = {"available": errors is not None, "reason": "gone", "value": value, "metric": {}, "endpoints": {}}
    assert there("most_requests_fail", {"metrics": metrics}) is expected


def test_the_database_is_unusable():
    assert there(
        "database_unusable", {"postgres_activity": {"available": False, "reason": "refused", "error": "refused"}}
    )
    assert not there("database_unusable", {"postgres_activity": {"available": True}})
    assert not there("database_unusable", {})


@pytest.mark.covers("JO-0-3", "PD-5-1")
@pytest.mark.parametrize(("seconds", "expected"), [(60, True), (7200, False), (None, False)])
def test_a_recent_deployment(seconds, expected):
    at = None if seconds is None else int(time.time() - seconds)
    commits = [{"revision": "a" * 40, "subject": "one"}]
    deployment = {"available": True, "revision": "a" * 40, "deployed_at_seconds": at, "commits": commits}
    assert there("recent_deployment", {"deployment": deployment}) is expected


NOW = 1_800_000_000.0
CONNECTORS = {"app": {"source": "table", "period_seconds": 900}}


def connector(name: str, late_seconds: float, **more: Any) -> dict[str, Any]:
    at = NOW - late_seconds
    return {"name": name, "status": "success", "watermark": at, "last_success_at": at, "last_run_at": NOW - 120, **more}


FAILS = {"status": "failed", "last_error": "401 Unauthorized", "retry_count": 5}


@pytest.mark.covers("JO-0-3")
@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([connector("a", 60), connector("b", 60)], False),
        ([connector("a", 60), connector("b", 20_000, **FAILS)], True),
        ([connector("a", 20_000, **FAILS), connector("b", 20_000, **FAILS)], False),
        ([connector("a", 20_000, **FAILS)], False),
    ],
    ids=["all are well", "one of two", "all of them", "the only one"],
)
def test_one_of_several_clients(rows, expected):
    given = described("app", CONNECTORS["app"], {"database": {"name": "app"}})
    seen = told(given, [{"now_seconds": NOW, "rows": rows, "limits": []}], table_of({}), NOW)
    source = {"available": True, "source": given["source"], **seen}
    observed = {
        "sync_state": {"available": True, "complete": True, "sources": {"app": source}, "unknown": [], "limits": []}
    }
    assert there("one_of_several", observed, system_connectors=CONNECTORS) is expected
