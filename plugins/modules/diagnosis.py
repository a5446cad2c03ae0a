#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge a runbook's table of likely causes."""

from __future__ import annotations

DOCUMENTATION = r"""
module: diagnosis
version_added: 0.1.0
short_description: Judge a runbook's table of likely causes
description:
  - Evaluates the variable C(<role>_causes), and C(<role>_extra_causes) after it, in the controller. Each cause is templated
    by itself. A cause that uses what could not be measured is C(unknown), and the others are judged all the same.
  - The expressions see each observation under its observer's name, the names of C(<role>_names), and the variables of the host.
    Each name is worked out once, on first use.
  - A cause is C(problem), C(ok) or C(unknown). For the problems it makes the plan, which is the remedies with exactly what they would
    touch, and a hash over it.
  - The keys of a cause are C(when), C(summary), C(unless), C(conclusive), C(harmless), C(evidence), C(remedy), C(risk),
    C(targets), C(undo), C(operates), C(advice), C(left_behind), C(hand_over) and C(subject); a section has C(when), C(conclusive) and C(causes).
    C(<role>_conclusive) is for the causes of the role that have none of their own, and C(<role>_applies) says with C(when) whether there
    is anything to judge here, and with C(otherwise) why not.
  - It is used in a role's C(tasks/diagnose.yml) and takes the table of that role.
author: oncall.runbooks maintainers (@oncall-runbooks)
attributes:
  action:
    description: Runs in the controller. Nothing is sent to the managed host.
    support: full
  check_mode:
    description: Runs the same in check mode, because it only reads.
    support: full
  diff_mode:
    description: Nothing is changed, so there is nothing to compare.
    support: none
options:
  observed:
    description: What the observers returned, by observer. Their reasons are given where a cause is unknown.
    type: dict
    required: true
  names:
    description: Only work these names of C(<role>_names) out, for a second look that depends on the first. Nothing is judged.
    type: list
    elements: str
    default: []
  requires:
    description: Variables without which there is nothing to look at. Where one is empty, the diagnosis fails and names it.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: diagnose | Judge the likely causes
  oncall.runbooks.diagnosis:
    observed: "{{ __db_pool_observed }}"
  register: db_pool_diagnosis
"""

RETURN = r"""
names:
  description: The values of O(names), without those that could not be measured. Nothing else is returned with it.
  type: dict
  returned: with O(names)
status:
  description: C(problem) where a cause was found, else C(unknown) where something could not be measured or is not shown, else C(healthy).
  type: str
  returned: without O(names)
findings:
  description: For each cause C(cause), C(status), and C(summary) with C(evidence), or the C(reason) why it is unknown.
  type: list
  elements: dict
  returned: without O(names)
health:
  description: >-
    What has to be seen before a host is healthy, from C(<role>_healthy): for each claim its C(name), C(whether) (what is
    claimed), C(shown) (C(none) where it could not be measured), the C(figures) that were measured, C(beyond) (it changes no
    outcome), C(accepted) (by C(system_blind_spots)) and the C(reason) why it could not be measured.
  type: list
  elements: dict
  returned: without O(names)
not_looked_at:
  description: What could not be seen, or goes beyond what the runbook looks at. A line each.
  type: list
  elements: str
  returned: without O(names)
plan:
  description: >-
    C(steps), each with C(remedy), C(cause), C(risk), C(targets), C(undo), C(available), C(why_not), its targets in C(words),
    what it C(does), and how it is C(undone) or why it is C(irreversible); the highest C(risk);
    and the C(hash) that approves exactly this plan on this host.
  type: dict
  returned: without O(names)
evidence:
  description: The measurements of C(<role>_evidence) that could be made.
  type: dict
  returned: without O(names)
"""
