# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server: who may do what, and where a request goes."""

from __future__ import annotations

import json
import re
import threading
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from ansible_collections.oncall.runbooks.tests.support.fake_awx.http import Handler, Server, Trouble
from ansible_collections.oncall.runbooks.tests.support.fake_awx.kinds import (
    BELOW,
    KINDS,
    LINKS,
    NODE_LINKS,
    TEMPLATES,
    VERSION,
    Item,
    class_of,
    known,
)
from ansible_collections.oncall.runbooks.tests.support.fake_awx.launches import Launches
from ansible_collections.oncall.runbooks.tests.support.fake_awx.lists import listed
from ansible_collections.oncall.runbooks.tests.support.fake_awx.refusals import FORBIDDEN, Refused, allow, refuse
from ansible_collections.oncall.runbooks.tests.support.fake_awx.surveys import survey_error

TOKEN = "token-of-the-fake-awx"


class FakeAwx(Launches):
    """A server on a free port of the loopback.

    Args:
        playbooks: the files that a project's update finds.
    """

    def __init__(self, playbooks: tuple[str, ...] = ()) -> None:
        super().__init__(playbooks)
        self.troubles: list[Trouble] = []
        # (method, path) of every request that changes something.
        self.writes: list[tuple[str, str]] = []
        # Token -> the roles of a person: (kind, number, Read or Execute). TOKEN may do everything.
        self.people: dict[str, set[tuple[str, int, str]]] = {}
        self._lock = threading.RLock()
        self._released = threading.Event()
        self._port = 0
        self.start()

    # ------------------------------------------------------------------ its life
    def start(self) -> None:
        """Listen, on the same port as before."""
        self._released.clear()
        self._server = Server(("127.0.0.1", self._port), type("Handler", (Handler,), {"awx": self}))
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def stop(self) -> None:
        """Be gone: connections are refused."""
        self._released.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    # ------------------------------------------------------------------ requests
    def answer(self, method: str, target: str, token: str | None, body: bytes) -> tuple[int, Any]:
        """Status and JSON."""
        parts = urlsplit(target)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        found = re.fullmatch(r"/api/v2/(?:([a-z_]+)/)?(?:(\d+|[^/]*\+\+[^/]*)/)?(?:([a-z_]+)/)?", parts.path)
        if not found:
            raise refuse(404, "The requested resource could not be found.")
        kind, name, below = found[1], found[2] or "", found[3]
        if kind != "ping" and token != TOKEN and token not in self.people:
            raise refuse(
                401, "Authentication credentials were not provided. To establish a login session, visit /api/login/."
            )
        number = int(name) if name.isdigit() else self._named(kind, unquote(name)) if name else 0
        sent = {}
        if body:
            try:
                sent = json.loads(body)
            except ValueError:
                raise refuse(400, "JSON parse error") from None
            if not isinstance(sent, dict):
                raise refuse(400, "JSON parse error - not all data was a JSON object")
        with self._lock:
            if method not in ("GET", "OPTIONS"):
                self.writes.append((method, parts.path))
            return self._route(method, kind, number, below, query, sent, token or "")

    def _named(self, kind: str | None, name: str) -> int:
        """The item of a named URL, ``name++organization``."""
        plain, _, organization = name.partition("++")
        of = {one["id"] for one in self.items["organizations"].values() if one["name"] == organization}
        # Of a credential such a URL names the type as well.
        for item in self.items.get(kind or "", {}).values() if kind != "credentials" else ():
            if item.get("name") == plain and item.get("organization") in of:
                return int(item["id"])
        raise refuse(404, f"No {class_of(kind or '')} matches the given query.")

    def may(self, token: str, kind: str, item: Item, role: str) -> bool:
        """Whether a person has a role, Read or Execute, on an item; on a job, that of its template."""
        if token == TOKEN:
            return True
        on = ("job_templates", item["job_template"]) if kind == "jobs" else (kind, item["id"])
        has = {of for *where, of in self.people[token] if tuple(where) == on}
        return bool(has & ({"Execute"} if role == "Execute" else {"Read", "Execute"}))

    def _route(
        self,
        method: str,
        kind: str | None,
        number: int,
        below: str | None,
        query: dict[str, str],
        sent: Item,
        token: str,
    ) -> tuple[int, Any]:
        if kind in ("ping", "config") and not number:
            allow(method, "GET")
            return 200, {
                "version": VERSION,
                "active_node": "fake",
                **({"license_info": {}} if kind == "config" else {}),
            }
        if kind == "unified_job_templates" and not number:
            allow(method, "GET")
            several = [item for name in TEMPLATES for item in self.items[name].values()]
            return 200, listed(
                [self._shown_template(item) for item in several], query, "/api/v2/unified_job_templates/"
            )
        if kind not in self.items:
            raise refuse(404, "The requested resource could not be found.")
        if not number:
            if kind not in KINDS:
                allow(method, "GET")
            allow(method, "GET", "POST")
            if method == "POST":
                if token != TOKEN:
                    raise refuse(403, FORBIDDEN)
                return 201, self._shown(kind, self._make(kind, sent))
            seen = [item for item in self.items[kind].values() if self.may(token, kind, item, "Read")]
            return 200, listed([self._shown(kind, item) for item in seen], query, f"/api/v2/{kind}/")
        if number not in self.items[kind]:
            raise refuse(404, f"No {class_of(kind)} matches the given query.")
        item = self.items[kind][number]
        role = "Execute" if below in ("launch", "cancel", "relaunch") and method == "POST" else "Read"
        if not self.may(token, kind, item, role) or (
            method not in ("GET", "OPTIONS") and role == "Read" and token != TOKEN
        ):
            raise refuse(403, FORBIDDEN)
        if below is None:
            return self._detail(method, kind, item, sent)
        if below not in (KINDS[kind].related if kind in KINDS else BELOW.get(kind, ())):
            raise refuse(404, "The requested resource could not be found.")
        if below in ("events", "job_events"):
            allow(method, "GET")
            return 200, listed(item["events"](), query, f"/api/v2/{kind}/{number}/{below}/")
        return getattr(self, f"_{below}" if below not in LINKS else "_linked")(method, kind, item, sent, below)

    def _detail(self, method: str, kind: str, item: Item, sent: Item) -> tuple[int, Any]:
        if kind not in KINDS:
            allow(method, "GET")
            return 200, self._shown(kind, item)
        allow(method, "GET", "PATCH", "DELETE")
        if method == "PATCH":
            before = item.get("scm_url"), item.get("scm_branch")
            self._check(kind, {**item, **known(kind, sent)}, item["id"])
            item.update(known(kind, sent))
            if kind == "projects" and before != (item["scm_url"], item["scm_branch"]):
                self._update_of(kind, item)
        if method == "DELETE":
            del self.items[kind][item["id"]]
            return 204, None
        return 200, self._shown(kind, item)

    # ------------------------------------------------------------------ below an item
    def _update(self, method: str, kind: str, item: Item, _sent: Item, _below: str) -> tuple[int, Any]:
        allow(method, "GET", "POST")
        return (200, {"can_update": True}) if method == "GET" else (202, self._update_of(kind, item)["shown"]())

    def _survey_spec(self, method: str, _kind: str, item: Item, sent: Item, _below: str) -> tuple[int, Any]:
        allow(method, "GET", "POST", "DELETE")
        if method == "POST":
            if wrong := survey_error(sent):
                raise Refused(400, {"error": wrong})
            self.surveys[item["id"]] = sent
            return 200, None
        if method == "DELETE":
            self.surveys.pop(item["id"], None)
            return 200, None
        return 200, self.surveys.get(item["id"], {})

    def _linked(self, method: str, kind: str, item: Item, sent: Item, below: str) -> tuple[int, Any]:
        allow(method, "GET", "POST")
        of = LINKS[below]
        links = self.links.setdefault((kind, item["id"], below), [])
        if method == "GET":
            return 200, listed([self._shown(of, self.items[of][number]) for number in links], {})
        other = sent.get("id")
        if other not in self.items[of]:
            raise Refused(400, {"msg": "object does not exist."})
        if sent.get("disassociate"):
            links.remove(other)
        elif below in NODE_LINKS and any(other in self.links.get((kind, item["id"], one), ()) for one in NODE_LINKS):
            raise Refused(400, {"Error": "Relationship not allowed."})
        elif other not in links:
            links.append(other)
        return 204, None

    def _create_approval_template(
        self, method: str, _kind: str, item: Item, sent: Item, _below: str
    ) -> tuple[int, Any]:
        allow(method, "GET", "POST")
        made = self._make("workflow_approval_templates", sent)
        item["unified_job_template"] = made["id"]
        return 201, self._shown("workflow_approval_templates", made)

    # ------------------------------------------------------------------ trouble
    def trouble_with(self, method: str, path: str) -> Trouble | None:
        with self._lock:
            for trouble in self.troubles:
                if trouble.times > 0 and trouble.method == method and re.search(trouble.path, path):
                    trouble.times -= 1
                    return trouble
        return None

    def wait_until_gone(self) -> None:
        """For a request that hangs."""
        self._released.wait(30)
