# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter on_each_endpoint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

DOCUMENTATION = r"""
name: on_each_endpoint
short_description: Ask every endpoint by itself for the same metrics
version_added: "0.2.0"
author: "oncall.runbooks maintainers (@oncall-runbooks)"
description:
  - Makes one entry of the option C(metrics) of M(oncall.runbooks.metrics_info) for each metric and each endpoint, so that what one
    replica shows is told apart from what the others show, and from one that does not answer.
positional: endpoints
options:
  _input:
    description: The metrics by name, each a dictionary.
    type: dict
    required: true
  endpoints:
    description: The names of the endpoints.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: What each replica has in use, as in_use@web-1 and in_use@web-2
  oncall.runbooks.metrics_info:
    endpoints: "{{ web }}"
    metrics: "{{ {'in_use': {'family': 'app_pool_in_use'}} | oncall.runbooks.on_each_endpoint(web) }}"
  vars:
    web: {web-1: http://10.0.0.1:8080/metrics, web-2: http://10.0.0.2:8080/metrics}
"""

RETURN = r"""
_value:
  description: The metrics by C(NAME@ENDPOINT).
  type: dict
"""


def on_each_endpoint(metrics: Mapping[str, Mapping[str, Any]], endpoints: Iterable[str]) -> dict[str, Any]:
    """The metrics of each endpoint; see above."""
    return {
        f"{name}@{endpoint}": {**asked, "endpoints": [endpoint]}
        for name, asked in metrics.items()
        for endpoint in endpoints
    }


class FilterModule:
    """Ansible's way to find filters."""

    def filters(self) -> dict[str, Any]:
        """The filters of this file, by name."""
        return {"on_each_endpoint": on_each_endpoint}
