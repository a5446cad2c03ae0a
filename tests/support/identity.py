# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An identity provider that issues tokens and publishes its keys, and can do both wrong; and an application in this process."""

from __future__ import annotations

import io
import json
import threading
import time
from email.utils import formatdate
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from .guarded_app import serve
from .http_servers import Handler, HttpServer

_ONE_AT_A_TIME = threading.Lock()


def key_named(kid: str) -> rsa.RSAPrivateKey:
    """A private key; the same one for the same name, because making one takes a second."""
    # Two requests at once would make two.
    with _ONE_AT_A_TIME:
        return _key_named(kid)


@cache
def _key_named(_kid: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def published(kid: str, private: bool = False) -> dict[str, Any]:
    """A key as a provider publishes it."""
    key = key_named(kid)
    document: dict[str, Any] = json.loads(RSAAlgorithm.to_jwk(key if private else key.public_key()))
    return {
        **{name: value for name, value in document.items() if name != "key_ops"},
        "kid": kid,
        "alg": "RS256",
        "use": "sig",
    }


class Provider(HttpServer):
    """A running identity provider.

    Attributes:
        kid: the name of the key that it signs with.
        kids: of those that it publishes.
        ahead_seconds: how far its clock is ahead.
        claims: those that a token has otherwise than by default.
        algorithm: ``RS256``, ``HS256`` or ``none``.
        answers: bytes, status and headers by path, instead of what it would say.
    """

    def __init__(self) -> None:
        self.kid, self.kids = "k1", ["k1"]
        self.ahead_seconds = 0.0
        self.claims: dict[str, Any] = {}
        self.algorithm = "RS256"
        self.answers: dict[str, tuple[int, bytes, dict[str, str]]] = {}
        provider = self

        class Answering(Handler):
            def do_GET(self) -> None:
                status, data, headers = provider.said(self.path)
                self.send_response_only(status)
                at = formatdate(time.time() + provider.ahead_seconds, usegmt=True)
                for name, value in {
                    "Date": at,
                    "Content-Type": "application/json",
                    "Content-Length": str(len(data)),
                    **headers,
                }.items():
                    self.send_header(name, value)
                self.end_headers()
                try:
                    self.wfile.write(data)
                except OSError:
                    self.close_connection = True

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("content-length") or 0))
                self.do_GET()

        super().__init__(Answering)

    @property
    def url(self) -> str:
        return f"http://{self.place}"

    def said(self, path: str) -> tuple[int, bytes, dict[str, str]]:
        if path in self.answers:
            return self.answers[path]
        if path == "/.well-known/openid-configuration":
            return 200, json.dumps({"issuer": self.url, "jwks_uri": f"{self.url}/jwks"}).encode(), {}
        if path == "/jwks":
            return 200, json.dumps({"keys": [published(kid) for kid in self.kids]}).encode(), {}
        if path == "/token":
            return 200, json.dumps({"token": self.token()}).encode(), {}
        return 404, b"{}", {}

    def token(self, **claims: Any) -> str:
        """A token of now, by its own clock."""
        now = int(time.time() + self.ahead_seconds)
        told = {"iss": self.url, "aud": "shop", "sub": "canary", "iat": now, "exp": now + 600, **self.claims, **claims}
        if self.algorithm == "none":
            return jwt.encode(told, "", algorithm="none")
        if self.algorithm == "HS256":
            return jwt.encode(told, "a shared secret of thirty-two bytes", algorithm="HS256")
        return jwt.encode(told, key_named(self.kid), algorithm="RS256", headers={"kid": self.kid})

    def rotate(self, kid: str) -> None:
        """Sign with another key, and publish that one alone."""
        self.kid, self.kids = kid, [kid]


class InProcess:
    """The application of :mod:`guarded_app` in this process."""

    def __init__(self, provider: Provider, **settings: Any) -> None:
        self.log = io.StringIO()
        self.app, self._server = serve({"issuer": provider.url, **settings}, self.log)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
