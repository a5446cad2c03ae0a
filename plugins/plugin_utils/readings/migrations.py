# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which migrations are pending, and what is in the way of applying them. Each set is judged by itself.

A row is what ``migrations_info`` tells of a set, with ``set`` (its name).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...module_utils.migrations.spec import described
from ...module_utils.migrations.tools import CALLED, TOOLS

Row = Mapping[str, Any]

_TOLD = 4


def sets(migrations: Row) -> list[dict[str, Any]]:
    """Those whose table could be read."""
    return [{**one, "set": name} for name, one in migrations["migrations"].items() if one["available"] is True]


# What is not as it should be, and cannot be judged any further.


def on_a_replica(sets: Sequence[Row]) -> list[Row]:
    """Sets that were asked for in a standby, which may not have come that far yet."""
    return [row for row in sets if row["in_recovery"] is not False]


def elsewhere(sets: Sequence[Row], on_a_replica: Sequence[Row]) -> list[Row]:
    """Sets whose tool sees another database, or another schema, than the one that was asked."""
    return [row for row in sets if row.get("disagrees") and row not in on_a_replica]


def never_applied(sets: Sequence[Row], on_a_replica: Sequence[Row], elsewhere: Sequence[Row]) -> list[Row]:
    """Sets of which nothing was ever applied there."""
    return [row for row in sets if row["is_new"] is not False and row not in [*on_a_replica, *elsewhere]]


def judged(
    sets: Sequence[Row], on_a_replica: Sequence[Row], elsewhere: Sequence[Row], never_applied: Sequence[Row]
) -> list[Row]:
    """All others, of which the image is known as well, and what both say together."""
    apart = [*on_a_replica, *elsewhere, *never_applied]
    return [row for row in sets if row not in apart and _is_compared(row)]


def _is_compared(row: Row) -> bool:
    told = [row.get(key) for key in ("pending_count", "unknown", "disagrees")]
    return None not in told and row["disagrees"] == ""


# What is wrong.


def at_work(judged: Sequence[Row]) -> list[Row]:
    """Sets of which somebody applies migrations now."""
    return [row for row in judged if row["working"] and (row["pending_count"] or _is_locked(row))]


def half_done(sets: Sequence[Row], on_a_replica: Sequence[Row]) -> list[Row]:
    """Sets with migrations that ended in the midst. Of one that is at work, that may be what it works on."""
    return [row for row in sets if row["failed"] and not row["working"] and row not in on_a_replica]


def ahead(sets: Sequence[Row], on_a_replica: Sequence[Row], elsewhere: Sequence[Row]) -> list[Row]:
    """Sets of which the database has migrations that the image has not. Of a graph, what is pending is then not known."""
    return [row for row in sets if row.get("unknown") and row not in [*on_a_replica, *elsewhere]]


def with_heads(judged: Sequence[Row], system_migrations: Mapping[str, Row]) -> list[Row]:
    """Sets with several heads, which the tool's usual command does not apply."""
    return [
        row
        for row in judged
        if row["heads"] and row["pending_count"] and not system_migrations[row["set"]].get("migrate")
    ]


def edited(judged: Sequence[Row]) -> list[Row]:
    """Sets with files that were changed after they were applied."""
    return [row for row in judged if row["drifted"]]


def refusing(judged: Sequence[Row]) -> list[Row]:
    """Sets whose tool says itself that it would not go on."""
    return [row for row in judged if row["refusal"]]


def unordered(judged: Sequence[Row]) -> list[Row]:
    """Sets with pending migrations that are older than what is applied, which the tool does not apply."""
    return [row for row in judged if row["out_of_order"]]


def invalid_indexes(
    sets: Sequence[Row], on_a_replica: Sequence[Row], migrations_accept_invalid_indexes: Sequence[str]
) -> list[dict[str, Any]]:
    """Indexes that are not valid, each with its ``set``: an index that was built beside the traffic, and did not get done."""
    return [
        {**index, "set": row["set"]}
        for row in sets
        if row not in on_a_replica
        for index in row["invalid_indexes"]
        if index["name"] not in migrations_accept_invalid_indexes
    ]


def left_locked(sets: Sequence[Row], on_a_replica: Sequence[Row]) -> list[Row]:
    """Sets with a lock row, of which nobody is seen who migrates."""
    return [row for row in sets if _is_locked(row) and not row["working"] and row not in on_a_replica]


def held_up(judged: Sequence[Row]) -> list[Row]:
    """Sets with pending migrations that a long transaction would hold up."""
    return [row for row in judged if row["pending_count"] and row["long_transactions"]]


def pending(judged: Sequence[Row], at_work: Sequence[Row]) -> list[Row]:
    """Sets with migrations that are not applied, and that nobody is at."""
    return [row for row in judged if row["pending_count"] != 0 and row not in at_work]


def _is_locked(row: Row) -> bool:
    return bool((row["lock"] or {}).get("locked"))


# What the applications say of themselves.


def flags(probed: Row) -> list[dict[str, Any]]:
    """What each says: ``name``, and ``current``, None where it says nothing of the kind; then ``reason``."""
    found = []
    for name, one in probed["endpoints"].items():
        said = [value for value in (one.get("fields") or {}).values() if isinstance(value, bool)]
        current = all(said) if said and one["available"] is True else None
        reason = one.get("reason") or "its answer has no such field that is true or false"
        found.append({"name": name, "current": current, "reason": "" if current is not None else reason})
    return found


def silent_flags(flags: Sequence[Row]) -> list[str]:
    """Those that say nothing, and why."""
    return [f"{one['name']}: {one['reason']}" for one in flags if one["current"] is None]


def saying_no(flags: Sequence[Row]) -> list[str]:
    """Those that say that they are not current."""
    return [one["name"] for one in flags if one["current"] is False]


def saying_yes(flags: Sequence[Row]) -> list[str]:
    """Those that say that they are."""
    return [one["name"] for one in flags if one["current"] is True]


# What may be done.


def obstacles(
    pending: Sequence[Row],
    migrations: Row,
    saying_yes: Sequence[str],
    unlocks: Sequence[Row],
    invalid_indexes: Sequence[Row],
    system_migrations: Mapping[str, Row],
    migrations_without_backup: str,
) -> dict[str, list[str]]:
    """What is in the way of applying what is pending, by the set."""
    found = {}
    for row in pending:
        said = [
            *_of_set(row, system_migrations[row["set"]]),
            *(f"the index {one['name']} is not valid" for one in invalid_indexes if one["set"] == row["set"]),
        ]
        if _is_locked(row) and row["set"] not in [one["set"] for one in unlocks]:
            said.append("a lock row says that somebody migrates")
        if saying_yes:
            said.append(
                f"{' and '.join(saying_yes)} says that its migrations are current: the command may be that of another image"
            )
        saved = migrations["backup"][row["set"]]
        if not migrations_without_backup and saved["is_recent"] is not True:
            said.append(
                f"{saved['reason']}; -e migrations_without_backup='why' does without one, and what a migration takes away is gone then"
            )
        found[row["set"]] = said
    return found


def _of_set(row: Row, given: Row) -> list[str]:
    """What is in the way in the set itself."""
    said = []
    for key, words in (
        ("failed", "ended in the midst"),
        ("unknown", "is applied, and not in the image"),
        ("drifted", "was changed after it was applied"),
        ("out_of_order", "is older than what is applied"),
    ):
        if row[key]:
            said.append(f"{_some([_name(one) for one in row[key]])} {words}")
    if row["refusal"]:
        said.append(f"{CALLED[row['tool']]} refuses: {row['refusal']}")
    if row["heads"] and not given.get("migrate"):
        said.append(f"there are several heads ({_some(row['heads'])})")
    if row["long_transactions"]:
        said.append(f"{_session(row['long_transactions'][0])} would hold it up")
    if not row["complete"]:
        said.append("; ".join(row["limits"]))
    place = f"system_migrations.{row['set']}"
    if not described(row["set"], given, {"name": "any"})["migrate"]:
        said.append(f"{place} does not say how: give it migrate")
    if not TOOLS[row["tool"]].READS_PGOPTIONS and not given.get("timeouts_in_command"):
        said.append(
            f"{CALLED[row['tool']]} reads no PGOPTIONS: have the command set lock_timeout and statement_timeout by itself, and set "
            f"{place}.timeouts_in_command"
        )
    return said


def migrates(
    pending: Sequence[Row],
    obstacles: Mapping[str, Sequence[str]],
    migrations: Row,
    migrations_without_backup: str,
) -> list[dict[str, Any]]:
    """The sets that are migrated, each with the names of what is applied: those that nothing is in the way of."""
    return [
        {
            "set": row["set"],
            "tool": row["tool"],
            "pending": list(row["pending"]),
            **(
                {"without_backup": migrations_without_backup}
                if migrations_without_backup
                else {"backup": migrations["backup"][row["set"]]["by"]}
            ),
        }
        for row in pending
        if not obstacles[row["set"]]
    ]


def unlocks(left_locked: Sequence[Row], system_migrations: Mapping[str, Row]) -> list[dict[str, str]]:
    """The sets whose lock row is taken away, where it is certain that everybody who migrates would be seen."""
    return [
        {"set": row["set"], "tool": row["tool"], "table": f"{row['schema']}.{row['table']}"}
        for row in left_locked
        if _is_all_seen(row)
        and not row["busy"]
        and described(row["set"], system_migrations[row["set"]], {"name": "any"})["unlock"]
    ]


def _is_all_seen(row: Row) -> bool:
    return row["complete"] is True or not any("hidden" in line for line in row["limits"])


# Words.


def figures(sets: Sequence[Row]) -> str:
    """How far each is."""
    return "; ".join(
        f"{row['set']}: {row['applied_count']} of {row['expected_count']} applied ({CALLED[row['tool']]}, at {row['at'] or 'nothing'})"
        if row.get("expected_count") is not None
        else f"{row['set']}: {row['applied_count']} rows ({CALLED[row['tool']]})"
        for row in sets
    )


def pending_in_words(pending: Sequence[Row]) -> str:
    """What is pending, by its name."""
    return "; ".join(
        f"{row['pending_count']} of {row['set']} ({CALLED[row['tool']]}): {_some(row['pending'], row['pending_count'])}"
        for row in pending
    )


def obstacles_in_words(obstacles: Mapping[str, Sequence[str]]) -> str:
    """What is in the way, the first set first."""
    return "; ".join(f"{name}: {'; '.join(said)}" for name, said in obstacles.items() if said)


def why_not_unlocked(left_locked: Sequence[Row]) -> str:
    """Why a lock row stays."""
    return "; ".join(
        f"{row['set']}: {_session(row['busy'][0])} has been at work for a while, and may be the one"
        if row["busy"]
        else f"{row['set']}: it is not certain that everybody who migrates would be seen: {'; '.join(row['limits'])}"
        for row in left_locked
    )


def at_work_in_words(at_work: Sequence[Row]) -> str:
    """Who is at work, and whether they get on."""
    return "; ".join(
        f"{row['set']}: {_session(row['working'][0], False)} {row['working'][0]['does']}"
        + (", and waits for a lock" if row["working"][0]["waits"] else "")
        for row in at_work
    )


def held_up_in_words(held_up: Sequence[Row]) -> str:
    """Which transactions are long."""
    return "; ".join(_session(one) for row in held_up for one in row["long_transactions"][:_TOLD])


def _names_of(rows: Sequence[Row], key: str) -> str:
    """The names in a list of each of some rows."""
    return "; ".join(f"{row['set']}: {_some([_name(one) for one in row[key]])}" for row in rows)


def half_done_in_words(half_done: Sequence[Row]) -> str:
    """What ended in the midst."""
    return "; ".join(
        f"{one['name']} of {row['set']}" + (f": {one['error']}" if one["error"] else "")
        for row in half_done
        for one in row["failed"][:_TOLD]
    )


def ahead_in_words(ahead: Sequence[Row]) -> str:
    """What the image has not."""
    return _names_of(ahead, "unknown")


def heads_in_words(with_heads: Sequence[Row]) -> str:
    """The heads."""
    return _names_of(with_heads, "heads")


def edited_in_words(edited: Sequence[Row]) -> str:
    """What was changed."""
    return _names_of(edited, "drifted")


def unordered_in_words(unordered: Sequence[Row]) -> str:
    """What comes too late."""
    return _names_of(unordered, "out_of_order")


def refusals_in_words(refusing: Sequence[Row]) -> str:
    """What the tools say."""
    return "; ".join(f"{row['set']}: {row['refusal']}" for row in refusing)


def never_applied_in_words(never_applied: Sequence[Row]) -> str:
    """Where there is no row."""
    return "; ".join(
        f"{row['set']} has no row in {row['table'] or 'what statements.applied asks'}" for row in never_applied
    )


def elsewhere_in_words(elsewhere: Sequence[Row]) -> str:
    """What differs."""
    return "; ".join(f"{row['set']}: {row['disagrees']}" for row in elsewhere)


def mending(half_done: Sequence[Row]) -> list[str]:
    """What a person does about migrations that ended in the midst, for each tool."""
    return list(dict.fromkeys(_MENDING[row["tool"]] for row in half_done))


_MENDING = dict.fromkeys(
    TOOLS,
    "See how far it came, bring the schema by hand to where it was before it or after it, and tell the tool which.",
)
_MENDING.update(
    prisma="See how far it came. Undo that by hand, and then prisma migrate resolve --rolled-back NAME; or finish it by hand, and then --applied NAME.",
    flyway="See how far it came and undo that by hand, then flyway repair, which takes the row away. Mend the file before it is applied again.",
    golang_migrate="See how far it came, and undo or finish that by hand; then migrate force VERSION with the version at which the schema is then.",
)


def _name(one: Any) -> str:
    return str(one["name"] if isinstance(one, Mapping) else one)


def _some(names: Sequence[str], count: int | None = None) -> str:
    more = (len(names) if count is None else count) - _TOLD
    return ", ".join(names[:_TOLD]) + (f" and {more} more" if more > 0 else "")


def _session(one: Row, with_time: bool = True) -> str:
    who = f"process {one['pid']}" if one["pid"] else "a prepared transaction"
    time = "" if not with_time or one["seconds"] is None else f", {one['seconds']:.0f} s in a transaction"
    return f"{who} ({one['application_name'] or 'unnamed'} of {one['user']} from {one['client']}{time})"
