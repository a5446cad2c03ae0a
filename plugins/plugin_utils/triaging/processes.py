# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Generators that work in processes of their own, because to judge all tables takes more than a second of one processor.

Each process is forked and so has all that this one has. What is sent between them is plain data. A process ends with its generator, or
when this one is gone: then its pipe is closed.
"""

from __future__ import annotations

import os
import pickle
import signal
import struct
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO

_LENGTH = struct.Struct("!Q")
Work = Callable[[], Generator[Any, Any, Any]]


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Here:
    """A generator in this process, as one in another is used."""

    def __init__(self, work: Work) -> None:
        self._generator = work()
        self._answers: Any = None

    def send(self, value: Any) -> None:
        """Have it go on; the first time with None."""
        self._answers = value

    def received(self) -> tuple[bool, Any]:
        """Whether it has ended, and what it gave."""
        try:
            return False, self._generator.send(self._answers)
        except StopIteration as end:
            return True, end.value


class There:
    """A generator in a process of its own."""

    def __init__(self, work: Work) -> None:
        down, up = os.pipe(), os.pipe()
        self._child = os.fork()
        if not self._child:
            try:
                os.close(down[1])
                os.close(up[0])
                with open(down[0], "rb") as orders, open(up[1], "wb") as answers:
                    _serve(Here(work), orders, answers)
            finally:
                # Nothing of the process that it was forked from is to be ended, flushed or cleaned up here.
                os._exit(0)
        os.close(down[0])
        os.close(up[1])
        # They are closed with the process at their other end.
        self._orders, self._answers = open(down[1], "wb"), open(up[0], "rb")  # noqa: SIM115

    def send(self, value: Any) -> None:
        """Have it go on; the first time with None."""
        _write(self._orders, value)

    def received(self) -> tuple[bool, Any]:
        """Whether it has ended, and what it gave; RuntimeError where it failed or is gone."""
        told = _read(self._answers)
        if told is None:
            raise RuntimeError("a process that judges was killed; see whether this machine is out of memory")
        kind, value = told
        if kind == "failed":
            raise RuntimeError(value)
        return kind == "ended", value

    def close(self) -> None:
        """End it, whatever it does: it only thinks, and nothing of it is to be kept."""
        for stream in (self._orders, self._answers):
            with suppress(OSError):
                stream.close()
        # It has not been waited for, so this is no other process.
        os.kill(self._child, signal.SIGKILL)
        os.waitpid(self._child, 0)


@contextmanager
def side_by_side(works: Sequence[Work]) -> Iterator[list[Here | There]]:
    """The generators, each in a process of its own where there are several."""
    if len(works) < 2:
        yield [Here(work) for work in works]
        return
    there: list[There] = []
    try:
        for work in works:
            there.append(There(work))
        yield [*there]
    finally:
        for one in there:
            one.close()


def _serve(generator: Here, orders: BinaryIO, answers: BinaryIO) -> None:
    while (order := _read(orders)) is not None:
        generator.send(order[0])
        try:
            ended, value = generator.received()
            told = ("ended" if ended else "given", value)
        except Exception as error:
            told = ("failed", f"{type(error).__name__}: {error}")
        with suppress(BrokenPipeError):
            _send(answers, told)
        if told[0] != "given":
            return


def _write(stream: BinaryIO, value: Any) -> None:
    # None is the end of a stream.
    _send(stream, (value,))


def _send(stream: BinaryIO, value: Any) -> None:
    data = pickle.dumps(value)
    stream.write(_LENGTH.pack(len(data)) + data)
    stream.flush()


def _read(stream: BinaryIO) -> Any:
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    data = stream.read(length)
    # From a process that this one has forked, or that has forked it.
    return pickle.loads(data) if len(data) == length else None  # noqa: S301
