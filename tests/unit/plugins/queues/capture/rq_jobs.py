# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What RQ writes: failures of two kinds, a job that runs, one whose worker was killed, jobs that wait, scheduled ones. Takes a port."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import rqtasks
from redis import Redis
from rq import Queue

port = sys.argv[1]
queue = Queue("mail", connection=Redis(port=int(port)))
worker = [str(Path(sys.executable).with_name("rq")), "worker", "-u", f"redis://127.0.0.1:{port}", "--quiet"]
environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}


def begun(name, *queues):
    return subprocess.Popen([*worker, "-n", name, *queues], env=environment, start_new_session=True)


for n in range(3):
    queue.enqueue(rqtasks.welcome, n, secret="s3cretdata")
queue.enqueue(rqtasks.invoice, 7)
queue.enqueue(rqtasks.fine, "s3cretdata")
subprocess.run([*worker, "--burst", "-n", "first", "mail"], env=environment, check=True)
workers = []
for name, queues in (("alive", ("mail", "other")), ("killed", ("mail",))):
    queue.enqueue(rqtasks.hang, secret="s3cretdata", job_timeout=3600)
    workers.append(begun(name, *queues))
    time.sleep(4)
for n in range(4):
    queue.enqueue(rqtasks.fine, n)
queue.enqueue(rqtasks.welcome, 9, description="someone@example.com wants s3cretdata")
queue.enqueue_in(timedelta(hours=1), rqtasks.fine, 1)
queue.enqueue_in(timedelta(seconds=-5), rqtasks.fine, 2)
job = queue.enqueue(rqtasks.fine, 3)
queue.enqueue(rqtasks.fine, 4, depends_on=job)
# The one that works at a job is in a session of its own, as is its child.
for one in workers:
    for pid in subprocess.run(["pgrep", "-P", str(one.pid)], capture_output=True, text=True).stdout.split():
        os.kill(int(pid), signal.SIGKILL)
    one.kill()
