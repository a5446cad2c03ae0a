# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How an inventory says that a system is read-only, and how it lets somebody write all the same. Checks, no I/O."""

from __future__ import annotations

import json
import re

from ..net.documents import KEYS as REQUEST_KEYS
from ..net.documents import request_of, secrets_of
from ..text.one_line import one_line

KEYS = ("read_only", "start", "token", "id", "expires", "header", "revoke", "open", "writes")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
LEAST_SECONDS, MOST_SECONDS, DEFAULT_SECONDS = 60, 3600, 600
PLACE = "system_break_glass"
_HEADER = re.compile(r"[A-Za-z0-9-]{1,60}\Z")
_PATH = re.compile(r"[\w-]+(?:\.[\w-]+)*\Z")
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_REASON_CHARACTERS = 200
_SECRET = ("auth", "headers")


def checked(given):
    """The description with every key, checked; requests are not filled in yet.

    Args:
        given: the ``system_break_glass`` of an inventory.

    Raises:
        ValueError: one line that names the place and what is wrong.
    """
    if not isinstance(given, dict):
        raise ValueError(f"{PLACE}: must be a dict")
    _known(PLACE, given, KEYS)
    start = given.get("start")
    if start is None:
        raise ValueError(f"give {PLACE}.start, a dict with the key url: it says how a token is asked for")
    _check_request(f"{PLACE}.start", start, ("reason", "ttl_minutes", "ttl_seconds"), "POST")
    header = given.get("header") or "X-Break-Glass-Token"
    if not isinstance(header, str) or not _HEADER.match(header):
        raise ValueError(f"{PLACE}.header: must be the name of a header")
    revoke = given.get("revoke")
    if revoke is not None:
        _check_request(f"{PLACE}.revoke", revoke, ("id", "token"), "POST")
        if not {"id", "token"} & _placeholders(revoke):
            raise ValueError(f"{PLACE}.revoke: must have {{id}} or {{token}}, or it would revoke nothing or everything")
        if "{token}" in str(revoke["url"]):
            # Every server on the way writes URLs into its log.
            raise ValueError(
                f"{PLACE}.revoke.url: a token does not belong into a URL; give it in body or headers, or use {{id}}"
            )
        if "id" in _placeholders(revoke) and not given.get("id"):
            raise ValueError(f"{PLACE}.revoke: needs {PLACE}.id, where the answer of start has it")
    for key in ("read_only", "open"):
        if given.get(key) is not None:
            _check_request(
                f"{PLACE}.{key}", given[key], (), "GET", ("field",) if key == "read_only" else ("rows", "id", "reason")
            )
    writes = given.get("writes") or {}
    if not isinstance(writes, dict):
        raise ValueError(f"{PLACE}.writes: must be a dict of requests by name")
    for name, write in writes.items():
        place = f"{PLACE}.writes.{one_line(name, 60)}"
        _check_request(place, write, (), "POST", ("done", "why"))
        done = write.get("done")
        if not isinstance(done, dict) or "equals" not in done:
            raise ValueError(f"{place}.done: must say what shows that it is done, a dict of url, field and equals")
        _check_request(f"{place}.done", done, (), "GET", ("field", "equals"))
    return {
        "start": start,
        "token": _path("token", given.get("token") or "token"),
        "id": _path("id", given["id"]) if given.get("id") else "",
        "expires": _path("expires", given["expires"]) if given.get("expires") else "",
        "header": header,
        "revoke": revoke,
        "read_only": given.get("read_only"),
        "open": given.get("open"),
        "writes": {str(name): write for name, write in writes.items()},
    }


def _known(place, given, known):
    for key in given:
        if key not in known:
            raise ValueError(f"{place}: unknown key {one_line(key, 60)}; known are {', '.join(known)}")


def _path(key, text):
    if not isinstance(text, str) or not _PATH.match(text):
        raise ValueError(f"{PLACE}.{key}: must be a path in the answer, such as data.token")
    return text


def _check_request(place, given, placeholders, method, more=()):
    if not isinstance(given, dict):
        raise ValueError(f"{place}: must be a dict with the key url")
    _known(place, given, (*REQUEST_KEYS, *more))
    request_of(place, {"method": method, **_request(given)}, METHODS)
    for name in _placeholders(given):
        if placeholders and name not in placeholders:
            raise ValueError(f"{place}: there is nothing for {{{name}}}; known are {', '.join(placeholders)}")
    for key in more:
        if (
            key in ("field", "rows", "id")
            and key in given
            and not (isinstance(given[key], str) and _PATH.match(given[key]))
        ):
            raise ValueError(f"{place}.{key}: must be a path in the answer, such as data.{key}")
    if "field" in more and "field" not in given:
        raise ValueError(f"{place}.field: must say where the answer has it")


def _request(given):
    return {key: value for key, value in given.items() if key in REQUEST_KEYS}


def _placeholders(given):
    return set(_PLACEHOLDER.findall(json.dumps([given.get("url"), given.get("body"), given.get("headers")])))


def filled(place, given, values, method="POST"):
    """A request that can be sent, and the texts in it that nobody may read.

    Args:
        place: what it is called in the inventory.
        given: what the inventory says.
        values: for the placeholders. A text that is nothing but one becomes the value itself, so that a number stays one.
        method: where the inventory names none.

    Returns:
        A pair of what :func:`net.documents.request_of` gives, and a list.
    """
    from urllib.parse import quote

    request = {"method": method, **_request(given)}
    request["url"] = _in_text(str(request["url"]), {name: quote(str(value), safe="") for name, value in values.items()})
    for key in ("body", "headers"):
        if key in request:
            request[key] = _in(request[key], values)
    secrets = secrets_of(request)
    return request_of(place, request, METHODS), secrets


def _in(value, values):
    if isinstance(value, dict):
        return {key: _in(one, values) for key, one in value.items()}
    if isinstance(value, list):
        return [_in(one, values) for one in value]
    if not isinstance(value, str):
        return value
    whole = _PLACEHOLDER.fullmatch(value)
    return values[whole.group(1)] if whole and whole.group(1) in values else _in_text(value, values)


def _in_text(text, values):
    return _PLACEHOLDER.sub(lambda found: str(values.get(found.group(1), found.group(0))), text)


def apart(given):
    """A description without what lets somebody in, and that by its place. Pure.

    What is secret is taken out of every result of a module, wherever the same word is in it: so nothing else may go with it.
    """
    secrets = {}

    def without(place, value):
        if not isinstance(value, dict):
            return value
        found = {key: value[key] for key in _SECRET if key in value}
        if found:
            secrets[place] = found
        return {
            key: without(f"{place}/{key}".strip("/"), one) if key not in ("body", "equals") else one
            for key, one in value.items()
            if key not in _SECRET
        }

    return without("", given), secrets


def together(given, secrets):
    """A description with what :func:`apart` took out of it."""

    def whole(place, value):
        if not isinstance(value, dict):
            return value
        inside = {
            key: whole(f"{place}/{key}".strip("/"), one) if key not in ("body", "equals") else one
            for key, one in value.items()
        }
        return {**inside, **(secrets.get(place) or {})}

    return whole("", given)


def grant_of(given):
    """What a task asks for, checked: ``reason`` and ``ttl_seconds``.

    Raises:
        ValueError: it has no reason, or lives too long.
    """
    if not isinstance(given, dict) or not set(given) <= {"reason", "ttl_seconds"}:
        raise ValueError("break_glass: must be a dict of reason and ttl_seconds")
    reason = one_line(given.get("reason") or "", _REASON_CHARACTERS)
    if len(reason) < 8:
        raise ValueError("break_glass.reason: say why in some words; whoever reads the audit log finds nothing else")
    try:
        seconds = int(given.get("ttl_seconds") or DEFAULT_SECONDS)
    except (TypeError, ValueError):
        seconds = 0
    if not LEAST_SECONDS <= seconds <= MOST_SECONDS:
        raise ValueError(f"break_glass.ttl_seconds: must be from {LEAST_SECONDS} to {MOST_SECONDS} seconds")
    return {"reason": reason, "ttl_seconds": seconds}


def found_at(document, path):
    """What is at a path such as ``data.token``, or None."""
    for key in path.split("."):
        if not isinstance(document, dict) or key not in document:
            return None
        document = document[key]
    return document
