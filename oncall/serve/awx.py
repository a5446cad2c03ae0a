# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays runbooks in AWX: launches the job template that has the name of the runbook, and follows the job to its end.

The API: https://docs.ansible.com/projects/awx/en/latest/rest_api/ . What the runbook published with ``set_stats`` is in the
job's ``artifacts``; its output is not read.
"""

from __future__ import annotations

import threading
import time
from typing import Any
from urllib.parse import urlencode

from ..errors import OncallError
from ..results import Outcome, host_result
from .api_calls import CallFailed, call
from .settings import Awx, Settings
from .work import CANCELED, INTERRUPTED, Order, Told

LOOK_EVERY_SECONDS = 2.0
# Without an answer for so long, nobody knows how the job goes on.
LOST_SECONDS = 300.0
ENDED = ("successful", "failed", "error", "canceled")
# What a launch has to be able to say. AWX ignores the rest, and would run on all hosts.
ASKED = ("ask_limit_on_launch", "ask_job_type_on_launch", "ask_variables_on_launch")


class AwxExecutor:
    """Plays with the settings it was made with."""

    def __init__(self, settings: Settings) -> None:
        assert settings.awx is not None
        self._awx: Awx = settings.awx
        self._settings = settings

    def play(self, order: Order, cancel: threading.Event) -> Told:
        """To its end."""
        try:
            template = self._template(order.runbook)
        except CallFailed as error:
            raise OncallError(str(error)) from None
        try:
            launched = self._call(f"/api/v2/job_templates/{template}/launch/", self._launch(order))
        except CallFailed as error:
            if not order.acts:
                raise OncallError(str(error)) from None
            return Told(INTERRUPTED, f"nobody knows whether AWX launched it: {error}")
        job = launched["job"]
        if ignored := launched.get("ignored_fields"):
            self._cancel(job)
            return Told(INTERRUPTED, f"AWX job {job} was canceled, as AWX ignored {', '.join(sorted(ignored))}")
        return self._follow(job, order, cancel)

    def _call(self, path: str, send: Any = None) -> Any:
        return call(f"{self._awx.url.rstrip('/')}{path}", self._awx.token_file, send, self._awx.ca)

    def _template(self, runbook: str) -> int:
        wanted = {"name": runbook, **({"organization__name": self._awx.organization} if self._awx.organization else {})}
        found = self._call(f"/api/v2/job_templates/?{urlencode(wanted)}")["results"]
        if len(found) != 1:
            raise OncallError(f"AWX has {len(found)} job templates {runbook}; extensions/awx makes them")
        if missing := [name for name in ASKED if not found[0].get(name)]:
            raise OncallError(f"the job template {runbook} does not ask on launch: {', '.join(missing)}")
        return int(found[0]["id"])

    def _launch(self, order: Order) -> dict[str, Any]:
        route = self._settings.runbooks.get(order.runbook)
        variables = dict(route.variables) if route else {}
        if order.plan_hashes:
            variables["run_plan"] = [*order.plan_hashes]
        return {"limit": order.host, "job_type": "run" if order.acts else "check", "extra_vars": variables}

    def _follow(self, job: int, order: Order, cancel: threading.Event) -> Told:
        route = self._settings.runbooks.get(order.runbook)
        deadline = time.monotonic() + (route.timeout_seconds if route else 3600.0)
        heard = time.monotonic()
        killed = ""
        while True:
            try:
                told = self._call(f"/api/v2/jobs/{job}/")
                heard = time.monotonic()
                if told["status"] in ENDED:
                    return self._told(job, told, order, killed)
            except CallFailed as error:
                if time.monotonic() - heard > LOST_SECONDS:
                    outcome = INTERRUPTED if order.acts else Outcome.UNKNOWN
                    return Told(outcome, f"AWX job {job} was lost sight of: {error}")
            if not killed and (cancel.is_set() or time.monotonic() > deadline):
                killed = "canceled" if cancel.is_set() else "killed after its time"
                self._cancel(job)
            cancel.wait(LOOK_EVERY_SECONDS) if not killed else time.sleep(LOOK_EVERY_SECONDS)

    def _cancel(self, job: int) -> None:
        try:
            self._call(f"/api/v2/jobs/{job}/cancel/", {})
        except CallFailed as error:
            # It may have ended this very moment: what becomes of it is looked at in any case.
            if " 405" not in str(error):
                raise OncallError(f"AWX job {job} could not be canceled: {error}") from None

    def _told(self, job: int, told: dict[str, Any], order: Order, killed: str) -> Told:
        published = ((told.get("artifacts") or {}).get("oncall") or {}).get(order.host) or {}
        where = f"AWX job {job}"
        if killed or told["status"] in ("error", "canceled"):
            outcome = INTERRUPTED if order.acts else CANCELED if killed == "canceled" else Outcome.UNKNOWN
            return Told(
                outcome, f"{where} is {killed or told['status']}: {told.get('job_explanation') or ''}".rstrip(": ")
            )
        host = host_result(order.host, published, order.runbook, "" if published else f"{where} published nothing")
        helped = host.outcome == Outcome.RESOLVED if host.actions else None
        hashes = tuple(plan.hash for plan in host.plans)
        return Told(host.outcome, host.summary, helped, hashes, {"awx_job": job, "hosts": [{"host": order.host}]})
