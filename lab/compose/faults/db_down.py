# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A database that runs and takes nobody."""

from __future__ import annotations

from lab.compose.target import Fault, Target
from lab.database import connect
from lab.rights import right


def _stop(target: Target) -> None:
    database = target.container("db")["Id"]
    with connect(target.layout) as superuser:
        target.docker("kill", "--signal=STOP", database)
        # They would go on, and it would serve them.
        superuser.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'")


def _unhealthy(target: Target) -> tuple[bool, str]:
    state = target.container("db")["State"]
    health = state["Health"]["Status"]
    return state["Status"] == "running" and health == "unhealthy", f"db is {state['Status']} and {health}"


FAULTS = {
    "db_hangs": Fault(
        "the database's main process is stopped and its sessions are ended: it runs, and gives nobody an answer",
        _stop,
        _unhealthy,
        lambda target: target.docker("kill", "--signal=CONT", target.container("db")["Id"]),
        rights={
            "db_down": right("hangs", "restart_database"),
            # Its names are of a database that answers.
            "db_pool": right(also="way_hangs waiting_unexplained connections_refused"),
            "api_down": right("database_down"),
            "error_rate": right(also="requests_hang database_down"),
            "crash_loop": right(also="does_not_answer", healthy=True),
            "payment_webhook": right("handler_slow"),
        },
    ),
}
