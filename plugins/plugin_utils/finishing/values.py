# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values out of a document from outside: data of a known type and a limited length, without secrets."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from ...module_utils.net.documents import unpacked
from ...module_utils.text.masking import masked
from ...module_utils.text.one_line import without_secrets

TYPES = ("float", "int", "str", "bool", "time")
MOST_CHARACTERS = 300
# Of a field that is a list, such as the states of a connector's tasks.
MOST_ELEMENTS = 50
# A moment in seconds is below this until the year 5138, one in milliseconds above it since 1973.
_MILLISECONDS_FROM = 1e11
_MILLISECONDS_UNTIL = 1e14
_LARGEST_INTEGER = 2**63
_WORDS = {"true": True, "false": False, "1": True, "0": False}


class NotReadable(Exception):
    """Why a document or a value cannot be read, in a few words that hold nothing of it."""


def document_of(packed: str) -> Any:
    """The JSON document that was handed on packed.

    Raises:
        NotReadable: it is none.
    """
    data = unpacked(packed)
    try:
        # What is no number in JSON was not measured.
        return json.loads(data, parse_constant=lambda _name: None)
    except RecursionError:
        raise NotReadable("the JSON is nested too deeply") from None
    except json.JSONDecodeError as error:
        if data.lstrip()[:1] in (b"{", b"[") and _is_cut_off(error):
            raise NotReadable(f"the JSON is cut off after {len(data)} bytes") from None
        where = f"line {error.lineno}, column {error.colno}"
        raise NotReadable(f"the answer is no JSON ({where}: {error.msg})") from None
    except ValueError:
        raise NotReadable("the answer is no JSON (not text, or a number without end)") from None


def _is_cut_off(error: json.JSONDecodeError) -> bool:
    return error.pos >= len(error.doc.rstrip()) or error.msg.startswith("Unterminated string")


def text_of(value: Any, secrets: Sequence[str], limit: int = MOST_CHARACTERS) -> str:
    """A text from outside: one line of limited length, without the secrets of the request and what looks like one."""
    return masked(without_secrets(str(value), *secrets), limit)


def value_of(found: Any, kind: str, secrets: Sequence[str]) -> Any:
    """What an expression found, as the value of a field: None, a single value, or a list of single values.

    Args:
        found: in the document.
        kind: one of ``TYPES``, or nothing for what it is.
        secrets: what no value may show.

    Raises:
        NotReadable: it is not of that type.
    """
    if isinstance(found, list):
        if len(found) > MOST_ELEMENTS:
            raise NotReadable(f"is a list of {len(found)}, more than {MOST_ELEMENTS}")
        return [_single(one, kind, secrets) for one in found]
    return _single(found, kind, secrets)


def _single(found: Any, kind: str, secrets: Sequence[str]) -> Any:
    if found is None:
        return None
    if isinstance(found, (dict, list)):
        raise NotReadable("is no single value")
    if kind == "bool":
        return _bool(found)
    if kind == "time":
        return seconds_of(found)
    if kind in ("float", "int"):
        return _number(found, kind)
    if kind == "str" or isinstance(found, str):
        return text_of(json.dumps(found) if isinstance(found, bool) else found, secrets)
    return found if isinstance(found, bool) else _number(found, "")


def _bool(found: Any) -> bool:
    word = str(found).strip().lower()
    if word not in _WORDS:
        raise NotReadable("is neither true nor false")
    return _WORDS[word]


def _number(found: Any, kind: str) -> float | int:
    if isinstance(found, bool):
        raise NotReadable("is no number")
    try:
        number = float(found)
        # A whole number stays exact, however it is written.
        exact = int(found) if isinstance(found, int) or (isinstance(found, str) and kind == "int") else None
    except (OverflowError, ValueError):
        raise NotReadable("is no whole number" if kind == "int" else "is no number") from None
    if not math.isfinite(number) or abs(number) >= _LARGEST_INTEGER:
        raise NotReadable("is no number that counts anything")
    if kind == "float":
        return number
    if exact is not None:
        return exact
    if kind == "int" and number != int(number):
        raise NotReadable("is no whole number")
    return int(number) if kind == "int" else number


def seconds_of(found: Any) -> float | None:
    """A moment as seconds since 1970, from seconds, milliseconds or ISO 8601 with a zone.

    Returns:
        None for what programs write where there was none yet: 0, and the year 1.

    Raises:
        NotReadable: it is no moment, or one without a zone, which may be another one.
    """
    if isinstance(found, bool):
        raise NotReadable("is no time")
    try:
        number = float(found)
    except (TypeError, ValueError):
        return _seconds_of_text(str(found).strip())
    if not math.isfinite(number) or abs(number) >= _MILLISECONDS_UNTIL:
        raise NotReadable("is no time in seconds or milliseconds")
    if number <= 0:
        return None
    return number / 1000 if number >= _MILLISECONDS_FROM else number


def _seconds_of_text(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise NotReadable("is no time in ISO 8601") from None
    if moment.year < 1971:
        return None
    if moment.tzinfo is None:
        raise NotReadable("is a time without a zone")
    return moment.timestamp()
