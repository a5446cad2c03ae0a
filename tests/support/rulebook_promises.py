# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of acknowledged alerts in ansible-rulebook, with a rulebook as its documentation shows them."""

from __future__ import annotations

import json
import random
import re
import sys
import time
from collections.abc import Container, Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil

from ansible_collections.oncall.runbooks.tests.support.environments import REQUIREMENTS
from ansible_collections.oncall.runbooks.tests.support.rulebook import Rulebook
from ansible_collections.oncall.runbooks.tests.support.serving import HEADERS, TOKEN, alert, notification
from ansible_collections.oncall.runbooks.tests.support.storm import Clients, Storm, in_groups
from lab.ports import free_port

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
LIFE_SECONDS = (2.0, 8.0)


@dataclass
class Killed:
    """What became of acknowledged alerts.

    Attributes:
        kills: how often it was killed.
        acknowledged: alerts.
        without_run: of those, how many led to no run, also after the last start.
    """

    kills: int
    acknowledged: int = 0
    without_run: int = 0

    def count(self, storm: Storm, found: Container[int]) -> None:
        self.acknowledged += len(storm.acknowledged)
        self.without_run += sum(one not in found for one in storm.acknowledged)


@dataclass
class Seen:
    """What came of it.

    Attributes:
        during: killed under load, each alert of an incident of its own.
        after: killed when everything was acknowledged, two alerts to an incident.
        runs: of `INCIDENTS`, where it was left alone.
        slowest_seconds: of all acknowledgements.
        template_executed: whether a template in an annotation was.
    """

    during: Killed
    after: Killed
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

    def send(self, port: int, numbers: Iterable[int], clients: int, summary: str = "Redis is down") -> Clients:
        """An alert of each of these incidents."""

        def one(number: int) -> dict[str, object]:
            return alert("h000", fingerprint=f"{number:016x}", annotations={"summary": summary})

        return Clients(port, clients, in_groups(numbers, 1, one, notification), HEADERS).start()

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


def _kill(running: Rulebook) -> None:
    # Its plays are left alone: only what is in its memory is lost.
    psutil.Process(running.process.pid).kill()
    running.process.wait()


def _twice() -> list[int]:
    """Each incident, as two Alertmanagers tell it."""
    return [*range(INCIDENTS), *range(INCIDENTS)]


def _under_load(folder: Path, kills: int) -> tuple[Killed, Storm]:
    """Kill it at random moments while clients send, and start it again."""
    field, port, killed = _Field(folder), free_port(), Killed(kills)
    sending: Clients | None = None
    for _number in range(kills):
        with field.start(port) as running:
            sending = sending or field.send(port, range(10**9), clients=20)
            time.sleep(random.uniform(*LIFE_SECONDS))
            _kill(running)
    assert sending is not None
    storm = sending.stop()
    with field.start(port):
        field.settle()
    killed.count(storm, field.runs())
    return killed, storm


def _after_acknowledging(folder: Path, rounds: int) -> tuple[Killed, list[Storm]]:
    """Kill it when it has acknowledged everything, and start it again."""
    killed, storms = Killed(rounds), []
    for number in range(rounds):
        field, port = _Field(folder / f"round-{number}"), free_port()
        with field.start(port) as running:
            storms.append(field.send(port, _twice(), clients=10).join(300))
            _kill(running)
        with field.start(port):
            field.settle()
        killed.count(storms[-1], field.runs())
    return killed, storms


def see(folder: Path, rounds: int, kills: int) -> Seen:
    """Do to ansible-rulebook what is done to the service.

    Args:
        folder: an empty folder.
        rounds: how often it is killed after everything was acknowledged.
        kills: how often it is killed under load.
    """
    during, storm = _under_load(folder / "during", kills)
    after, storms = _after_acknowledging(folder / "after", rounds)
    field, port = _Field(folder / "left-alone"), free_port()
    canary = field.folder / "canary"
    with field.start(port):
        template = "{{ lookup('ansible.builtin.pipe', 'touch " + str(canary) + "') }}"
        alone = field.send(port, _twice(), 10, template).join(300)
        field.settle()
    slowest = max(seconds for one in (storm, *storms, alone) for seconds in one.seconds)
    return Seen(during, after, sum(field.runs().values()), slowest, canary.exists())
