# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was measured -> what must be concluded, for every cause of the runbook migrations."""

from __future__ import annotations

import os
from typing import Any

from ansible_collections.oncall.runbooks.plugins.module_utils.migrations import sessions
from ansible_collections.oncall.runbooks.plugins.module_utils.migrations.backup import judged
from ansible_collections.oncall.runbooks.plugins.module_utils.migrations.look import answered, together
from ansible_collections.oncall.runbooks.plugins.module_utils.migrations.tools import TOOLS
from ansible_collections.oncall.runbooks.plugins.module_utils.net.http_probe import _described, _judged, _summary
from ansible_collections.oncall.runbooks.tests.support.tables import Case, table

DAY, NOW = 86400.0, 1796040000.0
FLAG = {"url": "https://api.example.com/readyz", "json": {"migrations_current": True}}
SYSTEM = {
    "system_migrations": {"shop": {"tool": "alembic", "run": ["docker", "exec", "shop-api-1"]}},
    "system_database": {"name": "shop"},
    "migrations_backup": {"file": "/var/lib/oncall/verified"},
}
KNEX = {"system_migrations": {"shop": {"tool": "knex", "run": ["docker", "exec", "shop-api-1"]}}}
PRISMA = {"system_migrations": {"shop": {"tool": "prisma", "timeouts_in_command": True}}}
DOCUMENT: dict[str, Any] = {
    "database": "shop", "in_recovery": False, "replay_lag_seconds": None, "pid": 1, "hidden": 0, "working": [], "advisory": [], "busy": [], "long": [],
    "prepared": [], "invalid": [],
}  # fmt: skip
SESSION = {"pid": 77, "user": "app", "application_name": "report", "client": "10.0.0.9", "seconds": 3600.0}
AT_WORK = {
    **SESSION, "hidden": False, "query": "ALTER TABLE orders ADD note text", "writes_table": False, "locks_table": True, "waits": False,
    "builds_index": False,
}  # fmt: skip
INVALID = {"name": "public.orders_note", "table": "orders"}
MIGRATED = {"acts": ["migrate"], "risk": "high"}
NOT_JUDGED = [
    *(
        "migrating_now",
        "database_ahead",
        "several_heads",
        "changed_afterwards",
        "tool_refuses",
        "out_of_order",
        "held_up",
        "pending",
    ),
]
NOTHING_COMPLETE = [
    "asks_a_replica",
    "another_database",
    "never_applied",
    "failed",
    "index_not_valid",
    "lock_left",
    *NOT_JUDGED,
]


def ended(stdout: str = "", exit_code: int = 0, stderr: str = "", **more: Any) -> dict[str, Any]:
    """How a command ended that told something."""
    said = {} if exit_code == 0 else {"why_not": f"it ended with exit code {exit_code}: {stderr}"}
    return {"stdout": stdout, "stderr": stderr, "exit_code": exit_code, "signal": None, "error": "", **said, **more}


def history(*revisions: str, heads: tuple[str, ...] = ()) -> str:
    """What alembic history --verbose prints of a line of revisions, the last of which is the head."""
    parts = []
    for number, revision in enumerate(revisions):
        is_head = revision in (heads or revisions[-1:])
        parent = revisions[number - 1] if number else "<base>"
        if heads and revision in heads and number:
            parent = next(one for one in reversed(revisions[:number]) if one not in heads)
        parts.append(
            f"Rev: {revision}{' (head)' if is_head else ''}\nParent: {parent}\nPath: /app/{revision}.py\n\n    {revision}\n"
        )
    return "\n".join(reversed(parts))


def alembic(
    image: tuple[str, ...] = ("a1", "b2", "c3"),
    at: tuple[str, ...] = ("c3",),
    current: tuple[str, ...] | None = None,
    heads: tuple[str, ...] = (),
    commands: dict[str, Any] | None = None,
    **state: Any,
) -> dict[str, Any]:
    """A set of Alembic: what the image has, and where the table is."""
    told = {
        "history": ended(history(*image, heads=heads)),
        "current": ended("\n".join(current if current is not None else at)),
        **(commands or {}),
    }
    return set_of("alembic", [{"version_num": one} for one in at], told, **state)


def knex(
    image: tuple[str, ...] = ("1_a.js", "2_b.js"),
    done: tuple[str, ...] = ("1_a.js", "2_b.js"),
    locked: bool = False,
    **state: Any,
) -> dict[str, Any]:
    """A set of Knex."""
    pending = [one for one in image if one not in done]
    text = (
        (f"Found {len(done)} Completed Migration file/files.\n" if done else "No Completed Migration files Found.\n")
        + "".join(f"{one}\n" for one in done)
        + (
            f"Found {len(pending)} Pending Migration file/files.\n"
            if pending
            else "No Pending Migration files Found.\n"
        )
        + "".join(f"{one} \n" for one in pending)
    )
    told = {"list": ended(text), "files": ended("\n".join(image))}
    lock = {"locked": locked, "by": ""}
    return set_of("knex", [{"name": one, "age_seconds": DAY} for one in done], told, lock=lock, **state)


def prisma(*rows: tuple[str, bool, str], image: tuple[str, ...] = ("1_a", "2_b"), **state: Any) -> dict[str, Any]:
    """A set of Prisma: rows of name, whether it is finished, and the first letter of its checksum; a file's begins with 0."""
    told = {"files": ended("".join(f"0{'f' * 63}  prisma/migrations/{one}/migration.sql\n" for one in image))}
    found = [
        {"migration_name": name, "checksum": first + "f" * 63, "finished": done, "logs": None if done else "ERROR: column there", "steps": 1,
         "age_seconds": DAY}
        for name, done, first in rows
    ]  # fmt: skip
    return set_of("prisma", found, told, **state)


def set_of(
    name: str, rows: list[dict[str, Any]], told: dict[str, Any], lock: Any = None, **state: Any
) -> dict[str, Any]:
    """What the observer tells of a set whose database and image say this."""
    tool = TOOLS[name]
    document = {**DOCUMENT, **state}
    found = {
        "rows": tool.rows(rows, []), "lock": lock, "schema": "public", "table": tool.TABLE, "limits": sessions.limits(document),
        "state": sessions.state(document, tool, "public", tool.TABLE),
    }  # fmt: skip
    return dict(answered(tool, found, told), tool=name)


def backup(age_seconds: float = 3600.0, size: int = 10, mode: int = 0o100600) -> dict[str, Any]:
    """What a file shows of a backup."""
    status = os.stat_result([mode, 1, 1, 1, 0, 0, size, 0, int(NOW - age_seconds), 0])
    return judged("/var/lib/oncall/verified", status, b"41 tables", DAY, NOW)


def look(
    *sets: dict[str, Any], saved: dict[str, Any] | None = None, flag: Any = None, status: int = 200
) -> dict[str, Any]:
    """What was observed."""
    names = ("shop", "billing")
    told = {"migrations": together(dict(zip(names, sets)), dict.fromkeys(names[: len(sets)], saved or backup()))}
    if flag is not None:
        body = b"<html>" if flag == "html" else b'{"migrations_current": %s}' % (b"true" if flag else b"false")
        told["http_probe"] = _summary({"api": _judged(_described("api", FLAG), status, body)})
    return told


def of(
    *sets: dict[str, Any], saved: dict[str, Any] | None = None, flag: Any = None, status: int = 200, **case: Any
) -> Case:
    """A row."""
    variables = {**({"migrations_flags": {"api": FLAG}} if flag is not None else {}), **case.pop("variables", {})}
    return Case(look(*sets, saved=saved, flag=flag, status=status), variables=variables, **case)


NO_BACKUP = {"is_recent": False, "age_seconds": None, "reason": "none is named", "by": ""}
UNREAD = {
    "available": False,
    "reason": "PostgreSQL shop at 10.0.0.5: nothing listens there",
    "error": "refused",
    "tool": "alembic",
}
NO_IMAGE = {"history": {"why_not": "alembic: docker was killed: it had not ended within 30 s"}}

test_concluded = table(
    "migrations",
    SYSTEM,
    {
        "all are applied": of(alembic(), says=["shop: 3 of 3 applied (Alembic, at c3)"]),
        "all are applied, and the application says so": of(alembic(), flag=True),
        "one is pending": of(
            alembic(at=("b2",)), problems=["pending"], **MIGRATED, says=["Not applied: 1 of shop (Alembic): c3"],
        ),
        "one is pending, and the application says so": of(
            alembic(at=("b2",)), flag=False, status=503, problems=["pending"], **MIGRATED,
        ),
        "one is pending, and the application says that all are applied": of(
            alembic(at=("b2",)), flag=True, problems=["pending"], why_not="api says that its migrations are current",
        ),
        "all are applied, and the application does not know": of(
            alembic(), flag=False, problems=["flag_behind"], says=["api says that its migrations are not current, and all are applied"],
        ),
        "what the application says is no JSON": of(alembic(), flag="html", unknown=["flag_behind"], nothing_shows=["flags"]),
        "two sets, and one of them is pending": of(
            alembic(), knex(done=("1_a.js",)), variables={"system_migrations": {**SYSTEM["system_migrations"], "billing": {"tool": "knex"}}},
            problems=["pending"], **MIGRATED, says=["1 of billing (Knex): 2_b.js"],
        ),
        "two sets are pending, and somebody migrates one of them": of(
            alembic(at=("b2",)), knex(done=("1_a.js",), working=[{**AT_WORK, "writes_table": True}]),
            variables={"system_migrations": {**SYSTEM["system_migrations"], "billing": {"tool": "knex"}}},
            problems=["migrating_now", "pending"], **MIGRATED, says=["billing: process 77 (report of app from 10.0.0.9) writes to knex_migrations"],
        ),
        # The backup.
        "no backup is named": of(
            alembic(at=("b2",)), variables={"migrations_backup": {}}, saved=NO_BACKUP,
            problems=["pending"], why_not="none is named",
        ),
        "the backup is two days old": of(
            alembic(at=("b2",)), saved=backup(2 * DAY), problems=["pending"], why_not="the last verified backup is 48.0 h old",
        ),
        "the backup is empty": of(alembic(at=("b2",)), saved=backup(size=0), problems=["pending"], why_not="is empty"),
        "the backup is a folder": of(alembic(at=("b2",)), saved=backup(mode=0o040700), problems=["pending"], why_not="is no regular file"),
        "the backup is of tomorrow": of(alembic(at=("b2",)), saved=backup(-DAY), problems=["pending"], why_not="in the future"),
        "no backup, and the operator says why": of(
            alembic(at=("b2",)), saved=backup(2 * DAY), variables={"migrations_without_backup": "the table is empty"}, problems=["pending"], **MIGRATED,
        ),
        # What looks like pending migrations, and is not.
        "a standby that lags": of(
            alembic(at=("b2",), in_recovery=True, replay_lag_seconds=90.0), problems=["asks_a_replica"], says=["its last transaction is 90 s old"],
        ),
        "a standby of which nothing is known, and the application says that all is not applied": of(
            alembic(at=("b2",), in_recovery=True), flag=False, problems=["asks_a_replica"], says=["how far is not known"],
        ),
        "the application was rolled back": of(
            alembic(image=("a1", "b2"), at=("c3",), commands={"current": ended("", 255, "FAILED: Can't locate revision identified by 'c3'")}),
            problems=["database_ahead"], says=["The database has what the image has not: shop: c3"],
        ),
        "the application of Knex was rolled back": of(
            knex(image=("1_a.js",), done=("1_a.js", "2_b.js")), variables=KNEX, problems=["database_ahead"],
            says=["The database has what the image has not: shop: 2_b.js"],
        ),
        "the tool looks at another database": of(
            alembic(at=("c3",), current=("b2",)), problems=["another_database"], says=["the tool is at b2, and the table at c3"],
        ),
        "a database in which nothing was ever applied": of(
            alembic(at=()), problems=["never_applied"], says=["shop has no row in alembic_version"],
        ),
        # Failed, half, changed.
        "one ended in the midst": of(
            prisma(("1_a", True, "0"), ("2_b", False, "0")), variables=PRISMA, problems=["failed"],
            says=["It ended in the midst, and is marked so: 2_b of shop: ERROR: column there"],
        ),
        "one ended in the midst, and another is pending": of(
            prisma(("1_a", True, "0"), ("2_b", False, "0"), image=("1_a", "2_b", "3_c")), variables=PRISMA, problems=["failed", "pending"],
            why_not="2_b ended in the midst",
        ),
        "one was changed afterwards": of(
            prisma(("1_a", True, "9"), ("2_b", True, "0")), variables=PRISMA, problems=["changed_afterwards"],
            says=["Changed after it was applied: shop: 1_a"],
        ),
        "one of Prisma is pending": of(prisma(("1_a", True, "0")), variables=PRISMA, problems=["pending"], **MIGRATED),
        "one of Prisma is pending, and its command sets no limits": of(
            prisma(("1_a", True, "0")), variables={"system_migrations": {"shop": {"tool": "prisma"}}}, problems=["pending"],
            why_not="Prisma reads no PGOPTIONS",
        ),
        "several heads": of(
            alembic(image=("a1", "b2", "c3"), heads=("b2", "c3"), at=("b2",)), problems=["several_heads", "pending"],
            says=["several heads", "shop: c3, b2"], why_not="there are several heads",
        ),
        "several heads, all applied": of(alembic(image=("a1", "b2", "c3"), heads=("b2", "c3"), at=("b2", "c3"))),
        "several heads, and the inventory says how": of(
            alembic(image=("a1", "b2", "c3"), heads=("b2", "c3"), at=("b2",)), problems=["pending"], **MIGRATED,
            variables={"system_migrations": {"shop": {"tool": "alembic", "migrate": ["alembic", "upgrade", "heads"]}}},
        ),
        "Django says that history is inconsistent": of(
            set_of(
                "django", [{"app": "shop", "name": "0002_b", "age_seconds": DAY}],
                {"plan": ended("[ ]  shop.0001_a\n[X]  shop.0002_b\n"), "dry": ended("", 1, "InconsistentMigrationHistory: 0002 before 0001")},
            ),
            variables={"system_migrations": {"shop": {"tool": "django"}}}, problems=["tool_refuses", "pending"],
            why_not="Django refuses: InconsistentMigrationHistory",
        ),
        "Goose leaves one out": of(
            set_of(
                "goose", [{"version": "1"}, {"version": "3"}],
                {"status": ended(
                    "    Applied At                  Migration\n    =======================================\n"
                    "    Mon Nov 30 05:00:00 2026 -- 00001_a.sql\n    Pending                  -- 00002_b.sql\n"
                    "    Mon Nov 30 05:00:00 2026 -- 00003_c.sql\n"
                )},
            ),
            variables={"system_migrations": {"shop": {"tool": "goose"}}}, problems=["out_of_order", "pending"], why_not="2 is older than what is applied",
        ),
        "golang-migrate is dirty": of(
            set_of("golang_migrate", [{"version": "2", "dirty": True}], {"files": ended("1_a.up.sql\n1_a.down.sql\n2_b.up.sql\n3_c.up.sql\n")}),
            variables={"system_migrations": {"shop": {"tool": "golang_migrate", "folder": "/m", "migrate": ["up"]}}}, problems=["failed", "pending"],
            why_not="2 ended in the midst",
        ),
        "golang-migrate without a command": of(
            set_of("golang_migrate", [{"version": "2", "dirty": False}], {"files": ended("1_a.up.sql\n2_b.up.sql\n3_c.up.sql\n")}),
            variables={"system_migrations": {"shop": {"tool": "golang_migrate", "folder": "/m"}}}, problems=["pending"],
            why_not="system_migrations.shop does not say how: give it migrate",
        ),
        # Locks, and what is in the way.
        "a lock row was left behind": of(
            knex(locked=True), variables=KNEX, problems=["lock_left"], acts=["unlock"], risk="high",
        ),
        "a lock row was left behind, and one is pending": of(
            knex(done=("1_a.js",), locked=True), variables=KNEX, problems=["lock_left", "pending"], acts=["unlock", "migrate"], risk="high",
        ),
        "a lock row, and somebody migrates": of(
            knex(done=("1_a.js",), locked=True, working=[AT_WORK]), variables=KNEX, problems=["migrating_now"],
            says=["process 77 (report of app from 10.0.0.9) ALTER TABLE"],
        ),
        "a lock row, and somebody is busy with something": of(
            knex(done=("1_a.js",), locked=True, busy=[SESSION]), variables=KNEX, problems=["lock_left", "pending"],
            why_not="process 77 (report of app from 10.0.0.9, 3600 s in a transaction) has been at work for a while, and may be the one",
        ),
        "a lock row, and sessions are hidden": of(
            knex(done=("1_a.js",), locked=True, hidden=3), variables=KNEX, problems=["lock_left", "pending"],
            why_not="grant pg_monitor to the role that asks",
        ),
        "somebody holds the lock of this project": of(
            alembic(at=("b2",), advisory=[{**SESSION, "class": sessions.LOCK[0], "object": sessions.LOCK[1], "sub": 2, "granted": True}]),
            problems=["migrating_now"], says=["holds the lock under which oncall.runbooks migrates"],
        ),
        "somebody builds an index, and nothing is pending": of(alembic(working=[{**AT_WORK, "builds_index": True}])),
        "a long transaction": of(
            alembic(at=("b2",), long=[{**SESSION, "state": "idle in transaction"}]), problems=["held_up", "pending"],
            says=["process 77 (report of app from 10.0.0.9, 3600 s in a transaction)"], why_not="would hold it up",
        ),
        "a prepared transaction": of(
            alembic(at=("b2",), prepared=[{"gid": "x", "user": "app", "seconds": 9000.0}]), problems=["held_up", "pending"],
            why_not="a prepared transaction (x of app from prepared",
        ),
        "a long transaction, and nothing is pending": of(alembic(long=[{**SESSION, "state": "active"}])),
        "an index is not valid": of(
            alembic(invalid=[INVALID]), problems=["index_not_valid"], says=["public.orders_note of orders"],
        ),
        "an index is not valid, and one is pending": of(
            alembic(at=("b2",), invalid=[INVALID]), problems=["index_not_valid", "pending"], why_not="the index public.orders_note is not valid",
        ),
        "an index is not valid, and may stay": of(
            alembic(at=("b2",), invalid=[INVALID]), variables={"migrations_accept_invalid_indexes": ["public.orders_note"]},
            problems=["pending"], **MIGRATED,
        ),
        # What cannot be seen.
        "the image cannot be asked": of(alembic(at=("b2",), commands=NO_IMAGE), unknown=NOTHING_COMPLETE),
        "the command prints something else": of(
            alembic(commands={"history": ended("OCI runtime exec failed")}), unknown=NOTHING_COMPLETE,
        ),
        "the history is cut off": of(
            alembic(commands={"history": ended("Rev: c3 (head)\nParent: b2\nPath: x\n")}), unknown=NOTHING_COMPLETE,
        ),
        "sessions are hidden": of(alembic(hidden=3), unknown=NOTHING_COMPLETE),
        "the database does not answer": of(UNREAD, unknown=None),
        "one of two databases does not answer": of(
            UNREAD, knex(done=("1_a.js",)), variables={"system_migrations": {**SYSTEM["system_migrations"], "billing": {"tool": "knex"}}},
            problems=["pending"], **MIGRATED,
        ),
        "a set to look at that is not there": of(
            alembic(), variables={"migrations_only": ["shop", "shpo"]}, nothing_shows=["named"],
        ),
    },
)  # fmt: skip


# The rows that every runbook has; tests/contract sees that they conclude this.
HEALTHY_ROW = "test_concluded[all are applied, and the application says so]"
WRONG_CAUSE_ROW = "test_concluded[a standby that lags]"
NO_TELEMETRY_ROW = "test_concluded[the database does not answer]"
