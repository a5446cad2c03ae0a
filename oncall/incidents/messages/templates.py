# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of each kind of message: built in, or of a team. What a team's template cannot do is said, and the built-in one is sent.

The values of a message are data: they were made :func:`~.words.neutral` before, and are never templates. A team's template runs in a process of
its own (:mod:`.rendering`), so that one without an end, or with a result of a gigabyte, takes nothing from the service.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from ...shared import masked
from ..escalation.policy import PolicyError, Strict, read
from . import rendering
from .words import address, incident_values, neutral, values_of

TEMPLATES = "incident_templates"
KINDS = ("initial", "update", "resolution", "customers", "escalation")
LINKS = ("page", "acknowledge", "approve", "reject")
MOST_SUBJECT = 150
MOST_BODY = 8000
# A template cannot wait, and its time of processor is bounded apart: this is for a machine that has too much to do.
SECONDS = 30.0
_TOO_MUCH = "it takes too much time or memory"
# What customers are told is what a person wrote for them, and nothing of what goes on inside.
_FOR_CUSTOMERS = ("issue", "status", "started", "resolved", "updates_every", "next_update")

_PROOF = "{% if entries %}\nRecord: {{ entries }} entries{% if proof %}, {{ proof }}{% endif %}\n{% endif %}"
_LINKS = "{% if page %}\n{{ page }}\n{% endif %}{% if acknowledge %}\nAcknowledge: {{ acknowledge }}\n{% endif %}"


class Template(Strict, frozen=True):
    """A team's own: its subject and its body, as Jinja2."""

    subject: str
    body: str


_BUILT_IN = {
    "initial": Template(
        "{{ severity }} {{ incident }} {{ system }}: {{ title }}",
        """INCIDENT ALERT {{ incident }}: {{ title }}

Severity: {{ severity }}{% if severity_means %} ({{ severity_means }}){% endif %}

Service: {{ system }}
Started: {{ started }}
Impact: {{ impact or "not known yet" }}
{% if symptoms %}

Symptoms:
{% for one in symptoms %}
- {{ one }}
{% endfor %}
{% endif %}

Responding: {{ responding or "nobody yet" }}
Status: {{ status }}
"""
        + _LINKS
        + _PROOF,
    ),
    "update": Template(
        "{{ severity }} {{ incident }} {{ status }}: {{ title }}",
        """INCIDENT UPDATE {{ incident }}: {{ title }}

Time: {{ time }}
Severity: {{ severity }}
Status: {{ status }}

Conditions:
{{ conditions or "as before" }}

Actions:
{{ actions or "none yet" }}

Needs:
{{ needs or "nothing" }}

Next update at: {{ next_update or "not set" }}
"""
        + _LINKS
        + _PROOF,
    ),
    "resolution": Template(
        "{{ incident }} resolved: {{ title }}",
        """INCIDENT RESOLVED {{ incident }}: {{ title }}

Time resolved: {{ resolved }}
Duration: {{ duration }}

Summary:
{{ summary or title }}

Resolution:
{{ resolution or "not written down" }}

Post-incident review: {{ review or "not scheduled" }}
"""
        + _LINKS
        + _PROOF,
    ),
    "customers": Template(
        "{% if resolved %}Resolved{% else %}Investigating{% endif %}: {{ issue }}",
        """{% if resolved %}
The issue with {{ issue }} is resolved since {{ resolved }}.
{% else %}
We are currently investigating reports of {{ issue }}.
Our engineering team is working to resolve this as quickly as possible.
{% if updates_every %}
We will provide updates every {{ updates_every }}.
{% elif next_update %}
We will provide an update at {{ next_update }}.
{% endif %}
{% endif %}
""",
    ),
    "escalation": Template(
        "ESCALATION {{ severity }} {{ incident }} {{ system }}: {{ title }}",
        """ESCALATION NEEDED {{ incident }}: {{ title }}

Incident: {{ page or channel or incident }}
Severity: {{ severity }}
Duration: {{ duration }} so far

Issue:
{{ issue or title }}

Tried:
{% for one in tried %}
- {{ one }}
{% else %}
nothing yet
{% endfor %}

Need:
{{ need or "somebody to take this" }}

Please respond if you can assist.
"""
        + "{% if acknowledge %}\nAcknowledge: {{ acknowledge }}\n{% endif %}"
        + "{% if approve %}\nRead the plan and approve it: {{ approve }}\nReject it: {{ reject }}\n{% endif %}"
        + _PROOF,
    ),
}


@dataclass(frozen=True)
class Rendered:
    """A message.

    Attributes:
        subject: one line.
        body: text without markup.
        trouble: why the team's template was not used; "" where all is well.
    """

    subject: str
    body: str
    trouble: str = ""


def templates_of(variables: Mapping[str, Any]) -> dict[str, Template]:
    """The templates that a team has of its own: kind -> template.

    Raises:
        PolicyError: what is wrong, in one line.
    """
    found: dict[str, Template] = read(variables.get(TEMPLATES) or {}, dict[str, Template], TEMPLATES)
    if unknown := sorted(set(found) - set(KINDS)):
        raise PolicyError(f"{TEMPLATES}: there is no kind {unknown[0][:60]!r}; there are {', '.join(KINDS)}")
    return found


def render(
    kind: str, values: Mapping[str, Any], own: Template | None = None, links: Mapping[str, str] | None = None
) -> Rendered:
    """A message of a kind.

    Args:
        kind: one of :data:`KINDS`.
        values: as :func:`~.words.incident_values` gives them; they may be anything, and come out as data.
        own: the team's template; None for the built-in one.
        links: addresses of ours, by the names in :data:`LINKS`.
    """
    known = values_of(_for(kind, values))
    known |= {name: "" if kind == "customers" else address((links or {}).get(name, "")) for name in LINKS}
    if own is None:
        return _built_in(kind, known)
    said, trouble = apart({"subject": own.subject, "body": own.body}, known)
    if not trouble and not said["body"].strip():
        trouble = "body: nothing comes out of it"
    if not trouble:
        return _cut(said["subject"], said["body"])
    why = f"the template {kind} of {TEMPLATES} is not used: {masked(trouble, 200)}"
    built_in = _built_in(kind, known)
    # Customers need not know.
    body = built_in.body if kind == "customers" else f"{built_in.body}\n\n({neutral(why)})"
    return Rendered(built_in.subject, body, why)


def subject(kind: str, values: Mapping[str, Any]) -> str:
    """The built-in subject of a message of a kind, for the record."""
    return _cut(rendering.render(_BUILT_IN[kind].subject, values_of(_for(kind, values))), "").subject


def _for(kind: str, values: Mapping[str, Any]) -> dict[str, Any]:
    if kind != "customers":
        return dict(values)
    return {name: values.get(name, "") for name in _FOR_CUSTOMERS} | {
        "issue": values.get("issue") or "degraded service"
    }


def _built_in(kind: str, known: dict[str, Any]) -> Rendered:
    template = _BUILT_IN[kind]
    return _cut(rendering.render(template.subject, known), rendering.render(template.body, known))


def _cut(subject: str, body: str) -> Rendered:
    line = " ".join(subject.split())
    text = "\n".join(part.rstrip() for part in body.strip().splitlines())
    return Rendered(
        line if len(line) <= MOST_SUBJECT else line[: MOST_SUBJECT - 1] + "…",
        text if len(text) <= MOST_BODY else text[: MOST_BODY - 1] + "…",
    )


def apart(parts: Mapping[str, str], values: Mapping[str, Any], seconds: float = SECONDS) -> tuple[dict[str, str], str]:
    """What templates make of values in a process of their own, by name; and what is wrong, in one line.

    Args:
        parts: name -> template.
        values: plain data.
        seconds: after which it is ended.
    """
    asked = json.dumps({"parts": dict(parts), "values": dict(values), "path": sys.path})
    argv = [sys.executable, "-I", str(Path(rendering.__file__))]
    try:
        done = subprocess.run(
            argv, input=asked, env={}, capture_output=True, text=True, encoding="utf-8", timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return {}, _TOO_MUCH
    except OSError as error:
        return {}, f"nothing could be started for it: {error.strerror}"
    if done.returncode:
        return {}, _TOO_MUCH
    try:
        answer = msgspec.json.decode(done.stdout, type=dict[str, dict[str, str]])
    except msgspec.DecodeError:
        return {}, "nothing came out of it"
    return answer["said"], answer.get("trouble", {}).get("why", "")


_SAMPLE = {
    "id": "0" * 32, "number": 1, "title": "a sample", "system": "shop", "severity": "P1", "state": "triggered", "opened_at": 0.0, "assignee": "somebody",
}  # fmt: skip


def check(own: Mapping[str, Template]) -> list[str]:
    """What is wrong with a team's templates, a line each: each is rendered with a sample, with all of it and with as little as there can be."""
    full = incident_values(
        {**_SAMPLE, "resolved_at": 600.0, "acknowledged_at": 60.0, "next_update_at": 900.0, "head": {"number": 3, "hash": "0" * 64}}, 600.0,
        **dict.fromkeys(("impact", "issue", "need", "needs", "summary", "resolution", "review", "conditions", "actions"), "some words"),
        updates_every="30 min", symptoms=["one"], tried=["this"],
    )  # fmt: skip
    links = {name: f"https://oncall.example.com/{name}/x" for name in LINKS}
    lines = []
    for kind, template in own.items():
        for values, given in ((full, links), (incident_values(_SAMPLE, 0.0), {})):
            if said := render(kind, values, template, given).trouble:
                lines.append(said)
                break
    return lines
