# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How often the SQLite database was written to. The number is in the database (`user_version`) and, once it is durable there, in a
file beside it: a database with a smaller number than the file has lost something, whether by a log that was cut, by an older copy
or by a file that was taken away.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from ...errors import OncallError, first_line
from .engine import FILE

WRITTEN_FILE = f"{FILE}-written"


def lost(found: int, known: int) -> int:
    """How many writes are missing; 0 where none is. The numbers have 32 bits, and begin anew after the last."""
    missing = (known - found) & 0xFFFFFFFF
    return missing if missing < 1 << 31 else 0


class Written:
    """The number in the file.

    Args:
        state_directory: where it is.

    Raises:
        OncallError: it cannot be written.
    """

    def __init__(self, state_directory: str) -> None:
        self._file = Path(state_directory, WRITTEN_FILE)
        self._descriptor = -1
        try:
            self._open()
        except OSError as error:
            raise OncallError(f"cannot write {self._file}: {error.strerror}") from None

    def _open(self) -> None:
        self.close()
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        self._descriptor = os.open(self._file, flags, 0o600)
        self._inode = os.fstat(self._descriptor).st_ino

    def note(self, number: int) -> None:
        """This many are durable. It need not be durable itself: a smaller number only shows less. OSError where it cannot be written."""
        with suppress(OSError):
            if os.lstat(self._file).st_ino == self._inode:
                os.pwrite(self._descriptor, b"%-12d\n" % number, 0)
                return
        # Somebody removed it, and nothing is lost by that.
        self._open()
        os.pwrite(self._descriptor, b"%-12d\n" % number, 0)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def check_before_start(state_directory: str) -> None:
    """OncallError where a start would go on without what was acknowledged. It changes none of it."""
    file = Path(state_directory, FILE)
    log, beside = file.with_name(f"{FILE}-wal"), file.with_name(WRITTEN_FILE)
    known = _number(beside)
    if not _size(file):
        what = "is empty" if file.exists() else "is missing"
        remains = [one.name for one in (log, beside) if (known is not None if one is beside else _size(one))]
        if remains:
            raise OncallError(
                f"{file} {what}, and {' and '.join(remains)} of it {'are' if len(remains) > 1 else 'is'} there: what was acknowledged"
                f" is in no file; {_advice(file, *remains)}"
            )
        return
    if known is None:
        return
    try:
        # On the last connection that may write, SQLite would take the log into the file, and remove it.
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=10)) as connection:
            (found,) = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.OperationalError:
        # Such as a journal that has to be rolled back first; what cannot be opened shows where it is opened.
        return
    except sqlite3.DatabaseError as error:
        raise OncallError(
            f"{file} cannot be read ({first_line(error)}); put back a copy of it, without {FILE}-wal and {FILE}-shm"
        ) from None
    if missing := lost(found, known):
        raise OncallError(
            f"{file} lacks the last {missing} of {known} writes: it or its -wal was cut, removed or replaced by an older one;"
            f" {_advice(file, beside.name)}"
        )


def _advice(file: Path, *remains: str) -> str:
    return (
        f"put back the newest copy of it, such as {file.name}.rescued.*; or remove {' and '.join(remains)} to go on without,"
        " and what still fires is sent again"
    )


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise OncallError(f"cannot look at {file}: {error.strerror}") from None


def _number(file: Path) -> int | None:
    """None where there is none, such as after a version that kept none, or after a disk that forgot it."""
    try:
        text = file.read_bytes()[:32].strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OncallError(f"cannot read {file}: {error.strerror}") from None
    try:
        return int(text)
    except ValueError:
        return None
