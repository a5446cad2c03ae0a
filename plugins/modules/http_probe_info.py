#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask HTTP endpoints whether they work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: http_probe_info
version_added: 0.1.0
short_description: Ask HTTP endpoints whether they work
description:
  - Asks all endpoints at once. Says of each whether it answers as it should, how long that took, what its JSON says, and for how
    long its certificate is good.
  - An endpoint that refuses, resets, answers with another status or says nothing once it is connected was measured, and does not
    work. One whose name does not resolve, that cannot be reached, or that accepts no connection in time, was not measured,
    because that can be the trouble of the network on this side. It is C(available=false).
  - A body is never returned. Where it is not as it should be, an excerpt is, with what looks like a password masked.
author: oncall.runbooks maintainers (@oncall-runbooks)
extends_documentation_fragment:
  - oncall.runbooks.observer
  - oncall.runbooks.http_probe
"""

EXAMPLES = r"""
- name: Does the API work, and does it have its database
  oncall.runbooks.http_probe_info:
    endpoints:
      health: https://api.example.com/health
      ready:
        url: https://api.example.com/readyz
        json: {db_connected: true}
      login:
        url: https://api.example.com/login
        method: HEAD
        status: [200, 302]
  register: probed
"""

RETURN = r"""
available:
  description: Whether at least one endpoint could be measured.
  type: bool
  returned: always
reason:
  description: Why none could, in one line.
  type: str
  returned: when not available
failing:
  description: Names of those that were measured and do not work.
  type: list
  elements: str
  returned: always
unknown:
  description: Names of those that could not be measured.
  type: list
  elements: str
  returned: always
limits:
  description: Why those could not, beside RV(reason).
  type: list
  elements: str
  returned: always
endpoints:
  description: Each endpoint by its name.
  type: dict
  returned: always
  contains:
    available:
      description: Whether it could be measured.
      type: bool
    ok:
      description: Whether it answered as it should. Null where it could not be measured.
      type: bool
    url:
      description: Its URL without user, password and query.
      type: str
    status:
      description: The status of its answer, or null.
      type: int
    seconds:
      description: The time until its whole answer was there, or until it was given up.
      type: float
    error:
      description:
        - Empty where it is right, or one of C(refused), C(timeout), C(reset), C(tls), C(redirect) (to another place, or too many),
          C(too_large) (above 1 MiB), C(protocol) (no HTTP), C(bad_status) and C(bad_json).
        - C(dns), C(unreachable), C(protocol) (no usable URL) and C(timeout) also where it could not be measured.
      type: str
    reason:
      description: What was tried, on what, and what came back, in one line.
      type: str
    fields:
      description: The values at the paths of C(json), by path, from an answer of any status.
      type: dict
    excerpt:
      description: The beginning of the body where the answer is wrong, at most 200 characters on one line.
      type: str
    unwell:
      description:
        - Where the answer is wrong and JSON, the parts that it says are not well, at most five. Known are the documents of Spring
          Boot, ASP.NET Core, health+json and NestJS, and others that give a part C(status), C(ok) or a word such as C(down).
      type: list
      elements: str
    retry_after_seconds:
      description: Seconds that the server asks to wait (C(Retry-After)), or null where it does not.
      type: float
      version_added: "0.2.0"
    certificate_days_left:
      description: Days until its certificate ends, or null without https.
      type: float
"""

from ..module_utils.observer_module import run
from ..module_utils.observers import http_probe


def main():
    """Run the module."""
    run(http_probe)


if __name__ == "__main__":
    main()
