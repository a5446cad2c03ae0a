# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How full the filesystems of a host are, and what fills those that are."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from ..deadline import Deadline, DeadlineExceeded, all_within
from ..disk import expired_files, mounts, open_files, usage
from ..docker import space as docker_space
from ..text.one_line import one_line

JOURNALS = ("/var/log/journal", "/run/log/journal")


def observe(params):
    """Look at every filesystem; where one is full, also at what fills it.

    Args:
        params: as in :data:`observers.filesystem.SPEC`.

    Returns:
        What the documentation of M(oncall.runbooks.filesystem_info) says.

    Raises:
        ValueError: a rule for files would let go what nobody can have meant.
    """
    for rule in params["rotated_logs"] + params["backups"]:
        expired_files.check_rule(rule)
    deadline = Deadline(params["timeout_seconds"])
    try:
        filesystems, unreachable, holding = mounts.look(params, deadline.seconds / 3)
    except OSError as error:
        return {"available": False, "reason": f"/proc/self/mountinfo cannot be read: {error.strerror}; is this Linux?"}
    limits = [f"{one['mount']} could not be looked at: {one['reason']}" for one in unreachable]
    answer = {
        "available": True,
        "complete": not unreachable,
        "filesystems": filesystems,
        "not_looked_at": unreachable,
        "limits": limits,
    }
    full = [one for one in filesystems if one["full"]]
    if full:
        answer["use"] = _use(params, full, holding, deadline, limits)
    return answer


def _use(params, full, holding, deadline, limits):
    walks = {one["mount"]: usage.Usage(one["mount"]) for one in full}
    parts = {
        "deleted_open": lambda: open_files.scan(deadline),
        "postgres": lambda: open_files.postgres_servers(deadline),
        "docker": lambda: docker_space.look(params["docker_host"], params["image_hours"], deadline),
        "journal": lambda: journal(deadline),
        "rotated_logs": lambda: _expired(params["rotated_logs"], deadline),
        "backups": lambda: _expired(params["backups"], deadline),
    }
    calls = list(parts.values()) + [lambda walk=walk: walk.walk(deadline) for walk in walks.values()]
    # A little more than they take: each ends by itself, unless the system hangs in it.
    found = dict(zip(parts, all_within(params["timeout_seconds"] / 3 + _left(deadline), calls)))
    names = {one["mount"] for one in full}
    settled = {name: _settled(name, answer, limits) for name, answer in found.items()}

    def on_full(rows):
        placed = [dict(row, mount=(holding(row["device"]) or {}).get("mount")) for row in rows]
        return [row for row in placed if row["mount"] in names]

    return {
        "largest": [
            dict(walk.largest(), mount=mount, complete=walk.complete, denied=walk.denied)
            for mount, walk in walks.items()
        ],
        "deleted_open": _deleted_open(settled["deleted_open"], on_full, limits),
        "postgres": dict(settled["postgres"], servers=on_full(settled["postgres"].get("servers", ()))),
        "docker": _docker(settled["docker"], on_full, limits),
        "journal": dict(settled["journal"], folders=on_full(settled["journal"].get("folders", ()))),
        "rotated_logs": _files(settled["rotated_logs"], settled["deleted_open"], on_full, limits),
        "backups": _files(settled["backups"], settled["deleted_open"], on_full, limits),
    }


def _left(deadline):
    try:
        return deadline.remaining_seconds()
    except DeadlineExceeded:
        return 0.0


def _settled(name, answer, limits):
    if isinstance(answer, Exception):
        limits.append(f"{name.replace('_', ' ')}: {one_line(answer)}")
        return {"available": False, "complete": False, "absent": False, "reason": one_line(answer)}
    return dict({"available": True}, **answer)


def _deleted_open(scanned, on_full, limits):
    if scanned.get("hidden_processes"):
        limits.append(
            f"the open files of {scanned['hidden_processes']} processes of other users can only be seen by root: use become"
        )
    files = sorted(on_full(scanned.get("deleted", ())), key=lambda one: -one["bytes"])
    return {
        "available": scanned["available"],
        "complete": scanned["complete"],
        "files": files[: open_files.LISTED],
        "hidden_processes": scanned.get("hidden_processes"),
    }


def _docker(docker, on_full, limits):
    if not docker["available"]:
        if not docker["absent"]:
            limits.append(docker["reason"])
        return docker
    limits.extend(docker["logs_unknown"])
    try:
        root = on_full([{"device": Path(docker["root"]).stat().st_dev}])
    except OSError as error:
        limits.append(f"{docker['root']}: {error.strerror}")
        root = []
    mount = root[0]["mount"] if root else None
    return dict(
        docker,
        mount=mount,
        logs=on_full(docker["logs"]),
        images=[dict(one, mount=mount) for one in docker["images"]] if mount else [],
    )


def journal(deadline):
    """The journal's files by folder: what they take, and on which device."""
    folders = []
    for top in JOURNALS:
        size, device = 0, None
        for folder, _folders, names in os.walk(top, onerror=_denied):
            deadline.remaining_seconds()
            for name in names:
                # journald takes its oldest files away at any time.
                with contextlib.suppress(FileNotFoundError):
                    status = os.lstat(f"{folder}/{name}")
                    device, size = status.st_dev, size + status.st_blocks * 512
        if size:
            folders.append({"path": top, "bytes": size, "device": device})
    return {"folders": folders}


def _denied(error):
    # A missing folder has nothing; an unreadable folder may have anything.
    if not isinstance(error, FileNotFoundError):
        raise error


def _expired(rules, deadline):
    files, reasons = [], []
    for rule in rules:
        try:
            files += expired_files.expired(rule, deadline)
        except FileNotFoundError:
            reasons.append(f"{rule['path']} is not there")
        except (OSError, DeadlineExceeded) as error:
            reasons.append(f"{rule['path']}: {one_line(getattr(error, 'strerror', None) or error)}")
    return {"files": files, "reasons": reasons}


def _files(found, scanned, on_full, limits):
    limits.extend(found.get("reasons", ()))
    # To delete a file that is open gives no space back.
    in_use = scanned.get("in_use", ())
    files = [one for one in on_full(found.get("files", ())) if (one["device"], one["inode"]) not in in_use]
    return {
        "available": found["available"],
        "complete": found["available"] and not found["reasons"],
        "bytes": sum(one["bytes"] for one in files),
        "count": len(files),
        "files": files[: expired_files.LISTED],
    }
