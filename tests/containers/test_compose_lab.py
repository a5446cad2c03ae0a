# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The compose lab breaks for real, heals whole, and leaves nothing behind."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from ansible_collections.oncall.runbooks.tests.support.lab_parts import inventory_says
from lab import ComposeLab, Lab, LabError
from lab.__main__ import main
from lab.compose.faults.services import FAULTS
from lab.compose.project import SERVICES
from lab.faults import load_faults

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def lab(compose_lab):
    """The lab with no fault before the test and none after it: each leaves it so to the next."""
    yield compose_lab
    compose_lab.heal_all()


@pytest.fixture
def second(tmp_path):
    """Another lab, not up yet."""
    second = ComposeLab(tmp_path / "second")
    yield second
    second.down(purge=True)


def started(lab):
    return {name: (service["id"], service["started_at"]) for name, service in lab.status()["services"].items()}


def of_label(lab, *command):
    return lab.project.docker(*command, "--quiet", "--filter", f"label={lab.project.label}").split()


def changed(lab, before):
    return {name for name, what in started(lab).items() if before[name] != what}


def test_the_stack_is_what_a_real_one_is(lab):
    status = lab.status()
    assert status["up"] and status["kind"] == "compose"
    assert {name: service["state"] for name, service in status["services"].items()} == dict.fromkeys(
        SERVICES, "healthy"
    )
    assert json.loads(lab.request("/readyz")[1]) == {
        "status": "ready", "revision": json.loads(lab.request("/health")[1])["revision"],
        "db_connected": True, "redis_connected": True, "migrations_current": True,
    }  # fmt: skip
    for name in ("api", "worker"):
        host = lab.target.container(name)["HostConfig"]
        assert (host["Memory"], host["MemorySwap"]) == (512 * 1024**2, 512 * 1024**2)
    for name, same in lab.project.containers().items():
        host = same[0]["HostConfig"]
        assert host["RestartPolicy"]["Name"] == "unless-stopped", name
        assert host["LogConfig"]["Type"] == "json-file" and host["LogConfig"]["Config"]["max-size"], name
        addresses = {where["HostIp"] for ports in host["PortBindings"].values() for where in ports}
        assert addresses == {"127.0.0.1"}, name
    assert lab.target.sql("SELECT count(*) > 0 FROM pg_stat_statements", role="postgres") == [(True,)]
    assert lab.target.sql("SELECT 1", role="oncall") == [(1,)]
    assert "1 row" in lab.target.run_in("db", "psql", "-U", "postgres", "-d", "labpics", "-c", "SELECT 1")


def test_no_container_tells_a_password(lab):
    secrets = lab.layout.secrets().values()
    told = json.dumps(lab.project.containers()) + lab.project.compose("logs")
    assert not [secret for secret in secrets if secret in told]


def test_the_users_are_measured(lab):
    lab.target.wait(lambda: lab.target.metric("app_cache_hits_total"), what="a hit")
    for family in (
        'app_response_status_total{method="GET",route="/orders",status="200"}',
        'app_request_duration_seconds_count{method="GET",route="/orders"}',
        "app_cache_enabled", "app_cache_misses_total", "app_provider_request_duration_seconds_count",
        "app_provider_up", "app_db_pool_max", "process_resident_memory_bytes", "process_cpu_seconds_total",
    ):  # fmt: skip
        assert lab.target.metric(family) is not None, family
    assert lab.target.metric("app_jobs_total", "worker") > 0


# The only service whose container is another one after the fault was healed.
REPLACED = {f"{name}_stopped": name for name in ("api", "worker", "db", "redis")}


@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_there_and_heals(lab, name):
    before = started(lab)
    lab.inject(name)
    assert FAULTS[name].there(lab.target)[0]
    assert lab.status()["faults"] == [name]
    assert lab.heal(name)
    assert lab.status()["faults"] == []
    assert not FAULTS[name].there(lab.target)[0]
    assert lab.request("/readyz")[0] == 200
    assert changed(lab, before) == ({REPLACED[name]} if name in REPLACED else set())


@pytest.mark.parametrize(("service", "exit_code"), [("worker", 139), ("db", 137)])
def test_a_crashed_service_stays_down_and_no_person_did_it(lab, service, exit_code):
    began = time.time()
    lab.inject(f"{service}_stopped")
    container = lab.target.container(service)
    state = container["State"]
    assert (state["ExitCode"], state["OOMKilled"], container["RestartCount"]) == (exit_code, False, 0)
    remembered = lab.target.docker(
        "events", "--since", str(began), "--until", str(time.time()), "--filter", f"container={container['Id']}",
        "--filter", "event=kill", "--filter", "event=stop",
    )  # fmt: skip
    assert remembered == ""


# what somebody changed -> the services whose containers are made anew for that
@pytest.mark.parametrize(
    ("change", "services"),
    [
        (lambda t: t.docker("update", "--memory=256m", "--memory-swap=256m", t.container("api")["Id"]), {"api"}),
        (lambda t: t.docker("update", "--restart=no", t.container("worker")["Id"]), {"worker"}),
        (lambda t: t.docker("stop", "--time=5", t.container("provider")["Id"]), {"provider"}),
        (lambda t: t.docker("rm", "--force", t.container("worker")["Id"]), {"worker"}),
        (lambda t: t.docker("network", "disconnect", f"{t.project.name}_default", t.container("worker")["Id"]),
         {"worker"}),
        (lambda t: (t.set_environment("worker", WORKER_BATCH_MB="5"), t.recreate("worker")), {"worker"}),
        (lambda t: (t.project.folder / "compose.yaml").write_text("services: ["), set()),
        (lambda t: t.redis("CONFIG", "SET", "maxmemory", "3mb"), set()),
        (lambda t: (t.sql("ALTER SYSTEM SET work_mem = '1MB'"), t.sql("SELECT pg_reload_conf()")), set()),
        (lambda t: t.sql("SELECT pg_create_physical_replication_slot('forgotten', true)"), set()),
        (lambda t: (t.begin("latency?route=/orders&seconds=60"), t.begin("cache_off"), t.load(1, "/orders")), set()),
    ],
    ids=["memory", "restart policy", "stopped", "removed", "cut off", "environment", "compose file", "redis",
         "database", "replication slot", "debug faults"],
)  # fmt: skip
def test_healing_puts_back_what_anybody_changed(lab, change, services):
    before = started(lab)
    text = (lab.project.folder / "compose.yaml").read_text()
    change(lab.target)
    lab.heal_all()
    assert changed(lab, before) == services
    assert {service["state"] for service in lab.status()["services"].values()} == {"healthy"}
    assert (lab.project.folder / "compose.yaml").read_text() == text
    for service in ("api", "worker"):
        host = lab.target.container(service)["HostConfig"]
        assert (host["Memory"], host["RestartPolicy"]["Name"]) == (512 * 1024**2, "unless-stopped")
    assert lab.target.redis("CONFIG", "GET", "maxmemory")["maxmemory"] == str(32 * 1024**2)
    assert lab.target.sql("SELECT current_setting('work_mem')") == [("4MB",)]
    assert lab.target.sql("SELECT count(*) FROM pg_replication_slots") == [(0,)]
    assert lab.target.metric("app_cache_enabled") == 1
    assert lab.request("/orders", seconds=30)[0] == 200


def test_up_again_changes_nothing(lab):
    before = started(lab)
    lab.up()
    assert started(lab) == before


def test_two_labs_do_not_touch_each_other_and_down_leaves_nothing(lab, second):
    before = started(lab)
    with pytest.raises(LabError, match="is not up; run: python -m lab up --compose"):
        second.inject("api_stopped")
    second.up()
    assert not set(second.layout.ports.values()) & set(lab.layout.ports.values())
    second.inject("redis_stopped")
    assert lab.status()["faults"] == []
    assert lab.request("/readyz")[0] == 200
    kinds = (("ps", "--all"), ("network", "ls"), ("volume", "ls"))
    assert [bool(of_label(second, *kind)) for kind in kinds] == [True, True, True]
    # Its files are not needed for that.
    (second.project.folder / "compose.yaml").write_text("services: [")
    second.down()
    assert [of_label(second, *kind) for kind in kinds] == [[], [], []]
    assert second.status()["up"] is False
    assert second.home.exists()
    second.down(purge=True)
    assert not second.home.exists()
    assert started(lab) == before


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda lab: (lab.project.folder / "compose.yaml").write_text("services: ["), "docker compose up ends with"),
        (lambda lab: (lab.project.folder / ".env").write_text(
            (lab.project.folder / ".env").read_text().replace("LAB_REDIS_IMAGE=", "LAB_REDIS_IMAGE=no-such-")),
         "no-such-"),
    ],
    ids=["compose file", "image"],
)  # fmt: skip
def test_what_compose_cannot_use_is_one_line(lab, monkeypatch, spoil, says):
    spoil(lab)
    with pytest.raises(LabError) as caught:
        lab.project.compose("up", "--detach")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_port_that_is_taken_meanwhile_is_one_line(second, lab):
    second.layout.home.mkdir()
    second.layout.begin()
    second.layout.save({"kind": "compose", "ports": {}})
    with pytest.MonkeyPatch.context() as patch:
        # Somebody takes it between the choice and the start.
        patch.setattr("lab.compose.stack.choose_ports", lambda layout, names: layout.save(
            {**layout.record(), "ports": dict(lab.layout.ports)}))  # fmt: skip
        with pytest.raises(LabError, match="port is already allocated") as caught:
            second.up()
    assert "\n" not in str(caught.value)


def test_every_fault_has_a_name_of_its_own_and_says_what_it_is():
    found = load_faults("compose")
    assert found["services"] == FAULTS
    assert all(fault.summary and "\n" not in fault.summary for same in found.values() for fault in same.values())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["inject", "nope"], "no fault 'nope'; the known ones are "),
        (["heal", "nope"], "no fault 'nope'; the known ones are "),
        (["heal"], "Name a fault or give --all"),
    ],
)
def test_errors_are_one_line_and_end_with_1(monkeypatch, compose_lab, capsys, arguments, says):
    monkeypatch.setenv("LAB_HOME", str(compose_lab.home))
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1


def test_commands_speak_of_this_lab(monkeypatch, compose_lab, capsys):
    monkeypatch.setenv("LAB_HOME", str(compose_lab.home))
    assert main(["status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["services"]["api"]["container"] == f"{compose_lab.project.name}-api-1"
    assert main(["env"]) == 0
    assert f"export LAB_PROJECT={compose_lab.project.name}\n" in capsys.readouterr().out
    assert main(["faults"]) == 0
    assert "redis_stopped" in capsys.readouterr().out


def test_a_lab_stays_of_the_kind_it_was_made_as(monkeypatch, compose_lab, tmp_path, capsys):
    with pytest.raises(LabError, match="has a lab of the kind compose"):
        Lab(compose_lab.home).up()
    embedded = Lab(tmp_path / "home")
    embedded.home.mkdir()
    embedded.layout.save({"kind": "embedded", "base": str(tmp_path), "ports": {}})
    monkeypatch.setenv("LAB_HOME", str(embedded.home))
    assert main(["up", "--compose"]) == 1
    assert "has a lab of the kind embedded" in capsys.readouterr().err


def test_the_inventory_speaks_of_this_lab(lab):
    expression = "system_endpoints.api ~ ' ' ~ system_services.api.environment_file ~ ' ' ~ system_redis.port"
    file = lab.project.folder / "api.env"
    assert f"{lab.url}/metrics {file} {lab.layout.ports['redis']}" in inventory_says(lab, expression)
