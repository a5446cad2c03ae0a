# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands now for the private names that tables had in 0.1.0: causes of inventories may use those for one version more.

A name that is not here lost its prefix ``__<runbook>_`` and nothing else. Runbooks that are not here came later. This file ends with version 0.3.0.
"""

from __future__ import annotations

from ..filter.of_users import CHECKS

_NOT_USERS = (
    "({0}_endpoints.values() | list + [(system_services[{0}_service] | default({{}})).health_url | default('')])"
    " | select | map('ansible.builtin.urlsplit', 'path') | reject('in', ['', '/'])"
)

NOW: dict[str, dict[str, str]] = {
    "api_down": {
        "image_broken": "'(?i)no such image|pull access denied|manifest.*(unknown|not found)|failed to (build|solve)|exec format error"
        "|executable file not found'",
    },
    "cache": {"service": "server_service"},
    "db_pool": {
        "growth": "(db_pool_raise_to - size) * replicas",
        "leaked_sessions": "database.idle | oncall.runbooks.sessions_of(leaks)",
        "prepared_blocking": "prepared.transactions | selectattr('blocks', 'ge', 1)",
    },
    "disk_full": {
        "drop": """ "SELECT pg_drop_replication_slot('{name}');" """,
        "slot_commands": """stuck_slots | oncall.runbooks.described("SELECT pg_drop_replication_slot('{name}');")""",
    },
    "crash_loop": {
        "dependency_advice": "(['Run the runbook db_down first.'] if database_is_missing else [])"
        " + (['Run the runbook cache first.'] if redis_is_missing else [])"
        " + ['It is not restarted for this: it would only end again. It comes up by itself when '"
        " ~ worst.unmet_services | join(' and ') ~ ' is there.']",
        "in_words": "worst.service ~ ' is ' ~ worst.state",
        "name": "worst.service",
        "others": "found.looping[1:] | map(attribute='service')",
    },
    "db_down": {
        "access": "postgres_access",
        "barred": "postgres_access.barred",
        "connections_in_words": "database.connections.used ~ ' of ' ~ database.connections.usable ~ ' usable connections are taken'"
        " if database.available else database.reason",
        "service": "server",
    },
    "error_rate": {
        "in_progress_asked": "{'counts': true, 'family': error_rate_in_progress}",
        "not_users": _NOT_USERS.format("error_rate"),
        "not_users_pattern": f"'{CHECKS}'",
        "pool_asked": "{'counts': true, 'family': error_rate_pool_waiting}",
        "provider_counter": "{'measure': 'increase', 'family': error_rate_provider_errors, 'by': [error_rate_provider_label]}",
    },
    "latency": {
        "not_users": _NOT_USERS.format("latency"),
        "not_users_pattern": f"'{CHECKS}'",
        "pool_asked": "{'counts': true, 'family': latency_pool_waiting} if latency_pool_waiting else ''",
        "service": "application",
    },
    "port_conflict": {
        "began": "'inf' | float if seen_service.state != 'running' else seen_service.started_at_seconds - 2 if seen_service.pid else 0",
        "containers_targets": "containers | oncall.runbooks.picked(['id', 'name']) | map('combine', what)",
        "in_use": "'(?i)address (is )?already in use|EADDRINUSE|port is already allocated'",
        "matters": "(is_process or seen_service.state != 'running') and not current",
        "old_targets": "old | oncall.runbooks.picked(identity) | map('combine', what) if not old | selectattr('why_not_end') else []",
        "service": "seen_service",
        "strangers_targets": "strangers | oncall.runbooks.picked(identity) | map('combine', what) if not strangers | selectattr('why_not_end') else []",
    },
    "resource_usage": {
        "all": "service.services | dict2items(key_name='service', value_name='told')",
        "below": "limits | map(attribute='service') | difference(at_the_top)",
        "growth_known": "not full | selectattr('growth', 'equalto', 'unknown')",
        "leak_known": "not half_full | selectattr('growth', 'equalto', 'unknown')",
        "redis": "redis_memory",
        "slow_lines": "(lines | select('search', slow) | list)[-10:]",
    },
    "rollback": {},
}
