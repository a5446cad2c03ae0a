# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An escalation policy as data: read strictly, written into the record whole, read from there again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Annotated, Any, Literal

import msgspec
from zoneinfo import ZoneInfo

from ...errors import OncallError
from .hours import Hours

PLAIN = r"^[^\x00-\x1f\x7f]*\Z"
Word = Annotated[str, msgspec.Meta(min_length=1, max_length=120, pattern=PLAIN)]
Line = Annotated[str, msgspec.Meta(max_length=500, pattern=PLAIN)]
Minutes = Annotated[float, msgspec.Meta(ge=0, le=60 * 24 * 60)]
Length = Annotated[float, msgspec.Meta(gt=0, le=60 * 24 * 60)]
Clock = Annotated[str, msgspec.Meta(pattern=r"^(?:[01]\d|2[0-3]):[0-5]\d\Z|^24:00\Z")]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEK: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
STEPS = "incident_escalation"
REST = "incident_policy"
_AT = re.compile(r" - at `\$(?P<path>[^`]*)`\Z")


class PolicyError(OncallError):
    """A policy is wrong; the message is one line that names the place."""


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A mapping without unknown keys."""


class Step(Strict, frozen=True):
    """Who is told at one time.

    Attributes:
        roles: who; each is a contact of the inventory.
        name: by which the record and a person call it; without one it is made of time and roles.
        after_minutes: since the escalation was armed.
        severities: only of these; none is all.
        runbooks: only where one of these belongs to the incident; none is all.
        begins: ``opened``; ``fix_failed``, where the minutes begin when a run could not fix it; or ``person``, where only a person calls it.
        unless: what stops it: ``acknowledged`` (or resolved), or only ``resolved``.
        situation, scope, when: what it is for, in words.
        need: what is asked of who is told.
    """

    roles: Annotated[tuple[Word, ...], msgspec.Meta(min_length=1, max_length=20)]
    name: Annotated[str, msgspec.Meta(max_length=120, pattern=PLAIN)] = ""
    after_minutes: Minutes = 0
    severities: tuple[Word, ...] = ()
    runbooks: tuple[Word, ...] = ()
    begins: Literal["opened", "fix_failed", "person"] = "opened"
    unless: Literal["acknowledged", "resolved"] = "acknowledged"
    situation: Line = ""
    scope: Line = ""
    when: Line = ""
    need: Line = ""


class ServiceHours(Strict, frozen=True):
    """When somebody is at work.

    Attributes:
        zone: as IANA names it, such as Europe/Berlin.
        begins, ends: on the clock there; a shift may go over midnight.
        closed: days, such as 2026-12-25.
    """

    zone: Word
    begins: Clock
    ends: Clock
    days: Annotated[tuple[Day, ...], msgspec.Meta(min_length=1)] = WEEK[:5]
    closed: tuple[date, ...] = ()

    def hours(self) -> Hours:
        """The same, to reckon with."""
        begins, ends = (int(one[:2]) * 60 + int(one[3:]) for one in (self.begins, self.ends))
        return Hours(self.zone, frozenset(WEEK.index(day) for day in self.days), begins, ends, frozenset(self.closed))


class Policy(Strict, frozen=True):
    """Who hears of an incident, step by step.

    Attributes:
        steps: in the order of the document.
        severities: the levels of the scheme, the most severe first; with them a record knows what is a raise.
        repeat: so many times all steps begin again where nobody acknowledges.
        repeat_every_minutes: from one beginning to the next.
        acknowledged_for_minutes: who has acknowledged and then does nothing for so long has forgotten it; None is never.
        snooze_at_most_minutes: for how long a person may snooze it.
        hours: of service.
        held: severities whose steps wait for these hours.
    """

    steps: Annotated[tuple[Step, ...], msgspec.Meta(max_length=200)] = ()
    severities: tuple[Word, ...] = ()
    repeat: Annotated[int, msgspec.Meta(ge=0, le=50)] = 0
    repeat_every_minutes: Length | None = None
    acknowledged_for_minutes: Length | None = None
    snooze_at_most_minutes: Length = 24 * 60
    hours: ServiceHours | None = None
    held: tuple[Word, ...] = ()

    def data(self) -> dict[str, Any]:
        """As plain data, for the record; :func:`from_record` reads it."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found

    def step(self, word: str) -> Step:
        """The step that a person means, by its name or its situation.

        Raises:
            PolicyError: there is none; it names those that there are.
        """
        wanted = word.strip().casefold()
        for step in self.steps:
            if wanted and wanted in (step.name.casefold(), step.situation.casefold()):
                return step
        raise PolicyError(
            f"no step of the policy is called {word[:60]!r}; there are {', '.join(step.situation or step.name for step in self.steps)}"
        )


def parse(variables: Mapping[str, Any], severities: Iterable[str] = ()) -> Policy:
    """The policy that the variables of an inventory describe.

    Args:
        variables: of which ``incident_escalation`` (the steps) and ``incident_policy`` (the rest) are read.
        severities: the levels of the scheme, the most severe first.

    Raises:
        PolicyError: what is wrong, in one line.
    """
    steps = read(variables.get(STEPS) or [], tuple[Step, ...], STEPS)
    rest = variables.get(REST) or {}
    if not isinstance(rest, Mapping):
        raise PolicyError(f"{REST}: Expected `object`, got `{type(rest).__name__}`")
    for key in ("steps", "severities"):
        if key in rest:
            raise PolicyError(
                f"{REST}.{key}: it does not stand here; {STEPS} has the steps, and the severities are those of the scheme"
            )
    policy = read(rest, Policy, REST)
    return _settled(
        msgspec.structs.replace(policy, steps=tuple(_named(step) for step in steps), severities=tuple(severities)), REST
    )


def from_record(data: Mapping[str, Any]) -> Policy:
    """The policy that an incident began with.

    Raises:
        PolicyError: it is none.
    """
    return _settled(read(data, Policy, "policy"), "policy")


def read(value: Any, kind: Any, where: str) -> Any:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        said = str(error)
        place = _AT.search(said)
        path = place["path"] if place else ""
        raise PolicyError(f"{where}{path}: {said[: place.start()] if place else said}") from None


def _named(step: Step) -> Step:
    if step.name:
        return step
    what = step.situation or step.scope or " and ".join(step.roles)
    return msgspec.structs.replace(step, name=f"{_time(step)}{what}"[:120])


def _time(step: Step) -> str:
    when = {"opened": "", "fix_failed": " after a fix failed", "person": " by a person"}[step.begins]
    return f"{step.after_minutes:g} min{when}: "


def without_time(step: Step) -> str:
    """What a step is called, for a reader who sees its time beside it."""
    return step.name.removeprefix(_time(step))


def _settled(policy: Policy, where: str) -> Policy:
    names = [step.name for step in policy.steps]
    if double := next((name for name in names if names.count(name) > 1), ""):
        raise PolicyError(f"{STEPS}: two steps are called {double!r}; give each a name of its own")
    if policy.repeat and policy.repeat_every_minutes is None:
        raise PolicyError(f"{where}.repeat: it needs repeat_every_minutes")
    if policy.hours:
        try:
            ZoneInfo(policy.hours.zone)
        except (ValueError, OSError, KeyError):
            raise PolicyError(f"{where}.hours.zone: there is no time zone {policy.hours.zone!r}") from None
        if policy.hours.begins == "24:00":
            raise PolicyError(f"{where}.hours.begins: a day begins at 00:00")
    if policy.held and not policy.hours:
        raise PolicyError(f"{where}.held: it needs hours, for which these severities wait")
    return policy
