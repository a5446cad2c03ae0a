# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a backup that was looked at is good for, the same for everybody who relies on one. Pure. What is not known is None."""

from __future__ import annotations

from ..text.one_line import one_line
from .files import HAS_BACKUPS
from .proof import RUNGS
from .spec import MIN_RATIO

# How old the newest may be, where nothing says so: one of every night, and two hours for making it.
MAX_AGE_SECONDS = 93600.0
# By so much clocks may differ.
CLOCKS_SECONDS = 300.0
# All that is shown without a restore.
_PROVEN = RUNGS[: RUNGS.index("restored")]


def is_stale(seen, most_seconds):
    """Whether the newest is too old. One that is not there is older than any, if nothing else shows one."""
    if seen["newest"] is None:
        # Those of one folder a day are there, and were not looked at.
        elsewhere = any(one["what"] == HAS_BACKUPS for one in seen["odd"])
        return None if seen["proof"] or seen["previous"] or elsewhere else True
    age = seen["newest"]["age_seconds"]
    # One from the future tells that a clock is wrong.
    return None if age is None or age < -CLOCKS_SECONDS else age > most_seconds


def proven(seen):
    """Whether the newest stands as high as it can without a restore; None where it was not looked at so far."""
    if seen["kind"] != "files":
        # These prove what they make themselves, and tell it as troubles.
        return None if seen["newest"] is None else not seen["troubles"]
    if seen["proof"] is None:
        return None
    if seen["proof"]["failed"]:
        return False
    return True if all(seen["proof"]["rungs"][rung] is True for rung in _PROVEN) else None


def of_another(seen):
    """The database that the newest is of, and that which it should be of, where these are two; else None."""
    is_of = seen["proof"]["database"] if seen["proof"] else None
    should_be = (seen["database"] or {}).get("name")
    return (one_line(is_of), one_line(should_be)) if is_of and should_be and is_of != should_be else None


def is_shrunk(seen, given):
    """Whether it is whole, and much smaller than those before it, or has no row in a table that has to be there."""
    if seen["kind"] == "files" and not (seen["proof"] and seen["proof"]["rungs"]["ended"] is True):
        return False
    least = given.get("min_ratio")
    is_small = seen["size_ratio"] is not None and seen["size_ratio"] < float(MIN_RATIO if least is None else least)
    return is_small or bool(seen["proof"] and seen["proof"]["empty"])


def lacks_most(seen):
    """Whether more than half of the tables of the database are not in the newest: that is more than what came since, such as a partition of today."""
    live = (seen["database"] or {}).get("table_count")
    return bool(live and seen["lost_tables"] and 2 * seen["lost_tables"] > live)


def lacking_in_words(seen):
    """What it lacks."""
    return f"not in it: {seen['lost_tables']} of the {seen['database']['table_count']} tables of the database, such as {one_line(', '.join(seen['lost'][:3]))}"


def objection(seen, given, most_seconds):
    """Why nobody should rely on the newest one, in a line, or an empty text.

    Args:
        seen: what ``backup_info`` tells of it.
        given: what the inventory says of it.
        most_seconds: how old it may be.
    """
    if not seen["available"]:
        return seen["reason"]
    if seen["newest"] is None:
        return "there is none" + (", and one is being made" if seen["in_progress"] else "")
    name, age = one_line(seen["newest"]["name"], 80), seen["newest"]["age_seconds"]
    stale = is_stale(seen, most_seconds)
    if stale is None:
        return f"{name} is from the future, or its age is not known: see the clock of the host"
    if stale:
        return f"{name} is {age / 3600:.1f} h old, and may be {most_seconds / 3600:.1f} h old"
    if proven(seen) is not True:
        why = seen["proof"]["why"] if seen["proof"] else "; ".join(seen["troubles"])
        return f"{name} is not proven: {why or 'it was not read to its end'}"
    if seen["proof"] and seen["proof"]["is_newer"]:
        return f"{name} cannot be restored here: {seen['proof']['why']}"
    other = of_another(seen)
    if other:
        return f"{name} is of the database {other[0]}, and should be of {other[1]}"
    if lacks_most(seen):
        return f"{name} is no backup of this database: {lacking_in_words(seen)}"
    return f"{name} is much smaller than usual, or has no row where some should be" if is_shrunk(seen, given) else ""
