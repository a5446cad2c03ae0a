# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A system that is read-only and gives tokens to write all the same: it keeps what it gave, what was revoked and what was written."""

from __future__ import annotations

import json
import secrets
import time
from email.utils import formatdate
from typing import Any

from .http_servers import Handler, HttpServer

USER, PASSWORD = "admin", "0wner-s3cret-pw"


class ReadOnlySystem(HttpServer):
    """A running one.

    Attributes:
        read_only: whether it is.
        tokens: by id, each with ``token``, ``reason``, ``minutes``, ``given_at``, ``revoked_at`` (or None).
        orders: what the write changes.
        asked: what it was asked, a method and a path for each.
        refuses: status by path, for what it is told to refuse.
        loses: status by path, for what it does, and a server on the way then answers in its place.
        holds_seconds: how long it takes for a write.
        has_ids: whether it tells the id of a token.
        takes_everything: whether it answers 200 where there is nothing.
        ahead_seconds: how far its clock is ahead.
        has_dates: whether its answers say what its clock says.
    """

    def __init__(self) -> None:
        self.read_only = True
        self.tokens: dict[str, dict[str, Any]] = {}
        self.orders = "held"
        self.asked: list[tuple[str, str]] = []
        self.refuses: dict[str, int] = {}
        self.loses: dict[str, int] = {}
        self.holds_seconds = 0.0
        self.has_ids = True
        self.takes_everything = False
        self.ahead_seconds = 0.0
        self.has_dates = True
        system = self

        class Answering(Handler):
            def do_GET(self) -> None:
                self.answer({})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                self.answer(json.loads(body or b"{}"))

            do_DELETE = do_POST

            def date_time_string(self, timestamp: float | None = None) -> str:
                return formatdate(time.time() + system.ahead_seconds, usegmt=True) if system.has_dates else "no date"

            def answer(self, body: dict[str, Any]) -> None:
                system.asked.append((self.command, self.path))
                status, document = system.said(
                    self.command, self.path, body, {name.lower(): value for name, value in self.headers.items()}
                )
                if self.path in system.loses:
                    status, document = system.loses[self.path], {"error": "gateway timeout"}
                try:
                    self.give(json.dumps(document).encode(), status, Content_Type="application/json")
                except OSError:
                    self.close_connection = True

        super().__init__(Answering)

    @property
    def url(self) -> str:
        return f"http://{self.place}"

    def open_ones(self) -> dict[str, dict[str, Any]]:
        now = time.time()
        return {
            key: one
            for key, one in self.tokens.items()
            if one["revoked_at"] is None and one["given_at"] + 60 * one["minutes"] > now
        }

    def said(self, method: str, path: str, body: dict[str, Any], headers: dict[str, str]) -> tuple[int, Any]:
        if path in self.refuses:
            return self.refuses[path], {"error": "sorry", "echo": [body, headers.get("x-break-glass-token")]}
        if path == "/v1/state":
            return 200, {"admin": {"read_only": self.read_only}, "orders": self.orders}
        if path == "/v1/admin/break-glass/start":
            import base64

            if headers.get("authorization") != "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode():
                return 401, {"error": "unauthorized"}
            key = secrets.token_hex(4)
            given = {"token": f"bg_{secrets.token_hex(16)}", "reason": body["reason"], "minutes": body["ttl_minutes"]}
            self.tokens[key] = {**given, "given_at": time.time(), "revoked_at": None}
            ends = time.time() + self.ahead_seconds + 60 * body["ttl_minutes"]
            return 200, {"token": given["token"], "expires_at": ends, **({"id": key} if self.has_ids else {})}
        if path == "/v1/admin/break-glass":
            return 200, {"tokens": [{"id": key, "reason": one["reason"]} for key, one in self.open_ones().items()]}
        if path.startswith("/v1/admin/break-glass/") and (path.endswith("/revoke") or method == "DELETE"):
            key = path.removesuffix("/revoke").rpartition("/")[2]
            if key not in self.open_ones():
                return 404, {"error": "no such token"}
            self.tokens[key]["revoked_at"] = time.time()
            return 200, {}
        if path == "/v1/admin/break-glass/end":
            for one in self.open_ones().values():
                if one["token"] == body.get("token"):
                    one["revoked_at"] = time.time()
            return 200, {}
        if path == "/v1/orders/release":
            time.sleep(self.holds_seconds)
            tokens = [one["token"] for one in self.open_ones().values()]
            if self.read_only and headers.get("x-break-glass-token") not in tokens:
                return 423, {"error": "the system is read-only"}
            self.orders = "released"
            return 200, {}
        return (200, {}) if self.takes_everything else (404, {"error": "not here"})

    def settings(self, **changed: Any) -> dict[str, Any]:
        """What an inventory says of it."""
        basic = {"auth": {"basic": {"user": USER, "password": PASSWORD}}}
        given = {
            "start": {
                "url": f"{self.url}/v1/admin/break-glass/start",
                **basic,
                "body": {"reason": "{reason}", "ttl_minutes": "{ttl_minutes}"},
            },
            "token": "token",
            "id": "id",
            "revoke": {"url": f"{self.url}/v1/admin/break-glass/{{id}}/revoke", **basic},
            "open": {"url": f"{self.url}/v1/admin/break-glass", **basic, "rows": "tokens"},
            "read_only": {"url": f"{self.url}/v1/state", "field": "admin.read_only"},
            "writes": {
                "release_orders": {
                    "url": f"{self.url}/v1/orders/release",
                    "why": "lets orders through that are held",
                    "done": {"url": f"{self.url}/v1/state", "field": "orders", "equals": "released"},
                }
            },
            **changed,
        }
        return {key: value for key, value in given.items() if value is not None}
