# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of acknowledged alerts in ansible-rulebook, with a rulebook as its documentation shows them."""

from __future__ import annotations

import json
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from ansible_collections.oncall.runbooks.tests.support.rulebook import REQUIREMENTS, Rulebook
from ansible_collections.oncall.runbooks.tests.support.serving import HEADERS, TOKEN, alert, notification
from ansible_collections.oncall.runbooks.tests.support.storm import Clients, Storm, in_groups
from ansible_collections.oncall.runbooks.tests.support.supervisord import free_port

VERSION = re.search(r"ansible-rulebook==(\S+)", (REQUIREMENTS / "rulebook.txt").read_text()).group(1)  # type: ignore[union-attr]
RULEBOOK = """\
- name: Fix what alerts tell
  hosts: all
  sources:
    - eda.builtin.webhook:
        host: 127.0.0.1
        port: "{{ port }}"
        token: "{{ token }}"
  rules:
    - name: Fix it
      condition: event.payload.alerts is defined
      action:
        run_playbook:
          name: fix.yml
"""
PLAYBOOK = """\
- hosts: all
  gather_facts: false
  vars:
    alert: "{{ ansible_eda.event.payload.alerts[0] }}"
  tasks:
    - ansible.builtin.debug:
        msg: "{{ alert.annotations.summary }}"
    - ansible.builtin.lineinfile:
        path: "{{ effects }}/{{ alert.fingerprint }}"
        line: "run {{ lookup('ansible.builtin.pipe', 'date +%s%N') }}"
        create: true
        mode: "0600"
"""
INCIDENTS = 15
SETTLED_SECONDS = 20


@dataclass
class Seen:
    """What came of it.

    Attributes:
        rounds: how often it was killed.
        acknowledged: alerts in these rounds, each of which is one of an incident's two.
        without_run: of those, how many of incidents without a run, also after the next start.
        incidents, runs: where it was left alone.
        slowest_seconds: of all acknowledgements.
        template_executed: whether a template in an annotation was.
    """

    rounds: int
    acknowledged: int
    without_run: int
    incidents: int
    runs: int
    slowest_seconds: float
    template_executed: bool


class _Field:
    """One folder with a rulebook, and what its playbook leaves there."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.effects, self.starts = folder, folder / "effects", 0
        self.effects.mkdir(parents=True)
        (folder / "rulebook.yml").write_text(RULEBOOK)
        local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        hosts = {"h000": {**local, "effects": str(self.effects)}}
        (folder / "inventory.json").write_text(json.dumps({"all": {"hosts": hosts}}))

    def start(self, port: int) -> Rulebook:
        self.starts += 1
        folder = self.folder / f"start-{self.starts}"
        folder.mkdir()
        # It copies the whole folder of the playbook into a temporary one.
        temporary = self.folder / f"temporary-{self.starts}"
        temporary.mkdir()
        (folder / "fix.yml").write_text(PLAYBOOK)
        variables, more = {"port": port, "token": TOKEN}, {"TMPDIR": str(temporary)}
        return Rulebook(folder, self.folder / "rulebook.yml", self.folder / "inventory.json", variables, [port], more)

    def send(self, port: int, summary: str) -> Storm:
        """Each incident twice, as two Alertmanagers do."""
        numbers = [*range(INCIDENTS), *range(INCIDENTS)]

        def one(number: int) -> dict[str, object]:
            return alert("h000", fingerprint=f"{number:016x}", annotations={"summary": summary})

        return Clients(port, 10, in_groups(numbers, 1, one, notification), HEADERS).start().join(300)

    def runs(self) -> dict[int, int]:
        """Incident -> how many runs."""
        return {int(file.name, 16): len(file.read_text().splitlines()) for file in self.effects.iterdir()}

    def settle(self) -> None:
        """Until no further run ends for a while."""
        before, since = self.runs(), time.monotonic()
        while time.monotonic() - since < SETTLED_SECONDS:
            time.sleep(0.5)
            if (now := self.runs()) != before:
                before, since = now, time.monotonic()


def kill_after_acknowledging(folder: Path, rounds: int) -> Seen:
    """Kill ansible-rulebook when it has acknowledged everything, start it again, and count the runs.

    Args:
        folder: an empty folder.
        rounds: how often.
    """
    acknowledged = lost = 0
    slowest = 0.0
    for number in range(rounds):
        field = _Field(folder / f"round-{number}")
        port = free_port()
        with field.start(port) as running:
            storm = field.send(port, "Redis is down")
            # Its plays are left alone: only what is in its memory is lost.
            psutil.Process(running.process.pid).kill()
            running.process.wait()
        with field.start(port):
            field.settle()
        found = field.runs()
        acknowledged += len(storm.acknowledged)
        lost += sum(one not in found for one in storm.acknowledged)
        slowest = max(slowest, *storm.seconds)
    field = _Field(folder / "left-alone")
    port = free_port()
    canary = field.folder / "canary"
    with field.start(port):
        storm = field.send(port, "{{ lookup('ansible.builtin.pipe', 'touch " + str(canary) + "') }}")
        field.settle()
    slowest = max(slowest, *storm.seconds)
    runs = field.runs()
    return Seen(rounds, acknowledged, lost, INCIDENTS, sum(runs.values()), slowest, canary.exists())
