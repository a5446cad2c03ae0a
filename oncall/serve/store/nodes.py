# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one node that uses the files of a state directory. Several nodes share a PostgreSQL: see `lease`."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from ...errors import OncallError
from .engine import LOCK_FILE
from .lease import Peer


class Membership(Protocol):
    """That this process is the node that it says it is.

    Attributes:
        number: of its lease; Fenced where it has none now.
        file: until when the lease holds, for plays, or "" where it holds as long as the process lives.
    """

    @property
    def number(self) -> int: ...

    @property
    def file(self) -> str: ...

    def check(self) -> None:
        """OncallError where this node may do nothing now."""

    def gone(self, nodes: Callable[[], Iterable[str]]) -> list[Peer]:
        """Those of the nodes that are gone."""

    def close(self) -> None:
        """Be the node no more."""


class Alone:
    """Holds the lock of a state directory; it ends with the process.

    Raises:
        OncallError: another process has it.
    """

    number, file = 0, ""

    def __init__(self, state_directory: str) -> None:
        try:
            self._file = Path(state_directory, LOCK_FILE).open("w")  # noqa: SIM115 - open as long as this lives
        except OSError as error:
            raise OncallError(f"cannot open {state_directory}/lock: {error.strerror}") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise OncallError(f"another oncall serve uses {state_directory}; stop it first") from None

    def check(self) -> None:
        pass

    def gone(self, nodes: Callable[[], Iterable[str]]) -> list[Peer]:
        return []

    def close(self) -> None:
        self._file.close()
