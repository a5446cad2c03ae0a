# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does something with jobs of a queue through its engine, and says of each whether it was done."""

from __future__ import annotations

from ..postgres.client import Client
from .engines import engine
from .spec import described


def act(params):
    """Do something with jobs.

    Args:
        params: ``name``, ``queue``, ``verb``, ``jobs``, ``reason``, ``database``, ``redis`` and ``timeout_seconds``.

    Returns:
        ``done``, a list of ids, and ``left_alone``, a list of ids with ``why``.

    Raises:
        ValueError: the engine cannot do it, or what the inventory says is wrong; one line.
        DatabaseError: it could not be done; one line.
    """
    queue = described(params["name"], params["queue"], params)
    module, verb = engine(queue["engine"]), params["verb"]
    if not hasattr(module, "act"):
        raise ValueError(f"queue {params['name']}: the engine {queue['engine']} has no {verb}")
    jobs = list(dict.fromkeys(params["jobs"]))
    with Client(queue["reach"], params["timeout_seconds"], read_only=False) as client:
        return sorted_out(jobs, module.act(client, queue, verb, jobs, params["reason"]))


def sorted_out(jobs, told):
    """What became of each job that was asked for. Pure.

    Args:
        jobs: their ids.
        told: by the engine: ``done`` and, where it knows, ``there``.
    """
    done, there = set(told["done"]), set(told.get("there", jobs))
    left = [{"id": one, "why": _why(one in there, "there" in told)} for one in jobs if one not in done]
    return {"done": [one for one in jobs if one in done], "left_alone": left}


def _why(is_there, is_known):
    if not is_known:
        return "the statement did not return it"
    return "the engine left it alone: a worker holds it" if is_there else "it is not in the queue any more"
