# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The requests of users among all requests: scrapes and health checks are answered while every user waits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

CHECKS = "([A-Z]+ )?(/?metrics|(/?api)?(/v[0-9]+)?/?(health|healthz|healthcheck|livez|readyz)(/[a-z]+)?)/?$"


def checks_of(endpoints: Mapping[str, Any], service: Mapping[str, Any]) -> list[str]:
    """The routes that these runbooks and the health check of the service ask themselves."""
    urls = [*endpoints.values(), service.get("health_url")]
    paths = [urlsplit(url).path for url in urls if isinstance(url, str) and url]
    return [path for path in paths if path not in ("", "/")]


def of_users(by_route: Mapping[str, float], not_users: list[str], pattern: str) -> dict[str, float]:
    """What is counted by route, without scrapes and health checks."""
    return {
        route: count for route, count in by_route.items() if route not in not_users and not re.match(pattern, route)
    }
