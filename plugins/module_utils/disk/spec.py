# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files may go, the same for who lists them and for who removes them."""

from __future__ import annotations

_EXPIRED_FILES = {
    "path": {"type": "path", "required": True},
    "patterns": {"type": "list", "elements": "str", "required": True},
    "older_than_days": {"type": "float", "required": True},
}

FILES_TO_RECLAIM = {
    "rotated_logs": {"type": "list", "elements": "dict", "default": [], "options": _EXPIRED_FILES},
    "backups": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": dict(_EXPIRED_FILES, keep={"type": "int", "required": True}),
    },
    "docker_host": {"type": "str", "default": ""},
}
