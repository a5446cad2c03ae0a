# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The index of an archive, and the overview of a folder of archives, as pages."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from .archive import ENDING
from .assembled import Kept, Text
from .glance import glance
from .html import Html, Number, lines_of, page, table, text
from .words import NOT_KNOWN, bytes_in_words, in_words, label, seconds_in_words, time_in_words

_MOST_COLUMNS = 14
_MOST_MISSING = 300
_DEEPEST = 3
# Of so many things at most, each has tables of its own.
_FEW = 12


def index(about: Mapping[str, Any], kept: Kept, parts: Mapping[str, str], most: int, linked: bool) -> bytes:
    """The index of one archive.

    Args:
        about: what is said of the snapshot as a whole.
        kept: what is in it.
        parts: the title of each part asked for, by its name.
        most: rows of a table, and lines of a log, that are shown at most; the files have all of them.
        linked: whether the files lie beside it, as in the archive; else their names are shown.
    """
    sections = [("missing", _missing_title(kept), _missing(kept))]
    if lines := glance(kept.data):
        sections.insert(0, ("glance", "At a glance", table("Figures, as they were then", ("what", "value"), lines)))
    for part, title in parts.items():
        body = "".join(_part(part, kept, most, linked))
        sections.append((f"part-{part}", title, body or '<p class="quiet">Nothing of this is there: see above.</p>\n'))
    sections.append(("files", "Files", _files(kept, linked)))
    return page(f"Snapshot of {about['host']}", sections, _head(about, kept, linked))


def _head(about: Mapping[str, Any], kept: Kept, linked: bool) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items() if version)
    rows = [
        ("taken", f"{time_in_words(about['at_seconds'])}, within {seconds_in_words(about['seconds'])}"),
        ("stack", about["system"]),
        ("there", f"{len(kept.had)} of {len(about['parts'])} parts whole, {len(kept.files)} files"),
        (
            "not there",
            f"{len(kept.missing)} things, with the reasons below" if kept.missing else "nothing that was asked for",
        ),
        ("cut", f"{len(kept.cut)} texts: see Files" if kept.cut else "nothing"),
        ("secrets", "replaced by asterisks"),
        ("versions", versions),
    ]
    if not linked:
        rows.append(("archive", f"{about['stem']}{ENDING}, in the same folder, has all the files"))
    return table("What this is", ("what", "value"), rows)


def _missing_title(kept: Kept) -> str:
    return "What is not there" if kept.missing else "All that was asked for is there"


def _missing(kept: Kept) -> str:
    found = ""
    if kept.missing:
        caption = f"Tried, and not there ({len(kept.missing)})"
        found += _table_of(caption, ("part", "what", "why, and what to do"), kept.missing)
    if kept.absent:
        found += _table_of(f"Not looked at ({len(kept.absent)})", ("part", "what", "why"), kept.absent)
    return found or "<p>Nothing is missing.</p>\n"


def _table_of(caption: str, columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> str:
    shown = [(row["part"], row["what"], row["reason"]) for row in rows[:_MOST_MISSING]]
    more = f"; {len(rows) - _MOST_MISSING} more are in manifest.json" if len(rows) > _MOST_MISSING else ""
    return table(caption + more, columns, shown)


def _part(part: str, kept: Kept, most: int, linked: bool) -> Iterator[str]:
    for key, data in kept.data.items():
        owner, _dot, name = key.partition(".")
        if owner == part and data:
            yield f"<h3>{text(label(name))}</h3>\n"
            yield from _data(label(name), data, most)
    for one in kept.texts:
        if one.asked.part == part:
            yield _text(one, most)


def _data(title: str, data: Mapping[str, Any], most: int) -> Iterator[str]:
    """Tables of what an observer told: its figures, then each list and each dictionary of things."""
    figures: list[tuple[tuple[str, ...], Any]] = []
    things: list[tuple[tuple[str, ...], Any]] = []
    for path, value in _leaves(data, ()):
        (things if _is_things(value) else figures).append((path, value))
    if figures:
        rows = [(" / ".join(map(label, path)), in_words(path[-1], value)) for path, value in figures]
        yield table(f"{title}: figures", ("what", "value"), rows[:most] if most else [])
    for path, value in things:
        yield from _things(f"{title}: {' / '.join(map(label, path))}", value, most)


def _leaves(value: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every figure and every table of a dictionary, with the way to it."""
    for key, item in value.items():
        if isinstance(item, Mapping) and item and not _is_things(item) and len(path) < _DEEPEST:
            yield from _leaves(item, (*path, str(key)))
        else:
            yield (*path, str(key)), item


def _is_things(value: Any) -> bool:
    """Whether it is a list or a dictionary of dictionaries, which is a table."""
    items = list(value.values()) if isinstance(value, Mapping) else value
    return isinstance(items, list) and bool(items) and all(isinstance(one, Mapping) and one for one in items)


def _things(caption: str, value: Any, most: int) -> Iterator[str]:
    """A table of things; where they are few, one more for each list that they have themselves."""
    named = isinstance(value, Mapping)
    rows: list[tuple[Any, Mapping[str, Any]]] = list(value.items()) if named else list(enumerate(value, 1))
    own = {key for _name, one in rows for key, item in one.items() if _is_things(item)} if len(rows) <= _FEW else set()
    # What is known of none of them is no column.
    names = dict.fromkeys(
        key
        for _name, one in rows
        for key, item in one.items()
        if item is not None and item != [] and item != {} and key not in own
    )
    columns = [*itertools.islice(names, _MOST_COLUMNS)]
    left, shown = len(names) - len(columns), rows[:most]
    told = f" ({len(shown)} of {len(rows)}; the file has all)" if len(shown) < len(rows) else ""
    told += f", {left} more fields in the file" if left else ""
    cells = [
        [str(name), *(in_words(key, one.get(key)) if key in one else "" for key in columns)] for name, one in shown
    ]
    yield table(caption + told, ("name" if named else "#", *map(label, columns)), cells)
    for name, one in shown:
        for key in sorted(own & {key for key, item in one.items() if _is_things(item)}):
            yield from _things(f"{caption} / {name} / {label(key)}", one[key], most)


def cut_in_words(one: Text) -> str:
    """How much of a text is there."""
    kept = bytes_in_words(one.kept_bytes)
    if one.of_bytes is None:
        return f"the last {kept}; how much there was before is not known"
    if one.kept_bytes >= one.of_bytes:
        return f"{kept}, all of it"
    which = "last" if one.path.endswith(".log") else "first"
    return f"cut: the {which} {kept} of {bytes_in_words(one.of_bytes)}"


def _text(one: Text, most: int) -> str:
    lines = one.text.splitlines()
    is_log = one.path.endswith(".log")
    shown = (lines[-most:] if is_log else lines[:most]) if most else []
    binary = f", {one.binary_lines} lines that are no text" if one.binary_lines else ""
    summary = f"{one.name}: {'the last' if is_log else 'the first'} {len(shown)} of {len(lines)} lines ({cut_in_words(one)}{binary}), from {one.source}"
    return lines_of(summary, "\n".join(shown))


def _files(kept: Kept, linked: bool) -> str:
    of_text = {one.path: one for one in kept.texts}
    rows = []
    for path, content in kept.files.items():
        name = Html(f'<a href="{quote(path)}">{text(path)}</a>') if linked else path
        what = cut_in_words(of_text[path]) if path in of_text else "all that was told"
        rows.append((name, Number(bytes_in_words(len(content))), what))
    return table(
        "Files of the archive; manifest.json has the SHA-256 of each", ("file", "size", "how much of it"), rows
    )


def overview(rows: Sequence[Mapping[str, Any]], at_seconds: float, most: int) -> bytes:
    """The list of the archives of a folder.

    Args:
        rows: of :func:`archive.listed`.
        at_seconds: when it is made.
        most: how many are listed at most.
    """
    cells = [_archive(row) for row in rows]
    caption = f"The newest first{f'; the newest {most}' if len(rows) >= most else ''}"
    body = (
        table(caption, ("host", "taken", "there", "not there", "size", "archive"), cells)
        if cells
        else "<p>There is none.</p>\n"
    )
    head = (
        f'<p class="quiet">Written {text(time_in_words(at_seconds))}. Each archive has its own index beside it.</p>\n'
    )
    return page("Snapshots", [("snapshots", "Snapshots", body)], head)


def _archive(row: Mapping[str, Any]) -> list[Any]:
    name = row["archive"]
    size = Number(bytes_in_words(row.get("bytes", 0)))
    manifest = row.get("manifest")
    try:
        if not manifest:
            raise ValueError(row.get("problem", NOT_KNOWN))
        missing = manifest["missing"]
        beside = quote(f"{name.removesuffix(ENDING)}.html")
        host = Html(f'<a href="{beside}">{text(manifest["host"])}</a>')
        whole = f"{len(manifest['had'])} of {len(manifest['parts'])} parts"
        reasons = "; ".join(dict.fromkeys(str(one["reason"]) for one in missing))
        short = f"{len(missing)}: {reasons[:200]}{'…' if len(reasons) > 200 else ''}" if missing else "nothing"
        return [host, time_in_words(manifest["at_seconds"]), whole, short, size, name]
    except (KeyError, TypeError, ValueError) as error:
        return [name, NOT_KNOWN, NOT_KNOWN, Html(f'<span class="bad">{text(error)}</span>'), size, name]
