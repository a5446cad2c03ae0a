# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the runbooks of the collection ``oncall.runbooks`` from a shell or a program.

from oncall import Runbooks

runbooks = Runbooks("inventories/mine")
result = runbooks.run("db_pool", limit="shop", mode="diagnose")
print(result.outcome, result.hosts["shop"].summary)
"""

from __future__ import annotations

from .api import Runbooks
from .catalog import Runbook
from .errors import OncallError, UnknownRunbook
from .results import Action, Finding, HostResult, Outcome, Plan, Result, Step

__all__ = [
    "Action",
    "Finding",
    "HostResult",
    "OncallError",
    "Outcome",
    "Plan",
    "Result",
    "Runbook",
    "Runbooks",
    "Step",
    "UnknownRunbook",
]
