# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runbook worker_queue on the embedded stack: jobs wait because the database is held up, and who holds it up is ended."""

from __future__ import annotations

import contextlib
import threading

import psycopg
import pytest

from ansible_collections.oncall.runbooks.tests.support.lab_parts import pids, session
from ansible_collections.oncall.runbooks.tests.support.waiting import until
from lab.database import connect

PLAYBOOK = "playbooks/worker_queue.yml"
EVENTS = 250


@pytest.fixture
def waiting(healthy_lab):
    """Events that nobody takes for as long as the queue is paused; gives a session of the application."""
    with connect(healthy_lab.layout, "app") as application:
        application.execute("UPDATE event_queue SET paused = true")
        application.execute("INSERT INTO events (kind) SELECT 'sync' FROM generate_series(1, %s)", [EVENTS])
        yield application
        application.execute("UPDATE event_queue SET paused = false")
        application.execute("DELETE FROM events")


@pytest.mark.covers("SY-2-2", "SY-2-4")
def test_the_statement_that_holds_the_queue_up_is_named_and_ended(healthy_lab, player, waiting):
    lab = healthy_lab
    before = pids(lab)
    with contextlib.closing(session(lab, "backoffice", autocommit=False)) as holder:
        # Who only looks may go on.
        holder.execute("LOCK TABLE events IN EXCLUSIVE MODE")
        pid = holder.info.backend_pid

        def reports() -> None:
            with contextlib.suppress(psycopg.Error):
                holder.execute("SELECT count(*), pg_sleep(900) FROM events")
            holder.close()

        report = threading.Thread(target=reports)
        report.start()
        waiting.execute("UPDATE event_queue SET paused = false")
        blocked = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'lab-worker' AND now() - query_start > '3 s'"
        with connect(lab.layout, "oncall") as looking:
            until(lambda: looking.execute(f"{blocked} AND wait_event_type = 'Lock'").fetchone())
        try:
            # One worker is all that there is, so one that waits is enough.
            play = player.play(playbook=PLAYBOOK, worker_queue_slow_seconds=1, db_pool_blocked_sessions=1)
        finally:
            waiting.execute("SELECT pg_terminate_backend(%s)", [pid])
            report.join()
    ended = [(run["runbook"], run["outcome"]) for run in play.runs]
    assert (play.code, ended) == (0, [("worker_queue", "resolved"), ("db_pool", "resolved")]), play.output
    first, second = play.runs
    assert [one["cause"] for one in first["findings"] if one["status"] == "problem"] == ["database_slow"]
    assert f"process {pid} of backoffice" in first["summary"]
    assert first["evidence"]["database"]["blockers"][0]["pid"] == pid
    assert first["evidence"]["services"]["worker"]["log_tail"]
    assert [(one["remedy"], one["helped"]) for one in second["actions"]] == [("end_blocker", True)]
    assert pids(lab) == before, "nobody was restarted for it"
    assert waiting.execute("SELECT count(*) FROM events WHERE status = 'pending'").fetchone() == (0,)
