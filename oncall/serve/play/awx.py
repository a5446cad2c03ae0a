# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays runbooks in AWX: launches the job template that has the name of the runbook, and follows the job to its end."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...errors import OncallError
from ..api_calls import CallFailed
from ..settings import Settings, problem_at
from .awx_api import AwxApi, Item
from .awx_endings import BY_US, FAIL_ON, QUEUED, TIMED_OUT, Job, ended, never_began, no_end, nothing_ran, seconds_of
from .executor import Ending, Order
from .surveys import misfits

LOOK_EVERY_SECONDS = 2.0
# Without an answer, or without an end after it was canceled, for so long, nobody knows how the job goes on.
LOST_SECONDS = 300.0
# A launch without an answer may still come to be a job for so long.
LAUNCHING_SECONDS = 30.0
# AWX may still write down what a job did for so long after its end.
EVENTS_SECONDS = 10.0
ENDED = ("successful", "failed", "error", "canceled")
# The extra var that says for which run a job was launched, so that it is found again.
MARK = "oncall_run"


class AwxExecutor:
    """Plays with the settings it was made with."""

    def __init__(self, settings: Settings) -> None:
        assert settings.awx is not None
        self._awx, self._settings = settings.awx, settings
        self._api = AwxApi(settings.awx)

    def check(self, file: Path) -> None:
        """Whether AWX would take what it is sent, without a launch.

        Args:
            file: the settings, for the message.

        Raises:
            OncallError: AWX does not answer, or would refuse the runs of a runbook.
        """
        routes = self._settings.runbooks.items()
        wrong = [one for runbook, route in routes if route.mode != "off" for one in self._wrong(runbook)]
        if wrong:
            (where, what), *others = wrong
            raise problem_at(file, where, "; ".join([what, *(f"{other}: {also}" for other, also in others)]))

    def _wrong(self, runbook: str) -> list[tuple[str, str]]:
        """(where in the settings, what AWX would refuse)."""
        # With a plan, as of a run that a person agreed to.
        orders = [Order("", runbook, "host", acts, ("p" * 16,) if acts else (), (runbook,)) for acts in (False, True)]
        try:
            survey = self._api.survey(self._api.template(runbook))
        except CallFailed as error:
            raise OncallError(f"AWX does not say what it takes: {error}") from None
        except OncallError as error:
            return [(f"runbooks.{runbook}", str(error))]
        found: dict[str, str] = {}
        for order in orders:
            found |= misfits(survey, self._asked(order)["extra_vars"])
        ours = self._settings.runbooks[runbook].variables
        return [
            (
                f"runbooks.{runbook}.variables.{name}" if name in ours else f"runbooks.{runbook}",
                _refused(runbook, name, why),
            )
            for name, why in found.items()
        ]

    def play(self, order: Order, cancel: threading.Event) -> Ending:
        """To its end. OncallError where it could not be begun."""
        asked = self._asked(order)
        try:
            template = self._api.template(order.runbook)
            found = misfits(self._api.survey(template), asked["extra_vars"])
        except CallFailed as error:
            raise OncallError(str(error)) from None
        if found:
            raise OncallError("; ".join(_refused(order.runbook, name, why) for name, why in found.items()))
        try:
            launched = self._api.one(f"/api/v2/job_templates/{template['id']}/launch/", asked)
            number = launched.get("job")
        except CallFailed as error:
            if _refusal(error):
                raise OncallError(f"AWX did not launch it: {error}") from None
            return self._unanswered(order, cancel, str(error))
        if type(number) is not int:
            return self._unanswered(order, cancel, "AWX did not say which job it launched")
        ignored = {*launched.get("ignored_fields", ())}
        ignored |= {name for name in ("limit", "job_type") if launched.get(name) != asked[name]}
        # It is another job than was asked for: it runs on all hosts, or it acts.
        over = f"canceled, as AWX did not heed {', '.join(sorted(map(str, ignored)))}" if ignored else ""
        return self._follow(number, order, cancel, over)

    def take_up(self, order: Order, cancel: threading.Event) -> Ending | None:
        """Follow the job that was launched for this run before, to its end; None where AWX has none."""
        try:
            job = self._search(order, cancel, 0)
        except CallFailed as error:
            return no_end(order, f"nobody knows whether its job in AWX goes on: {error}")
        return None if job is None else self._follow(job, order, cancel)

    def _asked(self, order: Order) -> dict[str, Any]:
        route = self._settings.runbooks.get(order.runbook)
        variables = {
            **(route.variables if route else {}),
            "run_fail_on": [str(one) for one in FAIL_ON],
            # Its name might be that of a group by now.
            "run_host": order.host,
            MARK: order.run,
        }
        variables |= order.variables
        if order.plan_hashes:
            # The survey asks for text; the role takes text with commas as it takes a list.
            variables["run_plan"] = ",".join(order.plan_hashes)
        return {"limit": order.host, "job_type": "run" if order.acts else "check", "extra_vars": variables}

    # ------------------------------------------------------------------ a job that may be there
    def _unanswered(self, order: Order, cancel: threading.Event, why: str) -> Ending:
        """AWX was asked to launch it, and what became of that is not known."""
        try:
            job = self._search(order, cancel, LAUNCHING_SECONDS)
        except CallFailed as error:
            job, why = None, str(error)
        if job is not None:
            return self._follow(job, order, cancel)
        return no_end(order, f"nobody knows whether AWX launched it: {why}")

    def _search(self, order: Order, cancel: threading.Event, seconds: float) -> int | None:
        """The job of this run, looked for until AWX has answered and ``seconds`` are over; CallFailed if it never does."""
        began = time.monotonic()
        while True:
            passed = time.monotonic() - began
            try:
                for one in self._api.listed("/api/v2/jobs/", name=order.runbook, order_by="-id", page_size=200):
                    # A job that a person launches again has the same mark, and is not this run.
                    if (_mark(one), one.get("launch_type")) == (order.run, "manual") and type(one.get("id")) is int:
                        return one["id"]
                if passed >= seconds:
                    return None
            except CallFailed:
                if passed >= LOST_SECONDS:
                    raise
            _wait(cancel)

    def _follow(self, number: int, order: Order, cancel: threading.Event, over: str = "") -> Ending:
        """To its end; ``over`` says why it is to be canceled at once."""
        began = heard = over_since = time.monotonic()
        job, canceled = Job(number, self._api.address(number), over), False
        order.tell(f"{job} goes on: {job.address}")
        while True:
            try:
                told = self._api.job(number)
                heard = time.monotonic()
                if told["status"] in ENDED:
                    return self._told(job, told, order, cancel)
                if never_began(told):
                    job = replace(job, queued_seconds=heard - began)
                if not job.over and (why := self._enough(job, told, heard - began, order, cancel)):
                    job, over_since = replace(job, over=why), heard
                if job.over and not canceled:
                    self._cancel(number)
                    canceled = True
            except CallFailed as error:
                if time.monotonic() - heard > LOST_SECONDS:
                    return no_end(order, f"{job} was lost sight of: {error}", job)
            if job.over and time.monotonic() - over_since > LOST_SECONDS:
                return no_end(order, f"{job} is {job.over}, and does not end", job)
            _wait(cancel)

    def _enough(self, job: Job, told: Item, followed_seconds: float, order: Order, cancel: threading.Event) -> str:
        """Why a job that goes on is to be canceled; "" where it may go on."""
        if cancel.is_set():
            return BY_US
        if never_began(told):
            return QUEUED if job.queued_seconds > self._awx.queue_seconds else ""
        route = self._settings.runbooks.get(order.runbook)
        ran_seconds = max(seconds_of(told), followed_seconds - job.queued_seconds)
        return TIMED_OUT if ran_seconds > (route.timeout_seconds if route else 3600.0) else ""

    def _cancel(self, number: int) -> None:
        try:
            self._api.send(f"/api/v2/jobs/{number}/cancel/", {})
        except CallFailed as error:
            # 405: it has ended this very moment.
            if error.status != 405:
                raise

    def _told(self, job: Job, told: Item, order: Order, cancel: threading.Event) -> Ending:
        """Of a job that has ended."""
        why = self._why(job, told, cancel) if told["status"] != "successful" else ""
        if never_began(told):
            # AWX calls a job canceled a moment before it may still start: nothing ran only if that holds.
            _wait(cancel)
            told = self._api.job(job.number)
            if never_began(told):
                return nothing_ran(job, told, why)
        return ended(job, told, order, why)

    def _why(self, job: Job, told: Item, cancel: threading.Event) -> str:
        """Why it failed, when AWX has written down what it did."""
        asked_since = time.monotonic()
        while told.get("event_processing_finished") is False and not never_began(told):
            if time.monotonic() - asked_since > EVENTS_SECONDS:
                break
            _wait(cancel)
            told = self._api.job(job.number)
        return self._api.why_failed(job.number, told)


def _mark(job: dict[str, Any]) -> Any:
    try:
        return json.loads(job["extra_vars"])[MARK]
    except (LookupError, TypeError, ValueError):
        return None


def _refused(runbook: str, name: str, why: str) -> str:
    return f"the survey of the job template {runbook} refuses {name}: it {why}"


def _refusal(error: CallFailed) -> bool:
    """Whether AWX refused; if not, it may have done what it was asked."""
    return 300 <= error.status < 500


def _wait(cancel: threading.Event) -> None:
    if cancel.is_set():
        time.sleep(LOOK_EVERY_SECONDS)
    else:
        cancel.wait(LOOK_EVERY_SECONDS)
