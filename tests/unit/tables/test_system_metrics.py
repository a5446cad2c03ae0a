# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an inventory says of a metric -> what each runbook asks for: every metric can be written in every way."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.oncall.runbooks.plugins.module_utils.metrics.spec import leaves, parse_specs
from ansible_collections.oncall.runbooks.plugins.plugin_utils.plain import plain
from ansible_collections.oncall.runbooks.tests.support.tables import ROOT, role_variables
from docs.generate import metrics as page
from docs.generate.source import Runbook, load, runbook_names

ASKED = page.users([Runbook(name) for name in runbook_names()])
DESCRIBED = load("roles", "system", "meta", "metrics.yml")
PAIRS = [(name, role) for name, roles in ASKED.items() for role in roles]
SYSTEM = {
    "system_endpoints": {"api": "http://127.0.0.1:8080/metrics"},
    "system_services": {
        "api": {"manager": "compose", "project": "/srv"},
        "redis": {"manager": "compose", "project": "/srv"},
    },
    "system_redis": {"host": "127.0.0.1"},
    "system_database": {"name": "shop"},
    "inventory_hostname": "shop",
    "omit": "",
}
LABELS = {"kind": "wanted"}
WAYS: dict[str, Any] = {
    "name": "told",
    "quoted name": "told.here",
    "dictionary": {"family": "told", "labels": LABELS},
    "sum": {"sum": ["told", {"family": "more", "labels": LABELS}]},
    "difference": {"of": {"family": "told", "labels": LABELS}, "minus": "less"},
}


def asked(role: str, metrics: Any, **variables: Any) -> dict[str, Any]:
    """The option metrics of what the runbook observes."""
    loader = DataLoader()
    task = loader.load_from_file(str(ROOT / "roles" / role / "tasks" / "look.yml"), trusted_as_template=True)[0]
    everything = {**role_variables("system"), **role_variables(role), **SYSTEM, "system_metrics": metrics, **variables}
    told = plain(Templar(loader=loader, variables=everything).template(task["oncall.runbooks.observe"]["metrics"]))
    return told["metrics"] if told else {}


def required(role: str) -> dict[str, str]:
    return {name: name for name, roles in ASKED.items() if roles.get(role)}


@pytest.mark.parametrize(("name", "role"), PAIRS)
@pytest.mark.parametrize("way", WAYS)
def test_a_metric_is_asked_for_however_it_is_said(name, role, way):
    metrics = asked(role, {**required(role), name: WAYS[way]})
    if DESCRIBED[name]["type"] == "histogram" and way in ("sum", "difference"):
        with pytest.raises(ValueError, match=r"a quantile is of one family, not of a sum or a difference$"):
            parse_specs(metrics, {"api": ""}, False)
        return
    families = [spec for spec in leaves(parse_specs(metrics, {"api": ""}, False)) if spec["family"].startswith("told")]
    assert families
    assert {spec["family"].removesuffix("_count").removesuffix("_bucket") for spec in families} == {
        "told.here" if way == "quoted name" else "told"
    }
    if way in ("dictionary", "difference"):
        assert all(spec["labels"].items() >= LABELS.items() for spec in families)


@pytest.mark.parametrize(("name", "role"), [pair for pair in PAIRS if not ASKED[pair[0]][pair[1]]])
@pytest.mark.parametrize("nothing", [None, ""])
def test_what_is_said_to_be_nothing_is_not_asked_for(name, role, nothing):
    others = required(role)
    assert asked(role, {**others, name: nothing}) == asked(role, others)


@pytest.mark.parametrize("role", ["cache", "db_down", "api_down"])
def test_without_any_metric_nothing_is_asked_for(role):
    assert asked(role, {}) == asked(role, None) == {}


def test_labels_are_named_once_for_all_runbooks():
    said = {"system_metric_labels": {"route": "uri", "status": "code", "provider": "target"}}
    errors = asked("error_rate", {"responses": "f", "provider_errors": "g"}, **said)
    assert errors["answers_by_route"]["by"] == ["uri"]
    assert errors["errors"]["labels"] == {"code": "~5.."}
    assert errors["provider_errors"]["by"] == ["target"]
    slow = asked("latency", {"request_duration": "f", "provider_request_duration": "g"}, **said)
    assert (slow["p95"]["by"], slow["provider_p95"]["by"]) == (["uri"], ["target"])
    assert asked("latency", {"request_duration": "f"}, system_metric_labels={"route": None})["p95"]["by"] == ["route"]


@pytest.mark.parametrize(
    "runbook", ["api_down", "cache", "db_down", "db_pool", "error_rate", "latency", "port_conflict"]
)
def test_one_line_says_which_service_is_the_api(runbook):
    variables = role_variables(runbook)
    everything = {**role_variables("system"), **variables, "system_roles": {"api": "web"}}
    templar = Templar(loader=DataLoader(), variables=everything)
    assert templar.template(variables[f"{runbook}_service"]) == "web"


def test_of_several_replicas_the_one_that_has_lost_its_database_counts():
    for said in ("up", {"family": "up", "labels": LABELS}, {"of": "a", "minus": "b"}):
        assert (
            parse_specs(asked("db_down", {"db_connected": said}), {"api": ""}, False)["connected"]["aggregate"] == "min"
        )
