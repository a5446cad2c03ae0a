# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much JSON would become, counted before any object is made of it: two bytes can be an object of seventy."""

from __future__ import annotations

import re

# Up to the next bracket or comma that is in no string. So many escapes are more than any text may have, and a search of seconds
# would hold every thread.
_NEXT = re.compile(rb'(?:[^"\[\]{},]++|"(?:[^"\\]++|\\.){0,40000}+"){0,8}+([\[\]{},])', re.DOTALL)


def excess(document: bytes | bytearray, most_parts: int, most_values: int, most_between: int = 2**63) -> str:
    """Why a list or a mapping is too much; "" where it is not.

    Args:
        document: the JSON of it, which a parser has found to be JSON.
        most_parts: so many parts it may have itself.
        most_values: so many it may have with all that is in them.
        most_between: so many bytes there may be between two signs of JSON, such as a name and its text.
    """
    depth = parts = values = at = 0
    while (found := _NEXT.match(document, at)) and found.end() - at <= most_between:
        at = found.end()
        sign = found[1]
        if sign in b"]}":
            depth -= 1
            if depth == 0:
                return ""
            continue
        depth += sign != b","
        values += 1
        parts += depth == 1
        if parts > most_parts:
            return f"it has more than {most_parts} parts"
        if values > most_values:
            return f"it has more than {most_values} values"
    return "a text in it is too long"
