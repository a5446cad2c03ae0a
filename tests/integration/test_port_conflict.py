# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runbook port_conflict on real processes; modules port_info and process_end."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.oncall.runbooks.tests.support.modules import run_module
from ansible_collections.oncall.runbooks.tests.support.plays import Player
from ansible_collections.oncall.runbooks.tests.support.port_services import PortServices, state_of
from ansible_collections.oncall.runbooks.tests.support.waiting import until
from lab.ports import free_port

PLAYBOOK = "playbooks/port_conflict.yml"


@pytest.fixture(scope="module")
def running() -> Iterator[PortServices]:
    services = PortServices()
    try:
        yield services
    finally:
        services.stop()


@pytest.fixture
def services(running):
    running.healthy()
    yield running
    running.healthy()


@pytest.fixture
def play(services, tmp_path):
    player = Player(services.home, tmp_path)

    def run(*arguments, **variables):
        inventory = ["-i", str(services.inventory)]
        return player.play(*inventory, *arguments, playbook=PLAYBOOK, run_hosts="stack", **variables)

    return run


def test_healthy(services, play):
    before = state_of(services)
    played = play()
    assert (played.code, played.outcome) == (0, "healthy"), played.output
    assert state_of(services) == before


@pytest.mark.covers("IE-6-3", "IE-6-4")
def test_stranger(services, play):
    other = services.taken()
    before = state_of(services)

    blocked = play()
    assert (blocked.code, blocked.outcome) == (2, "blocked"), blocked.output
    assert blocked.causes() == ["stranger"]
    assert f"pid {other.pid} of user " in blocked.run["summary"]
    assert "s3cret" not in blocked.output
    assert state_of(services) == before

    hashed = blocked.run["plan"]["hash"]
    fixed = play(run_plan=[hashed], run_max_risk="high")
    assert (fixed.code, fixed.outcome) == (0, "resolved"), fixed.output
    (action,) = fixed.run["actions"]
    assert (action["remedy"], action["state"], action["helped"]) == ("end_process", "done", True)
    assert other.wait(60) == -signal.SIGTERM
    assert services.state("api") == "RUNNING"
    assert services.listens(services.pid())
    assert services.pid("killed") == before["programs"]["killed"][1]


def test_free_again(services, play):
    other = services.taken()
    other.kill()
    other.wait()
    fixed = play()
    assert (fixed.code, fixed.outcome) == (0, "resolved"), fixed.output
    assert [action["remedy"] for action in fixed.run["actions"]] == ["start_service"]
    assert services.state("api") == "RUNNING"


def test_down_for_another_reason(services, play):
    before = state_of(services)
    services.write_inventory(name="broken", port=free_port())
    # A ledger that would refuse any remedy has nothing to say about advice.
    played = play(run_until="plan", run_budget_count=0)
    assert "ledger" not in str(played.run["notes"]), played.run["notes"]
    assert played.causes() == ["down_for_another_reason"]
    # crash_loop hands ports over to this runbook, so that this one only names it.
    assert (played.outcome, played.run["plan"]["steps"], played.run["hand_over"]) == ("planned", [], []), played.output
    assert state_of(services) == before


def test_a_manager_that_does_not_answer(services, play):
    other = services.taken()
    before = state_of(services)
    services.write_inventory(config=str(services.home / "none.conf"))
    played = play(run_max_risk="high")
    assert (played.code, played.outcome) == (2, "unknown"), played.output
    assert "No such file or directory" in played.run["summary"]
    assert state_of(services) == before
    assert other.poll() is None


@pytest.mark.covers("IE-6-3")
def test_windows_host_is_told_what_to_do_and_runs_nothing(services, play):
    # Whatever would be run over this connection fails: this host has no PowerShell.
    played = play(ansible_shell_type="powershell", run_until="plan")
    assert (played.code, played.outcome) == (0, "planned"), played.output
    assert played.causes() == ["windows_host"]
    assert f"netstat -ano | findstr :{services.port}" in str(played.run["findings"])


@pytest.mark.covers("IE-6-4")
def test_its_own_orphan(services, play):
    orphan = services.pid()
    others = {one["pid"] for one in services.rpc("getAllProcessInfo")} - {0, orphan}
    argv = services.process.args
    services.process.kill()
    services.process.wait()
    for pid in others:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    services.process = subprocess.Popen(
        argv, cwd=services.home, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    services.wait_for(api="FATAL", broken="FATAL", ended="EXITED")
    assert services.listens(orphan)
    before = state_of(services)

    checked = play("--check", "--diff")
    assert (checked.code, checked.outcome) == (0, "planned"), checked.output
    assert checked.causes() == ["own_old_process"]
    assert state_of(services) == before

    fixed = play()
    assert (fixed.code, fixed.outcome) == (0, "resolved"), fixed.output
    assert [action["remedy"] for action in fixed.run["actions"]] == ["end_process"]
    assert not Path(f"/proc/{orphan}").exists()
    assert services.listens(services.pid())
    again = play()
    assert (again.code, again.outcome) == (0, "healthy"), again.output


# ---------------------------------------------------------------------------------------------------- modules


@contextlib.contextmanager
def listener(code: str = "", **how):
    """A process that listens, and its port."""
    port = free_port()
    text = f"import signal, socket, time; {code}kept = socket.create_server(('127.0.0.1', {port}))\n"
    text += "print('listening', flush=True); time.sleep(1000)"
    argv = [sys.executable, "-c", text, "--password", "s3cret", "postgres://app:s3cret@db/app", "TOKEN=s3cret"]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, **how)
    try:
        assert process.stdout.readline() == "listening\n"
        yield process, port
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def look(folder, port, **more):
    code, answer = run_module("port_info", folder, ports={"it": {"port": port, **more}})
    assert code == 0, answer
    assert answer["changed"] is False
    return answer, answer["ports"]["it"]


def test_port_info(tmp_path):
    with listener() as (process, port):
        answer, found = look(tmp_path, port)
        assert (found["state"], answer["complete"], answer["limits"]) == ("held", True, [])
        (holder,) = found["holders"]
        assert (holder["pid"], holder["ppid"], holder["uid"]) == (process.pid, os.getpid(), os.getuid())
        assert (holder["addresses"], holder["listening"], holder["container"]) == (["127.0.0.1"], True, None)
        assert "s3cret" not in str(answer)
        assert look(tmp_path, port, address="127.0.0.2")[1]["state"] == "free"
        assert look(tmp_path, port, address="::1")[1]["state"] == "free"
        assert look(tmp_path, port, address="0.0.0.0")[1]["state"] == "held"
        assert look(tmp_path, port, address="::")[1]["state"] == "held"
    assert look(tmp_path, port)[1] == {"port": port, "address": "", "state": "free", "holders": []}


def test_port_info_of_a_connection(tmp_path):
    # A server of this process; the other end of the connection has a port of its own.
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        _answer, found = look(tmp_path, client.getsockname()[1])
        assert (found["state"], [one["listening"] for one in found["holders"]]) == ("held", [False])


@pytest.mark.parametrize(
    ("ask", "reason"),
    [
        ({"port": 0}, "port it: 0 is no port from 1 to 65535"),
        ({"port": "http"}, "port it: http is no port from 1 to 65535"),
        ({"port": 80, "address": "localhost"}, "port it: localhost is no IP address"),
        ({"prot": 80}, "port it must be a dict of port and, where only one counts, address"),
        (80, "port it must be a dict of port and, where only one counts, address"),
    ],
)
def test_port_info_refuses(tmp_path, ask, reason):
    code, answer = run_module("port_info", tmp_path, ports={"it": ask})
    assert (code, answer["msg"]) == (1, reason)


def identity(folder, port):
    (holder,) = look(folder, port)[1]["holders"]
    return {"pid": holder["pid"], "start_ticks": holder["start_ticks"]}


def test_process_end(tmp_path):
    with listener() as (process, port), listener() as (bystander, _port):
        one = identity(tmp_path, port)
        _code, answer = run_module("process_end", tmp_path, check=True, diff=True, port=port, processes=[one])
        assert (answer["changed"], answer["terminated"]) == (True, [process.pid])
        assert str(process.pid) in answer["diff"]["before"]
        assert process.poll() is None

        _code, answer = run_module("process_end", tmp_path, port=port, processes=[one])
        assert (answer["changed"], answer["terminated"], answer["killed"]) == (True, [process.pid], [])
        assert process.wait() == -signal.SIGTERM
        _code, answer = run_module("process_end", tmp_path, port=port, processes=[one])
        assert (answer["changed"], answer["left_alone"]) == (False, [{"pid": process.pid, "why": "it is gone"}])
        assert bystander.poll() is None


def test_process_end_kills_what_does_not_end(tmp_path):
    with listener("signal.signal(signal.SIGTERM, signal.SIG_IGN); ") as (process, port):
        one = identity(tmp_path, port)
        _code, answer = run_module("process_end", tmp_path, port=port, processes=[one], grace_seconds=0.5)
        assert (answer["terminated"], answer["killed"]) == ([process.pid], [process.pid])
        assert process.wait() == -signal.SIGKILL


def test_process_end_leaves_alone_what_gave_the_port_back(tmp_path):
    # It still ends its requests; the port is free.
    code = "signal.signal(signal.SIGTERM, lambda *_: kept.close()); "
    with listener(code) as (process, port):
        one = identity(tmp_path, port)
        _code, answer = run_module("process_end", tmp_path, port=port, processes=[one], grace_seconds=5)
        assert (answer["terminated"], answer["killed"]) == ([process.pid], [])
        until(lambda: look(tmp_path, port)[1]["state"] == "free")


def test_process_end_refuses(tmp_path):
    with listener() as (process, port), socket.create_server(("127.0.0.1", 0)) as own:
        one = identity(tmp_path, port)
        own_port = own.getsockname()[1]
        wrong = {"pid": one["pid"], "start_ticks": one["start_ticks"] - 1}
        for asked_port, asked, why in (
            (port, wrong, "its number belongs to another process now"),
            (port + 1, one, f"it does not hold port {port + 1} any more"),
            (own_port, identity(tmp_path, own_port), "this run hangs on it"),
        ):
            _code, answer = run_module("process_end", tmp_path, port=asked_port, processes=[asked])
            assert (answer["changed"], answer["left_alone"]) == (False, [{"pid": asked["pid"], "why": why}])
        assert process.poll() is None
