# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays runbooks in AWX: launches the job template that has the name of the runbook, and follows the job to its end.

The API: https://docs.ansible.com/projects/awx/en/latest/rest_api/ . What the runbook published with ``set_stats`` is in the
job's ``artifacts``; its output is not read.
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from ...errors import OncallError
from ...results import HostResult, Outcome, Result, host_result
from ..api_calls import CallFailed, call
from ..settings import Awx, Settings
from .executor import CANCELED, INTERRUPTED, Ending, Order
from .local import told as told_of

LOOK_EVERY_SECONDS = 2.0
# Without an answer, or without an end after it was canceled, for so long, nobody knows how the job goes on.
LOST_SECONDS = 300.0
# A launch without an answer may still come to be a job for so long.
LAUNCHING_SECONDS = 30.0
ENDED = ("successful", "failed", "error", "canceled")
# What a launch has to be able to say. AWX ignores the rest, and would run on all hosts.
ASKED = ("ask_limit_on_launch", "ask_job_type_on_launch", "ask_variables_on_launch")
# The extra var that says for which run a job was launched, so that it is found again.
MARK = "oncall_run"
# The role's own default, whatever an inventory says: then a job that fails has one of these, or came to no end.
FAIL_ON = (Outcome.UNRESOLVED, Outcome.BLOCKED, Outcome.UNKNOWN)
BY_US, TIMED_OUT = "canceled", "killed after its time"


class AwxExecutor:
    """Plays with the settings it was made with."""

    def __init__(self, settings: Settings) -> None:
        assert settings.awx is not None
        self._awx: Awx = settings.awx
        self._settings = settings

    def play(self, order: Order, cancel: threading.Event) -> Ending:
        """To its end. OncallError where it could not be begun."""
        asked = self._asked(order)
        try:
            template = self._template(order.runbook)
        except CallFailed as error:
            raise OncallError(str(error)) from None
        try:
            launched = self._call(f"/api/v2/job_templates/{template}/launch/", asked)
            job = launched.get("job")
        except CallFailed as error:
            if _refusal(error):
                raise OncallError(f"AWX did not launch it: {error}") from None
            return self._unanswered(order, cancel, str(error))
        if type(job) is not int:
            return self._unanswered(order, cancel, "AWX did not say which job it launched")
        ignored = {*launched.get("ignored_fields", ())}
        ignored |= {name for name in ("limit", "job_type") if launched.get(name) != asked[name]}
        # It is another job than was asked for: it runs on all hosts, or it acts.
        over = f"canceled, as AWX did not heed {', '.join(sorted(map(str, ignored)))}" if ignored else ""
        return self._follow(job, order, cancel, over)

    def take_up(self, order: Order, cancel: threading.Event) -> Ending | None:
        """Follow the job that was launched for this run before, to its end; None where AWX has none."""
        try:
            job = self._search(order, cancel, 0)
        except CallFailed as error:
            return _no_end(order, f"nobody knows whether its job in AWX goes on: {error}")
        return None if job is None else self._follow(job, order, cancel)

    # ------------------------------------------------------------------ calls
    def _send(self, path: str, send: Any = None) -> Any:
        try:
            return call(f"{self._awx.url.rstrip('/')}{path}", self._awx.token_file, send, self._awx.ca)
        except OncallError as error:
            # A token that cannot be read: the next look may do better.
            raise CallFailed(f"{path}: {error}") from None

    def _call(self, path: str, send: Any = None) -> dict[str, Any]:
        answer = self._send(path, send)
        if not isinstance(answer, dict):
            raise CallFailed(f"{path} answers with no JSON object")
        return answer

    def _listed(self, path: str, **query: Any) -> list[dict[str, Any]]:
        found = self._call(f"{path}?{urlencode(query)}").get("results")
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise CallFailed(f"{path} answers with no list")
        return found

    def _template(self, runbook: str) -> int:
        of = {"organization__name": self._awx.organization} if self._awx.organization else {}
        found = self._listed("/api/v2/job_templates/", name=runbook, **of)
        if len(found) != 1:
            raise OncallError(f"AWX has {len(found)} job templates {runbook}; extensions/awx makes one")
        if missing := [name for name in ASKED if found[0].get(name) is not True]:
            raise OncallError(f"the job template {runbook} does not ask on launch: {', '.join(missing)}")
        if found[0].get("job_slice_count", 1) != 1:
            raise OncallError(f"the job template {runbook} is sliced, which would make several jobs of one run")
        if type(found[0].get("id")) is not int:
            raise CallFailed("/api/v2/job_templates/ answers with no job template")
        return found[0]["id"]

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
            variables["run_plan"] = [*order.plan_hashes]
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
        return _no_end(order, f"nobody knows whether AWX launched it: {why}")

    def _search(self, order: Order, cancel: threading.Event, seconds: float) -> int | None:
        """The job of this run, looked for until AWX has answered and ``seconds`` are over; CallFailed if it never does."""
        began = time.monotonic()
        while True:
            passed = time.monotonic() - began
            try:
                for one in self._listed("/api/v2/jobs/", name=order.runbook, order_by="-id", page_size=200):
                    if _mark(one) == order.run and type(one.get("id")) is int:
                        return one["id"]
                if passed >= seconds:
                    return None
            except CallFailed:
                if passed >= LOST_SECONDS:
                    raise
            _wait(cancel)

    def _follow(self, job: int, order: Order, cancel: threading.Event, over: str = "") -> Ending:
        """To its end; ``over`` says why it is to be canceled at once."""
        route = self._settings.runbooks.get(order.runbook)
        began = heard = time.monotonic()
        deadline = began + (route.timeout_seconds if route else 3600.0)
        over_since, canceled = began, False
        while True:
            try:
                told = self._call(f"/api/v2/jobs/{job}/")
                if not isinstance(told.get("status"), str):
                    raise CallFailed(f"/api/v2/jobs/{job}/ answers with no job")
                heard = time.monotonic()
                if told["status"] in ENDED:
                    return self._told(job, told, order, over, time.monotonic() - began)
                if not over and (cancel.is_set() or heard > deadline):
                    over, over_since = BY_US if cancel.is_set() else TIMED_OUT, heard
                if over and not canceled:
                    self._cancel(job)
                    canceled = True
            except CallFailed as error:
                if time.monotonic() - heard > LOST_SECONDS:
                    return _no_end(order, f"AWX job {job} was lost sight of: {error}", job, over)
            if over and time.monotonic() - over_since > LOST_SECONDS:
                return _no_end(order, f"AWX job {job} is {over}, and does not end", job, over)
            _wait(cancel)

    def _cancel(self, job: int) -> None:
        try:
            self._send(f"/api/v2/jobs/{job}/cancel/", {})
        except CallFailed as error:
            # 405: it has ended this very moment.
            if error.status != 405:
                raise

    # ------------------------------------------------------------------ what came of it
    def _told(self, job: int, told: dict[str, Any], order: Order, over: str, seconds: float) -> Ending:
        why = " ".join(str(told.get("job_explanation") or "").split())[:300]
        if _is_another(over) or told["status"] in ("error", "canceled"):
            return _no_end(order, f"AWX job {job} is {over or told['status']}{f': {why}' if why else ''}", job, over)
        try:
            return _ended(job, _host(f"AWX job {job}", told, order, why), order, seconds)
        except RecursionError:
            return Ending(Outcome.UNKNOWN, f"AWX job {job} published what is nested too deep", result={"awx_job": job})


def _ended(job: int, host: HostResult, order: Order, seconds: float) -> Ending:
    mode, began = "act" if order.acts else "check", round(time.time() - seconds, 3)
    ended = told_of(Result(order.runbook, mode, "ended", began, round(seconds, 3), {order.host: host}), order)
    return replace(ended, result={**(ended.result or {}), "awx_job": job})


def _host(where: str, told: dict[str, Any], order: Order, why: str) -> HostResult:
    """What the job published about the one host; unknown where that cannot be relied on."""
    try:
        published = (told["artifacts"] or {}).get("oncall", {}).get(order.host, {})
        if order.runbook not in published:
            return HostResult(order.host, Outcome.UNKNOWN, f"{where} published nothing about {order.host}{_also(why)}")
        host = host_result(order.host, published, order.runbook, "")
        others = [
            name for name, one in published.items()
            if (one["runbook"], one["host"], one["check_mode"]) != (name, order.host, not order.acts)
        ]  # fmt: skip
    except (LookupError, AttributeError, TypeError, ValueError) as error:
        said = f"{where} published what no runbook does: {type(error).__name__} {error}"
        return HostResult(order.host, Outcome.UNKNOWN, said[:300])
    if others or (host.actions and not order.acts):
        return HostResult(order.host, Outcome.UNKNOWN, f"{where} published another run than it was launched for")
    if told["status"] == "failed" and host.outcome not in FAIL_ON:
        said = f"{where} published {host.outcome}, and failed{_also(why)}"
        return HostResult(order.host, Outcome.UNKNOWN, said, host.runs)
    return host


def _no_end(order: Order, summary: str, job: int | None = None, over: str = "") -> Ending:
    """It may have done something, or only part of it."""
    looked = CANCELED if over == BY_US else Outcome.UNKNOWN
    outcome = INTERRUPTED if order.acts or _is_another(over) else looked
    return Ending(outcome, summary, result={"awx_job": job} if job is not None else None)


def _is_another(over: str) -> bool:
    """Whether it was canceled as another job than was asked for: it may have acted, whatever it was to do."""
    return over not in ("", BY_US, TIMED_OUT)


def _mark(job: dict[str, Any]) -> Any:
    try:
        return json.loads(job["extra_vars"])[MARK]
    except (LookupError, TypeError, ValueError):
        return None


def _also(why: str) -> str:
    return f": {why}" if why else ""


def _refusal(error: CallFailed) -> bool:
    """Whether AWX refused; if not, it may have done what it was asked."""
    return 300 <= error.status < 500


def _wait(cancel: threading.Event) -> None:
    if cancel.is_set():
        time.sleep(LOOK_EVERY_SECONDS)
    else:
        cancel.wait(LOOK_EVERY_SECONDS)
