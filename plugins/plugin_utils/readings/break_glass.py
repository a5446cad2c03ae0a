# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the table of break_glass reads in the tokens that were given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
_TOLD = 3


def left(break_glass: Row) -> list[Row]:
    """Tokens of runs on this host that nobody has any more, and that are neither revoked nor over."""
    return list(break_glass["left"])


def left_in_words(left: Sequence[Row]) -> str:
    """Whose they were, and why."""
    said = [f"{one['reference']} of {one['who'] or 'nobody that is named'} ({one['why']})" for one in left[:_TOLD]]
    return "; ".join([*said, *([f"and {len(left) - _TOLD} more"] if len(left) > _TOLD else [])])


def revocable(break_glass: Row, left: Sequence[Row]) -> list[dict[str, str]]:
    """Those that can be revoked."""
    return [{"token": str(one["reference"])} for one in left] if break_glass["can_revoke"] else []


def last_seconds(break_glass: Row, left: Sequence[Row]) -> float:
    """From now until the last of them ends by itself."""
    return max([0.0, *(float(one["expires_at_seconds"] - break_glass["now_seconds"]) for one in left)])


def others(break_glass: Row) -> list[Row]:
    """Open tokens of people, and of runs on other hosts."""
    own = {one["reference"] for one in [*break_glass["given"], *break_glass["left"]]}
    return [one for one in break_glass["open"]["tokens"] if one["reference"] not in own]
