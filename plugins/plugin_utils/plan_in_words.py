# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan would touch, as a person says it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..module_utils.text.one_line import one_line

SHOWN, _MIB = 3, 2**20
# What each risk means to those who use the system: docs/writing-a-runbook.md.
NOTICED = {"low": "users notice nothing", "medium": "a short disruption", "high": "data or capacity can be lost"}
# The first of these that a target has is its name.
_NAMES = (
    "service",
    "pid",
    "name",
    "gid",
    "path",
    "id",
    "endpoint",
    "mount",
    "build_cache",
    "folders",
    "command",
    "write",
)
_CHANGED = ("variable", "setting", "url_parameter", "port")


def described(steps: Sequence[Mapping[str, Any]], meta: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The steps of a plan, each with its targets in ``words``, what it ``does``, and how it is ``undone`` or why not."""
    keys = {"does": "remedies", "undone": "rollbacks", "irreversible": "irreversible"}
    return [
        {
            **step,
            "words": targets_in_words(step["targets"]) + _needs_in_words(step),
            **{key: meta.get(source, {}).get(step["remedy"], "") for key, source in keys.items()},
        }
        for step in steps
    ]


def _needs_in_words(step: Mapping[str, Any]) -> str:
    grant = (step.get("needs") or {}).get("break_glass")
    return f", with a break-glass token for {grant['ttl_seconds']} s where the system is read-only" if grant else ""


def targets_in_words(targets: Sequence[Mapping[str, Any]], limit: int = 200) -> str:
    """Which things a remedy would touch, and what changes of them, in one line.

    Args:
        targets: as in a plan. Their texts come from outside.
        limit: characters.
    """
    said = list(dict.fromkeys(map(_target, targets)))
    # Of many alike, the kind is said once: "25 sessions" reads better than 25 times "pid".
    kinds = {_kind(target) for target in targets}
    if len(said) > 1 and kinds == {"pid"}:
        said = [text.removeprefix("pid ") for text in said]
        return one_line("pids " + "".join(_listed(said)), limit)
    return one_line("".join(_listed(said)), limit)


def _listed(said: list[str]) -> Iterator[str]:
    if len(said) <= SHOWN + 1:
        yield ", ".join(said[:-1]) + (" and " if len(said) > 1 else "") + "".join(said[-1:])
    else:
        yield f"{', '.join(said[:SHOWN])} and {len(said) - SHOWN} more"


def _kind(target: Mapping[str, Any]) -> str:
    return next((key for key in _NAMES if target.get(key)), "")


def _target(target: Mapping[str, Any]) -> str:
    kind = _kind(target)
    named = _plain(target[kind]) if kind else ""
    if target.get("members"):
        named = f"{_plain(target['members'])} of {named}"
    name = named if kind in ("service", "path", "name") else f"{kind.replace('_', ' ')} {named}".strip()
    changed = " ".join(_plain(target[key]) for key in _CHANGED if target.get(key) and key != kind)
    if "to" in target:
        before = f"{_amount(target['from'])} -> " if "from" in target else "to "
        changed = f"{changed} {before}{_amount(target['to'])}".strip()
    return ": ".join(filter(None, (name, changed))) or ", ".join(f"{key} {_plain(one)}" for key, one in target.items())


def _plain(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _amount(value: Any) -> str:
    # Only bytes are so many.
    return f"{value / _MIB:.0f} MiB" if isinstance(value, int) and value >= _MIB else _plain(value)
