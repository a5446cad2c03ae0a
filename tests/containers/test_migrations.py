# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runbook migrations where the application with its tool is in one container, and its PostgreSQL in another."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.oncall.runbooks.tests.support.containers import docker
from ansible_collections.oncall.runbooks.tests.support.environments import environment
from ansible_collections.oncall.runbooks.tests.support.migrating import Alembic
from ansible_collections.oncall.runbooks.tests.support.plays import on_host
from lab.compose.images import images

STACK = "db"
HIGH = {"run_max_risk": "high"}


class Inside:
    """The server of a container, asked by its own psql."""

    port = 5432

    def __init__(self, container: str) -> None:
        self._container = container

    def execute(self, statement: str, dbname: str = "postgres", user: str = "postgres") -> list[tuple[str, ...]]:
        argv = ("exec", self._container, "psql", "-v", "ON_ERROR_STOP=1", "-U", user, "-d", dbname, "-qAtc", statement)
        return [tuple(line.split("|")) for line in docker(*argv).splitlines()]


class InContainer(Alembic):
    """Its folder is /app of a container."""

    container = ""

    def run_prefix(self) -> list[str]:
        return ["docker", "exec", "-w", "/app", self.container]

    def program(self) -> list[str]:
        return ["python3", "-m", "alembic"]

    def columns(self) -> list[str]:
        rows = self.sql("SELECT column_name FROM information_schema.columns WHERE table_name = 'orders' ORDER BY 1")
        return [name for (name,) in rows]


@pytest.fixture
def app(stack, tmp_path) -> Iterator[InContainer]:
    """One with a table, of which one migration is applied and another is pending."""
    server = Inside(stack.name)
    for name in ("app", "keeper"):
        if not server.execute(f"SELECT 1 FROM pg_roles WHERE rolname = '{name}'"):
            server.execute(f"CREATE ROLE {name} LOGIN")
    server.execute("GRANT pg_monitor, pg_read_all_data TO keeper")
    server.execute("CREATE DATABASE shop OWNER app ENCODING 'UTF8' TEMPLATE template0")
    made = InContainer(server, tmp_path / "app")
    made.container = f"{stack.name}-api"
    (packages,) = (environment("peers") / "lib").glob("python3*/site-packages")
    docker(
        *("run", "--detach", "--name", made.container, "--network", f"container:{stack.name}", "--init"),
        *("--volume", f"{made.folder}:/app", "--volume", f"{packages}:/packages:ro", "--env", "PYTHONPATH=/packages"),
        *("--env", f"PORT={server.port}", "--env", "NAME=shop", images(print)["database"], "sleep", "infinity"),
    )
    try:
        made.add("CREATE TABLE orders (id bigint PRIMARY KEY)")
        made.migrate()
        made.add("ALTER TABLE orders ADD note text")
        yield made
    finally:
        docker("rm", "--force", "--volumes", made.container)
        server.execute("DROP DATABASE shop WITH (FORCE)")


def variables(app: InContainer, stack: Any, folder: Path) -> dict[str, Any]:
    verified = folder / "verified"
    verified.write_text("shop.dump: 41 tables\n")
    return {
        "ansible_python_interpreter": sys.executable,
        "system_migrations": {"shop": app.entry()},
        "system_database": {"transport": "docker", "container": stack.name, "name": "shop", "user": "keeper"},
        "migrations_backup": {"file": str(verified)},
        "migrations_timeout_seconds": 120,
    }


@pytest.mark.covers("PD-2-1", "PD-2-2")
def test_what_is_pending_in_the_image_is_named_and_applied_there(app, stack, tmp_path):
    play = on_host(tmp_path, "migrations", variables(app, stack, tmp_path))
    planned = play("--check", **HIGH)
    assert (planned.outcome, planned.causes(), app.columns()) == ("planned", ["pending"], ["id"]), planned.output
    fixed = play(**HIGH)
    assert (fixed.outcome, fixed.causes(), app.columns()) == ("resolved", ["pending"], ["id", "note"]), fixed.output
    assert fixed.run["actions"][0]["details"]["shop"]["applied"] == ["0002_step"]
    assert play(**HIGH).outcome == "healthy"


def test_nothing_is_known_of_a_container_that_is_gone(app, stack, tmp_path):
    docker("stop", app.container)
    left = on_host(tmp_path, "migrations", variables(app, stack, tmp_path))(**HIGH)
    assert (left.outcome, app.columns()) == ("unknown", ["id"]), left.output
    assert "what the image has is not known" in left.run["summary"] and "is not running" in left.output
