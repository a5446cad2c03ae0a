#!/usr/bin/env python3
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the README of every role and docs/runbooks.md from what the roles themselves say.

``python docs/generate.py`` writes them; ``--check`` writes nothing, prints one line for each stale one and exits 1.
"""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, nodes

ROOT = Path(__file__).resolve().parents[1]


def _load_table() -> Any:
    # By its path: this runs without Ansible's way to import a collection.
    path = ROOT / "plugins" / "plugin_utils" / "table.py"
    spec = importlib.util.spec_from_file_location("table", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["table"] = module
    spec.loader.exec_module(module)
    return module


_table = _load_table()
NOTE = "<!-- Written by docs/generate.py. Change what it is made from, then run `make docs`. -->"
NOT_KNOWN_HERE = "…"
SEVERITIES = ("low", "medium", "high", "critical")
_PARSER = Environment(autoescape=True)  # nothing is rendered with it


def load(*parts: str) -> Any:
    """A YAML file below the root, or {} where there is none."""
    path = ROOT.joinpath(*parts)
    return (yaml.safe_load(path.read_text(encoding="utf-8")) or {}) if path.is_file() else {}


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
    return [text for text in (_words(part, values) for part in parts if part) if text != NOT_KNOWN_HERE]


def condition(when: Any, role: str) -> str:
    """An expression as a reader wants it: without casts, without the prefix of private names."""
    text = str(when)
    if isinstance(when, list):
        text = " and ".join(f"({part})" if " or " in str(part) else str(part) for part in when)
    return " ".join(re.sub(r" \| (float|int)\b", "", text.replace(f"__{role}_", "")).split())


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


class Runbook:
    """Everything the pages tell about one runbook."""

    def __init__(self, role: str) -> None:
        self.role = role
        self.meta = load("roles", role, "meta", "runbook.yml")
        self.entries = load("roles", role, "meta", "argument_specs.yml")["argument_specs"]
        self.vars = load("roles", role, "vars", "main.yml")
        self.values = {**self.vars.get(f"{role}_names", {}), **self.vars, **load("roles", role, "defaults", "main.yml")}
        remedies = {path.stem for path in (ROOT / "roles" / role / "tasks" / "remedies").glob("*.yml")}
        self.causes: dict[str, Any] = _table.expand(self.vars[f"{role}_causes"], remedies)

    def risk(self, cause: dict[str, Any]) -> str:
        return readable(cause["risk"], self.values) if "remedy" in cause else "none"

    def page(self) -> str:
        sections = (
            self._signal,
            self._diagnosis,
            self._causes,
            self._remediation,
            self._rollback,
            self._escalation,
            self._variables,
            self._covers,
        )
        return "\n\n".join([NOTE, f"# {self.role}", *(section() for section in sections)]) + "\n"

    def _signal(self) -> str:
        lines = [
            f"**{self.meta['title']}.** {prose(self.meta['signal'])}",
            bullets([f"Alerts: {', '.join(map(code, self.meta['alerts']))}", f"Severity: {self.meta['severity']}"]),
        ]
        return "\n\n".join(["## Signal", *lines])

    def _diagnosis(self) -> str:
        command = f"ansible-playbook -i inventories/mine playbooks/{self.role}.yml -e run_until=diagnose"
        steps = []
        for task in load("roles", self.role, "tasks", "diagnose.yml"):
            module = next(key for key in task if "." in key)
            if module.endswith(".import_role"):
                continue  # only for defaults
            asked = ", ".join(map(code, task[module])) if module.endswith(".observe") else ""
            steps.append(task["name"].rpartition(" | ")[2] + f" ({code(module)}{': ' + asked if asked else ''}).")
        shown = ", ".join(name.replace("_", " ") for name in self.vars.get(f"{self.role}_evidence", {}))
        return "\n\n".join(
            [
                "## Quick diagnosis",
                f"```console\n{command}\n```",
                "It changes nothing. It does this:",
                "\n".join(f"{number}. {step}" for number, step in enumerate(steps, 1)),
                *([f"Beside the findings it shows: {shown}."] if shown else []),
            ]
        )

    def _causes(self) -> str:
        rows = [("cause", "what is seen", "remedy", "risk", "advice")]
        for slug, cause in self.causes.items():
            whens = [one for when, _conclusive in cause["gates"] for one in when]
            seen = f"{prose(readable(cause['summary'], self.values))}<br>{code(condition(whens, self.role))}"
            if cause["unless"]:
                seen += f"<br>unless one of these explains it: {', '.join(map(code, cause['unless']))}"
            remedy = who_acts(cause, "../{}/README.md")
            advice = cause.get("advice", "")
            advice = "; ".join(
                prose(readable(line, self.values)) for line in (advice if isinstance(advice, list) else [advice])
            )
            rows.append((code(slug), seen, remedy, self.risk(cause), advice))
        return "\n\n".join(
            [
                "## Likely causes",
                "In order of likelihood. … stands for what is measured; numbers are the defaults.",
                table(*rows),
                "What could not be measured makes a cause `unknown`. An unknown cause never starts a remedy. "
                f"Causes of your own go into `{self.role}_extra_causes`, see "
                "[Writing a runbook](../../docs/writing-a-runbook.md).",
            ]
        )

    def _remediation(self) -> str:
        play = f"ansible-playbook -i inventories/mine playbooks/{self.role}.yml"
        rows = [("remedy", "what it does", "against", "risk", "what the service's manager has to do")]
        for remedy, text in self.meta["remedies"].items():
            causes = {slug: cause for slug, cause in self.causes.items() if cause.get("remedy") == remedy}
            needs = [
                f"{', '.join(map(code, cause['operates']['verbs']))} of {code(cause['operates']['service'].strip('{} '))}"
                for cause in causes.values()
                if "operates" in cause
            ]
            risks = dict.fromkeys(self.risk(cause) for cause in causes.values())
            against = ", ".join(map(code, causes))
            rows.append((code(remedy), prose(text), against, ", ".join(risks), "; ".join(dict.fromkeys(needs))))
        return "\n\n".join(
            [
                "## Safe remediation",
                f"```console\n{play} --check   # shows the plan and its hash\n{play}           # acts on it\n```",
                table(*rows),
                "A remedy touches only the targets in the plan. One that the manager of the service cannot do is not "
                "available, and the plan says so. Nothing above `run_max_risk` is done without a person.",
            ]
        )

    def _rollback(self) -> str:
        undone = self.meta.get("rollbacks", {})
        kept = self.meta.get("irreversible", {})
        parts = ["## Rollback"]
        if undone:
            parts.append("Undone where it did not help:")
            parts.append(table(("remedy", "how"), *((code(name), prose(text)) for name, text in undone.items())))
        if kept:
            parts.append("Cannot be undone, and why that is safe:")
            parts.append(table(("remedy", "why"), *((code(name), prose(text)) for name, text in kept.items())))
        return "\n\n".join(parts)

    def _escalation(self) -> str:
        return "\n\n".join(
            [
                "## Escalation",
                f"To: {prose(self.meta['escalation'])}.",
                "A person is told when the outcome is `unresolved`, `blocked`, `advised` or `unknown`, by the tasks of "
                "`run_escalation_tasks`.",
            ]
        )

    def _variables(self) -> str:
        main = self.entries["main"]["options"]
        added = {
            name: {key: option for key, option in entry["options"].items() if key not in main}
            for name, entry in self.entries.items()
        }
        parts = ["## Variables", variables(main)]
        for name, options in added.items():
            if options:
                parts += [f"With `tasks_from: {name}` also:", variables(options)]
        parts.append(
            "How far a run goes is said with the variables of [run](../run/README.md), "
            "what it works on with those of [system](../system/README.md)."
        )
        return "\n\n".join(parts)

    def _covers(self) -> str:
        source = {item["id"]: item for item in load("tests", "coverage.yml")["items"]}
        items = [source[key] for key in self.meta["covers"]]
        rows = [(code(item["id"]), item["kind"], prose(item["text"])) for item in items]
        return "\n\n".join(["## What it covers", table(("item", "kind", "asked for"), *rows)])


def role_page(role: str) -> str:
    """The README of a role that is no runbook."""
    parts = [NOTE, f"# {role}"]
    entries = load("roles", role, "meta", "argument_specs.yml")["argument_specs"]
    for name, entry in entries.items():
        parts += [] if name == "main" else [f"## Entry point {name}"]
        parts += [f"**{entry['short_description']}.**"]
        parts += [prose(line) for line in entry["description"]]
        parts += [variables(entry.get("options", {}))]
    return "\n\n".join(parts) + "\n"


def who_acts(cause: dict[str, Any], link: str) -> str:
    """The remedy of a cause, or who else sees to it."""
    if "remedy" in cause:
        return code(cause["remedy"])
    if "hand_over" in cause:
        return f"hands over to [{cause['hand_over']}]({link.format(cause['hand_over'])})"
    return "no action" if cause.get("harmless") else "a person"


def overview(runbooks: list[Runbook]) -> str:
    """The index by severity, and for each runbook what it knows and does."""
    rows = [("severity", "runbook", "signal", "alerts")]
    for runbook in sorted(runbooks, key=lambda one: -SEVERITIES.index(one.meta["severity"])):
        rows.append(
            (
                runbook.meta["severity"],
                f"[{runbook.role}](#{runbook.role})",
                prose(runbook.meta["signal"]),
                "<br>".join(map(code, runbook.meta["alerts"])),
            )
        )
    text = (
        "Each runs with `ansible-playbook playbooks/<runbook>.yml`, or where the collection is installed with"
        " `ansible-playbook oncall.runbooks.<runbook>`."
    )
    parts = [NOTE, "# Runbooks", text, table(*rows)]
    for runbook in runbooks:
        page = f"../roles/{runbook.role}/README.md"
        parts += [f"## {runbook.role}", f"{runbook.meta['title']}. [More]({page})"]
        causes = [
            (code(slug), who_acts(cause, "../roles/{}/README.md"), runbook.risk(cause))
            for slug, cause in runbook.causes.items()
        ]
        parts.append(table(("cause", "remedy", "risk"), *causes))
    return "\n\n".join(parts) + "\n"


def pages() -> dict[Path, str]:
    """Every generated file with what is to be in it."""
    written: dict[Path, str] = {}
    runbooks = []
    for folder in sorted((ROOT / "roles").iterdir()):
        if (folder / "meta" / "runbook.yml").is_file():
            runbooks.append(Runbook(folder.name))
            written[folder / "README.md"] = runbooks[-1].page()
        elif folder.is_dir():
            written[folder / "README.md"] = role_page(folder.name)
    written[ROOT / "docs" / "runbooks.md"] = overview(runbooks)
    return written


def main(arguments: list[str]) -> int:
    stale = {
        path: text for path, text in pages().items() if not path.is_file() or path.read_text(encoding="utf-8") != text
    }
    for path, text in stale.items():
        if "--check" in arguments:
            print(f"{path.relative_to(ROOT)} is stale: run `make docs`")
        else:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")
    return int("--check" in arguments and bool(stale))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
