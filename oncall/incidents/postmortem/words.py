# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times, durations, figures and texts of the record, as people read them. Times are UTC."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from ...shared import masked, module_util

NOT_KNOWN = "not known"
_LINE, _TEXT = 400, 4000
# How many characters of a text are looked at, so that a note of any length costs the same.
_READ = 5 * _TEXT


def when(at: float | None) -> str:
    """``2026-11-30 10:28:15 UTC``."""
    moment = _moment(at)
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC") if moment else NOT_KNOWN


def machine_time(at: float) -> str:
    """For the attribute ``datetime`` of HTML; "" where there is no such time."""
    moment = _moment(at)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else ""


def clock(at: float) -> str:
    """``10:28:15``, for an axis."""
    moment = _moment(at)
    return moment.strftime("%H:%M:%S") if moment else NOT_KNOWN


def day(at: float | None) -> str:
    """``2026-11-30``."""
    moment = _moment(at)
    return moment.strftime("%Y-%m-%d") if moment else NOT_KNOWN


def _moment(at: float | None) -> datetime | None:
    try:
        return None if at is None else datetime.fromtimestamp(at, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def span(seconds: float | None) -> str:
    """A duration in its two largest units, and in seconds: ``4 min 12 s (252 s)``."""
    if seconds is None:
        return NOT_KNOWN
    whole = round(seconds)
    days, hours, minutes, left = whole // 86400, whole // 3600 % 24, whole // 60 % 60, whole % 60
    if whole < 60:
        return f"{figure(seconds)} s"
    pairs = ((days, "d", hours, "h"), (hours, "h", minutes, "min"), (minutes, "min", left, "s"))
    one, unit, other, smaller = next(pair for pair in pairs if pair[0])
    return f"{one} {unit} {other} {smaller} ({figure(seconds)} s)"


def figure(value: Any) -> str:
    """A number of the record as it was written: without the noise that a float has in its last digits. Text where it is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return line(value)
    if isinstance(value, float) and not math.isfinite(value):
        return "not a number"
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(f"{value:.12g}"))


def measured(value: Any, unit: str) -> str:
    """A figure with its unit."""
    return f"{figure(value)} {line(unit, 40)}".strip()


def line(value: object, length: int = _LINE) -> str:
    """Text from outside as one line, without secrets and without what moves a cursor or turns the direction of a text."""
    raw = "" if value is None else str(value)
    return masked(raw, length) if len(raw) > _LINE else _short_line(raw, length)


@lru_cache(maxsize=4096)
def _short_line(raw: str, length: int) -> str:
    # Names and kinds come again and again.
    return masked(raw, length)


def text(value: object) -> str:
    """Text from outside as lines, without secrets and without the values of SQL statements; what is cut off is told."""
    raw = str(value)
    lines = module_util("snapshot.statements").without_literals(raw[:_READ].splitlines())
    shown = "\n".join(one.rstrip() for one in module_util("text.masking").masked_lines(lines)).strip()
    if len(shown) <= _TEXT and len(raw) <= _READ:
        return shown
    return f"{shown[:_TEXT]}\n… (cut off: the entry has all of it)"


def data(value: Any) -> str:
    """Evidence as text: a line for each key or element."""
    if value in (None, "", [], {}):
        return ""
    if isinstance(value, dict):
        return text("\n".join(f"{line(key)}: {_flat(one)}" for key, one in value.items()))
    if isinstance(value, (list, tuple)):
        return text("\n".join(map(_flat, value)))
    return text(_flat(value))


def _flat(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, (int, float)):
        return NOT_KNOWN if value is None else figure(value)
    return json.dumps(value, ensure_ascii=False, default=str)


def listed(values: Iterable[object]) -> str:
    return ", ".join(line(one) for one in values)
