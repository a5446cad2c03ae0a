# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real PostgreSQL servers of Debian's, and a PgBouncer before them, for tests: on loopback, gone with the test."""

from __future__ import annotations

import contextlib
import copy
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

from ansible_collections.oncall.runbooks.plugins.module_utils.observers.postgres_activity import SPEC
from ansible_collections.oncall.runbooks.plugins.module_utils.postgres.activity import observe
from ansible_collections.oncall.runbooks.tests.support.debian_programs import left_out
from ansible_collections.oncall.runbooks.tests.support.waiting import until
from lab.layout import as_unprivileged, unprivileged_user
from lab.ports import free_port

DEFAULTS: dict[str, Any] = {name: dict(option).get("default") for name, option in SPEC.items()}  # type: ignore[call-overload]


def postgres_programs() -> Path:
    """The folder of the newest server here."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not folders:
        left_out("Debian's postgresql is not installed here")
    return folders[-1].parent


class Server:
    """A PostgreSQL on a port of its own, whose superuser needs no password.

    Args:
        folder: that the unprivileged user can pass.
        settings: lines of its configuration.
        programs: the folder of its programs, where they are not this machine's own.
    """

    def __init__(self, folder: Path, *settings: str, programs: Path | None = None) -> None:
        self.port, self._data, self._programs = free_port(), folder / "data", programs or postgres_programs()
        self._run(
            "initdb", "-D", str(self._data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"
        )
        lines = [
            "listen_addresses = '127.0.0.1'",
            f"port = {self.port}",
            f"unix_socket_directories = '{folder}'",
            "fsync = off",
        ]
        lines += ["shared_buffers = 16MB", "max_connections = 40", *settings]
        with (self._data / "postgresql.conf").open("a") as file:
            file.write("\n".join([*lines, ""]))
        self._log = folder / "log"
        self.start()

    @contextlib.contextmanager
    def standby(self) -> Iterator[Server]:
        """A hot standby of it, for as long as it is needed."""
        other = copy.copy(self)
        other.port, other._data, other._log = (
            free_port(),
            self._data.with_name("standby"),
            self._log.with_name("standby.log"),
        )
        self._run(
            *("pg_basebackup", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres"),
            *("-D", str(other._data), "-R", "-X", "stream", "--checkpoint=fast", "--no-sync"),
        )
        with (other._data / "postgresql.conf").open("a") as file:
            file.write(f"port = {other.port}\n")
        other.start()
        try:
            yield other
        finally:
            other.stop()

    def start(self) -> None:
        self._run("pg_ctl", "-D", str(self._data), "-l", str(self._log), "-w", "start")

    def _run(self, program: str, *argv: str) -> None:
        environment = {"LC_ALL": "C", "PATH": "/usr/bin:/bin"}
        # What it starts must not hold our pipes.
        subprocess.run(
            [str(self._programs / program), *argv], check=True, stdout=subprocess.DEVNULL, cwd="/", env=environment,
            timeout=120, **as_unprivileged(),
        )  # fmt: skip

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self._data), "-m", "immediate", "-w", "stop")

    def connect(self, application: str = "test", user: str = "postgres", **more: Any) -> psycopg.Connection[Any]:
        options: dict[str, Any] = {"dbname": "shop", "autocommit": True, **more}
        return psycopg.connect(host="127.0.0.1", port=self.port, user=user, application_name=application, **options)

    def execute(self, statement: str, **more: Any) -> list[Any]:
        with self.connect(**more) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def reach(self, user: str = "oncall", **more: Any) -> dict[str, Any]:
        """What an inventory says about it."""
        return {"transport": "psycopg", "host": "127.0.0.1", "port": self.port, "name": "shop", "user": user, **more}

    def look(self, user: str = "oncall", **changes: Any) -> dict[str, Any]:
        """What the observer tells, with thresholds for a test."""
        database = changes.pop("database", None) or self.reach(user)
        return observe({**DEFAULTS, "database": database, "blocked_seconds": 0.0, **changes})


@contextlib.contextmanager
def server(*settings: str, programs: Path | None = None) -> Iterator[Server]:
    """A running server with the database shop and the roles app and oncall."""
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
    folder.chmod(0o755)
    if user := unprivileged_user():
        shutil.chown(folder, user)
    running = None
    try:
        running = Server(folder, *settings, programs=programs)
        for statement in (
            "CREATE ROLE app LOGIN",
            "CREATE ROLE oncall LOGIN",
            "GRANT pg_monitor, pg_signal_backend TO oncall",
            "CREATE DATABASE shop OWNER app",
        ):
            running.execute(statement, dbname="postgres")
        yield running
    finally:
        if running:
            running.stop()
        shutil.rmtree(folder, ignore_errors=True)


class Sessions:
    """Sessions of a test, all closed at its end."""

    def __init__(self, running: Server, stack: contextlib.ExitStack) -> None:
        self._server, self._stack = running, stack

    def open(self, application: str, *statements: str, user: str = "app", **more: Any) -> psycopg.Connection[Any]:
        """A session that has run these statements."""
        connection = self._stack.enter_context(contextlib.closing(self._server.connect(application, user, **more)))
        for statement in statements:
            connection.execute(statement.encode())
        return connection

    def close(self) -> None:
        self._stack.close()

    def send(self, application: str, statement: str, *before: str, waits: str = "Lock", **more: Any) -> int:
        """The process id of a session that waits in a statement."""
        connection = self.open(application, *before, **more)
        connection.pgconn.send_query(statement.encode())
        connection.pgconn.flush()
        pid = connection.info.backend_pid
        until(
            lambda: self._server.execute(
                f"SELECT 1 FROM pg_stat_activity WHERE pid = {pid} AND state = 'active' AND "
                f"({'true' if not waits else 'wait_event_type = ' + repr(waits)})"
            )
        )
        return pid


def burn_transaction_ids(running: Server, number: int = 120_000) -> None:
    """Use so many transaction ids up that every table is due for a VACUUM against wraparound."""
    running.execute("CREATE TABLE burnt (n int)", user="app")
    running.execute(
        f"DO $$ BEGIN FOR i IN 1..{number} LOOP BEGIN INSERT INTO burnt VALUES (1); EXCEPTION WHEN division_by_zero THEN NULL; "
        "END; END LOOP; END $$",
        user="app",
    )
