# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs that are started at their time, and when each was."""

from __future__ import annotations

from ..postgres.spec import DATABASE

SPEC = {
    "schedules": {"type": "dict", "required": True},
    "database": dict(DATABASE, required=False),
    "grace_seconds": {"type": "float", "default": 300.0},
    "lately_seconds": {"type": "float", "default": 3600.0},
    "timeout_seconds": {"type": "float", "default": 5.0},
}


def needs_host(params):
    """Where a database is asked in its container, which is on the managed host."""
    stores = [params.get("database")]
    stores += [one.get("database") for one in params["schedules"].values() if isinstance(one, dict)]
    return any(isinstance(store, dict) and store.get("transport") == "docker" for store in stores)


def load():
    """The function that observes. When a job is due is worked out on the controller: see ``plugin_utils/finishing``."""
    from ..schedules.look import observe

    return observe
