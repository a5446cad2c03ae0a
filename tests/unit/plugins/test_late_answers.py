# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of an answer that came too late, as on a machine that is overloaded: what was asked, and what to do."""

from __future__ import annotations

from typing import Any

from ansible_collections.oncall.runbooks.plugins.module_utils.deadline import DeadlineExceeded
from ansible_collections.oncall.runbooks.plugins.module_utils.observe import _seconds, settled
from ansible_collections.oncall.runbooks.plugins.module_utils.told import failed

LATE = DeadlineExceeded("no complete answer within 26 s")


def test_an_observer_that_came_too_late_is_no_fault_to_report() -> None:
    answer: dict[str, Any] = settled("metrics", LATE)
    assert answer["available"] is False
    assert answer["reason"].startswith(
        "observer metrics: no complete answer within 26 s: it hangs, or the machine that asked is"
    )
    assert "report this" not in answer["reason"]


def test_an_observer_that_failed_is_one() -> None:
    assert settled("metrics", KeyError("value"))["reason"].endswith("please report this")


def test_what_came_too_late_is_named() -> None:
    answer: dict[str, Any] = failed(LATE, "queue mail")
    assert answer["error"] == "timeout"
    assert answer["reason"].startswith(
        "queue mail: no complete answer within 26 s: it hangs, or the machine that asked is"
    )


def test_reading_a_large_backup_comes_not_too_late() -> None:
    """It has its own time, which is longer than that of the questions."""
    assert _seconds({"timeout_seconds": 10.0, "read_seconds": 60.0}) >= 70
    assert _seconds({"timeout_seconds": 10.0}) == 20
