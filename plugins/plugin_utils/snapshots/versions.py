# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions of what was looked at, and of what looked."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from ansible.release import __version__ as ansible_core

_COLLECTION = Path(__file__).parents[3]


@cache
def collection() -> str:
    """The version of this collection, as it is installed or in a checkout; "" where nothing says it."""
    try:
        manifest = json.loads((_COLLECTION / "MANIFEST.json").read_text(encoding="utf-8"))
        return str(manifest["collection_info"]["version"])
    except (OSError, ValueError, KeyError):
        pass
    try:
        return str(yaml.safe_load((_COLLECTION / "galaxy.yml").read_text(encoding="utf-8"))["version"])
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        return ""


def versions(data: Mapping[str, Any]) -> dict[str, str]:
    """By the name of each thing.

    Args:
        data: what each look told, by ``part.name``.
    """
    found = {
        "oncall.runbooks": collection(),
        "ansible-core": ansible_core,
        "Python of the controller": platform.python_version(),
    }
    host = data.get("host.platform") or {}
    for name, key in (("system", "system"), ("kernel", "kernel"), ("Python of the host", "python")):
        found[name] = str(host.get(key) or "")
    found["PostgreSQL"] = str((data.get("database.size") or {}).get("version") or "")
    found["Redis"] = str((data.get("redis.server") or {}).get("version") or "")
    return {name: version for name, version in found.items() if version}
