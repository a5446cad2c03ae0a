# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bearer tokens of a file that may change at any time."""

from __future__ import annotations

import hmac
import logging
import os
import stat
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from ... import trust
from ...errors import OncallError

LOG = logging.getLogger("oncall.tokens")
LEAST_LENGTH = 16
SAY_AGAIN_SECONDS = 60.0


class Tokens:
    """Known by one of the lines of a file; empty lines and those that begin with # do not count.

    While the file has no token, or others can read it, nobody is known: what was in it before may have been taken back.

    Raises:
        OncallError: the file has no token, or others can read it.
    """

    LEAST_LENGTH = LEAST_LENGTH

    def __init__(self, file: str) -> None:
        self._file = Path(file)
        self._stamp: tuple[int, ...] = ()
        self._tokens: list[bytes] = []
        # Why nobody is known; "" where somebody is.
        self.problem = ""
        self._said_at = float("-inf")
        self._lock = threading.Lock()
        try:
            self._read()
        except OSError as error:
            raise OncallError(self._cannot_read(error)) from None
        if self.problem:
            raise OncallError(self.problem)

    def knows(self, headers: Sequence[bytes]) -> bool:
        """Whether the one Authorization header is ``Bearer`` and a token."""
        self.look()
        if len(headers) != 1 or headers[0][:7].lower() != b"bearer ":
            return False
        given = headers[0][7:]
        # All of them, so that the time does not tell which one was near.
        return sum(hmac.compare_digest(given, token) for token in self._tokens) > 0

    def look(self) -> str:
        """See whether the file has changed, and say again what is wrong with it; why nobody is known, "" where somebody is."""
        with self._lock:
            try:
                if _stamp(self._file.stat()) != self._stamp:
                    self._read()
                    if not self.problem:
                        LOG.info("%d tokens read from %s", len(self._tokens), self._file)
            except OSError as error:
                self._stamp, self._tokens, self.problem = (), [], self._cannot_read(error)
            if not self.problem:
                self._said_at = float("-inf")
            elif time.monotonic() - self._said_at > SAY_AGAIN_SECONDS:
                self._said_at = time.monotonic()
                LOG.error("nobody is known any more: %s", self.problem)
            return self.problem

    def _cannot_read(self, error: OSError) -> str:
        return f"cannot read the tokens_file {self._file}: {error.strerror}"

    def _read(self) -> None:
        with self._file.open("rb") as file:
            # Of what is read, whatever is put in its place meanwhile.
            told = os.fstat(file.fileno())
            content = file.read()
        self._tokens, self.problem = self._found(content, told.st_mode)
        self._stamp = _stamp(told)

    def _found(self, content: bytes, mode: int) -> tuple[list[bytes], str]:
        """The tokens, or what is wrong with them."""
        if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
            return [], f"others can read the tokens_file {self._file}: chmod 600 {self._file}"
        try:
            trust.check("tokens_file", self._file.absolute())
            lines = content.decode().splitlines()
        except OncallError as error:
            return [], str(error)
        except UnicodeDecodeError:
            return [], f"cannot read the tokens_file {self._file}: no text"
        found = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
        if not found:
            return [], f"the tokens_file {self._file} has no token; make one with: openssl rand -hex 32"
        if short := next((number for number, token in enumerate(found, 1) if len(token) < LEAST_LENGTH), 0):
            return [], f"token {short} of {self._file} has fewer than {LEAST_LENGTH} characters"
        return [token.encode() for token in found], ""


def _stamp(told: os.stat_result) -> tuple[int, ...]:
    # A change of the mode is one of the ctime.
    return told.st_mtime_ns, told.st_ctime_ns, told.st_size, told.st_ino, told.st_dev
