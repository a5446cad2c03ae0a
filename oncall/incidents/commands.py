# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people and programs may do to an incident. Pure: what is known and a command -> the entries that it writes, or why it does not.

No entries at all means that it is so already: whoever says it twice, or says it second, changes nothing.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .entries import LATEST, Draft, Entry, Head, canonical, plain, write
from .record import ACKNOWLEDGED, CANCELLED, CLOSED, MERGED, MITIGATED, RESOLVED, ROLES, TRIGGERED, Incident

# What a person reads at once; more of a note is cut, with a word about it.
MOST_NOTE = 16_000
MOST_LINE = 500
MOST_TITLE = 200
MOST_NAME = 100
MOST_STEPS = 1000
# Of the data of an entry, as JSON.
MOST_DATA = 256 * 1024
LONGEST_SNOOZE_SECONDS = 7 * 86400.0
PROGRAM = "oncall"
SOURCES = ("alert", "person", "run")
# Why a step of an escalation fired, where nobody was late.
AT_ONCE, FIX_FAILED = "at once", "a fix failed"
# What other parts have decided already, and only has to be written down: kind -> the names that its data have to have.
WRITTEN = {
    "alert": ("name", "count"), "finding": ("runbook", "cause", "status"), "plan": ("runbook", "hash", "steps"),
    "approval": ("plan_hash", "decision", "reason"), "action": ("runbook", "remedy", "target"),
    "verification": ("runbook", "helped"), "run": ("runbook", "uuid", "outcome"), "timer": ("timer", "state"),
    "message": ("message", "channel"), "delivery": ("message", "result"), "suppressed": ("what", "why"),
    "postmortem": ("state",), "action_item": ("item", "text"), "metric": ("name", "points"),
    "alert_ended": ("name", "count", "ends_at"),
}  # fmt: skip
CHOICES = {
    ("approval", "decision"): ("approved", "rejected"),
    ("timer", "state"): ("armed", "stopped", "fired"),
    ("delivery", "result"): ("sent", "failed", "dead", "unknown"),
    ("postmortem", "state"): ("due", "draft", "review", "done"),
}
# Of these, people say the texts.
SAID = ("postmortem", "action_item")
# Of the control characters, those that turn text around: what a person reads would not be what is there.
_BIDI = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C])


@dataclass(frozen=True)
class Refused:
    """Nothing is written; why, in one line that says what to do instead.

    Attributes:
        by_state: the same could have been done to the incident at another time.
    """

    reason: str
    by_state: bool = False


Decided = tuple[Entry, ...] | Refused


@dataclass(frozen=True, kw_only=True)
class Command:
    """Whoever says it, and when it happened."""

    who: str
    at: float


@dataclass(frozen=True, kw_only=True)
class Open(Command):
    """Begin an incident; ``levels``: those of the scheme, the worst first, where they are known."""

    number: int
    title: str
    system: str = ""
    source: str = "person"
    severity: str = ""
    proposed: str = ""
    scheme: str = ""
    levels: Sequence[str] = ()
    reasons: Sequence[str] = ()
    policy: Any = None
    runbook: str = ""
    opens_again: str = ""


@dataclass(frozen=True, kw_only=True)
class Acknowledge(Command):
    """Somebody sees to it; ``again``: though somebody had acknowledged it before, which does not count any more."""

    again: bool = False


@dataclass(frozen=True, kw_only=True)
class Assign(Command):
    """Whose it is; "" for nobody's. ``people``: those that there are, where that is known."""

    to: str
    people: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class GiveRole(Command):
    """Who has a role; "" for nobody."""

    role: str
    to: str
    people: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Note(Command):
    """What a person has to say; ``part``: the part or the question of the post-mortem that it answers."""

    text: str
    part: str = ""


@dataclass(frozen=True, kw_only=True)
class SetSeverity(Command):
    """How bad it is: by the matrix (``proposed``), or by a person, whose word stays."""

    to: str
    why: str = ""
    scheme: str = ""
    levels: Sequence[str] = ()
    proposed: bool = False


@dataclass(frozen=True, kw_only=True)
class Mitigate(Command):
    """Users are served again, though the cause may be there."""

    how: str


@dataclass(frozen=True, kw_only=True)
class Update(Command):
    """A status for others."""

    conditions: str
    actions: str = ""
    needs: str = ""
    next_update_at: float | None = None
    customers: bool = False


@dataclass(frozen=True, kw_only=True)
class Escalate(Command):
    """More people are asked."""

    targets: Sequence[str]
    step: int = 0
    tried: str = ""
    need: str = ""


@dataclass(frozen=True, kw_only=True)
class Snooze(Command):
    """Ask nobody until then; ``longest``: for how long its policy allows that."""

    until: float
    why: str
    longest: float = LONGEST_SNOOZE_SECONDS


@dataclass(frozen=True, kw_only=True)
class Merge(Command):
    """It is the same as another one, which goes on; `TakeIn` is for that one."""

    into: Incident


@dataclass(frozen=True, kw_only=True)
class TakeIn(Command):
    """Another one is the same as this."""

    source: Incident


@dataclass(frozen=True, kw_only=True)
class Resolve(Command):
    """It is over."""

    how: str


@dataclass(frozen=True, kw_only=True)
class Reopen(Command):
    """It is not over after all; ``relapse``: seen by a watch or by an alert."""

    why: str
    relapse: bool = False


@dataclass(frozen=True, kw_only=True)
class Close(Command):
    """Nothing is to be done any more; ``why``: where a post-mortem or action items are left undone."""

    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Cancel(Command):
    """It never was one."""

    why: str


@dataclass(frozen=True, kw_only=True)
class Tick(Command):
    """A step of a checklist is done, or is not."""

    checklist: str
    step: str
    done: bool = True


@dataclass(frozen=True, kw_only=True)
class Pin(Command):
    """An entry that everybody should see; or not any more."""

    number: int
    pinned: bool = True


@dataclass(frozen=True, kw_only=True)
class AddLink(Command):
    """Another incident that has to do with this."""

    id: str
    name: str
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Correct(Command):
    """What is wrong in an entry, which stays as it is."""

    number: int
    text: str


@dataclass(frozen=True, kw_only=True)
class Watch(Command):
    """A look after it was mitigated: the ``look``-th of ``of``."""

    look: int
    of: int
    healthy: bool
    figures: Any = None


@dataclass(frozen=True, kw_only=True)
class Write(Command):
    """What another part of the program has done or seen."""

    kind: str
    words: str
    data: Mapping[str, Any] = field(default_factory=dict)
    run: str = ""


class _No(Exception):
    """Why not."""


class _NotNow(_No):
    """Why not, as the incident is now."""


def decide(incident: Incident | None, command: Command, now: float | None = None, id: str = "") -> Decided:
    """The entries that a command writes into the timeline of an incident, or why it writes none.

    Args:
        incident: as it is now; None where it is yet to be opened.
        command: what is to be done.
        now: what the clock says; when the command happened, where it is not given.
        id: of an incident that is opened.
    """
    try:
        if not 0 <= command.at <= LATEST:
            raise _No(f"{command.at:.0f} is no time: seconds since 1970 are needed")
        if not _line(command.who, MOST_NAME):
            raise _No("say who you are; the timeline names everybody who changes it")
        if isinstance(command, Open):
            if incident is not None:
                raise _NotNow(f"{incident.name} is there already")
            head, drafts = Head(), _open(command)
        elif incident is None:
            raise _No("there is no such incident; list them with: oncall incident list")
        else:
            _check_not_over(incident)
            id, head = incident.id, incident.head
            drafts = _RULES[type(command)](incident, command)
        return write(id, head, drafts, command.at if now is None else now)
    except _No as reason:
        return Refused(str(reason), isinstance(reason, _NotNow))
    except ValueError as error:
        return Refused(f"it has data that no timeline can keep: {error}")


def straight(text: str) -> str:
    """Text without what turns its direction."""
    return text.translate(_BIDI)


def cut(text: str, most: int = MOST_NOTE) -> str:
    """Text of several lines without what a terminal would act on, and no longer than this; where it is cut, it says so."""
    lines = straight(text.replace("\r\n", "\n").replace("\r", "\n"))
    told = "".join(one if one.isprintable() or one in "\n\t" else " " for one in lines[: most + 1]).strip()
    if len(lines) <= most:
        return told
    return f"{told[:most].rstrip()} … (cut: it had {len(lines):,} characters, and the first {most:,} are kept)"


def _line(text: object, most: int = MOST_LINE) -> str:
    """Text as one line."""
    # Whoever sends a megabyte does not have all of it looked through.
    some = straight(str(text)[: most * 4])
    line = " ".join("".join(one if one.isprintable() else " " for one in some).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _needed(text: object, what: str, most: int = MOST_LINE) -> str:
    line = _line(text, most)
    if not line:
        raise _No(what)
    return line


def _draft(command: Command, kind: str, words: str, run: str = "", /, **data: Any) -> Draft:
    return Draft(kind, command.at, _line(command.who, MOST_NAME), _line(words), data, _line(run, MOST_NAME))


def _check_not_over(incident: Incident) -> None:
    name = incident.name
    if incident.state == CLOSED:
        raise _NotNow(
            f"{name} is closed, and never changes again; open a new one that is linked to it: oncall incident open --again {name}"
        )
    if incident.state == MERGED:
        raise _NotNow(f"{name} is merged into another one, which goes on: {incident.merged_into}")
    if incident.state == CANCELLED:
        raise _NotNow(f"{name} is cancelled, and never changes again; open a new one")


def why_nobody(name: str, people: Sequence[str]) -> str:
    """Why a name is nobody's; "" where it is somebody's, or nobody knows who there is."""
    if not name or not people or name in people:
        return ""
    near = difflib.get_close_matches(name, people, 3)
    return f"nobody is called {name!r}; " + (
        f"did you mean {', '.join(near)}" if near else f"there are {', '.join(sorted(people)[:10])}"
    )


def _named(to: str, people: Sequence[str]) -> str:
    name = _line(to, MOST_NAME)
    if why := why_nobody(name, people):
        raise _No(why)
    return name


def _level(level: str, levels: Sequence[str], scheme: str) -> str:
    name = _needed(level, "say which severity", MOST_NAME)
    if levels and name not in levels:
        alike = {one.lower(): one for one in levels}
        if name.lower() in alike:
            return alike[name.lower()]
        raise _No(f"no severity {name!r} in the scheme {scheme or 'of this system'}; there are {', '.join(levels)}")
    if not levels and not re.fullmatch(r"[\w .+-]{1,40}", name):
        raise _No(f"{name!r} is no name of a severity")
    return name


def _is_person(command: Command) -> bool:
    return command.who != PROGRAM


# ---------------------------------------------------------------------- the rules
def _open(command: Open) -> list[Draft]:
    title = _needed(command.title, "say in a few words what is wrong", MOST_TITLE)
    if command.source not in SOURCES:
        raise _No(f"no source {command.source!r}; there are {', '.join(SOURCES)}")
    proposed = _level(command.proposed, command.levels, command.scheme) if command.proposed else ""
    severity = _level(command.severity, command.levels, command.scheme) if command.severity else proposed
    reasons = [_line(one) for one in [*command.reasons][:20]]
    try:
        policy = plain(command.policy)
        is_small = len(canonical(policy)) <= MOST_DATA
    except ValueError as error:
        raise _No(f"the policy is no data: {error}") from None
    if not is_small:
        raise _No(f"the policy is longer than {MOST_DATA:,} characters")
    who = "" if command.source == "person" else f" by a{'n alert' if command.source == 'alert' else ' run'}"
    words = f"opened{who}: {title}" + (f" ({severity})" if severity else "")
    data = {
        "number": command.number,
        "system": _line(command.system, MOST_NAME),
        "title": title,
        "source": command.source,
        "severity": severity,
        "scheme": _line(command.scheme, MOST_NAME),
        "proposed": proposed or severity,
        "reasons": reasons,
        "policy": policy,
        "runbook": _line(command.runbook, MOST_NAME),
        "opens_again": command.opens_again,
    }
    return [_draft(command, "opened", words, **data)]


def _acknowledge(incident: Incident, command: Acknowledge) -> list[Draft]:
    if incident.state == RESOLVED:
        text = "acknowledged after it was resolved; it stays resolved"
        return [_draft(command, "note", text, text=text)]
    if incident.acknowledged_by and not command.again:
        return []
    return [_draft(command, "acknowledged", "acknowledged again" if incident.acknowledged_by else "acknowledged")]


def _first_acknowledge(incident: Incident, command: Command) -> list[Draft]:
    """A person who does something about it has acknowledged it."""
    is_new = incident.state == TRIGGERED and _is_person(command)
    return [_draft(command, "acknowledged", "acknowledged by doing something about it")] if is_new else []


def _assign(incident: Incident, command: Assign) -> list[Draft]:
    to = _named(command.to, command.people)
    if to == incident.assignee:
        return []
    return [_draft(command, "assigned", f"assigned to {to}" if to else "assigned to nobody", to=to)]


def _give_role(incident: Incident, command: GiveRole) -> list[Draft]:
    if command.role not in ROLES:
        raise _No(f"no role {_line(command.role, 40)!r}; there are {', '.join(ROLES)}")
    to = _named(command.to, command.people)
    if incident.roles.get(command.role, "") == to:
        return []
    words = f"{command.role}: {to}" if to else f"nobody is {command.role} any more"
    return [_draft(command, "role", words, role=command.role, to=to)]


def _note(_incident: Incident, command: Note) -> list[Draft]:
    text = cut(command.text)
    if not text:
        raise _No("the note is empty")
    part = {"part": part} if (part := _line(command.part)) else {}
    return [_draft(command, "note", text, text=text, **part)]


def _set_severity(incident: Incident, command: SetSeverity) -> list[Draft]:
    scheme = _line(command.scheme, MOST_NAME) or incident.scheme
    level = _level(command.to, command.levels, scheme)
    if command.proposed and level == incident.severity_proposed:
        return []
    is_same = (level, scheme) == (incident.severity, incident.scheme)
    if not command.proposed and is_same and incident.severity_by:
        return []
    why, known = _line(command.why), incident.severity
    order = [*command.levels]
    raised = order.index(level) < order.index(known) if level in order and known in order else None
    how = {True: "raised", False: "lowered", None: "set"}[raised]
    is_kept = command.proposed and incident.severity_by
    words = (
        f"the matrix says {level}; {incident.severity_by} has said {known}, which stays"
        if is_kept
        else f"severity {how} to {level}"
    )
    data: dict[str, Any] = {"to": level, "scheme": scheme, "why": why, "proposed": command.proposed}
    told = {"from": known, **data} if raised is None else {"from": known, **data, "raised": raised and not is_kept}
    return [_draft(command, "severity", f"{words}: {why}" if why else words, **told)]


def _mitigate(incident: Incident, command: Mitigate) -> list[Draft]:
    if incident.state == RESOLVED:
        raise _NotNow(f"{incident.name} is resolved already; reopen it first")
    if incident.state == MITIGATED:
        return []
    how = _needed(command.how, "say how it was mitigated")
    return [*_first_acknowledge(incident, command), _draft(command, "mitigated", f"mitigated: {how}", how=how)]


def _update(_incident: Incident, command: Update) -> list[Draft]:
    conditions = cut(command.conditions, MOST_NOTE // 4)
    if not conditions:
        raise _No("say how things are")
    if command.next_update_at is not None and command.next_update_at <= command.at:
        raise _No("the next update would be in the past")
    data: dict[str, Any] = {
        "conditions": conditions,
        "actions": cut(command.actions, MOST_NOTE // 4),
        "needs": cut(command.needs, MOST_NOTE // 4),
        "next_update_at": command.next_update_at,
        "customers": command.customers,
    }
    whom = "update for customers" if command.customers else "update"
    return [_draft(command, "update", f"{whom}: {conditions}", **data)]


def _escalate(incident: Incident, command: Escalate) -> list[Draft]:
    if incident.state == RESOLVED:
        raise _NotNow(f"{incident.name} is resolved; reopen it before you wake anybody")
    targets = [one for one in (_line(one, MOST_NAME) for one in [*command.targets][:50]) if one]
    if not targets:
        raise _No("say to whom it is escalated")
    tried, need = _line(command.tried), _line(command.need)
    words = f"escalated to {', '.join(targets)}" + (f"; needed: {need}" if need else "")
    return [_draft(command, "escalated", words, step=command.step, targets=targets, tried=tried, need=need)]


def _snooze(incident: Incident, command: Snooze) -> list[Draft]:
    if incident.state not in (TRIGGERED, ACKNOWLEDGED):
        raise _NotNow(f"{incident.name} is {incident.state}: nobody is asked anyway")
    why = _needed(command.why, "say why nobody should be asked meanwhile")
    longest = min(command.longest, LONGEST_SNOOZE_SECONDS)
    if not 0 < command.until - command.at <= longest:
        most = f"{longest / 86400:g} days" if longest >= 2 * 86400 else f"{longest / 60:g} minutes"
        raise _No(f"snooze it for up to {most}, and not into the past")
    return [_draft(command, "snoozed", f"snoozed: {why}", until=command.until, why=why)]


def _stopped(incident: Incident, command: Command, why: str) -> list[Draft]:
    return [
        _draft(command, "timer", f"timer {name} stopped: {why}", timer=name, due_at=due_at, state="stopped", why=why)
        for name, due_at in incident.timers.items()
    ]


def _merge(incident: Incident, command: Merge) -> list[Draft]:
    other = command.into
    if other.id == incident.id:
        raise _No(f"{incident.name} cannot be merged into itself")
    _check_not_over(other)
    stopped = _stopped(incident, command, f"merged into {other.name}")
    return [*stopped, _draft(command, "merged", f"merged into {other.name}: {other.title}", into=other.id)]


def _take_in(incident: Incident, command: TakeIn) -> list[Draft]:
    source = command.source
    if source.id in incident.took_in:
        return []
    return [_draft(command, "took_in", f"{source.name} was merged into this: {source.title}", id=source.id)]


def _resolve(incident: Incident, command: Resolve) -> list[Draft]:
    if incident.state == RESOLVED:
        return []
    how = _needed(command.how, "say how it was resolved")
    return [*_first_acknowledge(incident, command), _draft(command, "resolved", f"resolved: {how}", how=how)]


def _reopen(incident: Incident, command: Reopen) -> list[Draft]:
    if incident.state in (TRIGGERED, ACKNOWLEDGED):
        return []
    why = _needed(command.why, "say why it is not over")
    words = f"came again: {why}" if command.relapse else f"reopened: {why}"
    return [_draft(command, "reopened", words, why=why, relapse=command.relapse)]


def _close(incident: Incident, command: Close) -> list[Draft]:
    if incident.state != RESOLVED:
        raise _NotNow(f"{incident.name} is {incident.state}; resolve it first: oncall incident resolve {incident.name}")
    why = _line(command.why)
    undone = [f"the post-mortem ({incident.postmortem.state})"] if incident.postmortem.state not in ("", "done") else []
    undone += [f"action item {one.item}" for one in incident.action_items if not one.done]
    if undone and not why:
        raise _NotNow(
            f"{', '.join(undone[:5])} would never be done, as a closed one does not change; do that first, or say why not"
        )
    words = f"closed without {', '.join(undone[:5])}: {why}" if undone else f"closed: {why}" if why else "closed"
    return [*_stopped(incident, command, "closed"), _draft(command, "closed", words, why=why)]


def _cancel(incident: Incident, command: Cancel) -> list[Draft]:
    if incident.state not in (TRIGGERED, ACKNOWLEDGED):
        raise _NotNow(f"{incident.name} is {incident.state}: something was done about it, so resolve it")
    why = _needed(command.why, "say why it is none")
    return [*_stopped(incident, command, "cancelled"), _draft(command, "cancelled", f"cancelled: {why}", why=why)]


def _tick(incident: Incident, command: Tick) -> list[Draft]:
    checklist = _needed(command.checklist, "say which checklist", MOST_NAME)
    step = _needed(command.step, "say which step")
    known = {(one.checklist, one.step): one.done for one in incident.steps}
    if known.get((checklist, step), False) == command.done:
        return []
    if len(known) >= MOST_STEPS:
        raise _NotNow(f"there are {MOST_STEPS} steps already")
    words = f"{checklist}: {step}" if command.done else f"{checklist}: {step} is not done after all"
    return [_draft(command, "step", words, checklist=checklist, step=step, done=command.done)]


def _check_entry(incident: Incident, number: int) -> None:
    if not 1 <= number <= incident.head.number:
        raise _No(f"there is no entry {number}; {incident.name} has 1 to {incident.head.number}")


def _pin(incident: Incident, command: Pin) -> list[Draft]:
    _check_entry(incident, command.number)
    if (command.number in incident.pins) == command.pinned:
        return []
    kind = "pinned" if command.pinned else "unpinned"
    return [_draft(command, kind, f"entry {command.number} {kind}", number=command.number)]


def _link(incident: Incident, command: AddLink) -> list[Draft]:
    if command.id == incident.id:
        raise _No(f"{incident.name} cannot be linked to itself")
    why = _line(command.why)
    if any(one.id == command.id and one.why == why for one in incident.links):
        return []
    return [
        _draft(command, "linked", f"linked to {command.name}" + (f": {why}" if why else ""), id=command.id, why=why)
    ]


def _correct(incident: Incident, command: Correct) -> list[Draft]:
    _check_entry(incident, command.number)
    text = cut(command.text)
    if not text:
        raise _No("say what is right")
    return [
        _draft(command, "corrected", f"entry {command.number} is corrected: {text}", number=command.number, text=text)
    ]


def _watch(incident: Incident, command: Watch) -> list[Draft]:
    if incident.state not in (MITIGATED, RESOLVED):
        raise _NotNow(f"{incident.name} is {incident.state}: there is nothing to watch before it is mitigated")
    if not 1 <= command.look <= command.of:
        raise _No(f"look {command.look} of {command.of} is none")
    which = f"look {command.look} of {command.of}"
    data = {"look": command.look, "of": command.of, "healthy": command.healthy, "figures": command.figures}
    looked = _draft(command, "watch", f"{which}: {'healthy' if command.healthy else 'not healthy'}", **data)
    if not command.healthy:
        why = f"not healthy at {which}"
        return [looked, _draft(command, "reopened", f"came again: {why}", why=why, relapse=True)]
    if incident.state == MITIGATED and command.look == command.of:
        how = f"healthy at all of {command.of} looks"
        return [looked, _draft(command, "resolved", f"resolved: {how}", how=how)]
    return [looked]


def _write(incident: Incident, command: Write) -> list[Draft]:
    if command.kind not in WRITTEN:
        raise _No(f"no kind {_line(command.kind, 40)!r} that is only written down; there are {', '.join(WRITTEN)}")
    try:
        data = plain(command.data)
    except ValueError as error:
        raise _No(f"a {command.kind} with data that are none: {error}") from None
    if missing := [name for name in WRITTEN[command.kind] if name not in data]:
        raise _No(f"a {command.kind} has to say {', '.join(missing)}")
    for (kind, name), choices in CHOICES.items():
        if kind == command.kind and data[name] not in choices:
            raise _No(f"the {name} of a {kind} is one of {', '.join(choices)}")
    if command.kind in SAID:
        most = {"owner": MOST_NAME}
        data = {k: _line(v, most.get(k, MOST_LINE)) if isinstance(v, str) else v for k, v in data.items()}
        if "text" in data and not data["text"]:
            raise _No("say what is to be done")
        due_at = data.get("due_at")
        if due_at is not None and not (isinstance(due_at, (int, float)) and 0 <= due_at <= LATEST):
            raise _No("it is due at no time: say a day from 1970 to 9999")
    return [_draft(command, command.kind, command.words, command.run, **_bounded(data))]


def _bounded(data: Mapping[str, Any]) -> dict[str, Any]:
    """The same, without its longest parts where it is too long."""
    kept, sizes = dict(data), {name: len(canonical(value)) for name, value in data.items()}
    for name in sorted(sizes, key=lambda one: -sizes[one]):
        if sum(sizes.values()) <= MOST_DATA:
            break
        kept[name] = f"(cut: it had {sizes[name]:,} characters)"
        sizes[name] = len(kept[name])
    return kept


_RULES: dict[type[Command], Callable[[Incident, Any], list[Draft]]] = {
    Acknowledge: _acknowledge,
    Assign: _assign,
    GiveRole: _give_role,
    Note: _note,
    SetSeverity: _set_severity,
    Mitigate: _mitigate,
    Update: _update,
    Escalate: _escalate,
    Snooze: _snooze,
    Merge: _merge,
    TakeIn: _take_in,
    Resolve: _resolve,
    Reopen: _reopen,
    Close: _close,
    Cancel: _cancel,
    Tick: _tick,
    Pin: _pin,
    AddLink: _link,
    Correct: _correct,
    Watch: _watch,
    Write: _write,
}
