# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters over the statements that M(oncall.runbooks.postgres_activity_info) tells of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any


def plan_advice(statements: Iterable[Mapping[str, Any]]) -> list[str]:
    """What the plans of slow statements say, one line each: the plan, what is read in full, the indexes there are.

    Args:
        statements: as in ``statements.window.statements``; those that were not explained have no line.
    """
    lines = []
    for row in statements:
        plan = row.get("plan")
        if plan and plan["available"]:
            lines.append(f"{row['query']}: {' / '.join(line.strip() for line in plan['lines'])}")
            lines += [
                f"{table} is read in full: an index on what the statement filters by may be missing"
                for table in plan["read_in_full"]
            ]
        elif plan:
            lines.append(f"{row['query']}: no plan, {plan['reason']}")
        if row.get("indexes"):
            lines.append(f"the indexes of its tables: {'; '.join(index['definition'] for index in row['indexes'])}")
    return lines


class FilterModule:
    """Filters over statements."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"plan_advice": plan_advice}
