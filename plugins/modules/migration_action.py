#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrate a database, or take away the lock row of a migration that is gone."""

from __future__ import annotations

DOCUMENTATION = r"""
module: migration_action
version_added: 0.2.0
short_description: Migrate a database, or take away the lock row of a migration that is gone
description:
  - Runs the tool's own command, without a shell, while it holds an advisory lock of the database. So two controllers cannot both migrate. The
    lock lasts as long as the command, also where this module is killed.
  - Before it does, it looks at everything again that M(oncall.runbooks.migrations_info) tells, with the lock held. It does nothing where something is not
    as it has to be, or where other migrations are pending than those of O(pending).
  - "The command gets C(PGOPTIONS) with O(lock_timeout_seconds) and O(statement_timeout_seconds), through C(env) where it runs; what the application has in
    C(PGOPTIONS) itself is in C(pgoptions) of the inventory. The tools C(flyway), C(liquibase) and C(prisma) do not read it: there C(timeouts_in_command) says
    that the command sets both by itself, as with C(options=-c%20lock_timeout=5000) in its URL."
  - It is no rollback. A migration that failed halfway stays as it is, and the message says what was applied and what was not.
  - A driver that the application gives C(options) by itself does not read C(PGOPTIONS). With the usual command of Django a session of its own is asked
    before, and nothing is done where it has no limits; with other tools nobody can see that beforehand.
  - "C(unlock) takes the lock row away by the tool's own command, where nobody is seen who migrates."
author: oncall.runbooks maintainers (@oncall-runbooks)
extends_documentation_fragment:
  - oncall.runbooks.migrations.reach
  - oncall.runbooks.migrations.verified
attributes:
  check_mode:
    description: Nothing is run; the task is reported as changed.
    support: full
  diff_mode:
    description: What a migration changes is known to it alone.
    support: none
options:
  name:
    description: What the set of migrations is called in the inventory.
    type: str
    required: true
  migration:
    description:
      - The set as the variable C(system_migrations) of the inventory describes it, see M(oncall.runbooks.migrations_info).
      - "C(migrate) and C(unlock), commands without a shell, where they are others than the tool's usual ones: C(upgrade head) of Alembic, C(migrate) of
        Django and Flyway, C(db:migrate) of Rails, C(migrate deploy) of Prisma, C(migrate:latest) and C(migrate:unlock) of Knex, C(up) of Goose, C(update) and
        C(release-locks) of Liquibase. golang-migrate has none, as its URL would be an argument."
    type: dict
    required: true
  verb:
    description: What to do.
    type: str
    choices: [migrate, unlock]
    required: true
  pending:
    description: The names of the migrations that are to be applied, all that are pending and in this order.
    type: list
    elements: str
    default: []
  without_backup:
    description: Why it may be done without a verified backup. It is returned, for the record of the run.
    type: str
    default: ""
  accept_invalid_indexes:
    description: Invalid indexes that may be there, as SCHEMA.NAME.
    type: list
    elements: str
    default: []
  long_transaction_seconds:
    description: Nothing is begun while there is a transaction this old.
    type: float
    default: 30
  lock_timeout_seconds:
    description: How long a statement of the migration may wait for a lock. Everybody else waits behind it.
    type: float
    default: 5
  statement_timeout_seconds:
    description: How long one statement of the migration may take.
    type: float
    default: 900
  migrate_timeout_seconds:
    description: How long the command may take. After that it is killed; in a container its process may go on, which is then told.
    type: float
    default: 1800
  read_seconds:
    description: Time for reading the backup to its end, before anything else. What was proven before is not read again.
    type: float
    default: 60
  timeout_seconds:
    description: Time for the look before, and for that after.
    type: float
    default: 30
requirements:
  - psycopg2 or psycopg for O(database.transport=psycopg); the docker command for O(database.transport=docker)
"""

EXAMPLES = r"""
- name: Apply exactly these
  oncall.runbooks.migration_action:
    name: shop
    migration: "{{ system_migrations.shop }}"
    database: "{{ system_database }}"
    verb: migrate
    pending: ["0042_add_notes"]
    backup: {backups: "{{ system_backups }}"}
"""

RETURN = r"""
applied:
  description: Those that were pending before and are applied now.
  type: list
  elements: str
  returned: success and failure, where the command was run
pending:
  description: Those that are still pending. Null where that is not known, and with C(unlock).
  type: list
  elements: str
  returned: success and failure, where the command was run
output:
  description: The last lines that the command printed, without secrets.
  type: list
  elements: str
  returned: success and failure, where the command was run
seconds:
  description: How long the command took.
  type: float
  returned: success and failure, where the command was run
without_backup:
  description: O(without_backup).
  type: str
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.migrations.act import Failed, Refused, act
from ..module_utils.migrations.holding import Taken
from ..module_utils.observers.migrations import BACKUP
from ..module_utils.postgres.client import DatabaseError
from ..module_utils.postgres.spec import DATABASE

_SECONDS = {
    "long_transaction": 30,
    "lock_timeout": 5,
    "statement_timeout": 900,
    "migrate_timeout": 1800,
    "read": 60,
    "timeout": 30,
}
ARGUMENT_SPEC = {
    "name": {"type": "str", "required": True},
    "migration": {"type": "dict", "required": True},
    "verb": {"type": "str", "choices": ["migrate", "unlock"], "required": True},
    "pending": {"type": "list", "elements": "str", "default": []},
    "without_backup": {"type": "str", "default": ""},
    "accept_invalid_indexes": {"type": "list", "elements": "str", "default": []},
    "database": dict(DATABASE, required=False),
    "backup": BACKUP,
}
ARGUMENT_SPEC.update({f"{name}_seconds": {"type": "float", "default": default} for name, default in _SECONDS.items()})


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    params = module.params
    wrong = [name for name in _SECONDS if params[f"{name}_seconds"] <= 0]
    if wrong:
        module.fail_json(msg=f"{wrong[0]}_seconds must be above 0")
    if module.check_mode:
        module.exit_json(changed=True, without_backup=params["without_backup"])
    try:
        told = act(params)
    except Failed as error:
        module.fail_json(msg=str(error), changed=True, **error.told)
    except DatabaseError as error:
        module.fail_json(msg=str(error), error=error.kind)
    except (ValueError, Refused, Taken) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=True, without_backup=params["without_backup"], **told)


if __name__ == "__main__":
    main()
