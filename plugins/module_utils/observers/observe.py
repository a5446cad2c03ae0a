# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several observers at once, for the price of one module call."""

from __future__ import annotations

from ..deadline import all_within
from ..text.masking import masked
from .specs import OBSERVERS

ARGUMENT_SPEC = {name: {"type": "dict", "options": spec} for name, spec in OBSERVERS.items()}


def _observer(name):
    # Written out, so that each module's zip holds them, and loaded only where asked for: each costs milliseconds.
    if name == "metrics":
        from ..metrics import measure as observer
    elif name == "postgres_activity":
        from ..postgres import activity as observer
    elif name == "filesystem":
        from ..disk import filesystems as observer
    elif name == "postgres_wal":
        from ..postgres import wal as observer
    elif name == "postgres_access":
        from ..postgres import access as observer
    elif name == "redis":
        from ..redis import server as observer
    elif name == "deployment":
        from ..deployment import deployed as observer
    elif name == "host":
        from ..host import usage as observer
    elif name == "http_probe":
        from ..net import http_probe as observer
    elif name == "port":
        from ..net import ports as observer
    else:
        from ..services import states as observer
    return observer.observe


def needs_host(params):
    """Whether any of the observers asked for can only look from the managed host."""
    return any(_needs_host(name, params[name]) for name in OBSERVERS if params.get(name))


def _needs_host(name, params):
    if name in ("host", "port", "filesystem", "deployment"):
        return True
    if name in ("postgres_activity", "postgres_wal", "postgres_access"):
        # The container is on the managed host.
        return (params.get("database") or {}).get("transport") == "docker"
    if name == "redis":
        return (params.get("server") or {}).get("transport") == "docker"
    if name == "service":
        # A process manager answers on its own host; a hosted platform's command line runs anywhere.
        services = (params.get("services") or {}).values()
        return any(not isinstance(service, dict) or service.get("manager") != "command" for service in services)
    return False


def observe(params):
    """Run the observers asked for, at the same time.

    Args:
        params: observer name -> its parameters, or None.

    Returns:
        observer name -> its answer. One that fails or hangs is ``available: false`` and stops no other.

    Raises:
        ValueError: bad parameters.
    """
    names = [name for name in OBSERVERS if params.get(name) is not None]
    longest_seconds = sum(_seconds(params[name]) for name in names) + 5
    # Imported before the threads start, which would wait for each other's imports on the clock of the observers.
    calls = [(_observer(name), params[name]) for name in names]
    answers = all_within(longest_seconds, [lambda call=call: call[0](call[1]) for call in calls])
    return {name: _settled(name, answer) for name, answer in zip(names, answers)}


def _seconds(params):
    # Each observer keeps its own deadline; this one only catches what slips past it.
    return max(2, params.get("samples", 2)) * params["timeout_seconds"] + params.get("window_seconds", 0)


def _settled(name, answer):
    if isinstance(answer, ValueError):
        raise answer
    if isinstance(answer, Exception):
        text = masked(f"{type(answer).__name__}: {answer}")
        return {"available": False, "reason": f"observer {name} failed: {text}; please report this"}
    return answer
