# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the commands print with ``--json``, held against the schema that is documented."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema

ONCALL = Path(__file__).resolve().parents[2] / "oncall"
SCHEMA = json.loads((ONCALL / "output.schema.json").read_text())
# Those that are made from types.
OF_TYPES = {
    "incident_postmortem": ONCALL / "incidents" / "postmortem" / "postmortem.schema.json",
    "incident_stats": ONCALL / "incidents" / "stats.schema.json",
}


def as_documented(command: str, printed: str) -> Any:
    """What a command printed, which is as the schema says."""
    told = json.loads(printed)
    if command in OF_TYPES:
        jsonschema.Draft202012Validator(json.loads(OF_TYPES[command].read_text())).validate(told)
    else:
        jsonschema.Draft202012Validator({"$defs": SCHEMA["$defs"], "$ref": f"#/$defs/{command}"}).validate(told)
    return told
