# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a database has a backup that was verified, and is young enough.

A backup of ``system_backups`` is verified as the runbook backup does it, and by nothing else. Of any other one a file tells that its own
verification leaves behind.
"""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

from ..text.one_line import one_line

# By so much clocks and file systems may differ.
_AHEAD_SECONDS = 120.0
# Kinds that are a copy of a whole server.
_OF_A_SERVER = ("pgbackrest", "wal_g")
NOT_LOOKED_AT = {"is_recent": None, "age_seconds": None, "reason": "nothing is pending there", "by": ""}


def standing(sets, params):
    """What is known of a verified backup of each set.

    Args:
        sets: by name, as :func:`spec.described` gives them.
        params: ``backup`` (in which ``file`` or ``backups`` tell), ``database``, ``read_seconds`` and ``timeout_seconds``.

    Returns:
        For each set a dict ``is_recent``, ``age_seconds`` (or None), ``reason``, why it is not, or "", and ``by``, what shows it: the file, or the
        name of the backup.
    """
    if not sets:
        return {}
    # Where nothing is pending none of it is needed.
    from ..backups.standing import MAX_AGE_SECONDS

    given = params.get("backup") or {}
    if given.get("file"):
        shown = known(given["file"], given.get("max_age_seconds") or MAX_AGE_SECONDS)
        return dict.fromkeys(sets, shown)
    try:
        named = _named(given)
        own = {name: _described(name, one, params) for name, one in named.items()}
        of_set = {
            name: [label for label, one in own.items() if given.get("names") or is_of(one, reach["reach"])]
            for name, reach in sets.items()
        }
        looked = _looked_at({label: named[label] for labels in of_set.values() for label in labels}, params)
    except ValueError as error:
        wrong = _not(f"whether there is a verified backup is not known: {error}")
        return dict.fromkeys(sets, wrong)
    return {name: chosen(one, of_set[name], looked, named, given) for name, one in sets.items()}


def _named(given):
    """The backups that may count, by name."""
    backups = given.get("backups") or {}
    unknown = [name for name in given.get("names") or () if name not in backups]
    if unknown:
        raise ValueError(f"migrations_backup names {one_line(unknown[0])}, which is not in system_backups")
    named = {name: one for name, one in backups.items() if name in (given.get("names") or backups)}
    # A snapshot of Redis is none of a database.
    return {name: one for name, one in named.items() if not isinstance(one, dict) or one.get("kind") != "redis"}


def _described(name, backup, params):
    from ..backups.spec import described

    return described(name, backup, {"database": params.get("database")})


def is_of(backup, reach):
    """Whether a backup may be of a database, as far as both say how it is reached. Pure.

    Args:
        backup: as :func:`backups.spec.described` gives it.
        reach: of the database, as in :data:`postgres.spec.DATABASE`.
    """
    own = backup["reach"]
    if not own:
        return False
    if backup["kind"] not in _OF_A_SERVER and own["name"] != reach["name"]:
        return False
    transports = [(one.get("transport") or "psycopg") for one in (own, reach)]
    if transports[0] != transports[1]:
        # The same server has one name for docker and another for a driver.
        return True
    keys = ("container",) if transports[0] == "docker" else ("host", "port")
    return all(_usual(key, own) == _usual(key, reach) for key in keys)


def _usual(key, reach):
    value = reach.get(key) or {"host": "localhost", "port": 5432}.get(key)
    return "localhost" if value in ("127.0.0.1", "::1") else value


def _looked_at(backups, params):
    if not backups:
        return {}
    from ..backups.look import observe

    # What makes them is not asked for.
    bare = {
        name: {key: value for key, value in one.items() if key not in ("schedule", "heartbeat", "log")}
        for name, one in backups.items()
    }
    asked = {
        "backups": bare,
        "database": params.get("database"),
        "redis": None,
        "file": None,
        "state_directory": params["backup"]["state_directory"],
        "read_seconds": params["read_seconds"],
        "timeout_seconds": params["timeout_seconds"],
    }
    return observe(asked)["backups"]


def chosen(one, labels, looked, backups, given):
    """What backups that were looked at show for a set. Pure.

    Args:
        one: the set, as :func:`spec.described` gives it.
        labels: the names of its backups.
        looked: what ``backup_info`` tells of each of them.
        backups: what the inventory says of each.
        given: the option ``backup``.
    """
    if not labels:
        return _not(
            f"no backup of system_backups is of the database {one_line(one['reach']['name'])}, and migrations_backup names no file that shows "
            "that one was verified"
        )
    from ..backups.standing import MAX_AGE_SECONDS, objection

    whys = []
    for label in labels:
        seen = looked[label]
        most = given.get("max_age_seconds") or backups[label].get("max_age_seconds") or MAX_AGE_SECONDS
        why = objection(seen, backups[label], float(most)) or _of_another(seen, one)
        if not why:
            return {"is_recent": True, "age_seconds": seen["newest"]["age_seconds"], "reason": "", "by": label}
        whys.append(f"{one_line(label)}: {why}")
    return _not(f"no backup is verified: {'; '.join(whys)}; run the runbook backup")


def _of_another(seen, one):
    is_of_name = (seen["proof"] or {}).get("database")
    name = one["reach"]["name"]
    return f"it is of the database {one_line(is_of_name)}" if is_of_name and is_of_name != name else ""


def known(path, max_age_seconds):
    """What a file shows.

    Args:
        path: of what the verification of a backup leaves behind.
        max_age_seconds: how old it may be.

    Returns:
        As for a set in :func:`standing`.
    """
    try:
        status = Path(path).stat()
        head = _head(path) if stat.S_ISREG(status.st_mode) else b""
    except (OSError, ValueError) as error:
        said = one_line(getattr(error, "strerror", None) or error)
        return _not(f"no verified backup is known: {one_line(path)}: {said}; run the runbook backup")
    return judged(one_line(path), status, head, max_age_seconds, time.time())


def _head(path):
    from ..backups.archive import HEAD_BYTES

    # Where something else comes under the name meanwhile, it holds nobody up.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return os.read(descriptor, HEAD_BYTES)
    finally:
        os.close(descriptor)


def judged(path, status, head, max_age_seconds, now_seconds):
    """What the status of a file and its first bytes show. Pure."""
    from ..backups.archive import kind_of

    if not stat.S_ISREG(status.st_mode):
        return _not(f"{path} is no regular file, so it shows no verified backup")
    if status.st_size == 0:
        return _not(f"{path} is empty, so it shows no verified backup")
    if kind_of(head) != "unknown":
        return _not(
            f"{path} is a backup itself, and its time shows not that it was verified: describe it in system_backups instead"
        )
    age_seconds = round(now_seconds - status.st_mtime, 1)
    if age_seconds < -_AHEAD_SECONDS:
        return _not(
            f"{path} was changed {-age_seconds:.0f} s in the future: the clock of the host is wrong", age_seconds
        )
    if age_seconds > max_age_seconds:
        return _not(
            f"the last verified backup is {age_seconds / 3600:.1f} h old ({path}), and may be {max_age_seconds / 3600:.1f} h old; "
            "run the runbook backup",
            age_seconds,
        )
    return {"is_recent": True, "age_seconds": max(0.0, age_seconds), "reason": "", "by": path}


def _not(reason, age_seconds=None):
    return {"is_recent": False, "age_seconds": age_seconds, "reason": reason, "by": ""}
