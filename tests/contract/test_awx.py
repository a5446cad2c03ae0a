"""What AWX asks before a launch says what the argument specs say, and its image has what the collection is tested with."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from collection import ROOT, RUNBOOKS, entries, load
from requirement_files import asked_for, versions

from ansible_collections.oncall.runbooks.tests.support.awx_survey import FILTERS, survey
from ansible_collections.oncall.runbooks.tests.support.fake_awx.surveys import survey_error

FOLDER = ROOT / "extensions" / "awx"
NUMBERS = {"int": "integer", "float": "float"}
# What may be said of one run. A new option of the role run is not asked before somebody has thought about it here.
OF_RUN = {
    "run_until": "multiplechoice",
    "run_max_risk": "multiplechoice",
    "run_plan": "text",
    "run_override": "text",
    "run_verify_seconds": "float",
}


@pytest.mark.parametrize("runbook", RUNBOOKS)
def test_a_survey_asks_what_may_differ_from_run_to_run(runbook):
    options = {**entries("run")["main"]["options"], **entries(runbook)["main"]["options"]}
    own = {
        name: "multiplechoice" if "choices" in option else NUMBERS[option["type"]]
        for name, option in entries(runbook)["main"]["options"].items()
        if name.startswith(f"{runbook}_") and ("choices" in option or option["type"] in NUMBERS)
    }
    asked = survey(runbook)
    assert survey_error(asked) == "", "AWX would refuse it"
    assert {question["variable"]: question["type"] for question in asked["spec"]} == {**OF_RUN, **own}
    for question in asked["spec"]:
        option = options[question["variable"]]
        described = option["description"] if isinstance(option["description"], str) else " ".join(option["description"])
        assert question["question_description"].startswith(" ".join(described.split()))
        assert question.get("choices", "").splitlines() == list(option.get("choices", ()))
        assert not option.get("no_log"), "AWX shows what is answered"
        # A default would be passed on, and win over the inventory; so would the empty text of an answer that is left out.
        assert question["required"] is False and "default" not in question
        assert (question["type"] == "text") == (question.get("min", 0) >= 1)


def test_triage_is_asked_for_an_alert_and_whether_to_run_the_first():
    asked = survey("triage")
    assert survey_error(asked) == "", "AWX would refuse it"
    own = {
        "triage_alert": "text",
        "triage_run": "multiplechoice",
        "triage_window_seconds": "float",
        "triage_log_lines": "integer",
    }
    assert {question["variable"]: question["type"] for question in asked["spec"]} == {
        **OF_RUN,
        **own,
        "triage_timeout_seconds": "float",
    }
    (runs,) = (question for question in asked["spec"] if question["variable"] == "triage_run")
    assert (runs["choices"].splitlines(), runs["required"], "default" in runs) == (["true", "false"], False, False)


def test_every_runbook_gets_its_templates():
    assert FILTERS["awx_runbooks"](str(ROOT / "roles")) == RUNBOOKS


@pytest.mark.parametrize("runbook", RUNBOOKS)
def test_nobody_can_change_in_the_workflow_what_is_approved_there(runbook):
    everything = [question["variable"] for question in survey(runbook)["spec"]]
    asked = [question["variable"] for question in survey(runbook, workflow=True)["spec"]]
    assert [name for name in everything if name not in asked] == ["run_until", "run_plan", "run_override"]


def test_the_image_has_what_the_collection_is_tested_with():
    wanted = load("extensions", "awx", "execution-environment.yml")["dependencies"]
    named = [*wanted["python"], *(wanted[part]["package_pip"] for part in ("ansible_core", "ansible_runner"))]
    python = wanted["python_interpreter"]["package_system"].removeprefix("python")
    pinned = {f"{name}=={version}" for name, version in versions("test", python).items()}
    assert [one for one in named if one not in pinned] == []
    # The package ansible stands for the collections, which are installed by themselves.
    assert {one.partition("==")[0] for one in named} == {*asked_for("run"), "ansible-runner"} - {"ansible"}


def test_ansible_builder_accepts_it(tmp_path):
    program = str(Path(sys.executable).with_name("ansible-builder"))
    argv = [program, "create", "-f", str(FOLDER / "execution-environment.yml"), "-c", str(tmp_path)]
    made = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=240)
    assert made.returncode == 0, made.stdout + made.stderr
    (container,) = (path for path in tmp_path.iterdir() if path.is_file())
    build = tmp_path / "_build"
    definition = load("extensions", "awx", "execution-environment.yml")
    assert f'ARG EE_BASE_IMAGE="{definition["images"]["base_image"]["name"]}"' in container.read_text()
    assert definition["dependencies"]["ansible_core"]["package_pip"] in container.read_text()
    assert (build / "requirements.yml").read_text() == (ROOT / "requirements.yml").read_text()
    assert (build / "requirements.txt").read_text().splitlines() == definition["dependencies"]["python"]
    assert (build / "bindep.txt").read_text().splitlines() == definition["dependencies"]["system"]
