# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The README of each role."""

from __future__ import annotations

import re
from typing import Any

from .source import Runbook, load
from .words import NOT_KNOWN_HERE, bullets, code, prose, readable, table, variables

NOTE = "<!-- Written by `make docs`. Change what it is made from, then run it again. -->"


def risk(cause: dict[str, Any], values: dict[str, Any]) -> str:
    return readable(cause["risk"], values) if "remedy" in cause else "none"


def runbook_page(runbook: Runbook) -> str:
    sections = (
        _signal,
        _diagnosis,
        _causes,
        _healthy,
        *((_remediation, _rollback) if runbook.remedies else ()),
        _escalation,
        _variables,
        *((_covers,) if runbook.meta["covers"] else ()),
    )
    return "\n\n".join([NOTE, f"# {runbook.role}", *(section(runbook) for section in sections)]) + "\n"


def _signal(runbook: Runbook) -> str:
    lines = [
        f"**{runbook.meta['title']}.** {prose(runbook.meta['signal'])}",
        bullets(
            [
                f"Alerts: {', '.join(map(code, runbook.meta['alerts'])) or 'none; a person runs it'}",
                f"Severity: {runbook.meta['severity']}",
            ]
        ),
    ]
    return "\n\n".join(["## Signal", *lines])


def _diagnosis(runbook: Runbook) -> str:
    command = f"ansible-playbook -i inventories/mine playbooks/{runbook.role}.yml -e run_until=diagnose"
    steps = []
    for task in load("roles", runbook.role, "tasks", "look.yml"):
        module = next(key for key in task if "." in key)
        asked = ", ".join(map(code, task[module])) if module.endswith(".observe") else ""
        steps.append(task["name"].rpartition(" | ")[2] + f" ({code(module)}{': ' + asked if asked else ''}).")
    steps.append(f"Judge the likely causes ({code('oncall.runbooks.diagnosis')}).")
    shown = ", ".join(name.replace("_", " ") for name in runbook.evidence)
    return "\n\n".join(
        [
            "## Quick diagnosis",
            f"```console\n{command}\n```",
            "It changes nothing. It does this:",
            "\n".join(f"{number}. {step}" for number, step in enumerate(steps, 1)),
            *([f"Beside the findings it shows: {shown}."] if shown else []),
        ]
    )


def _causes(runbook: Runbook) -> str:
    rows = [("cause", "what is seen", "remedy", "risk", "advice")]
    earlier: list[str] = []
    for slug, cause in runbook.causes.items():
        seen = prose(readable(cause["summary"], runbook.values))
        if seen == NOT_KNOWN_HERE or re.fullmatch("«[^»]*»", seen):
            seen = slug.replace("_", " ")
        if cause["unless"]:
            explained = ", ".join(map(code, cause["unless"]))
            every = len(earlier) > 2 and set(cause["unless"]) == set(earlier)
            seen += f"<br>unless {'a cause above' if every else 'one of these'} explains it" + (
                "" if every else f": {explained}"
            )
        earlier.append(slug)
        remedy = who_acts(cause, "../{}/README.md")
        advice = cause.get("advice", "")
        advice = "<br>".join(
            prose(readable(line, runbook.values)) for line in (advice if isinstance(advice, list) else [advice])
        )
        rows.append((code(slug), seen, remedy, risk(cause, runbook.values), advice))
    return "\n\n".join(
        [
            "## Likely causes",
            "In order of likelihood. A run puts what it measured in the place of «words». Numbers are the defaults.",
            table(*rows),
            "What could not be measured makes a cause `unknown`. An unknown cause never starts a remedy. "
            f"Causes of your own go into `{runbook.role}_extra_causes`, see "
            "[Writing a runbook](../../docs/writing-a-runbook.md).",
        ]
    )


def _healthy(runbook: Runbook) -> str:
    rows = [("claim", "what has to be seen", "what it shows", "where it is not seen")]
    for name, claim in runbook.healthy.items():
        missed = "listed as not looked at" if claim.get("beyond") else "the outcome is `unknown`"
        rows.append(
            (
                code(f"{runbook.role}.{name}"),
                prose(readable(claim["whether"], runbook.values)),
                prose(readable(claim.get("figures", ""), runbook.values)),
                missed,
            )
        )
    return "\n\n".join(
        [
            "## What has to be seen before it is healthy",
            "That no known cause was found shows nothing. What you can do without goes into `system_blind_spots`.",
            table(*rows),
        ]
    )


def _remediation(runbook: Runbook) -> str:
    play = f"ansible-playbook -i inventories/mine playbooks/{runbook.role}.yml"
    rows = [("remedy", "what it does", "against", "risk", "what the service's manager has to do")]
    for remedy, said in runbook.remedies.items():
        causes = {slug: cause for slug, cause in runbook.causes.items() if cause.get("remedy") == remedy}
        needs = [_operated(cause["operates"], runbook) for cause in causes.values() if "operates" in cause]
        risks = dict.fromkeys(risk(cause, runbook.values) for cause in causes.values())
        against = ", ".join(map(code, causes))
        rows.append((code(remedy), prose(said["does"]), against, ", ".join(risks), "; ".join(dict.fromkeys(needs))))
    return "\n\n".join(
        [
            "## Safe remediation",
            f"```console\n{play} --check   # shows the plan and its hash\n{play}           # acts on it\n```",
            table(*rows),
            "A remedy touches only the targets in the plan. What the manager of the service cannot do is not "
            "available, and the plan says so. Nothing above `run_max_risk` is done without a person.",
        ]
    )


def _operated(operates: dict[str, Any], runbook: Runbook) -> str:
    """What a service's manager or a queue's engine has to be able to do: the verbs, and the variable that names the service."""
    verbs = ", ".join(map(code, operates["verbs"]))
    if "queue" in operates:
        return f"{verbs}, of the queue's engine"
    named = str(operates["service"]).strip("{} ")
    return f"{verbs} of {code(named)}" if named in runbook.options else verbs


def _rollback(runbook: Runbook) -> str:
    undone = {name: said["undone"] for name, said in runbook.remedies.items() if "undone" in said}
    kept = {name: said["irreversible"] for name, said in runbook.remedies.items() if "irreversible" in said}
    parts = ["## Rollback"]
    if undone:
        parts.append("Undone where it did not help:")
        parts.append(table(("remedy", "how"), *((code(name), prose(text)) for name, text in undone.items())))
    if kept:
        parts.append("Cannot be undone, and why that is safe:")
        parts.append(table(("remedy", "why"), *((code(name), prose(text)) for name, text in kept.items())))
    return "\n\n".join(parts)


def _escalation(runbook: Runbook) -> str:
    return "\n\n".join(
        [
            "## Escalation",
            f"To: {prose(runbook.meta['escalation'])}.",
            "For the outcomes `unresolved`, `blocked`, `advised` and `unknown` the run calls a person with the tasks of "
            "`run_escalation_tasks`.",
        ]
    )


def _variables(runbook: Runbook) -> str:
    plan = {
        "run_plan": {
            "description": "Hashes of the approved plans.",
            "type": "list",
            "elements": "str",
            "required": True,
        }
    }
    parts = ["## Variables", variables({**runbook.options, **runbook.required})]
    parts += ["With `tasks_from: remediate` also:", variables(plan)]
    parts.append(
        "How far a run goes is said with the variables of [run](../run/README.md), "
        "what it works on with those of [system](../system/README.md)."
    )
    return "\n\n".join(parts)


def _covers(runbook: Runbook) -> str:
    source = {item["id"]: item for item in load("tests", "coverage.yml")["items"]}
    items = [source[key] for key in runbook.meta["covers"]]
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
