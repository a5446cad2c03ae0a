# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ports of a lab on loopback: chosen once, and others where somebody else took them."""

from __future__ import annotations

import os
import random
import socket

from .layout import LabError, Layout


def choose_ports(layout: Layout, names: tuple[str, ...]) -> None:
    """Keep the ports of last time; choose others for those that somebody else took."""
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
    # Labs that start at the same moment look in different places: until something listens, each would find the same free.
    own = 20000 + os.getpid() % 40 * 300
    for port in (*random.sample(range(own, own + 300), 300), *random.sample(range(20000, 32000), 500)):
        if port not in taken and _free(port):
            return port
    raise LabError("no free port between 20000 and 32000 on 127.0.0.1")
