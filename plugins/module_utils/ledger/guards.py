# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger's guards: claims, holds and the time in, why a claim is refused out."""

from __future__ import annotations

import json
import time

from ..text.one_line import one_line


def refusals(claims, holds, now, request):
    """Every guard that refuses, as a list of ``{guard, reason}`` in the order the guards are asked.

    Args:
        claims, holds: as in Records, newest first.
        now: seconds since the epoch.
        request: the module parameters; ``runbook`` and ``remedies`` may be None.
    """
    request = dict(request, remedies=request["remedies"] or [])
    found = (
        ("lock", _lock(claims)),
        ("interrupted", _interrupted(claims)),
        ("hold", _hold(holds)),
        ("cooldown", _cooldown(claims, now, request)),
        ("budget", _budget(claims, now, request)),
        ("ineffective", _ineffective(claims, now, request)),
    )
    return [{"guard": guard, "reason": reason} for guard, reason in found if reason]


def out_of_date(request, claims):
    """Why a run may not act any more of which another one of the same service knows that it is over."""
    later = f"; the last that acted here is {who(claims[0])}" if claims else ""
    return (
        f"run {_short(request['run_id'])} is out of date: its service took it for lost and has begun another run here"
        f" since{later}. Let the service begin a new one"
    )


def utc(seconds):
    """Seconds since the epoch as ``2026-01-31T12:00:00Z``; None stays None."""
    return None if seconds is None else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def who(claim):
    """The run of a claim for people to read."""
    owner = _short(claim["owner"]) or "owner not named"
    return f"run {_short(claim['run_id'])} ({_short(claim['runbook'])}, {owner})"


def _lock(claims):
    claim = next((claim for claim in claims if claim["state"] == "claimed"), None)
    return claim and (
        f"{who(claim)} has been acting on this host since {utc(claim['started_at'])} and holds the lock"
        f" until {utc(claim['expires_at'])}; wait for it, or if that run is known to be dead, free it with"
        f" state: release and run_id: {_short(claim['run_id'])}"
    )


def _interrupted(claims):
    # Only the newest: a later run was granted with an override by somebody who knew of it.
    if not claims or claims[0]["state"] != "interrupted":
        return ""
    claim = claims[0]
    remedies = ", ".join(
        f"{_short(entry['remedy'])} for {_short(entry['cause'])}"
        f" (undo {_short(json.dumps(entry['undo'], ensure_ascii=False), 120)})"
        for entry in claim["remedies"]
    )
    return (
        f"{who(claim)} started at {utc(claim['started_at'])} and did not say how it ended before its lock"
        f" ran out at {utc(claim['expires_at'])}; in progress: {_short(remedies, 300)}; look at the host,"
        f" undo what is half done, then use state: release and run_id: {_short(claim['run_id'])}"
    )


def _hold(holds):
    if not holds:
        return ""
    newest = holds[0]
    until = f" until {utc(newest['until'])}" if newest["until"] is not None else ""
    more = f" (and {len(holds) - 1} more holds)" if len(holds) > 1 else ""
    return (
        f"held by {_short(newest['by']) or 'somebody not named'} since {utc(newest['since'])}{until}:"
        f" {_short(newest['reason'], 200)}{more}; lift it with state: release without run_id, or use override"
    )


def _cooldown(claims, now, request):
    asked = {entry["remedy"] for entry in request["remedies"]}
    for claim in _recent(claims, now, request["cooldown_seconds"]):
        resting = [entry["remedy"] for entry in _started(claim) if entry["remedy"] in asked]
        if claim["runbook"] == request["runbook"] and resting:
            return (
                f"{_short(resting[0])} of {_short(claim['runbook'])} was started at {utc(claim['started_at'])}"
                f" by run {_short(claim['run_id'])}, less than {request['cooldown_seconds']} s ago; possible"
                f" again at {utc(claim['started_at'] + request['cooldown_seconds'])}, or with override"
            )
    return ""


def _budget(claims, now, request):
    window, budget = request["budget_window_seconds"], request["budget_count"]
    started = sorted(claim["started_at"] for claim in _recent(claims, now, window) for _entry in _started(claim))
    asked = max(1, len(request["remedies"]))
    excess = len(started) + asked - budget
    if excess <= 0:
        return ""
    again = "ask for fewer or raise budget_count"
    if excess <= len(started):
        again = f"possible again at {utc(started[excess - 1] + window)}"
    return (
        f"{len(started)} remedies were started on this host in the last {window} s, {asked} more asked for,"
        f" the budget is {budget}; {again}, or with override"
    )


def _ineffective(claims, now, request):
    limit, window = request["ineffective_limit"], request["ineffective_window_seconds"]
    like = (request["runbook"], "completed")
    finished = [claim for claim in _recent(claims, now, window) if (claim["runbook"], claim["state"]) == like]
    for asked in request["remedies"] if limit else ():
        # An attempt of unknown effect neither counts nor excuses the others.
        judged = [(claim, _helped(claim, asked)) for claim in finished]
        last = [(claim, helped) for claim, helped in judged if helped is not None][:limit]
        if len(last) == limit and not any(helped for _claim, helped in last):
            newest, oldest = last[0][0], last[-1][0]
            return (
                f"{_short(asked['remedy'])} did not help against {_short(asked['cause'])} the last"
                f" {limit} times since {utc(oldest['started_at'])}, last at {utc(newest['started_at'])} by"
                f" run {_short(newest['run_id'])}; look for another cause, use override, or wait until"
                f" {utc(oldest['started_at'] + window)}"
            )
    return ""


def _helped(claim, asked):
    """One claim is one attempt, on however many targets, and helped when it helped on one of them."""
    same = [entry for entry in _started(claim) if all(entry[name] == asked[name] for name in ("remedy", "cause"))]
    if any(entry["helped"] for entry in same):
        return True
    # A remedy that failed to run cannot have helped, even where nobody looked afterwards.
    failed = any(entry["helped"] is False or entry["state"] in ("failed", "rollback_failed") for entry in same)
    return False if failed else None


def _recent(claims, now, window_seconds):
    return [claim for claim in claims if now < claim["started_at"] + window_seconds]


def _started(claim):
    return [entry for entry in claim["remedies"] if entry["state"] != "not_started"]


def _short(text, limit=80):
    return one_line(text, limit=limit)
