# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of what looks at migrations of databases."""

from __future__ import annotations

from ..doc_fragments.postgres import DATABASE

_NAME, _DESCRIPTION, _HOW = DATABASE.lstrip("\n").split("\n", 2)
REACH = """
  database:
    description: How to reach the database for those that do not have a C(database) of their own, usually the inventory's C(system_database).
""" + _HOW.replace("    required: true\n", "", 1)
BACKUP = r"""  backup:
    description:
      - What shows that there is a verified backup that is young enough. It is looked at where something is pending.
      - Backups of C(system_backups) are verified as M(oncall.runbooks.backup_info) does it. The newest of one of them has to be proven up to its
        tables, to be of the database, and not to be much smaller than usual.
    type: dict
    suboptions:
      file:
        description: >-
          A file on the managed host that the verification of any other backup leaves behind. It counts instead of them. It has to be a regular file
          that is not empty and no backup itself; its modification time counts.
        type: path
      backups:
        description: The backups of the inventory, C(system_backups). Those that may be of the database count, by its name and how it is reached.
        type: dict
        default: {}
      names:
        description: The only ones of them that count, where how they are reached does not tell.
        type: list
        elements: str
        default: []
      max_age_seconds:
        description: How old it may be, in seconds. Without it what the backup says of itself, or 26 hours.
        type: float
      state_directory:
        description: Where it is kept what was proven of backups, C(system_state_directory).
        type: path
        default: /var/lib/oncall
"""
OPTIONS = (
    r"""
  migrations:
    description:
      - The sets of migrations to look at by name, as the variable C(system_migrations) of the inventory describes them.
      - "C(tool): C(alembic), C(django), C(flyway), C(golang_migrate), C(goose), C(knex), C(liquibase), C(prisma), C(rails) or C(query)."
      - "C(run), a list that stands before every command and brings it to where the image runs: C([docker, exec, -w, /app, shop-api-1]).
        Without it commands run on the managed host."
      - "C(program), the tool as it is called there, such as C([poetry, run, alembic]). C(folder), where the files are, for C(golang_migrate) (needed),
        C(knex) (C(migrations)) and C(prisma) (C(prisma/migrations)). C(schema) and C(table), where the tool was told to use others than its own."
      - "The commands that tell, each with C(program) before it: C(history --verbose) and C(current) of Alembic; C(showmigrations --plan) and
        C(migrate --plan) of Django; C(db:migrate:status) of Rails; C(migrate:list) of Knex, and C(ls -1) of the folder; C(find) of the folder with
        C(sha256sum) for Prisma; C(info) and C(validate) of Flyway, in JSON; C(ls -1) of the folder for golang-migrate; C(status) of Goose;
        C(status), C(unexpected-changesets) and C(validate) of Liquibase. They change nothing."
      - "C(query): C(statements.applied), a query with the column C(name), and where there are such C(failed) (a boolean), C(checksum) and
        C(applied_at), with C(parameters) for C(:name) in it; and C(status), a command that prints the names of what the image has, one a line."
      - "C(migrate) and C(unlock), C(pgoptions) and C(timeouts_in_command) are for M(oncall.runbooks.migration_action)."
      - C(database) says how its database is reached, where that is another one than the one for all of them. It has to be the server itself, the
        primary, and no pooler.
    type: dict
    required: true
"""
    + REACH.lstrip("\n")
    + BACKUP
    + r"""  long_transaction_seconds:
    description: A transaction this old would hold a migration up. Time in seconds.
    type: float
    default: 30
  read_seconds:
    description: Time for reading a backup to its end, where something is pending. What was proven before is not read again.
    type: float
    default: 60
  timeout_seconds:
    description: The time in seconds for all of it, besides the reading. Databases and commands are asked at the same time.
    type: float
    default: 30
"""
)


class ModuleDocFragment:
    DOCUMENTATION: str = "options:" + OPTIONS
    REACH: str = "options:" + REACH
    VERIFIED: str = "options:\n" + BACKUP
