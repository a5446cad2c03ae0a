# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The durable workflow on DBOS: its id is that of the run, so that beginning it twice is beginning it once.

DBOS keeps one application in a process, which is why the work that it does is named here and not handed over.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from dbos import DBOS, DBOSConfig, SetWorkflowID

from ...errors import OncallError, first_line
from ..settings import MOST_RUNNING
from ..store.engine import engine, shown
from .player import Player

# Workflows of an older release are taken up by a newer one: what they do is kept the same.
APPLICATION_VERSION = "1"
COMPLETION_SECONDS = 10
_player: Player | None = None
_engine: sa.Engine | None = None


class _Connection(sqlite3.Connection):
    """On Python 3.12 and later, DBOS asks SQLite for `unixepoch('subsec')`, which it knows since 3.42 only."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        if sqlite3.sqlite_version_info < (3, 42):
            self.create_function("unixepoch", 1, lambda _subsec: round(time.time(), 3))


# The runs whose workflows this process is in the midst of.
_alive: set[str] = set()


@DBOS.workflow(name="run")
def _run(run: str) -> None:
    _alive.add(run)
    try:
        _conclude(run, _play(run))
    finally:
        _alive.discard(run)


@DBOS.step(name="play")
def _play(run: str) -> str:
    assert _player is not None
    return _player.play(run)


@DBOS.step(name="conclude")
def _conclude(run: str, told: str) -> None:
    assert _player is not None
    _player.conclude(run, told)


def launch(url: str, node: str, player: Player) -> None:
    """Take up what this node left, and be ready for more.

    Args:
        url: of the database of DBOS.
        node: what this node is called.
        player: does the steps.

    Raises:
        OncallError: the database cannot be used.
    """
    global _player
    _player = player
    config: DBOSConfig = {
        "name": "oncall",
        "system_database_url": url,
        "executor_id": node,
        "application_version": APPLICATION_VERSION,
        # They are made on demand. With fewer than there are runs, one would begin when another one is killed.
        "max_executor_threads": MOST_RUNNING + 4,
        "sys_db_pool_size": 5,
        # Nothing here waits for a notification.
        "notification_listener_polling_interval_sec": 2.0,
        "scheduler_polling_interval_sec": 600.0,
        "use_listen_notify": False,
        "log_level": "WARNING",
    }
    global _engine
    if not url.startswith("sqlite"):
        # One of its own would wait for ever for a database that hangs, and with it the run.
        config["system_database_engine"] = _engine = engine(url)
    else:
        config["db_engine_kwargs"] = {"connect_args": {"factory": _Connection}}
    DBOS(config=config)
    # Its own messages go where ours go.
    logger = logging.getLogger("dbos")
    logger.handlers.clear()
    logger.propagate = True
    try:
        DBOS.launch()
    except Exception as error:
        raise OncallError(f"cannot use the database of the workflows, {shown(url)}: {first_line(error)}") from None


def begin(run: str) -> None:
    """Begin the workflow of a run; nothing, where it was begun."""
    with SetWorkflowID(run):
        DBOS.start_workflow(_run, run)


def is_over(run: str) -> bool:
    """Whether its workflow has ended, however."""
    status = DBOS.get_workflow_status(run)
    return status is not None and status.status not in ("PENDING", "ENQUEUED", "DELAYED")


def is_alive(run: str) -> bool:
    """Whether this process is in the midst of its workflow. DBOS says of one that its database cut off that it is pending, for ever."""
    return run in _alive


def take_up(runs: Iterable[str]) -> None:
    """Take up workflows that nobody is in the midst of."""
    for run in runs:
        if DBOS.get_workflow_status(run) is None:
            begin(run)
        else:
            DBOS.resume_workflow(run)


def forget(runs: Iterable[str]) -> None:
    """Drop what DBOS keeps of workflows that have ended."""
    DBOS.delete_workflows([*runs])


def stop() -> None:
    """When what has been played is written down."""
    DBOS.destroy(workflow_completion_timeout_sec=COMPLETION_SECONDS)
    if _engine is not None:
        _engine.dispose()
