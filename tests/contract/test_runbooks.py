"""What every runbook has to keep: causes, remedies, rollbacks, and a diagnosis that changes nothing."""

from __future__ import annotations

import re
from typing import Any

import pytest
import table_check
import table_rows
from collection import MODULES, NAME, ROOT, RUNBOOKS, causes, entries, load, names, tasks
from jinja2 import Environment, nodes

from ansible_collections.oncall.runbooks.plugins.plugin_utils.table import RISKS

CAUSES = [(runbook, slug) for runbook in RUNBOOKS for slug in causes(runbook)]
REMEDIES = [
    (runbook, remedy) for runbook in RUNBOOKS for remedy in sorted(names("roles", runbook, "tasks", "remedies"))
]
READ_ONLY = {f"{NAME}.{module}" for module in MODULES if module.endswith("_info")}
READ_ONLY |= {f"{NAME}.observe", f"{NAME}.diagnosis"}
WAIT = f"{NAME}.wait"
SEVERITIES = ("low", "medium", "high", "critical")
SERVICE = f"{NAME}.service"


def meta(runbook: str) -> dict[str, Any]:
    return load("roles", runbook, "meta", "runbook.yml")


def rollbacks(runbook: str) -> set[str]:
    return names("roles", runbook, "tasks", "rollbacks")


@pytest.mark.parametrize("runbook", RUNBOOKS)
def test_meta(runbook):
    said = meta(runbook)
    assert said["severity"] in SEVERITIES
    assert all(said[key] for key in ("title", "signal", "escalation"))


def test_an_alert_belongs_to_one_runbook():
    alerts = [alert for runbook in RUNBOOKS for alert in meta(runbook)["alerts"]]
    assert sorted(alerts) == sorted(set(alerts))


@pytest.mark.parametrize("runbook", RUNBOOKS)
def test_options_are_the_same_for_every_entry_point(runbook):
    options = {name: entry["options"] for name, entry in entries(runbook).items()}
    assert options["diagnose"] == options["main"]
    plan = options["remediate"].pop("run_plan")
    assert plan["required"] is True, "it acts on what a person approved"
    assert options["remediate"] == options["main"]


@pytest.mark.parametrize("runbook", RUNBOOKS)
def test_causes_of_ones_own_can_be_added(runbook):
    assert load("roles", runbook, "defaults", "main.yml")[f"{runbook}_extra_causes"] == {}


@pytest.mark.parametrize("runbook", RUNBOOKS)
def test_the_table_is_accepted(runbook):
    assert causes(runbook)


@pytest.mark.parametrize("runbook", RUNBOOKS)
def test_healthy_needs_evidence(runbook):
    claims = load("roles", runbook, "vars", "main.yml").get(f"{runbook}_healthy", {})
    signal = [claim for claim in claims.values() if not claim.get("beyond")]
    assert signal, "no known cause is no evidence: say what has to be seen"
    assert any(claim.get("figures") for claim in signal), "a good look has figures, and an empty one has none"


@pytest.mark.parametrize(("runbook", "slug"), CAUSES)
def test_cause_leads_somewhere(runbook, slug):
    cause = causes(runbook)[slug]
    if "remedy" in cause:
        assert cause["remedy"] in names("roles", runbook, "tasks", "remedies")
        assert "risk" in cause
        assert "targets" in cause, "a plan says exactly what would be touched"
        assert not cause.get("harmless")
    else:
        assert "advice" in cause or cause.get("harmless") is True or cause["hand_over"] in RUNBOOKS
        assert not set(cause) & {"risk", "targets", "undo", "operates"}


def test_runbooks_do_not_hand_over_in_a_circle():
    owners = {runbook: {cause.get("hand_over") for cause in causes(runbook).values()} - {None} for runbook in RUNBOOKS}
    while ends := {runbook for runbook, others in owners.items() if not others & set(owners)}:
        owners = {runbook: others for runbook, others in owners.items() if runbook not in ends}
    assert owners == {}


@pytest.mark.parametrize(("runbook", "slug"), CAUSES)
def test_cause_is_explained_by_earlier_ones_only(runbook, slug):
    slugs = list(causes(runbook))
    assert set(causes(runbook)[slug].get("unless", ())) <= set(slugs[: slugs.index(slug)])


@pytest.mark.parametrize(("runbook", "slug"), CAUSES)
def test_cause_has_undo_exactly_when_its_remedy_has_a_rollback(runbook, slug):
    cause = causes(runbook)[slug]
    assert ("undo" in cause) == (cause.get("remedy") in rollbacks(runbook))


@pytest.mark.parametrize(("runbook", "slug"), [pair for pair in CAUSES if "risk" in causes(pair[0])[pair[1]]])
def test_risk_is_known(runbook, slug):
    risks = results(str(causes(runbook)[slug]["risk"]))
    assert risks <= set(RISKS) - {"none"}
    assert risks


def results(template: str) -> set[str]:
    """The literals that a template may come to."""

    def ends(node: nodes.Node) -> set[str]:
        if isinstance(node, nodes.CondExpr):
            return ends(node.expr1) | ends(node.expr2 or nodes.Const("nothing"))
        if isinstance(node, nodes.TemplateData):
            return {node.data.strip()}
        return {str(node.value) if isinstance(node, nodes.Const) else "not a literal"}

    outputs = Environment(autoescape=True).parse(template).find_all(nodes.Output)
    return set().union(*(ends(node) for output in outputs for node in output.nodes)) - {""}


@pytest.mark.parametrize("runbook", RUNBOOKS)
def test_every_remedy_is_used_and_described(runbook):
    files = names("roles", runbook, "tasks", "remedies")
    assert {cause["remedy"] for cause in causes(runbook).values() if "remedy" in cause} == files
    assert set(meta(runbook).get("remedies") or {}) == files


@pytest.mark.parametrize("runbook", RUNBOOKS)
def test_every_remedy_can_be_undone_or_says_why_not(runbook):
    remedies = meta(runbook).get("remedies") or {}
    undone = {name for name, said in remedies.items() if "undone" in said}
    kept = {name for name, said in remedies.items() if "irreversible" in said}
    assert undone == rollbacks(runbook)
    assert undone | kept == names("roles", runbook, "tasks", "remedies")
    assert not undone & kept


@pytest.mark.parametrize(("runbook", "remedy"), REMEDIES)
def test_remedy_touches_the_targets_of_the_plan(runbook, remedy):
    text = (ROOT / "roles" / runbook / "tasks" / "remedies" / f"{remedy}.yml").read_text()
    only_a_service = f"name: {SERVICE}" in text
    assert "run_step.targets" in text or only_a_service


@pytest.mark.parametrize(("runbook", "remedy"), [pair for pair in REMEDIES if pair[1] in rollbacks(pair[0])])
def test_rollback_reads_what_the_plan_kept(runbook, remedy):
    text = (ROOT / "roles" / runbook / "tasks" / "rollbacks" / f"{remedy}.yml").read_text()
    kept = {slug: set(cause["undo"]) for slug, cause in causes(runbook).items() if cause.get("remedy") == remedy}
    read = set(re.findall(r"\brun_step\.undo\.(\w+)", text))
    assert read
    assert all(read == keys for keys in kept.values()), kept


# A verb that the manager does not have makes a remedy unavailable in the plan, only where the cause names it.
@pytest.mark.parametrize(("runbook", "slug"), CAUSES)
def test_cause_needs_the_services_that_its_remedy_uses(runbook, slug):
    cause = causes(runbook)[slug]
    needs = cause.get("operates", {})
    kind = "queue" if "queue" in needs else "service"
    used = set()
    for folder in ("remedies", "rollbacks"):
        for task in tasks(load("roles", runbook, "tasks", folder, f"{cause.get('remedy')}.yml")):
            if task.get("ansible.builtin.include_role", {}).get("name") == f"{NAME}.{kind}":
                # Of several that a remedy sees to, the cause names the one to ask. A target of the plan is what it operates.
                named = task["vars"][f"{kind}_name"]
                of_the_plan = "loop" in task or named == f"{{{{ run_step.targets[0].{kind} }}}}"
                used.add((needs.get(kind) if of_the_plan else named, task["vars"][f"{kind}_verb"]))
    declared = {(needs[kind], verb) for verb in needs.get("verbs", ())} if kind in needs else set()
    assert used <= declared
    assert bool(used) == bool(declared)


@pytest.mark.parametrize("runbook", RUNBOOKS)
def test_diagnosis_only_reads(runbook):
    system, look, judge = load("roles", runbook, "tasks", "diagnose.yml")
    # Imported for its defaults: it has no tasks.
    assert system["ansible.builtin.import_role"] == {"name": f"{NAME}.system", "rolespec_validate": False}
    assert not (ROOT / "roles" / "system" / "tasks").exists()
    # Imported and not included: that would be a task more on every host.
    assert look["ansible.builtin.import_tasks"] == "look.yml"
    steps = [*load("roles", runbook, "tasks", "look.yml"), judge]
    used = [key for task in steps for key in task if key not in ("name", "register", "when", "vars")]
    assert all("when" in task for task in steps if WAIT in task), "a host that is well is not kept waiting"
    used = [module for module in used if module != WAIT]
    assert set(used) <= READ_ONLY, "blocks and includes are not looked into"
    # observe is the one that checks what the inventory and the command line say, before it looks.
    assert used[0] == f"{NAME}.observe"
    assert used[-1] == f"{NAME}.diagnosis"
    assert len(used) <= 4, "each task costs every host"
    assert [task["register"] for task in steps][-1] == f"{runbook}_diagnosis"


@pytest.mark.parametrize("runbook", RUNBOOKS)
def test_playbook_is_a_few_lines(runbook):
    path = ROOT / "playbooks" / f"{runbook}.yml"
    (play,) = load("playbooks", f"{runbook}.yml")
    (task,) = play["tasks"]
    assert task["ansible.builtin.import_role"] == {"name": f"{NAME}.{runbook}", "rolespec_validate": False}
    assert play["gather_facts"] is False, "facts cost more than the whole diagnosis"
    assert len(path.read_text().splitlines()) <= 11
    assert all(alert in path.read_text() for alert in meta(runbook)["alerts"])


@pytest.mark.parametrize("runbook", RUNBOOKS)
def test_every_cause_and_remedy_is_in_the_table_of_what_is_concluded(runbook):
    text = (ROOT / "tests" / "unit" / "tables" / f"test_{runbook}_table.py").read_text()
    expected = {*causes(runbook), *(meta(runbook).get("remedies") or {})}
    assert sorted(name for name in expected if f'"{name}"' not in text) == []


@pytest.fixture(scope="module")
def concluded(tmp_path_factory):
    return table_rows.concluded(RUNBOOKS, tmp_path_factory.mktemp("rows"))


@pytest.mark.parametrize("runbook", RUNBOOKS)
def test_table_has_a_healthy_case_another_cause_and_one_without_telemetry(concluded, runbook):
    assert table_rows.trouble_with(runbook, concluded) == []


@pytest.mark.parametrize("runbook", RUNBOOKS)
def test_a_runbook_that_acts_is_tried_on_a_real_stack(runbook):
    tests = [ROOT / "tests" / folder / f"test_{runbook}.py" for folder in ("integration", "containers")]
    assert not names("roles", runbook, "tasks", "remedies") or any(path.is_file() for path in tests)


# An empty list and a default are values too: without a word on whether everything could be seen, they read as well.
@pytest.mark.parametrize(("runbook", "slug"), CAUSES)
def test_a_cause_over_what_may_be_empty_says_when_that_is_conclusive(runbook, slug):
    when, conclusive = causes(runbook)[slug]["gates"][-1]
    asks = [one for one in when if re.search(r"\| *(length|default|sum|max|min)\b", str(one))]
    assert not asks or conclusive is not None, (
        f"roles/{runbook}/vars/main.yml: {slug} asks {asks} of what may be empty; add `conclusive: true`, or an expression "
        "for whether everything was seen"
    )


@pytest.mark.parametrize(("runbook", "slug"), [pair for pair in CAUSES if "remedy" in causes(pair[0])[pair[1]]])
def test_targets_are_what_was_measured(runbook, slug):
    cause = causes(runbook)[slug]
    found = table_check.comes_from(runbook, cause["targets"])
    text = (ROOT / "roles" / runbook / "tasks" / "remedies" / f"{cause['remedy']}.yml").read_text()
    # A service by its name is exactly what a verb touches, and what one waits for.
    service = cause.get("operates", {}).get("service", "")
    by_name = bool(service) and table_check.used_in(service) <= found
    only_services = isinstance(cause["targets"], list) and [list(one) for one in cause["targets"]] == [["service"]]
    by_name |= only_services and not re.search(r"run_step\.targets(?!\[0\]\.service)", text)
    measured = found & set(table_check.observers())
    assert measured or by_name, "targets that name nothing measured are the same whatever was seen"
