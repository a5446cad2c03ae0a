# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What pgBackRest and WAL-G tell of their backups, in JSON. Their exit code is 0 also where they tell a failure. Pure, but for :func:`told_by`."""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone

from ..run_command import failure, run
from ..text.one_line import one_line

OUTPUT_BYTES = 8 * 1024 * 1024
TOLD = 20
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:?\d\d)?\Z")
# What pgBackRest means by the number of a status.
_PGBACKREST = {
    1: "the stanza has no path",
    2: "it has no backups",
    3: "the stanza has no data",
    4: "the repositories differ",
    5: "the repositories differ",
    6: "the backup set is not there",
}


class NotTold(Exception):
    """A tool did not tell anything that can be read; the text says why."""


def told_by(argv, timeout_seconds):
    """The JSON document that a command prints.

    Raises:
        NotTold: it did not end well, or printed something else.
    """
    ended = run(argv, timeout_seconds, limit_bytes=OUTPUT_BYTES)
    if ended["error"] or ended["exit_code"] != 0:
        raise NotTold(failure(argv, ended, timeout_seconds))
    try:
        return json.loads(ended["stdout"])
    except ValueError:
        # The beginning of a long document is not kept.
        how = f"over {OUTPUT_BYTES} bytes" if len(ended["stdout"]) >= OUTPUT_BYTES else "no JSON"
        raise NotTold(f"{one_line(argv[0])} ended with exit code 0 and printed {how}") from None


def pgbackrest(document, stanza=None):
    """What ``pgbackrest info --output=json`` says.

    Args:
        document: the list that it prints.
        stanza: the one that counts; the only one where not given.

    Returns:
        A dict ``backups`` (the newest first, each ``name``, ``stopped_seconds``, ``size_bytes``, ``type`` and ``failed``), ``troubles`` (a line
        for each thing that is wrong) and ``in_progress``.

    Raises:
        NotTold: the document is not what this tool prints, or the stanza is not in it.
    """
    if not isinstance(document, list) or not all(isinstance(one, dict) for one in document):
        raise NotTold("pgbackrest info printed JSON of another shape than that of stanzas")
    if not document:
        raise NotTold("pgbackrest info knows no stanza: nothing is configured")
    chosen = [one for one in document if stanza in (None, one.get("name"))]
    if len(chosen) != 1:
        names = ", ".join(sorted(one_line(one.get("name")) for one in document))
        raise NotTold(f"stanza {one_line(stanza)} is not there; pgbackrest has {names}; name one of them in stanza")
    found = chosen[0]
    troubles = _status(found.get("status"), "")
    for repository in found.get("repo") or ():
        troubles += _status(repository.get("status"), f"repository {repository.get('key')}: ")
    backups = []
    for one in found.get("backup") or ():
        stop = (one.get("timestamp") or {}).get("stop")
        if isinstance(stop, (int, float)):
            size = (one.get("info") or {}).get("size")
            backups.append(_backup(one.get("label"), float(stop), size, one.get("type"), one.get("error") is True))
    lock = ((found.get("status") or {}).get("lock") or {}).get("backup") or {}
    return {"backups": _newest(backups), "troubles": troubles, "in_progress": lock.get("held") is True}


def _status(status, place):
    code = (status or {}).get("code")
    if code == 0:
        return []
    if not isinstance(code, int):
        return [f"{place}it tells no status"]
    said = one_line((status or {}).get("message") or _PGBACKREST.get(code, "it does not say why"))
    return [f"{place}status {code}: {said}"]


def wal_g(document):
    """What ``wal-g backup-list --detail --json`` says, in the words of :func:`pgbackrest`.

    Raises:
        NotTold: the document is not what this tool prints.
    """
    if document is None:
        document = []
    if not isinstance(document, list) or not all(isinstance(one, dict) for one in document):
        raise NotTold("wal-g backup-list printed JSON of another shape than that of backups")
    backups = []
    for one in document:
        at = seconds_of(one.get("finish_time") or one.get("time"))
        if at is not None:
            size = one.get("compressed_size")
            backups.append(_backup(one.get("backup_name"), at, size, "full", False))
    if document and not backups:
        raise NotTold("wal-g backup-list tells no time of its backups; give info the option --detail")
    return {"backups": _newest(backups), "troubles": [], "in_progress": False}


def wal_verified(document):
    """What ``wal-g wal-verify --json`` says is wrong: a line each, and whether all that it looked at is well.

    WARNING means that segments are still being uploaded. A status of another name never passes.

    Returns:
        ``(troubles, is_well)``; ``is_well`` is None where it only warns.

    Raises:
        NotTold: the document has no status.
    """
    if not isinstance(document, dict) or not any(
        isinstance(one, dict) and "status" in one for one in document.values()
    ):
        raise NotTold("wal-g wal-verify printed JSON without a status")
    troubles, is_well = [], True
    for check, one in sorted(document.items()):
        status = one.get("status") if isinstance(one, dict) else None
        if status == "OK":
            continue
        if status == "WARNING":
            is_well = None if is_well else is_well
            continue
        is_well = False
        troubles.append(f"wal-verify {one_line(check)}: {one_line(status)}")
    return troubles, is_well


def seconds_of(text):
    """The seconds since 1970 of a time as these tools write it, or None. One without a zone is in UTC."""
    match = _TIME.match(text) if isinstance(text, str) else None
    if not match:
        return None
    zone = (match.group(3) or "Z").replace(":", "").replace("Z", "+0000")
    try:
        moment = datetime.strptime(f"{match.group(1)} {match.group(2)} {zone}", "%Y-%m-%d %H:%M:%S %z")
    except ValueError:
        return None
    return moment.astimezone(timezone.utc).timestamp()


def _backup(name, stopped_seconds, size_bytes, kind, failed):
    return {
        "name": one_line(name),
        "stopped_seconds": stopped_seconds,
        "size_bytes": size_bytes if isinstance(size_bytes, int) else None,
        "type": one_line(kind or ""),
        "failed": failed,
    }


def _newest(backups):
    return sorted(backups, key=lambda one: one["stopped_seconds"], reverse=True)[:TOLD]
