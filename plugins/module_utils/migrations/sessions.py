# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who migrates, or holds a migration up, as a database shows it. Pure."""

from __future__ import annotations

import re

from ..postgres.client import APPLICATION_NAME
from ..text.masking import masked

# The advisory lock of this project's own, by two numbers: "onca", "migr".
LOCK = (0x6F6E6361, 0x6D696772)
_VERB = re.compile(
    r"(?:/\*[^*]*\*/\s*)*((?:create|alter|drop|reindex|truncate|comment|grant|revoke)(?:\s+(?:unique|materialized|index|table|view"
    r"|type|function|sequence|schema|column|extension|trigger|constraint|database|concurrently|or|replace|on))*)",
    re.IGNORECASE,
)


def state(document, tool, schema, table):
    """What else goes on in a database, in the words of an answer.

    Args:
        document: what :data:`statements.STATE` gives.
        tool: the module of the tool.
        schema: of its table.
        table: its name.
    """
    keys = _keys(tool, document["database"], schema, table)
    working, known = [], set()
    for one in document["advisory"]:
        what = next((words for key, words in keys if key == (one["class"], one["object"], one["sub"])), "")
        # One that waits for it is about to migrate.
        if what and one["pid"] not in known:
            known.add(one["pid"])
            working.append(dict(_session(one), does=what, waits=not one["granted"]))
    for one in document["working"]:
        does = _does(one, table)
        if does and one["pid"] not in known and one["application_name"] != APPLICATION_NAME:
            working.append(dict(_session(one), does=does, waits=one["waits"]))
    lag = document["replay_lag_seconds"]
    return {
        "in_recovery": document["in_recovery"],
        "replay_lag_seconds": None if lag is None else round(max(0.0, lag), 1),
        "working": working,
        "busy": [_session(one) for one in document["busy"]],
        "long_transactions": [
            *(dict(_session(one), state=masked(one["state"], 60)) for one in document["long"]),
            *(
                {"pid": None, "user": masked(one["user"], 60), "application_name": masked(one["gid"], 60), "client": "prepared",
                 "seconds": round(one["seconds"], 1), "state": "prepared transaction"}
                for one in document["prepared"]
            ),
        ],
        "invalid_indexes": [{"name": one["name"], "table": one["table"]} for one in document["invalid"]],
    }  # fmt: skip


def limits(document):
    """What could not be seen, a line each."""
    if not document["hidden"]:
        return []
    return [
        f"{document['hidden']} sessions of others are hidden, so that who migrates and what holds a migration up is not known for certain: "
        "grant pg_monitor to the role that asks"
    ]


def _session(one):
    return {
        "pid": one["pid"],
        "user": masked(one["user"] or "", 60),
        "application_name": masked(one["application_name"] or "", 60),
        "client": one["client"] or "",
        "seconds": None if one["seconds"] is None else round(max(0.0, one["seconds"]), 1),
    }


def _does(one, table):
    if one["writes_table"]:
        return f"writes to {table}"
    verb = _VERB.match(one["query"] or "")
    if one["builds_index"] or (one["locks_table"] and verb):
        return " ".join(verb.group(1).upper().split()) if verb else "builds an index"
    return ""


def _keys(tool, database, schema, table):
    keys = [((*LOCK, 2), "holds the lock under which oncall.runbooks migrates")]
    if hasattr(tool, "advisory_key"):
        number = tool.advisory_key(database, schema, table) & 0xFFFFFFFFFFFFFFFF
        keys.append(((number >> 32, number & 0xFFFFFFFF, 1), "holds the lock of its tool"))
    return keys
