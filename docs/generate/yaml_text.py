# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""YAML as a person would write it: long texts folded, short lists in one line, no anchors."""

from __future__ import annotations

import textwrap
from typing import Any

import yaml

WIDTH = 120


class _Dumper(yaml.SafeDumper):
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    plain = bool(text) and dumper.analyze_scalar(text).allow_block_plain
    plain = plain and dumper.resolve(yaml.ScalarNode, text, (True, False)) == "tag:yaml.org,2002:str"
    # Folding would change spaces that count.
    folded = len(text) > WIDTH - 30 and text == " ".join(text.split())
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=">" if folded else None if plain else '"')


def _list(dumper: yaml.SafeDumper, values: list[Any]) -> yaml.Node:
    in_one_line = len(str(values)) < WIDTH - 20 and not any(isinstance(value, (dict, list)) for value in values)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", values, flow_style=in_one_line)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(list, _list)


def dump(value: Any, indent: int = 0) -> str:
    """A value in block style, indented, without a newline at its end."""
    # Only folded texts keep the width: a list that is short enough for one line stays in it.
    width = WIDTH - indent
    text = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=width, default_flow_style=False)
    return textwrap.indent(text.rstrip("\n"), " " * indent)
