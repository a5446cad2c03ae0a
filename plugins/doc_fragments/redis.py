# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of everything that asks Redis."""

from __future__ import annotations

SERVER = r"""
  server:
    description: How to reach Redis, usually the inventory's C(system_redis).
    type: dict
    required: true
    suboptions:
      transport:
        description: V(redis) uses redis-py; V(docker) runs C(redis-cli) in C(container).
        type: str
        choices: [redis, docker]
        default: redis
      host:
        description: Host name or address, by default C(127.0.0.1).
        type: str
      port:
        description: TCP port, by default 6379.
        type: int
      unix_socket:
        description: Its socket, instead of host and port.
        type: path
      username:
        description: User to log in as. It needs C(+ping +info) and nothing else.
        type: str
      password:
        description: Its password. Never printed, and in no process's argument list.
        type: str
      database:
        description: Number of the database whose keys are counted, by default 0.
        type: int
      container:
        description: Container that has C(redis-cli), for C(transport=docker).
        type: str
      service:
        description: Name in C(system_services) of the service that runs Redis. Not used by this module.
        type: str
"""

OPTIONS = (
    SERVER
    + """  window_seconds:
    description: Time between two looks, for rates and the hit ratio. With V(0) there is one look.
    type: float
    default: 0
  timeout_seconds:
    description: Time for connecting and all answers, besides the window.
    type: float
    default: 5
"""
)


class ModuleDocFragment:
    DOCUMENTATION: str = "options:" + OPTIONS
