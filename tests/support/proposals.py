# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proposals in a real PostgreSQL, events about them, and a real validator that takes these under a real supervisord."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from typing import Any

from ansible_collections.oncall.runbooks.tests.support.postgres_servers import Server
from ansible_collections.oncall.runbooks.tests.support.supervisord import Supervisord
from ansible_collections.oncall.runbooks.tests.support.waiting import until

SCHEMA = """
CREATE TYPE proposal_state AS ENUM ('pending', 'validated', 'rejected');
CREATE TABLE workspaces (id int PRIMARY KEY, settings jsonb NOT NULL);
CREATE TABLE proposals (id text PRIMARY KEY, workspace_id int NOT NULL, status proposal_state NOT NULL DEFAULT 'pending',
  updated_at timestamptz NOT NULL DEFAULT now(), created_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE rules (name text);
CREATE TABLE requested (id bigserial PRIMARY KEY, proposal text NOT NULL, status text NOT NULL DEFAULT 'pending', error text,
  created_at timestamptz NOT NULL DEFAULT now(), began_at timestamptz, ended_at timestamptz);
GRANT SELECT ON ALL TABLES IN SCHEMA public TO oncall;
GRANT UPDATE (status) ON proposals TO oncall;
GRANT UPDATE ON requested TO oncall;
"""
# One event at a time. Of a workspace that has it switched off, the proposal stays for a person.
VALIDATOR = """
import sys, time
import psycopg
with psycopg.connect(sys.argv[1], autocommit=True, application_name="jobs") as db:
    print("global-validator: INFO: it is up", flush=True)
    while True:
        taken = db.execute("UPDATE requested SET status = 'running', began_at = now() WHERE id = (SELECT id FROM requested "
            "WHERE status = 'pending' ORDER BY id FOR UPDATE SKIP LOCKED LIMIT 1) RETURNING id, proposal").fetchone()
        if taken is None:
            time.sleep(0.1)
            continue
        try:
            db.execute("SELECT count(*) FROM rules")
            db.execute("UPDATE proposals SET status = 'validated', updated_at = now() WHERE id = %s AND status = 'pending' "
                "AND workspace_id IN (SELECT id FROM workspaces WHERE settings->>'aiAutoApprove' = 'true')", (taken[1],))
            db.execute("UPDATE requested SET status = 'done', ended_at = now() WHERE id = %s", (taken[0],))
            print("global-validator: INFO: has looked at", taken[1], flush=True)
        except psycopg.Error as error:
            text = str(error).splitlines()[0]
            db.execute("UPDATE requested SET status = 'failed', ended_at = now(), error = %s WHERE id = %s", (text, taken[0]))
            print("global-validator: ERROR:", text, flush=True)
"""
# What an application has for it: it does more than to set a state.
COMMANDS = """
import sys
import psycopg
with psycopg.connect(sys.argv[1], autocommit=True, application_name="app") as db:
    if sys.argv[2] == "request":
        for one in sys.argv[3].split(","):
            db.execute("INSERT INTO requested (proposal) VALUES (%s)", (one,))
    else:
        db.execute("UPDATE proposals SET status = %s, updated_at = now() WHERE id = %s", (sys.argv[2], sys.argv[3]))
        print(sys.argv[2], "by", sys.argv[4])
"""
PROGRAM = """[program:jobs]
command={command}
directory={folder}
startsecs=1
startretries=0
autorestart=false
stopwaitsecs=1
redirect_stderr=true
stdout_logfile={log}
"""
COUNTS = """SELECT count(*) FILTER (WHERE status = 'pending') AS ready, count(*) FILTER (WHERE status = 'running') AS running, 0 AS delayed,
count(*) FILTER (WHERE status = 'failed') AS dead,
count(*) FILTER (WHERE status = 'failed' AND ended_at > now() - make_interval(secs => :lately_seconds::float)) AS dead_lately,
(SELECT count(*) FROM pg_stat_activity WHERE application_name = 'jobs') AS workers,
extract(epoch FROM now() - min(created_at) FILTER (WHERE status = 'pending')) AS oldest_ready_age_seconds FROM requested"""
DEAD = """SELECT id, proposal AS payload, 'requested' AS name, error, created_at AS at, ended_at AS dead_at FROM requested
WHERE status = 'failed' ORDER BY id LIMIT :most::int"""
WHEREABOUTS = """SELECT id, CASE status WHEN 'failed' THEN 'dead' WHEN 'pending' THEN 'waiting' ELSE status END AS place, ended_at AS dead_at, error
FROM requested WHERE id::text IN (SELECT jsonb_array_elements_text(:jobs::jsonb))"""
REPLAY = """UPDATE requested SET status = 'pending', ended_at = NULL, error = NULL
WHERE status = 'failed' AND id::text IN (SELECT jsonb_array_elements_text(:jobs::jsonb)) RETURNING id"""


class Workflow:
    """Proposals of three workspaces, which a validator validates, one event after the other.

    Args:
        postgres: has them.
        supervisord: runs the validator.
    """

    def __init__(self, postgres: Server, supervisord: Supervisord) -> None:
        self.postgres, self.supervisord = postgres, supervisord
        self.log = supervisord.home / "jobs.log"
        for name, text in {"validator.py": VALIDATOR, "commands.py": COMMANDS}.items():
            (supervisord.home / name).write_text(text)
        for statement in SCHEMA.split(";\n"):
            if statement.strip():
                self.execute(statement)
        self.execute("INSERT INTO workspaces SELECT n, '{\"aiAutoApprove\": true}' FROM generate_series(1, 3) AS n")
        command = shlex.join([sys.executable, str(supervisord.home / "validator.py"), self.url])
        settings = supervisord.home / "conf.d" / "jobs.conf"
        settings.write_text(PROGRAM.format(command=command, folder=supervisord.home, log=self.log))
        supervisord.rpc("reloadConfig")
        supervisord.rpc("addProcessGroup", "jobs")
        supervisord.wait_for(jobs="RUNNING")

    @property
    def url(self) -> str:
        return f"postgresql://app@127.0.0.1:{self.postgres.port}/shop"

    def execute(self, statement: str) -> list[Any]:
        return self.postgres.execute(statement, user="app")

    def propose(
        self, count: int, age_seconds: int = 0, workspace: int = 1, with_event: bool = True, prefix: str = "p"
    ) -> list[str]:
        """Add proposals of some age that are pending; their ids."""
        rows = self.execute(
            "INSERT INTO proposals (id, workspace_id, updated_at, created_at) "
            f"SELECT '{prefix}-' || {workspace} || '-' || n, {workspace}, now() - interval '{age_seconds} s', now() - interval '{age_seconds} s' "
            f"FROM generate_series(1, {count}) AS n RETURNING id"
        )
        ids = [row[0] for row in rows]
        if with_event:
            self.request(*ids)
        return ids

    def request(self, *ids: str) -> None:
        """Have them validated."""
        self.execute(f"INSERT INTO requested (proposal) SELECT unnest(ARRAY{[*ids]!r})")

    def state(self, identity: str) -> str:
        with self.postgres.connect(user="app") as connection:
            return str(
                connection.execute("SELECT status::text FROM proposals WHERE id = %s", (identity,)).fetchall()[0][0]
            )

    def pending(self) -> int:
        return int(self.execute("SELECT count(*) FROM proposals WHERE status = 'pending'")[0][0])

    def events(self) -> dict[str, int]:
        """How many there are in each state."""
        return dict(self.execute("SELECT status, count(*) FROM requested GROUP BY status"))

    def pid(self) -> int:
        return int(self.supervisord.rpc("getProcessInfo", "jobs")["pid"])

    def kill(self) -> None:
        os.kill(self.pid(), signal.SIGKILL)
        self.supervisord.wait_for(jobs="EXITED")

    def heal(self) -> None:
        """No proposal is left, nothing is switched off, and the validator runs."""
        if self.supervisord.state("jobs") in ("RUNNING", "STARTING"):
            self.supervisord.rpc("stopProcess", "jobs")
        self.execute("CREATE TABLE IF NOT EXISTS rules (name text)")
        self.execute("TRUNCATE proposals, requested")
        self.switch(2, "true")
        self.log.unlink(missing_ok=True)
        self.supervisord.rpc("startProcess", "jobs")
        until(lambda: "it is up" in self.log.read_text())

    def switch(self, workspace: int, value: str) -> None:
        """Whether proposals of a workspace are validated by themselves."""
        self.execute(f"UPDATE workspaces SET settings = '{{\"aiAutoApprove\": {value}}}' WHERE id = {workspace}")

    def command(self, *arguments: str) -> list[str]:
        """A command of the application."""
        return [sys.executable, str(self.supervisord.home / "commands.py"), self.url, *arguments]

    def proposals(self, **more: Any) -> dict[str, Any]:
        """What an inventory says of the workflow."""
        return {
            "table": "public.proposals",
            "since_column": "updated_at",
            "created_column": "created_at",
            "waiting": ["pending"],
            "limit_seconds": 60,
            "scope_column": "workspace_id",
            "switches": "SELECT id AS scope, settings->>'aiAutoApprove' AS value FROM workspaces",
            "switched_on": ["true"],
            "workers": ["jobs"],
            "log_pattern": "global-validator",
            "queue": "events",
            "request": self.command("request", "{ids}"),
            "approve": {"to": "validated", "from": ["pending"]},
            **more,
        }

    def queue(self) -> dict[str, Any]:
        """What an inventory says of the events."""
        statements = {"counts": COUNTS, "dead": DEAD, "whereabouts": WHEREABOUTS}
        return {
            "engine": "table", "workers": ["jobs"], "limit_seconds": 60, "statements": statements, "actions": {"replay": REPLAY},
        }  # fmt: skip

    def inventory(self) -> dict[str, Any]:
        """The variables of a host that has all of it."""
        return {
            "system_services": {"jobs": self.supervisord.service("jobs")},
            "system_database": self.postgres.reach(),
            "system_queues": {"events": self.queue()},
            "system_workflows": {"proposals": self.proposals()},
            "stalled_workflow_window_seconds": 1,
            # Nothing has to be done for so long before that counts as lately.
            "stalled_workflow_lately_seconds": 1,
            "stalled_workflow_settled_seconds": 0,
        }
