#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read values, rates, ratios and quantiles from metrics endpoints."""

from __future__ import annotations

DOCUMENTATION = r"""
module: metrics_info
version_added: 0.1.0
short_description: Read values, rates, ratios and quantiles from metrics endpoints
description:
  - Reads endpoints that speak the Prometheus or OpenMetrics text format, or asks a Prometheus server, and works
    out only what is asked for. Without a server, rates come from two samples of the same run.
  - Fails only when the options make no sense.
author: oncall.runbooks maintainers (@oncall-runbooks)
extends_documentation_fragment:
  - oncall.runbooks.observer
  - oncall.runbooks.metrics
"""

EXAMPLES = r"""
- name: Does the connection pool keep anybody waiting
  oncall.runbooks.metrics_info:
    endpoints:
      server: http://127.0.0.1:8080/metrics
    metrics:
      pool_waiting: app_db_pool_waiting
      pool_in_use: app_db_pool_in_use
      pool_max: app_db_pool_max
      pool_usage_ratio: {measure: ratio, of: pool_in_use, to: pool_max}
  register: pool

- name: Say so only if it could be measured
  ansible.builtin.debug:
    msg: "{{ pool.value.pool_waiting }} wait, {{ pool.value.pool_usage_ratio }} of the pool is in use"
  when: pool.value.pool_waiting is defined

- name: Share of answers that are errors, over two servers and five seconds, and the slowest routes
  oncall.runbooks.metrics_info:
    endpoints:
      server_1: http://10.0.0.11:8080/metrics
      server_2: http://10.0.0.12:8080/metrics
    metrics:
      errors_per_second: {family: app_response_status_total, measure: rate, labels: {status: "~5.."}}
      answers_per_second: {family: app_response_status_total, measure: rate}
      error_ratio: {measure: ratio, of: errors_per_second, to: answers_per_second}
      p95_seconds: {family: app_request_duration_seconds, measure: quantile, quantile: 0.95, by: [route]}
    window_seconds: 5
  register: errors

- name: The same from a Prometheus server, over its last five minutes, and how long the memory will last
  oncall.runbooks.metrics_info:
    prometheus:
      url: http://10.0.0.20:9090
      labels: {job: api}
    metrics:
      errors_per_second: {family: app_response_status_total, measure: rate, labels: {status: "~5.."}}
      memory: process_resident_memory_bytes
      memory_slope: {family: process_resident_memory_bytes, measure: slope}
      memory_seconds_left: {measure: seconds_to, of: memory, slope: memory_slope, limit: 536870912}
      p95_of_recording_rule: {measure: promql, promql: 'max(job:request_seconds:p95{job="api"})'}
"""

RETURN = r"""
available:
  description: Whether everything asked for could be measured, every endpoint and every metric.
  type: bool
  returned: always
reason:
  description: The first thing that could not be measured and why. RV(endpoints), RV(metric) say it of each.
  type: str
  returned: when not available
  sample: "endpoint server: GET http://10.0.0.11:8080/metrics: answered 404 instead of 200"
endpoints:
  description:
    - How each endpoint answered, by its name. Never holds the body. A Prometheus server is one endpoint,
      C(prometheus).
  type: dict
  returned: always
  contains:
    available:
      description: Whether it answered with metrics, to both samples if two were needed.
      type: bool
      returned: always
    reason:
      description: Why not, in one line.
      type: str
      returned: when not available
    url:
      description: Its URL without user, password and query.
      type: str
      returned: always
    status:
      description: HTTP status.
      type: int
      returned: when an endpoint answered
    bytes:
      description: Size of the unpacked body.
      type: int
      returned: when an endpoint answered
    seconds:
      description: Time to the last byte.
      type: float
      returned: when an endpoint answered
    same_as:
      description: The endpoint before it that has the same URL. They are read once, and their series count once.
      type: str
      returned: when there is one
unmoved:
  description:
    - Names of the endpoints that gave the very same text in every sample while another gave another one. What they count is not known to
      be of now. Empty with O(prometheus).
  type: list
  elements: str
  returned: always
metric:
  description: How each metric was measured, by its name.
  type: dict
  returned: always
  contains:
    available:
      description: Whether it has a value.
      type: bool
      returned: always
    reason:
      description:
        - Why not, in one line. An endpoint did not answer, the family is not there (with the names most like
          it), a label is not there, a series is there twice with two values, the value is NaN or infinite or
          cannot be a count, a sample has a timestamp more than five minutes old, nothing was observed, the answer
          may be partial, or the ratio has nothing to divide by.
      type: str
      returned: when not available
    family:
      description: The family, of a ratio both, or the expression.
      type: str
      returned: always
    series:
      description: Number of series that were selected.
      type: int
      returned: always
    seconds:
      description: The measured time from the first to the last sample, or the range on a Prometheus server.
      type: float
      returned: when it took a window
    by_endpoint:
      description:
        - The number of each endpoint by itself, where several were asked, no server, and without C(by). One that has no such series is
          not there.
      type: dict
      returned: when there are several endpoints
      sample: {web-1: 5.0, web-2: 0.0}
    unmeasured:
      description: Groups that have no number, with the reason. They are not in RV(value).
      type: dict
      returned: when there are such groups
value:
  description:
    - The number of each metric that is available or, with C(by), a dict of label values to numbers. A name
      that is missing here could not be measured, so that an expression on it is undefined, not wrong.
    - An increase or rate, summed, of a family that is there but has no such series is 0, because a counter
      with labels has no series before it first counts.
  type: dict
  returned: always
  sample: {pool_waiting: 3.0, pool_in_use: 25.0, pool_max: 25.0, pool_usage_ratio: 1.0}
"""

from ..module_utils.observer_module import run
from ..module_utils.observers import metrics


def main():
    """Run the module."""
    run(metrics)


if __name__ == "__main__":
    main()
