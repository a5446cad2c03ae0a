# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How services are observed that are containers of a Docker Engine: plain ones, and those of Compose projects."""

from __future__ import annotations

import json
import os
import re
import time

from ..deadline import Deadline, DeadlineExceeded, all_within
from ..docker import compose_project
from ..docker.container_log import end_of_log
from ..docker.container_state import HISTORY_SECONDS, described
from ..docker.container_summary import summary
from ..docker.container_usage import (
    NOTHING,
    cgroup_of,
    from_statistics,
    pids_of,
    read_cgroup,
    shared_memory_of,
)
from ..docker.engine import Engine, EngineError
from ..host.kernel_log import out_of_memory_kills
from ..host.usage_window import over_window, readings_over
from ..text.one_line import one_line
from .group import NoLog, told_of_environment

# Above it only what nobody asked for is lost: the beginning of very long lines.
LOG_KEPT_BYTES = 512 * 1024
_REMOVED = "its container was removed just now"
_CONTAINER_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*\Z")
_HEALTH = re.compile(r"\((?:health: )?(healthy|unhealthy|starting)\)")
_ALIVE = ("running", "restarting", "paused")
_EVENTS = ("start", "die", "stop", "kill", "oom")


def observations(services, params):
    """The observations of some services, one for each engine.

    Args:
        services: the services of this manager, by their keys in the inventory.
        params: as given to the observer.

    Returns:
        A list of pairs: the keys of the services, and a function that returns what each of them does.
    """
    engines = {}
    for key, service in services.items():
        engines.setdefault(str(service.get("docker_host") or ""), {})[key] = service

    def observation(docker_host, members):
        return list(members), lambda: _observe(docker_host, members, params)

    return [observation(docker_host, members) for docker_host, members in engines.items()]


def _observe(docker_host, services, params):
    deadline = Deadline(params["timeout_seconds"] + params["window_seconds"])
    try:
        engine = Engine(docker_host, deadline)
        listed = engine.get("/containers/json", all=1)
        found = find(engine, services, listed)
        inspected = {one["Id"]: one for service in found.values() for one in service["inspected"]}
        containers, logs = _containers(engine, inspected, listed, params)
        return {key: _settled(key, service, containers, logs, params) for key, service in found.items()}
    except (EngineError, DeadlineExceeded) as error:
        return {key: {"available": False, "reason": f"service {key}: {error}"} for key in services}
    except (AttributeError, KeyError, TypeError, IndexError) as error:
        reason = f"what listens at {engine.socket_path} does not answer as a Docker Engine does ({one_line(error)})"
        return {key: {"available": False, "reason": f"service {key}: {reason}"} for key in services}


def logs(key, service, lines, max_bytes, timeout_seconds):
    """The end of what each container of a service wrote; see ``service.read_log``."""
    texts, reason = [], ""
    try:
        engine = Engine(service.get("docker_host"), Deadline(timeout_seconds))
        found = find(engine, {key: service}, engine.get("/containers/json", all=1))[key]
        reason = found.get("reason", "")
        for one in found["inspected"]:
            try:
                texts.append((one["Name"].lstrip("/"), end_of_log(engine, one, lines, max_bytes)))
            except EngineError as error:
                reason = f"the log of {one['Name'].lstrip('/')} cannot be read: {error}"
    except (EngineError, DeadlineExceeded) as error:
        reason = str(error)
    return texts, f"service {key}: {reason}"


def log_readers(services, timeout_seconds):
    """How to read the logs of its containers; see ``states.log_readers``."""

    def reader(key, service, one):
        def fetch(lines, max_bytes, seconds):
            try:
                return end_of_log(Engine(service.get("docker_host"), Deadline(seconds)), one, lines, max_bytes), None
            except (EngineError, DeadlineExceeded) as error:
                raise NoLog(str(error)) from None

        return {"key": key, "name": one["Name"].lstrip("/"), "path": None, "fetch": fetch}

    return _of_each_container(services, timeout_seconds, reader)


def environments(services, timeout_seconds):
    """The environment of each of its containers; see ``states.environments``."""

    def told(key, _service, one):
        return {"key": key, "name": one["Name"].lstrip("/"), "variables": _environment(one)}

    return _of_each_container(services, timeout_seconds, told)


def _of_each_container(services, timeout_seconds, function):
    """What a function gives for each container; of a service without any, why there is none."""
    engines = {}
    for key, service in services.items():
        engines.setdefault(str(service.get("docker_host") or ""), {})[key] = service
    found = []
    for docker_host, members in engines.items():
        try:
            engine = Engine(docker_host, Deadline(timeout_seconds))
            containers = find(engine, members, engine.get("/containers/json", all=1))
        except (EngineError, DeadlineExceeded) as error:
            found += [{"key": key, "reason": f"service {key}: {error}"} for key in members]
            continue
        for key, told in containers.items():
            found += [function(key, members[key], one) for one in told["inspected"]]
            if not told["inspected"]:
                found.append({"key": key, "reason": f"service {key}: {told.get('reason') or 'it has no container'}"})
    return found


def find(engine, services, listed):
    """The containers of services.

    Args:
        engine: an ``Engine``.
        services: by their keys in the inventory.
        listed: what it answers for ``/containers/json?all=1``.

    Returns:
        By key, a dict ``available``; with ``inspected`` (what the engine says about each container), ``project_name``
        (of one of Compose), and ``reason`` where there is no container or it cannot be told.

    Raises:
        EngineError: the engine cannot be asked.
    """
    labels = [one.get("Labels") or {} for one in listed]
    found = {}
    for key, service in services.items():
        if service["manager"] == "docker":
            found[key] = _plain(service["name"], listed)
        else:
            found[key] = _of_compose(engine, service, str(service.get("name") or key), listed, labels)
    ids = sorted({one_id for service in found.values() for one_id in service["ids"]})
    answers = all_within(
        engine.deadline.remaining_seconds(), [lambda i=i: engine.get(f"/containers/{i}/json") for i in ids]
    )
    inspected = {}
    for one_id, answer in zip(ids, answers):
        # A container that was removed since the list was made is not there.
        if isinstance(answer, EngineError) and answer.status == 404:
            continue
        if isinstance(answer, Exception):
            raise answer
        inspected[one_id] = answer
    for service in found.values():
        asked = service.pop("ids")
        service["inspected"] = [inspected[one_id] for one_id in asked if one_id in inspected]
        if asked and not service["inspected"]:
            service["reason"] = _REMOVED
    return found


def _plain(name, listed):
    name = str(name)
    if not _CONTAINER_NAME.match(name):
        known = "a container's name is made of letters, digits, _, . and -"
        return {"available": False, "ids": [], "reason": f"{one_line(repr(name))} cannot be one: {known}"}
    names = {one_name.lstrip("/"): one["Id"] for one in listed for one_name in one.get("Names") or []}
    if name in names:
        return {"available": True, "ids": [names[name]]}
    from difflib import get_close_matches

    near = get_close_matches(name, names, n=5, cutoff=0.4)
    has = f"the nearest names are {', '.join(near)}" if near else "none has a name like it"
    return {"available": True, "ids": [], "reason": f"there is no container {name}; {has}"}


def _of_compose(engine, service, name, listed, labels):
    try:
        project_name = compose_project.project_of(service, labels, compose_project.files_of(service))
    except compose_project.ProjectError as error:
        return {"available": False, "ids": [], "reason": str(error)}
    wanted = {"project": project_name, "service": name, "oneoff": "False"}
    own = [
        one
        for one, label in zip(listed, labels)
        if all(label.get(compose_project.LABEL + key) == value for key, value in wanted.items())
    ]
    if own:
        current, left_over = current_ones(own)
        ids = sorted(one["Id"] for one in current)
        names = sorted((one.get("Names") or [one["Id"][:12]])[0].lstrip("/") for one in left_over)
        return {"available": True, "ids": ids, "project_name": project_name, "left_over": names}
    return dict(_absent(engine, service, name, project_name), ids=[], project_name=project_name)


def current_ones(listed):
    """The containers that a service consists of, and those that an interrupted recreate left behind.

    Compose gives each replica a number, and a new container the number of its predecessor. Of several
    with one number those that run count, else the newest.

    Args:
        listed: of one service, as the engine lists them.

    Returns:
        Two lists of them.
    """
    by_number = {}
    for one in listed:
        by_number.setdefault((one.get("Labels") or {}).get(compose_project.LABEL + "container-number"), []).append(one)
    current = []
    for number, same in by_number.items():
        running = [one for one in same if one.get("State") in _ALIVE]
        newest = max(same, key=lambda one: one.get("Created") or 0)
        current += same if number is None else running or [newest]
    return current, [one for one in listed if one not in current]


def _absent(engine, service, name, project_name):
    from ..run_command import run

    argv = compose_project.command(service, engine.docker_host, project_name, "--profile", "*", "config", "--services")
    is_known, reason = compose_project.why_absent(name, project_name, run(argv, engine.deadline.remaining_seconds()))
    return {"available": is_known, "reason": reason}


def _containers(engine, inspected, listed, params):
    """Every container described and measured, and the end of its log; both by its id."""
    now = time.time()
    with_history = [one for one in inspected.values() if _has_history(one)]
    events = _events(engine, with_history)
    kernel = out_of_memory_kills() if with_history else None
    states = _states_of_services(listed)
    containers = {
        one_id: dict(
            described(one, events.get(one_id), kernel, now),
            depends_on=_dependencies(one, states),
            log_bytes=_size(one.get("LogPath")),
            **told_of_environment(lambda one=one: _environment(one), params),
        )
        for one_id, one in inspected.items()
    }
    calls = [lambda one=one: _log(engine, one, params) for one in inspected.values()]
    calls.append(lambda: _usage(engine, containers, params))
    *texts, usage = all_within(engine.deadline.remaining_seconds(), calls)
    if isinstance(usage, Exception):
        raise usage
    logs = {}
    for one_id, text in zip(inspected, texts):
        is_text = isinstance(text, str) or text is None
        reason = None if is_text else f"its log cannot be read: {one_line(text)}"
        logs[one_id] = {"text": text if is_text else None, "reason": reason}
        containers[one_id].update(usage[one_id])
        if containers[one_id]["oom_kills"]:
            containers[one_id]["oom_killed"] = True
        # Nothing left to read of a container that lived a moment ago: it ended, or it is gone.
        is_odd = not is_text or (containers[one_id]["pid"] and containers[one_id]["memory_used_bytes"] is None)
        if is_odd and _is_gone(engine, one_id):
            del containers[one_id]
    return containers, logs


def _is_gone(engine, one_id):
    try:
        engine.get(f"/containers/{one_id}/json")
    except EngineError as error:
        return error.status == 404
    return False


def _has_history(inspected):
    return inspected["State"]["Status"] != "running" or inspected.get("RestartCount", 0) > 0


def _events(engine, inspected):
    """What the engine remembers of containers, by their ids, the oldest first."""
    if not inspected:
        return {}
    now = time.time()
    filters = {"type": ["container"], "event": list(_EVENTS), "container": [one["Id"] for one in inspected]}
    body = b"".join(
        engine.chunks(
            "/events",
            4 * 1024 * 1024,
            since=f"{now - HISTORY_SECONDS:.0f}",
            until=f"{now:.9f}",
            filters=json.dumps(filters),
        )
    )
    by_id = {}
    for line in body.decode("utf-8", "replace").splitlines():
        event = json.loads(line)
        by_id.setdefault(event["Actor"]["ID"], []).append(event)
    return by_id


def _states_of_services(listed):
    """State and health of every service of Compose, as ``{(project, service): (state, health)}``: of its weakest replica."""
    by_service = {}
    for one in listed:
        label = {
            key: (one.get("Labels") or {}).get(compose_project.LABEL + key) for key in ("project", "service", "oneoff")
        }
        if label["oneoff"] != "True":
            by_service.setdefault((label["project"], label["service"]), []).append(one)
    states = {}
    for key, some in by_service.items():
        told = [(one.get("State"), _health(one)) for one in current_ones(some)[0]]
        states[key] = min(told, key=lambda one: (one[0] == "running", one[1] != "unhealthy"))
    return states


def _health(one):
    found = _HEALTH.search(one.get("Status") or "")
    return found.group(1) if found else None


def _dependencies(inspected, states):
    labels = inspected["Config"].get("Labels") or {}
    needed = compose_project.dependencies(labels)
    if needed is None:
        return None
    project = labels.get(compose_project.LABEL + "project")
    found = []
    for service, condition in needed:
        state, health = states.get((project, service), ("absent", None))
        found.append({"service": service, "condition": condition, "state": state, "health": health})
    return found


def _environment(inspected):
    return dict(pair.partition("=")[::2] for pair in inspected["Config"].get("Env") or [])


def _size(path):
    try:
        return os.stat(path).st_size if path else None  # noqa: PTH116
    except OSError:
        return None  # only root may see it


def _log(engine, inspected, params):
    lines = max(params["log_lines"], params["log_tail_lines"])
    return end_of_log(engine, inspected, lines, LOG_KEPT_BYTES) if lines > 0 else None


def _usage(engine, containers, params):
    """What each container uses, by its id."""
    lives = {one_id: one for one_id, one in containers.items() if one["pid"]}
    cgroups = {one_id: cgroup_of(one["pid"], one_id) for one_id, one in lives.items()}

    def read():
        found = {one_id: read_cgroup(cgroup) if cgroup else NOTHING for one_id, cgroup in cgroups.items()}
        unseen = [one_id for one_id, cgroup in cgroups.items() if not cgroup]
        calls = [
            lambda i=i: engine.get(f"/containers/{i}/stats", **{"stream": "false", "one-shot": "true"}) for i in unseen
        ]
        for one_id, answer in zip(unseen, all_within(engine.deadline.remaining_seconds(), calls)):
            found[one_id] = NOTHING if isinstance(answer, Exception) else from_statistics(answer)
        return found

    readings = readings_over(read, params["window_seconds"] if lives else 0, params["samples"])
    found = {}
    for one_id, one in containers.items():
        own = [(at, reading.get(one_id, NOTHING)) for at, reading in readings]
        found[one_id] = over_window(own, one["memory_limit_bytes"], one["cpu_limit_cores"])
        # The process with this number here is the container's only where its control group is seen here.
        found[one_id].update(shared_memory_of(one["pid"] if cgroups.get(one_id) else 0))
        wanted = params["top_processes"] if one_id in lives else 0
        found[one_id]["top_processes"] = _top(engine, one, cgroups[one_id], wanted) if wanted > 0 else None
    return found


def _top(engine, container, cgroup, count):
    from ..host.process_usage import (
        biggest,
        read_processes,
        shown_command,
    )

    if cgroup:
        return biggest(read_processes(), pids_of(cgroup), count)
    try:
        answer = engine.get(f"/containers/{container['container_id']}/top", ps_args="-eo pid,rss,times,args")
    except EngineError:
        return None
    rows = sorted(answer["Processes"], key=lambda row: -int(row[1]))
    return [
        {
            "pid": int(pid),
            "command": shown_command(arguments.split()),
            "rss_bytes": int(rss) * 1024,
            "cpu_seconds": float(seconds),
        }
        for pid, rss, seconds, arguments in rows[:count]
    ]


def _settled(key, service, containers, logs, params):
    inspected = service.pop("inspected")
    own = [containers[one["Id"]] for one in inspected if one["Id"] in containers]
    if inspected and not own:
        service["reason"] = _REMOVED
    if service.get("reason"):
        service["reason"] = f"service {key}: {service['reason']}"
    if not service["available"]:
        return service
    if not own:
        return dict(service, state="absent", containers=[], replicas=0, replicas_running=0)
    return dict(service, **summary(own, logs, params["log_lines"], params["log_tail_lines"]))
