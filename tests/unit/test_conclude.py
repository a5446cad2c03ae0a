"""What the action conclude publishes."""

from __future__ import annotations

import pytest
from ansible import constants
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins.loader import connection_loader
from ansible.template import Templar
from ansible.utils.display import Display

from ansible_collections.oncall.runbooks.plugins.action.conclude import ActionModule, begun_by
from ansible_collections.oncall.runbooks.plugins.module_utils.text.one_line import inert
from ansible_collections.oncall.runbooks.plugins.plugin_utils import lifecycle

OPTIONS = {
    "check": False,
    "until": "verify",
    "max_risk": "medium",
    "plan": [],
    "override": "",
    "needs_plan": False,
    "launched": "",
    "host": "",
    "may_act": ["all"],
    "above": [],
}
EVIL = "{{ lookup('pipe', 'touch /tmp/x') }}{% raw %}{# x #}\x1b[2J"


def diagnosis(id_: str, status: str, text: str = "") -> dict:
    return {
        "id": id_,
        "runbook": "r",
        "host": "h",
        "at": 1.0,
        "status": status,
        "msg": f"found {text}",
        "findings": [{"cause": "a", "status": "problem" if status == "problem" else "ok", "evidence": [text]}],
        "plan": {"steps": [], "hash": "pa", "risk": "none"},
        "health": [],
        "not_looked_at": [],
        "evidence": {text: text},
    }


def conclude(**arguments):
    task = Task()
    task.args = {"concluded": "", **arguments}
    loader = DataLoader()
    action = ActionModule(
        task=task,
        connection=connection_loader.get("ansible.builtin.local", PlayContext()),
        play_context=None,
        loader=loader,
        templar=Templar(loader=loader, variables={}),
        shared_loader_obj=None,
    )
    return action.run(task_vars={})


def test_text_from_outside_is_no_template_in_what_is_published():
    found = diagnosis("one", "problem", EVIL)
    state = lifecycle.begin(found, OPTIONS)
    result = conclude(diagnosis=found, state=dict(state, outcome="advised"))
    text = str(result["ansible_stats"])
    assert "lookup" in text
    assert not any(start in text for start in ("{{", "{%", "{#", "\x1b"))


@pytest.mark.parametrize("text", ["{{{ a", "{{% b", "{{{{{", "{#{{", "{", "a {b} c"])
def test_inert_leaves_no_template_start(text):
    assert not any(start in inert(text) for start in ("{{", "{%", "{#"))


def test_published_by_host_and_runbook():
    result = conclude(diagnosis=diagnosis("one", "healthy"), state={})
    assert result["ansible_stats"]["data"]["oncall"]["h"]["r"]["outcome"] == "healthy"
    assert result["ansible_stats"]["aggregate"] is True


def test_a_state_concluded_before_belongs_to_an_earlier_runbook_of_the_play():
    state = dict(lifecycle.begin(diagnosis("one", "problem"), OPTIONS), outcome="advised")
    first = conclude(diagnosis=diagnosis("one", "problem"), state=state)
    assert (first["run"]["outcome"], first["state_id"]) == ("advised", "one")
    second = conclude(diagnosis=diagnosis("two", "healthy"), state=state, concluded="one")
    assert second["run"]["outcome"] == "healthy"
    third = conclude(diagnosis=diagnosis("three", "healthy"), state=state, concluded=second["state_id"])
    assert third["run"]["outcome"] == "healthy"


@pytest.mark.parametrize(("enabled", "lines"), [([], 1), (["oncall.runbooks.record"], 0), (["other.one"], 1)])
def test_without_the_callback_the_result_is_seen_all_the_same(enabled, lines, monkeypatch):
    said = []
    monkeypatch.setattr(constants, "CALLBACKS_ENABLED", enabled)
    monkeypatch.setattr(Display, "display", lambda self, text, **more: said.append(text))
    conclude(diagnosis=diagnosis("one", "healthy", "all well\n\x1b[2J"), state={})
    assert len(said) == lines
    assert [line for line in said if "\n" in line or "\x1b" in line or "h : healthy: found all well" not in line] == []


@pytest.mark.parametrize(
    ("roles", "who"),
    [
        ([], ""),
        (["oncall.runbooks.cache"], ""),
        (["oncall.runbooks.cache", "oncall.runbooks.triage"], "triage"),
        (["oncall.runbooks.cache", "oncall.runbooks.run", "oncall.runbooks.error_rate"], "error_rate"),
    ],
)
def test_who_began_a_run(roles, who):
    assert begun_by(roles, "cache") == who
