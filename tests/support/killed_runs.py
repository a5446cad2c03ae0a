# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``oncall run`` killed at random moments, and what lives on: short in the tests, long in ``make soak``."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import yaml

from ansible_collections.oncall.runbooks.tests.support.serving import REPOSITORY, Host
from ansible_collections.oncall.runbooks.tests.support.waiting import until
from oncall import processes
from oncall.processes import RUN_ID

# So long may a task take that is in progress, here.
ORPHAN_SECONDS = 3.0
PROGRAM = f"""
import oncall.folders
oncall.folders.ORPHAN_SECONDS = {ORPHAN_SECONDS}
oncall.folders.SEEN_EVERY_SECONDS = 1.0
from oncall.cli import main
main()
"""


class Killed:
    """A run of a runbook against a Redis that is down, in a process that can be killed.

    Args:
        folder: an empty folder.
        remedy_seconds: how long the remedy takes.
    """

    def __init__(self, folder: Path, remedy_seconds: float = 1.5) -> None:
        self.folder, self.host = folder, Host(folder, "h", remedy_seconds)
        self.inventory = folder / "inventory.yml"
        self.inventory.write_text(yaml.safe_dump({"all": {"hosts": {"h": self.host.variables()}}}))

    def start(self, hangs_up: bool = True) -> subprocess.Popen[bytes]:
        """Begin it.

        Args:
            hangs_up: whether what writes to its terminal ends when the terminal does; not where it was begun with nohup.
        """
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "ONCALL_"))}
        environment = {
            **kept,
            "PYTHONPATH": str(REPOSITORY),
            "XDG_RUNTIME_DIR": str(self.folder / "runtime"),
            "ONCALL_RECORD_DIRECTORY": str(self.folder / "records"),
        }
        argv = [sys.executable, "-c", PROGRAM, "run", "cache", "-i", str(self.inventory)]
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [*([] if hangs_up else ["nohup"]), *argv], env=environment, cwd=self.folder,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def processes(self) -> list[psutil.Process]:
        """What lives of its runs, without the Redis that a remedy started."""
        found = []
        for process in psutil.process_iter():
            try:
                environment = Path(f"/proc/{process.pid}/environ").read_bytes()
                ours = f"{RUN_ID}=".encode() in environment and str(self.folder).encode() in environment
                if ours and process.status() != psutil.STATUS_ZOMBIE and "redis-server" not in process.name():
                    found.append(process)
            except (psutil.Error, OSError):
                continue
        return found

    def seconds_until_none_lives(self, most: float) -> float | None:
        """How long something of it lives on; None for more than ``most``."""
        began = time.monotonic()
        while self.processes():
            if time.monotonic() - began > most:
                return None
            time.sleep(0.05)
        return time.monotonic() - began

    def stop(self) -> None:
        for process in self.processes():
            process.send_signal(signal.SIGKILL)
        self.host.stop()


@contextmanager
def killed(folder: Path, remedy_seconds: float = 1.5) -> Iterator[Killed]:
    """One, of which nothing is left afterwards."""
    folder.mkdir(parents=True)
    one = Killed(folder, remedy_seconds)
    try:
        yield one
    finally:
        one.stop()


@contextmanager
def goes_on_alone(left: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A play that has lost its program, whose private folder is this one."""
    left.mkdir()
    (left / "lock").touch()
    run_id = left.name.partition("-")[0]
    # Two commands: for one, the shell would become that program, and no longer be called ansible-playbook.
    argv = ["sh", "-c", "sleep 60; true", "ansible-playbook"]
    environment = {RUN_ID: run_id, "PATH": os.environ["PATH"]}
    with subprocess.Popen(argv, env=environment, start_new_session=True) as play:
        try:
            # On a busy machine, a program has no environment yet for a moment after it was started.
            until(lambda: processes.processes_of(run_id))
            its_own = psutil.Process(play.pid).children(recursive=True)
            yield play
        finally:
            with suppress(ProcessLookupError):
                os.killpg(play.pid, signal.SIGKILL)
    # The shell is waited for with the `with`, and what it has started is not.
    assert psutil.wait_procs(its_own, timeout=20)[1] == []


@dataclass
class Orphans:
    """What came of killing runs.

    Attributes:
        kills: how often.
        begun: of them, when the remedy had begun.
        twice: of them, where the remedy was begun more than once.
        slowest_seconds: how long what was in progress took to end.
        left: of them, where something lived on for longer than it may.
    """

    kills: int = 0
    begun: int = 0
    twice: int = 0
    slowest_seconds: float = 0.0
    left: int = 0


def kill_runs(folder: Path, kills: int) -> Orphans:
    """Kill runs at random moments, every other one begun with nohup."""
    found = Orphans()
    for number in range(kills):
        with killed(folder / str(number)) as one:
            process = one.start(hangs_up=bool(number % 2))
            time.sleep(random.uniform(0.5, 9.0))
            process.kill()
            process.wait()
            seconds = one.seconds_until_none_lives(ORPHAN_SECONDS + 10)
            found.kills += 1
            found.begun += one.host.effects() > 0
            found.twice += one.host.effects() > 1
            found.left += seconds is None
            found.slowest_seconds = max(found.slowest_seconds, seconds or 0.0)
    return found
