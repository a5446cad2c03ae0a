# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The JSON schemas of documents that are typed data: from the types, with the words that explain them."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import msgspec

from oncall.incidents.postmortem import document
from oncall.incidents.stats import SCHEMA as STATS_SCHEMA
from oncall.incidents.stats import Stats

from .source import ROOT

_TIMES = "Times are seconds since 1970; durations are seconds."
# File -> the type, its title, what else is to be known, and the number of the schema.
_DOCUMENTS: dict[str, tuple[type, str, str, int]] = {
    "oncall/incidents/postmortem/postmortem.schema.json": (
        document.PostMortem,
        "The post-mortem of an incident",
        f"{_TIMES} `entries` are the numbers of the timeline's entries that say it; null has a `not_known` that says why.",
        document.SCHEMA,
    ),
    "oncall/incidents/stats.schema.json": (Stats, "Numbers over incidents", _TIMES, STATS_SCHEMA),
}


def files() -> dict[Path, str]:
    """Every schema with what is to be in its file."""
    return {ROOT / name: _text(*told) for name, told in _DOCUMENTS.items()}


def _text(kind: type, title: str, words: str, number: int) -> str:
    told = msgspec.json.schema(kind)
    kinds: dict[str, Any] = told["$defs"]
    for one in kinds.values():
        one.pop("title")
        one["additionalProperties"] = False
        # What has a default is there all the same.
        one["required"] = list(one["properties"])
        for field in one["properties"].values():
            field.pop("default", None)
        one["description"] = inspect.cleandoc(one["description"])
    top = kinds.pop(kind.__name__)
    top["properties"] = {"schema": {"const": number}, **top["properties"]}
    top["required"].insert(0, "schema")
    return (
        json.dumps(
            {
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "title": title,
                "description": words,
                "$defs": dict(sorted(kinds.items())),
                **{key: value for key, value in top.items() if key != "description"},
            },
            indent=2,
        )
        + "\n"
    )
