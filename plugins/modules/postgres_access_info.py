#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is kept out of a PostgreSQL database, and whether new sessions may write."""

from __future__ import annotations

DOCUMENTATION = r"""
module: postgres_access_info
version_added: 0.1.0
short_description: Tell who is kept out of a PostgreSQL database, and whether new sessions may write
description:
  - The roles that own something in the database, or were granted something there, and as whom nobody can log in now; and
    whether new sessions are read-only.
  - It cannot see C(pg_hba.conf), nor whether a password is right.
author: oncall.runbooks maintainers (@oncall-runbooks)
extends_documentation_fragment:
  - oncall.runbooks.observer
  - oncall.runbooks.postgres_access
requirements:
  - psycopg2 or psycopg for O(database.transport=psycopg); the docker command for O(database.transport=docker)
  - PostgreSQL 12 or later
"""

EXAMPLES = r"""
- name: Is anybody kept out
  oncall.runbooks.postgres_access_info:
    database: {host: 10.0.0.5, name: labpics, user: oncall, password: "{{ vault_oncall_password }}"}
  register: access
"""

RETURN = r"""
available:
  description: Whether the database answered. If not, only RV(reason) and RV(error) come with it.
  type: bool
  returned: always
reason:
  description: What was tried, on what, what came back and what to do next, in one line.
  type: str
  returned: when not available
error:
  description: What kind of trouble it is, as M(oncall.runbooks.postgres_activity_info) tells it.
  type: str
  returned: when not available
user:
  description: The role that asked.
  type: str
  returned: when available
database:
  description: The database that was asked.
  type: str
  returned: when available
in_recovery:
  description: Whether it is a standby, which is read-only whatever else is set.
  type: bool
  returned: when available
barred:
  description:
    - Roles as whom nobody can log in now, each C(role) and C(reason), which is NOLOGIN, a VALID UNTIL that is over, or a
      CONNECTION LIMIT that is reached. Superusers, groups (roles that are NOLOGIN and have members) and the role that asks
      are left out.
  type: list
  elements: dict
  returned: when available
default_read_only:
  description:
    - C(default_transaction_read_only) of a new session of a role that has no setting of its own. Null where the role that asks
      has one of its own, which hides it; RV(limits) says so.
  type: bool
  returned: when available
default_read_only_source:
  description: C(ALTER DATABASE), C(ALTER ROLE ALL), or the source that C(pg_settings) names, such as C(configuration file).
  type: str
  returned: when available
limits:
  description: What could not be seen, one line each.
  type: list
  elements: str
  returned: when available
"""

from ..module_utils.observer_module import run
from ..module_utils.observers import postgres_access


def main():
    """Run the module."""
    run(postgres_access)


if __name__ == "__main__":
    main()
