#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The size of a database, its largest tables, and settings that are not the defaults."""

from __future__ import annotations

DOCUMENTATION = r"""
module: postgres_size_info
version_added: 0.2.0
short_description: Tell the size of a PostgreSQL database, its largest tables, and the settings that somebody changed
description:
  - The size of the database, of its largest tables with their indexes and their TOAST, and the settings of the server whose values do
    not come from the defaults.
  - Nothing waits behind a table that an C(ALTER TABLE) keeps to itself. Of such a table, and of all where the sizes take too long, the
    size is the one that the last C(VACUUM) or C(ANALYZE) found, and RV(limits) says so.
  - Passwords in values of settings are replaced.
author: oncall.runbooks maintainers (@oncall-runbooks)
extends_documentation_fragment:
  - oncall.runbooks.observer
  - oncall.runbooks.postgres_size
requirements:
  - psycopg2 or psycopg for O(database.transport=psycopg); the docker command for O(database.transport=docker)
  - PostgreSQL 12 or later
"""

EXAMPLES = r"""
- name: What takes the room of the database
  oncall.runbooks.postgres_size_info:
    database: {host: 10.0.0.5, name: labpics, user: oncall, password: "{{ vault_oncall_password }}"}
  register: size
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
name:
  description: The database.
  type: str
  returned: when available
bytes:
  description: Its size.
  type: int
  returned: when available
version:
  description: The version of the server.
  type: str
  returned: when available
in_recovery:
  description: Whether it is a standby.
  type: bool
  returned: when available
started_at_seconds:
  description: When the server was started, in seconds since 1970.
  type: float
  returned: when available
tables:
  description:
    - The largest tables and materialized views, the largest first, each C(schema), C(name), C(kind), C(bytes) (with indexes and TOAST),
      C(index_bytes) (null where it is an estimate), C(is_estimate), C(rows_estimate) (null where it was never analyzed), C(dead_rows),
      C(vacuumed_at_seconds) and C(analyzed_at_seconds), both in seconds since 1970 or null.
  type: list
  elements: dict
  returned: when available
tables_count:
  description: How many tables and materialized views there are, those of the system among them; null where that is not known.
  type: int
  returned: when available
settings:
  description:
    - The settings that somebody changed, and those that wait for a restart, each C(name), C(value), C(unit), C(source) and
      C(pending_restart). What the role may not see is not among them.
  type: list
  elements: dict
  returned: when available
complete:
  description: Whether all sizes were measured.
  type: bool
  returned: when available
limits:
  description: What could not be measured, one line each.
  type: list
  elements: str
  returned: when available
"""

from ..module_utils.observer_module import run
from ..module_utils.observers import postgres_size


def main():
    """Run the module."""
    run(postgres_size)


if __name__ == "__main__":
    main()
