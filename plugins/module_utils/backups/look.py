# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at the backups of an inventory, all of them at the same time."""

from __future__ import annotations

import os
import statistics
import time
from pathlib import Path

from ..deadline import Deadline, all_within
from ..queues.in_database import Database
from ..queues.statement import wrapped
from ..schedules.answer import NoMoment, age
from ..text.log_lines import group_error_lines
from ..text.one_line import one_line
from ..told import failed, summary
from . import schedule as schedules
from . import tools
from .belongings import chosen
from .facts import facts
from .files import free_bytes, growing, in_folders, listed, opened
from .proof import WRITTEN_MEANWHILE, judged, verify
from .record import read as read_record
from .spec import described, pg_restore_of

# The files that the newest is compared with, and fewer than these tell nothing.
COMPARED = 7
FEWEST = 2
MOST_GROWING = 5
# A clock this far ahead is no rounding.
FUTURE_SECONDS = 300
# An archive tells the time of the clock on the wall where it was made, which may be this far from UTC.
ZONE_SECONDS = 14 * 3600
# A restore takes the time of the last one, in proportion to the size of the file; never told as less than this.
LEAST_SECONDS = 1
LOG_BYTES = 64 * 1024
TOLD_TABLES = 50
_BEAT = "SELECT json_build_object('now', extract(epoch FROM clock_timestamp()), 'at', (SELECT json_agg(t) FROM (SELECT * FROM rows LIMIT 1) t))::text"


def observe(params):
    """Observe backups.

    Args:
        params: as in :data:`observers.backup.SPEC`.

    Returns:
        A dict ``available`` (whether at least one backup could be looked at), ``reason`` where none could, and ``backups``: for every name
        what is documented in the module ``backup_info``.

    Raises:
        ValueError: the backups are not described in a way that can be used.
    """
    if min(params["timeout_seconds"], params["read_seconds"]) <= 0:
        raise ValueError("timeout_seconds and read_seconds must be above 0")
    if params["file"] and len(params["backups"]) != 1:
        raise ValueError("file is that of one backup, so backups must have exactly one")
    backups = {name: described(name, one, params) for name, one in params["backups"].items()}
    calls = [lambda name=name, one=one: _observed(name, one, params) for name, one in backups.items()]
    # Each keeps the deadlines itself; this is for what slips past them, such as a folder on a server that is gone.
    outcomes = all_within(params["timeout_seconds"] + params["read_seconds"] + 1.0, calls)
    found = {}
    for name, outcome in zip(backups, outcomes):
        answer = failed(outcome, f"backup {one_line(name)}") if isinstance(outcome, Exception) else outcome
        found[name] = dict(answer, kind=backups[name]["kind"])
    return summary("backup", found)


def _observed(name, backup, params):
    deadline = Deadline(params["timeout_seconds"])
    record, why = read_record(params["state_directory"], name)
    limits = [why] if why else []
    seconds = params["timeout_seconds"]
    beside = {
        "database": lambda: facts(backup["reach"], seconds) if backup["reach"] else None,
        "schedule": lambda: schedules.look(backup["schedule"], seconds) if backup["schedule"] else None,
        "heartbeat": lambda: _heartbeat(backup, seconds) if backup["heartbeat"] else None,
        "log_errors": lambda: _log_errors(backup["log"]) if backup["log"] else None,
    }
    outcomes = dict(zip(beside, all_within(seconds, list(beside.values()))))
    told = {key: _or_none(outcome, key, limits) for key, outcome in outcomes.items()}
    look = {"files": _files, "pgbackrest": _pgbackrest, "wal_g": _wal_g, "redis": _redis}[backup["kind"]]
    try:
        found = look(backup, told["database"] or {}, record, params, deadline, limits)
    except (tools.NotTold, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        place = f" {one_line(backup['path'])}" if backup["path"] else ""
        return {"available": False, "reason": f"backup {one_line(name)}{place}: {one_line(reason)}", "error": "other"}
    except Exception as error:
        return failed(error, f"backup {one_line(name)}")
    return answered(found, told, record, limits)


def answered(found, told, record, limits):
    """All that is told of one backup. Pure, but for the time of day.

    Args:
        found: what its kind tells.
        told: ``database``, ``schedule``, ``heartbeat`` and ``log_errors``, each None where nothing is described.
        record: of :func:`record.read`.
        limits: what was not seen, a line each.
    """
    database = told["database"]
    if database and not database["available"]:
        limits = [*limits, f"its database is not seen: {database['reason']}"]
    run = record.get("run")
    return dict(
        {**_NOTHING, **found},
        **dict(told, database=_shown(database)),
        run=dict(run, age_seconds=round(time.time() - run.get("at_seconds", 0), 1)) if isinstance(run, dict) else None,
        drill=_drill(record.get("drill"), found.get("newest")),
        available=True,
        error="",
        complete=not limits,
        limits=limits,
    )


_NOTHING = {
    "newest": None,
    "previous": [],
    "median_bytes": None,
    "size_ratio": None,
    "in_progress": None,
    "odd": [],
    "troubles": [],
    "free_bytes": None,
    "needed_bytes": None,
    "proof": None,
    "lost": None,
    "lost_tables": None,
    "owner": None,
}


def _or_none(outcome, key, limits):
    if not isinstance(outcome, Exception):
        return outcome
    told = failed(outcome, key)
    if key == "database":
        return dict(told, is_there=None)
    limits.append(f"{key} is not seen: {told['reason']}")
    return None


def _shown(database):
    """What is told of the database: of its tables only how many."""
    if not database:
        return None
    return dict(
        {key: value for key, value in database.items() if key != "tables"},
        table_count=len(database.get("tables") or {}),
    )


# Files.


def _files(backup, database, record, params, _deadline, limits):
    files, odd = listed(backup["path"], backup["pattern"], params["file"])
    if params["file"]:
        files = [one for one in files if Path(one["path"]).name == params["file"]]
        if not files:
            there = f"under a name that fits {one_line(backup['pattern'])}"
            limits.append(f"{one_line(params['file'])} is not there {there}")
    if not files and not params["file"]:
        folders = in_folders(backup["path"], backup["pattern"])
        names = {one["name"] for one in folders}
        odd = [*folders, *(one for one in odd if one["name"] not in names)]
    files, written, proof, tables = _settled(files, backup, database, record, params)
    found = {
        "odd": [dict(one, age_seconds=_age(one.pop("modified_seconds"))) for one in odd],
        "free_bytes": free_bytes(backup["path"]),
        "in_progress": _told(written) if written else None,
        "proof": proof,
        **_sizes(files, database),
    }
    if not files:
        return found
    owner, by = chosen(proof.pop("belongings", None), record.get("database"), backup["owner"])
    found["owner"] = {"name": owner["owner"], "by": by} if by else None
    newest = _told(files[0])
    newest["age_seconds"] = _true_age(newest["age_seconds"], proof["created_seconds"])
    if newest["age_seconds"] < -FUTURE_SECONDS:
        limits.append(f"{newest['name']} is from the future by the clock of this host: its age is not known")
        newest["age_seconds"] = None
    if tables is not None and database.get("tables"):
        found["lost"] = _lost(database["tables"], tables)
        # Where the inventory names those that have to be there, the others may be left out on purpose.
        if not backup["expected"]:
            found["lost_tables"] = sum(name not in tables for name in database["tables"])
    return dict(found, newest=newest)


def _settled(files, backup, database, record, params):
    """The files without those at the front that are being written, the newest of these, and the proof and the tables of the first one left."""
    written = None
    for _number in range(MOST_GROWING):
        if not files:
            break
        if not growing(files[0]):
            proof, tables = _proof(files[0], backup, database, record, params)
            if proof["why"] != WRITTEN_MEANWHILE:
                return files, written, proof, tables
        written, files = written or files[0], files[1:]
    return [], written, None, None


def _sizes(files, database):
    """How large the first file is against those before it, and how large the next will be."""
    before = files[1 : COMPARED + 1]
    sizes = [one["size_bytes"] for one in before if one["size_bytes"]]
    median = statistics.median(sizes) if len(sizes) >= FEWEST else None
    usual = median or (files[0]["size_bytes"] if files else 0) or database.get("size_bytes")
    return {
        "previous": [_told(one) for one in before],
        "median_bytes": median,
        "size_ratio": round(files[0]["size_bytes"] / median, 4) if median else None,
        # A fifth more than the usual one: data grows.
        "needed_bytes": int(usual * 1.2) if usual else None,
    }


def _told(file):
    return {
        "name": file["name"],
        "path": file["path"],
        "identity": file["identity"],
        "size_bytes": file["size_bytes"],
        "age_seconds": _age(file["modified_seconds"]),
    }


def _age(at_seconds):
    return round(time.time() - at_seconds, 1)


def _true_age(age_seconds, created_seconds):
    """A copy is as old as what it is a copy of, and its file is not."""
    if created_seconds is None:
        return age_seconds
    return max(age_seconds, _age(created_seconds) - ZONE_SECONDS)


def _proof(file, backup, database, record, params):
    """How far up the ladder a file stands, and its tables where they are known.

    What was read to its end before is not read again while the file is the same.
    """
    kept = record["proofs"].get(file["identity"])
    if _is_whole(kept):
        # Who puts something else in its place keeps no identity; what is no file any more does not count.
        with opened(file["path"]):
            found = judged(kept["tables"], backup["expected"])
        proof = dict(kept, **found)
        proof["rungs"] = dict(proof["rungs"], tables=not found["why"])
        proof["failed"] = "tables" if found["why"] else ""
        proof["reached"] = "ended" if found["why"] else "tables"
    else:
        deadline = Deadline(params["read_seconds"])
        version = database.get("server_version")
        proof = verify(file["path"], backup["expected"], pg_restore_of(backup), version, deadline)
    drill = record.get("drill")
    if isinstance(drill, dict) and drill.get("identity") == file["identity"] and proof["rungs"]["tables"]:
        proof["rungs"] = dict(proof["rungs"], restored=drill.get("ok") is True)
        if drill.get("ok") is True:
            proof["reached"] = "restored"
        else:
            proof.update(failed="restored", why=one_line(drill.get("why") or "a test restore did not end well"))
    tables = proof.pop("tables")
    shown = {name: one["rows"] for name, one in (tables or {}).items() if name in backup["expected"]}
    proof["rows"] = dict(sorted(shown.items())[:TOLD_TABLES])
    proof["table_count"] = None if tables is None else len(tables)
    proof["row_count"] = None if tables is None else sum(one["rows"] or 0 for one in tables.values())
    return proof, tables


def _is_whole(kept):
    """Whether what was kept of a proof tells all that is asked now."""
    if not isinstance(kept, dict) or not kept.get("rungs", {}).get("ended") or not isinstance(kept.get("tables"), dict):
        return False
    return all("has_data" in one for one in kept["tables"].values())


def _lost(live, tables):
    """Tables, with or without their rows, and columns that the database has and the backup has not: a restore would lose them."""
    lost = sorted(name for name in live if name not in tables or tables[name]["has_data"] is False)
    for name, columns in sorted(live.items()):
        kept = tables.get(name, {}).get("columns")
        if kept is not None:
            lost += [f"{name}.{column}" for column in columns if column not in kept]
    return lost[:TOLD_TABLES]


def _drill(drill, newest):
    """The last test restore, and how long one of the newest file would take by it."""
    if not isinstance(drill, dict):
        return None
    found = dict(drill, age_seconds=_age(drill.get("at_seconds", 0)), expected_seconds=None)
    if drill.get("ok") and drill.get("size_bytes") and drill.get("seconds") is not None:
        size = (newest or {}).get("size_bytes") or drill["size_bytes"]
        found["expected_seconds"] = round(max(LEAST_SECONDS, drill["seconds"] * size / drill["size_bytes"]), 1)
    return found


# Tools, and Redis.


def _of_tool(told, limits):
    found = {"troubles": told["troubles"]}
    backups = [
        dict(
            {key: value for key, value in one.items() if key != "stopped_seconds"},
            age_seconds=_age(one["stopped_seconds"]),
        )
        for one in told["backups"]
    ]
    found["in_progress"] = {"name": "a backup"} if told["in_progress"] else None
    if backups:
        found["newest"], found["previous"] = backups[0], backups[1 : COMPARED + 1]
        if backups[0]["failed"]:
            found["troubles"] = [*told["troubles"], f"{backups[0]['name']} has pages with wrong checksums"]
        # A differential backup is smaller than a full one for a good reason.
        alike = [one["size_bytes"] for one in backups[1:] if one["type"] == backups[0]["type"] and one["size_bytes"]]
        if len(alike) >= FEWEST and backups[0]["size_bytes"]:
            found["median_bytes"] = statistics.median(alike[:COMPARED])
            found["size_ratio"] = round(backups[0]["size_bytes"] / found["median_bytes"], 4)
        if backups[0]["age_seconds"] < -FUTURE_SECONDS:
            limits.append(f"{backups[0]['name']} is from the future by the clock of this host: its age is not known")
            found["newest"] = dict(backups[0], age_seconds=None)
    return found


def _pgbackrest(backup, _database, _record, _params, deadline, limits):
    document = tools.told_by(backup["info"], deadline.remaining_seconds())
    return _of_tool(tools.pgbackrest(document, backup["stanza"]), limits)


def _wal_g(backup, _database, _record, _params, deadline, limits):
    found = _of_tool(tools.wal_g(tools.told_by(backup["info"], deadline.remaining_seconds())), limits)
    if not backup["verify"]:
        return found
    try:
        troubles, is_well = tools.wal_verified(tools.told_by(backup["verify"], deadline.remaining_seconds()))
    except tools.NotTold as error:
        limits.append(f"whether the write-ahead log is whole is not known: {error}")
        return found
    if is_well is None:
        limits.append("whether the write-ahead log is whole is not known yet: segments are still being uploaded")
    return dict(found, troubles=[*found["troubles"], *troubles])


def _redis(backup, _database, _record, _params, deadline, limits):
    from .snapshot import look as look_at_snapshot

    told = look_at_snapshot(backup["redis"], deadline)
    newest = None
    if not told["is_saved"]:
        limits.append(
            "it has saved no snapshot since it was started: how old the one on its disk is, or whether there is one, is not known"
        )
        newest = {"name": "the last snapshot", "age_seconds": None, "size_bytes": None}
    elif told["age_seconds"] is not None:
        newest = {"name": "the last snapshot", "age_seconds": told["age_seconds"], "size_bytes": None}
    in_progress = {"name": "a snapshot"} if told["in_progress"] else None
    return {"newest": newest, "troubles": told["troubles"], "in_progress": in_progress}


# What tells of a backup besides itself.


def _heartbeat(backup, timeout_seconds):
    """When the last sign of success came: ``age_seconds``, or None and ``why``."""
    found = _beat(backup, timeout_seconds)
    if found["age_seconds"] is not None and found["age_seconds"] < -FUTURE_SECONDS:
        return {"age_seconds": None, "why": "its time is in the future by the clock that it is compared with"}
    return found


def _beat(backup, timeout_seconds):
    beat = backup["heartbeat"]
    if beat["file"]:
        try:
            with opened(beat["file"]) as (_descriptor, status):
                return {"age_seconds": _age(status.st_mtime), "why": ""}
        except Exception as error:
            return {"age_seconds": None, "why": one_line(error)}
    if not beat["statement"] or not backup["reach"]:
        return {"age_seconds": None, "why": "heartbeat has neither a file nor a statement with a database"}
    deadline = Deadline(timeout_seconds)
    try:
        with Database(backup["reach"], deadline).session(timeout_seconds) as client:
            told = client.query(wrapped(beat["statement"], (), _BEAT), {})
        row = (told["at"] or [{}])[0]
        at = next(iter(row.values()), None)
        if at is None:
            return {"age_seconds": None, "why": "the statement of the heartbeat gives no time"}
        return {"age_seconds": round(age(at, told["now"]), 1), "why": ""}
    except NoMoment as error:
        return {"age_seconds": None, "why": f"what the statement of the heartbeat gives {error}"}
    except Exception as error:
        return {"age_seconds": None, "why": failed(error, "heartbeat")["reason"]}


def _log_errors(path):
    """The errors at the end of the log that a scheduled backup writes, each as its last line."""
    with opened(path) as (descriptor, status):
        text = os.pread(descriptor, LOG_BYTES, max(0, status.st_size - LOG_BYTES)).decode("utf-8", "replace")
    return [one["last"] for one in group_error_lines(text, 200)][:5]
