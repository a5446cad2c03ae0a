# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why connectors are late, one by one: each has exactly one cause, so that one that is sick hides no other and none is touched for it.

A row is what the module ``sync_state_info`` tells of a connector, with ``source`` (its key in system_connectors), ``kind`` (what tells of
it), ``scheduler`` and ``cause``: a key of :data:`CAUSES`, or one of :data:`CALM`, of which nobody has to do anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...module_utils.connectors.answer import CLOCKS_SECONDS
from ..connector_ways import missing_for
from ..looping import crashes, works

Row = Mapping[str, Any]

CALM = ("in_time", "idle", "retrying", "rate_limited", "backlog")
# Seen, and not well enough known: how late it is, what its state means, for how long it is tried again, or whether its scheduler runs.
UNCLEAR = ("lag_unknown", "state_unknown", "waits_unknown", "scheduler_unknown")
CAUSES = (
    *(
        "credential",
        "slot_lost",
        "paused",
        "scheduler_stopped",
        "scheduler_crashes",
        "scheduler_dead",
        "no_reader",
        "too_fast",
    ),
    *(
        "cursor_lost",
        "poison_record",
        "provider_down",
        "validation",
        "constraint",
        "network",
        "interrupted",
        "failed_task",
    ),
    *("error_unknown", "clock_off", "stalled", "backlog_grows", "unexplained"),
)
_STATES = ("ok", "running", "retrying", "failed", "paused")
# A page that says so explains errors of these classes, and no wrong key.
_OUTAGES = ("degraded", "partial_outage", "major_outage", "maintenance")
_OF_PROVIDERS = ("provider", "timeout", "connection", "dns", "tls")
# Errors that one record can be the reason of. All others meet whichever record comes first.
_OF_RECORDS = ("validation", "constraint", "other")
# Of what could not be seen, so many lines are shown.
_MOST_LIMITS = 5
# A run that is late by half its period is missed.
_PERIODS = 1.5
# Data that come as fast as time goes by come no nearer, and two looks are not timed to the millisecond.
_NEARER = 1.5


class _Judge:
    """Finds the cause of one connector at a time.

    Args:
        limits: the options of the runbook, without its prefix.
        sources: what was seen, by source.
        entries: what the inventory says about them.
        services: what was seen of schedulers.
        pages: what the status pages of providers say.
    """

    def __init__(self, limits: Row, sources: Row, entries: Row, services: Row, pages: Row) -> None:
        self._limits, self._sources, self._entries = limits, sources, entries
        self._services, self._pages = services, pages
        self._of = {
            source: [one for one in seen["connectors"] if one.get("state") != "paused"]
            for source, seen in sources.items()
        }

    def cause(self, source: str, row: Row) -> str:
        slot = row.get("slot")
        state = row.get("state")
        if slot and slot.get("lost"):
            return "slot_lost"
        if state not in (*_STATES, None) or (state is None and "status" in row):
            return "state_unknown"
        if slot and not slot.get("active"):
            return self._of_unread(source, row, slot)
        left = row.get("credential_left_seconds")
        if left is not None and left < 0:
            return "credential"
        if state == "paused":
            return "in_time" if self._lag_is_known(row) and not self._is_late(source, row) else "paused"
        if state not in ("failed", "retrying"):
            if self._clocks_disagree(source, row):
                return "clock_off"
            if not self._is_late(source, row):
                return "in_time" if self._lag_is_known(row) else "lag_unknown"
        return self._of_error(source, row) or self._without_error(source, row)

    def _of_unread(self, source: str, row: Row, slot: Row) -> str:
        unread_seconds = slot.get("inactive_seconds")
        if self._is_late(source, row) or (unread_seconds or 0) > self._limit_seconds(source):
            return self._of_scheduler(source, "no_reader")
        # Before PostgreSQL 17 nothing tells since when, and little is written where little happens.
        is_known = self._lag_is_known(row) and (unread_seconds is not None or not row.get("lag_bytes"))
        return "in_time" if is_known else "lag_unknown"

    # How late it is.

    def _lag_is_known(self, row: Row) -> bool:
        found = [row[key] for key in ("lag_seconds", "lag_bytes") if row.get(key) is not None]
        return bool(found) and all(value >= 0 for value in found)

    def _limit_seconds(self, source: str) -> float:
        """How far behind a connector may be: one that runs once a day is so far behind every day."""
        limit = float(self._limits["limit_seconds"])
        return max(limit, self._missed_after_seconds(source)) if self._tells_period(source) else limit

    def _is_late(self, source: str, row: Row, ahead: float = 0.0) -> bool:
        """Whether it is, by its own clock, or by one that this one is ahead of."""
        return (row.get("lag_seconds") or 0) - ahead > self._limit_seconds(source) or (
            row.get("lag_bytes") or 0
        ) > self._limits["limit_bytes"]

    def _ahead_seconds(self, source: str) -> float:
        return float(self._sources[source].get("clock_ahead_seconds") or 0)

    def _clocks_disagree(self, source: str, row: Row) -> bool:
        """Whether it is late by one of two clocks alone: which of them wrote its times nobody knows."""
        ahead = self._ahead_seconds(source)
        if abs(ahead) < self._limits["clock_seconds"] or row.get("lag_seconds") is None:
            return False
        return self._is_late(source, row) != self._is_late(source, row, ahead)

    def _may_wait(self, source: str, row: Row) -> bool:
        """Whether what mends itself has still time for it."""
        return float(row.get("lag_seconds") or 0) <= max(
            float(self._limits["patience_seconds"]), self._limit_seconds(source)
        )

    def _while_it_may(self, source: str, row: Row, calm: str) -> str:
        """``calm`` while what mends itself has time for it; of which lag is not known, nobody knows whether it has."""
        if not self._lag_is_known(row):
            return "waits_unknown"
        return calm if self._may_wait(source, row) else ""

    # One with an error.

    def _of_error(self, source: str, row: Row) -> str:
        state = row.get("state")
        # What one that is well keeps of its last error is over.
        error = row.get("error_class") if state in ("failed", "retrying", None) else None
        if error == "credential":
            return "credential"
        if self._is_dead(source, state):
            return self._of_scheduler(source, "scheduler_dead")
        if error == "cursor":
            return "cursor_lost"
        if error and self._fails_of_a_record(source, row, error):
            return "poison_record"
        if error == "rate_limit":
            waits = self._waits(row) or self._is_retrying(source, row)
            return (self._while_it_may(source, row, "rate_limited") if waits else "") or "too_fast"
        if self._is_retrying(source, row) and (found := self._while_it_may(source, row, "retrying")):
            return found
        return self._of_class(source, row, error) if error else ""

    def _fails_of_a_record(self, source: str, row: Row, error: str) -> bool:
        if error not in _OF_RECORDS or (error == "other" and self._has_outage(source)):
            return False
        return bool(row.get("record")) and (row.get("record_failures") or 0) >= self._limits["poison_failures"]

    def _of_class(self, source: str, row: Row, error: str) -> str:
        if error in (*_OF_PROVIDERS, "other") and self._has_outage(source):
            return "provider_down"
        if error in ("validation", "constraint", "schema"):
            return "validation" if error == "validation" else "constraint"
        if error == "provider" and not self._tests_of(source):
            return "provider_down"
        if error in _OF_PROVIDERS:
            return self._of_way(source, row, error)
        return "failed_task" if row.get("failed_tasks") else "error_unknown"

    def _tests_of(self, source: str) -> list[Row]:
        return list(self._sources[source].get("tests", {}).values())

    def _of_way(self, source: str, row: Row, error: str) -> str:
        """Whether it could get there now: as the tests of the upstreams say; without one, a name and a certificate rarely mend themselves."""
        tests = self._tests_of(source)
        is_open = all(one["available"] and one["ok"] for one in tests) if tests else error in ("timeout", "connection")
        if not is_open and error == "provider":
            return "provider_down"
        if not is_open:
            return "network"
        return "failed_task" if row.get("failed_tasks") else "interrupted"

    def _has_outage(self, source: str) -> bool:
        page = self._pages.get(self._entries[source].get("provider"), {})
        return page.get("available") is True and page.get("status") in _OUTAGES

    def _is_retrying(self, source: str, row: Row) -> bool:
        count, most = row.get("retry_count") or 0, row.get("max_retries")
        left = row.get("next_attempt_seconds")
        if left is not None and self._is_missed(source, self._period_seconds(source) - left):
            # Its next try is as late as a run that was missed: nobody tries.
            return False
        if row.get("state") == "retrying":
            # It says so itself, unless its own count says otherwise.
            return most is None or count < most
        return row.get("state") == "failed" and 0 < count < (self._limits["max_retries"] if most is None else most)

    def _waits(self, row: Row) -> bool:
        left = _left_seconds(row)
        return left is not None and left > 0

    # Who starts it.

    def _scheduler(self, source: str) -> Row:
        return self._services.get(self._entries[source].get("scheduler"), {})

    def _is_dead(self, source: str, state: str | None) -> bool:
        """Whether nothing starts the connectors of a source: none has run in its time, or its service does not run and none did meanwhile."""
        if self._entries[source].get("source") == "kafka_connect":
            return False
        service = self._scheduler(source)
        is_down = service.get("available") is True and not _works(service)
        rows = self._of[source]
        ages = [row.get("run_seconds" if row.get("state") == "running" else "last_run_age_seconds") for row in rows]
        # What runs was started, and would be cut off; the others may wait for it.
        if not is_down and (state == "running" or any(row.get("state") == "running" for row in rows)):
            return False
        if is_down:
            return not any(age is not None and not self._is_missed(source, age) for age in ages)
        is_given_up = all(row.get("state") in ("failed", "retrying") for row in rows)
        # One that runs misses nothing that nobody has said: it may be for tonight.
        return (
            not is_given_up
            and self._tells_period(source)
            and bool(ages)
            and all(age is not None and self._is_missed(source, age) for age in ages)
        )

    def _tells_period(self, source: str) -> bool:
        return self._entries[source].get("period_seconds") is not None

    def _period_seconds(self, source: str) -> float:
        period = self._entries[source].get("period_seconds")
        return float(self._limits["limit_seconds"] if period is None else period)

    def _missed_after_seconds(self, source: str) -> float:
        return self._period_seconds(source) * _PERIODS + float(self._limits["grace_seconds"])

    def _is_missed(self, source: str, age_seconds: float) -> bool:
        """Whether a run is, by its own clock and by that of the host."""
        return age_seconds - max(0.0, self._ahead_seconds(source)) > self._missed_after_seconds(source)

    def _of_scheduler(self, source: str, otherwise: str) -> str:
        service = self._scheduler(source)
        if service and service.get("available") is not True and otherwise == "scheduler_dead":
            return "scheduler_unknown"
        if service.get("available") is not True or _works(service):
            return otherwise
        if service.get("stopped_by_person"):
            return "scheduler_stopped"
        return "scheduler_crashes" if crashes(service) else "scheduler_dead"

    # One without.

    def _without_error(self, source: str, row: Row) -> str:
        if row.get("failed_tasks"):
            return "failed_task"
        if row.get("state") in ("failed", "retrying"):
            return "error_unknown"
        if row.get("pending") == 0 and self._ended_well_lately(source, row):
            return "idle"
        moved = row.get("moved")
        if moved is not None and moved > 0:
            return "backlog" if self._gains(row, moved) and self._may_wait(source, row) else "backlog_grows"
        if moved == 0 and self._stands_still(source, row):
            return "stalled"
        age = row.get("last_run_age_seconds")
        is_missed = self._tells_period(source) and age is not None and self._is_missed(source, age)
        return "interrupted" if row.get("state") == "ok" and is_missed else "unexplained"

    def _ended_well_lately(self, source: str, row: Row) -> bool:
        age = row.get("last_success_age_seconds")
        if age is None and row.get("state") == "ok":
            age = row.get("last_run_age_seconds")
        return age is not None and age <= self._limit_seconds(source)

    def _gains(self, row: Row, moved: float) -> bool:
        """Whether the data come nearer: less is left of a slot, and of others more came than time went by."""
        if "gained_bytes" in row:
            return bool(row["gained_bytes"] > 0)
        return "position" in row or moved > _NEARER * (row.get("moved_in_seconds") or 0)

    def _stands_still(self, source: str, row: Row) -> bool:
        """Whether it should move and does not: a run takes too long, or ended well and left what waited for it."""
        limit = self._limit_seconds(source)
        if row.get("state") == "running":
            return (row.get("run_seconds") or 0) > limit
        age, waits = row.get("last_run_age_seconds"), row.get("pending_age_seconds")
        if age is None or age > limit or not row.get("pending"):
            return False
        # What came after its last run waits for the next one.
        return bool(row.get("left_waiting")) or (waits is not None and waits > age + CLOCKS_SECONDS)


def _left_seconds(row: Row) -> float | None:
    """For how long one still waits that its provider asked to wait; None where nobody knows."""
    if row.get("next_attempt_seconds") is not None:
        return float(row["next_attempt_seconds"])
    if row.get("retry_after_seconds") is None or row.get("last_run_age_seconds") is None:
        return None
    return float(row["retry_after_seconds"]) - float(row["last_run_age_seconds"])


def rows(
    sync_state: Row,
    system_connectors: Row,
    service_states: Row,
    page_states: Row,
    sync_lag_limit_seconds: float,
    sync_lag_limit_bytes: int,
    sync_lag_patience_seconds: float,
    sync_lag_grace_seconds: float,
    sync_lag_max_retries: int,
    sync_lag_poison_failures: int,
    sync_lag_clock_seconds: float,
) -> list[dict[str, Any]]:
    """Every connector that was seen, with its cause; the latest first."""
    sources = {name: seen for name, seen in sync_state["sources"].items() if seen["available"]}
    limits = {
        "limit_seconds": sync_lag_limit_seconds,
        "limit_bytes": sync_lag_limit_bytes,
        "patience_seconds": sync_lag_patience_seconds,
        "grace_seconds": sync_lag_grace_seconds,
        "max_retries": sync_lag_max_retries,
        "poison_failures": sync_lag_poison_failures,
        "clock_seconds": sync_lag_clock_seconds,
    }
    judge = _Judge(limits, sources, system_connectors, service_states, page_states)
    found = [
        {
            **row,
            "source": source,
            "kind": seen["source"],
            "who": row["name"] if len(sync_state["sources"]) == 1 else f"{row['name']} ({source})",
            "scheduler": system_connectors[source].get("scheduler"),
            "cause": judge.cause(source, row),
        }
        for source, seen in sources.items()
        for row in seen["connectors"]
    ]
    return sorted(
        found,
        key=lambda row: (-(row.get("lag_seconds") or 0), -(row.get("lag_bytes") or 0), row["source"], row["name"]),
    )


def by_cause(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The connectors of each cause; an empty list where there is none."""
    return {cause: [row for row in rows if row["cause"] == cause] for cause in (*CAUSES, *CALM, *UNCLEAR)}


def not_seen(sync_state: Row, system_connectors: Row, sync_lag_sources: Sequence[str]) -> list[str]:
    """What keeps anything from being concluded where nothing is wrong, a line each."""
    lines = [
        f"sync_lag_sources: {name} is not in system_connectors"
        for name in sync_lag_sources
        if name not in system_connectors
    ]
    for name, seen in sync_state["sources"].items():
        if seen["available"] is not True:
            limits = [seen["reason"]]
        elif seen["complete"] is True:
            limits = []
        else:
            limits = seen["limits"] or ["not all of it was read"]
        lines += [f"{name}: {text}" for text in limits[:_MOST_LIMITS]]
        if len(limits) > _MOST_LIMITS:
            lines.append(f"{name}: and {len(limits) - _MOST_LIMITS} more")
    return lines or ([] if sync_state["available"] else [str(sync_state["reason"])])


def why_no_lag(by_cause: Mapping[str, Sequence[Row]]) -> list[str]:
    """Those of which nothing tells how late they are."""
    names = _names(by_cause["lag_unknown"])
    return [f"nothing tells how far behind {names} is"] if names else []


def why_no_state(by_cause: Mapping[str, Sequence[Row]]) -> list[str]:
    """Those of which nobody knows how they get on."""
    said = {
        "state_unknown": "what the status of {} means",
        "waits_unknown": "for how long {} is tried again already, as nothing tells how far behind it is",
        "scheduler_unknown": "whether what starts {} runs",
    }
    return [f"nothing tells {text.format(_names(by_cause[cause]))}" for cause, text in said.items() if by_cause[cause]]


def _names(rows: Sequence[Row]) -> str:
    more = f" and {len(rows) - _MOST_LIMITS} more" if len(rows) > _MOST_LIMITS else ""
    return ", ".join(str(row["who"]) for row in rows[:_MOST_LIMITS]) + more


def not_calm(rows: Sequence[Row]) -> list[Row]:
    """Those that are not in time, and not on their way there by themselves."""
    return [row for row in rows if row["cause"] not in CALM]


def pause_seconds(slowed: Sequence[Row], sync_lag_wait_seconds: float) -> float:
    """For how long nothing is asked of a provider that limits."""
    return float(max((one["wait_seconds"] for one in slowed), default=sync_lag_wait_seconds))


# What is acted on.


def first_interrupted(by_cause: Mapping[str, Sequence[Row]], system_connectors: Row) -> list[dict[str, str]]:
    """The connector that is synchronised before all others: the least late, which has the least to bring."""
    return _targets(by_cause["interrupted"], "sync", system_connectors)[-1:]


def other_interrupted(
    by_cause: Mapping[str, Sequence[Row]], first_interrupted: Sequence[Row], rows: Sequence[Row], system_connectors: Row
) -> list[dict[str, str]]:
    """The others; where one call does it for a whole source of which nothing must be left alone, that call."""
    others = [
        one for one in _targets(by_cause["interrupted"], "sync", system_connectors) if one not in first_interrupted
    ]
    found: list[dict[str, str]] = []
    for source in dict.fromkeys(one["source"] for one in others):
        mine = [one for one in others if one["source"] == source]
        is_whole = all(
            row["cause"] in ("interrupted", "in_time", "idle") and row.get("state") != "paused"
            for row in rows
            if row["source"] == source
        )
        if is_whole and len(mine) > 1 and not missing_for(system_connectors, source, "", "sync_all"):
            mine = [{"source": source}]
        found += mine
    return found


def _targets(rows: Sequence[Row], verb: str, entries: Row) -> list[dict[str, str]]:
    return [
        {"source": row["source"], "connector": row["name"]}
        for row in rows
        if row["plain_name"] is True and not missing_for(entries, row["source"], row["name"], verb)
    ]


def _why_not(rows: Sequence[Row], verb: str, entries: Row) -> str:
    whys = [_why_not_one(row, verb, entries) for row in rows]
    return "; ".join(dict.fromkeys(filter(None, whys)))


def _why_not_one(row: Row, verb: str, entries: Row) -> str:
    why = missing_for(entries, row["source"], row["name"], verb)
    if not why and row["plain_name"] is not True:
        why = "it has no name of its own that could be acted on"
    return f"{row['who']}: {why}" if why else ""


def why_not_synced(by_cause: Mapping[str, Sequence[Row]], system_connectors: Row) -> str:
    """Why none of those that were interrupted can be synchronised."""
    return _why_not(by_cause["interrupted"], "sync", system_connectors)


def poisoned(by_cause: Mapping[str, Sequence[Row]], system_connectors: Row) -> list[dict[str, str]]:
    """Those that can go on without the record that fails."""
    return _targets(by_cause["poison_record"], "skip_errors", system_connectors)


def why_not_skipped(by_cause: Mapping[str, Sequence[Row]], system_connectors: Row) -> str:
    """Why none of them can."""
    return _why_not(by_cause["poison_record"], "skip_errors", system_connectors)


def forced(by_cause: Mapping[str, Sequence[Row]], system_connectors: Row) -> list[dict[str, str]]:
    """Those that stand still and can be synchronised though they think that nothing is new; none of which a run is in progress."""
    rows = [row for row in by_cause["stalled"] if row.get("state") != "running"]
    return _targets(rows, "force", system_connectors)


def why_not_forced(by_cause: Mapping[str, Sequence[Row]], system_connectors: Row) -> str:
    """Why none of them can."""
    return _why_not(by_cause["stalled"], "force", system_connectors) or "; ".join(
        f"{row['who']}: a run is in progress, and one beside it would write the same data; see whether it hangs, and end it first"
        for row in by_cause["stalled"]
        if row.get("state") == "running"
    )


def reset_targets(
    by_cause: Mapping[str, Sequence[Row]], system_connectors: Row, sync_lag_reset: Sequence[str]
) -> list[dict[str, str]]:
    """Those that lost their place, and that a person has named."""
    found = _targets(by_cause["cursor_lost"], "reset", system_connectors)
    return [one for one in found if f"{one['source']}/{one['connector']}" in sync_lag_reset]


def why_not_reset(by_cause: Mapping[str, Sequence[Row]], system_connectors: Row, sync_lag_reset: Sequence[str]) -> str:
    """Why none of them is."""
    lost = by_cause["cursor_lost"]
    names = ", ".join(f"{row['source']}/{row['name']}" for row in lost)
    return _why_not(lost, "reset", system_connectors) or (
        f"a reset throws away what it knows and reads all again; where that is right, name it in sync_lag_reset: [{names}]"
    )


def slowed(
    by_cause: Mapping[str, Sequence[Row]],
    system_connectors: Row,
    sync_lag_wait_seconds: float,
    sync_lag_most_wait_seconds: float,
) -> list[dict[str, Any]]:
    """Those that ask more than they may and can be slowed down: for how long they wait, and whether they are synchronised then."""
    found = []
    rows = {(row["source"], row["name"]): row for row in by_cause["too_fast"]}
    for one in _targets(by_cause["too_fast"], "slow_down", system_connectors):
        row = rows[one["source"], one["connector"]]
        if _asks_too_long(row, sync_lag_most_wait_seconds):
            continue
        wait = min(sync_lag_most_wait_seconds, max(sync_lag_wait_seconds, row.get("retry_after_seconds") or 0))
        can_sync = not missing_for(system_connectors, one["source"], one["connector"], "sync")
        found.append({**one, "wait_seconds": round(wait), "then_sync": can_sync})
    return found


def _asks_too_long(row: Row, most_seconds: float) -> bool:
    """Whether its provider wants to be left alone for longer than anybody waits here."""
    left = _left_seconds(row)
    return (row.get("retry_after_seconds") or 0 if left is None else left) > most_seconds


def why_not_slowed(
    by_cause: Mapping[str, Sequence[Row]], system_connectors: Row, sync_lag_most_wait_seconds: float
) -> str:
    """Why none of them can."""
    return _why_not(by_cause["too_fast"], "slow_down", system_connectors) or "; ".join(
        f"{row['who']}: its provider wants to be left alone for longer than sync_lag_most_wait_seconds"
        for row in by_cause["too_fast"]
        if _asks_too_long(row, sync_lag_most_wait_seconds)
    )


def task_targets(by_cause: Mapping[str, Sequence[Row]], system_connectors: Row) -> list[dict[str, str]]:
    """The connectors of which some tasks failed."""
    return _targets(by_cause["failed_task"], "restart_tasks", system_connectors)


def why_no_tasks(by_cause: Mapping[str, Sequence[Row]], system_connectors: Row) -> str:
    """Why none of these tasks can be restarted."""
    return _why_not(by_cause["failed_task"], "restart_tasks", system_connectors)


def schedulers(by_cause: Mapping[str, Sequence[Row]]) -> list[dict[str, str]]:
    """The services that should start connectors, and do not."""
    return [{"service": one} for one in dict.fromkeys(row["scheduler"] for row in by_cause["scheduler_dead"]) if one]


def why_no_scheduler(by_cause: Mapping[str, Sequence[Row]]) -> str:
    """Why none can be restarted."""
    sources = dict.fromkeys(row["source"] for row in by_cause["scheduler_dead"] if not row["scheduler"])
    return "; ".join(f"system_connectors.{one}.scheduler does not say which service starts them" for one in sources)


# What is said.


def credentials(by_cause: Mapping[str, Sequence[Row]], system_connectors: Row) -> str:
    """Where the keys are that have to be renewed."""
    found = {row["source"]: system_connectors[row["source"]].get("credential") for row in by_cause["credential"]}
    return "; ".join(f"the key of {source} is kept in {place}" for source, place in found.items() if place)


def failing_tests(sync_state: Row, by_cause: Mapping[str, Sequence[Row]]) -> list[str]:
    """The upstreams that cannot be reached now, each with what it says."""
    found = []
    for source in dict.fromkeys(row["source"] for row in by_cause["network"]):
        for name, one in sync_state["sources"][source].get("tests", {}).items():
            if one["available"] and not one["ok"]:
                found.append(f"{name}: {one['said']}")
            elif not one["available"]:
                found.append(f"{name}: {one['reason']}")
    return found


def dead_letters(sync_state: Row, rows: Sequence[Row], sync_lag_dead_letters: int) -> list[Row]:
    """The connectors of which more records were set aside than may be, and what belongs to none of them."""
    unassigned = [
        {"who": f"no connector of {source}", "dead_letters": seen["dead_letters"]["unassigned"]}
        for source, seen in sync_state["sources"].items()
        if seen.get("dead_letters", {}).get("unassigned")
    ]
    return [row for row in (*rows, *unassigned) if (row.get("dead_letters") or 0) > sync_lag_dead_letters]


def dead_letter_errors(sync_state: Row) -> list[Row]:
    """What is wrong with the records that were set aside."""
    letters = [seen.get("dead_letters", {}) for seen in sync_state["sources"].values()]
    return [error for one in letters for error in one.get("errors", ())]


def log_lines(service_states: Row, sync_state: Row) -> list[str]:
    """The last errors in the logs of schedulers and of synchronisations."""
    of_services = [
        one.get("last", "") for state in service_states.values() for one in state.get("log_tail_errors") or ()
    ]
    of_files = [
        one["last"] for seen in sync_state["sources"].values() for one in seen.get("log", {}).get("groups", ())[:3]
    ]
    return [*of_services, *of_files]


def in_words(by_cause: Mapping[str, Sequence[Row]]) -> dict[str, str]:
    """The connectors of each cause, in a few words."""
    return {cause: "; ".join(map(_words, rows)) for cause, rows in by_cause.items()}


def figures(rows: Sequence[Row]) -> str:
    """Every connector, in a few words."""
    return "; ".join(map(_words, rows[:10])) + (f"; and {len(rows) - 10} more" if len(rows) > 10 else "")


def _words(row: Row) -> str:
    said = [str(row["who"])]
    if row.get("lag_seconds") is not None:
        by = ", by its last success" if row.get("lag_of") == "last_success_at" else ""
        said.append(f"{_time(row['lag_seconds'])} behind{by}")
    if row.get("lag_bytes"):
        said.append(f"{row['lag_bytes'] / 2**20:.0f} MiB behind")
    if row.get("state") and (row["state"] != "ok" or len(said) == 1):
        said.append(str(row["state"]))
    if row.get("retry_count") and row.get("state") in ("failed", "retrying"):
        said.append(f"tried again {row['retry_count']} times")
    if row.get("failed_tasks"):
        said.append(f"{len(row['failed_tasks'])} of {row['tasks']} tasks failed")
    if row.get("pending"):
        since = row.get("pending_age_seconds")
        said.append(f"{row['pending']} wait" + ("" if since is None else f", the oldest for {_time(since)}"))
    if row.get("record"):
        said.append(f"record {row['record']} failed {row.get('record_failures', 'some')} times")
    if row.get("error") and row.get("state") in ("failed", "retrying", None):
        said.append(str(row["error"]))
    return ", ".join(said)


def _time(seconds: float) -> str:
    if seconds >= 2 * 86400:
        return f"{seconds / 86400:.1f} d"
    if seconds >= 7200:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"


def _works(service: Row) -> bool:
    return works(service) is True
