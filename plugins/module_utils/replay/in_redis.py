# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A queue in Redis, as a replay asks it. Only the library of its application sends."""

from __future__ import annotations

from ..deadline import Deadline
from ..queues.engines import engine
from ..redis.client import where
from ..redis.commands import Commands


class InRedis:
    """A queue whose engine is asked with commands that only read.

    Args:
        queue: of :func:`queues.spec.described`.
        timeout_seconds: for one question.

    Attributes:
        gone_is_done: whether a message that is not there any more has been done.
        where: which store it is, without a secret.
    """

    def __init__(self, queue, timeout_seconds):
        self._queue, self._timeout_seconds = queue, timeout_seconds
        self._module = engine(queue["engine"])
        self.gone_is_done = self._module.GONE_IS_DONE
        self.where = where(queue["reach"])

    def close(self):
        """Nothing: each question has a connection of its own."""

    def dead(self, most):
        """The oldest dead messages, at most so many."""
        return self._asked(self._module.dead_ones, most)

    def places(self, ids):
        """Where messages are, by id: ``place``, ``mark`` and ``error`` of those that are there."""
        return {one["id"]: one for one in self._asked(self._module.places, list(ids))}

    def _asked(self, function, *arguments):
        with Commands(self._queue["reach"], Deadline(self._timeout_seconds)) as store:
            return function(store, self._queue, *arguments)
