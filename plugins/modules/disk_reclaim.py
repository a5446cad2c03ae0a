#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make room on a full filesystem."""

from __future__ import annotations

DOCUMENTATION = r"""
module: disk_reclaim
version_added: 0.1.0
short_description: Make room on a full filesystem, as little as it takes
description:
  - Reclaims one kind of thing, one by one, and stops as soon as the filesystem it is on is below O(target_ratio).
  - Everything is looked at again before it is touched. What is not what it was, what a process or container uses, and what no rule
    lets go any more stays. Symbolic links are followed nowhere. Volumes and databases are never touched.
author: oncall.runbooks maintainers (@oncall-runbooks)
extends_documentation_fragment:
  - oncall.runbooks.filesystem.files
attributes:
  check_mode:
    description: Says exactly what would go, how many bytes that is, and where it would stop.
    support: full
  diff_mode:
    description: Lists what goes.
    support: full
options:
  container_logs:
    description:
      - Logs of containers with the json-file driver, as M(oncall.runbooks.filesystem_info) lists them. They are emptied in place but for
        their last lines, while the container goes on writing. A line written in that very moment can be lost, or come before them.
    type: list
    elements: dict
    suboptions:
      container:
        description: Id of the container.
        type: str
        required: true
      name:
        description: Its name, for a person who reads the plan.
        type: str
      path:
        description: Its log, as the engine tells it.
        type: path
        required: true
      device:
        description: Device the log was on when it was looked at.
        type: int
        required: true
      inode:
        description: Its inode then.
        type: int
        required: true
  min_log_bytes:
    description: A log that is smaller by now stays.
    type: int
    default: 104857600
  keep_log_bytes:
    description: So much of the end of each log stays, in whole lines.
    type: int
    default: 1048576
  files:
    description: Files, of M(oncall.runbooks.filesystem_info), that O(rotated_logs) or O(backups) have to let go still.
    type: list
    elements: dict
    suboptions:
      path:
        description: The file.
        type: path
        required: true
      device:
        description: Its device when it was looked at.
        type: int
        required: true
      inode:
        description: Its inode then.
        type: int
        required: true
      modified:
        description: When it was written last, in nanoseconds since 1970.
        type: str
        required: true
      bytes:
        description: What it took then.
        type: int
        required: true
  images:
    description: Ids of images that have no tag and no digest, and that no container uses.
    type: list
    elements: str
  build_cache:
    description: Whether to empty the build cache of the engine, but for what a build uses.
    type: bool
  journal_bytes:
    description: The size in bytes to which the systemd journal is vacuumed. Only archived files go.
    type: int
  target_ratio:
    description: Share of bytes, and of inodes, below which a filesystem has room enough. Nothing more goes from there on.
    type: float
    default: 0.8
  inodes_ratio:
    description: Inodes are a reason to delete files only where at least this share of them was used at the start.
    type: float
    default: 0.85
  timeout_seconds:
    description: Time for all of it.
    type: float
    default: 120
"""

EXAMPLES = r"""
- name: Delete what has expired, as long as the disk is too full
  oncall.runbooks.disk_reclaim:
    files: "{{ disks.use.rotated_logs.files | oncall.runbooks.picked(['path', 'device', 'inode', 'modified', 'bytes']) }}"
    rotated_logs:
      - {path: /var/log, patterns: ["*.gz", "*.1"], older_than_days: 7}
    target_ratio: 0.8
  become: true
"""

RETURN = r"""
reclaimed:
  description: What went, or would go in check mode, each C(what) and C(bytes).
  type: list
  elements: dict
  returned: always
left_alone:
  description: What was left alone, each C(what) and C(why).
  type: list
  elements: dict
  returned: always
freed_bytes:
  description: The sum of what went.
  type: int
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.deadline import DeadlineExceeded
from ..module_utils.disk.reclaim import Reclaim
from ..module_utils.disk.spec import FILES_TO_RECLAIM
from ..module_utils.docker.engine import EngineError

KINDS = ("container_logs", "files", "images", "build_cache", "journal_bytes")
_IDENTITY = {
    "path": {"type": "path", "required": True},
    "device": {"type": "int", "required": True},
    "inode": {"type": "int", "required": True},
}
ARGUMENT_SPEC = dict(
    {
        "container_logs": {
            "type": "list",
            "elements": "dict",
            "options": dict(_IDENTITY, container={"type": "str", "required": True}, name={"type": "str"}),
        },
        "min_log_bytes": {"type": "int", "default": 104857600},
        "keep_log_bytes": {"type": "int", "default": 1048576},
        "files": {
            "type": "list",
            "elements": "dict",
            "options": dict(
                _IDENTITY,
                modified={"type": "str", "required": True},
                bytes={"type": "int", "required": True},
            ),
        },
        "images": {"type": "list", "elements": "str"},
        "build_cache": {"type": "bool"},
        "journal_bytes": {"type": "int"},
        "target_ratio": {"type": "float", "default": 0.8},
        "inodes_ratio": {"type": "float", "default": 0.85},
        "timeout_seconds": {"type": "float", "default": 120},
    },
    **FILES_TO_RECLAIM,
)


def main():
    module = AnsibleModule(
        argument_spec=ARGUMENT_SPEC,
        mutually_exclusive=[KINDS],
        required_one_of=[KINDS],
        supports_check_mode=True,
    )
    reclaim = Reclaim(module.params, module.check_mode)
    (kind,) = [kind for kind in KINDS if module.params[kind] is not None]
    try:
        getattr(reclaim, kind.replace("_bytes", ""))()
    except (EngineError, DeadlineExceeded, ValueError) as error:
        reclaim.errors.append(str(error))
    result = {
        "reclaimed": reclaim.reclaimed,
        "left_alone": reclaim.left_alone,
        "freed_bytes": sum(one["bytes"] for one in reclaim.reclaimed),
    }
    changed = bool(reclaim.reclaimed)
    if reclaim.errors:
        module.fail_json(msg="; ".join(reclaim.errors[:3]), changed=changed, **result)
    lines = "".join("{what}: {bytes} bytes\n".format(**one) for one in reclaim.reclaimed)
    module.exit_json(changed=changed, diff={"before": lines, "after": ""}, **result)


if __name__ == "__main__":
    main()
