# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All generated files, written or checked."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from . import coverage, lists, metrics, observers, readme, role_files, schemas, systems
from .source import ROOT, Runbook, SourceError, roles, runbook_names


def files() -> dict[Path, str]:
    """Every generated file with what is to be in it."""
    written: dict[Path, str] = {}
    runbooks = []
    for name in runbook_names():
        runbook = Runbook(name)
        runbooks.append(runbook)
        written |= role_files.files(runbook)
        written[ROOT / "roles" / name / "README.md"] = readme.runbook_page(runbook)
    for name in sorted(set(roles()) - set(runbook_names())):
        written[ROOT / "roles" / name / "README.md"] = readme.role_page(name)
    return (
        written
        | lists.files(runbooks)
        | coverage.files()
        | metrics.files(runbooks)
        | systems.files(runbooks)
        | observers.files()
        | schemas.files()
    )


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m docs.generate", description="Write every generated file that is stale."
    )
    parser.add_argument("--check", action="store_true", help="write nothing; say what is stale, and end with 1")
    check = parser.parse_args(arguments).check
    try:
        stale = {path: text for path, text in files().items() if not path.is_file() or path.read_text("utf-8") != text}
    except SourceError as error:
        print(error, file=sys.stderr)
        return 2
    for path, text in stale.items():
        if check:
            print(f"{path.relative_to(ROOT)} is stale: run `make docs`")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")
    return int(check and bool(stale))
