# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words by which an incident is found, without an index that only one of the databases has."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from ..entries import Entry
from ..record import Incident

# In characters; and of one entry, so many different ones.
SHORTEST, LONGEST, MOST = 2, 40, 200
# A beginning of a word that is shorter means too many.
SHORTEST_BEGINNING = 3
# What is no word of anybody's: the name of a field, and its value.
FIELDS = ("runbook", "host")
_TEXTS = ("title", "text", "conditions", "actions", "needs", "summary", "reason", "why", "how", "cause", "name")
_END = "\U0010ffff"


def words(text: str) -> list[str]:
    """The words of a text, in the one form in which they are kept; ``db_pool`` is three: itself, ``db`` and ``pool``."""
    plain = unicodedata.normalize("NFKC", text[: MOST * LONGEST]).casefold()
    found: dict[str, None] = {}
    for word in re.findall(r"[\w-]+", plain):
        for part in (word.strip("_-"), *re.split(r"[_-]+", word)):
            if len(part) >= SHORTEST:
                found[part[:LONGEST]] = None
        if len(found) >= MOST:
            break
    return [*found][:MOST]


def terms(incident: Incident, entries: Iterable[Entry]) -> set[str]:
    """What an incident is found by, since these entries."""
    texts = [incident.title, incident.system, incident.severity, incident.name, incident.channel]
    for entry in entries:
        texts += [entry.who, entry.words, *(str(entry.data[name]) for name in _TEXTS if name in entry.data)]
    found = {word for text in texts for word in words(text)}
    for name, values in (("runbook", incident.runbooks), ("host", incident.hosts)):
        found |= {field(name, value) for value in values}
    return found


def field(name: str, value: str) -> str:
    """The term of a value of a field."""
    return f"{name}={value}"


def between(beginning: str) -> tuple[str, str]:
    """Between what, in the order of the bytes, the words are that begin so."""
    return beginning, f"{beginning}{_END}"
