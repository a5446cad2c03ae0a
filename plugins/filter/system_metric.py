# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an inventory calls a measurement, for the option metrics of metrics_info."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ..module_utils.metrics.spec import check_said

DOCUMENTATION = r"""
name: system_metric
short_description: Look up what an inventory calls a measurement
version_added: "0.2.0"
author: "oncall.runbooks maintainers (@oncall-runbooks)"
description:
  - Gives an entry of the option C(metrics) of M(oncall.runbooks.metrics_info) from C(system_metrics), and nothing where the
    inventory does not name it.
  - An entry there is the name of a family, or a dictionary with C(family), with C(sum), with C(of) and C(minus), or with
    C(promql). Anything else is refused in one line that names it.
positional: name
options:
  _input:
    description: The variable C(system_metrics).
    type: dict
    required: true
  name:
    description: The name that the runbooks use.
    type: str
    required: true
  required:
    description: Whether it is refused that the inventory does not name it.
    type: bool
    default: false
  asked:
    description: Any other keyword is a key of that option, such as O(ignore:measure) or O(ignore:aggregate).
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: How many lookups of the cache found something
  oncall.runbooks.metrics_info:
    endpoints: "{{ system_endpoints }}"
    metrics:
      hits: "{{ system_metrics | oncall.runbooks.system_metric('cache_hits', required=true, measure='increase') }}"
"""

RETURN = r"""
_value:
  description: What C(system_metrics) says, as C(family) of what is asked for if anything is. An empty string where it says nothing.
  type: raw
"""


def system_metric(said: Any, name: str, required: bool = False, **asked: Any) -> Any:
    """What the inventory says of one measurement, with what is asked of it."""
    metrics = said or {}
    if not isinstance(metrics, Mapping):
        raise AnsibleFilterError("system_metrics has to be a dictionary of names to families")
    family = metrics.get(name)
    if family is None or family == "":
        if not required:
            return ""
        near = difflib.get_close_matches(name, [str(other) for other in metrics if other != name], 1, 0.85)
        raise AnsibleFilterError(
            f"set system_metrics.{name}" + (f"; {near[0]} is not a name that is asked for" if near else "")
        )
    try:
        check_said(name, family)
    except ValueError as error:
        raise AnsibleFilterError(str(error).replace(f"metric {name}: ", f"system_metrics.{name}: ", 1)) from None
    return {**asked, "family": family} if asked else family


class FilterModule:
    """Ansible's way to find filters."""

    def filters(self) -> dict[str, Any]:
        """The filters of this file, by name."""
        return {"system_metric": system_metric}
