# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tools that are known, by what the inventory calls them."""

from __future__ import annotations

from . import alembic, django, flyway, golang_migrate, goose, knex, liquibase, prisma, query, rails

TOOLS = {
    "alembic": alembic,
    "django": django,
    "flyway": flyway,
    "golang_migrate": golang_migrate,
    "goose": goose,
    "knex": knex,
    "liquibase": liquibase,
    "prisma": prisma,
    "query": query,
    "rails": rails,
}
# What it is called where people read.
CALLED = {
    "alembic": "Alembic",
    "django": "Django",
    "flyway": "Flyway",
    "golang_migrate": "golang-migrate",
    "goose": "Goose",
    "knex": "Knex",
    "liquibase": "Liquibase",
    "prisma": "Prisma",
    "query": "a query of one's own",
    "rails": "Rails",
}


def whose(columns, has_metadata):
    """Which tool a table ``schema_migrations`` belongs to: four have one of this name. Pure.

    Args:
        columns: of the table.
        has_metadata: whether ``ar_internal_metadata`` is beside it, which Rails has from version 5 on.
    """
    if "version" not in columns:
        return "none that is known"
    if "dirty" in columns:
        return "golang-migrate"
    if "inserted_at" in columns:
        return "Ecto"
    return "Rails" if has_metadata else "dbmate"
