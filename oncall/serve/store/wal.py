# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether SQLite's write-ahead log has on the disk what its index in memory (`-shm`) says that it has. It reads, and changes nothing.

SQLite itself asks neither: it would go on writing behind frames that somebody cut off, and find none of them after a crash.
"""

from __future__ import annotations

import os
import struct
import time
from dataclasses import dataclass

INDEX_BYTES = 48
HEADER_BYTES, FRAME_BYTES = 32, 24
BIG_ENDIAN_MAGIC = 0x377F0683
WORD = 0xFFFFFFFF


@dataclass(frozen=True)
class Index:
    """What SQLite says of the log.

    Attributes:
        changes: a number that is another one after each commit.
        page_bytes: of the database.
        frames: that are committed.
        checksum: over all of them, as the last one has it in the file.
        salts: which all of them have.
        saved: so many of the frames are in the main file as well.
    """

    changes: int
    page_bytes: int
    frames: int
    checksum: bytes
    salts: bytes
    saved: int

    @property
    def unsaved_bytes(self) -> int:
        """What is in the log alone."""
        return (self.frames - self.saved) * (FRAME_BYTES + self.page_bytes)

    @property
    def bytes(self) -> int:
        """The least size that the log has."""
        return HEADER_BYTES + self.frames * (FRAME_BYTES + self.page_bytes) if self.frames else 0


def index(shm: int) -> Index | None:
    """Read the index through a descriptor of the `-shm` file; None where there is none in it."""
    for attempt in range(100):
        read = os.pread(shm, 2 * INDEX_BYTES + 4, 0)
        if len(read) < 2 * INDEX_BYTES + 4:
            return None
        first, second = read[:INDEX_BYTES], read[INDEX_BYTES : 2 * INDEX_BYTES]
        # They are written one after the other: unequal, somebody writes them now.
        if first == second:
            (changes, is_set, page, frames) = struct.unpack_from("=8xIBxHI", first)
            checksum = struct.pack(">2I", *struct.unpack_from("=2I", first, 24))
            (saved,) = struct.unpack_from("=I", read, 2 * INDEX_BYTES)
            # 65,536 does not fit into its two bytes.
            page_bytes = (page & 0xFE00) + ((page & 1) << 16)
            return Index(changes, page_bytes, frames, checksum, first[32:40], saved) if is_set else None
        time.sleep(0.0001 * attempt)
    return None


def problem(log: int, found: Index) -> str:
    """What is wrong with the header and the last frame of a log, through a descriptor of it; "" where nothing is."""
    if not found.frames:
        return ""
    header = os.pread(log, HEADER_BYTES, 0)
    if len(header) < HEADER_BYTES:
        return "was emptied"
    if header[16:24] != found.salts:
        return "was overwritten"
    # The checksum goes on from frame to frame: the last one is right only where it is the last of all of them.
    last = os.pread(log, FRAME_BYTES, found.bytes - FRAME_BYTES - found.page_bytes)
    if len(last) < FRAME_BYTES or os.fstat(log).st_size < found.bytes:
        return "was cut"
    return "" if last[8:24] == found.salts + found.checksum else "was overwritten"


def is_whole(log: int, found: Index) -> bool:
    """Whether each frame has the checksum that it must have. It reads all of them: about 0.1 s for 4 MiB."""
    if not found.frames:
        return True
    header = os.pread(log, HEADER_BYTES, 0)
    if len(header) < HEADER_BYTES:
        return False
    order = ">" if struct.unpack(">I", header[:4]) == (BIG_ENDIAN_MAGIC,) else "<"
    words = struct.Struct(f"{order}{found.page_bytes // 4}I")
    sums = _add((0, 0), struct.unpack(f"{order}6I", header[:24]))
    if struct.pack(">2I", *sums) != header[24:32]:
        return False
    for number in range(found.frames):
        at = HEADER_BYTES + number * (FRAME_BYTES + found.page_bytes)
        frame = os.pread(log, FRAME_BYTES + found.page_bytes, at)
        if len(frame) < FRAME_BYTES + found.page_bytes or frame[8:16] != found.salts:
            return False
        sums = _add(sums, struct.unpack(f"{order}2I", frame[:8]))
        sums = _add(sums, words.unpack(frame[FRAME_BYTES:]))
        if struct.pack(">2I", *sums) != frame[16:24]:
            return False
    return True


def _add(sums: tuple[int, int], words: tuple[int, ...]) -> tuple[int, int]:
    first, second = sums
    pairs = iter(words)
    for one, two in zip(pairs, pairs, strict=True):
        first = (first + one + second) & WORD
        second = (second + two + first) & WORD
    return first, second
