# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The faults of an engine: one module in its folder ``faults`` for each runbook, or for whole services."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from .layout import LabError


def load_faults(engine: str) -> dict[str, dict[str, Any]]:
    """The faults of ``embedded`` or ``compose`` by what they are for, then by name. A name is there only once."""
    folder = import_module(f"lab.{engine}.faults")
    found: dict[str, dict[str, Any]] = {}
    names: set[str] = set()
    for module in iter_modules(folder.__path__):
        faults = import_module(f"{folder.__name__}.{module.name}").FAULTS
        if twice := names & set(faults):
            raise LabError(f"lab/{engine}/faults/{module.name}.py: there is another fault {', '.join(sorted(twice))}")
        found[module.name] = faults
        names |= set(faults)
    return found
