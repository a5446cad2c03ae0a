#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The remedy ledger of a host, read only."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ledger_info
short_description: Read the remedy ledger of a host
version_added: "0.1.0"
description:
  - Shows the claims and holds in the file that M(oncall.runbooks.ledger) keeps on the managed host, and whether a
    claim would be refused now.
  - A file that is missing is an empty ledger, and is not made. A ledger that cannot be read has RV(available)
    V(false) and a reason, and refuses; the module does not fail then.
  - Times are those of the managed host's clock.
author: "oncall.runbooks maintainers (@oncall-runbooks)"
extends_documentation_fragment: [oncall.runbooks.ledger]
attributes:
  check_mode:
    support: full
    description: Runs the same in check mode, because it only reads.
  diff_mode:
    support: none
    description: Returns no diff.
options:
  runbook:
    description: Name of the runbook that RV(status) has to judge.
    type: str
  remedies:
    description: What RV(status) has to judge.
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
seealso:
  - module: oncall.runbooks.ledger
"""

EXAMPLES = r"""
- name: Read the ledger
  oncall.runbooks.ledger_info:

- name: Ask whether a remedy would be refused now
  oncall.runbooks.ledger_info:
    runbook: db_pool
    remedies:
      - remedy: raise_pool_size
        cause: pool_too_small
  register: ledger
"""

RETURN = r"""
available:
  description: Whether the ledger could be read.
  returned: always
  type: bool
  sample: true
reason:
  description: One line that says why it could not be read and how to go on, or empty.
  returned: always
  type: str
  sample: ""
holds:
  description: The active holds, newest first.
  returned: always
  type: list
  elements: dict
  contains:
    reason:
      description: Why nothing may act.
      type: str
    by:
      description: Who asked for it.
      type: str
    since:
      description: Since when, UTC.
      type: str
    until:
      description: Until when, UTC, or null for no end.
      type: str
  sample: [{reason: restoring the database by hand, by: alice, since: "2026-01-31T12:00:00Z", until: null}]
unfinished:
  description: The last 20 claims that hold the lock or were interrupted, each as in RV(claims).
  returned: always
  type: list
  elements: dict
  sample: []
claims:
  description: The last 20 claims, newest first.
  returned: always
  type: list
  elements: dict
  contains:
    claim_id:
      description: Number of the claim in this ledger.
      type: int
    run_id:
      description: The run that claimed.
      type: str
    runbook:
      description: Its runbook.
      type: str
    owner:
      description: Who ran it.
      type: str
    plan_hash:
      description: Hash of its plan.
      type: str
    state:
      description: V(claimed), V(completed), V(interrupted) or V(released).
      type: str
    outcome:
      description: How it ended, empty before that.
      type: str
    override:
      description: The reason to act in spite of the guards, or empty.
      type: str
    passed_guards:
      description: What RV(oncall.runbooks.ledger#module:passed_guards) was.
      type: list
      elements: dict
    started_at:
      description: When it was granted, UTC.
      type: str
    expires_at:
      description: When its lock runs out, UTC.
      type: str
    finished_at:
      description: When it was completed or released, UTC, or null.
      type: str
    lock_lost:
      description: Whether it was completed after its lock had expired or been released.
      type: bool
    remedies:
      description:
        - Its remedies as in O(oncall.runbooks.ledger#module:remedies).
        - C(state) is V(claimed) until the run is completed; C(helped) is null where it is not known.
      type: list
      elements: dict
  sample:
    - claim_id: 17
      run_id: 0b5c8c1e
      runbook: db_pool
      owner: alice@controller1
      plan_hash: ""
      state: completed
      outcome: resolved
      override: ""
      passed_guards: []
      started_at: "2026-01-31T12:00:00Z"
      expires_at: "2026-01-31T12:30:00Z"
      finished_at: "2026-01-31T12:00:41Z"
      lock_lost: false
      remedies:
        - remedy: raise_pool_size
          cause: pool_too_small
          targets: [api]
          undo: {DB_POOL_SIZE: 20}
          state: done
          helped: true
          rolled_back: false
status:
  description:
    - Whether a claim would be refused now.
    - V(cooldown) and V(ineffective) are judged only for given O(runbook) and O(remedies); without them the
      budget is judged for one remedy.
  returned: always
  type: dict
  contains:
    refused:
      description: Whether it would be refused.
      type: bool
    guard:
      description: What would refuse, as in RV(oncall.runbooks.ledger#module:guard), or empty.
      type: str
    reason:
      description: Why, in one line, or empty.
      type: str
  sample: {refused: false, guard: "", reason: ""}
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.ledger.claims import apply
from ..module_utils.ledger.spec import INFO_SPEC


def main():
    module = AnsibleModule(argument_spec=INFO_SPEC, supports_check_mode=True)
    try:
        result = apply(dict(module.params, state="info"))
    except ValueError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
