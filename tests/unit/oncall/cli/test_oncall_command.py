# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command as far as it needs no play: what it lists, what it refuses, and in which words."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner

from ansible_collections.oncall.runbooks.tests.support.killed_runs import goes_on_alone
from ansible_collections.oncall.runbooks.tests.support.schemas import as_documented
from oncall import catalog, environment, folders, records
from oncall.cli import display, main

ROOT = Path(__file__).resolve().parents[4]

RUNBOOKS = sorted(path.parents[1].name for path in (ROOT / "roles").glob("*/meta/runbook.yml"))


def command(*arguments):
    done = CliRunner().invoke(main, [*arguments], prog_name="oncall")
    return done.exit_code, done.stdout, done.stderr


def test_list_names_every_runbook_one_a_line_in_a_pipe():
    code, out, _ = command("list")
    assert code == 0
    assert [line.split("\t")[0] for line in out.splitlines()] == RUNBOOKS
    assert [one["name"] for one in as_documented("list", command("list", "--json")[1])] == RUNBOOKS


def test_a_terminal_gets_a_table():
    ours, theirs = os.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen([sys.executable, "-m", "oncall", "list"], stdout=theirs, env=environment) as process:
        os.close(theirs)
        said = b""
        # What a terminal says when nobody holds its other end any more.
        with contextlib.suppress(OSError):
            while some := os.read(ours, 65536):
                said += some
    os.close(ours)
    head, *lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in said.decode().splitlines()]
    assert (process.returncode, head.split()) == (0, ["RUNBOOK", "SEVERITY", "FOR", "ALERTS"])
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == RUNBOOKS
    assert max(map(len, [head, *lines])) <= 100 and "\t" not in said.decode()


def test_describe_tells_what_a_runbook_may_do():
    code, out, _ = command("describe", "db_pool")
    assert code == 0
    assert "remedy     raise_pool_size: " in out and " Undone: " in out
    assert "variable   db_pool_idle_seconds (float, 600): " in out
    assert as_documented("describe", command("describe", "db_pool", "--json")[1])["causes"][0] == "idle_in_transaction"


def test_the_causes_of_a_section_are_causes_and_the_section_is_none():
    table = {"first": {"when": True}, "section": {"when": True, "causes": {"second": {}, "third": {}}}, "last": {}}
    assert [*catalog._causes(table)] == ["first", "second", "third", "last"]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("oncall epis", ["plain,episode", "plain,episodes"]),
        ("oncall run db", ["plain,db_down", "plain,db_pool"]),
        ("oncall describe latency", ["plain,latency"]),
        ("oncall describe db_pol", []),
        ("oncall run cache --app", ["plain,--approve"]),
    ],
)
def test_the_shell_completes_commands_runbooks_and_options(words, offered):
    asked = {"_ONCALL_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    done = CliRunner().invoke(main, [], prog_name="oncall", env=asked)
    assert (done.exit_code, done.stdout.split()) == (0, offered)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["describe", "db_pol"], "no runbook 'db_pol'; did you mean db_pool"),
        (["describe", "DB-Pool"], "did you mean db_pool"),
        (["describe", "../etc"], "there are api_down, auth_failures, backup,"),
        (["run", "db_pool"], "Missing option '-i'"),
        (["run", "db_pol", "-i", "h,"], "no runbook 'db_pol'"),
        (["run", "db_pool", "-i", "nope"], "there is no inventory nope;"),
        (["run", "db_pool", "-i", "h,", "--check", "--diagnose"], "exclude each other"),
        (["run", "db_pool", "-i", "h,", "--check", "--approve", "p0123456789abcde"], "exclude each other"),
        (["run", "db_pool", "-i", "h,", "--approve", "{{ 7 }}"], "is no hash of a plan"),
        (["run", "db_pool", "-i", "h,", "-e", "no"], "neither name=value nor a JSON object"),
        (["run", "db_pool", "-i", "h,", "-e", "{"], "is no JSON object"),
        (["run", "db_pool", "-i", "h,", "-e", "@/nowhere.yml"], "-e @/nowhere.yml: [Errno 2] No such file"),
        (["run", "db_pool", "-i", "h,", "-e", "@/etc/hostname"], "-e @/etc/hostname: no mapping of names to values"),
        (["run", "db_pool", "-i", "h,", "--timeout", "0"], "0"),
        (["run", "db_pool", "-i", "h,", "-e", "run_untill=diagnose"], "no variable run_untill; did you mean run_until"),
        (["run", "db_pool", "-i", "h,", "-e", "run_maxrisk=low"], "no variable run_maxrisk; did you mean run_max_risk"),
        (["run", "db_pool", "-i", "h,", "-e", "run_quietly=1"], "no variable run_quietly; roles/run/README.md"),
        (["run", "db_pool", "-i", "h,", "-e", "db_pool_idle_second=1"], "did you mean db_pool_idle_seconds"),
        (["run", "db_pool", "-i", "h,", "--plan-file", "nope.json"], "nope.json"),
        (["show", ""], "no run ''"),
        (["show", "*"], "no run '*'"),
        (["nonsense"], "No such command 'nonsense'"),
    ],
)
def test_what_is_refused(arguments, says, tmp_path, monkeypatch):
    monkeypatch.setenv("ONCALL_RECORD_DIRECTORY", str(tmp_path))
    code, out, errors = command(*arguments)
    assert (code, out) == (64, "")
    assert says in errors.splitlines()[-1]
    assert "Traceback" not in errors


@pytest.mark.parametrize("text", ["[]", "{}", '{"hosts": 3}', "not json", '{"hosts": []}'])
def test_a_plan_file_that_is_none(text, tmp_path):
    (tmp_path / "plan.json").write_text(text)
    code, _, errors = command("run", "db_pool", "-i", "h,", "--plan-file", str(tmp_path / "plan.json"))
    assert code == 64 and "plan" in errors


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (["a=1e3", "b=None", "c=0x10", "d="], {"a": "1e3", "b": "None", "c": "0x10", "d": ""}),
        (["a=x=y", '{"n": 3, "l": [1]}'], {"a": "x=y", "n": 3, "l": [1]}),
    ],
)
def test_variables_stay_what_was_typed(given, found):
    from oncall.cli.run import _variables

    assert _variables(tuple(given)) == found


def test_variables_of_a_file_have_its_types(tmp_path):
    from oncall.cli.run import _variables

    (tmp_path / "vars.yml").write_text('run_max_risk: high\nrun_cooldown_seconds: 0\ntext: "1e3"\n')
    given = (f"@{tmp_path}/vars.yml", "run_max_risk=low")
    assert _variables(given) == {"run_max_risk": "low", "run_cooldown_seconds": 0, "text": "1e3"}


def test_the_play_sees_no_secret_of_the_environment(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "planted")
    monkeypatch.setenv("ANSIBLE_GALAXY_TOKEN", "planted")
    monkeypatch.setenv("KEPT_BY_NAME", "wanted")
    monkeypatch.setenv("ANSIBLE_SSH_RETRIES", "3")
    monkeypatch.setenv("PYTHONUNBUFFERED", "1")
    prepared = {"ANSIBLE_HOST_KEY_CHECKING": "False", "RUNNER_OMIT_EVENTS": "False", "AWS_SECRET_ACCESS_KEY": "planted"}
    seen = environment.environment_of("abc", ("KEPT_BY_NAME",), prepared)
    assert "planted" not in str(seen)
    assert "PYTHONUNBUFFERED" not in seen
    assert (seen["KEPT_BY_NAME"], seen["ANSIBLE_SSH_RETRIES"], seen["RUNNER_OMIT_EVENTS"]) == ("wanted", "3", "False")
    # Host keys are checked unless its user has said otherwise.
    assert "ANSIBLE_HOST_KEY_CHECKING" not in seen
    assert seen["ANSIBLE_COLLECTIONS_PATH"].startswith(str(catalog.collections_path()))


def test_folders_of_runs_that_were_killed_are_swept_and_those_of_others_are_not(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with folders.private_folder("first") as living:
        dead = living.parent / "dead"
        dead.mkdir()
        (dead / "lock").touch()
        (dead / "variables.json").write_text("secret")
        with folders.private_folder("second") as second:
            assert living.exists() and second.exists() and not dead.exists()
            assert oct(second.stat().st_mode & 0o777) == "0o700"
    assert not living.exists() and not second.exists()


def test_runs_that_begin_at_the_same_moment_do_not_sweep_each_other(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))

    def begin(number):
        with folders.private_folder(f"run{number}") as folder:
            (folder / "variables.json").write_text("{}")
            return (folder / "variables.json").exists()

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(begin, range(400)))


def test_records_newest_first_and_one_that_is_broken_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("ONCALL_RECORD_DIRECTORY", str(tmp_path))
    run = {"runbook": "cache", "host": "shop", "outcome": "healthy", "summary": "fine\x1b[31m\nred", "started_at": 1.0}
    (tmp_path / "20260101T000000Z-cache-aaaa1111.json").write_text(json.dumps({"runs": [run]}))
    (tmp_path / "20260102T000000Z-cache-aaaa2222.json").write_text("{")
    lines = command("runs")[1].splitlines()
    assert [line.split("\t")[0] for line in lines] == ["aaaa2222", "aaaa1111"]
    assert "cannot be read" in lines[0]
    # Nothing a terminal would act on.
    assert lines[1].endswith("healthy: fine [31m red")
    assert records.find("aaaa1")["id"] == "aaaa1111"
    for name, says in (("aaaa", "is the beginning of 2 runs"), ("aaaa2", "cannot be read"), ("zz", "no run 'zz'")):
        code, _, errors = command("show", name)
        assert code == 64 and says in errors


def test_a_snapshot_is_among_the_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("ONCALL_RECORD_DIRECTORY", str(tmp_path))
    kept = {"host": "shop", "summary": "16 of 18 parts whole", "missing": [], "reachable": True, "written": True}
    record = {
        "schema": 1,
        "playbook": "snapshot",
        "started_at": 1.0,
        "finished_at": 2.0,
        "runs": [],
        "snapshots": [kept],
    }
    (tmp_path / "20260101T000000Z-snapshot-aaaa1111.json").write_text(json.dumps(record))
    (line,) = command("runs")[1].splitlines()
    assert line.split("\t")[0::2] == ["aaaa1111", "snapshot", "16 of 18 parts whole"]
    assert as_documented("runs", command("runs", "--json")[1])[0]["snapshots"] == [kept]
    assert as_documented("show", command("show", "aaaa", "--json")[1])["snapshots"] == [kept]


def test_text_from_outside_is_one_line():
    assert display.shown("a\x1b]0;title\x07\r\n\u202eb  c") == "a ]0;title b c"
    assert display.shown("x" * 20, 5) == "xxxx…"


@pytest.mark.parametrize(
    ("result", "says"),
    [
        ("", "planned: a b"),
        ({"awx_job": 7}, "  job       7 in AWX: its address is not known"),
        ({"awx_job": 7, "awx_url": "https://awx.example/#/jobs/playbook/7/output"},
         "  job       7 in AWX: https://awx.example/#/jobs/playbook/7/output"),
        ({"hosts": [{"host": "shop", "runs": "\x1b[31m"}]}, '"hosts"'),
    ],
)  # fmt: skip
def test_an_episode_is_shown_whatever_is_known_of_it(capsys, result, says):
    told = {
        "id": "0123456789abcdef0123", "runbook": "cache", "host": "shop", "alert": {"labels": {"a": "\x1b[31m\nred"}},
        "mode": "approve", "state": "waiting", "until": 2.0, "received_at": 1.0, "seen_at": 1.0, "resolved_at": None,
        "reason": "", "outcome": "planned", "summary": "a\x1b b", "note": "", "result": result, "plan_hash": "p0123456789abcde",
    }  # fmt: skip
    run = {"id": "0123r1", "acts": False, "node": "n\x1b", "admitted_at": 1.0, "ended_at": None, "outcome": ""}
    display.episode(told, [run])
    out = capsys.readouterr().out
    assert says in out and "\x1b" not in out
    assert out.splitlines()[-2:] == [
        "to have exactly this done: oncall approve 0123456789ab --plan p0123456789abcde",
        "to have nothing done: oncall reject 0123456789ab --plan p0123456789abcde --reason WHY",
    ]


@pytest.mark.parametrize("awx", [{}, {"awx_job": 7, "awx_url": "https://awx.example/#/jobs/playbook/7/output"}])
def test_a_run_in_awx_has_no_record_here_and_no_advice_about_one(capsys, awx):
    host = {"host": "shop", "outcome": "healthy", "summary": "it answers", "runs": []}
    ended = {"runbook": "cache", "mode": "check", "status": "ended", "started_at": 1.0, "seconds": 2.0, "hosts": [host]}
    told = {
        "id": "0123456789abcdef0123", "runbook": "cache", "host": "shop", "alert": {}, "mode": "suggest", "state": "ended",
        "until": None, "received_at": 1.0, "seen_at": 1.0, "resolved_at": None, "reason": "", "outcome": "healthy",
        "summary": "it answers", "note": "", "result": {**ended, **awx},
    }  # fmt: skip
    display.episode(told, [])
    out = capsys.readouterr().out
    assert "shop  healthy" in out
    assert ("record: none could be written" in out) == (not awx)
    assert ("7 in AWX: https://awx.example/#/jobs/playbook/7/output" in out) == bool(awx)


def test_a_run_that_lost_its_program_is_not_cut_off_by_the_next_one(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    left = folders.runtime_folder() / "0123456789ab-xyz"
    with goes_on_alone(left) as play, folders.private_folder("a" * 12):
        assert play.poll() is None
        assert left.exists()
    with folders.private_folder("b" * 12):
        assert not left.exists()


def test_a_fault_of_the_program_is_one_line_and_has_a_code_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("ONCALL_RECORD_DIRECTORY", str(tmp_path))
    (tmp_path / "20260101T000000Z-cache-aaaa1111.json").write_text(json.dumps({"runs": [{}]}))
    code, out, errors = command("runs")
    assert (code, out, len(errors.splitlines())) == (70, "", 1)
    assert "(past_runs.py:" in errors and "please report it" in errors


def test_an_open_claim_is_shown_however_old_it_is(capsys):
    claim = {
        "claim_id": 1, "run_id": "old", "runbook": "cache", "owner": "ops", "state": "interrupted", "outcome": "",
        "started_at": "2026-01-01T00:00:00Z", "remedies": [{"remedy": "restart_redis"}],
    }  # fmt: skip
    last = {**claim, "claim_id": 30, "run_id": "new", "state": "completed", "outcome": "resolved"}
    display.ledger({"holds": [], "unfinished": [claim], "claims": [last]})
    display.ledger({"holds": [], "unfinished": [claim], "claims": [claim]})
    assert [line.split("\t")[3] for line in capsys.readouterr().out.splitlines()] == ["old", "new", "old"]
