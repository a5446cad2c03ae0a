# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was measured -> what must be concluded, for every cause of the runbook backup."""

from __future__ import annotations

import time
from typing import Any

from ansible_collections.oncall.runbooks.tests.support.backups import (
    DAY,
    HOUR,
    database,
    dump,
    of_files,
    of_redis,
    of_tool,
    packed,
    stanza,
    unreachable,
)
from ansible_collections.oncall.runbooks.tests.support.tables import Case, diagnose, table

NIGHTLY = {"path": "/backups", "pattern": "shop_*.sql.gz", "tables": ["users", "orders"]}
SCRIPT = {**NIGHTLY, "command": ["/app/scripts/backup.sh"]}
SYSTEM: dict[str, Any] = {"system_backups": {"nightly": NIGHTLY}, "system_database": {"name": "shop"}}
WHOLE = packed(dump(users=300, orders=500))
NEWEST = "shop_20261130.sql.gz"
BEFORE = [(f"shop_{20261129 - day}.sql.gz", WHOLE, (26 + 24 * day) * HOUR) for day in range(4)]
FOR_MAKING = {"acts": ["make_backup"], "risk": "medium"}


def look(*seen: dict[str, Any], **more: Any) -> dict[str, Any]:
    names = ("nightly", "other")
    return {
        "backup": {
            "available": True,
            "complete": all(one["complete"] for one in seen),
            "limits": [],
            "backups": dict(zip(names, seen)),
            **more,
        }
    }


def of(newest: bytes | None = WHOLE, age: float = 2 * HOUR, given: dict[str, Any] = NIGHTLY, **case: Any) -> Case:
    """A case of one backup of every night, of which the newest is this."""
    beside = {"database": case.pop("database", database()), **case.pop("beside", {})}
    options = {key: case.pop(key) for key in ("record", "odd", "growing", "found") if key in case}
    files = case.pop("files", BEFORE)
    files = [(NEWEST, newest, age), *files] if newest is not None else files
    seen = of_files(given, files, beside, **options, **options.pop("found", {}))
    variables = {"system_backups": {"nightly": given}} if given is not NIGHTLY else {}
    return Case(look(seen), variables={**variables, **case.pop("variables", {})}, **case)


def tool(kind: str, *arguments: Any, **case: Any) -> Case:
    beside = case.pop("beside", {})
    return Case(
        look(of_tool(kind, *arguments, **beside)), variables={"system_backups": {"nightly": {"kind": kind}}}, **case
    )


def redis(**info: str) -> Case:
    case = {key: info.pop(key) for key in ("problems", "says", "nothing_shows", "why_not") if key in info}
    return Case(look(of_redis(**info)), variables={"system_backups": {"nightly": {"kind": "redis"}}}, **case)  # type: ignore[arg-type]


def schedule(**more: Any) -> dict[str, Any]:
    return {**NIGHTLY, "schedule": {"command": ["/app/scripts/backup.sh"], "at": "0 3 * * *", **more}}


ABSENT = {"schedule": {"kind": "cron", "present": False, "why": "no crontab here starts it"}}
NOT_SEEN = {
    "backup": {"available": False, "reason": "backup nightly /backups: No such file or directory", "backups": {}}
}
ARCHIVING = {
    "archive_mode": "on",
    "archiver": {"failing": True, "failed_count": 7, "last_failed_wal": "0000000100000000000000A3"},
}
DRILL = {"ok": True, "why": "", "file": NEWEST, "seconds": 90.0, "tables": 2, "rows": 800}
NOW = str(int(time.time()))
UNREAD = ["broken_backup", "of_another_database", "tables_missing", "unpacks_endlessly", "shrunk", "not_tried"]
BOMB = packed(b"--\n-- PostgreSQL database dump\n" + b"\0" * (40 * 1024 * 1024))

test_concluded = table(
    "backup",
    SYSTEM,
    {
        # What is well, and looks as if it were not.
        "young and whole": of(age=HOUR, says=["is 60 min old", "100% of the usual size", "proven: tables, 800 rows in 2 tables"]),
        "an hour before it is too old": of(age=25 * HOUR),
        "as it is, and nothing is packed": of(dump(users=3, orders=5), files=[]),
        "the first one there is": of(files=[]),
        "the one that is being written is not looked at": of(packed(dump(users=3, end="")), age=0, growing=1, files=[(f"shop_{n}.sql.gz", WHOLE, (n + 3) * HOUR) for n in range(3)]),
        "its database does not answer, and it is young": of(database=unreachable()),
        "a replica's backup": of(database=database(in_recovery=True, archive_mode="on", archiver={"failing": True, "failed_count": 1, "last_failed_wal": None}, replay_age_seconds=30 * HOUR)),
        "a FIFO from before": of(odd=[("shop_old.sql.gz", 5 * DAY)]),
        "larger than ever": of(packed(dump(users=30000, orders=500))),
        "a run failed and a later one did not": of(record={"run": {"ok": False, "exit_code": 1, "stderr": ["x"], "at_seconds": time.time() - DAY}}),
        "restored as a test": of(record={"drill": {**DRILL, "of": NEWEST, "at_seconds": time.time() - DAY}}, variables={"backup_drill_days": 7}, says=["proven: restored"]),
        # The newest.
        "too old": of(age=30 * HOUR, files=BEFORE[3:], problems=["stale"], **FOR_MAKING, says=["is 30 h old, and may be 26 h"]),
        "too old, and its heartbeat is not": of(age=30 * HOUR, files=BEFORE[3:], beside={"heartbeat": {"age_seconds": HOUR, "why": ""}}, problems=["stale"], **FOR_MAKING, says=["though its heartbeat is 60 min old"]),
        "too old, and its log says why": of(age=30 * HOUR, files=BEFORE[3:], beside={"log_errors": ["pg_dump: error: connection to server failed"]}, problems=["stale"], **FOR_MAKING, says=["its log: pg_dump: error"]),
        "too old, made by a script": of(age=30 * HOUR, files=BEFORE[3:], given=SCRIPT, database=None, problems=["stale"], **FOR_MAKING),
        "none at all": of(None, files=[], problems=["stale"], **FOR_MAKING, says=["there is none in"]),
        "too old, and nothing can make one": of(age=30 * HOUR, files=BEFORE[3:], database=None, problems=["stale"], why_not="nightly: give it a command"),
        "too old, and two stars tell no name": of(age=30 * HOUR, files=[], given={**NIGHTLY, "pattern": "*_*.sql.gz"}, problems=["stale"], why_not="has not exactly one star to put the time into"),
        "too old, and another is being made": of(None, files=[("shop_new.sql.gz", b"--\n", 0.0), *((f"shop_{n}.sql.gz", WHOLE, (n + 30) * HOUR) for n in range(3))], growing=1, problems=["being_made"], says=["is being made now (shop_new.sql.gz)"]),
        "empty": of(b"", problems=["empty_backup"], **FOR_MAKING, says=["shop_20261130.sql.gz is empty: 0 bytes"]),
        "cut off in the packing": of(WHOLE[:-40], problems=["broken_backup"], **FOR_MAKING, says=["it is cut off after"]),
        "cut off before it was packed": of(packed(dump(users=300, orders=500, end="")), problems=["broken_backup"], **FOR_MAKING, says=["its last line is not that of a whole dump"]),
        "the words of an error instead of a dump": of(packed(b"pg_dump: error: connection refused\n"), problems=["broken_backup"], **FOR_MAKING, says=["it does not begin as a dump"]),
        "no dump at all": of(b"\x00\x01\x02" * 300, problems=["broken_backup"], **FOR_MAKING),
        "cut off and too old": of(WHOLE[:-40], age=30 * HOUR, files=[], problems=["broken_backup"], **FOR_MAKING),
        "a bomb": of(BOMB, problems=["unpacks_endlessly"], says=["over 400 times its size"]),
        "encrypted": of(b"-----BEGIN PGP MESSAGE-----\n\nhQEMA", unknown=UNREAD, says=["it is encrypted: nothing of it can be looked at here"]),
        "encrypted, and too old": of(b"Salted__\x01\x02", age=30 * HOUR, files=[], problems=["stale"], unknown=UNREAD, **FOR_MAKING),
        "of a newer server": of(packed(dump(users=3, orders=4, version="17.2")), files=[], problems=["newer_version"], says=["newer than the server (15)"]),
        "fresh, and of another database": of(packed(dump(users=300, orders=500, database="staging")), problems=["of_another_database"], says=["is of the database staging, and should be of shop"]),
        "without a table": of(packed(dump(users=900)), problems=["tables_missing"], says=["not in it: public.orders"]),
        "none of the tables of its database, and nobody says which have to be there": of(
            packed(dump(unrelated=800)), given={"path": "/backups", "pattern": "shop_*.sql.gz"}, files=[], problems=["tables_missing"],
            says=["not in it: 2 of the 2 tables of the database, such as public.orders, public.users"],
        ),
        "without a column": of(given={**NIGHTLY, "tables": [{"name": "users", "columns": ["id", "email"]}]}, problems=["tables_missing"], says=["public.users.email"]),
        "without the rows of any table": of(packed(dump(users=None, orders=None)), problems=["tables_missing"], says=["as with pg_dump --schema-only"]),
        "without the rows of a table": of(packed(dump(users=300, orders=None)), problems=["tables_missing"], says=["--exclude-table-data: public.orders"]),
        "small, as data was truncated": of(packed(dump(users=3, orders=5)), problems=["shrunk"], says=["of the usual size"]),
        "of its usual size, and a table is empty": of(packed(dump(users=700, orders=0)), problems=["shrunk"]),
        "a directory, a FIFO or a device is newer": of(age=20 * HOUR, odd=[("shop_now.sql.gz", HOUR)], problems=["no_file"], says=["shop_now.sql.gz is a FIFO"]),
        "a folder for each day": of(None, files=[("2026-12-01/shop_1.sql.gz", WHOLE, HOUR)], problems=["no_file"], says=["2026-12-01 is a folder with files in it"]),
        # Why.
        "too old, and its database is down": of(age=30 * HOUR, files=[], database=unreachable(), problems=["database_down"], says=["refused"]),
        "empty, and the disk is full": of(b"", found={"free_bytes": 10}, problems=["no_room"], says=["10.00 Bytes are free"]),
        "young, and the disk is full": of(found={"free_bytes": 10}),
        "the archiver fails": of(database=database(**ARCHIVING), problems=["archiver_failing"], says=["0000000100000000000000A3 (7 failures)"]),
        # What starts it.
        "nothing starts it": of(given=schedule(cron_file="/etc/cron.d/oncall-backup"), beside=ABSENT, problems=["not_scheduled"], acts=["put_schedule_in_place"], risk="low", says=["no crontab here starts it"]),
        "nothing starts it, and no file is named for it": of(given=schedule(), beside=ABSENT, problems=["not_scheduled"], why_not="Give schedule a cron_file"),
        "nothing starts it in its container": of(given=schedule(container="app", cron_file="/etc/cron.d/x"), beside=ABSENT, problems=["not_scheduled"], why_not="are not written from here"),
        "nothing starts it, and it is too old": of(
            age=30 * HOUR, files=[], given=schedule(cron_file="/etc/cron.d/oncall-backup"), beside=ABSENT, problems=["stale", "not_scheduled"],
            acts=["make_backup", "put_schedule_in_place"], risk="medium", says=["is 30 h old"],
        ),
        "what starts it cannot be seen": of(given=schedule(), beside={"schedule": {"kind": "cron", "present": None, "why": "no"}}, nothing_shows=["scheduled"]),
        "only its heartbeat is old": of(beside={"heartbeat": {"age_seconds": 30 * HOUR, "why": ""}}, problems=["heartbeat_stale"]),
        "its heartbeat cannot be seen": of(beside={"heartbeat": {"age_seconds": None, "why": "no"}}, nothing_shows=["heartbeat"]),
        # Restores.
        "never restored as a test, and it has to be": of(variables={"backup_drill_days": 7}, problems=["not_tried"], acts=["try_restore"], risk="medium"),
        "never restored as a test, and it cannot be": of(variables={"backup_drill_days": 7}, database=database(may_create_databases=False), problems=["not_tried"], why_not="CREATEDB"),
        "the last test restore is long ago": of(record={"drill": {**DRILL, "identity": "1", "size_bytes": 9, "at_seconds": time.time() - 9 * DAY}}, variables={"backup_drill_days": 7}, problems=["not_tried"], acts=["try_restore"], risk="medium"),
        "its test restore failed": of(record={"drill": {**DRILL, "ok": False, "why": "public.users has 299 rows", "of": NEWEST, "at_seconds": time.time()}}, problems=["restore_failed"], says=["public.users has 299 rows"]),
        # Tools, and Redis.
        "pgBackRest has a young one": tool("pgbackrest", stanza(2 * HOUR), says=["20261130-010002F is 2 h old"]),
        "pgBackRest tells a failure with exit code 0": tool("pgbackrest", stanza(2 * HOUR, code=2, message="no valid backups"), problems=["tool_says_no"], says=["status 2: no valid backups"]),
        "pgBackRest found damaged pages": tool("pgbackrest", stanza(2 * HOUR, error=True), problems=["tool_says_no"], says=["pages with wrong checksums"]),
        "pgBackRest's is too old": tool("pgbackrest", stanza(30 * HOUR), problems=["stale"], why_not="give it a command"),
        "WAL-G has a gap in its log": tool("wal_g", [{"backup_name": "base_1", "finish_time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}], {"integrity": {"status": "FAILURE"}}, problems=["tool_says_no"], says=["wal-verify integrity: FAILURE"]),
        "WAL-G has none": tool("wal_g", [], problems=["stale"], why_not="give it a command"),
        "Redis saved a moment ago": redis(rdb_last_save_time=NOW, rdb_changes_since_last_save="5", rdb_last_bgsave_status="ok"),
        "Redis saved long ago, and nothing was changed since": redis(rdb_last_save_time="1000", rdb_changes_since_last_save="0", rdb_last_bgsave_status="ok"),
        "Redis saved long ago": redis(rdb_last_save_time="1000", rdb_changes_since_last_save="5", rdb_last_bgsave_status="ok", problems=["stale"], why_not="give it a command"),  # type: ignore[arg-type]
        "Redis could not save": redis(rdb_last_save_time=NOW, rdb_changes_since_last_save="5", rdb_last_bgsave_status="err", problems=["tool_says_no"]),  # type: ignore[arg-type]
        # What is asked.
        "a backup to look at that is not there": of(variables={"backup_backups": ["nightly", "weekly"]}, nothing_shows=["named"]),
        "a file from the future": of(age=-2 * HOUR, nothing_shows=["fresh"]),
        "nothing is seen": Case(NOT_SEEN, unknown=None),
    },
)  # fmt: skip


def test_arguments_of_a_command_and_passwords_are_not_shown():
    """They may be secret, and what is shown still tells one from another."""
    commands = [["/app/backup.sh", "--key", f"dont-show-this-{number}"] for number in range(2)]
    shown = []
    for command in commands:
        given = {**NIGHTLY, "command": command, "database": {"name": "shop", "password": "dont-show-this"}}
        case = of(age=30 * HOUR, files=[], given=given)
        told = diagnose("backup", case.observed, **{**SYSTEM, "system_backups": {"nightly": given}})
        # The evidence comes into the record.
        assert told["findings"] and told["evidence"]
        assert "dont-show-this" not in str(told)
        shown.append(str(told["plan"]["steps"][0]["targets"]))
    assert "/app/backup.sh with its 2 arguments" in shown[0]
    assert shown[0] != shown[1]


# The rows that every runbook has; tests/contract sees that they conclude this.
HEALTHY_ROW = "test_concluded[young and whole]"
WRONG_CAUSE_ROW = "test_concluded[small, as data was truncated]"
NO_TELEMETRY_ROW = "test_concluded[nothing is seen]"
