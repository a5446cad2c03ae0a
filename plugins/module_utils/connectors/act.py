# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does something with a connector by an HTTP request: one of the inventory, or the one that restarts failed tasks of Kafka Connect."""

from __future__ import annotations

import json
from urllib.parse import quote

from ..net.bounded_http import FetchError, fetch, public_url
from ..net.documents import KEYS, request_of, secrets_of
from ..text.masking import masked, masked_lines
from ..text.one_line import without_secrets
from .answer import is_plain
from .failures import SourceError

_RESTART = "/connectors/{connector}/restart?includeTasks=true&onlyFailed=true"
_STATUS = "/connectors/{connector}/status"
_MOST_BYTES = 1024 * 1024
_EXCERPT_CHARACTERS = 120
_TRACE_LINES = 40


def act(place, entry, verb, connector, timeout_seconds):
    """Do it.

    Args:
        place: of the entry in the inventory.
        entry: as the inventory describes it.
        verb: what to do.
        connector: its name; empty where it is about all of them.
        timeout_seconds: for all of it.

    Returns:
        ``status`` (of HTTP), and ``traces``, those of tasks that had failed, each with ``task`` and ``trace`` (lines without secrets).

    Raises:
        ValueError: the inventory does not say how, or the name is not plain.
        SourceError: it was not done; one line.
    """
    if connector and not is_plain(connector):
        raise ValueError(f"{place}: a connector that is acted on cannot have the name {connector!r}")
    given = (entry.get("requests") or {}).get(verb)
    if given is None and (entry.get("source"), verb) == ("kafka_connect", "restart_tasks"):
        return _restarted(place, entry, connector, timeout_seconds)
    if given is None:
        raise ValueError(f"{place}.requests.{verb}: nothing says what to ask")
    status, _body = _asked(f"{place}.requests.{verb}", filled(given, connector), timeout_seconds)
    return {"status": status, "traces": []}


def filled(given, connector):
    """A request with the name of a connector in it: quoted in the URL, as it is in texts of the body. Pure."""
    if isinstance(given, str):
        given = {"url": given, "method": "POST"}
    request = {key: given[key] for key in KEYS if given.get(key) is not None}
    request.setdefault("method", "POST")
    request["url"] = str(request.get("url") or "").replace("{connector}", quote(connector, safe=""))
    if "body" in request:
        request["body"] = _with_name(request["body"], connector)
    return request


def _with_name(value, connector):
    if isinstance(value, dict):
        return {key: _with_name(one, connector) for key, one in value.items()}
    if isinstance(value, list):
        return [_with_name(one, connector) for one in value]
    return value.replace("{connector}", connector) if isinstance(value, str) else value


def _restarted(place, entry, connector, timeout_seconds):
    reach = {key: entry[key] for key in ("auth", "headers") if entry.get(key)}
    url = str(entry.get("url") or "").rstrip("/")
    before = filled({"url": url + _STATUS, "method": "GET", **reach}, connector)
    _status, body = _asked(place, before, timeout_seconds)
    status, _body = _asked(
        place, filled({"url": url + _RESTART, "method": "POST", **reach}, connector), timeout_seconds
    )
    return {"status": status, "traces": traces_of(body)}


def traces_of(body):
    """The traces of tasks that failed, in the status of a connector: after a restart nobody has them. Pure."""
    try:
        tasks = json.loads(body)["tasks"]
        failed = [task for task in tasks if task["state"] == "FAILED"]
        return [
            {"task": task["id"], "trace": masked_lines(str(task.get("trace") or "").splitlines()[:_TRACE_LINES])}
            for task in failed
        ]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []


def _asked(place, given, timeout_seconds):
    request, secrets = request_of(place, given), secrets_of(given)
    try:
        status, _headers, body = fetch(
            request["url"], timeout_seconds, max_bytes=_MOST_BYTES, headers=request["headers"], body=request["body"],
            method=request["method"], redirects=request["method"] == "GET",
        )  # fmt: skip
    except FetchError as error:
        raise SourceError(error.kind, masked(without_secrets(str(error), *secrets))) from None
    if status not in request["status"] if request["status"] else not 200 <= status < 300:
        text = masked(without_secrets(body[:2000].decode("utf-8", "replace"), *secrets), _EXCERPT_CHARACTERS)
        asked = without_secrets(f"{request['method']} {public_url(request['url'])}", *secrets)
        raise SourceError("bad_status", f"{asked} answers {status}" + (f": {text}" if text and "<" not in text else ""))
    return status, body
