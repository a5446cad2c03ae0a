# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Episodes, runs and records of the service -> the incidents that they come to."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.oncall.runbooks.tests.support.stores import first, new_store
from oncall.incidents.attach import Attaching, Proposal, Signs, Where, guarded
from oncall.incidents.books import Incidents
from oncall.incidents.store.heads import Heads
from oncall.incidents.store.timeline import IncidentStore
from oncall.incidents.together import MOST_DIFF, _of_one, diff, metric, system_of
from oncall.results import Action, Finding, HostResult, Outcome, Plan, Result, RunbookRun, Step
from oncall.serve.decide.plans import Plans
from oncall.serve.play.executor import Ending
from oncall.serve.play.player import Player
from oncall.serve.settings import Route
from oncall.serve.store.tables import EPISODES

NOW = 1_770_000_000.0
SYSTEMS = {"synap": ["web"], "forum": ["h9"]}
MEMBERS = {"web": {"h1", "h2"}, "all": {"h1", "h2", "h9"}}


class Case:
    """A database of the service, whose clock is set by hand."""

    def __init__(self, folder: Path) -> None:
        self.store = new_store(folder / "state")
        self.now = NOW
        self.below = IncidentStore.beside(self.store)
        self.incidents = Incidents(self.below, Heads(str(folder / "state")), clock=lambda: self.now)
        self.where = Where(lambda host, labels: system_of(host, labels, SYSTEMS, MEMBERS, "system"), 1800.0)
        self.count = 0

    def alert(self, host="h1", runbook="db_pool", at=None, name="PoolEmpty", times=1, **more) -> str:
        """An episode of an alert, or of so many, each on a host of its own; its id."""
        at = self.now if at is None else at
        shown = {
            "labels": {"alertname": name, **more.pop("labels", {})},
            "starts_at": more.pop("starts_at", ""),
            "annotations": more,
        }
        rows = []
        for one in range(times):
            self.count += 1
            rows.append({
                "id": f"{self.count:020x}", "runbook": runbook, "host": f"h{one}" if times > 1 else host, "fingerprint": "f",
                "alert": json.dumps(shown), "mode": "auto", "state": "queued", "stage": "act", "received_at": at, "seen_at": at,
                "queued_at": at,
            })  # fmt: skip
        self.store.sort((), rows, [], [], {})
        return rows[0]["id"]

    def over(self, *episodes) -> None:
        self.store.sort((), [], [(one, self.now) for one in episodes], [], {})

    def run(self, episode: str, result: Result | None = None, outcome="resolved", note="") -> str:
        """A run of an episode, from its beginning to its end; its id."""
        with self.store.decision() as decision:
            (one,) = [one for one in decision.waiting(first(self.store, 100)) if one.episode == episode]
            run = decision.admit(one, "one", self.now)
        self.store.begin(run, "one", 0, self.now)
        if note:
            self.store.note(episode, note)
        told = json.dumps(result.to_dict(), default=str) if result else ""
        values = {"state": "ended", "outcome": outcome, "summary": "it is", "ended_at": self.now, "result": told}
        self.store.conclude(run, outcome, {}, episode, values)
        return run

    def turn(self) -> bool:
        attaching = Attaching(self.incidents, self.below, lambda: self.where)
        attaching._has_begun = self.count > 0
        self.now += 1
        return attaching.turn(self.now)

    def listed(self) -> list[tuple[str, str, str, int]]:
        return [(one.name, one.system, one.state, one.count) for one in reversed(self.incidents.listed())]

    def kinds(self, name: str) -> list[str]:
        return [one.kind for one in self.incidents.timeline(name)]


@pytest.fixture
def case(tmp_path) -> Iterator[Case]:
    made = Case(tmp_path)
    try:
        yield made
    finally:
        made.store.close()


def result(host="h1", outcome=Outcome.RESOLVED, helped: bool | None = True) -> Result:
    step = Step("restart", "pool_exhausted", "low", ("api",), True, words="api", does="restarts it")
    actions = (
        (Action("restart", "pool_exhausted", "low", ("api",), "applied", helped, 2.0),) if helped is not None else ()
    )
    found = (Finding("pool_exhausted", "problem", "25 of 25 in use", evidence={"used": 25}), Finding("disk", "ok"))
    run = RunbookRun(
        "r", "db_pool", outcome, "pool was full", NOW, 3.0, found, Plan("p0123456789abcde", "low", (step,)), actions,
        before_and_after=("used 25 -> 3",),
    )  # fmt: skip
    return Result("db_pool", "act", "ended", NOW, 3.0, {host: HostResult(host, outcome, "pool was full", (run,))})


def test_overlapping_alerts_of_a_system_are_one_incident_and_those_of_another_are_another(case):
    case.alert("h1", summary="the pool of h1 is empty, password=hunter2")
    case.alert("h2", "latency", name="Slow")
    case.alert("h9", "disk_full", name="DiskFull")
    case.alert("h7", "cache", name="Down", labels={"system": "shop"})
    case.turn()
    assert case.listed() == [
        ("INC-1", "synap", "triggered", 2), ("INC-2", "forum", "triggered", 1), ("INC-3", "shop", "triggered", 1),
    ]  # fmt: skip
    one = case.incidents.find("1")
    assert (one.hosts, one.runbooks, one.source) == (("h1", "h2"), ("db_pool", "latency"), "alert")
    assert one.title.startswith("the pool of h1 is empty") and "hunter2" not in json.dumps(case.incidents.document("1"))
    case.alert("h2", "error_rate", name="Errors")
    case.turn()
    assert case.kinds("1") == ["opened", "alert", "alert", "alert"]
    # Doing it twice is doing it once.
    before = case.incidents.document("1")
    case.turn()
    assert case.incidents.document("1") == before


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("2026-02-02T02:30:00.123456789+00:00", 1_769_999_400 + 0.123456789),
        ("2026-02-02T03:30:00+01:00", 1_769_999_400.0),
        ("2026-02-02T02:30:00Z", 1_769_999_400.0),
        ("0001-01-01T00:00:00Z", None),
        ("2026-02-02T02:30:00", None),
        ("soon", None),
    ],
)
def test_the_post_mortem_says_when_the_first_alert_says_that_it_began(case, said, seconds):
    case.alert(host="h2", name="Slow", starts_at="2026-02-02T02:30:10Z" if seconds else "")
    case.alert(starts_at=said)
    case.turn()
    began, detected = case.incidents.postmortem("1").moments[:2]
    assert (began.name, began.at) == ("began", seconds)
    assert began.not_known == ("" if seconds else "no alert says when it began")
    assert detected.step_seconds == (round(detected.at - seconds, 3) if seconds else None)


def test_ten_thousand_alerts_of_one_cause_are_one_incident_with_a_count(case):
    case.alert(times=1200)
    case.where = Where(lambda _host, _labels: "shop")
    assert case.turn() is True
    while case.turn():
        pass
    ((_name, system, _state, count),) = case.listed()
    assert (system, count) == ("shop", 1200)
    entries = case.incidents.timeline("1")
    assert len(entries) <= 5
    assert entries[1].words.startswith("500 alerts PoolEmpty on h") and "more" in entries[1].words
    assert case.incidents.verify("1")[1].is_sound


def test_a_run_tells_what_it_found_planned_and_did_and_whether_it_helped(case):
    episode = case.alert()
    case.turn()
    run = case.run(episode, result(), note="agreed by ann")
    case.turn()
    assert case.kinds("1") == [
        "opened",
        "alert",
        "approval",
        "finding",
        "plan",
        "action",
        "verification",
        "run",
        "mitigated",
    ]
    entries = {one.kind: one for one in case.incidents.timeline("1")}
    assert (entries["approval"].who, entries["approval"].data["plan_hash"]) == ("ann", "p0123456789abcde")
    assert entries["approval"].words == "approved the plan of db_pool on h1 (p0123456789abcde)"
    assert entries["plan"].data["diff"].splitlines() == [
        "restart for pool_exhausted (risk low)", "- 25 of 25 in use", "+ restarts it: api",
    ]  # fmt: skip
    assert entries["finding"].data["evidence"] == {"used": 25} and entries["finding"].data["cause"] == "pool_exhausted"
    assert entries["action"].data["target"] == ["api"] and entries["verification"].data["helped"] is True
    assert entries["run"].run == run == entries["run"].data["uuid"]
    assert entries["mitigated"].words == "mitigated: db_pool: restart helped"
    told = case.incidents.find("1")
    assert (told.state, told.outcomes, told.helped, told.runs) == ("mitigated", {"resolved": 1}, 1, (run,))
    case.turn()
    assert len(case.kinds("1")) == 9


def planned(targets=("api",), summary="25 of 25 in use", does="restarts it") -> Result:
    steps = (
        Step("restart", "pool_exhausted", "low", tuple(targets), True, words="api", does=does),
        Step("grow", "pool_exhausted", "high", ("db",), False, "nobody said how"),
    )
    run = RunbookRun(
        "r", "db_pool", Outcome.PLANNED, "pool was full", NOW, 3.0, (Finding("pool_exhausted", "problem", summary),),
        Plan("p0123456789abcde", "low", steps),
    )  # fmt: skip
    host = HostResult("h1", Outcome.PLANNED, "pool was full", (run,))
    return Result("db_pool", "check", "ended", NOW, 3.0, {"h1": host})


def test_the_diff_of_a_plan_is_bounded_and_has_no_secrets_and_no_steps_that_are_not_taken():
    run = planned(
        [{"pid": 7, "query": "ALTER ROLE app PASSWORD 'hunter2'"}, "postgres://app:hunter2@db/shop", "a\n+ b\x1b[31m"],
        "password=hunter2 is refused",
    ).hosts["h1"].runs[0]  # fmt: skip
    (plan,) = [one for one in _of_one(run, "h1", "r1", NOW, NOW, "oncall") if one.kind == "plan"]
    lines = plan.data["diff"].splitlines()
    assert [one[:2] for one in lines] == ["re", "- ", "+ ", "+ ", "+ "] and lines[-1] == "+ restarts it: a + b"
    assert "hunter2" not in plan.data["diff"] and "grow" not in plan.data["diff"] and "\x1b" not in plan.data["diff"]

    for targets in (["x" * 5000] * 3, [f"target {one} {'y' * 100}" for one in range(2000)]):
        run = planned(targets).hosts["h1"].runs[0]
        (plan,) = [one for one in _of_one(run, "h1", "r1", NOW, NOW, "oncall") if one.kind == "plan"]
        lines = plan.data["diff"].splitlines()
        assert len(plan.data["diff"]) <= MOST_DIFF + 60
        assert lines[-1] == f"… and {len(diff(run)) - len(lines) + 1} lines more; the steps say them"


@pytest.mark.parametrize("is_known", [True, False], ids=["in its timeline", "not yet"])
def test_a_rejection_is_in_the_timeline_once_whether_the_episode_had_come_to_its_incident_or_not(case, is_known):
    episode = case.alert()
    if is_known:
        case.turn()
    run = case.run(episode, planned(), "planned")
    waits = {"state": "waiting", "until": case.now + 60, "plan_hash": "p0123456789abcde", "ended_at": None}
    case.store.change(episode, "ended", waits)
    plans = Plans(case.store, case.below, lambda: case.incidents, clock=lambda: case.now)
    told = plans.decide(episode, "p0123456789abcde", "rejected", "a migration\nholds it", "ann")
    assert (told.incident, told.entry) == (("INC-1", 3) if is_known else (None, None))
    case.turn()
    case.turn()
    kinds = case.kinds("1")
    assert kinds.count("approval") == 1 and kinds.count("run") == 1
    entries = {one.kind: one for one in case.incidents.timeline("1")}
    one = entries["approval"]
    assert (one.who, one.data) == ("ann", {
        "plan_hash": "p0123456789abcde", "decision": "rejected", "reason": "a migration holds it", "runbook": "db_pool", "host": "h1",
        "episode": episode,
    })  # fmt: skip
    assert one.at <= case.now - 2
    # How the run ended is not what a person said of its plan.
    assert (entries["run"].run, entries["run"].words) == (run, "db_pool on h1 ended as planned: pool was full")


class Planner:
    """An executor whose every look finds a plan."""

    def __init__(self, case: Case) -> None:
        self.case, self.plan_hash = case, "p0123456789abcde"

    def play(self, _order, _cancel):
        told = planned().to_dict()
        return Ending("planned", "pool was full", result=told, planned=("db_pool",), plan_hashes=(self.plan_hash,))

    def look(self, episode: str) -> dict:
        """The run of an episode, as the service plays it; the episode afterwards."""
        store = self.case.store
        store.change(episode, "queued", {"mode": "approve", "stage": "check"})
        route = {"db_pool": Route(mode="approve", approve_seconds=60)}.get
        player = Player(store, lambda: self, "one", Here(), route, lambda *_asked: (), lambda *_told: None)
        with store.decision() as decision:
            (one,) = [one for one in decision.waiting(first(store, 100)) if one.episode == episode]
            run = decision.admit(one, "one", self.case.now)
        told = player.play(run)
        player.conclude(run, told)
        return store.episode(episode)

    def reject(self, episode: str) -> None:
        plans = Plans(self.case.store, self.case.below, lambda: self.case.incidents, clock=lambda: self.case.now)
        plans.decide(episode, self.plan_hash, "rejected", "a migration holds it", "ann")


class Here:
    """A node that is alone."""

    number = 0

    def check(self):
        pass


def test_a_plan_that_was_rejected_is_not_asked_again_in_the_same_incident(case):
    plays = Planner(case)
    one = case.alert()
    case.turn()
    assert plays.look(one)["state"] == "waiting"
    plays.reject(one)
    two = case.alert(name="PoolWaits")
    case.turn()
    told = plays.look(two)
    why = f"rejected by ann at 2026-02-02 02:40 UTC (episode {one[:12]}): a migration holds it"
    assert (told["state"], told["outcome"], told["summary"]) == ("ended", "canceled", why)
    case.turn()
    case.turn()
    known = {one.kind: one for one in case.incidents.timeline("1")}
    (said,) = [one for one in case.incidents.timeline("1") if one.kind == "suppressed"]
    what = "the plan of db_pool on h1 (p0123456789abcde)"
    assert said.words == f"not asked again: {what}, because it was {why}"
    assert said.data["rejected_in"] == known["approval"].number and known["approval"].who == "ann"
    # That is no second decision, and the second run says what it came to itself.
    assert case.kinds("1").count("approval") == 1
    assert known["run"].words == "db_pool on h1 ended as planned: pool was full"
    # Another plan is another question.
    plays.plan_hash = "p99"
    three = case.alert(name="PoolGone")
    case.turn()
    assert plays.look(three)["state"] == "waiting"


def test_a_rejection_holds_for_no_other_incident(case):
    plays = Planner(case)
    one = case.alert()
    case.turn()
    plays.look(one)
    plays.reject(one)
    case.over(one)
    case.incidents.resolve("1", "it went away", who="ann")
    case.incidents.close("1", who="ann", why="no review")
    two = case.alert(name="PoolWaits")
    case.turn()
    assert len(case.listed()) == 2
    assert plays.look(two)["state"] == "waiting"


def test_without_incidents_a_rejection_holds_while_its_alert_fires(case):
    plays = Planner(case)
    one = case.alert()
    plays.look(one)
    plays.reject(one)
    assert plays.look(case.alert(name="PoolWaits"))["outcome"] == "canceled"
    case.over(one)
    assert plays.look(case.alert(name="PoolGone"))["state"] == "waiting"


def test_an_episode_that_comes_to_its_incident_while_its_plan_is_decided_on_is_in_its_timeline(case, monkeypatch):
    episode = case.alert()
    case.run(episode, planned(), "planned")
    waits = {"state": "waiting", "until": case.now + 60, "plan_hash": "p0123456789abcde", "ended_at": None}
    case.store.change(episode, "ended", waits)
    owner, asked = case.below.owner, []

    def quick(*part):
        asked.append(part)
        found = owner(*part)
        if len(asked) == 1:
            case.turn()
        return found

    monkeypatch.setattr(case.below, "owner", quick)
    plans = Plans(case.store, case.below, lambda: case.incidents, clock=lambda: case.now)
    told = plans.decide(episode, "p0123456789abcde", "approved", "", "ann")
    assert (told.incident, case.kinds("1").count("approval")) == ("INC-1", 1)
    assert case.store.episode(episode)["note"] == "approved by ann"


def test_what_helped_on_one_of_two_hosts_has_not_mitigated_it(case):
    one, two = case.alert("h1"), case.alert("h2")
    case.turn()
    case.run(one, result())
    case.turn()
    assert case.incidents.find("1").state == "triggered"
    # What the first remedy did was enough for the second as well.
    case.run(two, result("h2", Outcome.HEALTHY, None), "healthy")
    case.turn()
    assert case.incidents.find("1").state == "mitigated"
    assert case.incidents.timeline("1")[-1].data["how"].startswith("a remedy had helped")


@pytest.mark.parametrize(
    ("told", "outcome", "state"),
    [
        (result(helped=False, outcome=Outcome.UNRESOLVED), "unresolved", "triggered"),
        (result(helped=None, outcome=Outcome.HEALTHY), "healthy", "triggered"),
        (None, "interrupted", "triggered"),
        # It ended well, and nothing proves that it was this run.
        (result(helped=False), "resolved", "triggered"),
    ],
)
def test_what_is_not_proven_to_have_helped_mitigates_nothing(case, told, outcome, state):
    case.alert()
    case.turn()
    case.run(f"{1:020x}", told, outcome)
    case.turn()
    assert case.kinds("1")[-1] == "run"
    assert case.incidents.find("1").state == state


def test_the_end_of_an_alert_is_in_the_timeline_once(case):
    first_of, second_of, other = case.alert(), case.alert(host="h2"), case.alert(name="PoolWaits")
    case.turn()
    case.now += 60
    over_at = case.now
    case.over(other)
    case.turn()
    case.turn()
    ends = [one for one in case.incidents.timeline("1") if one.kind == "alert_ended"]
    assert [(one.words, one.at, one.who) for one in ends] == [("alert PoolWaits ended on h1", over_at, "oncall")]
    assert (ends[0].data["ends_at"], ends[0].data["count"], ends[0].data["runbook"]) == (over_at, 1, "db_pool")
    case.now += 60
    case.over(first_of, second_of)
    # Two nodes that see it at the same time write it once.
    for _ in range(2):
        Attaching(case.incidents, case.below, lambda: case.where)._ends()
    case.turn()
    ends = [one for one in case.incidents.timeline("1") if one.kind == "alert_ended"]
    assert [one.words for one in ends[1:]] == ["2 alerts PoolEmpty ended on h1, h2"]
    assert case.incidents.find("1").count == 3 and case.incidents.verify("1")[1].is_sound
    told = case.incidents.postmortem("1").to_dict()
    assert [one["words"] for one in told["timeline"] if one["kind"] == "alert_ended"] == [one.words for one in ends]


def test_of_what_is_closed_and_of_a_look_of_the_service_no_end_is_written(case):
    one = case.alert()
    case.turn()
    look = case.alert(name="Watch")
    case.turn()
    with case.store._engine.begin() as connection:
        connection.execute(EPISODES.update().where(EPISODES.c.id == look).values(fingerprint=""))
    case.over(look)
    case.turn()
    case.incidents.resolve("1", "it went away", who="ann")
    case.incidents.close("1", who="ann", why="no review")
    before = case.kinds("1")
    case.over(one)
    case.turn()
    assert case.kinds("1") == before and "alert_ended" not in before


def test_what_is_over_for_the_watch_is_resolved_and_what_comes_within_the_next_opens_it_again(case):
    one, two = case.alert(), case.alert("h2")
    case.turn()
    case.over(one)
    case.now += 3600
    case.turn()
    assert case.incidents.find("1").state == "triggered"
    case.over(two)
    case.now += 1700
    case.turn()
    assert case.incidents.find("1").state == "triggered"
    case.now += 200
    case.turn()
    assert case.incidents.timeline("1")[-1].words == "resolved: its 2 alerts are over for 30 min"
    case.now += 600
    case.alert("h2")
    case.turn()
    told = case.incidents.find("1")
    assert (told.state, told.reopenings, told.count) == ("triggered", 1, 3)
    assert case.kinds("1")[-2:] == ["reopened", "alert"] and case.incidents.timeline("1")[-2].data["relapse"] is True


def test_another_cause_after_the_resolution_is_another_incident_that_is_linked_where_it_is_the_same(case):
    case.over(case.alert())
    case.turn()
    case.incidents.resolve("1", "restarted", who="ann")
    case.now += 60
    case.alert("h1", "disk_full")
    case.turn()
    assert case.listed() == [("INC-1", "synap", "resolved", 1), ("INC-2", "synap", "triggered", 1)]
    case.incidents.resolve("2", "made room", who="ann")
    case.now += 4000
    case.over(f"{2:020x}")
    case.alert("h1")
    case.turn()
    assert case.incidents.find("3").links[0].id == case.incidents.find("1").id


def test_a_closed_one_never_changes_and_a_repeat_names_it(case):
    case.over(case.alert())
    case.turn()
    case.incidents.resolve("1", "restarted", who="ann")
    case.incidents.close("1", who="ann")
    before = case.incidents.document("1")
    case.now += 10
    case.alert()
    case.turn()
    assert case.incidents.find("2").opens_again == case.incidents.find("1").id
    assert case.incidents.document("1") == before


def test_what_had_come_before_it_was_resolved_opens_nothing_again(case):
    case.alert()
    case.turn()
    late = case.now
    case.now += 60
    case.incidents.resolve("1", "restarted", who="ann")
    case.alert("h2", at=late + 1)
    case.turn()
    assert case.listed() == [("INC-1", "synap", "resolved", 2)]


def test_what_still_fires_after_a_person_resolved_it_opens_it_again(case):
    episode = case.alert()
    case.turn()
    case.incidents.resolve("1", "I think so", who="ann")
    case.now += 1000
    case.turn()
    assert case.incidents.find("1").state == "resolved"
    case.now += 1000
    row = {**case.store.episode(episode), "seen_at": case.now}
    row["alert"] = json.dumps(row["alert"])
    case.store.sort((), [row], [], [], {})
    case.turn()
    assert (
        case.incidents.timeline("1")[-1].words == "came again: an alert of it still fires 30 min after it was resolved"
    )


def test_runs_and_alerts_of_what_was_merged_go_to_the_one_that_goes_on(case):
    one = case.alert("h1")
    case.alert("h9", "disk_full")
    case.turn()
    case.incidents.merge("1", "2", who="ann")
    case.run(one, result())
    case.turn()
    assert case.kinds("1")[-1] == "merged"
    assert case.kinds("2")[-1] == "run"
    # The alert of the other host still fires.
    assert case.incidents.find("2").state == "triggered"


def test_a_run_that_ends_after_it_was_closed_changes_nothing(case, caplog):
    episode = case.alert()
    case.turn()
    case.incidents.cancel("1", "a drill", who="ann")
    case.run(episode, result())
    before = case.incidents.document("1")
    case.turn()
    assert case.incidents.document("1") == before
    assert "ended after INC-1 was cancelled, which does not change any more" in caplog.text
    assert case.below.new_runs(9) == []


def test_what_was_over_before_incidents_were_kept_is_none(case):
    old = case.alert()
    case.run(old, result())
    case.alert("h9", "disk_full")
    case.below.begin_with_incidents(case.now)
    case.turn()
    assert case.listed() == [("INC-1", "forum", "triggered", 1)]


def test_no_secret_of_a_label_comes_into_the_timeline(case):
    case.alert(labels={"api_token": "hunter22", "dsn": "postgresql://app:s3cretword@db/shop", "severity": "critical"})
    case.turn()
    (alert,) = [one for one in case.incidents.timeline("INC-1") if one.kind == "alert"]
    assert alert.data["labels"]["severity"] == "critical" and "@db/shop" in alert.data["labels"]["dsn"]
    assert "hunter22" not in str(alert.to_dict()) and "s3cretword" not in str(alert.to_dict())


def test_what_is_gone_leaves_no_rows_behind(case):
    case.run(case.alert(), result())
    case.turn()
    case.store.forget(case.now + 1e6, lambda _runs: None)
    case.below.forget_what_is_gone()
    assert case.below.owners("episode", [f"{1:020x}"]) == {}
    assert case.kinds("1")[-1] in ("run", "mitigated")


def test_a_proposal_is_kept_with_the_policy_it_begins_with(case):
    proposal = Proposal("P0", "synap", ("all users",), {"steps": [15, 30]})
    case.where = Where(case.where.system, propose=lambda _firing: proposal)
    case.alert()
    case.turn()
    one = case.incidents.find("1")
    assert (one.severity, one.severity_proposed, one.severity_by, one.policy) == ("P0", "P0", "", {"steps": [15, 30]})


def test_triage_says_which_runbooks_and_which_facts_decide_how_severe_it_is(case):
    asked = []

    def judge(system, signs):
        asked.append((system, signs))
        return ("P0", "P1"), Proposal("P0", "P0-P1", ("every request fails",))

    case.where = Where(case.where.system, propose=lambda _firing: Proposal("P1", "P0-P1"), judge=judge)
    found = (Finding("api_down", "problem", "it fails"), Finding("cache", "ok"))
    facts = {"every_request_fails": "every request fails"}
    run = RunbookRun("r", "triage", Outcome.ADVISED, "first api_down", NOW, 3.0, found, facts=facts)
    host = HostResult("h1", Outcome.ADVISED, "first api_down", (run,))
    case.run(
        case.alert(labels={"severity": "warning"}),
        Result("triage", "diagnose", "ended", NOW, 3.0, {"h1": host}),
        "advised",
    )
    case.turn()
    assert asked == [("synap", Signs(["warning"], ["api_down"], facts))]
    assert case.incidents.find("1").severity == "P0"


def test_what_fails_is_said_once_and_holds_nothing_up(caplog):
    def broken():
        raise ValueError("no such luck")

    turn = guarded(broken)
    with caplog.at_level(logging.ERROR):
        assert [turn(), turn()] == [False, False]
    assert caplog.text.count("could not be brought to its incidents: ValueError: no such luck") == 1


# ---------------------------------------------------------------------- records
def record(at: float, host="h1", outcome="resolved", ident="aaaa1111") -> dict:
    run = {
        "run_id": "x", "runbook": "db_pool", "host": host, "outcome": outcome, "summary": "pool was full", "started_at": at,
        "findings": [{"cause": "pool_exhausted", "status": "problem", "summary": "full"}], "plan": {"hash": "p0", "steps": []},
        "actions": [{"remedy": "restart", "cause": "pool_exhausted", "risk": "low", "targets": ["api"], "state": "applied", "helped": True}],
    }  # fmt: skip
    return {
        "id": ident,
        "file": f"/r/2026-db_pool-{ident}.json",
        "started_at": at,
        "finished_at": at + 9,
        "runs": [run],
    }


@pytest.mark.parametrize(
    ("at", "host", "is_its"),
    [(60, "h1", True), (-600, "h1", True), (-7200, "h1", False), (60, "h2", True), (60, "h9", False)],
)
def test_a_run_of_ansible_playbook_comes_to_the_incident_of_its_time_and_system(case, at, host, is_its):
    episode = case.alert()
    case.turn()
    case.over(episode)
    attaching = Attaching(case.incidents, case.below, lambda: case.where)
    done = attaching.record(record(NOW + at, host))
    assert (done is not None) == is_its
    if is_its:
        assert case.kinds("1")[2:] == ["finding", "plan", "action", "verification", "run", "mitigated"]
        assert attaching.record(record(NOW + at, host)) is None


def test_a_record_of_which_there_is_no_incident_opens_one_where_it_is_wanted(case):
    attaching = Attaching(case.incidents, case.below, lambda: case.where)
    assert attaching.record(record(NOW, outcome="healthy"), is_opened=True) is None
    done = attaching.record(record(NOW, outcome="unresolved", ident="bbbb"), is_opened=True)
    assert (done.incident.source, done.incident.system) == ("run", "synap")
    assert attaching.record(record(NOW + 9e6, "h9", ident="cccc"), name="1") is not None
    for broken in ({}, {"id": "d", "runs": [{}]}, {"id": "e", "problem": "x", "runs": []}):
        assert attaching.record({"id": "x", **broken}) is None


def test_a_run_of_the_service_is_not_attached_again_by_its_record(case):
    run = case.run(case.alert(), result())
    case.turn()
    attaching = Attaching(case.incidents, case.below, lambda: case.where)
    assert attaching.record(record(NOW, ident=run)) is None


@pytest.mark.parametrize(
    ("line", "is_"),
    [
        (
            "the 95th percentile is 1,800 ms -> the 95th percentile is 120 ms",
            ("the 95th percentile is … ms", "ms", 1800.0, 120.0),
        ),
        ("p95 2.5 s of 40 requests -> p95 0.3 s of 40 requests", ("p95 … s of 40 requests", "s", 2.5, 0.3)),
        ("31 % of requests fail -> 0 % of requests fail", ("… % of requests fail", "%", 31.0, 0.0)),
        ("3 of 5 replicas -> 5 of 5 replicas", ("… of 5 replicas", "", 3.0, 5.0)),
        ("3 of 5 replicas -> 4 of 6 replicas", None),
        ("down -> up", None),
        ("10.0.0.1 answers -> 10.0.0.2 answers", None),
        ("nothing", None),
    ],
)
def test_a_number_that_changed_is_a_metric(line, is_):
    assert metric(line) == is_
