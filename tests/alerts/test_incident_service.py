# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running service: an alert -> a run -> the incident with all of it, which people see and change while the service runs."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from ansible_collections.oncall.runbooks.tests.support.schemas import as_documented
from ansible_collections.oncall.runbooks.tests.support.serving import Serving, alert
from ansible_collections.oncall.runbooks.tests.support.waiting import until


def incident(serving: Serving, command: str, *arguments: str) -> Any:
    argv = [sys.executable, "-m", "oncall", "incident", command, *arguments, "--json"]
    done = subprocess.run(argv, env=serving.environment, cwd=serving.folder, capture_output=True, text=True, check=True)
    return as_documented(f"incident_{command}", done.stdout)


def test_from_an_alert_to_an_incident_that_tells_all_of_it(tmp_path):
    serving = Serving(tmp_path, hosts=2, incidents={"systems": {"shop": ["web"]}})
    try:
        serving.start()
        for host in serving.hosts:
            serving.send(alert(host.name))
        for host in serving.hosts:
            assert serving.until_state(host, "ended")["outcome"] == "resolved"
        until(lambda: [one["outcomes"] for one in incident(serving, "list")] == [{"resolved": 2}], seconds=120)
        # While the service runs, a person does something to the same one.
        incident(serving, "ack", "1")
        incident(serving, "note", "1", "seen")
        told = incident(serving, "show", "1")
        known, timeline = told["incident"], told["timeline"]
        assert (known["system"], known["count"], known["state"]) == ("shop", 2, "mitigated")
        assert (sorted(known["hosts"]), known["runbooks"]) == (["h000", "h001"], ["cache"])
        assert (known["helped"], known["not_helped"]) == (2, 0)
        kinds = [one["kind"] for one in timeline]
        assert kinds[0] == "opened" and kinds.count("run") == 2 and kinds.count("mitigated") == 1
        for kind in ("alert", "finding", "plan", "action", "verification", "acknowledged", "note"):
            assert kind in kinds, kind
        episodes = {one["id"] for one in serving.episodes()}
        assert {one["run"].rpartition("r")[0] for one in timeline if one["kind"] == "run"} == episodes
        assert incident(serving, "verify")["sound"] is True
        # What has a record of its own is not attached again.
        assert {one["incident"] for one in incident(serving, "attach")} == {""}
        before = json.dumps(told)
    finally:
        serving.stop()
    # Without the service, it is the same; and a restart changes nothing.
    assert json.dumps(incident(serving, "show", "1")) == before
    try:
        serving.start()
        for _ in range(2):
            serving.send(alert(serving.hosts[0].name, number=1))
        serving.until_state(serving.hosts[0], "ended", number=1)
        until(lambda: incident(serving, "list")[0]["count"] == 3, seconds=120)
        assert len(incident(serving, "list")) == 1
    finally:
        serving.stop()


def test_what_people_decide_at_a_shell_is_in_the_timeline(tmp_path):
    serving = Serving(
        tmp_path, hosts=2, runbooks={"cache": {"mode": "approve"}}, incidents={"systems": {"shop": ["web"]}}
    )
    one, two = serving.hosts
    try:
        serving.start()
        for host in serving.hosts:
            serving.send(alert(host.name))
        waiting = {host.name: serving.until_state(host, "waiting") for host in serving.hosts}
        asked = waiting[one.name]
        # Nobody is told of it here, and the timeline says why.
        until(
            lambda: (
                "not told: the plan that waits, because the inventory says of nobody who is to be told of shop"
                in [entry["words"] for entry in incident(serving, "timeline", "1")]
            ),
            seconds=60,
        )
        shown = serving.command("episode", asked["id"]).stdout
        assert f"oncall approve {asked['id'][:12]} --plan {asked['plan_hash']}" in shown
        done = serving.command(
            "approve", asked["id"][:12], "--plan", asked["plan_hash"], "--reason", "it is down", "--json"
        )
        approved = as_documented("approve", done.stdout)
        done = serving.command("reject", waiting[two.name]["id"], "--reason", "it is moved", "--json")
        rejected = as_documented("reject", done.stdout)
        # At once, and not when the run has ended.
        timeline = incident(serving, "timeline", "1")
        for told, decision, host in ((approved, "approved", one), (rejected, "rejected", two)):
            (entry,) = [one for one in timeline if one["number"] == told["entry"]]
            assert (entry["kind"], entry["who"], told["incident"]) == ("approval", told["who"], "INC-1")
            assert (entry["data"]["decision"], entry["data"]["host"]) == (decision, host.name)
        assert serving.until_state(one, "ended")["outcome"] == "resolved"
        assert serving.one(two)["summary"] == f"rejected by {rejected['who']}: it is moved"
        assert (one.effects(), two.effects()) == (1, 0)
        until(lambda: incident(serving, "list")[0]["outcomes"].get("resolved") == 1, seconds=120)
        kinds = [one["kind"] for one in incident(serving, "timeline", "1")]
        assert kinds.count("approval") == 2
        (plan, *_) = [one for one in incident(serving, "timeline", "1") if one["kind"] == "plan"]
        lines = plan["data"]["diff"].splitlines()
        assert lines[0].startswith("restart_redis for ") and [one[:2] for one in lines[1:3]] == ["- ", "+ "]
        told = serving.command("incident", "postmortem", "1").stdout
        assert lines[1] in told and "it is moved" in told
    finally:
        serving.stop()
