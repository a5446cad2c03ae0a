# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A row of a table of tests, with the items of tests/coverage.yml that it exercises as pytest's mark."""

from __future__ import annotations

from typing import Any, Protocol

import pytest


class Row(Protocol):
    """What says in ``covers`` which items it exercises."""

    @property
    def covers(self) -> tuple[str, ...]: ...


def row(case: Row, name: str) -> Any:
    """The parameter of pytest for one row.

    Args:
        case: the row.
        name: of the row.
    """
    return pytest.param(case, id=name, marks=[pytest.mark.covers(*case.covers)] if case.covers else [])
