# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names from an inventory as names of files: no name leads out of a folder, and two names are never one file."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from datetime import datetime, timezone

_NOT_IN_A_NAME = re.compile(r"[^\w.@+-]")
_LONGEST_BYTES = 100
_STAMP = re.compile(r"-(\d{8}T\d{6}\.\d{6})Z\Z")


def file_name(name: str) -> str:
    """A name for a file. One that had to be changed ends in a few digits that tell it from others which look alike then."""
    composed = unicodedata.normalize("NFC", name)
    plain = _NOT_IN_A_NAME.sub("_", composed).lstrip(".-")
    while len(plain.encode()) > _LONGEST_BYTES:
        plain = plain[:-1]
    if plain and plain == name:
        return plain
    digits = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    return f"{plain or '_'}-{digits}"


def stem(host: str, at_seconds: float) -> str:
    """The name of an archive, without its ending: host, and the time in UTC to the microsecond."""
    at = datetime.fromtimestamp(at_seconds, timezone.utc)
    return f"{file_name(host)}-{at:%Y%m%dT%H%M%S.%f}Z"


def stamp_of(name: str) -> str:
    """The time in the name of an archive, fit to be sorted by; "" where it is none."""
    found = _STAMP.search(name)
    return found[1] if found else ""
