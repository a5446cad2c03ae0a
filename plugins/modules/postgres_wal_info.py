#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a PostgreSQL server keeps its write-ahead log."""

from __future__ import annotations

DOCUMENTATION = r"""
module: postgres_wal_info
version_added: 0.1.0
short_description: Tell why a PostgreSQL server keeps its write-ahead log
description:
  - Replication slots and what each of them keeps, whether the archiver fails, and the settings that say how much is kept.
author: oncall.runbooks maintainers (@oncall-runbooks)
extends_documentation_fragment:
  - oncall.runbooks.observer
  - oncall.runbooks.postgres_wal
requirements:
  - psycopg2 or psycopg for O(database.transport=psycopg); the docker command for O(database.transport=docker)
  - PostgreSQL 12 or later
"""

EXAMPLES = r"""
- name: What keeps the write-ahead log
  oncall.runbooks.postgres_wal_info:
    database: {host: 10.0.0.5, name: labpics, user: oncall, password: "{{ vault_oncall_password }}"}
  register: wal
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
system_identifier:
  description: The cluster's own number, as M(oncall.runbooks.filesystem_info) reads it from the disk.
  type: str
  returned: when available
user:
  description: The role that asked.
  type: str
  returned: when available
in_recovery:
  description: Whether it is a standby.
  type: bool
  returned: when available
settings:
  description: C(archive_mode), C(max_wal_size), C(wal_keep_size), C(max_slot_wal_keep_size) and C(wal_level), as far as this version has them.
  type: dict
  returned: when available
slots:
  description:
    - Replication slots, those that keep the most first, each C(name), C(kind), C(database), C(active), C(temporary), C(restart_lsn),
      C(wal_status) and C(retained_bytes) (null where it keeps nothing).
  type: list
  elements: dict
  returned: when available
archiver:
  description:
    - C(failing) where the last attempt failed, C(failed_count), C(last_failed_wal), C(last_failed_at_seconds), C(last_archived_wal) and
      C(last_archived_at_seconds), in seconds since 1970.
  type: dict
  returned: when available
wal_bytes:
  description: The size of all segments; null where the role may not see it, which RV(limits) says.
  type: int
  returned: when available
wal_segments:
  description: How many there are.
  type: int
  returned: when available
limits:
  description: What could not be seen, one line each.
  type: list
  elements: str
  returned: when available
"""

from ..module_utils.observer_module import run
from ..module_utils.observers import postgres_wal


def main():
    """Run the module."""
    run(postgres_wal)


if __name__ == "__main__":
    main()
