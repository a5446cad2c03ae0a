# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of what looks at queues."""

from __future__ import annotations

from ..doc_fragments.postgres import DATABASE
from ..doc_fragments.redis import SERVER


def _of_queues(options: str, name: str, store: str) -> str:
    """How a store is reached where a queue says nothing of its own."""
    _name, _description, rest = options.lstrip("\n").split("\n", 2)
    return (
        f"  {store}:\n    description: How to reach {name} for queues that do not have a C({store}) of their own, usually the "
        f"inventory's C(system_{store}).\n" + rest.replace("    required: true\n", "", 1)
    )


STORES = _of_queues(SERVER, "Redis", "redis") + _of_queues(DATABASE, "the database", "database")
OPTIONS = (
    r"""
  queues:
    description:
      - The queues to look at by name, as the variable C(system_queues) of the inventory describes them.
      - Every queue has the key C(engine). C(limit_seconds) is how long a job may run, 300 by default. C(redis) or C(database) say
        how its store is reached, where that is another one than C(redis) or C(database). C(workers), C(commands), C(application),
        C(application_url_variable) and C(application_name) are for those who act on it.
      - "C(bullmq): C(queue), and C(prefix) where it is not C(bull)."
      - "C(celery), with Redis as its broker: C(queue) (C(celery)), C(prefix) (its C(global_keyprefix)), C(exchange) (C(celery)),
        C(routing_key) (the queue's name), C(priority_steps) (C([0, 3, 6, 9])), and C(acks_late=true) where its tasks are
        acknowledged after they have run: only then it shows what runs."
      - "C(rq): C(queue) (C(default)) and C(prefix) (C(rq)). Nothing is read through the library, which would move jobs."
      - "C(sidekiq): C(queue) (C(default)) and C(prefix), the namespace if there is one."
      - "C(redis_list): C(queue), the key; C(running) and C(dead), the keys of lists beside it; C(name_field), C(time_field),
        C(id_field) and C(error_field), the fields of jobs that are JSON objects. Where C(oldest) is C(left), jobs are taken from there."
      - "C(redis_stream): C(queue), the key; C(group); C(dead), the key of a stream for what failed; C(name_field)."
      - "C(pgboss), version 9 or later: C(queue), without which all queues of the schema are one; C(schema) (C(pgboss))."
      - "C(graphile_worker): C(schema) (C(graphile_worker)), and C(queue) or C(task), without which all of it is one queue."
      - "C(table): C(statements.counts), a query of one row whose columns are called C(ready), C(oldest_ready_age_seconds),
        C(delayed), C(overdue), C(blocked), C(running), C(abandoned), C(dead), C(dead_lately), C(throughput_per_second),
        C(arrivals_per_second), C(workers), C(paused) or C(rate_limited); C(statements.running) with the columns C(id), C(name) and
        C(age_seconds) of what runs; C(statements.names) with C(name) and C(count) of what waits; C(statements.errors) with
        C(text) and C(name). C(parameters) are values for C(:name) in them, as text; C(:lately_seconds) and C(:limit_seconds) are
        there as well. Each is one query, in a read-only session and with a timeout. C(actions), C(statements.dead),
        C(statements.whereabouts) and C(gone_is_done) are for a replay."
      - "C(inngest), self-hosted: C(url), C(signing_key), and C(functions) and C(apps), the ids of those that count. Runs that were
        queued more than C(since_seconds) ago (604800) are not looked for."
      - The user of Redis needs C(+info +time +type), C(+client|list) to see workers of BullMQ, C(+client|setname), and C(+@read) on
        the keys; the role in PostgreSQL needs C(USAGE) on the schema and C(SELECT) on what is read, and C(pg_monitor) to see
        workers of Graphile Worker.
    type: dict
    required: true
"""
    + STORES
    + r"""  lately_seconds:
    description: What counts as lately, for rates that the engine keeps times for and for jobs that died lately.
    type: float
    default: 600
  window_seconds:
    description:
      - Time between two looks, for what only two looks tell. With V(0) there is one look, and that is absent.
    type: float
    default: 0
  top:
    description: How many names and how many groups of errors to tell.
    type: int
    default: 10
  sample:
    description: How many jobs to read, of those that wait and of those that failed, for names, ages and errors.
    type: int
    default: 500
  most_running:
    description: How many running jobs to list.
    type: int
    default: 50
  timeout_seconds:
    description: The time in seconds for all of it, beside the window. Stores are asked at the same time.
    type: float
    default: 5
"""
)


class ModuleDocFragment:
    DOCUMENTATION: str = "options:" + OPTIONS
