# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Applications with migrations, each in its tool's own shape: Alembic, Django, Prisma and Knex, real, on a real PostgreSQL."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from ansible_collections.oncall.runbooks.tests.support.environments import environment
from ansible_collections.oncall.runbooks.tests.support.peers import peers
from ansible_collections.oncall.runbooks.tests.support.postgres_servers import Server

SECONDS = 120
_ALEMBIC_ENV = """
import os
import sqlalchemy
from alembic import context

url = sqlalchemy.URL.create("postgresql+psycopg", username="app", host="127.0.0.1", port=int(os.environ["PORT"]), database=os.environ["NAME"])
with sqlalchemy.create_engine(url, poolclass=sqlalchemy.pool.NullPool).connect() as connection:
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
"""
_ALEMBIC_STEP = '''"""{name}"""
from alembic import op

revision = "{name}"
down_revision = {down!r}
depends_on = None


def upgrade():
{body}


def downgrade():
    pass
'''
_DJANGO_SETTINGS = """
import os

SECRET_KEY = "for tests"
INSTALLED_APPS = ["shop"]
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": {
    "ENGINE": "django.db.backends.postgresql", "HOST": "127.0.0.1", "PORT": os.environ["PORT"], "NAME": os.environ["NAME"], "USER": "app",
}}
"""
_DJANGO_MANAGE = """
import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
from django.core.management import execute_from_command_line

execute_from_command_line(sys.argv)
"""
_DJANGO_STEP = """
from django.db import migrations


class Migration(migrations.Migration):
    atomic = {atomic}
    dependencies = {dependencies!r}
    operations = [migrations.RunSQL(statement) for statement in {statements!r}]
"""
# Its engine that is WebAssembly and talks to the database through an adapter. The other one is no npm package.
_PRISMA_CONFIG = """
import { defineConfig } from 'prisma/config'
import { PrismaPg } from '@prisma/adapter-pg'

export default defineConfig({
  experimental: { adapter: true },
  engine: 'js',
  schema: 'prisma/schema.prisma',
  adapter: async () => new PrismaPg({
    host: '127.0.0.1', port: Number(process.env.PORT), user: 'app', database: process.env.NAME, options: process.env.LIMITS,
  }),
})
"""
_PRISMA_SCHEMA = """
generator client {
  provider = "prisma-client"
  output = "../generated"
  engineType = "client"
}

datasource db {
  provider = "postgresql"
  url      = "postgresql://db.example.com"
}
"""
_KNEX_FILE = """
module.exports = {client: 'pg', connection: {host: '127.0.0.1', port: +process.env.PORT, user: 'app', database: process.env.NAME},
  migrations: {directory: './migrations'}};
"""
_KNEX_STEP = """
exports.up = async knex => {{ for (const statement of {statements}) await knex.raw(statement); }};
exports.down = async () => {{}};
exports.config = {{transaction: {transaction}}};
"""


class Application:
    """One of them, in a folder of its own, with the database ``NAME`` of a server.

    Args:
        server: with its database.
        folder: an empty folder.
        database: the name of the database.
    """

    tool = ""

    def __init__(self, server: Server, folder: Path, database: str = "shop") -> None:
        self.server, self.folder, self.database = server, folder, database
        folder.mkdir(parents=True, exist_ok=True)
        self.steps: list[str] = []
        self._begin()

    def _begin(self) -> None:
        raise NotImplementedError

    def add(self, *statements: str, transaction: bool = True) -> str:
        """A migration more, which runs these statements; its name as the observer tells it."""
        raise NotImplementedError

    def program(self) -> list[str]:
        """The tool as it is called there."""
        raise NotImplementedError

    def migrate_argv(self) -> list[str]:
        """What applies all of them."""
        raise NotImplementedError

    # ------------------------------------------------------------------ what it does
    @property
    def variables(self) -> dict[str, str]:
        return {"PORT": str(self.server.port), "NAME": self.database}

    def run_prefix(self) -> list[str]:
        """What stands before each command: its folder and its variables, as a container has them."""
        return ["env", "-C", str(self.folder), *(f"{key}={value}" for key, value in self.variables.items())]

    def migrate(self, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Apply all that is pending, as a deployment does."""
        argv = [*self.run_prefix(), *self.program(), *self.migrate_argv()]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=SECONDS, check=False)
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def sql(self, statement: str, **more: Any) -> list[Any]:
        return self.server.execute(statement, dbname=self.database, **{"user": "app", **more})

    def entry(self, **more: Any) -> dict[str, Any]:
        """What an inventory says of it."""
        return {"tool": self.tool, "run": self.run_prefix(), "program": self.program(), **more}


class Alembic(Application):
    """Alembic, with a transaction for each migration."""

    tool = "alembic"

    def _begin(self) -> None:
        (self.folder / "alembic.ini").write_text("[alembic]\nscript_location = scripts\n")
        (self.folder / "scripts" / "versions").mkdir(parents=True)
        (self.folder / "scripts" / "env.py").write_text(_ALEMBIC_ENV)

    def program(self) -> list[str]:
        return [str(environment("peers") / "bin" / "alembic")]

    def migrate_argv(self) -> list[str]:
        return ["upgrade", "head"]

    def add(self, *statements: str, transaction: bool = True, down: str | None = None, name: str = "") -> str:
        name = name or f"{len(self.steps) + 1:04}_step"
        down = down if down is not None else (self.steps[-1] if self.steps else None)
        lines = [f"    op.execute({statement!r})" for statement in statements]
        if not transaction:
            lines = ["    with op.get_context().autocommit_block():", *(f"    {line}" for line in lines)]
        body = "\n".join(lines or ["    pass"])
        text = _ALEMBIC_STEP.format(name=name, down=down, body=body)
        (self.folder / "scripts" / "versions" / f"{name}.py").write_text(text)
        self.steps.append(name)
        return name

    def remove(self, name: str) -> None:
        """An older image has it not."""
        (self.folder / "scripts" / "versions" / f"{name}.py").unlink()
        self.steps.remove(name)


class Django(Application):
    """Django, whose migrations are those of its one application."""

    tool = "django"

    def _begin(self) -> None:
        (self.folder / "settings.py").write_text(_DJANGO_SETTINGS)
        (self.folder / "manage.py").write_text(_DJANGO_MANAGE)
        (self.folder / "shop" / "migrations").mkdir(parents=True)
        for package in ("shop", "shop/migrations"):
            (self.folder / package / "__init__.py").write_text("")

    def program(self) -> list[str]:
        return [str(environment("peers") / "bin" / "python"), "manage.py"]

    def migrate_argv(self) -> list[str]:
        return ["migrate", "--noinput"]

    def add(self, *statements: str, transaction: bool = True, after: str | None = None, name: str = "") -> str:
        name = name or f"{len(self.steps) + 1:04}_step"
        after = after or (self.steps[-1] if self.steps else None)
        text = _DJANGO_STEP.format(
            atomic=transaction, dependencies=[("shop", after)] if after else [], statements=list(statements)
        )
        (self.folder / "shop" / "migrations" / f"{name}.py").write_text(text)
        self.steps.append(name)
        return f"shop.{name}"


class Prisma(Application):
    """Prisma, whose table tells what failed. It sets the limits of a migration by itself."""

    tool = "prisma"

    def _begin(self) -> None:
        (self.folder / "prisma" / "migrations").mkdir(parents=True)
        (self.folder / "prisma.config.ts").write_text(_PRISMA_CONFIG)
        (self.folder / "prisma" / "schema.prisma").write_text(_PRISMA_SCHEMA)
        (self.folder / "prisma" / "migrations" / "migration_lock.toml").write_text('provider = "postgresql"\n')
        (self.folder / "node_modules").symlink_to(peers() / "node_modules")

    @property
    def variables(self) -> dict[str, str]:
        quiet = {"CHECKPOINT_DISABLE": "1", "NO_COLOR": "1"}
        return {**super().variables, **quiet, "LIMITS": "-c lock_timeout=5s -c statement_timeout=60s"}

    def program(self) -> list[str]:
        return ["node", str(peers() / "node_modules" / "prisma" / "build" / "index.js")]

    def migrate_argv(self) -> list[str]:
        return ["migrate", "deploy"]

    def entry(self, **more: Any) -> dict[str, Any]:
        return super().entry(timeouts_in_command=True, **more)

    def file(self, name: str) -> Path:
        return self.folder / "prisma" / "migrations" / name / "migration.sql"

    def add(self, *statements: str, transaction: bool = True) -> str:
        # It sends a file as it is, and a file with one statement is in no transaction.
        name = f"2026010{len(self.steps) + 1}000000_step"
        self.file(name).parent.mkdir()
        self.file(name).write_text("".join(f"{statement};\n" for statement in statements))
        self.steps.append(name)
        return name


class Knex(Application):
    """Knex, whose lock is a row."""

    tool = "knex"

    def _begin(self) -> None:
        (self.folder / "knexfile.js").write_text(_KNEX_FILE)
        (self.folder / "migrations").mkdir()
        # Its libraries are found from its own folder.
        (self.folder / "node_modules").symlink_to(peers() / "node_modules")

    def program(self) -> list[str]:
        return ["node", str(peers() / "node_modules" / "knex" / "bin" / "cli.js")]

    def migrate_argv(self) -> list[str]:
        return ["migrate:latest"]

    def add(self, *statements: str, transaction: bool = True) -> str:
        name = f"2026010{len(self.steps) + 1}000000_step.js"
        text = _KNEX_STEP.format(statements=json.dumps(list(statements)), transaction=json.dumps(transaction))
        (self.folder / "migrations" / name).write_text(text)
        self.steps.append(name)
        return name


TOOLS: dict[str, type[Application]] = {"alembic": Alembic, "django": Django, "prisma": Prisma, "knex": Knex}


def alive(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
