# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runbook db_down on the embedded stack: what is named, what is restarted, and what is left alone."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import Any

import psutil
import psycopg
import pytest

from ansible_collections.oncall.runbooks.tests.support.http_servers import Handler, HttpServer
from ansible_collections.oncall.runbooks.tests.support.lab_parts import clients, pids, session
from ansible_collections.oncall.runbooks.tests.support.postgres_servers import server
from ansible_collections.oncall.runbooks.tests.support.waiting import until
from lab import Lab
from lab.database import connect, end_sessions
from lab.ports import free_port

PLAYBOOK = "playbooks/db_down.yml"
# How long it counts as starting up, and how long what needs it has to connect again.
RECONNECT_SECONDS = 4


@pytest.fixture
def down(healthy_lab, player):
    """A function: plays the runbook."""

    def play(**variables: Any) -> Any:
        return player.play(playbook=PLAYBOOK, **{"db_down_reconnect_seconds": RECONNECT_SECONDS, **variables})

    return play


def is_started(pid: int) -> bool:
    """Whether it has run for so long that it does not count as starting up any more."""
    return time.time() - psutil.Process(pid).create_time() >= RECONNECT_SECONDS + 1


@contextmanager
def hanging(lab: Lab, and_end: str = "usename = 'app'") -> Iterator[None]:
    """Its main process is stopped: it takes no session any more. Those that are open go on, but for those that are ended."""
    pid = pids(lab)["database"]
    until(lambda: is_started(pid))
    with connect(lab.layout) as superuser:
        os.kill(pid, signal.SIGSTOP)
        superuser.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {and_end}")
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


@contextmanager
def told_by(is_ready: Callable[[], bool]) -> Iterator[str]:
    """The URL of a program's readiness."""

    class Ready(Handler):
        def do_GET(self) -> None:
            self.give(status=200 if is_ready() else 503)

    with closing(HttpServer(Ready)) as server:
        yield f"http://{server.place}/ready"


@contextmanager
def spoiled(lab: Lab, does: str, undoes: str) -> Iterator[None]:
    """A superuser did this to the database, and ended the application's sessions, which would go on without it."""
    with connect(lab.layout) as superuser:
        superuser.execute(does)
        end_sessions(lab.layout, "usename = 'app'")
        try:
            yield
        finally:
            superuser.execute(undoes)
            end_sessions(lab.layout, "usename = 'app'")
    lab.up()


@pytest.mark.parametrize(
    ("does", "undoes", "reason"),
    [
        ("ALTER ROLE app NOLOGIN", "ALTER ROLE app LOGIN", "app (it is NOLOGIN)"),
        ("ALTER ROLE app CONNECTION LIMIT 0", "ALTER ROLE app CONNECTION LIMIT -1", "its CONNECTION LIMIT is 0"),
    ],
)
def test_an_application_that_is_locked_out(healthy_lab, down, does, undoes, reason):
    lab = healthy_lab
    before = pids(lab)
    with spoiled(lab, does, undoes):
        until(lambda: lab.request("/readyz")[0] == 503)
        play = down(run_max_risk="high")
    assert (play.code, play.outcome, play.causes()) == (0, "advised", ["application_locked_out"]), play.output
    assert reason in play.run["summary"]
    assert play.run["plan"]["steps"] == play.run["actions"] == []
    assert pids(lab) == before
    healthy = down()
    assert (healthy.code, healthy.outcome) == (0, "healthy"), healthy.output


@pytest.mark.parametrize(
    ("does", "undoes"),
    [
        ("ALTER DATABASE labpics SET default_transaction_read_only = on", "ALTER DATABASE labpics RESET ALL"),
        ("ALTER ROLE ALL SET default_transaction_read_only = yes", "ALTER ROLE ALL RESET ALL"),
    ],
)
def test_one_that_takes_no_writes(healthy_lab, down, does, undoes):
    lab = healthy_lab
    before = pids(lab)
    with spoiled(lab, does, undoes):
        until(lambda: lab.request("/readyz")[0] == 200)
        with connect(lab.layout, "app") as application, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            application.execute("UPDATE jobs SET ran_at = now()")
        play = down(run_max_risk="high")
    assert (play.code, play.outcome, play.causes()) == (0, "advised", ["read_only"]), play.output
    assert does.partition(" SET")[0].removesuffix(" labpics") in play.run["summary"]
    assert play.run["plan"]["steps"] == play.run["actions"] == []
    assert pids(lab) == before


def test_one_that_a_person_stopped_is_left_alone(healthy_lab, down):
    lab = healthy_lab
    lab.inject("database_down")
    left_alone = down()
    assert (left_alone.code, left_alone.outcome) == (2, "blocked"), left_alone.output
    assert left_alone.causes() == ["stopped_by_person"]
    assert left_alone.run["guard"]["name"] == "risk"
    assert pids(lab)["database"] is None


@pytest.mark.covers("SY-3-4")
def test_one_that_hangs_is_restarted_and_what_does_not_connect_again_with_it(healthy_lab, down):
    lab = healthy_lab
    before = pids(lab)
    # Of two that need it, one has it again only when it was restarted.
    with hanging(lab), told_by(lambda: pids(lab)["worker"] != before["worker"]) as ready_url:
        until(lambda: lab.request("/readyz")[0] == 503)
        fixed = down(db_down_dependants={"worker": ready_url, "api": f"{lab.url}/readyz"})
    assert (fixed.code, fixed.outcome, fixed.causes()) == (0, "resolved", ["hangs"]), fixed.output
    assert [(a["remedy"], a["helped"]) for a in fixed.run["actions"]] == [("restart_database", True)]
    # Whether the API has its database again in time is its own affair; where it has, molecule/db_down sees it left alone.
    assert {name for name, pid in pids(lab).items() if pid != before[name]} >= {"database", "worker"}
    assert lab.request("/readyz")[0] == 200
    again = down()
    assert (again.code, again.outcome) == (0, "healthy"), again.output
    assert again.causes() == again.causes("unknown") == []


def test_who_has_not_connected_again_yet_is_no_healthy_night_and_gets_its_time(healthy_lab, down):
    before, asked = pids(healthy_lab), itertools.count()
    # It has it again while the runbook waits, and not for the look before.
    with told_by(lambda: next(asked) >= 4) as ready_url:
        fixed = down(db_down_dependants={"api": ready_url}, db_down_reconnect_seconds=86_400)
    assert (fixed.code, fixed.outcome, fixed.causes()) == (0, "resolved", ["reconnecting"]), fixed.output
    assert [(a["remedy"], a["helped"]) for a in fixed.run["actions"]] == [("wait_until_reconnected", True)]
    assert pids(healthy_lab) == before


@pytest.mark.parametrize("ends", ["LOCK TABLE pg_authid", "the main process is stopped"])
def test_one_that_hangs_for_new_logins_and_serves_the_others_is_left_alone(healthy_lab, down, ends):
    lab = healthy_lab
    before = pids(lab)
    with ExitStack() as until_seen:
        if ends == "LOCK TABLE pg_authid":
            holder = until_seen.enter_context(connect(lab.layout))
            until(lambda: is_started(before["database"]))
            until_seen.enter_context(holder.transaction())
            holder.execute(f"{ends} IN ACCESS EXCLUSIVE MODE")
        else:
            until_seen.enter_context(hanging(lab, and_end="false"))
        assert lab.request("/orders")[0] == lab.request("/readyz")[0] == 200
        play = down(run_max_risk="high")
        assert lab.request("/orders")[0] == 200
    assert (play.code, play.outcome, play.causes()) == (0, "advised", ["logins_hang"]), play.output
    assert play.run["plan"]["steps"] == play.run["actions"] == []
    assert pids(lab) == before


def test_one_that_hangs_where_the_application_cannot_be_asked_is_for_a_person(healthy_lab, down):
    lab = healthy_lab
    before = pids(lab)
    with hanging(lab):
        play = down(db_down_dependants={})
    assert (play.code, play.outcome, play.causes()) == (2, "blocked", ["hangs"]), play.output
    assert (play.run["guard"]["name"], play.run["plan"]["risk"]) == ("risk", "high")
    assert pids(lab) == before


@pytest.mark.covers("JO-2-1")
def test_one_that_gets_no_connection_is_not_kept_out(healthy_lab, down):
    """Its readiness has no database, since a session that is no part of it holds all of its connections up."""
    lab = healthy_lab
    before = pids(lab)
    with contextlib.ExitStack() as stack:
        holder = stack.enter_context(closing(session(lab, "backoffice", autocommit=False)))
        holder.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        stack.enter_context(clients(lab, 30, "/orders"))
        until(lambda: lab.measure().blocked(1) >= 3)
        until(lambda: lab.request("/readyz")[0] == 503)
        play = down()
        pid = holder.info.backend_pid
        until(lambda: lab.request("/readyz")[0] == 200)
    ended = [(run["runbook"], run["outcome"]) for run in play.runs]
    assert (play.code, ended) == (0, [("db_down", "resolved"), ("db_pool", "resolved")]), play.output
    first = play.runs[0]
    named = [[one["cause"] for one in run["findings"] if one["status"] == "problem"] for run in play.runs]
    assert named == [["gets_no_connection"], ["idle_in_transaction"]], play.output
    assert "db_pool ended resolved" in first["summary"]
    # What a person would look at is shown, without the password.
    shown = first["evidence"]
    assert shown["answers"] is True
    assert shown["connection"] == f"postgresql://oncall@127.0.0.1:{lab.layout.ports['database']}/labpics"
    assert (shown["connections"]["max"], shown["connections"]["used"] > 2) == (100, True)
    assert [one["pid"] for one in shown["locks_not_granted"]] == [pid]
    assert shown["locks_not_granted"][0]["blocks"] >= 2
    assert lab.layout.secrets()["oncall"] not in play.output + str(play.runs)
    assert pids(lab) == before


# Makes a standby the primary, and has the address of the database lead to it: what a virtual address does, or a name.
FAILOVER = """
import subprocess, sys, psycopg
standby, address = sys.argv[1:]
with psycopg.connect(host="127.0.0.1", port=standby, user="postgres", dbname="postgres", autocommit=True) as connection:
    assert connection.execute("SELECT pg_promote(true, 60)").fetchone() == (True,)
leads = subprocess.Popen(
    [sys.executable, "-c", LEADS, address, standby], start_new_session=True,
    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
)
print(leads.pid)
"""
LEADS = """
import socket, sys, threading
def copy(source, target):
    while data := source.recv(65536):
        target.sendall(data)
    target.close()
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as server:
    while True:
        client = server.accept()[0]
        behind = socket.create_connection(("127.0.0.1", int(sys.argv[2])))
        for pair in ((client, behind), (behind, client)):
            threading.Thread(target=copy, args=pair, daemon=True).start()
"""


@pytest.mark.covers("JO-2-3")
def test_a_hosted_database_is_failed_over_to_its_standby(player, tmp_path):
    with server() as primary, primary.standby() as standby:
        primary.execute("CREATE TABLE kept AS SELECT 17 AS n", user="app")
        until(lambda: standby.execute("SELECT 1 FROM pg_class WHERE relname = 'kept'"))
        address = free_port()
        program = tmp_path / "failover.py"
        program.write_text(f"LEADS = {LEADS!r}\n{FAILOVER}")
        variables = {
            "system_services": {"api": {"manager": "command", "commands": {"restart": ["true"]}}},
            "system_database": {"host": "127.0.0.1", "port": address, "name": "shop", "user": "oncall"},
            "db_down_dependants": {},
            "db_down_failover_command": [sys.executable, str(program), str(standby.port), str(address)],
            "db_down_status_page": "https://status.example.com",
            "run_verify_timeout_seconds": 60,
        }
        # Its host is gone.
        primary.stop()
        try:
            blocked = player.play(playbook=PLAYBOOK, **variables)
            assert (blocked.code, blocked.outcome, blocked.causes()) == (2, "blocked", ["unresponsive"]), blocked.output
            assert "status.example.com" in str(blocked.run["findings"]) and "open a case" in str(
                blocked.run["findings"]
            )
            assert standby.execute("SELECT pg_is_in_recovery()") == [(True,)], "nobody has allowed it"
            acted = player.play(playbook=PLAYBOOK, run_max_risk="high", **variables)
            assert (acted.code, acted.outcome, acted.causes()) == (0, "resolved", ["unresponsive"]), acted.output
            assert [(one["remedy"], one["helped"]) for one in acted.run["actions"]] == [("fail_over", True)]
            with psycopg.connect(host="127.0.0.1", port=address, user="app", dbname="shop") as application:
                application.execute("UPDATE kept SET n = n + 1")
                assert application.execute("SELECT n FROM kept").fetchone() == (18,)
        finally:
            for process in psutil.process_iter(["cmdline"]):
                if process.info["cmdline"] and process.info["cmdline"][-2:] == [str(address), str(standby.port)]:
                    process.kill()
            primary.start()


@pytest.mark.covers("JO-2-3")
def test_a_hosted_database_that_is_failed_over_in_vain(healthy_lab, down, tmp_path):
    marker = tmp_path / "promoted"
    acted = down(
        system_services={"api": {"manager": "command", "commands": {"restart": ["true"]}}},
        system_database={"host": "127.0.0.1", "port": 1, "name": "labpics", "user": "oncall"},
        # One that has it would keep it from being failed over.
        db_down_dependants={},
        db_down_failover_command=["touch", str(marker)],
        run_verify_timeout_seconds=1,
        run_max_risk="high",
    )
    # The command was run, and the database is still not there.
    assert (acted.code, acted.outcome, acted.causes()) == (2, "unresolved", ["unresponsive"]), acted.output
    assert marker.exists()
    assert healthy_lab.request("/readyz")[0] == 200
