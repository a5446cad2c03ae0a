# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nobody is told that a notification is kept before it is, whatever happens to those it shares a commit with."""

from __future__ import annotations

import asyncio
import threading

import pytest

from oncall.serve.intake.group_commit import GroupCommit, NotKept


class Disk:
    """Commits when it is let, and not where it is told to fail."""

    def __init__(self, free: bool = True) -> None:
        self.batches: list[list[bytes]] = []
        self.fails: BaseException | None = None
        self.woken = 0
        self.writing = threading.Event()
        self.let = threading.Event()
        if free:
            self.let.set()

    def keep(self, notifications) -> None:
        self.writing.set()
        assert self.let.wait(10)
        if self.fails is not None:
            raise self.fails
        self.batches.append([*notifications])

    def woke(self) -> None:
        self.woken += 1


async def begun(disk: Disk) -> None:
    """Until a commit is on its way."""
    assert await asyncio.to_thread(disk.writing.wait, 10)


def play(scene, disk: Disk, most_pending: int = 2000):
    group_commit = GroupCommit(disk.keep, disk.woke, most_pending)
    try:
        return asyncio.run(asyncio.wait_for(scene(group_commit), 10))
    finally:
        disk.let.set()
        group_commit.close()


def test_all_that_arrive_meanwhile_share_the_next_commit():
    disk = Disk(free=False)

    async def scene(group_commit: GroupCommit) -> None:
        first = asyncio.create_task(group_commit.keep(b"0"))
        await begun(disk)
        others = [asyncio.create_task(group_commit.keep(b"%d" % number)) for number in range(1, 10)]
        await asyncio.sleep(0)
        # The commit is not over: nobody may have been told.
        assert not first.done() and not any(one.done() for one in others)
        disk.let.set()
        await asyncio.gather(first, *others)

    play(scene, disk)
    assert disk.batches == [[b"0"], [b"%d" % number for number in range(1, 10)]]
    assert disk.woken == 2


def test_where_a_commit_fails_nobody_of_it_is_told_otherwise_and_the_next_one_works():
    disk = Disk(free=False)

    async def scene(group_commit: GroupCommit) -> None:
        first = asyncio.create_task(group_commit.keep(b"0"))
        await begun(disk)
        others = [asyncio.create_task(group_commit.keep(b"1")) for _ in range(5)]
        await asyncio.sleep(0)
        disk.fails = OSError(28, "No space left on device")
        disk.let.set()
        told = await asyncio.gather(first, *others, return_exceptions=True)
        assert [type(one) for one in told] == [NotKept] * 6
        assert "No space left on device" in str(told[0])
        assert (disk.batches, disk.woken) == ([], 0)
        disk.fails = None
        await group_commit.keep(b"2")

    play(scene, disk)
    assert (disk.batches, disk.woken) == ([[b"2"]], 1)


def test_one_commit_fails_and_those_that_came_later_are_kept():
    disk = Disk(free=False)
    disk.fails = RuntimeError("once")

    def keep(notifications) -> None:
        try:
            disk.keep(notifications)
        finally:
            disk.fails = None

    async def scene(group_commit: GroupCommit) -> list[object]:
        first = asyncio.create_task(group_commit.keep(b"0"))
        await begun(disk)
        second = asyncio.create_task(group_commit.keep(b"1"))
        await asyncio.sleep(0)
        disk.let.set()
        return await asyncio.gather(first, second, return_exceptions=True)

    group_commit = GroupCommit(keep, disk.woke)
    try:
        first, second = asyncio.run(asyncio.wait_for(scene(group_commit), 10))
    finally:
        group_commit.close()
    assert isinstance(first, NotKept) and second is None
    assert disk.batches == [[b"1"]]


def test_too_many_that_wait_are_refused_and_those_that_wait_are_kept():
    disk = Disk(free=False)

    async def scene(group_commit: GroupCommit) -> None:
        first = asyncio.create_task(group_commit.keep(b"0"))
        await begun(disk)
        waiting = [asyncio.create_task(group_commit.keep(b"%d" % number)) for number in (1, 2, 3)]
        await asyncio.sleep(0)
        with pytest.raises(NotKept, match="too many"):
            await group_commit.keep(b"4")
        disk.let.set()
        await asyncio.gather(first, *waiting)
        await group_commit.keep(b"5")

    play(scene, disk, most_pending=3)
    assert disk.batches == [[b"0"], [b"1", b"2", b"3"], [b"5"]]


def test_one_that_does_not_wait_any_more_costs_the_others_nothing():
    disk = Disk(free=False)

    async def scene(group_commit: GroupCommit) -> None:
        gone, left, stays = (asyncio.create_task(group_commit.keep(one)) for one in (b"0", b"1", b"2"))
        await begun(disk)
        gone.cancel()
        left.cancel()
        await asyncio.sleep(0)
        disk.let.set()
        await stays
        assert gone.cancelled() and left.cancelled()
        await group_commit.keep(b"3")

    play(scene, disk)
    # They may be kept all the same: twice is as good as once.
    assert [one for batch in disk.batches for one in batch][-1] == b"3"
    assert b"2" in disk.batches[-2]


def test_a_commit_is_not_of_any_size(monkeypatch):
    monkeypatch.setattr("oncall.serve.intake.group_commit.MOST_BYTES", 10)
    disk = Disk(free=False)

    async def scene(group_commit: GroupCommit) -> None:
        first = asyncio.create_task(group_commit.keep(b"0"))
        await begun(disk)
        others = [asyncio.create_task(group_commit.keep(one)) for one in (b"1" * 6, b"2" * 6, b"3" * 100, b"4")]
        await asyncio.sleep(0)
        disk.let.set()
        await asyncio.gather(first, *others)

    play(scene, disk)
    assert [[len(one) for one in batch] for batch in disk.batches] == [[1], [6, 6], [100], [1]]


def test_after_its_end_nothing_is_taken():
    disk = Disk()
    group_commit = GroupCommit(disk.keep, disk.woke)
    group_commit.close()

    async def scene() -> None:
        with pytest.raises(NotKept):
            await group_commit.keep(b"0")

    asyncio.run(asyncio.wait_for(scene(), 10))
    assert disk.batches == []
