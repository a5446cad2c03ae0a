# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What services do, seen through a real supervisord and through commands; and what cannot be asked."""

from __future__ import annotations

import importlib
import os
import signal
import socket
import sys
import time
from pathlib import Path

import pytest
import yaml

from ansible_collections.oncall.runbooks.plugins.module_utils.host.process_usage import parse_stat, tree_usage
from ansible_collections.oncall.runbooks.plugins.module_utils.run_command import OUTPUT_LIMIT_BYTES, last_line, run
from ansible_collections.oncall.runbooks.plugins.module_utils.services.command import with_placeholders
from ansible_collections.oncall.runbooks.plugins.module_utils.services.states import MANAGERS, observe
from ansible_collections.oncall.runbooks.plugins.modules import service_command as command_module
from ansible_collections.oncall.runbooks.plugins.plugin_utils.verbs import SERVICE, missing_for
from ansible_collections.oncall.runbooks.tests.support.modules import COLLECTIONS, run_module
from ansible_collections.oncall.runbooks.tests.support.supervisord import Supervisord
from ansible_collections.oncall.runbooks.tests.support.waiting import until

MANAGERS_DIRECTORY = COLLECTIONS / "ansible_collections" / "oncall" / "runbooks" / "roles" / "service" / "managers"
PASSWORD = "s3cret%%word"  # as it stands in the configuration


@pytest.fixture(scope="module")
def supervisord():
    running = Supervisord(username="oncall", password=PASSWORD)
    running.password = PASSWORD.replace("%%", "%")
    try:
        running.wait_for(api="RUNNING", broken="FATAL", ended="EXITED", killed="RUNNING", idle="STOPPED")
        os.kill(running.rpc("getProcessInfo", "killed")["pid"], signal.SIGKILL)
        running.wait_for(killed="EXITED")
        log = Path(running.rpc("getProcessInfo", "api")["stdout_logfile"])
        until(lambda: b"\xff" in log.read_bytes())
        yield running
    finally:
        running.stop()


def look(services, **params):
    return observe(
        {
            "services": services,
            "log_lines": 200,
            "timeout_seconds": 5,
            "log_tail_lines": 0,
            "window_seconds": 0,
            "samples": 5,
            "top_processes": 0,
            "variables": [],
            "numbers": [],
            "compared": {},
            **params,
        }
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("api", {"state": "running", "exit_code": None, "signal": None}),
        ("broken", {"state": "fatal", "exit_code": 3, "signal": None, "pid": None, "uptime_seconds": None}),
        ("looping", {"exit_code": 4, "signal": None, "log_tail_errors": None}),
        ("ended", {"state": "exited", "exit_code": 7, "signal": None, "log_tail_errors": []}),
        ("killed", {"state": "exited", "exit_code": None, "signal": "SIGKILL", "rss_bytes": None}),
        ("idle", {"state": "stopped", "exit_code": None, "started_at_seconds": None, "cpu_seconds": None}),
        ("several:several_00", {"state": "running"}),
    ],
)
def test_supervisor(supervisord, name, expected):
    if name == "looping":  # between two attempts, not just starting one
        supervisord.wait_for(looping="BACKOFF")
    found = look({"it": supervisord.service(name)})
    assert found["available"] is True
    service = found["services"]["it"]
    assert {key: service[key] for key in expected} == expected
    assert (service["available"], service["manager"], service["members"]) == (True, "supervisor", None)
    # One that was never started is not in its log. How often the other was tried by now is its own matter.
    if name != "looping":
        assert service["restarts"] == (None if name == "idle" else 0)


def test_a_group_of_supervisor_is_one_service(supervisord):
    service = look({"it": supervisord.service("several:*")})["services"]["it"]
    assert (service["state"], service["replicas"], service["replicas_running"]) == ("running", 2, 2)
    assert [one["name"] for one in service["members"]] == ["several:several_00", "several:several_01"]
    assert len({one["pid"] for one in service["members"]}) == 2
    assert service["weakest"]
    supervisord.rpc("stopProcess", "several:several_01")
    service = look({"it": supervisord.service("several:*")})["services"]["it"]
    supervisord.rpc("startProcess", "several:several_01")
    assert (service["state"], service["weakest"], service["replicas_running"]) == ("stopped", "several:several_01", 1)
    reason = look({"it": supervisord.service("several")})["services"]["it"]["reason"]
    assert "has no program several; it has: several:*" in reason


def test_what_a_running_program_uses_and_logs(supervisord):
    api = look({"api": supervisord.service()})["services"]["api"]
    info = supervisord.rpc("getProcessInfo", "api")
    assert api["pid"] == info["pid"]
    assert api["started_at_seconds"] == info["start"]
    assert abs(api["uptime_seconds"] - (time.time() - info["start"])) < 30
    assert 1024 * 1024 < api["rss_bytes"] < 1024**3
    assert 0 < api["cpu_seconds"] < 60
    assert api["memory_limit_bytes"] is None
    assert api["log_tail_errors"] == [
        {
            "count": 2,
            "line": "<time> ERROR pool exhausted after # ms",
            "last": "2026-01-01 00:00:09 ERROR pool exhausted after 44 ms",
        }
    ]


def test_all_programs_of_one_supervisord_at_once(supervisord):
    names = ["api", "broken", "ended", "killed", "idle"]
    found = look({name: supervisord.service(name) for name in names})
    assert [service["available"] for service in found["services"].values()] == [True] * 5


@pytest.mark.parametrize(
    ("name", "asked", "seen"),
    [
        ("api", ["PG_POOL_MAX", "PG_POOL_MIN", "DATABASE_URL"], ["DATABASE_URL", "PG_POOL_MAX"]),
        ("api", ["PG_POOL"], []),
        ("api", [], None),
        ("several:*", ["SUPERVISOR_PROCESS_NAME", "PG_POOL_MAX"], ["SUPERVISOR_PROCESS_NAME"]),
        # What does not run has no environment.
        ("ended", ["PG_POOL_MAX"], None),
    ],
)
def test_names_of_its_variables_are_seen_and_no_values(supervisord, name, asked, seen):
    found = look({"it": supervisord.service(name)}, variables=asked)["services"]["it"]
    assert found["variables"] == seen
    assert "cret@db" not in str(found)


def test_only_what_is_a_number_is_seen_of_a_value(supervisord):
    found = look({"it": supervisord.service("api")}, numbers=["PG_POOL_MAX", "PG_POOL_MIN", "DATABASE_URL"])
    assert found["services"]["it"]["numbers"] == {"PG_POOL_MAX": 25.0}
    assert "cret@db" not in str(found)
    assert look({"it": supervisord.service("ended")}, numbers=["PG_POOL_MAX"])["services"]["it"]["numbers"] is None


@pytest.mark.parametrize(
    ("name", "wanted", "seen"),
    [
        ("api", {"PG_POOL_MAX": {"few": 5, "many": "25"}, "OTHER": {"one": "1"}}, {"PG_POOL_MAX": "many"}),
        ("api", {"PG_POOL_MAX": {"few": "5"}}, {"PG_POOL_MAX": ""}),
        ("api", {"DATABASE_URL": {"ours": "postgres://app:another@db/app"}}, {"DATABASE_URL": ""}),
        ("api", {}, None),
        # Each of the two has a name of its own.
        ("several:*", {"SUPERVISOR_PROCESS_NAME": {"first": "several_00"}, "SUPERVISOR_GROUP_NAME": {"it": "several"}},
         {"SUPERVISOR_GROUP_NAME": "it"}),
        ("ended", {"PG_POOL_MAX": {"many": "25"}}, None),
    ],
)  # fmt: skip
def test_values_of_its_variables_are_told_by_names_alone(supervisord, name, wanted, seen):
    found = look({"it": supervisord.service(name)}, compared=wanted)["services"]["it"]
    assert found["compared"] == seen
    assert "cret@db" not in str(found)


def test_a_log_can_be_left_alone(supervisord):
    api = look({"api": supervisord.service()}, log_lines=0)["services"]["api"]
    assert (api["log_tail_errors"], api["log_reason"]) == (None, "log_lines is 0")


def test_an_unknown_name_lists_the_near_ones_first(supervisord):
    found = look({"web": supervisord.service("brokn"), "api": supervisord.service()})
    assert found["available"] is True
    web = found["services"]["web"]
    assert web["available"] is False
    assert web["reason"].startswith(
        f"service web: the supervisord of {supervisord.config} has no program brokn; it has: broken, "
    )
    assert found["services"]["api"]["available"] is True


@pytest.mark.parametrize(
    ("replace", "by", "reason"),
    [
        (
            f"password={PASSWORD}",
            "password=wrong0ne",
            "refused the user name and password of [unix_http_server] (HTTP 401)",
        ),
        (f"username=oncall\npassword={PASSWORD}", "", "refused no password given: those of [unix_http_server]"),
        ("file=%(here)s/s.sock", "file=%(here)s/none.sock", "cannot be reached (No such file or directory)"),
        ("file=%(here)s/s.sock", "file=%(here)s/hangs.sock", "gave no complete answer within 1 s"),
        ("file=%(here)s/s.sock", "file=%(here)s/" + "x" * 120, "cannot be reached (AF_UNIX path too long)"),
    ],
)
def test_supervisord_cannot_be_asked(supervisord, replace, by, reason):
    text = supervisord.config.read_text()
    assert replace in text
    other = supervisord.home / "other.conf"
    other.write_text(text.replace(replace, by))
    with socket.socket(socket.AF_UNIX) as hanging:
        hanging.bind(str(supervisord.home / "hangs.sock"))
        hanging.listen(1)
        began = time.monotonic()
        found = look(
            {"api": dict(supervisord.service(), config=str(other))}, timeout_seconds=1 if "within 1 s" in reason else 30
        )
    (supervisord.home / "hangs.sock").unlink()
    assert time.monotonic() - began < 30
    assert found["available"] is False
    assert found["reason"] == found["services"]["api"]["reason"]
    assert reason in found["reason"]
    assert "\n" not in found["reason"]
    assert PASSWORD not in found["reason"]
    assert "wrong0ne" not in found["reason"]


def test_no_configuration_is_no_traceback(tmp_path):
    service = {"manager": "supervisor", "name": "api", "config": str(tmp_path / "none.conf")}
    assert look({"api": service})["reason"] == (
        f"cannot read the supervisor configuration {tmp_path}/none.conf: No such file or directory"
    )


def python(code):
    return [sys.executable, "-c", code]


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (python("pass"), {"available": True, "state": "running", "exit_code": 0}),
        (python("raise SystemExit(3)"), {"available": True, "state": "stopped", "exit_code": 3}),
        (python("print('x' * 10_000_000)"), {"available": True, "state": "running", "exit_code": 0}),
        (["echo", "$(exit 1)"], {"available": True, "state": "running", "exit_code": 0}),
        (
            ["/none/platform", "s3cret"],
            {
                "available": False,
                "reason": "service it: its status command failed: platform cannot be run: No such file or directory",
            },
        ),
        (
            python("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"),
            {"available": False},
        ),
    ],
)
def test_command(argv, expected):
    service = look({"it": {"manager": "command", "commands": {"status": argv}}})["services"]["it"]
    assert {key: service[key] for key in expected} == expected
    assert "s3cret" not in str(service)


def test_no_status_command_says_what_to_add():
    found = look({"it": {"manager": "command", "commands": {"restart": ["true"]}}})
    assert found["reason"] == "service it has no status command: add system_services.it.commands.status"


def test_a_command_that_hangs_is_killed_with_what_it_started(tmp_path):
    pid_file = tmp_path / "pid"
    code = f"""
import subprocess, time
child = subprocess.Popen(["sleep", "100"])
open({str(pid_file)!r}, "w").write(str(child.pid))
time.sleep(100)
"""
    began = time.monotonic()
    found = look({"it": {"manager": "command", "commands": {"status": python(code)}}}, timeout_seconds=1.5)
    assert time.monotonic() - began < 30
    assert found["reason"].endswith("was killed: it had not ended within 1.5 s")

    def is_gone():
        try:
            with open(f"/proc/{pid_file.read_text()}/stat") as file:
                return file.read().rpartition(")")[2].split()[0] == "Z"
        except FileNotFoundError:
            return True

    until(is_gone)


def test_a_command_is_over_when_it_ends_whatever_holds_its_output_open(tmp_path):
    code = "import subprocess; print(subprocess.Popen(['sleep', '100']).pid)"
    began = time.monotonic()
    ended = run(python(code), 60)
    assert time.monotonic() - began < 30
    assert ended["exit_code"] == 0
    os.kill(int(ended["stdout"]), signal.SIGKILL)  # it was left running, on purpose


def test_the_end_of_the_output_is_kept():
    ended = run(python("print('x' * 200_000); print('last')"), 10)
    assert len(ended["stdout"]) == OUTPUT_LIMIT_BYTES
    assert last_line(ended["stdout"]) == "last"
    assert last_line("a\nlogin to https://me:s3cret@db failed\n") == "login to https://********@db failed"


def test_a_slow_one_does_not_stop_the_others(supervisord):
    services = {
        "slow": {"manager": "command", "commands": {"status": ["sleep", "100"]}},
        "fast": {"manager": "command", "commands": {"status": ["true"]}},
        "api": supervisord.service(),
    }
    found = look(services, timeout_seconds=1.5)["services"]
    assert {key: service["available"] for key, service in found.items()} == {
        "slow": False,
        "fast": True,
        "api": True,
    }


@pytest.mark.parametrize(
    ("services", "message"),
    [
        ({"it": None}, "service it must be a dict with at least the key manager"),
        ({"it": {}}, "service it: unknown manager None; known managers: command, compose, docker, supervisor, systemd"),
        (
            {"it": {"manager": "systemed"}},
            "unknown manager systemed; known managers: command, compose, docker, supervisor, systemd",
        ),
        ({"it": {"manager": "supervisor"}}, "service it: the manager supervisor also needs name, config"),
        ({"it": {"manager": "supervisor", "name": "a", "config": ""}}, "also needs config"),
        ({"it": {"manager": "command"}}, "service it: the manager command also needs commands"),
        ({"it": {"manager": "command", "commands": ["a"]}}, "commands must be a dict"),
        ({"it": {"manager": "command", "commands": {"status": "a b"}}}, "commands.status must be a list"),
        ({"it": {"manager": "command", "commands": {"status": []}}}, "commands.status must be a list"),
        ({"it": {"manager": "command", "commands": {"status": [["a"]]}}}, "commands.status must be a list"),
    ],
)
def test_bad_services(services, message, tmp_path):
    with pytest.raises(ValueError, match="service it") as caught:
        look(services)
    assert message in str(caught.value)


def test_no_services():
    assert look({}) == {
        "available": False,
        "reason": "no service to observe: add one to system_services, or name one that is there",
        "services": {},
    }


def test_the_module_is_the_function(supervisord, tmp_path):
    services = {"api": supervisord.service(), "killed": supervisord.service("killed")}
    code, result = run_module("service_info", tmp_path, check=True, services=services)
    assert (code, result["changed"]) == (0, False)
    observed = look(services)
    for name in ("state", "pid", "signal", "log_tail_errors", "started_at_seconds"):
        assert result["services"]["api"][name] == observed["services"]["api"][name]
    assert result["services"]["killed"] == observed["services"]["killed"]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"services": {"it": {"manager": "x"}}}, "service it: unknown manager x"),
        ({"services": {}, "timeout_seconds": 0}, "timeout_seconds must be above 0"),
        ({}, "missing required arguments: services"),
    ],
)
def test_the_module_fails_on_bad_parameters(tmp_path, params, message):
    code, result = run_module("service_info", tmp_path, **params)
    assert (code, result["failed"]) == (1, True)
    assert message in result["msg"]


def test_service_log_saves_what_a_program_wrote(supervisord, tmp_path):
    folder = tmp_path / "evidence"
    params = {"name": "api", "directory": str(folder)}
    code, result = run_module("service_log", tmp_path, service=supervisord.service(), **params)
    assert (code, result["saved"], result["lines"]) == (0, True, 4)
    lines = Path(result["path"]).read_text().splitlines()
    assert lines[:2] == ["==> api <==", "2026-01-01 00:00:01 ERROR pool exhausted after 31 ms"]
    assert Path(result["path"]).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("service", "reason"),
    [
        ({"manager": "command", "commands": {"status": ["true"]}}, "service api: a status command shows no log"),
        ({"manager": "supervisor", "name": "api", "config": "/none"}, "cannot read the supervisor configuration /none"),
    ],
)
def test_service_log_without_a_log_is_no_failure(tmp_path, service, reason):
    code, result = run_module("service_log", tmp_path, name="api", directory=str(tmp_path / "e"), service=service)
    assert (code, result["saved"], result["changed"]) == (0, False, False)
    assert result["reason"].startswith(reason)
    assert not (tmp_path / "e").exists()


@pytest.mark.parametrize("option", ["lines", "max_bytes", "keep_files", "timeout_seconds"])
def test_service_log_fails_on_bad_parameters(tmp_path, option):
    params = {"name": "api", "directory": "/none", "service": {"manager": "x"}}
    code, result = run_module("service_log", tmp_path, **params, **{option: 0})
    assert (code, result["msg"]) == (1, f"{option} must be above 0")


@pytest.mark.parametrize("name", ["service_log", "service_environment"])
def test_documented_options_of_the_other_modules(name):
    module = importlib.import_module(f"ansible_collections.oncall.runbooks.plugins.modules.{name}")
    assert yaml.safe_load(module.DOCUMENTATION)["options"].keys() == module.ARGUMENT_SPEC.keys()


def test_documented_options_are_the_options():
    assert yaml.safe_load(command_module.DOCUMENTATION)["options"].keys() == command_module.ARGUMENT_SPEC.keys()


def test_a_program_may_be_called_anything():
    line = "17 (a) S 1 (b) S 4 17 17 0 -1 4194304 1 2 3 4 10 20 30 40 20 0 1 0 5 1000 77 18446744073709551615"
    assert parse_stat(line) == {"parent": 4, "ticks": 100, "rss_pages": 77}


def test_a_tree_is_summed_and_a_stranger_with_the_same_number_is_not():
    processes = {
        1: {"parent": 0, "rss_pages": 1000, "ticks": 1000},
        2: {"parent": 1, "rss_pages": 1, "ticks": 10},
        3: {"parent": 2, "rss_pages": 2, "ticks": 20},
        4: {"parent": 3, "rss_pages": 4, "ticks": 40},
    }
    page, tick = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_CLK_TCK")
    assert tree_usage(processes, 2, 1) == {"rss_bytes": 7 * page, "cpu_seconds": 70 / tick}
    nothing = {"rss_bytes": None, "cpu_seconds": None}
    assert tree_usage(processes, 2, 9) == nothing
    assert tree_usage(processes, 5, 1) == nothing


# The command of a verb


@pytest.mark.parametrize(
    ("argv", "values", "expected"),
    [
        (["env", "{name}={value}"], {"name": "A", "value": "1 2"}, ["env", "A=1 2"]),
        (["env", "{name}={value}"], {"name": "A", "value": "{name}"}, ["env", "A={name}"]),
        (["scale", "{replicas}", "{other}"], {"replicas": 3}, ["scale", "3", "{other}"]),
        (["x", '{"a": 1}'], {}, ["x", '{"a": 1}']),
        (["x", 5], {"value": "y"}, ["x", "5"]),
    ],
)
def test_placeholders(argv, values, expected):
    assert with_placeholders(argv, values) == expected


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import sys; print('one\\ntwo', file=sys.stderr); sys.exit(4)", "ended with exit code 4: two"),
        ("print('only here'); raise SystemExit(5)", "ended with exit code 5: only here"),
        ("raise SystemExit(6)", "ended with exit code 6 and printed nothing"),
        ("import time; time.sleep(100)", "was killed: it had not ended within 0.5 s"),
        ("import os; os.kill(os.getpid(), 9)", "was ended by SIGKILL and printed nothing"),
    ],
)
def test_the_command_module_fails_with_one_line(tmp_path, code, message):
    seconds = 0.5 if "sleep" in code else 20
    rc, result = run_module("service_command", tmp_path, argv=[*python(code), "s3cret"], timeout_seconds=seconds)
    assert (rc, result["failed"]) == (1, True)
    assert result["msg"].endswith(message)
    assert "s3cret" not in result["msg"]


def test_the_command_module_runs_or_does_not_in_check_mode(tmp_path):
    touched = tmp_path / "touched by"
    params = {"argv": ["touch", "{value}"], "placeholders": {"value": str(touched)}}
    code, result = run_module("service_command", tmp_path, check=True, **params)
    assert (code, result["changed"], touched.exists()) == (0, True, False)
    code, result = run_module("service_command", tmp_path, **params)
    assert (code, result["changed"], touched.exists()) == (0, True, True)


def test_the_command_module_finds_what_is_beside_python(tmp_path):
    code, result = run_module("service_command", tmp_path, argv=["supervisord", "--version"], beside_python=True)
    assert (code, result["last_line"]) == (0, "4.3.0")


# What a manager can do, known without trying

SERVICES = {
    "api": {"manager": "supervisor", "name": "api", "config": "/c", "program_config": "/p"},
    "worker": {"manager": "supervisor", "name": "worker", "config": "/c"},
    "hosted": {"manager": "command", "commands": {"restart": ["true"]}},
    "odd": {"manager": "../../secrets"},
    "none": "text",
}


@pytest.mark.parametrize(
    ("service", "verb", "missing"),
    [
        ("api", "restart", ""),
        ("api", "set_environment", ""),
        ("api", "status", ""),
        ("hosted", "restart", ""),
        (
            "worker",
            "set_environment",
            "service worker: set_environment under the manager supervisor needs system_services.worker.program_config",
        ),
        (
            "api",
            "scale",
            "service api: the manager supervisor has no scale; it can: restart, set_environment, start, stop",
        ),
        (
            "hosted",
            "scale",
            "service hosted: scale under the manager command needs system_services.hosted.commands.scale",
        ),
        ("apy", "restart", "service apy is not in system_services; it has: api, hosted, none, odd, worker"),
        (
            "odd",
            "restart",
            "service odd: unknown manager ../../secrets; known managers: command, compose, docker, supervisor, systemd",
        ),
        ("none", "restart", "system_services.none must be a dict with at least the key manager"),
    ],
)
def test_missing_for(service, verb, missing):
    assert missing_for(SERVICE, str(MANAGERS_DIRECTORY), SERVICES, service, verb) == missing


def test_every_manager_that_operates_also_observes_and_every_verb_has_its_file():
    folders = {folder.name: folder for folder in MANAGERS_DIRECTORY.iterdir()}
    assert set(folders) == set(MANAGERS)
    for folder in folders.values():
        verbs = yaml.safe_load((folder / "verbs.yml").read_text())
        files = {path.stem for path in folder.glob("*.yml")} - {"verbs"}
        assert files == set(verbs) - {"status"}


@pytest.mark.parametrize("text", ["[", "- restart\n", "restart: all\n"])
def test_unreadable_verbs_are_one_line(tmp_path, text):
    folder = tmp_path / "supervisor"
    folder.mkdir()
    (folder / "verbs.yml").write_text(text)
    missing = missing_for(SERVICE, str(tmp_path), SERVICES, "api", "restart")
    assert str(folder / "verbs.yml") in missing
    assert "\n" not in missing
