# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the table of db_pool reads in the sessions of the database, as M(oncall.runbooks.postgres_activity_info) tells of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...filter.sessions import endable, identities, named, not_denied
from ...module_utils.postgres.process_kinds import described
from ...module_utils.postgres.sessions import fits
from ...module_utils.text.one_line import one_line

Row = Mapping[str, Any]


def queues(
    postgres_activity: Row, idle_in_transaction: list[Row], db_pool_blocked_sessions: float
) -> list[dict[str, Any]]:
    """The queues for locks that no other cause names, with whom to cancel."""
    others = [*postgres_activity["matview_refreshes"], *idle_in_transaction, *postgres_activity["synchronous_waits"]]
    named_elsewhere = {one["pid"] for one in others}
    return [
        dict(one)
        for one in postgres_activity["lock_chains"]
        if one["blocks"] >= db_pool_blocked_sessions
        and one["head"] not in named_elsewhere
        # No session holds what was prepared: another cause tells of it, and only who waits for it can be cancelled.
        and (one["kind"] != "prepared" or one["cancel"])
    ]


def pool_limits(postgres_activity: Row, own: list[Row]) -> list[Row]:
    """The limits that count for the pool, the smallest room first. Whose sessions it has not is not known: then any role's here."""
    users = {row["user"] for row in own} or {row["user"] for row in postgres_activity["applications"]}
    limits = postgres_activity["connections"].get("limits") or []
    return sorted((row for row in limits if row["what"] != "role" or row["role"] in users), key=lambda row: row["free"])


def room(postgres_activity: Row, pool_limits: list[Row]) -> int:
    """How many more connections the pool can have: the smallest of all limits says so."""
    return min([row["free"] for row in pool_limits] + [postgres_activity["connections"]["free"]])


def reached(postgres_activity: Row, own: list[Row], own_sessions: int) -> list[Row]:
    """The limits of the database and of roles that have no connection left, as far as they can be the pool's."""
    users = {row["user"] for row in own}
    return [
        row
        for row in postgres_activity["connections"].get("limits") or []
        if row["free"] == 0
        and (row["what"] == "database" or (row["what"] == "role" and (row["role"] in users or not own_sessions)))
    ]


def reached_in_words(reached: list[Row]) -> str:
    return ", ".join(
        f"{'the role ' + row['role'] if row['what'] == 'role' else 'the database'} has all of its {row['limit']} connections"
        for row in reached
    )


def who_blocks(blockers: list[Row]) -> str:
    """The heads by application or, where it is no client, by what they are."""
    names = [
        one["application_name"] if one["backend_type"] == "client backend" else one["backend_type"] for one in blockers
    ]
    return ", ".join(dict.fromkeys(names))


def blocker_targets(queues: list[Row], db_pool_deny_applications: list[str]) -> list[dict[str, Any]]:
    """Whom to cancel: a head as it is, and one that waits only in the statement that waits."""
    found: list[dict[str, Any]] = []
    for lock_queue in queues:
        allowed = endable([lock_queue["cancel"]], db_pool_deny_applications) if lock_queue["cancel"] else []
        found += identities(allowed, statement=_waits(lock_queue))
    return sorted(found, key=lambda row: (row["pid"], row["backend_start"]))


def _waits(lock_queue: Row) -> bool:
    return bool(lock_queue["cancel"]) and lock_queue["cancel"]["pid"] != lock_queue["head"]


def blocker_in_words(queues: list[Row], who_blocks: str) -> str:
    plain = [lock_queue for lock_queue in queues if not _waits(lock_queue)]
    lines = []
    if plain:
        pids = ", ".join(str(lock_queue["head"]) for lock_queue in plain)
        lines.append(
            f"{sum(lock_queue['blocks'] for lock_queue in plain)} sessions wait behind process {pids} ({who_blocks})"
        )
    lines += [
        f"{lock_queue['blocks']} sessions wait in one queue, and the one to cancel is {described(lock_queue['cancel'])}: "
        f"that frees {lock_queue['frees']} and {lock_queue['costs']}. "
        + " <- ".join(lock_queue["chain"])
        + f". To cancel the first of them: {lock_queue['head_costs']}"
        for lock_queue in queues
        if _waits(lock_queue)
    ]
    return one_line("; ".join(lines), 1500)


def blocker_advice(queues: list[Row], who_blocks: str, db_pool_deny_applications: list[str]) -> list[str]:
    lines = [
        f"Find out why {who_blocks} held its lock: a missing index, a migration without lock_timeout, or a transaction "
        "that waits for something outside."
    ]
    for lock_queue in queues:
        lines += [one_line(f"The queue: {' <- '.join(lock_queue['chain'])}", 1000)]
        if not lock_queue["cancel"]:
            lines.append(f"Nobody is to be cancelled: {lock_queue['head_costs']}.")
        elif not endable([lock_queue["cancel"]], db_pool_deny_applications):
            lines.append(
                one_line(
                    f"{described(lock_queue['cancel'])} is left alone: {_why_left_alone(lock_queue['cancel'])}", 500
                )
            )
    return lines


def blocker_left_alone(queues: list[Row], db_pool_deny_applications: list[str]) -> str:
    return _left_alone(
        [lock_queue["cancel"] for lock_queue in queues if lock_queue["cancel"]], db_pool_deny_applications
    ) or "; ".join(dict.fromkeys(str(lock_queue["head_costs"]) for lock_queue in queues))


def idle_left_alone(idle_in_transaction: list[Row], db_pool_deny_applications: list[str]) -> str:
    return _left_alone(idle_in_transaction, db_pool_deny_applications)


def long_left_alone(long: list[Row], db_pool_deny_applications: list[str]) -> str:
    return _left_alone(long, db_pool_deny_applications)


def _left_alone(sessions: list[Row], denied: list[str]) -> str:
    """Why none of these sessions is ended, in words, each reason once."""
    rest = [session for session in sessions if session not in endable(sessions, denied)]
    return one_line("; ".join(dict.fromkeys(_why_left_alone(session) for session in rest[:1])), 600)


def _why_left_alone(session: Row) -> str:
    """Why a session is not ended, and what to change, in one line."""
    user = session["user"]
    if session["is_superuser"]:
        return (
            f"its role {user} is a superuser, whose sessions are never ended here. Give the application a role of its own that is "
            f"none (ALTER ROLE {user} NOSUPERUSER, or a new role that owns its tables); until then end it by hand, as a "
            f"superuser: SELECT pg_cancel_backend({session['pid']})"
        )
    if not session["may_end"]:
        return f"the diagnosing role may not end sessions of {user}: GRANT pg_signal_backend to it"
    return "its application is on the deny list (db_pool_deny_applications), or it waits for a standby to have what it committed"


def leaks_of_others(not_protected: list[Row], db_pool_applications: list[str], least_leaked: float) -> list[Row]:
    return _leaking(not_denied(not_protected, db_pool_applications), 0, least_leaked)


def own_leaks(
    not_protected: list[Row], db_pool_applications: list[str], capacity: float, least_leaked: float
) -> list[Row]:
    # Up to the pool's size, its sessions are its pool.
    return _leaking(named(not_protected, db_pool_applications), int(capacity), least_leaked)


def _leaking(applications: list[Row], normal: int, least: float) -> list[Row]:
    """The applications with at least so many idle sessions beyond the normal size of a pool, which are ``leaked``."""
    rows = [dict(row, leaked=min(row["idle_long"], max(0, row["sessions"] - normal))) for row in applications]
    return [row for row in rows if row["leaked"] >= least]


def largest_consumers(postgres_activity: Row) -> list[str]:
    """The three who have the most sessions of the server, with their number."""
    rows = sorted(postgres_activity["clients"], key=lambda row: -row["sessions"])[:3]
    return [
        one_line(f"{row['application_name'] or 'without a name'} of {row['user']} {row['sessions']}", 100)
        for row in rows
    ]


def cut_by_restart(postgres_activity: Row, db_pool_deny_applications: list[str]) -> list[str]:
    """Who would lose more than a connection by a restart of the server, one line each."""
    lines = [
        f"{row['application_name']} of {row['user']} in {row['database']}"
        for row in postgres_activity["clients"]
        if fits(row["application_name"], db_pool_deny_applications)
    ]
    lines += [
        f"{row['application_name'] or 'replication'} of {row['user'] or 'an unknown role'} (replication: {row['state']})"
        for row in postgres_activity["replication"]
    ]
    return [one_line(line, 160) for line in lines]


def full_replicas(metrics: Row, used_up: bool, db_pool_saturated_ratio: float) -> list[dict[str, Any]]:
    """The replicas whose own pool is used up and lets requests wait, while the pool of all together has room."""
    kinds = ("waiting", "in_use", "max")
    told = [(metrics["metric"].get(kind) or {}).get("by_endpoint") or {} for kind in kinds]
    each = [
        {"name": name, **{kind: int(of_kind[name]) for kind, of_kind in zip(kinds, told, strict=True)}}
        for name in told[0]
        if all(name in of_kind for of_kind in told)
    ]
    full = [one for one in each if one["waiting"] > 0 and one["in_use"] >= one["max"] * db_pool_saturated_ratio]
    return [] if used_up else full
