# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Has an application send the events of records again that wait and have none: one record first, proven by its state, then the rest.

It goes as a replay of dead messages goes, with a journal; what is dead here is a record that waits.
"""

from __future__ import annotations

import hashlib
import re
import time
from contextlib import closing

from ..postgres.client import Client, where
from ..replay.journal import Journals
from ..replay.run import Run
from ..run_command import failure, run
from ..services.command import with_placeholders
from ..text.one_line import one_line
from .spec import described
from .statements import PLACES, SHAPE, shape_parameters, words

# One that can be an argument of a command, with commas between it and others.
PLAIN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@-]{0,199}\Z")
# What a record may be asked for by hand is no matter of this program: it asks once.
_ONCE = {"most_replays": 1, "poison_after": 2, "expires_seconds": None, "groups": [], "set_aside_groups": []}


class RequestError(Exception):
    """The command of the application did not end well; one line.

    Attributes:
        kind: ``application``.
    """

    kind = "application"


def request(params, check_mode=False):
    """Have the events of some records sent again.

    Args:
        params: as the module ``workflow_request`` takes them.
        check_mode: only tell what would be done.

    Returns:
        What the module documents.

    Raises:
        ValueError: the inventory says something that cannot be; one line.
        ReplayError, JournalError: one line.
        RequestError, DatabaseError: the application or the database could not be asked; one line. What was begun is in the journal.
    """
    name = params["name"]
    workflow = described(name, params["workflow"], dict(params, limit_seconds=1.0))
    _check(params, workflow)
    limits = dict(params, most=len(params["ids"]), **_ONCE)
    with closing(InWorkflow(name, workflow, params["ids"], params["timeout_seconds"])) as reach:
        journals = Journals(params["directory"], f"workflow-{name}", params["timeout_seconds"], write=not check_mode)
        with journals:
            # A command that outlives this run keeps the lock.
            reach.keep_open(journals.descriptor)
            identity = {"where": reach.where, "workflow": name, "table": workflow["table"]}
            return Run(reach, journals, limits, identity, lambda: _look(params)).whole(check_mode)


def _check(params, workflow):
    for option in ("batch_size", "per_minute", "proof_seconds", "seconds", "timeout_seconds"):
        if params[option] <= 0:
            raise ValueError(f"{option} must be above 0, not {params[option]}")
    if not workflow["request"]:
        raise ValueError(f"workflow {params['name']}: request does not say which command sends events again")
    if not params["ids"]:
        raise ValueError("ids names no record")
    wrong = [one for one in params["ids"] if not PLAIN_ID.match(one)]
    if wrong:
        raise ValueError(
            f"{one_line(wrong[0])!r} cannot be an argument of a command: letters, digits and . _ : @ - can"
        )


def _look(params):
    """The queue in which the events come; without one, nothing is in their way."""
    if not params["queue"]:
        return {"available": True, "ready": 0}
    from ..replay.replay import look_at

    return look_at(dict(params, name="events"))


class InWorkflow:
    """Records, as a run over the journals of a replay asks for them; see :class:`replay.in_database.InDatabase` for what it has.

    Args:
        name: of the workflow in the inventory.
        workflow: of :func:`spec.described`.
        ids: of the records.
        timeout_seconds: for one statement, and for the command.
    """

    # One that nobody can find waits no longer.
    gone_is_done = True
    # Whether a command that was killed had sent them, nothing tells.
    is_certain = False

    def __init__(self, name, workflow, ids, timeout_seconds):
        self._name, self._workflow, self._ids, self._timeout_seconds = (
            name,
            workflow,
            list(dict.fromkeys(ids)),
            timeout_seconds,
        )
        self._keep_open = ()
        self._client = Client(workflow["reach"], timeout_seconds)
        self._named = None
        self.where = where(workflow["reach"])

    def close(self):
        """End its session."""
        self._client.__exit__(None, None, None)

    def keep_open(self, descriptor):
        """Have the command keep a descriptor."""
        self._keep_open = () if descriptor is None else (descriptor,)

    def dead(self, most):
        """Those of the records that wait still, in their order."""
        found = {one["id"]: one for one in self._records(self._ids)}
        waiting = [found[one] for one in self._ids if one in found and found[one]["waits"]][:most]
        return [
            {
                "id": one["id"],
                "name": one["state"],
                "mark": one["mark"],
                "sha256": hashlib.sha256(f"{one['id']}\n{one['mark']}".encode()).hexdigest(),
            }
            for one in waiting
        ]

    def places(self, ids):
        """Where records are, by id: ``place`` (``dead`` where it waits, ``done`` where it does not) and ``mark``."""
        return {
            one["id"]: {"place": "dead" if one["waits"] else "done", "mark": one["mark"]} for one in self._records(ids)
        }

    def send_until_seconds(self):
        """Until when the command may still send after a run has begun to."""
        return time.time() + self._timeout_seconds

    def send(self, marks):
        """Run the command for those that wait still as they did when they were copied; their ids."""
        places = self.places(marks)
        same = [one for one, mark in marks.items() if places.get(one) == {"place": "dead", "mark": mark}]
        if same:
            argv = with_placeholders(self._workflow["request"], {"ids": ",".join(same)})
            ended = run(argv, self._timeout_seconds, keep_open=self._keep_open)
            if ended["error"] or ended["exit_code"] != 0:
                raise RequestError(f"workflow {self._name}: request: {failure(argv, ended, self._timeout_seconds)}")
        return same

    def _records(self, ids):
        if self._named is None:
            shape = self._client.query(SHAPE, shape_parameters(self._workflow))
            self._named = words(self._workflow, shape, False)
        parameters = {"ids": list(ids), "waiting": self._workflow["waiting"], "time_zone": self._workflow["time_zone"]}
        return self._client.query(PLACES.format(**self._named), parameters)
