# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signing in by OpenID Connect: authorization code with PKCE. Authlib speaks the protocol; here is what it is held to.

What a sign-in needs until it comes back (state, nonce, verifier) is in a cookie of that browser, signed and good for ten minutes.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

import jwt
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from ...errors import first_line
from ...shared import masked
from ..settings import OpenId, secret
from .people import Person, plain_name, with_a_role
from .signin import inside

if TYPE_CHECKING:
    from .app import PageSite

LOG = logging.getLogger("oncall.page")
SECONDS = 600
TIMEOUT_SECONDS = 10.0
BACK = "/signin/openid/back"
AUDIENCE = "oncall page openid"
# Signatures that a provider alone can make: with a shared secret, or with none, anybody could.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")


class OpenIdSignIn:
    """The way over an identity provider."""

    def __init__(self, site: PageSite, settings: OpenId) -> None:
        self._site, self._settings = site, settings
        self._made: Any = None

    def routes(self) -> list[Route]:
        # A link, as a browser lets no form lead to another site.
        return [
            Route("/signin/openid", self.go, methods=["GET"]),
            Route(BACK, self.back, methods=["GET"]),
        ]

    @property
    def _cookie(self) -> str:
        return f"{self._site.cookie}-signin"

    def _client(self) -> Any:
        if self._made is None:
            # Only where somebody signs in so: it takes room.
            from authlib.integrations.starlette_client import OAuth

            settings = self._settings
            self._made = OAuth().register(
                "openid",
                client_id=settings.client_id,
                client_secret=secret(settings.client_secret_file) if settings.client_secret_file else None,
                server_metadata_url=f"{settings.issuer.rstrip('/')}/.well-known/openid-configuration",
                client_kwargs={
                    "scope": " ".join(settings.scopes),
                    "code_challenge_method": "S256",
                    "token_endpoint_auth_method": "client_secret_basic" if settings.client_secret_file else "none",
                    "timeout": TIMEOUT_SECONDS,
                    "verify": _trusted(settings.ca),
                    # Neither a proxy of the environment nor another host by redirect is given a code.
                    "trust_env": False,
                    "follow_redirects": False,
                },
            )
        return self._made

    async def _metadata(self) -> Any:
        client = self._client()
        known = await client.load_server_metadata()
        if known.get("issuer") != self._settings.issuer:
            raise ValueError(
                f"the provider calls itself {str(known.get('issuer'))[:100]!r}, and the settings {self._settings.issuer!r}"
            )
        told = known.get("id_token_signing_alg_values_supported") or ["RS256"]
        known["id_token_signing_alg_values_supported"] = [one for one in told if one in ALGORITHMS]
        return client

    def _address(self, request: Request) -> str:
        page = self._site.page
        scheme = "https" if self._site.secure else "http"
        return f"{page.origin or scheme + '://' + request.headers['host']}{BACK}"

    async def go(self, request: Request) -> Response:
        """To the provider."""
        to = inside(request.query_params.get("to", "/"))
        request.scope["session"] = {}
        try:
            client = await self._metadata()
            answer: Response = await client.authorize_redirect(request, self._address(request))
        except Exception as error:
            return self._failed(request, error)
        told = {"aud": AUDIENCE, "exp": time.time() + SECONDS, "session": request.scope["session"], "to": to}
        cookie = jwt.encode(told, self._key, algorithm="HS256")
        answer.set_cookie(
            self._cookie, cookie, max_age=SECONDS, path="/", secure=self._site.secure, httponly=True, samesite="lax"
        )
        return answer

    async def back(self, request: Request) -> Response:
        """From the provider, with a code."""
        try:
            told = jwt.decode(request.cookies.get(self._cookie, ""), self._key, algorithms=["HS256"], audience=AUDIENCE)
        except jwt.InvalidTokenError:
            why = "this sign-in was not begun in this browser, or took more than ten minutes; begin it anew"
            return self._refused(request, why)
        request.scope["session"] = told["session"]
        settings = self._settings
        claims = {
            "iss": {"essential": True, "values": [settings.issuer]},
            "aud": {"essential": True, "values": [settings.client_id]},
            "sub": {"essential": True},
            "exp": {"essential": True},
            "nonce": {"essential": True},
        }
        try:
            client = await self._metadata()
            # With an id_token, it is read and its signature, issuer, audience, times and nonce are checked.
            token = await client.authorize_access_token(request, claims_options=claims)
            known = token.get("userinfo")
            if not known:
                raise ValueError("the provider sent no id_token")
        except Exception as error:
            return self._failed(request, error)
        name = plain_name(str(known.get(settings.name_claim) or ""), self._site.machines)
        if not name:
            return self._refused(
                request, f"the provider does not say who you are: its token has no {settings.name_claim}"
            )
        told_groups = known.get(settings.groups_claim) or ()
        groups = [str(one) for one in told_groups] if isinstance(told_groups, (list, tuple)) else [str(told_groups)]
        role = self._site.role_of(name, groups)
        if role is None:
            LOG.warning("%s is known by OpenID Connect, and has no role", name)
            return self._refused(request, f"you are known as {name}, and nobody has given you a role on this page")
        person = Person(
            name, role, "openid", f"{settings.issuer} {settings.client_id}", with_a_role(self._site.page, groups)
        )
        answer = RedirectResponse(inside(told.get("to", "/")), 303)
        self._site.keep(answer, self._site.sessions.begin(person))
        answer.delete_cookie(self._cookie, path="/", secure=self._site.secure, httponly=True, samesite="lax")
        LOG.info("%s has signed in by OpenID Connect, as %s", name, role.word)
        return answer

    @property
    def _key(self) -> bytes:
        return self._site.sessions.key_for("openid")

    def _failed(self, request: Request, error: Exception) -> Response:
        LOG.error(
            "nobody could sign in by OpenID Connect: %s: %s", type(error).__name__, masked(first_line(error), 300)
        )
        return self._refused(request, "the sign-in failed; the log of the service says why", 502)

    def _refused(self, request: Request, why: str, status: int = 403) -> Response:
        return self._site.problem(request, None, why, status, "/signin")


def _trusted(ca: str) -> Any:
    import ssl

    return ssl.create_default_context(cafile=ca or None)
