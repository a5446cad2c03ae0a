# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs the stages of `make test`: all of them run, and every failure is told at the end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "support" / "stages.py"
# In place of make: a stage whose name begins with "bad" fails.
MAKE = """#!/bin/sh
echo "$2 was run"
echo "$2" >>"$0.log"
case $2 in bad*) exit 2;; esac
"""


@pytest.fixture
def stages(tmp_path):
    """A function: phases -> exit code, the stages that were run, and what was printed."""
    make = tmp_path / "make"
    make.write_text(MAKE)
    make.chmod(0o755)

    def run(*phases):
        done = subprocess.run(
            [sys.executable, str(PROGRAM), *phases], env={"MAKE": str(make), "PATH": "/usr/bin:/bin"},
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        log = tmp_path / "make.log"
        return done.returncode, log.read_text().split() if log.exists() else [], done.stdout

    return run


def test_all_run_in_order_and_each_is_told_with_its_time(stages):
    code, ran, said = stages("lint types", "slow | quick quicker", "last")
    assert code == 0
    assert (ran[:2], ran[-1], sorted(ran[2:-1])) == (["lint", "types"], "last", ["quick", "quicker", "slow"])
    assert ran.index("quick") < ran.index("quicker")
    summary = said[said.index("make test:") :]
    assert [line.split()[0] for line in summary.splitlines()[1:]] == [*summary_of(ran, said), "together"]
    assert summary.count("% busy  passed") == 6
    assert summary.rstrip().endswith("all good")


def summary_of(ran, said):
    """The stages, in the order in which they ended."""
    return sorted(ran, key=lambda name: said.index(f"\n  {name} "))


def test_a_stage_that_fails_keeps_no_other_from_running_and_every_failure_is_told(stages):
    code, ran, said = stages("bad-lint types", "bad-slow | quick", "last")
    assert code == 1
    assert sorted(ran) == ["bad-lint", "bad-slow", "last", "quick", "types"]
    summary = said[said.index("make test:") :]
    assert summary.count("failed with 2") == 2
    assert "failed: bad-lint, bad-slow; what each said is above" in summary
    # Once where it ran, and once at the end.
    where, at_the_end = said.split("---- bad-lint, its last lines:")
    assert where.count("bad-slow was run") == where.count("bad-lint was run") == 1
    assert at_the_end.count("bad-slow was run") == at_the_end.count("bad-lint was run") == 1
    assert "quick was run" not in at_the_end
