# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role incident on a running service: the same as in a folder, through the API, and with a token that is seen nowhere."""

from __future__ import annotations

import json

import pytest

from ansible_collections.oncall.runbooks.tests.support.incident_api import RECORD, TOKENS, Person, with_people
from ansible_collections.oncall.runbooks.tests.support.plays import Player
from lab.ports import free_port

PLAYBOOK = "playbooks/incident.yml"


@pytest.fixture(scope="module")
def serving(tmp_path_factory):
    one = with_people(tmp_path_factory.mktemp("service"))
    try:
        yield one.start()
    finally:
        one.stop()


@pytest.fixture
def ask(serving, tmp_path):
    """Do something to an incident; what the play printed, in which there is no token."""
    player = Player(tmp_path, tmp_path, serving.folder / "inventory.json")

    def asked(command: str, name: str = "", code: int = 0, *, playbook: str = PLAYBOOK, **more: object) -> str:
        told = {
            "incident_url": f"http://127.0.0.1:{serving.port}/",
            "incident_token": TOKENS["ann"],
            **({"incident_do": command, "incident_name": name} if playbook == PLAYBOOK else {}),
            **more,
        }
        play = player.play("-vvv", playbook=playbook, **told)
        assert play.code == code, play.output
        assert not any(token in play.output for token in TOKENS.values())
        return play.output

    return asked


def test_an_incident_from_its_beginning_to_its_post_mortem(serving, ask, tmp_path):
    ann = Person(serving)
    fields = {"title": "checkout is down", "system": "pay", "severity": "P1", "anyway": True}
    for _ in range(2):
        ask("open", incident_fields=fields, incident_request="deploy-4711")
    (one,) = ann.get("/incidents?system=pay")["incidents"]
    name = one["name"]
    ask("update", name, incident_fields={"conditions": "half of it works", "customers": True})
    ask("escalate", name, incident_fields={"targets": ["team lead"], "need": "a decision"})
    assert "unknown field" in ask("note", name, code=2, incident_fields={"colour": "red"})
    none = ask("attach", name, code=2, incident_runs=[str(tmp_path / "runs")])
    assert f"there is no record of a run in {tmp_path}/runs; incident_runs names records" in none
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "20260101T000000Z-cache-1.json").write_text(json.dumps(RECORD))
    for _ in range(2):
        ask("attach", name, incident_runs=[str(tmp_path / "runs")])
    assert ann.get(f"/incidents/{name}")["outcomes"] == {"resolved": 1}
    ask("resolve", name, incident_fields={"how": "rolled back"})
    assert '"state": "resolved"' in ask("show", name)
    ask("close", name)
    assert "closed, and never changes again" in ask("note", name, code=2, incident_fields={"text": "late"})
    ask("postmortem", name, incident_directory=str(tmp_path / "post-mortems"))
    kept = json.loads((tmp_path / "post-mortems" / f"{name}.json").read_text())
    assert kept == ann.get(f"/incidents/{name}/postmortem")
    for end in ("md", "html"):
        file = tmp_path / "post-mortems" / f"{name}.{end}"
        assert file.read_bytes().strip() == ann.ask("GET", f"/incidents/{name}/postmortem.{end}").body.strip()
        assert file.stat().st_mode & 0o077 == 0
    assert {entry["who"] for entry in ann.said(f"/incidents/{name}")} == {"ann"}


def test_what_is_wrong_is_told_in_one_line(serving, ask, tmp_path):
    for command, more, says in (
        ("resolve", {"incident_name": "INC-99", "incident_fields": {"how": "x"}}, "there is no incident"),
        ("open", {"incident_token": "wrong-wrong-wrong-wrong"}, "no valid token"),
        ("open", {"incident_token": ""}, "incident_token is empty"),
        ("open", {"incident_url": f"http://127.0.0.1:{free_port()}"}, "Connection refused"),
        ("postmortem", {"incident_name": "INC-99"}, "say where the post-mortem goes"),
        (
            "postmortem",
            {"incident_name": "INC-99", "incident_directory": str(tmp_path / "none")},
            "there is no incident",
        ),
    ):
        assert says in ask(command, more.pop("incident_name", ""), code=2, **{"incident_fields": {}, **more}), command
    assert not (tmp_path / "none").exists()


def test_a_run_that_needs_a_person_writes_into_the_incident_of_its_system(serving, ask):
    ann = Person(serving)
    told = {
        "run_escalation_tasks": "tell_incident.yml",
        "incident_escalate_to": ["team lead"],
        "system_name": "a shop/1",
        "run_max_risk": "low",
    }
    for _ in range(2):
        ask("show", code=2, playbook="playbooks/cache.yml", **told)
    (one,) = ann.get("/incidents?system=a%20shop%2F1")["incidents"]
    said = [entry["kind"] for entry in ann.said(f"/incidents/{one['name']}")]
    assert said == ["opened", "note", "escalated", "note", "escalated"]
    assert one["runbooks"] == ["cache"] and one["title"].startswith("cache on h000: ")
