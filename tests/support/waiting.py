# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting in tests: for a condition, and for nothing while some work goes on."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any


def until(condition: Callable[[], Any], seconds: float = 90, told: Callable[[], str] = lambda: "") -> Any:
    """What a condition gives as soon as that is true; fail where it is not in time, with what ``told`` then says of it.

    The limit is for what never happens: a machine that others keep busy is no failure. A condition that raises OSError is not
    true yet.
    """
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError):
            if found := condition():
                return found
        assert time.monotonic() < end, f"it did not happen in time {told()}"
        time.sleep(0.05)


@contextlib.contextmanager
def going_on(work: Callable[[], Any], pause_seconds: float = 0.0) -> Iterator[None]:
    """Repeat some work beside the test until it is over."""
    over = threading.Event()

    def repeat() -> None:
        while not over.wait(pause_seconds):
            work()

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
