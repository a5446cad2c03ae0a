# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The side that gives tokens: asked for one, asked to revoke one, and asked what is open."""

from __future__ import annotations

import json
import re
import time

from ..net.bounded_http import FetchError, fetch, moment_in_header, public_url
from ..queues.answer import moment_of
from ..text.masking import masked
from ..text.one_line import one_line, without_secrets
from .spec import PLACE, filled, found_at

_MAX_BYTES = 1024 * 1024
_TOKEN = re.compile(r"[\x21-\x7e]{8,4096}\Z")
_EXCERPT_CHARACTERS = 120
_MOST_OPEN = 200
# What is said of a token to the one that gives it, behind the reason; so ours are known.
MARK = re.compile(r"\[oncall ([0-9a-f]{16})\]")


class IssuerError(Exception):
    """It was not done; one line, without secrets.

    ``status`` is that of HTTP, None where none came.
    """

    def __init__(self, message, status=None):
        super().__init__(message)
        self.status = status


def start(settings, reason, ttl_seconds, reference, timeout_seconds):
    """Ask for a token.

    Returns:
        A dict ``token`` (which nobody may read), ``id`` (or "") and ``expires_at_seconds`` (as the answer says, by the
        clock here, or None).

    Raises:
        IssuerError: none was given.
    """
    values = {
        "reason": f"{reason} [oncall {reference}]",
        "ttl_minutes": -(-ttl_seconds // 60),
        "ttl_seconds": ttl_seconds,
    }
    place = f"{PLACE}.start"
    _status, body, headers = asked(place, settings["start"], values, timeout_seconds)
    document = document_in(place, body)
    token = found_at(document, settings["token"])
    if not isinstance(token, str) or not _TOKEN.match(token):
        raise IssuerError(f"{place}: the answer has no token at {settings['token']}")
    identity = found_at(document, settings["id"]) if settings["id"] else None
    identity = one_line(identity, 200) if isinstance(identity, (str, int)) and not isinstance(identity, bool) else ""
    # An id that is the token is none to be kept or shown.
    identity = "" if token in identity else identity
    expires = moment_of(found_at(document, settings["expires"])) if settings["expires"] else None
    ends = ends_here(expires, moment_in_header(headers.get("date", "")), time.time())
    return {"token": token, "id": identity, "expires_at_seconds": ends}


def ends_here(expires, there, now):
    """When a token ends by the clock here, though that of the issuer may be an hour off; None where that is not known. Pure.

    Args:
        expires: when it ends by the issuer's clock, or None.
        there: what that clock said in the same answer, or None.
        now: what the clock here says.
    """
    if expires is None:
        return None
    ends = expires if there is None else now + expires - there
    # None is given that is over already.
    return ends if ends > now else None


def revoke(settings, identity, token, reference, timeout_seconds):
    """Revoke a token, and see that it is gone where the issuer lists what is open.

    Args:
        identity: its id, or "".
        token: itself, or "" where nobody has it any more.
        reference: ours, by which the list tells it.

    Raises:
        IssuerError: it was not revoked, or nobody knows.
    """
    place = f"{PLACE}.revoke"
    gone = None
    try:
        asked(
            place,
            settings["revoke"],
            {"id": identity, "token": token},
            timeout_seconds,
            hidden=[token] if token else [],
        )
    except IssuerError as error:
        # One that is not there is revoked, if it was not the wrong place that was asked.
        if error.status not in (404, 410) or settings["open"] is None:
            raise
        gone = error
    if settings["open"] is None:
        return
    try:
        left = [
            one
            for one in open_ones(settings, timeout_seconds)
            if one["reference"] == reference or (identity and one["id"] == identity)
        ]
    except IssuerError:
        if gone is not None:
            raise gone from None
        return
    if left:
        raise IssuerError(
            f"{place}: {gone or 'it was answered well'}, and the token is still among those that are open"
        )


def can_revoke(settings, identity, token):
    """Whether enough is known to revoke a token. Pure."""
    text = json.dumps(settings["revoke"])
    return (
        settings["revoke"] is not None
        and ("{id}" not in text or bool(identity))
        and ("{token}" not in text or bool(token))
    )


def open_ones(settings, timeout_seconds):
    """The tokens that are open, as the issuer lists them.

    Returns:
        A list of dicts ``id``, ``reason`` (masked) and ``reference`` (that of ours, or "").

    Raises:
        IssuerError: the list cannot be read.
    """
    given, place = settings["open"], f"{PLACE}.open"
    document = document_in(place, asked(place, given, {}, timeout_seconds, "GET")[1])
    rows = found_at(document, given["rows"]) if given.get("rows") else document
    if not isinstance(rows, list):
        raise IssuerError(f"{place}: the answer has no list at {given.get('rows') or 'its top'}")
    if len(rows) > _MOST_OPEN:
        raise IssuerError(f"{place}: {len(rows)} tokens are open, more than {_MOST_OPEN} are not read")
    found = []
    for row in rows:
        identity = found_at(row, given.get("id") or "id")
        reason = found_at(row, given.get("reason") or "reason")
        mark = MARK.search(reason) if isinstance(reason, str) else None
        found.append(
            {
                "id": masked(identity, 100) if isinstance(identity, (str, int)) else "",
                "reason": masked(reason, 120) if isinstance(reason, str) else "",
                "reference": mark.group(1) if mark else "",
            }
        )
    return found


def value_at(place, given, timeout_seconds):
    """What a document has at ``field``: a single value, or None where that is what it says.

    Raises:
        IssuerError: it cannot be read, or has no such value. A name that is written wrong must not read as "not done".
    """
    document = document_in(place, asked(place, given, {}, timeout_seconds, "GET")[1])
    above, _dot, name = given["field"].rpartition(".")
    parent = found_at(document, above) if above else document
    if not isinstance(parent, dict) or name not in parent:
        raise IssuerError(f"{place}: the answer has nothing at {given['field']}")
    value = parent[name]
    if isinstance(value, (dict, list)):
        raise IssuerError(f"{place}: what is at {given['field']} is no single value")
    return value


def asked(place, given, values, timeout_seconds, method="POST", hidden=(), headers=None):
    """One request of the inventory.

    Args:
        hidden: more texts that nobody may read.
        headers: more headers, which nobody may read either.

    Returns:
        Its status, its body and its headers.

    Raises:
        IssuerError: it was not answered as it should be.
    """
    request, secrets = filled(place, given, values, method)
    hide = [*hidden, *(headers or {}).values(), *secrets]
    try:
        status, answered, body = fetch(
            request["url"],
            request["timeout_seconds"] or timeout_seconds,
            max_bytes=_MAX_BYTES,
            headers={**request["headers"], **(headers or {})},
            body=request["body"],
            method=request["method"],
            redirects=False,
        )
    except FetchError as error:
        raise IssuerError(f"{place}: {masked(without_secrets(str(error), *hide))}") from None
    if status not in request["status"] if request["status"] else not 200 <= status < 300:
        text = masked(without_secrets(body[:2000].decode("utf-8", "replace"), *hide), _EXCERPT_CHARACTERS)
        asked_for = without_secrets(f"{request['method']} {public_url(request['url'])}", *hide)
        said = f": {text}" if text and "<" not in text else ""
        raise IssuerError(f"{place}: {asked_for} answers {status}{said}", status)
    return status, body, answered


def document_in(place, body):
    """The JSON of an answer.

    Raises:
        IssuerError: it is none.
    """
    try:
        return json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        raise IssuerError(f"{place}: the answer is no JSON") from None
