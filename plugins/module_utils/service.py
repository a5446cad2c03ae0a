# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the services of an inventory do at the moment, whatever manages them."""

from __future__ import annotations

from ansible_collections.oncall.runbooks.plugins.module_utils.deadline import all_within
from ansible_collections.oncall.runbooks.plugins.module_utils.text import one_line

# The keys without which a manager cannot find a service. A new manager is a line here and in _observations,
# a file service_<manager>.py beside this one, and a folder in roles/service/managers.
MANAGERS = {
    "command": ("commands",),
    "supervisor": ("name", "config"),
}


def observe(params):
    """Observe services.

    Args:
        params: see ``observer_specs.SERVICE``; ``services`` is the ``system_services`` of an inventory.

    Returns:
        A dict ``available`` (whether at least one service could be observed), ``reason`` where none could,
        and ``services``: for every key a dict with ``manager``, ``available`` and either ``reason`` or what
        is documented in the module ``service_info``.

    Raises:
        ValueError: the services are not described in a way that can be used.
    """
    check(params["services"])
    if params["timeout_seconds"] <= 0:
        raise ValueError("timeout_seconds must be above 0")
    by_manager = {}
    for key, service in params["services"].items():
        by_manager.setdefault(service["manager"], {})[key] = service
    pairs = []
    for manager, services in by_manager.items():
        pairs.extend(_observations(manager)(services, params["log_lines"], params["timeout_seconds"]))
    # Each observation keeps the deadline itself and says what it waited for; this is for those that cannot.
    outcomes = all_within(params["timeout_seconds"] + 0.5, [observation for _keys, observation in pairs])
    found = {}
    for (keys, _observation), outcome in zip(pairs, outcomes):
        for key in keys:
            found[key] = _failed(key, outcome) if isinstance(outcome, Exception) else outcome[key]
    services = {key: dict(found[key], manager=service["manager"]) for key, service in params["services"].items()}
    return _summary(services)


def check(services):
    """Check that every service says what its manager needs.

    Raises:
        ValueError: one line that names the service and the key, or lists the known managers.
    """
    for key, service in services.items():
        if not isinstance(service, dict):
            raise ValueError(f"service {key} must be a dict with at least the key manager")
        manager = service.get("manager")
        if manager not in MANAGERS:
            known = ", ".join(sorted(MANAGERS))
            raise ValueError(f"service {key}: unknown manager {one_line(manager)}; known managers: {known}")
        missing = [name for name in MANAGERS[manager] if not service.get(name)]
        if missing:
            raise ValueError(f"service {key}: the manager {manager} also needs {', '.join(missing)}")
        if manager == "command":
            _check_commands(key, service["commands"])


def _check_commands(key, commands):
    if not isinstance(commands, dict):
        raise ValueError(f"service {key}: commands must be a dict of verbs, each with a list of strings")
    for verb, argv in commands.items():
        is_list = isinstance(argv, (list, tuple)) and len(argv) > 0
        if not is_list or not all(isinstance(item, (str, int, float)) for item in argv):
            raise ValueError(
                f"service {key}: commands.{verb} must be a list: the program, then one item for each argument"
            )


def _observations(manager):
    if manager == "command":
        from ansible_collections.oncall.runbooks.plugins.module_utils import service_command as module
    else:
        from ansible_collections.oncall.runbooks.plugins.module_utils import service_supervisor as module
    return module.observations


def _failed(key, error):
    return {"available": False, "reason": f"service {key} could not be observed: {one_line(error)}"}


def _summary(services):
    if not services:
        return {
            "available": False,
            "reason": "no service to observe: add one to system_services",
            "services": {},
        }
    reasons = [service["reason"] for service in services.values() if not service["available"]]
    if len(reasons) == len(services):
        return {"available": False, "reason": reasons[0], "services": services}
    return {"available": True, "services": services}
