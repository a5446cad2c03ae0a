# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An identity provider that people sign in at: authorization code with PKCE, strict in what it takes, and wrong in what it says where a test wants it."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import jwt

from .http_servers import Handler, HttpServer
from .identity import key_named, published

CLIENT, SECRET = "oncall", "client-secret-0123456789"


class OpenIdProvider(HttpServer):
    """A running provider.

    Attributes:
        claims: of the tokens, beside those that have to be; None takes one out.
        kid, algorithm: what it signs with.
        told: what it says of itself, otherwise than it is.
        taken: the forms that it was sent for tokens.
    """

    def __init__(self) -> None:
        self.claims: dict[str, Any] = {"preferred_username": "kim", "groups": ["oncall-team"]}
        self.kid, self.algorithm = "k1", "RS256"
        self.told: dict[str, Any] = {}
        self.codes: dict[str, dict[str, str]] = {}
        self.taken: list[dict[str, str]] = []
        self.refused: list[str] = []
        provider = self

        class Answering(Handler):
            def do_GET(self) -> None:
                self.answer(200, provider.said(urlsplit(self.path).path))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
                told = provider.exchanged(dict(parse_qsl(body)), self.headers.get("authorization", ""))
                self.answer(200 if "id_token" in told else 400, told)

            def answer(self, status: int, told: Any) -> None:
                data = json.dumps(told).encode()
                self.send_response_only(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        super().__init__(Answering)

    @property
    def url(self) -> str:
        return f"http://{self.place}"

    def said(self, path: str) -> Any:
        if path == "/.well-known/openid-configuration":
            ends = {f"{name}_endpoint": f"{self.url}/{name}" for name in ("authorization", "token")}
            algorithms = ["RS256", "HS256", "none"]
            return {
                "issuer": self.url, **ends, "jwks_uri": f"{self.url}/jwks", "id_token_signing_alg_values_supported": algorithms, **self.told,
            }  # fmt: skip
        return {"keys": [published("k1")]} if path == "/jwks" else {}

    def agreed(self, address: str, **changed: str) -> str:
        """Somebody agrees at the address that a browser was led to; where the browser is led then."""
        parts = urlsplit(address)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{self.url}/authorization"
        assert (asked["response_type"], asked["client_id"], asked["code_challenge_method"]) == ("code", CLIENT, "S256")
        assert "openid" in asked["scope"].split() and len(asked["state"]) > 15 and len(asked["nonce"]) > 15
        code = secrets.token_hex(8)
        self.codes[code] = asked
        back = urlsplit(asked["redirect_uri"])
        return f"{back.path}?{urlencode({'code': code, 'state': asked['state'], **changed})}"

    def exchanged(self, form: dict[str, str], authorization: str) -> dict[str, Any]:
        """A token for a code, once, for who began and has the secret."""
        self.taken.append(form)
        asked = self.codes.pop(form.get("code", ""), None)
        expected = "Basic " + base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        challenge = (
            base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
            .rstrip(b"=")
            .decode()
        )
        for is_right, why in (
            (asked is not None, "no such code"),
            (authorization == expected, "not the client"),
            (asked is not None and asked["code_challenge"] == challenge, "not who began"),
            (asked is not None and asked["redirect_uri"] == form.get("redirect_uri"), "another way back"),
        ):
            if not is_right:
                self.refused.append(why)
                return {"error": "invalid_grant"}
        assert asked is not None
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": CLIENT,
            "sub": "u1",
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            **self.claims,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        if self.algorithm == "RS256":
            token = jwt.encode(claims, key_named(self.kid), algorithm="RS256", headers={"kid": "k1"})
        else:
            shared = SECRET * 2 if self.algorithm == "HS256" else ""
            token = jwt.encode(claims, shared, algorithm=self.algorithm, headers={"kid": "k1"})
        return {"access_token": "a", "token_type": "Bearer", "expires_in": 300, "id_token": token}
