# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger modules as Ansible runs them: a process of its own, parameters in, one JSON document out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ansible_collections.oncall.runbooks.plugins.doc_fragments.ledger import ModuleDocFragment as fragment
from ansible_collections.oncall.runbooks.plugins.module_utils.ledger.spec import ARGUMENT_SPEC, INFO_SPEC
from ansible_collections.oncall.runbooks.plugins.modules import ledger, ledger_info

COLLECTIONS = Path(__file__).parents[4] / "collections"
REMEDY = {"remedy": "restart_api", "cause": "api_down", "targets": ["api"], "undo": {"was": "{{ running }}"}}
CLAIM = {"state": "claim", "run_id": "r1", "runbook": "api", "owner": "alice@c1", "remedies": [REMEDY]}
DONE = {"remedy": "restart_api", "cause": "api_down", "state": "done", "helped": True}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "oncall" / "ledger.sqlite3"


def run(path, check_mode=False, module="ledger", **params):
    """(exit code, result) of a module in a process of its own."""
    arguments = dict(
        params, path=str(path), _ansible_check_mode=check_mode, _ansible_remote_tmp=str(path.parent.parent)
    )
    done = subprocess.run(
        [sys.executable, "-m", f"ansible_collections.oncall.runbooks.plugins.modules.{module}"],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
        env=dict(os.environ, PYTHONPATH=str(COLLECTIONS)),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.startswith("\n{") or done.stdout.startswith("{"), done.stdout + done.stderr
    return done.returncode, json.loads(done.stdout)


def look(path, **params):
    return run(path, module="ledger_info", **params)


def ansible(path, *options, module="ledger", **params):
    """(status, result) of ``ansible localhost -m oncall.runbooks.<module>``, run by Ansible itself."""
    config = path.parent.parent / "ansible.cfg"
    config.write_text(f"[defaults]\ncollections_path = {COLLECTIONS}\nlocalhost_warning = False\n")
    command = [str(Path(sys.executable).with_name("ansible")), "localhost", "-m", f"oncall.runbooks.{module}"]
    command += ["-e", f"ansible_python_interpreter={sys.executable}"]
    done = subprocess.run(
        [*command, *options, "-a", json.dumps(dict(params, path=str(path)))],
        env=dict(os.environ, ANSIBLE_CONFIG=str(config), ANSIBLE_NOCOLOR="1"),
        capture_output=True,
        text=True,
        timeout=120,
    )
    status, _arrow, document = done.stdout.partition(" => ")
    assert document, done.stdout + done.stderr
    return status.split(" | ")[1], json.loads(document)


def test_a_run_from_claim_to_complete(path):
    code, claimed = run(path, **CLAIM)
    assert (code, claimed["granted"], claimed["changed"], claimed["claim_id"]) == (0, True, True, 1)
    code, refused = run(path, **dict(CLAIM, run_id="r2", override="I know better"))
    assert (code, refused["granted"], refused["guard"], refused["changed"]) == (0, False, "lock", False)
    assert "alice@c1" in refused["reason"]
    changes = [run(path, state="complete", run_id="r1", outcome="resolved", remedies=[DONE])[1] for _ in "12"]
    assert [each["changed"] for each in changes] == [True, False]
    assert [each["recorded"] for each in changes] == [True, True]
    code, info = look(path)
    assert (code, info["changed"], info["claims"][0]["state"]) == (0, False, "completed")
    assert info["claims"][0]["remedies"] == [dict(REMEDY, state="done", helped=True, rolled_back=False)]


def test_hold_and_release_are_idempotent_also_in_check_mode(path):
    held = {"state": "hold", "reason": "restoring by hand", "by": "bob"}
    lift = {"state": "release"}
    steps = [
        (held, True, True),
        (held, False, True),
        (held, False, False),
        (held, True, False),
        (dict(CLAIM), True, False),
        (lift, True, True),
        (lift, False, True),
        (lift, False, False),
        (lift, True, False),
    ]
    for number, (params, check_mode, changed) in enumerate(steps):
        code, result = run(path, check_mode=check_mode, **params)
        assert (number, code, result["changed"]) == (number, 0, changed)
        assert path.exists() is (number > 0), "check mode comes first and makes no file"


def test_a_claim_in_check_mode_says_what_would_be_and_writes_nothing(path):
    code, result = run(path, check_mode=True, **CLAIM)
    assert (code, result["granted"], result["changed"], result["claim_id"]) == (0, True, True, None)
    assert not path.parent.exists()
    run(path, **CLAIM)
    before = path.read_bytes()
    assert run(path, check_mode=True, **dict(CLAIM, run_id="r2"))[1]["guard"] == "lock"
    assert path.read_bytes() == before


def test_an_unusable_ledger_refuses_a_claim_and_fails_a_hold(path):
    path.parent.mkdir()
    path.write_bytes(b"this is no database " * 500)
    code, claimed = run(path, **CLAIM)
    assert (code, claimed["granted"], claimed["guard"], claimed["available"]) == (0, False, "ledger", False)
    code, completed = run(path, state="complete", run_id="r1", outcome="resolved")
    assert (code, completed["recorded"], completed["available"]) == (0, False, False)
    code, info = look(path)
    assert (code, info["available"], info["status"]["refused"]) == (0, False, True)
    for params in (
        {"state": "hold", "reason": "x"},
        {"state": "release"},
        {"state": "release", "run_id": "r1"},
    ):
        code, result = run(path, **params)
        assert (code, result["failed"], result["msg"]) == (1, True, result["reason"])
    assert path.read_bytes() == b"this is no database " * 500


def test_a_look_makes_no_file_and_judges_what_it_is_asked(path):
    for check_mode in (False, True):
        code, info = look(path, check_mode=check_mode)
        assert (code, info["changed"], info["available"], info["claims"]) == (0, False, True, [])
        assert not path.parent.exists()
    run(path, **CLAIM)
    run(path, state="complete", run_id="r1", outcome="resolved", remedies=[DONE])
    before = path.read_bytes()
    again = {"runbook": "api", "remedies": [{"remedy": "restart_api", "cause": "api_down"}]}
    asked = [{}, again, dict(again, cooldown_seconds=0), {"budget_count": 1}]
    assert [look(path, **params)[1]["status"]["guard"] for params in asked] == ["", "cooldown", "", "budget"]
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "params, says",
    [
        ({}, "state"),
        ({"state": "info"}, "state"),
        ({"state": "claim", "runbook": "api", "remedies": [REMEDY]}, "run_id"),
        (dict(CLAIM, remedies=[]), "remedies"),
        (dict(CLAIM, remedies=[{"remedy": "x"}]), "cause"),
        (dict(CLAIM, lock_seconds=0), "lock_seconds"),
        (dict(CLAIM, budget_count="many"), "budget_count"),
        ({"state": "complete", "run_id": "r1"}, "outcome"),
        ({"state": "complete", "run_id": "r1", "outcome": "fine"}, "outcome"),
        ({"state": "complete", "run_id": "r1", "outcome": "resolved", "remedies": [REMEDY]}, "state"),
        ({"state": "hold"}, "reason"),
        ({"state": "release", "run_id": ""}, "run_id"),
        ({"module": "ledger_info", "state": "info"}, "state"),
        ({"module": "ledger_info", "budget_count": -1}, "budget_count"),
        ({"module": "ledger_info", "runbook": ""}, "runbook"),
        ({"module": "ledger_info", "remedies": [{"remedy": "x"}]}, "cause"),
    ],
)
def test_bad_parameters_fail_and_make_no_file(path, params, says):
    code, result = run(path, **params)
    assert (code, result["failed"]) == (1, True)
    assert says in result["msg"]
    assert not path.parent.exists()


def test_ansible_itself(path):
    # On the command line a template would be evaluated, so this undo has none.
    params = dict(CLAIM, remedies=[dict(REMEDY, undo={"size": [1, None]})])
    status, trial = ansible(path, "--check", **params)
    assert (status, trial["granted"], path.exists()) == ("CHANGED", True, False)
    status, claimed = ansible(path, **params)
    assert (status, claimed["granted"], claimed["changed"]) == ("CHANGED", True, True)
    status, refused = ansible(path, **dict(params, run_id="r2"))
    assert (status, refused["granted"], refused["guard"]) == ("SUCCESS", False, "lock")
    status, info = ansible(path, "--check", module="ledger_info")
    assert (status, info["unfinished"][0]["remedies"][0]["undo"]) == ("SUCCESS", {"size": [1, None]})


def documented(options):
    return {
        name: {
            "type": option["type"],
            "default": option.get("default"),
            "required": option.get("required", False),
            "choices": option.get("choices"),
            "elements": option.get("elements"),
            "options": documented(option.get("suboptions") or option.get("options") or {}),
        }
        for name, option in options.items()
    }


@pytest.mark.parametrize("module, spec", [(ledger, ARGUMENT_SPEC), (ledger_info, INFO_SPEC)])
def test_the_documentation_says_what_the_argument_spec_says(module, spec):
    said = yaml.safe_load(module.DOCUMENTATION)["options"]
    shared = yaml.safe_load(fragment.DOCUMENTATION)["options"]
    assert set(said) & set(shared) == set()
    assert documented({**said, **shared}) == documented(spec)


def test_every_returned_name_is_documented(path):
    steps = [
        CLAIM,
        {"state": "complete", "run_id": "r1", "outcome": "resolved"},
        {"state": "hold", "reason": "x"},
        {"state": "release"},
    ]
    documents = yaml.safe_load(ledger.RETURN)
    returned = {}
    for params in steps:
        for name in set(run(path, **params)[1]) - {"invocation", "changed"}:
            returned.setdefault(name, []).append(params["state"])
    assert set(returned) == set(documents)
    for name, states in returned.items():
        always = documents[name]["returned"] == "always"
        assert len(states) == len(steps) if always else all(s in documents[name]["returned"] for s in states)


def test_every_returned_name_of_a_look_is_documented(path):
    run(path, **CLAIM)
    run(path, state="hold", reason="x")
    documents = yaml.safe_load(ledger_info.RETURN)
    info = look(path)[1]
    assert set(info) - {"invocation", "changed"} == set(documents)
    for name in ("claims", "holds"):
        (record,) = info[name]
        assert set(record) == set(documents[name]["contains"]) == set(documents[name]["sample"][0])
    assert set(info["status"]) == set(documents["status"]["contains"]) == set(documents["status"]["sample"])


def test_the_examples_are_tasks_with_parameters_of_the_module():
    tasks = yaml.safe_load(ledger.EXAMPLES)
    states = {task["oncall.runbooks.ledger"]["state"] for task in tasks}
    assert states == {"claim", "complete", "hold", "release"}
    for task in tasks:
        assert set(task["oncall.runbooks.ledger"]) <= set(ARGUMENT_SPEC)
    for task in yaml.safe_load(ledger_info.EXAMPLES):
        assert set(task["oncall.runbooks.ledger_info"] or {}) <= set(INFO_SPEC)
