#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replay events of a payment provider that are missing, each once."""

from __future__ import annotations

DOCUMENTATION = r"""
module: webhook_replay
version_added: 0.2.0
short_description: Replay events of a payment provider that are missing, each once
description:
  - Fetches each event from the provider, and sends it to the endpoint as the provider does, signed with the secret that it takes, the oldest
    first. Nothing is ever sent out of a log.
  - The database is asked right before each event, so that what the provider sends again meanwhile is not doubled. What is in the database is left
    alone.
  - First one is sent and has to show in the database, then ten, then the rest in batches. The first event that is not taken, or does not show in
    the database in time, ends it.
  - A journal in O(state_directory) has the ids and a hash of every event before the first one is sent, and each step. A run after one that was killed
    finds out what became of the last ones, and takes it up.
  - An event that was sent twice, in all runs together, and is still missing, is set aside for a person.
author: oncall.runbooks maintainers (@oncall-runbooks)
extends_documentation_fragment:
  - oncall.runbooks.webhook_store
attributes:
  check_mode:
    description: Fetches the events, asks the database, and says what would be sent. Nothing is sent, and nothing is written.
    support: full
  diff_mode:
    description: The counts say all of it.
    support: none
options:
  events:
    description: Ids of the events. Others are not touched, but for those that a run which was killed has begun with.
    type: list
    elements: str
    required: true
  state_directory:
    description: Folder for the journals, C(system_state_directory).
    type: path
    required: true
  probe_type:
    description: Type of the event that finds out which secret is right. The handler must ignore it.
    type: str
    default: oncall.probe
  batch_size:
    description: The most events that are sent before they are looked for in the database.
    type: int
    default: 50
  per_minute:
    description: So many are sent in a minute.
    type: int
    default: 120
  answer_seconds:
    description: For how long the endpoint may take to answer.
    type: float
    default: 10
  proof_seconds:
    description: For how long the handler may take until an event that it took shows in the database.
    type: float
    default: 30
  timeout_seconds:
    description: For how long it sends. What is left then is left.
    type: float
    default: 600
  reason:
    description: Why, in a few words; for the journal.
    type: str
    default: by oncall
requirements:
  - psycopg2 or psycopg for C(transport=psycopg); the docker command for C(transport=docker)
"""

EXAMPLES = r"""
- name: Two payments that the shop never heard of
  oncall.runbooks.webhook_replay:
    webhook: "{{ system_payment_webhook }}"
    database: "{{ system_database }}"
    events: [evt_1NG8Du2eZvKYlo2CUI79vXWy, evt_1MqqbKLt4dXK03v5qaIbiNCC]
    state_directory: "{{ system_state_directory }}"
"""

RETURN = r"""
found: {description: "How many events were missing. RV(replayed), RV(set_aside), RV(expired) and RV(left) add up to it.", type: int, returned: success}
replayed:
  description: How many were sent. RV(done), RV(failed_again), RV(still_running) and RV(lost) add up to it.
  type: int
  returned: success
done: {description: How many of them the database shows., type: int, returned: success}
failed_again: {description: How many the handler did not take., type: int, returned: success}
still_running: {description: How many it took and the database did not show in time., type: int, returned: success}
lost: {description: Always 0; the database says where each event is., type: int, returned: success}
set_aside: {description: How many were sent twice before and are still missing., type: int, returned: success}
expired: {description: "Always 0, payments do not expire.", type: int, returned: success}
left: {description: "How many were not sent, because they came by themselves or because it ended before.", type: int, returned: success}
chosen: {description: How many are left to be sent., type: int, returned: success}
came_by_themselves: {description: The ids of those that the database had when it was asked., type: list, elements: str, returned: success}
not_kept: {description: "The ids of those that the provider has no longer, or that are of another mode or type.", type: list, elements: str, returned: success}
groups: {description: "All of them as one group, with C(count) and with C(became), the counts by state.", type: list, elements: dict, returned: success}
more: {description: Whether there were more of them than were asked for., type: bool, returned: success}
stopped_by: {description: "Why it ended before its end, in a word, or empty. C(failed_again), C(not_proven), C(refused) or C(time).", type: str, returned: success}
stopped: {description: The same in one line., type: str, returned: success}
journal: {description: The file of the journal., type: str, returned: success}
taken_up: {description: Whether it took up what a run had begun that was killed., type: bool, returned: success}
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.deadline import DeadlineExceeded
from ..module_utils.postgres.client import DatabaseError
from ..module_utils.postgres.spec import DATABASE
from ..module_utils.replay.journal import JournalError
from ..module_utils.replay.run import ReplayError
from ..module_utils.webhooks.provider import ProviderError
from ..module_utils.webhooks.replay import HandlerError, replay
from ..module_utils.webhooks.spec import WEBHOOK

ARGUMENT_SPEC = {
    "webhook": WEBHOOK,
    "database": dict(DATABASE, required=False),
    "events": {"type": "list", "elements": "str", "required": True},
    "state_directory": {"type": "path", "required": True},
    "probe_type": {"type": "str", "default": "oncall.probe"},
    "batch_size": {"type": "int", "default": 50},
    "per_minute": {"type": "int", "default": 120},
    "answer_seconds": {"type": "float", "default": 10},
    "proof_seconds": {"type": "float", "default": 30},
    "timeout_seconds": {"type": "float", "default": 600},
    "reason": {"type": "str", "default": "by oncall"},
}
_ERRORS = (ValueError, HandlerError, ProviderError, DatabaseError, JournalError, ReplayError, DeadlineExceeded)


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = replay(module.params, module.check_mode)
    except _ERRORS as error:
        module.fail_json(msg=str(error))
    changed = bool(result["replayed"] or (module.check_mode and result["chosen"]))
    if result["stopped_by"] in ("", "time"):
        module.exit_json(changed=changed, **result)
    told = f"{result['stopped']}; {result['done']} of {result['found']} were replayed before, the rest was not sent"
    module.fail_json(msg=told, changed=changed, **result)


if __name__ == "__main__":
    main()
