# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Graphile Worker: a database of its own, tasks that fail, hang and are fine, and workers."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from ansible_collections.oncall.runbooks.tests.support.peers import peers
from ansible_collections.oncall.runbooks.tests.support.postgres_servers import Server

TASKS = {
    "fails.js": "module.exports = async () => { throw new Error('550 no mailbox'); };",
    "fine.js": "module.exports = async () => {};",
    "hangs.js": "module.exports = () => new Promise(() => setInterval(() => {}, 1000));",
    "mail.js": """module.exports = async (payload, helpers) => {
      const tried = 'INSERT INTO tries (job, why) SELECT $1, (SELECT why FROM outages WHERE job IS NULL OR job = $1 LIMIT 1) RETURNING why';
      const {rows} = await helpers.query(tried, [helpers.job.id]);
      if (rows[0].why) throw new Error(rows[0].why);
    };""",
    "waits.js": "module.exports = async (payload, helpers) => { await helpers.query('UPDATE accounts SET n = n + 1'); };",
}


class Graphile:
    """A database of Graphile Worker.

    Args:
        postgres: has it.
        folder: an empty folder, for the tasks.
        name: of the database.
    """

    def __init__(self, postgres: Server, folder: Path, name: str = "jobs") -> None:
        self.postgres, self.folder, self.name = postgres, folder, name
        postgres.execute(f"CREATE DATABASE {name} OWNER app", dbname="postgres")
        tasks = folder / "tasks"
        tasks.mkdir()
        for file, text in TASKS.items():
            (tasks / file).write_text(text)
        self.run("--schema-only")

    def command(self, *options: str) -> list[str]:
        """What starts a worker in ``folder``."""
        url = f"postgres://app@127.0.0.1:{self.postgres.port}/{self.name}"
        return [str(peers() / "node_modules" / ".bin" / "graphile-worker"), "--connection", url, *options]

    def run(self, *options: str) -> None:
        """Run one to its end."""
        subprocess.run(self.command(*options), cwd=self.folder, check=True, capture_output=True, timeout=120)

    def ill(self, why: str, job: str | None = None) -> None:
        """Have the task mail fail with this error, of one job or of all."""
        with self.postgres.connect(dbname=self.name, user="app") as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS tries (id serial, job text, why text)")
            connection.execute("CREATE TABLE IF NOT EXISTS outages (job text, why text)")
            connection.execute("INSERT INTO outages VALUES (%s, %s)", (job, why))

    def well(self) -> None:
        """End that, and forget what was tried."""
        self.postgres.execute("TRUNCATE outages, tries", dbname=self.name, user="app")

    def tries(self) -> dict[str, int]:
        """How often each job of the task mail was tried."""
        rows = self.postgres.execute("SELECT job, count(*) FROM tries GROUP BY job", dbname=self.name)
        return {job: int(count) for job, count in rows}

    def ends(self) -> dict[str, list[str | None]]:
        """How each try of each job of the task mail ended: of what it failed, or None."""
        rows = self.postgres.execute("SELECT job, array_agg(why ORDER BY id) FROM tries GROUP BY job", dbname=self.name)
        return dict(rows)

    def start(self, *options: str) -> subprocess.Popen[bytes]:
        """Start a worker, to be ended by the test."""
        nowhere = subprocess.DEVNULL
        return subprocess.Popen(self.command(*options), cwd=self.folder, stdout=nowhere, stderr=nowhere)

    def add(self, task: str, count: int = 1) -> list[str]:
        """Add jobs that are tried once; their ids."""
        add = "SELECT (graphile_worker.add_job(%s, max_attempts := 1)).id::text FROM generate_series(1, %s)"
        with self.postgres.connect(dbname=self.name, user="app") as connection:
            return [row[0] for row in connection.execute(add, (task, count)).fetchall()]

    def queue(self, **more: Any) -> dict[str, Any]:
        """What an inventory says of it."""
        return {"engine": "graphile_worker", "database": self.reach(), **more}

    def reach(self) -> dict[str, Any]:
        """How its database is reached."""
        return {**self.postgres.reach(name=self.name), "user": "app"}
