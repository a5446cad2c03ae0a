# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of everything that talks to PostgreSQL."""

from __future__ import annotations

DATABASE = r"""
  database:
    description: How to reach the database, usually the inventory's C(system_database).
    type: dict
    required: true
    suboptions:
      transport:
        description: V(psycopg) uses psycopg2 or psycopg, whichever is there; V(docker) runs C(psql) in C(container).
        type: str
        choices: [psycopg, docker]
        default: psycopg
      host:
        description: Host name, address or socket folder. Without it the local socket is used.
        type: str
      port:
        description: TCP port.
        type: int
      name:
        description: Name of the database.
        type: str
        required: true
      user:
        description:
          - Role to connect as. C(pg_monitor) lets it see every session, C(pg_signal_backend) end them,
            C(pg_use_reserved_connections) connect when everything is full. A superuser is not needed.
        type: str
      password:
        description: Its password. Never printed, and in no process's argument list.
        type: str
      sslmode:
        description: As in libpq.
        type: str
        choices: [disable, allow, prefer, require, verify-ca, verify-full]
      sslrootcert:
        description: File with the certificate authorities to trust.
        type: path
      container:
        description: Container that has C(psql), for C(transport=docker).
        type: str
      service:
        description: Name in C(system_services) of the service that runs the database. Not used by this module.
        type: str
"""

ACTIVITY = r"""
  idle_in_transaction_seconds:
    description: A session idle in transaction at least this long is listed in C(idle_in_transaction).
    type: float
    default: 300
  idle_seconds:
    description: A session idle at least this long is listed in C(idle).
    type: float
    default: 600
  unused_seconds:
    description: A session idle at least this long counts as C(unused) in C(applications).
    type: float
    default: 30
  long_query_seconds:
    description: A statement running at least this long is listed in C(long_running).
    type: float
    default: 300
  blocked_seconds:
    description: A session that has kept another waiting at least this long is listed in C(blockers).
    type: float
    default: 30
  ignore_applications:
    description: Values of C(application_name) whose sessions are in no list but C(blockers) and C(longest).
    type: list
    elements: str
    default: []
  query_length:
    description: Characters of each statement that are returned. Literals are replaced before the cut.
    type: int
    default: 80
  window_seconds:
    description: Time between two looks at C(pg_stat_statements), which tell what ran meanwhile. With V(0) there is one.
    type: float
    default: 0
  explain:
    description:
      - With a window, whether the three statements that took the most time in it are explained. Only a single C(SELECT) is,
        and by a superuser only its own.
      - V(plan) runs none of them. A statement that takes values needs PostgreSQL 16.
      - V(analyze) runs those that take no values and call only functions known to change nothing, in a read-only session with a
        statement timeout.
    type: str
    choices: [none, plan, analyze]
    default: none
"""


class ModuleDocFragment:
    DOCUMENTATION: str = "options:" + DATABASE
    ACTIVITY: str = "options:" + ACTIVITY
