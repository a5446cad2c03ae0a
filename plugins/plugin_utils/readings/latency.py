# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The requests of users."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..users import CHECKS, checks_of, of_users


def not_users(
    latency_endpoints: Mapping[str, Any], latency_service: str, system_services: Mapping[str, Any]
) -> list[str]:
    """The routes that nobody but a scrape or a health check asks."""
    return checks_of(latency_endpoints, system_services.get(latency_service, {}))


def not_users_pattern() -> str:
    """What such routes are usually called."""
    return CHECKS


def requests_of_users(value: Mapping[str, Any], not_users: list[str], not_users_pattern: str) -> dict[str, float]:
    """The requests by route."""
    return of_users(value["requests"], not_users, not_users_pattern)
