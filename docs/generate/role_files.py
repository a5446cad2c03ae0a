# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a role that follow from its ``meta/runbook.yml``, and its playbook."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from string import Template
from typing import Any

from .source import ROOT, Runbook
from .yaml_text import WIDTH, dump

TEMPLATES = Path(__file__).with_name("templates")


def filled(template: str, **values: str) -> str:
    return Template((TEMPLATES / f"{template}.txt").read_text(encoding="utf-8")).substitute(values)


def files(runbook: Runbook) -> dict[Path, str]:
    """Each file with what is to be in it."""
    role, name = ROOT / "roles" / runbook.role, runbook.role
    title = _scalar(runbook.meta["title"])
    alerts = ", ".join(runbook.meta["alerts"])
    return {
        role / "defaults" / "main.yml": filled("defaults.yml", defaults=_defaults(runbook.options)),
        role / "meta" / "argument_specs.yml": filled(
            "argument_specs.yml",
            runbook=name,
            short_description=_scalar(runbook.meta["short_description"]),
            version_added=f"\n    version_added: {runbook.meta['version_added']}"
            if "version_added" in runbook.meta
            else "",
            description=dump(runbook.meta["description"], 6),
            options=dump({**runbook.options, **runbook.required}, 6),
        ),
        role / "meta" / "main.yml": filled("meta.yml", title=title),
        **{role / "tasks" / file: filled(file, runbook=name) for file in ("main.yml", "remediate.yml")},
        role / "tasks" / "diagnose.yml": filled(
            "diagnose.yml",
            runbook=name,
            requires=f"    requires: [{', '.join(runbook.meta['requires'])}]\n" if runbook.meta.get("requires") else "",
        ),
        ROOT / "playbooks" / f"{name}.yml": filled(
            "playbook.yml", runbook=name, title=runbook.meta["title"], alerts=f": {alerts}" if alerts else ""
        ),
    }


def _scalar(text: str) -> str:
    return dump({"": text}).partition(": ")[2]


def _defaults(options: dict[str, dict[str, Any]]) -> str:
    blocks = [f"{_comment(option)}\n{dump({name: option['default']})}" for name, option in options.items()]
    return "\n\n".join(blocks)


def _comment(option: dict[str, Any]) -> str:
    """The description of an option as comment lines, without Ansible's markup."""
    described = option["description"]
    lines = described if isinstance(described, list) else [described]
    plain = [re.sub(r"\b[CVOM]\(([^)]*)\)", r"\1", " ".join(line.split())) for line in lines]
    return "\n".join(textwrap.fill(line, WIDTH, initial_indent="# ", subsequent_indent="# ") for line in plain)
