# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fault in the lab, a rule that fires, Alertmanager, ``oncall serve``, a proven fix, and the alert is over: all of it real."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.oncall.runbooks.tests.support.plays import REPOSITORY
from ansible_collections.oncall.runbooks.tests.support.serving import Serving, alert
from ansible_collections.oncall.runbooks.tests.support.waiting import until
from lab.tools.alertmanager import Alertmanager

HURRIED = {"run_confirm_seconds": 1, "run_verify_seconds": 2, "run_verify_every_seconds": 1}


@pytest.fixture
def serving(healthy_lab, tmp_path, monkeypatch) -> Iterator[Serving]:
    """The service, which knows the lab."""
    monkeypatch.setenv("LAB_HOME", str(healthy_lab.home))
    folder = tmp_path / "serve"
    folder.mkdir()
    found = Serving(
        folder,
        hosts=0,
        inventories=[str(REPOSITORY / "inventories" / "lab")],
        keep_environment=["LAB_HOME"],
        runbooks={"db_pool": {"mode": "auto"}},
    )
    try:
        yield found.start()
    finally:
        found.stop()


def silence(alertmanager: Alertmanager, comment: str) -> None:
    """Everything of the lab, for an hour."""
    now = datetime.now(UTC)
    told: dict[str, Any] = {
        "matchers": [{"name": "instance", "value": "lab", "isRegex": False, "isEqual": True}],
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(hours=1)).isoformat(),
        "createdBy": "a test",
        "comment": comment,
    }
    body = json.dumps(told).encode()
    url = f"{alertmanager.url}/api/v2/silences"
    with urllib.request.urlopen(urllib.request.Request(url, body, {"Content-Type": "application/json"})) as answer:
        assert answer.status == 200


def test_from_the_fault_to_the_end_of_the_alert(healthy_lab, serving, prometheus):
    healthy_lab.inject("idle_in_transaction")
    until(lambda: [one for one in serving.episodes() if one["outcome"] == "resolved"], seconds=120)
    (fixed,) = [one for one in serving.episodes() if one["outcome"] == "resolved"]
    assert (fixed["runbook"], fixed["host"], fixed["runs"]) == ("db_pool", "lab", 1), fixed
    until(lambda: all(one["resolved_at"] is not None for one in serving.episodes()))
    until(lambda: all(one["state"] == "ended" for one in serving.episodes()))
    # On a machine that is slow, an alert may be over for a moment and begin a second episode.
    others = {one["outcome"] for one in serving.episodes() if one["id"] != fixed["id"]}
    assert others <= {"closed", "healthy"}
    # The alert that always fires came too, and is no episode.
    assert "oncall_watchdog_age_seconds" in serving.get("/metrics")[1]
    assert serving.store().quarantine() == []


def test_what_somebody_silenced_is_left_alone(healthy_lab, serving, alertmanager, prometheus, tmp_path: Path):
    serving.reload(alertmanager={"url": alertmanager.url})
    serving.command("pause", "--reason", "until it is silenced")
    healthy_lab.inject("idle_in_transaction")
    until(lambda: [one for one in serving.episodes() if one["reason"]])
    silence(alertmanager, "a person is at it")
    until(lambda: [one for one in alertmanager.alerts() if one["status"]["silencedBy"]])
    serving.command("resume")
    until(lambda: "silenced in Alertmanager by" in serving.episodes()[0]["reason"])
    alertmanager.stop()
    until(lambda: "nobody knows what is silenced" in serving.episodes()[0]["reason"])
    assert serving.episodes()[0]["runs"] == 0


def test_a_runbook_that_is_handed_over_to_keeps_its_own_mode(healthy_lab, serving):
    """db_down may act by itself, and finds that db_pool has to, about which a person is to be asked."""
    modes = {"db_down": {"mode": "auto", "variables": HURRIED}, "db_pool": {"mode": "approve"}}
    serving.reload(runbooks=modes)
    healthy_lab.inject("max_connections")
    serving.send(alert("lab", labels={"runbook": "db_down"}))
    until(lambda: serving.episodes("waiting") != [], told=lambda: str(serving.episodes())[-3000:])
    (waiting,) = serving.episodes()
    assert (waiting["outcome"], waiting["runbook"]) == ("blocked", "db_down")
    assert "db_pool may not act in this run" in waiting["summary"]
    assert healthy_lab.there("max_connections")[0]

    assert serving.command("approve", waiting["id"]).returncode == 0
    (ended,) = serving.ended()
    assert (ended["outcome"], ended["runs"]) == ("resolved", 2), ended["summary"]
    assert not healthy_lab.there("max_connections")[0]
    # It is the proof of the runbook whose remedy it was.
    assert serving.command("proven").stdout.splitlines() == ["db_pool\tlab\t1 of 1\t0"]
