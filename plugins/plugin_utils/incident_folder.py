# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Incidents in a folder: the part of the program oncall that needs nothing but Python, and travels with the collection."""

from __future__ import annotations

import importlib
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

# A name of its own: another package may be called oncall.
_NAME = "oncall_runbooks_part"


@cache
def part(name: str) -> Any:
    """A module of ``oncall``, such as ``incidents.folder``.

    Beside the plugins, in a checkout and where the collection was installed; or around the collection, where the package brings it along.
    """
    root = Path(__file__).resolve().parents[2]
    places = [place for place in (root / "oncall", *root.parents[3:4]) if (place / "incidents" / "folder.py").is_file()]
    if not places:
        raise ImportError(f"oncall/incidents is not beside {root}; install the collection again")
    if _NAME not in sys.modules:
        package = ModuleType(_NAME)
        package.__path__ = [str(places[0])]
        sys.modules[_NAME] = package
    return importlib.import_module(f"{_NAME}.{name}")
