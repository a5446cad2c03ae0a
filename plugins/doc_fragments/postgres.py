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


class ModuleDocFragment:
    DOCUMENTATION: str = "options:" + DATABASE
