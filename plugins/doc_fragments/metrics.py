# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of everything that reads metrics endpoints."""

from __future__ import annotations

OPTIONS = r"""
  endpoints:
    description:
      - Name of each endpoint to its URL, http or https, all of which are read at once.
      - C(user:password@) in a URL becomes basic authentication. It is never shown, but Ansible returns a
        module's arguments to the task that registers the result; put C(no_log) on the task then.
      - The same URL under two names is read once and counts once. A series that an endpoint shows twice counts once; where its
        two values differ, the metric is not available.
      - At most 16 MiB are read of each. Redirects are followed only within the same scheme, host and port.
      - Required without a Prometheus server. With one, only their names count.
    type: dict
  prometheus:
    description:
      - A Prometheus server, which is asked instead of the endpoints. The same metrics give the same answers.
      - Where a target is down and had series of a metric within the last hour, that metric is not available. Nor is it where
        the server says that its answer may be partial.
    type: dict
    suboptions:
      url:
        description: Its URL, http or https, up to the path before C(/api/v1), with C(user:password@) as in endpoints.
        type: str
        required: true
      labels:
        description: Labels that select what belongs to this stack, such as C(job), as in C(labels) of a metric.
        type: dict
        default: {}
      endpoints:
        description: Name of an endpoint to the labels that its series have there, besides the others.
        type: dict
        default: {}
      window_seconds:
        description:
          - The range of increases, rates, quantiles and slopes. Take at least four scrape intervals.
          - A series that is new within it counts from 0, if its target was scraped before.
        type: float
        default: 300.0
  metrics:
    description:
      - Name of each result to what it is. A plain string is the name of a family, the sum of whose series is
        the value.
      - Otherwise a dict with the keys below. Which of them C(measure) takes is checked.
      - C(family) is the name of a metric family, also one that is written in quotes, as C(app.db.pool). A counter is found with
        and without C(_total). It can
        also be a dict with C(family), C(labels) and other keys, as an inventory describes a family.
      - C(sum), a list of families, or C(of) a family C(minus) another or a list of them, stand in the place of C(family) for
        a value, an increase, a rate or a slope. Each is a name or a dict with C(family), C(labels) and C(endpoints), or a sum
        or difference itself. They are worked out series by series on each endpoint or target. Series with the same labels
        belong together, besides the labels that one of them names itself. What one has and another has not makes the metric
        unavailable, and so does a difference below 0, unless C(counts=false).
      - C(suffix) is added to the name of each family, such as C(_count) of a histogram.
      - C(measure) is V(value), the default, what is shown now; V(increase), of a counter during the window;
        V(rate), that per second; V(quantile), of a histogram during the window; V(slope), of a gauge per second
        during the window, by least squares of each series; V(ratio), of two other entries; V(seconds_to) a limit;
        or V(promql).
      - C(labels) selects series. A value is the exact one or C(~) and a regular expression for all of it,
        such as C(~5..).
      - C(by) is a list of labels. The value is then a dict of their values, joined by commas, to a number; a
        comma within one of several is C(\,). At most 1000 groups.
      - C(aggregate) is V(sum), the default, V(max), V(min), V(avg) or V(count), over series and endpoints.
      - C(counts=true), for a value, says that it is a number of things, as of those that wait or are in use. One below 0
        or above 1e15 is then no measurement, as it never is for an increase or a rate during the window.
      - C(quantile) is from 0 to 1, by default 0.95.
      - C(lifetime=true) makes an increase or a quantile one since the process started, which needs no second
        sample.
      - C(of) and C(to), for a ratio, are names of entries that are no ratio. C(to) has the same C(by) as
        C(of), or none.
      - C(of), C(slope) and C(limit), for C(seconds_to), are the name of an entry, the name of an entry that is its slope,
        and a number or the name of an entry. It is 0 at and above the limit, and null where it is not on its way
        there.
      - C(promql), for that measure, is an expression of your own for a Prometheus server that gives an instant
        vector, with one number for each combination of C(by). It is sent as it is.
      - C(endpoints) is a list of the endpoints that expose the family, by default all. All of them must
        answer and expose it, because the sum over some of them would look like the sum over all.
    type: dict
    default: {}
  window_seconds:
    description:
      - Time from the first to the last sample that increases, rates, quantiles and slopes need. Where none is asked for, there
        is one sample. With 0 there is one as well, and what needs two is not measured.
      - A counter that is lower in the second sample was reset and is taken to have grown by what it shows.
    type: float
    default: 1.0
  samples:
    description: So many samples a slope is made from, evenly over the window, at least 2.
    type: int
    default: 2
  timeout_seconds:
    description:
      - Time for each sample of all endpoints, from resolving the name to the last byte, and for all questions to a
        Prometheus server.
    type: float
    default: 5.0
"""


class ModuleDocFragment:
    DOCUMENTATION: str = "options:" + OPTIONS
