# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replays of real queues by the module queue_replay: to their end, and killed at random moments."""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_collections.oncall.runbooks.tests.support.modules import begun, run_module
from ansible_collections.oncall.runbooks.tests.support.plays import REPOSITORY

FAST = {"per_minute": 1_000_000, "proof_seconds": 60.0}
COUNTS = ("found", "replayed", "set_aside", "expired", "left", "done", "failed_again", "still_running", "lost")


def replay(folder: Path, queue: dict[str, Any], check: bool = False, **more: Any) -> dict[str, Any]:
    """What a replay tells that came to its end."""
    code, told = run_module("queue_replay", folder, check=check, **options(folder, queue, **more))
    assert code == 0, told
    result: dict[str, Any] = told
    return result


def options(folder: Path, queue: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Those of the module, with the program that the role hands it."""
    programs = sorted((REPOSITORY / "roles" / "queue" / "engines" / queue["engine"]).glob("replay.*"))
    program = programs[0].read_text() if programs else ""
    return {"name": "mail", "queue": queue, "directory": str(folder), "program": program, **FAST, **more}


def counts(told: dict[str, Any]) -> dict[str, int]:
    """The counts that are not 0."""
    return {name: told[name] for name in COUNTS if told[name]}


def killed_often(
    folder: Path,
    queue: dict[str, Any],
    dead: Callable[[], int],
    more: Callable[[], Any],
    kills: int,
    seconds: float = 2.0,
) -> None:
    """Kill runs at random moments, and let one come to its end.

    Args:
        folder: for the journals.
        queue: what the inventory says.
        dead: how many messages are dead.
        more: makes some more of them.
        kills: how often.
        seconds: after which one is killed at the latest.
    """
    killed = 0
    while killed < kills:
        if dead() < 20:
            more()
        with begun("queue_replay", folder, **options(folder, queue, batch_size=3)) as process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(random.uniform(0.2, seconds))
            # Where it came to its end before that, nothing was killed.
            if process.poll() is None:
                process.kill()
                killed += 1
            said = process.communicate()
            assert process.returncode in (0, -signal.SIGKILL), said
    told = replay(folder, queue)
    while told["found"] and not told["stopped_by"]:
        told = replay(folder, queue)
    assert not told["stopped_by"], told
