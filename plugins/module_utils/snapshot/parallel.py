# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many things at once, by a few threads, until the time is up."""

from __future__ import annotations

import threading
from collections import deque

from ..deadline import DeadlineExceeded

_THREADS = 8


def each(things, function, deadline, at_once=_THREADS):
    """What a function gives for each of many things.

    Args:
        things: a list.
        function: takes one of them.
        deadline: a ``Deadline``: what is not begun or not done by then is not waited for.
        at_once: how many are looked at side by side.

    Returns:
        A list as long as ``things``: what it gave, the exception that it raised, or ``DeadlineExceeded``.
    """
    late = DeadlineExceeded(f"no complete answer within {round(deadline.seconds, 1):g} s")
    results = [late] * len(things)
    left = deque(range(len(things)))

    def work():
        while left:
            try:
                position = left.popleft()
                deadline.remaining_seconds()
            except (IndexError, DeadlineExceeded):
                return
            try:
                results[position] = function(things[position])
            except Exception as error:
                results[position] = error

    threads = [threading.Thread(target=work, daemon=True) for _number in range(min(at_once, len(things)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        try:
            thread.join(deadline.remaining_seconds())
        except DeadlineExceeded:
            break
    # A thread that is left behind may still write into its own place.
    return list(results)
