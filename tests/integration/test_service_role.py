# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role service on a real supervisord, and with commands of a user's own."""

from __future__ import annotations

import json
import socket
import sys
import urllib.request
from pathlib import Path

import pytest

from ansible_collections.oncall.runbooks.tests.support.service_role import play, step
from ansible_collections.oncall.runbooks.tests.support.supervisord import Supervisord
from ansible_collections.oncall.runbooks.tests.support.waiting import until
from lab.ports import free_port

REPOSITORY = Path(__file__).parents[2]

RECORD = """
import json, sys
with open(sys.argv[1], "a") as file:
    file.write(json.dumps(sys.argv[2:]) + "\\n")
"""


@pytest.fixture(scope="module")
def supervisord():
    running = Supervisord()
    try:
        running.wait_for(api="RUNNING", broken="FATAL", ended="EXITED", idle="STOPPED")
        yield running
    finally:
        running.stop()


def answer(supervisord):
    # What runs may not listen yet.
    until(lambda: socket.create_connection(("127.0.0.1", supervisord.port), timeout=5).close() is None)
    with urllib.request.urlopen(supervisord.health_url, timeout=5) as response:
        return response.read().decode()


def pids(supervisord):
    return {f"{info['group']}:{info['name']}": info["pid"] for info in supervisord.rpc("getAllProcessInfo")}


def api(supervisord, **more):
    return supervisord.service(
        health_url=supervisord.health_url, program_config=str(supervisord.program_config), **more
    )


def test_set_environment_restart_stop_and_start(supervisord, tmp_path):
    before = pids(supervisord)
    text = supervisord.program_config.read_text()
    assert answer(supervisord) == "25"
    pool_size = {"service_variable": "PG_POOL_MAX", "service_value": "35"}
    limit = {"service_variable": "DATABASE_URL", "service_url_parameter": "connection_limit", "service_value": "35"}
    # What others have not yet put into effect must stay that way.
    pending = supervisord.config.read_text()
    supervisord.config.write_text(pending.replace("sleep 1000\nprocess_name", "sleep 2000\nprocess_name"))

    found, _output = play(
        tmp_path,
        {"api": api(supervisord), "idle": supervisord.service("idle")},
        [
            step("set_environment", **pool_size),
            step("set_environment", **pool_size),
            step("set_environment", **limit),
            step("restart"),
            step("stop"),
            step("stop"),
            step("start"),
            step("start"),
            step("start", "idle"),
        ],
    )

    assert [outcome["failed"] for outcome in found] == [None] * 9
    assert [outcome["changed"] for outcome in found] == [True, False, True, True, True, False, True, False, True]
    expected = text.replace('PG_POOL_MAX="25"', 'PG_POOL_MAX="35"').replace("limit=5", "limit=35")
    assert supervisord.program_config.read_text() == expected
    assert answer(supervisord) == "35"
    assert (supervisord.state("api"), supervisord.state("idle")) == ("RUNNING", "RUNNING")
    after = pids(supervisord)
    assert after["api:api"] != before["api:api"]
    assert after["several:several_00"] == before["several:several_00"]


def test_one_of_several_is_restarted_and_the_others_go_on(supervisord, tmp_path):
    before = pids(supervisord)
    one = {"service_members": ["several:several_01"]}
    services = {"several": supervisord.service("several:*")}
    found, output = play(tmp_path, services, [step("restart", "several", **one), step("start", "several", **one)])
    # It runs by then, so that there is nothing to start.
    assert found == [{"failed": None, "changed": True}, {"failed": None, "changed": False}], output
    after = pids(supervisord)
    assert after["several:several_00"] == before["several:several_00"]
    assert after["several:several_01"] != before["several:several_01"]


def test_check_mode_changes_nothing(supervisord, tmp_path):
    state = {info["name"]: (info["statename"], info["pid"]) for info in supervisord.rpc("getAllProcessInfo")}
    state.pop("looping")
    text = supervisord.program_config.read_text()
    record = tmp_path / "record"
    hosted = {"manager": "command", "commands": {"restart": ["touch", str(record)]}}

    found, _output = play(
        tmp_path,
        {"api": api(supervisord), "broken": supervisord.service("broken"), "hosted": hosted},
        [
            step("restart"),
            step("stop"),
            step("start", "broken"),
            step("set_environment", service_variable="PG_POOL_MAX", service_value="77"),
            step("restart", "hosted"),
        ],
        "--check",
    )

    assert found == [{"failed": None, "changed": True}] * 5
    after = {info["name"]: (info["statename"], info["pid"]) for info in supervisord.rpc("getAllProcessInfo")}
    after.pop("looping")
    assert after == state
    assert supervisord.program_config.read_text() == text
    assert not record.exists()


def test_a_program_between_two_attempts_is_stopped(supervisord, tmp_path):
    supervisord.wait_for(looping="BACKOFF")
    (found,), _output = play(tmp_path, {"api": supervisord.service("looping")}, [step("stop")])
    assert found == {"failed": None, "changed": True}
    assert supervisord.state("looping") == "STOPPED"


def test_what_cannot_be_done_is_one_line_and_changes_nothing(supervisord, tmp_path):
    none = free_port()
    sick = supervisord.health_url.replace("/health", "/sick")
    services = {
        "api": api(supervisord),
        "sick": {**api(supervisord), "health_url": sick},
        "deaf": {**api(supervisord), "health_url": f"http://127.0.0.1:{none}/"},
        "bare": supervisord.service(),
        "broken": supervisord.service("broken"),
        "typo": supervisord.service("apy"),
        "gone": {**supervisord.service(), "config": str(tmp_path / "none.conf")},
        "odd": {"manager": "systemed"},
    }
    text = supervisord.program_config.read_text()
    variable = {"service_variable": "A", "service_value": "s3cret"}

    found, output = play(
        tmp_path,
        services,
        [
            step("scale", service_replicas=2),
            step("restart", "apy"),
            step("restart", "odd"),
            step("set_environment", "bare", **variable),
            step("set_environment", service_variable="A"),
            step("set_environment", service_variable="A", service_value='"s3cret"'),
            step("restart", "typo"),
            step("stop", "gone"),
            step("restart", "broken"),
            step("restart", "sick", service_wait_seconds=2),
            step("restart", "deaf", service_wait_seconds=2),
        ],
    )

    failed = [outcome["failed"] for outcome in found]
    assert failed[:4] == [
        "service api: the manager supervisor has no scale; it can: restart, set_environment, start, stop",
        "service apy is not in system_services; it has: api, bare, broken, deaf, gone, odd, sick, typo",
        "service odd: unknown manager systemed; known managers: command, compose, docker, supervisor, systemd",
        "service bare: set_environment under the manager supervisor needs system_services.bare.program_config",
    ]
    assert failed[4] == "set_environment of service api needs service_value"
    assert failed[5].startswith(f"cannot set A in {supervisord.program_config}: supervisor has no notation")
    assert failed[6] == "supervisorctl ended with exit code 1: apy: ERROR (no such process)"
    assert failed[7] == (f"cannot read the supervisor configuration {tmp_path}/none.conf: No such file or directory")
    assert failed[8] == "supervisorctl ended with exit code 7: broken: ERROR (spawn error)"
    gave_none = "gave no status from 200 to 299 within 2 s: "
    assert failed[9].startswith(f"service sick runs after restart, but {sick} {gave_none}it answers 503")
    assert failed[10].startswith(f"service deaf runs after restart, but http://127.0.0.1:{none}/ {gave_none}")
    assert all("\n" not in line and len(line) < 400 for line in failed)
    assert "s3cret" not in output.replace(json.dumps(variable), "")
    assert supervisord.program_config.read_text() == text


def test_one_that_ends_again_is_reported_with_its_last_error(supervisord, tmp_path):
    # No startsecs: supervisor reports a success, and the program ends with 7 shortly after.
    (found,), _output = play(
        tmp_path,
        {"ended": supervisord.service("ended", health_url=f"http://127.0.0.1:{free_port()}/")},
        [step("restart", "ended", service_wait_seconds=2)],
    )
    assert found["failed"].startswith("service ended ")
    assert "\n" not in found["failed"]


ONCE = """[program:once]
command={python} -c "import time; time.sleep(2)"
startsecs=0
autorestart=false
autostart=false
"""


def test_what_runs_once_is_waited_for_until_it_has_ended(supervisord, tmp_path):
    (supervisord.program_config.parent / "once.conf").write_text(ONCE.format(python=sys.executable))
    supervisord.rpc("reloadConfig")
    supervisord.rpc("addProcessGroup", "once")
    commands = {"well": ["true"], "badly": ["false"]}
    services = {
        "once": supervisord.service("once"),
        "ended": supervisord.service("ended"),
        "idle": supervisord.service("idle"),
        # Its status command says whether it runs, which it does not when it has ended.
        **{
            name: {"manager": "command", "commands": {"start": argv, "status": ["false"]}}
            for name, argv in commands.items()
        },
    }
    asked = [step("start", name, service_runs_once=True, service_wait_seconds=5) for name in services]
    found, _output = play(tmp_path, services, asked)
    assert [one["failed"] for one in found] == [
        None,
        "service ended has not ended well after start, waited up to 5 s: "
        "exited, exit code 7: "
        "ended with an error of its own",
        "service idle has not ended well after start, waited up to 5 s: running",
        None,
        "false ended with exit code 1 and printed nothing",
    ]
    assert supervisord.state("once") == "EXITED"


def test_commands(tmp_path):
    record = tmp_path / "record"
    script = tmp_path / "platform"
    script.write_text(f"#!{sys.executable}\n{RECORD}")
    script.chmod(0o755)
    run = [str(script), str(record)]
    services = {
        "hosted": {
            "manager": "command",
            "commands": {
                "status": ["true"],
                "restart": [*run, "restart"],
                "stop": [*run, "stop now", "$HOME", ";"],
                "set_environment": [*run, "env", "{name}={value}"],
                "set_memory_limit": [*run, "memory", "{bytes}"],
                "scale": [*run, "scale", "{replicas}"],
            },
        },
        "down": {"manager": "command", "commands": {"status": ["false"], "start": ["true"]}},
        "fails": {
            "manager": "command",
            "commands": {"restart": [sys.executable, "-c", "import sys; sys.exit('one\\ntwo')", "s3cret"]},
        },
        "hangs": {"manager": "command", "timeout_seconds": 1, "commands": {"restart": ["sleep", "100"]}},
        "blind": {"manager": "command", "commands": {"restart": ["true"]}},
    }
    variable = {"service_variable": "A", "service_value": "1 {replicas} $(id) 'x'"}

    found, _output = play(
        tmp_path,
        services,
        [
            step("restart", "hosted"),
            step("stop", "hosted"),
            step("set_environment", "hosted", **variable),
            step("set_environment", "hosted", service_url_parameter="connection_limit", **variable),
            step("set_memory_limit", "hosted", service_memory_limit_bytes=536870912),
            step("scale", "hosted", service_replicas=3),
            step("scale", "hosted"),
            step("start", "hosted"),
            step("start", "down", service_wait_seconds=1),
            step("restart", "fails"),
            step("restart", "hangs"),
            step("restart", "blind"),
        ],
    )

    assert [json.loads(line) for line in record.read_text().splitlines()] == [
        ["restart"],
        ["stop now", "$HOME", ";"],
        ["env", "A=1 {replicas} $(id) 'x'"],
        ["memory", "536870912"],
        ["scale", "3"],
    ]
    assert [outcome["failed"] for outcome in found] == [
        None,
        None,
        None,
        "service hosted: commands.set_environment has no {url_parameter}, so it cannot set only connection_limit "
        "of the URL in A",
        None,
        None,
        "scale of service hosted needs service_replicas",
        "service hosted: start under the manager command needs system_services.hosted.commands.start",
        "service down does not run after start, waited up to 1 s: stopped, exit code 1",
        f"{Path(sys.executable).name} ended with exit code 1: two",
        "sleep was killed: it had not ended within 1 s",
        None,
    ]


def test_defaults_are_those_of_the_specification():
    import yaml

    role = REPOSITORY / "roles" / "service"
    defaults = yaml.safe_load((role / "defaults" / "main.yml").read_text())
    options = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    assert defaults == {name: option["default"] for name, option in options.items() if "default" in option}
