#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""End a run and publish what came of it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: conclude
version_added: 0.1.0
short_description: End a run and publish what came of it
description:
  - Publishes the result under C(oncall.<host>.<runbook>) as M(ansible.builtin.set_stats) does.
  - Text in the result comes from databases and logs. Since set_stats data may become extra vars of a later job, which
    Ansible trusts as templates, every template start in it is broken with a space.
  - Used by the role run only.
author: oncall.runbooks maintainers (@oncall-runbooks)
attributes:
  action:
    description: Runs in the controller. Nothing is sent to the managed host.
    support: full
  check_mode:
    description: Runs the same in check mode.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
options:
  diagnosis:
    description: The last diagnosis.
    type: dict
    required: true
  state:
    description: The state of the run, empty where the first diagnosis was healthy.
    type: dict
    required: true
  concluded:
    description: Id of the state concluded before on this host.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: conclude | Publish what came of it
  oncall.runbooks.conclude:
    diagnosis: "{{ run_diagnosis }}"
    state: "{{ run_state | default({}) }}"
    concluded: ""
"""

RETURN = r"""
run:
  description: >-
    C(run_id), C(runbook), C(host), C(outcome), C(summary), C(started_at) and C(finished_at) in epoch seconds, C(seconds),
    C(check_mode), C(findings), C(findings_after), C(health), C(health_after), C(before_and_after), C(not_looked_at),
    C(plan), C(actions), C(guard), C(override), C(passed_guards), C(evidence),
    C(evidence_after), C(notes), C(title), C(severity) and C(escalation).
  type: dict
  returned: always
"""
