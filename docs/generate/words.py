# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Words and Markdown: what an expression, a template or a description says to a reader."""

from __future__ import annotations

import json
import re
from typing import Any

from jinja2 import Environment, nodes

from .source import load

NOT_KNOWN_HERE = "…"
_PARSER = Environment(autoescape=True)  # nothing is rendered with it


def readable(template: Any, values: dict[str, Any]) -> str:
    """A template in words: a variable with a value by that value, what has to be measured by an ellipsis."""
    if not isinstance(template, str):
        return str(template)
    parts = [node for output in _PARSER.parse(template).find_all(nodes.Output) for node in output.nodes]
    return " ".join("".join(_words(part, values) for part in parts).split())


def _words(node: nodes.Node, values: dict[str, Any]) -> str:
    if isinstance(node, nodes.TemplateData):
        return node.data
    if isinstance(node, nodes.Const):
        return str(node.value)
    if isinstance(node, nodes.Concat):
        return "".join(_words(part, values) for part in node.nodes)
    if isinstance(node, nodes.CondExpr):
        return " or ".join(_known([node.expr1, node.expr2], values)) or NOT_KNOWN_HERE
    if isinstance(node, nodes.Add):
        return "; ".join(_words(part, values) for part in (node.left, node.right))
    if isinstance(node, nodes.List):
        return "; ".join(_words(part, values) for part in node.items)
    if isinstance(node, nodes.Name) and isinstance(values.get(node.name), (str, int, float)):
        return readable(values[node.name], values)
    if isinstance(node, nodes.Filter) and node.name.startswith("oncall.runbooks."):
        name = node.name.rpartition(".")[2]
        described = load("plugins", "filter", f"{name}.yml").get("DOCUMENTATION", {}).get("short_description", "")
        return described or NOT_KNOWN_HERE
    return NOT_KNOWN_HERE


def _known(parts: list[Any], values: dict[str, Any]) -> list[str]:
    return [text for text in (_words(part, values) for part in parts if part) if text not in ("", NOT_KNOWN_HERE)]


def code(value: Any) -> str:
    return f"`{' '.join(str(value).split())}`"


def prose(text: Any) -> str:
    """A description of Ansible's kind in Markdown, fit for one cell of a table."""
    lines = [" ".join(str(line).split()) for line in (text if isinstance(text, list) else [text])]
    marked = r"\b[CVOM]\((?P<code>[^)]*)\)|[*<]"
    return re.sub(
        marked, lambda found: code(found["code"]) if found["code"] else "\\" + found[0], "\n".join(lines)
    ).replace("\n", "<br>")


def table(*rows: tuple[str, ...]) -> str:
    """A Markdown table; the first row is its head."""
    head, *body = (" | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in row) for row in rows)
    return "\n".join(["| " + head + " |", "|" + "---|" * len(rows[0]), *(f"| {row} |" for row in body)])


def bullets(lines: list[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def variables(options: dict[str, Any]) -> str:
    """The table of the variables of an argument spec, those inside dictionaries with a dotted name."""
    return table(("name", "type", "default", "description"), *_variable_rows(options, ""))


def _variable_rows(options: dict[str, Any], prefix: str) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for name, option in options.items():
        kind = option["type"] + (f" of {option['elements']}" if "elements" in option else "")
        default = "required" if option.get("required") else ""
        if "default" in option:
            value = option["default"]
            default = code(value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False))
        description = prose(option.get("description", ""))
        if "choices" in option:
            description += f" One of {', '.join(map(code, option['choices']))}."
        rows.append((code(prefix + name), kind, default, description))
        rows += _variable_rows(option.get("options", {}), f"{prefix}{name}.")
    return rows
