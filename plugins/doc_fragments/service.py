# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation that the modules about services share."""

from __future__ import annotations

OPTIONS = r"""
  services:
    description:
      - The services to observe by name, as the variable C(system_services) of the inventory describes them.
      - Every service has the key C(manager), one of C(docker), C(compose), C(systemd), C(supervisor) and C(command).
      - With C(docker), C(name) is the container's.
      - With C(compose), C(project) is the folder of the Compose file and C(name) the service in it, the key where not
        given. Its containers are those that Compose started from this folder. C(project_name) and C(files) are needed
        only where Compose gets them, too.
      - With both, C(docker_host) can name the engine's socket (C(unix:///run/user/1000/docker.sock)). The engine is asked
        through it, so the user needs the right to; neither a library nor, but to say why a service of Compose has no
        container, the C(docker) command is needed.
      - With C(supervisor), C(name) is the program as C(supervisorctl status) shows it (C(group:program) where the
        two differ) and C(config) the main configuration file of C(supervisord), which says where it listens.
      - With C(systemd), C(name) is the unit of a service. Its log is that of the journal, which the user has to be allowed to
        read. With version 1 of cgroups systemd cannot tell a kill for lack of memory from any other.
      - With C(command), C(commands.status) is a program with its arguments as a list. It is run without a shell,
        and exit code 0 means that the service runs. C(timeout_seconds) can shorten the time it has.
      - With C(supervisor), C(memory_limit_bytes) can say how much memory it may use, which nothing enforces.
      - Other keys are for the role P(oncall.runbooks.service#role) and are ignored here.
    type: dict
    required: true
  log_lines:
    description:
      - How many of the last lines of each log to search for errors.
      - With V(0) no log is read.
    type: int
    default: 200
  log_tail_lines:
    description: How many of the last lines of each log to return as evidence, with secrets replaced.
    type: int
    default: 0
  window_seconds:
    description:
      - Watch memory and processor time for so long, in seconds, to tell how busy a service is and whether its memory
        grows. With V(0) they are read once.
    type: float
    default: 0
  samples:
    description: How often to read them within the window, at least twice. Growth takes three.
    type: int
    default: 5
  top_processes:
    description: How many of each service's processes to list, those with the most memory.
    type: int
    default: 0
  variables:
    description: Names of environment variables to look for in the environment with which it was started. Their values are not returned.
    type: list
    elements: str
    default: []
  numbers:
    description:
      - Names of environment variables whose values are numbers, such as a threshold, to look for there. Those values are returned, and
        no value that is anything else.
    type: list
    elements: str
    default: []
    version_added: "0.2.0"
  compared:
    description: >-
      For environment variables by their names, a dictionary of the values that they may have, by names of your own, such as
      C({MAIL_PROVIDER: {first: sendgrid, second: postmark}}). What comes back is the name of the value with which the service was
      started, and never a value.
    version_added: 0.2.0
    type: dict
    default: {}
  timeout_seconds:
    description: The time in seconds for all of it, beside the window; services are asked at the same time.
    type: float
    default: 5
"""


class ModuleDocFragment:
    DOCUMENTATION: str = "options:" + OPTIONS

    ATTRIBUTES = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check mode and return what it would do, without changing the managed host.
  diff_mode:
    description: Returns what it changed, or would change in check mode, in diff mode.
"""
