# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two faults of the lab in containers that can be there at once: neither takes away what the other is seen by."""

from __future__ import annotations

from ..rights import Pair

PAIRS = (
    Pair("worker_stopped", "redis_stopped"),
    Pair("db_stopped", "redis_stopped"),
    Pair("api_stopped", "redis_stopped"),
    Pair("redis_full", "mail_key_revoked"),
    Pair("proposal_events_lost", "payment_events_undelivered"),
    Pair("payment_events_undelivered", "redis_stopped"),
    Pair("mail_key_revoked", "disk_full_of_rotated_logs"),
    Pair("disk_full_of_rotated_logs", "redis_stopped"),
    Pair("disk_full_of_data", "queue_worker_lost"),
    Pair("queue_worker_lost", "cache_disabled"),
    Pair("latency_locked", "redis_stopped"),
    Pair("provider_down", "redis_stopped"),
    Pair("route_errors", "redis_stopped"),
    Pair("route_errors", "queue_worker_hangs"),
    Pair("memory_plateau", "redis_stopped"),
    Pair("port_taken", "worker_stopped"),
    Pair("bad_deployment", "queue_worker_lost"),
    Pair("crash_missing_variable", "redis_stopped"),
    Pair("breaker_waits", "worker_stopped"),
)
