#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at migrations of databases."""

from __future__ import annotations

DOCUMENTATION = r"""
module: migrations_info
version_added: 0.2.0
short_description: Look at migrations of databases, what was applied and what should be
description:
  - What was applied is in a table of the database, and what should be is in the image. Both are asked, the image by the tool's own command, and
    compared. Where one of them cannot be asked, it is not known what is pending.
  - Where the tool itself tells what it sees in the database, that is compared with the table as well. So a command that looks at another
    database or another schema is noticed.
  - Four tools have a table C(schema_migrations). They are told apart by its columns, and by what is beside it; one that is another tool's is not
    judged.
  - "It tells besides: migrations that ended in the midst, a lock row, files that were changed, several heads, who migrates now, long transactions and
    indexes that are not valid."
  - Reading changes nothing. No text of a statement is told.
author: oncall.runbooks maintainers (@oncall-runbooks)
extends_documentation_fragment:
  - oncall.runbooks.observer
  - oncall.runbooks.migrations
requirements:
  - psycopg2 or psycopg; the docker command for the transport C(docker)
"""

EXAMPLES = r"""
- name: Is the schema what the image wants
  oncall.runbooks.migrations_info:
    migrations:
      shop:
        tool: alembic
        run: [docker, exec, -w, /app, shop-api-1]
      billing:
        tool: knex
        run: [docker, exec, billing-1]
        folder: db/migrations
        database: {host: 10.0.0.6, name: billing, user: oncall, password: "{{ vault_billing_password }}"}
    database: {host: 10.0.0.5, name: shop, user: oncall, password: "{{ vault_oncall_password }}"}
    backup: {backups: "{{ system_backups }}"}
  register: observed

- name: A table of one's own
  oncall.runbooks.migrations_info:
    migrations:
      shop:
        tool: query
        run: [docker, exec, shop-api-1]
        status: [cat, /app/migrations.list]
        statements: {applied: SELECT version AS name, applied_at FROM schema_migrations}
    database: {host: 10.0.0.5, name: shop, user: oncall}
"""

RETURN = r"""
available:
  description: Whether the table of at least one of them could be read.
  type: bool
  returned: always
reason:
  description: Why none could be read, in one line.
  type: str
  returned: when not available
complete:
  description: Whether all of them were seen, and each as far as it was asked.
  type: bool
  returned: when available
limits:
  description: Which of them were not seen, and why, a line each.
  type: list
  elements: str
  returned: when available
backup:
  description: What is known of a verified backup of each set, by its name.
  type: dict
  returned: always
  contains:
    is_recent:
      description: Whether there is one that is verified, and young enough. Null where that was not looked at, as nothing is pending.
      type: bool
      returned: always
    age_seconds:
      description: How old it is. Null where it is not known.
      type: float
      returned: always
    reason:
      description: Why there is none, in one line, or empty.
      type: str
      returned: always
    by:
      description: The name of the backup, or the file that shows it, or empty.
      type: str
      returned: always
migrations:
  description: What was seen of each set, by its name.
  type: dict
  returned: always
  contains:
    tool:
      description: The tool, as the inventory calls it.
      type: str
      returned: always
    available:
      description: >-
        Whether its table could be read, or is not there. If not, only RV(migrations.reason), RV(migrations.error) and RV(migrations.tool) come with it.
      type: bool
      returned: always
    reason:
      description: What was tried, on what, what came back and what to do next, in one line.
      type: str
      returned: when it is not available
    error:
      description: What kind of trouble it is, as M(oncall.runbooks.postgres_activity_info) tells it, or empty.
      type: str
      returned: always
    complete:
      description: Whether all of it could be seen, the image as well.
      type: bool
      returned: when it is available
    limits:
      description: What could not be seen, a line each.
      type: list
      elements: str
      returned: when it is available
    schema:
      description: The schema of the table.
      type: str
      returned: when it is available
    table:
      description: The table, or its usual name where it is not there.
      type: str
      returned: when it is available
    is_new:
      description: Whether nothing was ever applied there, as far as the table tells.
      type: bool
      returned: when it is available
    at:
      description: The last ones that are applied, as the table has them. For Alembic, where the database is.
      type: str
      returned: when it is available
    applied_count:
      description: How many of the image's are applied; how many rows there are, where the image is not known.
      type: int
      returned: when it is available
    newest_applied_seconds:
      description: How long ago the last one was applied. Null where the tool does not keep that, or without a time zone.
      type: float
      returned: when it is available
    failed:
      description: Those that ended in the midst, and that the tool has marked so, each with C(name) and C(error) (what the tool kept of it, without secrets).
      type: list
      elements: dict
      returned: when it is available
    lock:
      description: The lock row, with C(locked) and C(by). Null where the tool has none.
      type: dict
      returned: when it is available
    expected_count:
      description: How many there are in the image.
      type: int
      returned: when the image is known
    pending:
      description: Names of those that are in the image and not applied, in the order of the tool; at most 200.
      type: list
      elements: str
      returned: when the image is known
    pending_count:
      description: How many those are.
      type: int
      returned: when the image is known
    unknown:
      description: Names of those that are applied and that the image does not have.
      type: list
      elements: str
      returned: when the image is known
    drifted:
      description: Names of those whose file was changed after it was applied, where the tool keeps checksums.
      type: list
      elements: str
      returned: when the image is known
    heads:
      description: The heads of the image, where there are several.
      type: list
      elements: str
      returned: when the image is known
    out_of_order:
      description: Pending ones that the tool leaves out, or refuses, because later ones are applied.
      type: list
      elements: str
      returned: when the image is known
    refusal:
      description: Why the tool itself would not migrate, in its own words, or empty.
      type: str
      returned: when the image is known
    disagrees:
      description: Where the tool sees another table than the one that was read, in words, or empty.
      type: str
      returned: when the image is known
    in_recovery:
      description: Whether the database that was asked is a standby.
      type: bool
      returned: when it is available
    replay_lag_seconds:
      description: Of a standby, how old the last transaction is that it has replayed. Null elsewhere.
      type: float
      returned: when it is available
    working:
      description: >-
        Sessions that migrate, or change the schema, each with C(pid), C(user), C(application_name), C(client), C(seconds) (since its transaction began),
        C(does) (in words) and C(waits) (for a lock).
      type: list
      elements: dict
      returned: when it is available
    busy:
      description: Sessions that have been in a statement or a transaction for 2 seconds, each as in RV(migrations.working) without C(does) and C(waits).
      type: list
      elements: dict
      returned: when it is available
    long_transactions:
      description: >-
        Transactions that are older than O(long_transaction_seconds), each with C(pid) (null for a prepared one), C(user), C(application_name), C(client),
        C(state) and C(seconds).
      type: list
      elements: dict
      returned: when it is available
    invalid_indexes:
      description: Indexes that are not valid and that nobody builds, each with C(name) and C(table).
      type: list
      elements: dict
      returned: when it is available
"""

from ..module_utils.observer_module import run
from ..module_utils.observers import migrations


def main():
    """Run the module."""
    run(migrations)


if __name__ == "__main__":
    main()
