#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which processes hold TCP ports."""

from __future__ import annotations

DOCUMENTATION = r"""
module: port_info
version_added: 0.1.0
short_description: Tell which processes hold TCP ports
description:
  - Reads C(/proc) of a Linux host and, for ports that a container publishes, asks the Docker Engine. It opens no connection
    and binds nothing.
  - What listens in another network namespace does not hold a port of this one. A port that a container publishes is held
    by the engine's proxy, and returned as the container's.
  - Processes of other users are seen by root only. A port whose owner cannot be seen is V(held) by a holder without a
    C(pid), and RV(complete) is false.
author: oncall.runbooks maintainers (@oncall-runbooks)
extends_documentation_fragment:
  - oncall.runbooks.observer
  - oncall.runbooks.port
"""

EXAMPLES = r"""
- name: See who holds the port of the API
  oncall.runbooks.port_info:
    ports:
      api: {port: 8080}
      admin: {port: 9000, address: 127.0.0.1}
  become: true
  register: result

- name: Name them
  ansible.builtin.debug:
    msg: "{{ result.ports.api.holders | map(attribute='command') | join(', ') }}"
"""

RETURN = r"""
available:
  description: Whether it could look at all.
  returned: always
  type: bool
reason:
  description: Why it could not, in one line.
  returned: when available is false
  type: str
complete:
  description: Whether every holder could be named. Where not, RV(limits) says why.
  returned: when available
  type: bool
limits:
  description: What could not be seen, in lines.
  returned: when available
  type: list
  elements: str
ports:
  description: What was found, by the names in O(ports).
  returned: when available
  type: dict
  contains:
    port:
      description: The port.
      type: int
    address:
      description: The address that counts; empty for any.
      type: str
    state:
      description: V(held) where a socket is in the way, otherwise V(free).
      type: str
      sample: held
    holders:
      description: The processes that have it open, and sockets whose process cannot be seen.
      type: list
      elements: dict
      contains:
        pid:
          description: The process; null where it cannot be seen. Then only C(uid), C(user), C(addresses), C(listening) and
            a C(reason) follow.
          type: int
        ppid:
          description: Its parent.
          type: int
        ancestors:
          description: All processes above it, its parent first.
          type: list
          elements: int
        program:
          description: Its short name, as the kernel keeps it.
          type: str
          sample: python3
        command:
          description: Program and arguments, with what looks like a secret masked.
          type: str
          sample: python3 -m http.server 8080
        description:
          description: All of this that names it to a person, in one line.
          type: str
        user:
          description: The user it runs as.
          type: str
        uid:
          description: The number of that user.
          type: int
        start_ticks:
          description: When it started, in clock ticks since boot. With the pid it names this very process.
          type: int
        started_at_seconds:
          description: When it started, in seconds since 1970.
          type: int
        is_kernel_thread:
          description: Whether it is part of the kernel.
          type: bool
        unit:
          description: The systemd unit it runs in.
          type: str
          sample: nginx.service
        container:
          description: The container it runs in, or in whose place it listens, with C(id), C(name), C(labels),
            C(published), and C(published_on), the address and the port of each.
          type: dict
        service:
          description: The service of O(services) that it was started as.
          type: str
        addresses:
          description: The addresses it has the port open on.
          type: list
          elements: str
        listening:
          description: Whether it listens. If not, it has a connection whose own end is this port, or bound it.
          type: bool
        why_not_end:
          description: Why M(oncall.runbooks.process_end) would not end it; empty where it would.
          type: str
"""

from ..module_utils.observer_module import run
from ..module_utils.observers import port


def main():
    """Run the module."""
    run(port)


if __name__ == "__main__":
    main()
