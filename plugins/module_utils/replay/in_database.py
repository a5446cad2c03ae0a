# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A queue in a database, as a replay asks it and has it send."""

from __future__ import annotations

import time

from ..postgres.client import Client, DatabaseError, where
from ..queues.engines import engine

# Of the server, where it waits for a lock: what it did for a run that was killed may not be over.
_LOCK_PAUSE_SECONDS = 0.5


class InDatabase:
    """A queue whose engine is asked with statements.

    Args:
        name: of the queue in the inventory.
        queue: of :func:`queues.spec.described`.
        reason: why it is replayed.
        timeout_seconds: for one statement.

    Attributes:
        gone_is_done: whether a message that is not there any more has been done.
        is_certain: whether a message that is dead as it was when it was copied was not sent.
        where: which store it is, without a secret.
    """

    is_certain = True

    def __init__(self, name, queue, reason, timeout_seconds):
        self._queue, self._reason, self._timeout_seconds = queue, reason, timeout_seconds
        self._module = engine(queue["engine"])
        self._sessions = {}
        # What is sent, and whether it was, is asked by one run after the other, even after the client of one was killed.
        self._alone = f"oncall.runbooks replay {name}"
        self.gone_is_done = getattr(self._module, "GONE_IS_DONE", None) or queue.get("gone_is_done", False)
        self.where = where(queue["reach"])

    def close(self):
        """End its sessions."""
        while self._sessions:
            self._sessions.popitem()[1].__exit__(None, None, None)

    def keep_open(self, _descriptor):
        """Nothing is started."""

    def dead(self, most):
        """The oldest dead messages, at most so many."""
        return self._asked(self._module.dead_ones, most)

    def places(self, ids):
        """Where messages are, by id: ``place``, ``mark`` and ``error`` of those that are there."""
        return {one["id"]: one for one in self._asked(self._module.places, ids)}

    def send_until_seconds(self):
        """Until when something may still be sent after a run has begun to: who asks next waits for the lock."""
        return 0.0

    def send(self, marks):
        """Have messages sent again whose mark is still that of their copy; the ids of those that are."""
        return self._asked(self._module.replay, marks, self._reason, writes=True)

    def _asked(self, function, *arguments, writes=False):
        end = time.monotonic() + self._timeout_seconds
        while True:
            if writes not in self._sessions:
                self._sessions[writes] = Client(
                    self._queue["reach"], self._timeout_seconds, read_only=not writes, alone=self._alone
                )
            try:
                return function(self._sessions[writes], self._queue, *arguments)
            except DatabaseError as error:
                # They may be ones that answer nothing any more.
                self.close()
                if "lock timeout" not in str(error) or time.monotonic() > end:
                    raise
            time.sleep(_LOCK_PAUSE_SECONDS)
