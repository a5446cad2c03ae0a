# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m docs.generate.new NAME``: start a runbook that is honest, small and green."""

from __future__ import annotations

import keyword
import re
import sys
from pathlib import Path

from .role_files import filled
from .source import ROOT, load, roles
from .write import main as write_all

NEXT = """Write next, and after each run `make docs` and `pytest tests/contract -k {name}`, at the end `make contract`:
  roles/{name}/meta/runbook.yml         what it is, and its options
  roles/{name}/tasks/look.yml           what it looks at
  roles/{name}/vars/main.yml            the likely causes
  tests/unit/tables/test_{name}_table.py   a row for each cause, before the cause
  extensions/prometheus/rules/{name}.yml   a rule for each alert, with its tests
  roles/{name}/tasks/remedies/          with the first remedy also tests/integration/test_{name}.py or tests/containers, and molecule/{name}
docs/writing-a-runbook.md explains each."""


def trouble_with(name: str) -> str:
    """Why no runbook can have this name, in one line, or ""."""
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name) or keyword.iskeyword(name):
        return f"{name!r} is no name for a role: lower case letters, digits and single underscores, such as disk_slow"
    if name in roles() or (ROOT / "playbooks" / f"{name}.yml").exists():
        return f"{name} is there already; take another name"
    # Variables belong to a role by their prefix.
    near = next((one for one in roles() if name.startswith(f"{one}_") or one.startswith(f"{name}_")), "")
    return f"the variables of {name} and of {near} would begin alike; take another name" if near else ""


def next_version() -> str:
    """The version that what is new today comes with."""
    releases = load("changelogs", "changelog.yaml")["releases"]
    major, minor, _ = max([int(part) for part in release.split(".")] for release in releases)
    return f"{major}.{minor + 1}.0"


def files(name: str) -> dict[Path, str]:
    """What is written by hand from then on."""
    covers = [item["id"] for item in load("tests", "coverage.yml")["items"] if item["runbook"] == name]
    role = ROOT / "roles" / name
    return {
        role / "meta" / "runbook.yml": filled(
            "new/runbook.yml", runbook=name, covers=f"[{', '.join(covers)}]", version=next_version()
        ),
        role / "tasks" / "look.yml": filled("new/look.yml", runbook=name),
        role / "vars" / "main.yml": filled("new/vars.yml", runbook=name),
        ROOT / "tests" / "unit" / "tables" / f"test_{name}_table.py": filled("new/test_table.py", runbook=name),
    }


def main(arguments: list[str]) -> int:
    name = arguments[0] if arguments else ""
    trouble = trouble_with(name) if name else "name it: make new-runbook NAME=disk_slow"
    if trouble:
        print(trouble, file=sys.stderr)
        return 2
    for path, text in files(name).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")
    code = write_all([])
    print(NEXT.format(name=name))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
