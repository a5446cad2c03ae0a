# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One deadline for a whole answer, however many steps it has and whichever of them hangs."""

from __future__ import annotations

import threading
import time

# What to do about an answer that came too late, where nobody knows more. It is no fault of this program.
LATE_ADVICE = "it hangs, or the machine that asked is overloaded; see the load of that one (uptime), and look again"


class DeadlineExceeded(Exception):
    """The time given for the whole answer is used up."""


class Deadline:
    """A point in time that several blocking steps share.

    Args:
        seconds: the time from now until the deadline, in seconds.
    """

    def __init__(self, seconds):
        self.seconds = float(seconds)
        self._end = time.monotonic() + self.seconds

    def remaining_seconds(self):
        """The seconds left, always above 0.

        Raises:
            DeadlineExceeded: nothing is left.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise DeadlineExceeded(f"no complete answer within {round(self.seconds, 1):g} s")
        return left


def within(seconds, function, *args):
    """Call ``function(*args)`` and return what it returns, or give up after ``seconds``.

    For calls that cannot be given a timeout: name resolution, a driver waiting for a stopped server. The call
    runs in a daemon thread; a call that never returns is left behind and ends with the process.

    Raises:
        DeadlineExceeded: no answer in time.
        Exception: whatever ``function`` raised.
    """
    outcome = {}

    def call():
        try:
            outcome["value"] = function(*args)
        except Exception as error:
            outcome["error"] = error

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(seconds)
    if "error" in outcome:
        raise outcome["error"]
    if "value" not in outcome:
        raise DeadlineExceeded(f"no complete answer within {round(float(seconds), 1):g} s")
    return outcome["value"]


def all_within(seconds, calls):
    """Call several functions at once and return what each gave, in order.

    Args:
        seconds: the time for all of them together.
        calls: a list of functions without arguments.

    Returns:
        A list as long as ``calls``: the value a call returned, or the exception it raised
        (:class:`DeadlineExceeded` where no answer came in time). One failing does not stop the others.
    """
    results = [None] * len(calls)
    finished = [False] * len(calls)

    def call(index):
        try:
            results[index] = calls[index]()
        except Exception as error:
            results[index] = error
        finished[index] = True

    threads = [threading.Thread(target=call, args=(index,), daemon=True) for index in range(len(calls))]
    deadline = time.monotonic() + float(seconds)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    late = DeadlineExceeded(f"no complete answer within {round(float(seconds), 1):g} s")
    return [result if done else late for result, done in zip(results, finished)]
