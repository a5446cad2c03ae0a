# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The answers to users, and the errors among them, by route."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..judge import CannotTell
from ..users import of_users

Named = Mapping[str, Any]


def answers_of_users(
    value: Named, error_rate_endpoints: Named, error_rate_service: str, system_services: Named
) -> dict[str, float]:
    return of_users(value["answers_by_route"], error_rate_endpoints, system_services.get(error_rate_service, {}))


def errors_by_route(
    value: Named, error_rate_endpoints: Named, error_rate_service: str, system_services: Named
) -> dict[str, float]:
    if "errors_by_route" not in value:
        raise CannotTell("the errors cannot be told apart by route", said=True, undefined=True)
    return of_users(value["errors_by_route"], error_rate_endpoints, system_services.get(error_rate_service, {}))
