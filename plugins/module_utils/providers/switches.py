# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""By which provider an application sends, told and set through a command or an HTTP call of the inventory."""

from __future__ import annotations

import json

from ..net.bounded_http import FetchError, fetch
from ..net.documents import request_of, secrets_of
from ..run_command import failure, run
from ..services.command import with_placeholders
from ..text.masking import masked
from ..text.one_line import one_line, without_secrets

MOST_BYTES = 100_000


def shown(place, show, seconds):
    """What a command prints last, or what a field of a JSON document says.

    Args:
        place: of the switch in the inventory.
        show: a list (program and arguments), or a dict ``url`` and ``field`` (keys with dots between them) with what else
            :func:`net.documents.request_of` takes.
        seconds: the time for it.

    Returns:
        The text and "", or None and why it is not known.

    Raises:
        ValueError: it cannot be used.
    """
    if isinstance(show, list) and show and all(isinstance(one, (str, int, float)) for one in show):
        return _of_command(show, seconds)
    if isinstance(show, dict) and isinstance(show.get("field"), str):
        return _of_url(place, show, seconds)
    raise ValueError(f"{place}.show: must be a list, the program and its arguments, or a dict with url and field")


def _of_command(argv, seconds):
    ended = run(argv, seconds)
    if ended["error"] or ended["signal"] or ended["exit_code"]:
        return None, failure(argv, ended, seconds)
    lines = [line.strip() for line in ended["stdout"].splitlines() if line.strip()]
    # Not masked: it is compared with what the inventory says, and shown by that name alone.
    return (lines[-1], "") if lines else (None, f"{one_line(argv[0], 60)} printed nothing")


def _of_url(place, show, seconds):
    asked = request_of(f"{place}.show", {key: value for key, value in show.items() if key != "field"})
    secrets = secrets_of(show)
    try:
        status, _headers, body = fetch(
            asked["url"], seconds, MOST_BYTES, headers=asked["headers"], body=asked["body"], method=asked["method"]
        )
        found = json.loads(body)
    except FetchError as error:
        return None, masked(without_secrets(str(error), *secrets))
    except (ValueError, RecursionError):
        return None, f"{place}.show: the answer is no JSON"
    if not 200 <= status < 300:
        return None, f"{place}.show: the application answers {status}"
    for key in show["field"].split("."):
        found = found.get(key) if isinstance(found, dict) else None
    if not isinstance(found, (str, int)) or isinstance(found, bool):
        return None, f"{place}.show: the answer has no text at {one_line(show['field'], 60)}"
    return str(found), ""


def turn(place, how, value, seconds):
    """Have an application send by another provider.

    Args:
        place: of the switch in the inventory.
        how: a list (program and arguments), or a dict of what :func:`net.documents.request_of` takes; ``{provider}`` in it is replaced.
        value: what the switch calls the provider.
        seconds: the time for it.

    Returns:
        Why it could not be done, or "".

    Raises:
        ValueError: it cannot be used.
    """
    if isinstance(how, list) and how and all(isinstance(one, (str, int, float)) for one in how):
        argv = with_placeholders(how, {"provider": value})
        ended = run(argv, seconds)
        is_done = not (ended["error"] or ended["signal"] or ended["exit_code"])
        return "" if is_done else failure(argv, ended, seconds)
    if not isinstance(how, dict):
        raise ValueError(f"{place}.set: must be a list, the program and its arguments, or a dict with url")
    asked = request_of(
        f"{place}.set", _filled(dict(how, method=how.get("method", "POST")), value), ("POST", "PUT", "PATCH")
    )
    try:
        status, _headers, body = fetch(
            asked["url"], seconds, MOST_BYTES, headers=asked["headers"], body=asked["body"], method=asked["method"]
        )
    except FetchError as error:
        return masked(without_secrets(str(error), *secrets_of(how)))
    if 200 <= status < 300:
        return ""
    text = masked(without_secrets(body[:2000].decode("utf-8", "replace"), *secrets_of(how)), 120)
    return f"the application answers {status}" + (f": {text}" if text else "")


def _filled(given, value):
    """A copy with the provider in the URL and in the body."""
    from urllib.parse import quote

    def fill(one):
        if isinstance(one, dict):
            return {name: fill(item) for name, item in one.items()}
        if isinstance(one, list):
            return [fill(item) for item in one]
        return one.replace("{provider}", value) if isinstance(one, str) else one

    url = str(given.get("url") or "").replace("{provider}", quote(value, safe=""))
    return {**given, "url": url, "body": fill(given.get("body"))}
