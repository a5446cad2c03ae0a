# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation that the modules about services share."""

from __future__ import annotations

SERVICES = r"""
  services:
    description:
      - The services to observe by name, as the variable C(system_services) of the inventory describes them.
      - Every service has the key C(manager), one of C(supervisor) and C(command).
      - With C(supervisor), C(name) is the program as C(supervisorctl status) shows it (C(group:program) where the
        two differ) and C(config) the main configuration file of C(supervisord), which says where it listens.
      - With C(command), C(commands.status) is a program with its arguments as a list. It is run without a shell,
        and exit code 0 means that the service runs. C(timeout_seconds) can shorten the time it has.
      - Other keys are for the role P(oncall.runbooks.service#role) and are ignored here.
    type: dict
    required: true
"""

OBSERVED = r"""
  log_lines:
    description:
      - How many of the last lines of each log to search for errors.
      - With V(0) no log is read.
    type: int
    default: 200
  timeout_seconds:
    description: The time in seconds for all of it; services are asked at the same time.
    type: float
    default: 5
"""


class ModuleDocFragment:
    """What they observe, and what may stand there."""

    DOCUMENTATION: str = "options:" + SERVICES

    OBSERVED: str = "options:" + OBSERVED

    ATTRIBUTES = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check mode and return what it would do, without changing the managed host.
  diff_mode:
    description: Returns what it changed, or would change in check mode, in diff mode.
"""
