# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong before there is a result. Each message is one line that says what to do next."""

from __future__ import annotations


def first_line(error: BaseException, length: int = 300) -> str:
    """What an exception says, of a database's what the database says, in one line."""
    said = str(getattr(error, "orig", None) or error).strip()
    return next(iter(said.splitlines()), type(error).__name__)[:length]


# What SQLite says -> what to do.
_HINTS = {
    "locked": "another program has been writing into it for long; wait until it is done",
    "disk is full": "make room on its disk",
    "disk I/O": "make room on its disk, or mend the disk",
    "readonly": "make its file and its folder writable for this user",
    "malformed": "put back a copy of it",
    "not a database": "put back a copy of it",
}


def of_database(error: BaseException) -> str:
    """What a database says that does not do something, and what to do, in one line."""
    said = first_line(error)
    hint = next((hint for word, hint in _HINTS.items() if word in said), "see that it is there and answers")
    return f"{said}; {hint}"


class OncallError(Exception):
    """The run was not begun."""


class NoIncident(OncallError):
    """There is no incident of this name, or more than one."""


class UnknownRunbook(OncallError):
    """There is no runbook of this name.

    Attributes:
        near: the names that are like it.
    """

    def __init__(self, message: str, near: list[str]) -> None:
        super().__init__(message)
        self.near = near
