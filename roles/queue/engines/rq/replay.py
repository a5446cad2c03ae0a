# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends failed jobs of RQ again, with the library of the application.

The module queue_replay hands it to the application's Python on its standard input, with what it is to do in the place of REQUEST. It
prints one line: the ids of the jobs that it has sent. What a job carries is never decoded.
"""

from __future__ import annotations

import json
import os
import sys
import time

REQUEST = json.loads("REQUEST")
END = time.monotonic() + REQUEST.get("seconds", 0)


class AsItIs:
    """A serializer that leaves every value the bytes that it is."""

    @staticmethod
    def dumps(value):
        return value

    @staticmethod
    def loads(value):
        return value


def connected():
    from redis import Redis

    variable = REQUEST["application_url_variable"]
    if not os.environ.get(variable):
        raise RuntimeError(f"the application has no {variable} in its environment")
    return Redis.from_url(os.environ[variable], socket_timeout=REQUEST["seconds"])


def mark(values):
    return " ".join("" if value is None else value.decode("utf-8", "replace") for value in values)


def send():
    from rq import Queue
    from rq.exceptions import InvalidJobOperation
    from rq.job import Job
    from rq.registry import FailedJobRegistry

    connection = connected()
    queue = Queue(REQUEST["queue"], connection=connection, serializer=AsItIs)
    if queue.key != f"{REQUEST['prefix']}:queue:{REQUEST['queue']}":
        raise RuntimeError(f"the application's library has another prefix: {queue.key}")
    registry = FailedJobRegistry(REQUEST["queue"], connection=connection, serializer=AsItIs)
    sent = []
    for identity, copied in REQUEST["marks"]:
        # What is late is left: a run that follows must know when nothing more is sent.
        if time.monotonic() > END or time.time() > REQUEST["until_seconds"]:
            break
        status, *of_mark = connection.hmget(Job.key_for(identity), "status", "ended_at", "enqueued_at")
        if status != b"failed" or mark(of_mark) != copied:
            continue
        try:
            registry.requeue(identity)
        except InvalidJobOperation:
            # It was taken out of the failed ones, and then the library was killed: as it would have gone on.
            queue.enqueue_job(Job.fetch(identity, connection=connection, serializer=AsItIs))
        sent.append(identity)
    return sent


def main():
    try:
        print(json.dumps({"answer": send()}))
    except Exception as error:
        print(json.dumps({"error": f"{type(error).__name__}: {error}".splitlines()[0]}))
        sys.exit(1)


main()
