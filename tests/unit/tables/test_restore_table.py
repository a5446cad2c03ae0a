# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was measured -> what must be concluded, for every cause of the runbook restore."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.backups.belongings import nothing
from ansible_collections.oncall.runbooks.plugins.module_utils.backups.facts import MAINTENANCE
from ansible_collections.oncall.runbooks.plugins.module_utils.postgres.restores import mark_of, name_for
from ansible_collections.oncall.runbooks.plugins.plugin_utils.readings.restore import already
from ansible_collections.oncall.runbooks.tests.support.backups import (
    DAY,
    HOUR,
    NOW,
    database,
    dump,
    of_files,
    packed,
    unreachable,
)
from ansible_collections.oncall.runbooks.tests.support.observed_services import running
from ansible_collections.oncall.runbooks.tests.support.tables import Case, causes_that_are, diagnose, table

NIGHTLY = {"path": "/backups", "pattern": "shop_*.sql.gz", "tables": ["users"], "services": ["api"]}
SYSTEM: dict[str, Any] = {
    "system_backups": {"nightly": NIGHTLY},
    "system_database": {"name": "shop"},
    "system_services": {"api": {"manager": "compose", "project": "/srv/shop"}},
}
WHOLE = packed(dump(users=300, orders=500))
# None: a table without a part for its rows.
BARE = dump(users=None, orders=None)
NEWEST = "shop_20261130.sql.gz"
CONFIRMED = {"restore_from": "newest", "restore_confirm": "shop"}
RESTORES = {"acts": ["restore"], "risk": "high", "problems": ["restore_requested"]}


def made(
    kind: str, sessions: int = 0, age: float = HOUR, state: str = "made", of: str = "shop", **told: Any
) -> dict[str, Any]:
    """A database that a restore made, as the server lists it."""
    stamp = NOW - age if kind in ("old", "failed") else None
    comment = mark_of(kind, of, state=state, began_seconds=NOW - age, backup="nightly", file=NEWEST, **told)
    return {"name": name_for(kind, of, stamp), "comment": comment, "sessions": sessions}


def beside(*databases: dict[str, Any], **told: Any) -> dict[str, Any]:
    return database(databases=list(databases), **told)


def of(
    content: bytes = WHOLE,
    live: dict[str, Any] | None = None,
    state: dict[str, Any] | None = None,
    given: dict[str, Any] = NIGHTLY,
    **case: Any,
) -> Case:
    options = {key: case.pop(key) for key in ("record", "found", "age") if key in case}
    record, found, age = options.get("record"), options.get("found", {}), options.get("age", 2 * HOUR)
    seen = of_files(given, [(NEWEST, content, age)], {"database": live or database()}, record, **found)
    service = {"service": {"available": True, "services": {"api": state or running()}}} if given.get("services") else {}
    observed = {"backup": {"available": True, "complete": True, "limits": [], "backups": {"nightly": seen}}, **service}
    variables = {"system_backups": {"nightly": given}} if given is not NIGHTLY else {}
    return Case(observed, variables={**variables, **case.pop("variables", CONFIRMED)}, **case)


DRILL = {
    "ok": True,
    "why": "",
    "file": NEWEST,
    "seconds": 600.0,
    "tables": 2,
    "rows": 800,
    "of": NEWEST,
    "at_seconds": NOW - 3 * DAY,
}
GONE = {**unreachable("no_database"), "is_there": False, "name": "shop", "restores": [], "may_create_databases": True, "in_recovery": False, "now_seconds": NOW, "server_version": "15.18"}  # fmt: skip
OWNED = {**nothing(), "owner": "app"}
EXITED = running(state="exited", uptime_seconds=None)
# A run was killed between making it and saying in it what it is.
UNMARKED = {"name": name_for("new", "shop"), "comment": None, "sessions": 0}
UNSEEN = {
    "backup": {"available": False, "reason": "backup nightly /backups: No such file or directory", "backups": {}},
    "service": {"available": False, "reason": "Docker does not answer", "services": {}},
}

test_concluded = table(
    "restore",
    SYSTEM,
    {
        "nothing is asked": of(variables={}, says=["shop: 7.6 MB in 2 tables", "proven: tables"]),
        "nothing is asked, and a former one is kept": of(live=beside(made("old", age=9 * DAY)), variables={}, says=["kept for a way back: oncall_old_"]),
        "a restore of another database is half done": of(live=beside(made("new", of="other")), variables={}),
        "nothing is asked, and the backup is broken": of(WHOLE[:-30], variables={}),
        # What was asked for.
        "asked for and confirmed": of(**RESTORES, says=["is asked for, in the place of shop", "how long it takes is not known"]),
        "how long it takes is told": of(**RESTORES, record={"drill": DRILL}, says=["about 10 min by the last test restore, 3 days ago"]),
        "asked for, without services": of(given={**NIGHTLY, "services": []}, **RESTORES),
        "asked for, and the database is gone": of(live=GONE, record={"database": OWNED}, **RESTORES, says=["which is not there; it gets the owner app, by what was kept"]),
        "the database is gone again, after it was restored": of(
            live={**GONE, "restores": database(databases=[made("old", age=60, identity=f"{NEWEST}-{len(WHOLE)}")])["restores"]},
            record={"database": OWNED},
            **RESTORES,
        ),
        "the database is gone, and the inventory says whose it was": of(
            live=GONE, given={**NIGHTLY, "owner": "shop_owner"}, **RESTORES, says=["the owner shop_owner, by the inventory"]
        ),
        "the database is gone, and nobody says whose it was": of(live=GONE, problems=["owner_unknown"], says=["nobody says whose it was"]),
        "it makes its database itself": of(packed(dump(users=300, orders=500, database="shop")), problems=["makes_its_own"], says=["pg_dump --create"]),
        "asked for, and the service cannot be stopped": of(
            variables={**CONFIRMED, "system_services": {"api": {"manager": "nomad"}}}, problems=["restore_requested"], why_not="unknown manager nomad"
        ),
        "not confirmed": of(variables={"restore_from": "newest"}, problems=["not_confirmed"], says=["say its name in restore_confirm", "how long"]),
        "another database confirmed": of(variables={**CONFIRMED, "restore_confirm": "shop2"}, problems=["not_confirmed"], says=["5 characters of something else"]),
        "asked for again, after one was cut off": of(live=beside(made("new", state="stopping")), **RESTORES, says=["is dropped first: oncall_new_"]),
        "asked for and not confirmed, after one was cut off": of(live=beside(made("new")), variables={"restore_from": "newest"}, problems=["left_over", "not_confirmed"], acts=["clean_up"], risk="medium"),
        "on a standby": of(live=database(in_recovery=True), problems=["standby"]),
        "without the right to make databases": of(live=database(may_create_databases=False), problems=["not_allowed"]),
        "something replicates from it": of(live=database(logical_slots=["debezium"]), problems=["held_in_place"], says=["logical replication slots: debezium"]),
        "cut off": of(WHOLE[:-30], problems=["not_proven"], says=["it is cut off after"]),
        "without its tables": of(packed(dump(orders=5)), problems=["not_proven"]),
        "encrypted": of(b"age-encryption.org/v1\n", problems=["not_proven"], says=["it is encrypted"]),
        "of 0 bytes": of(b"", problems=["not_proven"], says=["it is empty (0 bytes)"]),
        "of a newer server": of(packed(dump(users=3, orders=4, version="17.2")), problems=["not_proven"], says=["newer than the server"]),
        "its test restore failed": of(record={"drill": {**DRILL, "ok": False, "why": "it broke"}}, problems=["not_proven"], says=["a test restore of it failed: it broke"]),
        "its test restore failed, and somebody names it": of(
            record={"drill": {**DRILL, "ok": False, "why": "it broke"}}, variables={**CONFIRMED, "restore_from": NEWEST}, **RESTORES
        ),
        "the newest is from the future": of(age=-2 * HOUR, problems=["not_proven"], says=["nobody knows which is the newest"]),
        "one from the future is named": of(age=-2 * HOUR, variables={**CONFIRMED, "restore_from": NEWEST}, **RESTORES),
        "fresh, and of another database": of(packed(dump(users=300, orders=500, database="staging")), problems=["of_another_database", "makes_its_own"]),
        "from before a migration": of(live=database(tables={"public.users": ["id", "name", "email"], "public.orders": ["id"], "public.new": ["id"]}), problems=["would_lose"], says=["public.new, public.users.email"]),
        "from before a migration, which is given up": of(
            live=database(tables={"public.users": ["id", "name", "email"], "public.new": ["id"]}),
            variables={**CONFIRMED, "restore_accepted": ["public.new", "public.users.email"]},
            **RESTORES,
        ),
        "only the schema was dumped": of(packed(BARE), problems=["not_proven"], says=["it has no rows of any table"]),
        "the rows of a table were not dumped": of(packed(dump(users=300, orders=None)), problems=["would_lose"], says=["public.orders"]),
        "no room for the dump": of(found={"free_bytes": 10}, variables={**CONFIRMED, "restore_safety_folder": "/backups"}, problems=["no_room"]),
        # What was left.
        "another restore is under way": of(live=beside(made("new", sessions=1)), problems=["under_way"]),
        "cut off before anything was stopped": of(live=beside(made("new", state="restored")), variables={}, problems=["left_over"], acts=["clean_up"], risk="medium", says=["shop was not touched; no service was stopped"]),
        "cut off before it was marked": of(live=beside(UNMARKED), variables={}, problems=["left_over"], acts=["clean_up"], risk="medium", says=["(from a backup, made)"]),
        "cut off before it was marked, and asked for again": of(live=beside(UNMARKED), **RESTORES, says=["is dropped first: oncall_new_"]),
        "cut off after one came where there was none": of(
            live=beside({"name": "shop", "comment": mark_of("restored", "shop", state="swapped", began_seconds=NOW - 60), "sessions": 0}),
            state=EXITED, variables={}, problems=["services_stopped"], acts=["start_services"], risk="medium", says=["there was none before"],
        ),
        "cut off when the services were stopped": of(live=beside(made("new", state="stopping")), state=EXITED, variables={}, problems=["left_over"], acts=["clean_up"], risk="medium", says=["the services may be stopped"]),
        "cut off after it was exchanged": of(live=beside(made("old", state="swapped")), state=EXITED, variables={}, problems=["services_stopped"], acts=["start_services"], risk="medium"),
        "its service does not run, and nothing was restored": of(state=EXITED, variables={}, nothing_shows=["running"]),
        # The way back.
        "asked for both ways at once": of(live=beside(made("old")), variables={**CONFIRMED, "restore_back": True}, problems=["asked_both"]),
        "taken back": of(live=beside(made("old")), variables={"restore_back": True, "restore_confirm": "shop"}, problems=["take_back"], acts=["swap_back"], risk="high"),
        "taken back, and not confirmed": of(live=beside(made("old")), variables={"restore_back": True}, problems=["back_not_confirmed"]),
        "was taken back": of(live=beside(made("old", age=DAY), made("failed", age=HOUR)), variables={"restore_back": True, "restore_confirm": "shop"}),
        "the database does not answer": of(live=unreachable(), unknown=None, says=["PostgreSQL shop at 10.0.0.5: refused"]),
        "nothing is seen": Case(UNSEEN, unknown=None),
    },
)  # fmt: skip


def test_the_same_backup_is_not_restored_twice():
    seen = of().observed["backup"]["backups"]["nightly"]
    identity = seen["newest"]["identity"]
    done = {"name": "oncall_old_1", "is": "old", "began_seconds": NOW - 60, "identity": identity}
    target = {"now_seconds": NOW, "is_there": True}
    assert already(seen, target, [done], 3600.0) == [done]
    assert already(seen, target, [done], 30.0) == []
    assert already(seen, target, [{**done, "identity": "another"}], 3600.0) == []
    assert already(seen, {**target, "is_there": False}, [done], 3600.0) == []
    # One that was taken back since may be wanted again.
    assert already(seen, target, [{**done, "is": "failed"}, done], 3600.0) == []


@pytest.mark.covers("PD-9-1")
def test_what_was_done_is_not_asked_for_any_more():
    case = of()
    seen = case.observed["backup"]["backups"]["nightly"]
    kept = made("old", age=60, state="swapped", identity=seen["newest"]["identity"])
    seen["database"]["restores"] = beside(kept)["restores"]
    seen["database"]["now_seconds"] = NOW
    result = diagnose("restore", case.observed, **{**SYSTEM, **CONFIRMED})
    assert (causes_that_are(result, "problem"), result["status"]) == ([], "healthy"), result["msg"]


def test_a_database_of_the_server_is_not_one_of_ours():
    assert name_for("new", MAINTENANCE).startswith("oncall_new_")


# The rows that every runbook has; tests/contract sees that they conclude this.
HEALTHY_ROW = "test_concluded[nothing is asked]"
WRONG_CAUSE_ROW = "test_concluded[fresh, and of another database]"
NO_TELEMETRY_ROW = "test_concluded[nothing is seen]"
