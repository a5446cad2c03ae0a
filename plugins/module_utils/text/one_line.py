# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text from outside (drivers, servers, logs) made fit for one line of a report."""

from __future__ import annotations

import re

# With what turns the direction of a line: it makes a text read as another one.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]+")
# A terminal's sequences as they are, as journald shows them and as rsyslog does.
_ESCAPE = r"(?:\x1b|\^\[|#033)"
_SEQUENCE = re.compile(
    _ESCAPE + r"(?:\[[0-?]{0,64}[ -/]{0,8}[@-~]|\][^\x07\x1b]{0,2000}(?:\x07|\x1b\\)|[()][0-9A-B])|\x9b[0-?]{0,64}[@-~]"
)
_TEMPLATE_START = re.compile(r"\{(?=[{%#])")


def without_sequences(text):
    """Text without the colours and the other sequences of a terminal."""
    if "\x1b" in text or "^[" in text or "#033" in text or "\x9b" in text:
        return _SEQUENCE.sub("", text)
    return text


def one_line(value, limit=300):
    """The text of ``value`` on one line: control characters (terminal escapes among them) become spaces.

    Args:
        value: any object, an exception for example.
        limit: the longest text returned, in characters.
    """
    text = " ".join(_CONTROL.sub(" ", str(value)).split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def without_secrets(text, *secrets):
    """``text`` with every occurrence of the given secrets replaced."""
    for secret in secrets:
        if secret:
            text = text.replace(str(secret), "********")
    return text


def inert(value):
    """A copy of plain data in which no string can be read as a template or move a terminal's cursor.

    What is published with ``set_stats`` reaches later jobs as extra vars, which Ansible trusts as templates.
    Every ``{{``, ``{%`` and ``{#`` is therefore broken with a space; control characters become spaces.
    """
    if isinstance(value, dict):
        return {inert(key): inert(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [inert(item) for item in value]
    if isinstance(value, str):
        return _TEMPLATE_START.sub("{ ", _CONTROL.sub(" ", value))
    return value
