# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""News for browsers that wait for them: only that there are some. A browser then looks at the page itself anew."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor

from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import Response, StreamingResponse

from ...errors import OncallError
from ...incidents.store.timeline import Filter
from .visit import Sources

LOG = logging.getLogger("oncall.page")
LOOK_SECONDS = 1.0
# A proxy closes what says nothing.
BEAT_SECONDS = 15.0
MOST_WAITING = 200
# A browser comes again, and shows again who it is.
LONGEST_SECONDS = 600.0
OPEN = Filter(states=("open",), most=100)


class Live:
    """Tells all who wait. However many wait for the same, the database is asked once a second."""

    def __init__(self, sources: Sources, threads: Executor) -> None:
        self._sources, self._threads = sources, threads
        self._waiting: dict[str, int] = {}
        self._marks: dict[str, str] = {}
        self._looking: asyncio.Task[None] | None = None

    def answer(self, topic: str, is_known: Callable[[], bool], seen: str = "") -> Response:
        """A stream of news about a topic: ``now``, ``plans`` or the name of an incident.

        Args:
            topic: it.
            is_known: whether the one who waits may still hear of it; asked before each word.
            seen: the mark of what the browser shows already; "" where it does not say.
        """
        if sum(self._waiting.values()) >= MOST_WAITING:
            return Response("too many wait for news\n", 503, media_type="text/plain", headers={"Retry-After": "60"})
        return StreamingResponse(
            self._told(topic[:60], is_known, seen), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
        )

    async def _told(self, topic: str, is_known: Callable[[], bool], seen: str = "") -> AsyncIterator[str]:
        self._waiting[topic] = self._waiting.get(topic, 0) + 1
        try:
            if self._looking is None or self._looking.done():
                self._looking = asyncio.create_task(self._look())
            silent = waited = 0.0
            yield "retry: 5000\n\n"
            while waited < LONGEST_SECONDS and not self._sources.going_down():
                mark = self._marks.get(topic, "")
                is_news = bool(mark) and mark != seen
                if (is_news or silent >= BEAT_SECONDS) and not await self._is(is_known):
                    return
                if is_news:
                    # Without a mark of the page, the first one only says where it begins.
                    if seen:
                        yield f"id: {mark}\nevent: changed\ndata: {mark}\n\n"
                    seen, silent = mark, 0.0
                elif silent >= BEAT_SECONDS:
                    yield ": still here\n\n"
                    silent = 0.0
                await asyncio.sleep(LOOK_SECONDS / 2)
                silent += LOOK_SECONDS / 2
                waited += LOOK_SECONDS / 2
        finally:
            self._waiting[topic] -= 1
            if not self._waiting[topic]:
                del self._waiting[topic]
                self._marks.pop(topic, None)

    async def _is(self, is_known: Callable[[], bool]) -> bool:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, is_known)
        except (OncallError, SQLAlchemyError):
            return False

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting and not self._sources.going_down():
            for topic in [*self._waiting]:
                try:
                    self._marks[topic] = await loop.run_in_executor(self._threads, self.mark, topic)
                except (OncallError, SQLAlchemyError) as error:
                    LOG.debug("no news of %s: %s", topic, error)
            await asyncio.sleep(LOOK_SECONDS)

    def mark(self, topic: str) -> str:
        """What changes whenever what a page shows does. A page takes it before it looks: what comes after that is news."""
        seen: list[object] = [
            (one["id"], one["plan_hash"], one["state"]) for one in self._sources.store.episodes(("waiting",), 200)
        ]
        if topic in ("now", "plans"):
            seen += [(one.id, one.head.number) for one in self._sources.incidents.listed(OPEN)]
            seen.append(self._sources.paused())
        else:
            seen.append(self._sources.incidents.find(topic).head.number)
        return hashlib.sha256(repr(seen).encode()).hexdigest()[:16]
