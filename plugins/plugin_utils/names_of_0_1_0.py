# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands now for the private names that tables had in 0.1.0: causes of inventories may use those for one version more.

A name that is not here lost its prefix ``__<runbook>_`` and nothing else. This file ends with version 0.3.0.
"""

from __future__ import annotations

NOW: dict[str, dict[str, str]] = {
    "cache": {"service": "server_service"},
    "db_down": {"service": "server"},
    "latency": {"service": "application"},
    "port_conflict": {
        "began": "'inf' | float if seen_service.state != 'running' else seen_service.started_at_seconds - 2 if seen_service.pid else 0",
        "containers_targets": "containers | oncall.runbooks.picked(['id', 'name']) | map('combine', what)",
        "old_targets": "old | oncall.runbooks.picked(identity) | map('combine', what) if not old | selectattr('why_not_end') else []",
        "service": "seen_service",
        "strangers_targets": "strangers | oncall.runbooks.picked(identity) | map('combine', what) if not strangers | selectattr('why_not_end') else []",
    },
    "resource_usage": {
        "all": "service.services | dict2items(key_name='service', value_name='told')",
        "below": "limits | map(attribute='service') | difference(at_the_top)",
        "redis": "redis_memory",
    },
}
