# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What waits in queues, who takes it, and what holds it up. Each function gives rows of queues; what is not known is None.

A row has ``queue`` (its name), ``complete`` (whether all was seen that its engine tells), ``ready``, ``oldest_seconds`` (the least, where no
more is known; then ``is_least``), ``limit_seconds`` (for which a job may run), ``workers`` (that the engine sees), ``services`` (of the
inventory, that work), ``running``, ``abandoned``, ``down`` (those of the services that do not run), ``paused``, ``rate_limited``,
``retrying`` (jobs that failed and wait to be tried again), ``done_per_second``, ``arrivals_per_second``, ``growth_per_second``, ``stuck``
(jobs over their limit), ``stuck_count``, ``done_in_window`` (whether any came to an end between two looks), ``names`` and ``names_of`` (of
what waits), ``errors`` and ``dead_lately``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..looping import crashes, works

Row = Mapping[str, Any]

# A place that is free takes a job within this time, however rarely its worker looks.
_TAKEN_SECONDS = 30.0
# For so long a job may run where the inventory does not say.
_LIMIT_SECONDS = 300.0
# By fewer jobs than these a queue changes while as many come as are done.
_FEW_JOBS = 3.0


def rows(queue: Row, system_queues: Mapping[str, Row], service_states: Mapping[str, Row]) -> list[dict[str, Any]]:
    """Every queue that was seen."""
    return [
        _row(
            name,
            seen,
            list(system_queues[name].get("workers") or ()),
            service_states,
            float(system_queues[name].get("limit_seconds") or _LIMIT_SECONDS),
        )
        for name, seen in queue["queues"].items()
        if seen["available"]
    ]


def _row(name: str, seen: Row, services: list[str], states: Mapping[str, Row], limit_seconds: float) -> dict[str, Any]:
    oldest = seen.get("oldest_ready_age_seconds")
    known = {
        one: states[one] for one in services if states.get(one, {}).get("available") and works(states[one]) is not None
    }
    return {
        "queue": name,
        "complete": seen["complete"],
        "ready": seen.get("ready"),
        "oldest_seconds": seen.get("oldest_ready_age_at_least_seconds") if oldest is None else oldest,
        "is_least": oldest is None,
        "oldest_was_taken": seen.get("oldest_was_taken"),
        "done_in_window": seen.get("done_in_window"),
        "limit_seconds": limit_seconds,
        "workers": seen.get("workers"),
        "services": services,
        "known": len(known) == len(services),
        "down": [one for one, state in known.items() if not works(state)],
        "running": seen.get("running"),
        "abandoned": seen.get("abandoned"),
        "paused": seen.get("paused"),
        "rate_limited": seen.get("rate_limited"),
        "done_per_second": seen.get("throughput_per_second"),
        "arrivals_per_second": seen.get("arrivals_per_second"),
        "growth_per_second": seen.get("ready_growth_per_second"),
        "stuck": seen.get("running_over_limit") or [],
        "stuck_count": seen.get("running_over_limit_count"),
        "names": seen.get("by_name") or [],
        "names_of": seen.get("by_name_of") or 0,
        "retrying": seen.get("retrying"),
        "errors": seen.get("errors") or [],
        "dead_lately": seen.get("dead_lately"),
    }


def waiting(rows: Sequence[Row], worker_queue_depth: int, worker_queue_oldest_seconds: float) -> list[Row]:
    """Those in which too many wait, or one for too long, or any for services that do not run; the longest wait first."""
    found = [
        row
        for row in rows
        if (row["ready"] or 0) >= worker_queue_depth
        or (row["oldest_seconds"] or 0) >= worker_queue_oldest_seconds
        # Where the engine sees others, the two sides disagree.
        or (row["ready"] and not row["workers"] and _all_are_down(row) and (row["growth_per_second"] or 0) >= 0)
    ]
    return sorted(found, key=lambda row: (-(row["oldest_seconds"] or 0), -(row["ready"] or 0)))


def _all_are_down(row: Row) -> bool:
    return bool(row["services"] and row["known"] and len(row["down"]) == len(row["services"]))


def draining(
    waiting: Sequence[Row], worker_queue_drain_seconds: float, worker_queue_window_seconds: float
) -> list[Row]:
    """Those that will be empty in time by themselves, as two looks say: what was done before says nothing of workers that are gone since."""
    return [
        row
        for row in waiting
        if _change(row, worker_queue_window_seconds) < 0
        and float(row["ready"] or 0) / -row["growth_per_second"] <= worker_queue_drain_seconds
    ]


def _change(row: Row, window_seconds: float) -> float:
    """Jobs by which the queue has grown in the window, below 0 where it became shorter; 0 where that says nothing, or is not known."""
    jobs = float(row["growth_per_second"] or 0) * window_seconds
    # Rounded to thousandths for each second.
    return jobs if abs(jobs) >= min(_FEW_JOBS, float(row["ready"] or 0)) - 0.01 else 0.0


def growing(waiting: Sequence[Row], worker_queue_window_seconds: float) -> list[Row]:
    """Those of which more comes than is done, by workers that are at work: others are not too few.

    Where both rates are known they say so too: a moment in which many came is no lack of workers.
    """
    return [row for row in waiting if _is_at_work(row) and _grows(row, worker_queue_window_seconds)]


def _is_at_work(row: Row) -> bool:
    # At one moment none may run of jobs that are short.
    if row["running"] or row["done_in_window"] or row["oldest_was_taken"]:
        return True
    return bool(row["running"] is None and row["done_per_second"])


def _grows(row: Row, window_seconds: float) -> bool:
    done, came = row["done_per_second"], row["arrivals_per_second"]
    if row["growth_per_second"] is not None and _change(row, window_seconds) <= 0:
        return False
    if done is None or came is None:
        return row["growth_per_second"] is not None
    return bool(came > done)


def without_worker(waiting: Sequence[Row]) -> list[Row]:
    """Those from which nobody takes anything: no worker is seen and none is at a job, or none of its services runs.

    One that becomes shorter has somebody.
    """
    return [
        row
        for row in waiting
        if (row["growth_per_second"] or 0) >= 0
        and (_all_are_down(row) or (row["workers"] == 0 and not _runs_one_in_time(row)))
    ]


def _runs_one_in_time(row: Row) -> bool:
    """Whether a job runs that some worker may well be at."""
    return bool((row["running"] or 0) > max(row["stuck_count"] or 0, row["abandoned"] or 0))


def fewer(waiting: Sequence[Row]) -> list[Row]:
    """Those of whose services some do not run, and others do."""
    return [row for row in waiting if row["known"] and 0 < len(row["down"]) < len(row["services"])]


def workers_known(waiting: Sequence[Row]) -> bool:
    """Whether it is known of each if anybody works on it."""
    return all(row["workers"] is not None or (row["services"] and row["known"]) for row in waiting)


def unserved(rows: Sequence[Row]) -> list[Row]:
    """Those for which none of the services runs that the inventory names, whether something waits or not."""
    return [row for row in rows if _all_are_down(row) and (row["growth_per_second"] or 0) >= 0]


def untold(rows: Sequence[Row]) -> list[Row]:
    """Those in which jobs wait of which nobody tells for how long, nor that any is taken."""
    return [
        row
        for row in rows
        if row["ready"]
        and row["is_least"]
        and not (row["growth_per_second"] or 0) < 0
        and not row["done_per_second"]
        and not row["oldest_was_taken"]
    ]


def contradictions(rows: Sequence[Row]) -> list[Row]:
    """Those in which more jobs run for too long than run at all."""
    return [row for row in rows if row["running"] is not None and (row["stuck_count"] or 0) > row["running"]]


def stuck(rows: Sequence[Row]) -> list[Row]:
    """Those in which all that runs has run for longer than it may, while others wait: no place is left for them."""
    return [row for row in rows if row["stuck_count"] and row["ready"] and _is_held_up(row)]


def _is_held_up(row: Row) -> bool:
    if (row["growth_per_second"] or 0) < 0 or row["done_in_window"]:
        return False
    if row["oldest_seconds"] is not None and not row["is_least"]:
        # A place may be free, and what waits has come a moment ago.
        if row["oldest_seconds"] <= min(_TAKEN_SECONDS, row["limit_seconds"]):
            return False
    elif row["done_per_second"] or row["oldest_was_taken"]:
        return False
    # Of an engine that does not count what runs, only that nothing came to an end tells. Counts that contradict each other tell nothing.
    return row["running"] == row["stuck_count"] if row["running"] is not None else row["done_per_second"] == 0


def late(rows: Sequence[Row], stuck: Sequence[Row]) -> list[Row]:
    """Those in which jobs run for longer than they may, and hold nobody up."""
    return [row for row in rows if row["stuck_count"] and row not in stuck]


def storms(growing: Sequence[Row], worker_queue_storm_ratio: float) -> list[dict[str, Any]]:
    """Those of which most is of one name, with ``source`` and its ``share``."""
    found = []
    for row in growing:
        first = row["names"][0] if row["names"] else None
        share = first["count"] / row["names_of"] if first and row["names_of"] else 0.0
        # A queue that only knows one kind of job has no storm of it.
        if first and share >= worker_queue_storm_ratio and len(row["names"]) > 1:
            found.append({**row, "source": first["name"], "share": share})
    return found


def failing(
    rows: Sequence[Row],
    worker_queue_failing: int,
    worker_queue_failing_ratio: float,
    worker_queue_lately_seconds: float,
) -> list[Row]:
    """Those of whose jobs most failed for good lately, where that are more than a few; or so many, of how many is not known."""
    found = []
    for row in rows:
        dead = row["dead_lately"] or 0
        done = (row["done_per_second"] or 0) * worker_queue_lately_seconds
        # The engine counts what failed among what came to an end, or does not: at most all of it failed.
        if dead >= worker_queue_failing and dead / max(dead, done) >= worker_queue_failing_ratio:
            found.append(row)
    return found


def paused(rows: Sequence[Row]) -> list[Row]:
    """Those that somebody has paused, and in which something waits."""
    return [row for row in rows if row["paused"] and row["ready"]]


def limited(waiting: Sequence[Row]) -> list[Row]:
    """Those whose jobs wait for a rate limit."""
    return [row for row in waiting if row["rate_limited"]]


def retried(
    rows: Sequence[Row],
    worker_queue_failing: int,
    worker_queue_failing_ratio: float,
    worker_queue_lately_seconds: float,
) -> list[Row]:
    """Those with more than a few jobs that failed and wait to be tried again, and as many as were done lately or nearly so."""
    found = []
    for row in rows:
        again = row["retrying"] or 0
        if again >= worker_queue_failing and row["done_per_second"] is not None:
            done = row["done_per_second"] * worker_queue_lately_seconds
            if again / max(again, done) >= worker_queue_failing_ratio:
                found.append(row)
    return found


def retries_told(rows: Sequence[Row], worker_queue_failing: int) -> bool:
    """Whether it is known of each if jobs are tried again and again."""
    return all(
        row["retrying"] is not None and (row["retrying"] < worker_queue_failing or row["done_per_second"] is not None)
        for row in rows
    )


def failing_in_words(failing: Sequence[Row]) -> str:
    """What fails for good, in a few words."""
    return "; ".join(
        f"{row['dead_lately']} jobs of {row['queue']} failed for good lately, of how many is not known"
        if row["done_per_second"] is None
        else f"most jobs of {row['queue']} fail for good"
        for row in failing
    )


def stopped(waiting: Sequence[Row], service_states: Mapping[str, Row]) -> list[str]:
    """The services that a person stopped, of those that should work."""
    return [one for one in _down(waiting) if service_states[one].get("stopped_by_person")]


def crashing(waiting: Sequence[Row], service_states: Mapping[str, Row]) -> list[str]:
    """Those that end by themselves again and again."""
    return [one for one in _down(waiting) if crashes(service_states[one])]


def _down(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(one for row in rows for one in row["down"]))


def restarts_without_worker(without_worker: Sequence[Row]) -> list[dict[str, str]]:
    """What is restarted where nobody works."""
    return _restarts(without_worker)


def restarts_fewer(fewer: Sequence[Row]) -> list[dict[str, str]]:
    """What is started where some do not run: those alone."""
    return [{"service": one} for one in _down(fewer)]


def restarts_stuck(stuck: Sequence[Row]) -> list[dict[str, Any]]:
    """What is restarted where jobs are stuck, and the jobs of each queue that are cancelled then."""
    cancels = [{"queue": row["queue"], "jobs": [one["id"] for one in row["stuck"]]} for row in stuck if row["services"]]
    return [*_restarts(stuck), *cancels]


def _restarts(rows: Sequence[Row]) -> list[dict[str, str]]:
    return [{"service": one} for one in dict.fromkeys(one for row in rows for one in row["services"])]


def scale_change(
    growing: Sequence[Row], service_states: Mapping[str, Row], worker_queue_scale_to: int
) -> list[dict[str, Any]]:
    """What is scaled where more comes than is done: of each queue the first service, if it has fewer replicas and no port of its own."""
    found: dict[str, dict[str, Any]] = {}
    for row in growing:
        for one in row["services"][:1] if row["known"] else ():
            state = service_states[one]
            replicas = state.get("replicas")
            fixed = any(port.get("host_port_fixed") for port in state.get("ports") or ())
            if replicas and replicas < worker_queue_scale_to and not fixed:
                found[one] = {"service": one, "from": replicas, "to": worker_queue_scale_to}
    return [*found.values()]


def why_not_scaled(growing: Sequence[Row], worker_queue_scale_to: int) -> str:
    """Why nothing can be scaled, and what to change."""
    nameless = [row["queue"] for row in growing if not row["services"]]
    if nameless:
        return f"system_queues.{nameless[0]}.workers does not say which services take its jobs"
    return f"they run worker_queue_scale_to ({worker_queue_scale_to}) times already, or have a port of the host that one replica owns"


def why_not_restarted(without_worker: Sequence[Row], stuck: Sequence[Row]) -> str:
    """Why nothing can be restarted, and what to change."""
    (name, *_others) = [row["queue"] for row in [*without_worker, *stuck]]
    return f"system_queues.{name}.workers does not say which services take its jobs"


def slow(database: Row) -> list[Row]:
    """Sessions that hold others up, or have run for long."""
    known = {one["pid"] for one in database["blockers"]}
    return [*database["blockers"], *(one for one in database["long_running"] if one["pid"] not in known)]


def in_words(waiting: Sequence[Row]) -> str:
    """What waits, in a few words."""
    return "; ".join(_words(row) for row in waiting)


def figures(rows: Sequence[Row]) -> str:
    """Every queue with what is known of it, in a few words."""
    return "; ".join(_words(row) for row in rows)


def _words(row: Row) -> str:
    said = [f"{row['queue']}: {'an unknown number' if row['ready'] is None else row['ready']} ready"]
    if row["oldest_seconds"]:
        said.append(f"the oldest for {_time(row['oldest_seconds'])}")
    if row["done_per_second"] is not None:
        said.append(f"{row['done_per_second']:.3g} done per second")
    if row["workers"] is not None:
        said.append(f"{row['workers']} workers")
    return ", ".join(said)


def _time(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"
