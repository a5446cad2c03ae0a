# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of a workflow, in words that do not depend on its table. Pure."""

from __future__ import annotations

from ..queues.answer import ID_CHARACTERS, name_of, seconds, settled
from ..text.one_line import one_line

# Two clocks that are kept may differ by so much.
_CLOCKS_SECONDS = 5.0
# Two time zones differ by at least, and by less than, so much.
_ZONES_SECONDS = 900.0
_DAYS_SECONDS = 2 * 86400.0


def answer(found, workflow, most_stuck, limits):
    """What the statements tell.

    Args:
        found: the answers to them by name; None where one failed or was not asked.
        workflow: of :func:`spec.described`.
        most_stuck: how many records to list.
        limits: lines of what could not be seen.
    """
    counts = found["counts"]
    limits = list(limits)
    told = {"limit_seconds": workflow["limit_seconds"], "is_part": bool(counts.get("is_part"))}
    if counts.get("is_part"):
        told["waiting_at_least"] = counts["waiting"]
        limits.append(f"at least {counts['waiting']} records wait: there was no time to count more")
    else:
        told["waiting"] = counts["waiting"]
    why_no_ages = _why_no_ages(counts, found["by_state"], found.get("zoneless", ()))
    if why_no_ages:
        limits.append(f"how long records wait is not known: {why_no_ages}")
        found = {**found, "newest": None, "left": None}
    else:
        told.update(_stuck(found, counts, most_stuck))
    told["timeless"] = counts["timeless"]
    if counts["timeless"]:
        limits.append(f"{counts['timeless']} records that wait have no time, so how long they do is not known")
    switches = found["switches"]
    if switches is not None:
        told["switches"] = switches["scopes"]
        told["switched_off_count"] = switches["off"]
        told["switched_off"] = [name_of(one) for one in switches["list"]]
        if "stuck_count" in told:
            told["stuck_off_count"] = counts["off"]
    for name, key in (("newest", "age_seconds"), ("left", "left"), ("locks", "waits")):
        value = (found[name] or {}).get(key)
        if value is not None:
            told[_NAMES[name]] = seconds(value) if name == "newest" else value
    if found["by_state"] is not None:
        told["states"] = [_state(one) for one in found["by_state"]]
    if found["record"] is not None:
        told["record"] = found["record"]
    return settled(told, limits)


def _why_no_ages(counts, by_state, zoneless):
    """Why the records are not known to be as old as they look, or ""."""
    # Of all records, as those that get on are the newest. What is days ahead is no clock, but a date that somebody set.
    times = [
        one["newest_seconds"] for one in by_state or () if (one["newest_seconds"] or -_DAYS_SECONDS) > -_DAYS_SECONDS
    ]
    ahead = -min([*times, counts["youngest_seconds"] or 0.0])
    if ahead > _CLOCKS_SECONDS:
        return (
            f"some began {round(ahead)} s in the future; the clocks of the application and of the database differ, or a column without a "
            "time zone needs time_zone"
        )
    # What another zone would move would be at least so old.
    newest = min(times, default=None)
    if zoneless and counts["waiting"] and (newest is None or newest > _ZONES_SECONDS):
        latest = (
            "nothing tells when one last changed"
            if newest is None
            else f"the last one changed {round(newest / 60)} min ago"
        )
        return f"{' and '.join(zoneless)} has no time zone, and {latest} or in another zone; give the workflow time_zone, such as UTC"
    return ""


_NAMES = {"newest": "newest_age_seconds", "left": "left_lately", "locks": "lock_waits"}


def _stuck(found, counts, most_stuck):
    limit_seconds = counts["limit_seconds"]
    told = {"stuck_count": counts["stuck"]}
    if counts["oldest_seconds"] is not None:
        told["oldest_seconds"] = seconds(counts["oldest_seconds"])
    if found["oldest"] is not None:
        late = [one for one in found["oldest"] if one["age_seconds"] is not None and one["age_seconds"] > limit_seconds]
        told["stuck"] = [record(one) for one in late[:most_stuck]]
    return told


def _state(one):
    told = {"state": name_of(one["state"]) or "", "count": one["count"]}
    if one["oldest_seconds"] is not None:
        told["oldest_seconds"] = seconds(one["oldest_seconds"])
    return told


def record(one):
    """A record as an answer lists it."""
    told = {"id": one_line(one["id"], ID_CHARACTERS), "state": name_of(one["state"]) or ""}
    if one["age_seconds"] is not None:
        told["age_seconds"] = seconds(one["age_seconds"])
    if one["scope"] is not None:
        told["scope"] = name_of(one["scope"])
    if "off" in one:
        told["switched_off"] = one["off"]
    return told


def between(watched, still, limit_seconds, window_seconds):
    """What two looks at the same records tell.

    Args:
        watched: the records that waited at the first look, as the statement gave them.
        still: the ids of those that wait at the second one.
        limit_seconds: for so long one may wait.
        window_seconds: between the two looks.
    """
    still = set(still)
    # What is switched off has nothing to leave for.
    late = [one for one in watched if not one["off"] and (one["age_seconds"] or 0) > limit_seconds]
    return {
        "window_seconds": round(window_seconds, 3),
        "watched": len(watched),
        "watched_left": len([one for one in watched if one["id"] not in still]),
        "stuck_watched": len(late),
        "stuck_left": len([one for one in late if one["id"] not in still]),
    }
