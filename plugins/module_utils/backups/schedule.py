# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether something starts a backup: a crontab, a timer of systemd, or a crontab in a container."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

from ..run_command import failure, run
from ..text.one_line import one_line

CRON_FILES = ("/etc/crontab",)
CRON_FOLDERS = ("/etc/cron.d",)
SPOOLS = ("/var/spool/cron/crontabs", "/var/spool/cron", "/etc/crontabs")
MOST_BYTES = 256 * 1024
# What cron reads in a container, besides the crontabs of users: no name with a dot in it.
_IN_CONTAINER = """\
for file in /etc/crontab /etc/cron.d/* /etc/crontabs/*; do
  case "${file##*/}" in *.*) ;; *) [ -f "$file" ] && cat "$file" ;; esac
done
crontab -l
"""
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\s*=")
_FIVE = re.compile(r"(?:@\w+|(?:\S+\s+){4}\S+)\s+(.*)\Z")


def entry_of(schedule):
    """The line that puts a command into a crontab of the system, without its comment. Pure.

    A percent sign is a line break to cron, so each is escaped.
    """
    command = " ".join(shlex.quote(part) for part in schedule["command"])
    if schedule.get("log"):
        command += f" >> {shlex.quote(schedule['log'])} 2>&1"
    return command.replace("%", "\\%")


def commands_in(text):
    """The commands of a crontab, without those that are commented out. Each may begin with the name of its user. Pure."""
    found = []
    for line in text.splitlines():
        line = line.strip()
        if not line or line.startswith("#") or _VARIABLE.match(line):
            continue
        match = _FIVE.match(line)
        if match:
            found.append(match.group(1))
    return found


def names_it(commands, argv):
    """Whether one of these commands runs a program with these arguments, among others. Pure."""
    wanted = [part for part in argv if part]
    forms = {" ".join(wanted), " ".join(shlex.quote(part) for part in wanted)}
    # Not the beginning or the end of another word: /app/backup.sh is not in /app/backup.sh.old.
    patterns = [re.compile(rf"(?:^|[\s;&|(\"'])(?:{re.escape(form)})(?:$|[\s;&|)\"'<>])") for form in forms]
    return any(pattern.search(command.replace("\\%", "%")) for command in commands for pattern in patterns)


def look(schedule, timeout_seconds):
    """Whether a schedule is there.

    Args:
        schedule: as in :data:`spec.SCHEDULE`.
        timeout_seconds: for a command.

    Returns:
        A dict ``kind`` (``cron``, ``timer`` or ``container``), ``present`` (None where that cannot be seen), and ``why``, one line.
    """
    if schedule.get("timer"):
        return _timer(schedule["timer"], timeout_seconds)
    if not schedule.get("command"):
        return {"kind": "cron", "present": None, "why": "schedule names no command to look for in a crontab"}
    if schedule.get("container"):
        return _container(schedule, timeout_seconds)
    return _cron(schedule)


def _cron(schedule):
    unread = []
    for path in _crontabs(schedule, unread):
        try:
            with open(path, "rb") as file:
                text = file.read(MOST_BYTES).decode("utf-8", "replace")
        except OSError as error:
            unread.append(f"{one_line(path)}: {error.strerror}")
            continue
        if names_it(commands_in(text), schedule["command"]):
            return {"kind": "cron", "present": True, "why": f"it is in {one_line(path)}"}
    if unread:
        return {"kind": "cron", "present": None, "why": f"not every crontab could be read: {'; '.join(unread[:3])}"}
    return {"kind": "cron", "present": False, "why": "no crontab here starts it"}


def _crontabs(schedule, unread):
    """The crontabs of this host. The file that is named comes first."""
    found = [schedule["cron_file"]] if schedule.get("cron_file") and Path(schedule["cron_file"]).is_file() else []
    found += [path for path in CRON_FILES if Path(path).is_file()]
    for folder in (*CRON_FOLDERS, *SPOOLS):
        try:
            with os.scandir(folder) as entries:
                # As cron does, which leaves out what dpkg and editors leave behind.
                found += sorted(one.path for one in entries if one.is_file() and "." not in one.name)
        except FileNotFoundError:
            continue
        except OSError as error:
            unread.append(f"{folder}: {error.strerror}")
    return list(dict.fromkeys(found))


def _timer(name, timeout_seconds):
    unit = name if name.endswith(".timer") else f"{name}.timer"
    argv = ["systemctl", "show", "--property=LoadState,ActiveState,UnitFileState", "--", unit]
    ended = run(argv, timeout_seconds)
    if ended["error"] or ended["exit_code"] != 0:
        return {"kind": "timer", "present": None, "why": failure(argv, ended, timeout_seconds)}
    told = dict(line.partition("=")[::2] for line in ended["stdout"].splitlines())
    if told.get("LoadState") == "not-found":
        return {"kind": "timer", "present": False, "why": f"there is no {one_line(unit)}"}
    state = (
        f"{one_line(unit)} is {one_line(told.get('ActiveState'))}, {one_line(told.get('UnitFileState') or 'static')}"
    )
    return {"kind": "timer", "present": told.get("ActiveState") == "active", "why": state}


def _container(schedule, timeout_seconds):
    container = schedule["container"]
    argv = ["docker", "exec", container, "sh", "-c", _IN_CONTAINER]
    ended = run(argv, timeout_seconds)
    # Also where there is no program crontab, and cron reads files alone.
    if not ended["error"] and names_it(commands_in(ended["stdout"]), schedule["command"]):
        return {"kind": "container", "present": True, "why": f"it is in a crontab of {one_line(container)}"}
    nothing = ended["exit_code"] == 1 and "no crontab" in ended["stderr"].lower()
    if not nothing and (ended["error"] or ended["exit_code"] != 0):
        why = failure(["docker", "exec", container, "crontab", "-l"], ended, timeout_seconds)
        return {"kind": "container", "present": None, "why": why}
    return {"kind": "container", "present": False, "why": f"no crontab in {one_line(container)} starts it"}
