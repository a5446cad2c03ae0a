# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the units of systemd are observed."""

from __future__ import annotations

import re
import time

from ..deadline import Deadline, DeadlineExceeded
from ..docker.container_usage import cgroup_mounts, pids_of, read_cgroup
from ..host.exit_code import meaning, signal_of
from ..host.process_identity import environment_of
from ..host.process_usage import biggest, read_processes
from ..host.usage_window import over_window, readings_over
from ..net.port_owners import unit_name
from ..run_command import failure, run
from ..text.log_lines import group_error_lines
from ..text.masking import masked, masked_lines
from ..text.one_line import one_line
from .group import NoLog, as_one, environment_told, told_of_environment

_PROPERTIES = (
    *("LoadState", "LoadError", "ActiveState", "SubState", "Type", "Result", "MainPID", "NRestarts", "Restart"),
    *("ExecMainCode", "ExecMainStatus", "ExecMainStartTimestampMonotonic", "ExecMainExitTimestampMonotonic"),
    *("MemoryMax", "CPUQuotaPerSecUSec", "ControlGroup", "ConsistsOf"),
)
# What some versions do not know, or do not show while it is empty.
_OPTIONAL = {"CPUQuotaPerSecUSec", "ConsistsOf"}
_NAME = re.compile(r"[A-Za-z0-9:_.\\@][A-Za-z0-9:_.\\@-]*\Z")
_NO_ENTRIES = "-- No entries --"
_EXITED, _KILLED, _DUMPED = "1", "2", "3"  # of waitid
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1, "min": 60}


def observations(services, params):
    """The observation of the units, all in one.

    Args:
        services: the services of this manager, by their keys in the inventory.
        params: as given to the observer.

    Returns:
        A list of one pair: the keys of the services, and a function that returns what each of them does.
    """
    return [(list(services), lambda: _observe(services, params))]


def logs(key, service, lines, max_bytes, timeout_seconds):
    """The end of a unit's journal; see ``service.read_log``. It is never more than 64 KiB."""
    if not _NAME.match(str(service["name"])):
        return [], f"service {key}: {one_line(repr(service['name']))} cannot be a unit's name"
    name = unit_name(service["name"])
    argv = ["journalctl", f"--unit={name}", f"--lines={lines}", "--output=short-iso", "--no-pager"]
    try:
        text = _ask(argv, Deadline(timeout_seconds))["stdout"]
    except (CannotAsk, DeadlineExceeded) as error:
        return [], f"service {key}: {error}"
    if not text.replace(_NO_ENTRIES, "").strip():
        return [], f"service {key}: the journal has no entry of {name} that this user can read"
    return [(name, text[-max_bytes:])], ""


def log_readers(services, _timeout_seconds):
    """How to read the journals of its units; see ``states.log_readers``."""

    def reader(key, service):
        def fetch(lines, max_bytes, seconds):
            texts, reason = logs(key, service, lines, max_bytes, seconds)
            if not texts:
                raise NoLog(reason)
            return texts[0][1], None

        return {"key": key, "name": str(service["name"]), "path": None, "fetch": fetch}

    return [reader(key, service) for key, service in services.items()]


def environments(services, timeout_seconds):
    """The environment of each of its units; see ``states.environments``."""
    found, deadline = [], Deadline(timeout_seconds)
    for key, service in services.items():
        try:
            if not _NAME.match(str(service["name"])):
                raise CannotAsk(f"{one_line(repr(service['name']))} cannot be a unit's name")
            name = unit_name(service["name"])
            shown = _show([name], deadline)
            shown = _show(parts_of(shown[name]), deadline) if parts_of(shown[name]) else shown
        except (CannotAsk, DeadlineExceeded) as error:
            found.append({"key": key, "reason": f"service {key}: {error}"})
            continue
        for one, unit in shown.items():
            pid = int(unit["MainPID"]) if unit["MainPID"].isdigit() else 0
            found.append(environment_told(key, one, environment_of(pid) if pid else None))
    return found


def _observe(services, params):
    deadline = Deadline(params["timeout_seconds"] + params["window_seconds"])
    results = {
        key: {"available": False, "reason": f"service {key}: {one_line(repr(service['name']))} cannot be a unit's name"}
        for key, service in services.items()
        if not _NAME.match(str(service["name"]))
    }
    units = {key: unit_name(service["name"]) for key, service in services.items() if key not in results}
    if not units:
        return results
    try:
        shown = _show(sorted(set(units.values())), deadline)
        parts = {name: parts_of(unit) for name, unit in shown.items()}
        unseen = sorted({part for some in parts.values() for part in some} - set(shown))
        if unseen:
            shown.update(_show(unseen, deadline))
        cgroups = _cgroups({name: unit["ControlGroup"] for name, unit in shown.items() if unit["ControlGroup"]})
        readings = readings_over(
            lambda: {name: read_cgroup(cgroup) for name, cgroup in cgroups.items()},
            params["window_seconds"] if cgroups else 0,
            params["samples"],
        )

        def told(name):
            unit = shown[name]
            state = describe(unit, time.time(), time.monotonic())
            return dict(
                state,
                name=name,
                **_usage(unit, cgroups.get(name), [(at, found.get(name)) for at, found in readings], params),
                **told_of_environment(lambda: environment_of(state["pid"]), params),
                **_log(name, params, deadline),
            )

        for key, name in units.items():
            unit = shown[name]
            if unit["LoadState"] == "not-found" and unit["ActiveState"] == "inactive":
                results[key] = {"available": False, "reason": f"service {key}: {_unknown(name, deadline)}"}
                continue
            results[key] = as_one([told(part) for part in parts[name] or [name]], is_group=bool(parts[name]))
            if is_shell(unit) and not parts[name]:
                results[key]["reason"] = f"service {key}: {_shell_in_words(name)}"
    except (CannotAsk, DeadlineExceeded) as error:
        results.update({key: {"available": False, "reason": f"service {key}: {error}"} for key in units})
    return results


class CannotAsk(Exception):
    """systemd gave no usable answer; the text is one line."""


def _ask(argv, deadline):
    seconds = deadline.remaining_seconds()
    ended = run(argv, seconds)
    if ended["error"] or ended["exit_code"] != 0:
        raise CannotAsk(failure(argv, ended, seconds))
    return ended


def _show(names, deadline):
    argv = ["systemctl", "show", "--no-pager", f"--property={','.join(_PROPERTIES)}", "--", *names]
    blocks = parse_show(_ask(argv, deadline)["stdout"])
    if len(blocks) != len(names) or any(set(_PROPERTIES) - set(block) - _OPTIONAL for block in blocks):
        raise CannotAsk("systemctl show does not tell what it is asked for: is this systemd 235 or later?")
    return dict(zip(names, blocks))


def parse_show(text):
    """The properties of each unit in the output of ``systemctl show``, in its order."""
    blocks = [block for block in text.split("\n\n") if block.strip()]
    return [dict(line.partition("=")[::2] for line in block.splitlines() if "=" in line) for block in blocks]


def is_shell(unit):
    """Whether a unit is active only because it started something once: nothing of that is in it any more.

    Its kind is that of Debian's ``postgresql.service``, and of one that runs ``docker compose up -d``.
    """
    is_over = (unit["ActiveState"], unit["SubState"], unit["Type"]) == ("active", "exited", "oneshot")
    # Where a control group is left there are processes in it.
    return is_over and not unit["ControlGroup"]


def parts_of(unit):
    """The services that are stopped and restarted with a shell (their ``PartOf=`` names it), in order; none of other units.

    systemd forgets those that are stopped and that nobody needs. What the shell only needs may serve others as well.
    """
    parts = unit.get("ConsistsOf", "").split() if is_shell(unit) else []
    return sorted(part for part in parts if part.endswith(".service"))


def _shell_in_words(name):
    return (
        f"{name} is active (exited), which says that it started something and not that this runs: name the unit that has the "
        "processes, or the manager that knows them"
    )


def describe(unit, now, now_monotonic):
    """The state of one unit.

    Args:
        unit: the properties of ``systemctl show``.
        now, now_monotonic: the time in seconds on both clocks.

    Returns:
        What ``service_info`` documents, without what the unit uses and logs.
    """
    pid = int(unit["MainPID"]) or None

    def at(property_name):
        microseconds = int(unit[property_name] or 0)
        return round(now - now_monotonic + microseconds / 1e6, 1) if microseconds else None

    ended = {"exit_code": None, "signal": None}
    if not pid and unit["ExecMainCode"] == _EXITED:
        ended["exit_code"] = int(unit["ExecMainStatus"])
    elif not pid and unit["ExecMainCode"] in (_KILLED, _DUMPED):
        number = int(unit["ExecMainStatus"])
        ended["signal"] = signal_of(128 + number) or f"SIG{number}"
    state = state_of(unit["ActiveState"], unit["SubState"], unit["Type"], bool(unit["ControlGroup"]))
    started = at("ExecMainStartTimestampMonotonic")
    oom_killed = _oom_killed(unit, ended["signal"])
    return dict(
        ended,
        available=True,
        state=state,
        error=_error(unit),
        exit_meaning=meaning(ended["exit_code"], ended["signal"], bool(oom_killed)),
        oom_killed=oom_killed,
        restarts=int(unit["NRestarts"] or 0),
        restart_policy=unit["Restart"],
        pid=pid,
        started_at_seconds=started,
        finished_at_seconds=None if pid else at("ExecMainExitTimestampMonotonic"),
        uptime_seconds=round(now - started, 1) if pid and started else None,
        stopped_by_person=_stopped_by_person(state, ended),
    )


def state_of(active, sub, kind, has_processes):
    """The word of ``service_info`` for a unit's ActiveState, SubState and Type, and whether it has a control group.

    Active is not running: an init script's unit stays active when its daemon is gone, and what a oneshot started is elsewhere.
    """
    if active == "active" and sub == "exited":
        if kind != "oneshot":
            return "exited"
        return "running" if has_processes else "unknown"
    if active in ("active", "reloading", "refreshing"):
        return "running"
    if active == "activating":
        return "backoff" if sub.startswith("auto-restart") else "starting"
    return {"inactive": "stopped", "deactivating": "stopped", "failed": "fatal"}.get(active, "unknown")


def _oom_killed(unit, signal_name):
    if unit["Result"] == "oom-kill":
        return True
    # With version 1 of cgroups systemd does not learn of it, and reports the signal only.
    return None if signal_name == "SIGKILL" and unit["Result"] == "signal" else False


def _stopped_by_person(state, ended):
    # What Java and many shells end with when they are asked to end: systemd counts it as a failure.
    if state == "fatal" and ended["exit_code"] in (130, 143):
        return None
    if state != "stopped":
        return False
    # A unit that ended well by itself looks like a unit that was stopped and ended well.
    return True if ended["signal"] == "SIGTERM" else None


def _error(unit):
    if unit["LoadState"] not in ("loaded", "not-found"):
        return one_line(f"the unit is {unit['LoadState']} {unit['LoadError']}")
    told_elsewhere = ("", "success", "exit-code", "signal", "core-dump", "oom-kill")
    return None if unit["Result"] in told_elsewhere else f"systemd gave it up: {unit['Result']}"


def _unknown(name, deadline):
    from difflib import get_close_matches

    argv = ["systemctl", "list-unit-files", "--no-pager", "--no-legend", "--plain", "--type=service"]
    names = [line.split()[0] for line in _ask(argv, deadline)["stdout"].splitlines() if line.strip()]
    near = get_close_matches(name, names, n=5, cutoff=0.4)
    return f"there is no unit {name}; " + (f"the nearest names are {', '.join(near)}" if near else "none is like it")


def _cgroups(paths):
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
            mounts = cgroup_mounts(file.read())
    except OSError:
        return {}
    # With both mounted, version 2 has no memory controller.
    version = 1 if "memory" in mounts else 2
    memory, cpu = (mounts.get("memory"), mounts.get("cpuacct", "")) if version == 1 else (mounts.get(""),) * 2
    if memory is None:
        return {}
    return {name: {"memory": memory + path, "cpu": cpu + path, "version": version} for name, path in paths.items()}


def _usage(unit, cgroup, readings, params):
    nothing = {"memory_used_bytes": None, "rss_bytes": None, "cpu_seconds": None}
    limit = int(unit["MemoryMax"]) if unit["MemoryMax"].isdigit() else None
    cores = cores_of(unit.get("CPUQuotaPerSecUSec", ""))
    found = over_window([(at, reading or nothing) for at, reading in readings], limit, cores)
    found.update(memory_limit_bytes=limit, cpu_limit_cores=cores)
    if params["top_processes"] > 0 and cgroup:
        found["top_processes"] = biggest(read_processes(), pids_of(cgroup), params["top_processes"])
    return found


def cores_of(quota):
    """The limit in cores of a time such as ``1.500s`` or ``500ms`` for each second; None for ``infinity``."""
    parts = re.findall(r"([\d.]+)(us|ms|s|min)\b", quota)
    return round(sum(float(number) * _UNITS[unit] for number, unit in parts), 3) if parts else None


def _log(name, params, deadline):
    lines = max(params["log_lines"], params["log_tail_lines"])
    if lines < 1:
        return {"log_tail_errors": None, "log_reason": "log_lines is 0"}
    argv = ["journalctl", f"--unit={name}", f"--lines={lines}", "--output=cat", "--no-pager"]
    try:
        ended = _ask(argv, deadline)
    except CannotAsk as error:
        return {"log_tail_errors": None, "log_reason": str(error)}
    read = [line for line in ended["stdout"].splitlines() if line != _NO_ENTRIES]
    if not read and ended["stderr"].strip():
        # Without the right to read it, the journal looks empty.
        return {"log_tail_errors": None, "log_reason": masked(f"journalctl: {ended['stderr']}")}
    errors = group_error_lines("\n".join(read), params["log_lines"])
    # What systemd says of it is the consequence of what it said itself.
    found = {"log_tail_errors": sorted(errors, key=lambda group: group["last"].startswith("Failed to start "))}
    if params["log_lines"] < 1:
        found = {"log_tail_errors": None, "log_reason": "log_lines is 0"}
    if params["log_tail_lines"] > 0:
        found["log_tail"] = masked_lines(read[-params["log_tail_lines"] :])
    return found
