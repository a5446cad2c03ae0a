# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents of incidents, built entry by entry: one for each system, with every kind of entry."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta, timezone
from typing import Any

# A Tuesday, 03:07:12 UTC.
BEGAN = 1_780_974_432.0
KINDS = (
    *(
        "opened",
        "alert",
        "alert_ended",
        "finding",
        "plan",
        "approval",
        "action",
        "verification",
        "run",
        "note",
        "corrected",
        "pinned",
        "unpinned",
    ),
    *(
        "acknowledged",
        "assigned",
        "role",
        "severity",
        "mitigated",
        "resolved",
        "reopened",
        "closed",
        "cancelled",
        "merged",
        "took_in",
    ),
    *(
        "linked",
        "step",
        "update",
        "timer",
        "escalated",
        "snoozed",
        "message",
        "delivery",
        "suppressed",
        "watch",
        "postmortem",
    ),
    *("action_item", "metric"),
)
# What one incident cannot have all of.
ENDS = {"cancelled", "merged"}
_TIMES = {
    "opened": "opened_at",
    "acknowledged": "acknowledged_at",
    "mitigated": "mitigated_at",
    "resolved": "resolved_at",
    "closed": "closed_at",
}


class Told:
    """The timeline of an incident as it is told, and the document of it."""

    def __init__(self, system: str = "synap", number: int = 12, began: float = BEGAN) -> None:
        self.id = hashlib.sha256(f"{system}-{number}".encode()).hexdigest()[:32]
        self.entries: list[dict[str, Any]] = []
        self.at = began
        self.incident: dict[str, Any] = {
            "id": self.id, "number": number, "system": system, "title": "", "channel": "", "state": "triggered", "severity": "",
            "scheme": "", "severity_proposed": "", **dict.fromkeys(_TIMES.values()), "first_acknowledged_at": None, "reopenings": 0, "merged_into": "", "links": [],
            "roles": {}, "assignee": "", "runbooks": [], "runs": [], "next_update_at": None, "snoozed_until": None, "policy": {},
            "postmortem": None, "action_items": [], "steps": [], "pins": [], "count": 0,
        }  # fmt: skip

    def add(
        self,
        kind: str,
        words: str = "",
        *,
        later: float = 7.0,
        who: str = "oncall",
        at: float | None = None,
        run: str = "",
        **data: Any,
    ) -> int:
        """One more entry, so many seconds after the one before; its number."""
        self.at = self.at + later if at is None else at
        number = len(self.entries) + 1
        before = self.entries[-1]["hash"] if self.entries else ""
        written = max(self.at, self.entries[-1]["written_at"] if self.entries else self.at)
        one = {
            "number": number, "at": self.at, "written_at": written, "kind": kind, "who": who,
            "words": words or f"{kind.replace('_', ' ')} it is", "data": data, "previous": before, "run": run,
        }  # fmt: skip
        one["hash"] = hashlib.sha256(json.dumps([self.id, one], sort_keys=True).encode()).hexdigest()
        self.entries.append(one)
        self._fold(one)
        return number

    def _fold(self, one: dict[str, Any]) -> None:
        kind, data, told = one["kind"], one["data"], self.incident
        if kind in _TIMES and (told[_TIMES[kind]] is None or kind != "acknowledged"):
            told[_TIMES[kind]] = one["at"]
            if kind == "acknowledged" and told["first_acknowledged_at"] is None:
                told["first_acknowledged_at"] = one["at"]
            told["state"] = {"opened": "triggered"}.get(kind, kind)
        if kind == "opened":
            told.update(
                {key: data.get(key, "") for key in ("title", "severity", "scheme")},
                severity_proposed=data.get("proposed", ""),
            )
            told["runbooks"] = [data["runbook"]] if data.get("runbook") else []
        elif kind == "severity":
            told["severity_proposed" if data["proposed"] else "severity"] = data["to"]
        elif kind == "alert":
            told["count"] += data.get("count", 1)
        elif kind == "reopened":
            told.update(
                acknowledged_at=None,
                mitigated_at=None,
                resolved_at=None,
                state="triggered",
                reopenings=told["reopenings"] + 1,
            )
        elif kind in ("cancelled", "merged"):
            told["state"] = kind
        elif kind == "postmortem":
            told["postmortem"] = {key: data.get(key) for key in ("state", "owner", "due_at")}
        elif kind == "role":
            told["roles"][data["role"]] = data["to"]

    def document(self) -> dict[str, Any]:
        head = {"number": len(self.entries), "hash": self.entries[-1]["hash"] if self.entries else ""}
        return {"schema_version": 1, "incident": {**self.incident, "head": head}, "timeline": self.entries}


# System -> title, runbook, cause, remedy, target, metric, unit, severities (lowest of these first), alert, what was found.
_STORIES: dict[str, tuple[Any, ...]] = {
    "synap": (
        "Error rate above 5 %", "error_rate", "recent_deployment", "roll_back", "api", "error_rate", "ratio", ("P1", "P0"), "HighErrorRate",
        "14.2 % of 5231 requests fail since release 2f9c1e7, which began 312 s before",
    ),
    "journey": (
        "API does not answer", "db_pool", "pool_exhausted", "end_idle_sessions", "pid 4711", "db_sessions", "sessions", ("P1", "P0"), "ApiDown",
        "97 of 100 sessions are taken, 61 of them idle for more than 600 s",
    ),
    "insightengine": (
        "Backend killed for memory", "resource_usage", "killed_for_memory", "raise_memory", "backend", "memory", "bytes", ("P3", "P2"),
        "HighMemoryUsage", "backend was killed 3 times in 840 s at 1073741824 bytes",
    ),
    "labpics": (
        "Sync stale", "sync_lag", "scheduler_stopped", "restart_worker", "worker", "sync_lag", "s", ("medium", "high"), "SyncLag",
        "quickbooks was synchronised 5412 s ago; the worker has not ticked for 5400 s",
    ),
    "panidobro": (
        "Disk full", "disk_full", "old_logs", "remove_old_logs", "/var/log", "disk_used", "ratio", ("Medium", "High"), "DiskFull",
        "/var is full to 96.4 %; 21 GB of rotated logs are older than 14 days",
    ),
}  # fmt: skip
SYSTEMS = tuple(_STORIES)


def as_an_alert_has_it(at: float) -> str:
    """A time in the words of Prometheus and of Alertmanager, with nine digits of a second, in a zone that is not UTC."""
    told = datetime.fromtimestamp(int(at), timezone(timedelta(hours=2)))
    return f"{told:%Y-%m-%dT%H:%M:%S}.{round((at - int(at)) * 10**9):09d}+02:00"


# One entry a line.
# fmt: off
def story(system: str) -> Told:
    """An incident of a system from its first alert to its post-mortem, with every kind of entry that one can have."""
    title, runbook, cause, remedy, target, metric, unit, (lower, higher), alert, found = _STORIES[system]
    told = Told(system)
    scheme, run, night = f"{system}-severities", "7d1f03ab5c2e4b6f8a9d0c1e2f3a4b5c", "d.meier"
    start = told.at - 95.0
    told.add("opened", f"{title} on {system}: {alert} fires", later=0, system=system, title=title, source="alert", severity=lower, scheme=scheme,
             proposed=lower, reasons=[f"{runbook} is {lower}"], policy=f"{system}-nights", runbook=runbook, opens_again="")  # fmt: skip
    told.add("alert", f"{alert} on {target} fires", later=1, name=alert, fingerprint="9c3b", labels={"alertname": alert}, starts_at=as_an_alert_has_it(start), ends_at=None, count=1)
    told.add("timer", "step 1 of the escalation is due in 300 s", timer="escalation", due_at=told.at + 300, state="armed", step=1, why="")
    told.add("message", "the initial alert goes to the engineer on call", message="m1", channel="chat", template="initial", to=night, subject=title)
    told.add("delivery", "the initial alert could not be delivered by chat: HTTP 429", message="m1", result="failed", attempts=2, why="HTTP 429")
    told.add("delivery", "the initial alert was delivered by chat", message="m1", result="sent", attempts=3, why="")
    told.add("escalated", "step 1: the team lead is told", step=1, targets=["t.lang"], tried=["roll back was looked at"], need="somebody who knows the database")
    told.add("acknowledged", f"{night} acknowledged it", later=110, who=night)
    told.add("assigned", f"{night} takes it", who=night, to=night)
    told.add("role", f"{night} is commander", who=night, role="commander", to=night)
    told.add("role", "t.lang is scribe", who=night, role="scribe", to="t.lang")
    told.add("severity", f"{lower} becomes {higher}: all users are affected", who=night, scheme=scheme, **{"from": lower, "to": higher}, why="all users are affected", proposed=False)
    told.add("step", "ticked: check the dashboards", who=night, checklist="assess", step="check the dashboards", done=True)
    told.add("finding", f"{runbook} found {cause}: {found}", run=run, runbook=runbook, cause=cause, status="problem", summary=found,
             evidence={"log": ["error: 57P03"], "rows": [{"count": 61}]}, figures={"taken": 97, "of": 100})  # fmt: skip
    told.add("finding", f"{runbook} cannot tell whether the replica lags", run=run, runbook=runbook, cause="replica_lags", status="unknown",
             summary="the replica does not answer", evidence=None, figures=None)  # fmt: skip
    told.add("finding", f"{runbook} found no lock that waits", run=run, runbook=runbook, cause="lock_waits", status="ok", summary="", evidence=None, figures=None)
    plan = "p0123456789abcde"
    told.add("plan", f"{runbook} would {remedy.replace('_', ' ')} on {target}", run=run, runbook=runbook, hash=plan, steps=[{"remedy": remedy, "risk": "medium", "targets": [target]}], diff="")
    told.add("approval", "t.lang rejected the plan: not before the backup is done", who="t.lang", plan_hash=plan, decision="rejected", reason="not before the backup is done")
    told.add("approval", f"{night} approved the plan", later=64, who=night, plan_hash=plan, decision="approved", reason="the backup is done")
    told.add("action", f"restarted the cache on {target}", run=run, runbook="cache", remedy="restart_cache", target=target, risk="low", why="it was asked first", before={"hit_ratio": 0.41}, after={"hit_ratio": 0.43}, changed=True)
    told.add("verification", "the restart of the cache did not help", later=31, run=run, runbook="cache", helped=False, figures=[0.142, 0.139])
    told.add("action", f"{remedy.replace('_', ' ')} on {target}", run=run, runbook=runbook, remedy=remedy, target=target, risk="medium", why=found, before={"taken": 97}, after={"taken": 36}, changed=True)
    told.add("verification", f"{remedy.replace('_', ' ')} helped: 14.2 % became 0.3 %", later=62, run=run, runbook=runbook, helped=True, figures=[0.142, 0.003])
    told.add("run", f"{runbook} on {target}: resolved", run=run, runbook=runbook, uuid=run, outcome="resolved", summary=f"{cause} is gone", record="x.json")
    told.add("mitigated", "errors are back to where they were", who=night, how=remedy)
    told.add("update", "customers were told: requests work again", who=night, conditions="requests work again", actions=remedy, needs="", next_update_at=told.at + 1800, customers=True)
    told.add("suppressed", "nobody was told of the update by SMS, because the incident is mitigated", what="message", why="it is mitigated")
    told.add("snoozed", "snoozed for 600 s", who=night, until=told.at + 600, why="the watch looks")
    told.add("watch", "look 1 of 3: healthy", later=300, n=1, of=3, healthy=True, figures={"value": 0.003})
    told.add("resolved", "3 looks in a row were healthy", later=600, how="watched")
    told.add("reopened", f"{alert} fires again within the watch", later=40, why=f"{alert} fires again", relapse=True)
    told.add("mitigated", f"{remedy.replace('_', ' ')} was done again", who=night, how=remedy)
    told.add("watch", "look 3 of 3: healthy", later=900, n=3, of=3, healthy=True, figures={"value": 0.002})
    told.add("resolved", "3 looks in a row were healthy, after the relapse", later=5, how="watched")
    note = told.add("note", "The release had no canary.", who="t.lang", text="The release had no canary.\nThe one before had one, for 20 minutes.")
    told.add("corrected", "the canary was there", who="t.lang", number=note, text="The canary was there; nobody looked at it.")
    told.add("pinned", "pinned", who="t.lang", number=note)
    told.add("pinned", "pinned", who="t.lang", number=1)
    told.add("unpinned", "no longer pinned", who="t.lang", number=1)
    told.add("took_in", "took in INC-13", id="f" * 32)
    told.add("linked", "INC-7 had the same cause", id="e" * 32, why="the same cause")
    told.add("note", "Alerts on the canary page somebody now.", who=night, text="Alerts on the canary page somebody now.", part="lessons")
    told.add("note", "The canary was too small to show it.", who=night, text="The canary was too small to show it.", part="whys")
    told.add("action_item", "to do: page on the canary", who=night, item="a1", text="Page on errors of the canary", owner="t.lang", due_at=told.at + 604800, done=False)
    told.add("action_item", "done: page on the canary", who="t.lang", item="a1", done=True)
    told.add("action_item", "to do: a larger canary", who=night, item="a2", text="A larger canary", owner="", due_at=None, done=False)
    points = [[start - 300 + 30 * n, 0.002 + (0.14 if 10 <= n <= 25 else 0.0) + n / 100000] for n in range(90)]
    told.add("metric", f"{metric} over the incident", name=metric, unit=unit, points=points[:60])
    told.add("metric", f"{metric} over the incident, the rest", name=metric, unit=unit, points=points[60:])
    told.add("alert_ended", f"alert {alert} ended on {target}", name=alert, fingerprint="f", ends_at=told.at, count=1, host=target, hosts=[target], runbook=runbook)
    told.add("postmortem", "the post-mortem is due within 48 hours", state="due", owner="", due_at=told.at + 172800)
    told.add("postmortem", f"{night} drafts the post-mortem", who=night, state="draft", owner=night, due_at=told.at + 172793)
    told.add("closed", f"{night} closed it", who=night)
    return told
# fmt: on
