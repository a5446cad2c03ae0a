# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was measured -> what must be concluded, for every cause of the runbook sync_lag."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.connectors.answer import told
from ansible_collections.oncall.runbooks.plugins.module_utils.connectors.error_classes import table_of
from ansible_collections.oncall.runbooks.plugins.module_utils.connectors.kafka_connect import rows_of
from ansible_collections.oncall.runbooks.plugins.module_utils.connectors.replication_slot import row_of
from ansible_collections.oncall.runbooks.plugins.module_utils.connectors.spec import described
from ansible_collections.oncall.runbooks.tests.support.observed_services import between_two_ends, crashing, running
from ansible_collections.oncall.runbooks.tests.support.tables import Case, diagnose, table

NOW = 1_800_000_000.0
CAN = {
    verb: ["sync", f"--{verb}", "--client", "{connector}"]
    for verb in ("sync", "skip_errors", "force", "reset", "slow_down")
}
APP: dict[str, Any] = {
    "source": "table",
    "scheduler": "worker",
    "provider": "crm",
    "period_seconds": 900,
    "credential": "the vault item crm/api-key",
    "commands": CAN,
}
SYSTEM: dict[str, Any] = {
    "system_services": {"worker": {"manager": "compose", "project": "/srv/app"}},
    "system_connectors": {"app": APP},
    "system_status_pages": {"crm": {"kind": "statuspage", "url": "https://status.crm.example", "component": "API"}},
    "system_database": {"name": "app"},
}
HOUR = 3600


def row(
    name: str = "crm", late: float = 60, last_run: float | None = 120, success: float | None = None, **more: Any
) -> dict[str, Any]:
    """A row of the table; ages in seconds. None: the source does not tell."""
    found = {
        "name": name,
        "status": "success",
        "watermark": NOW - late,
        "last_success_at": NOW - (late if success is None else success),
    }
    if last_run is not None:
        found["last_run_at"] = NOW - last_run
    return {**found, **more}


def failed(
    error: str, name: str = "crm", late: float = 3 * HOUR, last_run: float = 2 * HOUR, **more: Any
) -> dict[str, Any]:
    """One that failed some time ago and is not tried again."""
    return row(name, late, last_run, **{"status": "failed", "last_error": error, "retry_count": 5, **more})


def source(
    *rows: dict[str, Any],
    moved: float | None = None,
    ran_before: float | None = None,
    waited_before: int = 0,
    ahead: float = 0.0,
    entry: dict[str, Any] | None = None,
    **beside: Any,
) -> dict[str, Any]:
    """What the module tells of one source. ``moved``: by how much watermarks moved within five seconds; ``ran_before``: how long ago the run before was,
    and ``waited_before``: how many records waited then."""
    given = described("app", entry or APP, {"database": {"name": "app"}})
    looks = [{"now_seconds": NOW, "rows": list(rows), "limits": []}]
    if moved is not None:
        before = [{**one, "watermark": one["watermark"] - moved} if "watermark" in one else one for one in rows]
        if ran_before is not None:
            before = [{**one, "last_run_at": NOW - ran_before, "pending": waited_before} for one in before]
        looks.insert(0, {"now_seconds": NOW - 5, "rows": before, "limits": [], "ago_seconds": 5.0})
    return {"available": True, "source": given["source"], **told(given, looks, table_of({}), NOW - ahead), **beside}


def look(
    app: dict[str, Any], worker: dict[str, Any] | None = None, page: str = "operational", **others: Any
) -> dict[str, Any]:
    sources = {"app": app, **others}
    seen = [one for one in sources.values() if one["available"]]
    return {
        "sync_state": {
            "available": bool(seen),
            "complete": len(seen) == len(sources),
            "sources": sources,
            "unknown": [name for name, one in sources.items() if not one["available"]],
            "limits": [],
            **({} if seen else {"reason": app["reason"]}),
        },
        "service": {"available": True, "services": {"worker": worker or running(replicas=1, ports=[])}},
        "status_page": {"available": True, "pages": {"crm": {"available": True, "status": page, "component": "API"}}},
    }


def kafka(
    state: str = "RUNNING", task: str = "FAILED", trace: str = "java.lang.NullPointerException: null"
) -> dict[str, Any]:
    """A connector of Kafka Connect with two tasks."""
    tasks = [{"id": 0, "state": "RUNNING"}, {"id": 1, "state": task, **({"trace": trace} if task == "FAILED" else {})}]
    status = {"name": "orders", "connector": {"state": state}, "tasks": tasks}
    rows = rows_of({"orders": {"status": status}})["rows"]
    return source(*rows, entry={"source": "kafka_connect", "url": "http://connect:8083"})


def slot(megabytes: float = 2048, **changes: Any) -> dict[str, Any]:
    """A replication slot."""
    found = {
        "name": "debezium", "kind": "logical", "active": True, "wal_status": "reserved", "invalidation_reason": "", "safe_bytes": None,
        "inactive_seconds": None, "lag_bytes": int(megabytes * 2**20), "position": 10**9, "flush_lag_seconds": None, **changes,
    }  # fmt: skip
    return source(row_of(found), entry=SLOTS)


def moving_slot(gained: int) -> dict[str, Any]:
    """One of which so many bytes less are left after five seconds."""
    found = slot()
    found["connectors"][0].update(moved=1000.0, moved_in_seconds=5.0, gained_bytes=gained)
    return found


SLOTS = {"source": "replication_slot", "scheduler": "worker"}
OF_SLOTS = {"system_connectors": {"app": SLOTS}}
OF_KAFKA = {"system_connectors": {"app": {"source": "kafka_connect", "url": "http://connect:8083"}}}
NOTHING_CAN = {"system_connectors": {"app": {**APP, "commands": {}}}}
WITHOUT_SCHEDULER = {"system_connectors": {"app": {key: one for key, one in APP.items() if key != "scheduler"}}}
DAILY = {**APP, "period_seconds": 86400}
WHENEVER = {key: one for key, one in APP.items() if key != "period_seconds"}
NEVER = {"watermark": None, "last_success_at": None}
BLIND = {"system_blind_spots": ["sync_lag.in_time"]}
GONE = {
    "available": False, "reason": "PostgreSQL app: connection refused", "error": "refused", "source": "table", "connectors": [],
    "complete": False, "limits": [], "clock_ahead_seconds": None,
}  # fmt: skip
UNSEEN = {
    **look(GONE),
    "service": {"available": False, "reason": "Docker does not answer", "services": {}},
    "status_page": {"available": False, "reason": "no page answers", "pages": {}},
}
TIMED_OUT = "connect ETIMEDOUT 10.0.0.9:443"
OPEN = {"ghl": {"available": True, "ok": True}}
SHUT = {"ghl": {"available": True, "ok": False, "error_class": "timeout", "said": "connect ETIMEDOUT 10.0.0.9"}}
SYNCED = {"acts": ["sync_one"], "risk": "low"}

test_concluded = table(
    "sync_lag",
    SYSTEM,
    {
        "all in time": Case(look(source(row(), row("erp", 600))), says=["erp, 10 min behind; crm, 60 s behind"]),
        "in time, and the error of last week is still there": Case(look(source(row(last_error="401 Unauthorized", retry_count=5)))),
        "nothing new at the other side": Case(look(source(row(late=5 * HOUR, success=60, pending=0)))),
        "it is tried again": Case(look(source(failed(TIMED_OUT, retry_count=2, last_run=60)))),
        "it says that it is tried again": Case(look(source(failed(TIMED_OUT, status="retrying", last_run=60)))),
        "it is tried again, for half a day already": Case(
            look(source(failed(TIMED_OUT, late=12 * HOUR, retry_count=2, last_run=60))), problems=["interrupted"], **SYNCED
        ),
        "it is limited, and waits": Case(look(source(failed("429 Too Many Requests, retry after 600", last_run=60)))),
        "it is limited, and its wait is over": Case(
            look(source(failed("429 Too Many Requests, retry after 60", "chat"))), problems=["too_fast"], acts=["slow_down"], risk="low",
        ),
        "it is limited, and nothing can slow it down": Case(
            look(source(failed("429 Too Many Requests", "chat"))), problems=["too_fast"], variables=NOTHING_CAN,
            why_not="chat: nothing says how: add system_connectors.app.commands.slow_down or .requests.slow_down",
        ),
        "it catches up": Case(look(source(row(late=2 * HOUR, last_run=30), moved=60.0))),
        "it catches up, and not fast enough": Case(look(source(row("logs", late=2 * HOUR, last_run=30), moved=2.0)), problems=["backlog_grows"]),
        "it stays as late as it is": Case(look(source(row("logs", late=2 * HOUR, last_run=30), moved=5.2)), problems=["backlog_grows"]),
        "it catches up, and is two days behind": Case(
            look(source(row("logs", late=48 * HOUR, last_run=30), moved=60.0)), problems=["backlog_grows"], says=["logs, 2.0 d behind"]
        ),
        "a wrong key": Case(
            look(source(failed("Request failed with status code 401", "ads"), row("erp"))), problems=["credential"],
            says=["Its key is not accepted", "ads, 3.0 h behind, failed, tried again 5 times"],
        ),
        "a wrong key, and it is tried again with it": Case(
            look(source(failed("Request failed with status code 401", "ads", retry_count=1))), problems=["credential"]
        ),
        "a key that has expired, and all is in time yet": Case(look(source(row("ads", credential_expires_at=NOW - 60))), problems=["credential"]),
        "a wrong key, and the provider has an outage": Case(look(source(failed("HTTP 403", "ads")), page="major_outage"), problems=["credential"]),
        "the scheduler has ended": Case(
            look(source(row(late=3 * HOUR, last_run=3 * HOUR)), running(state="exited")), problems=["scheduler_dead"],
            acts=["restart_sync"], risk="medium",
        ),
        "the scheduler runs, and starts nothing": Case(
            look(source(row(late=3 * HOUR, last_run=3 * HOUR), row("erp", 2 * HOUR, 2 * HOUR))), problems=["scheduler_dead"],
            acts=["restart_sync"], risk="medium", says=["Nothing starts the connectors"],
        ),
        "nothing is started, and nothing says by whom": Case(
            look(source(row(late=3 * HOUR, last_run=3 * HOUR))), problems=["scheduler_dead"], variables=WITHOUT_SCHEDULER,
            why_not="system_connectors.app.scheduler does not say which service starts them",
        ),
        "a person stopped the scheduler": Case(
            look(source(row(late=3 * HOUR, last_run=3 * HOUR)), running(state="exited", stopped_by_person=True)),
            problems=["scheduler_stopped"], says=["worker: a person stopped what starts the connectors"],
        ),
        "the scheduler ends again and again": Case(
            look(source(row(late=3 * HOUR, last_run=3 * HOUR)), crashing()), problems=["scheduler_crashes"]
        ),
        "its scheduler ends again and again, and runs just now": Case(
            look(source(row(late=3 * HOUR, last_run=3 * HOUR)), between_two_ends()), problems=["scheduler_crashes"]
        ),
        "the scheduler has ended, and all is in time yet": Case(look(source(row()), running(state="exited"))),
        "all gave up, and the scheduler runs": Case(
            look(source(failed(TIMED_OUT), failed(TIMED_OUT, "erp"))), problems=["interrupted", "others_interrupted"],
            acts=["sync_one", "sync_all"], risk="low",
        ),
        "one was missed while the other ran": Case(
            look(source(row(late=3 * HOUR, last_run=3 * HOUR), row("erp"))), problems=["interrupted"], **SYNCED
        ),
        "a timeout": Case(look(source(failed(TIMED_OUT), row("erp"))), problems=["interrupted"], **SYNCED),
        "a timeout, and its upstream can be reached": Case(
            look(source(failed(TIMED_OUT), row("erp"), tests=OPEN)), problems=["interrupted"], **SYNCED
        ),
        "a timeout, and its upstream cannot be reached now": Case(
            look(source(failed(TIMED_OUT, "maps"), row("erp"), tests=SHUT)), problems=["network"], says=["(tested now: ghl: connect ETIMEDOUT"]
        ),
        "a timeout, and the test could not be run": Case(
            look(source(failed(TIMED_OUT, "maps"), row("erp"), tests={"ghl": {"available": False, "reason": "no such file", "error": "not_run"}})),
            problems=["network"],
        ),
        "a timeout, and nothing can synchronise it": Case(
            look(source(failed(TIMED_OUT), row("erp"))), problems=["interrupted"], variables=NOTHING_CAN,
            why_not="crm: nothing says how: add system_connectors.app.commands.sync",
        ),
        "a timeout of one whose name is no name": Case(
            look(source(failed(TIMED_OUT, "'; DROP TABLE x; --"), row("erp"))), problems=["interrupted"], why_not="is not plain",
        ),
        "a name that does not resolve": Case(look(source(failed("getaddrinfo ENOTFOUND api.crm.example", "maps"), row("erp"))), problems=["network"]),
        "a name that did not resolve, and does now": Case(
            look(source(failed("getaddrinfo ENOTFOUND api.crm.example"), row("erp"), tests=OPEN)), problems=["interrupted"], **SYNCED
        ),
        "a certificate": Case(look(source(failed("certificate has expired", "maps"), row("erp"))), problems=["network"]),
        "the provider fails": Case(look(source(failed("HTTP 503 Service Unavailable", "bank"), row("erp"))), problems=["provider_down"]),
        "a timeout, and the provider has an outage": Case(
            look(source(failed(TIMED_OUT, "bank"), row("erp")), page="major_outage"), problems=["provider_down"], says=["(its status page: major_outage)"]
        ),
        "a configuration that is not accepted": Case(
            look(source(failed("Validation failed: mapping of field stage", "forms"), row("erp"))), problems=["validation"]
        ),
        "a constraint of the database": Case(
            look(source(failed("PrismaClientKnownRequestError P2002: Unique constraint failed", "shop"), row("erp"))), problems=["constraint"]
        ),
        "the same record fails again": Case(
            look(source(failed("Validation failed: email", "mails", record="4711", record_failures=4, retry_count=2), row("erp"))),
            problems=["poison_record"], acts=["sync_skipping_errors"], risk="medium", says=["record 4711 failed 4 times"],
        ),
        "a record failed once": Case(
            look(source(failed("Validation failed: email", "forms", record="4711", record_failures=1), row("erp"))), problems=["validation"]
        ),
        "its place is not known any more": Case(
            look(source(failed("410 Gone: sync token is no longer valid", "drive"), row("erp"))), problems=["cursor_lost"],
            why_not="where that is right, name it in sync_lag_reset: [app/drive]",
        ),
        "its place is not known any more, and a person has named it": Case(
            look(source(failed("410 Gone: sync token is no longer valid", "drive"), row("erp"))), problems=["cursor_lost"], acts=["reset"], risk="high",
            variables={"sync_lag_reset": ["app/drive"]},
        ),
        "its place is not known any more, and another one was named": Case(
            look(source(failed("410 Gone: sync token is no longer valid", "drive"), row("erp"))), problems=["cursor_lost"],
            variables={"sync_lag_reset": ["drive", "app/erp"]},
        ),
        "an error of no class": Case(look(source(failed("flux capacitor", "odd"), row("erp"))), problems=["error_unknown"]),
        "it failed, and says nothing": Case(look(source(failed("", "odd"), row("erp"))), problems=["error_unknown"]),
        "somebody paused it": Case(look(source(row("hr", late=3 * HOUR, status="paused"))), problems=["paused"]),
        "somebody paused one that is in time": Case(look(source(row(status="paused"), row("erp")))),
        "it runs well, brings nothing, and records wait": Case(
            look(source(row("files", late=3 * HOUR, success=60, pending=12, pending_since=NOW - 2 * HOUR), moved=0.0)),
            problems=["stalled"], acts=["force"], risk="medium", says=["12 wait, the oldest for 2.0 h"],
        ),
        "it ran well between two looks, brought nothing, and records wait": Case(
            look(source(row("files", late=3 * HOUR, last_run=2, success=2, pending=12), moved=0.0, ran_before=60.0, waited_before=12)),
            problems=["stalled"], acts=["force"], risk="medium",
        ),
        "it ran well between two looks, and what waits came after": Case(
            look(source(row("files", late=3 * HOUR, last_run=2, success=2, pending=12), moved=0.0, ran_before=60.0)), problems=["unexplained"]
        ),
        "records wait that came after its last run": Case(
            look(source(row("files", late=3 * HOUR, success=60, pending=12, pending_since=NOW - 30), moved=0.0)), problems=["unexplained"]
        ),
        "records wait, and nobody says since when": Case(
            look(source(row("files", late=3 * HOUR, success=60, pending=12), moved=0.0)), problems=["unexplained"], says=["files, 3.0 h behind, 12 wait"]
        ),
        "a run takes too long and stands still": Case(
            look(source(row("files", late=3 * HOUR, status="running", started_at=NOW - 2 * HOUR), moved=0.0)), problems=["stalled"],
            why_not="files: a run is in progress, and one beside it would write the same data",
        ),
        "it runs well and brings nothing, and nobody says whether anything waits": Case(
            look(source(row("news", late=3 * HOUR, success=60), moved=0.0)), problems=["unexplained"]
        ),
        "the clock of the database is two hours ahead": Case(
            look(source(row("time", late=2.5 * HOUR, last_run=60), ahead=2 * HOUR)), problems=["clock_off"], says=["is 7200 s ahead"]
        ),
        "records were set aside": Case(look(source(row("post", dead_letters=7))), problems=["dead_letters"], says=["7 of post"]),
        "a few were set aside, and may be": Case(look(source(row(dead_letters=7))), variables={"sync_lag_dead_letters": 10}),
        "a task of Kafka Connect failed": Case(
            look(kafka()), problems=["failed_task"], acts=["restart_tasks"], risk="low", variables=OF_KAFKA,
            says=["orders, failed, 1 of 2 tasks failed"],
        ),
        "a task of Kafka Connect failed with a wrong key": Case(
            look(kafka(trace="ConnectException: x\nCaused by: HttpException: HTTP 401")), problems=["credential"], variables=OF_KAFKA
        ),
        "Kafka Connect runs, and tells no lag": Case(
            look(kafka(task="RUNNING")), variables={**OF_KAFKA, "system_blind_spots": ["sync_lag.in_time"]}, says=["orders, ok"]
        ),
        "a slot that is read": Case(look(slot(0)), variables=OF_SLOTS),
        "a slot that nobody reads": Case(look(slot(active=False)), problems=["no_reader"], variables=OF_SLOTS, says=["2048 MiB behind"]),
        "a slot that nobody reads, for its reader has ended": Case(
            look(slot(active=False), running(state="exited")), problems=["scheduler_dead"], acts=["restart_sync"], risk="medium",
            variables=OF_SLOTS,
        ),
        "a slot that lost what it has not read": Case(look(slot(active=False, wal_status="lost")), problems=["slot_lost"], variables=OF_SLOTS),
        "two faults at once": Case(
            look(source(failed("status code 401"), failed(TIMED_OUT, "erp"), row("sms"))), problems=["credential", "interrupted"], **SYNCED
        ),
        "a status that tells nothing": Case(look(source(row(status="purple"))), unknown=None),
        # ------------------------------------------------------------------ what is not known is not well
        "a task of Kafka Connect failed, in small letters": Case(
            look(kafka("running", "failed")), problems=["failed_task"], acts=["restart_tasks"], risk="low", variables=OF_KAFKA
        ),
        "a task of Kafka Connect is in no state that is known": Case(look(kafka(task="DESTROYED")), variables={**OF_KAFKA, **BLIND}, unknown=None),
        "nothing waits, and nothing tells when it succeeded last": Case(
            look(source({"name": "crm", "status": "ok", "watermark": NOW - 5 * HOUR, "pending": 0}, row("erp"))), problems=["unexplained"]
        ),
        "its next try is long overdue": Case(
            look(source(failed(TIMED_OUT, retry_count=2, next_attempt_at=NOW - 2 * HOUR), row("erp"))), problems=["interrupted"], **SYNCED
        ),
        "its next try is to come": Case(look(source(failed(TIMED_OUT, retry_count=2, next_attempt_at=NOW + 60), row("erp")))),
        "a time without a zone": Case(look(source(row(watermark="2027-01-15T07:59:00"))), unknown=None, says=["watermark: without a zone"]),
        "a time without a zone, which is in UTC": Case(look(source(row(watermark="2027-01-15T07:59:00"), entry={**APP, "times_in_utc": True}))),
        "its key never expires": Case(look(source(row(credential_expires_at="infinity")))),
        "its next try is never": Case(look(source(failed("429", next_attempt_at="infinity"), row("erp"))), problems=["too_fast"], acts=["slow_down"], risk="low", unknown=None),
        "a source that is not there": Case(
            look(source(row())), variables={"sync_lag_sources": ["app", "cmr"]}, unknown=None, says=["sync_lag_sources: cmr is not in system_connectors"]
        ),
        "more connectors than are read": Case(
            look(source(*[row(f"c{number}") for number in range(501)])), unknown=None, says=["app: 501 connectors are there, and 500 were read"]
        ),
        "not all was read, and nothing says why": Case(
            look({**source(row()), "complete": False}), unknown=None, says=["app: not all of it was read"]
        ),
        "the scheduler cannot be seen": Case(
            look(source(row(late=3 * HOUR, last_run=3 * HOUR)), worker={"available": False, "reason": "Docker does not answer"}), unknown=None
        ),
        "a slot that nobody reads for three days, and little is written": Case(
            look(slot(10, active=False, inactive_seconds=3 * 86400)), problems=["no_reader"], variables=OF_SLOTS
        ),
        "a slot that nobody reads for a minute": Case(look(slot(10, active=False, inactive_seconds=60)), variables=OF_SLOTS),
        "a slot that is read, and more is written": Case(look(moving_slot(-(10**6))), problems=["backlog_grows"], variables=OF_SLOTS),
        "a slot that is read faster than is written": Case(look(moving_slot(10**6)), variables=OF_SLOTS),
        # ------------------------------------------------------------------ clocks
        "the clock of all is two hours ahead of this one": Case(
            look(source(row(late=2 * HOUR + 60, last_run=2 * HOUR + 60), ahead=2 * HOUR)), problems=["clock_off"]
        ),
        "the clock of the database is an hour behind, and it is late": Case(
            look(source(row(late=0.5 * HOUR), ahead=-HOUR)), problems=["clock_off"], says=["is 3600 s behind this host's"]
        ),
        # ------------------------------------------------------------------ how often it runs
        "it runs once a day": Case(look(source(row(late=5 * HOUR, last_run=5 * HOUR), entry=DAILY)), variables={"system_connectors": {"app": DAILY}}),
        "it runs once a day, and did not": Case(
            look(source(row(late=40 * HOUR, last_run=40 * HOUR), entry=DAILY)), variables={"system_connectors": {"app": DAILY}},
            problems=["scheduler_dead"], acts=["restart_sync"], risk="medium",
        ),
        "nothing says how often it runs": Case(
            look(source(row(late=5 * HOUR, last_run=5 * HOUR), entry=WHENEVER)), variables={"system_connectors": {"app": WHENEVER}},
            problems=["unexplained"],
        ),
        # ------------------------------------------------------------------ what would do harm
        "each try ends at the same record, for nothing answers": Case(
            look(source(failed(TIMED_OUT, record="4711", record_failures=4), row("erp"))), problems=["interrupted"], **SYNCED
        ),
        "each try ends at the same record, for a table is missing": Case(
            look(source(failed('relation "contacts" does not exist', record="4711", record_failures=4), row("erp"))), problems=["constraint"]
        ),
        "each try ends at the same record, while the provider has an outage": Case(
            look(source(failed("oops", record="4711", record_failures=4), row("erp")), page="major_outage"), problems=["provider_down"]
        ),
        "others wait for one that runs": Case(
            look(source(row("big", 3 * HOUR, 3 * HOUR, status="running", started_at=NOW - 600), row("erp", 2 * HOUR, 2 * HOUR))),
            problems=["interrupted", "unexplained"],
            **SYNCED,
        ),
        "a run was cut off with its scheduler": Case(
            look(source(row(late=3 * HOUR, last_run=3 * HOUR, status="running", started_at=NOW - 3 * HOUR)), running(state="exited")),
            problems=["scheduler_dead"],
            acts=["restart_sync"],
            risk="medium",
        ),
        "it is to be left alone for a day": Case(
            look(source(failed("429, Retry-After: 90000", "chat", late=5 * HOUR, last_run=60), row("erp"))), problems=["too_fast"],
            why_not="chat: its provider wants to be left alone for longer than sync_lag_most_wait_seconds",
        ),
        "it is to be left alone until a time": Case(look(source(failed("429, Retry-After: Fri, 15 Jan 2027 09:30:00 GMT", last_run=60)))),
        "it is to be left alone for minutes": Case(look(source(failed("429: retry after 30 minutes", last_run=60)))),
        "the provider failed, and can be reached now": Case(
            look(source(failed("HTTP 503"), row("erp"), tests=OPEN)), problems=["interrupted"], **SYNCED
        ),
        "the provider failed, and cannot be reached": Case(look(source(failed("HTTP 503"), row("erp"), tests=SHUT)), problems=["provider_down"]),
        "its watermark is in the future": Case(look(source(row(late=-HOUR, last_run=None))), unknown=None),
        "the table is not seen": Case(UNSEEN, unknown=None),
        "one of two sources is not seen": Case(
            look(source(row()), other=GONE), unknown=None, variables={"system_connectors": {"app": APP, "other": APP}}
        ),
    },
)  # fmt: skip


@pytest.mark.parametrize(
    ("app", "cause"),
    [
        (source(failed(TIMED_OUT, retry_count=2, last_run=60)), "retrying"),
        (source(failed("429 Too Many Requests, retry after 600", last_run=60)), "rate_limited"),
        (source(row(late=5 * HOUR, success=60, pending=0)), "idle"),
        (source(row(late=2 * HOUR, last_run=30), moved=60.0), "backlog"),
    ],
)
def test_what_needs_nobody_is_told(app, cause):
    result = diagnose("sync_lag", look(app), **SYSTEM)
    assert [one["cause"] for one in result["findings"] if one.get("summary")] == [cause], result["findings"]


LAG = "not looked at: whether every connector is in time (nothing tells how far behind {} is)"
TRIES = "(nothing tells for how long {} is tried again already, as nothing tells how far behind it is)"


@pytest.mark.parametrize(
    ("seen", "variables", "says"),
    [
        (kafka(task="RUNNING"), OF_KAFKA, LAG.format("orders")),
        (kafka("UNASSIGNED", "UNASSIGNED"), {**OF_KAFKA, **BLIND}, TRIES.format("orders")),
        (source(row("new", status="retrying", last_error=TIMED_OUT, **NEVER), row("erp")), {}, TRIES.format("new")),
        (source(row("new", status="retrying", last_error="429", **NEVER), row("erp")), {}, TRIES.format("new")),
        (source(row("new", **NEVER), row("erp")), {}, LAG.format("new")),
        # Before PostgreSQL 17 nothing tells since when nobody reads it.
        (slot(10, active=False), OF_SLOTS, LAG.format("debezium")),
        (slot(active=False, lag_bytes=None, position=None), OF_SLOTS, LAG.format("debezium")),
        (source(), {}, "(no connector is there: their table is empty, or their list)"),
    ],
    ids=["no lag", "no worker", "never, tried", "never, limited", "never", "slot unread", "slot never read", "none"],
)
def test_what_nothing_tells_is_not_healthy(seen, variables, says):
    result = diagnose("sync_lag", look(seen), **{**SYSTEM, **variables})
    assert (result["status"], result["plan"]["steps"]) == ("unknown", [])
    assert says in result["msg"]


def test_one_first_the_others_with_one_call():
    entry = {**APP, "requests": {"sync_all": {"url": "https://app.example/v1/connectors/sync"}}}
    rows = [failed(TIMED_OUT, name, late) for name, late in (("crm", 9000), ("erp", 5000), ("sms", 7000))]
    system = {**SYSTEM, "system_connectors": {"app": entry}}

    def targets(*more: dict[str, Any]) -> dict[str, Any]:
        plan = diagnose("sync_lag", look(source(*rows, *more)), **system)["plan"]
        return {step["remedy"]: step["targets"] for step in plan["steps"]}

    first = [{"source": "app", "connector": "erp"}]
    assert targets() == {"sync_one": first, "sync_all": [{"source": "app"}]}
    # One whose key is wrong must not be tried again with the others.
    alone = [{"source": "app", "connector": "crm"}, {"source": "app", "connector": "sms"}]
    assert targets(failed("status code 401", "ads")) == {"sync_one": first, "sync_all": alone}


def test_the_provider_says_how_long_to_wait():
    def target(error: str) -> Any:
        return diagnose("sync_lag", look(source(failed(error))), **SYSTEM)["plan"]["steps"][0]["targets"]

    at = {"source": "app", "connector": "crm", "then_sync": True}
    assert target("429, Retry-After: 90") == [{**at, "wait_seconds": 90}]
    assert target("429 Too Many Requests") == [{**at, "wait_seconds": 60}]
    assert target("429, Retry-After: 7000") == [{**at, "wait_seconds": 300}]


# The rows that every runbook has; tests/contract sees that they conclude this.
HEALTHY_ROW = "test_concluded[all in time]"
WRONG_CAUSE_ROW = "test_concluded[a timeout, and the provider has an outage]"
NO_TELEMETRY_ROW = "test_concluded[the table is not seen]"
