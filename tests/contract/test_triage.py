"""What triage rests on: looks that it can take, observers that say what they are worth without a window, and no list of runbooks.

It is no runbook: no incident is its own, it has no causes and no remedies, and nobody hands over to it. So what every runbook has to keep
does not hold for it, and this holds in its place.
"""

from __future__ import annotations

import re

import pytest
from ansible.parsing.dataloader import DataLoader
from collection import NAME, ROOT, RUNBOOKS, causes, load, task_files, tasks

from ansible_collections.oncall.runbooks.plugins.module_utils.observe import OBSERVERS
from ansible_collections.oncall.runbooks.plugins.plugin_utils.diagnosing import Diagnosing
from ansible_collections.oncall.runbooks.plugins.plugin_utils.names import functions_of
from ansible_collections.oncall.runbooks.plugins.plugin_utils.role_contract import read_role_file
from ansible_collections.oncall.runbooks.plugins.plugin_utils.triaging.looks import KEYWORDS
from ansible_collections.oncall.runbooks.plugins.plugin_utils.triaging.severity import trouble_with, words_of

TRIAGE = "triage"
OWN = load("roles", TRIAGE, "vars", "main.yml")
FACTS = {**OWN["triage_facts"], **OWN["triage_hints"]}
READ_BY_TRIAGE = [
    ROOT / "roles" / runbook / part / "main.yml" for runbook in [*RUNBOOKS, TRIAGE] for part in ("defaults", "vars")
] + [ROOT / "roles" / runbook / "tasks" / "look.yml" for runbook in [*RUNBOOKS, TRIAGE]]


def test_it_is_no_runbook():
    assert TRIAGE not in RUNBOOKS
    assert not (ROOT / "roles" / TRIAGE / "tasks" / "remedies").exists()
    assert f"{TRIAGE}_causes" not in OWN
    owners = {cause.get("hand_over") for runbook in RUNBOOKS for cause in causes(runbook).values()}
    assert TRIAGE not in owners


def test_it_only_looks_and_runs_a_runbook_as_a_hand_over_does():
    used = {
        module
        for path in task_files(TRIAGE)
        for task in tasks(load(path.relative_to(ROOT).as_posix()))
        for module in set(task) - {*KEYWORDS}
    }
    assert used == {
        f"{NAME}.observe", f"{NAME}.triage", "ansible.builtin.import_role", "ansible.builtin.include_role",
    }  # fmt: skip
    (handed,) = [
        task for task in load("roles", "run", "tasks", "hand_over.yml") if "ansible.builtin.include_role" in task
    ]
    (run,) = [task for task in load("roles", TRIAGE, "tasks", "main.yml") if "ansible.builtin.include_role" in task]
    assert run["ansible.builtin.include_role"].keys() == handed["ansible.builtin.include_role"].keys()
    assert run["ansible.builtin.include_role"]["rolespec_validate"] is False


@pytest.mark.covers("PD-9-2")
def test_no_list_of_runbooks_is_kept():
    """What names a runbook is a fact of its table or a hint, and triage does without those that are not there."""
    named = {fact["of"] for fact in FACTS.values()}
    assert named <= set(RUNBOOKS)
    files = [*(ROOT / "plugins" / "plugin_utils" / "triaging").glob("*.py"), ROOT / "plugins" / "action" / "triage.py"]
    text = "\n".join(path.read_text() for path in files)
    assert [runbook for runbook in RUNBOOKS if re.search(rf"\b{runbook}\b", text)] == []


@pytest.mark.parametrize("runbook", [*RUNBOOKS, TRIAGE])
def test_a_look_is_made_of_what_triage_can_take(runbook):
    known = {f"{NAME}.observe", f"{NAME}.diagnosis", f"{NAME}.wait"} | {f"{NAME}.{name}_info" for name in OBSERVERS}
    for task in load("roles", runbook, "tasks", "look.yml"):
        (module,) = set(task) - {*KEYWORDS}
        assert module in known, f"{task['name']}: triage knows {', '.join(sorted(known))}"
        if module == f"{NAME}.diagnosis":
            assert set(task[module]) == {"observed", "names"}, "else it judges"


@pytest.mark.parametrize("runbook", RUNBOOKS)
def test_what_was_observed_has_the_name_that_triage_takes(runbook):
    (judged,) = [
        task[f"{NAME}.diagnosis"]
        for task in load("roles", runbook, "tasks", "diagnose.yml")
        if f"{NAME}.diagnosis" in task
    ]
    assert judged["observed"] == f"{{{{ __{runbook}_observed }}}}"


@pytest.mark.parametrize("path", READ_BY_TRIAGE, ids=lambda path: path.relative_to(ROOT / "roles").as_posix())
def test_a_role_file_reads_as_ansible_reads_it(path):
    if path.is_file():
        assert read_role_file(path) == (DataLoader().load_from_file(str(path), trusted_as_template=True) or {})


@pytest.mark.parametrize("observer", sorted(name for name, one in OBSERVERS.items() if "window_seconds" in one.SPEC))
def test_an_observer_with_a_window_says_what_it_is_worth_without_one(observer):
    assert isinstance(getattr(OBSERVERS[observer], "TELLS_WITHOUT_A_WINDOW", None), bool), (
        f"plugins/module_utils/observers/{observer}.py: TELLS_WITHOUT_A_WINDOW = True where with window_seconds 0 it leaves out what it "
        "would have to watch for; False where it would say something wrong"
    )


@pytest.mark.parametrize("name", FACTS)
def test_a_fact_uses_names_that_its_table_has(name):
    fact = FACTS[name]
    runbook = fact["of"]
    module = f"{Diagnosing.__module__.rpartition('.')[0]}.readings.{runbook}"
    known = {
        *load("roles", runbook, "vars", "main.yml").get(f"{runbook}_names", {}),
        *load("roles", runbook, "defaults", "main.yml"),
        *functions_of(module),
        *OBSERVERS,
    }
    text = f"{fact['when']} {fact['says']}"
    expressions = [*re.findall(r"\{\{(.*?)\}\}", str(fact["says"]), re.S), str(fact["when"])]
    used = {
        word
        for expression in expressions
        for word in re.findall(r"(?<![\w.|'])([a-z_]{4,})\b(?!\()", re.sub(r"'[^']*'|\| *\w+", "", expression))
    }
    assert sorted(used - known - {"none", "when"}) == [], text


@pytest.mark.covers("JO-0-3", "PD-0-1")
def test_the_scheme_of_the_role_system_has_known_words_and_every_severity():
    scheme = load("roles", "system", "defaults", "main.yml")["system_severities"]
    assert trouble_with(scheme, words_of(OWN["triage_facts"], RUNBOOKS)) == ""
    words = {word for one in scheme for word in one["when"]}
    assert {load("roles", runbook, "meta", "runbook.yml")["severity"] for runbook in RUNBOOKS} <= words


def test_it_covers_what_is_asked_of_triage():
    asked = {item["id"] for item in load("tests", "coverage.yml")["items"] if item["runbook"] == TRIAGE}
    assert set(load("roles", TRIAGE, "meta", "overview.yml")["covers"]) == asked


def test_its_playbook_is_a_few_lines():
    (play,) = load("playbooks", f"{TRIAGE}.yml")
    (task,) = play["tasks"]
    assert task["ansible.builtin.import_role"] == {"name": f"{NAME}.{TRIAGE}", "rolespec_validate": False}
    assert play["gather_facts"] is False
