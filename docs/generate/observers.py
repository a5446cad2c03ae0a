# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lists in which every observer has its place: the registry, what ``observe`` returns, and the routes to its action."""

from __future__ import annotations

import re
from pathlib import Path

from .source import ROOT, SourceError

FOLDER = ROOT / "plugins" / "module_utils" / "observers"
REGISTRY = ROOT / "plugins" / "module_utils" / "observe.py"
MODULE = ROOT / "plugins" / "modules" / "observe.py"
ROUTES = ROOT / "meta" / "runtime.yml"
RETURNED = """{0}:
  description: What M(oncall.runbooks.{0}_info) returns.
  type: dict
  returned: when asked for
"""


def files() -> dict[Path, str]:
    registry = REGISTRY.read_text(encoding="utf-8")
    found = {path.stem for path in FOLDER.glob("[!_]*.py")}
    # In the order that somebody gave them; a new one comes last until somebody moves it.
    ordered = [name for name in re.findall(r'^    "(\w+)": \1,$', registry, re.M) if name in found]
    ordered += sorted(found - set(ordered))
    imports = "".join(f"    {name},\n" for name in sorted(found))
    entries = "".join(f'    "{name}": {name},\n' for name in ordered)
    returned = "".join(map(RETURNED.format, ordered))
    routes = "".join(f"    {name}_info: {{action_plugin: oncall.runbooks.observe}}\n" for name in sorted(found))
    registry = _filled(REGISTRY, registry, "from .observers import (\n", imports, ")\n")
    return {
        REGISTRY: _filled(REGISTRY, registry, "OBSERVERS = {\n", entries, "}\n"),
        MODULE: _filled(MODULE, MODULE.read_text(encoding="utf-8"), 'RETURN = r"""\n', returned, '"""\n'),
        ROUTES: _filled(ROUTES, ROUTES.read_text(encoding="utf-8") + "\0", "  modules:\n", routes, "\0").rstrip("\0"),
    }


def _filled(path: Path, text: str, begin: str, lines: str, end: str) -> str:
    """A text with other lines between two that stay."""
    before, found, after = text.partition(begin)
    if not found or end not in after:
        raise SourceError(f"{path.relative_to(ROOT)} has no place for the observers: {begin.strip()}")
    return before + begin + lines + after[after.index(end) :]
