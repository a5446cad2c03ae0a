# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bearer tokens of a file that may change at any time."""

from __future__ import annotations

import hmac
import logging
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from ... import trust
from ...errors import OncallError

LOG = logging.getLogger("oncall.tokens")
LEAST_LENGTH = 16


class Tokens:
    """Known by one of the lines of a file; empty lines and those that begin with # do not count.

    Raises:
        OncallError: the file has no token, or others can read it.
    """

    def __init__(self, file: str) -> None:
        self._file = Path(file)
        self._stamp: tuple[int, ...] = ()
        self._tokens: list[bytes] = []
        self._read()

    def knows(self, headers: Sequence[bytes]) -> bool:
        """Whether the one Authorization header is ``Bearer`` and a token."""
        self._look()
        if len(headers) != 1 or headers[0][:7].lower() != b"bearer ":
            return False
        given = headers[0][7:]
        # All of them, so that the time does not tell which one was near.
        return sum(hmac.compare_digest(given, token) for token in self._tokens) > 0

    def _look(self) -> None:
        try:
            if self._stamp_now() != self._stamp:
                self._read()
                LOG.info("%d tokens read from %s", len(self._tokens), self._file)
        except (OSError, OncallError) as error:
            # The old ones stay: somebody may be writing this very moment.
            LOG.error("the tokens stay what they were: %s", error)

    def _stamp_now(self) -> tuple[int, ...]:
        told = self._file.stat()
        return told.st_mtime_ns, told.st_size, told.st_ino

    def _read(self) -> None:
        try:
            stamp, mode = self._stamp_now(), self._file.stat().st_mode
            lines = self._file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            what = getattr(error, "strerror", "") or "no text"
            raise OncallError(f"cannot read the tokens_file {self._file}: {what}") from None
        found = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
        if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
            raise OncallError(f"others can read the tokens_file {self._file}: chmod 600 {self._file}")
        trust.check("tokens_file", self._file.absolute())
        if not found:
            raise OncallError(f"the tokens_file {self._file} has no token; make one with: openssl rand -hex 32")
        if short := next((number for number, token in enumerate(found, 1) if len(token) < LEAST_LENGTH), 0):
            raise OncallError(f"token {short} of {self._file} has fewer than {LEAST_LENGTH} characters")
        self._tokens, self._stamp = [token.encode() for token in found], stamp
