#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait, for each host by itself."""

from __future__ import annotations

DOCUMENTATION = r"""
module: triage
version_added: 0.1.0
short_description: Wait, for each host by itself
description:
  - Waits in the controller. Other than M(ansible.builtin.pause) it waits for each host by itself, asks for no key, and goes
    with every strategy.
author: oncall.runbooks maintainers (@oncall-runbooks)
attributes:
  action:
    description: Runs in the controller. Nothing is sent to the managed host.
    support: full
  check_mode:
    description: Waits in check mode as well.
    support: full
  diff_mode:
    description: Nothing is changed, so there is nothing to compare.
    support: none
options:
  seconds:
    description: How long, at most 3600.
    type: float
    required: true
"""

EXAMPLES = r"""
- name: confirm | Wait before the second look
  oncall.runbooks.wait:
    seconds: 5
"""

RETURN = r"""
seconds:
  description: How long it waited.
  type: float
  returned: always
"""
