# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connectors of Kafka Connect, by its REST API: one that runs may have tasks that failed."""

from __future__ import annotations

import json

from ..net.documents import KEYS, fetched, request_of, secrets_of, unpacked
from ..text.masking import masked
from .failures import SourceError

OPTIONS = {
    "url": {"type": "str", "required": True},
    "auth": {"type": "dict", "no_log": True},
    "headers": {"type": "dict", "no_log": True},
}
# Nothing of what it tells moves.
LOOKS = 1
_STATUS = "/connectors?expand=status"
_STATES = {
    "RUNNING": "ok",
    "PAUSED": "paused",
    "STOPPED": "paused",
    "FAILED": "failed",
    "UNASSIGNED": "retrying",
    "RESTARTING": "retrying",
}
_TRACE_CHARACTERS = 4000


def check(place, entry):
    """Raises ValueError where it cannot be asked."""
    request_of(place, _request(entry))


def _request(entry):
    return {key: entry[key] for key in KEYS if entry.get(key) is not None}


def look(entry, seconds, deadline):
    """One look, as :func:`table.look`.

    Raises:
        SourceError: it gave no answer that can be used.
    """
    request = dict(_request(entry), url=entry["url"].rstrip("/") + _STATUS)
    (answer,) = fetched(
        [(request_of(entry["place"], request), secrets_of(request))], min(seconds, deadline.remaining_seconds())
    )
    if not answer["available"]:
        raise SourceError(answer["error"], answer["reason"])
    try:
        document = json.loads(unpacked(answer["document"]))
    except (ValueError, RecursionError):
        raise SourceError("bad_json", f"{masked(entry['url'])} answers with what is no JSON") from None
    return {"now_seconds": answer.get("server_time_seconds"), **rows_of(document)}


def rows_of(document):
    """The connectors of an answer, and what could not be read. Pure.

    Raises:
        SourceError: it is another document.
    """
    if not isinstance(document, dict):
        raise SourceError(
            "protocol", "the answer is no object of connectors; is it Kafka Connect, version 2.3 or later?"
        )
    rows, limits = [], []
    for name, one in document.items():
        try:
            row = _row(name, one["status"])
            rows.append(row)
            if row["status"] == "ok" and not row["tasks"]:
                limits.append(f"{masked(name, 120)}: it has no task, so it moves nothing")
        except (KeyError, TypeError, AttributeError):
            rows.append({"name": name})
            limits.append(f"{masked(name, 120)}: its status has another shape than that of Kafka Connect")
    return {"rows": rows, "limits": limits}


def _row(name, status):
    connector, tasks = status["connector"], status["tasks"]
    states = [str(task["state"]).upper() for task in tasks]
    failed = [task for task, its in zip(tasks, states) if its == "FAILED"]
    trace = connector.get("trace") or next((task.get("trace") for task in failed if task.get("trace")), None)
    state = _STATES.get(str(connector["state"]).upper(), connector["state"])
    # As little as a connector that runs, and tasks that do not.
    others = [_STATES.get(its, its) for its in states if its not in ("RUNNING", "FAILED")]
    row = {
        "name": name,
        "status": "failed" if failed else others[0] if others and state == "ok" else state,
        "tasks": len(tasks),
        "failed_tasks": [task["id"] for task in failed if isinstance(task["id"], int)],
    }
    if trace:
        row["last_error"] = told_of(trace)
    return row


def told_of(trace):
    """What a trace says of its reason: its first line, and what caused it."""
    lines = [line.strip() for line in str(trace)[:_TRACE_CHARACTERS].splitlines() if line.strip()]
    causes = [line for line in lines if line.startswith("Caused by:")]
    return " ".join([causes[-1], lines[0]] if causes else lines[:1])
