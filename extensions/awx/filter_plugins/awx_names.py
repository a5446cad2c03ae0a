# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has a name in AWX. A name is one within an organization, and not in all of AWX: ``name++organization`` says which."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

KINDS = {
    "credentials": "credential",
    "projects": "project",
    "notification_templates": "notification template",
}


def awx_wanted(names: Mapping[str, Sequence[str]], organization: str) -> list[dict[str, Any]]:
    """What to ask AWX for.

    Args:
        names: the endpoint of a kind -> what is named of it.
        organization: of names without one.

    Returns:
        For each name once: ``endpoint``, ``asked`` (as it was given), ``query`` and ``says`` (for a person).
    """
    return [
        _wanted(endpoint, asked, organization)
        for endpoint, several in names.items()
        for asked in dict.fromkeys(several)
    ]


def _wanted(endpoint: str, asked: str, organization: str) -> dict[str, Any]:
    name, sign, of = str(asked).partition("++")
    of = of if sign else organization
    query = {"name": name, **({"organization__name": of} if of else {"organization__isnull": "true"})}
    says = f"the {KINDS[endpoint]} {name!r} of {f'the organization {of!r}' if of else 'no organization'}"
    return {"endpoint": endpoint, "asked": asked, "query": query, "says": says}


def awx_missing(answers: Sequence[Mapping[str, Any]]) -> list[str]:
    """What AWX does not have exactly once, for a person.

    Args:
        answers: results of a loop over what ``awx_wanted`` returns, each with the items found in the fact ``awx_answer``.
    """
    return [
        f"{one['item']['says']}{'' if not _found(one) else f' ({len(_found(one))} of them)'}"
        for one in answers if len(_found(one)) != 1
    ]  # fmt: skip


def awx_ids(answers: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """The endpoint of a kind -> a name as it was given -> its number in AWX, as text."""
    ids: dict[str, dict[str, str]] = {endpoint: {} for endpoint in KINDS}
    for one in answers:
        for item in _found(one)[:1]:
            ids[one["item"]["endpoint"]][one["item"]["asked"]] = str(item["id"])
    return ids


def awx_failure(events: Sequence[Mapping[str, Any]]) -> str:
    """Why an update of a project failed, in one line: what its last failed task said, else the last line of its output."""
    for event in reversed(events):
        said = (event.get("event_data") or {}).get("res") or {}
        lines = str(said.get("msg") or event.get("stdout") or "").strip().splitlines()
        if lines:
            return " ".join(lines[-1].split())[:300]
    return "AWX does not say why"


def _found(answer: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return (answer.get("ansible_facts") or {}).get("awx_answer") or []


class FilterModule:
    """Found by Ansible, as it is beside the playbook."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"awx_wanted": awx_wanted, "awx_missing": awx_missing, "awx_ids": awx_ids, "awx_failure": awx_failure}
