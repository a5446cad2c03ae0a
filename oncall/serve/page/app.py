# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The application: knows who asks, has a view answer, and makes HTML of it."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any
from urllib.parse import quote, urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from ...errors import OncallError, first_line
from ...incidents.books import NotDone
from ...incidents.postmortem import plot
from ..decide.plans import NoPlan
from ..settings import Page
from . import guard, words
from .guard import Forms, Refused, check_host, check_origin, is_secure
from .live import Live
from .openid import OpenIdSignIn
from .people import Person, Role, TokenPeople, of_proxy, role_of
from .sessions import Session, Sessions
from .signin import SignIn
from .views import VIEWS, View
from .visit import Answer, File, Gone, Lost, Moved, Sources, Unheard, Visit

LOG = logging.getLogger("oncall.page")
# Views wait for the database, and some for hosts.
THREADS, SLOW_THREADS = 8, 2
STATIC = {"page.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}
YEAR_SECONDS = 365 * 86400


@dataclass(frozen=True)
class Known:
    """Who asks, and by what the forms of this person are told from others."""

    person: Person
    form_key: str
    session: Session | None = None


class PageSite:
    """The page of a service.

    Args:
        sources: what it shows and works on.

    Raises:
        OncallError: nobody could sign in; one line.
    """

    def __init__(self, sources: Sources) -> None:
        page = sources.settings().page
        assert page is not None
        self._sources, self._started_with = sources, page
        self.people = TokenPeople(sources.tokens, lambda: self.machines) if sources.tokens is not None else None
        self.sessions = Sessions(sources.store, page, self._still, sources.clock)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="page")
        self._slow_threads = ThreadPoolExecutor(SLOW_THREADS, thread_name_prefix="page-slow")
        self._static = {name: (files(__package__) / "static" / name).read_bytes() for name in STATIC}
        # The pictures of a post-mortem bring their style along.
        self._static["page.css"] += plot.STYLE.encode()
        self._digests = {name: hashlib.sha256(body).hexdigest()[:16] for name, body in self._static.items()}
        self._templates = self._environment()
        self._forms = Forms()
        self._live = Live(sources, self._threads)
        self._sign_in = SignIn(self)
        self._openid = OpenIdSignIn(self, page.openid) if page.openid else None
        routes = [
            Route("/static/{digest}/{name}", self._file, methods=["GET"]),
            Route("/events", self._events, methods=["GET"]),
            Route("/signin", self._sign_in.look, methods=["GET"]),
            Route("/signin", self._sign_in.sign_in, methods=["POST"]),
            Route("/signout", self._sign_in.sign_out, methods=["POST"]),
            *(self._openid.routes() if self._openid else ()),
            *(Route(view.path, self._of(view), methods=[view.method]) for view in VIEWS),
        ]
        self._app = Starlette(routes=routes, exception_handlers={HTTPException: self._no_page})
        # A path with a slash at its end is another path.
        self._app.router.redirect_slashes = False

    @property
    def page(self) -> Page:
        """The settings, as they are now."""
        return self._sources.settings().page or self._started_with

    @property
    def sources(self) -> Sources:
        return self._sources

    @property
    def secure(self) -> bool:
        return is_secure(self._sources.settings(), self.page)

    @property
    def cookie(self) -> str:
        """The name of the cookie; with the prefix, no other host and no plain HTTP can set it."""
        return "__Host-oncall" if self.secure else "oncall"

    @property
    def machines(self) -> list[str]:
        """Names that no person has."""
        return [self._sources.settings().node]

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._slow_threads.shutdown(wait=False, cancel_futures=True)

    # ------------------------------------------------------------------ ASGI
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """An application of ASGI."""
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        more = dict(guard.HEADERS)
        if self.secure:
            more["Strict-Transport-Security"] = f"max-age={YEAR_SECONDS}"

        async def sending(message: Any) -> None:
            if message["type"] == "http.response.start":
                there = {name.lower() for name, _value in message["headers"]}
                added = [(n.lower().encode(), v.encode()) for n, v in more.items() if n.lower().encode() not in there]
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        scope = {**scope, "state": {}}
        try:
            settings = self._sources.settings()
            check_host(headers.get("host", ""), settings, self.page)
            if scope["method"] == "POST":
                check_origin(headers, settings, self.page)
                scope["state"]["form"] = await self._forms.read(headers, receive)
            elif scope["method"] not in ("GET", "HEAD"):
                raise Refused(405, "this page is looked at, and its forms are sent; nothing else")
        except Refused as refused:
            answer = self.problem(Request(scope), None, refused.why, refused.status)
            answer.headers["Connection"] = "close"
            await answer(scope, receive, sending)
            return
        await self._app(scope, receive, sending)

    # ------------------------------------------------------------------ who asks
    def _still(self, person: Person) -> Person | None:
        """Whether a session still stands for somebody, and what this person may do now."""
        if person.way == "token":
            return self.people.bound(person.bound) if self.people else None
        if person.way == "openid":
            openid = self.page.openid
            # As the settings are now: whoever is taken out of them does not keep a role until the session ends.
            role = self.role_of(person.name, person.groups)
            is_bound = openid is not None and person.bound == f"{openid.issuer} {openid.client_id}"
            return replace(person, role=role) if is_bound and role else None
        return None

    def known(self, request: Request) -> Known | None:
        """Who asks. What a proxy says now comes before what a cookie said."""
        page = self.page
        if page.proxy is not None:
            told: dict[str, list[str]] = {}
            for name, value in request.headers.items():
                told.setdefault(name, []).append(_in_utf8(value))
            peer = request.client.host if request.client else ""
            if person := of_proxy(page, page.proxy, peer, told, self.machines):
                return Known(person, f"proxy {person.name}")
        session = self.sessions.read(request.cookies.get(self.cookie, ""))
        return Known(session.person, session.id, session) if session else None

    def keep(self, answer: Response, cookie: str) -> None:
        """Give a browser its session."""
        minutes = self.page.session_minutes
        answer.set_cookie(
            self.cookie, cookie, max_age=int(minutes * 60), path="/", secure=self.secure, httponly=True, samesite="lax"
        )

    def role_of(self, name: str, groups: Sequence[str]) -> Role | None:
        return role_of(self.page, name, groups)

    # ------------------------------------------------------------------ views
    def _of(self, view: View) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            threads = self._slow_threads if view.slow else self._threads
            return await asyncio.get_running_loop().run_in_executor(threads, self._answer, view, request)

        return endpoint

    def _answer(self, view: View, request: Request) -> Response:
        known = None
        try:
            known = self.known(request)
            form = request.state.form if request.method == "POST" else {}
            if view.role is not None:
                if known is None:
                    return self._to_sign_in(request)
                if not known.person.may(view.role):
                    why = f"{known.person.name} has the role {known.person.role.word} here, and this takes the role {view.role.word}"
                    return self.problem(request, known, why, 403)
                if request.method == "POST" and not self.sessions.is_csrf(known.form_key, form.get("csrf", "")):
                    return self.problem(
                        request, known, "this form is of another session; look at the page again, and send it anew", 403
                    )
            visit = Visit(self._sources, request, known.person if known else None, form)
            try:
                mark = self._live.mark(str(request.path_params.get(view.live, view.live))) if view.live else ""
                answer = self._made(request, known, view.function(visit), mark)
            except (Lost, Unheard, NotDone) as error:
                answer = self.problem(request, known, str(error), 409, self._back(request))
            except (Gone, NoPlan) as error:
                answer = self.problem(request, known, str(error), 404)
        except OncallError as error:
            answer = self.problem(
                request, known, str(error), 404 if request.method in ("GET", "HEAD") else 409, self._back(request)
            )
        except SQLAlchemyError as error:
            LOG.error("%s could not be shown: %s", request.url.path, first_line(error))
            return self.problem(request, known, "the database does not answer; look again in a moment", 503)
        except Exception:
            LOG.exception("%s could not be shown", request.url.path)
            return self.problem(request, known, "this page has a fault; the log of the service says which", 500)
        if known and known.session and (cookie := self.sessions.renewed(known.session)):
            self.keep(answer, cookie)
        return answer

    def _made(self, request: Request, known: Known | None, answer: Answer, mark: str) -> Response:
        if isinstance(answer, Moved):
            mark = "&" if "?" in answer.to else "?"
            return RedirectResponse(f"{answer.to}{mark}did={answer.did}" if answer.did else answer.to, 303)
        if isinstance(answer, File):
            headers = {"Content-Security-Policy": answer.policy} if answer.policy else {}
            if answer.name:
                headers["Content-Disposition"] = f'attachment; filename="{answer.name}"'
            return Response(answer.body, media_type=answer.kind, headers=headers)
        return self.html(request, known, answer.template, {"mark": mark, **answer.values}, answer.status)

    def html(
        self, request: Request, known: Known | None, template: str, values: Mapping[str, Any], status: int = 200
    ) -> HTMLResponse:
        """A template, as the answer."""
        common = {
            "person": known.person if known else None,
            "csrf": self.sessions.csrf(known.form_key) if known else "",
            "can_sign_out": known is not None and known.session is not None,
            "path": request.url.path,
            "did": words.DID.get(request.query_params.get("did", ""), ""),
            "now": self._sources.clock(),
            "live": "",
            "mark": "",
        }
        return HTMLResponse(self._templates.get_template(template).render({**common, **values}), status)

    def problem(self, request: Request, known: Known | None, why: str, status: int, back: str = "") -> Response:
        """A page that says in one line what is wrong."""
        return self.html(request, known, "problem.html.j2", {"why": why, "status": status, "back": back}, status)

    def _back(self, request: Request) -> str:
        """Where the form was, which is shown as it is now."""
        parts = urlsplit(request.headers.get("referer", ""))
        is_ours = parts.netloc.lower() == request.headers.get("host", "").lower()
        return parts.path if is_ours and parts.path.startswith("/") and not parts.path.startswith("//") else "/"

    def _to_sign_in(self, request: Request) -> Response:
        if request.method == "POST":
            return self.problem(
                request, None, "nobody is signed in any more; sign in, and send it anew", 401, "/signin"
            )
        to = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse("/signin" if to == "/" else f"/signin?to={quote(to)}", 303)

    async def _no_page(self, request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        why = {404: "there is no such page", 405: "this page takes no such request"}.get(
            status, "this cannot be answered"
        )
        known = await asyncio.get_running_loop().run_in_executor(self._threads, self.known, request)
        if known is None and status == 404:
            return self._to_sign_in(request)
        return self.problem(request, known, why, status)

    # ------------------------------------------------------------------ the rest
    async def _file(self, request: Request) -> Response:
        name = request.path_params["name"]
        if self._digests.get(name) != request.path_params["digest"]:
            raise HTTPException(404)
        headers = {"Cache-Control": f"public, max-age={YEAR_SECONDS}, immutable"}
        return Response(self._static[name], media_type=STATIC[name], headers=headers)

    async def _events(self, request: Request) -> Response:
        known = await asyncio.get_running_loop().run_in_executor(self._threads, self.known, request)
        if known is None:
            return Response("nobody is signed in\n", 401, media_type="text/plain")
        if request.method == "HEAD":
            return Response(media_type="text/event-stream")
        topic, shown = request.query_params.get("of", ""), request.query_params.get("seen", "")
        # A browser that comes again says what it heard last.
        seen = request.headers.get("last-event-id") or shown
        return self._live.answer(topic, lambda: self.known(request) is not None, seen)

    def _environment(self) -> Environment:
        made = Environment(
            loader=PackageLoader(__package__),
            autoescape=True,
            undefined=StrictUndefined,
            finalize=words.straight,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        for name in ("when", "clock", "day", "iso", "span", "ago", "counted", "data", "listed", "alert"):
            made.filters[name] = getattr(words, name)
        made.globals["static"] = lambda name: f"/static/{self._digests[name]}/{name}"
        return made


def _in_utf8(value: str) -> str:
    """A header as its proxy means it: most send UTF-8, where HTTP reads each byte as a character."""
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value
