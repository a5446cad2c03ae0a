# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of what looks at ports."""

from __future__ import annotations

OPTIONS = r"""
  ports:
    description:
      - The TCP ports to look at, by names of your own.
      - Each is a dictionary of C(port) and, where only one address counts, C(address). Without it a socket on any address
        counts. C(::) counts for IPv4 as well.
    type: dict
    required: true
  services:
    description:
      - The variable C(system_services) of the inventory. Where it is given, a process that was started as one of these
        services is named as such, also when its manager no longer knows it.
    type: dict
    default: {}
  timeout_seconds:
    description: The time in seconds for the whole answer.
    type: float
    default: 5
"""


class ModuleDocFragment:
    DOCUMENTATION: str = "options:" + OPTIONS
