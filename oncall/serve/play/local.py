# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays runbooks on this machine, with ansible-runner."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from ...api import Runbooks
from ...errors import OncallError
from ...folders import Left
from ...results import HostResult, Outcome, Result, RunbookRun
from ..settings import Settings
from .executor import CANCELED, CUT_OFF, INTERRUPTED, Ending, Order

LOG = logging.getLogger("oncall.local")


class Local:
    """Plays with the settings it was made with.

    Args:
        settings: with the inventories.
        left: runs that were killed with the service.
        lease_file: until when the node has its lease; "" where it has it as long as it lives.
    """

    def __init__(self, settings: Settings, left: Left, lease_file: Callable[[], str] = lambda: "") -> None:
        self._settings, self._left, self._lease_file = settings, left, lease_file
        self._runbooks = Runbooks(settings.inventories, settings.keep_environment)

    def play(self, order: Order, cancel: threading.Event) -> Ending:
        """To its end; its host is known to be an exact name of the inventory."""
        route = self._settings.runbooks.get(order.runbook)
        result = self._runbooks.run(
            order.runbook,
            limit=order.host,
            mode="act" if order.acts else "check",
            approve=order.plan_hashes,
            variables={**(route.variables if route else {}), **order.variables},
            # Its name might be that of a group by now.
            texts={"run_host": order.host, "run_owner": _owner(order)},
            timeout_seconds=route.timeout_seconds if route else None,
            cancel=cancel,
            run_id=order.run,
            lease_file=self._lease_file(),
        )
        if not result.may_have_acted and any(run.guard == "lease" for one in result.hosts.values() for run in one.runs):
            return Ending(CUT_OFF, "its node had no lease any more when it was about to act")
        return told(result, order)

    def take_up(self, order: Order, cancel: threading.Event) -> Ending | None:
        """Its processes were killed with the service, or soon end without anyone to tell."""
        if order.run in self._left.untouched:
            return Ending(CUT_OFF, "cut off before it acted")
        if order.run not in self._left.not_begun:
            return None
        try:
            # Otherwise the next run would wait for one that is dead.
            self._runbooks.give_back(order.host, _owner(order))
        except OncallError as error:
            LOG.warning("what run %s had claimed on %s could not be given back: %s", order.run, order.host, error)
            return None
        return Ending(CUT_OFF, "cut off before it acted; what it had claimed is given back")


def _owner(order: Order) -> str:
    """Whose the claims of a run are, in the ledger of the host."""
    return f"oncall serve, run {order.run}"


def told(result: Result, order: Order) -> Ending:
    """What a result says of the one host."""
    host = result.hosts.get(order.host)
    if result.status == "ended" and host is not None:
        plans = {run.runbook: run.plan.hash for run in host.runs if _can_be_approved(run)}
        # Such as that the ledger would refuse the plan.
        notes = [note for run in host.runs for note in run.notes] if plans else []
        summary = "; ".join(dict.fromkeys([host.summary, *notes]))
        return Ending(host.outcome, summary, _helped(host), (*plans,), (*plans.values(),), result.to_dict())
    known = f": {host.summary}" if host else ""
    acted = order.acts and result.may_have_acted
    if result.status == "canceled" and not acted:
        return Ending(CANCELED, f"canceled{known}", result=result.to_dict())
    ends = {"canceled": "canceled", "timed_out": "killed after its time", "died": "ansible-playbook died"}
    what = ends.get(result.status, "it came to no end")
    # Killed while it might have been acting: nobody knows what it left behind.
    outcome = INTERRUPTED if acted else Outcome.UNKNOWN
    return Ending(outcome, f"{what}{known}", result=result.to_dict())


def _can_be_approved(run: RunbookRun) -> bool:
    return run.plan.is_actionable and (run.outcome == Outcome.PLANNED or run.guard == "may_act")


def _helped(host: HostResult) -> dict[str, bool]:
    # Also where something else is wrong besides.
    return {run.runbook: any(action.helped for action in run.actions) for run in host.runs if run.actions}
