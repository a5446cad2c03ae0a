# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON documents of HTTP APIs: fetched within bounds, and handed on packed to the controller, which reads them."""

from __future__ import annotations

import base64
import json
import time
import zlib

from ..deadline import Deadline, DeadlineExceeded, all_within
from ..text.masking import mask_secrets, masked
from ..text.one_line import without_secrets
from .bounded_http import FetchError, fetch, moment_in_header, public_url, retry_after_seconds

METHODS = ("GET", "POST")
KEYS = ("url", "method", "status", "headers", "body", "auth", "timeout_seconds")
MOST_BYTES = 5_000_000
# What is shorter is found in too many words, and a text without them would be none.
_SECRET_CHARACTERS = 4
_EXCERPT_CHARACTERS = 120


def request_of(place, given, methods=METHODS):
    """One request with all its keys, checked.

    Args:
        place: what it is called in the inventory, such as ``system_apis.crm``.
        given: a URL, or a dictionary; its keys that are not in ``KEYS`` are not looked at.
        methods: those that are allowed.

    Raises:
        ValueError: it cannot be used; the message begins with the place.
    """
    request = {"url": given} if isinstance(given, str) else given
    if not isinstance(request, dict) or not isinstance(request.get("url"), str) or not request["url"]:
        raise ValueError(f"{place}: must be a dict with the key url")
    body = request.get("body")
    method = str(request.get("method") or ("GET" if body is None else "POST")).upper()
    if method not in methods:
        raise ValueError(f"{place}.method: unknown method {method}; known are {', '.join(methods)}")
    if method == "GET" and body is not None:
        raise ValueError(f"{place}.body: a GET has no body")
    headers = request.get("headers") or {}
    if not isinstance(headers, dict):
        raise ValueError(f"{place}.headers: must be a dict of names and values")
    status = request.get("status") or []
    status = status if isinstance(status, (list, tuple)) else [status]
    if not all(str(code).isdigit() for code in status):
        raise ValueError(f"{place}.status: must be a list of status codes")
    return {
        "url": request["url"],
        "method": method,
        "status": [int(code) for code in status],
        "headers": {"Accept": "application/json", **_body_type(body), **headers, **_credentials(place, request)},
        "body": None if method == "GET" else _bytes(body),
        "timeout_seconds": _seconds(place, request.get("timeout_seconds")),
    }


def _body_type(body):
    return {} if body is None or isinstance(body, str) else {"Content-Type": "application/json"}


def _bytes(body):
    return (body if isinstance(body, str) else "" if body is None else json.dumps(body)).encode()


def _credentials(place, request):
    """The request headers that let us in."""
    auth = request.get("auth")
    if not auth:
        return {}
    if not isinstance(auth, dict) or len(auth) != 1 or not set(auth) <= {"bearer", "basic", "cookie"}:
        raise ValueError(f"{place}.auth: must be a dict with one of the keys bearer, basic and cookie")
    ((kind, value),) = auth.items()
    if kind == "basic":
        if not isinstance(value, dict) or set(value) != {"user", "password"}:
            raise ValueError(f"{place}.auth.basic: must be a dict with the keys user and password")
        return {"Authorization": "Basic " + _base64(f"{value['user']}:{value['password']}")}
    if not isinstance(value, (str, int)) or not str(value):
        raise ValueError(f"{place}.auth.{kind}: must be a text")
    return {"Authorization": f"Bearer {value}"} if kind == "bearer" else {"Cookie": str(value)}


def _base64(text):
    return base64.b64encode(text.encode()).decode("ascii")


def _seconds(place, value):
    if value is None:
        return None
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = 0
    if not 0 < seconds < 3600:
        raise ValueError(f"{place}.timeout_seconds: must be a number of seconds above 0")
    return seconds


def secrets_of(given):
    """The texts in a request that no answer may show, also where a server sends them back. The longest come first.

    Args:
        given: the dictionary of the inventory, or a URL.
    """
    from urllib.parse import parse_qsl, quote, unquote, urlsplit

    request = {"url": given} if isinstance(given, str) else given if isinstance(given, dict) else {}
    found = [part for value in (request.get("headers") or {}).values() for part in _parts(value) if len(part) >= 6]
    auth = request.get("auth")
    for value in auth.values() if isinstance(auth, dict) else ():
        if isinstance(value, dict):
            found += [str(value.get("password") or ""), _base64(f"{value.get('user')}:{value.get('password')}")]
        else:
            found += [str(value), *_parts(value)]
    try:
        parts = urlsplit(str(request.get("url")))
        user, password = parts.username or "", parts.password or ""
        query = parse_qsl(parts.query)
    except ValueError:
        user = password = ""
        query = []
    if password:
        found += [password, unquote(password), _base64(f"{unquote(user)}:{unquote(password)}")]
    found += [value for name, value in query if mask_secrets(f"{name}={value}") != f"{name}={value}"]
    found = [text for text in found if len(text) >= _SECRET_CHARACTERS]
    # As a JSON document or a URL holds them.
    found += [json.dumps(text)[1:-1] for text in found] + [quote(text, safe="") for text in found]
    return sorted(set(found), key=len, reverse=True)


def _parts(value):
    """The values in the text of a header: what stands behind the kind of an authorization or the name of a cookie."""
    for word in str(value).replace(";", " ").split():
        name, sign, rest = word.partition("=")
        yield rest if sign and name.isidentifier() and rest.strip("=") else word


def fetched(requests, seconds):
    """Ask all at once.

    Args:
        requests: a list of pairs, what :func:`request_of` made and its :func:`secrets_of`.
        seconds: the time for all of them.

    Returns:
        For each in order a dictionary ``available``, ``status`` and ``milliseconds``, and either ``document`` (packed, see
        :func:`unpacked`) or ``error`` and ``reason``; with ``retry_after_seconds``
        and, where it was read, ``server_time_seconds`` (its own clock, since 1970) where the server says so.
    """
    deadline = Deadline(seconds)
    answers = all_within(
        deadline.seconds + 0.5, [lambda one=one: _fetched(one[0], one[1], deadline) for one in requests]
    )
    for place, (request, secrets) in enumerate(requests):
        if isinstance(answers[place], DeadlineExceeded):
            reason = f"{_asked(request, secrets)}: {answers[place]}"
            answers[place] = _not_seen(None, seconds * 1000, "timeout", reason)
        elif isinstance(answers[place], Exception):
            raise answers[place]
    return answers


def _fetched(request, secrets, deadline):
    began = time.monotonic()
    try:
        status, headers, body = fetch(
            request["url"],
            min(deadline.remaining_seconds(), request["timeout_seconds"] or deadline.seconds),
            max_bytes=MOST_BYTES,
            headers=request["headers"],
            body=request["body"],
            method=request["method"],
        )
    except FetchError as error:
        return _not_seen(None, _milliseconds(began), error.kind, masked(without_secrets(str(error), *secrets)))
    kind, problem = _trouble(request, status, headers, body, secrets)
    if problem:
        found = _not_seen(status, _milliseconds(began), kind, f"{_asked(request, secrets)} {problem}")
    else:
        packed = base64.b64encode(zlib.compress(body, 1)).decode("ascii")
        found = {"available": True, "status": status, "milliseconds": _milliseconds(began), "document": packed}
        at = moment_in_header(headers.get("date", ""))
        if at is not None:
            found["server_time_seconds"] = at
    wait = retry_after_seconds(headers)
    return found if wait is None else dict(found, retry_after_seconds=wait)


def _asked(request, secrets):
    return without_secrets(f"{request['method']} {public_url(request['url'])}", *secrets)


def _milliseconds(began):
    return round((time.monotonic() - began) * 1000, 1)


def _not_seen(status, milliseconds, error, reason):
    return {"available": False, "status": status, "milliseconds": milliseconds, "error": error, "reason": reason}


def _trouble(request, status, headers, body, secrets):
    """What keeps an answer from being read as JSON, of which kind and in one line; nothing where it may be."""
    # The mark that some put before UTF-8.
    start = body[:4000].lstrip(b"\xef\xbb\xbf \t\r\n")
    is_markup = start[:1] == b"<" or "html" in headers.get("content-type", "").lower()
    is_expected = status in request["status"] if request["status"] else 200 <= status < 300
    if not is_expected:
        expected = ", ".join(map(str, request["status"])) or "200 to 299"
        text = (
            ""
            if is_markup
            else masked(without_secrets(start.decode("utf-8", "replace"), *secrets), _EXCERPT_CHARACTERS)
        )
        return "bad_status", f"answers {status}, expected was {expected}" + (f": {text}" if text else "")
    if not start:
        return "bad_json", f"answers {status} without a body"
    if is_markup:
        return "html", f"answers {status} with HTML or XML and not JSON; is it a login page, or another port?"
    return "", ""


def unpacked(document):
    """The bytes of a packed document, no more of them than are fetched."""
    return zlib.decompressobj().decompress(base64.b64decode(document), MOST_BYTES)
