# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an inventory says about a backup, whatever kind it is. Checks, no I/O."""

from __future__ import annotations

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ..observers.redis import SERVER
from ..postgres.spec import DATABASE
from ..text.one_line import one_line, without_secrets

# Against the median of those before.
MIN_RATIO = 0.5
KINDS = ("files", "pgbackrest", "wal_g", "redis")
SCHEDULE = {
    "command": {"type": "list", "elements": "str"},
    "at": {"type": "str"},
    "cron_file": {"type": "path"},
    "user": {"type": "str", "default": "root"},
    "log": {"type": "path"},
    "timer": {"type": "str"},
    "container": {"type": "str"},
}
HEARTBEAT = {"file": {"type": "path"}, "statement": {"type": "str"}}
OPTIONS = {
    "kind": {"type": "str", "choices": list(KINDS), "default": "files"},
    "path": {"type": "path"},
    "pattern": {"type": "str"},
    "max_age_seconds": {"type": "float"},
    "min_ratio": {"type": "float", "default": MIN_RATIO},
    "tables": {"type": "list", "elements": "raw", "default": []},
    "database": dict(DATABASE, required=False),
    "redis": dict(SERVER, required=False),
    "programs": {"type": "path"},
    "info": {"type": "list", "elements": "str"},
    "verify": {"type": "list", "elements": "str"},
    "stanza": {"type": "str"},
    "command": {"type": "list", "elements": "str"},
    "log": {"type": "path"},
    "heartbeat": {"type": "dict", "options": HEARTBEAT, "mutually_exclusive": [("file", "statement")]},
    "schedule": {
        "type": "dict",
        "options": SCHEDULE,
        "required_by": {"cron_file": ("command", "at")},
    },
    # Not for looking: what uses the database, and is stopped while it is exchanged.
    "services": {"type": "list", "elements": "str", "default": []},
    # Nor this: whose the database is, where it is gone and the backup does not tell.
    "owner": {"type": "str", "default": ""},
}
_NEEDED = {"files": ("path", "pattern"), "pgbackrest": (), "wal_g": (), "redis": ()}
_INFO = {
    "pgbackrest": ["pgbackrest", "info", "--output=json"],
    "wal_g": ["wal-g", "backup-list", "--detail", "--json"],
}


def described(name, backup, params):
    """A backup with all its options, and how its database is reached (``reach``, None where nothing says so).

    Args:
        name: of the backup in the inventory.
        backup: what the inventory says.
        params: as in :data:`observers.backup.SPEC`.

    Raises:
        ValueError: one line that names the backup and what is wrong.
    """
    from .proof import expected_tables

    place = f"backup {one_line(name)}"
    if not isinstance(backup, dict):
        raise ValueError(f"{place} must be a dict with path and pattern, or with another kind")
    validated = ArgumentSpecValidator(OPTIONS).validate(backup)
    if validated.error_messages:
        secrets = [one.get("password") for one in backup.values() if isinstance(one, dict)]
        raise ValueError(f"{place}: {one_line(without_secrets('; '.join(validated.error_messages), *secrets))}")
    found = dict(validated.validated_parameters)
    lacking = [key for key in _NEEDED[found["kind"]] if not found[key]]
    if lacking:
        raise ValueError(f"{place}: kind {found['kind']} needs {' and '.join(lacking)}")
    if found["pattern"] and "/" in found["pattern"]:
        raise ValueError(f"{place}: pattern is that of names in path, without a folder")
    cron_file = (found["schedule"] or {}).get("cron_file") or ""
    if cron_file.startswith("/etc/cron.d/") and "." in cron_file.rpartition("/")[2]:
        raise ValueError(f"{place}: cron reads no file in /etc/cron.d that has a dot in its name; correct cron_file")
    if min(found["max_age_seconds"] or 0, found["min_ratio"]) < 0:
        raise ValueError(f"{place}: max_age_seconds and min_ratio must not be below 0")
    try:
        found["expected"] = expected_tables(found["tables"])
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from None
    found["reach"] = found["database"] or params.get("database")
    found["redis"] = found["redis"] or params.get("redis")
    if found["kind"] == "redis" and not found["redis"]:
        raise ValueError(f"{place}: nothing says how its Redis is reached; give it redis, or set system_redis")
    found["info"] = found["info"] or _INFO.get(found["kind"])
    return found


def pg_restore_of(backup):
    """The program that reads its archives, as the beginning of an argument list: that of the server's container, where it is in one."""
    reach = backup["reach"] or {}
    if reach.get("transport") == "docker":
        return ["docker", "exec", "-i", reach["container"], "pg_restore"]
    folder = backup["programs"]
    return [f"{folder.rstrip('/')}/pg_restore" if folder else "pg_restore"]
