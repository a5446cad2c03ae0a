# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters over what M(oncall.runbooks.http_probe_info) tells of URLs that say whether their service has its database."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

_BAD_GATEWAY = 502


def readiness_endpoints(urls: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """What to ask of each URL, as ``http_probe_info`` takes it, so that :func:`readiness` can tell."""
    return {name: {"url": url, "json": {"db_connected": True}} for name, url in urls.items()}


def readiness(endpoints: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """Which services have their database, as they say themselves.

    Args:
        endpoints: what was measured of each service's URL, by its name, asked for the JSON field ``db_connected``.

    Returns:
        Names under ``connected``, ``lost`` (it says that it has none, or that it is not ready), ``silent`` (it took the
        request and gave no answer) and ``unknown`` (what came back says nothing about its database).
    """
    told: dict[str, list[str]] = {"connected": [], "lost": [], "silent": [], "unknown": []}
    for name, one in endpoints.items():
        told[_told(one)].append(name)
    return told


def _told(endpoint: Mapping[str, Any]) -> str:
    says = endpoint.get("fields", {}).get("db_connected")
    # It names its database: whatever else it may want counts for nothing.
    if isinstance(says, bool):
        return "connected" if says else "lost"
    status = endpoint.get("status")
    if status is None:
        return "silent" if endpoint["available"] and endpoint["error"] == "timeout" else "unknown"
    if 200 <= status < 300:
        return "connected"
    # A wrong URL, a login, a proxy that does not reach the service.
    return "lost" if status >= 500 and status != _BAD_GATEWAY else "unknown"


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters by name."""
        return {"readiness": readiness, "readiness_endpoints": readiness_endpoints}
