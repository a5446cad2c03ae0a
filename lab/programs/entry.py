# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How users get into the lab's API, and how somebody writes while it is read-only.

A login takes an address and the password of CANARY_PASSWORD, and gives a token of the identity provider. Tokens are checked with the keys that the
API has read when it met the first one: after a rotation it knows the old ones until it is restarted. The log has each of these requests.
"""

from __future__ import annotations

import base64
import hmac
import http.client
import json
import logging
import os
import secrets
import threading
import time
from typing import Any
from urllib.parse import SplitResult

from prometheus_client import Gauge

from .web import Handler, Refused, Route

PROVIDER_SECONDS = 5
TOKENS_OPEN = Gauge("app_break_glass_tokens_open", "Tokens that can write while it is read-only")
log = logging.getLogger("lab.api")


class Entry:
    """What the API knows of tokens.

    Args:
        provider: where the identity provider is.
    """

    def __init__(self, provider: SplitResult) -> None:
        self._provider = provider
        self._password = os.environ.get("CANARY_PASSWORD", "")
        self._issuer = os.environ.get("ISSUER", "")
        self._keys: dict[str, Any] = {}
        self._lock = threading.Lock()
        self.admin_key = os.environ.get("ADMIN_KEY", "")
        self.read_only = False
        self.notice = ""
        self.tokens: dict[str, dict[str, Any]] = {}
        TOKENS_OPEN.set_function(lambda: len(self.open_ones()))

    def token_for(self, email: str, password: str) -> str:
        if not self._password or not hmac.compare_digest(password.encode(), self._password.encode()):
            raise Refused(401, {"error": "invalid credentials"})
        return str(self._ask("POST", "/token", json.dumps({"sub": email}))["token"])

    def check(self, token: str) -> str:
        """Whose token it is."""
        import jwt

        try:
            kid = jwt.get_unverified_header(token).get("kid", "")
            keys = self._known_keys()
            if kid not in keys:
                raise jwt.InvalidTokenError(f'Unable to find a signing key that matches: "{kid}"')
            claims = jwt.decode(token, key=keys[kid], algorithms=["RS256"], audience="lab", issuer=self._issuer)
        except jwt.PyJWTError as error:
            log.warning("token refused: %s", error)
            raise Refused(401, {"error": "unauthorized"}) from None
        return str(claims["sub"])

    def _known_keys(self) -> dict[str, Any]:
        import jwt

        with self._lock:
            if not self._keys:
                found = jwt.PyJWKSet.from_dict(self._ask("GET", "/jwks")).keys
                self._keys = {str(key.key_id): key for key in found}
            return self._keys

    def _ask(self, method: str, path: str, body: str | None = None) -> Any:
        connection = http.client.HTTPConnection(
            self._provider.hostname or "", self._provider.port, timeout=PROVIDER_SECONDS
        )
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            content = answer.read()
            if answer.status != 200:
                raise Refused(502, f"the identity provider answers {path} with {answer.status}")
            return json.loads(content)
        except (OSError, http.client.HTTPException) as error:
            raise Refused(502, f"the identity provider does not answer: {error or type(error).__name__}") from None
        finally:
            connection.close()

    def open_ones(self) -> dict[str, dict[str, Any]]:
        return {key: one for key, one in self.tokens.items() if one["ends"] > time.time()}


def logged(route: Route) -> Route:
    """A route of which every request has a line in the log, as nginx writes it."""

    def run(api: Any, request: Handler) -> Any:
        status = 200
        try:
            return route(api, request)
        except Refused as refused:
            status = refused.args[0]
            raise
        finally:
            at = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime())
            client = request.client_address[0]
            log.info('%s - - [%s] "%s %s HTTP/1.1" %s 0', client, at, request.command, request.route, status)

    return run


def login(api: Any, request: Handler) -> Any:
    given = json.loads(request.body() or b"{}")
    return {"access_token": api.entry.token_for(str(given.get("email")), str(given.get("password")))}


def me(api: Any, request: Handler) -> Any:
    return {"subject": api.entry.check((request.headers.get("Authorization") or "").removeprefix("Bearer "))}


def _is_admin(api: Any, request: Handler) -> None:
    """By the key of administrators, as a bearer or as the password of anybody."""
    kind, _, given = (request.headers.get("Authorization") or "").partition(" ")
    if kind == "Basic":
        given = base64.b64decode(given).decode("utf-8", "replace").partition(":")[2]
    if not api.entry.admin_key or not hmac.compare_digest(given.encode(), api.entry.admin_key.encode()):
        raise Refused(401, {"error": "unauthorized"})


def start(api: Any, request: Handler) -> Any:
    _is_admin(api, request)
    given = json.loads(request.body() or b"{}")
    wanted = int(given["ttl_seconds"]) if "ttl_seconds" in given else int(given["ttl_minutes"]) * 60
    key, seconds = secrets.token_hex(6), min(max(wanted, 1), 3600)
    token = secrets.token_urlsafe(24)
    api.entry.tokens[key] = {"token": token, "reason": str(given["reason"])[:300], "ends": time.time() + seconds}
    return {"id": key, "token": token, "expires": api.entry.tokens[key]["ends"]}


def listed(api: Any, request: Handler) -> Any:
    _is_admin(api, request)
    return {"tokens": [{"id": key, "reason": one["reason"]} for key, one in api.entry.open_ones().items()]}


def revoke(api: Any, request: Handler) -> Any:
    _is_admin(api, request)
    if api.entry.tokens.pop(request.last, None) is None:
        raise Refused(404, "no such token")
    return {"revoked": request.last}


def state(api: Any, request: Handler) -> Any:
    return {"read_only": api.entry.read_only, "notice": api.entry.notice}


def read_only(api: Any, request: Handler) -> Any:
    api.entry.read_only = request.number("on", 1, 1) == 1
    return state(api, request)


def write_notice(api: Any, request: Handler) -> Any:
    """What users read above every page."""
    given = request.headers.get("X-Break-Glass-Token") or ""
    may = any(hmac.compare_digest(given.encode(), one["token"].encode()) for one in api.entry.open_ones().values())
    if api.entry.read_only and not may:
        raise Refused(423, {"error": "the system is read-only"})
    _is_admin(api, request)
    api.entry.notice = str(json.loads(request.body())["text"])[:200]
    return state(api, request)


ROUTES: dict[tuple[str, str], Route] = {
    ("POST", "/auth/login"): logged(login),
    ("GET", "/me"): logged(me),
    ("POST", "/admin/break-glass"): start,
    ("GET", "/admin/break-glass"): listed,
    ("DELETE", "/admin/break-glass/*"): revoke,
    ("GET", "/admin/state"): state,
    ("POST", "/admin/notice"): write_notice,
    ("POST", "/debug/read-only"): read_only,
}
