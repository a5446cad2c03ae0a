# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``oncall serve`` promises, as experiments that give figures: short in the tests, long in ``make soak``."""

from __future__ import annotations

import json
import random
import signal
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import psutil

from ansible_collections.oncall.runbooks.tests.support.serving import (
    HEADERS,
    Serving,
    alert,
    notification,
    wait_until_empty,
)
from ansible_collections.oncall.runbooks.tests.support.storm import Clients, Storm, in_groups
from ansible_collections.oncall.runbooks.tests.support.waiting import until

PAUSE = "the experiment is about what is kept"


def _numbered(number: int) -> dict[str, object]:
    return alert(f"h{number % 2:03}:6379", fingerprint=f"{number:016x}")


@dataclass
class Kept:
    """What came of killing the service under load.

    Attributes:
        kills, terminations: how often it was ended with SIGKILL and with SIGTERM.
        acknowledged: alerts.
        lost: acknowledged alerts that no episode is of.
        doubled: episodes that no alert was acknowledged for more than once, but are there more than once.
        storm: what the clients saw.
    """

    kills: int
    terminations: int
    acknowledged: int
    lost: int
    doubled: int
    storm: Storm


def keep_under_kills(
    folder: Path, kills: int, terminations: int, clients: int, least: int, seconds: tuple[float, float], group: int = 5
) -> Kept:
    """Kill the service at random moments while clients send; start it again; count what is there in the end.

    Args:
        folder: an empty folder.
        kills: with SIGKILL.
        terminations: with SIGTERM.
        clients: at once.
        least: alerts that have to be acknowledged before it ends.
        seconds: the shortest and the longest life.
        group: alerts to a notification.
    """
    serving = Serving(folder, hosts=2)
    (folder / "state").mkdir(mode=0o700)
    (folder / "state" / "pause").write_text(PAUSE)
    ends = [signal.SIGKILL] * kills + [signal.SIGTERM] * terminations
    random.shuffle(ends)
    sending = Clients(serving.port, clients, in_groups(range(10**9), group, _numbered, notification), HEADERS)
    try:
        serving.start()
        sending.start()
        for number in ends:
            time.sleep(random.uniform(*seconds))
            assert serving.process is not None
            serving.process.send_signal(number)
            serving.process.wait(180)
            serving.start()
        until(lambda: sending.count >= least, seconds=600)
        storm = sending.stop()
        wait_until_empty(serving, seconds=600)
        found = [episode["fingerprint"] for episode in serving.episodes()]
    finally:
        sending.stop()
        serving.stop()
    acknowledged = {f"{number:016x}" for number in storm.acknowledged}
    lost, doubled = len(acknowledged - {*found}), len(found) - len({*found})
    return Kept(kills, terminations, len(acknowledged), lost, doubled, storm)


@dataclass
class Cut:
    """What came of killing the service while it ran runbooks.

    Attributes:
        kills: how often.
        begun: of them, when the remedy had begun.
        twice: hosts on which a remedy was begun more than once.
        orphans: processes of runs that lived on.
        outcomes: how the episodes ended -> how many.
    """

    kills: int
    begun: int
    twice: int
    orphans: int
    outcomes: dict[str, int]


def cut_in_half(folder: Path, kills: int, during_remedy: bool) -> Cut:
    """Kill the service, start it again, and see what it does with the rest.

    Args:
        folder: an empty folder.
        kills: each on a host of its own.
        during_remedy: at a random moment of the remedy; else at one of the whole run, or after it.
    """
    # Where it is to be cut off, so long that also a busy machine does that in time.
    remedy_seconds = 6 if during_remedy else 1.5
    serving = Serving(folder, hosts=kills, pause_seconds=remedy_seconds)
    begun = orphans = 0
    try:
        serving.start()
        for number, host in enumerate(serving.hosts):
            assert serving.send(alert(host.name, number, fingerprint=f"{number:016x}")) == 202
            if during_remedy:
                until(host.effects)
                time.sleep(random.uniform(0, remedy_seconds / 4))
            else:
                time.sleep(random.uniform(0.1, 4.0))
            serving.kill()
            begun += host.effects() > 0
            serving.start()
            serving.ended(number + 1, seconds=240)
            orphans += len(serving.processes())
        outcomes = Counter(episode["outcome"] for episode in serving.episodes())
        effects = [host.effects() for host in serving.hosts]
    finally:
        serving.stop()
    return Cut(kills, begun, sum(count > 1 for count in effects), orphans, dict(outcomes))


@dataclass
class Busy:
    """What acknowledging costs while everything else is busy.

    Attributes:
        alerts: that were sent, each in a notification of its own.
        storm: what the clients saw.
        memory_bytes: the most that the process had.
        idle_cpu_ratio: of one processor, with nothing to do.
    """

    alerts: int
    storm: Storm
    memory_bytes: int
    idle_cpu_ratio: float


def _most_memory_bytes(pid: int) -> int:
    """The most that a process had resident since it was started."""
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


@dataclass
class Swollen:
    """What large bodies make of the memory of the process.

    Attributes:
        refused_ratio: what refused bodies took at most, in their own size.
        before_bytes: after the first small notification.
        peak_bytes: the most that good bodies took, all at once.
        after_bytes: some seconds after the last of them was sorted.
        held_seconds: the longest that another request had to wait.
    """

    refused_ratio: float = 0.0
    before_bytes: int = 0
    peak_bytes: int = 0
    after_bytes: int = 0
    held_seconds: float = 0.0


HOSTILE = {
    "ones": (b'{"version":"4","alerts":[', b"1,", b"]}"),
    "mappings": (b'{"version":"4","alerts":[', b"{},", b"]}"),
    "lists in a list": (b'{"version":"4","alerts":[[', b"[],", b"]]}"),
    "labels": (b'{"version":"4","alerts":[{"labels":{', b'"":"",', b"}}]}"),
    "elsewhere": (b'{"version":"4","truncatedAlerts":1,"alerts":[1],"receiver":[', b"{},", b"]}"),
    "a version": (b'{"alerts":[],"version":"\xf0\x9f\x98\x80', b"x", b'"}'),
    "a text": (b'{"version":"4","alerts":[{"labels":{"a":"\xf0\x9f\x98\x80', b"x", b'"}}]}'),
    "no mapping": (b"[", b"{},", b"]"),
    "depth": (b"", b"[", b""),
}


def swell(folder: Path, size_bytes: int, good: int) -> Swollen:
    """Send bodies that are made to become large, then good ones at once.

    Args:
        folder: an empty folder.
        size_bytes: of each body.
        good: so many good ones.
    """
    serving = Serving(folder)
    (folder / "state").mkdir(mode=0o700)
    (folder / "state" / "pause").write_text(PAUSE)
    found = Swollen()
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.01):
            began = time.monotonic()
            serving.get("/healthz")
            found.held_seconds = max(found.held_seconds, time.monotonic() - began)

    looking = threading.Thread(target=look, daemon=True)
    try:
        serving.start()
        looking.start()
        assert serving.process is not None
        process = psutil.Process(serving.process.pid)
        for number, (before, unit, after) in enumerate(HOSTILE.values()):
            assert serving.send(_numbered(number)) == 202
            at_first = _most_memory_bytes(process.pid)
            body = before + (unit * ((size_bytes - len(before) - len(after)) // len(unit))).rstrip(b",") + after
            serving.request("POST", "/alerts", body)
            found.refused_ratio = max(found.refused_ratio, (_most_memory_bytes(process.pid) - at_first) / len(body))
        wait_until_empty(serving)
        found.before_bytes = process.memory_info().rss
        texts = {f"text{number}": "x" * 100 for number in range(36)}
        count = size_bytes // len(json.dumps(_numbered(0) | {"annotations": texts}))
        groups = [
            [_numbered(one * count + number) | {"annotations": texts} for number in range(count)] for one in range(good)
        ]
        bodies = ((numbers, notification(group)) for numbers, group in enumerate(groups))
        Clients(serving.port, good, (([number], body) for number, body in bodies), HEADERS).start().join(60)
        wait_until_empty(serving)
        found.peak_bytes = _most_memory_bytes(process.pid)
        time.sleep(12)
        found.after_bytes = process.memory_info().rss
    finally:
        over.set()
        serving.stop()
    return found


@dataclass
class HeldBack:
    """What an alert waits for while others are held back.

    Attributes:
        seconds: until its run began, from when it was sent.
        without_reason: so many of the others do not say why they wait.
    """

    seconds: float
    without_reason: int


def hold_back(folder: Path, count: int) -> HeldBack:
    """Have a window hold back ``count`` episodes of one host, then send an alert of another."""
    window = {
        "reason": "the move",
        "begins_at": "2020-01-01T00:00:00Z",
        "ends_at": "2090-01-01T00:00:00Z",
        "hosts": ["h000"],
    }
    serving = Serving(folder, hosts=2, maintenance=[window])
    try:
        serving.start()
        groups = in_groups(
            range(count), 9000, lambda number: alert("h000", number, fingerprint=f"{number:016x}"), notification
        )
        Clients(serving.port, 1, groups, HEADERS).start().join(120)
        wait_until_empty(serving)
        store = serving.store()
        try:
            held = ("cache",)
            until(lambda: store.counts()["held_back"].get(held, 0) == count, seconds=180)
            began = time.monotonic()
            assert serving.send(alert("h001")) == 202
            until(lambda: store.running() > 0, seconds=60)
            seconds = time.monotonic() - began
            return HeldBack(seconds, count - store.counts()["held_back"].get(held, 0))
        finally:
            store.close()
    finally:
        serving.stop()


def acknowledge_while_busy(
    folder: Path, alerts: int, clients: int, queued: int, idle_seconds: float, settled_seconds: float = 3
) -> Busy:
    """Send alerts while all workers are busy and ``queued`` episodes wait; then watch the service do nothing.

    Args:
        folder: an empty folder.
        alerts, clients, queued: how many.
        idle_seconds: for so long it is watched.
        settled_seconds: so long after its start. In its first minute the library of workflows asks for its schedules every second.
    """
    hosts = 4
    serving = Serving(folder, hosts=hosts, pause_seconds=20)
    try:
        serving.start()
        process = psutil.Process(serving.process.pid if serving.process else 0)
        waiting = [alert(f"h{number % hosts:03}", number, fingerprint=f"{number:016x}") for number in range(queued)]
        assert serving.send(*waiting) == 202
        until(lambda: len(serving.episodes("running")) >= 2)
        numbers = range(queued, queued + alerts)
        storm = (
            Clients(serving.port, clients, in_groups(numbers, 1, lambda n: _numbered(n), notification), HEADERS)
            .start()
            .join(300)
        )
        wait_until_empty(serving, 300)
        memory = _most_memory_bytes(process.pid)
        serving.kill()
        (folder / "state" / "pause").write_text(PAUSE)
        serving.start()
        process = psutil.Process(serving.process.pid if serving.process else 0)
        time.sleep(settled_seconds)
        before = process.cpu_times()
        time.sleep(idle_seconds)
        after = process.cpu_times()
        spent = after.user + after.system - before.user - before.system
    finally:
        serving.stop()
    return Busy(alerts, storm, memory, spent / idle_seconds)
