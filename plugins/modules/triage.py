#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at everything at once, and rank the runbooks."""

from __future__ import annotations

DOCUMENTATION = r"""
module: triage
version_added: 0.2.0
short_description: Look at everything at once, and rank the runbooks
description:
  - Takes the looks of all runbooks of this collection in one call of a module (M(oncall.runbooks.observe_each)), in which the same question is
    asked once, and judges the table of each runbook on what it would have seen itself, as M(oncall.runbooks.diagnosis) does.
  - It ranks those that found something. A runbook that others hand over to is their cause, and comes before them. Then the severity decides.
  - A runbook for which the inventory has nothing is not set up. One that has to watch for longer than O(window_seconds) is judged by the rest of
    what it sees, and is never called well.
  - It belongs to the role P(oncall.runbooks.triage#role), and reads the variables of that role, C(system_*) and those of every runbook.
author: oncall.runbooks maintainers (@oncall-runbooks)
attributes:
  action:
    description: All but the questions runs in the controller, in several processes where the machine has several processors.
    support: full
  check_mode:
    description: Runs the same in check mode, because it only reads.
    support: full
  diff_mode:
    description: Nothing is changed, so there is nothing to compare.
    support: none
options:
  window_seconds:
    description: Nothing is watched for longer than that.
    type: float
    default: 1.0
  run:
    description: Whether RV(runs) names the runbook that comes first, to be run after this.
    type: bool
    default: false
  fail_on:
    description: Outcomes for which the task fails.
    type: list
    elements: str
    choices: [advised, unknown]
    default: []
"""

EXAMPLES = r"""
- name: Look at everything, and rank the runbooks
  oncall.runbooks.triage:
    window_seconds: 1
  register: triage_result
"""

RETURN = r"""
run:
  description:
    - What was found, with the keys that the run of a runbook has. C(findings) has one entry for each runbook that is set up, in the order of the
      ranks, and C(lines) what is shown.
    - The outcome is C(advised) where something was found, C(unknown) where something could not be seen or was not judged, or nothing is set up,
      else C(healthy).
  type: dict
  returned: always
runs:
  description: The runbook to run; empty without O(run), and where nothing was found.
  type: str
  returned: always
"""
