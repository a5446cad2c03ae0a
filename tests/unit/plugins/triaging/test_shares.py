"""From what runbooks ask to what they conclude, for all of them: what nobody answered is never well, and triage says what the runbook says."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from ansible_collections.oncall.runbooks.plugins.module_utils import observe
from ansible_collections.oncall.runbooks.plugins.plugin_utils.role_contract import ROLES
from ansible_collections.oncall.runbooks.plugins.plugin_utils.triaging.share import Around, Judged, share
from ansible_collections.oncall.runbooks.tests.support.tables import diagnose, role_variables

RUNBOOKS = sorted(path.parents[1].name for path in ROLES.glob("*/meta/runbook.yml"))
DATABASE = {"host": "127.0.0.1", "name": "shop", "user": "oncall", "service": "database"}
HOST = {"inventory_hostname": "shop", "ansible_connection": "local", "ansible_check_mode": False}
# A stack that has something of every kind.
STACK: dict[str, Any] = {
    "system_services": {
        "api": {"manager": "systemd", "name": "api.service", "port": 8080, "health_url": "http://127.0.0.1:8080/health"},
        "worker": {"manager": "systemd", "name": "worker.service"},
        "database": {"manager": "systemd", "name": "postgresql@15-main.service"},
        "redis": {"manager": "systemd", "name": "redis.service"},
    },
    "system_endpoints": {"api": "https://127.0.0.1:8080/metrics"},
    "system_metrics": {"responses": "http_total", "request_duration": "http_seconds", "circuit_breaker_codes": "breaker", "db_pool_waiting": "waiting", "db_pool_in_use": "in_use", "db_pool_max": "max"},
    "system_database": DATABASE,
    "system_redis": {"host": "127.0.0.1", "service": "redis"},
    "system_deployment": {"path": "/srv/app", "deploy_command": ["true"], "services": ["api"]},
    "system_queues": {"mail": {"engine": "pgboss", "queue": "mail", "workers": ["worker"]}},
    "system_schedules": {"cron": {"engine": "pg_cron", "jobs": ["digest"]}},
    "system_workflows": {"orders": {"table": "orders", "waiting": ["new"], "workers": ["worker"], "created_column": "at"}},
    "system_connectors": {"crm": {"source": "table", "statement": "SELECT 1", "scheduler": "worker"}},
    "system_payment_webhook": {
        "url": "https://127.0.0.1/hook", "api_key": "k", "secrets": ["s"], "event_types": ["paid"], "service": "api",
    },
    "system_notification_providers": {
        "mail": {"queue": "mail", "records": [], "providers": [{"name": "smtp", "kind": "postmark", "token": "t"}]}
    },
    "system_auth": {
        "service": "api", "issuer": "http://127.0.0.1/issuer", "audience": "shop",
        "login": {"url": "http://127.0.0.1/login", "body": {"email": "canary@shop.example", "password": "p"}, "token": "t",
                  "route": "http://127.0.0.1/me"},
    },
    "system_backups": {"nightly": {"path": "/backups", "pattern": "shop_*.sql", "tables": ["orders"]}},
    "system_break_glass": {
        "start": {"url": "http://127.0.0.1/break-glass"}, "id": "id", "revoke": {"url": "http://127.0.0.1/break-glass/{id}/revoke"},
        "open": {"url": "http://127.0.0.1/break-glass"}, "read_only": {"url": "http://127.0.0.1/state", "field": "read_only"},
        "writes": {"release": {"url": "http://127.0.0.1/release", "why": "lets held orders through",
                               "done": {"url": "http://127.0.0.1/state", "field": "orders", "equals": "released"}}},
    },
    "system_migrations": {"shop": {"tool": "alembic", "run": ["docker", "exec", "shop-api-1"]}},
}  # fmt: skip


def judged(
    runbooks: list[str],
    answer: Any,
    longest_seconds: float = 60.0,
    stack: dict[str, Any] | None = None,
    **variables: Any,
) -> list[Judged]:
    """What these conclude where each question has the answer of a function: observer, parameters -> answer."""
    given = {**role_variables("system"), **HOST, **(STACK if stack is None else stack), **variables}
    templar = Templar(loader=DataLoader(), variables=given)
    around = Around(given, {}, templar, longest_seconds, {}, False)
    work = share([ROLES / name for name in runbooks], around)
    try:
        asked = next(work)
        while True:
            told = {
                name: {observer: answer(observer, params) for observer, params in one.questions.items()}
                for name, one in asked.items()
            }
            asked = work.send(told)
    except StopIteration as end:
        return end.value


def nobody(observer: str, _params: Any) -> dict[str, Any]:
    """The answer of an observer that cannot look, with the keys that its tables read all the same."""
    lists = {
        "http_probe": {"endpoints": {}, "failing": [], "unknown": []},
        "metrics": {"value": {}, "metric": {}, "endpoints": {}},
    }
    return {"available": False, "reason": f"{observer} is out of reach", **lists.get(observer, {})}


@pytest.mark.parametrize("runbook", RUNBOOKS)
def test_where_nothing_can_be_seen_no_runbook_is_well(runbook):
    (found,) = judged([runbook], nobody)
    assert found.state in ("unknown", "problem", "not_set_up"), found.line
    assert found.state != "not_set_up", f"the stack of this test has nothing for {runbook}: {found.line}"


def looked_at_nothing(observer: str, params: Any) -> dict[str, Any]:
    """What an observer really answers where it is given nothing to look at; of this machine's disks, that it cannot be seen."""
    if observer not in ("certificate", "service"):
        return nobody(observer, params)
    module = observe.OBSERVERS[observer]
    validated = ArgumentSpecValidator(module.SPEC).validate(dict(params)).validated_parameters
    return module.load()(validated)


@pytest.mark.parametrize("runbook", RUNBOOKS)
def test_where_the_inventory_says_nothing_nothing_is_set_up(runbook):
    (found,) = judged([runbook], looked_at_nothing, stack={})
    # A disk is there without any word of an inventory.
    assert found.state == ("unknown" if runbook == "disk_full" else "not_set_up"), (found.state, found.line)
    assert found.line


@pytest.mark.parametrize("runbook", RUNBOOKS)
def test_triage_says_of_one_look_what_the_runbook_says(runbook):
    seen: dict[str, Any] = {}

    def answer(observer: str, params: Any) -> dict[str, Any]:
        seen[observer] = nobody(observer, params)
        return seen[observer]

    (found,) = judged([runbook], answer)
    result = diagnose(runbook, seen, **HOST, **STACK)
    assert [(one["cause"], one["status"]) for one in found.findings] == [
        (one["cause"], one["status"]) for one in result["findings"]
    ]
    assert found.line == result["msg"]
    assert found.plan["hash"] == result["plan"]["hash"]


def test_what_has_to_be_watched_for_longer_is_left_out_and_never_well():
    windows: dict[str, float] = {}

    def answer(observer: str, params: Any) -> dict[str, Any]:
        windows[observer] = params.get("window_seconds", 0)
        return nobody(observer, params)

    (found,) = judged(["worker_queue"], answer, longest_seconds=1.0)
    assert windows["queue"] == 0, "the queue is asked, and not watched"
    assert (found.state, found.needs_seconds) == ("not_judged", 5.0)
    (whole,) = judged(["worker_queue"], answer, longest_seconds=5.0)
    assert windows["queue"] == 5
    assert (whole.state, whole.needs_seconds) == ("unknown", 0.0)


def test_an_observer_that_proves_less_without_its_window_is_not_asked():
    asked: list[str] = []

    def answer(observer: str, params: Any) -> dict[str, Any]:
        asked.append(observer)
        return nobody(observer, params)

    (found,) = judged(["notification_provider"], answer, longest_seconds=1.0)
    assert "notification_provider" not in asked
    assert (found.state, found.needs_seconds) == ("not_judged", 8.0)


def test_what_needs_no_watching_is_judged_in_the_shortest_look():
    def answer(observer: str, params: Any) -> dict[str, Any]:
        assert not params.get("window_seconds")
        return nobody(observer, params)

    for found in judged(["api_down", "crash_loop", "db_down", "db_pool"], answer, longest_seconds=0.0):
        assert (found.state, found.needs_seconds) == ("unknown", 0.0), found


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"worker_queue_depth": None}, "worker_queue_depth is null"),
        ({"worker_queue_depth": "many"}, "worker_queue_depth"),
        ({"worker_queue_depth": trust_as_template("{{ nowhere }}")}, "nowhere"),
        ({"worker_queue_extra_causes": {"mine": {"when": "true"}}}, "cause mine has no summary"),
    ],
)
def test_what_is_wrong_with_one_runbook_stops_no_other(variables, said):
    found = {one.runbook: one for one in judged(["crash_loop", "worker_queue"], nobody, **variables)}
    assert found["worker_queue"].state == "unknown"
    assert said in found["worker_queue"].line
    assert found["crash_loop"].findings


def test_a_mistake_in_what_a_table_reads_is_said_of_it_alone(monkeypatch):
    from ansible_collections.oncall.runbooks.plugins.plugin_utils.triaging import looks

    def broken(*_arguments: Any) -> Any:
        raise KeyError("gone")

    monkeypatch.setattr(looks, "watched_seconds", lambda observer, params: broken() if observer == "queue" else 0.0)
    found = {one.runbook: one for one in judged(["crash_loop", "worker_queue"], nobody)}
    assert found["worker_queue"].line == "worker_queue failed: KeyError: 'gone'; please report this"
    assert found["crash_loop"].findings


def test_an_open_breaker_is_called_and_waited_for_by_its_own_runbook_only():
    def answer(observer: str, params: Any) -> dict[str, Any]:
        if observer != "metrics":
            return nobody(observer, params)
        values = {name: {"rates": 1.0} for name in params["metrics"] if name.startswith("codes")}
        metric = {name: {"available": True, "series": 1, "family": "breaker"} for name in params["metrics"]}
        return {
            "available": True,
            "endpoints": {"api": {"available": True}},
            "metric": metric,
            "value": values,
            "unmoved": [],
        }

    (found,) = judged(["circuit_breaker"], answer, longest_seconds=1.0)
    assert (found.state, found.is_called, found.needs_seconds) == ("not_judged", True, 30.0), found.line
