# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where more comes than one can do, three are run: the API of the compose lab, with its users spread over all of it, and its worker."""

from __future__ import annotations

import http.client
import itertools
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.oncall.runbooks.tests.support.waiting import until
from lab.compose.stack import ComposeLab
from lab.database import connect

# Of the processor: what one replica may have, what one request takes, and how many come, which is more than one can do and less
# than two can.
CORES, WORK_SECONDS, PER_SECOND = 0.25, 0.03, 12
# So many wait at once: each is slow, and whoever asks for the metrics gets them in time.
AT_ONCE = 12
# A worker takes so many and then sleeps for a second: more come than one takes, and less than two.
EVENTS_A_TURN, EVENTS_PER_SECOND = 10, 16


@contextmanager
def without_a_port_of_its_own(lab: ComposeLab, service: str, more: str = "") -> Iterator[None]:
    """A port of the host belongs to one container: here the engine chooses one for each."""
    file = lab.project.folder / "compose.yaml"
    fixed = f"127.0.0.1:${{LAB_{service.upper()}_PORT}}:8080"
    text = file.read_text()
    assert text.count(fixed) == 1
    head = f"  {service}:\n    <<: *program\n"
    assert text.count(head) == 1
    try:
        file.write_text(text.replace(fixed, "127.0.0.1::8080").replace(head, head + more))
        lab.target.recreate(service)
        until(lambda: lab.target.container(service)["State"]["Health"]["Status"] == "healthy", 240)
        yield
    finally:
        lab.heal_all()


def services(lab: ComposeLab, service: str) -> dict[str, Any]:
    """Those of the inventory; of this one nobody knows the port before it runs."""
    known = json.loads((Path(lab.home) / "inventory.json").read_text())["system_services"]
    return {
        **known,
        service: {key: value for key, value in known[service].items() if key not in ("health_url", "port")},
    }


def ports(lab: ComposeLab, service: str) -> list[int]:
    """Where the containers of a service are reached that can be."""
    running = [one for one in lab.project.containers()[service] if one["State"]["Running"]]
    return [int(where["HostPort"]) for one in running for where in one["NetworkSettings"]["Ports"]["8080/tcp"] or []]


@contextmanager
def users(lab: ComposeLab, path: str) -> Iterator[None]:
    """Users whom a balancer spreads over all replicas; whether the one before was answered or not."""
    over = threading.Event()
    known = ports(lab, "api")

    def ask(port: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        with suppress(OSError, http.client.HTTPException):
            connection.request("GET", path)
            connection.getresponse().read()
        connection.close()

    def come() -> None:
        with ThreadPoolExecutor(AT_ONCE) as askers:
            for number in itertools.count():
                if over.wait(1 / PER_SECOND):
                    return
                askers.submit(ask, known[number % len(known)])

    def see() -> None:
        while not over.wait(1):
            known[:] = ports(lab, "api") or known

    threads = [threading.Thread(target=come), threading.Thread(target=see)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


@pytest.mark.covers("SY-4-7")
def test_a_busy_api_is_run_three_times(compose_lab, compose_player):
    lab = compose_lab
    lab.target.set_environment("api", LAB_START_FAULTS=f"work?route=/orders&seconds={WORK_SECONDS}")
    with without_a_port_of_its_own(lab, "api", f"    cpus: {CORES}\n"):
        # Others would come on top.
        lab.target.load(0)
        variables = {
            "playbook": "playbooks/latency.yml",
            "system_services": services(lab, "api"),
            "latency_endpoints": {"api": f"http://127.0.0.1:{ports(lab, 'api')[0]}/metrics"},
            "latency_window_seconds": 6,
        }
        with users(lab, "/orders"):
            # What waits is worked off before it is fast again.
            play = compose_player.play(**variables, run_verify_timeout_seconds=240)
            assert (play.code, play.outcome, play.causes()) == (0, "resolved", ["saturation"]), play.output
            (action,) = play.run["actions"]
            assert (action["remedy"], action["helped"]) == ("scale_out", True)
            assert action["targets"] == [{"service": "api", "from": 1, "to": 3}]
            assert len(ports(lab, "api")) == 3
            again = compose_player.play(**variables)
            assert (again.code, again.outcome, again.run["actions"]) == (0, "healthy", []), again.output


@contextmanager
def storm(lab: ComposeLab, per_second: int) -> Iterator[None]:
    """Events, of which nearly all are of one kind."""
    over = threading.Event()
    statement = "INSERT INTO events (kind) SELECT CASE WHEN n %% 8 = 0 THEN 'report' ELSE 'sync' END FROM generate_series(1, %s) n"

    def emit() -> None:
        with connect(lab.layout, "app") as application:
            while not over.wait(0.5):
                application.execute(statement, [per_second // 2])

    thread = threading.Thread(target=emit)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.mark.covers("SY-2-5")
def test_a_storm_of_events_is_named_and_three_workers_take_it(compose_lab, compose_player):
    """Each worker takes short jobs in bursts: at most moments none runs."""
    lab = compose_lab
    lab.target.set_environment("worker", WORKER_EVENTS_A_TURN=str(EVENTS_A_TURN))
    with without_a_port_of_its_own(lab, "worker"), storm(lab, per_second=EVENTS_PER_SECOND):
        waiting = "SELECT count(*) FROM events WHERE status = 'pending'"
        # A worker takes some at once: what is only just too many is not, a moment later.
        until(lambda: lab.target.sql(waiting)[0][0] > 100 + 5 * EVENTS_A_TURN, 180)
        variables = {
            "playbook": "playbooks/worker_queue.yml",
            "system_services": services(lab, "worker"),
            "worker_queue_window_seconds": 4,
        }
        play = compose_player.play(**variables, run_verify_timeout_seconds=240)
        assert (play.code, play.outcome, play.causes()) == (0, "resolved", ["event_storm"]), play.output
        assert "of what waits in events is sync" in play.run["summary"]
        assert "Find out what sends sync" in str(play.run["findings"])
        (action,) = play.run["actions"]
        assert (action["remedy"], action["helped"]) == ("scale_out", True)
        assert action["targets"] == [{"service": "worker", "from": 1, "to": 3}]
        assert len(ports(lab, "worker")) == 3
