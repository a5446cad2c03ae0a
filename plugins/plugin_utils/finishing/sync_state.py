# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How connectors get on, out of the documents that the observer ``sync_state`` fetched, by the expressions of the inventory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from ...module_utils.connectors.answer import told
from ...module_utils.connectors.error_classes import table_of
from ...module_utils.connectors.spec import described
from ...module_utils.net.documents import KEYS, secrets_of
from ...module_utils.queues.answer import NAME_CHARACTERS, errors
from ...module_utils.text.masking import masked
from .api import described as described_api
from .api import read
from .expressions import MISSING, CannotEvaluate, library
from .values import NotReadable

NOTHING: dict[str, Any] = {"complete": False, "sources": {}, "unknown": [], "limits": []}
_MOST_ERRORS = 10
_OF_DEAD_LETTERS = ("connector", "error")


def why_not(params: Mapping[str, Any]) -> str:
    """Why nothing can be read, before anything is asked; nothing where it can.

    Raises:
        ValueError: a connector is described in a way that cannot be used.
    """
    entries = {name: described(str(name), one, params) for name, one in params["connectors"].items()}
    table_of(params["error_classes"])
    is_there = library() is not None
    for entry in entries.values() if is_there else ():
        if entry["source"] == "api":
            _wanted(entry)
        if entry["dead_letters"]:
            _dead_letters_wanted(entry)
    if not entries:
        return "no connector to look at: name them in system_connectors"
    return "" if is_there or any(entry["source"] != "api" for entry in entries.values()) else MISSING


def _wanted(entry: Mapping[str, Any]) -> dict[str, Any]:
    given = {key: entry[key] for key in (*KEYS, "list", "fields") if entry.get(key) is not None}
    return described_api(entry["place"], given)


def _dead_letters_wanted(entry: Mapping[str, Any]) -> dict[str, Any]:
    place = f"{entry['place']}.dead_letters"
    wanted = described_api(place, entry["dead_letters"])
    if more := sorted(set(wanted["fields"]) - set(_OF_DEAD_LETTERS)):
        raise ValueError(
            f"{place}.fields.{more[0]}: there is no such thing to tell; known are {', '.join(_OF_DEAD_LETTERS)}"
        )
    return wanted


def finish(params: Mapping[str, Any], fetched: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of the observer.

    Args:
        params: of the observer.
        fetched: what it fetched; the documents go no further.
    """
    table = table_of(params["error_classes"])
    sources = {}
    for name, one in fetched["sources"].items():
        entry = described(name, params["connectors"][name], params)
        sources[name] = _with_dead_letters(entry, _finished(entry, one, table))
    unknown = [name for name, one in sources.items() if not one["available"]]
    limits = [f"{name}: {text}" for name, one in sources.items() for text in _limits_of(one)]
    found = {
        "available": len(unknown) < len(sources),
        "complete": not limits,
        "sources": sources,
        "unknown": unknown,
        "limits": limits,
    }
    return found if found["available"] else {**found, "reason": limits[0], "limits": limits[1:]}


def _limits_of(source: Mapping[str, Any]) -> list[str]:
    beside = {"dead letters": source.get("dead_letters", {}), "log": source.get("log", {})}
    beside.update((f"test {name}", one) for name, one in source.get("tests", {}).items())
    lost = [f"{what}: {one['reason']}" for what, one in beside.items() if one.get("available") is False]
    return [*filter(None, [source.get("reason")]), *source["limits"], *lost]


def _finished(entry: Mapping[str, Any], fetched: Mapping[str, Any], table: Any) -> dict[str, Any]:
    """One source, with what its API says where it is one."""
    found = {"connectors": [], "clock_ahead_seconds": None, "complete": False, "limits": [], **fetched}
    looks = found.pop("looks", None)
    if not fetched["available"] or looks is None:
        return found
    try:
        if library() is None:
            raise NotReadable(MISSING)
        wanted, secrets = _wanted(entry), secrets_of(entry)
        read_looks = [{**look, **_rows(read(wanted, look["document"], secrets))} for look in looks]
    except (CannotEvaluate, NotReadable) as error:
        return {**found, "available": False, "error": "bad_json", "reason": f"{entry['place']}: {error}"}
    return {**found, **told(entry, read_looks, table, looks[-1]["own_now_seconds"])}


def _rows(answer: Mapping[str, Any]) -> dict[str, Any]:
    return {"rows": answer["things"], "limits": answer["limits"]}


def _with_dead_letters(entry: Mapping[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """A source with its dead letters counted, for each connector and by what is wrong with them."""
    fetched = found.pop("dead_letters_fetched", None)
    if fetched is None:
        return found
    problem = fetched.get("reason", "")
    if not problem:
        try:
            if library() is None:
                raise NotReadable(MISSING)
            answer = read(_dead_letters_wanted(entry), fetched["document"], secrets_of(entry["dead_letters"]))
        except (CannotEvaluate, NotReadable) as error:
            problem = str(error)
    if problem:
        # What is not there is not known, and no connector has none.
        return {**found, "dead_letters": {"available": False, "reason": problem}}
    counts = Counter(masked(str(row.get("connector")), NAME_CHARACTERS) for row in answer["things"])
    pairs = [(row.get("error"), row.get("connector")) for row in answer["things"]]
    # Of what is set aside every record is somebody's: one that is nobody's may be anybody's.
    unassigned = 0 if entry["only"] else answer["total"] - sum(counts[one["name"]] for one in found["connectors"])
    for connector in found["connectors"]:
        count = counts[connector["name"]]
        if count or not unassigned:
            connector.setdefault("dead_letters", count)
    letters = {"available": True, "total": answer["total"], "errors": errors(pairs, _MOST_ERRORS)}
    return {**found, "dead_letters": {**letters, "unassigned": unassigned}}
