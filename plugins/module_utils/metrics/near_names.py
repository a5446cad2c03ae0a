# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names in a metrics text that a misspelt name may have meant. No I/O."""

from __future__ import annotations

import difflib
import re

from .exposition import plain

_MAX_NAMES_COMPARED = 2000
_NAME = re.compile(
    rb"(?m)^(?:(?:#[ \t]+TYPE[ \t]+)?([a-zA-Z_:][a-zA-Z0-9_:]*)(?=[ \t{])"
    rb'|(?:#[ \t]+TYPE[ \t]+|\{[ \t]*)"([^"\\\n]*(?:\\[^\n][^"\\\n]*)*)"(?=[ \t]*[,} \t]))'
)


def family_names(body):
    """The set of names declared or sampled in ``body``. Slow beside :func:`exposition.scan`: for suggestions only."""
    names = set()
    for match in _NAME.finditer(body):
        bare, quoted = match.groups()
        names.add((bare or plain(quoted)).decode("utf-8", "replace"))
    return names


def near_names(body, family, limit=3):
    """Up to ``limit`` names in ``body`` that ``family`` may have meant, the nearest first."""
    names = family_names(body)
    if len(names) > _MAX_NAMES_COMPARED:
        names = {name for name in names if name[:3] == family[:3]}
    return difflib.get_close_matches(family, sorted(names)[:_MAX_NAMES_COMPARED], limit)
