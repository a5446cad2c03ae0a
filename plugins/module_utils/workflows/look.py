# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at every workflow of an inventory: databases side by side, the workflows of one database through one after the other."""

from __future__ import annotations

import json
import time

from ..deadline import Deadline, all_within
from ..postgres.client import DatabaseError
from ..queues.answer import settled
from ..queues.in_database import Database, counted
from ..told import failed, summary, told
from .answer import answer, between, record
from .spec import described
from .statements import (
    BY_STATE,
    COUNTS,
    LEFT,
    LOCKS,
    NEWEST,
    OLDEST,
    RECORD,
    SHAPE,
    STILL,
    SWITCHES,
    WAITING,
    shape_parameters,
    words,
    zoneless,
)


def observe(params):
    """Observe workflows.

    Args:
        params: as in :data:`observers.workflow.SPEC`.

    Returns:
        A dict ``available`` (whether at least one workflow could be observed), ``reason`` where none could, and ``workflows``: for
        every name what is documented in the module ``workflow_info``.

    Raises:
        ValueError: the workflows are not described in a way that can be used.
    """
    if min(params["timeout_seconds"], params["lately_seconds"], params["limit_seconds"]) <= 0:
        raise ValueError("timeout_seconds, lately_seconds and limit_seconds must be above 0")
    if params["window_seconds"] < 0 or min(params["most_stuck"], params["watched"]) < 1:
        raise ValueError("window_seconds must not be below 0, and most_stuck and watched must be above 0")
    workflows = {name: described(name, workflow, params) for name, workflow in params["workflows"].items()}
    asked = (params.get("record") or {}).get("workflow")
    if asked is not None and asked not in workflows:
        raise ValueError(f"record.workflow is {asked!r}, which is none of workflows: {', '.join(workflows) or 'none'}")
    databases = {}
    for name, workflow in workflows.items():
        databases.setdefault(json.dumps(workflow["reach"], sort_keys=True), {})[name] = workflow
    found = {}
    calls = [lambda members=members: _observe(members, params, found) for members in databases.values()]
    # Each database keeps the deadline itself; this is for what slips past it.
    outcomes = all_within(params["timeout_seconds"] + params["window_seconds"] + 0.5, calls)
    for members, outcome in zip(databases.values(), outcomes):
        for name in members:
            if name not in found:
                found[name] = failed(outcome, f"workflow {name}")
    return summary("workflow", {name: found[name] for name in workflows})


def _observe(workflows, params, found):
    """Put what is told of the workflows of one database into ``found``, by name."""
    deadline = Deadline(params["timeout_seconds"] + params["window_seconds"])
    end = time.monotonic() + params["timeout_seconds"]
    watched = {}
    store = Database(next(iter(workflows.values()))["reach"], deadline)
    for number, (name, workflow) in enumerate(workflows.items()):
        # What one leaves of its share is for those after it; a slow one takes nothing from them.
        share_seconds = max(0.05, (end - time.monotonic()) / (len(workflows) - number))
        asked = (params.get("record") or {}).get("workflow") == name
        found[name] = told(_look, store, workflow, params, share_seconds, asked, watched.setdefault(name, {}))
    if not params["window_seconds"] or not any(watched.values()):
        return
    time.sleep(params["window_seconds"])
    for name, before in watched.items():
        if before and found[name]["available"]:
            found[name] = _compared(store, workflows[name], found[name], before)


def _look(store, workflow, params, share_seconds, with_record, watched):
    """What is told of one workflow; what the second look needs is put into ``watched``."""
    with store.session(share_seconds) as client:
        shape = client.query(SHAPE, shape_parameters(workflow))
        named = words(workflow, shape, False)
        parameters = _parameters(workflow, params)
        partly = store.partly(client, share_seconds)
        switches = None
        if workflow["switches"]:
            switched = words(workflow, shape, True)
            switches = partly.query("switches are not known", SWITCHES.format(**switched), parameters, None)
            # One that cannot be asked must not hide the records.
            named = named if switches is None else switched
        counts = dict(counted(client, COUNTS, named, WAITING, parameters), limit_seconds=workflow["limit_seconds"])
        found = {"counts": counts, "switches": switches, "zoneless": zoneless(workflow, shape)}
        for which, what, statement, is_asked in (
            ("oldest", "which records wait is not known", OLDEST, True),
            ("by_state", "how many there are in each state is not known", BY_STATE, True),
            ("newest", "when the newest record was created is not known", NEWEST, workflow["created_column"]),
            ("left", "how many left lately is not known", LEFT, workflow["since_column"]),
            ("locks", "locks are not known", LOCKS, True),
        ):
            text = statement if statement is LOCKS else statement.format(**named)
            found[which] = partly.query(what, text, parameters, None) if is_asked else None
        found["record"] = _record(client, named, parameters, partly.limits) if with_record else None
    if found["oldest"]:
        watched.update(at_seconds=time.monotonic(), records=found["oldest"], named=named, parameters=parameters)
    return answer(found, workflow, params["most_stuck"], partly.limits)


def _parameters(workflow, params):
    return {
        **workflow["parameters"],
        **shape_parameters(workflow),
        "waiting": workflow["waiting"],
        "limit_seconds": workflow["limit_seconds"],
        "lately_seconds": params["lately_seconds"],
        "watched": params["watched"],
        "switched_on": workflow["switched_on"],
        "time_zone": workflow["time_zone"],
        "record": (params.get("record") or {}).get("id"),
    }


def _record(client, named, parameters, limits):
    """The record that was asked for: how many have this id, and what is known of the one."""
    try:
        rows = client.query(RECORD.format(**named), parameters)
    except DatabaseError as error:
        if error.kind == "other":
            # It is no id that this column can have.
            return {"count": 0, "reason": str(error)}
        limits.append(f"the record asked for is not known: {error}")
        return None
    return {"count": len(rows), **(record(rows[0]) if len(rows) == 1 else {})}


def _compared(store, workflow, found, before):
    """An answer with what two looks at the same records tell."""
    parameters = {**before["parameters"], "ids": [one["id"] for one in before["records"]]}
    try:
        with store.session(store.left_seconds()) as client:
            still = client.query(STILL.format(**before["named"]), parameters)
        seconds = time.monotonic() - before["at_seconds"]
    except Exception as error:
        reason = failed(error)["reason"]
        return settled(found, [*found["limits"], f"what happens in the window is not known: {reason}"])
    changes = between(before["records"], still, workflow["limit_seconds"], seconds)
    return settled({**found, **changes}, found["limits"])
