# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The remedy ledger: what ran on this host, whether it helped, and whether a runbook may act now.

One SQLite file on the managed host, where any number of controllers meet. Works with SQLite 3.7.17 and later.
Whatever cannot be read or written refuses; nothing is let through because nobody could look, and a damaged
file is never removed or replaced.
"""

from __future__ import annotations

import time

from ..text.one_line import one_line
from .file import Unusable, opened
from .guards import out_of_date, refusals, utc, who
from .records import Records
from .spec import check

SHOWN_CLAIMS = 20


def apply(params, check_mode=False, now=time.time):
    """Do what the module parameters say, decided and written in one transaction.

    Args:
        params: all parameters of ledger_spec.ARGUMENT_SPEC, or those of INFO_SPEC and ``state`` info.
        check_mode: decide as always and write nothing.
        now: a function giving the time as seconds since the epoch, by default this host's clock.

    Returns:
        What the modules ledger and ledger_info document. An unusable ledger has ``available`` False and refuses.

    Raises:
        ValueError: a parameter is out of range. Nothing else is raised.
    """
    check(params)
    state = params["state"]
    operation, refused = _OPERATIONS[state]
    result = dict(refused, available=True, changed=False, reason="")
    write = state != "info" and not check_mode
    create = write and state in ("claim", "hold")
    try:
        with opened(params["path"], params["timeout_seconds"], write, create) as db:
            # The time once the lock is ours: to wait for it can take longer than what is still missing.
            decided = operation(Records(db, float(now()), write), params)
    except Unusable as error:
        reason = one_line(f"ledger {params['path']}: {state} was not possible: {error}", limit=800)
        result.update(available=False, reason=reason)
        if state == "info":
            result["status"] = dict(_REFUSED, reason=reason)
        return result
    return dict(result, **decided)


def _claim(records, params):
    fence = params.get("fence") or {}
    if fence and fence["token"] < records.fences.get(fence["source"], fence["token"]):
        return {"guard": "fence", "reason": out_of_date(params, records.claims)}
    override = params["override"].strip()
    found = refusals(records.claims, records.holds, records.now, params)
    if found and (found[0]["guard"] == "lock" or not override):
        return found[0]
    claim = {name: params[name] for name in ("run_id", "runbook", "owner", "plan_hash")}
    claim.update(
        claim_id=None,
        state="claimed",
        outcome="",
        started_at=records.now,
        expires_at=records.now + params["lock_seconds"],
        finished_at=None,
        lock_lost=False,
        override=override,
        passed_guards=found,
        remedies=[_remedy(entry) for entry in params["remedies"]],
    )
    if fence:
        records.put_fence(fence["source"], fence["token"])
    claim_id = records.put_claim(claim)
    return {"granted": True, "changed": True, "guard": "", "claim_id": claim_id, "passed_guards": found}


def _complete(records, params):
    claim = next((claim for claim in records.claims if claim["run_id"] == params["run_id"]), None)
    if claim is None:
        return {"reason": f"{_unknown(params)}: nothing recorded; look with oncall.runbooks.ledger_info"}
    remedies, not_claimed = _ended(claim["remedies"], params["remedies"] or [])
    lost = claim["lock_lost"] or claim["state"] in ("interrupted", "released")
    ended = dict(claim, state="completed", outcome=params["outcome"], lock_lost=lost, remedies=remedies)
    if claim["state"] != "completed":
        ended["finished_at"] = records.now
    if ended != claim:
        records.put_claim(ended)
    late = f"{who(claim)} no longer had the lock when it ended: another run may have acted meanwhile"
    return {
        "changed": ended != claim,
        "recorded": True,
        "claim_id": claim["claim_id"],
        "warning": "lock_lost" if lost else "",
        "reason": late if lost else "",
        "not_claimed": not_claimed,
    }


def _ended(claimed, reported):
    """The remedies of a claim with what became of them, and the names of those that were not claimed."""
    remedies, not_claimed = [dict(entry) for entry in claimed], []
    waiting = list(remedies)
    for entry in reported:
        same = [each for each in waiting if (each["remedy"], each["cause"]) == (entry["remedy"], entry["cause"])]
        if same:
            waiting.remove(same[0])
        else:
            same = [_remedy(entry)]
            remedies += same
            not_claimed.append(entry["remedy"])
        same[0].update(state=entry["state"], helped=entry.get("helped"), rolled_back=bool(entry.get("rolled_back")))
    return remedies, not_claimed


def _hold(records, params):
    seconds, name = params["until_seconds"], (params["reason"], params["by"])
    until = None if seconds is None else records.now + seconds
    same = [hold for hold in records.holds if (hold["reason"], hold["by"]) == name]
    since = same[0]["since"] if same else records.now
    holds = [{"reason": name[0], "by": name[1], "since": since, "until": until}]
    holds += [hold for hold in records.holds if hold not in same]
    changed = holds[0] not in same
    if changed:
        records.put_holds(holds)
    return {"changed": changed, "holds": [_published(hold) for hold in holds]}


def _release(records, params):
    if params["run_id"] is None:
        if records.holds:
            records.put_holds([])
        return {"changed": bool(records.holds), "lifted": [_published(hold) for hold in records.holds]}
    claims = [claim for claim in records.claims if claim["run_id"] == params["run_id"]]
    unfinished = [claim for claim in claims if claim["state"] in ("claimed", "interrupted")]
    released = [dict(claim, state="released", finished_at=records.now) for claim in unfinished]
    if params["not_started"]:
        # No cooldown and no budget counts what was never begun.
        released = [
            dict(claim, remedies=[dict(entry, state="not_started") for entry in claim["remedies"]])
            for claim in released
        ]
    for claim in released:
        records.put_claim(claim)
    reason = "" if claims else f"{_unknown(params)}: nothing to free"
    return {"changed": bool(released), "reason": reason, "released": [_published(claim) for claim in released]}


def _info(records, params):
    status = {"refused": False, "guard": "", "reason": ""}
    for refusal in refusals(records.claims, records.holds, records.now, params)[:1]:
        status = dict(refusal, refused=True)
    unfinished = [claim for claim in records.claims if claim["state"] in ("claimed", "interrupted")]
    return {
        "holds": [_published(hold) for hold in records.holds],
        "unfinished": [_published(claim) for claim in unfinished[:SHOWN_CLAIMS]],
        "claims": [_published(claim) for claim in records.claims[:SHOWN_CLAIMS]],
        "status": status,
    }


def _remedy(entry):
    kept = {name: entry.get(name) for name in ("remedy", "cause", "targets", "undo")}
    return dict(kept, state="claimed", helped=None, rolled_back=False)


def _published(record):
    """A claim or a hold with its times for people to read."""
    times = ("started_at", "expires_at", "finished_at", "since", "until")
    return {name: utc(value) if name in times else value for name, value in record.items()}


def _unknown(params):
    return f"the ledger has no claim of run {one_line(params['run_id'], limit=80)}"


# Each state with what it returns while nothing was decided, and for good where the ledger is unusable.
_REFUSED = {"refused": True, "guard": "ledger", "reason": ""}
_OPERATIONS: dict = {
    "claim": (_claim, {"granted": False, "guard": "ledger", "claim_id": None, "passed_guards": []}),
    "complete": (_complete, {"recorded": False, "claim_id": None, "warning": "", "not_claimed": []}),
    "hold": (_hold, {"holds": []}),
    "release": (_release, {"released": [], "lifted": []}),
    "info": (_info, {"holds": [], "unfinished": [], "claims": [], "status": _REFUSED}),
}
