# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a log, or the beginning of an exposition, as text that may be kept: without secrets, and without what is no text."""

from __future__ import annotations

import re

from ..text.masking import MASK, mask_lines
from ..text.one_line import without_sequences
from .statements import without_literals

# Longer lines are read to their end, so that a secret in them is known as one, and shown only so far.
LINE_CHARACTERS = 4000
# Every control character but the tab, and what turns the direction of a line.
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
# A line of which more is no text is none. UTF-16 counts as such: between its letters there are zeros, in which no secret is found.
_NO_TEXT_SHARE = 0.1


def kept(data, is_end=False, is_cut=False):
    """What of some bytes may be kept, line by line.

    Args:
        data: bytes.
        is_end: whether there is more before them, so that their first line is cut anywhere, perhaps within a secret.
        is_cut: whether there is more after them, so that their last line is.

    Returns:
        A dict ``text`` and ``binary_lines`` (how many lines were no text).
    """
    lines = data.split(b"\n")
    if is_end:
        lines = lines[1:]
    if is_cut:
        lines = lines[:-1]
    if lines and not lines[-1]:
        lines = lines[:-1]
    read = [_line(line) for line in lines]
    shown = mask_lines(without_literals([text for text, _is_text in read]))
    return {
        "text": "".join(_shown(line) + "\n" for line in shown),
        "binary_lines": sum(not is_text for _text, is_text in read),
    }


def _line(line):
    """A line, and whether it is text; where it is none, what is said in its place."""
    text = line.rstrip(b"\r").decode("utf-8", "replace")
    bare = without_sequences(text)
    strange = bare.count("\ufffd") + len(_CONTROL.findall(bare))
    if strange > max(3, _NO_TEXT_SHARE * len(bare)):
        return f"[{len(line)} bytes that are no text]", False
    # Before it is looked for secrets: a control character may stand within one.
    return _CONTROL.sub(" ", bare), True


def _shown(text):
    if len(text) <= LINE_CHARACTERS:
        return text
    return f"{text[:LINE_CHARACTERS]}… [{len(text) - LINE_CHARACTERS} more characters]"


# A value that looks like a key is one, whatever it is called: long, of one word, with digits among letters.
_KEY_LIKE = re.compile(r"(?=[^\s]*\d)(?=[^\s]*[A-Za-z])[A-Za-z0-9+/=_-]{20,}\Z")


def masked_environment(environment):
    """The variables of a process by name, without secrets in their values; more is masked here than in a log.

    Args:
        environment: a dictionary.
    """
    names = sorted(environment)
    # Each as the assignment that it is, so that its name counts.
    shown = mask_lines(_CONTROL.sub(" ", f"{name}={environment[name]}") for name in names)
    found = {}
    for name, line in zip(names, shown):
        value = line.partition("=")[2] if line.startswith(f"{name}=") else MASK
        found[_CONTROL.sub(" ", name)] = MASK if _KEY_LIKE.match(value) else value[:LINE_CHARACTERS]
    return found
