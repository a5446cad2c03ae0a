# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The identity provider of the lab: it issues tokens, publishes the keys that it signs with, and changes them when it is told to."""

from __future__ import annotations

import json
import os
import threading
import time
from typing import Any

from .web import Handler, Route

LIVES_SECONDS = 900


class Identity:
    """Its keys, the last of which it signs with. A key is made when it is needed first: that takes a moment, and most labs need none."""

    def __init__(self) -> None:
        self.issuer = os.environ.get("ISSUER", "http://provider:8080")
        self.number = 1
        self._keys: dict[int, Any] = {}
        self._lock = threading.Lock()

    def key(self) -> tuple[str, Any]:
        """The name of the key that signs, and the key."""
        from cryptography.hazmat.primitives.asymmetric import rsa

        with self._lock:
            if self.number not in self._keys:
                self._keys[self.number] = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            return f"lab-{self.number}", self._keys[self.number]

    def rotate(self) -> str:
        """Sign with another key from now on, and publish that one alone."""
        with self._lock:
            self.number += 1
        return self.key()[0]


def discovery(provider: Any, request: Handler) -> Any:
    issuer = provider.identity.issuer
    return {"issuer": issuer, "jwks_uri": f"{issuer}/jwks", "id_token_signing_alg_values_supported": ["RS256"]}


def jwks(provider: Any, request: Handler) -> Any:
    from jwt.algorithms import RSAAlgorithm

    kid, key = provider.identity.key()
    return {"keys": [{**json.loads(RSAAlgorithm.to_jwk(key.public_key())), "kid": kid, "alg": "RS256", "use": "sig"}]}


def token(provider: Any, request: Handler) -> Any:
    """For whom the application says it is: it has looked at the password."""
    import jwt

    kid, key = provider.identity.key()
    now = int(time.time())
    subject = str(json.loads(request.body() or b"{}").get("sub", "nobody"))
    claims = {"iss": provider.identity.issuer, "aud": "lab", "sub": subject, "iat": now, "exp": now + LIVES_SECONDS}
    return {"token": jwt.encode(claims, key, algorithm="RS256", headers={"kid": kid})}


def rotate(provider: Any, request: Handler) -> Any:
    return {"kid": provider.identity.rotate()}


ROUTES: dict[tuple[str, str], Route] = {
    ("GET", "/.well-known/openid-configuration"): discovery,
    ("GET", "/jwks"): jwks,
    ("POST", "/token"): token,
    ("POST", "/debug/rotate"): rotate,
}
