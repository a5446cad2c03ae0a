# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a dump says, read as it goes by: its tables, their columns and rows, and whether it has come to its end. Pure.

A dump can be larger than the memory. Nothing of a row is kept, and of a line only what can begin a statement.
"""

from __future__ import annotations

import re

from .belongings import AboutDatabase, name_in

# A name as pg_dump writes it: always with its schema, in quotes where it has to be.
_NAME = rb'((?:"(?:[^"\n]|"")+"|[^\s".(]+)\.(?:"(?:[^"\n]|"")+"|[^\s".(]+))'
_COPY = re.compile(rb"^COPY " + _NAME + rb" \(([^\n]*)\) FROM stdin;\n", re.M)
_TABLE = re.compile(rb"^CREATE (?:UNLOGGED |FOREIGN )?TABLE (?:IF NOT EXISTS )?" + _NAME + rb" \(", re.M)
_OWNER = re.compile(
    rb"^ALTER (?:FOREIGN )?TABLE (?:ONLY )?" + _NAME + rb' OWNER TO ("(?:[^"\n]|"")+"|[^\s".;]+);$', re.M
)
_INSERT = re.compile(rb"^INSERT INTO " + _NAME + rb" ", re.M)
_FROM = re.compile(rb"^-- Dumped from database version (\S+)", re.M)
_PART = re.compile(rb'"(?:[^"]|"")+"|[^".,\s]+')
_END = re.compile(rb"^-- PostgreSQL database (?:cluster )?dump complete$", re.M)
# What may come after the end: comments, and what newer versions write there.
_AFTER_END = re.compile(rb"(?:\s|--[^\n]*(?:\n|\Z)|\\unrestrict [A-Za-z0-9]+\s*\Z)*\Z")
_DATA_END = b"\n\\.\n"
_HEAD_BYTES = 4096
_TAIL_BYTES = 512
# A longer line than this begins no statement that is looked for.
_LINE_BYTES = 1024 * 1024
MOST_TABLES = 20000


def name_of(quoted):
    """A name as pg_dump writes it, without its quotes: ``schema.table``."""
    return ".".join(name_in(part) for part in _PART.findall(quoted))


class Dump:
    """Reads a dump in SQL, chunk by chunk.

    Attributes:
        tables: for each table by ``schema.table`` a dict ``rows`` (None where they are not told), ``columns`` and ``owner`` (None likewise).
        about: what it says of the database itself.
        read_bytes: how much was read.
    """

    def __init__(self):
        self.tables = {}
        self.about = AboutDatabase()
        self.read_bytes = 0
        self._head = b""
        self._tail = b""
        self._pending = b""
        self._copied = None

    def feed(self, chunk):
        """Read what comes next."""
        self.read_bytes += len(chunk)
        if len(self._head) < _HEAD_BYTES:
            self._head += chunk[: _HEAD_BYTES - len(self._head)]
        self._tail = (self._tail + chunk)[-_TAIL_BYTES:]
        self._pending += chunk
        while self._step():
            pass

    def _step(self):
        """Read on; whether there is more to do with what is there."""
        return self._rows() if self._copied is not None else self._statements()

    def _rows(self):
        data = self._pending
        end = data.find(_DATA_END)
        if end < 0:
            # The first byte is the end of a line that was counted; the end of the rows may have begun in the last three.
            cut = max(1, len(data) - 3)
            self._copied["rows"] += data.count(b"\n", 1, cut)
            self._pending = data[cut - 1 :]
            return False
        self._copied["rows"] += data.count(b"\n", 1, end + 1) if end else 0
        self._copied = None
        self._pending = data[end + len(_DATA_END) :]
        return True

    def _statements(self):
        data = self._pending
        whole = data.rfind(b"\n") + 1
        if not whole:
            if len(data) > _LINE_BYTES:
                # What comes is the rest of a line, and no beginning.
                self._pending = b" "
            return False
        copy = _COPY.search(data, 0, whole)
        until = copy.start() if copy else whole
        self.about.feed(data[:until])
        for found in _TABLE.finditer(data, 0, until):
            self._table(found.group(1))
        for found in _OWNER.finditer(data, 0, until):
            name = name_of(found.group(1))
            # A view and a sequence have the same statement in older versions.
            if name in self.tables:
                self.tables[name]["owner"] = name_in(found.group(2))
        for found in _INSERT.finditer(data, 0, until):
            table = self._table(found.group(1))
            if table is not None:
                table["rows"] = None
        if copy is None:
            self._pending = data[whole:]
            return False
        table = self._table(copy.group(1))
        if table is not None:
            table["columns"] = [name_in(part) for part in _PART.findall(copy.group(2))]
            table["rows"] = table["rows"] or 0
        # The rows begin after the end of this line, which stays as the one before the first.
        self._copied = table if table is not None else {"rows": 0}
        self._pending = data[copy.end() - 1 :]
        return True

    def _table(self, quoted):
        name = name_of(quoted)
        if name not in self.tables and len(self.tables) >= MOST_TABLES:
            return None
        return self.tables.setdefault(name, {"rows": None, "columns": None, "owner": None})

    @property
    def is_dump(self):
        """Whether it begins as what pg_dump writes."""
        return b"-- PostgreSQL database" in self._head

    @property
    def is_complete(self):
        """Whether it ends as what pg_dump writes."""
        found = _END.search(self._tail)
        return self._copied is None and found is not None and _AFTER_END.match(self._tail, found.end()) is not None

    @property
    def server_version(self):
        """The version of the server that it is from, or None."""
        found = _FROM.search(self._head)
        return found.group(1).decode("utf-8", "replace") if found else None

    @property
    def database(self):
        """The database that it is from, or None: a plain dump tells it only where it makes the database as well."""
        return self.about.name
