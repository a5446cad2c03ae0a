# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times and numbers of bytes in the unit that fits them."""

from __future__ import annotations

DAY_SECONDS = 86400.0


def hours(seconds: float) -> str:
    """A time in the unit that fits it."""
    if abs(seconds) < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if abs(seconds) < 172800 else f"{seconds / DAY_SECONDS:.0f} days"


def size(count: float | None) -> str:
    """A number of bytes in the unit that fits it."""
    if count is None:
        return "size not known"
    amount = float(count)
    for unit in ("bytes", "KB", "MB", "GB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TB"
