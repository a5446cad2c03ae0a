# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gives memory that is free back to the system: the allocator keeps what a large notification took, for ever."""

from __future__ import annotations

import ctypes

# Of glibc; other allocators give back by themselves.
_TRIM = getattr(ctypes.CDLL(None), "malloc_trim", None)


def give_back() -> None:
    """Give back what is free now."""
    if _TRIM is not None:
        _TRIM(0)
