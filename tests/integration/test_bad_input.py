"""What goes wrong around a run: one clear line, no traceback, no secret, nothing changed."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
import time
from typing import Any

import pytest
import yaml
from plays import AS_ELSEWHERE, REPOSITORY, Play, Player
from test_db_pool import state_of

from ansible_collections.oncall.runbooks.tests.support.http_servers import Handler, HttpServer
from lab import Lab

SECRET = "wr0ng-geheim"


def variables(lab: Lab) -> dict[str, Any]:
    return json.loads((lab.home / "inventory.json").read_text())


def database(lab: Lab, **changes: Any) -> dict[str, Any]:
    return {"system_database": {**variables(lab)["system_database"], **changes}}


def one_line_of(play: Play) -> str:
    """The closing line of the only host."""
    (line,) = [line for line in play.output.splitlines() if line.startswith("lab :")]
    return line


def endless(handler: Handler) -> None:
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b"# " + b"x" * 65536 + b"\n")


def answering(body: bytes, status: int = 200) -> Any:
    return lambda handler: handler.give(body, status)


FINE = b"app_db_pool_waiting 0\napp_db_pool_in_use 1\napp_db_pool_max 25\n"
ANSWERS = {
    "404": (answering(b"no", 404), "404"),
    "500": (answering(b"no", 500), "500"),
    "html": (answering(b"<!DOCTYPE html><html><body>sign in</body></html>"), "HTML"),
    "binary": (answering(bytes(range(256)) * 8), "metrics"),
    "empty": (answering(b""), "empty"),
    "endless": (endless, "16"),
    "17 MiB": (answering(b"#" * 17 * 1024 * 1024), "16"),
    "missing family": (answering(FINE.replace(b"waiting", b"waitting")), "app_db_pool_waitting"),
    "NaN": (answering(FINE.replace(b"waiting 0", b"waiting NaN")), "NaN"),
    "hang": (lambda handler: time.sleep(60), "within"),
}


@pytest.fixture
def serve():
    """A function: answer -> URL of a server that gives it."""
    servers = []

    def start(answer: Any) -> str:
        class Asked(Handler):
            def do_GET(self) -> None:
                try:
                    answer(self)
                except OSError:
                    self.close_connection = True

        servers.append(HttpServer(Asked))
        return f"http://{servers[-1].place}/metrics"

    yield start
    for server in servers:
        server.close()


@pytest.mark.parametrize("place", ["host", "controller"])
@pytest.mark.parametrize("name", ANSWERS)
def test_metrics(healthy_lab, player, serve, name, place):
    answer, word = ANSWERS[name]
    url = serve(answer)
    # Only one that never answers is to be given up; the others have the time that a busy machine takes.
    seconds = 2 if name == "hang" else 60
    play = player.play(
        system_endpoints={"api": url},
        db_pool_timeout_seconds=seconds,
        system_observe_from=place,
        ansible_python_interpreter=AS_ELSEWHERE,
        run_until="diagnose",
    )
    assert (play.code, play.outcome) == (2, "unknown"), play.output
    assert word in one_line_of(play)
    assert url in one_line_of(play) or "app_db_pool_waiting" in one_line_of(play)
    assert "Traceback" not in play.output
    # The database was looked at all the same.
    assert "idle_in_transaction" not in play.causes("unknown")


def bad_databases(lab: Lab) -> dict[str, tuple[dict[str, Any], str]]:
    return {
        "refused": (database(lab, port=1), "refused"),
        "wrong password": (database(lab, password=SECRET), "authentication failed"),
        "no such database": (database(lab, name="nope"), "nope"),
        "no such host": (database(lab, host="no-such-host.invalid"), "no-such-host.invalid"),
        "no such container": (database(lab, transport="docker", container="nope"), "nope"),
    }


@pytest.mark.parametrize("name", ["refused", "wrong password", "no such database", "no such host", "no such container"])
def test_database(healthy_lab, player, name):
    changes, word = bad_databases(healthy_lab)[name]
    before = state_of(healthy_lab)
    play = player.play(**changes)
    assert (play.code, play.outcome) == (2, "unknown"), play.output
    assert word in one_line_of(play)
    assert "Traceback" not in play.output
    assert SECRET not in play.output + play.record.read_text() + play.record.with_suffix(".md").read_text()
    assert state_of(healthy_lab) == before


def test_a_database_that_hangs(healthy_lab, player):
    healthy_lab.inject("database_hang")
    play = player.play(db_pool_timeout_seconds=2)
    healthy_lab.heal_all()
    assert (play.code, play.outcome) == (2, "unknown"), play.output
    assert "within 2 s" in one_line_of(play)


@pytest.mark.parametrize("fault", ["redis_down", "metrics_missing", "api_down", "database_down"])
def test_another_fault_is_not_this_runbooks(healthy_lab, player, fault):
    healthy_lab.inject(fault)
    play = player.play()
    healthy_lab.heal_all()
    assert play.outcome == ("healthy" if fault == "redis_down" else "unknown"), play.output
    assert play.run["actions"] == []


BAD_VARIABLES = [
    ({"db_pool_idle_seconds": "ten"}, "db_pool_idle_seconds"),
    ({"db_pool_idle_seconds": None}, "db_pool_idle_seconds is null"),
    ({"db_pool_timeout_seconds": -1}, "db_pool_timeout_seconds is -1"),
    ({"run_max_risk": "huge"}, "low, medium, high"),
    ({"run_until": "tomorrow"}, "diagnose, plan, verify"),
    ({"run_fail_on": ["broken"]}, "run_fail_on"),
    ({"run_confirm_seconds": None}, "run_confirm_seconds is null"),
    ({"run_verify_seconds": -1}, "run_verify_seconds is -1"),
    ({"run_plan": None}, "run_plan is null"),
    ({"system_observe_from": "moon"}, "host, controller"),
    ({"system_database": {"user": "x"}}, "name"),
    ({"system_database": {"name": "x", "hots": "y"}}, "hots"),
    ({"system_metrics": {}}, "set system_metrics.db_pool_waiting"),
    ({"system_endpoints": {}}, "api"),
    ({"db_pool_metrics": {"waiting": {"family": "a b"}}}, "waiting"),
    ({"db_pool_extra_causes": {"mine": {"when": "true"}}}, "mine"),
    ({"db_pool_extra_causes": {"mine": {"when": "true", "summary": "x", "remedy": "nope"}}}, "end_blocker"),
]


@pytest.mark.parametrize(("changes", "word"), BAD_VARIABLES)
def test_variables(healthy_lab, player, changes, word):
    before = state_of(healthy_lab)
    play = player.play(**changes)
    assert (play.code, play.outcome) == (2, "unknown"), play.output
    assert word in one_line_of(play)
    assert "Traceback" not in play.output
    assert state_of(healthy_lab) == before


def test_a_ledger_that_cannot_be_used_refuses(healthy_lab, player, old_transaction, tmp_path):
    corrupt = tmp_path / "corrupt.sqlite3"
    corrupt.write_bytes(b"no database at all, but long enough to be one" * 100)
    corrupt.chmod(0o600)
    locked = tmp_path / "locked.sqlite3"
    connection = sqlite3.connect(locked, isolation_level=None)
    connection.execute("CREATE TABLE other (x)")
    connection.execute("BEGIN EXCLUSIVE")
    locked.chmod(0o600)
    before = corrupt.read_bytes()
    try:
        for path in (corrupt, locked, tmp_path, "/proc/oncall/ledger.sqlite3"):
            play = player.play(run_ledger_path=str(path), run_override="not even then", run_confirm_seconds=0)
            assert (play.code, play.outcome, play.run["guard"]["name"]) == (2, "blocked", "ledger"), play.output
            assert str(path) in one_line_of(play)
            assert play.run["actions"] == []
    finally:
        connection.close()
    assert corrupt.read_bytes() == before


def test_a_service_that_the_manager_does_not_know(healthy_lab, player):
    healthy_lab.inject("pool_leak")
    services = variables(healthy_lab)["system_services"]
    services["api"]["name"] = "nope"
    before = state_of(healthy_lab)
    play = player.play(system_services=services, run_verify_timeout_seconds=5)
    assert (play.code, play.outcome) == (2, "unresolved"), play.output
    assert "nope" in one_line_of(play)
    assert state_of(healthy_lab)["pids"] == before["pids"]


def test_a_verb_that_the_manager_cannot_do_is_advice(healthy_lab, player):
    healthy_lab.inject("pool_too_small")
    before = state_of(healthy_lab)
    services = {"api": {"manager": "command", "commands": {"restart": [sys.executable, "-c", "pass"]}}}
    # Whose variables nobody can see: one that is only assumed would not even be in the plan.
    play = player.play(system_services=services, db_pool_size_variable="PG_POOL_MAX")
    assert (play.code, play.outcome) == (0, "advised"), play.output
    assert "set_environment" in play.run["plan"]["steps"][0]["why_not"]
    assert state_of(healthy_lab) == before


def test_a_host_that_cannot_be_reached(player, tmp_path, lab):
    inventory = tmp_path / "hosts.yml"
    host = {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_connection": "ssh"}
    inventory.write_text(json.dumps({"all": {"hosts": {"far": host}}}))
    settings = {**variables(lab), "system_metrics": {f"db_pool_{name}": name for name in ("waiting", "in_use", "max")}}
    play = player.play("-i", str(inventory), "--limit", "far", **settings)
    assert play.code == 4, play.output
    assert play.outcome == "unknown"
    assert "unreachable" in play.run["summary"]


def without_time(value: Any) -> Any:
    """What does not change while time goes by between two looks."""
    if isinstance(value, dict):
        passing = ("query_start", "unused", "unused_in_transaction", "idle_long")
        return {k: without_time(v) for k, v in value.items() if not k.endswith("_seconds") and k not in passing}
    return [without_time(item) for item in value] if isinstance(value, list) else value


def test_the_same_answer_from_host_and_controller(healthy_lab, player, old_transaction):
    elsewhere = {"ansible_python_interpreter": AS_ELSEWHERE, "run_until": "diagnose"}
    plays = [player.play(**elsewhere, system_observe_from=place) for place in ("host", "controller")]
    plays.append(player.play(run_until="diagnose"))
    assert {play.outcome for play in plays} == {"planned"}, [play.output for play in plays]
    for part in ("findings", "evidence", "plan"):
        seen = [without_time(play.run[part]) for play in plays]
        assert seen[0] == seen[1] == seen[2] and seen[0]


@pytest.mark.parametrize("file", ["ONCALL_UNTOUCHED_FILE", "ONCALL_NOT_BEGUN_FILE"])
def test_what_cannot_be_noted_on_the_controller_is_not_begun(
    healthy_lab, player, old_transaction, monkeypatch, tmp_path, file
):
    """`oncall` tells by files whether a run may have acted: the actions ledger and begin_remedy remove them."""
    monkeypatch.setenv(file, str(tmp_path / "nowhere" / "file"))
    play = player.play(run_confirm_seconds=0)
    assert (play.code, play.outcome, play.run["actions"]) == (2, "unknown", []), play.output
    assert "cannot note that remedies may begin" in play.output


def test_the_secret_is_nowhere(healthy_lab, player, old_transaction):
    secret = healthy_lab.layout.secrets()["oncall"]
    seen: list[str] = []
    started = player.start("-vvv", "--diff", as_program=True)
    while started.process.poll() is None:
        seen.append(subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout)
        time.sleep(0.2)
    play = started.wait()
    assert play.outcome == "resolved", play.output[-2000:]
    assert secret not in play.output
    assert secret not in play.record.read_text()
    assert not any(secret in line for line in "\n".join(seen).splitlines())
    assert REPOSITORY.is_dir()


REQUIRES = {
    path.parts[-3]: meta["requires"]
    for path in sorted(REPOSITORY.glob("roles/*/meta/runbook.yml"))
    if (meta := yaml.safe_load(path.read_text())).get("requires")
}


# error_rate requires a metric, which is no variable of its own.
@pytest.mark.parametrize("runbook", [*REQUIRES, "error_rate"])
def test_no_runbook_is_healthy_without_what_it_requires(tmp_path, runbook):
    # What nobody named cannot be well.
    host = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    host["system_state_directory"] = str(tmp_path)
    inventory = tmp_path / "inventory.json"
    inventory.write_text(json.dumps({"all": {"hosts": {"stack": host}}}))
    play = Player(tmp_path, tmp_path).play("-i", str(inventory), playbook=f"playbooks/{runbook}.yml", run_hosts="stack")
    assert (play.code, play.outcome) == (2, "unknown"), play.output
    assert re.search(
        r"(^|: )((set|give) system_\w+|'system_\w+' is undefined|system_endpoints has no api: )", play.run["summary"]
    ), play.run["summary"]
