# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes and inodes, and what takes them."""

from __future__ import annotations

from ..disk.spec import FILES_TO_RECLAIM

SPEC = dict(
    {
        "paths": {"type": "list", "elements": "path", "default": []},
        "used_ratio": {"type": "float", "default": 0.85},
        "inodes_ratio": {"type": "float", "default": 0.85},
        "target_ratio": {"type": "float", "default": 0.8},
        "image_hours": {"type": "float", "default": 24.0},
        "timeout_seconds": {"type": "float", "default": 10.0},
    },
    **FILES_TO_RECLAIM,
)


def needs_host(params):
    """Always: it walks through the folders there."""
    return True


def load():
    """The function that observes."""
    from ..disk.filesystems import observe

    return observe
