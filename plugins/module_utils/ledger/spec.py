# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parameters of the remedy ledger and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

from ..text.one_line import one_line

DAY_SECONDS = 86400
KEEP_SECONDS = 90 * DAY_SECONDS
OUTCOMES = ["healthy", "planned", "resolved", "unresolved", "blocked", "advised", "unknown"]
REMEDY_STATES = ["done", "failed", "rolled_back", "rollback_failed", "not_started"]

_FILE: dict = {
    "path": {"type": "path", "default": "/var/lib/oncall/ledger.sqlite3"},
    "timeout_seconds": {"type": "float", "default": 5.0},
}
_LIMITS: dict = {
    "cooldown_seconds": {"type": "int", "default": 300},
    "budget_count": {"type": "int", "default": 6},
    "budget_window_seconds": {"type": "int", "default": 3600},
    "ineffective_limit": {"type": "int", "default": 2},
    "ineffective_window_seconds": {"type": "int", "default": 86400},
}
_REMEDY: dict = {"remedy": {"type": "str", "required": True}, "cause": {"type": "str", "required": True}}

INFO_SPEC: dict = {
    **_FILE,
    "runbook": {"type": "str"},
    "remedies": {"type": "list", "elements": "dict", "options": _REMEDY},
    **_LIMITS,
}
ARGUMENT_SPEC: dict = {
    "state": {"type": "str", "choices": ["claim", "complete", "hold", "release"], "required": True},
    **_FILE,
    "run_id": {"type": "str"},
    "runbook": {"type": "str"},
    "remedies": {
        "type": "list",
        "elements": "dict",
        "options": {
            **_REMEDY,
            "targets": {"type": "list", "elements": "raw", "default": []},
            "undo": {"type": "raw"},
            "state": {"type": "str", "choices": REMEDY_STATES},
            "helped": {"type": "bool"},
            "rolled_back": {"type": "bool", "default": False},
        },
    },
    "plan_hash": {"type": "str", "default": ""},
    "owner": {"type": "str", "default": ""},
    "lock_seconds": {"type": "int", "default": 1800},
    "fence": {
        "type": "dict",
        "options": {
            "source": {"type": "str", "required": True},
            # Of a fence, and no secret.
            "token": {"type": "int", "required": True, "no_log": False},
        },
    },
    **_LIMITS,
    "override": {"type": "str", "default": ""},
    "outcome": {"type": "str", "choices": OUTCOMES},
    "reason": {"type": "str"},
    "by": {"type": "str", "default": ""},
    "until_seconds": {"type": "int"},
    "not_started": {"type": "bool", "default": False},
}
REQUIRED_IF = [
    ("state", "claim", ("run_id", "runbook", "remedies")),
    ("state", "complete", ("run_id", "outcome")),
    ("state", "hold", ("reason",)),
]

_RANGES = {
    "timeout_seconds": (0, 600),
    "lock_seconds": (1, KEEP_SECONDS),
    "until_seconds": (1, 3650 * DAY_SECONDS),
}
# A window longer than what is kept would silently see less than it was asked to.
_RANGE = (0, KEEP_SECONDS)


def check(params):
    """Raise ValueError for parameters that keep to ARGUMENT_SPEC or INFO_SPEC and still make no sense."""
    # A relative path would be another ledger, with no locks in it, for every working directory.
    if not Path(params["path"]).is_absolute():
        raise ValueError(f"path must be absolute, not {one_line(repr(params['path']))}")
    for name in [name for name, option in ARGUMENT_SPEC.items() if option["type"] in ("int", "float")]:
        (low, high), value = _RANGES.get(name, _RANGE), params.get(name)
        if value is not None and not low <= value <= high:
            raise ValueError(f"{name} must be from {low} to {high}, not {value}")
    remedies = params["remedies"] or []
    texts = [(name, params.get(name)) for name in ("run_id", "runbook", "reason")]
    texts += [(name, entry[name]) for entry in remedies for name in ("remedy", "cause")]
    for name, text in texts:
        # An empty run_id is a template gone wrong; to release it would lift the holds.
        if text is not None and not text.strip():
            raise ValueError(f"{name} is empty: give it a value or leave it out")
    if params["state"] == "claim" and not remedies:
        raise ValueError("remedies is empty: name at least one remedy to claim")
    if params["state"] == "complete" and any(entry.get("state") is None for entry in remedies):
        raise ValueError("remedies: each needs a state, what became of it")
