# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The records of past runs, which the callback ``record`` writes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .errors import OncallError


def directory() -> Path:
    """Where they are: ONCALL_RECORD_DIRECTORY, else ``~/.local/state/oncall/runs``."""
    return Path(os.environ.get("ONCALL_RECORD_DIRECTORY") or "~/.local/state/oncall/runs").expanduser()


def file_of(run_id: str) -> Path | None:
    """The record of a run, by the id at the end of its name; None where there is none."""
    return next(directory().glob(f"*-{run_id}.json"), None)


def recent(count: int) -> Iterator[dict[str, Any]]:
    """The last records, the newest first. An unreadable record says so as its ``problem``."""
    files = sorted(directory().glob("*.json"), key=lambda path: path.name, reverse=True)
    for file in files[:count]:
        yield {"id": file.stem.rpartition("-")[2], "file": str(file), **_read(file)}


def find(run_id: str) -> dict[str, Any]:
    """One record, by its id or the beginning of it; OncallError where that is none, or several."""
    # Not with the pattern: what a person types is no pattern.
    found = [file for file in directory().glob("*.json") if file.stem.rpartition("-")[2].startswith(run_id)]
    if not run_id or not found:
        raise OncallError(f"no run {run_id!r} in {directory()}; list them with: oncall runs")
    if len(found) > 1:
        names = ", ".join(sorted(file.stem.rpartition("-")[2] for file in found)[:5])
        raise OncallError(f"{run_id} is the beginning of {len(found)} runs ({names}); say more of it")
    record = _read(found[0])
    if "problem" in record:
        raise OncallError(f"{found[0]}: {record['problem']}")
    return {"id": found[0].stem.rpartition("-")[2], "file": str(found[0]), **record}


def _read(file: Path) -> dict[str, Any]:
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return {"problem": f"cannot be read: {error}", "runs": []}
    return record if isinstance(record, dict) and isinstance(record.get("runs"), list) else {
        "problem": "is no record of a run", "runs": [],
    }  # fmt: skip
