# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What kind of process others wait for, and what it costs to cancel it. Pure."""

from __future__ import annotations

import re

from .queues import AWAITS_STANDBY, PREPARED_PID

_WRAPAROUND = re.compile(r"to prevent wraparound", re.IGNORECASE)
_COMMENTS = re.compile(r"(?:\s|/\*.*?\*/|--[^\n]*\n)*", re.DOTALL)
_MAINTENANCE = re.compile(
    r"(alter|vacuum|analy[sz]e|cluster|reindex|create|drop|truncate|lock|comment|grant|revoke|refresh)\b", re.IGNORECASE
)
_CONCURRENTLY = re.compile(r"\bconcurrently\b", re.IGNORECASE)

# kind: (rank of the costs of cancelling it, these costs in words). Below 90 it may be cancelled.
COSTS = {
    "waiting_maintenance": (
        0,
        "loses nothing: it waits and has done nothing yet, and can be run again with a lock_timeout",
    ),
    "waiting_migration": (25, "what its transaction did before it waited is rolled back, and can be run again"),
    "waiting_statement": (20, "its client sees an error; the statement has done nothing yet"),
    "maintenance": (30, "what it has done until now has to be done again"),
    "idle_transaction": (40, "its transaction is rolled back, and its client has to begin again"),
    "waiting_transaction": (50, "what its transaction did before it waited is rolled back"),
    "statement": (60, "what it has done until now is rolled back"),
    "concurrent_index": (70, "leaves an invalid index behind, which has to be dropped"),
    "autovacuum": (90, "the server cancels it by itself where it is in the way, and it begins again"),
    "parallel_worker": (91, "it belongs to a session that leads it"),
    "committing": (92, "must not be cancelled: it has committed, and waits for a standby"),
    "wraparound": (
        93,
        "must not be cancelled: it protects the database from the end of its transaction numbers, and would begin again",
    ),
    "replication": (94, "a standby or a subscriber needs it"),
    "recovery": (95, "it replays the log of the primary"),
    "background": (96, "a process of the server or of an extension, which no session ends"),
    "prepared": (97, "no session holds it: COMMIT PREPARED or ROLLBACK PREPARED ends it"),
    "hidden": (98, "its statement is hidden from the role that looks"),
    "not_in_view": (99, "no session of that process id is there"),
}


def kind_of(session):
    """The kind of a process, a key of :data:`COSTS`.

    Args:
        session: a session or another process, as :func:`activity.summarize` has it.
    """
    backend = session.get("backend_type") or ""
    query = session["query"] or ""
    if session["pid"] == PREPARED_PID:
        return "prepared"
    if session.get("hidden"):
        return "hidden"
    if backend == "autovacuum worker":
        return "wraparound" if _WRAPAROUND.search(query) else "autovacuum"
    if backend == "walsender" or backend.startswith("logical replication"):
        return "replication"
    if backend == "startup":
        return "recovery"
    if backend == "parallel worker":
        return "parallel_worker"
    if backend not in ("", "client backend"):
        return "background"
    if session["wait"] == AWAITS_STANDBY:
        return "committing"
    if session["state"].startswith("idle"):
        return "idle_transaction"
    text = query[_COMMENTS.match(query).end() :]
    maintenance = bool(_MAINTENANCE.match(text))
    if maintenance and _CONCURRENTLY.search(text):
        return "concurrent_index"
    if not session["blocked_by"]:
        return "maintenance" if maintenance else "statement"
    # Its transaction is older than the statement, and has locks of a writer.
    if session["wrote"]:
        return "waiting_migration" if maintenance else "waiting_transaction"
    return "waiting_maintenance" if maintenance else "waiting_statement"


def may_cancel(session):
    """Whether it should be cancelled at all. Who is allowed to is another question."""
    return COSTS[kind_of(session)][0] < 90


def described(session):
    """A process in words: what it is, whose, and what it runs."""
    kind = kind_of(session)
    if kind == "prepared":
        return f"a prepared transaction ({session['query']})"
    whose = " of ".join(filter(None, (session.get("application_name") or "", session.get("user") or "")))
    what = session.get("backend_type") or "client backend"
    who = (
        f"{whose or 'a session without a name'}"
        if what == "client backend"
        else f"{what}{' ' + whose if whose else ''}"
    )
    doing = session["query"] or session["state"]
    if kind == "idle_transaction":
        doing = f"{session['state']}, last {session['query']}"
    return f"process {session['pid']} ({who}: {doing})"
