# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ends of all logs: those of the services, from whatever manages them, and those in folders of log files."""

from __future__ import annotations

from functools import partial

from ..deadline import Deadline, DeadlineExceeded
from ..services import states
from ..text.masking import masked
from . import files
from .parallel import each
from .text import kept

FOLDER = {
    "type": "dict",
    "options": {
        "path": {"type": "path", "required": True},
        "files": {"type": "list", "elements": "str", "default": ["*.log"]},
        "newest": {"type": "int", "default": 10},
    },
}
SPEC = {
    "services": {"type": "dict", "default": {}},
    "folders": {"type": "dict", "default": {}},
    "lines": {"type": "int", "default": 5000},
    "log_bytes": {"type": "int", "default": 512 * 1024},
    "max_bytes": {"type": "int", "required": True},
    "timeout_seconds": {"type": "float", "default": 20.0},
}
# So much of each, whatever there is to share; also of a thousand.
_LEAST_BYTES = 4096
# What any manager gives whole: journalctl is heard up to 64 KiB.
_LEAST_TOLD_BYTES = 60 * 1024


def look(params):
    """Read them.

    Args:
        params: as in :data:`SPEC`.

    Returns:
        A dict ``available``, ``reason`` where there is no log, ``files``, and ``limits``: a line for each log that was not read.
    """
    deadline = Deadline(params["timeout_seconds"])
    limits, asked = [], []
    for name, folder in params["folders"].items():
        try:
            within, left_out = files.listed(name, _folder(name, folder))
        except ValueError as error:
            within, left_out = [], [masked(error)]
        asked += [(f"{one['folder']}/{one['name']}", partial(_of_folder, one)) for one in within]
        limits += left_out
    # A part of the time, so that a manager that hangs leaves some for the others' logs.
    for reader in states.log_readers(params["services"], params["timeout_seconds"] / 2):
        if "reason" in reader:
            limits.append(masked(reader["reason"]))
        else:
            what = f"the log of {reader['name']} (service {reader['key']})"
            asked.append((what, partial(_of_service, reader, params["lines"], deadline)))
    if not asked:
        reason = (
            limits.pop(0) if limits else "there is no log to read: system_services and snapshot_log_folders are empty"
        )
        return {"available": False, "reason": reason, "files": [], "limits": limits}
    share = max(_LEAST_BYTES, min(params["log_bytes"], params["max_bytes"] // len(asked)))
    logs = []
    for (what, _read), answer in zip(asked, each(asked, lambda one: one[1](share), deadline)):
        if isinstance(answer, DeadlineExceeded):
            limits.append(f"{masked(what)} is not read: {answer}; raise snapshot_look_seconds")
        elif isinstance(answer, OSError):
            limits.append(f"{masked(what)} is not read: {answer.strerror}")
        elif isinstance(answer, Exception):
            limits.append(f"{masked(what)} is not read: {masked(answer)}")
        else:
            logs.append(answer)
    if not logs:
        return {"available": False, "reason": limits.pop(0), "files": [], "limits": limits}
    return {"available": True, "files": logs, "limits": limits}


def _folder(name, folder):
    """What is said of a folder, with its defaults.

    Raises:
        ValueError: it is not described in a way that can be used.
    """
    from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

    if not isinstance(folder, dict):
        raise ValueError(f"snapshot_log_folders.{name} must be a dict with at least the key path")
    validated = ArgumentSpecValidator(FOLDER["options"]).validate(folder)
    told = validated.validated_parameters
    problem = "; ".join(validated.error_messages)
    if not problem and not told["path"].startswith("/"):
        problem = "path must be absolute"
    if not problem and told["newest"] < 1:
        problem = "newest must be 1 or more"
    if problem:
        raise ValueError(f"snapshot_log_folders.{name}: {problem}")
    return told


def _of_folder(file, share):
    return dict(files.read(file, share), name=f"{file['in']}-{file['name']}", source=f"{file['folder']}/{file['name']}")


def _of_service(reader, lines, deadline, share):
    """One log of a service: of the file that its manager writes, else what the manager gives."""
    name = reader["name"] if reader["name"].startswith(reader["key"]) else f"{reader['key']}-{reader['name']}"
    if reader["path"]:
        try:
            return dict(files.end_of_path(reader["path"], share), name=name, source=reader["path"])
        except OSError:
            pass  # the manager may hand out what this user cannot open
    text, of_bytes = reader["fetch"](lines, share, deadline.remaining_seconds())
    data = text.encode("utf-8", "replace")[-share:]
    if of_bytes is None and data.count(b"\n") + 1 < lines and len(data) < min(share, _LEAST_TOLD_BYTES):
        of_bytes = len(data)  # there was no more
    told = kept(data, is_end=of_bytes is None or of_bytes > len(data))
    return dict(told, name=name, source=f"the log of {reader['name']}", of_bytes=of_bytes, kept_bytes=len(data))
