# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signing in by a token, and signing out."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

if TYPE_CHECKING:
    from .app import PageSite

LOG = logging.getLogger("oncall.page")
# Of one address: who guesses has so many tries in this time.
MOST_TRIES, WITHIN_SECONDS = 10, 60.0
MOST_PEERS = 10_000


def inside(told: str) -> str:
    """Where on this page somebody wants to go; the first page where that is somewhere else."""
    try:
        parts = urlsplit(told)
    except ValueError:
        return "/"
    is_ours = (
        told.startswith("/")
        and not told.startswith("//")
        and "\\" not in told
        and not parts.netloc
        and not parts.scheme
    )
    return told if is_ours and told.isprintable() and not told.startswith("/signin") else "/"


class Tries:
    """How often an address tried in vain."""

    def __init__(self) -> None:
        self._at: dict[str, deque[float]] = {}

    def are_too_many(self, peer: str) -> bool:
        """Whether it has to wait."""
        tries = self._at.get(peer)
        now = time.monotonic()
        while tries and now - tries[0] > WITHIN_SECONDS:
            tries.popleft()
        return tries is not None and len(tries) >= MOST_TRIES

    def failed(self, peer: str) -> None:
        if len(self._at) >= MOST_PEERS:
            self._at.clear()
        self._at.setdefault(peer, deque(maxlen=MOST_TRIES)).append(time.monotonic())


class SignIn:
    """The page at which people sign in."""

    def __init__(self, site: PageSite) -> None:
        self._site, self._tries = site, Tries()

    async def look(self, request: Request) -> Response:
        """Which ways there are."""
        return self._shown(request, inside(request.query_params.get("to", "/")))

    def _shown(self, request: Request, to: str, why: str = "", status: int = 200) -> Response:
        page = self._site.page
        values = {
            "to": to,
            "why": why,
            "by_token": self._site.people is not None,
            "openid": page.openid.title if page.openid else "",
            "by_proxy": page.proxy is not None,
        }
        return self._site.html(request, None, "signin.html.j2", values, status)

    async def sign_in(self, request: Request) -> Response:
        """By a token."""
        form = request.state.form
        to, peer = inside(form.get("to", "/")), request.client.host if request.client else ""
        if self._tries.are_too_many(peer):
            return self._shown(request, to, "too many tries from your address; wait a minute", 429)
        people = self._site.people
        person = await asyncio.to_thread(people.person, form.get("token", "").strip()) if people else None
        if person is None:
            self._tries.failed(peer)
            LOG.warning("%s shows no valid token of a person", peer)
            why = (
                "nobody is known by a token at this moment; the log of the service says why"
                if people and people.problem
                else ""
            )
            return self._shown(request, to, why or "nobody has this token", 403)
        answer = RedirectResponse(to, 303)
        self._site.keep(answer, await asyncio.to_thread(self._site.sessions.begin, person))
        LOG.info("%s has signed in from %s by token, as %s", person.name, peer, person.role.word)
        return answer

    async def sign_out(self, request: Request) -> Response:
        """The session is over, and its cookie worth nothing."""
        known = await asyncio.to_thread(self._site.known, request)
        if known is None or known.session is None:
            return RedirectResponse("/signin", 303)
        if not self._site.sessions.is_csrf(known.form_key, request.state.form.get("csrf", "")):
            return self._site.problem(request, known, "this form is of another session; look at the page again", 403)
        await asyncio.to_thread(self._site.sessions.end, known.session)
        answer = RedirectResponse("/signin?did=signed-out", 303)
        answer.delete_cookie(self._site.cookie, path="/", secure=self._site.secure, httponly=True, samesite="lax")
        return answer
