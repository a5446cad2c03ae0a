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
# What stands before each part of a dump. Only there a statement is taken for one: the body of a function may hold the same text.
_HEADER = re.compile(
    rb"^-- (?:Data for )?Name: ([^\n]*); Type: ([A-Z ]+); Schema: ([^\n]*?)(?:; Owner: [^\n]*)?$", re.M
)
_MAKES = (b"TABLE", b"FOREIGN TABLE")
_FILLS = b"TABLE DATA"
_COPY = re.compile(rb"^COPY " + _NAME + rb" \(([^\n]*)\) FROM stdin;\n", re.M)
_TABLE = re.compile(rb"^CREATE (UNLOGGED |FOREIGN )?TABLE (?:IF NOT EXISTS )?" + _NAME + rb" (?:\(|OF )", re.M)
_PARTITIONED = re.compile(rb"^PARTITION BY ", re.M)
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


def _nothing():
    return {"rows": None, "columns": None, "owner": None, "is_made": False, "has_data": None}


class Dump:
    """Reads a dump in SQL, chunk by chunk.

    Attributes:
        tables: for each table by ``schema.table`` a dict ``rows`` (None where they are not told), ``columns`` and ``owner`` (None likewise),
            ``is_made`` (whether the dump makes it, and does not only fill it) and ``has_data`` (whether it has a part for its rows, be they
            none; None for a table that has no rows of its own).
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
        # Of the part that is being read: its type, and the table that it makes or fills.
        self._kind = b""
        self._part = None

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
        at = 0
        while True:
            header = _HEADER.search(data, at, whole)
            until = header.start() if header else whole
            copy = self._statement(data, at, until)
            if copy:
                self.about.feed(data[: copy.start()])
                self._begin_rows(copy)
                # The rows begin after the end of this line, which stays as the one before the first.
                self._pending = data[copy.end() - 1 :]
                return True
            if header is None:
                self.about.feed(data[:whole])
                self._pending = data[whole:]
                return False
            self._begin(*header.groups())
            at = header.end()

    def _begin(self, name, kind, schema):
        self._kind, self._part = kind, None
        if kind == _FILLS:
            # One without a row has no statement where there are INSERT statements.
            table = self.tables.get(f"{schema.decode('utf-8', 'replace')}.{name.decode('utf-8', 'replace')}")
            if table is not None:
                table["has_data"] = True

    def _statement(self, data, at, until):
        """Read the statements of one part; the COPY whose rows come next, or None."""
        if self._kind in _MAKES:
            self._making(data, at, until)
        elif self._kind == _FILLS and self._part is None:
            copy, insert = _COPY.search(data, at, until), _INSERT.search(data, at, until)
            if copy and not (insert and insert.start() < copy.start()):
                return copy
            if insert:
                # All statements of a part are about the same table, and their texts may hold anything.
                self._part = self._table(insert.group(1))
                self._part.update(rows=None, has_data=True)
        return None

    def _making(self, data, at, until):
        made = _TABLE.search(data, at, until) if self._part is None else None
        if made:
            self._part = self._table(made.group(2))
            self._part.update(
                is_made=True, has_data=None if made.group(1) == b"FOREIGN " else self._part["has_data"] or False
            )
        if self._part is None:
            return
        if _PARTITIONED.search(data, at, until):
            self._part["has_data"] = None
        owner = _OWNER.search(data, at, until)
        if owner and self.tables.get(name_of(owner.group(1))) is self._part:
            self._part["owner"] = name_in(owner.group(2))

    def _begin_rows(self, copy):
        self._part = self._copied = self._table(copy.group(1))
        columns = [name_in(part) for part in _PART.findall(copy.group(2))]
        self._copied.update(columns=columns, rows=self._copied["rows"] or 0, has_data=True)

    def _table(self, quoted):
        name = name_of(quoted)
        if name not in self.tables and len(self.tables) >= MOST_TABLES:
            return _nothing()
        return self.tables.setdefault(name, _nothing())

    @property
    def is_dump(self):
        """Whether it begins as what pg_dump writes."""
        return b"-- PostgreSQL database" in self._head

    @property
    def is_cluster(self):
        """Whether it is of all databases of a server."""
        return b"-- PostgreSQL database cluster dump" in self._head

    @property
    def is_complete(self):
        """Whether it ends as what pg_dump writes, or pg_dumpall: that has the end of each database before its own."""
        ends = list(_END.finditer(self._tail))
        return self._copied is None and bool(ends) and _AFTER_END.match(self._tail, ends[-1].end()) is not None

    @property
    def server_version(self):
        """The version of the server that it is from, or None."""
        found = _FROM.search(self._head)
        return found.group(1).decode("utf-8", "replace") if found else None

    @property
    def database(self):
        """The database that it is from, or None: a plain dump tells it only where it makes the database as well, and that only."""
        return None if self.is_cluster else self.about.name
