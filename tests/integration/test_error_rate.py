# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runbook error_rate on the embedded stack; tests/containers has its causes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading

import pytest

from ansible_collections.oncall.runbooks.tests.support.lab_parts import clients, pids, session
from ansible_collections.oncall.runbooks.tests.support.observing import Answers
from ansible_collections.oncall.runbooks.tests.support.waiting import until
from lab.database import connect

PLAYBOOK = "playbooks/error_rate.yml"
HANGING = 8
COMMITS = 12


def test_users_who_wait_for_ever_are_not_overlooked(healthy_lab, player):
    lab = healthy_lab
    quiet = player.play(playbook=PLAYBOOK, run_until="plan")
    assert (quiet.code, quiet.outcome) == (0, "healthy"), quiet.output
    assert "no traffic" in quiet.run["summary"]

    asking = [threading.Thread(target=lab.request, args=("/orders", "GET", 300), daemon=True) for _ in range(HANGING)]
    with connect(lab.layout, "postgres") as connection:
        connection.execute("BEGIN")
        connection.execute("LOCK TABLE orders")
        for one in asking:
            one.start()
        until(lambda: lab.measure().blocked(0) == HANGING)
        hanging = player.play(playbook=PLAYBOOK, run_until="plan")
        uncounted = player.play(playbook=PLAYBOOK, run_until="plan", error_rate_in_progress="")
        connection.execute("ROLLBACK")
    for one in asking:
        one.join()
    assert (hanging.outcome, hanging.causes()) == ("planned", ["requests_hang"]), hanging.output
    assert f"{HANGING} requests are in progress, and no user was answered" in hanging.run["summary"]
    assert hanging.run["plan"]["steps"] == []
    assert uncounted.outcome == "unknown", uncounted.output
    assert "no answers to users within 4 s" in uncounted.run["summary"]


@pytest.fixture
def checkout(tmp_path):
    """A checkout whose last commit is a moment old."""
    folder = tmp_path / "release"
    folder.mkdir()
    who = ["-c", "user.name=shop", "-c", "user.email=shop@example.com"]
    changes = [["commit", "--quiet", "--allow-empty", "--message", f"Change {number}"] for number in range(COMMITS)]
    for argv in [["init", "--quiet"], *changes]:
        subprocess.run(["git", *who, *argv], cwd=folder, check=True)
    return folder


@pytest.mark.covers("LP-1-2", "LP-1-3", "LP-1-5", "SY-1-2", "SY-1-3")
def test_what_a_person_would_look_at_is_shown(healthy_lab, player, checkout):
    """Errors of one route, a report that takes long, a deployment of a moment ago, and a job engine that is not well."""
    lab = healthy_lab
    engine = Answers({"/api/health": (503, b"no queue", {})})
    lab.request("/debug/errors?route=/orders", "POST")
    with contextlib.ExitStack() as stack:
        stack.callback(engine.close)
        stack.callback(lab.request, "/debug/errors", "DELETE")
        for path in ("/orders", "/customers"):
            stack.enter_context(clients(lab, 1, path, pause_seconds=0.05))
        report = stack.enter_context(contextlib.closing(session(lab, "nightly-report", autocommit=True)))
        report.pgconn.send_query(
            b"SELECT pg_sleep(120) AS " + b"a" * 50 + b", count(*) FROM orders WHERE status = 'paid'"
        )
        report.pgconn.flush()
        play = player.play(
            playbook=PLAYBOOK,
            run_until="plan",
            error_rate_job_engine_url=f"{engine.url}/api/health",
            system_deployment={"path": str(checkout)},
        )
        pid = report.info.backend_pid
    assert play.causes() == ["deployment_suspected", "job_engine_failing"], play.output
    shown = play.run["evidence"]
    assert {"200", "500"} <= set(shown["answers_by_status"])
    assert {"/orders", "/customers"} <= set(shown["answers_by_route"])
    assert [route for route, errors in shown["errors_by_route"].items() if errors] == ["/orders"]
    # The traces of all of them are one, and so are the lines that the API writes of its answers.
    errors = [one for one in shown["errors_in_the_log"] if "KeyError: 'discount_percent'" in one["last"]]
    assert len(errors) <= 2 and min(error["count"] for error in errors) > 3
    longest = shown["longest_queries"]
    assert (longest[0]["pid"], longest[0]["application_name"]) == (pid, "nightly-report")
    assert longest[0]["query_seconds"] > 0 and longest[0]["query"].startswith("SELECT pg_sleep(")
    assert len(longest) <= 10 and longest == sorted(longest, key=lambda one: -one["query_seconds"])
    assert "paid" not in str(longest)
    assert shown["connections"]["used"] > 0 and shown["redis"]["available"] is True
    subjects = [commit["subject"] for commit in shown["deployment"]["commits"]]
    assert subjects == [f"Change {number}" for number in reversed(range(COMMITS - 10, COMMITS))]
    assert shown["job_engine"]["status"] == 503


# Beside the load of the fault, so much that requests give up waiting for a connection, and that the remedy is enough for.
STARVED = [
    pytest.param(
        *("long_queries", 14, "/orders/slow?seconds=2.5", "cancel_long_queries", {}),
        marks=pytest.mark.covers("LP-1-4", "LP-1-6"),
    ),
    pytest.param(
        *("pool_leak", 14, "/orders", "restart_application", {}), marks=pytest.mark.covers("LP-1-4", "SY-1-5")
    ),
    # Each of them is right, and there are more of them than connections.
    pytest.param(
        *("", 34, "/orders/slow?seconds=18", "raise_pool_size", {"db_pool_long_query_seconds": 300}),
        marks=pytest.mark.covers("LP-1-4", "LP-1-7"),
    ),
]


@pytest.mark.parametrize(("fault", "number", "path", "remedy", "more"), STARVED)
def test_errors_of_requests_that_get_no_connection_end_with_what_holds_the_pool(
    healthy_lab, player, fault, number, path, remedy, more
):
    lab = healthy_lab
    if fault:
        lab.inject(fault)
    # Some need no connection: so there are answers at any time.
    with clients(lab, number, path), clients(lab, 1, "/customers", pause_seconds=0.2):
        until(lambda: lab.pool()["waiting"] > 0 and lab.pool()["in_use"] == 25)
        until(lambda: lab.request(path, seconds=10)[0] == 503)
        play = player.play(playbook=PLAYBOOK, error_rate_window_seconds=8, **more)
    ended = [(run["runbook"], run["outcome"]) for run in play.runs]
    assert (play.code, ended) == (0, [("error_rate", "resolved"), ("db_pool", "resolved")]), play.output
    first, second = play.runs
    assert [one["cause"] for one in first["findings"] if one["status"] == "problem"] == ["database_connections"]
    assert "requests wait for a connection of the pool" in first["summary"]
    assert [(one["remedy"], one["helped"]) for one in second["actions"]] == [(remedy, True)]
    assert lab.pool()["max"] == (35 if remedy == "raise_pool_size" else 25)


@pytest.mark.covers("SY-1-7")
@pytest.mark.parametrize(("left", "outcome"), [("every=40", "unresolved"), ("", "resolved")])
def test_it_is_over_below_one_percent_and_not_before(healthy_lab, player, left, outcome):
    """Redis hangs and is restarted. From then on one answer in forty is an error, which would not have called anybody, or none is."""
    lab = healthy_lab
    redis = pids(lab)["redis"]
    lab.request("/debug/errors?route=/orders&every=2", "POST")
    os.kill(redis, signal.SIGSTOP)

    def mend() -> None:
        until(lambda: pids(lab)["redis"] not in (redis, None), 300)
        lab.request(f"/debug/errors?route=/orders&{left}" if left else "/debug/errors", "POST" if left else "DELETE")

    mending = threading.Thread(target=mend)
    mending.start()
    try:
        with clients(lab, 4, "/orders", pause_seconds=0.05):
            play = player.play(playbook=PLAYBOOK, run_verify_timeout_seconds=10)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(redis, signal.SIGCONT)
        mending.join()
        lab.request("/debug/errors", "DELETE")
    ended = [(run["runbook"], run["outcome"]) for run in play.runs]
    assert ended == [("error_rate", outcome), ("cache", "resolved")], play.output
