# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Since when nobody must have heard of what is dropped, on a machine whose clock may be wrong.

A clock that jumps ahead makes everything old at once. What still fires would be dropped, and begun anew when Alertmanager repeats
it. So after a jump nothing is dropped for some days, in which Alertmanager repeats all that still fires.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..store.statements import Store

LOG = logging.getLogger("oncall.pruning")
DAY_SECONDS = 86_400
# As long as Alertmanager itself remembers what it has sent (data.retention): within that it repeats what fires.
HELD_SECONDS = 5 * DAY_SECONDS
# No adjustment of a clock that is right is as large.
JUMP_SECONDS = 3600
# How far the clock may have gone while the service was down.
MOST_DOWN_SECONDS = DAY_SECONDS
NOTED_EVERY_SECONDS = 600
# In the table of what is set, one for each node: every machine has its own clock.
NOTED = "pruning held on "


@dataclass(frozen=True)
class Seen:
    """What two clocks showed at once.

    Attributes:
        wall: epoch seconds, of a clock that people and NTP set.
        boot: seconds since this machine was booted, with those in which it slept; nobody sets that clock.
    """

    wall: float
    boot: float


def clocks() -> Seen:
    """What they show now."""
    return Seen(time.time(), time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)))


def jumped(before: Seen, now: Seen) -> float:
    """By how many seconds the wall clock was set ahead; negative where it was set back."""
    return (now.wall - before.wall) - (now.boot - before.boot)


def held(controls: Mapping[str, tuple[str, float]]) -> float:
    """For how many seconds some node drops nothing; 0 where every one does."""
    return max((float(value) for name, (value, _at) in controls.items() if name.startswith(NOTED)), default=0.0)


class Pruning:
    """Of one node.

    Args:
        store: the database.
        node: what this one is called.
        clocks: what its clocks show.
    """

    def __init__(self, store: Store, node: str, clocks: Callable[[], Seen] = clocks) -> None:
        self._store, self._clocks, self._name = store, clocks, f"{NOTED}{node}"
        self._last: Seen | None = None
        self._left = 0.0
        self._noted_at = float("-inf")

    def before(self, keep_seconds: float) -> float:
        """What nobody has heard of since this time may be dropped; 0 while nothing may."""
        now = self._clocks()
        if self._last is None:
            ahead = self._ahead_since_the_last_start(now, keep_seconds)
        else:
            self._left = max(0.0, self._left - (now.boot - self._last.boot))
            ahead = jumped(self._last, now)
            ahead = ahead if ahead > JUMP_SECONDS else 0.0
        if ahead:
            self._left = HELD_SECONDS
            LOG.warning(
                "the clock of this machine is %.1f days ahead of what was seen last; nothing is dropped for %.0f days. See that the"
                " clock is right",
                ahead / DAY_SECONDS, HELD_SECONDS / DAY_SECONDS,
            )  # fmt: skip
        if ahead or now.boot - self._noted_at >= NOTED_EVERY_SECONDS:
            self._store.set(self._name, f"{self._left:.0f}", now.wall)
            self._noted_at = now.boot
        # Small steps ahead add up to a jump, and a step back is where the next jump begins.
        if self._last is None or ahead or jumped(self._last, now) < 0:
            self._last = now
        else:
            self._last = Seen(self._last.wall + (now.boot - self._last.boot), now.boot)
        return 0.0 if self._left else now.wall - keep_seconds

    def _ahead_since_the_last_start(self, now: Seen, keep_seconds: float) -> float:
        """How far the clock went since any node was there, where that is too far; also goes on with what is held."""
        controls = self._store.controls()
        value, _at = controls.get(self._name, ("0", 0.0))
        self._left = float(value)
        seen = [at for name, (_value, at) in controls.items() if name.startswith(NOTED)]
        heard = self._store.heard_last()
        newest = max([*seen, *([heard] if heard is not None else [])], default=now.wall)
        most = min(MOST_DOWN_SECONDS, keep_seconds / 2)
        return now.wall - newest if now.wall - newest > most else 0.0
