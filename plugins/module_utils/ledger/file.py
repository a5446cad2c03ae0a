# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger's file: opened safely, in one transaction, or refused with one line."""

from __future__ import annotations

import os
import stat
from contextlib import closing, contextmanager
from pathlib import Path

from ..text.one_line import one_line
from ..trusted_path import make_folder
from ..trusted_path import objection as objection_to_way
from .records import SCHEMA, SCHEMA_VERSION

_KEEP_IT = (
    "keep the file: restore a backup, or move it away to start an empty ledger, which forgets this host's"
    " locks, holds and cooldowns"
)

# What SQLite reads beside its file.
_BESIDE = ("-journal", "-wal", "-shm")


class Unusable(Exception):
    """The ledger cannot be used; the text says why and what to do next. Nothing was written."""


@contextmanager
def opened(path, timeout_seconds, write, create):
    """A connection in a transaction that is committed at the end, or None where there is no file.

    Args:
        path: absolute path of the file.
        timeout_seconds: how long to wait for another process that is using it.
        write: whether something may be written.
        create: whether a missing file is made.

    Raises:
        Unusable: also for whatever goes wrong with the records in the block, and when the commit fails.
    """
    try:
        import sqlite3

        _check_folder(path)
        if create and not _present(path):
            _create(path, timeout_seconds)
        if not _present(path):
            yield None
            return
        with closing(_connected(path, timeout_seconds)) as db:
            db.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            _check_version(db)
            yield db
            db.execute("COMMIT")
    except ImportError as error:
        step = "install Python's sqlite3 for the interpreter Ansible uses on this host"
        raise Unusable(f"{one_line(error)}; {step}") from error
    # Damaged records surface as errors of conversion; they refuse like a damaged page does.
    except (sqlite3.Error, OSError, ValueError, TypeError, LookupError, ArithmeticError) as error:
        back = one_line(getattr(error, "strerror", None) or error)
        raise Unusable(f"{back}; {_next_step(error, back)}") from error


def objection(status, uid):
    """Why a file with this ``os.stat_result`` cannot be the ledger of user ``uid``, or an empty text."""
    if stat.S_ISLNK(status.st_mode):
        return "it is a symbolic link; set path to the file itself"
    if not stat.S_ISREG(status.st_mode):
        return "it is not a regular file; set path to a file"
    if status.st_uid not in (uid, 0):
        return f"it belongs to uid {status.st_uid}, not to uid {uid} or root; look who made it, then chown it"
    if stat.S_IMODE(status.st_mode) & 0o022:
        return f"others may write to it (mode {stat.S_IMODE(status.st_mode):04o}); look who did, then chmod 600"
    if status.st_size == 0:
        return f"it is empty, which a ledger never is; {_KEEP_IT}"
    return ""


def _check_folder(path):
    """Who may write there can take the ledger away, or have SQLite take over what its journal says."""
    found = objection_to_way(str(Path(path).parent), beside=True)
    for ending in _BESIDE if not found else ():
        try:
            owner = os.lstat(path + ending).st_uid
        except FileNotFoundError:
            continue
        if owner not in (os.geteuid(), 0):
            found = f"{path}{ending} belongs to uid {owner}; look who put it there, then move it away"
    if found:
        raise Unusable(found)


def _present(path):
    try:
        found = objection(os.lstat(path), os.geteuid())
    except FileNotFoundError:
        return False
    if found:
        raise Unusable(found)
    return True


def _connected(path, timeout_seconds):
    import sqlite3

    # mode=rw: never creates the file, yet undoes what a killed process left half written.
    uri = Path(path).as_uri() + "?mode=rw"
    db = sqlite3.connect(uri, uri=True, timeout=timeout_seconds, isolation_level=None)
    db.row_factory = sqlite3.Row
    return db


def _create(path, timeout_seconds):
    """Put an empty ledger in place, unless somebody else is quicker.

    It appears under its name only when complete: an empty file always is a loss and can be refused.
    """
    import tempfile

    folder = Path(path).parent
    make_folder(str(folder))
    _check_folder(path)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{Path(path).name}.", suffix=".new", dir=str(folder))
    os.close(descriptor)
    try:
        with closing(_connected(temporary, timeout_seconds)) as db:
            db.execute("BEGIN")
            for statement in SCHEMA:
                db.execute(statement)
            db.execute("COMMIT")
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        Path(temporary).unlink()


def _check_version(db):
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        step = f"this collection knows {SCHEMA_VERSION}; upgrade the collection on the controller"
        raise Unusable(f"its schema version is {version}, {step}")
    if version < SCHEMA_VERSION:
        step = f"set path to another file, or {_KEEP_IT}"
        raise Unusable(f"its schema version is {version}: it is no ledger, or damaged; {step}")


def _next_step(error, back):
    if "locked" in back:
        return "another process is using it: try again, fuser names the process"
    if isinstance(error, OSError) or any(sign in back for sign in ("unable to open", "readonly", "I/O", "is full")):
        return "look at its disk, free space and permissions, or set another path, the same for all controllers"
    return _KEEP_IT
