# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fields that the inventory names, out of the documents that the observer ``api`` fetched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...module_utils.net.documents import KEYS, request_of, secrets_of
from .expressions import MISSING, CannotEvaluate, compiled, evaluated, library
from .values import TYPES, NotReadable, document_of, text_of, value_of

MOST_ITEMS = 500
_MOST_LIMITS = 5
NOTHING: dict[str, Any] = {"complete": False, "apis": {}, "unknown": [], "limits": []}
_KEYS = {*KEYS, "list", "fields", "types"}


def why_not(params: Mapping[str, Any]) -> str:
    """Why nothing can be read, before anything is fetched; nothing where it can.

    Raises:
        ValueError: an API is described in a way that cannot be used.
    """
    if library() is None:
        return MISSING
    for name, given in params["apis"].items():
        described(f"system_apis.{name}", given)
    return "" if params["apis"] else "no API to ask: name one in system_apis"


def described(place: str, given: Any) -> dict[str, Any]:
    """What is to be read of one API: ``list`` (or None), ``fields`` and ``types``, compiled."""
    request_of(place, given)
    if more := sorted(set(map(str, given)) - _KEYS if isinstance(given, Mapping) else ()):
        raise ValueError(f"{place}: unknown key {more[0]}; known are {', '.join(sorted(_KEYS))}")
    fields = given.get("fields") if isinstance(given, Mapping) else None
    types = (given.get("types") if isinstance(given, Mapping) else None) or {}
    if not isinstance(fields, Mapping) or not fields:
        raise ValueError(f"{place}.fields: must be a dict of names and JMESPath expressions")
    if not isinstance(types, Mapping):
        raise ValueError(f"{place}.types: must be a dict of fields and types")
    for field, kind in types.items():
        if field not in fields:
            raise ValueError(f"{place}.types.{field}: there is no such field")
        if kind not in TYPES:
            raise ValueError(f"{place}.types.{field}: unknown type {kind}; known are {', '.join(TYPES)}")
    expression = given.get("list")
    return {
        "list": None if expression is None else compiled(f"{place}.list", expression),
        "fields": {str(field): compiled(f"{place}.fields.{field}", one) for field, one in fields.items()},
        "types": {str(field): str(kind) for field, kind in types.items()},
    }


def finish(params: Mapping[str, Any], fetched: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of the observer.

    Args:
        params: of the observer.
        fetched: what it fetched; the documents go no further.
    """
    given = {str(name): one for name, one in params["apis"].items()}
    apis = {name: _read(f"system_apis.{name}", given[name], one) for name, one in fetched["apis"].items()}
    unknown = [name for name, one in apis.items() if not one["available"]]
    limits = [f"{name}: {text}" for name, one in apis.items() for text in (one.get("reason"), *one["limits"]) if text]
    found = {
        "available": len(unknown) < len(apis),
        "complete": all(one["complete"] for one in apis.values()),
        "apis": apis,
        "unknown": unknown,
        "limits": limits,
    }
    return found if found["available"] else {**found, "reason": limits[0], "limits": limits[1:]}


def _read(place: str, given: Any, fetched: Mapping[str, Any]) -> dict[str, Any]:
    found = {key: value for key, value in fetched.items() if key != "document"}
    found.pop("server_time_seconds", None)
    found.update(things=[], total=None, complete=False, limits=[])
    if not fetched["available"]:
        return found
    try:
        return {**found, **read(described(place, given), fetched["document"], secrets_of(given))}
    except (CannotEvaluate, NotReadable) as error:
        return {**found, "available": False, "error": "bad_json", "reason": str(error)}


def read(wanted: dict[str, Any], packed: str, secrets: list[str]) -> dict[str, Any]:
    """The fields of each thing in a document: ``things``, ``total``, ``complete`` and ``limits``.

    Args:
        wanted: of :func:`described`.
        packed: the document, as it was handed on.
        secrets: of the request.

    Raises:
        CannotEvaluate: the document is not what the expression for the list needs.
        NotReadable: it is no JSON, or has no such list.
    """
    document = document_of(packed)
    things = [document] if wanted["list"] is None else _things(wanted["list"], document)
    limits: list[str] = []
    if len(things) > MOST_ITEMS:
        limits.append(f"{len(things)} things are there, and {MOST_ITEMS} were read")
    rows = [_row(wanted, thing, secrets, number, limits) for number, thing in enumerate(things[:MOST_ITEMS], 1)]
    if len(limits) > _MOST_LIMITS:
        limits[_MOST_LIMITS:] = [f"and {len(limits) - _MOST_LIMITS} more"]
    return {"things": rows, "total": len(things), "complete": not limits, "limits": limits}


def _things(expression: Any, document: Any) -> list[Any]:
    """The list of things; the entries of an object are things with a ``key`` and a ``value``.

    Raises:
        NotReadable: there is neither.
    """
    found = evaluated(expression, document)
    if isinstance(found, Mapping):
        return [{"key": key, "value": value} for key, value in found.items()]
    if not isinstance(found, list):
        what = "nothing" if found is None else "a single value"
        raise NotReadable(f"list finds {what} in the answer, and neither a list nor an object")
    return found


def _row(wanted: dict[str, Any], thing: Any, secrets: list[str], number: int, limits: list[str]) -> dict[str, Any]:
    """The fields of one thing; what cannot be read is None and told among the limits."""
    row: dict[str, Any] = {}
    for field, expression in wanted["fields"].items():
        try:
            row[field] = value_of(evaluated(expression, thing), wanted["types"].get(field, ""), secrets)
        except (CannotEvaluate, NotReadable) as error:
            row[field] = None
            where = f" of thing {number}" if wanted["list"] is not None else ""
            limits.append(text_of(f"{field}{where}: {error}", secrets))
    return row
