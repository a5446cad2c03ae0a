# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which row of a table of patterns a message belongs to."""

from __future__ import annotations

import re


def first_match(rows, message):
    """The name of the first row whose pattern is in a message, in letters of either case, or None.

    Args:
        rows: pairs of a name and a regular expression, the most telling first.
        message: one text.
    """
    return next((name for name, pattern in rows if re.search(pattern, message, re.IGNORECASE)), None)
