# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What would surprise somebody at night: a policy is looked through before an incident needs it. Pure."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime, timezone

from ..severity import Scheme
from .people import Directory, gaps_of, overlaps
from .policy import Policy, Step

# So far ahead somebody has to be on call.
AHEAD_SECONDS = 14 * 86400.0


def check(policy: Policy, people: Directory, scheme: Scheme, runbooks: Collection[str], now: float) -> list[str]:
    """What is wrong, a line each; none where all is well.

    Args:
        policy: as :func:`~.policy.parse` gives it.
        people: with what feeds told of.
        scheme: of the system.
        runbooks: the names of all.
        now: from here on somebody has to be on call.
    """
    return list(
        dict.fromkeys(
            [
                *_steps(policy, scheme, runbooks),
                *_rounds(policy),
                *_held(policy, scheme, now),
                *_roles(policy, people),
                *_names(people),
                *_on_call(policy, people, now),
            ]
        )
    )


def _steps(policy: Policy, scheme: Scheme, runbooks: Collection[str]) -> Iterator[str]:
    if not policy.steps:
        yield "incident_escalation has no step: nobody is told of anything"
    for number, step in enumerate(policy.steps):
        for severity in step.severities:
            if severity not in scheme.names:
                yield f"step {step.name!r} is for the unknown severity {severity!r}; there are {', '.join(scheme.names)}"
        if step.severities and not set(step.severities) & set(scheme.names):
            yield f"step {step.name!r} can never be reached: no incident has such a severity"
        for runbook in step.runbooks:
            if runbook not in runbooks:
                yield f"step {step.name!r} is for the unknown runbook {runbook!r}"
        if step.runbooks and not set(step.runbooks) & set(runbooks):
            yield f"step {step.name!r} can never be reached: no incident has such a runbook"
        if step.begins == "person" and step.after_minutes:
            yield f"step {step.name!r} is called by a person and waits {step.after_minutes:g} minutes: that time is never used"
        for earlier in policy.steps[:number]:
            if step.begins != "person" and _covers(earlier, step):
                yield f"step {step.name!r} can never be reached by anybody new: {earlier.name!r} tells the same roles at the same time"


def _covers(one: Step, other: Step) -> bool:
    same = ("after_minutes", "begins", "unless")
    return (
        all(getattr(one, key) == getattr(other, key) for key in same)
        and set(other.roles) <= set(one.roles)
        and (not one.severities or (bool(other.severities) and set(other.severities) <= set(one.severities)))
        and (not one.runbooks or (bool(other.runbooks) and set(other.runbooks) <= set(one.runbooks)))
    )


def _rounds(policy: Policy) -> Iterator[str]:
    every = policy.repeat_every_minutes
    if not policy.repeat or every is None:
        return
    for step in policy.steps:
        if step.begins == "opened" and step.unless == "acknowledged" and step.after_minutes >= every:
            yield (
                f"times overlap: all begins again every {every:g} minutes, before step {step.name!r} at {step.after_minutes:g} minutes; "
                "repeat_every_minutes has to be more"
            )


def _held(policy: Policy, scheme: Scheme, now: float) -> Iterator[str]:
    for severity in policy.held:
        if severity not in scheme.names:
            yield f"incident_policy.held has the unknown severity {severity!r}; there are {', '.join(scheme.names)}"
    if not policy.hours or not policy.held:
        return
    hours = policy.hours.hours()
    for step in policy.steps:
        is_held = not step.severities or bool(set(step.severities) & set(policy.held))
        if is_held and step.begins != "person" and hours.after(now, step.after_minutes * 60) == math.inf:
            yield f"step {step.name!r} can never be reached: it waits for service hours that never come"


def _roles(policy: Policy, people: Directory) -> Iterator[str]:
    for step in policy.steps:
        for role in step.roles:
            contact = people.contacts.get(role)
            if contact is None:
                yield f"step {step.name!r} calls {role!r}, which is no contact"
            elif not (contact.people or contact.on_call or contact.reach):
                yield f"step {step.name!r} calls {role!r}, which nobody has"
            elif contact.on_call and contact.on_call not in people.schedules:
                yield f"contact {role!r} has the unknown schedule {contact.on_call!r}"


def _names(people: Directory) -> Iterator[str]:
    for where, name in _named(people):
        if name not in people.people:
            yield f"{where} names {name!r}, who is nobody in incident_people"
        elif not people.people[name].reach:
            yield f"{where} names {name!r}, who cannot be reached"


def _named(people: Directory) -> Iterable[tuple[str, str]]:
    for role, contact in people.contacts.items():
        yield from ((f"contact {role!r}", name) for name in contact.people)
    for title, schedule in people.schedules.items():
        where = f"schedule {title!r}"
        yield from ((where, name) for name in (schedule.rotation.people if schedule.rotation else ()))
        yield from ((where, shift.who) for shift in (*schedule.shifts, *schedule.overrides))
        yield from ((where, name) for name in schedule.otherwise)
        yield from ((f"the feed of {where}", turn.who) for turn in people.fed.get(title, ()))


def _on_call(policy: Policy, people: Directory, now: float) -> Iterator[str]:
    called = {role for step in policy.steps for role in step.roles}
    for title, schedule in people.schedules.items():
        for one, other in overlaps(schedule.overrides):
            yield f"times overlap: two overrides of schedule {title!r} want {_utc(other.begins_at.timestamp())}, for {one.who!r} and for {other.who!r}"
        if not any(people.contacts[role].on_call == title for role in called if role in people.contacts):
            yield f"schedule {title!r} is of no role that a step calls"
        gap = next(gaps_of(schedule, people.fed.get(title, ()), now, now + AHEAD_SECONDS), None)
        if gap:
            yield f"nobody is on call by {title!r} from {_utc(gap[0])} to {_utc(gap[1])}; say who is by otherwise"


def _utc(at: float) -> str:
    return datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
