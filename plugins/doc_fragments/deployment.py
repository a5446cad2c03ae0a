# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of what looks at a deployment."""

from __future__ import annotations

OPTIONS = r"""
  path:
    description: Absolute path of the git checkout on the managed host that is deployed from, its top folder.
    type: path
    required: true
  revision:
    description:
      - A commit, a tag or a branch to look up as well, as for a rollback to it. It is looked for in the checkout only;
        nothing is fetched.
    type: str
    default: ""
  timeout_seconds:
    description: The time in seconds for all of it.
    type: float
    default: 5
"""


class ModuleDocFragment:
    DOCUMENTATION: str = "options:" + OPTIONS
