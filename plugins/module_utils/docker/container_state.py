# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Docker Engine says about a container, in the words of the module service_info. No I/O."""

from __future__ import annotations

import calendar
import re
import time

from ..host.exit_code import meaning, signal_of
from ..text.masking import masked

HISTORY_SECONDS = 3600
# The kernel stamps its log with a clock of its own.
CLOCK_TOLERANCE_SECONDS = 30

# The worst first. Of two in the same state, the more often restarted first.
_WORST_FIRST = ("dead", "exited", "created", "removing", "restarting", "paused", "running")
_HEALTH_WORST_FIRST = ("unhealthy", "starting", "none", "healthy")
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?Z\Z")
# What ends a container when somebody asks for it: docker stop and docker kill send one of these.
_ENDING_SIGNALS = ("1", "2", "3", "9", "15")


def described(inspected, events, kernel, now):
    """One container.

    Args:
        inspected: what ``/containers/<id>/json`` answers.
        events: what ``/events`` remembers of this container in the last hour, the oldest first, or None.
        kernel: what ``kernel_log.out_of_memory_kills`` returned, or None.
        now: seconds since 1970.

    Returns:
        A dict as documented in the module service_info, without what has to be measured and without its log.
    """
    state, host, config = inspected["State"], inspected["HostConfig"], inspected["Config"]
    policy = host.get("RestartPolicy") or {}
    history = remembered(events or [])
    lives = bool(state.get("Pid"))
    exit_code = _exit_code(state, history, lives)
    started, finished = seconds_of(state.get("StartedAt")), seconds_of(state.get("FinishedAt"))
    signal_name = None if exit_code is None else signal_of(exit_code)
    person = stopped_by_person(state, policy, inspected.get("RestartCount", 0), history)
    oom_killed = bool(state.get("OOMKilled") or history["oom_killed"]) or out_of_memory(
        inspected, exit_code if signal_name == "SIGKILL" and not person else None, kernel, finished
    )
    return dict(
        _health(state, lives),
        container=inspected["Name"].lstrip("/"),
        container_id=inspected["Id"],
        state=state["Status"],
        pid=state.get("Pid") or None,
        exit_code=exit_code,
        signal=signal_name,
        exit_meaning=meaning(exit_code, signal_name, oom_killed),
        error=masked(state["Error"]) if state.get("Error") else None,
        oom_killed=oom_killed,
        restarts=inspected.get("RestartCount", 0),
        restarts_per_hour=_restarts_per_hour(inspected, history, now),
        restart_times=history["restart_times"],
        restart_policy=policy.get("Name") or "no",
        started_at_seconds=started,
        finished_at_seconds=finished,
        uptime_seconds=round(max(0, now - started), 3) if lives and started else None,
        # A container whose child was once killed counts as killed at its end, even if a person stopped it.
        stopped_by_person=person is True if oom_killed else person,
        image=config.get("Image"),
        memory_limit_bytes=host.get("Memory") or None,
        memory_swap_limit_bytes=host.get("MemorySwap") or None,
        cpu_limit_cores=_cpu_limit(host),
        ports=_ports(inspected),
        log_path=inspected.get("LogPath") or None,
    )


def remembered(events):
    """What the events of a container tell about its past.

    Returns:
        A dict ``restart_times`` (automatic starts, seconds since 1970), ``exit_code`` of the last end, ``oom_killed``
        (before that end) and ``ended_by_person`` (None where its end is not remembered).
    """
    found = {"restart_times": [], "exit_code": None, "oom_killed": False, "ended_by_person": None}
    told = died = oom = False
    for event in events:
        action = str(event.get("Action", ""))
        attributes = (event.get("Actor") or {}).get("Attributes") or {}
        if action == "oom":
            oom = True
        elif action == "stop" or (action == "kill" and attributes.get("signal") in _ENDING_SIGNALS):
            told = True
            found["ended_by_person"] = True if died else found["ended_by_person"]
        elif action == "die":
            code = attributes.get("exitCode", "")
            found.update(exit_code=int(code) if code.isdigit() else None, oom_killed=oom, ended_by_person=told)
            died = True
        elif action == "start":
            if died and not told:
                found["restart_times"].append(round(event["timeNano"] / 1e9, 3))
            told = died = oom = False
            found["ended_by_person"] = None
    return found


def stopped_by_person(state, policy, restarts, history):
    """Whether somebody stopped a container, and nobody should start it again without asking.

    - It lives, or is about to be restarted: False.
    - The engine could not start it: False. That is newer than any stop before it, and the engine forgets it at the next start.
    - The engine remembers its end (it keeps its last 256 events): whether ``docker stop`` or ``docker kill``, by hand
      or by a tool, came before it.
    - Its restart policy would have brought it back (always, unless-stopped; on-failure after an exit code above 0 and
      with attempts left): True, as the engine leaves only those alone that were stopped.
    - Otherwise nothing brings it back. After exit codes 0, 130, 137 and 143, which ``docker stop``
      leaves behind as well: None. After any other: False.
    """
    if state["Status"] not in ("exited", "dead"):
        return False
    if state.get("Error"):
        return False
    if history["ended_by_person"] is not None:
        return history["ended_by_person"]
    name, exit_code = policy.get("Name") or "no", state.get("ExitCode")
    if name in ("always", "unless-stopped"):
        return True
    attempts = policy.get("MaximumRetryCount") or 0
    if name == "on-failure" and exit_code != 0:
        return attempts == 0 or restarts < attempts
    if state.get("OOMKilled"):
        return False
    return None if exit_code in (0, 130, 137, 143) else False


def out_of_memory(inspected, exit_code, kernel, finished_at_seconds):
    """Whether the kernel killed a container's process, where the engine does not say so.

    Some engines never learn of it. Of a container that lives, this is about its life before.

    Args:
        inspected: what the engine says about it.
        exit_code: 137 where SIGKILL ended it and nobody is known to have sent it, otherwise None.
        kernel: what ``kernel_log.out_of_memory_kills`` returned, or None.
        finished_at_seconds: of that end, or None.

    Returns:
        True or False; None where SIGKILL ended it and the kernel's log does not reach back, or cannot be read.
    """
    kills = [kill for kill in (kernel or {}).get("kills", []) if inspected["Id"] in kill["cgroup"]]
    if any(abs(kill["at_seconds"] - (finished_at_seconds or 0)) < CLOCK_TOLERANCE_SECONDS for kill in kills):
        return True
    if exit_code is None:
        return False
    since = (kernel or {}).get("since_seconds")
    return False if since is not None and finished_at_seconds and since < finished_at_seconds else None


def worst(containers):
    """Of the containers of one service, the worst off."""

    def rank(container):
        state, health = container["state"], container["health"]
        return (
            _WORST_FIRST.index(state) if state in _WORST_FIRST else 0,
            _HEALTH_WORST_FIRST.index(health) if health in _HEALTH_WORST_FIRST else len(_HEALTH_WORST_FIRST),
            -container["restarts"],
        )

    return min(containers, key=rank)


def seconds_of(text):
    """Seconds since 1970 of a time as the engine writes it, or None for its year 1."""
    match = _TIME.match(text or "")
    if not match or text.startswith("0001-"):
        return None
    whole = calendar.timegm(time.strptime(match.group(1), "%Y-%m-%dT%H:%M:%S"))
    return round(whole + float(match.group(2) or 0), 3)


def _exit_code(state, history, lives):
    if state["Status"] in ("exited", "dead", "restarting") or (state["Status"] == "created" and state.get("Error")):
        return state.get("ExitCode")
    return history["exit_code"] if lives else None


def _health(state, lives):
    health = state.get("Health") or {}
    if not lives:
        return {"health": None, "health_output": None, "health_failing_streak": None}
    log = health.get("Log") or []
    lines = [line for line in str(log[-1].get("Output") or "").splitlines() if line.strip()] if log else []
    return {
        "health": health.get("Status") or "none",
        "health_output": masked(lines[-1]) if lines else None,
        "health_failing_streak": health.get("FailingStreak"),
    }


def _restarts_per_hour(inspected, history, now):
    count = inspected.get("RestartCount", 0)
    known = len([at for at in history["restart_times"] if at > now - HISTORY_SECONDS])
    created = seconds_of(inspected.get("Created"))
    if created and created > now - HISTORY_SECONDS:
        return max(count, known)
    # An old one: its count says nothing about the last hour, and of it the engine may have forgotten some.
    return known or (None if count else 0)


def _cpu_limit(host):
    if host.get("NanoCpus"):
        return host["NanoCpus"] / 1e9
    if (host.get("CpuQuota") or 0) > 0:
        return round(host["CpuQuota"] / (host.get("CpuPeriod") or 100000), 3)
    if host.get("CpusetCpus"):
        ranges = [part.split("-") for part in host["CpusetCpus"].split(",")]
        return float(sum(int(part[-1]) - int(part[0]) + 1 for part in ranges))
    return None


def _ports(inspected):
    published = (inspected.get("NetworkSettings") or {}).get("Ports") or {}
    if not any(published.values()):
        published = dict(published, **(inspected["HostConfig"].get("PortBindings") or {}))
    asked = inspected["HostConfig"].get("PortBindings") or {}
    ports = []
    for name, bindings in published.items():
        port, _slash, protocol = name.partition("/")
        for binding in bindings or [{}]:
            host_port = binding.get("HostPort") or ""
            ports.append(
                {
                    "container_port": int(port),
                    "protocol": protocol,
                    "host_address": binding.get("HostIp") or None,
                    "host_port": int(host_port) if host_port.isdigit() else None,
                    # Asked for by its number, so that no other replica can have it.
                    "host_port_fixed": any(str(one.get("HostPort") or "0") != "0" for one in asked.get(name) or []),
                }
            )
    return ports
