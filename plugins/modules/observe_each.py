#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run observers at once, each as often as it is asked."""

from __future__ import annotations

DOCUMENTATION = r"""
module: observe_each
version_added: 0.2.0
short_description: Run observers at once, each as often as it is asked
description:
  - What M(oncall.runbooks.triage) runs on the managed host. All runbooks look there in one call of a module, and what several of them ask is
    asked once.
  - To look at several things in a play of your own, take M(oncall.runbooks.observe).
author: oncall.runbooks maintainers (@oncall-runbooks)
attributes:
  check_mode:
    description: Runs the same in check mode, because it only reads.
    support: full
  diff_mode:
    description: Nothing is changed, so there is nothing to compare.
    support: none
notes:
  - Runs on the managed host.
  - A measurement that could not be made is C(available=false) with a C(reason). So is a question that makes no sense; it stops no other.
extends_documentation_fragment:
  - oncall.runbooks.observe_each
"""

EXAMPLES = r"""
- name: Look at two services, each with the end of its log as it is needed
  oncall.runbooks.observe_each:
    questions:
      - service: {services: {api: {manager: systemd, name: api.service}}, log_lines: 200}
      - service: {services: {db: {manager: systemd, name: postgresql@15-main.service}}, log_lines: 0}
  register: observed
"""

RETURN = r"""
answers:
  description: In the order of the questions.
  type: list
  elements: dict
  returned: always
  contains:
    name:
      description: Name of the observer.
      type: str
    answer:
      description: What its module returns.
      type: dict
    seconds:
      description: How long it took.
      type: float
"""

from ..module_utils import observe_each
from ..module_utils.observer_module import run


def main():
    """Run the module."""
    run(observe_each)


if __name__ == "__main__":
    main()
