# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cache that is full, switched off or emptied all the time, while Redis runs."""

from __future__ import annotations

from lab.compose.target import Fault, Target
from lab.layout import LabError
from lab.rights import right


def _fill(target: Target) -> None:
    target.redis("SET", "filler", "x" * 4_000_000)
    target.redis("CONFIG", "SET", "maxmemory-policy", "noeviction")
    target.redis("CONFIG", "SET", "maxmemory", "3mb")


def _full(target: Target) -> tuple[bool, str]:
    try:
        target.redis("SET", "filler-2", "x")
    except LabError as error:
        return "used memory > 'maxmemory'" in str(error), str(error)
    return False, "Redis still takes writes"


def _switched_off(target: Target) -> tuple[bool, str]:
    enabled = target.metric("app_cache_enabled")
    return enabled == 0, f"app_cache_enabled is {enabled}"


def _storm(target: Target) -> None:
    # Fewer than the invalidations: hardly anybody finds what the one before has asked for.
    target.load(10, "/customers")
    target.begin("invalidations?per_second=20")


def _storms(target: Target) -> tuple[bool, str]:
    counted = target.metric("app_cache_invalidations_total")
    return (counted or 0) > 20, f"{counted} invalidations"


FAULTS = {
    "redis_full": Fault(
        "Redis is full, and its policy is to refuse writes",
        _fill,
        _full,
        lambda target: target.redis("FLUSHALL"),
        rights={
            "cache": right("out_of_memory", also="unreachable_from_app low_hit_rate"),
            "resource_usage": right("redis_full"),
        },
    ),
    "cache_disabled": Fault(
        "the API has its cache switched off, while Redis is fine",
        lambda target: target.begin("cache_off"),
        _switched_off,
        rights={"cache": right("disabled_in_app", also="low_hit_rate")},
    ),
    "invalidation_storm": Fault(
        "a sync empties the API's cache twenty times a second",
        _storm,
        _storms,
        rights={"cache": right("invalidation_storm", also="low_hit_rate")},
    ),
}
