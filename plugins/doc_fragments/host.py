# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of what looks at a host."""

from __future__ import annotations

OPTIONS = r"""
  window_seconds:
    description: Time in seconds over which the use of the processors is measured. With V(0) it is not.
    type: float
    default: 0
  top_processes:
    description: How many processes to list, those with the most resident memory first.
    type: int
    default: 0
  timeout_seconds:
    description: Time in seconds for the whole answer besides the window. It only reads what the kernel tells at once.
    type: float
    default: 5
"""


class ModuleDocFragment:
    DOCUMENTATION: str = "options:" + OPTIONS
