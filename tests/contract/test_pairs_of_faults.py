"""Two faults of one table at once: both are named, and nothing is done that neither alone asks for."""

from __future__ import annotations

import itertools
import os
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pytest
import table_rows
from collection import RUNBOOKS
from two_faults import Contradiction, both, differences, on_a_peer, pids_of

# All of them, and their figures: ONCALL_PAIRS=1000 pytest -s tests/contract/test_pairs_of_faults.py
PAIRS = int(os.environ.get("ONCALL_PAIRS", "18"))
# A cause that is a relation between things that the other fault changes, which no expression of the table says by itself.
TAKEN_AWAY = {
    (
        "auth_failures",
        "one_route",
    ): "who is logged in gets in elsewhere, and the other fault refuses the canary as well",
    **{
        ("notification_provider", cause): "of each channel one thing is wrong: the provider in use, or what it is given"
        for cause in ("application_refused", "messages_fail", "backlog")
    },
    ("migrations", "another_database"): "the tool asks the primary, and sees more than a standby that lags",
    ("migrations", "never_applied"): "a database in which the tool sees more is another one",
    ("migrations", "index_not_valid"): "nobody sees from a standby who builds it",
    ("migrations", "pending"): "it is not applied and nobody is at it, and the other fault has somebody who is",
    ("restore", "owner_unknown"): "a dump that makes its database itself says whose that was",
    ("notification_provider", "limit_left"): "little waits, and the other fault has much",
    ("notification_provider", "contradicted"): "the other fault keeps messages from going out",
    ("notification_provider", "paused_by_person"): "the other fault has the note that it was us",
    ("notification_provider", "provider_down"): "where no provider works, that is the cause",
    (
        "circuit_breaker",
        "one_replica",
    ): "it is open in one replica and closed in another, and the other fault opens it in all",
    ("db_pool", "one_replica"): "the pool of all together has room, and the other fault has it used up",
    ("db_pool", "application_unknown"): "no session of the application is to be seen, and the other fault shows some",
    ("disk_full", "growth"): "it is what the others leave, and there is more to reclaim now",
    (
        "payment_webhook",
        "wrong_secret",
    ): "the endpoint refuses what it is sent, and the other fault has it answer otherwise",
    (
        "job_scheduler",
        "dead_owner",
    ): "a lock holds jobs up where all are late, and the other fault has one that was started",
    (
        "job_scheduler",
        "scheduler_hangs",
    ): "all jobs are late, and the other fault has one that was started, or is turned off",
    ("job_scheduler", "waits_for_next_time"): "it was not started since its time, and the other fault has it started",
    ("job_scheduler", "not_scheduled"): "a job is not there, and the other fault has it",
    (
        "port_conflict",
        "port_free_but_service_down",
    ): "the last line of its log says so, and the other fault has a later one",
    (
        "rollback",
        "not_deployed",
    ): "all was started before the deployment, and the other fault has one that was started after it",
    ("stalled_workflow", "events_dead"): "none of its events is on its way, and the other fault has some, or no queue",
    ("stalled_workflow", "events_lost"): "there is no event for its records, and the other fault has some, or no queue",
    **dict.fromkeys(
        [
            ("stalled_workflow", cause)
            for cause in ("locks", "events_wait", "validator_fails", "just_started", "worker_hangs")
        ],
        "none of its records gets on, and the other fault has one that does",
    ),
    (
        "sync_lag",
        "interrupted",
    ): "a way that is shut now, a provider that is down or a dead scheduler is why it did not come to its end",
    ("sync_lag", "scheduler_dead"): "its service says why it starts nothing",
    (
        "worker_queue",
        "stuck",
    ): "all that runs is late and nothing is taken, and the other fault has something that runs or is taken",
    ("sync_lag", "scheduler_crashes"): "a row of the other has an inventory that names no service",
}
# What is in nobody's way until the other fault comes.
MADE_BY_BOTH = {
    ("disk_full", "container_logs"): "logs are in the way where the filesystem is full",
    ("notification_provider", "credentials"): "a check that fails and messages that fail are one fault together",
}


@dataclass
class Look:
    """What one row of a table test looked at."""

    runbook: str
    observed: dict[str, Any]
    variables: dict[str, Any]

    @cached_property
    def result(self) -> dict[str, Any]:
        from ansible_collections.oncall.runbooks.tests.support import tables

        return tables.diagnose(self.runbook, self.observed, **self.variables)

    @cached_property
    def problems(self) -> list[str]:
        return [one["cause"] for one in self.result["findings"] if one["status"] == "problem"]

    @property
    def acts(self) -> list[tuple[str, list[Any]]]:
        return [(step["remedy"], step["targets"]) for step in self.result["plan"]["steps"] if step["available"]]

    @cached_property
    def all(self) -> dict[str, Any]:
        return {"observed": self.observed, "variables": self.variables}


class Faults:
    """The faults of one table: for each cause the rows whose only problem it is, the least different from healthy first."""

    def __init__(self, runbook: str, rows: dict[str, list[dict[str, Any]]]) -> None:
        from ansible_collections.oncall.runbooks.plugins.plugin_utils.table import expand
        from ansible_collections.oncall.runbooks.tests.support import tables

        self.runbook = runbook
        variables = tables.role_variables(runbook)
        remedies = {path.stem for path in (tables.ROOT / "roles" / runbook / "tasks" / "remedies").glob("*.yml")}
        causes = variables[f"{runbook}_causes"]
        self.causes = expand(causes, remedies, variables.get(f"{runbook}_conclusive"))
        (healthy,) = rows[table_rows.rows(runbook)["HEALTHY_ROW"]][:1]
        self.healthy = Look(runbook, healthy["observed"], healthy["variables"])
        file = f"{table_rows.test_file(runbook)}::"
        mine = [one for name, found in rows.items() if name.startswith(file) for one in found]
        self._rows: dict[str, list[Look]] = {}
        for one in mine:
            named = set(one["words"]) & {slug for slug, cause in self.causes.items() if not cause.get("harmless")}
            if len(named) == 1:
                self._rows.setdefault(named.pop(), []).append(Look(runbook, one["observed"], one["variables"]))
        for looks in self._rows.values():
            looks.sort(key=lambda look: len(list(differences(self.healthy.all, look.all))))

    def pairs(self) -> list[tuple[str, str]]:
        return list(itertools.combinations([slug for slug in self.causes if slug in self._rows], 2))

    def of(self, cause: str) -> Iterator[Look]:
        return (look for look in self._rows[cause] if look.problems == [cause])

    def together(self, one: str, other: str) -> tuple[Look, Look, Look] | None:
        """A look for each of two causes, and one that shows both faults, where any two of their rows can be true at once."""
        # The first few of each: others differ in more, which makes a contradiction likelier.
        for first, second in itertools.product(self._rows[one][:6], self._rows[other][:6]):
            moved = on_a_peer(self.healthy.all, first.all, second.all)
            added = [pids_of(look) - pids_of(self.healthy.all) for look in (first.all, second.all)]
            if added[0] & added[1]:
                continue
            try:
                merged = both(self.healthy.all, first.all, moved)
            except Contradiction:
                continue
            second = second if moved is second.all else Look(self.runbook, **moved)
            if first.problems == [one] and second.problems == [other]:
                return first, second, Look(self.runbook, **merged)
        return None

    def needs(self, cause: str, merged: Look) -> list[Any]:
        """What the table says in the cause's own conditions has to be well, as it is on a healthy host, and is not here."""
        from ansible_collections.oncall.runbooks.tests.support import tables

        asked = [one for when, _conclusive in self.causes[cause]["gates"] for one in when]
        well, here = (
            tables.true_of(self.runbook, look.observed, asked, **look.variables) for look in (self.healthy, merged)
        )
        return [one for one in well if one not in here]

    def judged(self, one: str, other: str) -> tuple[str, str]:
        """How a pair is judged, in a word, and what is wrong about it, or ""."""
        found = self.together(one, other)
        if found is None:
            return "contradict each other", ""
        first, second, merged = found
        if merged.result["status"] != "problem":
            return "wrong", f"{merged.result['status']}: {merged.result['msg']}"
        if wrong := self._acts_wrongly(first, second, merged):
            return "wrong", wrong
        named = {finding["cause"]: finding for finding in merged.result["findings"]}
        how = {cause: self._named(cause, named[cause], merged) for cause in (one, other)}
        for word in ("wrong", "not there any more", "unknown, with the reason", "one explains the other"):
            if word in how.values():
                wrong = f"{how} beside {merged.problems}" if word == "wrong" else ""
                return word, wrong
        return "both are problems", ""

    def _named(self, cause: str, finding: dict[str, Any], merged: Look) -> str:
        if finding["status"] == "problem":
            return "both are problems"
        if finding["status"] == "unknown":
            return "unknown, with the reason" if finding["reason"] else "wrong"
        if finding.get("explained_by") in merged.problems:
            return "one explains the other"
        return "not there any more" if self.needs(cause, merged) or (self.runbook, cause) in TAKEN_AWAY else "wrong"

    def _acts_wrongly(self, first: Look, second: Look, merged: Look) -> str:
        """A remedy that neither fault alone asks for, or that touches what neither alone would have touched."""
        asked: dict[str, list[Any]] = {}
        for remedy, targets in first.acts + second.acts:
            asked.setdefault(remedy, []).extend(targets)
        explains = {finding.get("explained_by") for finding in merged.result["findings"]}
        for step in merged.result["plan"]["steps"]:
            remedy, targets = step["remedy"], step["targets"]
            # One that explains both, and leaves nothing beside it.
            if not step["available"] or (step["cause"] in explains and merged.problems == [step["cause"]]):
                continue
            if (self.runbook, step["cause"]) in MADE_BY_BOTH:
                continue
            if remedy not in asked:
                return f"{remedy} is planned, which neither asks for: {merged.problems}"
            if [one for one in targets if one not in asked[remedy]]:
                return f"{remedy} would touch {targets}, and not {asked[remedy]}"
        return ""


@pytest.fixture(scope="module")
def rows(tmp_path_factory) -> dict[str, list[dict[str, Any]]]:
    return table_rows.looks(tmp_path_factory.mktemp("looks"))


@pytest.mark.parametrize("runbook", RUNBOOKS)
def test_both_of_two_faults_are_named(runbook, rows):
    faults = Faults(runbook, rows)
    pairs = faults.pairs()
    # The same ones each time.
    some = sorted(random.Random(runbook).sample(pairs, min(PAIRS, len(pairs))))
    judged = {pair: faults.judged(*pair) for pair in some}
    figures = Counter(word for word, _wrong in judged.values())
    print(f"{runbook}: {len(some)} of {len(pairs)} pairs, {dict(figures)}")
    assert {pair: wrong for pair, (_word, wrong) in judged.items() if wrong} == {}
    # Without any it would have shown nothing, as where no look was recorded.
    assert set(figures) - {"contradict each other"}
