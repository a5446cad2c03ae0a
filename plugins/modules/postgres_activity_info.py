#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at the sessions, locks and connections of a PostgreSQL database."""

from __future__ import annotations

DOCUMENTATION = r"""
module: postgres_activity_info
version_added: 0.1.0
short_description: Look at the sessions, locks and connections of a PostgreSQL database
description:
  - Sessions that are idle, idle in transaction or long running, who blocks whom, materialized view refreshes, connections
    against the limit, the slowest statements and the tables read without an index, from one statement and one JSON document.
  - Its own session is read-only and has a statement and a lock timeout.
author: oncall.runbooks maintainers (@oncall-runbooks)
extends_documentation_fragment:
  - oncall.runbooks.observer
  - oncall.runbooks.postgres_activity
requirements:
  - psycopg2 or psycopg for O(database.transport=psycopg); the docker command for O(database.transport=docker)
  - PostgreSQL 12 or later
"""

EXAMPLES = r"""
- name: Who holds the database's connections
  oncall.runbooks.postgres_activity_info:
    database: {host: 10.0.0.5, name: labpics, user: oncall, password: "{{ vault_oncall_password }}"}
    idle_in_transaction_seconds: 300
  register: activity

- name: The same through the container
  oncall.runbooks.postgres_activity_info:
    database: {transport: docker, container: labpics-db-1, name: labpics, user: app}
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
  description:
    - One of C(too_many_connections), C(role_limit) (only the role that asks has none left), C(database_limit) (only
      this database has none left), C(starting_up),
      C(credentials), C(no_database), C(not_allowed), C(disk_full), C(no_shared_memory), C(statement_timeout) (it answers, too slowly),
      C(timeout) (it does not answer), C(refused), C(name_resolution), C(no_engine), C(no_driver), C(other).
    - Where a pooler answers, one of C(pooler_refuses_options), C(pooler_full), C(pooler_waits), C(pooler_without_server) and
      C(pooler_no_database).
  type: str
  returned: when not available
pooler:
  description:
    - What stands between here and the server. C(name), empty where nothing does, C(pools), what C(SHOW POOLS) of PgBouncer says, and
      C(reason), why that is not known.
  type: dict
  returned: when available, and where RV(error) begins with C(pooler_)
complete:
  description: Whether every session, its state and whom it waits for could be seen. If not, RV(limits) says what could not.
  type: bool
  returned: when available
limits:
  description: What could not be seen or done, one line each.
  type: list
  elements: str
  returned: when available
server:
  description:
    - Version, role, whether it is a standby, what the role may see and do, C(synchronous_standby_names), and how many
      C(synchronous_standbys) are there, which only C(pg_monitor) sees.
  type: dict
  returned: when available
connections:
  description:
    - C(used) client sessions of all databases without this one, C(max) the server's limit, C(usable) the limit without the
      reserved ones, C(free), C(used_ratio) of the usable ones, C(in_other_databases), C(limits), the
      limit of the server, of the database and of each role that has one, with C(used), C(idle) and C(free), C(hidden) sessions, and C(stateless) ones,
      whose C(track_activities) is off.
  type: dict
  returned: when available
applications:
  description: Sessions of this database by C(application_name) and C(user), with their states, most first.
  type: list
  elements: dict
  returned: when available
clients:
  description: Client sessions of all databases by C(database), C(application_name) and C(user), most C(sessions) first.
  type: list
  elements: dict
  returned: when available
replication:
  description:
    - "What reads the server's log or its files: standbys, receivers and base backups, with C(application_name), C(user) and
      C(state), which is C(backup) for a base backup."
  type: list
  elements: dict
  returned: when available
idle_in_transaction:
  description:
    - Sessions idle in transaction beyond the threshold. A session is C(pid), C(backend_start) and C(query_start) in epoch
      seconds as text, C(user), C(application_name), C(client), C(state), C(state_seconds), C(transaction_seconds),
      C(query_seconds), C(wait), C(wait_seconds), C(query) without literals, C(is_superuser), C(may_end), C(blocked_by), C(blocks) and C(blocked_seconds).
  type: list
  elements: dict
  returned: when available
idle:
  description: Sessions idle beyond the threshold.
  type: list
  elements: dict
  returned: when available
long_running:
  description: Sessions whose statement runs beyond the threshold, waits neither for a lock nor for a standby and is no refresh.
  type: list
  elements: dict
  returned: when available
blockers:
  description: Sessions and other processes that others wait for, and that wait for nobody themselves, the longest queue first.
  type: list
  elements: dict
  returned: when available
lock_chains:
  description:
    - The queues for locks that others wait in beyond the threshold, the longest first. Each has C(head), the process that waits for
      nobody (0 for a prepared transaction), its C(kind) and C(head_costs), C(blocks), the clients that wait, C(blocked_seconds),
      C(chain), a line for each place from the head on, C(cancel), the session that frees most of them and costs least, or none,
      C(frees), how many that is, C(frees_all) and C(costs).
  type: list
  elements: dict
  returned: when available
prepared_transactions:
  description:
    - Prepared transactions (two-phase commit) of all databases. C(count), C(oldest_seconds), C(waiting) sessions behind one of
      this database, C(blocked_seconds) since when the first of them waits, C(held_seconds), the age of the oldest that
      somebody waits for, and C(transactions), at most 20, with C(gid), C(owner), C(database), C(age_seconds) and C(blocks).
  type: dict
  returned: when available
synchronous_waits:
  description: Sessions that committed and wait for a synchronous standby.
  type: list
  elements: dict
  returned: when available
matview_refreshes:
  description: Sessions that run C(REFRESH MATERIALIZED VIEW).
  type: list
  elements: dict
  returned: when available
longest:
  description: The ten sessions that are not idle whose statement started first.
  type: list
  elements: dict
  returned: when available
tables_without_index_use:
  description: Large tables that are mostly read in full, at most five.
  type: list
  elements: dict
  returned: when available
statements:
  description:
    - C(slowest), the ten slowest statements on data of this database in C(pg_stat_statements), without those of observers, with
      C(calls), C(mean_milliseconds) and C(max_milliseconds), or why they are not known.
    - With O(window_seconds), C(window) has its C(seconds), C(complete), and C(statements), those that took the most time and
      those that ran most often, with C(calls), C(calls_per_second), C(total_milliseconds) and C(mean_milliseconds).
    - With O(explain), three of them have C(plan), with C(lines) and the tables C(read_in_full), or why it is not known, and
      the C(indexes) of their tables.
  type: dict
  returned: when available
"""

from ..module_utils.observer_module import run
from ..module_utils.observers import postgres_activity


def main():
    """Run the module."""
    run(postgres_activity)


if __name__ == "__main__":
    main()
