# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions of PostgreSQL that wait for an answer for so long and no longer.

A server that hangs, and a pooler that has lost its server, still acknowledge every packet: no keepalive and no time limit of TCP
ends such a wait, and a limit of the server's own is one that nobody is there to keep.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any

import psycopg

ANSWER_SECONDS = 30.0


class Silent(psycopg.OperationalError):
    """No answer came in time."""


class Session(psycopg.Connection[Any]):
    """A connection that is closed where an answer does not come in time.

    Attributes:
        answer_seconds: for one statement.
    """

    answer_seconds = ANSWER_SECONDS

    def wait(self, gen: Generator[Any, Any, Any], *arguments: Any, **named: Any) -> Any:
        """Every statement comes through here. The library looks again each 0.1 s, also where nothing has come."""
        try:
            return super().wait(_in_time(gen, self.answer_seconds), *arguments, **named)
        except Silent:
            # What the answer would be to is not known any more.
            self.close()
            raise


def _in_time(gen: Generator[Any, Any, Any], seconds: float) -> Generator[Any, Any, Any]:
    """The same steps, while there is time left."""
    end = time.monotonic() + seconds
    try:
        awaited = next(gen)
        while True:
            ready = yield awaited
            if not ready and time.monotonic() > end:
                raise Silent(f"the database has not answered for {seconds:g} s")
            awaited = gen.send(ready)
    except StopIteration as done:
        return done.value
