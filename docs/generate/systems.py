# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/systems: for each system of ``inventories``, what the project does instead of each line of its source document.

``docs/systems/<system>.yml`` says by hand which line is about what. What is claimed comes from the roles, the inventory and
tests/coverage.yml as they are now: a row that names what is not there is refused.
"""

from __future__ import annotations

import json
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from .readme import NOTE, risk
from .source import ROOT, Runbook, SourceError, load
from .words import code, prose, table

FOLDER = ROOT / "docs" / "systems"
ROW = {"lines", "says", "ids", "runbook", "looks", "causes", "remedies", "sets", "note", "open"}
HOW = """\
Each row is a line of the document, or a few that belong together, and what the project does instead. What it says of a runbook is
read from the role as it is now: **not covered** is what it says."""


def files(runbooks: list[Runbook]) -> dict[Path, str]:
    known = {runbook.role: runbook for runbook in runbooks}
    pages = [System(path.stem, known) for path in sorted(FOLDER.glob("*.yml"))]
    return {FOLDER / f"{one.name}.md": one.page() for one in pages} | (
        {FOLDER / "README.md": _index(pages)} if pages else {}
    )


@cache
def items() -> dict[str, dict[str, str]]:
    return {item["id"]: item for item in load("tests", "coverage.yml")["items"]}


@cache
def overview(role: str) -> dict[str, Any]:
    """What a role says of itself that is no runbook, and covers items all the same; {} for any other."""
    said: dict[str, Any] = load("roles", role, "meta", "overview.yml")
    return said


def _index(pages: list[System]) -> str:
    text = """\
The five source documents, each as an inventory that a team fills in, a lab that takes its shape, and a page that shows line by line
what became of it.

```console
python -m lab up --system synap
ansible-playbook -i .lab/inventory playbooks/worker_queue.yml
```

`.lab/inventory` has one host, and the `group_vars` of `inventories/synap` itself; only where its parts are, who operates them and how
long is waited is the lab's own. In earnest it is `-i inventories/synap`, when its hosts, the lines under "Fill in" and its `vault.yml`
are there. The rows of the table are counted as the roles are now."""
    rows = [("system", "what it is", "items of the document", "covered", "inventory")]
    for one in pages:
        rows.append(
            (
                f"[{one.name}]({one.name}.md)", prose(one.said["about"]), str(len(one.ids)),
                str(sum(one.covered(key) for key in one.ids)), f"[inventories/{one.name}](../../inventories/{one.name})",
            )
        )  # fmt: skip
    return "\n\n".join([NOTE, "# Systems", text, table(*rows)]) + "\n"


class System:
    """One document, by the name of its system.

    Args:
        name: of the system.
        runbooks: those that there are.
    """

    def __init__(self, name: str, runbooks: dict[str, Runbook]) -> None:
        self.name, self._runbooks = name, runbooks
        self.said = load("docs", "systems", f"{name}.yml")
        self._where = f"docs/systems/{name}.yml"
        self._check()

    def _check(self) -> None:
        for row in self._rows():
            if unknown := sorted(set(row) - ROW):
                raise SourceError(f"{self._where}: line {row.get('lines')}: unknown key {', '.join(unknown)}")
            for key in row.get("ids", []):
                if key not in items():
                    raise SourceError(f"{self._where}: line {row['lines']}: tests/coverage.yml has no item {key}")
                if (name := items()[key]["runbook"]) not in self._runbooks and not overview(name):
                    raise SourceError(f"{self._where}: line {row['lines']}: there is no role {name} for {key}")
            if not row.get("ids") and "open" not in row:
                raise SourceError(f"{self._where}: line {row.get('lines')}: name its ids, or say why it is open")
        named = {key for row in self._rows() for key in row.get("ids", [])}
        if missing := [key for key in self.ids if key not in named]:
            raise SourceError(f"{self._where}: no row has {', '.join(missing)}")

    def _rows(self) -> list[dict[str, Any]]:
        return [row for section in self.said["sections"] for row in section["rows"]]

    @cached_property
    def ids(self) -> list[str]:
        """The items of this document."""
        return [key for key in items() if key.startswith(f"{self.said['prefix']}-")]

    @cached_property
    def inventory(self) -> dict[str, Any]:
        """What its group_vars say, untemplated."""
        found: dict[str, Any] = {}
        for path in sorted((ROOT / "inventories" / self.name / "group_vars" / self.name).glob("*.yml")):
            found |= load("inventories", self.name, "group_vars", self.name, path.name)
        return found

    def covered(self, key: str) -> bool:
        """Whether what is there says that it covers an item."""
        name = items()[key]["runbook"]
        runbook = self._runbooks.get(name)
        return key in (runbook.meta["covers"] if runbook else overview(name).get("covers", []))

    def page(self) -> str:
        parts = [NOTE, f"# {self.name}", f"{prose(self.said['about'])} Its document is {self.said['document']!r}.", HOW]
        parts += ["## Runbooks", self._overview()]
        for section in self.said["sections"]:
            rows = [("line", "the document", "the project", "item")]
            for row in section["rows"]:
                rows.append(
                    (
                        str(row["lines"]), _said(row["says"]), "<br>".join(self._instead(row)),
                        "<br>".join(row.get("ids", [])),
                    )
                )  # fmt: skip
            parts += [f"## {section['title']}", table(*rows)]
        return "\n\n".join(parts) + "\n"

    def _overview(self) -> str:
        """The runbooks that the document asks for."""
        rows = [("runbook", "for", "command", "items")]
        for name in dict.fromkeys(items()[key]["runbook"] for key in self.ids):
            ids = [key for key in self.ids if items()[key]["runbook"] == name]
            count = f"{sum(map(self.covered, ids))} of {len(ids)}"
            said = self._runbooks[name].meta["title"] if name in self._runbooks else overview(name)["title"]
            rows.append((_link(name), prose(said), code(self._command(name)), count))
        return table(*rows)

    def _command(self, name: str) -> str:
        return overview(name).get("command") or f"ansible-playbook -i inventories/{self.name} playbooks/{name}.yml"

    def _instead(self, row: dict[str, Any]) -> list[str]:
        lines = [f"`{name}: {self._value(row, name)}`" for name in row.get("sets", [])]
        if "open" in row:
            return [*lines, f"**not covered**: {prose(row['open'])}"]
        for name in (
            [row["runbook"]] if "runbook" in row else dict.fromkeys(items()[key]["runbook"] for key in row["ids"])
        ):
            if name in self._runbooks:
                lines += self._by(row, self._runbooks[name])
            else:
                lines.append(
                    f"{code(self._command(name))} {'keeps' if 'command' in overview(name) else 'shows'} it: {_link(name)}"
                )
        missing = [key for key in row["ids"] if not self.covered(key)]
        lines += [f"**not covered**: {code(key)}" for key in missing]
        return lines + ([prose(row["note"])] if "note" in row else [])

    def _value(self, row: dict[str, Any], name: str) -> str:
        if name not in self.inventory:
            raise SourceError(f"{self._where}: line {row['lines']}: inventories/{self.name} does not say {name}")
        value = self.inventory[name]
        shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        return shown if len(shown) <= 100 else "..."

    def _by(self, row: dict[str, Any], runbook: Runbook) -> list[str]:
        """What a runbook that is there does about a row."""
        lines = []
        looks = (ROOT / "roles" / runbook.role / "tasks" / "look.yml").read_text(encoding="utf-8")
        for observer in row.get("looks", []):
            if f"{observer}:" not in looks and f"{observer}_info:" not in looks:
                raise SourceError(f"{self._where}: line {row['lines']}: {runbook.role} does not look with {observer}")
        if row.get("looks"):
            modules = ", ".join(code(f"{one}_info") for one in row["looks"])
            lines.append(f"{_link(runbook.role)} looks with {modules}")
        for cause in row.get("causes", []):
            if cause not in runbook.causes:
                raise SourceError(f"{self._where}: line {row['lines']}: {runbook.role} has no cause {cause}")
            lines.append(f"{_link(runbook.role)} names {code(cause)}{_acts(runbook, runbook.causes[cause])}")
        for remedy in row.get("remedies", []):
            if remedy not in runbook.remedies:
                raise SourceError(f"{self._where}: line {row['lines']}: {runbook.role} has no remedy {remedy}")
            lines.append(f"{_link(runbook.role)} has {code(remedy)}: {prose(runbook.remedies[remedy]['does'])}")
        return lines or [_link(runbook.role)]


def _acts(runbook: Runbook, cause: dict[str, Any]) -> str:
    """What comes of a cause."""
    if "remedy" in cause:
        said = runbook.remedies[cause["remedy"]]
        undone = f" Undone: {prose(said['undone'])}" if "undone" in said else ""
        return f" and does {code(cause['remedy'])} ({risk(cause, runbook.values)}): {prose(said['does'])}{undone}"
    if "hand_over" in cause:
        return f" and hands over to {_link(cause['hand_over'])}"
    return ": no action" if cause.get("harmless") else " and says what to do"


def _said(text: str) -> str:
    """What the document says: commands as they are, anything else as text."""
    return "<br>".join(prose(line) if not line.startswith("$ ") else code(line[2:]) for line in text.splitlines())


def _link(name: str) -> str:
    page = overview(name).get("page")
    return f"[{name}](../{page}.md)" if page else f"[{name}](../../roles/{name}/README.md)"
