# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What kind of file a backup is, and what ``pg_restore --list`` says of it. Pure."""

from __future__ import annotations

import re
from datetime import datetime, timezone

# How many bytes at its beginning tell the kind.
HEAD_BYTES = 512
_MAGIC = (
    (b"PGDMP", "custom"),
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"PK\x03\x04", "zip"),
    (b"REDIS", "redis"),
    (b"-----BEGIN PGP MESSAGE", "encrypted"),
    (b"age-encryption.org/", "encrypted"),
    (b"Salted__", "encrypted"),
)
# Packets of OpenPGP that an encrypted message begins with: a session key for somebody, or for a password. No text in UTF-8 begins so.
_OPENPGP = re.compile(rb"[\x84\x85\x86\x8c\x8d]|\xc1.|\xc3[^\x80-\xbf]", re.DOTALL)
_SQL = re.compile(rb"\s*(?:--|/\*|SET |CREATE |BEGIN|\\|INSERT |DROP )", re.I)
_KEY = re.compile(r"^;\s+([A-Za-z][A-Za-z ]+): (.*)$")
_CREATED = re.compile(r"^; Archive created at (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)")
_UNSUPPORTED = re.compile(r"unsupported version \(([\d.]+)\) in file header")
_VERSION = re.compile(r"(\d+)")
# Until this archive format nothing says more than the number of the format.
_NEWEST_OF = {(1, 14): 15, (1, 15): 16, (1, 16): 18}


def kind_of(head):
    """The kind of file that these first bytes begin.

    Returns:
        ``custom``, ``tar`` or ``plain`` (what pg_dump writes), ``gzip``, ``bzip2``, ``xz``, ``zstd``, ``lz4`` or ``zip`` (packed),
        ``encrypted``, ``redis``, or ``unknown``.
    """
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head[257:262] == b"ustar" and head.startswith(b"toc.dat\0"):
        return "tar"
    if _SQL.match(head):
        return "plain"
    if _OPENPGP.match(head):
        return "encrypted"
    return "unknown"


def archive_version(head):
    """The version of the format of an archive of pg_dump, as a pair of numbers, or None."""
    return (head[5], head[6]) if head.startswith(b"PGDMP") and len(head) > 6 else None


def major(version):
    """The major version in a text such as ``15.18 (Debian 15.18-1)``, or None."""
    found = _VERSION.match(version or "")
    return int(found.group(1)) if found else None


def newest_major(version):
    """The newest major version of PostgreSQL that writes this format, or None where that is not known."""
    return _NEWEST_OF.get(version)


def unsupported(message):
    """The version of the archive's format that a pg_restore is too old for, or an empty text."""
    found = _UNSUPPORTED.search(message)
    return found.group(1) if found else ""


def listed(text):
    """What ``pg_restore --list`` says.

    Returns:
        A dict ``database``, ``server_version`` and ``created_seconds`` (seconds since 1970, as if the clock of the machine that made it had
        shown UTC; it may be 14 hours off). Names of tables may hold blanks there, so that nobody can tell them apart from those of schemas.
    """
    found = {"database": None, "server_version": None, "created_seconds": None}
    keys = {"dbname": "database", "Dumped from database version": "server_version"}
    for line in text.splitlines():
        created = _CREATED.match(line)
        if created:
            moment = datetime.strptime(created.group(1), "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone.utc)
            found["created_seconds"] = moment.timestamp()
        key = _KEY.match(line)
        if key and key.group(1) in keys:
            found[keys[key.group(1)]] = key.group(2).strip()
    return found
