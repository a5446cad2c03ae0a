# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab breaks for real: each fault is measured, ends with its remedy and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
import yaml
from plays import REPOSITORY
from waiting import until

from ansible_collections.oncall.runbooks.tests.support.lab_parts import inventory_says, pids
from lab import Lab, LabError
from lab.__main__ import main
from lab.database import connect
from lab.embedded import processes
from lab.embedded.faults import db_pool

END = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{}'"
CANCEL = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = '{}' AND state = 'active'"


def sql(statement):
    """A remedy made of one statement, with no more rights than a runbook has."""

    def act(lab):
        with connect(lab.layout, "oncall") as connection:
            connection.execute(statement)

    return act


def restart(service):
    return lambda lab: lab.supervisor.restart(service)


def larger_pool(lab):
    file = lab.supervisor.program_file("api")
    file.write_text(file.read_text().replace('PG_POOL_MAX="25"', 'PG_POOL_MAX="35"'))
    lab.supervisor.load("api")


def larger_server(lab):
    sql("ALTER SYSTEM SET max_connections = 200")(lab)
    lab.supervisor.restart("database")


class NobodyWaits:
    """Whether in six samples in a row nobody waited."""

    def __init__(self, lab):
        self._lab, self._in_a_row = lab, 0

    def __call__(self):
        try:
            self._in_a_row = self._in_a_row + 1 if self._lab.pool()["waiting"] == 0 else 0
        except LabError:
            self._in_a_row = 0
        return self._in_a_row >= 6


def there(lab, name):
    """Whether a fault is there; not while the API or the database starts."""
    try:
        return lab.there(name)[0]
    except LabError:
        return False


def count(measured, application, state):
    return len(measured.of(application, state))


# fault -> what is measured beside the injector's own condition -> the remedy -> does it help
FAULTS = {
    "idle_in_transaction": (
        lambda m: count(m, "lab-api", "idle in transaction") == 25, sql(END.format("lab-api")), True,
    ),
    "leaked_sessions": (
        lambda m: count(m, "reports", "idle") >= 80 and m.pool["size"] < 25, sql(END.format("reports")), True,
    ),
    "long_queries": (
        lambda m: count(m, "lab-api", "active") >= 20, sql(CANCEL.format("lab-api")), True,
    ),
    "blocker": (
        lambda m: count(m, "migrate", "active") == 1 and m.blocked(1) >= 20, sql(END.format("migrate")), True,
    ),
    "matview_refresh": (
        lambda m: len(m.of("refresher", "active", "REFRESH MATERIALIZED VIEW")) == 1,
        sql(CANCEL.format("refresher")), True,
    ),
    "pool_too_small": (lambda m: m.pool["in_use"] == 25, larger_pool, True),
    "max_connections": (
        lambda m: len(m.sessions) >= 92 and max(s.state_seconds for s in m.of("app-", "idle")) < 3,
        larger_server, True,
    ),
    "pool_leak": (lambda m: count(m, "lab-api", "idle") == 25, restart("api"), True),
    "overload": (lambda m: m.pool["waiting"] >= 20, larger_pool, False),
}  # fmt: skip


def waits_and(seen, measured):
    return measured.pool["waiting"] > 0 and seen(measured)


@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_there_ends_with_its_remedy_and_heals(healthy_lab, name):
    lab = healthy_lab
    seen, remedy, helps = FAULTS[name]
    lab.inject(name)
    # A moment says little: connections change hands, and the pool replaces one.
    until(lambda: waits_and(seen, lab.measure()), told=lambda: str(lab.measure()))
    assert lab.status()["faults"] == [name]
    assert lab.request("/health", seconds=2)[0] == 200
    remedy(lab)
    if helps:
        until(NobodyWaits(lab), told=lambda: str(lab.measure()))
    else:
        until(lambda: there(lab, name) and lab.pool()["max"] == 35, told=lambda: str(lab.measure()))
    assert lab.heal(name)
    # A client that is gone has its session until the server notices.
    only_its_own = {"lab-api", "lab-worker"}.issuperset
    until(
        lambda: only_its_own(session.application for session in lab.measure().sessions), told=lambda: str(lab.measure())
    )
    after = lab.measure()
    assert (after.pool["max"], after.pool["in_use"], after.pool["waiting"]) == (25, 0, 0)
    assert lab.status()["faults"] == []
    with connect(lab.layout) as connection:
        assert connection.execute("SHOW max_connections").fetchone() == ("100",)


def test_high_usage_is_healthy(healthy_lab):
    healthy_lab.inject("high_usage")
    samples = []
    for _ in range(30):
        samples.append(healthy_lab.pool())
        time.sleep(0.03)
    assert sum(sample["in_use"] >= 20 for sample in samples) >= 27, samples
    assert sum(sample["waiting"] > 0 for sample in samples) <= 1, samples


@pytest.mark.parametrize(
    ("name", "works"),
    [
        ("redis_down", lambda lab: lab.request("/customers")[0] == 200 and lab.request("/readyz")[0] == 503),
        ("api_down", lambda lab: lab.request("/health")[0] == 0),
        ("database_down", lambda lab: lab.request("/health")[0] == 200),
        ("database_hang", lambda lab: lab.request("/metrics")[0] == 200),
        ("metrics_missing", lambda lab: lab.request("/metrics")[0] == 404 and lab.request("/orders")[0] == 200),
    ],
)
def test_other_faults_break_one_part_and_heal(healthy_lab, name, works):
    healthy_lab.inject(name)
    assert works(healthy_lab)
    assert healthy_lab.heal(name)
    assert healthy_lab.request("/readyz")[0] == 200


def test_every_fault_is_tested(lab):
    others = {"high_usage", "redis_down", "api_down", "database_down", "database_hang", "metrics_missing"}
    assert set(FAULTS) | others == set(lab.faults)


def test_two_faults_at_once_and_both_go(healthy_lab):
    healthy_lab.inject("pool_too_small")
    healthy_lab.inject("redis_down")
    with pytest.raises(LabError, match="while redis_down lasts"):
        healthy_lab.heal("pool_too_small")
    assert set(healthy_lab.heal_all()) == {"pool_too_small", "redis_down"}
    assert healthy_lab.request("/readyz")[0] == 200


def test_up_again_changes_nothing(lab):
    before = pids(lab)
    lab.up()
    assert pids(lab) == before


def test_the_api_answers_150_requests_at_once(healthy_lab):
    with ThreadPoolExecutor(150) as clients:
        answers = list(
            clients.map(lambda _: healthy_lab.request("/orders/slow?seconds=0.05", seconds=20)[0], range(150))
        )
    assert answers == [200] * 150
    api = psutil.Process(pids(healthy_lab)["api"])
    assert api.num_threads() < 60


def test_metrics_have_the_families_the_runbooks_read(lab):
    lab.request("/customers")
    _, text = lab.request("/metrics")
    for family in (
        "app_db_pool_max", "app_db_pool_size", "app_db_pool_in_use", "app_db_pool_idle", "app_db_pool_waiting",
        'app_response_status_total{method="GET",route="/customers",status="200"}',
        'app_request_duration_seconds_bucket{le="0.5",method="GET",route="/customers"}',
        "app_cache_hits_total", "process_resident_memory_bytes",
    ):  # fmt: skip
        assert f"\n{family} " in text


def test_secrets_are_in_private_files_and_in_no_command_line(lab):
    secrets = lab.layout.secrets()
    for name in ("secrets.json", "inventory.json", "lab.json"):
        assert stat.S_IMODE((lab.home / name).stat().st_mode) == 0o600
    seen = "".join(
        " ".join(process.cmdline()) + " ".join(process.environ().values()) for process in processes.of_lab(lab.layout)
    )
    assert not [role for role, secret in secrets.items() if secret in seen]
    with connect(lab.layout, "oncall") as connection:
        row = connection.execute("SELECT rolsuper, rolcreaterole FROM pg_roles WHERE rolname = 'oncall'").fetchone()
    assert row == (False, False)


def test_inventory_speaks_of_this_lab_with_its_thresholds(lab):
    values = yaml.safe_load((REPOSITORY / "inventories/lab/host_vars/lab.yml").read_text())
    assert values["db_pool_idle_in_transaction_seconds"] == db_pool.IDLE_IN_TRANSACTION_SECONDS
    assert values["db_pool_idle_seconds"] == db_pool.IDLE_SECONDS
    assert values["db_pool_long_query_seconds"] == db_pool.LONG_QUERY_SECONDS
    assert values["db_pool_blocked_seconds"] == db_pool.BLOCKED_SECONDS
    expression = "system_endpoints.api ~ ' ' ~ system_database.port ~ ' ' ~ system_services.api.program_config"
    file = lab.home / "supervisor.d" / "api.conf"
    assert f"{lab.url}/metrics {lab.layout.ports['database']} {file}" in inventory_says(lab, expression)


def test_killed_programs_come_back_and_a_killed_lab_is_brought_up_again(healthy_lab):
    lab = healthy_lab
    before = pids(lab)
    killed = ("api", "worker", "redis")
    for name in killed:
        os.kill(before[name], signal.SIGKILL)
    until(lambda: all(pids(lab)[name] not in (None, before[name]) for name in killed))
    lab.up()
    lab.inject("matview_refresh")
    lab.inject("database_hang")
    supervisord = int((lab.home / "supervisord.pid").read_text())
    os.kill(supervisord, signal.SIGKILL)
    with pytest.raises(LabError, match="is not up; run"):
        lab.inject("blocker")
    # Now postmaster.pid names a living process that is none of ours.
    assert processes.of_lab(lab.layout)
    lab.up()
    after = pids(lab)
    assert not set(after.values()) & set(before.values())
    assert lab.status()["faults"] == []
    assert lab.pool()["waiting"] == 0


def test_a_second_lab_lives_beside_it_keeps_its_data_and_changes_a_taken_port(lab, tmp_path):
    before = pids(lab)
    with pytest.raises(LabError, match="is not up"):
        Lab(tmp_path / "other").inject("blocker")
    other = Lab(tmp_path / "other")
    try:
        other.up()
        assert not set(other.layout.ports.values()) & set(lab.layout.ports.values())
        with connect(other.layout, "app") as connection:
            connection.execute("DELETE FROM orders WHERE id = 1")
        first = other.layout.ports
        other.down()
        assert processes.of_lab(other.layout) == []
        with socket.create_server(("127.0.0.1", first["api"])):
            (other.layout.data / "postmaster.pid").write_text(f"{os.getpid()}\n")
            other.up()
            assert other.layout.ports["api"] != first["api"]
            assert other.layout.ports["database"] == first["database"]
        with connect(other.layout, "app") as connection:
            assert connection.execute("SELECT count(*) FROM orders").fetchone() == (5999,)
    finally:
        other.down(purge=True)
    assert not other.home.exists()
    assert not other.layout.outside.exists()
    assert pids(lab) == before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["inject", "nope"], "no fault 'nope'; the known ones are idle_in_transaction, "),
        (["heal", "nope"], "no fault 'nope'; the known ones are "),
        (["heal"], "Name a fault or give --all"),
        (["inject", "blocker"], "is not up; run: python -m lab up"),
        (["env"], "run: python -m lab up"),
        (["up"], "is not empty and no lab"),
    ],
)
def test_errors_are_one_line_and_end_with_1(monkeypatch, tmp_path, capsys, arguments, says):
    (tmp_path / "letter.txt").write_text("mine")
    monkeypatch.setenv("LAB_HOME", str(tmp_path))
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
    assert main(["down", "--purge"]) == 0
    assert (tmp_path / "letter.txt").exists()


def test_healing_what_was_not_injected_does_nothing(lab):
    before = pids(lab)
    assert lab.heal("blocker") is False
    assert pids(lab) == before


def test_commands_print_the_lab_s_state(monkeypatch, lab, capsys):
    monkeypatch.setenv("LAB_HOME", str(lab.home))
    assert main(["status"]) == 0
    assert "database  RUNNING" in capsys.readouterr().out
    assert main(["status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["pool"]["max"] == 25
    assert main(["env"]) == 0
    assert f"export PGPORT={lab.layout.ports['database']}\n" in capsys.readouterr().out
    assert main(["faults"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(lab.faults)
