# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter errors_around."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..module_utils.metrics.promql import sample_names, selector
from ..module_utils.metrics.spec import parse_specs, plain_labels

DOCUMENTATION = r"""
name: errors_around
short_description: Ask a Prometheus server for the answers and errors before and after a deployment
version_added: "0.1.0"
author: "oncall.runbooks maintainers (@oncall-runbooks)"
description:
  - Makes the option C(metrics) of M(oncall.runbooks.metrics_info) with the four numbers that tell whether errors began with a
    deployment. Nothing is asked here.
  - A server that has nothing of that time gives no number for the answers, so that nothing is concluded from it.
positional: error_labels, prometheus, until, since, seconds, now
options:
  _input:
    description: The counter of all answers, as C(system_metrics) describes a family.
    type: dict
    required: true
  error_labels:
    description: Labels that the errors among them have.
    type: dict
    required: true
  prometheus:
    description: The server, as C(system_prometheus), for its C(labels).
    type: dict
    required: true
  until:
    description: Where the time before the deployment ends, in epoch seconds.
    type: float
    required: true
  since:
    description: Where the time after the deployment begins, in epoch seconds.
    type: float
    required: true
  seconds:
    description: How long both are. The time after ends now if that is earlier.
    type: float
    required: true
  now:
    description: The time now, in epoch seconds.
    type: float
    required: true
"""

EXAMPLES = r"""
- name: Did the errors begin with the deployment
  oncall.runbooks.metrics_info:
    prometheus: "{{ system_prometheus }}"
    metrics: >-
      {{ {'family': 'app_response_status_total'} | oncall.runbooks.errors_around({'status': '~5..'}, system_prometheus,
         1763600000, 1763600040, 300, now().timestamp()) }}
"""

RETURN = r"""
_value:
  description: C(before_answers), C(before_errors), C(after_answers) and C(after_errors), each an expression of PromQL.
  type: dict
"""


def errors_around(
    answers: Mapping[str, Any],
    error_labels: Mapping[str, str],
    prometheus: Mapping[str, Any],
    until: float,
    since: float,
    seconds: float,
    now: float,
) -> dict[str, dict[str, str]]:
    """The four numbers, as ``metrics_info`` takes them."""
    counter = parse_specs({"answers": {"measure": "increase", "family": dict(answers)}}, (), True)["answers"]
    everywhere = plain_labels(prometheus.get("labels"))
    end = min(float(since) + float(seconds), float(now))
    times = {"before": (float(until), float(seconds)), "after": (end, max(1.0, end - float(since)))}
    metrics = {}
    for when, (at, length) in times.items():
        asked: dict[str, dict[str, str]] = {"answers": {}, "errors": plain_labels(error_labels)}
        for what, only in asked.items():
            # No series with these labels is no error, where the answers are there; no answers is nothing known.
            otherwise = " or vector(0)" if only else ""
            grown = [
                (sign, f"sum({_grown(side, {**everywhere, **side['labels'], **only}, at, length)}){otherwise}")
                for sign, side in counter.get("sides", [(1, counter)])
            ]
            written = "".join(f"{' + ' if sign > 0 else ' - '}({one})" for sign, one in grown).replace(" + ", "", 1)
            metrics[f"{when}_{what}"] = {"measure": "promql", "promql": grown[0][1] if len(grown) == 1 else written}
    return metrics


def _grown(counter: Mapping[str, Any], labels: Mapping[str, str], at: float, seconds: float) -> str:
    series = [selector(name, labels.items()) for name in sample_names(counter)]
    return " or ".join(_growth(one, at, seconds) for one in series)


def _growth(series: str, at: float, seconds: float) -> str:
    # increase() misses the first count of a new series, and for an error that first count matters.
    began = f"{series} @ {at:.3f} unless {series} @ {at - seconds:.3f}"
    return f"(({began}) or increase({series}[{round(seconds * 1000)}ms] @ {at:.3f}))"


class FilterModule:
    """Ansible's way to find filters."""

    def filters(self) -> dict[str, Any]:
        """The filters of this file, by name."""
        return {"errors_around": errors_around}
