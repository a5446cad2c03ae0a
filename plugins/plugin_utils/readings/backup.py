# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which backups are missing, too old, or not what they should be. What is not known is None.

A row has ``backup`` (its name), ``label`` (that in words), ``given`` (what the inventory says of its files, and of commands only whether there is
one: a row comes into the record, and the inventory has passwords as well), what ``backup_info`` tells of it,
``age_seconds`` (of the newest), ``most_seconds`` (how old it may be), ``is_stale`` (None where that is not known) and ``proven`` (whether it
stands as high up the ladder as it can without a restore).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from ...module_utils.backups import standing
from ...module_utils.backups.act import Refused, planned
from ...module_utils.backups.schedule import entry_of
from ...module_utils.text.one_line import one_line
from ..amounts import DAY_SECONDS, hours, size

Row = Mapping[str, Any]

# The troubles of a database for which no dump can be made.
_DOWN = ("refused", "timeout", "starting_up", "name_resolution", "no_engine", "too_many_connections", "database_limit")
_TOLD = 5
_SHOWN = ("path", "pattern", "min_ratio", "max_age_seconds")


def rows(backup: Row, system_backups: Mapping[str, Row], backup_max_age_seconds: float) -> list[dict[str, Any]]:
    """Every backup that was seen."""
    return [
        _row(name, seen, system_backups[name], len(backup["backups"]) > 1, backup_max_age_seconds)
        for name, seen in backup["backups"].items()
        if seen["available"]
    ]


def _row(name: str, seen: Row, given: Row, several: bool, most_seconds: float) -> dict[str, Any]:
    newest = seen["newest"]
    age = None if newest is None else newest["age_seconds"]
    most = float(given.get("max_age_seconds") or most_seconds)
    return {
        **seen,
        "backup": name,
        "label": one_line(name) if several else "the newest backup",
        "given": {key: given[key] for key in _SHOWN if key in given},
        "command": _called(given["command"]) if given.get("command") else "",
        "age_seconds": age,
        "most_seconds": most,
        "is_stale": standing.is_stale(seen, most),
        "proven": standing.proven(seen),
    }


# What is wrong with the newest.


def stale(rows: Sequence[Row]) -> list[Row]:
    """Those whose newest is too old, or that have none."""
    return [row for row in rows if row["is_stale"]]


def empty_files(rows: Sequence[Row]) -> list[Row]:
    """Those whose newest has nothing in it."""
    return [
        row
        for row in rows
        if row["proof"]
        and row["proof"]["failed"] == "file"
        and row["newest"]["size_bytes"] == row["proof"]["size_bytes"] == 0
    ]


def broken(rows: Sequence[Row], empty_files: Sequence[Row]) -> list[Row]:
    """Those whose newest is no whole dump, and says nothing that only a person can judge."""
    return [
        row
        for row in rows
        if row["proof"]
        and row["proof"]["failed"] in ("file", "listed", "read", "ended")
        and not row["proof"]["is_bomb"]
        and row not in empty_files
    ]


def bombs(rows: Sequence[Row]) -> list[Row]:
    """Those whose newest unpacks to more than any dump does."""
    return [row for row in rows if row["proof"] and row["proof"]["is_bomb"]]


def newer(rows: Sequence[Row]) -> list[Row]:
    """Those of a newer version than what would restore them."""
    return [row for row in rows if row["proof"] and row["proof"]["is_newer"]]


def of_another(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Those that are of another database, as far as they tell, with ``is_of`` and ``should_be``."""
    found = []
    for row in rows:
        other = standing.of_another(row)
        if other:
            found.append({**row, "is_of": other[0], "should_be": other[1]})
    return found


def without_tables(rows: Sequence[Row]) -> list[Row]:
    """Those in which tables or columns are missing that have to be there, or most of those of the database."""
    return [row for row in rows if row["proof"] and (row["proof"]["failed"] == "tables" or standing.lacks_most(row))]


def shrunk(rows: Sequence[Row]) -> list[Row]:
    """Those that are whole, and much smaller than those before, or have no row in a table that has to be there."""
    return [row for row in rows if standing.is_shrunk(row, row["given"])]


def odd_ones(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """What is no file, and newer than the newest file, with ``label``."""
    found = []
    for row in rows:
        newest = row["age_seconds"]
        found += [{**one, "label": row["label"]} for one in row["odd"] if newest is None or one["age_seconds"] < newest]
    return found


def only_stale(stale: Sequence[Row], empty_files: Sequence[Row], broken: Sequence[Row]) -> list[Row]:
    """Those of them that are nothing but too old."""
    return [row for row in stale if row not in empty_files and row not in broken]


def unread(rows: Sequence[Row]) -> list[Row]:
    """Files that could not be looked into, or not to their end."""
    return [
        row for row in rows if row["proof"] and not row["proof"]["failed"] and row["proof"]["rungs"]["tables"] is None
    ]


def wanting(stale: Sequence[Row], empty_files: Sequence[Row], broken: Sequence[Row]) -> list[Row]:
    """Those of which another one has to be made."""
    found: list[Row] = []
    for row in [*stale, *empty_files, *broken]:
        if row not in found:
            found.append(row)
    return found


# Why, as far as it can be seen.


def down(wanting: Sequence[Row]) -> list[Row]:
    """Those of them whose database cannot be dumped from, as it does not answer."""
    return [row for row in wanting if row["kind"] != "redis" and (row["database"] or {}).get("error") in _DOWN]


def full(wanting: Sequence[Row]) -> list[Row]:
    """Those of them for which there is not enough room."""
    return [
        row
        for row in wanting
        if row["free_bytes"] is not None and row["needed_bytes"] is not None and row["free_bytes"] < row["needed_bytes"]
    ]


def made_now(wanting: Sequence[Row]) -> list[Row]:
    """Those of them of which one is being made now."""
    return [row for row in wanting if row["in_progress"]]


def in_trouble(rows: Sequence[Row]) -> list[Row]:
    """Those of which the tool itself says that something is wrong."""
    return [row for row in rows if row["troubles"]]


def archiver_fails(rows: Sequence[Row]) -> list[Row]:
    """Those whose database cannot archive its log: they cannot be restored to a later moment. A standby archives nothing."""
    found: list[Row] = []
    for row in rows:
        database = row["database"] or {}
        failing = (database.get("archiver") or {}).get("failing")
        asked = database.get("archive_mode") in ("on", "always") and not database.get("in_recovery")
        if failing and asked and not any(one["database"]["name"] == database["name"] for one in found):
            found.append(row)
    return found


def quiet_hearts(rows: Sequence[Row]) -> list[Row]:
    """Those whose heartbeat is too old though the newest is not."""
    return [
        row
        for row in rows
        if row["is_stale"] is False
        and row["heartbeat"]
        and row["heartbeat"]["age_seconds"] is not None
        and row["heartbeat"]["age_seconds"] > row["most_seconds"]
    ]


def unscheduled(rows: Sequence[Row]) -> list[Row]:
    """Those that nothing starts."""
    return [row for row in rows if row["schedule"] and row["schedule"]["present"] is False]


def failed_drills(rows: Sequence[Row]) -> list[Row]:
    """Those whose newest could not be restored as a test."""
    return [row for row in rows if row["proof"] and row["proof"]["failed"] == "restored"]


def undrilled(rows: Sequence[Row], failed_drills: Sequence[Row], backup_drill_days: float) -> list[Row]:
    """Those of files that were not restored as a test for longer than is asked for."""
    if backup_drill_days <= 0:
        return []
    return [
        row
        for row in rows
        if row["kind"] == "files"
        and row["newest"]
        and row not in failed_drills
        and not (row["drill"] and row["drill"]["ok"] and row["drill"]["age_seconds"] <= backup_drill_days * DAY_SECONDS)
    ]


# What can be done.


def makeable_empty(empty_files: Sequence[Row]) -> list[dict[str, str]]:
    """What would be made for those that are empty, as targets: each a ``backup``, ``by`` what, and ``what``."""
    return _makeable(empty_files)


def makeable_broken(broken: Sequence[Row]) -> list[dict[str, str]]:
    """The same for those that are no whole dump."""
    return _makeable(broken)


def makeable_stale(only_stale: Sequence[Row]) -> list[dict[str, str]]:
    """The same for those that are too old."""
    return _makeable(only_stale)


def _makeable(wanting: Sequence[Row]) -> list[dict[str, str]]:
    return [target for target in map(_make, wanting) if target]


def _make(row: Row) -> dict[str, str] | None:
    given = row["given"]
    if row["command"]:
        return {"backup": row["backup"], "by": "command", "what": row["command"]}
    if row["kind"] != "files" or not row["database"] or not row["database"]["available"]:
        return None
    if _no_name(given):
        return None
    return {
        "backup": row["backup"],
        "by": "pg_dump",
        "what": f"{row['database']['name']} into {given['path']}/{given['pattern']}",
    }


def _called(command: Sequence[Any]) -> str:
    """A command without its arguments, which may be secret, with what tells others from them."""
    program, *arguments = map(str, command)
    if not arguments:
        return program
    mark = hashlib.sha256(json.dumps(arguments).encode()).hexdigest()[:8]
    return f"{program} with its {len(arguments)} arguments ({mark})"


def why_not_empty(empty_files: Sequence[Row]) -> str:
    """Why none is made for those that are empty."""
    return _why_not(empty_files)


def why_not_broken(broken: Sequence[Row]) -> str:
    """The same for those that are no whole dump."""
    return _why_not(broken)


def why_not_stale(only_stale: Sequence[Row]) -> str:
    """The same for those that are too old."""
    return _why_not(only_stale)


def _no_name(given: Row) -> str:
    """Why pg_dump can make none under such a name, or an empty text."""
    try:
        planned(str(given["path"]), str(given["pattern"]), 0)
    except Refused as error:
        return str(error)
    return ""


def _why_not(wanting: Sequence[Row]) -> str:
    lacking = [row for row in wanting if not _make(row)]
    names = " and ".join(one_line(row["backup"]) for row in lacking)
    whys = [_no_name(row["given"]) for row in lacking if row["kind"] == "files"]
    why = next(filter(None, whys), "") or "give it a command in system_backups, or a database that answers"
    return f"{names}: {why}"


def drillable(undrilled: Sequence[Row]) -> list[dict[str, Any]]:
    """Files that would be restored as a test, as targets."""
    return [
        {"backup": row["backup"], **{key: row["newest"][key] for key in ("name", "path", "identity")}}
        for row in undrilled
        if row["proven"]
        and row["database"]
        and row["database"]["available"]
        and row["database"].get("may_create_databases")
    ]


def entries(unscheduled: Sequence[Row], system_backups: Mapping[str, Row]) -> list[dict[str, str]]:
    """Entries of cron that would be written, as targets."""
    found = []
    for row in unscheduled:
        schedule = system_backups[row["backup"]]["schedule"]
        # What is in a container is not written from here.
        if (
            schedule.get("cron_file")
            and len(str(schedule.get("at", "")).split()) == 5
            and not schedule.get("container")
        ):
            found.append(
                {
                    "backup": row["backup"],
                    "cron_file": schedule["cron_file"],
                    "line": f"{schedule['at']} {schedule.get('user') or 'root'} {entry_of(schedule)}",
                }
            )
    return found


# In words.


def _figure(row: Row) -> str:
    newest = row["newest"]
    if newest is None:
        return f"{one_line(row['backup'])}: none is there"
    age = "of unknown age" if row["age_seconds"] is None else f"{hours(row['age_seconds'])} old"
    usual = f", {row['size_ratio']:.0%} of the usual size" if row["size_ratio"] is not None else ""
    proof = ""
    if row["proof"]:
        proof = f", proven: {row['proof']['reached'] or 'nothing'}"
        if row["proof"]["row_count"]:
            proof += f", {row['proof']['row_count']} rows in {row['proof']['table_count']} tables"
    bytes_told = f", {size(newest['size_bytes'])}" if newest["size_bytes"] is not None else ""
    return f"{one_line(newest['name'], 80)} is {age}{bytes_told}{usual}{proof}"


def figures(rows: Sequence[Row]) -> str:
    """The newest of each, with its age, its size, and how far it is proven."""
    return "; ".join(_figure(row) for row in rows[:_TOLD]) or "no backup is seen"


def stale_in_words(only_stale: Sequence[Row]) -> str:
    """Those with what else tells why."""
    return "; ".join(_stale(row) for row in only_stale[:_TOLD])


def _stale(row: Row) -> str:
    if row["newest"] is None:
        place = f" in {one_line(row['given']['path'])}" if row["given"].get("path") else ""
        said = f"{row['label']}: there is none{place}"
    else:
        said = f"{row['label']} ({one_line(row['newest']['name'], 80)}) is {hours(row['age_seconds'])} old, and may be {hours(row['most_seconds'])}"
    if row["run"] and not row["run"].get("ok"):
        said += f"; the last one that was made from here failed: {one_line((row['run'].get('stderr') or ['no word'])[-1], 200)}"
    elif row["log_errors"]:
        said += f"; its log: {row['log_errors'][0]}"
    beat = row["heartbeat"]
    if beat and beat["age_seconds"] is not None and beat["age_seconds"] <= row["most_seconds"]:
        said += f", though its heartbeat is {hours(beat['age_seconds'])} old"
    return said


def broken_whys(broken: Sequence[Row]) -> str:
    """Those that are no whole dump, with what is wrong with them."""
    return _whys(broken)


def without_tables_whys(without_tables: Sequence[Row]) -> str:
    """Those without their tables, with what is missing."""
    return "; ".join(
        f"{one_line(row['newest']['name'], 80)}: {row['proof']['why'] or standing.lacking_in_words(row)}"
        for row in without_tables[:_TOLD]
    )


def newer_whys(newer: Sequence[Row]) -> str:
    """Those of a newer version, with which."""
    return _whys(newer)


def bombs_whys(bombs: Sequence[Row]) -> str:
    """Those that unpack to more than any dump does."""
    return _whys(bombs)


def failed_drills_whys(failed_drills: Sequence[Row]) -> str:
    """Those that could not be restored as a test, with the reason."""
    return _whys(failed_drills)


def unscheduled_in_words(unscheduled: Sequence[Row]) -> str:
    """Those that nothing starts, with where was looked."""
    return "; ".join(f"Nothing starts {row['label']}: {row['schedule']['why']}" for row in unscheduled[:_TOLD])


def _whys(those: Sequence[Row]) -> str:
    return "; ".join(f"{one_line(row['newest']['name'], 80)}: {row['proof']['why']}" for row in those[:_TOLD])


def log_or_nothing(wanting: Sequence[Row]) -> str:
    """What their logs say."""
    lines = [line for row in wanting for line in row["log_errors"] or ()]
    return f"its log: {' | '.join(lines)}" if lines else "no error is seen in a log"


# What has to be seen.


def unproven(rows: Sequence[Row]) -> list[str]:
    """Why those are not proven that should be, a line each; empty where all are."""
    return [
        f"{row['label']}: {row['proof']['why'] if row['proof'] else 'there is none'}"
        for row in rows
        if row["proven"] is not True
    ]


def never_restored(rows: Sequence[Row]) -> list[str]:
    """Those whose newest file was never restored as a test."""
    return [
        row["backup"]
        for row in rows
        if row["kind"] == "files" and not (row["proof"] and row["proof"]["rungs"]["restored"])
    ]


def unseen_schedules(rows: Sequence[Row]) -> list[str]:
    """Those of which it is not seen that something starts them."""
    return [row["backup"] for row in rows if row["schedule"] and row["schedule"]["present"] is not True]


def unseen_hearts(rows: Sequence[Row]) -> list[str]:
    """Those whose heartbeat is not seen, or too old."""
    return [
        row["backup"]
        for row in rows
        if row["heartbeat"]
        and (row["heartbeat"]["age_seconds"] is None or row["heartbeat"]["age_seconds"] > row["most_seconds"])
    ]
