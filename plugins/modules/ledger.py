#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The remedy ledger of a host: claim, complete, hold, release."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ledger
short_description: Record remedies on a host and decide whether a runbook may act
version_added: "0.1.0"
description:
  - Keeps one SQLite file on the managed host, where any number of controllers meet. It records which remedies
    ran, when, and whether they helped; it holds locks, cooldowns, budgets and holds.
  - O(state=claim) decides in one transaction whether the remedies of a run may start. The guards are asked in
    this order. V(lock), another run is acting. V(interrupted), the last run never said how it ended. V(hold),
    a person has stopped all remedies. V(cooldown), the same remedy was started a moment ago. V(budget), too
    many remedies in the window. V(ineffective), the same remedy did not help against the same cause.
    Before all of them comes V(fence), a later run of the same service has claimed.
  - A ledger that cannot be read or written refuses, with RV(guard) V(ledger). It is never repaired,
    removed or replaced.
  - O(state=claim) and O(state=hold) make a missing file with mode 0600, and its missing folder with mode 0700.
  - Times are those of the managed host's clock. Records of the future (the clock was set back) count as now,
    and from the next O(state=claim) on they are records of that moment, so that no cooldown, lock or hold lasts until the
    clock is there again. A clock before 2026 is taken for one that is not set yet, and changes no record.
author: "oncall.runbooks maintainers (@oncall-runbooks)"
extends_documentation_fragment: [oncall.runbooks.ledger]
attributes:
  check_mode:
    support: full
    description: Decides as always; writes nothing and creates no file.
  diff_mode:
    support: none
    description: Returns no diff.
options:
  state:
    description:
      - V(claim) asks to start O(remedies) and takes the lock if granted.
      - V(complete) records how the run ended and gives the lock back.
      - V(hold) refuses all claims on the host until it is lifted.
      - V(release) frees the claims of O(run_id), or lifts all holds when O(run_id) is left out.
    type: str
    choices: [claim, complete, hold, release]
    required: true
  run_id:
    description:
      - Identifies the run. Required for O(state=claim) and O(state=complete).
      - With O(state=release), the run to free; leave it out to lift the holds.
    type: str
  runbook:
    description: Name of the runbook. Required for O(state=claim).
    type: str
  remedies:
    description:
      - With O(state=claim), what is about to start; at least one.
      - With O(state=complete), what became of each.
    type: list
    elements: dict
    suboptions:
      remedy:
        description: Name of the remedy.
        type: str
        required: true
      cause:
        description: The cause it is meant for.
        type: str
        required: true
      targets:
        description: What exactly it acts on; any plain data. Kept with O(state=claim).
        type: list
        elements: raw
        default: []
      undo:
        description: What somebody would need to undo it; any plain data. Kept with O(state=claim).
        type: raw
      state:
        description:
          - What became of it. Required with O(state=complete).
          - An action that is V(not_started) counts for no cooldown, budget or attempt.
        type: str
        choices: [done, failed, rolled_back, rollback_failed, not_started]
      helped:
        description:
          - Whether the cause was gone afterwards; leave it out when nobody could tell.
          - An attempt of unknown effect neither counts as ineffective nor excuses the others, except that one
            that failed did not help.
        type: bool
      rolled_back:
        description: Whether it was undone.
        type: bool
        default: false
  plan_hash:
    description: Hash of the plan that is carried out.
    type: str
    default: ""
  owner:
    description: Who runs it, for people to read, such as C(user@controller).
    type: str
    default: ""
  lock_seconds:
    description: How long the claim keeps other runs out, from 1 second to 90 days, if not completed before.
    type: int
    default: 1800
  fence:
    description:
      - A fencing token, by which a host knows the later of two runs of a service. With O(state=claim), the ledger remembers the
        highest token of each source and refuses a lower one, so that a run that was taken for lost cannot act late.
    type: dict
    version_added: "0.2.0"
    suboptions:
      source:
        description: Names the service, or its database.
        type: str
        required: true
      token:
        description: The higher, the later.
        type: int
        required: true
  override:
    description:
      - Why to act in spite of the guards. Recorded, together with the guards that were passed.
      - It passes every guard except V(fence), V(lease), V(lock) and V(ledger).
    type: str
    default: ""
  outcome:
    description: How the run ended. Required for O(state=complete).
    type: str
    choices: [healthy, planned, resolved, unresolved, blocked, advised, unknown]
  reason:
    description: Why nothing may act. Required for O(state=hold).
    type: str
  by:
    description: Who asks for the hold.
    type: str
    default: ""
  until_seconds:
    description:
      - The hold ends by itself after so many seconds; without it, it lasts until it is lifted.
      - The same hold (O(reason) and O(by)) asked for again gets the new end.
    type: int
  not_started:
    description:
      - With O(state=release) and O(run_id), that it is certain that no remedy of this run was begun. What it had claimed then
        counts for no cooldown, budget or attempt.
    type: bool
    default: false
    version_added: "0.2.0"
notes:
  - Records of finished claims are kept for 90 days.
  - O(state=claim) and O(state=complete) do not fail when the ledger is unusable; look at RV(granted),
    RV(recorded) and RV(available). O(state=hold) and O(state=release) fail then.
seealso:
  - module: oncall.runbooks.ledger_info
"""

EXAMPLES = r"""
- name: Ask whether the remedy may start
  oncall.runbooks.ledger:
    state: claim
    run_id: 0b5c8c1e
    runbook: db_pool
    owner: alice@controller1
    remedies:
      - remedy: raise_pool_size
        cause: pool_too_small
        targets: [api]
        undo: {DB_POOL_SIZE: 20}
  register: claim

- name: Record that it helped
  oncall.runbooks.ledger:
    state: complete
    run_id: 0b5c8c1e
    outcome: resolved
    remedies:
      - remedy: raise_pool_size
        cause: pool_too_small
        state: done
        helped: true
  when: claim.granted

- name: Keep all runbooks off the host for two hours
  oncall.runbooks.ledger:
    state: hold
    reason: restoring the database by hand
    by: alice
    until_seconds: 7200

- name: Lift the hold
  oncall.runbooks.ledger:
    state: release

- name: Free the lock of a run that is known to be dead
  oncall.runbooks.ledger:
    state: release
    run_id: 0b5c8c1e
"""

RETURN = r"""
available:
  description: Whether the ledger could be read, and written if there was something to write.
  returned: always
  type: bool
  sample: true
reason:
  description: One line that says why something was refused or not possible and how to go on, or empty.
  returned: always
  type: str
  sample: >-
    run 0b5c8c1e (db_pool, alice@controller1) has been acting on this host since 2026-01-31T12:00:00Z and
    holds the lock until 2026-01-31T12:30:00Z; wait for it, or if that run is known to be dead, free it with
    state: release and run_id: 0b5c8c1e
granted:
  description: Whether the remedies may start.
  returned: with O(state=claim)
  type: bool
  sample: true
guard:
  description:
    - What refused, or empty when granted.
    - One of V(fence), V(lock), V(interrupted), V(hold), V(cooldown), V(budget), V(ineffective) and V(ledger), or V(lease) where
      the controller itself refused, as the C(oncall serve) that began the run has no lease any more.
  returned: with O(state=claim)
  type: str
  sample: ""
passed_guards:
  description: The guards that would have refused without O(override).
  returned: with O(state=claim)
  type: list
  elements: dict
  contains:
    guard:
      description: Name of the guard.
      type: str
    reason:
      description: Why it would have refused.
      type: str
  sample: []
claim_id:
  description: Number of the claim in this ledger; null when there is none, in check mode for example.
  returned: with O(state=claim) and O(state=complete)
  type: int
  sample: 17
recorded:
  description: Whether the end of the run is in the ledger; not when there is no claim of O(run_id).
  returned: with O(state=complete)
  type: bool
  sample: true
warning:
  description: V(lock_lost) when the claim had expired or been released before it was completed, or empty.
  returned: with O(state=complete)
  type: str
  sample: ""
not_claimed:
  description: Names of remedies that were recorded just now although the claim did not hold them.
  returned: with O(state=complete)
  type: list
  elements: str
  sample: []
released:
  description: The claims that were freed, each as in RV(oncall.runbooks.ledger_info#module:claims).
  returned: with O(state=release)
  type: list
  elements: dict
  sample: []
lifted:
  description: The holds that were lifted, each as in RV(oncall.runbooks.ledger_info#module:holds).
  returned: with O(state=release)
  type: list
  elements: dict
  sample: []
holds:
  description: The active holds, newest first, each as in RV(oncall.runbooks.ledger_info#module:holds).
  returned: with O(state=hold)
  type: list
  elements: dict
  sample: [{reason: restoring the database by hand, by: alice, since: "2026-01-31T12:00:00Z", until: null}]
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.ledger.claims import apply
from ..module_utils.ledger.spec import ARGUMENT_SPEC, REQUIRED_IF


def main():
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, required_if=REQUIRED_IF, supports_check_mode=True)
    try:
        result = apply(module.params, check_mode=module.check_mode)
    except ValueError as error:
        module.fail_json(msg=str(error))
    # A claim that is refused is an answer; a hold that does not hold must not look like one.
    if module.params["state"] in ("hold", "release") and not result["available"]:
        module.fail_json(msg=result["reason"], **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
