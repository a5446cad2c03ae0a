# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far up the ladder of proof a backup stands. Each rung proves more than the one before; reading changes nothing."""

from __future__ import annotations

import os
import time

from ..deadline import DeadlineExceeded
from ..text.masking import masked
from ..text.one_line import one_line
from .archive import HEAD_BYTES, archive_version, kind_of, listed, major, newest_major, unsupported
from .files import NoFile, identity, opened
from .in_container import reason_of
from .sql import Dump
from .unpack import Bomb, Broken, plain_chunks, unpacked_chunks

# In the order of what they prove.
#   file: a file, not empty, that nobody writes to any more
#   listed: it begins as a dump, and the table of contents of an archive can be read
#   read: all of it was unpacked and read
#   ended: it ends as a whole dump does
#   tables: the tables and columns that have to be there are
#   restored: a test restore had the same rows (only a drill shows that)
RUNGS = ("file", "listed", "read", "ended", "tables", "restored")
_PACKED = ("gzip", "bzip2", "xz")
_CLOSED = {
    "encrypted": "it is encrypted: nothing of it can be looked at here",
    "zstd": "it is packed with zstd, which cannot be unpacked here",
    "lz4": "it is packed with lz4, which cannot be unpacked here",
    "zip": "it is a ZIP file, which cannot be looked into here",
}
WRITTEN_MEANWHILE = "it was written to while it was read"
_ERROR_BYTES = 4096
MOST_KEPT_TABLES = 5000


class Proof:
    """What was proven of one file.

    Attributes:
        rungs: for each of :data:`RUNGS` True, False, or None where it was not looked at.
        why: the first reason why a rung was not proven.
    """

    def __init__(self):
        self.rungs = dict.fromkeys(RUNGS)
        self.why = ""
        self.told = {
            "format": "unknown",
            "packed": "",
            "database": None,
            "makes_database": False,
            "belongings": None,
            "server_version": None,
            "created_seconds": None,
            "is_encrypted": False,
            "is_newer": False,
            "is_bomb": False,
            "missing": [],
            "without_data": [],
            "empty": [],
            "tables": None,
            "read_seconds": None,
        }

    def prove(self, rung):
        if self.rungs[rung] is None:
            self.rungs[rung] = True

    def fail(self, rung, why):
        self.rungs[rung] = False
        self.why = self.why or one_line(why)

    def leave(self, why):
        """Go no further up: why is not known."""
        self.why = self.why or one_line(why)

    def answer(self):
        """All of it as plain data, with ``reached`` and ``failed``, names of rungs or empty."""
        reached = ""
        for rung in RUNGS:
            if self.rungs[rung] is not True:
                break
            reached = rung
        failed = next((rung for rung in RUNGS if self.rungs[rung] is False), "")
        return dict(self.told, rungs=self.rungs, reached=reached, failed=failed, why=self.why)


def expected_tables(tables):
    """The tables that have to be there, by ``schema.table``, with the columns that have to be.

    Args:
        tables: names, or dicts ``name`` and ``columns``; a name without a schema is one of public.

    Raises:
        ValueError: one line.
    """
    found = {}
    for one in tables:
        row = {"name": one} if isinstance(one, str) else one
        if not isinstance(row, dict) or not isinstance(row.get("name"), str) or not row["name"]:
            raise ValueError("each of tables must be a name, or a dict with name and columns")
        if not isinstance(row.get("columns", []), list):
            raise ValueError(f"columns of {one_line(row['name'])} must be a list")
        name = row["name"] if "." in row["name"] else f"public.{row['name']}"
        found[name] = [str(column) for column in row.get("columns", [])]
    return found


def verify(path, expected, pg_restore, server_version, deadline):
    """Climb the ladder as far as it goes without a restore.

    Args:
        path: of the file.
        expected: see :func:`expected_tables`.
        pg_restore: the program that reads archives, as the beginning of an argument list.
        server_version: the version of the server it would be restored into, or None.
        deadline: for all of it.

    Returns:
        What :meth:`Proof.answer` gives, with ``identity`` and ``size_bytes`` where there is a file.
    """
    proof = Proof()
    began = time.monotonic()
    try:
        with opened(path) as (descriptor, status):
            proof.told.update(identity=identity(status), size_bytes=status.st_size)
            if not status.st_size:
                proof.fail("file", "it is empty (0 bytes)")
                return proof.answer()
            _climb(proof, descriptor, expected, pg_restore, deadline)
            if identity(os.fstat(descriptor)) != proof.told["identity"]:
                proof.rungs = dict.fromkeys(RUNGS)
                proof.why = ""
                proof.fail("file", WRITTEN_MEANWHILE)
                return proof.answer()
            proof.prove("file")
    except NoFile as error:
        proof.fail("file", str(error))
    except DeadlineExceeded:
        proof.leave(f"it could not be read to its end within {deadline.seconds:g} s")
        proof.prove("file")
    _newer_than_server(proof, server_version)
    proof.told["read_seconds"] = round(time.monotonic() - began, 3) if proof.rungs["read"] else None
    return proof.answer()


def _climb(proof, descriptor, expected, pg_restore, deadline):
    head = os.pread(descriptor, HEAD_BYTES, 0)
    kind = kind_of(head)
    proof.told["format"] = kind
    if kind in _CLOSED:
        proof.told["is_encrypted"] = kind == "encrypted"
        return proof.leave(_CLOSED[kind])
    if kind in ("custom", "tar"):
        return _archive(proof, descriptor, head, expected, pg_restore, deadline)
    if kind in _PACKED:
        proof.told.update(packed=kind, format="unknown")
        return _text(proof, unpacked_chunks(descriptor, kind), expected, deadline)
    if kind == "plain":
        return _text(proof, plain_chunks(descriptor), expected, deadline)
    return proof.fail("listed", "it does not begin as a dump of PostgreSQL does")


def _text(proof, chunks, expected, deadline):
    """A dump in SQL, as it is or packed."""
    dump, inner = Dump(), ""
    try:
        for chunk in chunks:
            deadline.remaining_seconds()
            if not inner:
                inner = kind_of(chunk[:HEAD_BYTES])
                proof.told["format"] = inner
            if inner == "plain":
                dump.feed(chunk)
    except Broken as error:
        if dump.is_dump:
            proof.prove("listed")
        return proof.fail("read", str(error))
    except Bomb as error:
        proof.told["is_bomb"] = True
        return proof.fail("read", str(error))
    proof.prove("read")
    if inner in _CLOSED or inner in ("custom", "tar", *_PACKED):
        proof.told["is_encrypted"] = inner == "encrypted"
        return proof.leave(_CLOSED.get(inner) or f"what is packed in it is {inner}, which is not looked into")
    if not dump.is_dump:
        proof.rungs["read"] = None
        return proof.fail("listed", "it does not begin as a dump of PostgreSQL does")
    proof.prove("listed")
    belongings = dump.about.told()
    proof.told.update(database=dump.database, server_version=dump.server_version)
    # An archive makes the database only where it is told to. Of several databases, nobody knows which is meant.
    proof.told.update(belongings=None if dump.is_cluster else belongings)
    proof.told.update(makes_database=dump.is_cluster or belongings is not None)
    if not dump.is_complete:
        return proof.fail("ended", "its last line is not that of a whole dump: the dump was cut off")
    proof.prove("ended")
    return _tables(proof, dump.tables, expected)


def _archive(proof, descriptor, head, expected, pg_restore, deadline):
    """An archive of pg_dump: its contents are listed, then all of it is turned into SQL and read."""
    # pg_restore reads one of these that is cut off without an end.
    cut_off = _tar_is_cut_off(descriptor) if proof.told["format"] == "tar" else ""
    if cut_off:
        return proof.fail("read", cut_off)
    ended = _piped([*pg_restore, "--list"], descriptor, deadline, None)
    if ended["error"]:
        return proof.leave(f"{pg_restore[0]} cannot be run: {ended['error']}")
    if ended["exit_code"] != 0:
        return _refused(proof, "listed", ended["stderr"], head)
    contents = listed(ended["stdout"])
    proof.told.update({key: contents[key] for key in ("database", "server_version", "created_seconds")})
    proof.prove("listed")
    dump = Dump()
    ended = _piped([*pg_restore, "--create", "--file=-"], descriptor, deadline, dump.feed)
    if ended["exit_code"] != 0:
        return _refused(proof, "read", ended["stderr"], head)
    proof.prove("read")
    if not dump.is_complete:
        return proof.fail("ended", "pg_restore read it without an error, and did not come to its end")
    proof.prove("ended")
    proof.told["belongings"] = dump.about.told()
    return _tables(proof, dump.tables, expected)


def _tar_is_cut_off(descriptor):
    """Why a tar file has not come to its end, or an empty text."""
    import tarfile

    size_bytes = os.fstat(descriptor).st_size
    os.lseek(descriptor, 0, os.SEEK_SET)
    try:
        with os.fdopen(os.dup(descriptor), "rb") as file, tarfile.open(fileobj=file, mode="r:") as tar:
            for member in tar:
                if member.offset_data + member.size > size_bytes:
                    return f"it is cut off: {one_line(member.name)} in it has not come to its end"
                last = member.name
    except (tarfile.TarError, OSError, ValueError) as error:
        return f"it is damaged: {error}"
    # pg_dump writes this one at the end.
    return "" if last == "restore.sql" else f"it is cut off after {one_line(last)}"


def _refused(proof, rung, message, head):
    last = masked(reason_of(message))
    too_new = unsupported(message)
    if not too_new:
        return proof.fail(rung, f"pg_restore refuses it: {last}")
    proof.told["is_newer"] = True
    version = newest_major(archive_version(head))
    by = f"PostgreSQL {version} or earlier, newer than pg_restore here" if version else "a newer PostgreSQL"
    return proof.leave(f"its format {too_new} is that of {by}, so it cannot be read here")


def _newer_than_server(proof, server_version):
    of, there = major(proof.told["server_version"]), major(server_version)
    if of and there and of > there:
        proof.told["is_newer"] = True
        proof.leave(f"it is from PostgreSQL {of}, newer than the server ({there})")


def missing_in(tables, expected):
    """What is expected and not among these tables: ``schema.table``, or ``schema.table.column``. Pure."""
    missing = []
    for name, columns in sorted(expected.items()):
        if not tables.get(name, {}).get("is_made"):
            missing.append(name)
        elif tables[name]["columns"] is not None:
            missing += [f"{name}.{column}" for column in columns if column not in tables[name]["columns"]]
    return missing


def judged(tables, expected):
    """What these tables show of what is expected. Pure.

    Returns:
        A dict ``missing``, ``without_data`` (those that are made and not filled), ``empty`` (those that are filled, with no row) and ``why``,
        the reason why the tables are not proven, or an empty text.
    """
    missing = missing_in(tables, expected)
    made = [name for name, one in sorted(tables.items()) if one["is_made"]]
    bare = [name for name in made if tables[name]["has_data"] is False]
    without_data = [name for name in bare if name in expected]
    whys = []
    if tables and not made:
        whys.append("it makes none of its tables, as with pg_dump --data-only")
    elif missing:
        whys.append(f"not in it: {', '.join(missing[:10])}")
    if bare and not any(one["has_data"] for one in tables.values()):
        whys.append("it has no rows of any table, as with pg_dump --schema-only")
    elif without_data:
        whys.append(f"without their rows, as with pg_dump --exclude-table-data: {', '.join(without_data[:10])}")
    return {
        "missing": missing,
        "without_data": without_data,
        "empty": sorted(name for name in expected if tables.get(name, {}).get("rows") == 0),
        "why": "; ".join(whys),
    }


def _tables(proof, tables, expected):
    found = judged(tables, expected)
    why = found.pop("why")
    proof.told.update(found, tables=dict(sorted(tables.items())[:MOST_KEPT_TABLES]))
    return proof.fail("tables", why) if why else proof.prove("tables")


def _piped(argv, descriptor, deadline, sink):
    """Run a program that reads the file, and take what it prints.

    Returns:
        A dict ``exit_code``, ``stdout`` (where there is no sink), ``stderr`` and ``error``.

    Raises:
        DeadlineExceeded: it was killed.
    """
    import selectors
    import signal
    import subprocess
    import tempfile

    os.lseek(descriptor, 0, os.SEEK_SET)
    kept = []
    with tempfile.TemporaryFile() as errors:
        try:
            # Observers run in the controller as well, where there is no module and so no run_command.
            process = subprocess.Popen(  # pylint: disable=ansible-bad-function
                argv,
                stdin=descriptor,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=dict(os.environ, LC_ALL="C", TZ="UTC"),
                start_new_session=True,
            )
        except OSError as error:
            return {"exit_code": None, "stdout": "", "stderr": "", "error": error.strerror}
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(process.stdout, selectors.EVENT_READ)
                while True:
                    if not selector.select(deadline.remaining_seconds()):
                        continue
                    chunk = os.read(process.stdout.fileno(), 256 * 1024)
                    if not chunk:
                        break
                    (sink or kept.append)(chunk)
            code = process.wait(timeout=deadline.remaining_seconds())
        except subprocess.TimeoutExpired:
            raise DeadlineExceeded("it did not end") from None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            process.stdout.close()
        errors.seek(0, os.SEEK_END)
        errors.seek(max(0, errors.tell() - _ERROR_BYTES))
        stderr = errors.read().decode("utf-8", "replace")
    return {"exit_code": code, "stdout": b"".join(kept).decode("utf-8", "replace"), "stderr": stderr, "error": ""}
