# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the stages of `make test`, every one of them whatever fails, and says at the end how each ended and how long it took.

Each argument is run after the one before it has ended: names of stages, one after the other. Where a | is between names,
those on its two sides run beside each other, and what a stage says then comes when it has ended. The last lines of each stage that failed come again
at the very end, because a reader begins there.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

MAKE = os.environ.get("MAKE", "make")
LAST_LINES = 40


def clock(seconds: float) -> str:
    """Minutes and seconds, as wide as 59 min 59 s."""
    return "{:>3} min {:>2} s".format(*divmod(round(seconds), 60))


def processor_ticks() -> tuple[int, int]:
    """How long the processors were busy, and how long they have been there, in the ticks of proc(5); (0, 0) where it has none."""
    try:
        ticks = [int(number) for number in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    except OSError:
        return 0, 0
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)


@dataclass(frozen=True)
class Ended:
    """How a stage ended, and which part of the processors was busy meanwhile."""

    name: str
    seconds: float
    code: int
    busy_ratio: float = 0
    output: str = ""

    @property
    def row(self) -> str:
        result = f"failed with {self.code}" if self.code else "passed"
        return f"  {self.name:<14}{clock(self.seconds)}  {self.busy_ratio:>4.0%} busy  {result}"


def run(name: str, beside: bool) -> Ended:
    """Run one stage; ``beside`` says that others run at the same time."""
    print(f"---- {name}{': what it says follows when it has ended' if beside else ''}", flush=True)
    began, before, lines = time.monotonic(), processor_ticks(), []
    with subprocess.Popen(
        [MAKE, "--no-print-directory", name],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
    ) as stage:  # fmt: skip
        assert stage.stdout
        for line in stage.stdout:
            lines.append(line)
            if not beside:
                print(line, end="", flush=True)
    busy, there = (after - earlier for after, earlier in zip(processor_ticks(), before, strict=True))
    return Ended(name, time.monotonic() - began, stage.returncode, busy / max(there, 1), "".join(lines))


def phase(text: str) -> list[Ended]:
    """Run the stages of one argument."""
    lanes = [lane.split() for lane in text.split("|")]
    ended: list[Ended] = []

    def follow(names: list[str]) -> None:
        for name in names:
            one = run(name, len(lanes) > 1)
            ended.append(one)
            # One call, so that nobody else's lines come in between.
            print(f"---- {name} said:\n{one.output}{one.row}" if len(lanes) > 1 else one.row, flush=True)

    with ThreadPoolExecutor(len(lanes)) as pool:
        try:
            for lane in [pool.submit(follow, names) for names in lanes]:
                lane.result()
        except KeyboardInterrupt:
            # What has not begun does not begin any more.
            for names in lanes:
                names.clear()
            raise
    return ended


def main(phases: list[str]) -> int:
    began = time.monotonic()
    ended = [one for text in phases for one in phase(text)]
    failed = [one for one in ended if one.code]
    seconds = time.monotonic() - began
    result = f"failed: {', '.join(one.name for one in failed)}; what each said is above" if failed else "all good"
    for one in failed:
        print(f"\n---- {one.name}, its last lines:", *one.output.splitlines()[-LAST_LINES:], sep="\n")
    print("\nmake test:", *[one.row for one in ended], sep="\n")
    print(f"  {'together':<14}{clock(seconds)}             {result}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
