#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Note that a remedy begins."""

from __future__ import annotations

DOCUMENTATION = r"""
module: begin_remedy
version_added: 0.2.0
short_description: Note that a remedy begins
description:
  - Removes a file of the controller, so that C(oncall serve) knows after a crash whether a remedy of this run may have changed
    something. Where the file cannot be removed, it fails, and the remedy is not begun.
  - Used by the role run only.
author: oncall.runbooks maintainers (@oncall-runbooks)
attributes:
  action:
    description: Runs in the controller. Nothing is sent to the managed host.
    support: full
  check_mode:
    description: Removes nothing in check mode.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
options: {}
"""

EXAMPLES = r"""
- name: remedy | Note that it begins
  oncall.runbooks.begin_remedy:
"""

RETURN = r"""
noted:
  description: Whether a program that began this play was told; not where the play was begun by hand, or in check mode.
  returned: always
  type: bool
"""
