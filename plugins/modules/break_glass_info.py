#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell which tokens for writing into a read-only system are open."""

from __future__ import annotations

DOCUMENTATION = r"""
module: break_glass_info
version_added: 0.2.0
short_description: Tell which tokens for writing into a read-only system are open
description:
  - Tells whether the system is read-only, which tokens were given to runs on this host and which of these were left, what the system itself lists
    as open, and whether writes of the inventory are done. Asks for no token and changes nothing.
author: oncall.runbooks maintainers (@oncall-runbooks)
extends_documentation_fragment:
  - oncall.runbooks.observer
  - oncall.runbooks.break_glass
"""

EXAMPLES = r"""
- name: Is the system read-only, and is a token left
  oncall.runbooks.break_glass_info:
    break_glass: "{{ system_break_glass }}"
    directory: /var/lib/oncall
  register: told
"""

RETURN = r"""
available: {description: Whether anything was seen., returned: always, type: bool}
reason: {description: "Why not, in one line.", returned: when available is false, type: str}
complete: {description: Whether all was seen., returned: always, type: bool}
limits: {description: "What was not, and why, a line each.", returned: always, type: list, elements: str}
now_seconds: {description: "When it was looked, in seconds since 1970.", returned: always, type: float}
read_only:
  description: Whether the system is read-only.
  returned: always
  type: dict
  contains:
    value: {description: Whether it is. Null where that is not known., type: bool}
    reason: {description: "Why it is not known, or empty.", type: str}
open:
  description: The tokens that the system lists as open.
  returned: always
  type: dict
  contains:
    known: {description: Whether there is such a list., type: bool}
    tokens:
      description: Each with C(id), C(reason) and C(reference) (that of ours in RV(given), or empty).
      type: list
      elements: dict
    reason: {description: "Why it could not be read, or empty.", type: str}
writes:
  description: By name, whether a write is done, with C(value) (null where that is not known) and C(reason).
  returned: always
  type: dict
given:
  description: >-
    The last 20 tokens that were given to runs on this host, the last first, with C(reference), C(who), C(why), C(given_at_seconds),
    C(expires_at_seconds), C(revoked_at_seconds) (null where it is not revoked), C(state) (C(asking), C(not_given), C(open), C(revoked) or
    C(ends_by_itself)), C(how) (in words) and C(held) (whether a task has it just now).
  returned: always
  type: list
  elements: dict
left:
  description: Those of them that nobody has any more, and that are neither revoked nor over.
  returned: always
  type: list
  elements: dict
can_revoke: {description: Whether the inventory says how to revoke one., returned: always, type: bool}
"""

from ..module_utils.observer_module import run
from ..module_utils.observers import break_glass


def main():
    """Run the module."""
    run(break_glass)


if __name__ == "__main__":
    main()
