# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What status pages say of the component that matters, out of the documents that the observer ``status_page`` fetched."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ...module_utils.net.bounded_http import public_url
from ...module_utils.net.documents import KEYS, request_of, secrets_of
from ...module_utils.net.status_pages import KINDS
from .expressions import MISSING, CannotEvaluate, compiled, evaluated, library
from .status_page_shapes import SHAPES, Component, Incident, Said, WrongShape, moment
from .values import NotReadable, document_of, text_of

STATUSES = ("operational", "degraded", "partial_outage", "major_outage", "maintenance")
UNKNOWN = "unknown"
MOST_INCIDENTS = 20
# A Statuspage says when anything on it changed last: of 22 pages captured in one week, two had been quiet for more than a week,
# and one for 55 days. Better Stack writes every day.
MAX_AGE_SECONDS = {"statuspage": 90 * 86400, "better_stack": 3 * 86400, "jmespath": 7 * 86400}
# What clocks may differ by.
_AHEAD_SECONDS = 300
# The words of all kinds, without case and signs.
_WORDS = {
    "operational": "operational",
    "degraded": "degraded",
    "degradedperformance": "degraded",
    "partialoutage": "partial_outage",
    "minoroutage": "partial_outage",
    "majoroutage": "major_outage",
    "downtime": "major_outage",
    "maintenance": "maintenance",
    "undermaintenance": "maintenance",
}
NOTHING: dict[str, Any] = {"complete": False, "pages": {}, "unknown": [], "limits": []}
_KEYS = {*KEYS, "kind", "component", "max_age_seconds"}
_EXPRESSIONS = ("status", "incidents", "updated_at")


class _NotKnown(Exception):
    """Why the status of a component cannot be told."""


def why_not(params: Mapping[str, Any]) -> str:
    """Why nothing can be read, before anything is fetched; nothing where it can.

    Raises:
        ValueError: a page is described in a way that cannot be used.
    """
    for name, given in params["pages"].items():
        _described(f"system_status_pages.{name}", given)
    return "" if params["pages"] else "no status page to ask: name one in system_status_pages"


def _described(place: str, given: Any) -> dict[str, Any]:
    """A page, checked, with ``expressions`` compiled where its kind has them."""
    if not isinstance(given, Mapping) or given.get("kind") not in KINDS:
        raise ValueError(f"{place}.kind: must be one of {', '.join(KINDS)}")
    is_free = given["kind"] == "jmespath"
    # Here ``status`` is an expression, and not what HTTP answers.
    request_of(place, {key: value for key, value in given.items() if key != "status"})
    keys = (_KEYS | {*_EXPRESSIONS, "words"}) if is_free else _KEYS - {"status"}
    if more := sorted(set(map(str, given)) - keys):
        raise ValueError(f"{place}: unknown key {more[0]}; known for {given['kind']} are {', '.join(sorted(keys))}")
    if not is_free and not str(given.get("component") or "").strip():
        raise ValueError(f"{place}.component: must be the name or the id of the component that matters")
    words = given.get("words") or {}
    if not isinstance(words, Mapping) or not set(words.values()) <= set(STATUSES):
        raise ValueError(f"{place}.words: must be a dict of the page's words and of {', '.join(STATUSES)}")
    try:
        max_age = float(given["max_age_seconds"]) if "max_age_seconds" in given else None
    except (TypeError, ValueError):
        max_age = 0.0
    if max_age is not None and not max_age > 0:
        raise ValueError(f"{place}.max_age_seconds: must be a number of seconds above 0")
    if is_free and "status" not in given:
        raise ValueError(f"{place}.status: must be a JMESPath expression")
    wanted = [key for key in _EXPRESSIONS if is_free and key in given] if library() else []
    return {
        "kind": given["kind"],
        "component": str(given.get("component") or "").strip(),
        "words": {_plain_word(word): str(status) for word, status in words.items()},
        "max_age_seconds": max_age,
        "expressions": {key: compiled(f"{place}.{key}", given[key]) for key in wanted},
    }


def _plain_word(word: Any) -> str:
    return "".join(sign for sign in str(word).lower() if sign.isalnum())


def finish(params: Mapping[str, Any], fetched: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of the observer.

    Args:
        params: of the observer.
        fetched: what it fetched; the documents go no further.
    """
    given = {str(name): one for name, one in params["pages"].items()}
    pages = {
        name: _read(f"system_status_pages.{name}", given[name], all_of) for name, all_of in fetched["pages"].items()
    }
    unknown = [name for name, one in pages.items() if not one["available"]]
    limits = [f"{name}: {text}" for name, one in pages.items() for text in (one.get("reason"), *one["limits"]) if text]
    found = {
        "available": len(unknown) < len(pages),
        "complete": all(one["complete"] for one in pages.values()),
        "pages": pages,
        "unknown": unknown,
        "limits": limits,
    }
    return found if found["available"] else {**found, "reason": limits[0], "limits": limits[1:]}


def _read(place: str, given: Mapping[str, Any], answers: list[Mapping[str, Any]]) -> dict[str, Any]:
    """What one page says of its component."""
    page, secrets = _described(place, given), secrets_of(given)
    found = {
        "available": False,
        "status": UNKNOWN,
        "component": text_of(page["component"], secrets),
        "url": public_url(given["url"]),
        "incidents": [],
        "incidents_elsewhere": None,
        "age_seconds": None,
        "milliseconds": max(one["milliseconds"] for one in answers),
        "complete": False,
        "limits": [],
    }
    try:
        said, limits = _said(page, answers)
        found["age_seconds"] = _age(page, said)
        found["status"] = _status(page, said, secrets)
    except (_NotKnown, CannotEvaluate, NotReadable, WrongShape) as error:
        return {**found, "reason": text_of(error, secrets)}
    rows = [_incident(one, secrets) for one in said.incidents[:MOST_INCIDENTS]]
    if len(said.incidents) > MOST_INCIDENTS:
        limits.append(f"{len(said.incidents)} incidents are open, and {MOST_INCIDENTS} are told")
    return {
        **found,
        "available": True,
        "component": text_of(said.component.name, secrets),
        "incidents": rows,
        "incidents_elsewhere": said.elsewhere,
        "complete": not limits,
        "limits": limits,
    }


def _said(page: dict[str, Any], answers: list[Mapping[str, Any]]) -> tuple[Said, list[str]]:
    """What the documents of a page say, and what could not be seen."""
    first, *others = answers
    if not first["available"]:
        raise _NotKnown(first["reason"])
    document = document_of(first["document"])
    if page["kind"] == "jmespath":
        return _said_by_expressions(page, document), []
    limits, more = [], []
    for one in others:
        try:
            if not one["available"]:
                raise NotReadable(one["reason"])
            more.append(document_of(one["document"]))
        except NotReadable as error:
            more.append(None)
            limits.append(f"which incidents are open was not seen: {error}")
    return SHAPES[page["kind"]](page["component"], time.time(), document, *more), limits


def _said_by_expressions(page: dict[str, Any], document: Any) -> Said:
    if library() is None:
        raise _NotKnown(MISSING)
    found = {key: evaluated(expression, document) for key, expression in page["expressions"].items()}
    if found["status"] is None or isinstance(found["status"], (dict, list)):
        raise _NotKnown(f"status finds {'nothing' if found['status'] is None else 'no single value'} in the answer")
    incidents = found.get("incidents") or []
    if not isinstance(incidents, list):
        raise _NotKnown("incidents finds no list in the answer")
    if "updated_at" in found and moment(found["updated_at"]) is None:
        raise _NotKnown("updated_at finds no time with a zone in the answer")
    return Said(
        component=Component("", page["component"], str(found["status"])),
        incidents=[Incident.of(one if isinstance(one, Mapping) else {"name": one}) for one in incidents],
        elsewhere=None,
        updated_at=moment(found.get("updated_at")),
    )


def _age(page: dict[str, Any], said: Said) -> float | None:
    if said.updated_at is None:
        if page["max_age_seconds"] is not None:
            raise _NotKnown("the page does not say when it was written, so max_age_seconds cannot be kept")
        return None
    age = round(time.time() - said.updated_at, 1)
    if age < -_AHEAD_SECONDS:
        raise _NotKnown(f"the page says that it was written in {-age:.0f} s from now: one of the clocks is wrong")
    longest = page["max_age_seconds"] or MAX_AGE_SECONDS[page["kind"]]
    if age > longest:
        raise _NotKnown(f"the page is stale: it was written {age:.0f} s ago, and {longest:.0f} s are allowed")
    return max(0.0, age)


def _status(page: dict[str, Any], said: Said, secrets: list[str]) -> str:
    word = _plain_word(said.component.status)
    status = page["words"].get(word) or _WORDS.get(word)
    if status is None:
        what = (
            f"the status of {said.component.name or 'the component'} is {text_of(said.component.status, secrets, 60)}"
        )
        raise _NotKnown(
            f"{what}, which tells nothing"
            + (": say in words what it means" if page["words"] or not said.component.id else "")
        )
    return status


def _incident(incident: Incident, secrets: list[str]) -> dict[str, Any]:
    return {
        "name": text_of(incident.name, secrets, 200),
        "status": text_of(incident.status, secrets, 60),
        "impact": text_of(incident.impact, secrets, 60),
        "url": public_url(incident.url) if incident.url else "",
        "started_at": incident.started_at,
        "updated_at": incident.updated_at,
    }
