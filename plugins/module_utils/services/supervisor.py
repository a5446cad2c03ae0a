# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the programs of a supervisord are observed."""

from __future__ import annotations

import calendar
import os
import re
import stat
import time
from functools import partial
from pathlib import Path

from ..deadline import Deadline
from ..host.exit_code import meaning
from ..host.process_identity import environment_of
from ..host.process_usage import (
    biggest,
    read_processes,
    tree_of,
    tree_usage,
)
from ..host.usage_window import over_window, readings_over
from ..supervisor.server import (
    Supervisor,
    SupervisorError,
    server_from_config,
)
from ..text.log_lines import group_error_lines
from ..text.masking import masked_lines
from .group import NoLog, as_one, environment_told, told_of_environment

# STOPPING counts as stopped: nobody may take it for a service that will go on.
_STATES = {
    0: "stopped",
    10: "starting",
    20: "running",
    30: "backoff",
    40: "stopped",
    100: "exited",
    200: "fatal",
}
_BYTES_PER_LINE = 500
_TAIL_LIMIT_BYTES = 256 * 1024
_MAIN_LOG_BYTES = 64 * 1024
_HOUR_SECONDS = 3600
_LOGGED = re.compile(
    r"^(?P<at>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),(?P<milliseconds>\d{3}) \w+ (?P<what>spawned|exited|stopped|gave up): '?(?P<name>[^'\s]+)",
    re.MULTILINE,
)


def observations(services, params):
    """The observations of some services, one for each supervisord.

    Args:
        services: the services of this manager, by their keys in the inventory.
        params: as given to the observer.

    Returns:
        A list of pairs: the keys of the services, and a function that returns what each of them does.
    """
    configs = {}
    for key, service in services.items():
        configs.setdefault(str(service["config"]), {})[key] = service

    def observation(config, members):
        return list(members), lambda: _observe(config, members, params)

    return [observation(config, members) for config, members in configs.items()]


def _observe(config, services, params):
    try:
        deadline = Deadline(params["timeout_seconds"] + params["window_seconds"])
        supervisor = Supervisor(server_from_config(config), config, deadline)
        programs, own_pid = supervisor.multicall(("supervisor.getAllProcessInfo",), ("supervisor.getPID",))
        if not isinstance(programs, list):
            raise SupervisorError(f"supervisord (config {config}) does not list its programs: see its log")
        programs = {_full_name(program): program for program in programs}
        members = {key: members_of(service["name"], programs) for key, service in services.items()}
        wanted = {name: program for some in members.values() for name, program in some.items()}
        main_log = _main_log(supervisor, wanted)
        readings = _readings(wanted, own_pid, params) if supervisor.is_local else []
        results = {}
        for key, service in services.items():
            if not members[key]:
                results[key] = _unknown_name(key, service["name"], config, programs)
                continue
            each = [
                dict(
                    describe(program, main_log if _is_only_one(program, programs) else ""),
                    name=name,
                    **_usage(readings, program["pid"], own_pid, service.get("memory_limit_bytes"), params),
                    **told_of_environment(
                        lambda pid=program["pid"]: environment_of(pid) if supervisor.is_local and pid else None, params
                    ),
                    **_log_errors(supervisor, name, program, params),
                )
                for name, program in members[key].items()
            ]
            results[key] = as_one(each)
        return results
    except SupervisorError as error:
        return {key: {"available": False, "reason": str(error)} for key in services}


def members_of(name, programs):
    """The programs that a name of the inventory stands for: one, or with ``group:*``, as supervisorctl writes it, a group."""
    if name.endswith(":*"):
        return {full: program for full, program in sorted(programs.items()) if program["group"] == name[:-2]}
    return {name: programs[name]} if name in programs else {}


def logs(key, service, lines, max_bytes, timeout_seconds):
    """The end of what a program wrote; see ``service.read_log``."""
    name, config = service["name"], str(service["config"])
    try:
        supervisor = Supervisor(server_from_config(config), config, Deadline(timeout_seconds))
        programs = {
            _full_name(program): program for program in supervisor.multicall(("supervisor.getAllProcessInfo",))[0]
        }
        found = members_of(name, programs)
        if not found:
            return [], _unknown_name(key, name, config, programs)["reason"]
        read = [(one, *read_log(supervisor, one, program, lines)) for one, program in found.items()]
    except SupervisorError as error:
        return [], str(error)
    texts = [(one, text[-max_bytes:]) for one, some, _reason in read for text in some]
    return texts, f"service {key}: {'; '.join(reason for _one, _some, reason in read if reason)}"


def log_readers(services, timeout_seconds):
    """How to read the logs of its programs; see ``states.log_readers``."""
    found = []
    for key, one, program, supervisor in _each_program(services, timeout_seconds, found):
        paths = _paths(program)
        if not paths:
            found.append({"key": key, "reason": f"service {key}: supervisord keeps no log file of {one}"})
        for stream, path in paths.items():
            found.append(
                {
                    "key": key,
                    "name": f"{one}-{stream.lower()}",
                    "path": path if supervisor.is_local else None,
                    "fetch": partial(_fetched, supervisor, one, stream),
                }
            )
    return found


def environments(services, timeout_seconds):
    """The environment of each of its programs; see ``states.environments``."""
    found = []
    for key, one, program, supervisor in _each_program(services, timeout_seconds, found):
        pid = program["pid"] if supervisor.is_local else 0
        found.append(environment_told(key, one, environment_of(pid) if pid else None))
    return found


def _each_program(services, timeout_seconds, refused):
    """Every program of services: the service's key, its own name, what supervisord says of it, and that supervisord.

    Args:
        services: by their keys in the inventory.
        timeout_seconds: for each supervisord.
        refused: a list that gets ``key`` and ``reason`` of each service that has none.
    """
    known = {}
    for key, service in services.items():
        config = str(service["config"])
        try:
            if config not in known:
                known[config] = _programs(config, timeout_seconds)
            supervisor, programs = known[config]
        except SupervisorError as error:
            refused.append({"key": key, "reason": f"service {key}: {error}"})
            continue
        members = members_of(service["name"], programs)
        if not members:
            refused.append({"key": key, "reason": _unknown_name(key, service["name"], config, programs)["reason"]})
        for one, program in members.items():
            yield key, one, program, supervisor


def _fetched(supervisor, name, stream, _lines, max_bytes, seconds):
    asked = Supervisor(supervisor.server, supervisor.config, Deadline(seconds))
    size = min(_TAIL_LIMIT_BYTES, max_bytes)
    try:
        answer = asked.multicall((f"supervisor.tailProcess{stream}Log", name, 0, size))[0]
    except SupervisorError as error:
        raise NoLog(str(error)) from None
    if not answer:
        raise NoLog("its log file cannot be read, and supervisord does not hand it out")
    # The place behind its last byte is the length of the log.
    return answer[0], answer[1]


def _programs(config, timeout_seconds):
    supervisor = Supervisor(server_from_config(config), config, Deadline(timeout_seconds))
    listed = supervisor.multicall(("supervisor.getAllProcessInfo",))[0]
    if not isinstance(listed, list):
        raise SupervisorError(f"supervisord (config {config}) does not list its programs: see its log")
    return supervisor, {_full_name(program): program for program in listed}


def _readings(wanted, own_pid, params):
    """The processes of this host at some times, where any of the programs lives."""
    pids = [program["pid"] for program in wanted.values() if program["pid"]]
    return readings_over(read_processes, params["window_seconds"], params["samples"]) if pids else []


def _usage(readings, pid, own_pid, memory_limit_bytes, params):
    own = []
    for at, processes in readings or [(0, {})]:
        used = tree_usage(processes, pid, own_pid)
        own.append((at, dict(used, memory_used_bytes=used["rss_bytes"])))
    limit = int(memory_limit_bytes) if memory_limit_bytes else None
    found = dict(over_window(own, limit, None), memory_limit_bytes=limit)
    if params["top_processes"] > 0 and readings:
        processes = readings[-1][1]
        found["top_processes"] = biggest(processes, tree_of(processes, pid, own_pid), params["top_processes"])
    return found


def describe(program, main_log):
    """The state of one program.

    Args:
        program: supervisord's ``getProcessInfo``.
        main_log: the end of supervisord's own log, where this program's name stands for this program only.

    Returns:
        A dict ``available``, ``state``, ``pid``, ``exit_code``, ``signal``, ``exit_meaning``,
        ``started_at_seconds``, ``finished_at_seconds``, ``uptime_seconds``, ``stopped_by_person``, ``restarts``,
        ``restarts_per_hour`` and ``restart_times`` (as far back as its log was read); None for what is not known.
    """
    state = _STATES.get(program["state"], "unknown")
    lives = program["pid"] > 0
    ended = {"exit_code": None, "signal": None}
    if not lives and program["start"]:
        ended = last_end(program["name"], main_log)
        # A status of 0 can also mean that supervisord does not know, -1 that a signal ended the program.
        if ended == {"exit_code": None, "signal": None} and state == "exited" and program["exitstatus"] >= 0:
            ended["exit_code"] = program["exitstatus"]
    again = restarts_in(main_log, program["name"], program["start"]) if main_log and program["start"] else None
    if lives and again:
        # The end before.
        ended = last_end(program["name"], main_log)
    return dict(
        ended,
        available=True,
        state=state,
        restarts=None if again is None else len(again),
        restarts_per_hour=None if again is None else len([at for at in again if at > program["now"] - _HOUR_SECONDS]),
        restart_times=again,
        pid=program["pid"] or None,
        exit_meaning=meaning(ended["exit_code"], ended["signal"]),
        started_at_seconds=program["start"] or None,
        finished_at_seconds=program["stop"] or None,
        uptime_seconds=max(0, program["now"] - program["start"]) if lives else None,
        # A program that never ran may just not be started with supervisord.
        stopped_by_person=None if program["state"] == 0 and not program["start"] else program["state"] in (0, 40),
    )


def last_end(name, main_log):
    """The exit code or the signal (``SIGKILL``) of a program's last end, from the log of supervisord."""
    pattern = re.compile(
        r" (?:exited|stopped): "
        + re.escape(name)
        + r" \((?:exit status (?P<code>\d+)|terminated by (?P<signal>SIG\w+))"
    )
    ends = list(pattern.finditer(main_log))
    code = ends[-1].group("code") if ends else None
    return {"exit_code": int(code) if code else None, "signal": ends[-1].group("signal") if ends else None}


def restarts_in(main_log, name, started_at_seconds):
    """When supervisord started a program again after it had ended by itself, from its log.

    The log is in the time of supervisord's own zone. Its last line about a start, and when that start was, tell how far
    that is from UTC.

    Returns:
        Seconds since 1970, the oldest first. None where the log tells of no start and no end of it.
    """
    lines = [
        (found.group("what"), _logged_at(found)) for found in _LOGGED.finditer(main_log) if found.group("name") == name
    ]
    # A person's stop, or start of what supervisord gave up, puts an end to what was before: restarts count from there on, as
    # with an engine.
    begun = max((number for number, (what, _at) in enumerate(lines) if what == "spawned"), default=0)
    breaks = [
        number
        for number, (what, _at) in enumerate(lines)
        if what == "stopped" or (what == "gave up" and number < begun)
    ]
    lines = lines[breaks[-1] :] if breaks else lines
    starts = [at for what, at in lines if what == "spawned"]
    ends = [at for what, at in lines if what == "exited"]
    if not starts:
        # With loglevel=warn there are ends only. What runs again was started soon after each.
        return [round(at - ends[-1] + started_at_seconds, 3) for at in ends] if ends else None
    again = [at for (before, _at), (what, at) in zip(lines, lines[1:]) if (before, what) == ("exited", "spawned")]
    return [round(at - starts[-1] + started_at_seconds, 3) for at in again]


def _logged_at(found):
    seconds = calendar.timegm(time.strptime(found.group("at"), "%Y-%m-%d %H:%M:%S"))
    return seconds + int(found.group("milliseconds")) / 1000


def _full_name(program):
    group, name = program["group"], program["name"]
    return name if group == name else f"{group}:{name}"


def _is_only_one(program, programs):
    return sum(other["name"] == program["name"] for other in programs.values()) == 1


def _main_log(supervisor, wanted):
    # getProcessInfo reports 0 for a program that ended too quickly and -1 for any signal, and never how often a program was
    # started: the log knows more.
    if all(_is_settled(program) or not program["start"] for program in wanted.values()):
        return ""
    return supervisor.multicall(("supervisor.readLog", -_MAIN_LOG_BYTES, 0))[0] or ""


def _is_settled(program):
    return program["pid"] and program["now"] - program["start"] > _HOUR_SECONDS


def _unknown_name(key, name, config, programs):
    from difflib import get_close_matches

    groups = [program["group"] for program in programs.values()]
    names = {*programs, *(f"{group}:*" for group in groups if groups.count(group) > 1)}
    near = get_close_matches(str(name), names, n=5, cutoff=0.4)
    known = near + sorted(names - set(near))
    listed = ", ".join(known[:20]) + (", ..." if len(known) > 20 else "") if known else "none"
    reason = f"service {key}: the supervisord of {config} has no program {name}; it has: {listed}"
    return {"available": False, "reason": reason}


def _log_errors(supervisor, name, program, params):
    """``log_tail_errors``, and ``log_reason`` where it is None because no log could be read; and ``log_tail``."""
    log_lines, tail_lines = params["log_lines"], params["log_tail_lines"]
    if max(log_lines, tail_lines) < 1:
        return {"log_tail_errors": None, "log_reason": "log_lines is 0"}
    texts, reason = read_log(supervisor, name, program, max(log_lines, tail_lines))
    if not texts:
        return {"log_tail_errors": None, "log_reason": reason}
    ends = ["\n".join(text.splitlines()[-log_lines:]) if log_lines > 0 else "" for text in texts]
    return {
        "log_tail_errors": group_error_lines("\n".join(ends), log_lines * len(ends)),
        "log_tail": [line for text in texts for line in masked_lines(text.splitlines()[-tail_lines:])]
        if tail_lines > 0
        else None,
    }


def read_log(supervisor, name, program, log_lines):
    """The last lines of a program's log files as texts, and why there is none where the list is empty."""
    size = min(_TAIL_LIMIT_BYTES, log_lines * _BYTES_PER_LINE)
    paths = _paths(program)
    tails = [_tail(supervisor, name, stream, path, size) for stream, path in paths.items()]
    read = [tail for tail in tails if tail is not None]
    if not read:
        reason = "supervisord keeps no log file of it" if not tails else "its log files cannot be read"
        return [], f"{name}: {reason}"
    return ["\n".join(tail.splitlines()[-log_lines:]) for tail in read], ""


def _paths(program):
    """The log files of a program by stream."""
    paths = {"Stdout": program.get("stdout_logfile"), "Stderr": program.get("stderr_logfile")}
    if paths["Stdout"] == paths["Stderr"]:
        del paths["Stderr"]
    # What /dev/stdout is to supervisord is something else to this process, and reading a terminal blocks.
    return {stream: path for stream, path in paths.items() if path and not path.startswith(("/dev/", "/proc/"))}


def _tail(supervisor, name, stream, path, size):
    # supervisord cannot hand out a log that is not UTF-8, or cut within a character; the file can be read.
    if supervisor.is_local:
        text = _tail_of_file(path, size)
        if text is not None:
            return text
    answer = supervisor.multicall((f"supervisor.tailProcess{stream}Log", name, 0, size))[0]
    return answer[0] if answer else None


def _tail_of_file(path, size):
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):
            return None
        with open(path, "rb") as file:
            length = file.seek(0, os.SEEK_END)
            file.seek(max(0, length - size))
            text = file.read(size).decode("utf-8", "replace")
    except OSError:
        return None
    # The first line is cut anywhere.
    return text.partition("\n")[2] if length > size else text
