# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether HTTP endpoints answer, how fast, and what they say about themselves."""

from __future__ import annotations

import json
import time

from ..deadline import Deadline, DeadlineExceeded, all_within
from ..text.masking import masked
from ..text.one_line import without_secrets
from .bounded_http import FetchError, fetch, public_url, retry_after_seconds
from .health_document import unwell_parts

METHODS = ("GET", "HEAD", "POST")
_KEYS = {"url", "method", "status", "json", "headers"}
_MAX_BYTES = 1024 * 1024
_EXCERPT_CHARACTERS = 200
_REDIRECTS = range(300, 400)
_ABSENT = object()


def observe(params):
    """Ask all endpoints at once.

    Refused, reset, a wrong status and silence after the connection are measurements: somebody is there, and does not
    work. A name that does not resolve, a network that cannot be reached and a connection that nobody accepts in time may
    as well be this side's own trouble: such an endpoint is ``available: false``, and nothing follows from it.

    Args:
        params: see ``observers.http_probe.SPEC``.

    Returns:
        A dict ``available`` (whether at least one endpoint could be measured), ``reason`` where none could, ``endpoints``
        (by name), ``failing`` and ``unknown`` (names), and ``limits`` (why those are unknown).

    Raises:
        ValueError: an endpoint is described in a way that cannot be used.
    """
    if params["timeout_seconds"] <= 0:
        raise ValueError("timeout_seconds must be above 0")
    probes = {str(name): _described(name, given) for name, given in params["endpoints"].items()}
    deadline = Deadline(params["timeout_seconds"])
    answers = all_within(
        params["timeout_seconds"] + 0.5, [lambda one=one: _probe(one, deadline) for one in probes.values()]
    )
    endpoints = {}
    for (name, probe), answer in zip(probes.items(), answers):
        if isinstance(answer, DeadlineExceeded):
            answer = _not_measured(probe, "timeout", f"{probe['method']} {public_url(probe['url'])}: {answer}")
        elif isinstance(answer, Exception):
            raise answer
        endpoints[name] = answer
    return _summary(endpoints)


def _summary(endpoints):
    unknown = [name for name, one in endpoints.items() if not one["available"]]
    found = {
        "available": len(unknown) < len(endpoints),
        "endpoints": endpoints,
        "failing": [name for name, one in endpoints.items() if one["available"] and not one["ok"]],
        "unknown": unknown,
        "limits": [endpoints[name]["reason"] for name in unknown],
    }
    if not endpoints:
        found["reason"] = "no endpoint to ask: name one"
    elif not found["available"]:
        found["reason"] = found["limits"][0]
        found["limits"] = found["limits"][1:]
    return found


def _described(name, given):
    """One endpoint with all its keys, checked."""
    probe = {"url": given} if isinstance(given, str) else given
    if not isinstance(probe, dict) or not isinstance(probe.get("url"), str) or not probe["url"]:
        raise ValueError(f"endpoint {name} must be a URL, or a dict with the key url")
    more = sorted(set(map(str, probe)) - _KEYS)
    if more:
        raise ValueError(f"endpoint {name} has the unknown key {more[0]}; known are {', '.join(sorted(_KEYS))}")
    method = str(probe.get("method") or "GET").upper()
    if method not in METHODS:
        raise ValueError(f"endpoint {name}: unknown method {method}; known are {', '.join(METHODS)}")
    status = probe.get("status") or []
    status = status if isinstance(status, (list, tuple)) else [status]
    if not all(str(code).isdigit() for code in status):
        raise ValueError(f"endpoint {name}: status must be a list of status codes")
    wanted, headers = probe.get("json") or {}, probe.get("headers") or {}
    if not isinstance(wanted, dict) or not isinstance(headers, dict):
        raise ValueError(f"endpoint {name}: json and headers must be dicts")
    if method == "HEAD" and wanted:
        raise ValueError(f"endpoint {name}: an answer to HEAD has no body, so no json")
    return {
        "url": probe["url"],
        "method": method,
        "status": [int(code) for code in status],
        "json": wanted,
        "headers": headers,
    }


def _probe(probe, deadline):
    noted = {}
    began = time.monotonic()
    try:
        status, headers, body = fetch(
            probe["url"],
            deadline.remaining_seconds(),
            max_bytes=_MAX_BYTES,
            headers=probe["headers"],
            body=b"" if probe["method"] == "POST" else None,
            method=probe["method"],
            noted=noted,
            redirects=not any(code in _REDIRECTS for code in probe["status"]),
        )
    except FetchError as error:
        if error.kind != "refused" and not error.connected:
            return _not_measured(probe, error.kind, str(error))
        found = dict(_empty(probe), error=error.kind, reason=str(error))
    else:
        found = dict(_judged(probe, status, body), retry_after_seconds=retry_after_seconds(headers))
    return dict(found, seconds=round(time.monotonic() - began, 3), certificate_days_left=_days_left(noted))


def _empty(probe):
    return {
        "available": True,
        "ok": False,
        "url": public_url(probe["url"]),
        "status": None,
        "seconds": None,
        "error": "",
        "reason": "",
        "fields": {},
        "excerpt": "",
        "unwell": [],
        "certificate_days_left": None,
        "retry_after_seconds": None,
    }


def _not_measured(probe, kind, reason):
    return dict(_empty(probe), available=False, ok=None, error=kind, reason=reason)


def _judged(probe, status, body):
    """What an answer says. A field is read from an answer of any status: a sick service often names what ails it."""
    found = dict(_empty(probe), status=status)
    asked = f"{probe['method']} {found['url']}"
    problem = ""
    if probe["json"]:
        found["fields"], problem = _fields(probe["json"], body)
    is_expected = status in probe["status"] if probe["status"] else 200 <= status < 300
    if not is_expected:
        expected = ", ".join(map(str, probe["status"])) or "200 to 299"
        found.update(error="bad_status", reason=f"{asked} answers {status}, expected was {expected}")
    elif problem:
        found.update(error="bad_json", reason=f"{asked}: {problem}")
    else:
        return dict(found, ok=True)
    # Only the beginning counts: what an error page says stands there.
    secrets = [part for value in probe["headers"].values() for part in str(value).split() if len(part) >= 6]
    text = without_secrets(body[:4000].decode("utf-8", "replace"), *secrets)
    unwell = [_short(name) for name in unwell_parts(body)]
    if unwell:
        found["reason"] += f"; it says that {', '.join(unwell)} {'is' if len(unwell) == 1 else 'are'} not well"
    return dict(found, excerpt=_short(text), unwell=unwell)


def _fields(wanted, body):
    """The values at the paths asked for, and what is wrong with them in one line, or nothing."""
    try:
        document = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        return {}, "the body is no JSON"
    fields, problems = {}, []
    for path, expected in wanted.items():
        value = _at(document, str(path).split("."))
        if value is _ABSENT or isinstance(value, (dict, list)):
            problems.append(f"{path} is {'not there' if value is _ABSENT else 'no single value'}")
            continue
        fields[str(path)] = _short(value) if isinstance(value, str) else value
        # True is 1 for Python, and not for a health check.
        is_equal = value == expected and isinstance(value, bool) == isinstance(expected, bool)
        if expected is not None and not is_equal:
            problems.append(f"{path} is {_short(json.dumps(value))}, expected was {_short(json.dumps(expected))}")
    return fields, "; ".join(problems)


def _at(document, parts):
    for part in parts:
        if isinstance(document, dict) and part in document:
            document = document[part]
        elif isinstance(document, list) and part.isdigit() and int(part) < len(document):
            document = document[int(part)]
        else:
            return _ABSENT
    return document


def _short(text):
    line = masked(text)
    return line if len(line) <= _EXCERPT_CHARACTERS else line[: _EXCERPT_CHARACTERS - 1] + "…"


def _days_left(noted):
    import ssl

    certificate = noted.get("certificate") or {}
    if "notAfter" not in certificate:
        return None
    return round((ssl.cert_time_to_seconds(certificate["notAfter"]) - time.time()) / 86400, 2)
