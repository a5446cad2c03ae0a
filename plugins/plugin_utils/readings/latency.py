# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The requests of users."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..users import of_users

Named = Mapping[str, Any]


def requests_of_users(
    value: Named, latency_endpoints: Named, latency_service: str, system_services: Named
) -> dict[str, float]:
    """The requests by route."""
    return of_users(value["requests"], latency_endpoints, system_services.get(latency_service, {}))
