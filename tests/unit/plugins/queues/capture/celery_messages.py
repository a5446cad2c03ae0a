# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Celery writes: messages that wait, with priorities, and one that a worker has taken and not acknowledged. Takes a port."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from celery import Celery
from kombu import Queue

port = os.environ.setdefault("CAPTURE_PORT", sys.argv[-1])
app = Celery("celapp", broker=f"redis://127.0.0.1:{port}/0")
app.conf.update(
    task_queues=[Queue("celery"), Queue("mail")],
    task_acks_late=True,
    worker_prefetch_multiplier=1,
    broker_transport_options={"queue_order_strategy": "priority"},
)


@app.task(name="celapp.welcome")
def welcome(n, secret=None):
    return n


@app.task(name="celapp.hang")
def hang(secret=None):
    time.sleep(3600)


if __name__ == "__main__":
    hang.apply_async(kwargs={"secret": "s3cretdata"}, queue="mail")
    command = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "celery_messages",
        "worker",
        "-c",
        "1",
        "-Q",
        "mail",
        "-n",
        "one@%h",
    ]
    worker = subprocess.Popen(command)
    time.sleep(12)
    hang.apply_async(queue="mail")
    for n in range(4):
        welcome.apply_async((n, "s3cretdata"), queue="mail")
    for priority in (9, 4):
        welcome.apply_async((priority,), queue="mail", priority=priority)
    hang.apply_async(queue="mail")
    welcome.apply_async((1,), queue="celery", countdown=3600)
    worker.kill()
