# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written by hand: ``meta/runbook.yml``, ``vars/main.yml``, ``tasks/look.yml`` and the remedies of each runbook."""

from __future__ import annotations

import importlib.util
import re
import sys
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
SEVERITIES = ("low", "medium", "high", "critical")
# Options of every runbook, unless it has its own of that name.
OPTIONS_OF_ALL = {
    "timeout_seconds": {"description": "Time for each of the observations.", "type": "float", "default": 5},
    "extra_causes": {
        "description": "Causes of your own, judged after those of vars/main.yml and written the same way.",
        "type": "dict",
        "default": {},
    },
}
REQUIRED = {"title", "signal", "alerts", "severity", "escalation", "covers", "short_description", "description"}
OPTIONAL = {"version_added", "options", "requires", "of_any_host", "remedies"}
# Safe both, and one of them ten times as fast.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class SourceError(Exception):
    """What is written by hand is wrong, in one line."""


def load(*parts: str) -> Any:
    """A YAML file below the root, or {} where there is none."""
    path = ROOT.joinpath(*parts)
    return (yaml.load(path.read_bytes(), Loader=_LOADER) or {}) if path.is_file() else {}  # noqa: S506


def roles() -> list[str]:
    return sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())


def runbook_names() -> list[str]:
    return [name for name in roles() if (ROOT / "roles" / name / "meta" / "runbook.yml").is_file()]


def _load_table() -> Any:
    # By its path: this runs without Ansible's way to import a collection.
    spec = importlib.util.spec_from_file_location("table", ROOT / "plugins" / "plugin_utils" / "table.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["table"] = module
    spec.loader.exec_module(module)
    return module


_table = _load_table()


class Runbook:
    """One runbook, as its role says by hand."""

    def __init__(self, role: str) -> None:
        self.role = role
        self.meta = load("roles", role, "meta", "runbook.yml")
        self._check()
        self.vars = load("roles", role, "vars", "main.yml")
        self.remedies: dict[str, Any] = self.meta.get("remedies") or {}

    def _check(self) -> None:
        where = f"roles/{self.role}/meta/runbook.yml"
        for key in sorted(REQUIRED - set(self.meta)):
            raise SourceError(f"{where} has no {key}")
        for key in sorted(set(self.meta) - REQUIRED - OPTIONAL):
            known = ", ".join(sorted(REQUIRED | OPTIONAL))
            raise SourceError(f"{where} has the unknown key {key}; known are {known}")
        for name, remedy in (self.meta.get("remedies") or {}).items():
            if not (isinstance(remedy, dict) and set(remedy) in ({"does", "undone"}, {"does", "irreversible"})):
                raise SourceError(f"{where}: remedy {name} says what it does, and either undone or irreversible")

    @cached_property
    def options(self) -> dict[str, dict[str, Any]]:
        """Its own options, with the prefix of the role."""
        own = self.meta.get("options") or {}
        added = {name: option for name, option in OPTIONS_OF_ALL.items() if name not in own}
        return {f"{self.role}_{name}": option for name, option in {**own, **added}.items()}

    @cached_property
    def required(self) -> dict[str, dict[str, Any]]:
        """The variables of the role system that it cannot do without."""
        known = load("roles", "system", "meta", "argument_specs.yml")["argument_specs"]["main"]["options"]
        found = {}
        for name in self.meta.get("requires") or []:
            if name not in known:
                raise SourceError(f"roles/{self.role}/meta/runbook.yml requires {name}, which the role system has not")
            said = known[name]["description"]
            first = re.split(r"\.(?:\s|$)", said[0] if isinstance(said, list) else said)[0]
            described = f"{first}, as in the role system."
            found[name] = {"description": described, "type": known[name]["type"], "required": True}
        return found

    @property
    def defaults(self) -> dict[str, Any]:
        return {name: option["default"] for name, option in self.options.items() if "default" in option}

    @cached_property
    def causes(self) -> dict[str, Any]:
        """The table, expanded."""
        files = {path.stem for path in (ROOT / "roles" / self.role / "tasks" / "remedies").glob("*.yml")}
        try:
            return _table.expand(self.vars[f"{self.role}_causes"], files)
        except _table.BadTable as error:
            raise SourceError(f"roles/{self.role}/vars/main.yml: {error}") from None

    @property
    def healthy(self) -> dict[str, Any]:
        """What has to be seen before a host is healthy."""
        try:
            return dict(_table.claims(self.vars.get(f"{self.role}_healthy", {})))
        except _table.BadTable as error:
            raise SourceError(f"roles/{self.role}/vars/main.yml: {error}") from None

    @property
    def evidence(self) -> dict[str, Any]:
        """What it shows beside the findings."""
        shown: dict[str, Any] = _table.evidence(self.vars.get(f"{self.role}_evidence", {}), str)
        return shown

    @property
    def values(self) -> dict[str, Any]:
        """What a template of the table may name."""
        return {**self.vars.get(f"{self.role}_names", {}), **self.vars, **self.defaults}
