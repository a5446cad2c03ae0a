# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How an inventory describes the way into an application, checked. Pure."""

from __future__ import annotations

from urllib.parse import urlsplit

from ..net.documents import request_of, secrets_of

KEYS = ("service", "reload", "access_log", "logs", "session_service", "login", "issuer", "jwks_url", "audience")
LOGIN_KEYS = ("url", "method", "headers", "body", "auth", "status", "token", "cookie", "route", "locked")
# What servers answer where somebody may not try again for now.
LOCKED = (423, 429)
_PLACE = "system_auth"


def checked(auth):
    """The description with every key, checked.

    Args:
        auth: the ``system_auth`` of an inventory.

    Raises:
        ValueError: it cannot be used; one line that begins with the place.
    """
    if not isinstance(auth, dict):
        raise ValueError(f"{_PLACE}: must be a dict")
    _known(_PLACE, auth, KEYS)
    for key in ("service", "access_log", "session_service", "issuer", "jwks_url", "audience"):
        if not isinstance(auth.get(key) or "", str):
            raise ValueError(f"{_PLACE}.{key}: must be a text")
    for key in ("logs", "reload"):
        if not isinstance(auth.get(key) or [], (list, tuple)):
            raise ValueError(f"{_PLACE}.{key}: must be a list")
    for key in ("issuer", "jwks_url"):
        if auth.get(key):
            _check_url(f"{_PLACE}.{key}", auth[key])
    service = auth.get("service") or ""
    return {
        "service": service,
        "access_log": auth.get("access_log") or service,
        "logs": [str(one) for one in auth.get("logs") or ([service] if service else [])],
        "login": _login(auth["login"]) if auth.get("login") else None,
        "issuer": auth.get("issuer") or "",
        "jwks_url": auth.get("jwks_url") or "",
        "audience": auth.get("audience") or "",
    }


def _known(place, given, known):
    for key in given:
        if key not in known:
            raise ValueError(f"{place}: unknown key {key}; known are {', '.join(known)}")


def _check_url(place, url):
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        is_url = False
    if not is_url:
        raise ValueError(f"{place}: must be a URL with http or https")


def _login(given):
    place = f"{_PLACE}.login"
    if not isinstance(given, dict):
        raise ValueError(f"{place}: must be a dict with the key url")
    _known(place, given, LOGIN_KEYS)
    request = request_of(place, {"method": "POST", **given})
    _check_url(f"{place}.url", request["url"])
    token, cookie, route = (given.get(key) or "" for key in ("token", "cookie", "route"))
    if not (token or cookie) or not all(isinstance(one, str) for one in (token, cookie, route)):
        raise ValueError(
            f"{place}: needs token (where the answer has it, such as data.access_token) or cookie (its name)"
        )
    if route:
        _check_url(f"{place}.route", route)
        # What is given to the canary goes back to where it came from, and to nobody else.
        if _site(route) != _site(request["url"]):
            raise ValueError(f"{place}.route: must be on the host of url, which is {_site(request['url'])}")
    locked = given.get("locked") or LOCKED
    if not isinstance(locked, (list, tuple)) or not all(str(code).isdigit() for code in locked):
        raise ValueError(f"{place}.locked: must be a list of status codes")
    secrets = [*secrets_of(given), *(one for one in leaves(given.get("body")) if len(one) >= 4)]
    return {
        "request": request,
        "token": token,
        "cookie": cookie,
        "route": route,
        "locked": [int(code) for code in locked],
        "secrets": sorted(set(secrets), key=len, reverse=True),
    }


def _site(url):
    parts = urlsplit(url)
    return (parts.hostname or "").lower()


def leaves(value):
    """The texts in a body: the canary's name and its password are among them, whatever their keys are called."""
    if isinstance(value, dict):
        return [text for one in value.values() for text in leaves(one)]
    if isinstance(value, (list, tuple)):
        return [text for one in value for text in leaves(one)]
    if isinstance(value, str):
        from urllib.parse import parse_qsl

        return [value, *(one for _name, one in parse_qsl(value))]
    return [] if value is None or isinstance(value, bool) else [str(value)]
