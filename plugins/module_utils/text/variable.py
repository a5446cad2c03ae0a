# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A variable to set in a file, whatever the format of the file: what may be set, and how the text changes."""

from __future__ import annotations

import re

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://\S*\Z")


class CannotChange(ValueError):
    """The change cannot be made; the text is one line for the user and holds no value."""


def check_variable(name, value):
    """Whether such a variable can be set in any file.

    Args:
        name: of the variable.
        value: what to set, or None to remove it.

    Raises:
        CannotChange: the name or the value fits no such file.
    """
    if not NAME.match(name):
        raise CannotChange("name must be letters, digits and underscores, and not begin with a digit")
    if value is not None and _CONTROL.search(value):
        raise CannotChange(f"the value for {name} holds a line break or another control character")


def check_url(name, text, where=""):
    """Whether a variable has a URL in which a parameter can be set.

    Args:
        name: of the variable.
        text: its value, or None where it is not set.
        where: it is, for the message, with a space before it.

    Raises:
        CannotChange: it is not set, or is no URL.
    """
    if text is None:
        raise CannotChange(f"{name} is not set{where}: there is no URL to set a parameter in")
    if not _URL.match(text):
        raise CannotChange(f"what {name} holds{where} is not a URL: its parameter cannot be set")


def spliced(text, changes):
    """A text with some of its parts replaced.

    Args:
        text: the whole text.
        changes: triples of start, end and what comes there. They do not overlap.
    """
    for start, end, new in sorted(changes, reverse=True):
        text = text[:start] + new + text[end:]
    return text
