# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role incident, for those who have nothing but ansible-playbook: a real fault, and the post-mortem of it out of a folder of records."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.oncall.runbooks.tests.support.from_the_record import invented, unheard
from ansible_collections.oncall.runbooks.tests.support.lab_parts import pids
from ansible_collections.oncall.runbooks.tests.support.schemas import as_documented
from oncall.incidents import postmortem
from oncall.incidents.folder import Folder

PLAYBOOK = "playbooks/incident.yml"


@pytest.fixture
def incident(player, tmp_path):
    """Do something to an incident in the folder; what the play printed."""

    def do(command: str, name: str = "", code: int = 0, who: str = "ann", **more: object) -> str:
        fields = more.pop("fields", {})
        told = {"incident_do": command, "incident_name": name, "incident_fields": fields, "incident_who": who, **more}
        play = player.play(playbook=PLAYBOOK, incident_records=str(tmp_path / "incidents"), **told)
        assert play.code == code, play.output
        return play.output

    return do


def test_a_team_with_only_ansible_has_the_post_mortem_of_a_real_fault(
    healthy_lab, old_transaction, player, incident, tmp_path
):
    incident(
        "open", fields={"title": "customers wait {% raw %}{{ 7 * 7 }}{% endraw %}", "system": "shop", "severity": "P1"}
    )
    incident("acknowledge", "INC-1")
    fixed = player.play(run_escalation_tasks="", db_pool_idle_in_transaction_seconds=5)
    assert fixed.outcome == "resolved", fixed.output
    incident("attach", "INC-1", incident_runs=[str(fixed.record)])
    # Once more, with the whole folder: it is of one already.
    incident("attach", "INC-1", incident_runs=[str(fixed.record.parent)])
    incident("update", "INC-1", fields={"conditions": "it works again", "customers": True})
    incident("resolve", "INC-1", fields={"how": "the session was ended"})
    assert "never changes again" in incident("close", "INC-1") + incident(
        "note", "INC-1", code=2, fields={"text": "late"}
    )
    incident("postmortem", "INC-1", incident_directory=str(tmp_path / "post-mortems"))

    folder = Folder(tmp_path / "incidents")
    document = folder.document("INC-1")
    kinds = [one["kind"] for one in document["timeline"]]
    assert "finding" in kinds and [one for one in kinds if one not in ("finding", "metric")] == [
        "opened", "acknowledged", "plan", "action", "verification", "run", "mitigated", "update", "resolved", "closed",
    ]  # fmt: skip
    (action,) = [one for one in document["timeline"] if one["kind"] == "action"]
    assert (action["data"]["remedy"], action["run"]) == ("end_idle_in_transaction", fixed.run["run_id"])
    # The same as the program makes of the same timeline; and every time and figure in it is of the record.
    found = as_documented("incident_postmortem", (tmp_path / "post-mortems" / "INC-1.json").read_text())
    assert found == json.loads(json.dumps(postmortem.of(document, postmortem.Template.of({})).to_dict()))
    argv = [sys.executable, "-m", "oncall", "incident", "postmortem", "INC-1", "--records", str(tmp_path / "incidents")]
    printed = subprocess.run(argv, capture_output=True, text=True, check=True)
    text = (tmp_path / "post-mortems" / "INC-1.md").read_text()
    assert text == printed.stdout and "the session was ended" in text
    assert invented(document, found) == [] and unheard(document, text) == set()
    page = (tmp_path / "post-mortems" / "INC-1.html").read_text()
    assert "end_idle_in_transaction" in page and "<script" not in page


def test_a_run_that_needs_a_person_opens_the_incident_itself(healthy_lab, player, tmp_path):
    os.kill(pids(healthy_lab)["redis"], signal.SIGSTOP)
    told = {
        "run_escalation_tasks": "tell_incident.yml",
        "incident_records": str(tmp_path / "incidents"),
        "incident_escalate_to": ["team lead"],
    }
    try:
        for _ in range(2):
            blocked = player.play(playbook="playbooks/cache.yml", cache_timeout_seconds=3, run_max_risk="low", **told)
            assert blocked.outcome in ("blocked", "advised"), blocked.output
            assert blocked.run["notes"] == [] or "nobody" not in str(blocked.run["notes"]), blocked.run["notes"]
    finally:
        os.kill(pids(healthy_lab)["redis"], signal.SIGCONT)
    folder = Folder(tmp_path / "incidents")
    (one,) = folder.listed()
    timeline = folder.timeline(one.id)
    assert [entry.kind for entry in timeline].count("run") == 2
    assert {"opened", "finding", "escalated"} <= {entry.kind for entry in timeline}
    assert (one.source, one.runbooks, one.woken) == ("run", ("cache",), {"team lead": 2})


def test_a_check_writes_nothing(player, tmp_path):
    """The module incident_record says what it would do."""
    told = {"incident_records": str(tmp_path / "incidents"), "incident_do": "open", "incident_fields": {"title": "x"}}
    play = player.play("--check", playbook=PLAYBOOK, **told)
    assert play.code == 0 and "open would be written into" in play.output, play.output
    assert not (tmp_path / "incidents").exists()


@pytest.mark.parametrize(
    "more, says",
    [
        ({"incident_records": ""}, "say where incidents are kept"),
        ({"incident_url": "http://127.0.0.1:9"}, "say where incidents are kept"),
        ({"command": "dance"}, "no command 'dance' for a folder of records"),
        ({"fields": {"title": "x", "colour": "red"}}, "open has no field colour"),
        ({"command": "resolve", "name": "INC-7", "fields": {"how": "x"}}, "there is no incident 'INC-7'"),
        ({"command": "resolve", "fields": {"how": "x"}}, "name the incident"),
        ({"command": "attach", "incident_runs": ["/nowhere/run.json"]}, "cannot read the record /nowhere/run.json"),
        # Without it, where ONCALL_RECORD_DIRECTORY says.
        ({"command": "attach"}, "/records: No such file or directory; incident_runs names records of runs"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(player, tmp_path, more, says):
    told = {
        "incident_do": more.pop("command", "open"),
        "incident_name": more.pop("name", ""),
        "incident_fields": more.pop("fields", {"title": "x"}),
    }
    play = player.play(playbook=PLAYBOOK, **{"incident_records": str(tmp_path / "incidents"), **told, **more})
    assert play.code == 2 and says in play.output, play.output
    assert not Path(tmp_path, "incidents").exists() or not [*Path(tmp_path, "incidents").glob("*.jsonl")]
