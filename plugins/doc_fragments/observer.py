# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all observers have in common."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
attributes:
  check_mode:
    description: Runs the same in check mode, because it only reads.
    support: full
  diff_mode:
    description: Nothing is changed, so there is nothing to compare.
    support: none
notes:
  - Runs on the managed host. Where the inventory says C(system_observe_from=controller), an action plugin
    runs the same function in the controller, with the same answer, and no module is transferred.
  - A measurement that could not be made is C(available=false) with a C(reason); it is never an error and never a value.
"""
