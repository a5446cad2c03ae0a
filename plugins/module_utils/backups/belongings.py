# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What belongs to a database itself and not to anything in it: owner, encoding, who may connect, settings. Pure.

A restore takes it from the database in use. Where that is gone, a dump tells it that can make the database as well, which every archive
of pg_dump can; then what was kept when a test restore or a dump was made from here; and of the owner the inventory.
"""

from __future__ import annotations

import re

# A name as pg_dump writes it, and texts in quotes.
_IDENT = rb'("(?:[^"\n]|"")+"|[^\s".;()]+)'
_TEXTS = rb"('(?:[^'\n]|'')*'(?:, '(?:[^'\n]|'')*')*)"
_HEADER = re.compile(rb"^-- (?:Data for )?Name: ([^\n]*); Type: ([A-Z ]+); Schema: [^\n]*$", re.M)
_CREATE = re.compile(rb"^CREATE DATABASE " + _IDENT + rb" WITH ([^\n]*);$", re.M)
_COMMENT = re.compile(rb"^COMMENT ON DATABASE " + _IDENT + rb" IS '(?:[^']|'')*';$", re.M)
_OWNER = re.compile(rb"^ALTER DATABASE " + _IDENT + rb" OWNER TO " + _IDENT + rb";$", re.M)
_LIMIT = re.compile(rb"^ALTER DATABASE " + _IDENT + rb" CONNECTION LIMIT = (\d+);$", re.M)
_SETTING = re.compile(
    rb"^ALTER (?:ROLE " + _IDENT + rb" IN )?DATABASE " + _IDENT + rb" SET " + _IDENT + rb" TO " + _TEXTS + rb";$", re.M
)
_RIGHT = re.compile(
    rb"^(GRANT|REVOKE) ([A-Z, ]+) ON DATABASE " + _IDENT + rb" (?:TO|FROM) " + _IDENT + rb"( WITH GRANT OPTION)?;$",
    re.M,
)
_OPTION = re.compile(rb"([A-Z_]+) = ('(?:[^']|'')*'|[^\s']+)")
_PROVIDERS = {"libc": "c", "icu": "i", "builtin": "b"}
PRIVILEGES = ("ALL", "CONNECT", "CREATE", "TEMP", "TEMPORARY")
# What comes first in a dump is about the database. What follows may hold any text, such as the body of a function.
_OF_DATABASE = (b"DATABASE", b"DATABASE PROPERTIES")
# What is written after all data.
_AT_THE_END = (b"ACL", b"DEFAULT ACL", b"EVENT TRIGGER", b"MATERIALIZED VIEW DATA")
_MOST_BYTES = 256 * 1024


def name_in(quoted):
    """A name without the quotes that pg_dump has put around it."""
    if quoted.startswith(b'"'):
        quoted = quoted[1:-1].replace(b'""', b'"')
    return quoted.decode("utf-8", "replace")


def _texts(quoted):
    return [one[1:-1].replace(b"''", b"'").decode("utf-8", "replace") for one in re.findall(rb"'(?:[^']|'')*'", quoted)]


class AboutDatabase:
    """Reads what a dump says of the database itself, as the parts of it go by that hold statements."""

    def __init__(self):
        self._about = self._rights = b""
        self._is_past = False
        self._reads = ""

    def feed(self, text):
        """Read whole lines that hold statements, and no data."""
        at = 0
        for header in _HEADER.finditer(text):
            self._take(text[at : header.start()])
            self._begin(*header.groups())
            at = header.end()
        self._take(text[at:])

    def _begin(self, name, kind):
        of_database = name.startswith(b"DATABASE ")
        if kind == b"ACL" and of_database:
            # What came before under such a line was a text in the data.
            self._rights, self._reads = b"", "rights"
            return
        if kind not in _AT_THE_END:
            self._rights = b""
        self._is_past = self._is_past or not (kind in _OF_DATABASE or (kind == b"COMMENT" and of_database))
        self._reads = "" if self._is_past else "about"

    def _take(self, text):
        if self._reads == "about" and len(self._about) < _MOST_BYTES:
            self._about += text
        elif self._reads == "rights" and len(self._rights) < _MOST_BYTES:
            self._rights += text

    @property
    def name(self):
        """The name of the database, or None where the dump does not make it."""
        made = _CREATE.search(self._about)
        return name_in(made.group(1)) if made else None

    def told(self):
        """What it says, as :func:`nothing` has it, or None where the dump does not make the database."""
        made = _CREATE.search(self._about)
        if made is None:
            return None
        # Else a text in the comment could be taken for a statement.
        text = _COMMENT.sub(b"", self._about)
        options = {key.decode(): value.decode("utf-8", "replace").strip("'") for key, value in _OPTION.findall(made[2])}
        owners, limits = _OWNER.findall(text), _LIMIT.findall(text)
        return dict(
            nothing(),
            owner=name_in(owners[-1][1]) if owners else None,
            encoding=options.get("ENCODING"),
            provider=_PROVIDERS.get(options.get("LOCALE_PROVIDER")),
            collate=options.get("LC_COLLATE") or options.get("LOCALE"),
            ctype=options.get("LC_CTYPE") or options.get("LOCALE"),
            locale=options.get("ICU_LOCALE") or options.get("BUILTIN_LOCALE"),
            connection_limit=int(limits[-1][1]) if limits else None,
            settings=[
                {"role": name_in(role) if role else None, "name": name_in(name), "values": _texts(values)}
                for role, _database, name, values in _SETTING.findall(text)
            ],
            rights=[
                {
                    "is_given": verb == b"GRANT",
                    "privileges": [one.strip() for one in privileges.decode().split(",")],
                    "role": None if role == b"PUBLIC" else name_in(role),
                    "is_grantable": bool(grantable),
                }
                for verb, privileges, _database, role, grantable in _RIGHT.findall(self._rights)
            ],
        )


def nothing():
    """Nothing said of anything."""
    return {
        "owner": None,
        "encoding": None,
        "provider": None,
        "collate": None,
        "ctype": None,
        "locale": None,
        "connection_limit": None,
        "settings": [],
        "rights": [],
    }


def chosen(in_dump, kept, given_owner):
    """What a database gets that is not there any more, and who says whose it was.

    Args:
        in_dump: what the dump says, or None.
        kept: what was kept of the database from when it was there, or None.
        given_owner: what the inventory says, or an empty text. It comes first: a person has said it.

    Returns:
        ``(belongings, by)``; ``by`` is empty where nobody says whose it was.
    """
    found = dict(nothing(), **(in_dump or kept or {}))
    owner, by = found["owner"], "the backup" if (in_dump or {}).get("owner") else ""
    if not by and (kept or {}).get("owner"):
        owner, by = kept["owner"], "what was kept when it was there"
    if given_owner:
        owner, by = given_owner, "the inventory"
    return dict(found, owner=owner), by
