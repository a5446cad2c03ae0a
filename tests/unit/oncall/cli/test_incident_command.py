# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`oncall incident` on a folder without a service: what each command prints, for people and as JSON."""

from __future__ import annotations

import json
import re
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from ansible_collections.oncall.runbooks.tests.support.schemas import OF_TYPES, SCHEMA, as_documented
from ansible_collections.oncall.runbooks.tests.support.stores import as_released
from oncall.cli import main
from oncall.cli.incident import incident as group
from oncall.cli.incident.options import open_incidents
from oncall.incidents.commands import Write
from oncall.incidents.folder import Folder
from oncall.incidents.store.timeline import IncidentStore
from oncall.incidents.team import team_of, written
from oncall.serve.store.engine import FILE, sqlite_url, url_of
from oncall.serve.store.nodes import Alone


class Shell:
    """Runs commands on one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *arguments, text="", **named):
        argv = ["incident", *arguments, "--state-directory", str(self.folder)]
        done = CliRunner().invoke(main, argv, prog_name="oncall", input=text, **named)
        return done.exit_code, done.stdout, done.stderr

    def json(self, command, *arguments):
        code, out, errors = self(command, *arguments, "--json")
        assert code == 0, errors
        return as_documented(f"incident_{command}", out)


@pytest.fixture
def shell(tmp_path, monkeypatch) -> Shell:
    for room in ("acts", "review"):
        monkeypatch.setattr(f"oncall.cli.incident.{room}.user", lambda: "ann")
    return Shell(tmp_path / "state")


def test_an_incident_from_its_beginning_to_its_end(shell):
    told = shell.json("open", "checkout is down", "--system", "shop", "--severity", "P1", "--ago", "10m")
    assert (told["incident"]["name"], told["incident"]["state"]) == ("INC-1", "triggered")
    assert time.time() - told["incident"]["opened_at"] >= 600
    assert shell.json("ack", "1")["incident"]["acknowledged_by"] == "ann"
    assert shell.json("ack", "INC-1")["entries"] == []
    for command, arguments, kinds in (
        ("assign", ["bob"], ["assigned"]),
        ("role", ["commander", "bob"], ["role"]),
        ("note", ["the provider says 20 minutes"], ["note"]),
        ("severity", ["P0", "--why", "all users"], ["severity"]),
        ("update", ["half of it works", "--next", "30m", "--customers"], ["update"]),
        ("escalate", ["lead", "provider", "--need", "a decision"], ["escalated"]),
        ("snooze", ["2h", "--why", "the provider works on it"], ["snoozed"]),
        ("step", ["respond", "status page updated"], ["step"]),
        ("pin", ["3"], ["pinned"]),
        ("correct", ["3", "it was 30"], ["corrected"]),
        ("mitigate", ["rolled back"], ["mitigated"]),
        ("resolve", ["the pool is larger"], ["resolved"]),
        ("reopen", ["slow again"], ["reopened"]),
        ("resolve", ["the pool is larger still"], ["acknowledged", "resolved"]),
        ("close", [], ["closed"]),
    ):
        assert [one["kind"] for one in shell.json(command, "1", *arguments)["entries"]] == kinds, command
    code, out, errors = shell("note", "1", "too late")
    assert (code, out) == (64, "") and "INC-1 is closed, and never changes again" in errors
    told = shell.json("show", "1")
    assert (told["incident"]["state"], told["incident"]["severity_by"], told["incident"]["reopenings"]) == (
        "closed",
        "ann",
        1,
    )
    assert [one["number"] for one in told["timeline"]] == [*range(1, 19)]
    assert shell.json("timeline", "1", "--after", "17")[0]["kind"] == "closed"
    assert shell.json("open", "checkout is down", "--again", "1")["incident"]["opens_again"] == told["incident"]["id"]
    assert shell.json("cancel", "2", "a drill")["incident"]["state"] == "cancelled"


def test_people_read_lines(shell):
    assert (
        shell("open", "checkout\nis down \x1b[31m", "--severity", "P1")[1]
        == "INC-1 1: opened: checkout is down [31m (P1)\n"
    )
    shell("open", "the same")
    assert shell("merge", "2", "1")[1] == "INC-2 2: merged into INC-1: checkout is down [31m\n"
    assert shell("merge", "2", "1")[1] == "INC-2: nothing to do; it is so already (merged)\n"
    shell("ack", "1")
    assert shell("ack", "1")[1] == "INC-1: nothing to do; it is so already (acknowledged by ann)\n"
    shell("step", "1", "assess", "users asked")
    shell("link", "1", "2", "--why", "merged")
    shell("pin", "1", "1")
    code, out, _ = shell("show", "1")
    lines = out.splitlines()
    assert code == 0 and lines[:3] == [
        "INC-1: checkout is down [31m",
        "  state        acknowledged",
        "  severity     P1",
    ]
    assert "  [x] assess: users asked (ann)" in lines and "  see          INC-2 merged" in lines
    assert "  pinned       1: opened: checkout is down [31m (P1)" in lines
    assert "  merged       into INC-1" in shell("show", "2")[1].splitlines()
    assert [line.split("\t")[0] for line in shell("list")[1].splitlines()] == ["INC-2", "INC-1"]
    assert shell("timeline", "1")[1].splitlines()[0].split("\t")[2:] == [
        "ann",
        "opened",
        "opened: checkout is down [31m (P1)",
    ]


def test_lists_and_numbers(shell):
    for title, system in (("pool is empty", "shop"), ("disk is full", "shop"), ("login fails", "forum")):
        shell("open", title, "--system", system, "--runbook", "db_pool" if "pool" in title else "")
    shell("resolve", "2", "made room")
    assert [one["name"] for one in shell.json("list")] == ["INC-3", "INC-2", "INC-1"]
    for arguments, names in (
        (["--state", "open", "--system", "shop"], ["INC-1"]),
        (["--search", "poo"], ["INC-1"]),
        (["--runbook", "db_pool"], ["INC-1"]),
        (["--last", "1h", "-n", "1"], ["INC-3"]),
        (["--before", "2"], ["INC-1"]),
        (["--assignee", "zoe"], []),
    ):
        assert [one["name"] for one in shell.json("list", *arguments)] == names, arguments
    told = shell.json("stats", "--system", "shop")
    assert (told["incidents"], told["all"]["resolve"]["measured"]) == (2, 1)
    out = shell("stats")[1].splitlines()
    # Of one that was measured, the median and the 90th percentile are the same, however long it took.
    assert out[0] == "3 incidents" and re.match(r"all\t3\t(\d+ s), \1\t\t", out[1])
    shell("escalate", "1", "ann")
    run = Write(
        who="oncall",
        at=0.0,
        kind="run",
        words="db_pool",
        data={"runbook": "db_pool", "uuid": "1", "outcome": "resolved"},
    )
    with open_incidents(Path("none.yml"), shell.folder) as incidents:
        incidents.write("1", run, run)
    out = shell("stats")[1]
    assert "runs: 2 resolved\n" in out and re.search(r"^called 1 time: ann, last 20\d\d-", out, re.M)


def test_what_was_changed_is_found_and_what_was_exported_can_be_looked_at_later(shell, tmp_path):
    shell("open", "x")
    shell("note", "1", "a note")
    assert shell.json("verify")["sound"] is True
    exported = tmp_path / "inc-1.json"
    assert shell("export", "1", "--file", str(exported))[1] == f"INC-1 is in {exported}\n"
    assert exported.stat().st_mode & 0o777 == 0o600
    assert as_documented("incident_export", exported.read_text()) == shell.json("export", "1")
    assert shell("export", "1", "--file", str(exported))[0] == 64
    shell("note", "1", "written since")
    told = shell.json("verify", "--file", str(exported))["incidents"][0]
    assert told["not_proven"][0] == "what was written after it: entry 3 is known by now"
    for name, change, says in (
        ("words", lambda timeline: timeline[1].update(words="fine"), "entry 2: it was changed"),
        ("tail", lambda timeline: timeline.pop(), "says another end of its timeline"),
    ):
        document = json.loads(exported.read_text())
        change(document["timeline"])
        (tmp_path / name).write_text(json.dumps(document))
        code, out, _ = shell("verify", "--file", str(tmp_path / name))
        assert code == 21 and says in out, (name, out)
        code, out, errors = shell("postmortem", "--file", str(tmp_path / name))
        assert (code, out) == (64, "") and "was changed: entry" in errors, (name, errors)
    assert shell("postmortem", "--file", str(exported))[0] == 0
    (tmp_path / "none").write_text('{"incident": 3}')
    assert shell("verify", "--file", str(tmp_path / "none"))[0] == 64
    code, out, _ = shell("verify", "1")
    assert code == 0 and "INC-1: not proven: what somebody changed who has the key" in out
    assert shell("verify", "--head", "x", "1")[2].endswith("as the log and messages have it\n")


def test_no_post_mortem_is_made_of_a_timeline_that_was_changed(shell, tmp_path):
    shell("open", "x")
    shell("note", "1", "a note")
    assert shell("postmortem", "1")[0] == 0
    with sqlite3.connect(tmp_path / "state" / FILE) as connection:
        connection.execute("UPDATE oncall_timeline SET words = 'all is well' WHERE number = 2")
    connection.close()
    code, out, errors = shell("postmortem", "1")
    assert (code, out) == (64, "") and "the timeline of INC-1 was changed: entry 2: it was changed" in errors

    folder = Folder(tmp_path / "records")
    folder.open("x", who="ann")
    assert shell("postmortem", "1", "--records", str(tmp_path / "records"))[0] == 0
    (file,) = [one for one in (tmp_path / "records").rglob("*") if one.is_file() and '"opened"' in one.read_text()]
    file.write_text(file.read_text().replace('"x"', '"another"'))
    code, out, errors = shell("postmortem", "1", "--records", str(tmp_path / "records"))
    assert (code, out) == (64, "") and "was changed" in errors


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["open", " "], "say in a few words what is wrong"),
        (["ack", "9"], "there is no incident '9'"),
        (["role", "1", "king", "bob"], "'king' is not one of"),
        (["snooze", "1", "soon", "--why", "x"], "'soon' is no time; say 30m or 2h"),
        (["snooze", "1", "2026-01-01T00:00:00", "--why", "x"], "with a zone"),
        (["snooze", "1", "2h"], "Missing option '--why'"),
        (["note", "1", "x", "--ago", "yesterday"], "is no duration; say 90s, 30m, 2h or 3d"),
        (["list", "--search", "%"], "has no word of two letters"),
        (["severity", "1", "<b>"], "is no name of a severity"),
        (["nonsense"], "No such command 'nonsense'"),
    ],
)
def test_what_is_refused(shell, arguments, says):
    shell("open", "x")
    code, out, errors = shell(*arguments)
    assert (code, out) == (64, "") and says in errors.splitlines()[-1] and "Traceback" not in errors


def test_a_megabyte_from_standard_input_is_cut_with_a_word(shell):
    shell("open", "x")
    code, _out, _errors = shell("note", "1", "-", text="y" * 1_048_576)
    assert code == 0
    text = shell.json("timeline", "1")[1]["data"]["text"]
    assert text.endswith("(cut: it had 1,048,576 characters, and the first 16,000 are kept)")


def test_with_settings_the_database_is_that_of_the_service_which_makes_it(tmp_path, monkeypatch):
    monkeypatch.delenv("ONCALL_STATE_DIRECTORY", raising=False)
    file = tmp_path / "serve.yml"
    file.write_text(yaml.safe_dump({"inventories": ["h,"], "state_directory": str(tmp_path / "state"), "runbooks": {}}))
    done = CliRunner().invoke(main, ["incident", "list", "-c", str(file)], prog_name="oncall")
    assert done.exit_code == 64 and "without a service, name a folder with --state-directory" in done.stderr
    assert not (tmp_path / "state").exists()
    # A folder that was made without a service is one that the service takes as well.
    Shell(tmp_path / "state")("open", "x")
    done = CliRunner().invoke(main, ["incident", "list", "-c", str(file)], prog_name="oncall")
    assert done.exit_code == 0 and done.stdout.startswith("INC-1\t")


def test_runs_of_ansible_playbook_come_to_the_incident_of_their_host(shell, tmp_path, monkeypatch):
    monkeypatch.setenv("ONCALL_RECORD_DIRECTORY", str(tmp_path / "runs"))
    (tmp_path / "runs").mkdir()
    for ident, host in (("aaaa1111", "h1"), ("bbbb2222", "h2")):
        run = {"runbook": "cache", "host": host, "outcome": "unresolved", "summary": "no", "started_at": time.time()}
        record = {
            "schema": 1,
            "playbook": "cache",
            "started_at": time.time(),
            "finished_at": time.time(),
            "runs": [run],
        }
        (tmp_path / "runs" / f"20260101T000000Z-cache-{ident}.json").write_text(json.dumps(record))
    (tmp_path / "runs" / "20260101T000000Z-cache-cccc3333.json").write_text("{")
    shell("open", "h1 is slow", "--system", "h1")
    told = {one["run"]: one["incident"] for one in shell.json("attach")}
    assert told == {"aaaa1111": "INC-1", "bbbb2222": "", "cccc3333": ""}
    # Nothing says which system has the host; its name is none.
    code, _out, errors = shell("attach", "--open")
    assert code == 64 and len(errors.splitlines()) == 1 and "nobody knows which system has h2" in errors
    assert f"looked at the incidents in {shell.folder}" in errors and len(shell.json("list")) == 1
    assert shell("attach", "--open", "--system", "shop")[1].splitlines() == [
        "run bbbb2222 is of INC-2 now: 2 entries", "2 of 3 runs are of no incident, or were of one already",
    ]  # fmt: skip
    assert [one["kind"] for one in shell.json("timeline", "2")] == ["opened", "run"]
    assert shell.json("show", "2")["incident"]["system"] == "shop"
    assert "say which runs belong to it" in shell("attach", "--to", "1")[2]


def test_with_settings_a_run_comes_to_the_system_that_has_its_host(tmp_path, monkeypatch):
    monkeypatch.delenv("ONCALL_STATE_DIRECTORY", raising=False)
    monkeypatch.setenv("ONCALL_RECORD_DIRECTORY", str(tmp_path / "runs"))
    (tmp_path / "runs").mkdir()
    for ident, host in (("aaaa1111", "h1"), ("bbbb2222", "h2")):
        run = {"runbook": "cache", "host": host, "outcome": "unresolved", "summary": "no", "started_at": time.time()}
        told = {"schema": 1, "playbook": "cache", "started_at": time.time(), "finished_at": time.time(), "runs": [run]}
        (tmp_path / "runs" / f"20260101T000000Z-cache-{ident}.json").write_text(json.dumps(told))
    (tmp_path / "hosts.ini").write_text("[web]\nh1\n[other]\nh2\n")
    settings = {
        "inventories": [str(tmp_path / "hosts.ini")], "state_directory": str(tmp_path / "state"), "runbooks": {},
        "incidents": {"systems": {"shop": ["web"]}},
    }  # fmt: skip
    file = tmp_path / "serve.yml"
    file.write_text(yaml.safe_dump(settings))
    Shell(tmp_path / "state")("list")
    done = CliRunner().invoke(main, ["incident", "attach", "--open", "-c", str(file)], prog_name="oncall")
    assert done.exit_code == 0, done.output
    # What no system has is called by its host, as the service calls it.
    systems = {one["hosts"][0]: one["system"] for one in Shell(tmp_path / "state").json("list")}
    assert systems == {"h1": "shop", "h2": "h2"}


def test_a_system_that_nobody_knows_is_refused_with_those_that_there_are(tmp_path, monkeypatch):
    monkeypatch.delenv("ONCALL_STATE_DIRECTORY", raising=False)
    settings = {
        "inventories": ["h1,h2,"], "state_directory": str(tmp_path / "state"), "runbooks": {},
        "incidents": {"systems": {"shop": ["h1"], "forum": ["h2"]}},
    }  # fmt: skip
    file = tmp_path / "serve.yml"
    file.write_text(yaml.safe_dump(settings))
    folder = Shell(tmp_path / "state")
    folder("list")

    def opened(*more: str):
        return CliRunner().invoke(main, ["incident", "open", "x", "-c", str(file), *more], prog_name="oncall")

    done = opened("--system", "shpo")
    assert (done.exit_code, len(done.stderr.splitlines())) == (64, 1)
    assert (
        "there is no system 'shpo'" in done.stderr
        and "there are forum, shop; say that you want it anyway" in done.stderr
    )
    assert folder.json("list") == []
    assert opened("--system", "shop").stderr == opened().stderr == ""
    assert "warning: there is no system 'shpo'" in opened("--system", "shpo", "--anyway").stderr
    # By now an incident names it.
    assert opened("--system", "shpo").stderr == ""


def test_where_no_systems_are_known_a_system_is_taken_with_a_warning(shell):
    code, out, errors = shell("open", "x", "--system", "shop")
    assert code == 0 and out.startswith("INC-1 1:")
    assert errors == "warning: nothing here says which systems there are: whether 'shop' is one was not looked at\n"
    assert "whether 'forum' is one" in shell.json("open", "y", "--system", "forum")["warning"]
    assert "warning" not in shell.json("open", "z")


def test_a_folder_of_an_earlier_version_is_migrated_unless_a_service_has_it(shell):
    url = url_of("", str(shell.folder))
    as_released(url)
    service = Alone(str(shell.folder))
    code, _out, errors = shell("list")
    assert code == 64 and "another oncall serve uses" in errors
    service.close()
    assert shell.json("open", "x")["incident"]["name"] == "INC-1"
    # One that is as it has to be is used beside the service.
    service = Alone(str(shell.folder))
    assert shell.json("list")[0]["name"] == "INC-1"
    service.close()


def test_a_database_that_somebody_removed_is_not_made_anew(shell):
    shell("open", "x")
    (shell.folder / "oncall.sqlite3-written").write_text("7\n")
    (shell.folder / "oncall.sqlite3").unlink()
    code, _out, errors = shell("list")
    assert code == 64 and "is missing, and oncall.sqlite3-written of it is there" in errors


def test_a_stranger_without_settings_is_told_of_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ONCALL_STATE_DIRECTORY", raising=False)
    for argv, says in (
        (
            ["-c", "gone.yml"],
            "Error: there are no settings gone.yml; name those of the service with -c or ONCALL_CONFIG",
        ),
        (["--state-directory", ""], "it is empty; name a folder"),
    ):
        done = CliRunner().invoke(main, ["incident", "list", *argv], prog_name="oncall")
        assert done.exit_code == 64 and says in done.stderr
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ("text", "says"), [("[]", "list indices"), ('{"incident": {}, "timeline": []}', "it has no 'system'")]
)
def test_a_document_that_is_of_no_incident_is_named(shell, tmp_path, text, says):
    (tmp_path / "other.json").write_text(text)
    code, _out, errors = shell("postmortem", "--file", str(tmp_path / "other.json"))
    assert code == 64 and "other.json: it is no document of an incident: " in errors and says in errors


def test_a_file_that_is_there_is_not_written_over(shell, tmp_path):
    shell("open", "x")
    (tmp_path / "kept").write_text("mine")
    code, _out, errors = shell("export", "1", "--file", str(tmp_path / "kept"))
    assert code == 64 and "is there already, and stays as it is; name another one" in errors
    assert (tmp_path / "kept").read_text() == "mine"


def test_a_database_that_is_gone_while_its_heads_are_there_is_not_begun_anew(shell, tmp_path):
    shell("open", "x")
    (shell.folder / "oncall.sqlite3").rename(tmp_path / "copy")
    for command in (["list"], ["open", "y"], ["verify"]):
        code, out, errors = shell(*command)
        assert (code, out) == (64, "") and "incident-heads names 1 incidents of it; put back a copy of it" in errors
    assert not (shell.folder / "oncall.sqlite3").exists()
    (tmp_path / "copy").rename(shell.folder / "oncall.sqlite3")
    assert shell("verify")[0] == 0


def test_pages_of_the_database_that_were_overwritten_are_said(shell):
    shell("open", "x")
    shell("note", "1", "long " * 3000)
    file = shell.folder / "oncall.sqlite3"
    with closing(sqlite3.connect(file)) as database:
        (size,) = database.execute("PRAGMA page_size").fetchone()
        # The pages of the timeline alone: what a look at the schema does not read.
        (root,) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'oncall_timeline'").fetchone()
    whole = file.read_bytes()
    file.write_bytes(whole[: (root - 1) * size] + b"\xff" * size + whole[root * size :])
    code, out, errors = shell("timeline", "1")
    assert (code, out) == (64, "") and "malformed; put back a copy of it" in errors and errors.count("\n") == 1


@pytest.mark.parametrize("command", [["note", "1", "x"], ["open", "another"]])
def test_a_database_that_another_program_holds_is_said_and_nothing_is_lost(shell, monkeypatch, command):
    shell("open", "checkout is down")
    monkeypatch.setattr("oncall.serve.store.engine.BUSY_SECONDS", 0.2)
    with closing(sqlite3.connect(shell.folder / "oncall.sqlite3", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        code, out, errors = shell(*command)
        other.execute("ROLLBACK")
    assert (code, out) == (64, "")
    assert errors.count("\n") == 1 and "database is locked; another program has been writing into it" in errors
    assert shell(*command)[0] == 0


def test_a_post_mortem_is_printed_written_and_comes_to_its_end(shell, tmp_path):
    shell("open", "the pool is empty", "--system", "shop")
    shell("mitigate", "1", "a restart")
    shell("note", "1", "the pool was never measured", "--part", "whys")
    assert shell("review", "1", "draft", "--owner", "ann")[0] == 64
    shell("resolve", "1", "the pool is larger")
    code, _out, errors = shell("review", "1", "draft", "--owner", "ann")
    assert code == 64 and "none was asked for yet" in errors
    for state, more in (("due", ["--due", "48h"]), ("draft", ["--owner", "ann"]), ("review", [])):
        assert shell.json("review", "1", state, *more)["incident"]["postmortem"]["state"] == state
    assert (
        shell.json("item", "1", "measure the pool", "--owner", "bob", "--due", "7d")["entries"][0]["data"]["item"]
        == "A1"
    )
    due = shell.json("due")
    assert [(one["name"], one["state"], one["owner"]) for one in due["postmortems"]] == [("INC-1", "review", "ann")]
    assert [(one["item"], one["owner"]) for one in due["action_items"]] == [("A1", "bob")]
    assert "A1: measure the pool" in shell("due")[1] and "post-mortem (review)" in shell("due")[1]
    told = shell.json("postmortem", "1")
    assert told["incident"]["name"] == "INC-1"
    assert "the pool was never measured" in shell("postmortem", "1")[1].partition("Five whys")[2].partition("##")[0]
    assert shell("postmortem", "1", "--format", "html")[1].startswith("<!doctype html>")
    shell("export", "1", "--file", str(tmp_path / "inc.json"))
    assert (
        as_documented("incident_postmortem", shell("postmortem", "--file", str(tmp_path / "inc.json"), "--json")[1])
        == told
    )
    shell("item", "1", "--item", "A1", "--done")
    shell("review", "1", "done")
    assert shell.json("due") == {"postmortems": [], "action_items": []}
    assert shell.json("close", "1")["incident"]["state"] == "closed"


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["postmortem"], "name an incident, or a file"),
        (["postmortem", "1", "--file", "x.json"], "name an incident, or a file"),
        (["postmortem", "--file", "gone.json"], "cannot read gone.json"),
        (["postmortem", "--file", "x.json", "--records", "."], "give a file that was exported, or --records"),
        (["verify", "--records", "typo"], "there is no folder typo; name the one"),
        (["verify", "1", "--records", ".", "--head", f"9:{'a' * 64}:{'b' * 8}:{'c' * 64}"], "give --records alone"),
        (["item", "1"], "say what is to be done"),
        (["item", "1", "--item", "A7", "--done"], "INC-1 has no action item 'A7'; there are none"),
        (["escalate", "1"], "say to whom it is escalated"),
        (["escalate", "1", "--by", "fire"], "INC-1 began without a policy of escalation; name people"),
        (["escalate", "1", "zoe", "--by", "fire"], "name people, or a situation, and not both"),
    ],
)
def test_what_makes_no_sense_is_said_in_one_line(shell, argv, says):
    shell("open", "x")
    code, _out, errors = shell(*argv)
    assert code == 64 and says in errors and len(errors.splitlines()) == 1


def test_what_the_service_has_read_of_a_team_holds_here_too(shell):
    shell("open", "x")
    store = IncidentStore(sqlite_url(str(shell.folder)))
    variables = {
        "system_severities": [
            {"level": "P0", "means": "all", "when": ["critical"]},
            {"level": "P1", "means": "some", "when": ["high"]},
        ],
        "incident_people": {"ann": {"reach": ["slack://secret-token"]}},
        "incident_contacts": {"lead": {"people": ["ann"]}},
        "incident_escalation": [{"roles": ["lead"]}, {"roles": ["lead"], "begins": "person", "situation": "fire"}],
    }
    known = written(team_of("shop", variables).known)
    assert "secret" not in known
    store.set("team:shop", known)
    store.close()
    assert shell.json("open", "y", "--system", "shop", "--severity", "p1")["incident"]["scheme"] == "P0-P1"
    assert shell("severity", "2", "P7")[2].startswith("Error: no severity 'P7' in the scheme P0-P1")
    assert "nobody is called 'zoe'" in shell("assign", "2", "zoe")[2]
    assert shell.json("escalate", "2", "--by", "Fire")["entries"][-1]["data"]["targets"] == ["lead"]
    assert "no step of the policy is called 'flood'" in shell("escalate", "2", "--by", "flood")[2]


def test_each_command_has_a_schema_and_says_how_it_is_used():
    for name, command in group.commands.items():
        assert f"incident_{name}" in (*SCHEMA["$defs"], *OF_TYPES), name
        assert f"incident_{name}" in (*SCHEMA["$defs"], *OF_TYPES), name
        assert f"oncall incident {name}" in (command.help or ""), name
