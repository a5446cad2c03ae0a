# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what is packed with gzip, bzip2 or xz, in bounded steps, and notices what is no dump but a bomb."""

from __future__ import annotations

import os

CHUNK_BYTES = 1024 * 1024
# Text of a dump is packed to a tenth, seldom to a hundredth. What unpacks to more of itself than this is not read on.
MOST_TIMES = 400
ALWAYS_BYTES = 16 * 1024 * 1024
_XZ_MEMORY_BYTES = 256 * 1024 * 1024


class Broken(Exception):
    """It cannot be unpacked to its end; the text says how far it came."""


class Bomb(Exception):
    """It unpacks to so many times its size that it was not read on."""


def plain_chunks(descriptor):
    """The content of a file, from its beginning."""
    at = 0
    while True:
        chunk = os.pread(descriptor, CHUNK_BYTES, at)
        if not chunk:
            return
        at += len(chunk)
        yield chunk


def unpacked_chunks(descriptor, kind):
    """The content of a packed file, chunk by chunk.

    Args:
        descriptor: of the file.
        kind: ``gzip``, ``bzip2`` or ``xz``.

    Raises:
        Broken: it is cut off or damaged.
        Bomb: see :data:`MOST_TIMES`.
    """
    packed_bytes = unpacked_bytes = 0
    unpacker, has_begun = _unpacker(kind), False
    for packed in plain_chunks(descriptor):
        packed_bytes += len(packed)
        while packed:
            if unpacker.eof:
                # More than one stream in a file is one text; zeros fill it up to a block of a tape.
                packed = packed.lstrip(b"\0")
                if not packed:
                    break
                unpacker, has_begun = _unpacker(kind), False
            has_begun = True
            for chunk in _guarded(unpacker.chunks(packed), packed_bytes):
                unpacked_bytes += len(chunk)
                if unpacked_bytes > ALWAYS_BYTES + MOST_TIMES * packed_bytes:
                    raise Bomb(f"it unpacks to over {MOST_TIMES} times its size, as no dump does, and was not read on")
                yield chunk
            packed = unpacker.left
    if has_begun and not unpacker.eof:
        raise Broken(f"it is cut off after {packed_bytes} bytes, {unpacked_bytes} unpacked")


def _guarded(chunks, packed_bytes):
    import lzma
    import zlib

    try:
        yield from chunks
    except (zlib.error, lzma.LZMAError, OSError, EOFError) as error:
        raise Broken(f"it is damaged within its first {packed_bytes} bytes: {error}") from None


def _unpacker(kind):
    if kind == "gzip":
        return _Gzip()
    if kind == "bzip2":
        import bz2

        return _Other(bz2.BZ2Decompressor())
    import lzma

    return _Other(lzma.LZMADecompressor(memlimit=_XZ_MEMORY_BYTES))


class _Gzip:
    """Unpacks one stream of gzip.

    Attributes:
        left: of what was given, what comes after its end.
    """

    def __init__(self):
        import zlib

        self._zlib = zlib.decompressobj(16 + zlib.MAX_WBITS)
        self.left = b""

    @property
    def eof(self):
        return self._zlib.eof

    def chunks(self, packed):
        while True:
            chunk = self._zlib.decompress(packed, CHUNK_BYTES)
            packed = self._zlib.unconsumed_tail
            if chunk:
                yield chunk
            if self._zlib.eof or not (chunk or packed):
                break
        self.left = self._zlib.unused_data


class _Other:
    """Unpacks one stream of bzip2 or xz, which keep what they were given until all of it is out."""

    def __init__(self, decompressor):
        self._decompressor = decompressor
        self.left = b""

    @property
    def eof(self):
        return self._decompressor.eof

    def chunks(self, packed):
        while True:
            chunk = self._decompressor.decompress(packed, CHUNK_BYTES)
            packed = b""
            if chunk:
                yield chunk
            if self._decompressor.eof or self._decompressor.needs_input:
                break
        self.left = self._decompressor.unused_data
