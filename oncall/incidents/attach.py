# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings episodes and runs of the service, and records of runs that nobody began through it, to the incidents that they are of.

Whatever it does, doing it twice is doing it once, and two nodes that do it at the same time do it once as well: each episode and run
belongs to one incident, which the database sees to in the transaction that writes its entries.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from ..catalog import TRIAGE
from ..errors import OncallError, first_line
from ..results import HostResult, Outcome, host_result, of_document
from ..shared import masked, masked_values
from . import commands as do
from .books import Done, Incidents, NotDone
from .commands import MOST_TITLE, PROGRAM, Command
from .postmortem.timeline import moment
from .record import ACKNOWLEDGED, MITIGATED, TRIGGERED, Incident
from .store.episodes import ENDED, EPISODE, NOBODY, RUN
from .store.timeline import IncidentStore
from .together import (
    APPROVED,
    BEFORE_SECONDS,
    REJECTED,
    Firing,
    alerts,
    choose,
    decision_on,
    ended,
    of_a_record,
    of_a_run,
    was_fixed,
)

LOG = logging.getLogger("oncall.incidents")
AT_ONCE = 500
# Of the time, at most the tenth part is spent on looking for what is new.
LOOKS_PART = 10
TIDY_SECONDS = 3600.0
RECORD = "record"
# Of the note of an episode: what a person decided. The first says that no timeline says it yet.
AGREED, DECLINED = "agreed by ", "rejected by "
# Of the note of an episode: why nobody was asked about its plan, which was rejected before.
HELD = "not asked again: "


@dataclass(frozen=True)
class Proposal:
    """How bad an alert is, before anybody has looked at it, and whom to ask about it."""

    severity: str = ""
    scheme: str = ""
    reasons: Sequence[str] = ()
    policy: Any = None


@dataclass(frozen=True)
class Signs:
    """What alerts and runbooks say of an incident, by which its severity is judged.

    Attributes:
        labels: how severe its alerts call it.
        problems: the runbooks that found something.
        facts: what triage worked out of the whole: name -> the text that says it.
    """

    labels: Sequence[str] = ()
    problems: Sequence[str] = ()
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Where:
    """What a team says of its systems.

    Attributes:
        system: (host, labels) -> what its team calls what is affected.
        watch_seconds: for so long an incident is watched after it was resolved, or after its last alert was over.
        propose: what is said of an alert that opens an incident.
        judge: what is said of an incident, once runbooks have found something: the names of levels, and a proposal; None where that is not known.
        is_watched: whether runs look at a system again before what was mitigated counts as resolved.
        looked_at: where it was looked for which system has a host; for a message where none has it.
    """

    system: Callable[[str, Mapping[str, str]], str] = field(default=lambda host, labels: labels.get("system") or host)
    watch_seconds: float = 1800.0
    propose: Callable[[Firing], Proposal] = field(default=lambda _firing: Proposal())
    judge: Callable[[str, Signs], tuple[Sequence[str], Proposal] | None] = field(default=lambda _system, _known: None)
    is_watched: Callable[[str], bool] = field(default=lambda _system: False)
    looked_at: str = ""


class Attaching:
    """Attaches what is new.

    Args:
        incidents: the books.
        store: below them.
        where: what the team says now.
    """

    def __init__(self, incidents: Incidents, store: IncidentStore, where: Callable[[], Where]) -> None:
        self._incidents, self._store, self._where = incidents, store, where
        self._has_begun = False
        self._look_again_at = 0.0
        self._tidy_at = time.monotonic() + TIDY_SECONDS

    def turn(self, now: float) -> bool:
        """Everything once, if it is time for it; whether there may be more."""
        began = time.monotonic()
        if began < self._look_again_at:
            return False
        try:
            if not self._has_begun:
                self._store.begin_with_incidents(now)
                self._has_begun = True
            episodes, runs, ends = self._episodes(), self._runs(), self._ends()
            self._what_is_over(now)
            if began >= self._tidy_at:
                self._tidy_at = began + TIDY_SECONDS
                self._store.forget_what_is_gone()
            return AT_ONCE in (episodes, runs, ends)
        finally:
            ended = time.monotonic()
            self._look_again_at = ended + LOOKS_PART * (ended - began)

    # ------------------------------------------------------------------ alerts
    def _episodes(self) -> int:
        rows = self._store.new_episodes(AT_ONCE)
        where = self._where()
        systems: dict[str, list[Firing]] = {}
        for row in rows:
            one = _firing(row, where)
            systems.setdefault(one.system, []).append(one)
        for group in systems.values():
            while group:
                try:
                    group = self._attach(group, where)
                except NotDone as error:
                    # Another node, or a person, was quicker: the next turn sees what is now.
                    LOG.info("alerts of %s are looked at again: %s", group[0].system, error)
                    break
        return len(rows)

    def _attach(self, group: list[Firing], where: Where) -> list[Firing]:
        """Bring the first of these, and all that belong to the same, to their incident; those that are left."""
        first = group[0]
        choice = choose(
            self._store.at_work(first.system),
            self._store.before(first.system, first.runbook),
            first,
            where.watch_seconds,
        )
        known = choice.incident
        if known is None:
            self._open(group, where, choice.again)
            return []
        if choice.relapse:
            why = f"{first.name} fires again on {first.host}"
            again = [do.Reopen(who=PROGRAM, at=first.at, why=why, relapse=True)]
            self._write(known.id, [*again, *alerts(group)], [(EPISODE, one.episode) for one in group])
            return []
        # What was resolved takes what had come before.
        mine = [one for one in group if known.is_open or one.at <= (known.resolved_at or 0.0)]
        self._write(known.id, alerts(mine), [(EPISODE, one.episode) for one in mine])
        return [one for one in group if one not in mine]

    def _open(self, group: Sequence[Firing], where: Where, again: Incident | None) -> None:
        first = group[0]
        proposal = where.propose(first)
        said = first.summary or f"{first.name} on {first.host}"
        self._incidents.open(
            masked(said, MOST_TITLE),
            who=PROGRAM,
            at=first.at,
            system=first.system,
            source="alert",
            proposed=proposal.severity,
            scheme=proposal.scheme,
            reasons=proposal.reasons,
            policy=proposal.policy,
            runbook=first.runbook,
            again=again.id if again and again.is_over else "",
            parts=[(EPISODE, one.episode) for one in group],
            more=alerts(group),
        )
        if again and not again.is_over:
            (part, *_), name = group, again.id
            owner = self._store.owner(EPISODE, part.episode)
            if owner:
                self._incidents.link(owner, name, who=PROGRAM, why="the same runbook, after the watch of that one")

    # ------------------------------------------------------------------ runs
    def _runs(self) -> int:
        rows = self._store.new_runs(AT_ONCE)
        for row in rows:
            try:
                self._run(row)
            except NotDone as error:
                LOG.info("run %s is looked at again: %s", row["id"], error)
        return len(rows)

    def _run(self, row: Mapping[str, Any]) -> None:
        if row["incident"] == NOBODY:
            self._store.nobodys(RUN, row["id"])
            return
        incident = self._incidents.going_on(row["incident"])
        part = [(RUN, row["id"])]
        if incident.is_over:
            LOG.warning(
                "run %s ended after %s was %s, which does not change any more", row["id"], incident.name, incident.state
            )
            self._write(incident.id, [], part)
            return
        host = _result(row["result"], row["host"])
        began = row["began_at"] or row["admitted_at"]
        writes: list[Command] = []
        if row["acts"] and row["note"].startswith(AGREED):
            hashes = ",".join(run.plan.hash for run in host.runs if run.plan.hash) if host else ""
            who = row["note"].removeprefix(AGREED)
            told = row["episode"], row["runbook"], row["host"], hashes, APPROVED, "", who, row["admitted_at"]
            writes.append(decision_on(*told, run=row["id"]))
        summary = row["summary"]
        if _was_rejected(row) or _was_held(row):
            # Since then the episode says why, and not how its run ended.
            summary = host.summary if host else ""
        writes += of_a_run(
            host, row["id"], row["runbook"], row["outcome"], summary, began, row["ended_at"], record=row["id"], where=row["host"]
        )  # fmt: skip
        writes += self._rejected_before(incident, row)
        writes += self._held(incident, row)
        writes += self._judged(incident, writes, row["ended_at"])
        writes += self._mitigated(incident, host, row["outcome"], row["ended_at"])
        self._write(incident.id, writes, part)

    def _rejected_before(self, incident: Incident, row: Mapping[str, Any]) -> list[Command]:
        """That the plan of this run was rejected, where that was before its episode came to the incident."""
        if not _was_rejected(row):
            return []
        known = self._store.of_kinds(incident.id, ("approval",))
        if any((one.data.get("episode"), one.data["decision"]) == (row["episode"], REJECTED) for one in known):
            return []
        who, reason = row["note"].removeprefix(DECLINED), row["summary"].removeprefix(f"{row['note']}: ")
        told = row["episode"], row["runbook"], row["host"], row["plan_hash"], REJECTED, reason, who, row["over_at"]
        return [decision_on(*told)]

    def _held(self, incident: Incident, row: Mapping[str, Any]) -> list[Command]:
        """That nobody was asked about the plan of this run, as a person had rejected the same."""
        if not _was_held(row):
            return []
        same = {"decision": REJECTED, **{name: row[name] for name in ("runbook", "host", "plan_hash")}}
        known = self._store.of_kinds(incident.id, ("approval",))
        entry = next((one.number for one in reversed(known) if same.items() <= one.data.items()), None)
        what = f"the plan of {row['runbook']} on {row['host']} ({row['plan_hash']})"
        why = row["note"].removeprefix(HELD)
        # Who is asked has said it already.
        data = {"what": what, "why": why, "is_told": True, "rejected_in": entry, "plan_hash": row["plan_hash"]}
        words = f"not asked again: {what}, because it was {why}"
        return [do.Write(who=PROGRAM, at=row["over_at"], kind="suppressed", words=words, data=data, run=row["id"])]

    def _judged(self, incident: Incident, writes: Sequence[Command], at: float) -> list[Command]:
        """How bad the matrix says that it is, now that runbooks have looked."""
        entries = self._store.timeline(incident.id)
        told = [(one.kind, one.data) for one in entries]
        told += [(one.kind, one.data) for one in writes if isinstance(one, do.Write)]
        signs = signs_of(told)
        judged = self._where().judge(incident.system, signs) if signs.problems else None
        if judged is None or judged[1].severity == incident.severity_proposed:
            return []
        levels, proposal = judged
        why = "; ".join(proposal.reasons)
        return [
            do.SetSeverity(
                who=PROGRAM, at=at, to=proposal.severity, scheme=proposal.scheme, why=why, levels=levels, proposed=True
            )
        ]

    # ------------------------------------------------------------------ what is over
    def _ends(self) -> int:
        """That alerts are over: each once."""
        rows = self._store.new_ends(AT_ONCE)
        where = self._where()
        incidents: dict[str, list[Mapping[str, Any]]] = {}
        for row in rows:
            incidents.setdefault(row["incident"], []).append(row)
        for incident, some in incidents.items():
            over = [(_firing(row, where), row["resolved_at"]) for row in some]
            try:
                self._write(incident, ended(over), [(ENDED, row["id"]) for row in some])
            except NotDone as error:
                LOG.info("ends of alerts of %s are looked at again: %s", incident, error)
        return len(rows)

    def _what_is_over(self, now: float) -> None:
        seconds = self._where().watch_seconds
        minutes = f"{seconds / 60:.0f} min"
        for incident, count in self._store.over_since(now - seconds):
            known = self._store.incident(incident)
            if known is None or (known.state == MITIGATED and self._where().is_watched(known.system)):
                # Runs look at it, and the last look resolves it.
                continue
            how = f"its {count} alerts are over for {minutes}" if count > 1 else f"its alert is over for {minutes}"
            self._incidents.resolve(incident, how, who=PROGRAM)
        for incident in self._store.settled():
            if self._has_helped(incident):
                self._incidents.mitigate(
                    incident, "a remedy had helped, and the last of its alerts is over", who=PROGRAM
                )
        for incident in self._store.still_firing(seconds):
            why = f"an alert of it still fires {minutes} after it was resolved"
            self._incidents.reopen(incident, why, who=PROGRAM, relapse=True)

    def _has_helped(self, incident: str) -> bool:
        """Whether a remedy was proven to help since it was opened, or opened again: what came again was not mended by those before."""
        told = self._store.of_kinds(incident, ("verification", "reopened"))
        since = max((one.number for one in told if one.kind == "reopened"), default=0)
        return any(one.number > since and one.data.get("helped") is True for one in told)

    # ------------------------------------------------------------------ records
    def record(self, record: Mapping[str, Any], name: str = "", is_opened: bool = False) -> Done | None:
        """Bring a record of runs to an incident; None where it is of none, or of one already.

        Args:
            record: as `oncall.records` has it.
            name: of the incident, where a person says it.
            is_opened: whether one is opened for it, where there is none and something was wrong.

        Raises:
            NotDone: one is to be opened, and nobody knows of which system.
        """
        key = Path(str(record.get("file") or record["id"])).stem
        runs = [
            run for run in record.get("runs") or () if isinstance(run, dict) and run.get("runbook") and run.get("host")
        ]
        if not runs or self._store.owner(RUN, str(record["id"])) or self._store.owner(RECORD, key):
            return None
        began = float(record.get("started_at") or runs[0].get("started_at") or 0.0)
        ended = float(record.get("finished_at") or began)
        where, parts = self._where(), [(RECORD, key)]
        hosts: dict[str, dict[str, Any]] = {}
        for run in runs:
            hosts.setdefault(str(run["host"]), {})[str(run["runbook"])] = run
        results = [host_result(host, told, next(iter(told)), "") for host, told in hosts.items()]
        incident = self._incidents.find(name) if name else None
        for one in results if incident is None else ():
            system, around = (
                where.system(one.host, {}),
                self._store.around(began - where.watch_seconds, ended + BEFORE_SECONDS),
            )
            incident = incident or of_a_record(around, one.host, system, began, ended, where.watch_seconds)
        writes: list[Any] = []
        for one in results:
            first = one.runs[0]
            writes += of_a_run(one, key, first.runbook, first.outcome.value, first.summary, began, ended, record=key)
        if incident is not None:
            fixed = [end for one in results for end in self._mitigated(incident, one, one.outcome, ended)]
            return self._write(incident.id, [*writes, *fixed[:1]], parts)
        worst = next((one for one in results if one.outcome not in ("healthy",)), None)
        if not is_opened or worst is None:
            return None
        title = masked(f"{worst.runs[0].runbook} on {worst.host}: {worst.summary}", MOST_TITLE)
        system, runbook = where.system(worst.host, {}), worst.runs[0].runbook
        if not system:
            looked_at = where.looked_at or "nothing that names systems"
            raise NotDone(f"run {key[:40]}: nobody knows which system has {worst.host}; looked at {looked_at}")
        return self._incidents.open(
            title, who=PROGRAM, at=began, system=system, source="run", runbook=runbook, parts=parts, more=writes
        )

    def _mitigated(self, incident: Incident, host: HostResult | None, outcome: str, at: float) -> list[Command]:
        """Remedies that were proven to help have mitigated it, once no alert of it is left that nobody has seen to."""
        if incident.state not in (TRIGGERED, ACKNOWLEDGED) or outcome not in (Outcome.RESOLVED, Outcome.HEALTHY):
            return []
        fixed = was_fixed(host, outcome)
        if not (fixed or incident.helped) or self._store.unsettled(incident.id):
            return []
        how = f"{fixed} helped" if fixed else "a remedy had helped, and the last of its runs found nothing wrong"
        return [do.Mitigate(who=PROGRAM, at=at, how=how)]

    def _write(self, incident: str, writes: Iterable[Command], parts: Sequence[tuple[str, str]]) -> Done:
        return self._incidents.do(incident, *(partial(_same, one) for one in writes), parts=parts)


def _same(command: Command, _now: float) -> Command:
    return command


def _was_rejected(row: Mapping[str, Any]) -> bool:
    """Whether a person rejected the plan of a run that is the last of its episode."""
    is_last = row["id"] == f"{row['episode']}r{row['runs']}"
    return is_last and row["over_at"] is not None and row["note"].startswith(DECLINED)


def _was_held(row: Mapping[str, Any]) -> bool:
    """Whether nobody was asked about the plan of a run that is the last of its episode, as the same was rejected before."""
    is_last = row["id"] == f"{row['episode']}r{row['runs']}"
    return is_last and row["over_at"] is not None and row["note"].startswith(HELD)


def _firing(row: Mapping[str, Any], where: Where) -> Firing:
    try:
        told = json.loads(row["alert"])
    except ValueError:
        told = {}
    labels = {str(name): str(value) for name, value in (told.get("labels") or {}).items()}
    annotations = told.get("annotations") or {}
    return Firing(
        episode=row["id"],
        system=where.system(row["host"], labels),
        host=row["host"],
        runbook=row["runbook"],
        at=row["received_at"],
        fingerprint=row["fingerprint"],
        labels=masked_values(labels),
        starts_at=_seconds(told.get("starts_at")),
        summary=masked(annotations.get("summary") or "", MOST_TITLE),
    )


def _seconds(written: object) -> float | None:
    """When an alert says that it began, as the timeline has its times; None where it says none."""
    at = moment(written)
    # Who sends alerts has the year 1 for a time that it does not know.
    return at if at is not None and at >= 0 else None


def _result(text: str, host: str) -> HostResult | None:
    """What a result says of the host; None of one that says nothing, such as of a job in AWX that is gone."""
    try:
        return of_document(json.loads(text)).hosts.get(host) if text else None
    except (ValueError, KeyError, TypeError) as error:
        LOG.debug("no result: %s", first_line(error))
        return None


def guarded(make: Callable[[], Attaching], now: Callable[[], float] = time.time) -> Callable[[], bool]:
    """A function that takes a turn; what fails in it never holds up a fix, and is said in the log, once for each cause."""
    said = ""
    attaching: Attaching | None = None

    def turn() -> bool:
        nonlocal said, attaching
        try:
            attaching = attaching or make()
            more = attaching.turn(now())
            said = ""
            return more
        except Exception as error:
            what = str(error) if isinstance(error, OncallError) else f"{type(error).__name__}: {first_line(error)}"
            if what != said:
                LOG.error("what is new could not be brought to its incidents: %s", what)
            said = what
            return False

    return turn


def signs_of(told: Sequence[tuple[str, Mapping[str, Any]]]) -> Signs:
    """What entries of a timeline, as kind and data, say of how severe it is. Triage names a runbook as the cause of each problem."""
    problems = [
        str(data.get("cause" if data.get("runbook") == TRIAGE else "runbook"))
        for kind, data in told
        if kind == "finding" and data.get("status") == "problem"
    ]
    labels = [
        str(data["labels"]["severity"])
        for kind, data in told
        if kind == "alert" and (data.get("labels") or {}).get("severity")
    ]
    facts = {word: text for kind, data in told if kind == "run" for word, text in (data.get("facts") or {}).items()}
    return Signs(labels, problems, facts)
