# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the observer of backups tells of real files, with what a database would say beside them."""

from __future__ import annotations

import gzip
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.oncall.runbooks.plugins.module_utils.backups import facts, look, tools
from ansible_collections.oncall.runbooks.plugins.module_utils.backups.snapshot import summarize
from ansible_collections.oncall.runbooks.plugins.module_utils.backups.spec import described

HOUR, DAY = 3600.0, 86400.0
# Two looks of a test differ in what they are about, and not in when they were taken.
NOW = time.time()
FREE_BYTES = 80_000_000_000
PARAMS: dict[str, Any] = {"file": None, "read_seconds": 20.0, "timeout_seconds": 10.0, "database": None, "redis": None}
END = "--\n-- PostgreSQL database dump complete\n--\n\n"


def dump(
    *, end: str = END, database: str = "", owner: str = "app", version: str = "15.18", **tables: int | None
) -> bytes:
    """A dump in SQL as pg_dump writes it, with so many rows in each table of public, or without a part for them.

    Where a database is named, it makes that as well.
    """
    lines = ["--", "-- PostgreSQL database dump", "--", "", f"-- Dumped from database version {version}", ""]
    if database:
        lines += ["--", f"-- Name: {database}; Type: DATABASE; Schema: -; Owner: {owner}", "--", ""]
        lines += [f"CREATE DATABASE {database} WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE = 'C';", ""]
        lines += [f"ALTER DATABASE {database} OWNER TO {owner};", "", f"\\connect {database}", ""]
    for table in tables:
        lines += ["--", f"-- Name: {table}; Type: TABLE; Schema: public; Owner: {owner}", "--", ""]
        lines += [f"CREATE TABLE public.{table} (", "    id integer,", "    name text", ");", ""]
    for table, rows in tables.items():
        if rows is None:
            continue
        lines += ["--", f"-- Data for Name: {table}; Type: TABLE DATA; Schema: public; Owner: {owner}", "--", ""]
        lines += [f"COPY public.{table} (id, name) FROM stdin;"]
        lines += [f"{number}\tname {number}" for number in range(rows)]
        lines += ["\\.", ""]
    return ("\n".join(lines) + "\n" + end).encode()


def packed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def database(name: str = "shop", **told: Any) -> dict[str, Any]:
    """What a database says of itself, by the observer's own function."""
    said = {
        "databases": [],
        "may_create_databases": True,
        "server_version": "15.18",
        "in_recovery": False,
        "now_seconds": NOW,
        "replay_age_seconds": None,
        "size_bytes": 8_000_000,
        "archive_mode": "off",
        "archiver": {"failed_count": 0, "last_failed_wal": None, "last_archived_wal": None, "failing": False},
        "logical_slots": [],
        "subscriptions": 0,
        "prepared": 0,
        "tables": {"public.users": ["id", "name"], "public.orders": ["id", "name"]},
        **told,
    }
    return {**facts._settled(said, name), "available": True, "error": "", "is_there": True, "name": name}


def unreachable(error: str = "refused", name: str = "shop") -> dict[str, Any]:
    reason = f"PostgreSQL {name} at 10.0.0.5: {error}"
    return {"available": False, "reason": reason, "error": error, "is_there": None}


def of_files(
    given: Mapping[str, Any],
    files: Sequence[tuple[str, bytes, float]],
    beside: Mapping[str, Any] | None = None,
    record: Mapping[str, Any] | None = None,
    odd: Sequence[tuple[str, float]] = (),
    growing: int = 0,
    **found: Any,
) -> dict[str, Any]:
    """What is told of a folder.

    Args:
        given: what the inventory says of the backup.
        files: their names, also in a folder below it, contents and ages in seconds.
        beside: what else is told, such as ``database``.
        record: what was kept of earlier looks; ``drill`` may say ``of`` for the name of its file.
        odd: FIFOs, by name and age.
        growing: how many of the newest are being written.
        found: what is told otherwise than it is here.
    """
    with tempfile.TemporaryDirectory() as folder:
        for name, content, age in files:
            path = Path(folder, name)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
            os.utime(path, (NOW - age, NOW - age))
        for name, age in odd:
            os.mkfifo(Path(folder, name))
            os.utime(Path(folder, name), (NOW - age, NOW - age))
        backup = described("nightly", {**given, "path": folder}, PARAMS)
        kept = {"proofs": {}, **(record or {})}
        if "drill" in kept and "of" in kept["drill"]:
            status = Path(folder, kept["drill"]["of"]).stat()
            identity = look.listed(folder, kept["drill"]["of"])[0][0]["identity"]
            kept["drill"] = {**kept["drill"], "identity": identity, "size_bytes": status.st_size}
        told = {"database": None, "schedule": None, "heartbeat": None, "log_errors": None, **(beside or {})}
        limits: list[str] = []
        left = [growing]

        def grows(_file: object) -> bool:
            left[0] -= 1
            return left[0] >= 0

        real = (look.growing, look._age)
        look.growing, look._age = grows, lambda at_seconds: round(NOW - at_seconds, 1)  # type: ignore[assignment]
        try:
            seen = look._files(backup, told["database"] or {}, kept, PARAMS, None, limits)
            answer = look.answered({**seen, "free_bytes": FREE_BYTES, **found}, told, kept, limits)
        finally:
            look.growing, look._age = real
    return {**_as_everywhere(answer, folder), "kind": "files"}


def _as_everywhere(seen: dict[str, Any], folder: str) -> dict[str, Any]:
    """The same of a folder that is called alike in every look, whose files have plain identities."""
    files = [one for one in (seen["newest"], seen["in_progress"], *seen["previous"]) if one]
    plain = {one["identity"]: f"{one['name']}-{one['size_bytes']}" for one in files}
    for one in (*files, seen["proof"], seen["drill"]):
        if one and "identity" in one:
            one["identity"] = plain.get(one["identity"], one["identity"])
    for one in files:
        one["path"] = one["path"].replace(folder, "/backups")
    if seen["proof"] and seen["proof"]["read_seconds"] is not None:
        seen["proof"]["read_seconds"] = 0.1
    return seen


def of_tool(kind: str, document: Any, verified: Any = None, **beside: Any) -> dict[str, Any]:
    """What is told of what pgBackRest or WAL-G printed."""
    limits: list[str] = []
    found = look._of_tool(tools.pgbackrest(document) if kind == "pgbackrest" else tools.wal_g(document), limits)
    if verified is not None:
        troubles, _is_well = tools.wal_verified(verified)
        found["troubles"] = [*found["troubles"], *troubles]
    told = {"database": None, "schedule": None, "heartbeat": None, "log_errors": None, **beside}
    return {**look.answered(found, told, {"proofs": {}}, limits), "kind": kind}


def of_redis(**info: str) -> dict[str, Any]:
    """What is told of what a Redis answers to INFO."""
    told = summarize(info, time.time())
    newest = {"name": "the last snapshot", "age_seconds": told["age_seconds"], "size_bytes": None}
    found = {"newest": newest, "troubles": told["troubles"], "in_progress": None}
    beside = {"database": None, "schedule": None, "heartbeat": None, "log_errors": None}
    return {**look.answered(found, beside, {"proofs": {}}, []), "kind": "redis"}


def stanza(age: float, *, code: int = 0, message: str = "ok", error: bool = False, **more: Any) -> list[dict[str, Any]]:
    """What pgbackrest info prints of one stanza."""
    stop = int(time.time() - age)
    one = {
        "label": "20261130-010002F",
        "type": "full",
        "error": error,
        "timestamp": {"start": stop - 60, "stop": stop},
        "info": {"size": 8_000_000},
    }
    status = {"code": code, "message": message, "lock": {"backup": {"held": False}}}
    return [{"name": "main", "status": status, "repo": [], "backup": [one], **more}]
