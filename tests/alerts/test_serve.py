# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``oncall serve`` from an alert to what came of it, on hosts whose Redis is down. Every test has hosts of its own."""

from __future__ import annotations

import itertools
import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.ledger import claims as ledger
from ansible_collections.oncall.runbooks.plugins.module_utils.ledger.spec import ARGUMENT_SPEC
from ansible_collections.oncall.runbooks.tests.support.schemas import as_documented
from ansible_collections.oncall.runbooks.tests.support.serving import Host, Serving, alert, wait_until_empty
from ansible_collections.oncall.runbooks.tests.support.waiting import until
from lab.ports import free_port

AUTO: dict[str, Any] = {"cache": {"mode": "auto"}}
APPROVE: dict[str, Any] = {"cache": {"mode": "approve"}}
SUGGEST: dict[str, Any] = {"cache": {}}
# At least as many as the tests of this file ask for, `host` and `other` together.
HOSTS = 48


@pytest.fixture(scope="module")
def running(tmp_path_factory) -> Iterator[Serving]:
    serving = Serving(tmp_path_factory.mktemp("serve"), hosts=HOSTS)
    try:
        yield serving.start()
    finally:
        serving.stop()


@pytest.fixture
def serving(running, request) -> Iterator[Serving]:
    """The service in its first settings, or in those that the test asks for."""
    first = dict(running.settings)
    running.reload(**getattr(request, "param", {}))
    yield running
    running.settings = first


_numbers = itertools.count()


@pytest.fixture
def host(running) -> Host:
    return running.hosts[next(_numbers)]


@pytest.fixture
def other(running) -> Host:
    return running.hosts[next(_numbers)]


def with_settings(**settings: Any) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("serving", [settings], indirect=True, ids=[""])


# ---------------------------------------------------------------------- one run per episode
def test_one_run_however_often_and_by_whom_it_is_told(serving, host):
    told = alert(host.name)
    assert serving.send(told) == 202
    ended = serving.until_state(host, "ended")
    assert (ended["outcome"], host.effects()) == ("resolved", 1)

    elsewhere = alert(host.name, startsAt="2026-01-01T02:00:00+02:00")
    port = alert(f"{host.name}:9121")
    resolved = alert(host.name, status="resolved")
    for several in ((told, elsewhere, port, resolved), (told,)):
        assert [serving.send(one) for one in several] == [202] * len(several)
        wait_until_empty(serving)
        found = [one for one in serving.episodes() if one["host"] == host.name]
        assert [(one["id"], one["runs"]) for one in found] == [(ended["id"], 1)]
        assert found[0]["resolved_at"] is not None

    serving.send(alert(host.name, number=1))
    again = serving.until_state(host, "ended", number=1)
    assert (again["outcome"], host.effects()) == ("healthy", 1)


@with_settings(runbooks=SUGGEST)
def test_a_suggestion_changes_nothing(serving, host):
    serving.send(alert(host.name))
    ended = serving.until_state(host, "ended")
    assert (ended["outcome"], host.effects()) == ("planned", 0)
    assert ended["plan_hash"].startswith("p")
    assert ended["summary"].startswith("Redis does not run")


@with_settings(runbooks={"cache": {"mode": "off"}})
def test_off_is_off(serving, host):
    assert serving.send(alert(host.name)) == 202
    wait_until_empty(serving)
    assert [one for one in serving.episodes() if one["host"] == host.name] == []


# ---------------------------------------------------------------------- a person agrees
@with_settings(runbooks=APPROVE)
def test_a_person_agrees(serving, host):
    serving.send(alert(host.name))
    waiting = serving.until_state(host, "waiting")
    assert host.effects() == 0
    assert waiting["outcome"] == "planned"
    asked = serving.command("episode", waiting["id"][:12]).stdout
    assert "remedy restart_redis (risk medium) on " in asked, asked
    assert f"oncall approve {waiting['id'][:12]}" in asked
    assert "instance=" in asked

    agreed = serving.command("approve", waiting["id"][:12])
    assert agreed.returncode == 0, agreed.stderr
    ended = serving.until_state(host, "ended")
    assert (ended["outcome"], host.effects(), ended["runs"]) == ("resolved", 1, 2)
    assert ended["note"].startswith("agreed by ")

    again = serving.command("approve", waiting["id"])
    assert (again.returncode, len(again.stderr.splitlines())) == (64, 1)
    assert "this plan does not wait any more: agreed by " in again.stderr and "; resolved: " in again.stderr


@with_settings(runbooks=APPROVE)
def test_a_person_rejects(serving, host):
    serving.send(alert(host.name))
    waiting = serving.until_state(host, "waiting")
    without = serving.command("reject", waiting["id"][:12])
    assert (without.returncode, without.stdout) == (64, "")
    assert without.stderr == "Error: say with --reason why it is rejected; who comes next has to know\n"
    other = serving.command("approve", waiting["id"][:12], "--plan", "p0123456789abcde")
    assert other.returncode == 64 and "the plan has changed since you read it" in other.stderr
    assert serving.one(host)["state"] == "waiting"

    done = serving.command("reject", waiting["id"][:12], "--reason", "a migration holds it", "--json")
    told = as_documented("reject", done.stdout)
    assert (told["decision"], told["plan_hash"], told["incident"]) == ("rejected", waiting["plan_hash"], None)
    ended = serving.one(host)
    assert (ended["state"], ended["outcome"], host.effects()) == ("ended", "canceled", 0)
    assert ended["summary"] == f"rejected by {told['who']}: a migration holds it"
    again = serving.command("reject", waiting["id"][:12], "--reason", "no")
    assert (again.returncode, len(again.stderr.splitlines())) == (64, 1)
    assert f"rejected by {told['who']}: a migration holds it. Your decision was not taken" in again.stderr


@with_settings(runbooks=APPROVE)
def test_two_alerts_of_one_incident_ask_a_person_once(serving, host):
    both = [alert(host.name, number, fingerprint=f"b0b0f00dcafe000{number}") for number in (0, 1)]
    assert serving.send(*both) == 202
    until(lambda: [one["state"] for one in serving.episodes("waiting") if one["host"] == host.name] == ["waiting"])
    until(lambda: "asks a person about cache" in "".join(serving.one(host, number)["reason"] for number in (0, 1)))
    (asked,) = [one for one in serving.episodes("waiting") if one["host"] == host.name]
    assert serving.command("approve", asked["id"]).returncode == 0
    told = [serving.until_state(host, "ended", number=number) for number in (0, 1)]
    # The other still fires: it is looked at again, and there is nothing left to do.
    assert sorted((one["outcome"], one["runs"]) for one in told) == [("healthy", 1), ("resolved", 2)]
    assert host.effects() == 1


@with_settings(runbooks=APPROVE)
def test_another_plan_than_the_one_agreed_to_is_not_acted_on(serving, host):
    serving.send(alert(host.name))
    waiting = serving.until_state(host, "waiting")
    # Somebody started it by hand.
    host.restart()
    serving.command("approve", waiting["id"])
    ended = serving.until_state(host, "ended")
    assert (ended["outcome"], host.effects()) == ("healthy", 1)


@with_settings(runbooks={"cache": {"mode": "approve", "approve_seconds": 1}})
def test_nobody_agrees_in_time(serving, host):
    serving.send(alert(host.name))
    ended = serving.until_state(host, "ended")
    assert (ended["outcome"], host.effects()) == ("expired", 0)


@with_settings(runbooks=APPROVE)
def test_the_alert_is_over_before_a_person_agrees(serving, host):
    serving.send(alert(host.name))
    serving.until_state(host, "waiting")
    serving.send(alert(host.name, status="resolved"))
    ended = serving.until_state(host, "ended")
    assert (ended["outcome"], host.effects()) == ("closed", 0)


@with_settings(
    runbooks={"cache": {"mode": "auto", "max_not_helped": 1, "variables": {"run_verify_timeout_seconds": 4}}}
)
def test_what_did_not_help_is_not_done_again_by_itself(serving, host):
    host.never_starts()
    serving.send(alert(host.name))
    assert serving.until_state(host, "ended")["outcome"] == "unresolved"
    before = host.effects()
    serving.send(alert(host.name, number=1))
    waiting = serving.until_state(host, "waiting", "ended", number=1)
    assert (waiting["state"], waiting["mode"], host.effects()) == ("waiting", "approve", before)
    shown = serving.command("proven").stdout.splitlines()
    assert f"cache\t{host.name}\t0 of 1\t1" in shown


# ---------------------------------------------------------------------- who may begin
def test_paused_by_command_and_by_file(serving, host):
    assert serving.command("pause", "--reason", "storage is moved").returncode == 0
    serving.send(alert(host.name))
    serving.until_reason(host, "storage is moved")
    (serving.folder / "state" / "pause").write_text("by file")
    assert serving.command("resume").returncode == 0
    serving.until_reason(host, "paused: by file")
    assert "oncall_paused 1.0" in serving.get("/metrics")[1]
    assert (serving.one(host)["state"], host.effects()) == ("queued", 0)
    (serving.folder / "state" / "pause").unlink()
    assert serving.until_state(host, "ended")["outcome"] == "resolved"
    assert serving.command("resume").returncode == 64


def test_the_alert_is_over_before_its_turn(serving, host):
    serving.command("pause", "--reason", "to have it wait")
    serving.send(alert(host.name))
    serving.until_reason(host, "to have it wait")
    serving.send(alert(host.name, status="resolved"))
    wait_until_empty(serving)
    serving.command("resume")
    ended = serving.until_state(host, "ended")
    assert (ended["outcome"], ended["runs"], host.effects()) == ("closed", 0, 0)


def test_an_alert_that_fires_again_before_its_turn(serving, host):
    serving.command("pause", "--reason", "to have it wait")
    for status in ("firing", "resolved", "firing"):
        serving.send(alert(host.name, status=status))
        wait_until_empty(serving)
    serving.command("resume")
    assert serving.until_state(host, "ended")["outcome"] == "resolved"


def test_one_that_was_closed_begins_anew_where_it_fires_again(serving, host):
    serving.command("pause", "--reason", "to have it wait")
    for status in ("firing", "resolved"):
        serving.send(alert(host.name, status=status))
    wait_until_empty(serving)
    serving.command("resume")
    assert serving.until_state(host, "ended")["outcome"] == "closed"
    serving.send(alert(host.name))
    until(lambda: serving.one(host)["outcome"] == "resolved")
    assert (serving.one(host)["runs"], host.effects()) == (1, 1)


def test_a_host_that_became_a_group_is_not_acted_on(serving, host, other):
    """Ansible reads the inventory when the run begins, and a name may mean more by then."""
    file = serving.home / "inventory.json"
    before = file.read_text()
    inventory = json.loads(before)
    hosts = inventory["all"]["children"]["web"]["hosts"]
    del hosts[host.name]
    inventory["all"]["children"][host.name] = {"hosts": {other.name: {}}}
    try:
        serving.command("pause", "--reason", "until the inventory is another one")
        serving.send(alert(host.name))
        serving.until_reason(host, "another one")
        file.write_text(json.dumps(inventory))
        serving.command("resume")
        ended = serving.until_state(host, "ended")
    finally:
        file.write_text(before)
    assert ended["outcome"] in ("unknown", "interrupted"), ended
    assert (host.effects(), other.effects()) == (0, 0)


def window(begins: int, ends: int, **what: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    times = {"begins_at": now + timedelta(seconds=begins), "ends_at": now + timedelta(seconds=ends)}
    return {"reason": "the switch is replaced", **{name: at.isoformat() for name, at in times.items()}, **what}


@with_settings(maintenance=[window(-60, 3600, hosts=["web"])])
def test_nothing_is_done_in_a_maintenance_window(serving, host):
    serving.send(alert(host.name))
    serving.until_reason(host, "the switch is replaced")
    serving.reload(maintenance=[])
    assert serving.until_state(host, "ended")["outcome"] == "resolved"


def test_so_many_remedies_an_hour(serving, host, other):
    serving.send(alert(other.name))
    assert serving.until_state(other, "ended")["outcome"] == "resolved"
    serving.reload(limits={"running": 2, "remedies_per_hour": 1})
    serving.send(alert(host.name))
    serving.until_reason(host, "limits.remedies_per_hour")
    assert serving.command("cancel", serving.one(host)["id"], "--reason", "enough").returncode == 0
    ended = serving.until_state(host, "ended")
    assert (ended["outcome"], host.effects()) == ("canceled", 0)
    assert ended["summary"].endswith(": enough")


@with_settings(limits={"running": 4, "groups": {"web": {"share_at_once": 1 / HOSTS}}, "remedies_per_hour": 1000})
def test_never_more_than_a_share_of_a_group_at_once(serving, host, other):
    serving.send(alert(host.name), alert(other.name))
    wait_until_empty(serving)
    until(lambda: any("share_at_once" in serving.one(one)["reason"] for one in (host, other)))
    for one in (host, other):
        serving.until_state(one, "ended")
    assert (host.effects(), other.effects()) == (1, 1)


def test_one_at_a_time_on_a_host(serving, host):
    serving.send(alert(host.name), alert(host.name, number=1))
    wait_until_empty(serving)
    until(lambda: f"cache runs on {host.name}" in {serving.one(host, number)["reason"] for number in (0, 1)})
    outcomes = {serving.until_state(host, "ended", number=number)["outcome"] for number in (0, 1)}
    assert (outcomes, host.effects()) == ({"resolved", "healthy"}, 1)


# ---------------------------------------------------------------------- its life
@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"runbooks": {"cahce": {}}}, "did you mean cache?"),
        ({"limits": {"groups": {"wep": {}}}}, "limits.groups.wep: the inventory has no 'wep'; did you mean web?"),
        (
            {"incidents": {"systems": {"shop": ["h000", "wep"]}}},
            "incidents.systems.shop[1]: the inventory has no 'wep'; did you mean web?",
        ),
        (
            {"maintenance": [window(3600, 7200, hosts=["web", "h00"])]},
            "maintenance[0].hosts[1]: the inventory has no 'h00'",
        ),
    ],
    ids=["runbook", "group of a limit", "group of a system", "host of a window"],
)
def test_settings_that_are_wrong_change_nothing(serving, host, wrong, says):
    serving.reload(**wrong)
    said = json.loads(serving.log.read_text().splitlines()[-1])["message"]
    assert "the settings stay what they were" in said
    assert says in said
    # And the line is that of the name.
    (number,) = re.findall(r"serve\.yml:(\d+): ", said)
    assert serving.file.read_text().splitlines()[int(number) - 1].strip(" -:{}") in ("cahce", "wep", "h00")
    serving.send(alert(host.name))
    assert serving.until_state(host, "ended")["outcome"] == "resolved"


def test_a_second_one_on_the_same_state_is_refused(serving):
    elsewhere = serving.folder / "elsewhere.yml"
    elsewhere.write_text(serving.file.read_text().replace(str(serving.port), str(free_port())))
    for arguments, said in (([], "Address already in use"), (["-c", str(elsewhere)], "another oncall serve uses")):
        second = serving.command("serve", *arguments)
        assert (second.returncode, len(second.stderr.splitlines())) == (64, 1)
        assert said in second.stderr


def test_what_it_tells_prometheus(serving, host):
    serving.send(alert(host.name))
    assert serving.until_state(host, "ended")["outcome"] == "resolved"
    status, text = serving.get("/metrics")
    assert status == 200
    for name in (
        "oncall_runs_total",
        "oncall_remedies_helped_ratio",
        "oncall_episodes",
        "oncall_queue_age_seconds",
        "oncall_quarantined_alerts",
    ):
        assert f"\n{name}" in text
    assert serving.request("GET", "/metrics", token="wrong-wrong-wrong-wrong")[0] == 401
    assert serving.get("/readyz") == (200, "ok\n")


def test_a_token_that_was_taken_back_is_none(serving, host):
    file = serving.folder / "tokens"
    content = file.read_text()
    assert serving.send(alert(labels={"alertname": "Watchdog"})) == 202
    file.write_text("")
    try:
        assert serving.send(alert(host.name)) == 503
        assert serving.get("/readyz") == (503, "nobody is known by a token any more; the log says why\n")
        assert serving.get("/metrics")[0] == 503
        assert serving.log.read_text().count("nobody is known any more") == 1
    finally:
        file.write_text(content)
    assert serving.get("/readyz") == (200, "ok\n")
    assert serving.send(alert(labels={"alertname": "Watchdog"})) == 202


def test_its_commands_print_the_json_that_is_documented(serving, host):
    """Of all that the tests before this one have left, too."""
    serving.send(alert(host.name), alert("nobody"))
    ended = serving.until_state(host, "ended")
    for command in ("episodes", "quarantine", "proven"):
        told = as_documented(
            command, serving.command(command, "--json", *(["-n", "500"] * (command != "proven"))).stdout
        )
        assert len(told) > 0, command
    # One of each kind.
    for one in {episode["outcome"]: episode for episode in serving.episodes()}.values():
        told = as_documented("episode", serving.command("episode", one["id"], "--json").stdout)
        assert told["id"] == one["id"]
    assert ended["outcome"] == "resolved"


def test_what_a_sender_left_out_is_in_metrics_and_quarantine_and_what_came_is_worked_on(serving, host):
    def counted() -> float:
        return float(re.search(r"^oncall_truncated_alerts_total (\S+)$", serving.get("/metrics")[1], re.M).group(1))  # type: ignore[union-attr]

    before = counted()
    body = {
        "version": "4",
        "alerts": [alert(host.name)],
        "truncatedAlerts": 9000,
        "receiver": "oncall",
        "groupKey": "g",
    }
    status, answer = serving.request("POST", "/alerts", json.dumps(body).encode())
    assert (status, json.loads(answer)) == (202, {"alerts": 1, "not_readable": 0, "left_out": 9000})
    serving.until_state(host, "ended")
    assert counted() - before == 9000
    (row,) = [one for one in json.loads(serving.command("quarantine", "--json").stdout) if "left out" in one["reason"]]
    assert row["alert"] == {"left_out": 9000, "receiver": "oncall", "group": "g"}


def test_an_alert_of_grafana_begins_a_run(serving, host):
    body = {
        "version": "1",
        "orgId": 1,
        "state": "alerting",
        "title": "x",
        "alerts": [{**alert(host.name), "values": {"A": 1}}],
    }
    assert serving.request("POST", "/alerts", json.dumps(body).encode())[0] == 202
    assert serving.until_state(host, "ended")["outcome"]


def test_an_alert_that_always_fires_is_only_seen(serving):
    serving.send(alert(labels={"alertname": "Watchdog"}))
    wait_until_empty(serving)
    (line,) = [one for one in serving.get("/metrics")[1].splitlines() if one.startswith("oncall_watchdog_age_seconds ")]
    assert 0 <= float(line.split()[1]) < 60


def test_a_run_is_killed_by_a_person(serving, host):
    host.restart_takes(30)
    serving.send(alert(host.name))
    until(lambda: host.effects() == 1)
    assert serving.command("cancel", serving.one(host)["id"]).returncode == 0
    ended = serving.until_state(host, "ended")
    # It was acting: nobody knows what it left behind.
    assert ended["outcome"] == "interrupted"
    until(lambda: serving.processes() == [])


PATIENT = {"cache": {"mode": "auto", "variables": {"cache_timeout_seconds": 120}}}


def until_it_looks(serving, host) -> None:
    """Wait until a run looks at the host, which takes it a while."""
    host.restart_takes(0, status_seconds=60)
    serving.send(alert(host.name))
    until(lambda: host.looks() > 0)


def cut_while_it_looks(serving, host) -> None:
    until_it_looks(serving, host)
    serving.kill()
    host.restart_takes(0)


@with_settings(runbooks=PATIENT)
def test_what_was_cut_off_before_it_acted_is_begun_again(serving, host):
    """As it would be begun now: somebody has paused everything meanwhile."""
    cut_while_it_looks(serving, host)
    pause = serving.folder / "state" / "pause"
    pause.write_text("the network is looked at")
    try:
        serving.start()
        serving.until_reason(host, "the network is looked at")
        assert host.effects() == 0
    finally:
        pause.unlink()
    ended = serving.until_state(host, "ended")
    assert (ended["outcome"], ended["runs"], host.effects()) == ("resolved", 2, 1)


def forget(serving, *names) -> None:
    """Remove what the play of a run would have removed by now."""
    for name in names:
        (file,) = serving.folder.rglob(name)
        file.unlink()


def claimed(serving, host) -> dict[str, Any]:
    """The claim of a run that was killed right after it had it."""
    run = f"{serving.one(host)['id']}r1"
    asked = {"state": "claim", "run_id": "cut0ff", "runbook": "cache", "owner": f"oncall serve, run {run}"}
    remedies = [{"remedy": "restart_redis", "cause": "redis_down", "targets": [], "undo": None}]
    path = f"{host.folder}/state/ledger.sqlite3"
    defaults = {name: option.get("default") for name, option in ARGUMENT_SPEC.items()}
    answer = ledger.apply({**defaults, **asked, "path": path, "remedies": remedies})
    assert answer["granted"], answer
    return answer


@with_settings(runbooks=PATIENT)
def test_what_was_cut_off_with_its_claim_and_before_its_remedy_is_begun_again(serving, host):
    cut_while_it_looks(serving, host)
    forget(serving, "untouched")
    claimed(serving, host)
    serving.start()
    ended = serving.until_state(host, "ended")
    assert (ended["outcome"], ended["runs"], host.effects()) == ("resolved", 2, 1)


@with_settings(runbooks=PATIENT)
def test_what_was_cut_off_where_its_claim_cannot_be_given_back_is_not_begun_again(serving, host):
    cut_while_it_looks(serving, host)
    forget(serving, "untouched")
    claimed(serving, host)
    path = host.folder / "state" / "ledger.sqlite3"
    path.write_bytes(b"this is no ledger" * 1000)
    serving.start()
    ended = serving.until_state(host, "ended")
    assert (ended["outcome"], ended["runs"], host.effects()) == ("interrupted", 1, 0)
    assert "could not be given back" in serving.log.read_text()


@with_settings(runbooks=PATIENT)
def test_what_was_cut_off_where_nobody_can_tell_is_not_begun_again(serving, host):
    """Its folder went with the memory that it was in."""
    cut_while_it_looks(serving, host)
    forget(serving, "untouched", "not_begun")
    serving.start()
    ended = serving.until_state(host, "ended")
    assert (ended["outcome"], ended["runs"], host.effects()) == ("interrupted", 1, 0)


@with_settings(runbooks=PATIENT)
def test_a_run_that_was_killed_by_a_person_before_it_acted_is_only_canceled(serving, host):
    until_it_looks(serving, host)
    assert serving.command("cancel", serving.one(host)["id"], "--reason", "enough").returncode == 0
    ended = serving.until_state(host, "ended")
    assert (ended["outcome"], host.effects()) == ("canceled", 0)


@with_settings(runbooks=PATIENT, drain_seconds=1)
def test_what_sigterm_kills_before_it_acted_is_begun_again(serving, host):
    until_it_looks(serving, host)
    assert serving.terminate() == 0
    host.restart_takes(0)
    assert (serving.processes(), host.effects()) == ([], 0)
    assert serving.one(host)["state"] == "queued"
    serving.start()
    ended = serving.until_state(host, "ended")
    assert (ended["outcome"], ended["runs"], host.effects()) == ("resolved", 2, 1)


def test_a_person_cancels_while_it_goes_down(serving, host):
    host.restart_takes(60)
    serving.send(alert(host.name))
    until(lambda: host.effects() == 1)
    assert serving.process is not None
    serving.process.terminate()
    until(lambda: "waiting for 1 runs to end" in serving.log.read_text())
    began = time.monotonic()
    assert serving.command("cancel", serving.one(host)["id"]).returncode == 0
    assert serving.process.wait(60) == 0
    # The remedy would take a minute.
    assert time.monotonic() - began < 45
    serving.start()
    assert serving.until_state(host, "ended")["outcome"] == "interrupted"


def test_a_database_that_was_removed(serving, host):
    file = serving.folder / "state" / "oncall.sqlite3"
    moved = file.rename(file.with_suffix(".moved"))
    try:
        assert serving.send(alert(host.name)) == 503
        until(lambda: serving.get("/readyz")[0] == 503)
        paused = serving.command("pause", "--reason", "where nobody would read it")
        assert (paused.returncode, len(paused.stderr.splitlines())) == (64, 1)
        assert "oncall serve makes it" in paused.stderr
        assert not file.exists()
    finally:
        moved.rename(file)
    # That it is back is not enough: somebody may have written to either of the two.
    assert serving.send(alert(host.name)) == 503
    serving.terminate()
    serving.start()
    assert serving.send(alert(host.name)) == 202
    until(lambda: serving.get("/readyz")[0] == 200)
    assert serving.until_state(host, "ended")["outcome"] == "resolved"


def test_sigterm_lets_runs_end(serving, host, other):
    host.restart_takes(3)
    serving.send(alert(host.name))
    until(lambda: host.effects() == 1)
    assert serving.terminate() == 0
    assert serving.one(host)["outcome"] == "resolved"

    serving.write(drain_seconds=1)
    serving.start()
    other.restart_takes(30)
    serving.send(alert(other.name))
    until(lambda: other.effects() == 1)
    began = time.monotonic()
    assert serving.terminate() == 0
    assert time.monotonic() - began < 25
    assert serving.processes() == []
    assert serving.one(other)["state"] == "running"
    serving.start()
    ended = serving.until_state(other, "ended")
    assert (ended["outcome"], other.effects()) == ("interrupted", 1)
    assert "cut off while it was acting" in ended["summary"]
    # Its claim was found.
    assert f"oncall serve, run {ended['id']}r1" in ended["summary"], ended["summary"]
