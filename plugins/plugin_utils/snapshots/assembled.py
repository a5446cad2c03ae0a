# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers made into the files of an archive, within its bounds. What is left out, or cut, is told."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .asked import SETTINGS, SHARES, Asked
from .names import file_name
from .secrets import Redaction

_ENDINGS = {"logs": ".log", "exposition": ".prom"}
# Not of use without what was looked for, or too much for what it tells.
_OF_AN_ANSWER = ("available", "reason", "files", "limits")
# The manifest names each file, and this is more than a line of it takes.
_MANIFEST_LINE_BYTES = 600


@dataclass
class Text:
    """A text that is a file of the archive.

    Attributes:
        path: in the archive.
        asked: what it belongs to.
        name: what people call it.
        source: where it comes from.
        text: itself, without secrets.
        of_bytes: how long the original is; None where nobody says.
        kept_bytes: how much of the original was read.
        binary_lines: how many lines were no text.
    """

    path: str
    asked: Asked
    name: str
    source: str
    text: str
    of_bytes: int | None
    kept_bytes: int
    binary_lines: int = 0

    @property
    def is_cut(self) -> bool:
        return self.of_bytes is None or self.kept_bytes < self.of_bytes


@dataclass
class Kept:
    """What an archive is made of.

    Attributes:
        data: what each look told, by ``part.name``, without secrets.
        texts: the files that are text.
        files: path -> content, of all but the index and the manifest.
        missing: what is not there, each ``part``, ``look``, ``what`` and ``reason``.
        absent: what the inventory has nothing of, the same.
        had: the parts of which all is there.
    """

    data: dict[str, Any] = field(default_factory=dict)
    texts: list[Text] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    missing: list[dict[str, str]] = field(default_factory=list)
    absent: list[dict[str, str]] = field(default_factory=list)
    had: list[str] = field(default_factory=list)

    @property
    def cut(self) -> list[dict[str, Any]]:
        return [
            {"file": one.path, "source": one.source, "kept_bytes": one.kept_bytes, "of_bytes": one.of_bytes}
            for one in self.texts
            if one.is_cut
        ]


def assembled(asked: Sequence[Asked], answers: Mapping[str, Any], redaction: Redaction, max_bytes: int) -> Kept:
    """The content of an archive.

    Args:
        asked: what was looked at.
        answers: what was told, by ``part.name``.
        redaction: takes secrets out.
        max_bytes: what an archive may hold.
    """
    kept = Kept()
    for one in asked:
        answer = answers.get(one.key, {"available": False, "reason": one.why_not or "nothing was told"})
        where = kept.missing if one.applies else kept.absent
        for reason in _lost(answer):
            where.append({"part": one.part, "look": one.name, "what": one.about, "reason": redaction.data(reason)})
        if answer.get("available"):
            told = {key: it for key, it in answer.items() if key not in _OF_AN_ANSWER}
            kept.data[one.key] = redaction.data(told, with_literals=one.look == SETTINGS)
            _add(kept.texts, _texts(one, answer, redaction))
    _bound_texts(kept.texts, max_bytes)
    _write_data(kept, asked, int(max_bytes * SHARES["data"]))
    for text in kept.texts:
        kept.files[text.path] = text.text.encode("utf-8", "replace")
    incomplete = {one["part"] for one in kept.missing}
    there = {key.partition(".")[0] for key in kept.data}
    kept.had = [part for part in dict.fromkeys(one.part for one in asked) if part in there - incomplete]
    return kept


def _lost(answer: Mapping[str, Any]) -> Iterator[str]:
    """Why something of an answer, or all of it, is not there."""
    if not answer.get("available"):
        yield str(answer.get("reason") or "no reason is told")
    yield from map(str, answer.get("limits") or ())
    for key, thing in _things(answer):
        if thing.get("available") is False and thing.get("reason"):
            yield f"{key}: {thing['reason']}"


def _things(answer: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Each service, queue and the like that an answer tells of, by its name."""
    if not answer.get("available"):
        return []
    limits = " ".join(map(str, answer.get("limits") or ()))
    return [
        (key, thing)
        for things in answer.values()
        if isinstance(things, Mapping)
        for key, thing in things.items()
        if isinstance(thing, Mapping) and str(thing.get("reason", "")) not in limits
    ]


def _texts(asked: Asked, answer: Mapping[str, Any], redaction: Redaction) -> list[Text]:
    return [
        Text(
            path=_path(asked, str(redaction.data(file["name"]))),
            asked=asked,
            name=redaction.data(file["name"]),
            source=redaction.data(file["source"]),
            text=redaction.text(file["text"]),
            **{key: file[key] for key in ("of_bytes", "kept_bytes", "binary_lines")},
        )
        for file in answer.get("files") or ()
    ]


def _path(asked: Asked, name: str) -> str:
    ending = _ENDINGS[asked.look]
    return f"{file_name(asked.part)}/{file_name(name.removesuffix(ending))}{ending}"


def _add(texts: list[Text], more: Sequence[Text]) -> None:
    """Add texts, each under a path of its own. What two services write into one file is there once."""
    taken = {text.path: text.source for text in texts}
    for text in more:
        base, ending = text.path.rsplit(".", 1)
        number = 1
        while taken.get(text.path, text.source) != text.source:
            number += 1
            text.path = f"{base}-{number}.{ending}"
        if text.path not in taken:
            taken[text.path] = text.source
            texts.append(text)


def level(sizes: Sequence[int], budget: int) -> float:
    """How long each may be at most so that all of them have room: the short ones keep what they have. Pure."""
    if sum(sizes) <= budget:
        return math.inf
    left, several = budget, sorted(sizes)
    for position, size in enumerate(several):
        share = left / (len(several) - position)
        if size > share:
            return share
        left -= size
    return math.inf


def _bound_texts(texts: Sequence[Text], max_bytes: int) -> None:
    """Cut the longest texts where all together are too long: a mask can be longer than what it stands for."""
    for look, ending in _ENDINGS.items():
        own = [text for text in texts if text.path.endswith(ending)]
        sizes = [len(text.text.encode("utf-8", "replace")) for text in own]
        share = level(sizes, int(max_bytes * SHARES[look]) - _MANIFEST_LINE_BYTES * len(own))
        for text, size in zip(own, sizes, strict=True):
            if size > share:
                _shorten(text, max(0, int(share)), is_log=look == "logs")


def _shorten(text: Text, most: int, is_log: bool) -> None:
    """Keep whole lines: the last ones of a log, and the first ones of anything else."""
    lines = text.text.encode("utf-8", "replace").splitlines(keepends=True)
    kept: list[bytes] = []
    size = 0
    for line in reversed(lines) if is_log else lines:
        size += len(line)
        if size > most:
            break
        kept.append(line)
    content = b"".join(reversed(kept) if is_log else kept)
    text.kept_bytes = min(text.kept_bytes - 1, len(content))
    text.text = content.decode()


def _write_data(kept: Kept, asked: Sequence[Asked], budget: int) -> None:
    """A file for what each look told; where all together are too long, the longest are left out."""
    written = {one.key: (one, _json(kept.data[one.key])) for one in asked if one.key in kept.data}
    total = sum(len(content) for _one, content in written.values())
    for key in sorted(written, key=lambda key: -len(written[key][1])):
        one, content = written[key]
        if total > budget:
            total -= len(content)
            reason = (
                f"it takes {len(content)} bytes, and there is room for {budget} of all data: raise snapshot_max_bytes"
            )
            kept.missing.append({"part": one.part, "look": one.name, "what": one.about, "reason": reason})
            del kept.data[key]
        elif kept.data[key]:
            kept.files[f"{file_name(one.part)}/{file_name(one.name)}.json"] = content
    kept.files = {path: kept.files[path] for path in sorted(kept.files)}


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "replace")


def manifest(about: Mapping[str, Any], kept: Kept, index: bytes) -> bytes:
    """What is in an archive, with the SHA-256 of each file but this one.

    Args:
        about: what is said of the snapshot as a whole.
        kept: its files.
        index: the page.
    """
    of_text = {text.path: text for text in kept.texts}
    files = []
    for path, content in {"index.html": index, **kept.files}.items():
        row: dict[str, Any] = {"path": path, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        if text := of_text.get(path):
            row |= {"source": text.source, "kept_bytes": text.kept_bytes, "of_bytes": text.of_bytes}
            row |= {"binary_lines": text.binary_lines} if text.binary_lines else {}
        files.append(row)
    return _json({**about, "missing": kept.missing, "absent": kept.absent, "cut": kept.cut, "files": files})


Renderer = Callable[[int], bytes]


def bounded(render: Renderer, budget: int) -> bytes:
    """A page with as much in it as there is room for.

    Args:
        render: makes it with so many rows of each table and lines of each log at most.
        budget: in bytes.
    """
    page = b""
    for most in (400, 100, 30, 10, 3, 0):
        page = render(most)
        if len(page) <= budget:
            break
    return page
