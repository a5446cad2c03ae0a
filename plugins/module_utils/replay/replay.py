# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A replay as the module is asked for it: which queue, through what, within which limits."""

from __future__ import annotations

from contextlib import closing

from ..queues import application
from ..queues.spec import described
from .journal import Journals
from .run import Run

# What tells which queue it is. The rest says how it is looked at.
_IDENTITY = ("engine", "queue", "task", "schema", "prefix", "application_name")
# What the inventory has to say of a queue that only the library of its application sends to.
_APPLICATIONS = {
    "bullmq": ("application", "application_url_variable"),
    "celery": ("application", "application_name"),
    "pgboss": ("application", "application_url_variable"),
    "rq": ("application", "application_url_variable"),
}
ENGINES = ("graphile_worker", "table", *_APPLICATIONS)
_ABOVE_0 = (
    "most",
    "batch_size",
    "per_minute",
    "proof_seconds",
    "most_replays",
    "poison_after",
    "seconds",
    "timeout_seconds",
)


def replay(params, check_mode=False):
    """Replay dead messages.

    Args:
        params: as the module ``queue_replay`` takes them.
        check_mode: only tell what would be done.

    Returns:
        What the module documents.

    Raises:
        ValueError: the inventory says something that cannot be; one line.
        ReplayError, JournalError: one line.
        DatabaseError, ApplicationError: the engine could not be asked; one line. What was begun is in the journal.
    """
    _check(params)
    name, queue = params["name"], described(params["name"], params["queue"], params)
    with closing(_reached(params, queue)) as reach:
        journals = Journals(params["directory"], name, params["timeout_seconds"], write=not check_mode)
        with journals:
            # Whatever is started to send keeps the lock for as long as it lives.
            reach.keep_open(journals.descriptor)
            identity = {"where": reach.where, **{key: queue[key] for key in _IDENTITY if queue.get(key) is not None}}
            return Run(reach, journals, params, identity, lambda: _look(params)).whole(check_mode)


def _check(params):
    for option in _ABOVE_0:
        if params[option] <= 0:
            raise ValueError(f"{option} must be above 0, not {params[option]}")


def _reached(params, queue):
    name, engine = params["name"], queue["engine"]
    if engine == "table":
        lists = [f"statements.{one}" for one in ("dead", "whereabouts") if not queue["statements"][one]]
        missing = lists + ([] if queue["actions"].get("replay") else ["actions.replay"])
        if missing:
            raise ValueError(f"queue {name}: a replay needs {' and '.join(missing)}")
    if engine in ("graphile_worker", "table"):
        from .in_database import InDatabase

        return InDatabase(name, queue, params["reason"], params["timeout_seconds"])
    if engine not in _APPLICATIONS:
        raise ValueError(f"queue {name}: the engine {engine} has no replay")
    application.check(name, queue)
    missing = [option for option in _APPLICATIONS[engine] if not queue[option]]
    if missing or not params["program"]:
        raise ValueError(f"queue {name}: a replay needs {' and '.join(missing or ['the program of its engine'])}")
    from .in_application import InApplication

    return InApplication(name, queue, params["program"], _asking(params, queue), params["timeout_seconds"])


def _asking(params, queue):
    """What asks an engine to which only a program sends; None where that has to ask too."""
    if queue["engine"] == "pgboss":
        from .in_database import InDatabase

        return InDatabase(params["name"], queue, params["reason"], params["timeout_seconds"])
    if queue["engine"] == "celery":
        return None
    from .in_redis import InRedis

    return InRedis(queue, params["timeout_seconds"])


def _look(params):
    from ..observers.queue import SPEC
    from ..queues.look import observe

    defaults = {name: dict(option).get("default") for name, option in SPEC.items()}
    asked = {name: params[name] for name in ("database", "redis", "timeout_seconds")}
    found = observe(dict(defaults, queues={params["name"]: params["queue"]}, sample=1, top=1, most_running=1, **asked))
    return found["queues"][params["name"]]
