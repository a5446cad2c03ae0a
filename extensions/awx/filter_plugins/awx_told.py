# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person has to know who is asked to approve a plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any


def awx_told(published: Any, link: str) -> str:
    """Host, cause, remedy and link, a line to each plan that waits for an approval.

    Args:
        published: what the diagnosis published as ``oncall``: host -> runbook -> its run.
        link: where the diagnosis is, and the approval.
    """
    lines = [*_lines(published)] if isinstance(published, Mapping) else []
    return "\n".join([*(lines or ["nothing to approve: the diagnosis has no plan"]), link])


def _lines(published: Mapping[str, Any]) -> Iterator[str]:
    for host, runs in published.items():
        for runbook, run in runs.items():
            steps = [step for step in (run.get("plan") or {}).get("steps") or () if step.get("available")]
            if not steps:
                yield f"{host}: {runbook} is {run.get('outcome')}, nothing to approve"
            for step in steps:
                why = _summary(run, step["cause"])
                does = step.get("words") or step.get("targets")
                yield f"{host}: {runbook}: {step['cause']}{why}; remedy {step['remedy']} (risk {step['risk']}) on {does}"


def _summary(run: Mapping[str, Any], cause: str) -> str:
    said = [one.get("summary") for one in run.get("findings") or () if one.get("cause") == cause]
    return f" ({said[0]})" if said and said[0] else ""


class FilterModule:
    """Found by Ansible, as it is beside the playbook."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"awx_told": awx_told}
