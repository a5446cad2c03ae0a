# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A circuit breaker, as an application writes one for itself."""

from __future__ import annotations

import threading
import time

CLOSED, OPEN, HALF_OPEN = 0, 1, 2


class Breaker:
    """Lets no call pass for a while after so many in a row failed, and then one as a test.

    Args:
        failures: 0 for a breaker that never opens.
        reset_seconds: until the test.
    """

    def __init__(self, failures: int, reset_seconds: float) -> None:
        self._failures, self._reset_seconds = failures, reset_seconds
        self._lock = threading.Lock()
        self._failed = 0
        self._opened_at: float | None = None
        self._is_tested = False

    @property
    def state(self) -> int:
        if self._opened_at is None:
            return CLOSED
        return HALF_OPEN if time.monotonic() - self._opened_at >= self._reset_seconds else OPEN

    def admit(self) -> None:
        """Raise ConnectionError for a call that may not pass."""
        with self._lock:
            if self.state == CLOSED:
                return
            if self.state == OPEN or self._is_tested:
                raise ConnectionError("the circuit breaker is open")
            self._is_tested = True

    def note(self, well: bool) -> None:
        """How a call ended that passed."""
        with self._lock:
            self._is_tested = False
            self._failed = 0 if well else self._failed + 1
            if well:
                self._opened_at = None
            elif self._failures and self._failed >= self._failures:
                self._opened_at = time.monotonic()
