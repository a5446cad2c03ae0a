# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runbook break_glass on a real system that is read-only; and a remedy of another runbook that needs a token."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.oncall.runbooks.tests.support.plays import QUICK, Play, Player, on_host
from ansible_collections.oncall.runbooks.tests.support.read_only_system import PASSWORD, ReadOnlySystem
from ansible_collections.oncall.runbooks.tests.support.waiting import until

WANTED = {
    "break_glass_write": "release_orders",
    "break_glass_reason": "INC-42 orders are stuck",
    "run_max_risk": "high",
}


@pytest.fixture
def system() -> Iterator[ReadOnlySystem]:
    running = ReadOnlySystem()
    yield running
    running.close()


@pytest.fixture
def play(tmp_path, system) -> Callable[..., Play]:
    return on_host(tmp_path, "break_glass", {"system_break_glass": system.settings(), "run_verify_timeout_seconds": 5})


def secretless(played: Play, system: ReadOnlySystem, folder: Path) -> None:
    """Neither the password nor a token is in what a play printed or left behind."""
    texts = [played.output, json.dumps(played.runs)]
    for path in folder.rglob("*"):
        # What the test gave the play is no artifact of it.
        if path.is_file() and path.name not in ("inventory.json", "variables.json"):
            texts.append(path.read_bytes().decode(errors="replace"))
    for secret in (PASSWORD, *(one["token"] for one in system.tokens.values())):
        assert not [text for text in texts if secret in text]


@pytest.mark.covers("PD-7-1")
def test_a_write_while_the_system_is_read_only(system, play, tmp_path):
    well = play()
    assert (well.code, well.outcome) == (0, "healthy"), well.output
    assert "the system is read-only" in well.run["summary"]

    checked = play("--check", **WANTED)
    assert (checked.outcome, checked.causes(), system.tokens) == ("planned", ["write_wanted"], {}), checked.output

    blocked = play(**{**WANTED, "run_max_risk": "medium"})
    assert (blocked.outcome, system.tokens, system.orders) == ("blocked", {}, "held"), blocked.output

    fixed = play("-vvv", **WANTED)
    assert (fixed.code, fixed.outcome, system.orders) == (0, "resolved", "released"), fixed.output
    (given,) = system.tokens.values()
    assert given["reason"].startswith("INC-42 orders are stuck")
    assert given["minutes"] == 10
    assert system.open_ones() == {}
    record = fixed.run["actions"][0]["details"]["break_glass"]
    assert (record["why"], record["state"], record["how"]) == ("INC-42 orders are stuck", "revoked", "after the task")
    assert record["who"]
    assert record["given_at_seconds"] < record["revoked_at_seconds"]
    secretless(fixed, system, tmp_path)

    again = play(**WANTED)
    assert (again.outcome, again.run["actions"], len(system.tokens)) == ("healthy", [], 1), again.output


@pytest.mark.covers("PD-7-1")
def test_a_write_that_fails_leaves_no_token(system, play, tmp_path):
    system.refuses["/v1/orders/release"] = 500
    played = play("-vvv", **WANTED)
    assert (played.code, played.outcome, system.orders) == (2, "unresolved", "held"), played.output
    assert len(system.tokens) == 1
    assert system.open_ones() == {}
    assert "answers 500" in json.dumps(played.run)
    secretless(played, system, tmp_path)


@pytest.mark.covers("PD-7-1")
def test_a_play_that_is_killed_leaves_no_token(system, tmp_path):
    state = tmp_path / "oncall"
    state.mkdir()
    system.holds_seconds = 600
    host = {**QUICK, "system_state_directory": str(state), "system_break_glass": system.settings()}
    inventory = tmp_path / "inventory.json"
    inventory.write_text(json.dumps({"all": {"hosts": {"stack": host}}}))
    player = Player(tmp_path, tmp_path)
    arguments = {"playbook": "playbooks/break_glass.yml", "run_hosts": "stack", "as_program": True, **WANTED}
    started = player.start("-i", str(inventory), **arguments)
    until(lambda: ("POST", "/v1/orders/release") in system.asked, 240)
    assert len(system.open_ones()) == 1
    for pid in [*below(started.process.pid), started.process.pid]:
        # What is in a session of its own belongs to nobody that is killed here: the process that keeps the token.
        if os.getsid(pid) == os.getsid(started.process.pid):
            os.kill(pid, signal.SIGKILL)
    started.process.wait()
    until(lambda: system.open_ones() == {})
    (entry,) = [json.loads(path.read_text()) for path in (state / "break_glass").iterdir()]
    until(lambda: json.loads(next((state / "break_glass").iterdir()).read_text())["state"] == "revoked")
    assert entry["reference"]


def below(pid: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == pid:
            found += [*below(int(path.name)), int(path.name)]
    return found


def test_a_token_that_was_left_is_revoked_and_one_of_a_person_is_not(system, play, tmp_path):
    folder = tmp_path / "oncall" / "break_glass"
    folder.mkdir(mode=0o700)
    basic = {"authorization": f"Basic {encoded()}"}
    system.said("POST", "/v1/admin/break-glass/start", {"reason": "a person's", "ttl_minutes": 30}, basic)
    system.said("POST", "/v1/admin/break-glass/start", {"reason": f"x [oncall {'ab' * 8}]", "ttl_minutes": 30}, basic)
    ours = next(key for key, one in system.tokens.items() if "oncall" in one["reason"])
    at = system.tokens[ours]["given_at"]
    record = {
        "reference": "ab" * 8,
        "who": "alice",
        "why": "INC-41",
        "state": "open",
        "id": ours,
        "how": "",
        "revoked_at_seconds": None,
    }
    (folder / f"{'ab' * 8}.json").write_text(
        json.dumps({**record, "given_at_seconds": at, "expires_at_seconds": at + 1800})
    )
    checked = play("--check")
    assert (checked.outcome, checked.causes(), len(system.open_ones())) == ("planned", ["tokens_left"], 2), (
        checked.output
    )
    fixed = play()
    assert (fixed.code, fixed.outcome) == (0, "resolved"), fixed.output
    assert [one["reason"] for one in system.open_ones().values()] == ["a person's"]
    assert play().outcome == "healthy"


def encoded() -> str:
    import base64

    return base64.b64encode(f"admin:{PASSWORD}".encode()).decode()


def test_a_remedy_of_another_runbook_gets_a_token_where_its_cause_needs_one(system, tmp_path):
    """The role connector sends the request of a remedy, with the step that the role run gives it."""
    connectors = {
        "app": {
            "source": "command",
            "look": ["true"],
            "requests": {"sync": {"url": f"{system.url}/v1/orders/release"}},
        }
    }
    cause: dict[str, Any] = {
        "when": True,
        "summary": "orders are held",
        "remedy": "write_orders",
        "risk": "high",
        "targets": "{{ [{'source': 'app'}] }}",
        "advice": "look",
    }
    role = small_runbook(tmp_path, cause)
    variables = {**QUICK, "system_state_directory": str(tmp_path / "state"), "system_connectors": connectors}
    (tmp_path / "state").mkdir(mode=0o700)
    inventory = tmp_path / "inventory.json"
    inventory.write_text(
        json.dumps({"all": {"hosts": {"stack": {**variables, "system_break_glass": system.settings()}}}})
    )
    player = Player(tmp_path, tmp_path)
    without = player.play("-i", str(inventory), playbook=str(role))
    assert (without.code, system.tokens, system.orders) == (2, {}, "held"), without.output
    assert "read-only" in without.output

    needing = small_runbook(
        tmp_path, {**cause, "needs": {"break_glass": {"reason": "INC-42 orders are stuck", "ttl_seconds": 60}}}
    )
    done = player.play("-i", str(inventory), "-vvv", playbook=str(needing))
    assert (done.code, system.orders, system.open_ones()) == (0, "released", {}), done.output
    (given,) = system.tokens.values()
    assert given["minutes"] == 1
    secretless(done, system, tmp_path)


def small_runbook(folder: Path, cause: dict[str, Any]) -> Path:
    """A play with what role run does of a step: its remedy, with the needs of its cause."""
    step = {
        "remedy": "write_orders",
        "cause": "orders_held",
        "risk": "high",
        "targets": [{"source": "app"}],
        "undo": None,
    }
    tasks = [
        {
            "name": "Act as the role run does",
            "ansible.builtin.include_role": {"name": "oncall.runbooks.connector"},
            "vars": {
                "run_step": {**step, **({"needs": cause["needs"]} if "needs" in cause else {})},
                "connector_targets": [{"source": "app"}],
                "connector_verb": "sync",
                "run_owner": "alice",
            },
        }
    ]
    path = folder / "small.yml"
    path.write_text(json.dumps([{"name": "Small", "hosts": "stack", "gather_facts": False, "tasks": tasks}]))
    return path
