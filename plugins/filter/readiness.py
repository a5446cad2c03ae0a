# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters for URLs that say whether their service has its database."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


def readiness_endpoints(urls: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """What to ask of each URL, as ``http_probe_info`` takes it, so that its answer tells whether it has its database."""
    return {name: {"url": url, "json": {"db_connected": True}} for name, url in urls.items()}


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters by name."""
        return {"readiness_endpoints": readiness_endpoints}
