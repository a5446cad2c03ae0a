# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The timeline of an incident, read: by kind, with its corrections and pins."""

from __future__ import annotations

import math
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from . import words
from .document import Said

DOCUMENT_SCHEMA = 1
_LARGEST = sys.float_info.max


@dataclass(frozen=True)
class Entry:
    """An entry of the timeline, as far as a post-mortem needs it."""

    number: int
    at: float
    kind: str
    written_at: float = math.nan
    who: str = ""
    words: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    run: str = ""

    def text(self, key: str) -> str:
        """A text of its data on one line; "" where it has none."""
        return words.line(self.data.get(key))

    def number_of(self, key: str) -> float | None:
        """A number of its data; None where it has none."""
        return number(self.data.get(key))


_TYPES: dict[str, Any] = {"number": int, "at": (int, float), "written_at": (int, float), "data": Mapping}


def _mapping(told: Any) -> dict[str, Any]:
    if not isinstance(told, Mapping):
        raise TypeError(f"a mapping is expected, and not {type(told).__name__}")
    return dict(told)


def _entry(told: Any) -> Entry:
    """An entry of the document; TypeError where it is none. What a post-mortem does not need is left out."""
    known = {one.name: value for one in fields(Entry) if (value := _mapping(told).get(one.name, one)) is not one}
    for name, value in known.items():
        if not isinstance(value, _TYPES.get(name, str)) or isinstance(value, bool):
            raise TypeError(f"the {name} of an entry is a {type(value).__name__}")
        if name in ("at", "written_at"):
            known[name] = float(value)
    return Entry(**known)


class Timeline:
    """The entries of one incident.

    Attributes:
        incident: what the document says of it.
        entries: in order.
        corrections: number of an entry -> the entries that correct it.
        pinned: numbers of the entries that are pinned.
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        """ValueError where the document is none of an incident."""
        if document.get("schema_version") != DOCUMENT_SCHEMA:
            raise ValueError(
                f"the document of an incident has schema_version {DOCUMENT_SCHEMA}, not {document.get('schema_version')!r}"
            )
        try:
            self.incident: dict[str, Any] = _mapping(document["incident"])
            self.entries = tuple(map(_entry, document["timeline"]))
        except (KeyError, TypeError) as error:
            raise ValueError(f"no document of an incident: {error}") from None
        if [one.number for one in self.entries] != list(range(1, len(self.entries) + 1)):
            raise ValueError("the timeline has a hole: its entries are not numbered from 1 on")
        self._by_kind: dict[str, list[Entry]] = defaultdict(list)
        self.corrections: dict[int, list[Entry]] = defaultdict(list)
        self.pinned: set[int] = set()
        for one in self.entries:
            self._by_kind[one.kind].append(one)
            about = one.data.get("number")
            # Nothing is about an entry that is yet to come.
            if not isinstance(about, int) or about >= one.number:
                continue
            if one.kind == "corrected":
                self.corrections[about].append(one)
            elif one.kind == "pinned":
                self.pinned.add(about)
            elif one.kind == "unpinned":
                self.pinned.discard(about)

    def of(self, *kinds: str) -> list[Entry]:
        """The entries of some kinds, in order."""
        if len(kinds) == 1:
            return self._by_kind.get(kinds[0], [])
        return sorted((one for kind in kinds for one in self._by_kind.get(kind, ())), key=lambda one: one.number)

    def last(self, kind: str) -> Entry | None:
        found = self.of(kind)
        return found[-1] if found else None

    def corrected(self, one: Entry) -> str:
        """What the last correction of an entry says; "" where there is none."""
        found = self.corrections.get(one.number)
        return found[-1].text("text") if found else ""

    def numbers(self, *entries: Entry) -> tuple[int, ...]:
        """The numbers of entries and of what corrects them."""
        found = {one.number for entry in entries for one in (entry, *self.corrections.get(entry.number, ()))}
        return tuple(sorted(found))

    def said(self, one: Entry) -> Said:
        """An entry as a sentence: the one that was written then."""
        sentence = words.line(one.words) or one.kind.replace("_", " ")
        sentence = "; ".join([sentence, *(f"{name}: {words.line(told)}" for name, told in more(one))])
        return Said(sentence, self.numbers(one), one.at, words.line(one.who, 100), self.corrected(one))

    def sentences(self, entries: Iterable[Entry]) -> tuple[Said, ...]:
        return tuple(map(self.said, entries))

    def noted(self, part: str) -> Iterator[Said]:
        """What people noted for a part of the post-mortem, or in answer to a question of it, in full."""
        wanted = _name(part)
        for one in self.of("note"):
            if wanted and _name(str(one.data.get("part") or "")) == wanted:
                told = words.text(one.data.get("text") or one.words)
                yield Said(told, self.numbers(one), one.at, words.line(one.who, 100), self.corrected(one))


# What people wrote beside the words of an entry: kind -> (what it is, where it is in the data).
_BESIDE = {"update": (("actions", "actions"), ("needed", "needs")), "escalated": (("tried", "tried"),)}


def more(one: Entry) -> Iterator[tuple[str, str]]:
    """What an entry says that is not in its words."""
    for name, key in _BESIDE.get(one.kind, ()):
        value = one.data.get(key)
        parts = value if isinstance(value, (list, tuple)) else [value] if value else []
        if told := ", ".join(map(str, parts)):
            yield name, told


def _name(part: str) -> str:
    return part.strip().rstrip("?").casefold().replace("_", " ")


def number(value: Any) -> float | None:
    """A finite number; None for anything else, and for one that is larger than a float can be."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if -_LARGEST <= value <= _LARGEST else None


def moment(value: Any) -> float | None:
    """A time: seconds since 1970, or as alerts have it (RFC 3339, with a zone); None for anything else."""
    if not isinstance(value, str):
        return number(value)
    # An alert has up to nine digits of a second, and a datetime takes six.
    found = re.fullmatch(r"(.{19})(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})", value, re.ASCII)
    try:
        told = found and datetime.fromisoformat(found[1] + found[3].replace("Z", "+00:00"))
        return told.timestamp() + float(found[2] or 0) if found and told else None
    except ValueError:
        return None


def plain(value: Any) -> Any:
    """Data that JSON can hold: what is no number in it is None."""
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
