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
        module's arguments to whoever registers the result; put C(no_log) on the task then.
      - At most 16 MiB are read of each. Redirects are followed only within the same scheme, host and port.
    type: dict
    required: true
  metrics:
    description:
      - Name of each result to what it is. A plain string is the name of a family, the sum of whose series is
        the value.
      - Otherwise a dict with the keys below. Which of them C(measure) takes is checked.
      - C(family) is the name of a metric family. A counter is found with and without C(_total).
      - C(measure) is V(value), the default, what is shown now; V(increase), of a counter during the window;
        V(rate), that per second; V(quantile), of a histogram during the window; or V(ratio), of two other
        entries.
      - C(labels) selects series. A value is the exact one or C(~) and a regular expression for all of it,
        such as C(~5..).
      - C(by) is a list of labels. The value is then a dict of their values, joined by commas, to a number; a
        comma within one of several is C(\,). At most 1000 groups.
      - C(aggregate) is V(sum), the default, V(max), V(min), V(avg) or V(count), over series and endpoints.
      - C(quantile) is from 0 to 1, by default 0.95.
      - C(lifetime=true) makes an increase or a quantile one since the process started, which needs no second
        sample.
      - C(of) and C(to), for a ratio, are names of entries that are no ratio. C(to) has the same C(by) as
        C(of), or none.
      - C(endpoints) is a list of the endpoints that expose the family, by default all. All of them must
        answer and expose it, because the sum over some of them would look like the sum over all.
    type: dict
    default: {}
  window_seconds:
    description:
      - Time between the two samples that increases, rates and quantiles need. Where none is asked for, there
        is one sample.
      - A counter that is lower in the second sample was reset and is taken to have grown by what it shows.
    type: float
    default: 1.0
  timeout_seconds:
    description: Time for each sample of all endpoints, from resolving the name to the last byte.
    type: float
    default: 5.0
"""


class ModuleDocFragment:
    DOCUMENTATION: str = "options:" + OPTIONS
