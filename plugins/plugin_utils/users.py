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


def of_users(
    by_route: Mapping[str, float], endpoints: Mapping[str, Any], service: Mapping[str, Any]
) -> dict[str, float]:
    """What is counted by route, without scrapes and health checks.

    Args:
        by_route: what is counted.
        endpoints: the metrics endpoints, which these runbooks ask themselves.
        service: what the inventory says of the service, with the URL of its health check.
    """
    urls = [*endpoints.values(), service.get("health_url")]
    paths = [urlsplit(url).path for url in urls if isinstance(url, str) and url]
    checks = [path for path in paths if path not in ("", "/")]
    return {route: count for route, count in by_route.items() if route not in checks and not re.match(CHECKS, route)}
