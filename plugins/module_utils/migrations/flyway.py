# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Flyway. ``info`` tells every migration and its state, ``validate`` those that were changed, both in JSON."""

from __future__ import annotations

import json

from .told import NotUnderstood, excerpt, expected, row

TABLE = "flyway_schema_history"
COLUMNS = ("installed_rank", "version", "description", "type", "script", "checksum", "installed_on", "success")
# What is repeated has a row for each time, and the last one counts. installed_on has no zone.
ROWS = """SELECT DISTINCT ON (script) script, version, type, success FROM {source}
  WHERE type NOT IN ('SCHEMA', 'DELETE', 'BASELINE', 'UNDO_SQL') ORDER BY script, installed_rank DESC"""
PROGRAM = ("flyway",)
ASKS = {"info": ("info", "-outputType=json"), "validate": ("validate", "-outputType=json")}
# It ends with 1 where something is invalid, or only pending.
OUTCOMES = ("validate",)
MIGRATE = ("migrate",)
UNLOCK = None
READS_PGOPTIONS = False

# Of what is repeated, a file that was changed is pending again.
_AGAIN = ("Outdated",)
# Older than the last one that is applied; refused, unless the tool is told outOfOrder.
_IGNORED = ("Ignored",)
_PENDING = ("Pending", *_AGAIN, *_IGNORED)
_APPLIED = (
    *(
        "Success",
        "Out of Order",
        "Baseline",
        "Superseded",
        "Missing",
        "Future",
        "Failed",
        "Failed (Missing)",
        "Failed (Future)",
    ),
    *("Available", "Undone", "Above Baseline", "Above Target", "Below Baseline", "Below baseline", "Deleted"),
)
_LOST = ("Missing", "Future", "Failed (Missing)", "Failed (Future)")
_NOT_OURS = ("Available", "Undone", "Above Target", "Below Baseline", "Below baseline", "Deleted")
_CHANGED = ("CHECKSUM_MISMATCH", "TYPE_MISMATCH", "DESCRIPTION_MISMATCH")


def rows(found, _locks):
    """The migrations in the table."""
    return [row(one["script"], failed=one["success"] is False) for one in found]


def read(printed):
    """What the image has."""
    names, applied, unknown, pending, ignored, apart = [], [], [], [], [], []
    for one in _listed(printed["info"]["stdout"]):
        script, state = _script(one), str(one.get("state"))
        if state not in _PENDING + _APPLIED:
            raise NotUnderstood(f"flyway info says the state {state!r} of {script}, which is not known here")
        if state in _NOT_OURS:
            apart.append(script)
            continue
        if state in _LOST:
            unknown.append(script)
        else:
            names.append(script)
        if state in _PENDING:
            pending.append(script)
        if state in _IGNORED:
            ignored.append(script)
        if state not in _PENDING or state in _AGAIN:
            applied.append(script)
    changed = _changed(printed["validate"]["stdout"])
    return expected(
        names, applied=applied, unknown=unknown, pending=pending, out_of_order=ignored, drifted=changed, apart=apart
    )


def _listed(text):
    document = _document("info", text)
    migrations = document.get("migrations")
    if not isinstance(migrations, list) or not migrations or not all(isinstance(one, dict) for one in migrations):
        raise NotUnderstood(f"flyway info tells no migrations: {excerpt(text)}")
    return [one for one in migrations if one.get("type") != "SCHEMA" and _script(one)]


def _script(one):
    # The path of the file; the table has the name below its location.
    path = str(one.get("filepath") or "") or str(one.get("script") or "")
    return path.replace("\\", "/").rpartition("/")[2]


def _changed(text):
    document = _document("validate", text)
    invalid = document.get("invalidMigrations") or []
    if not isinstance(invalid, list) or not isinstance(document.get("validationSuccessful"), bool):
        raise NotUnderstood(f"flyway validate does not say whether it was successful: {excerpt(text)}")
    found = [
        one for one in invalid if isinstance(one, dict) and (one.get("errorDetails") or {}).get("errorCode") in _CHANGED
    ]
    return [_script(one) or str(one.get("version")) for one in found]


def _document(which, text):
    begin = text.find("{")
    try:
        document = json.loads(text[begin:]) if begin >= 0 else None
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise NotUnderstood(f"flyway {which} prints no JSON: {excerpt(text)}")
    return document
