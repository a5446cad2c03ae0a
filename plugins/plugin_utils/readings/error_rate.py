# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The answers to users, and the errors among them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..judge import CannotTell
from ..users import CHECKS, checks_of, of_users


def not_users(
    error_rate_endpoints: Mapping[str, Any], error_rate_service: str, system_services: Mapping[str, Any]
) -> list[str]:
    """The routes that nobody but a scrape or a health check asks."""
    return checks_of(error_rate_endpoints, system_services.get(error_rate_service, {}))


def not_users_pattern() -> str:
    """What such routes are usually called."""
    return CHECKS


def answers_of_users(value: Mapping[str, Any], not_users: list[str], not_users_pattern: str) -> dict[str, float]:
    """The answers by route."""
    return of_users(value["answers_by_route"], not_users, not_users_pattern)


def errors_by_route(value: Mapping[str, Any], not_users: list[str], not_users_pattern: str) -> dict[str, float]:
    """The errors among them by route."""
    if "errors_by_route" not in value:
        raise CannotTell("the errors cannot be told apart by route", said=True, undefined=True)
    return of_users(value["errors_by_route"], not_users, not_users_pattern)
