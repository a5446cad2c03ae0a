# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which records wait, what should bring them on, and what holds it up. Each function gives rows of workflows; what is not known is None.

A row has ``workflow`` (its name), ``waiting``, ``oldest_seconds``, ``limit_seconds``, ``stuck`` (how many wait for too long), ``off`` (how
many of these are of a scope for which the step is switched off), ``on`` (the others), ``records`` (some of the others), ``whole`` (all were
counted), ``agrees`` (its counts do not contradict each other), ``left_lately``, ``window_seconds``, ``watched_left``, ``stuck_watched`` and
``stuck_left`` (of two looks), ``lock_waits``, ``newest_seconds``, ``new_within_seconds``, ``states`` (pairs), ``waits_in`` (those in which
none must stay), ``services`` (of the inventory, that work), ``known`` (all of them were seen), ``down`` (those that do not run), ``young``
(those that were started a moment ago), ``lines`` (of the step, in their logs), ``logs`` (all of these were read), ``queue`` (its name, or
"") and ``events`` (what was seen of
it, or None).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...module_utils.text.log_lines import group_error_lines, is_error_line
from ...module_utils.workflows.request import PLAIN_ID
from ..looping import crashes, works

Row = Mapping[str, Any]

# Two clocks, and the time between two statements, may differ by so much.
_CLOCKS_SECONDS = 5.0


def rows(
    workflow: Row,
    system_workflows: Mapping[str, Row],
    service_states: Mapping[str, Row],
    event_queues: Mapping[str, Row],
    stalled_workflow_settled_seconds: float,
) -> list[dict[str, Any]]:
    """Every workflow that was seen."""
    return [
        _row(name, seen, system_workflows[name], service_states, event_queues, stalled_workflow_settled_seconds)
        for name, seen in workflow["workflows"].items()
        if seen["available"]
    ]


def _row(
    name: str, seen: Row, said: Row, states: Mapping[str, Row], queues: Mapping[str, Row], settled_seconds: float
) -> dict[str, Any]:
    services = list(said.get("workers") or ())
    known = {
        one: states[one] for one in services if states.get(one, {}).get("available") and works(states[one]) is not None
    }
    stuck, off = seen.get("stuck_count"), seen.get("stuck_off_count") if said.get("switches") else 0
    queue = said.get("queue") or ""
    events = queues.get(queue, {})
    return {
        "workflow": name,
        "waiting": seen.get("waiting", seen.get("waiting_at_least")),
        "oldest_seconds": seen.get("oldest_seconds"),
        "limit_seconds": seen["limit_seconds"],
        "stuck": stuck,
        "off": off,
        "on": None if stuck is None or off is None else stuck - off,
        "records": [one for one in seen.get("stuck") or () if not one.get("switched_off")],
        "whole": seen.get("is_part") is False and seen.get("timeless") == 0,
        "agrees": _agrees(seen, off),
        "left_lately": seen.get("left_lately"),
        "window_seconds": seen.get("window_seconds"),
        "watched_left": seen.get("watched_left"),
        "stuck_watched": seen.get("stuck_watched"),
        "stuck_left": seen.get("stuck_left"),
        "lock_waits": seen.get("lock_waits"),
        "newest_seconds": seen.get("newest_age_seconds"),
        "new_within_seconds": said.get("new_within_seconds"),
        "states": [(one["state"], one["count"]) for one in seen.get("states") or ()],
        "waits_in": [str(one) for one in said["waiting"]],
        "services": services,
        "known": len(known) == len(services),
        "down": [one for one, state in known.items() if not works(state)],
        "young": [one for one, state in known.items() if _is_young(state, settled_seconds)],
        "lines": [
            line
            for state in known.values()
            for line in state.get("log_tail") or ()
            if str(said.get("log_pattern") or "") in line
        ],
        "logs": all(state.get("log_tail") is not None for state in known.values()),
        "queue": queue,
        "events": events if events.get("available") else None,
    }


def _is_young(state: Row, settled_seconds: float) -> bool:
    return state.get("uptime_seconds") is not None and state["uptime_seconds"] < settled_seconds


def _agrees(seen: Row, off: int | None) -> bool:
    """Whether the counts go together; a part of a table has the least of each."""
    stuck, oldest = seen.get("stuck_count"), seen.get("oldest_seconds")
    waiting = seen.get("waiting", seen.get("waiting_at_least"))
    if stuck is None or waiting is None or not 0 <= (off or 0) <= stuck <= waiting or (oldest or 0) < 0:
        return False
    return (waiting == 0 or oldest is not None or seen.get("timeless") == waiting) and _stuck_agrees(seen)


def _stuck_agrees(seen: Row) -> bool:
    """Whether one waits for too long exactly where the oldest does."""
    return ((seen.get("oldest_seconds") or 0) > seen["limit_seconds"]) == (seen["stuck_count"] > 0)


def stuck(rows: Sequence[Row]) -> list[Row]:
    """Those in which records wait for too long, the oldest first."""
    return sorted((row for row in rows if row["agrees"] and row["stuck"]), key=lambda row: -row["oldest_seconds"])


def switched_off(stuck: Sequence[Row]) -> list[Row]:
    """Those of whose records some wait because the step is switched off for them."""
    return [row for row in stuck if row["off"]]


def held(stuck: Sequence[Row]) -> list[Row]:
    """Those of whose records some wait for too long though the step is on for them."""
    return [row for row in stuck if row["on"]]


def draining(held: Sequence[Row], stalled_workflow_drain_seconds: float) -> list[Row]:
    """Those that will have caught up in time by themselves, as two looks at the same records say."""
    return [row for row in held if _seconds_left(row) <= stalled_workflow_drain_seconds]


def _seconds_left(row: Row) -> float:
    rate = (row["stuck_left"] or 0) / (row["window_seconds"] or 1)
    return row["on"] / rate if rate > 0 else float("inf")


def still(held: Sequence[Row]) -> list[Row]:
    """Those of which none of the records that wait for too long gets on."""
    return [row for row in held if row["stuck_watched"] and row["stuck_left"] == 0]


def two_looks(held: Sequence[Row]) -> bool:
    """Whether it is known of each if its records get on."""
    return all(row["stuck_watched"] and row["stuck_left"] is not None for row in held)


def idle(still: Sequence[Row]) -> list[Row]:
    """Those from which nothing leaves at all, neither now nor lately."""
    return [row for row in still if row["watched_left"] == 0 and _done_lately(row) == 0]


def idle_known(still: Sequence[Row]) -> bool:
    """Whether it is known of each if anything leaves."""
    return all(row["watched_left"] or _done_lately(row) is not None for row in still)


def _done_lately(row: Row) -> float | None:
    """How much came on lately; of a table that does not keep when, what came to an end in the queue tells."""
    if row["left_lately"] is not None:
        return float(row["left_lately"])
    return (row["events"] or {}).get("throughput_per_second")


def locked(still: Sequence[Row], idle: Sequence[Row], blockers: Sequence[Row]) -> list[Row]:
    """Those that somebody's lock holds up: a session waits for one that has to do with the table, or nothing leaves at all."""
    return [row for row in still if blockers and (row["lock_waits"] or row in idle)]


def stopped(held: Sequence[Row], service_states: Mapping[str, Row]) -> list[str]:
    """The services that a person stopped, of those that should work."""
    return [one for one in _down(held) if service_states[one].get("stopped_by_person")]


def crashing(held: Sequence[Row], service_states: Mapping[str, Row]) -> list[str]:
    """Those that end by themselves again and again."""
    return [one for one in _down(held) if crashes(service_states[one])]


def _down(held: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(one for row in held for one in row["down"]))


def without_worker(held: Sequence[Row]) -> list[Row]:
    """Those on which nobody works: none of their services runs. One whose records get on has somebody."""
    return [
        row
        for row in held
        if row["services"] and row["known"] and row["down"] == row["services"] and not row["stuck_left"]
    ]


def failing(
    still: Sequence[Row], stalled_workflow_same_errors: int, stalled_workflow_error_ratio: float
) -> list[dict[str, Any]]:
    """Those whose step logs the same error again and again, with that ``error`` (``count`` and ``last``), while it has something to do."""
    found = []
    for row in still:
        errors = sum(map(is_error_line, row["lines"]))
        groups = group_error_lines("\n".join(row["lines"]), len(row["lines"]))
        often = bool(groups) and groups[0]["count"] >= stalled_workflow_same_errors
        if often and errors / len(row["lines"]) >= stalled_workflow_error_ratio and not _nothing_is_tried(row):
            found.append({**row, "error": groups[0]})
    return found


def _nothing_is_tried(row: Row) -> bool:
    """Whether no event is on its way and none died lately: then what the log says is over, and nothing is left that could fail."""
    events = row["events"]
    return events is not None and all(events.get(key) == 0 for key in ("ready", "running", "dead_lately"))


def without_taker(
    still: Sequence[Row], stalled_workflow_events: int, stalled_workflow_events_seconds: float
) -> list[Row]:
    """Those whose events wait in the queue, too many or for too long."""
    return [
        row
        for row in still
        if (row["events"] or {}).get("ready")
        and (
            row["events"]["ready"] >= stalled_workflow_events
            or _oldest_event_seconds(row["events"]) >= stalled_workflow_events_seconds
            or row["events"].get("paused")
        )
    ]


def _oldest_event_seconds(events: Row) -> float:
    known = events.get("oldest_ready_age_seconds")
    return float(events.get("oldest_ready_age_at_least_seconds") or 0 if known is None else known)


def dead(still: Sequence[Row]) -> list[Row]:
    """Those whose events have died, while none is on its way. Fewer than records wait are not why they do."""
    return [
        row
        for row in still
        if (row["events"] or {}).get("dead", 0) >= max(1, row["on"]) and _none_on_the_way(row["events"])
    ]


def dead_in_words(held: Sequence[Row]) -> str:
    """The dead events of what waits, in a few words, or ""."""
    found = {row["queue"]: row["events"]["dead"] for row in held if (row["events"] or {}).get("dead")}
    return "".join(f"; {count} events of {queue} are dead" for queue, count in found.items())


def _none_on_the_way(events: Row) -> bool:
    return all(events.get(key) == 0 for key in ("ready", "running")) and not events.get("delayed")


def lost(still: Sequence[Row], idle: Sequence[Row]) -> list[dict[str, Any]]:
    """Those with records for which there is no event anywhere, though somebody is there to take one; with these records.

    An event that waits or runs may be for any record that came into its state no earlier than it.
    """
    found = []
    for row in still:
        events = row["events"]
        # What is tried again later waits for its time: where nobody counts that, it may be theirs.
        if events is None or events.get("ready") is None or any(events.get(key) != 0 for key in ("dead", "delayed")):
            continue
        # Somebody has taken one, and waits.
        if row["lock_waits"]:
            continue
        at_work = row not in idle or (events.get("workers") or 0) > 0
        since = _events_since_seconds(events)
        records = [one for one in row["records"] if since is not None and one["age_seconds"] > since + _CLOCKS_SECONDS]
        if records and at_work:
            found.append({**row, "records": records})
    return found


def _events_since_seconds(events: Row) -> float | None:
    """How long ago the oldest event came that waits or runs; 0 where there is none, None where it is not known."""
    if events["ready"] and events.get("oldest_ready_age_seconds") is None:
        return None
    if events.get("running") != 0:
        return None
    return float(events["oldest_ready_age_seconds"]) if events["ready"] else 0.0


def hanging(idle: Sequence[Row]) -> list[Row]:
    """Those whose services are known, while there is something to do and nothing is done."""
    return [row for row in idle if row["services"] and row["known"] and _has_something_to_do(row)]


def _has_something_to_do(row: Row) -> bool:
    # Without a queue the records themselves are what it takes.
    return not row["queue"] or (
        bool(row["events"]) and (row["events"].get("ready") or 0) + (row["events"].get("running") or 0) > 0
    )


def just_started(idle: Sequence[Row]) -> list[Row]:
    """Those whose services were started a moment ago, and had no time yet."""
    return [row for row in idle if row["young"]]


def stale(rows: Sequence[Row]) -> list[Row]:
    """Those in which no new record came for longer than the inventory says that it may take."""
    return [
        row for row in rows if row["new_within_seconds"] and (row["newest_seconds"] or 0) > row["new_within_seconds"]
    ]


def newest_known(rows: Sequence[Row]) -> bool:
    """Whether it is known of each that has to get new records if it does."""
    return all(row["newest_seconds"] is not None for row in rows if row["new_within_seconds"])


def restarts_without_worker(without_worker: Sequence[Row]) -> list[dict[str, str]]:
    """What is restarted where nobody works."""
    return _restarts(without_worker)


def restarts_hanging(hanging: Sequence[Row]) -> list[dict[str, str]]:
    """What is restarted where it hangs."""
    return _restarts(hanging)


def _restarts(rows: Sequence[Row]) -> list[dict[str, str]]:
    return [{"service": one} for one in dict.fromkeys(one for row in rows for one in row["services"])]


def requests(lost: Sequence[Row], system_workflows: Mapping[str, Row]) -> list[dict[str, Any]]:
    """The records whose events are asked for again, where the inventory says how."""
    found = []
    for row in lost:
        ids = [one["id"] for one in row["records"] if PLAIN_ID.match(one["id"])]
        if ids and system_workflows[row["workflow"]].get("request"):
            found.append({"workflow": row["workflow"], "records": ids})
    return found


def why_not_requested(lost: Sequence[Row], system_workflows: Mapping[str, Row]) -> str:
    """Why none is asked for again, and what to change."""
    silent = [row["workflow"] for row in lost if not system_workflows[row["workflow"]].get("request")]
    if silent:
        return f"system_workflows.{silent[0]}.request does not say which command sends events again"
    return "their ids cannot be arguments of a command: letters, digits and . _ : @ - can"


def replays(dead: Sequence[Row]) -> list[dict[str, str]]:
    """The queues whose dead events are replayed."""
    return [{"queue": one} for one in dict.fromkeys(row["queue"] for row in dead)]


def in_words(held: Sequence[Row], stalled_workflow_lately_seconds: float) -> str:
    """What waits for too long, in a few words."""
    return "; ".join(_words(row, stalled_workflow_lately_seconds) for row in held)


def delay_advice(still: Sequence[Row]) -> str:
    """What to say where no event is to be seen and nobody tells whether one waits for a later time, before a next sentence; or empty."""
    untold = [
        row["queue"]
        for row in still
        if row["events"]
        and _none_on_the_way(row["events"])
        and row["events"].get("dead") == 0
        and row["events"].get("delayed") is None
    ]
    if not untold:
        return ""
    return (
        f"No event of {' and '.join(untold)} is to be seen, and nobody tells whether one waits for a later time: where none does, they are lost. "
        "Have statements.counts of the queue tell delayed. "
    )


def left_advice(still: Sequence[Row], stalled_workflow_lately_seconds: float) -> str:
    """What to do where those that wait do not get on and others did lately, so that no worker is taken to hang, before a next sentence; or empty."""
    if not any(row["left_lately"] for row in still):
        return ""
    return (
        f"Some got on lately, so nothing says that a worker hangs. Where none does for {_time(stalled_workflow_lately_seconds)} "
        "(stalled_workflow_lately_seconds), look again. "
    )


def figures(rows: Sequence[Row], stalled_workflow_lately_seconds: float) -> str:
    """Every workflow with what is known of it, in a few words."""
    return "; ".join(_words(row, stalled_workflow_lately_seconds) for row in rows)


def _words(row: Row, lately_seconds: float) -> str:
    counts = [f"{count} {state}" for state, count in row["states"] if state in row["waits_in"]]
    waits = (
        ", ".join(counts) or f"{'' if row['whole'] else 'at least '}{row['waiting']} in {' or '.join(row['waits_in'])}"
    )
    said = [f"{row['workflow']}: {waits}"]
    if row["oldest_seconds"] is not None:
        said[0] += f", the oldest {_time(row['oldest_seconds'])}"
    if row["stuck"]:
        said[0] += f", {row['stuck']} for longer than {_time(row['limit_seconds'])}"
    if row["left_lately"] is not None:
        said.append(f"{row['left_lately']} left in {_time(lately_seconds)}")
    if row["lock_waits"]:
        said.append(f"{row['lock_waits']} sessions wait for a lock")
    return "; ".join(said)


def _time(seconds: float) -> str:
    if seconds >= 2 * 86400:
        return f"{seconds / 86400:.0f} days"
    if seconds >= 2 * 3600:
        return f"{seconds / 3600:.0f} h"
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"


def approval(
    workflow: Row,
    system_workflows: Mapping[str, Row],
    stalled_workflow_approve_id: str,
    stalled_workflow_approve_reason: str,
    stalled_workflow_approved_by: str,
    approve_workflow: str,
) -> dict[str, Any]:
    """What was asked to be approved: ``refusal`` (why it is not, or ""), ``targets``, and ``done`` (that it is, or "")."""
    nothing: dict[str, Any] = {"refusal": "", "targets": [], "done": ""}
    asked = {
        "stalled_workflow_approve_id": stalled_workflow_approve_id.strip(),
        "stalled_workflow_approve_reason": stalled_workflow_approve_reason.strip(),
        "stalled_workflow_approved_by": stalled_workflow_approved_by.strip(),
    }
    if not any(asked.values()):
        return nothing
    if missing := [name for name, value in asked.items() if not value]:
        return {
            **nothing,
            "refusal": f"nothing is approved: {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not given",
        }
    if not approve_workflow:
        ways = [name for name, one in system_workflows.items() if one.get("approve")]
        why = (
            f"{' and '.join(ways)} have approve: name one with stalled_workflow_approve_workflow"
            if ways
            else "none has approve"
        )
        return {**nothing, "refusal": f"nothing is approved: of system_workflows {why}"}
    way = system_workflows[approve_workflow].get("approve")
    if not way:
        return {**nothing, "refusal": f"nothing is approved: system_workflows.{approve_workflow} has no approve"}
    found = workflow["workflows"][approve_workflow]["record"]
    what = f"{approve_workflow} {asked['stalled_workflow_approve_id']}"
    if found["count"] != 1:
        many = found.get("reason") or ("there is none" if not found["count"] else "more than one has this id")
        return {**nothing, "refusal": f"{what} is not approved: {many}"}
    if found["state"] in (way["to"], *way.get("passed", ())):
        return {**nothing, "done": f"{what} is {found['state']}"}
    if found["state"] not in way["from"]:
        said = f"it is {found['state']}, and approve.from has {', '.join(way['from'])}"
        return {**nothing, "refusal": f"{what} is not approved: {said}"}
    target = {
        "workflow": approve_workflow,
        "record": found["id"],
        "from": found["state"],
        "to": way["to"],
        "approved_by": asked["stalled_workflow_approved_by"],
        "reason": asked["stalled_workflow_approve_reason"],
    }
    if way.get("command") and (
        dashed := [key for key in ("record", "approved_by", "reason") if target[key].startswith("-")]
    ):
        # Any program takes that for an option.
        return {
            **nothing,
            "refusal": f"{what} is not approved: its {dashed[0]} begins with -, which no command can be given",
        }
    return {**nothing, "targets": [target]}
