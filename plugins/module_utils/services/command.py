# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a service is observed and operated whose platform is reached through commands of the user's own."""

from __future__ import annotations

from ..run_command import failure, run


def observations(services, params):
    """The observations of some services, each by its own status command.

    Args:
        services: the services of this manager, by their keys in the inventory.
        params: as given to the observer.

    Returns:
        A list of pairs: the key of a service as a list, and a function that returns what it does.
    """

    def observation(key, service):
        return [key], lambda: {key: _observe(key, service, params["timeout_seconds"])}

    return [observation(key, service) for key, service in services.items()]


def _observe(key, service, timeout_seconds):
    argv = service["commands"].get("status")
    if not argv:
        return {
            "available": False,
            "reason": f"service {key} has no status command: add system_services.{key}.commands.status",
        }
    limit = min(float(service.get("timeout_seconds") or timeout_seconds), timeout_seconds)
    ended = run(argv, limit)
    if ended["error"] or ended["signal"]:
        return {
            "available": False,
            "reason": f"service {key}: its status command failed: {failure(argv, ended, limit)}",
        }
    return {
        "available": True,
        "state": "running" if ended["exit_code"] == 0 else "stopped",
        "exit_code": ended["exit_code"],
        "log_reason": "a status command shows no log",
    }


def with_placeholders(argv, values):
    """A copy of ``argv`` in which ``{name}`` and the like are replaced, each inside its own item.

    What is put in is not looked at again, is never split and never reaches a shell.

    Args:
        argv: the program and its arguments.
        values: what to put in, by placeholder (without braces).
    """
    import re

    if not values:
        return [str(item) for item in argv]
    pattern = re.compile(r"\{(" + "|".join(map(re.escape, values)) + r")\}")
    return [pattern.sub(lambda match: str(values[match.group(1)]), str(item)) for item in argv]
