# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The short form of what ``oncall serve`` promises; ``make soak`` has the long one."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.oncall.runbooks.tests.support.promises import (
    acknowledge_while_busy,
    cut_in_half,
    keep_under_kills,
)
from ansible_collections.oncall.runbooks.tests.support.serving import Serving, alert, wait_until_empty

MEBIBYTE = 1024 * 1024


def test_no_acknowledged_alert_is_lost(tmp_path):
    kept = keep_under_kills(tmp_path, kills=4, terminations=1, clients=20, least=1000, seconds=(0.3, 1.0))
    assert kept.acknowledged >= 1000
    assert (kept.lost, kept.doubled) == (0, 0)
    # Otherwise nothing was cut off.
    assert kept.storm.broken > 0


def test_a_remedy_that_was_cut_off_is_not_begun_again(tmp_path):
    cut = cut_in_half(tmp_path, kills=3, during_remedy=True)
    assert (cut.begun, cut.twice, cut.orphans) == (3, 0, 0)
    assert cut.outcomes == {"interrupted": 3}


def test_a_run_that_was_cut_off_comes_to_an_end(tmp_path):
    cut = cut_in_half(tmp_path, kills=3, during_remedy=False)
    assert (cut.twice, cut.orphans) == (0, 0)
    assert sum(cut.outcomes.values()) == 3
    assert cut.outcomes.keys() <= {"resolved", "interrupted"}


def test_acknowledging_does_not_wait_for_work(tmp_path):
    busy = acknowledge_while_busy(tmp_path, alerts=1000, clients=50, queued=500, idle_seconds=5, settled_seconds=30)
    assert len(busy.storm.acknowledged) == 1000
    assert busy.storm.refused == {}
    assert busy.memory_bytes < 120 * MEBIBYTE
    # A remedy takes 20 s here. The figures of a quiet machine are kept in docs/reliability.md; others test beside this.
    assert busy.storm.percentile(99) < 10
    assert busy.idle_cpu_ratio < 0.05


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A file system of 4 MiB for the state of the service."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=0700", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_what_cannot_be_kept_is_not_acknowledged(small_disk):
    serving = Serving(small_disk.parent)
    (small_disk / "pause").write_text("the disk is what this is about")
    try:
        serving.start()
        assert serving.send(alert()) == 202
        ballast = small_disk / "ballast"
        with ballast.open("wb", buffering=0) as file, pytest.raises(OSError):
            while True:
                file.write(bytes(4096))
        long = {"summary": "x" * 16_000}
        full = [serving.send(*(alert(number=n, annotations=long) for n in range(20))) for _ in range(3)]
        assert full == [503, 503, 503]
        assert serving.get("/readyz") == (503, "notifications cannot be kept; the log says why\n")
        ballast.unlink()
        assert serving.send(alert(number=50)) == 202

        wait_until_empty(serving)
        assert len(serving.episodes()) == 2
        assert serving.get("/readyz")[0] == 200
    finally:
        serving.stop()
