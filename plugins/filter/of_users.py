# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter of_users."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

DOCUMENTATION = r"""
name: of_users
short_description: Leave out scrapes and health checks
version_added: "0.2.0"
author: "oncall.runbooks maintainers (@oncall-runbooks)"
description:
  - Keeps of what is counted by route what users asked for. Scrapes and health checks are answered while every user waits.
  - Left out are the routes that the runbooks and the health check ask themselves, and those that are usually called so.
positional: endpoints, service
options:
  _input:
    description: A number by route.
    type: dict
    required: true
  endpoints:
    description: The URLs of the metrics endpoints, by name.
    type: dict
    required: true
  service:
    description: What the inventory says of the service; its C(health_url) counts.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: What users asked for
  ansible.builtin.debug:
    msg: "{{ {'/orders': 7, '/metrics': 1} | oncall.runbooks.of_users(system_endpoints, system_services.api) }}"
"""

RETURN = r"""
_value:
  description: The numbers that are left.
  type: dict
"""

# What such routes are usually called.
CHECKS = "([A-Z]+ )?(/?metrics|(/?api)?(/v[0-9]+)?/?(health|healthz|healthcheck|livez|readyz)(/[a-z]+)?)/?$"


def of_users(
    by_route: Mapping[str, float], endpoints: Mapping[str, Any], service: Mapping[str, Any]
) -> dict[str, float]:
    """The numbers; see above."""
    urls = [*endpoints.values(), service.get("health_url")]
    paths = [urlsplit(url).path for url in urls if isinstance(url, str) and url]
    checks = [path for path in paths if path not in ("", "/")]
    return {route: count for route, count in by_route.items() if route not in checks and not re.match(CHECKS, route)}


class FilterModule:
    """Ansible's way to find filters."""

    def filters(self) -> dict[str, Any]:
        """The filters of this file, by name."""
        return {"of_users": of_users}
