# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A command that tells how one connector gets on: by its exit code and its errors, or in a JSON object. Nothing of it is executed."""

from __future__ import annotations

import json
import time

from ..run_command import failure, run
from ..services.command import with_placeholders
from ..text.log_lines import error_positions
from .answer import KEYS, is_plain
from .spec import check_argv

OPTIONS = {
    "look": {"type": "list", "elements": "raw", "required": True},
    "names": {"type": "list", "elements": "str", "required": True},
}
# A program is not run twice for the look that it is run for.
LOOKS = 1


def check(place, entry):
    """Raises ValueError where it cannot be run."""
    check_argv(f"{place}.look", entry["look"])
    if not entry["names"]:
        raise ValueError(f"{place}.names: must name the connectors that it is run for")
    for name in entry["names"]:
        if not is_plain(name):
            raise ValueError(f"{place}.names: a connector that a command is run for cannot have the name {name!r}")


def look(entry, seconds, deadline):
    """One look, as :func:`table.look`: the command for each connector, one after the other."""
    rows, limits = [], []
    for number, name in enumerate(entry["names"]):
        left = min(seconds, deadline.remaining_seconds()) / (len(entry["names"]) - number)
        row, limit = one_of(name, entry["look"], left)
        rows.append(row)
        limits += limit
    return {"now_seconds": time.time(), "rows": rows, "limits": limits}


def one_of(name, argv, seconds):
    """One connector as its command tells it, and what could not be seen."""
    argv = with_placeholders(argv, {"connector": name})
    ended = run(argv, seconds)
    if ended["error"]:
        # A program that is not there, or does not end, tells nothing of the connector.
        return {"name": name}, [f"{name}: {failure(argv, ended, seconds)}"]
    return row_of(name, ended), []


def row_of(name, ended):
    """What a command that has ended tells. Pure.

    Args:
        name: of the connector.
        ended: as :func:`run_command.run` gives it.
    """
    told = {
        key: value
        for key, value in document_of(ended["stdout"]).items()
        if key in KEYS and not isinstance(value, (dict, list))
    }
    is_well = ended["exit_code"] == 0
    row = {**told, "name": name}
    if not is_well or "status" not in told:
        row["status"] = "ok" if is_well else "failed"
    if not is_well and not told.get("last_error"):
        row["last_error"] = error_of(ended)
    return row


def document_of(output):
    """The JSON object that is all of an output, or its last line; an empty one where there is none."""
    lines = [line for line in output.splitlines() if line.strip()]
    for text in (output, lines[-1] if lines else ""):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            return found
    return {}


def error_of(ended):
    """The last line of a program that says what was wrong, or its last line, or how it ended."""
    lines = [line for part in ("stdout", "stderr") for line in ended[part].splitlines() if line.strip()]
    errors = [lines[position] for position in error_positions(lines)]
    how = f"ended by {ended['signal']}" if ended["signal"] else f"exit code {ended['exit_code']}"
    return (errors or lines or [how])[-1]
