#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write into an incident of a folder on the controller, and make its post-mortem."""

from __future__ import annotations

DOCUMENTATION = r"""
module: incident_record
version_added: 0.2.0
short_description: Write into an incident of a folder on the controller, and make its post-mortem
description:
  - For those who have no service that keeps incidents. A folder has a file for each incident, and in it a line of JSON for each entry.
  - The entries, the rules by which they are written and the chain of hashes are those of C(oncall incident). So is the post-mortem.
  - One call locks the folder. All that it writes is there afterwards, or nothing of it, also where the machine stops meanwhile.
  - It is used by the role P(oncall.runbooks.incident#role).
author: oncall.runbooks maintainers (@oncall-runbooks)
attributes:
  action:
    description: Runs in the controller. Nothing is sent to the managed host.
    support: full
  check_mode:
    description: Says what would be written.
    support: full
  diff_mode:
    description: An entry is only ever added.
    support: none
options:
  folder:
    description: The folder on the controller. It is made for the user alone where it is not there.
    type: path
    required: true
  command:
    description: >-
      C(open), C(acknowledge), C(assign), C(role), C(note), C(severity), C(mitigate), C(update), C(escalate), C(snooze), C(resolve), C(reopen),
      C(close), C(cancel), C(pin), C(correct), C(step), C(attach) (records of runs), C(run) (the run that escalates), C(show) or C(postmortem).
    type: str
    required: true
  incident:
    description: The incident, such as C(INC-12), C(12), or the beginning of its id.
    type: str
    default: ""
  fields:
    description: What the command takes, as the body of the API does.
    type: dict
    default: {}
  who:
    description: Who acts.
    type: str
    default: ""
  records:
    description: For C(attach), records of runs, or folders of them.
    type: list
    elements: path
    default: []
  directory:
    description: For C(postmortem), the folder for its files; that of the records without.
    type: path
  formats:
    description: For C(postmortem), any of C(markdown), C(html) and C(json).
    type: list
    elements: str
    default: [markdown, html, json]
  review:
    description: For C(postmortem), the C(incident_review) of the inventory.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Open an incident
  oncall.runbooks.incident_record:
    folder: ~/incidents
    command: open
    who: ann
    fields: {title: checkout is down, system: shop, severity: P1}
  register: opened

- name: Make its post-mortem
  oncall.runbooks.incident_record:
    folder: ~/incidents
    command: postmortem
    incident: "{{ opened.incident.name }}"
"""

RETURN = r"""
incident:
  description: As it is now.
  type: dict
  returned: always
entries:
  description: What was written; for C(show) and C(postmortem), the whole timeline.
  type: list
  elements: dict
  returned: always
files:
  description: The files of the post-mortem, by format.
  type: dict
  returned: for C(postmortem)
"""
