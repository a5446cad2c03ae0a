# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application of two files that sends mail out of a table: a worker under supervisord, and the command that pauses and slows it down.

The worker sends by the provider that MAIL_PROVIDER names, over SMTP, and takes up each message once.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

from ansible_collections.oncall.runbooks.tests.support.postgres_servers import Server
from ansible_collections.oncall.runbooks.tests.support.supervisord import Supervisord

TABLES = """
CREATE TABLE outbox (id serial PRIMARY KEY, status text NOT NULL DEFAULT 'pending', created_at timestamptz NOT NULL DEFAULT now(),
  ended_at timestamptz, error text, provider text);
CREATE TABLE outbox_settings (paused boolean NOT NULL, per_minute int NOT NULL);
INSERT INTO outbox_settings VALUES (false, 0)
"""
WORKER = '''
import os, smtplib, sys, time
import psycopg
TAKE = """UPDATE outbox SET status = 'running' WHERE id = (SELECT id FROM outbox WHERE status = 'pending' AND NOT (SELECT paused FROM outbox_settings)
  ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id"""
provider = os.environ.get("MAIL_PROVIDER", "first")
port = int(os.environ[provider.upper() + "_PORT"])
with psycopg.connect(os.environ["DSN"], autocommit=True) as db:
    while True:
        row = db.execute(TAKE).fetchone()
        if row is None:
            time.sleep(0.1)
            continue
        try:
            with smtplib.SMTP("127.0.0.1", port, timeout=900, local_hostname="localhost") as smtp:
                smtp.sendmail("noreply@shop.example", ["a@buyer.example"], f"Subject: {row[0]}\\n\\nhello")
            status, error = "sent", None
        except Exception as failure:
            code = getattr(failure, "smtp_code", "")
            status, error = "failed", f"{type(failure).__name__} {code}"
        db.execute("UPDATE outbox SET status = %s, error = %s, provider = %s, ended_at = clock_timestamp() WHERE id = %s", (status, error, provider, row[0]))
        per_minute = db.execute("SELECT per_minute FROM outbox_settings").fetchone()[0]
        time.sleep(60 / per_minute if per_minute else 0)
'''
CONTROL = """
import os, sys
import psycopg
verb, *more = sys.argv[2:]
with psycopg.connect(sys.argv[1], autocommit=True) as db:
    if verb == "limit":
        db.execute("UPDATE outbox_settings SET per_minute = %s", (int(more[0]),))
    else:
        db.execute("UPDATE outbox_settings SET paused = %s", (verb == "pause",))
    db.execute("INSERT INTO said VALUES (%s)", (" ".join([verb, *more]),))
"""
PROGRAM = """[program:{name}]
command={command}
environment=DSN="{dsn}",FIRST_PORT="{first}",SECOND_PORT="{second}",MAIL_PROVIDER="{provider}"
startsecs=1
startretries=0
autorestart=false
redirect_stderr=true
stdout_logfile={folder}/{name}.log
"""
COUNTS = """SELECT count(*) FILTER (WHERE status = 'pending') AS ready, count(*) FILTER (WHERE status = 'running') AS running,
extract(epoch FROM clock_timestamp() - min(created_at) FILTER (WHERE status = 'pending')) AS oldest_ready_age_seconds,
count(*) FILTER (WHERE status = 'failed' AND ended_at > clock_timestamp() - make_interval(secs => :lately_seconds::float)) AS dead_lately,
count(*) FILTER (WHERE ended_at > clock_timestamp() - make_interval(secs => :lately_seconds::float)) / :lately_seconds::float AS throughput_per_second,
(SELECT paused FROM outbox_settings) AS paused FROM outbox"""
ERRORS = "SELECT error AS text, 'mail' AS name FROM outbox WHERE status = 'failed' ORDER BY ended_at DESC"


class Outbox:
    """The application. Its worker is the program ``worker`` of supervisord.

    Args:
        postgres: gets a database for it.
        supervisord: runs the worker.
        ports: of the two providers, first and second.
    """

    def __init__(self, postgres: Server, supervisord: Supervisord, ports: tuple[int, int]) -> None:
        self.postgres, self.supervisord, self._ports = postgres, supervisord, ports
        self.home = supervisord.home
        self._worker, self._control = self.home / "outbox.py", self.home / "outboxctl.py"
        self._worker.write_text(WORKER)
        self._control.write_text(CONTROL)
        postgres.execute("CREATE DATABASE outbox OWNER app", dbname="postgres")
        for statement in [*TABLES.split(";"), "CREATE TABLE said (verb text)"]:
            self.run(statement)
        self.settings = self.home / "conf.d" / "worker.conf"
        self.write("first")
        supervisord.rpc("reloadConfig")
        supervisord.rpc("addProcessGroup", "worker")
        supervisord.wait_for(worker="RUNNING")

    @property
    def _dsn(self) -> str:
        return f"host=127.0.0.1 port={self.postgres.port} user=app dbname=outbox"

    def run(self, statement: str) -> list[Any]:
        return self.postgres.execute(statement, dbname="outbox", user="app")

    def write(self, provider: str) -> None:
        """What the worker is from its next start on."""
        command = shlex.join([sys.executable, str(self._worker)])
        self.settings.write_text(
            PROGRAM.format(
                name="worker",
                command=command,
                dsn=self._dsn,
                first=self._ports[0],
                second=self._ports[1],
                provider=provider,
                folder=self.home,
            )
        )

    def start(self, provider: str) -> None:
        """Start the worker anew, with a provider, and nothing in the table."""
        self.supervisord.rpc("removeProcessGroup", "worker") if self._stop() else None
        self.write(provider)
        self.run("TRUNCATE outbox RESTART IDENTITY")
        self.run("TRUNCATE said")
        self.run("UPDATE outbox_settings SET paused = false, per_minute = 0")
        self.supervisord.rpc("reloadConfig")
        self.supervisord.rpc("addProcessGroup", "worker")
        self.supervisord.wait_for(worker="RUNNING")

    def _stop(self) -> bool:
        if self.supervisord.state("worker") in ("RUNNING", "STARTING"):
            self.supervisord.rpc("stopProcess", "worker")
        return True

    def add(self, count: int, seconds_ago: float = 0.0) -> None:
        self.run(
            f"INSERT INTO outbox (created_at) SELECT now() - make_interval(secs => {seconds_ago}) FROM generate_series(1, {count})"
        )

    def counts(self) -> dict[str, int]:
        """How many messages there are of each status."""
        return dict(self.run("SELECT status, count(*)::int FROM outbox GROUP BY status"))

    def said(self) -> list[str]:
        """What the queue was told, in order."""
        return [row[0] for row in self.run("SELECT verb FROM said")]

    def queue(self) -> dict[str, Any]:
        """What an inventory says of its queue."""
        control = [sys.executable, str(self._control), self._dsn]
        reach = {"host": "127.0.0.1", "port": self.postgres.port, "name": "outbox", "user": "app"}
        commands = {
            "pause": [*control, "pause"],
            "resume": [*control, "resume"],
            "rate_limit": [*control, "limit", "{per_minute}"],
        }
        return {
            "engine": "table",
            "statements": {"counts": COUNTS, "errors": ERRORS},
            "database": reach,
            "workers": ["worker"],
            "commands": commands,
        }

    def service(self) -> dict[str, Any]:
        """What an inventory says of its worker."""
        return {**self.supervisord.service("worker"), "program_config": str(self.settings)}

    def environment(self) -> str:
        """The provider with which the process runs; "" where it has only just been forked."""
        pid = self.supervisord.rpc("getProcessInfo", "worker")["pid"]
        pairs = dict(pair.split("=", 1) for pair in Path(f"/proc/{pid}/environ").read_text().split("\0") if "=" in pair)
        return pairs.get("MAIL_PROVIDER", "")
