# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The post-mortem as Markdown that reads well as it is. Text from outside is escaped as in the records of runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ...shared import plugin_util
from . import words
from .document import PostMortem
from .rows import CITED, Row, facts, heading, places, rows
from .template import SHOWN


def markdown(post: PostMortem) -> str:
    """The document; the numbers in brackets are those of the entries of the timeline."""
    lines = [f"# {_inline(heading(post))}", "", *_items(facts(post)), ""]
    for part in post.parts:
        lines += [f"## {_inline(words.line(part.title))}", ""]
        for key in part.shows:
            if len(part.shows) > 1:
                lines += [f"### {SHOWN[key]}", ""]
            lines += [*_items(rows(post, key)), ""]
        if part.places:
            lines += [*_items(places(part.places)), ""]
    lines.append(
        f"Made from entries 1 to {post.source.number} of the record of the incident `{_plain(post.incident.id)}`."
    )
    return "\n".join(lines) + "\n"


def cited(entries: tuple[int, ...]) -> str:
    """The numbers as words, ``entry 3`` or ``entries 3, 7``; "" where there are none."""
    shown = ", ".join(map(str, entries[:CITED])) + (" and others" if len(entries) > CITED else "")
    return "" if not entries else f"{'entry' if len(entries) == 1 else 'entries'} {shown}"


def _items(found: Iterable[Row]) -> Iterator[str]:
    for row in found:
        yield from _item(row)


def _item(row: Row) -> Iterator[str]:
    name = f"{row.number} · {row.name}" if row.number else row.name
    # A question ends by itself.
    told = f"{name}{'' if name.endswith('?') else ':'} {row.words}" if name else row.words
    told = f"{told.strip()} (pinned)" if row.pinned else told.strip()
    by = cited(row.entries)
    told = f"{told} ({by})" if by else told
    yield f"- {_inline(told)}{' ____' if row.empty else ''}"
    if row.corrected:
        yield f"  - {_inline(f'corrected: {row.corrected}')}"
    if row.detail:
        yield ""
        yield "  ```text"
        yield from (f"  {line}".rstrip() for line in row.detail.replace("```", "` ` `").splitlines())
        yield "  ```"
        yield ""


def _inline(told: str) -> str:
    return str(plugin_util("record_markdown").inline(told))


def _plain(told: str) -> str:
    return told.replace("`", "'")
