# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small application that lets users in: ``python guarded_app.py SETTINGS.json``.

It takes an address and a password, gets a token from an identity provider, and checks tokens with the keys that it read when it was started: after
a rotation it knows the old ones, until it is restarted or gets a SIGHUP. Its log has every request as nginx writes it, and why tokens were refused in the words of PyJWT.
"""

from __future__ import annotations

import json
import signal
import sys
import time
import urllib.request
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt

SETTINGS: dict[str, Any] = {
    "port": 0,
    "issuer": "",
    "audience": "shop",
    "password": "right",
    # Wrong passwords until an account is locked; 0: never.
    "locks_after": 0,
    # Of the cookie that it sets; nothing: none.
    "cookie": "",
    # Whether it gives the token in its answer as well.
    "token": True,
    "health_is_guarded": False,
    "forbidden": [],
}


def keys_of(issuer: str) -> dict[str, jwt.PyJWK]:
    with urllib.request.urlopen(f"{issuer}/jwks", timeout=10) as answer:
        return {key.key_id: key for key in jwt.PyJWKSet.from_dict(json.load(answer)).keys if key.key_id}


class App:
    """What it knows and how it answers.

    Args:
        settings: those that differ from :data:`SETTINGS`.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = {**SETTINGS, **settings}
        self.keys = keys_of(self.settings["issuer"])
        self.wrong: dict[str, int] = {}
        self.logins = 0

    def login(self, body: bytes) -> tuple[int, dict[str, Any], str]:
        """Status, answer and cookie."""
        self.logins += 1
        given = json.loads(body)
        email = str(given.get("email"))
        limit = self.settings["locks_after"]
        if limit and self.wrong.get(email, 0) >= limit:
            return 423, {"error": "account locked"}, ""
        if given.get("password") != self.settings["password"]:
            self.wrong[email] = self.wrong.get(email, 0) + 1
            return 401, {"error": "invalid credentials", "echo": given}, ""
        self.wrong.pop(email, None)
        asked = urllib.request.Request(f"{self.settings['issuer']}/token", data=b"{}", method="POST")
        with urllib.request.urlopen(asked, timeout=10) as answer:
            token = json.load(answer)["token"]
        cookie = f"sid={token}; {self.settings['cookie']}" if self.settings["cookie"] else ""
        return 200, {"access_token": token} if self.settings["token"] else {"ok": True}, cookie

    def refusal(self, token: str) -> str:
        """Why a token is refused, or ""."""
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            if kid not in self.keys:
                return f'Unable to find a signing key that matches: "{kid}"'
            options: Any = {"require": ["exp", "aud", "iss"]}
            jwt.decode(
                token,
                key=self.keys[kid],
                algorithms=["RS256", "ES256"],
                audience=self.settings["audience"],
                issuer=self.settings["issuer"],
                options=options,
            )
        except jwt.PyJWTError as error:
            return str(error)
        return ""


def handler(app: App, log: Any) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            if self.path == "/api/auth/login":
                status, answer, cookie = app.login(body)
                self.give(status, answer, **({"Set-Cookie": cookie} if cookie else {}))
            else:
                self.guarded()

        def do_GET(self) -> None:
            if self.path == "/health" and not app.settings["health_is_guarded"]:
                self.give(200, {"ok": True})
            else:
                self.guarded()

        def guarded(self) -> None:
            kind, _blank, token = (self.headers.get("authorization") or "").partition(" ")
            if kind != "Bearer":
                pairs = [one.strip().partition("=") for one in (self.headers.get("cookie") or "").split(";")]
                token = next((value for name, _sign, value in pairs if name == "sid"), "")
            why = app.refusal(token) if token else "no token"
            if why:
                if token:
                    print(f"{now()} WARNING token refused: {why}", file=log, flush=True)
                self.give(401, {"error": "unauthorized"})
            elif self.path in app.settings["forbidden"]:
                self.give(403, {"error": "the feature is not switched on"})
            else:
                self.give(200, {"ok": True})

        def give(self, status: int, answer: dict[str, Any], **headers: str) -> None:
            data = json.dumps(answer).encode()
            self.send_response(status)
            for name, value in {
                "Content-Type": "application/json",
                "Content-Length": str(len(data)),
                **headers,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)
            client = self.headers.get("x-forwarded-for", self.client_address[0])
            agent = self.headers.get("user-agent", "-")
            at = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime())
            print(
                f'{client} - - [{at}] "{self.command} {self.path} HTTP/1.1" {status} {len(data)} "-" "{agent}"',
                file=log,
                flush=True,
            )

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: the line above is the log."""

    return Handler


def now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def serve(settings: dict[str, Any], log: Any) -> tuple[App, ThreadingHTTPServer]:
    """An application, and its server, which does not run yet."""
    app = App(settings)
    server = ThreadingHTTPServer(("127.0.0.1", app.settings["port"]), handler(app, log))
    server.daemon_threads = True
    return app, server


if __name__ == "__main__":
    _app, _server = serve(json.loads(Path(sys.argv[1]).read_text()), sys.stdout)
    signal.signal(signal.SIGHUP, lambda *_signal: setattr(_app, "keys", keys_of(_app.settings["issuer"])))
    print(f"{now()} INFO started with the keys {', '.join(_app.keys)}", flush=True)
    _server.serve_forever()
