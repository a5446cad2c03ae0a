# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all engines that keep their jobs in PostgreSQL have in common."""

from __future__ import annotations

import re

from ..deadline import Deadline, DeadlineExceeded
from ..postgres.client import PARAMETERS, Client, DatabaseError, where
from .answer import errors, job, name_of, seconds

# A name in SQL cannot be a parameter: one that needs no thought about quotes.
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_$]{0,62}\Z")
# Jobs that are counted where there is no time to count them all.
COUNTED = 10000
# Characters of an error that are read.
ERROR_CHARACTERS = 2000
# How each statement begins: ``p`` has its parameters.
ASKED = "WITH asked AS (SELECT " + PARAMETERS + "::jsonb AS p) "
# What is told of ``running``: jobs with id, name, age_seconds, and whether they are abandoned.
TOLD_OF_RUNNING = """SELECT json_build_object(
  'running', (SELECT count(*) FROM running), 'abandoned', (SELECT count(*) FROM running WHERE abandoned),
  'late', (SELECT count(*) FROM running, asked WHERE age_seconds > (p->>'limit_seconds')::float),
  'list', (SELECT coalesce(json_agg(t), '[]') FROM (
    SELECT id, name, age_seconds FROM running, asked WHERE age_seconds > (p->>'limit_seconds')::float
    ORDER BY age_seconds DESC LIMIT (SELECT (p->>'most')::int FROM asked)) t)
)::text"""


class Database:
    """A database that answers statements.

    Args:
        reach: as in :data:`postgres.spec.DATABASE`.
        deadline: for everything that is asked.
    """

    def __init__(self, reach, deadline):
        self.reach = reach
        self._deadline = deadline

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        """Nothing: each queue has a session of its own, whose statements end with its share of the time."""

    def left_seconds(self):
        """The time left for everything that is asked."""
        return self._deadline.remaining_seconds()

    def session(self, share_seconds):
        """A read-only session for one queue, each of whose statements has a third of its time.

        Args:
            share_seconds: for that queue.
        """
        return Client(self.reach, max(0.1, min(share_seconds, self._deadline.remaining_seconds()) / 3))

    def partly(self, client, share_seconds):
        """What may be missing of one queue: a statement that begins within a third of its time ends with the second one.

        Args:
            client: of :meth:`session`.
            share_seconds: for that queue.
        """
        return Partly(client, Deadline(share_seconds / 3))


class Partly:
    """Statements of one queue, of which some may fail: what they would have told is said to be missing.

    Args:
        client: a :class:`postgres.client.Client`.
        deadline: for all of them.

    Attributes:
        limits: what could not be seen, in lines.
    """

    def __init__(self, client, deadline):
        self._client = client
        self._deadline = deadline
        self.limits = []

    def query(self, what, statement, parameters, otherwise):
        """What a statement answers, or something else where it fails.

        Args:
            what: it tells, in a few words.
            statement: as :meth:`Client.query` takes it.
            parameters: plain data.
            otherwise: to be returned where it fails.
        """
        try:
            self._deadline.remaining_seconds()
            return self._client.query(statement, parameters)
        except (DatabaseError, DeadlineExceeded) as error:
            self.limits.append(f"{what}: {error}")
            return otherwise


def counted(client, statement, words, source, parameters):
    """What waits, counted; where there is no time to count it all, some of it, with ``is_part``.

    Args:
        client: a :class:`postgres.client.Client`.
        statement: with ``{source}`` where the jobs come from.
        words: for everything else in braces.
        source: a table with a condition, with such words as well.
        parameters: plain data.

    Raises:
        DatabaseError: neither could be counted.
    """
    source = source.format(**words)
    try:
        return client.query(statement.format(source=source, **words), parameters)
    except DatabaseError as error:
        if error.kind != "statement_timeout":
            raise
    some = f"(SELECT * FROM {source} LIMIT {COUNTED}) AS counted_ones"
    return dict(client.query(statement.format(source=some, **words), parameters), is_part=True)


def waiting(opened, limits):
    """What waits, in the words of all queues; of a part of it only the least is known.

    Args:
        opened: of :func:`counted`.
        limits: lines of what could not be seen, to which one is added where that is so.
    """
    oldest = None if opened["oldest_seconds"] is None else seconds(opened["oldest_seconds"])
    if opened.get("is_part"):
        limits.append(f"at least {opened['ready']} jobs wait: there was no time to count more")
        return {"ready": opened["ready"], "oldest_ready_age_at_least_seconds": oldest}
    counts = {name: opened[name] for name in ("ready", "delayed", "retrying")}
    return {**counts, "oldest_ready_age_seconds": oldest}


def told(found, bounds, limits):
    """What statements tell, in the words of all queues. Pure.

    Args:
        found: ``open`` of :func:`counted`; ``running``, ``dead``, ``failed`` and ``workers``, empty, None or left out where one failed.
        bounds: how much to tell.
        limits: what could not be seen, to which a line may be added.
    """
    opened, running, failed = found["open"], found["running"] or {}, found["failed"]
    late = [job(one["id"], name_of(one["name"]), one["age_seconds"]) for one in running.get("list", [])]
    return {
        **waiting(opened, limits),
        "running": running.get("running"),
        "running_over_limit": late if running else None,
        "running_over_limit_count": running.get("late"),
        "abandoned": running.get("abandoned"),
        "dead": found["dead"].get("dead"),
        "dead_lately": found["dead"].get("lately"),
        "workers": found.get("workers"),
        "by_name": [{"name": name_of(one["name"]), "count": one["count"]} for one in opened["by_name"]],
        "by_name_of": opened["ready"],
        "errors": None if failed is None else errors(errors_of(failed), bounds["top"]),
        "errors_of": None if failed is None else len(failed),
    }


def identifier(place, value):
    """A name fit for the text of a statement.

    Args:
        place: what is called so, such as ``queue mail: schema``.
        value: the name.

    Raises:
        ValueError: it is not.
    """
    if not _IDENTIFIER.match(value):
        raise ValueError(f"{place} must be letters, digits and underscores, not {value!r}")
    return f'"{value}"'


def missing(reach, what):
    """The error where nothing shows that there is such a queue."""
    return DatabaseError("no_queue", f"{where(reach)} has {what}; check the names, and the database")


def errors_of(rows):
    """Texts and names of failed jobs as :func:`answer.errors` takes them."""
    return [(row["error"], row["name"]) for row in rows]
