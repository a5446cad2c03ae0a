# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of what looks at the size of a database."""

from __future__ import annotations

from ..doc_fragments.postgres import DATABASE

OPTIONS = (
    DATABASE
    + r"""
  tables:
    description: How many of the largest tables to tell.
    type: int
    default: 10
  timeout_seconds:
    description: Time for connecting and each answer.
    type: float
    default: 5
"""
)


class ModuleDocFragment:
    DOCUMENTATION: str = "options:" + OPTIONS
