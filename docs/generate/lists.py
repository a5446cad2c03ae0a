# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lists in which every runbook has its place: docs/runbooks.md, the README, the molecule scenario of the sound stack."""

from __future__ import annotations

import re
from pathlib import Path

from .readme import NOTE, risk, who_acts
from .source import ROOT, SEVERITIES, Runbook, SourceError
from .words import code, prose, table

BEGIN, END = "<!-- The runbooks: written by `make docs`. -->", "<!-- End of the runbooks. -->"


def files(runbooks: list[Runbook]) -> dict[Path, str]:
    return {
        ROOT / "docs" / "runbooks.md": _overview(runbooks),
        ROOT / "README.md": _with_rows((ROOT / "README.md").read_text(encoding="utf-8"), runbooks),
        ROOT / "molecule" / "healthy" / "converge.yml": _converge(runbooks),
    }


def _with_rows(text: str, runbooks: list[Runbook]) -> str:
    """The README with the table of runbooks between its two marks."""
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise SourceError(f"README.md has no place for its table of runbooks: the lines {BEGIN} and {END}")
    rows = [(f"[{one.role}](roles/{one.role}/README.md)", prose(_lowered(one.meta["title"]))) for one in runbooks]
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    return f"{before}{BEGIN}\n\n{table(('runbook', 'for'), *rows)}\n\n{END}{after}"


def _lowered(title: str) -> str:
    """A sentence in the middle of a line; a name such as PostgreSQL keeps its capital."""
    first = title.split()[0]
    return title[0].lower() + title[1:] if re.fullmatch(r"[A-Z]?[a-z]*", first) else title


def _converge(runbooks: list[Runbook]) -> str:
    plays = [
        f"- name: Run the runbook {one.role}\n  ansible.builtin.import_playbook: ../../playbooks/{one.role}.yml"
        for one in runbooks
    ]
    return "\n".join(["---", "# Written by `make docs`: every runbook that there is.", *plays]) + "\n"


def _overview(runbooks: list[Runbook]) -> str:
    """The index by severity, and for each runbook what it knows and does."""
    rows = [("severity", "runbook", "signal", "alerts")]
    for runbook in sorted(runbooks, key=lambda one: -SEVERITIES.index(one.meta["severity"])):
        rows.append(
            (
                runbook.meta["severity"],
                f"[{runbook.role}](#{runbook.role})",
                prose(runbook.meta["signal"]),
                "<br>".join(map(code, runbook.meta["alerts"])),
            )
        )
    text = (
        "Each runs with `ansible-playbook playbooks/<runbook>.yml`, or where the collection is installed with"
        " `ansible-playbook oncall.runbooks.<runbook>`."
    )
    parts = [NOTE, "# Runbooks", text, table(*rows)]
    for runbook in runbooks:
        page = f"../roles/{runbook.role}/README.md"
        parts += [f"## {runbook.role}", f"{runbook.meta['title']}. [More]({page})"]
        causes = [
            (code(slug), who_acts(cause, "../roles/{}/README.md"), risk(cause, runbook.values))
            for slug, cause in runbook.causes.items()
        ]
        parts.append(table(("cause", "remedy", "risk"), *causes))
    return "\n\n".join(parts) + "\n"
