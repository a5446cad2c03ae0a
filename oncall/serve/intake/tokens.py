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
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ... import trust
from ...errors import OncallError
from ...incidents.commands import MOST_NAME, PROGRAM

LOG = logging.getLogger("oncall.tokens")
LEAST_LENGTH = 16
SAY_AGAIN_SECONDS = 60.0
# What a token alone is for: notifications and metrics. A person has one of the others, and may do what those before it may.
SENDER, VIEWER, RESPONDER, ADMIN = ROLES = ("sender", "viewer", "responder", "admin")


@dataclass(frozen=True)
class Known:
    """Whose a token is. ``name`` stands in timelines; "" for a token alone, which is nobody's."""

    name: str = ""
    role: str = SENDER

    def may(self, role: str) -> bool:
        """Whether they may what this role may."""
        return ROLES.index(self.role) >= ROLES.index(role)


class Tokens:
    """Known by one of the lines of a file: ``TOKEN``, or ``TOKEN ROLE NAME``.

    Empty lines and those that begin with # do not count.

    While the file has no token, or others can read it, nobody is known: what was in it before may have been taken back.

    Raises:
        OncallError: the file has no token, or others can read it.
    """

    LEAST_LENGTH = LEAST_LENGTH

    def __init__(self, file: str) -> None:
        self._file = Path(file)
        self._stamp: tuple[int, ...] = ()
        self._tokens: list[tuple[bytes, Known]] = []
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

    def who(self, headers: Sequence[bytes]) -> Known | None:
        """Whose token the one Authorization header has, which is ``Bearer`` and a token; None for nobody."""
        self.look()
        if len(headers) != 1 or headers[0][:7].lower() != b"bearer ":
            return None
        return self.whose(lambda token: hmac.compare_digest(headers[0][7:], token))

    def whose(self, is_it: Callable[[bytes], bool]) -> Known | None:
        """Whose the token is that ``is_it`` knows; None for nobody's."""
        self.look()
        # All of them, so that the time does not tell which one was near.
        found = [known for token, known in self._tokens if is_it(token)]
        return found[0] if found else None

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

    def _found(self, content: bytes, mode: int) -> tuple[list[tuple[bytes, Known]], str]:
        """The tokens and whose they are, or what is wrong with them."""
        told, problem = self._lines(content, mode)
        found: dict[bytes, Known] = {}
        for number, line in enumerate(told, 1):
            token, known, wrong = _of_line(line)
            if not wrong and found.get(token, known) != known:
                wrong = "is that of somebody else too"
            if wrong:
                return [], f"token {number} of {self._file} {wrong}"
            found[token] = known
        return [*found.items()], problem

    def _lines(self, content: bytes, mode: int) -> tuple[list[str], str]:
        """The lines that count, or what is wrong with the file."""
        if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
            return [], f"others can read the tokens_file {self._file}: chmod 600 {self._file}"
        try:
            trust.check("tokens_file", self._file.absolute())
            lines = content.decode().splitlines()
        except OncallError as error:
            return [], str(error)
        except UnicodeDecodeError:
            return [], f"cannot read the tokens_file {self._file}: no text"
        told = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
        if not told:
            return [], f"the tokens_file {self._file} has no token; make one with: openssl rand -hex 32"
        return told, ""


def _of_line(line: str) -> tuple[bytes, Known, str]:
    """A token, whose it is, and what is wrong with it. What is said of it has nothing of the line: any part of it may be a token."""
    token, *whose = line.split(None, 2)
    known = Known(whose[1], whose[0]) if len(whose) == 2 else Known()
    wrong = ""
    if len(whose) == 1 or known.role not in ROLES:
        wrong = f"has something else than a role and a name behind it; the roles are {', '.join(ROLES)}"
    elif len(token) < LEAST_LENGTH:
        wrong = f"has fewer than {LEAST_LENGTH} characters"
    elif len(known.name) > MOST_NAME or not known.name.isprintable() or known.name == PROGRAM:
        wrong = f"has a name that nobody has: at most {MOST_NAME} characters that can be printed, and not {PROGRAM}"
    return token.encode(), known, wrong


def _stamp(told: os.stat_result) -> tuple[int, ...]:
    # A change of the mode is one of the ctime.
    return told.st_mtime_ns, told.st_ctime_ns, told.st_size, told.st_ino, told.st_dev
