# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ports of loopback that nobody else is given."""

from __future__ import annotations

import random
import socket

from .layout import LabError, Layout

# Both for as long as this process lives. Bound and not listening: a server that allows it (SO_REUSEADDR, which all do) can
# have the port, and neither another process that asks for any port nor an outgoing connection is given it meanwhile.
_HELD: list[socket.socket] = []
# Labs that start at the same moment would find the same ports free: until something listens, a name says who has one.
_NAMED: list[socket.socket] = []


def free_port() -> int:
    """A port at which nothing listens, for something that runs no longer than this process."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    _HELD.append(held)
    port: int = held.getsockname()[1]
    return port


def choose_ports(layout: Layout, names: tuple[str, ...]) -> None:
    """Choose the ports of a lab: those of last time, and others for those that somebody else took."""
    record = layout.record()
    ports = record["ports"]
    for name in names:
        taken = set(ports.values()) - {ports.get(name)}
        if name not in ports or ports[name] in taken or not _free(ports[name]):
            ports[name] = _free_port(taken)
    layout.save(record)


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _free_port(taken: set[int]) -> int:
    # Below the range outgoing connections get theirs from: otherwise a client that retries while the server
    # restarts can be given the server's port and connect to itself.
    for port in random.sample(range(20000, 32000), 500):
        if port not in taken and _free(port) and _named(port):
            return port
    raise LabError("no free port between 20000 and 32000 on 127.0.0.1")


def _named(port: int) -> bool:
    """Whether no other process has just chosen this one."""
    name = socket.socket(socket.AF_UNIX)
    try:
        # Of the abstract kind: it is gone when this process is.
        name.bind(f"\0oncall-lab-port-{port}")
    except OSError:
        name.close()
        return False
    _NAMED.append(name)
    return True
