# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the jobs of the imitated AWX go on."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from ansible_collections.oncall.runbooks.tests.support.fake_awx.kinds import Item

IN_QUEUE = ("new", "pending", "waiting")
ENDED = ("successful", "failed", "error", "canceled")


@dataclass
class Course:
    """How the next job of a template goes.

    Attributes:
        states: (seconds after the launch, the status from then on).
        artifacts: of the job when it has ended by itself.
        explanation: its ``job_explanation``; traceback: its ``result_traceback``.
        canceling_seconds: how long it goes on after it was canceled; None for ever. In the queue it ends at once.
        events: (event, its ``event_data``, its output), seen when AWX has processed them.
        processing_seconds: how long that takes after the end.
        starts_late: canceled in the queue, it starts all the same, as where AWX cancels with an old look at it; the first look
            after the end does not show that yet.
    """

    states: tuple[tuple[float, str], ...] = ((0, "pending"), (0.02, "running"), (0.06, "successful"))
    artifacts: Any = field(default_factory=dict)
    explanation: str = ""
    canceling_seconds: float | None = 0.02
    traceback: str = ""
    events: tuple[tuple[str, Item, str], ...] = ()
    processing_seconds: float = 0.0
    starts_late: bool = False


class Job:
    """A job of the course, from now on."""

    def __init__(self, fields: Item, course: Course) -> None:
        self.fields, self.course = fields, course
        self._launched, self._launched_at = time.monotonic(), datetime.now(timezone.utc)
        self._canceled: float | None = None
        self._seen_ended = 0

    def cancel(self) -> bool:
        """Whether it can be canceled, and is from now on."""
        if self._shown()["status"] in ENDED:
            return False
        self._canceled = self._canceled if self._canceled is not None else self._passed()
        return True

    def shown(self) -> Item:
        """As AWX shows it."""
        self._seen_ended += self._status()[1] is not None
        return self._shown()

    def _shown(self) -> Item:
        status, ended = self._status()
        started = self._started(ended)
        by_itself = status in ("successful", "failed")
        end = self._passed() if ended is None else ended
        processed = ended is not None and self._passed() >= ended + self.course.processing_seconds
        return {
            **self.fields, "status": status, "failed": status in ("failed", "error", "canceled"),
            "started": self._at(started), "finished": self._at(ended), "canceled_on": self._at(self._canceled),
            "elapsed": 0.0 if started is None else round(max(0.0, end - started), 3),
            "artifacts": self.course.artifacts if by_itself else {}, "job_explanation": self.course.explanation,
            "result_traceback": self.course.traceback if ended is not None else "",
            "event_processing_finished": processed,
        }  # fmt: skip

    def events(self) -> list[Item]:
        """What it did, as AWX keeps it."""
        if not self._shown()["event_processing_finished"]:
            return []
        return [
            {"id": counter, "type": "job_event", "event": event, "counter": counter, "event_data": data, "stdout": said,
             "failed": event.endswith(("failed", "unreachable")) and not data.get("ignore_errors", False),
             "host_name": data.get("host", "")}
            for counter, (event, data, said) in enumerate(self.course.events, 1)
        ]  # fmt: skip

    def _passed(self) -> float:
        return time.monotonic() - self._launched

    def _status(self) -> tuple[str, float | None]:
        """Its status, and when it ended."""
        passed = self._passed()
        if self._canceled is not None:
            state, _since = self._by_itself(self._canceled)
            if state in IN_QUEUE:
                return "canceled", self._canceled
            seconds = self.course.canceling_seconds
            if seconds is None or passed < self._canceled + seconds:
                return "running", None
            return "canceled", self._canceled + seconds
        state, since = self._by_itself(passed)
        return state, since if state in ENDED else None

    def _by_itself(self, passed: float) -> tuple[str, float]:
        return [(status, after) for after, status in self.course.states if passed >= after][-1]

    def _started(self, ended: float | None) -> float | None:
        """When it left the queue. A job that another one kept from its start never did."""
        if self.course.starts_late and ended is not None:
            return ended if self._seen_ended > 1 else None
        for after, status in self.course.states:
            if status in ("running", "successful"):
                return after if after <= (self._passed() if ended is None else ended) else None
        return None

    def _at(self, passed: float | None) -> str | None:
        if passed is None:
            return None
        return (self._launched_at + timedelta(seconds=passed)).isoformat().replace("+00:00", "Z")
