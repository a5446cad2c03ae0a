# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps notifications before they are acknowledged: all that arrive while one commit is on its way share the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from ...errors import first_line

MOST_BYTES = 16 * 1024 * 1024


class NotKept(Exception):
    """The notification is not on the disk, and must not be acknowledged."""


class GroupCommit:
    """One commit at a time.

    Args:
        keep: writes notifications, all or none; returns when they are on the disk.
        kept: called after each commit.
        most_pending: above so many that wait for a commit, no more are taken.
    """

    def __init__(
        self, keep: Callable[[Sequence[bytes]], None], kept: Callable[[], None], most_pending: int = 2000
    ) -> None:
        self._keep, self._kept, self._most = keep, kept, most_pending
        # A thread of its own: other work must not hold up an acknowledgement.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="group-commit")
        self._pending: list[tuple[bytes, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None
        # Why the last commit failed; "" where it did not.
        self.failure = ""

    async def keep(self, notification: bytes) -> None:
        """Return when it is on the disk; NotKept where it is not."""
        if len(self._pending) >= self._most:
            raise NotKept("too many notifications wait for the database")
        done = asyncio.get_running_loop().create_future()
        self._pending.append((notification, done))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        await done

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        while self._pending:
            size = count = 0
            while count < len(self._pending) and size < MOST_BYTES:
                size += len(self._pending[count][0])
                count += 1
            batch, self._pending = self._pending[:count], self._pending[count:]
            error: Exception | None = None
            try:
                await loop.run_in_executor(self._thread, self._keep, [notification for notification, _ in batch])
            except Exception as problem:
                error = problem
            for _, done in batch:
                # The client may be gone.
                if not done.done():
                    if error is None:
                        done.set_result(None)
                    else:
                        done.set_exception(NotKept(first_line(error)))
            self.failure = "" if error is None else first_line(error)
            if error is None:
                self._kept()

    def close(self) -> None:
        """Wait for the commit that is on its way."""
        self._thread.shutdown()
