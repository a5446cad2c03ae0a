# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two nodes of ``oncall serve``, one of which loses its way to the database at random moments, and in part its life."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.oncall.runbooks.tests.support.serving import Serving, alert
from ansible_collections.oncall.runbooks.tests.support.waiting import until
from ansible_collections.oncall.runbooks.tests.support.wire import Wire

LEASE_SECONDS = 6.0
# The clock of a service that is an hour ahead.
AHEAD = "import time\n_time = time.time\ntime.time = lambda: _time() + 3600\n"


@dataclass
class Partitioned:
    """What came of partitions.

    Attributes:
        partitions: how many.
        in_a_run: of them, while a run of the node that was cut off was open.
        killed: of them, with the node killed as well.
        twice: hosts on which a remedy was begun more than once.
        left: episodes that did not end.
        slowest_seconds: from the partition until the last episode had ended.
    """

    partitions: int = 0
    in_a_run: int = 0
    killed: int = 0
    twice: int = 0
    left: int = 0
    slowest_seconds: float = 0.0


class Pair:
    """Two nodes of the same hosts; the first reaches the database through a wire, and its clock is an hour ahead."""

    def __init__(self, folder: Path, url: str, hosts: int) -> None:
        head, _, name = url.rpartition("/")
        address, _, port = head.rpartition(":")
        self.wire = Wire(int(port))
        for name_of in ("east", "west", "clock"):
            (folder / name_of).mkdir()
        (folder / "clock" / "sitecustomize.py").write_text(AHEAD)
        limits = {
            "running": 10,
            "remedies_per_hour": 100_000,
            "groups": {"all": {"hosts_per_hour": 100_000, "share_at_once": 1}},
        }
        self.east = Serving(
            folder / "east", hosts=hosts, pause_seconds=3, database=f"{address}:{self.wire.port}/{name}", node="east",
            lease_seconds=LEASE_SECONDS, limits=limits,
        )  # fmt: skip
        self.east.python_path = (str(folder / "clock"),)
        self.west = self.east.beside(folder / "west", database=url, node="west")
        self.west.python_path = ()

    def start(self) -> None:
        self.east.start()
        self.west.start()

    def stop(self) -> None:
        for node in (self.east, self.west):
            node.stop()
        self.wire.close()

    def partition(self, number: int, kills: bool, found: Partitioned, lock: threading.Lock) -> None:
        """Cut the first node off in the midst of whatever it does with an alert, and have it back when the other one has ended it."""
        host = self.east.hosts[number]
        assert self.east.send(alert(host.name, number, fingerprint=f"{number:016x}")) == 202
        time.sleep(random.uniform(0.1, 5.0))
        store = self.west.store()
        try:
            in_a_run = bool(store.open_runs("east"))
            self.wire.cut()
            cut_at = time.monotonic()
            if kills:
                self.east.kill()
            ended = _in_time(lambda: len(self.west.episodes("ended")) > number)
            seconds = time.monotonic() - cut_at
        finally:
            store.close()
        self.wire.mend()
        if kills:
            self.east.start()
        until(lambda: [node.get("/readyz")[0] for node in (self.east, self.west)] == [200, 200], 120)
        with lock:
            found.partitions += 1
            found.in_a_run += in_a_run
            found.killed += kills
            found.left += not ended
            found.slowest_seconds = max(found.slowest_seconds, seconds)


def _in_time(condition: Callable[[], bool]) -> bool:
    try:
        return bool(until(condition, 120))
    except AssertionError:
        return False


def partition(folder: Path, urls: list[str], each: int) -> Partitioned:
    """Cut one of two nodes off, again and again.

    Args:
        folder: an empty folder.
        urls: of empty databases, for as many pairs of nodes at once.
        each: so many partitions of each pair.
    """
    found, lock = Partitioned(), threading.Lock()

    def several(index: int) -> None:
        (folder / str(index)).mkdir()
        pair = Pair(folder / str(index), urls[index], each)
        try:
            pair.start()
            for number in range(each):
                pair.partition(number, number % 3 == 2, found, lock)
            # What the one that was cut off had in hand comes to its end too.
            time.sleep(5)
            with lock:
                found.twice += sum(host.effects() > 1 for host in pair.east.hosts)
        finally:
            pair.stop()

    with ThreadPoolExecutor(len(urls)) as threads:
        [*threads.map(several, range(len(urls)))]
    return found
