# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a calendar in a process of its own, whose time and memory are bounded.

A rule of some characters makes the library count days for hours or for ever (INTERVAL=0, a first day in the year 1). In the service nobody
could end that, and all teams would wait for it. The libraries need no memory of the service either.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import msgspec

from . import feeds
from .feeds import FeedError
from .people import Turn

CPU_SECONDS = 10
MEMORY_BYTES = 1024 * 1024 * 1024
# Of a busy machine.
SECONDS = 60.0
_BEGIN = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from oncall.incidents.escalation import apart; apart.answer()"


class _Asked(msgspec.Struct):
    text: bytes
    zone: str
    begin: float
    end: float
    cpu_seconds: int


class _Answer(msgspec.Struct):
    turns: list[tuple[str, float, float]] = []
    notes: list[str] = []
    why: str = ""


def shifts_of(text: bytes, zone: str, begin: float, end: float) -> tuple[list[Turn], list[str]]:
    """As `feeds.shifts_of` does it; FeedError also where it takes too much."""
    asked = msgspec.json.encode(_Asked(text, zone, begin, end, CPU_SECONDS))
    argv = [sys.executable, "-I", "-c", _BEGIN, json.dumps(sys.path)]
    try:
        done = subprocess.run(argv, input=asked, env={}, capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        done = None
    except OSError as error:
        raise FeedError(f"nothing could be started to read the feed: {error.strerror}") from None
    if done is None or done.returncode in (-signal.SIGXCPU, -signal.SIGKILL) or b"MemoryError" in done.stderr:
        raise FeedError(
            f"the feed takes more than {CPU_SECONDS} s to work out, or too much memory; look for an INTERVAL of 0 and for BYSECOND in it"
        )
    try:
        answer = msgspec.json.decode(done.stdout, type=_Answer)
    except msgspec.DecodeError:
        why = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise FeedError(f"nothing came out of reading the feed: {why[:200] or f'code {done.returncode}'}") from None
    if answer.why:
        raise FeedError(answer.why)
    return [Turn(*one) for one in answer.turns], answer.notes


def answer() -> None:
    """In that process: standard input has the calendar, and what comes of it goes to standard output."""
    import resource

    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=_Asked)
    resource.setrlimit(resource.RLIMIT_CPU, (asked.cpu_seconds, asked.cpu_seconds))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        turns, notes = feeds.shifts_of(asked.text, asked.zone, asked.begin, asked.end)
        told = _Answer([(one.who, one.begins_at, one.ends_at) for one in turns], notes)
    except FeedError as error:
        told = _Answer(why=str(error))
    sys.stdout.buffer.write(msgspec.json.encode(told))
