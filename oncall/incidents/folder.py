# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Incidents in a folder, for those who have no service and no database: a file for each, and in it a line of JSON for each entry.

The entries, the rules and the chain of hashes are the same as everywhere. It needs nothing but Python, as it is used where only Ansible is.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import NoIncident, OncallError
from . import commands as do
from . import entries as chain
from .commands import Command, Refused, decide
from .entries import Entry, Problem, Verdict
from .record import Incident, advance, document, fold

LOCK = "lock"
_FILE = re.compile(r"INC-([0-9]{1,9})-([0-9a-f]{32})\.jsonl")
_NAME = re.compile(r"(?:INC-)?([0-9]{1,9})", re.IGNORECASE)


class Folder:
    """The incidents of a folder. Any number of processes may write at once: one after the other. Each thread has its own.

    Args:
        path: it is made where it is not there, for this user alone.
        clock: says what time it is.

    Raises:
        OncallError: by any of its methods: it cannot be read or written, there is no such incident, or the rules do not allow it.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path, self._clock = path, clock
        self._is_alone = False

    # ------------------------------------------------------------------ writing
    def open(self, title: str, *commands: Command, who: str, **more: Any) -> tuple[Incident, tuple[Entry, ...]]:
        """Open one, and write more into it; what is now, and what was written."""
        with self.alone():
            now = self._clock()
            number = max((one for one, _id in self._files()), default=0) + 1
            again = self.find(more.pop("again")) if more.get("again") else None
            if again is not None and not again.is_over:
                raise OncallError(f"{again.name} is {again.state}, and goes on: reopen it, or write into it")
            at = more.pop("at", None)
            first = do.Open(
                who=who, at=now if at is None else at, number=number, title=title,
                opens_again=again.id if again else "", **{name: one for name, one in more.items() if name != "again"},
            )  # fmt: skip
            return self._write(uuid.uuid4().hex, (), [first, *commands], now)

    def do(self, name: str, make: Callable[[Incident, float], Sequence[Command]]) -> tuple[Incident, tuple[Entry, ...]]:
        """All of these commands or none; what is now, and what was written: nothing, where it was so already."""
        with self.alone():
            known = self.find(name)
            now = self._clock()
            return self._write(known.id, self.timeline(known.id), make(known, now), now)

    def _write(
        self, incident: str, known: Sequence[Entry], commands: Sequence[Command], now: float
    ) -> tuple[Incident, tuple[Entry, ...]]:
        state = fold(incident, known) if known else None
        written: list[Entry] = []
        for command in commands:
            decided = decide(state, command, now, incident)
            if isinstance(decided, Refused):
                raise OncallError(decided.reason)
            for entry in decided:
                state = advance(state or Incident(incident), entry)
            written += decided
        assert state is not None
        if written:
            self._keep(state, [*known, *written])
        return state, tuple(written)

    def _keep(self, incident: Incident, timeline: Sequence[Entry]) -> None:
        """All of it or nothing, also where the machine stops in the midst of it."""
        beside = self._path / f".{incident.id}.new"
        lines = "".join(f"{json.dumps(one.to_dict(), sort_keys=True)}\n" for one in timeline)
        try:
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(lines)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._file(incident.number, incident.id))
        except OSError as error:
            with suppress(OSError):
                beside.unlink()
            raise OncallError(f"cannot write into {self._path}, and nothing was changed: {error.strerror}") from None

    # ------------------------------------------------------------------ reading
    def find(self, name: str) -> Incident:
        """By its short name (``INC-12`` or 12), or the beginning of its id of at least six characters."""
        return self._incident(*self._meant(name))

    def listed(self) -> list[Incident]:
        """All that can be read, the newest first; `verified` says which cannot. One that was damaged keeps no other from being written."""
        found = []
        for file in self._files():
            with suppress(OncallError):
                found.append(self._incident(*file))
        return sorted(found, key=lambda one: (one.opened_at, one.number), reverse=True)

    def timeline(self, incident: str) -> list[Entry]:
        """The entries of one, in their order."""
        return self._read(next(number for number, id_ in self._files() if id_ == incident), incident)

    def document(self, name: str) -> dict[str, Any]:
        """All of one: what ``export`` prints, and the post-mortem takes."""
        number, incident = self._meant(name)
        timeline = self._read(number, incident)
        return document(fold(incident, timeline), timeline)

    def verify(self, name: str) -> tuple[Incident, Verdict]:
        """What is known of its timeline. No head is kept outside of the folder."""
        return self.find(name), self._verdict(*self._meant(name))

    def verified(self, names: Sequence[str] = ()) -> list[tuple[str, str, Verdict]]:
        """(id, name, what is known of its timeline) of these or all, the newest first, also of what cannot be read."""
        if not self._path.is_dir():
            raise OncallError(
                f"there is no folder {self._path}; name the one that the role incident has as incident_records"
            )
        found = [self._meant(name) for name in names] or sorted(self._files(), reverse=True)
        return [(id_, f"INC-{number}", self._verdict(number, id_)) for number, id_ in found]

    def _verdict(self, number: int, incident: str) -> Verdict:
        try:
            timeline = self._read(number, incident)
        except OncallError as error:
            return Verdict((Problem(0, str(error)),), (), ())
        told = chain.verify(incident, timeline)
        problems = [*told.problems]
        # The name of the file is in no hash.
        if timeline and (opened := timeline[0].data.get("number")) not in (number, None):
            problems.append(Problem(1, f"it was opened as INC-{opened}, and its file is called INC-{number}"))
        if len(alike := [other for other, id_ in self._files() if id_ == incident]) > 1:
            names = ", ".join(f"INC-{other}" for other in sorted(alike))
            problems.append(Problem(0, f"there are several files of it: {names}"))
        return replace(told, problems=tuple(problems))

    def _meant(self, name: str) -> tuple[int, str]:
        """(number, id) of the one that is called so."""
        files, told = self._files(), name.strip()
        short = _NAME.fullmatch(told)
        meant = [file for file in files if short and file[0] == int(short[1])]
        if not meant and re.fullmatch(r"[0-9a-f]{6,32}", told):
            meant = [file for file in files if file[1].startswith(told)]
        if len(meant) != 1:
            there = ", ".join(one.name for one in self.listed()[:5]) or "none"
            what = "several incidents are called" if meant else "there is no incident"
            raise NoIncident(f"{what} {name[:40]!r} in {self._path}; the newest are {there}")
        return meant[0]

    def _read(self, number: int, incident: str) -> list[Entry]:
        file = self._file(number, incident)
        try:
            lines = file.read_text(encoding="utf-8").split("\n")
        except OSError as error:
            raise OncallError(f"cannot read {file}: {error.strerror}") from None
        except ValueError as error:
            raise OncallError(f"{file} has a line that is no entry: {str(error)[:200]}") from None
        found = []
        for place, line in enumerate(lines, 1):
            try:
                found += [chain.of_dict(json.loads(line))] if line else []
            except (ValueError, TypeError, RecursionError) as error:
                raise OncallError(f"{file} has a line that is no entry, line {place}: {str(error)[:200]}") from None
        return found

    def _incident(self, number: int, incident: str) -> Incident:
        timeline = self._read(number, incident)
        if not timeline:
            raise OncallError(f"{self._file(number, incident)} has no entry; put back a copy of it")
        return fold(incident, timeline)

    def _files(self) -> list[tuple[int, str]]:
        """(number, id) of each."""
        try:
            names = [one.name for one in self._path.iterdir()] if self._path.is_dir() else []
        except OSError as error:
            raise OncallError(f"cannot read {self._path}: {error.strerror}") from None
        return [(int(found[1]), found[2]) for name in names if (found := _FILE.fullmatch(name))]

    def _file(self, number: int, incident: str) -> Path:
        return self._path / f"INC-{number}-{incident}.jsonl"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else writes meanwhile; within another one, nothing more."""
        if self._is_alone:
            yield
            return
        try:
            self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self._path / LOCK, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise OncallError(f"cannot use the folder {self._path}: {error.strerror}") from None
        with os.fdopen(lock, "w"):
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._is_alone = True
            try:
                yield
            finally:
                self._is_alone = False
