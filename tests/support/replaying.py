# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A replay with an engine of a queue that is only in memory, and can be ended between any two steps."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from ansible_collections.oncall.runbooks.plugins.module_utils.replay import journal
from ansible_collections.oncall.runbooks.plugins.module_utils.replay import run as run_of
from ansible_collections.oncall.runbooks.plugins.modules.queue_replay import ARGUMENT_SPEC

# Any moment, of which a test asks nothing.
NOW_SECONDS = 1_800_000_000.0
READY = {"available": True, "ready": 0, "workers": 1}


class Killed(BaseException):
    """As a kill -9 is: nothing that follows is done."""


class Time:
    """A clock that only sleeping moves on."""

    def __init__(self) -> None:
        self._now, self._due = NOW_SECONDS, list[tuple[float, Callable[[], Any]]]()

    def time(self) -> float:
        return self._now

    def at(self, seconds: float, work: Callable[[], Any]) -> None:
        """Have something done as soon as that time has come."""
        self._due.append((seconds, work))

    def sleep(self, seconds: float) -> None:
        self._now += seconds
        for due in [one for one in self._due if one[0] <= self._now]:
            self._due.remove(due)
            due[1]()


class Engine:
    """A queue in memory, whose worker ends what was sent as soon as it is looked for a second time.

    Args:
        count: how many dead messages it has: m0, m1 and so on, the oldest first.
        fails: ids of those that fail again.
        is_certain: as :class:`in_database.InDatabase` has it.
        more: what each message has besides.
    """

    gone_is_done = True
    where = "PostgreSQL a"

    def __init__(self, count: int, fails: Sequence[str] = (), is_certain: bool = True, **more: Any) -> None:
        self.is_certain, self.until_seconds = is_certain, 0.0
        self.steps_left: int | None = None
        self.dies_before_sending = self.half_lines = False
        self.messages: dict[str, dict[str, Any]] = {
            f"m{number}": {
                "place": "dead", "fails": f"m{number}" in fails, "sent": 0, "died": 1, "looked": 0, "name": "mail", "error": "550 no mailbox",
                "at_seconds": NOW_SECONDS - 1000 + number, **more,
            }
            for number in range(count)
        }  # fmt: skip

    def step(self) -> None:
        """Die where a test wants it."""
        if self.steps_left is not None:
            self.steps_left -= 1
            if self.steps_left < 0:
                raise Killed

    def mark(self, one: str) -> str:
        return f"{one} died {self.messages[one]['died']}"

    def dead(self, most: int) -> list[dict[str, Any]]:
        self.step()
        dead = [one for one, message in self.messages.items() if message["place"] == "dead"]
        return [{**self.messages[one], "id": one, "mark": self.mark(one), "sha256": "00"} for one in dead[:most]]

    def places(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        self.step()
        found = {}
        for one in ids:
            message = self.messages[one]
            if message["place"] == "waiting":
                message["looked"] += 1
                if message["looked"] > 1:
                    message["place"] = "dead" if message["fails"] else "done"
                    message["died"] += message["fails"]
            # One that is not certain tells how a message ended before until it has ended again.
            place = "dead" if message["place"] == "waiting" and not self.is_certain else message["place"]
            found[one] = {"place": place, "mark": self.mark(one), "error": message["error"]}
        return found

    def send_until_seconds(self) -> float:
        return self.until_seconds

    def send(self, marks: dict[str, str]) -> list[str]:
        self.step()
        if self.dies_before_sending:
            raise Killed
        sent = self.send_now([one for one, mark in marks.items() if self.mark(one) == mark])
        self.step()
        return sent

    def send_now(self, ids: Sequence[str]) -> list[str]:
        sent = [one for one in ids if self.messages[one]["place"] == "dead"]
        for one in sent:
            self.messages[one].update(place="waiting", looked=0, sent=self.messages[one]["sent"] + 1)
        return sent


def limits(**more: Any) -> dict[str, Any]:
    """The options of the module, as they are where nothing is said."""
    spec: Any = ARGUMENT_SPEC
    return {**{name: option.get("default") for name, option in spec.items()}, **more}


def run(
    folder: Path,
    engine: Engine,
    check_mode: bool = False,
    identity: dict[str, str] | None = None,
    seen: dict[str, Any] | None = None,
    time: Time | None = None,
    **more: Any,
) -> dict[str, Any]:
    """A whole run, as the module has it done."""
    write = journal.os.write

    def writes(descriptor: int, line: bytes) -> int:
        if engine.half_lines and engine.steps_left == 0:
            write(descriptor, line[: len(line) // 2])
        engine.step()
        written = write(descriptor, line)
        engine.step()
        return written

    def put(path: str, content: bytes) -> None:
        engine.step()
        Path(path).touch(0o600)
        Path(path).write_bytes(content)
        engine.step()

    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.object(journal.os, "write", writes))
        stack.enter_context(mock.patch.object(journal, "put", put))
        journals = stack.enter_context(journal.Journals(str(folder), "mail", 1.0, write=not check_mode))
        one = run_of.Run(
            engine, journals, limits(**more), identity or {"where": engine.where}, lambda: seen or READY, time or Time()
        )
        told: dict[str, Any] = one.whole(check_mode)
    return told
