"""Generators in processes of their own: what they give, what goes wrong with them, and that none is left."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator

import pytest

from ansible_collections.oncall.runbooks.plugins.plugin_utils.triaging.processes import processors, side_by_side


def doubled(numbers: list[int]) -> Generator[int, int, int]:
    """Gives each number, and in the end the sum of what was sent."""
    total = 0
    for number in numbers:
        total += yield number
    return total


def pid() -> Generator[int, None, int]:
    yield os.getpid()
    return os.getpid()


def fails() -> Generator[int, None, None]:
    yield 1
    raise KeyError("gone")


def is_there(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("count", [1, 2, 3])
def test_each_goes_on_with_what_it_is_sent(count):
    with side_by_side([lambda: doubled([1, 2])] * count) as works:
        for value, expected in ((None, (False, 1)), (10, (False, 2)), (5, (True, 15))):
            for work in works:
                work.send(value)
            assert [work.received() for work in works] == [expected] * count


def test_one_alone_is_no_process_and_several_are():
    with side_by_side([pid]) as (alone,):
        alone.send(None)
        assert alone.received() == (False, os.getpid())
    with side_by_side([pid, pid]) as works:
        for work in works:
            work.send(None)
        pids = [work.received()[1] for work in works]
        assert os.getpid() not in pids
        assert len(set(pids)) == 2
    assert not any(map(is_there, pids)), "none is left, though they had not come to their end"


def test_what_goes_wrong_in_one_is_told():
    with side_by_side([fails, fails]) as works:
        for work in works:
            work.send(None)
            assert work.received() == (False, 1)
            work.send(None)
            with pytest.raises(RuntimeError, match="KeyError: 'gone'"):
                work.received()


def test_one_that_is_killed_is_told_and_keeps_nobody_waiting():
    with side_by_side([pid, pid]) as works:
        for work in works:
            work.send(None)
            (_ended, process) = work.received()
        os.kill(process, signal.SIGKILL)
        works[0].send(None)
        assert works[0].received()[0] is True
        with pytest.raises((RuntimeError, BrokenPipeError)):
            works[1].send(None)
            works[1].received()


def test_much_is_sent_whole():
    with side_by_side([lambda: doubled([1] * 3)] * 2) as works:
        text = "x" * 5_000_000

        def echo() -> Generator[str, str, str]:
            told = yield ""
            return told

        del works
    with side_by_side([echo, echo]) as works:
        for work in works:
            work.send(None)
            work.received()
            work.send(text)
            assert work.received() == (True, text)


def test_processors_are_at_least_one():
    assert processors() >= 1
