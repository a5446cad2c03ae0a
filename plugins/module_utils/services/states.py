# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the services of an inventory do at the moment, whatever manages them."""

from __future__ import annotations

from ..deadline import DeadlineExceeded, all_within, within
from ..text.one_line import one_line

# The keys without which a manager cannot find a service. A new manager is a line here and in _module,
# a file <manager>.py beside this one, and a folder in roles/service/managers.
MANAGERS = {
    "command": ("commands",),
    "compose": ("project",),
    "docker": ("name",),
    "supervisor": ("name", "config"),
    "systemd": ("name",),
}

# What is null where a manager does not know it.
KEYS = (
    *("state", "health", "health_output", "health_failing_streak", "exit_code", "signal", "exit_meaning", "error"),
    *("oom_killed", "oom_kills", "restarts", "restarts_per_hour", "restart_times", "restart_policy"),
    *("started_at_seconds", "finished_at_seconds", "uptime_seconds", "stopped_by_person"),
    *(
        "pid",
        "image",
        "container",
        "project_name",
        "containers",
        "replicas",
        "replicas_running",
        "left_over",
        "members",
        "weakest",
    ),
    *("shared_memory_bytes", "shared_memory_used_bytes"),
    *(
        "memory_limit_bytes",
        "memory_swap_limit_bytes",
        "memory_used_bytes",
        "memory_ratio",
        "memory_kept_ratio",
        "rss_bytes",
    ),
    *("cpu_seconds", "cpu_limit_cores", "cpu_cores", "cpu_ratio", "window_seconds"),
    *("memory_slope_bytes_per_second", "growth", "seconds_to_limit", "top_processes"),
    *(
        "variables",
        "numbers",
        "compared",
        "ports",
        "depends_on",
        "log_path",
        "log_bytes",
        "log_tail_errors",
        "log_tail",
    ),
)


def observe(params):
    """Observe services.

    Args:
        params: see ``observers.service.SPEC``; ``services`` is the ``system_services`` of an inventory.

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
    if params["window_seconds"] < 0 or params["samples"] < 2:
        raise ValueError("window_seconds must not be below 0, and samples not below 2")
    by_manager = {}
    for key, service in params["services"].items():
        by_manager.setdefault(service["manager"], {})[key] = service
    pairs = []
    for manager, services in by_manager.items():
        pairs.extend(_module(manager).observations(services, params))
    # Each observation keeps the deadline itself and says what it waited for; this is for those that cannot.
    seconds = params["timeout_seconds"] + params["window_seconds"] + 0.5
    outcomes = all_within(seconds, [observation for _keys, observation in pairs])
    found = {}
    for (keys, _observation), outcome in zip(pairs, outcomes):
        for key in keys:
            found[key] = _failed(key, outcome) if isinstance(outcome, Exception) else outcome[key]
    services = {key: _whole(found[key], service["manager"]) for key, service in params["services"].items()}
    return _summary(services)


def read_log(key, service, lines, max_bytes, timeout_seconds):
    """The end of a service's log.

    Args:
        key: its name in the inventory.
        service: as in ``system_services``.
        lines: how many of the last lines of each log.
        max_bytes: the most of them, for each log.
        timeout_seconds: for all of it.

    Returns:
        A list of pairs (what wrote it, the text), and why it is empty where it is.

    Raises:
        ValueError: the service is not described in a way that can be used.
    """
    check({key: service})
    if service["manager"] == "command":
        return [], f"service {key}: a status command shows no log"
    logs = _module(service["manager"]).logs
    try:
        return within(timeout_seconds + 0.5, logs, key, service, lines, max_bytes, timeout_seconds)
    except DeadlineExceeded as error:
        return [], f"service {key}: its log cannot be read: {error}"


def log_readers(services, timeout_seconds):
    """How to read the logs of many services, with one question for all of a manager.

    Args:
        services: as in ``system_services``.
        timeout_seconds: for all of it.

    Returns:
        A list of dicts: ``key`` of the service, and either ``reason``, or for each of its logs ``name``, ``path`` (a file that this
        user may be able to open, or None), and ``fetch``, a function of lines, bytes and seconds that gives the text of the end
        and how long the log is in bytes, or None where nobody says. It raises ``group.NoLog`` with the reason.
    """
    return _of_all(services, timeout_seconds, "log_readers", _reader_of_one)


def environments(services, timeout_seconds):
    """The environment with which each process of many services was started.

    Args:
        services: as in ``system_services``.
        timeout_seconds: for all of it.

    Returns:
        A list of dicts: ``key`` of the service, and either ``reason``, or for each of its processes ``name`` (of the container, program
        or unit) and ``variables``, a dict whose values may be secrets.
    """
    return _of_all(services, timeout_seconds, "environments", _no_environment)


def _of_all(services, timeout_seconds, function, of_a_command):
    """What the managers of services tell, asked side by side, each once. Of a service that is not described right, the reason."""
    by_manager, found = {}, []
    for key, service in services.items():
        try:
            check({key: service})
            by_manager.setdefault(service["manager"], {})[key] = service
        except ValueError as error:
            found.append({"key": key, "reason": str(error)})
    calls = []
    for manager, members in by_manager.items():
        told = of_a_command if manager == "command" else getattr(_module(manager), function)
        calls.append(lambda told=told, members=members: told(members, timeout_seconds))
    for members, answer in zip(by_manager.values(), all_within(timeout_seconds + 0.5, calls)):
        if isinstance(answer, Exception):
            answer = [
                {"key": key, "reason": f"service {key} could not be asked: {one_line(answer)}"} for key in members
            ]
        found += answer
    return found


def _reader_of_one(services, _timeout_seconds):
    return [{"key": key, "reason": f"service {key}: a status command shows no log"} for key in services]


def _no_environment(services, _timeout_seconds):
    return [{"key": key, "reason": f"service {key}: a status command shows no environment"} for key in services]


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


def _module(manager):
    if manager == "command":
        from ..services import command as module
    elif manager in ("compose", "docker"):
        from ..services import docker as module
    elif manager == "systemd":
        from ..services import systemd as module
    else:
        from ..services import supervisor as module
    return module


def _whole(found, manager):
    known = dict.fromkeys(KEYS) if found["available"] else {}
    return {**known, **found, "manager": manager}


def _failed(key, error):
    return {"available": False, "reason": f"service {key} could not be observed: {one_line(error)}"}


def _summary(services):
    if not services:
        return {
            "available": False,
            "reason": "no service to observe: add one to system_services, or name one that is there",
            "services": {},
        }
    reasons = [service["reason"] for service in services.values() if not service["available"]]
    if len(reasons) == len(services):
        return {"available": False, "reason": reasons[0], "services": services}
    return {"available": True, "services": services}
