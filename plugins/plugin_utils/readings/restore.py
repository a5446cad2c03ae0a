# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What would be restored, what stands against it, and what earlier restores have left. What is not known is None."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...module_utils.text.one_line import one_line
from ..amounts import hours, size
from ..looping import WORKING
from ..verbs import SERVICE, missing_for

Row = Mapping[str, Any]

_HALF_MADE = ("new", "drill")
_TOLD = 8
_MANAGERS = str(Path(__file__).parents[3] / "roles" / "service" / "managers")


def chosen(backup: Row, restore_backup: str) -> Row:
    """What was seen of the backup."""
    seen: Row = backup["backups"][restore_backup]
    return seen


# What earlier restores have left.


def restores(target: Row) -> list[Row]:
    """The databases that restores of this one have made, the latest first."""
    found = [one for one in target["restores"] if one["of"] == target.get("name")]
    return sorted(found, key=lambda one: float(one["began_seconds"] or 0), reverse=True)


def under_way(restores: Sequence[Row]) -> list[Row]:
    """Those that somebody writes to now."""
    return [one for one in restores if one["is"] in _HALF_MADE and one["sessions"]]


def left_over(restores: Sequence[Row]) -> list[Row]:
    """Those that nobody uses, and that no run has put to use: one that was cut off left them."""
    return [one for one in restores if one["is"] in _HALF_MADE and not one["sessions"]]


def kept(restores: Sequence[Row]) -> list[Row]:
    """Those that are kept for a way back."""
    return [one for one in restores if one["is"] in ("old", "failed")]


def exchanged(restores: Sequence[Row]) -> list[Row]:
    """Those that tell that a restored one was put to use: they are kept, or it is the one in use where there was none before."""
    return [one for one in restores if one["is"] in ("old", "failed", "restored")]


def former(restores: Sequence[Row]) -> list[Row]:
    """The one that the last restore replaced, if it was not taken back since."""
    replaced = [one for one in restores if one["is"] in ("old", "failed")]
    return [one for one in replaced[:1] if one["is"] == "old"]


def already(chosen: Row, target: Row, restores: Sequence[Row], restore_again_seconds: float) -> list[Row]:
    """The restore of this very backup that was done a short time ago, and neither taken back nor dropped since."""
    identity = (chosen["newest"] or {}).get("identity")
    last = [one for one in restores if one["is"] in ("old", "failed", "restored")][:1]
    if not target["is_there"]:
        # What was restored is gone again.
        return []
    return [
        one
        for one in last
        if one["is"] != "failed"
        and identity
        and one["identity"] == identity
        and target["now_seconds"] - float(one["began_seconds"] or 0) < restore_again_seconds
    ]


# What stands against it.


def objection_to_proof(chosen: Row, restore_from: str) -> str:
    """Why the backup is not proven well enough, or an empty text."""
    if chosen["kind"] != "files":
        return f"what {one_line(chosen['kind'])} made is restored with that, and not from here"
    proof = chosen["proof"]
    if proof is None:
        named = restore_from.strip()
        return (
            "there is none"
            if named in ("", "newest")
            else f"{one_line(named, 80)} is not in the folder of the backup under a name that fits its pattern"
        )
    if proof["is_newer"] or not proof["rungs"]["tables"]:
        return f"{proof['why'] or 'it was not read to its end'} (proven: {proof['reached'] or 'nothing'})"
    if restore_from.strip() not in ("", "newest"):
        # Somebody chose this very file. Where a test restore failed, that may have been for want of room.
        return ""
    if chosen["newest"]["age_seconds"] is None:
        return "it is from the future by the clock of this host, so that nobody knows which is the newest; name it in restore_from"
    if proof["failed"] == "restored":
        return f"a test restore of it failed: {proof['why']}; where that was mended, name the file in restore_from"
    return ""


def another(chosen: Row, target: Row) -> str:
    """The database that the backup is of, where it is of another one, or an empty text."""
    proof = chosen["proof"] or {}
    is_of = proof.get("database")
    return one_line(is_of) if is_of and target.get("name") and is_of != target["name"] else ""


def bound(target: Row) -> list[str]:
    """What holds the database to its place, a line each."""
    slots = target.get("logical_slots") or []
    found = [f"logical replication slots: {', '.join(map(one_line, slots))}"] if slots else []
    if target.get("subscriptions"):
        found.append(f"{target['subscriptions']} subscriptions")
    if target.get("prepared"):
        found.append(f"{target['prepared']} prepared transactions")
    return found


def makes_its_own(chosen: Row) -> bool:
    """Whether the backup would make a database of its own name, and not go into the one that is made for it."""
    return bool(chosen["proof"] and chosen["proof"].get("makes_database"))


def would_lose(chosen: Row, restore_accepted: Sequence[str]) -> list[str]:
    """Tables and columns that would be lost, and that nobody has given up."""
    return [one for one in chosen["lost"] or () if one not in restore_accepted]


def is_full(chosen: Row, restore_safety_folder: str, system_backups: Mapping[str, Row], restore_backup: str) -> bool:
    """Whether there is no room for the dump for safety, as far as that is seen; it is looked at again before."""
    if restore_safety_folder != system_backups[restore_backup].get("path") or chosen["needed_bytes"] is None:
        return False
    return bool(chosen["free_bytes"] is not None and chosen["free_bytes"] < chosen["needed_bytes"])


# Services.


def unfit(services: Sequence[str], system_services: Mapping[str, Row]) -> list[str]:
    """Why services cannot be stopped and started again, a line each."""
    found = [
        missing_for(SERVICE, _MANAGERS, system_services, name, verb) for name in services for verb in ("stop", "start")
    ]
    return list(dict.fromkeys(filter(None, found)))


def stopped(service_states: Mapping[str, Row]) -> list[str]:
    """The services that do not run, as far as that is seen."""
    return [
        name
        for name, state in service_states.items()
        if state["available"] and state.get("state") not in (*WORKING, "unknown")
    ]


def running(services: Sequence[str], stopped: Sequence[str]) -> list[str]:
    """Those that run, or of which it is not seen that they do not: they are to run again if nothing comes of it."""
    return [name for name in services if name not in stopped]


def unseen_services(service_states: Mapping[str, Row], services: Sequence[str]) -> list[str]:
    """Those of which it is not seen."""
    return [name for name in services if not service_states.get(name, {}).get("available")]


# What is done.


def plan(
    chosen: Row,
    target: Row,
    left_over: Sequence[Row],
    restore_backup: str,
    services: Sequence[str],
    unfit: Sequence[str],
) -> list[dict[str, Any]]:
    """What would be touched: the file, the database, and the services."""
    if unfit or not chosen["newest"] or not (target["is_there"] or chosen["owner"]):
        return []
    newest = chosen["newest"]
    file = {key: newest[key] for key in ("name", "path", "identity")}
    # Of one that is there, it is what it is.
    whose = {} if target["is_there"] else {"owner": chosen["owner"]["name"]}
    return [
        {"backup": restore_backup, **file, **whose, "database": target["name"], "is_there": target["is_there"]},
        *({"left_over": one["name"]} for one in left_over),
        *({"service": name} for name in services),
    ]


def way_back(former: Sequence[Row], target: Row, services: Sequence[str], unfit: Sequence[str]) -> list[dict[str, Any]]:
    """The same for taking the last restore back."""
    if unfit or not former:
        return []
    return [{"former": former[0]["name"], "database": target["name"]}, *({"service": name} for name in services)]


def leavings(left_over: Sequence[Row], services: Sequence[str]) -> list[dict[str, Any]]:
    """What would be dropped, and the services that the cut-off run had come to stop."""
    had_stopped = any(one["state"] == "stopping" for one in left_over)
    return [
        *({"left_over": one["name"]} for one in left_over),
        *({"service": name} for name in services if had_stopped),
    ]


def to_start(stopped: Sequence[str]) -> list[dict[str, str]]:
    """The services that would be started."""
    return [{"service": name} for name in stopped]


# In words.


def file_in_words(chosen: Row) -> str:
    """The backup with its age, its size, its rows and how far it is proven."""
    newest, proof = chosen["newest"], chosen["proof"]
    if newest is None:
        return "no backup"
    age = "of unknown age" if newest["age_seconds"] is None else f"{hours(newest['age_seconds'])} old"
    told = f"{one_line(newest['name'], 80)} ({age}, {size(newest['size_bytes'])}"
    if proof and proof["table_count"] is not None:
        told += f", {proof['row_count']} rows in {proof['table_count']} tables"
    return f"{told}, proven: {(proof or {}).get('reached') or 'nothing'})"


def owner_in_words(chosen: Row) -> str:
    """Whose a database that is gone will be, and who says so."""
    owner = chosen["owner"]
    return f"the owner {one_line(owner['name'])}, by {owner['by']}" if owner else "no owner that anybody knows"


def time_in_words(chosen: Row) -> str:
    """How long it will take, by the last test restore."""
    drill = chosen["drill"]
    if not drill or drill.get("expected_seconds") is None:
        return "how long it takes is not known, as none was tried (backup_drill_days of the runbook backup)"
    return f"about {hours(drill['expected_seconds'])} by the last test restore, {hours(drill['age_seconds'])} ago"


def names_of(left_over: Sequence[Row]) -> str:
    """What was left, with what it was to become."""
    return ", ".join(
        f"{one['name']} (from {one['file'] or 'a backup'}, {one['state'] or 'made'})" for one in left_over[:_TOLD]
    )


def _kept_in_words(kept: Sequence[Row]) -> str:
    """What is kept for a way back."""
    return ", ".join(one["name"] for one in kept[:_TOLD])


def before_in_words(kept: Sequence[Row]) -> str:
    """What was in use before a restore."""
    return f"{_kept_in_words(kept)} is what was in use before" if kept else "there was none before"


def figures(target: Row, kept: Sequence[Row], chosen: Row) -> str:
    """The database, the newest backup, and what is kept."""
    said = f"{one_line(target.get('name') or 'the database')}: {size(target.get('size_bytes'))} in {target.get('table_count')} tables"
    said += f"; {file_in_words(chosen)}"
    return f"{said}; kept for a way back: {_kept_in_words(kept)}, to be dropped by a person" if kept else said
