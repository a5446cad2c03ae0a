# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures in words that a tired person reads at once."""

from __future__ import annotations

import json
import math
from datetime import datetime, timezone
from typing import Any

from .html import Number

NOT_KNOWN = "not known"
_LONGEST = 300
_EPOCH_SECONDS = 1e9


def bytes_in_words(number: float) -> str:
    """12.3 MB, in powers of 1,000."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if abs(number) < 1000 or unit == "TB":
            return (
                f"{number:.0f} B"
                if unit == "B"
                else f"{number:.3g} {unit}"
                if abs(number) < 999.5
                else f"{number:.0f} {unit}"
            )
        number /= 1000
    raise AssertionError


def seconds_in_words(number: float) -> str:
    """The two largest units of a duration."""
    sign, left = ("-" if number < 0 else ""), abs(number)
    if left < 1:
        return f"{sign}{left * 1000:.0f} ms"
    if left < 60:
        return f"{sign}{left:.3g} s"
    found = []
    whole = round(left)
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        if whole >= size:
            found.append(f"{whole // size} {unit}")
            whole %= size
        elif found:
            break
        if len(found) == 2:
            break
    return sign + " ".join(found)


def time_in_words(epoch_seconds: float) -> str:
    """A moment in UTC."""
    try:
        return f"{datetime.fromtimestamp(epoch_seconds, timezone.utc):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, ValueError, OSError):
        return str(epoch_seconds)


def label(name: str) -> str:
    """The name of a field without its unit, which its values have."""
    for unit, instead in (("_at_seconds", " at"), ("_seconds", ""), ("_bytes", ""), ("_ratio", " share")):
        if name.endswith(unit) and len(name) > len(unit):
            name = name.removesuffix(unit) + instead
            break
    return name.replace("_", " ")


def in_words(name: str, value: Any) -> str:
    """The value of a field, whose name says its unit."""
    if value is None:
        return NOT_KNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        if isinstance(value, float) and not math.isfinite(value):
            return Number(str(value))
        return Number(_figure(name, value))
    if isinstance(value, str):
        return value if len(value) <= _LONGEST else value[: _LONGEST - 1] + "…"
    if not value:
        return "none"
    shown = json.dumps(value, ensure_ascii=False)
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"


def _figure(name: str, value: float) -> str:
    # Some moments are called as durations are. No duration is that long.
    if name.endswith("at_seconds") or (name.endswith("_seconds") and value > _EPOCH_SECONDS):
        return time_in_words(value)
    if name == "bytes" or name.endswith("_bytes"):
        return bytes_in_words(value)
    if name == "seconds" or name.endswith("_seconds"):
        return seconds_in_words(value)
    if name.endswith("_ratio"):
        return f"{value * 100:.3g} %"
    if isinstance(value, float):
        return f"{value:.6g}"
    # Numbers of processes and ports are names.
    return f"{value:,}" if abs(value) >= 10000 and not name.endswith(("pid", "port", "device")) else str(value)
