# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of everything that looks at filesystems or makes room on them."""

from __future__ import annotations

_RULE = r"""
      path:
        description: The folder. No part of it may be a symbolic link, and it must not belong to a container engine.
        type: path
        required: true
      patterns:
        description: Patterns of file names, such as C(labpics-*.dump). C(*) alone is refused.
        type: list
        elements: str
        required: true
      older_than_days:
        description: Younger files stay.
        type: float
        required: true
"""

ROTATED_LOGS = (
    r"""
  rotated_logs:
    description: Folders with rotated logs, searched with all below them, and which of the files there may go.
    type: list
    elements: dict
    default: []
    suboptions:
"""
    + _RULE
)

BACKUPS = (
    r"""
  backups:
    description:
      - Folders with backups, without what is below them, and which of the files there have expired.
      - A file of less than half of the usual size was cut short. It does not count as one of the newest, so that the last good
        ones stay.
    type: list
    elements: dict
    default: []
    suboptions:
"""
    + _RULE
    + r"""
      keep:
        description: How many of the newest stay, whatever their age.
        type: int
        required: true
"""
)

DOCKER_HOST = r"""
  docker_host:
    description: Where the Docker engine listens, as in C(DOCKER_HOST). Empty for the usual place.
    type: str
    default: ""
"""

OPTIONS = (
    r"""
  paths:
    description:
      - Only the filesystems that hold these paths are looked at. By default all, without the kernel's own, those inside containers
        and images that are full by nature.
    type: list
    elements: path
    default: []
  used_ratio:
    description: A filesystem is full from this share of its bytes on, counted as C(df) does.
    type: float
    default: 0.85
  inodes_ratio:
    description: A filesystem is full from this share of its inodes on.
    type: float
    default: 0.85
  target_ratio:
    description: Below this share of bytes and inodes there is room enough; it says how much is in excess.
    type: float
    default: 0.8
"""
    + ROTATED_LOGS
    + BACKUPS
    + DOCKER_HOST
    + r"""
  image_hours:
    description: Images without a name that are younger may belong to a build that goes on, and are not listed.
    type: float
    default: 24
  timeout_seconds:
    description: Time for the whole answer. What could not be seen in it is said.
    type: float
    default: 10
"""
)


class ModuleDocFragment:
    DOCUMENTATION: str = "options:" + OPTIONS
    FILES: str = "options:" + ROTATED_LOGS + BACKUPS + DOCKER_HOST
