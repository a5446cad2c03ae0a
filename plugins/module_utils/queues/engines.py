# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every engine of a queue by its name. A new one is a file beside this one, and a line in each of the two tables here."""

from __future__ import annotations

# What an engine is asked through: system_redis, system_database, or a URL of its own.
STORES = {
    "bullmq": "redis",
    "celery": "redis",
    "graphile_worker": "database",
    "inngest": "url",
    "pgboss": "database",
    "redis_list": "redis",
    "redis_stream": "redis",
    "rq": "redis",
    "sidekiq": "redis",
    "table": "database",
}


def engine(name):
    """The file of an engine, loaded only when it is needed.

    It has ``OPTIONS``, what the inventory says besides what all queues have, and ``look``; where two looks tell more than one,
    also ``count`` and ``between``.
    """
    # Written out, so that the module's zip holds them.
    if name == "bullmq":
        from . import bullmq as module
    elif name == "celery":
        from . import celery as module
    elif name == "graphile_worker":
        from . import graphile_worker as module
    elif name == "inngest":
        from . import inngest as module
    elif name == "pgboss":
        from . import pgboss as module
    elif name == "redis_list":
        from . import redis_list as module
    elif name == "redis_stream":
        from . import redis_stream as module
    elif name == "rq":
        from . import rq as module
    elif name == "sidekiq":
        from . import sidekiq as module
    else:
        from . import table as module
    return module
