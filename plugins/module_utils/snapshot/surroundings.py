# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a service was started with, what the host is, and what the ledger remembers."""

from __future__ import annotations

import os
import platform as python_platform
import time

from ..ledger.claims import apply
from ..ledger.spec import INFO_SPEC
from ..services import states
from ..text.masking import masked
from ..text.one_line import one_line
from .text import masked_environment

ENVIRONMENT_SPEC = {
    "services": {"type": "dict", "default": {}},
    "timeout_seconds": {"type": "float", "default": 10.0},
}
PLATFORM_SPEC: dict = {}
LEDGER_SPEC = {"path": {"type": "path", "required": True}}


def environment(params):
    """The environment with which each process of each service was started, without secrets.

    Args:
        params: as in :data:`ENVIRONMENT_SPEC`.

    Returns:
        A dict ``available``, ``reason`` where none can be seen, ``variables`` (a list of dicts ``service``, ``process``, ``variable`` and
        ``value``), and ``limits``.
    """
    found, limits = [], []
    for one in states.environments(params["services"], params["timeout_seconds"]):
        if "reason" in one:
            limits.append(masked(one["reason"]))
        else:
            shown = masked_environment(one["variables"]).items()
            found += [
                {"service": one["key"], "process": one["name"], "variable": name, "value": value}
                for name, value in shown
            ]
    if not found:
        reason = (
            limits.pop(0) if limits else "system_services is empty: there is no service whose environment could be seen"
        )
        return {"available": False, "reason": reason, "variables": [], "limits": limits}
    return {"available": True, "variables": found, "limits": limits}


def ledger(params):
    """What runbooks did on this host, and what keeps them away; nothing is made where there is no ledger."""
    defaults = {name: option.get("default") for name, option in INFO_SPEC.items()}
    found = apply(dict(defaults, path=params["path"], state="info"))
    if not found["available"]:
        return {"available": False, "reason": found["reason"]}
    return {"available": True, "claims": found["claims"], "holds": found["holds"], "limits": []}


def platform(_params):
    """What this host is, and what time it is here."""
    return {
        "available": True,
        "system": _release(),
        "kernel": one_line(" ".join(os.uname()[i] for i in (0, 2, 4))),
        "host_name": one_line(os.uname()[1]),
        "python": python_platform.python_version(),
        "at_seconds": round(time.time(), 3),
        "up_seconds": _up_seconds(),
        "limits": [],
    }


def _release():
    try:
        with open("/etc/os-release", encoding="utf-8", errors="replace") as file:
            lines = dict(line.rstrip("\n").partition("=")[::2] for line in file)
    except OSError:
        return one_line(python_platform.system())
    return one_line(lines.get("PRETTY_NAME", "").strip('"'))


def _up_seconds():
    try:
        with open("/proc/uptime", encoding="ascii") as file:
            return float(file.read().split()[0])
    except (OSError, ValueError, IndexError):
        return None
