# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every tool tells, in one shape, and how what it prints is read. Pure."""

from __future__ import annotations

import re

from ..text.masking import masked
from ..text.one_line import one_line, without_sequences

# More migrations than anybody has; what is beyond is no list of migrations.
MOST = 20000
NAME_CHARACTERS = 255
# A name that a file of migrations can have.
_NAME = re.compile(r"[\w./@][^\s\x00-\x1f\x7f]{0,254}\Z")


class NotUnderstood(Exception):
    """What was printed is not what the tool prints; one line."""


def lines_of(text):
    """The lines that are not blank, without colours."""
    return [line.rstrip() for line in without_sequences(text).splitlines() if line.strip()]


def excerpt(text):
    """The first line that is not blank, fit for a message."""
    lines = lines_of(text)
    return masked(lines[0], 120) if lines else "nothing"


def name(value):
    """A name as it is shown: one line, and not longer than a file's name."""
    return one_line(value, NAME_CHARACTERS)


def names_in(text, what):
    """The names of a list that has one in each line.

    Raises:
        NotUnderstood: a line is no name.
    """
    found = [line.strip() for line in lines_of(text)]
    for line in found:
        if not _NAME.match(line):
            raise NotUnderstood(f"{what} is to print one name a line, and prints {masked(line, 120)!r}")
    return found


def expected(names, **more):
    """What an image has.

    Args:
        names: its migrations, in their order.
        more: ``checksums`` by name; ``heads``, the last ones, where there can be several; ``parents``, by name, what comes right before;
            ``applied``, the names that the command says are applied, and ``pending``, those that it says are not; ``unknown``, applied ones of
            which it has no file; ``drifted``, those that it says were changed; ``out_of_order``, those that it leaves out because later ones are
            applied; ``apart``, those that it knows and that do not count;
            ``replaces``, by name, those that one stands for; ``refusal``, why the tool itself would not migrate.
    """
    unique = list(dict.fromkeys(names))
    if len(unique) != len(names):
        twice = next(one for one in unique if names.count(one) > 1)
        raise NotUnderstood(f"it names {name(twice)} twice")
    if len(names) > MOST:
        raise NotUnderstood(f"it names more than {MOST} migrations")
    return dict(
        {
            "checksums": {},
            "heads": None,
            "parents": None,
            "applied": None,
            "unknown": [],
            "drifted": [],
            "out_of_order": [],
            "apart": [],
            "replaces": {},
            "refusal": "",
            "pending": None,
        },
        names=unique,
        **more,
    )


def row(identity, **more):
    """A migration that the table has.

    Args:
        identity: its name, as that in the image.
        more: ``failed`` (whether it ended in the midst), ``rolled_back``, ``checksum``, ``age_seconds`` (since it was applied) and ``error``.
    """
    return dict({"failed": False, "checksum": None, "age_seconds": None, "error": ""}, name=str(identity), **more)
