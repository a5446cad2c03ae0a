# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which processes hold the TCP ports of a host, and whose they are."""

from __future__ import annotations

from ..deadline import Deadline, DeadlineExceeded
from ..host import process_identity as processes
from ..net import sockets
from ..text.one_line import one_line
from .port_owners import PROXIES, Containers, service_of

HELD, FREE = "held", "free"
_HIDDEN = "its owner cannot be seen: run with become"
_HIDDEN_FROM_ROOT = "its owner cannot be seen: root has no CAP_SYS_PTRACE here"
_ELSEWHERE = "no process that can be seen here has it open: the kernel does, or a process of another pid namespace"


def observe(params):
    """Observe ports.

    Args:
        params: see ``observers.port.SPEC``.

    Returns:
        A dict ``available`` with ``reason`` where false, otherwise ``ports``, ``complete`` and ``limits``, as documented
        in the module ``port_info``.

    Raises:
        ValueError: the ports are not described in a way that can be used.
    """
    wanted = checked(params["ports"])
    if params["timeout_seconds"] <= 0:
        raise ValueError("timeout_seconds must be above 0")
    deadline = Deadline(params["timeout_seconds"])
    try:
        found, owners, hidden = _look({ask["port"] for ask in wanted.values()}, deadline)
    except OSError as error:
        return {"available": False, "reason": f"/proc/net/tcp cannot be read: {one_line(error.strerror or error)}"}
    except DeadlineExceeded as error:
        return {"available": False, "reason": f"the processes of this host could not be looked through: {error}"}
    containers = Containers(deadline)
    limits = []
    ports = {
        name: _port(ask, found, owners, hidden, params["services"], containers, limits) for name, ask in wanted.items()
    }
    limits = list(dict.fromkeys(limits))
    return {"available": True, "ports": ports, "complete": not limits, "limits": limits}


def checked(ports):
    """The ports asked for as ``{name: {"port", "address"}}``.

    Raises:
        ValueError: one line that names the entry.
    """
    import ipaddress

    wanted = {}
    for name, ask in ports.items():
        if not isinstance(ask, dict) or set(ask) - {"port", "address"} or "port" not in ask:
            raise ValueError(f"port {one_line(name)} must be a dict of port and, where only one counts, address")
        try:
            port = int(ask["port"])
        except (TypeError, ValueError):
            port = 0
        if not 0 < port < 65536:
            raise ValueError(f"port {one_line(name)}: {one_line(ask['port'])} is no port from 1 to 65535")
        try:
            address = str(ipaddress.ip_address(ask["address"])) if ask.get("address") else ""
        except ValueError:
            raise ValueError(f"port {one_line(name)}: {one_line(ask['address'])} is no IP address") from None
        wanted[str(name)] = {"port": port, "address": address}
    return wanted


def _look(ports, deadline):
    """The sockets on some ports, their owners, and how many processes could not be looked into."""
    found = sockets.sockets_on(ports)
    owners, hidden = sockets.owners_of({one["inode"] for one in found} - {0}, deadline)
    if all(owners.values()):
        return found, owners, hidden
    # A socket whose process has ended between the two looks is gone in a second one.
    still = {one["inode"] for one in sockets.sockets_on(ports)}
    again, hidden = sockets.owners_of({inode for inode, pids in owners.items() if not pids} & still, deadline)
    owners.update(again)
    return [one for one in found if one["inode"] in still or owners.get(one["inode"])], owners, hidden


def _port(ask, found, owners, hidden, services, containers, limits):
    in_the_way = [
        one
        for one in found
        if one["port"] == ask["port"]
        and sockets.are_in_the_way(one["address"], ask["address"])
        # Without a process it is what is left of a connection, which a server's SO_REUSEADDR passes over.
        and (one["listening"] or one["inode"])
    ]
    holders, unseen = {}, []
    for one in in_the_way:
        for pid in sorted(owners.get(one["inode"], ())):
            known = processes.read_process(pid)
            # One proxy can stand for several containers, each on an address of its own.
            is_proxy = known is not None and known["program"] in PROXIES
            holder = holders.setdefault(
                (pid, one["address"] if is_proxy else ""), {"addresses": set(), "listening": False}
            )
            holder["addresses"].add(one["address"])
            holder["listening"] = holder["listening"] or one["listening"]
        if not owners.get(one["inode"]):
            unseen.append(_unseen(one, hidden))
            limits.append(f"port {ask['port']} on {one['address']}, user {unseen[-1]['user']}: {unseen[-1]['reason']}")
    seen = []
    for (pid, _address), what in sorted(holders.items(), key=lambda item: item[0]):
        process = processes.read_process(pid)
        if process:
            seen.append(_holder(process, what, ask["port"], services, containers, limits))
    return {
        "port": ask["port"],
        "address": ask["address"],
        "state": HELD if seen or unseen else FREE,
        "holders": seen + unseen,
    }


def _unseen(one, hidden):
    return {
        "pid": None,
        "uid": one["uid"],
        "user": processes.user_name(one["uid"]),
        "addresses": [one["address"]],
        "listening": one["listening"],
        "reason": _HIDDEN if not processes.is_root() else _HIDDEN_FROM_ROOT if hidden else _ELSEWHERE,
    }


def _holder(process, what, port, services, containers, limits):
    group = processes.cgroup_of(process["pid"])
    container, trouble = containers.of(process, group["container_id"], port, what["addresses"])
    if trouble:
        limits.append(f"port {port} is held by {process['program']} (pid {process['pid']}), {trouble}")
    service, trouble = service_of(process, group["unit"], container, services)
    if trouble:
        limits.append(f"port {port} is held by {process['program']} (pid {process['pid']}), {trouble}")
    why_not_end = processes.why_not_end(process)
    return dict(
        process,
        description=description(process, group["unit"], why_not_end),
        ancestors=processes.ancestors(process["pid"]),
        unit=group["unit"],
        container=container,
        service=service,
        addresses=sorted(what["addresses"]),
        listening=what["listening"],
        why_not_end=why_not_end,
    )


def description(process, unit, why_not_end):
    """One line that names a process exactly."""
    import time

    started = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(process["started_at_seconds"]))
    line = f"pid {process['pid']} of user {process['user']}, started {started}: {process['command']}"
    line += f" (unit {unit})" if unit else ""
    return line + (f"; not to be ended: {why_not_end}" if why_not_end else "")
