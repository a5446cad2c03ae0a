# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A database that runs and takes nobody."""

from __future__ import annotations

from lab.compose_target import Fault, Target


def _unhealthy(target: Target) -> tuple[bool, str]:
    state = target.container("db")["State"]
    health = state["Health"]["Status"]
    return state["Status"] == "running" and health == "unhealthy", f"db is {state['Status']} and {health}"


FAULTS = {
    # The sessions that are open go on; no new one is taken.
    "db_hangs": Fault(
        "the database's main process is stopped: it runs, and gives no new session an answer",
        lambda target: target.docker("kill", "--signal=STOP", target.container("db")["Id"]),
        _unhealthy,
        lambda target: target.docker("kill", "--signal=CONT", target.container("db")["Id"]),
    ),
}
