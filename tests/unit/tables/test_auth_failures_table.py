# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was measured -> what must be concluded, for every cause of the runbook auth_failures."""

from __future__ import annotations

import base64
import json
import time
import zlib
from typing import Any
from unittest.mock import patch

import jwt
import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.auth import login as canary
from ansible_collections.oncall.runbooks.plugins.module_utils.auth.cookies import cookies_of, told
from ansible_collections.oncall.runbooks.plugins.module_utils.auth.look import packed
from ansible_collections.oncall.runbooks.plugins.module_utils.auth.refusals import Tally
from ansible_collections.oncall.runbooks.plugins.module_utils.auth.request_lines import Request
from ansible_collections.oncall.runbooks.plugins.module_utils.auth.token_errors import counted
from ansible_collections.oncall.runbooks.plugins.module_utils.net import certificates
from ansible_collections.oncall.runbooks.plugins.plugin_utils.finishing.auth import finish
from ansible_collections.oncall.runbooks.tests.support.identity import key_named, published
from ansible_collections.oncall.runbooks.tests.support.observed_services import running
from ansible_collections.oncall.runbooks.tests.support.tables import Case, diagnose, table

NOW = time.time()
ISSUER = "https://id.shop.example"
AUTH: dict[str, Any] = {
    "service": "api",
    "session_service": "sessions",
    "login": {
        "url": "http://shop.example/api/auth/login",
        "body": {"email": "canary@shop.example", "password": "right"},
        "token": "access_token",
        "cookie": "sid",
        "route": "http://shop.example/api/me",
    },
    "issuer": ISSUER,
    "audience": "shop",
}
SYSTEM = {
    "system_services": {name: {"manager": "compose", "project": "/srv/shop"} for name in ("api", "sessions")},
    "system_redis": {"transport": "redis", "service": "sessions"},
    "system_auth": AUTH,
    "system_deployment": {"path": "/srv/shop", "deploy_command": ["./deploy.sh"], "services": ["api"]},
}
NO_CANARY: dict[str, Any] = {"system_auth": {key: value for key, value in AUTH.items() if key != "login"}}
NO_LOG: dict[str, Any] = {"system_auth": {key: value for key, value in AUTH.items() if key != "service"}}
DOWN = {
    "available": False,
    "status": None,
    "milliseconds": 5.0,
    "clock_ahead_seconds": None,
    "clock_within_seconds": None,
}


# The canary.


def canary_in(
    cookie: str = "sid=x; Path=/; HttpOnly",
    route: str = "in",
    ahead: float = 0.0,
    kind: str | None = None,
    status: int | None = None,
) -> dict[str, Any]:
    """A login that works; what the route says; and what a browser makes of the cookie."""
    status = status or {"in": 200, "refused": 401, "failed": 502}.get(route)
    cookies = [told(one, AUTH["login"]["url"], AUTH["login"]["route"], NOW) for one in cookies_of(cookie)]
    if any(one["problems"] for one in cookies):
        route, status = "refused", None
    return {
        **canary.NOTHING,
        "probed": True,
        "state": "in",
        "status": 200,
        "reason": "POST http://shop.example/api/auth/login answers 200",
        "milliseconds": 80.0,
        "clock_ahead_seconds": ahead,
        "clock_within_seconds": 0.6,
        "cookies": cookies,
        "route": {
            "state": route,
            "status": status,
            "kind": kind,
            "reason": f"GET http://shop.example/api/me answers {status}",
        },
    }


def canary_is(state: str, status: int | None, error: str = "", why: str = "") -> dict[str, Any]:
    """A login that does not work."""
    said = f"POST http://shop.example/api/auth/login answers {status}: {why}"
    return {
        **canary.NOTHING,
        "probed": state != "not_probed",
        "state": state,
        "status": status,
        "error": error,
        "reason": said,
    }


# The token and the identity provider.


def token(kid: str = "k1", algorithm: str = "RS256", ahead: float = 0.0, **claims: Any) -> str:
    given = {"iss": ISSUER, "aud": "shop", "iat": int(NOW + ahead), "exp": int(NOW + ahead) + 600, **claims}
    if algorithm == "none":
        return jwt.encode(given, "", algorithm="none")
    if algorithm == "HS256":
        return jwt.encode(given, "a shared secret of thirty-two bytes", algorithm="HS256")
    return jwt.encode(given, key_named(kid), algorithm=algorithm, headers={"kid": kid})


def provider(
    *kids: str, keys: list[dict[str, Any]] | None = None, issuer: str = ISSUER, ahead: float = 0.0
) -> dict[str, Any]:
    """An identity provider that publishes these keys."""
    document = json.dumps({"keys": [published(kid) for kid in kids or ("k1",)] if keys is None else keys}).encode()
    answered = {**DOWN, "available": True, "status": 200, "clock_ahead_seconds": ahead, "clock_within_seconds": 0.6}
    return {
        "discovery": {**answered, "issuer": issuer, "jwks_uri": f"{ISSUER}/jwks"},
        "keys": {**answered, "document": base64.b64encode(zlib.compress(document)).decode()},
    }


def provider_is(error: str, reason: str) -> dict[str, Any]:
    """An identity provider without a discovery document."""
    return {
        "discovery": {**DOWN, "error": error, "reason": reason},
        "keys": {**DOWN, "error": "not_asked", "reason": reason},
    }


# Who is refused.


def asked(
    clients: int,
    each: int = 10,
    status: int = 401,
    route: str = "/api/me",
    minutes: tuple[int, ...] = (1, 2, 3, 4),
    name: str = "10.0.0.",
) -> list[Request]:
    """Requests of so many clients, spread over minutes ago."""
    return [
        Request(NOW - 60.0 * minutes[number % len(minutes)] - 1, "GET", route, status, f"{name}{client}")
        for client in range(clients)
        for number in range(each)
    ]


def logins(clients: int, status: int = 200, each: int = 1) -> list[Request]:
    return asked(clients, each, status, "/api/auth/login", name="10.1.0.")


QUIET = [*asked(20, 10, 200), *asked(20, 1, 401), *logins(5)]
ALL_REFUSED = [*asked(20, 10, 401), *asked(1, 5, 200, "/health", name="10.9.0.")]
# In the last five minutes all were refused, and none before.
SINCE_FIVE = [*asked(20, 10, 401, minutes=(0, 1, 2, 3)), *asked(20, 10, 200, minutes=(6, 7, 8, 9))]
SINCE_TWELVE = asked(20, 20, 401, minutes=tuple(range(12)))


def shown(
    login: dict[str, Any] | None = None,
    text: str | None = None,
    issuer: dict[str, Any] | None = None,
    requests: list[Request] | None = None,
    lines: tuple[str, ...] = (),
    log_reason: str = "",
    auth: dict[str, Any] = AUTH,
    since_start: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """What the observer makes of it all."""
    log: dict[str, Any] = {"available": False, "reason": log_reason, "limits": []}
    errors: dict[str, Any] = {"available": False, "reason": log_reason, "kinds": [], "limits": []}
    if not log_reason:
        tally = Tally(NOW, 900.0, "/api/auth/login")
        for one in QUIET if requests is None else requests:
            tally.add(one)
        log = {
            "available": True,
            "service": "api",
            "lines": 1000,
            "window_seconds": 900.0,
            "limits": [],
            "since_start": since_start,
            **tally.told(),
        }
        errors = {"available": True, "services": ["api"], "kinds": counted(lines), "limits": []}
    given = (canary_in() if login is None else login) if "login" in auth else None
    fetched = {
        "login": given,
        "token": packed(token() if text is None else text) if given and given["state"] == "in" else "",
        "issuer": provider() if issuer is None else issuer or None,
        "now_seconds": NOW,
        "requests": log,
        "token_errors": errors,
    }
    return finish({"auth": auth}, fetched)


def deployed(age_seconds: float = 7200.0, **more: Any) -> dict[str, Any]:
    commit = {"revision": "b" * 40, "subject": "cookie for all hosts", "committed_at_seconds": 1}
    return {
        "available": True,
        "path": "/srv/shop",
        "revision": "b" * 40,
        "deployed_at_seconds": int(NOW - age_seconds),
        "commits": [commit],
        "previous": {"revision": "a" * 40, "is_ancestor": True, "subject": "before"},
        "changed_files_count": 0,
        "unfinished": "",
        **more,
    }


def observed(
    auth: dict[str, Any] | None = None,
    deployment: dict[str, Any] | None = None,
    sessions: dict[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    services = {"sessions": running() if sessions is None else sessions}
    return {
        "auth": shown(**more) if auth is None else auth,
        "deployment": deployed() if deployment is None else deployment,
        "service": {"available": True, "services": services},
    }


def served(days: float) -> dict[str, Any]:
    from cryptography.hazmat.primitives.serialization import Encoding

    from ansible_collections.oncall.runbooks.tests.support.tls_servers import Issued

    der = Issued(days, "127.0.0.1").certificate.public_bytes(Encoding.DER)
    with patch.object(certificates, "_chain", lambda *_: ([der], True)):
        return certificates.observe({"endpoints": {"issuer": "https://127.0.0.1"}, "timeout_seconds": 5.0})


UNKNOWN_KEY = ('WARNING token refused: Unable to find a signing key that matches: "k2"',) * 40
EXPIRED = ("WARNING token refused: Signature has expired",) * 40
SIGNATURE = ("WARNING token refused: Signature verification failed",) * 40
AUDIENCE = ("WARNING token refused: Audience doesn't match",) * 10 + ("jwt audience invalid. expected: other",) * 10
STALE: dict[str, Any] = {
    "login": canary_in(route="refused"),
    "text": token("k2"),
    "issuer": provider("k2"),
    "requests": ALL_REFUSED,
    "lines": UNKNOWN_KEY,
}
HS = {
    "login": canary_in(route="refused"),
    "text": token(algorithm="HS256"),
    "requests": ALL_REFUSED,
    "lines": SIGNATURE,
}
LOST = canary_in(cookie="sid=x; Path=/; Domain=staging.shop.example")
ROLLS_BACK = {"acts": ["roll_back_deployment"], "risk": "high"}
NO_PROVIDER: dict[str, Any] = {"system_auth": {**AUTH, "issuer": ""}}
OF_LOGIN = [
    *(
        "issuer_differs",
        "clock_off",
        "unsigned_token",
        "login_down",
        "login_not_reached",
        "login_fails",
        "login_changed",
    ),
    *("cookie_of_deployment", "cookie_lost", "key_not_published", "stale_keys", "secret_differs"),
    *("locked_out", "login_refuses_all", "canary_refused", "fresh_token_refused", "more_wanted_of_canary"),
]

test_concluded = table(
    "auth_failures",
    SYSTEM,
    {
        "everybody gets in": Case(
            observed(),
            says=[
                "the canary logged in within 80 ms and was let in",
                "20 of 220 requests were refused",
                "published keys: 1",
            ],
        ),
        "no traffic, and the canary gets in": Case(observed(requests=[]), says=["0 of 0 requests refused"]),
        "keys were not read again": Case(
            observed(**STALE),
            problems=["stale_keys"],
            acts=["read_keys_again"],
            risk="medium",
            says=["signed with the published key k2", "its log says so"],
        ),
        "keys were not read again, says the answer itself": Case(
            observed(**{**STALE, "login": canary_in(route="refused", kind="unknown_key"), "lines": ()}),
            problems=["stale_keys"],
            acts=["read_keys_again"],
            risk="medium",
            says=["its answer says unknown key"],
        ),
        "keys were not read again, and the service has a command for it": Case(
            observed(**STALE),
            problems=["stale_keys"],
            acts=["read_keys_again"],
            risk="medium",
            variables={"system_auth": {**AUTH, "reload": ["/usr/local/bin/reload-keys"]}},
        ),
        "keys were not read again, and nothing restarts it": Case(
            observed(**STALE),
            problems=["stale_keys"],
            why_not="needs system_services.api.commands.restart",
            variables={
                "system_services": {
                    **SYSTEM["system_services"],
                    "api": {"manager": "command", "commands": {"status": ["true"]}},
                }
            },
        ),
        "somebody forges tokens, and the canary's own is refused for another reason": Case(
            observed(**{**STALE, "login": canary_in(route="refused", kind="session"), "lines": SIGNATURE}),
            problems=["fresh_token_refused"],
            says=["refused a moment later, for its session, as the answer says"],
        ),
        "somebody forges tokens, and the canary may not read its route": Case(
            observed(
                **{**STALE, "login": canary_in(route="refused", status=403), "lines": SIGNATURE, "requests": QUIET}
            ),
            problems=["fresh_token_refused"],
            says=["of tokens of anybody, the logs say 40 times signature", "answers 403"],
        ),
        "keys were not read again, and that is told with 403": Case(
            observed(**{**STALE, "login": canary_in(route="refused", status=403)}),
            problems=["stale_keys"],
            acts=["read_keys_again"],
            risk="medium",
        ),
        "a fresh token is refused for its session, and somebody has another secret": Case(
            observed(**{**HS, "login": canary_in(route="refused", kind="session")}), problems=["fresh_token_refused"]
        ),
        "a fresh token is refused, and nobody says why": Case(
            observed(login=canary_in(route="refused"), requests=ALL_REFUSED), problems=["fresh_token_refused"]
        ),
        "a fresh token is refused, and the log cannot be read": Case(
            observed(login=canary_in(route="refused"), log_reason="no engine answers"),
            unknown=None,
            says=["no engine answers"],
        ),
        "the key that signs is not published": Case(
            observed(**{**STALE, "issuer": provider("k1")}), problems=["key_not_published"], says=["k2", "publishes k1"]
        ),
        "another key is published under its name": Case(
            observed(
                login=canary_in(route="refused"),
                issuer=provider(keys=[{**published("k3"), "kid": "k1"}]),
                lines=SIGNATURE,
            ),
            problems=["key_not_published"],
            says=["another key than the one that it publishes as k1"],
        ),
        "keys that cannot be read are not stale": Case(
            observed(**{**STALE, "issuer": provider_is("bad_status", f"GET {ISSUER} answers 500")}),
            problems=["provider_answers_wrong"],
            says=["answers 500"],
        ),
        "HTML instead of keys": Case(
            observed(issuer=provider_is("html", f"GET {ISSUER} answers 200 with HTML")),
            problems=["provider_answers_wrong"],
        ),
        "the provider leads to another host": Case(
            observed(issuer=provider_is("redirect", "redirects to another place, http://evil.example; not followed")),
            problems=["provider_answers_wrong"],
            says=["not followed"],
        ),
        "no keys at all": Case(
            observed(issuer=provider(keys=[])),
            problems=["provider_answers_wrong", "key_not_published"],
            says=["no key is published"],
        ),
        "the provider is down": Case(
            observed(issuer=provider_is("refused", "connection refused by id.shop.example:443")),
            problems=["provider_down"],
        ),
        "its certificate is refused": Case(
            observed(issuer=provider_is("tls", "TLS failed: certificate has expired")),
            problems=["provider_certificate"],
        ),
        "its certificate ends": Case({**observed(), "certificate": served(1)}, problems=["provider_certificate"]),
        "its certificate is good": Case({**observed(), "certificate": served(60)}),
        "a private key is published": Case(
            observed(issuer=provider(keys=[published("k1", private=True)])),
            problems=["private_key_published"],
            says=["k1"],
        ),
        "another issuer": Case(
            observed(issuer=provider(issuer=ISSUER + "/")), problems=["issuer_differs"], says=[ISSUER + "/"]
        ),
        "a token of another issuer": Case(
            observed(text=token(iss="https://other.example")), problems=["issuer_differs"]
        ),
        "the provider's clock is an hour ahead": Case(
            observed(
                **{
                    **STALE,
                    "text": token("k1", ahead=3600),
                    "issuer": provider("k1", ahead=3600.0),
                    "lines": ("not yet valid (iat) token",) * 30,
                }
            ),
            problems=["clock_off"],
            says=["the identity provider is 60 min ahead"],
        ),
        "tokens are issued an hour ahead, and the header of the provider is of a server before it": Case(
            observed(login=canary_in(route="refused"), text=token(ahead=3600)),
            problems=["clock_off"],
            says=["that of what issues tokens is 60 min ahead"],
        ),
        "a token of before is given again": Case(observed(text=token(ahead=-300))),
        "the clock here is an hour behind": Case(
            observed(login=canary_in(ahead=3600.0), text=token(ahead=3600), issuer=provider(ahead=3600.0)),
            problems=["clock_off"],
            says=["where this looks from is 60 min behind"],
        ),
        "a token without a signature": Case(
            observed(login=canary_in(route="refused"), text=token(algorithm="none")),
            problems=["unsigned_token"],
            says=["alg none"],
        ),
        "a token without a signature that is taken": Case(
            observed(text=token(algorithm="none")), problems=["unsigned_token"]
        ),
        "Redis with the sessions is down": Case(
            observed(sessions=running(state="exited", health=None), login=canary_is("failed", 500)),
            problems=["session_store_down"],
        ),
        "another service with the sessions is down": Case(
            observed(sessions=running(state="exited", health=None)),
            problems=["session_service_down"],
            variables={"system_redis": {"transport": "redis", "service": "other"}},
        ),
        "the session service cannot be seen": Case(
            observed(sessions={"available": False, "reason": "no engine answers"}),
            unknown=["session_store_down", "session_service_down"],
        ),
        "the login does not answer": Case(
            observed(login=canary_is("unreachable", None, "refused")), problems=["login_down"]
        ),
        "the login has no name": Case(
            observed(login=canary_is("unreachable", None, "dns")), problems=["login_not_reached"]
        ),
        "the login fails": Case(observed(login=canary_is("failed", 500)), problems=["login_fails"]),
        "the route fails": Case(observed(login=canary_in(route="failed")), problems=["login_fails"]),
        "the login is a page now": Case(observed(login=canary_is("unreadable", 200)), problems=["login_changed"]),
        "the cookie is lost since the deployment": Case(
            observed(login=LOST, requests=SINCE_FIVE, deployment=deployed(305)),
            problems=["cookie_of_deployment"],
            **ROLLS_BACK,
            says=["its Domain is not the host that sets it", "cookie for all hosts"],
        ),
        "the cookie is lost, and nobody knows since when": Case(
            observed(login=LOST, requests=ALL_REFUSED, deployment=deployed(600)), problems=["cookie_lost"]
        ),
        "the cookie is lost, and nothing was deployed": Case(
            observed(login=LOST, requests=SINCE_FIVE), problems=["cookie_lost"]
        ),
        "the cookie is lost, and the way back is not known": Case(
            observed(
                login=LOST,
                requests=SINCE_FIVE,
                deployment=deployed(305, previous={"revision": "a" * 40, "is_ancestor": None}),
            ),
            problems=["cookie_of_deployment"],
            why_not="-e rollback_to=REVISION",
        ),
        "two secrets": Case(observed(**HS), problems=["secret_differs"], says=["another secret"]),
        "another audience": Case(
            observed(text=token(aud="other"), login=canary_in(route="refused"), lines=AUDIENCE),
            problems=["audience_differs"],
        ),
        "the application wants another audience": Case(
            observed(login=canary_in(route="refused"), lines=AUDIENCE), problems=["audience_differs"]
        ),
        "the canary is locked, and others log in": Case(
            observed(login=canary_is("locked", 423)), problems=["locked_out"], says=["5 others log in"]
        ),
        "the login is asked too often": Case(
            observed(login=canary_is("locked", 429), requests=ALL_REFUSED), problems=["locked_out"]
        ),
        "the canary's password is wrong": Case(
            observed(login=canary_is("refused", 401, why="invalid credentials")),
            problems=["canary_refused"],
            says=["and 5 others log in"],
        ),
        "the canary's password is wrong, and nobody else asks": Case(
            observed(login=canary_is("refused", 401), requests=asked(5, 4, 200)),
            problems=["canary_refused"],
            says=["whether others are is not known"],
        ),
        "nobody's password is right": Case(
            observed(login=canary_is("refused", 401), requests=[*logins(30, 401), *ALL_REFUSED]),
            problems=["login_refuses_all"],
            says=["30 logins of others"],
        ),
        "the canary may not be asked now": Case(observed(login=canary_is("not_probed", None)), unknown=OF_LOGIN),
        "all are refused since the deployment": Case(
            observed(requests=SINCE_FIVE, deployment=deployed(305)),
            problems=["recent_deployment"],
            **ROLLS_BACK,
            says=["0.0 % of 200 before"],
        ),
        "all are refused since before the deployment": Case(
            observed(requests=SINCE_TWELVE, deployment=deployed(305)), nothing_shows=["users"]
        ),
        "all are refused, long after the deployment": Case(
            observed(requests=SINCE_FIVE, deployment=deployed(850)), nothing_shows=["users"]
        ),
        "all are refused, without a deployment": Case(observed(requests=ALL_REFUSED), nothing_shows=["users"]),
        "all were refused until the service was started again": Case(
            observed(requests=ALL_REFUSED, since_start={"seconds": 40.0, "refused": 1, "let_in": 3}),
            says=["1 of 4 since it was started 40 s ago"],
        ),
        "all are refused, and a start changed nothing": Case(
            observed(requests=ALL_REFUSED, since_start={"seconds": 40.0, "refused": 25, "let_in": 3}),
            nothing_shows=["users"],
        ),
        "all were refused until the service was started again, and no canary shows that one gets in": Case(
            observed()
            | {
                "auth": shown(
                    requests=ALL_REFUSED,
                    since_start={"seconds": 40.0, "refused": 0, "let_in": 0},
                    auth=NO_CANARY["system_auth"],
                )
            },
            nothing_shows=["users"],
            variables=NO_CANARY,
        ),
        "a deployment that changed only a health route": Case(
            observed(
                requests=[
                    *asked(1, 200, 401, "/health", minutes=(0, 1, 2, 3), name="10.9.0."),
                    *asked(1, 40, 200, "/health", minutes=(6, 7, 8), name="10.9.0."),
                    *QUIET,
                ],
                deployment=deployed(305),
            ),
            problems=["one_client"],
            says=["10.9.0.0 alone"],
        ),
        "sessions were lost with their store": Case(
            observed(requests=ALL_REFUSED, sessions=running(uptime_seconds=240.0)),
            problems=["sessions_lost"],
            says=["4 minutes ago"],
        ),
        "tokens are over and not renewed": Case(
            observed(requests=ALL_REFUSED, lines=EXPIRED), problems=["tokens_expired"], says=["40 times expired"]
        ),
        "some tokens are over, as every day": Case(observed(lines=EXPIRED)),
        "one client alone": Case(
            observed(requests=[*asked(1, 400, 401, name="203.0.113."), *QUIET]),
            problems=["one_client"],
            says=["203.0.113.0 alone", "of 25 others 20 were refused 20 times"],
        ),
        "one client alone, without a canary": Case(
            observed(requests=[*asked(1, 400, 401, name="203.0.113."), *QUIET], auth=None)
            | {"auth": shown(requests=[*asked(1, 400, 401, name="203.0.113."), *QUIET], auth=NO_CANARY["system_auth"])},
            problems=["one_client"],
            variables=NO_CANARY,
        ),
        "a proxy with all users, and what watches the health": Case(
            observed(requests=[*asked(1, 200, 401), *asked(2, 20, 200, "/health", name="127.0.0.")]),
            nothing_shows=["users"],
        ),
        "a proxy with all users, and a service of ours that gets in": Case(
            observed(requests=[*asked(1, 200, 401), *asked(1, 20, 200, name="10.9.0.")]), nothing_shows=["users"]
        ),
        "passwords are guessed from 500 addresses": Case(
            observed(requests=[*QUIET, *logins(500, 401, 10)]),
            says=[
                "5000 of 5005 logins were refused, of 500 clients, and the canary gets in: somebody guesses passwords"
            ],
        ),
        "the canary is asked for a second factor": Case(
            observed(login=canary_is("more_wanted", 401, why="mfa_required")),
            problems=["more_wanted_of_canary"],
            says=["wants more of the canary", "mfa_required"],
        ),
        "a proxy alone is no client": Case(observed(requests=asked(1, 200, 401)), nothing_shows=["users"]),
        "one route forbids": Case(
            observed(requests=[*asked(15, 20, 403, "/api/beta"), *QUIET]),
            problems=["one_route"],
            says=["/api/beta alone", "300 of them 403"],
        ),
        "one route forbids since the deployment": Case(
            observed(
                requests=[
                    *asked(15, 20, 403, "/api/beta", minutes=(0, 1, 2, 3)),
                    *asked(20, 10, 200, minutes=(6, 7, 8)),
                ],
                deployment=deployed(305),
            ),
            problems=["one_route"],
        ),
        "unknown keys, without a canary": Case(
            {**observed(), "auth": shown(requests=QUIET, lines=UNKNOWN_KEY, auth=NO_CANARY["system_auth"])},
            problems=["unknown_keys"],
            variables=NO_CANARY,
        ),
        "without a canary and well": Case(
            {**observed(), "auth": shown(auth=NO_CANARY["system_auth"])}, variables=NO_CANARY
        ),
        "without a log and well": Case(
            {**observed(), "auth": shown(auth=NO_LOG["system_auth"], log_reason="no log")},
            unknown=None,
            variables=NO_LOG,
        ),
        "nothing was seen": Case(
            {
                **observed(),
                "auth": shown(login=canary_is("not_probed", None), issuer={}, log_reason="no engine answers"),
            },
            variables=NO_PROVIDER,
            says=["no engine answers"],
        ),
    },
)


def test_guessed_passwords_are_told_and_no_trouble():
    requests = [*QUIET, *logins(500, 401, 10)]
    findings = diagnose("auth_failures", observed(requests=requests), **SYSTEM)["findings"]
    (finding,) = [one for one in findings if one["cause"] == "logins_refused"]
    assert (finding["status"], finding["evidence"]["clients_refused"]) == ("ok", 500)


def test_a_restart_is_planned_for_what_checks_the_tokens_and_for_nothing_else():
    (step,) = diagnose("auth_failures", observed(**STALE), **SYSTEM)["plan"]["steps"]
    assert step["targets"] == [{"service": "api"}]


def test_a_command_that_reads_keys_again_is_planned_before_a_restart():
    reload = {"system_auth": {**AUTH, "reload": ["/usr/local/bin/reload-keys"]}}
    (step,) = diagnose("auth_failures", observed(**STALE), **{**SYSTEM, **reload})["plan"]["steps"]
    assert step["targets"] == [{"service": "api", "command": ["/usr/local/bin/reload-keys"]}]


@pytest.mark.parametrize("login", [canary_is("refused", 401), canary_is("not_probed", None), canary_is("locked", 423)])
def test_nothing_is_done_where_the_canary_proves_nothing(login):
    result = diagnose("auth_failures", observed(**{**STALE, "login": login}), **SYSTEM)
    assert not [step for step in result["plan"]["steps"] if step["available"]]
    assert result["status"] != "healthy"


# The rows that every runbook has; tests/contract sees that they conclude this.
HEALTHY_ROW = "test_concluded[everybody gets in]"
WRONG_CAUSE_ROW = "test_concluded[one client alone]"
NO_TELEMETRY_ROW = "test_concluded[nothing was seen]"
