# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Applications whose queues only their own library acts on: BullMQ, pg-boss, RQ and Celery, with a worker, and messages that die."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible_collections.oncall.runbooks.tests.support.environments import environment
from ansible_collections.oncall.runbooks.tests.support.peers import peers
from ansible_collections.oncall.runbooks.tests.support.postgres_servers import Server as Postgres
from ansible_collections.oncall.runbooks.tests.support.redis_servers import Server as Redis
from ansible_collections.oncall.runbooks.tests.support.waiting import until

# What every task does: it notes that it was tried, and fails where it is to. The error says who it was for.
_OF_JAVASCRIPT = """
const {Redis} = require('ioredis');
const notes = new Redis(process.env.NOTES_URL);
async function mail(id) {
  await notes.rpush('tries', id);
  if (await notes.sismember('ill', id) || await notes.sismember('ill', 'all')) throw new Error('550 no mailbox for someone@example.com');
}
"""
_BULLMQ_WORKER = """
const {Worker} = require('bullmq');
new Worker('mail', job => mail(job.id), {connection: {host: '127.0.0.1', port: +process.env.PORT}, concurrency: 4});
"""
_BULLMQ_ADD = """
const {Queue} = require('bullmq');
(async () => {
  const queue = new Queue('mail', {connection: {host: '127.0.0.1', port: +process.env.PORT}});
  const jobs = await queue.addBulk(Array.from({length: +process.env.COUNT}, (_, n) => ({name: 'welcome', data: {n, secret: 's3cretdata'}})));
  console.log(JSON.stringify(jobs.map(job => job.id)));
  process.exit(0);
})();
"""
_PGBOSS = """
const PgBoss = require('pg-boss');
const boss = new PgBoss({connectionString: process.env.DATABASE_URL});
boss.on('error', error => console.error(error));
"""
_PGBOSS_WORKER = """
(async () => {
  await boss.start();
  await boss.createQueue('mail');
  await boss.work('mail', {pollingIntervalSeconds: 0.5, batchSize: 1}, async ([job]) => mail(job.id));
  for (let n = 0; n < 3; n++) await boss.work('mail', {pollingIntervalSeconds: 0.5, batchSize: 1}, async ([job]) => mail(job.id));
})();
"""
_PGBOSS_ADD = """
(async () => {
  await boss.start();
  await boss.createQueue('mail');
  const ids = [];
  for (let n = 0; n < +process.env.COUNT; n++) ids.push(await boss.send('mail', {n, secret: 's3cretdata'}, {retryLimit: 0}));
  console.log(JSON.stringify(ids));
  process.exit(0);
})();
"""
_TASKS = """
import os
import redis

notes = redis.Redis.from_url(os.environ["NOTES_URL"])


def tried(identity):
    notes.rpush("tries", identity)
    if notes.sismember("ill", identity) or notes.sismember("ill", "all"):
        raise ValueError("550 no mailbox for someone@example.com")
"""
_RQ_TASKS = """
from notes import tried
from rq import get_current_job


def welcome(n, secret):
    tried(get_current_job().id)
"""
_RQ_ADD = """
import json
import os
import redis
import tasks
from rq import Queue

queue = Queue("mail", connection=redis.Redis(port=int(os.environ["PORT"])))
jobs = [queue.enqueue(tasks.welcome, n, secret="s3cretdata", meta={"of": n}) for n in range(int(os.environ["COUNT"]))]
print(json.dumps([job.id for job in jobs]))
"""
_CELERY_TASKS = """
import os
from celery import Celery
from notes import tried

url = f"redis://127.0.0.1:{os.environ['PORT']}/1"
app = Celery("shop", broker=url, backend=url)
app.conf.update(result_extended=True, broker_connection_retry_on_startup=True, task_default_queue="mail")


@app.task(name="shop.welcome", bind=True)
def welcome(self, n, secret):
    tried(self.request.id)
"""
_CELERY_ADD = """
import json
import os
from shop import welcome

print(json.dumps([welcome.apply_async((n,), {"secret": "s3cretdata"}).id for n in range(int(os.environ["COUNT"]))]))
"""


class Application:
    """One of them, in Redis or PostgreSQL; what was tried is noted in a Redis.

    Args:
        engine: of its queue.
        notes: where it is noted, which also is the store of those that are in Redis.
        postgres: has the store of the other.
        folder: an empty folder.
    """

    def __init__(self, engine: str, notes: Redis, postgres: Postgres, folder: Path) -> None:
        self.engine, self.folder, self._notes, self._postgres = engine, folder, notes, postgres
        self._environment = {"NOTES_URL": f"redis://127.0.0.1:{notes.port}/9", "PORT": str(notes.port)}
        self.is_javascript = engine in ("bullmq", "pgboss")
        if engine == "pgboss":
            postgres.execute("CREATE DATABASE boss OWNER app", dbname="postgres")
            self._environment["DATABASE_URL"] = f"postgres://app@127.0.0.1:{postgres.port}/boss"
        for name, text in (("notes.py", _TASKS), ("tasks.py", _RQ_TASKS), ("shop.py", _CELERY_TASKS)):
            (folder / name).write_text(text)

    # ------------------------------------------------------------------ what it is made of
    def _python(self) -> str:
        return str(environment("peers") / "bin" / "python")

    def _worker(self) -> list[str]:
        if self.engine == "bullmq":
            return ["node", "-e", _OF_JAVASCRIPT + _BULLMQ_WORKER]
        if self.engine == "pgboss":
            return ["node", "-e", _OF_JAVASCRIPT + _PGBOSS + _PGBOSS_WORKER]
        if self.engine == "rq":
            url = f"redis://127.0.0.1:{self._notes.port}"
            return [
                self._python(),
                "-m",
                "rq.cli",
                "worker",
                "-u",
                url,
                "-w",
                "rq.worker.SimpleWorker",
                "--quiet",
                "mail",
            ]
        return [self._python(), "-m", "celery", "-A", "shop", "worker", "-P", "solo", "-Q", "mail"]

    def _add(self) -> list[str]:
        if self.is_javascript:
            return ["node", "-e", _BULLMQ_ADD if self.engine == "bullmq" else _PGBOSS + _PGBOSS_ADD]
        return [self._python(), "-c", _RQ_ADD if self.engine == "rq" else _CELERY_ADD]

    @property
    def directory(self) -> Path:
        """Where its libraries are found."""
        return peers() if self.is_javascript else self.folder

    # ------------------------------------------------------------------ what it does
    @contextlib.contextmanager
    def worked_on(self) -> Iterator[None]:
        """Have a worker at work."""
        if self.engine == "pgboss":
            # Two that create a queue of pg-boss at once block each other: the database ends one of them.
            self.add(0)
        everything = {**os.environ, **self._environment}
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(self._worker(), cwd=self.directory, env=everything, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.kill()
            process.wait()

    def add(self, count: int) -> list[str]:
        """Messages, by their ids."""
        everything = {**os.environ, **self._environment, "COUNT": str(count)}
        done = subprocess.run(
            self._add(), cwd=self.directory, env=everything, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        ids: list[str] = json.loads(done.stdout.splitlines()[-1])
        return ids

    def die(self, count: int) -> list[str]:
        """Messages that have failed, where a worker is at work; nothing is noted of that."""
        self.ill("all")
        ids = self.add(count)
        until(lambda: set(ids) <= set(self.tries()), told=lambda: (self.folder / "log").read_text()[-2000:])
        self.settle()
        self.well()
        return ids

    def well(self) -> None:
        """Have nothing fail any more, and forget what was tried."""
        with self._notes.client(db=9) as client:
            client.flushdb()

    def settle(self) -> None:
        """Return when nothing is being tried any more."""
        seen: list[dict[str, int]] = [{}]

        def is_quiet() -> bool:
            seen.append(self.tries())
            return len(seen) > 10 and seen[-1] == seen[-10]

        until(is_quiet)

    def ill(self, which: str) -> None:
        """Have a message fail, or ``all``."""
        with self._notes.client(db=9) as client:
            client.sadd("ill", which)

    def tries(self) -> dict[str, int]:
        """How often each was tried."""
        with self._notes.client(db=9) as client:
            tried: Any = client.lrange("tries", 0, -1)
            return dict(Counter(bytes(one).decode() for one in tried))

    # ------------------------------------------------------------------ what an inventory says
    def queue(self, **more: Any) -> dict[str, Any]:
        """Its queue."""
        interpreter = ["node", "-"] if self.is_javascript else [self._python(), "-"]
        variables = [f"{name}={value}" for name, value in {**self._environment, "STORE": self.url()}.items()]
        queue = {
            "engine": self.engine,
            "queue": "mail",
            "application": ["env", "-C", str(self.directory), *variables, *interpreter],
        }
        if self.engine == "pgboss":
            return {
                **queue,
                "application_url_variable": "STORE",
                "database": {**self._postgres.reach(name="boss"), "user": "app"},
                **more,
            }
        if self.engine == "celery":
            return {**queue, "application_name": "shop", "redis": self._notes.reach(database=1), **more}
        return {**queue, "application_url_variable": "STORE", "redis": self._notes.reach(), **more}

    def url(self) -> str:
        """How its library reaches its store."""
        return self._environment.get("DATABASE_URL", f"redis://127.0.0.1:{self._notes.port}/0")
