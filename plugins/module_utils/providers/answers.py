# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the answers of a provider say, in the words that all kinds have in common. Pure, but for :func:`ask`.

A finding is a dictionary ``passed`` (True, False, or None where nothing can be told), ``error`` (one of ``ERRORS``, or ""), ``reason``
(one line, or "") and ``facts``.

An answer is a dictionary ``status`` (None without one), ``error`` and ``reason`` (where it cannot be read), ``document`` (of its JSON, or
None), ``text`` (its begin, or "" of a page, where ``is_page`` is true) and ``headers``.
"""

from __future__ import annotations

import base64
import json
import re

from ..net.bounded_http import FetchError, fetch, public_url
from ..text.masking import masked
from ..text.one_line import without_secrets

# In the words of the runbook. The first ones are the provider's no to us, the others that nobody said anything.
ERRORS = (
    *("credentials", "forbidden", "suspended", "quota", "rate_limited", "unverified"),
    *("down", "dns", "tls", "unreadable"),
)
MOST_BYTES = 1_000_000
_TEXT_CHARACTERS = 200
_OF_FETCH = {
    **dict.fromkeys(("refused", "unreachable", "timeout", "reset"), "down"),
    "dns": "dns",
    "tls": "tls",
}
_SUSPENDED = re.compile(
    r"(?i)\b(?:suspend|deactivat|disabled|closed|terminat|under review|blocked|(?:is )?not active\b|inactive)"
)
_QUOTA = re.compile(
    r"(?i)\b(?:credits? exceeded|quota|insufficient (?:credit|balance|fund)|limit exceeded|run out of credits)"
)


def passed(**facts):
    """It would take a message."""
    return {"passed": True, "error": "", "reason": "", "facts": facts}


def refused(error, reason, **facts):
    """It would not."""
    return {"passed": False, "error": error, "reason": reason, "facts": facts}


def untold(reason, error="unreadable", **facts):
    """Whether it would cannot be told."""
    return {"passed": None, "error": error, "reason": reason, "facts": facts}


def basic(user, password):
    """The header of basic authentication."""
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")}


def request(url, headers, method="GET", body=None):
    """A request as a kind describes it."""
    return {"url": url, "method": method, "headers": {"Accept": "application/json", **headers}, "body": body}


def secrets_in(asked):
    """What of a request no line may show, besides the secrets of the provider: what its headers made of these."""
    return [word for value in asked["headers"].values() for word in str(value).split() if len(word) >= 12]


def ask(asked, timeout_seconds, secrets):
    """The answer to a request.

    Args:
        asked: of :func:`request`.
        timeout_seconds: for all of it.
        secrets: what no line may show.
    """
    hidden = [*secrets, *secrets_in(asked)]
    try:
        status, headers, body = fetch(
            asked["url"],
            timeout_seconds,
            max_bytes=MOST_BYTES,
            headers=asked["headers"],
            body=asked["body"],
            method=asked["method"],
        )
    except FetchError as error:
        reason = masked(without_secrets(str(error), *hidden))
        return _answer(None, _OF_FETCH.get(error.kind, "unreadable"), reason)
    where = without_secrets(f"{asked['method']} {public_url(asked['url'])}", *hidden)
    text = body[:4000].decode("utf-8", "replace")
    is_page = text.lstrip().startswith("<")
    shown = "" if is_page else masked(without_secrets(text, *hidden), _TEXT_CHARACTERS)
    found = _answer(status, "", "", where=where, text=shown, headers=headers, is_page=is_page)
    try:
        found["document"] = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        found["document"] = None
    return found


def _answer(status, error, reason, **more):
    return {
        "status": status,
        "error": error,
        "reason": reason,
        "document": None,
        "text": "",
        "headers": {},
        "where": "",
        "is_page": False,
        **more,
    }


def trouble(answer, says=None):
    """The finding of an answer that is no good one, or None where it is.

    Args:
        answer: of :func:`ask`.
        says: what the provider itself says of it, where its kind knows better than the text.
    """
    if answer["error"]:
        reason = answer["reason"]
        return untold(reason) if answer["error"] == "unreadable" else refused(answer["error"], reason)
    status, said = answer["status"], answer["text"] if says is None else says
    if 200 <= status < 300:
        if isinstance(answer["document"], (dict, list)):
            return None
        return untold(
            f"{answer['where']} answers {status} with something that is no JSON; is there a proxy or another server in between?"
        )
    reason = f"{answer['where']} answers {status}" + (f": {said}" if said else "")
    if status in (401, 402, 403) and answer["is_page"]:
        # What is in front of a provider, or in between, knows nothing of a key.
        return untold(f"{reason} with a page; is it of a proxy or a firewall?")
    if status in (401, 402, 403) and _QUOTA.search(said):
        return refused("quota", reason)
    if status in (401, 403) and _SUSPENDED.search(said):
        return refused("suspended", reason)
    by_status = {401: "credentials", 402: "quota", 403: "forbidden", 429: "rate_limited"}
    if status in by_status:
        return refused(by_status[status], reason)
    return refused("down", reason) if status >= 500 else untold(reason)


def number(value):
    """A number that an answer has, as a number or in a text, or None."""
    if isinstance(value, bool):
        return None
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    # Of what is no number, no comparison is true.
    return found if abs(found) < 1e15 else None


def word(value):
    """A word that an answer has, in small letters, or None."""
    return masked(value, 60).lower() if isinstance(value, str) and value else None


def share(part, whole):
    """A share of something, or None where nothing of it is there."""
    return None if part is None or not whole else round(part / whole, 4)


def known(**facts):
    """The facts that are known."""
    return {name: value for name, value in facts.items() if value is not None}


def fields_of(document, *path):
    """The dictionary at a place in a document; an empty one where there is none."""
    for key in path:
        document = document.get(key) if isinstance(document, dict) else None
    return document if isinstance(document, dict) else {}
