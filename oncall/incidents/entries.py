# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The entries of a timeline: a chain in which each has the hash of the one before, and what that proves.

The chain alone shows that an entry was changed, taken out or moved, unless somebody wrote all later ones anew. That, and a tail that
was cut off, shows only against a head that is kept elsewhere and signed with a key: whoever has the database alone cannot make one.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

KINDS = frozenset({
    "opened", "alert", "alert_ended", "finding", "plan", "approval", "action", "verification", "run", "note", "corrected", "pinned", "unpinned",
    "acknowledged", "assigned", "role", "severity", "mitigated", "resolved", "reopened", "closed", "cancelled", "merged", "took_in",
    "linked", "step", "update", "timer", "escalated", "snoozed", "message", "delivery", "suppressed", "watch", "postmortem",
    "action_item", "metric",
})  # fmt: skip
# Above this, a float has no fraction and JSON of other programs has other digits.
MOST_WHOLE = 2**53
MOST_DEPTH = 40
# The end of the year 9999: nothing shows a later time.
LATEST = 253_402_300_799.0
SIGNED = re.compile(r"([1-9][0-9]{0,8}):([0-9a-f]{64}):([0-9a-f]{8}):([0-9a-f]{64})")


def plain(value: Any, depth: int = 0) -> Any:
    """The same as JSON has it, so that it is the same again wherever it was written and read: 1.0 is 1, a tuple is a list.

    Raises:
        ValueError: it is nothing that JSON has, or nested too deeply.
    """
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        # An enum that is a text too; and half of a pair, which no database takes.
        return str.__str__(value).encode("utf-8", "replace").decode()
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} is no number of JSON")
        return int(value) if value.is_integer() and abs(value) < MOST_WHOLE else value
    if depth == MOST_DEPTH:
        raise ValueError(f"it is nested more than {MOST_DEPTH} deep")
    if isinstance(value, Mapping):
        if wrong := [name for name in value if not isinstance(name, str)]:
            raise ValueError(f"the key {wrong[0]!r} is no text")
        return {plain(name): plain(one, depth + 1) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one, depth + 1) for one in value]
    raise ValueError(f"a {type(value).__name__} is nothing that JSON has")


def canonical(value: Any) -> str:
    """The one text of a value: ASCII, without spaces, keys in order."""
    return json.dumps(plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


@dataclass(frozen=True)
class Entry:
    """What happened, once. Never changed, never removed.

    Attributes:
        number: from 1, without holes.
        at: when it happened, in seconds since 1970.
        written_at: when it was written; never before the entry before it.
        kind: one of KINDS.
        who: a person's name, ``oncall``, or a node.
        words: one line for people.
        data: by kind.
        previous: the hash of the entry before; "" for the first.
        hash: of all the others and the id of the incident.
        run: the run that it is about; "" for none.
    """

    number: int
    at: float
    written_at: float
    kind: str
    who: str
    words: str
    data: Mapping[str, Any]
    previous: str = ""
    hash: str = ""
    run: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {**{one.name: getattr(self, one.name) for one in fields(self)}, "data": plain(self.data)}

    def __deepcopy__(self, _memory: Any) -> Entry:
        return self


@dataclass(frozen=True)
class Draft:
    """An entry that has no place in a timeline yet."""

    kind: str
    at: float
    who: str
    words: str
    data: Mapping[str, Any]
    run: str = ""


@dataclass(frozen=True)
class Head:
    """Where a timeline ends: how many entries it has, the hash of the last, and when that was written."""

    number: int = 0
    hash: str = ""
    written_at: float = 0.0


def of_dict(told: Mapping[str, Any]) -> Entry:
    """What `Entry.to_dict` wrote; ValueError where it is something else."""
    names = [one.name for one in fields(Entry)]
    if not isinstance(told, Mapping) or sorted(told) != sorted(names):
        raise ValueError("an entry has " + ", ".join(names))
    entry = Entry(**told)
    texts = (entry.kind, entry.who, entry.words, entry.previous, entry.hash, entry.run)
    times = (entry.at, entry.written_at)
    if (
        not isinstance(entry.number, int)
        or any(isinstance(one, bool) for one in (entry.number, *times))
        or not all(isinstance(one, str) for one in texts)
        or not all(isinstance(one, (int, float)) and abs(one) <= LATEST for one in times)
        or not isinstance(entry.data, Mapping)
    ):
        raise ValueError(f"an entry has a part of another type: {str(told)[:100]}")
    return replace(entry, at=float(entry.at), written_at=float(entry.written_at), data=plain(entry.data))


def hash_of(incident: str, entry: Entry) -> str:
    """The hash that an entry has to have."""
    others = {name: value for name, value in entry.to_dict().items() if name != "hash"}
    return hashlib.sha256(canonical({**others, "incident": incident}).encode()).hexdigest()


def write(incident: str, head: Head, drafts: Iterable[Draft], now: float) -> tuple[Entry, ...]:
    """The entries that drafts become after a head. A clock that was set back writes nothing before what is there already.

    Args:
        incident: its id.
        head: of its timeline.
        drafts: in their order.
        now: what the clock says.
    """
    written: list[Entry] = []
    for draft in drafts:
        if draft.kind not in KINDS:
            raise ValueError(f"no kind {draft.kind!r} of entries")
        at = max(float(now), head.written_at)
        entry = Entry(
            number=head.number + 1,
            # Nothing is written before it happened.
            at=min(float(draft.at), at),
            written_at=at,
            kind=draft.kind,
            who=plain(draft.who),
            words=plain(draft.words),
            data=plain(draft.data),
            previous=head.hash,
            run=draft.run,
        )
        entry = replace(entry, hash=hash_of(incident, entry))
        written.append(entry)
        head = Head(entry.number, entry.hash, entry.written_at)
    return tuple(written)


def head_of(entries: Sequence[Entry]) -> Head:
    """Where a timeline ends."""
    return Head(entries[-1].number, entries[-1].hash, entries[-1].written_at) if entries else Head()


# ---------------------------------------------------------------------- heads that are kept outside
@dataclass(frozen=True)
class SignedHead:
    """A head with its signature, as it stands in a file, in the log and in messages.

    Attributes:
        number, hash: of the last entry then.
        key: names the key, and does not tell it.
        mac: HMAC-SHA256 over the incident, the number and the hash.
    """

    number: int
    hash: str
    key: str
    mac: str

    def __str__(self) -> str:
        return f"{self.number}:{self.hash}:{self.key}:{self.mac}"


def name_of_key(key: bytes) -> str:
    """What a key is called."""
    return hashlib.sha256(b"oncall incident head key\0" + key).hexdigest()[:8]


def sign(key: bytes, incident: str, head: Head) -> SignedHead:
    """The head, signed."""
    return SignedHead(head.number, head.hash, name_of_key(key), _mac(key, incident, head.number, head.hash))


def signed_head(text: str) -> SignedHead:
    """What ``str`` made of one; ValueError where it is none."""
    found = SIGNED.fullmatch(text.strip())
    if not found:
        raise ValueError(f"{text[:40]!r} is no head; it is NUMBER:HASH:KEY:SIGNATURE, as the log and messages have it")
    return SignedHead(int(found[1]), *found.groups()[1:])


def _mac(key: bytes, incident: str, number: int, last: str) -> str:
    told = canonical({"incident": incident, "number": number, "hash": last})
    return hmac.new(key, told.encode(), hashlib.sha256).hexdigest()


# ---------------------------------------------------------------------- what is wrong
@dataclass(frozen=True)
class Problem:
    """What is wrong with a timeline; ``number``: of the entry, or 0 where it is about none."""

    number: int
    what: str


@dataclass(frozen=True)
class Verdict:
    """What is known of a timeline.

    Attributes:
        problems: none, where nothing is known to be wrong.
        proven: what is certain.
        not_proven: what cannot be told, and why.
    """

    problems: tuple[Problem, ...]
    proven: tuple[str, ...]
    not_proven: tuple[str, ...]

    @property
    def is_sound(self) -> bool:
        return not self.problems

    def why_not(self, name: str) -> str:
        """Why nothing is made of the timeline of the incident ``name``, in one line; empty where it is sound."""
        if self.is_sound:
            return ""
        first = self.problems[0]
        where = f"entry {first.number}: " if first.number else ""
        return f"the timeline of {name} was changed: {where}{first.what}; verify says all that is known"

    def to_dict(self) -> dict[str, Any]:
        return {"sound": self.is_sound, **asdict(self)}


def verify(
    incident: str, entries: Sequence[Entry], heads: Iterable[SignedHead] = (), key: bytes | None = None
) -> Verdict:
    """Look for what was changed, removed, moved or cut off.

    Args:
        incident: its id.
        entries: all, as they are there.
        heads: what is kept outside of the database.
        key: that signed them; None where it is not there.
    """
    problems = _chain(incident, entries)
    proven: list[str] = []
    not_proven: list[str] = []
    if not problems and entries:
        proven.append(f"entries 1 to {len(entries)} follow from one another: none was changed, removed or moved alone")
    most = 0
    asked = [*heads]
    for head in asked:
        if key is None or head.key != name_of_key(key):
            not_proven.append(f"the head of entry {head.number} is signed with the key {head.key}, which is not here")
        elif not hmac.compare_digest(head.mac, _mac(key, incident, head.number, head.hash)):
            problems.append(
                Problem(
                    0,
                    f"the head of entry {head.number} has a wrong signature: it is not of this incident, or was made up",
                )
            )
        elif head.number > len(entries):
            problems.append(
                Problem(
                    len(entries),
                    f"the tail was cut off: there were {head.number} entries, and {len(entries)} are there",
                )
            )
        elif entries[head.number - 1].hash != head.hash:
            problems.append(
                Problem(head.number, "it is another entry than the one that was signed: the timeline was written anew")
            )
        else:
            most = max(most, head.number)
    if most and not problems:
        proven.append(f"entries 1 to {most} are those that were signed: none was cut off, and none was written anew")
    if most < len(entries):
        since = f"after entry {most}" if most else "at all"
        not_proven.append(f"whether a tail was cut off or written anew {since}: no later head is kept outside")
    not_proven.append("what somebody changed who has the key: who can read the state directory can sign anything")
    not_proven.append("whether what was written was true, and its times are those of the clocks that wrote them")
    return Verdict(tuple(problems), tuple(proven), tuple(dict.fromkeys(not_proven)))


def _chain(incident: str, entries: Sequence[Entry]) -> list[Problem]:
    problems: list[Problem] = []
    if not entries:
        return [Problem(0, "there is no entry: all were removed, or there was no such incident")]
    if sorted(one.number for one in entries) == [*range(1, len(entries) + 1)] and any(
        one.number != place for place, one in enumerate(entries, 1)
    ):
        first = next(one for place, one in enumerate(entries, 1) if one.number != place)
        problems.append(Problem(first.number, "the entries are not in their order"))
    before: Entry | None = None
    for entry in entries:
        expected = before.number + 1 if before else 1
        try:
            is_whole = hmac.compare_digest(entry.hash.encode(), hash_of(incident, entry).encode())
        except (TypeError, ValueError):
            is_whole = False
        if not is_whole:
            problems.append(Problem(entry.number, "it was changed: its hash is another one"))
        if entry.number > expected:
            missing = str(expected) if entry.number == expected + 1 else f"{expected} to {entry.number - 1}"
            problems.append(Problem(entry.number, f"entry {missing} before it was removed"))
        elif entry.number < expected:
            problems.append(Problem(entry.number, f"it stands after entry {expected - 1}: it was moved, or put in"))
        elif entry.previous != (before.hash if before else ""):
            problems.append(
                Problem(
                    entry.number, "the entry before it is another one: that was changed or removed, or this was moved"
                )
            )
        if before and entry.written_at < before.written_at:
            problems.append(Problem(entry.number, "it says that it was written before the entry before it"))
        before = entry
    if entries[0].kind != "opened" and entries[0].number == 1:
        problems.append(Problem(1, "the first entry does not open the incident"))
    return problems
