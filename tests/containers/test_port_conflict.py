# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runbook port_conflict where containers publish ports, and port_info about them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from ansible_collections.oncall.runbooks.tests.support.containers import Containers, docker
from ansible_collections.oncall.runbooks.tests.support.modules import run_module
from ansible_collections.oncall.runbooks.tests.support.plays import REPOSITORY, Player
from ansible_collections.oncall.runbooks.tests.support.port_services import PortServices, state_of
from ansible_collections.oncall.runbooks.tests.support.waiting import until

BYSTANDER = "import socket, time; kept = socket.create_server(('127.0.0.2', {port})); time.sleep(1000)"
LISTEN = "import socket, time; kept = socket.create_server(('0.0.0.0', {port})); time.sleep(1000)"
PLUGINS = "/collections/ansible_collections/oncall/runbooks/plugins"
OBSERVE = """
import json, sys
sys.path.insert(0, "/collections")
from ansible_collections.oncall.runbooks.plugins.module_utils.net.ports import observe
asked = {"ports": {"it": {"port": int(sys.argv[1])}}, "services": {}, "timeout_seconds": 5}
print(json.dumps(observe(asked)))
"""


@pytest.fixture(scope="module")
def containers() -> Iterator[Containers]:
    some = Containers()
    try:
        yield some
    finally:
        some.remove()


@pytest.fixture
def services() -> Iterator[PortServices]:
    running = PortServices()
    try:
        yield running
    finally:
        running.stop()


def publish(containers: Containers, name: str, port: int, *options: str) -> str:
    """Make a container that publishes a port of 127.0.0.1; gives its id."""
    labels = ["--label", containers.label, "--stop-timeout", "1", "--publish", f"127.0.0.1:{port}:80"]
    code = LISTEN.format(port=80)
    return docker(
        *("create", "--name", containers.prefix + name, *labels, *options, containers.image, "python3", "-c", code)
    )


def running(one_id: str) -> bool:
    return docker("inspect", "--format", "{{.State.Running}}", one_id) == "true"


@pytest.mark.covers("IE-6-3")
def test_another_container(services, containers, tmp_path):
    player = Player(services.home, tmp_path)
    options = ["-i", str(services.inventory)]
    services.rpc("stopProcess", "api")
    other = publish(containers, "grafana", services.port, "--restart", "always")
    docker("start", other)
    services.fails_to_start()
    before = state_of(services)

    blocked = player.play(*options, playbook="playbooks/port_conflict.yml", run_hosts="stack")
    assert (blocked.code, blocked.outcome) == (2, "blocked"), blocked.output
    assert blocked.causes() == ["other_container"]
    assert f"published by the container {containers.prefix}grafana" in blocked.run["summary"]
    assert state_of(services) == before
    assert running(other)

    # It does not help: api still fails, now because it is not to be had at all.
    services.write_inventory(health_url=f"{services.health_url}/none")
    again = player.play(
        *options,
        playbook="playbooks/port_conflict.yml",
        run_hosts="stack",
        run_max_risk="high",
        run_verify_timeout_seconds=3,
        service_wait_seconds=2,
    )
    assert (again.code, again.outcome) == (2, "unresolved"), again.output
    assert [(one["remedy"], one["state"]) for one in again.run["actions"]] == [("stop_container", "rollback_failed")]
    assert services.state("api") == "RUNNING"
    assert not running(other)
    docker("rm", "--force", other)


@pytest.mark.covers("IE-6-4")
def test_a_stranger_before_a_container(services, containers, tmp_path):
    player = Player(services.home, tmp_path)
    one_id = publish(containers, "shop", services.port)
    other = services.taken()
    bystander = subprocess.Popen([sys.executable, "-c", BYSTANDER.format(port=services.port)])
    services.others.append(bystander)
    until(lambda: services.listens(bystander.pid))
    refused = subprocess.run(["docker", "start", one_id], capture_output=True, text=True)
    assert "address already in use" in refused.stderr
    known = json.loads(services.inventory.read_text())
    stack = known["all"]["hosts"]["stack"]
    stack["system_services"] = {"web": {"manager": "docker", "name": f"{containers.prefix}shop"}}
    services.inventory.write_text(json.dumps(known))

    # The one that hands over says which service and which port it is about.
    handed = player.play(
        *("-i", str(services.inventory)),
        playbook="playbooks/api_down.yml",
        run_hosts="stack",
        run_until="plan",
        api_down_service="web",
        api_down_endpoints={"health": f"http://127.0.0.1:{services.port}/"},
    )
    owned = handed.runs[1]
    problems = [one["cause"] for one in owned["findings"] if one["status"] == "problem"]
    assert (owned["runbook"], problems) == ("port_conflict", ["stranger"]), handed.output
    assert f"port {services.port} of web" in owned["summary"]

    fixed = player.play(
        *("-i", str(services.inventory)),
        playbook="playbooks/port_conflict.yml",
        run_hosts="stack",
        run_max_risk="high",
        port_conflict_service="web",
        port_conflict_port=services.port,
    )
    assert (fixed.code, fixed.outcome) == (0, "resolved"), fixed.output
    assert [(one["cause"], one["remedy"]) for one in fixed.run["actions"]] == [("stranger", "end_process")]
    assert other.wait(60) < 0
    assert bystander.poll() is None
    assert running(one_id)

    _code, answer = run_module(
        "port_info", tmp_path, ports={"it": {"port": services.port}}, services=stack["system_services"]
    )
    (holder,) = (one for one in answer["ports"]["it"]["holders"] if one["addresses"] == ["127.0.0.1"])
    assert (holder["container"]["id"], holder["service"]) == (one_id, "web")
    docker("rm", "--force", one_id)


def test_what_another_user_holds_is_never_free(containers):
    containers.run("owner", LISTEN.format(port=80), "--volume", f"{REPOSITORY}/plugins:{PLUGINS}:ro")
    name = containers.prefix + "owner"

    def seen(user: str) -> dict:
        return json.loads(docker("exec", "--user", user, name, "python3", "-c", OBSERVE, "80"))

    until(lambda: seen("root")["ports"]["it"]["state"] == "held")
    (holder,) = seen("root")["ports"]["it"]["holders"]
    assert (holder["pid"], holder["why_not_end"]) == (1, "it is process 1")
    answer = seen("nobody")
    (holder,) = answer["ports"]["it"]["holders"]
    assert answer["ports"]["it"]["state"] == "held"
    assert (holder["pid"], holder["user"], answer["complete"]) == (None, "root", False)
    assert answer["limits"] == ["port 80 on 0.0.0.0, user root: its owner cannot be seen: run with become"]


def test_a_container_on_the_network_of_the_host(containers, services, tmp_path):
    services.rpc("stopProcess", "api")
    docker(
        *("run", "--detach", "--name", f"{containers.prefix}host", "--label", containers.label, "--network", "host"),
        *(containers.image, "python3", "-c", LISTEN.format(port=services.port)),
    )

    def holders() -> list[dict]:
        _code, answer = run_module("port_info", tmp_path, ports={"it": {"port": services.port}})
        return answer["ports"]["it"]["holders"]

    until(lambda: len(holders()) == 1)
    assert holders()[0]["container"]["name"] == f"{containers.prefix}host"
