# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab in the shape of one of the systems of ``inventories``, with its users, and what is broken in it for the tests."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg

from ansible_collections.oncall.runbooks.tests.support.debian_programs import left_out
from ansible_collections.oncall.runbooks.tests.support.lab_parts import session
from ansible_collections.oncall.runbooks.tests.support.plays import Play, Player
from ansible_collections.oncall.runbooks.tests.support.waiting import going_on, until
from lab import Lab, LabError
from lab.compose.faults import disk_full
from lab.database import connect
from lab.embedded.assemble import release
from lab.measure import ask, listens

# Older than any limit of an inventory.
HOUR = 3600
EVENTS = 120
SYNCED = "SELECT 1 FROM connector_sync_state HAVING bool_and(status = 'success') AND min(last_success_at) > now() - interval '9 seconds'"
# So often a service ends by itself before it counts as a loop, the first time not counted.
LOOP = 5
LISTEN = "import socket, sys, time\nkept = socket.create_server(('127.0.0.1', int(sys.argv[1])))\ntime.sleep(900)"
# More than db_down_reconnect_seconds of a lab.
STARTED_SECONDS = 5
MIB = 1024 * 1024
# So much more memory the API takes in a second: enough to be seen within the window of a look, and few enough for a slow machine.
LEAKED_MB_PER_SECOND = 30
# The last change of the schema.
MIGRATION = "0002_order_notes"
# More than auth_failures needs to count.
REFUSED_USERS = 22


class SystemStack:
    """One running lab for all tests of a system. What a test breaks it mends again.

    Args:
        name: of the system.
        folder: an empty one.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.lab = Lab(folder / "home", say=lambda line: print("lab:", line), system=name)
        self.lab.up()
        self._player = Player(self.lab.home, folder, self.lab.home / "inventory")
        self.release = release(self.lab.layout)

    def close(self) -> None:
        self.lab.down(purge=True)

    # The runbooks.

    def play(self, runbook: str, *arguments: str, **variables: Any) -> Play:
        """Run a runbook with the system's own inventory."""
        return self._player.play(*arguments, playbook=f"playbooks/{runbook}.yml", **variables)

    def plan(self, runbook: str, **variables: Any) -> Play:
        """The same, and nothing is done."""
        return self.play(runbook, run_until="plan", **variables)

    # Looking and doing.

    def sql(self, statement: str, *values: Any) -> list[Any]:
        with connect(self.lab.layout, "app") as connection:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def pid(self, program: str) -> int:
        return self.lab.status()["services"][program]["pid"]

    def tell(self, program: str, path: str, method: str = "POST") -> None:
        """Have one of the lab's programs behave as a path of its own says."""
        status, body = ask(self.lab.layout.ports[program], path, method, 30)
        assert status == 200, body

    def wait_until_synced(self) -> None:
        """Wait until every connector has just synchronised."""
        until(lambda: self.sql(SYNCED))

    def users(self, *paths: str) -> contextlib.AbstractContextManager[None]:
        """Users who ask for one path after the other."""

        def visit() -> None:
            for path in paths:
                self.lab.request(path)

        return going_on(visit, 0.02)

    # Breaking.

    @contextlib.contextmanager
    def fault(self, name: str) -> Iterator[None]:
        """One of the lab's own faults."""
        self.lab.inject(name)
        try:
            yield
        finally:
            self.lab.up()
            self.lab.heal_all()

    @contextlib.contextmanager
    def deployed(self, subject: str, faults: str) -> Iterator[str]:
        """A commit with a mistake is deployed; gives its name."""
        before = self.release.head()
        revision = self.release.commit(subject, faults)
        self._deploy()
        try:
            yield revision
        finally:
            if self.release.head() != before:
                self.release.git("reset", "--hard", "--quiet", before)
                self._deploy()

    def _deploy(self) -> None:
        self.release.deploy()
        until(self.answers)

    @contextlib.contextmanager
    def begun(self, fault: str) -> Iterator[None]:
        """A mistake in the code of the API, such as ``errors?route=/orders``."""
        self.tell("api", f"/debug/{fault}")
        try:
            yield
        finally:
            self.tell("api", f"/debug/{fault.partition('?')[0]}", "DELETE")

    @contextlib.contextmanager
    def leaking(self) -> Iterator[None]:
        """The API takes more and more memory, and has more than half of its limit."""
        limit = self.lab.layout.shape.memory_limits["api"]
        with self.begun(f"memory?mb_per_second={LEAKED_MB_PER_SECOND}"):
            until(lambda: self.memory_bytes("api") > 0.55 * limit)
            yield
            until(self.answers)

    @contextlib.contextmanager
    def nearly_out_of_memory(self) -> Iterator[None]:
        """The API has nearly all the memory that it may have, and takes no more."""
        limit, step = self.lab.layout.shape.memory_limits["api"], 20
        missing = (0.97 * limit - self.memory_bytes("api")) / MIB
        with self.begun(f"memory?mb_per_second={4 * step}&until_mb={missing:.0f}"):
            until(lambda: self.memory_bytes("api") > 0.97 * limit - 1.5 * step * MIB)
            yield

    def answers(self) -> bool:
        """Whether the API is there."""
        return self.lab.request("/health")[0] == 200

    def memory_bytes(self, program: str) -> int:
        return psutil.Process(self.pid(program)).memory_info().rss

    @contextlib.contextmanager
    def keys_of_before(self) -> Iterator[None]:
        """The identity provider signs with other keys, and the API has those of before: whoever logs in is refused."""
        until(lambda: self.logged_in() == 200)
        self.tell("provider", "/debug/rotate")
        assert {self.logged_in() for _user in range(REFUSED_USERS)} == {401}
        yield

    def logged_in(self) -> int:
        """The status of what only somebody may read who is logged in, for somebody who just did that."""
        body = {"email": "user@lab.example", "password": self.lab.layout.entry_keys()["CANARY_PASSWORD"]}
        given = self._ask("/auth/login", body)[1]
        return self._ask("/me", token=given["access_token"])[0]

    def _ask(self, path: str, body: object = None, token: str = "") -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {token}", "User-Agent": "browser"}
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(
                urllib.request.Request(self.lab.url + path, data, headers), timeout=30
            ) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, None

    @contextlib.contextmanager
    def read_only(self) -> Iterator[None]:
        """Nobody may write, but with a token for emergencies."""
        self.tell("api", "/debug/read-only?on=1")
        try:
            yield
        finally:
            self.tell("api", "/debug/read-only?on=0")

    @contextlib.contextmanager
    def migration_missing(self) -> Iterator[None]:
        """The database has not the last migration of the API."""
        self.sql("ALTER TABLE orders DROP COLUMN note")
        self.sql("DELETE FROM schema_migrations WHERE version = %s", MIGRATION)
        yield

    def back_up(self, age_seconds: float = 0) -> None:
        """Make a backup by the system's own script; what that leaves is so old."""
        subprocess.run(["sh", str(self.lab.home / "backup.sh")], check=True, timeout=120)
        then = time.time() - age_seconds
        for path in self.lab.layout.backups.iterdir():
            os.utime(path, (then, then))

    def backups(self) -> list[Path]:
        """The files of backups, the oldest first."""
        found = self.lab.layout.backups.glob(f"{self.lab.layout.shape.database}_*")
        return sorted(found, key=lambda path: path.stat().st_mtime)

    @contextlib.contextmanager
    def migration_that_fails(self) -> Iterator[None]:
        """The API does not start any more: its first migration finds the table that it would make."""
        self.sql("ALTER TABLE schema_migrations RENAME TO schema_migrations_kept")
        with self.ends("api", times=LOOP):
            os.kill(self.pid("api"), signal.SIGKILL)
        try:
            yield
        finally:
            self.sql("DROP TABLE IF EXISTS schema_migrations")
            self.sql("ALTER TABLE schema_migrations_kept RENAME TO schema_migrations")
            self.lab.up()

    @contextlib.contextmanager
    def ends(self, program: str, times: int) -> Iterator[None]:
        """Wait until a program has ended by itself so many times since."""
        log, words = self.lab.layout.logs / "supervisord.log", f"exited: {program} "
        before = log.read_text().count(words)
        yield
        until(lambda: log.read_text().count(words) >= before + times)

    @contextlib.contextmanager
    def port_taken(self) -> Iterator[int]:
        """A program that nobody knows has the API's port, so that the API cannot start; gives its process id."""
        self.lab.supervisor.stop("api")
        argv = [sys.executable, "-ISc", LISTEN, str(self.lab.layout.ports["api"])]
        stranger = subprocess.Popen(argv, cwd="/", stdin=subprocess.DEVNULL, start_new_session=True)
        until(lambda: listens(self.lab.layout.ports["api"]))
        with self.ends("api", times=2):
            self.lab.supervisor.start("api")
        try:
            yield stranger.pid
        finally:
            stranger.kill()
            stranger.wait(30)
            self.lab.up()

    @contextlib.contextmanager
    def full_disk(self) -> Iterator[Path]:
        """A disk of the lab's own that is full of rotated logs, and has data besides; gives its folder."""
        fault = disk_full.FAULTS["disk_full_of_rotated_logs"]
        target: Any = self.lab.target
        try:
            fault.make(target)
        except LabError as error:
            left_out(str(error))
        try:
            yield self.lab.home / "disk"
        finally:
            fault.undo(target)

    @contextlib.contextmanager
    def provider(self, how: str) -> Iterator[None]:
        """The outside provider answers otherwise, such as ``status=503`` or ``seconds=1``."""
        self.tell("provider", f"/debug/behave?{how}")
        try:
            yield
        finally:
            self.tell("provider", "/debug/behave?status=200&seconds=0")

    @contextlib.contextmanager
    def stuck_in_one_event(self, seconds: float) -> Iterator[str]:
        """The worker has been at one event for longer than ``seconds``, and others wait; gives the id of that one."""
        ((event,),) = self.sql("INSERT INTO events (kind) VALUES ('endless') RETURNING id")
        self.sql("INSERT INTO events (kind) SELECT 'sync' FROM generate_series(1, %s)", EVENTS)
        late = "SELECT 1 FROM events WHERE status = 'running' AND began_at < now() - make_interval(secs => %s)"
        until(lambda: self.sql(late, seconds))
        try:
            yield str(event)
        finally:
            self.sql("DELETE FROM events")

    @contextlib.contextmanager
    def report_that_locks(self, *tables: str) -> Iterator[int]:
        """A report of another application runs without end, locks tables against all who write, and the worker waits; gives its session."""
        with contextlib.closing(session(self.lab, "backoffice", autocommit=False)) as holder:
            holder.execute(f"LOCK TABLE {', '.join(tables)} IN EXCLUSIVE MODE".encode())
            pid = holder.info.backend_pid

            def report() -> None:
                with contextlib.suppress(psycopg.Error):
                    holder.execute("SELECT pg_sleep(900)")

            running = threading.Thread(target=report)
            running.start()
            try:
                yield pid
            finally:
                self.sql("SELECT pg_terminate_backend(%s)", pid)
                running.join()

    @contextlib.contextmanager
    def hanging_database(self) -> Iterator[None]:
        """Its main process stands still, and those who were in are out: nobody gets in any more."""
        # For as long as it counts as starting up, nobody restarts it.
        until(lambda: time.time() - psutil.Process(self.pid("database")).create_time() > STARTED_SECONDS)
        pid = self.pid("database")
        with connect(self.lab.layout) as superuser:
            os.kill(pid, signal.SIGSTOP)
            superuser.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'")
        try:
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
            self.lab.up()

    @contextlib.contextmanager
    def stopped(self, program: str) -> Iterator[int]:
        """A program stands still, as one that hangs; gives its process id."""
        pid = self.pid(program)
        os.kill(pid, signal.SIGSTOP)
        try:
            yield pid
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def named(play: Play, status: str = "problem") -> list[str]:
    """The runbooks of a triage that have such a finding, in its order."""
    (triage,) = [run for run in play.runs if run["runbook"] == "triage"]
    return [finding["cause"] for finding in triage["findings"] if finding["status"] == status]


def planned(play: Play) -> dict[str, Any]:
    """What a plan would do, of what can be done: remedy -> its targets."""
    assert play.runs, play.output
    return planned_of(play.run)


def planned_of(run: dict[str, Any]) -> dict[str, Any]:
    """The same of one run of a play that had several."""
    return {step["remedy"]: step["targets"] for step in run["plan"]["steps"] if step["available"]}


def done(play: Play) -> dict[str, Any]:
    """What was done and helped: remedy -> what it touched."""
    assert (play.code, play.outcome) == (0, "resolved"), play.output
    assert all(action["helped"] for action in play.run["actions"]), play.output
    return {action["remedy"]: action["targets"] for action in play.run["actions"]}
