# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Removes the containers of a test run that was killed: a process that waits for the end of the one that runs the tests."""

from __future__ import annotations

import subprocess
import sys
import time
from functools import cache
from pathlib import Path

OBJECTS = (
    (("ps", "--all"), ("rm", "--force", "--volumes")),
    (("network", "ls"), ("network", "rm")),
    (("volume", "ls"), ("volume", "rm", "--force")),
)


def reap(label: str) -> None:
    """Have everything with this label removed when this process has ended, however it ends."""
    pipe = _process().stdin
    assert pipe is not None
    pipe.write(f"{label}\n")
    pipe.flush()


@cache
def _process() -> subprocess.Popen[str]:
    # In a session of its own: what ends a whole group of processes does not end it.
    return subprocess.Popen(
        [sys.executable, str(Path(__file__))], stdin=subprocess.PIPE, text=True, start_new_session=True
    )


def _docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=120, check=False).stdout


def main() -> None:
    labels = sys.stdin.read().split()
    # Commands that were on their way when the run was killed may still make containers.
    for pause_seconds in (0, 3, 10):
        time.sleep(pause_seconds)
        for label in labels:
            for listed, removed in OBJECTS:
                if ids := _docker(*listed, "--quiet", "--filter", f"label={label}").split():
                    _docker(*removed, *ids)


if __name__ == "__main__":
    main()
