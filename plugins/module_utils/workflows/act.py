# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings exactly one record of a workflow into another state, or leaves everything as it is."""

from __future__ import annotations

from ..postgres.client import Client, where
from .spec import described
from .statements import MOVE, RECORD, SAME, SHAPE, shape_parameters, words


class LeftAlone(Exception):
    """The record is not as it was when somebody asked for this; one line that says how it is. Nothing was changed."""


def move(params):
    """Set the state of one record.

    Args:
        params: ``name``, ``workflow``, ``database``, ``id``, ``from_state``, ``to_state``, ``version`` (or None) and ``timeout_seconds``.

    Returns:
        ``id``, and ``version``, which changes with every change of the record; None where it was in that state already.

    Raises:
        ValueError: what the inventory says is wrong; one line.
        LeftAlone: it is not there, not the only one, or in another state.
        DatabaseError: it could not be done; one line.
    """
    workflow = described(params["name"], params["workflow"], dict(params, limit_seconds=1.0))
    with Client(workflow["reach"], params["timeout_seconds"], read_only=False) as client:
        named = words(workflow, client.query(SHAPE, shape_parameters(workflow)), False)
        parameters = {
            **shape_parameters(workflow),
            "time_zone": workflow["time_zone"],
            "record": params["id"],
            "to": params["to_state"],
            "from": params["from_state"],
            "version": params["version"],
        }
        told = client.query(MOVE.format(same=SAME if params["version"] else "", **named), parameters)
        if len(told["done"]) == 1:
            return told["done"][0]
        rows = client.query(RECORD.format(**named), parameters)
    if not params["version"] and len(rows) == 1 and rows[0]["state"] == params["to_state"]:
        return {"id": rows[0]["id"], "version": None}
    raise LeftAlone(f"{where(workflow['reach'])}: {why_not(rows, params)}; nothing was changed")


def why_not(rows, params):
    """Why a record was left alone. Pure.

    Args:
        rows: those with its id, at most two.
        params: as for :func:`move`.
    """
    what = f"{params['name']} {params['id']}"
    if not rows:
        return f"there is no {what} (any more)"
    if len(rows) > 1:
        return f"there is more than one {what}, so id_column does not say which is meant"
    state = rows[0]["state"]
    if state != params["from_state"]:
        return f"{what} is in the state {state} by now, and not in {params['from_state']}"
    return f"somebody has changed {what} since"
