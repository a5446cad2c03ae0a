# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a team has said of its incidents in the inventory: severities, steps, people, channels, words, watch and review. Pure.

A `Team` has addresses and keys, which are secrets, and stays in the memory of the service. What is `Known` of it has none, and is kept in the
database, so that ``oncall incident`` and the other nodes go by it without reading an inventory.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import msgspec

from ..errors import OncallError
from .books import Rules
from .escalation.check import check as check_escalation
from .escalation.people import Directory, directory
from .escalation.policy import Policy, PolicyError, Strict, from_record, parse, read
from .messages.channels import Tell, tell_of, unreachable
from .messages.templates import Template, templates_of
from .messages.templates import check as check_templates
from .postmortem.template import Template as Review
from .severity import Scheme, SchemeError, scheme_of, trouble_with_words

# What is read of an inventory.
VARIABLES = (
    "system_severities", "incident_severities", "incident_decisions", "incident_escalation", "incident_policy", "incident_contacts",
    "incident_people", "incident_on_call", "incident_tell", "incident_templates", "incident_review", "incident_watch", "incident_steps",
)  # fmt: skip
# Of the control table: a system of which something is known.
PREFIX = "team:"
_Minutes = Annotated[float, msgspec.Meta(gt=0, le=60 * 24 * 7)]
_Step = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class Watch(Strict, frozen=True):
    """How an incident is watched after it was mitigated: a look every so many minutes; without that, one at the end."""

    for_minutes: _Minutes
    every_minutes: _Minutes | None = None

    def __post_init__(self) -> None:
        if self.every_minutes is not None and self.every_minutes > self.for_minutes:
            raise ValueError(
                f"every_minutes is {self.every_minutes:g}, and it is watched for {self.for_minutes:g} only; make it as long at most"
            )

    @property
    def looks(self) -> int:
        return max(1, round(self.for_minutes / self.every_minutes)) if self.every_minutes else 1

    def look_at(self, since: float, look: int) -> float:
        """When a look is due; the last one is at the end."""
        return since + 60 * self.for_minutes * look / self.looks


@dataclass(frozen=True)
class Known:
    """What is known of the team of a system, without any secret.

    Attributes:
        levels: of severity, the worst first.
        people: who there is; none where only roles are named.
        policy: as data.
        review: ``incident_review``, as data.
        steps: what people do in an incident, in their order.
        contacts: the roles to which it can be escalated; None where an older program wrote it.
    """

    scheme: str = ""
    levels: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    policy: dict[str, Any] = field(default_factory=dict)
    review: dict[str, Any] = field(default_factory=dict)
    steps: tuple[str, ...] = ()
    contacts: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Team:
    """What a team has said.

    Attributes:
        is_told: whether it has said at all who is told, or how.
        review: how its post-mortems look; ``asks_review``: whether it wants any.
        watch: None where it has said nothing of it.
    """

    system: str
    scheme: Scheme
    policy: Policy
    people: Directory
    tell: Tell
    templates: Mapping[str, Template]
    review: Review = field(default_factory=Review)
    asks_review: bool = False
    watch: Watch | None = None
    known: Known = field(default_factory=Known)

    @property
    def is_told(self) -> bool:
        return bool(self.policy.steps or self.tell.channels)


def team_of(system: str, variables: Mapping[str, Any]) -> Team:
    """What the variables of an inventory say of the team of a system.

    Raises:
        OncallError: what is wrong, in one line, without the secrets in it.
    """
    try:
        scheme = scheme_of(variables)
        policy = parse(variables, scheme.names)
        people = directory(variables)
        raw = variables.get("incident_watch")
        watch: Watch | None = read(raw, Watch, "incident_watch") if raw else None
        steps = read(tuple(variables.get("incident_steps") or ()), tuple[_Step, ...], "incident_steps")
        review = variables.get("incident_review") or {}
        return Team(
            system=system,
            scheme=scheme,
            policy=policy,
            people=people,
            tell=tell_of(variables, scheme.names),
            templates=templates_of(variables),
            review=Review.of(review),
            asks_review=bool(review),
            watch=watch,
            known=Known(
                scheme.name,
                scheme.names,
                tuple(people.people),
                policy.data(),
                dict(review),
                steps,
                tuple(people.contacts),
            ),
        )
    except (SchemeError, PolicyError) as error:
        raise OncallError(f"incidents of {system}: {error}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        said = f"{type(error).__name__}: {error}" if not isinstance(error, ValueError) else str(error)
        raise OncallError(f"incidents of {system}: {said[:300]}") from None


def check(
    team: Team, runbooks: Collection[str], now: float, facts: Collection[str] = (), hints: Collection[str] = ()
) -> list[str]:
    """What would surprise somebody at night, a line each.

    Args:
        runbooks: the names of all.
        now: from here on somebody has to be on call.
        facts: the names of what triage works out for levels; ``hints``: of what else. Words are checked where these are given.
    """
    roles = [role for step in team.policy.steps for role in step.roles]
    lines = [
        *check_escalation(team.policy, team.people, team.scheme, runbooks, now),
        *unreachable(team.tell, team.people, roles),
        *check_templates(team.templates),
    ]
    if facts and (trouble := trouble_with_words(team.scheme, facts, hints, runbooks)):
        lines.append(trouble)
    return [f"incidents of {team.system}: {line}" for line in lines]


# ---------------------------------------------------------------------- what is kept of it in the database
def written(known: Known) -> str:
    """As the database keeps it."""
    return msgspec.json.encode(known).decode()


def known_of(controls: Mapping[str, tuple[str, float]]) -> dict[str, Known]:
    """System -> what is known of its team, out of the control table; what cannot be read is left out."""
    found = {}
    for name, (value, _at) in controls.items():
        if name.startswith(PREFIX):
            try:
                found[name.removeprefix(PREFIX)] = msgspec.json.decode(value, type=Known)
            except msgspec.DecodeError:
                continue
    return found


def rules_of(teams: Mapping[str, Known]) -> Rules:
    """The rules by which commands are decided."""
    by_scheme: dict[str, tuple[str, ...]] = {}
    # A scheme is called by its first and last level: P0 to P3 of one team may leave out P1 of another.
    for one in sorted(teams.values(), key=lambda one: -len(one.levels)):
        known = by_scheme.setdefault(one.scheme, one.levels)
        if more := [level for level in one.levels if level not in known]:
            by_scheme[one.scheme] = (*known[:-1], *more, *known[-1:])
    people = sorted({name for one in teams.values() for name in one.people})
    # Where one of the teams names none, anybody may be meant.
    is_closed = all(one.people for one in teams.values())
    hours = {}
    for system, one in teams.items():
        try:
            policy = from_record(one.policy)
        except PolicyError:
            continue
        if policy.hours:
            hours[system] = policy.hours.hours()

    def in_service(system: str, at: float) -> bool | None:
        return hours[system].is_open(at) if system in hours else None

    def policy_of(system: str) -> tuple[str, Any]:
        one = teams.get(system)
        return (one.scheme, one.policy or None) if one else ("", None)

    def review_of(system: str) -> Mapping[str, Any]:
        return teams[system].review if system in teams else {}

    def asked_of(system: str) -> Sequence[str]:
        one = teams.get(system)
        return (*one.people, *one.contacts) if one and one.contacts is not None else ()

    return Rules(
        levels=lambda scheme: by_scheme.get(scheme, ()),
        people=people if is_closed else (),
        in_service=in_service,
        policy=policy_of,
        review=review_of,
        asked=asked_of,
        systems=sorted(teams),
    )
