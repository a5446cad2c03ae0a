# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TCP sockets of this network namespace and the processes that have them open, from /proc."""

from __future__ import annotations

import os

_LISTEN = "0A"


def sockets_on(ports):
    """The sockets whose local port is one of ``ports``.

    Returns:
        A list of dicts ``port``, ``address`` (``0.0.0.0``, ``::1``), ``listening``, ``uid`` and ``inode`` (0 where no
        process has it any more).

    Raises:
        OSError: /proc/net/tcp cannot be read.
    """
    found = _read_table("/proc/net/tcp", ports)
    try:
        return found + _read_table("/proc/net/tcp6", ports)
    except FileNotFoundError:
        return found  # a kernel without IPv6


def _read_table(path, ports):
    with open(path, encoding="ascii", errors="replace") as file:
        next(file, None)
        return list(parse_table(file, ports))


def parse_table(lines, ports):
    """The sockets of :func:`sockets_on` in lines of /proc/net/tcp or tcp6 (without the heading)."""
    wanted = {f"{port:04X}": port for port in ports}
    for line in lines:
        fields = line.split(None, 10)
        if len(fields) < 10:
            continue
        address, _colon, port = fields[1].rpartition(":")
        if port in wanted:
            yield {
                "port": wanted[port],
                "address": parse_address(address),
                "listening": fields[3] == _LISTEN,
                "uid": int(fields[7]),
                "inode": int(fields[9]),
            }


def parse_address(text):
    """An address of /proc/net/tcp: hexadecimal words of 32 bits, each in the byte order of the machine."""
    import ipaddress
    import sys

    words = [int(text[start : start + 8], 16).to_bytes(4, sys.byteorder) for start in range(0, len(text), 8)]
    address = ipaddress.ip_address(b"".join(words))
    return str(getattr(address, "ipv4_mapped", None) or address)


def are_in_the_way(address, other):
    """Whether a socket on ``address`` keeps another from being bound to ``other`` ("" stands for any address).

    ``::`` counts for IPv4 as well: whether a socket has switched that off does not show.
    """
    if not other or "::" in (address, other):
        return True
    if "0.0.0.0" in (address, other):  # noqa: S104  compared, not bound
        return ":" not in address + other
    return address == other


def owners_of(inodes, deadline, pids=None):
    """The processes that have sockets open.

    Args:
        inodes: of the sockets.
        deadline: a ``Deadline``.
        pids: the processes to look into; all of them where not given.

    Returns:
        A pair: inode -> set of pids, and how many processes could not be looked into.

    Raises:
        DeadlineExceeded: there are too many processes for the time given.
    """
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    owners, hidden = {inode: set() for inode in inodes}, 0
    if not wanted:
        return owners, hidden
    for pid in [int(name) for name in os.listdir("/proc") if name.isdigit()] if pids is None else pids:  # noqa: PTH208
        deadline.remaining_seconds()
        folder = f"/proc/{pid}/fd/"
        try:
            for descriptor in os.listdir(folder):  # noqa: PTH208
                inode = wanted.get(_target(folder + descriptor))
                if inode is not None:
                    owners[inode].add(pid)
        except PermissionError:
            hidden += 1
        except OSError:
            continue  # it ended meanwhile
    return owners, hidden


def _target(path):
    try:
        return os.readlink(path)
    except PermissionError:
        raise
    except OSError:
        return None  # closed meanwhile
