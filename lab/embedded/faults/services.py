# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole services that are gone, hang or do not tell how they are."""

from __future__ import annotations

from collections.abc import Callable

import psutil

from lab import measure
from lab.database import connect
from lab.embedded import processes
from lab.embedded.target import Fault, Target
from lab.layout import LabError, Layout
from lab.rights import PAGES_ALONE, WITHOUT_METRICS, Right, right


def _down(name: str, answers: Callable[[Layout], bool], **rights: Right) -> Fault:
    def there(target: Target) -> tuple[bool, str]:
        down = not answers(target.layout)
        return down, f"{name} {'does not answer' if down else 'still answers'}"

    return Fault(
        f"{name} is stopped",
        there,
        blind=True,
        make=lambda target: target.supervisor.stop(name),
        undo=lambda target: target.supervisor.start(name),
        rights=rights,
    )


def _suspend(target: Target) -> None:
    found = processes.database_processes(target.layout)
    if not found:
        raise LabError("the database does not run; run: python -m lab heal --all")
    # The postmaster first: it must not start new processes while the others are stopped.
    for process in sorted(found, key=lambda process: process.pid):
        _quietly(process.suspend)


def _resume(target: Target) -> None:
    for process in processes.database_processes(target.layout):
        _quietly(process.resume)
    # Somebody may have tried to restart it meanwhile, and supervisord may have given up.
    target.supervisor.start("database")


def _quietly(act: Callable[[], None]) -> None:
    try:
        act()
    except psutil.NoSuchProcess:
        return


def _hangs(target: Target) -> tuple[bool, str]:
    try:
        with connect(target.layout, seconds=2):
            return False, "the database still takes sessions"
    except LabError as error:
        return measure.listens(target.layout.ports["database"]), str(error)


def _metrics_missing(target: Target) -> tuple[bool, str]:
    status, _ = measure.request(target.layout, "/metrics")
    return status == 404, f"/metrics answers {status}"


def _api_answers(layout: Layout) -> bool:
    return measure.request(layout, "/health")[0] == 200


FAULTS: dict[str, Fault] = {
    # supervisord was told to stop them: that is a person's doing.
    "redis_down": _down(
        "redis", lambda layout: measure.redis_answers(layout.ports["redis"]),
        cache=right("stopped_by_person redis_down", "restart_redis"),
    ),
    "api_down": _down(
        "api", _api_answers,
        **{
            **WITHOUT_METRICS,
            "api_down": right("stopped_by_person"),
            "crash_loop": right(also="stopped_by_person", healthy=True),
            "port_conflict": right("stopped"),
            "rollback": right("service_not_healthy bad_deployment", also="rollback_requested deployed"),
            # Its database is well, and that it has nobody is no wonder.
            "db_down": right(healthy=True),
        },
    ),
    "database_down": _down(
        "database", lambda layout: measure.listens(layout.ports["database"]),
        db_down=right("stopped_by_person database_down", "restart_database"),
        api_down=right("database_down"),
        # Its names are of a database that refuses one more, and not of one that is gone.
        db_pool=right(),
        crash_loop=right(also="stopped_by_person", healthy=True),
    ),
    "database_hang": Fault(
        "the database's processes are stopped: it takes connections and never answers",
        _hangs, blind=True, make=_suspend, undo=_resume,
        rights={
            "db_down": right("hangs", "restart_database"),
            # As with one that is gone, its names are of a database that answers.
            "db_pool": right(also="way_hangs waiting_unexplained"),
            "error_rate": right(also="requests_hang"),
            # It runs and gives no answer: that is not a loop, and it does not answer.
            "crash_loop": right(also="does_not_answer", healthy=True),
        },
    ),
    "metrics_missing": Fault(
        "the API answers 404 on /metrics", _metrics_missing, blind=True, rights={**WITHOUT_METRICS, **PAGES_ALONE},
    ),
}  # fmt: skip
