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
# These say nothing without what they belong to.
VAGUE = {"value", "key", "name", "text", "items", "values", "keys", "total_seconds", "first", "last"}
_PARSER = Environment(autoescape=True)  # nothing is rendered with it


def readable(template: Any, values: dict[str, Any]) -> str:
    """A template in words: a variable with a value by that value, what has to be measured by its name in « »."""
    if not isinstance(template, str):
        return str(template)
    parts = [node for output in _PARSER.parse(template).find_all(nodes.Output) for node in output.nodes]
    return _tidy("".join(_words(part, values) for part in parts))


def _words(node: nodes.Node, values: dict[str, Any]) -> str:
    if isinstance(node, nodes.TemplateData):
        return node.data
    if isinstance(node, nodes.Const):
        return str(node.value)
    if isinstance(node, nodes.Concat):
        return "".join(_words(part, values) for part in node.nodes)
    if isinstance(node, nodes.CondExpr):
        return _either(node, values)
    if isinstance(node, nodes.Add):
        return "; ".join(_words(part, values) for part in (node.left, node.right))
    if isinstance(node, nodes.List):
        return "; ".join(_words(part, values) for part in node.items)
    if isinstance(node, nodes.Name) and isinstance(values.get(node.name), (str, int, float)):
        said = readable(values[node.name], values)
        if said != NOT_KNOWN_HERE:
            return said
    if isinstance(node, nodes.Filter) and node.name.startswith("oncall.runbooks."):
        name = node.name.rpartition(".")[2]
        described = load("plugins", "filter", f"{name}.yml").get("DOCUMENTATION", {}).get("short_description", "")
        return described or NOT_KNOWN_HERE
    named = _name_of(node)
    return f"«{named}»" if named else NOT_KNOWN_HERE


def _either(node: nodes.CondExpr, values: dict[str, Any]) -> str:
    """Both texts of a condition; the lists of advice one after the other."""
    both = [_words(part, values) for part in (node.expr1, node.expr2) if part]
    lists = any(isinstance(part, (nodes.List, nodes.Add)) for part in (node.expr1, node.expr2))
    alternatives = list(dict.fromkeys(text for text in both if text.strip() and text != NOT_KNOWN_HERE))
    if len(alternatives) > 1:
        alternatives = [_tidy(text) for text in alternatives]
    between = "; " if lists else " Or: " if alternatives and alternatives[0].endswith(".") else " or "
    return between.join(alternatives) or NOT_KNOWN_HERE


def _name_of(node: nodes.Node | None) -> str:
    """What a measured value is called, in words; "" where its expression has no name."""
    if isinstance(node, nodes.Name):
        return node.name.lstrip("_").replace("_", " ")
    if isinstance(node, nodes.Getattr):
        return _name_of(node.node) if node.attr in VAGUE else node.attr.replace("_", " ")
    if isinstance(node, nodes.Getitem):
        named = str(node.arg.value) if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str) else ""
        return _name_of(node.node) if not named or named in VAGUE else named.replace("_", " ")
    if isinstance(node, nodes.Call):
        return _name_of(node.node)
    if isinstance(node, nodes.Filter):
        # Of a list of dictionaries, what is taken from each.
        taken = [
            one.value.value for one in node.kwargs if one.key == "attribute" and isinstance(one.value, nodes.Const)
        ]
        part = str(taken[0]).rpartition(".")[2] if taken and node.name in ("map", "sum") else ""
        return part.replace("_", " ") if part and part not in VAGUE else _name_of(node.node)
    return _name_of(node.left) if isinstance(node, nodes.BinExpr) else ""


def _tidy(text: str) -> str:
    """One line, without the punctuation that an empty alternative leaves."""
    text = " ".join(text.split())
    text = re.sub(r"([.:;]); ", r"\1 ", text).replace(" or ; ", "; ")
    return re.sub(r"^[;,] |[ ,;]+$", "", text)


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
            shown = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
            # A private name says nothing to a reader; the description does.
            default = "from the inventory" if "__" in shown else code(shown)
        description = prose(option.get("description", ""))
        if "choices" in option:
            description += f" One of {', '.join(map(code, option['choices']))}."
        rows.append((code(prefix + name), kind, default, description))
        rows += _variable_rows(option.get("options", {}), f"{prefix}{name}.")
    return rows
