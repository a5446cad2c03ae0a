# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the manager of a service can do, from the ``verbs.yml`` of its folder."""

from __future__ import annotations

import re
from pathlib import Path

from ..module_utils.text.one_line import one_line

_MANAGER = re.compile(r"[a-z][a-z0-9_]*\Z")


def missing_for(managers_directory, services, service_name, verb):
    """Why a service cannot do something, known without trying it.

    Args:
        managers_directory: the folder with one folder for each manager (``roles/service/managers``).
        services: the ``system_services`` of the inventory.
        service_name: the key of the service in it.
        verb: ``restart``, ``set_environment`` and so on; ``status`` asks whether it can be observed.

    Returns:
        An empty string where nothing is missing, otherwise one line for the user.
    """
    if service_name not in services:
        return f"service {one_line(service_name)} is not in system_services; it has: {_near(service_name, services)}"
    service = services[service_name]
    if not isinstance(service, dict):
        return f"system_services.{service_name} must be a dict with at least the key manager"
    managers = _managers(managers_directory)
    manager = str(service.get("manager", ""))
    if manager not in managers:
        known = ", ".join(managers) or "none"
        return f"service {service_name}: unknown manager {one_line(manager)}; known managers: {known}"
    try:
        verbs = _verbs(Path(managers_directory, manager, "verbs.yml"))
    except ValueError as error:
        return str(error)
    if verb not in verbs:
        can = ", ".join(sorted(set(verbs) - {"status"}))
        return f"service {service_name}: the manager {manager} has no {one_line(verb)}; it can: {can}"
    missing = [key for key in verbs[verb] if not _value(service, key)]
    if missing:
        add = ", ".join(f"system_services.{service_name}.{key}" for key in missing)
        return f"service {service_name}: {verb} under the manager {manager} needs {add}"
    return ""


def _near(name, services):
    from difflib import get_close_matches

    names = [str(key) for key in services]
    near = get_close_matches(str(name), names, n=5, cutoff=0.4)
    return ", ".join(near + sorted(set(names) - set(near))) or "none"


def _managers(directory):
    try:
        return sorted(
            entry.name
            for entry in Path(directory).iterdir()
            if _MANAGER.match(entry.name) and (entry / "verbs.yml").is_file()
        )
    except OSError:
        return []


def _verbs(path):
    import yaml

    try:
        verbs = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"cannot read {path}: {one_line(error)}") from None
    if not isinstance(verbs, dict) or not all(isinstance(keys, list) for keys in verbs.values()):
        raise ValueError(f"{path} must name verbs, each with the list of keys that it needs")
    return verbs


def _value(service, dotted):
    value = service
    for key in dotted.split("."):
        if not isinstance(value, dict) or key not in value:
            return None
        value = value[key]
    return value
