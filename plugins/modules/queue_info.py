#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at queues."""

from __future__ import annotations

DOCUMENTATION = r"""
module: queue_info
version_added: 0.2.0
short_description: Look at queues, whatever engine they have
description:
  - What waits, runs and failed, in the same words for BullMQ, Celery, RQ, Sidekiq, lists and streams of Redis, pg-boss, Graphile
    Worker, a table of the application's own and Inngest.
  - What an engine cannot tell is absent, and never V(0).
  - Reading changes nothing. Counts are counted by the store; of long queues a sample is read, so that one of a million jobs costs
    little more than a short one.
  - What a job carries is not returned, and never decoded where it is a pickle. Only ids, names and masked lines of errors leave the store.
author: oncall.runbooks maintainers (@oncall-runbooks)
extends_documentation_fragment:
  - oncall.runbooks.observer
  - oncall.runbooks.queue
requirements:
  - redis (redis-py) for queues in Redis, psycopg2 or psycopg for queues in PostgreSQL; the docker command for the transport C(docker)
"""

EXAMPLES = r"""
- name: What waits for the mail workers, and for how long
  oncall.runbooks.queue_info:
    queues:
      mail: {engine: bullmq, queue: emails, limit_seconds: 60}
      reports: {engine: pgboss, queue: report}
    redis: {host: 10.0.0.6, password: "{{ vault_redis_password }}"}
    database: {host: 10.0.0.5, name: labpics, user: oncall, password: "{{ vault_oncall_password }}"}
  register: observed

- name: A table of events of one kind, with a bound parameter
  oncall.runbooks.queue_info:
    queues:
      events:
        engine: table
        statements:
          counts: >-
            SELECT count(*) FILTER (WHERE status = 'pending') AS ready, count(*) FILTER (WHERE status = 'running') AS running,
            extract(epoch FROM now() - min(created_at) FILTER (WHERE status = 'pending')) AS oldest_ready_age_seconds
            FROM events WHERE kind = :kind
          names: SELECT source AS name, count(*) AS count FROM events WHERE kind = :kind AND status = 'pending' GROUP BY source
        parameters: {kind: sync}
    database: {host: 10.0.0.5, name: labpics, user: oncall}
"""

RETURN = r"""
available:
  description: Whether at least one queue could be seen.
  type: bool
  returned: always
reason:
  description: Why none could be seen, in one line.
  type: str
  returned: when not available
complete:
  description: Whether every queue was seen, and each as far as its engine tells.
  type: bool
  returned: when available
limits:
  description: Which queues were not seen, and why, a line each.
  type: list
  elements: str
  returned: when available
queues:
  description: What was seen of each queue, by its name.
  type: dict
  returned: always
  contains:
    engine:
      description: What keeps the queue.
      type: str
      returned: always
    available:
      description: Whether the queue could be seen. If not, only RV(queues.reason), RV(queues.error) and RV(queues.engine) come with it.
      type: bool
      returned: always
    reason:
      description: What was tried, on what, what came back and what to do next, in one line.
      type: str
      returned: when the queue is not available
    error:
      description:
        - What kind of trouble it is, or empty. C(no_queue) where nothing shows that there is such a queue, C(cluster) where its Redis is
          a node of a cluster; else as M(oncall.runbooks.redis_info), M(oncall.runbooks.postgres_activity_info) or
          M(oncall.runbooks.http_probe_info) tell it.
      type: str
      returned: always
    complete:
      description: Whether all was seen that this engine can tell.
      type: bool
      returned: when the queue is available
    limits:
      description: What could not be seen, a line each. A count that is only the least has its line here.
      type: list
      elements: str
      returned: when the queue is available
    ready:
      description: Jobs that could run now, also those of a paused queue and those whose delay is over.
      type: int
      returned: when the engine tells
    oldest_ready_age_seconds:
      description: >-
        How long the job that has waited longest could have run, in seconds. Absent where nothing waits, and where no job keeps the time.
        Of a sample where the queue is long, which holds both of its ends.
      type: float
      returned: when the engine tells
    oldest_ready_age_at_least_seconds:
      description:
        - The least that the oldest job has waited, in seconds. With C(celery) and C(redis_list), because it was there in both looks; with
          C(pgboss) and C(graphile_worker), because there was no time to look at them all.
      type: float
      returned: when only that is known
    oldest_was_taken:
      description: That the job that had waited longest at the first look was not there at the second.
      type: bool
      returned: with C(celery) and C(redis_list), where it is so
    done_in_window:
      description: Whether a job came to an end between the two looks, well or not. With C(bullmq) only that one did, as far as its latest events tell.
      type: bool
      returned: when O(window_seconds) is above 0 and the engine tells. With C(table), where C(throughput_per_second) goes by C(:lately_seconds)
    ready_growth_per_second:
      description: By how many jobs the queue has grown for each second of the window, below 0 where it became shorter.
      type: float
      returned: when O(window_seconds) is above 0, with engines that are looked at twice
    delayed:
      description: Jobs that wait for their time.
      type: int
      returned: when the engine tells
    retrying:
      description: How many of these failed before, and are tried again then. With C(sidekiq) the least, where not all were looked at.
      type: int
      returned: with C(sidekiq), C(pgboss), C(graphile_worker) and C(table), when known
    overdue:
      description: Jobs whose time has come and that nobody has put into the queue yet. They count as RV(queues.ready).
      type: int
      returned: when the engine tells
    blocked:
      description: Jobs that wait for other jobs.
      type: int
      returned: when the engine tells
    running:
      description: Jobs that a worker has begun. With C(celery) only where its tasks are acknowledged late.
      type: int
      returned: when the engine tells
    running_over_limit:
      description:
        - Jobs that run for longer than C(limit_seconds), the oldest first, as many as O(most_running). Each has C(id), and C(name) and
          C(age_seconds) where these are known.
      type: list
      elements: dict
      returned: when the engine tells
    running_over_limit_count:
      description: How many these are.
      type: int
      returned: when the engine tells
    abandoned:
      description: Running jobs that no worker holds any more. The lock is gone, the heartbeat is too old, or the job has expired.
      type: int
      returned: when the engine tells
    fetched:
      description: Messages that workers have taken and not acknowledged. What is acknowledged before it runs is not among them.
      type: int
      returned: with C(celery)
    dead:
      description: Jobs that failed and are not tried again.
      type: int
      returned: when the engine tells
    dead_lately:
      description: How many of these failed within O(lately_seconds).
      type: int
      returned: when the engine tells
    throughput_per_second:
      description:
        - Jobs that came to an end, well or not, for each second. Within O(lately_seconds) with C(bullmq) (by its events), C(pgboss) and
          C(inngest); between two looks with C(rq), C(sidekiq), C(graphile_worker) and C(redis_stream).
      type: float
      returned: when the engine tells
    arrivals_per_second:
      description: Jobs that were added, for each second, within the same time.
      type: float
      returned: with C(bullmq), C(pgboss), C(graphile_worker) and C(table), when known
    workers:
      description: Workers that would take a job of this queue, as far as they are seen to be there.
      type: int
      returned: when the engine tells
    paused:
      description: Whether somebody has paused the queue.
      type: bool
      returned: when the engine tells
    rate_limited:
      description: Whether its jobs wait for a rate limit. A limit that only a worker knows of is not seen until it is reached by hand.
      type: bool
      returned: when the engine tells
    by_name:
      description: How many jobs that are ready have each C(name) (C(count)), the most first. Counted in RV(queues.by_name_of) jobs.
      type: list
      elements: dict
      returned: when the engine tells
    by_name_of:
      description: How many jobs were looked at for that. Where it is less than RV(queues.ready), they are a sample from everywhere in the queue.
      type: int
      returned: when the engine tells
    errors:
      description:
        - Errors of the jobs that failed last, the most frequent first. Each has C(text) (one line, in which secrets, addresses, ids, quoted
          texts and numbers are replaced), C(count), and C(names) of jobs.
      type: list
      elements: dict
      returned: when the engine tells
    errors_of:
      description: How many failed jobs were looked at for that.
      type: int
      returned: when the engine tells
"""

from ..module_utils.observer_module import run
from ..module_utils.observers import queue


def main():
    """Run the module."""
    run(queue)


if __name__ == "__main__":
    main()
