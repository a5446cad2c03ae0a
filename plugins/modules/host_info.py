#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at what a host has left."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_info
version_added: 0.1.0
short_description: Look at what a host has left
description:
  - Memory, swap, load and the use of the processors over a window, the largest processes, and the processes that the kernel
    killed for want of memory.
  - Read from C(/proc) and the kernel's log, so that it works on Linux only. It always runs on the managed host.
author: oncall.runbooks maintainers (@oncall-runbooks)
extends_documentation_fragment:
  - oncall.runbooks.observer
  - oncall.runbooks.host
"""

EXAMPLES = r"""
- name: Who takes the memory of this host
  oncall.runbooks.host_info:
    window_seconds: 5
    top_processes: 10
  register: host
"""

RETURN = r"""
available:
  description: Whether the host could be measured. If not, only RV(reason) comes with it.
  type: bool
  returned: always
reason:
  description: Why it did not, in one line.
  type: str
  returned: when not available
memory_total_bytes:
  description: Its memory.
  type: int
  returned: when available
memory_available_bytes:
  description: What can be taken without swapping, as the kernel estimates it.
  type: int
  returned: when available
memory_used_ratio:
  description: The share of its memory that is not available.
  type: float
  returned: when available
swap_total_bytes:
  description: Its swap.
  type: int
  returned: when available
swap_free_bytes:
  description: Swap that is not used.
  type: int
  returned: when available
cores:
  description: Its processors.
  type: int
  returned: when available
load_1_minute:
  description: Processes that run or wait, on average over a minute.
  type: float
  returned: when available
cpu_ratio:
  description: The share of all processors' time that was used in the window. Null without one.
  type: float
  returned: when available
top_processes:
  description:
    - The processes with the most resident memory, each with C(pid), C(command) (without arguments that can be secret),
      C(rss_bytes) and C(cpu_seconds). Null where none were asked for.
  type: list
  elements: dict
  returned: when available
oom_kills:
  description:
    - The last 20 processes that the kernel killed for want of memory, each with C(at_seconds) (since 1970, some seconds off),
      C(task) and C(pid). Null where the kernel's log may not be read.
  type: list
  elements: dict
  returned: when available
"""

from ..module_utils.observer_module import run
from ..module_utils.observers import host


def main():
    """Run the module."""
    run(host)


if __name__ == "__main__":
    main()
