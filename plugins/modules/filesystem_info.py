#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How full filesystems are, and what fills them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: filesystem_info
version_added: 0.1.0
short_description: Look at how full filesystems are and what fills them
description:
  - Bytes and inodes of every real filesystem. A filesystem that hangs, as that of a lost NFS server, holds up no other.
  - Only where one is full it also looks at what fills it, which costs up to O(timeout_seconds).
  - It always runs on the managed host, as root to see everything; what it could not see is in RV(limits).
author: oncall.runbooks maintainers (@oncall-runbooks)
extends_documentation_fragment:
  - oncall.runbooks.observer
  - oncall.runbooks.filesystem
"""

EXAMPLES = r"""
- name: What fills the disk
  oncall.runbooks.filesystem_info:
    paths: [/, /var/lib/docker]
    rotated_logs:
      - {path: /var/log, patterns: ["*.gz", "*.1"], older_than_days: 7}
  become: true
  register: disks
"""

RETURN = r"""
available:
  description: Whether filesystems can be looked at here at all.
  type: bool
  returned: always
reason:
  description: Why not, in one line.
  type: str
  returned: when not available
complete:
  description: Whether every filesystem, or every one in O(paths), could be looked at.
  type: bool
  returned: when available
limits:
  description: What could not be seen, one line each.
  type: list
  elements: str
  returned: when available
filesystems:
  description:
    - Each is C(mount), C(type), C(source), C(device), C(total_bytes), C(used_bytes), C(available_bytes), C(used_ratio), C(inodes),
      C(inodes_used) and C(inodes_used_ratio) (null where it counts none). What only root may use counts as neither used nor available.
    - C(full) lists C(bytes) and C(inodes), whichever is used up; C(excess_bytes) and C(excess_inodes) is what has to go to come
      down to O(target_ratio). C(unexpected_read_only) where it is read-only and C(/etc/fstab) says otherwise.
  type: list
  elements: dict
  returned: when available
not_looked_at:
  description: Those that could not be looked at, each C(mount) and C(reason).
  type: list
  elements: dict
  returned: when available
use:
  description: What fills the full filesystems. Everything in it names the C(mount) it is on.
  type: dict
  returned: when one is full
  contains:
    largest:
      description:
        - For each full filesystem the folders with the most C(bytes) and C(entries), with all below them, but without those that
          stand for one below them. C(complete) is false where time ran out; C(denied) folders could not be read.
      type: list
      elements: dict
    deleted_open:
      description:
        - C(files) that are deleted and still open, each C(path), C(bytes), C(pid), C(program) and C(ancestors) (process ids), and whether
          all processes could be seen (C(complete)).
      type: dict
    postgres:
      description:
        - C(servers) whose write-ahead log is there, in containers too, each C(pid), C(data_directory), C(system_identifier) and
          C(bytes) of that log, and whether all could be seen (C(complete)).
      type: dict
    docker:
      description:
        - C(logs) of containers (C(container), C(name), C(path), C(bytes)), C(images) without a name that no container uses, C(build_cache)
          and the largest C(volumes); or C(available=false), and C(absent) where there is no engine.
      type: dict
    journal:
      description: C(folders) of the systemd journal with their C(bytes).
      type: dict
    rotated_logs:
      description:
        - C(files) that O(rotated_logs) lets go, at most 1000, with C(bytes) and C(count) of all of them. A file is C(path), C(device),
          C(inode), C(modified) and C(bytes), as M(oncall.runbooks.disk_reclaim) takes it.
      type: dict
    backups:
      description: The same for O(backups).
      type: dict
"""

from ..module_utils.observer_module import run
from ..module_utils.observers import filesystem


def main():
    """Run the module."""
    run(filesystem)


if __name__ == "__main__":
    main()
