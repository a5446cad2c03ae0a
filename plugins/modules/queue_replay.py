#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Have dead messages of a queue sent again, in steps that are proven."""

from __future__ import annotations

DOCUMENTATION = r"""
module: queue_replay
version_added: 0.2.0
short_description: Have dead messages of a queue sent again, in steps that are proven
description:
  - Groups the dead messages by cause, the kind of their error and their name. Of each group it sends one message, and goes on only when
    that has ended well; then ten, then the rest in batches. It stops at the first batch in which one fails again.
  - Before anything is sent, a journal below O(directory) has a copy of what is known of each message, its id, name, kind of error and
    the SHA-256 of what it carries, which is never decoded. Every step is in it before and after it is done.
  - A replay that was killed is taken up by the next one, which asks the engine where each message is before it does anything. No message
    is sent twice for that, and none is forgotten.
  - Messages that are set aside, have expired, or were not reached stay where they are.
  - Messages keep their ids and whatever key the application knows them by. The engine's own functions send them, as O(queue) says; keys
    of a store are never moved.
  - The role P(oncall.runbooks.queue#role) uses it.
author: oncall.runbooks maintainers (@oncall-runbooks)
extends_documentation_fragment:
  - oncall.runbooks.queue_store
attributes:
  check_mode:
    description: The messages are looked at and chosen, and nothing is written or sent. The task is reported as changed where something would be.
    support: full
  diff_mode:
    description: The counts say all of it.
    support: none
options:
  name:
    description: What the queue is called in the inventory.
    type: str
    required: true
  queue:
    description:
      - The queue as the variable C(system_queues) of the inventory describes it, see M(oncall.runbooks.queue_info).
      - C(graphile_worker) needs nothing more; a message is tried once.
      - "C(table) needs C(statements.dead), the dead messages, the oldest first, with the columns C(id), C(payload) (of any type, hashed in the
        database) or C(payload_sha256), C(dead_at) or C(mark) (a text that changes whenever a message dies once more), and where they are
        there C(name), C(error), C(at) (when it was made) and C(expires_at). The parameter C(:most) is how many are read."
      - "It needs C(statements.whereabouts), with the parameter C(:jobs), a JSON array of ids as text: C(id), C(place) (C(dead), C(waiting),
        C(running) or C(done)), C(dead_at) or C(mark), and C(error). Where rows that are done are deleted, C(gone_is_done=true)."
      - "And it needs C(actions.replay), which has the messages in C(:jobs) sent again and returns their C(id). C(:reason) is O(reason)."
      - C(bullmq), C(pgboss) (version 10 or later) and C(rq) need C(application), an argument list that starts the interpreter of the application,
        which reads a program from its standard input and finds the libraries of the application from where it starts (C([docker, exec, -i, app,
        node, -]), or C([env, -C, /srv/app, .venv/bin/python, -])), and C(application_url_variable), the environment variable in which the
        application has the URL of its store.
      - C(celery) needs C(application), and C(application_name), its app as in C(celery -A). Its results have to be JSON in Redis, with
        C(result_extended), because Celery keeps no dead messages but these. It does not tell whether a message waits, so what was about to
        be sent when a run was killed is RV(lost), and set aside until a person has looked.
    type: dict
    required: true
  program:
    description:
      - The text of C(engines/<engine>/replay.*) of the role C(queue), for the engines that only the library of their application replays.
    type: str
    default: ""
  directory:
    description: The folder for journals, usually C(system_state_directory). Who else could write there is refused.
    type: path
    required: true
  groups:
    description:
      - Ids of groups (RV(groups)) that are replayed, and no others, even where they are poison. Without any, all that are not poison.
    type: list
    elements: str
    default: []
  set_aside_groups:
    description: Ids of groups that are never replayed.
    type: list
    elements: str
    default: []
  most:
    description: How many dead messages to look at, the oldest.
    type: int
    default: 1000
  batch_size:
    description: How many are sent at once, after the first and ten more of their group.
    type: int
    default: 50
  per_minute:
    description: How many are sent in a minute at most.
    type: int
    default: 300
  proof_seconds:
    description: Within this time one of those that were sent has to end, and then the next.
    type: float
    default: 60
  most_replays:
    description: A message that was replayed so often before, by the journals of 90 days, is set aside.
    type: int
    default: 2
  poison_after:
    description: A group of which so many replays failed again, and none ended well, is poison and set aside.
    type: int
    default: 2
  expires_seconds:
    description: A message that is older is not sent any more. Without it, only what says so itself (C(expires_at)) expires.
    type: float
  most_waiting:
    description: Nothing is sent to a queue in which more messages wait, that is paused, or on which nobody works.
    type: int
    default: 100
  seconds:
    description: After this time no more batch is begun.
    type: float
    default: 600
  reason:
    description: Why, in a few words, for the journal.
    type: str
    default: by oncall
  timeout_seconds:
    description: Time for each question to the engine, and for waiting until another replay of the queue has ended.
    type: float
    default: 30
requirements:
  - psycopg2 or psycopg for O(database.transport=psycopg); the docker command for O(database.transport=docker)
"""

EXAMPLES = r"""
- name: What failed while the mail server was down is sent again
  oncall.runbooks.queue_replay:
    name: mail
    queue: {engine: graphile_worker, task: send_mail}
    database: "{{ system_database }}"
    directory: "{{ system_state_directory }}"
    expires_seconds: 86400
"""

RETURN = r"""
found:
  description:
    - Dead messages that were looked at. It is RV(replayed) + RV(set_aside) + RV(expired) + RV(left).
  type: int
  returned: success
replayed:
  description: Of these, sent again. It is RV(done) + RV(failed_again) + RV(still_running) + RV(lost).
  type: int
  returned: success
set_aside:
  description: Of a group that is poison or not to be replayed, or replayed too often before. They stay dead.
  type: int
  returned: success
expired:
  description: Not sent, because it is too late for them. They stay dead, and are in the journal.
  type: int
  returned: success
left:
  description: Not sent, because the replay stopped before, or because they changed since they were copied.
  type: int
  returned: success
done:
  description: Of what was sent, ended well.
  type: int
  returned: success
failed_again:
  description: Of what was sent, dead again.
  type: int
  returned: success
still_running:
  description: Of what was sent, not ended yet.
  type: int
  returned: success
lost:
  description: Messages of which the engine does not tell where they are. A person has to look before they are sent again.
  type: int
  returned: success
chosen:
  description: Messages that are to be sent and were not yet; in check mode, those that would be.
  type: int
  returned: success
groups:
  description:
    - The groups by cause, in order. Each has C(id), C(name), C(error) (of its messages, without secrets and numbers), C(count), C(fate)
      (C(chosen) or C(set_aside)), C(why) it is set aside, and C(became), how many of it became what.
  type: list
  elements: dict
  returned: success
more:
  description: Whether there are more dead messages than were looked at.
  type: bool
  returned: success
stopped_by:
  description:
    - What stopped it before its end, or an empty text. V(failed_again), V(not_proven) (it did not end in time), V(lost), V(refused) (the engine
      did not take it), V(backlog), V(paused), V(no_worker), V(not_known) (the state of the queue), or V(time).
  type: str
  returned: success
stopped:
  description: The same, in a line.
  type: str
  returned: success
journal:
  description: The file, or an empty text where nothing was to be sent.
  type: str
  returned: success
taken_up:
  description: Whether it was begun by a run that did not end it.
  type: bool
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.observers.redis import SERVER
from ..module_utils.postgres.client import DatabaseError
from ..module_utils.postgres.spec import DATABASE
from ..module_utils.redis.client import RedisError
from ..module_utils.replay.in_application import ApplicationError
from ..module_utils.replay.journal import JournalError
from ..module_utils.replay.replay import replay
from ..module_utils.replay.run import ReplayError

ARGUMENT_SPEC = {
    "name": {"type": "str", "required": True},
    "queue": {"type": "dict", "required": True},
    "program": {"type": "str", "default": ""},
    "directory": {"type": "path", "required": True},
    "groups": {"type": "list", "elements": "str", "default": []},
    "set_aside_groups": {"type": "list", "elements": "str", "default": []},
    "most": {"type": "int", "default": 1000},
    "batch_size": {"type": "int", "default": 50},
    "per_minute": {"type": "int", "default": 300},
    "proof_seconds": {"type": "float", "default": 60},
    "most_replays": {"type": "int", "default": 2},
    "poison_after": {"type": "int", "default": 2},
    "expires_seconds": {"type": "float"},
    "most_waiting": {"type": "int", "default": 100},
    "seconds": {"type": "float", "default": 600},
    "reason": {"type": "str", "default": "by oncall"},
    "database": dict(DATABASE, required=False),
    "redis": dict(SERVER, required=False),
    "timeout_seconds": {"type": "float", "default": 30},
}

_TAKEN_UP = "what was begun is in the journal, and the next replay takes it up"


def main():
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = replay(module.params, module.check_mode)
    except ValueError as error:
        module.fail_json(msg=str(error), error="inventory")
    except JournalError as error:
        module.fail_json(msg=str(error), error="journal")
    except ReplayError as error:
        module.fail_json(msg=str(error), error="contradiction")
    except (ApplicationError, DatabaseError, RedisError) as error:
        module.fail_json(msg=f"{error}; {_TAKEN_UP}", error=error.kind)
    # In check mode, what would be sent. The end of a replay that was taken up is written even where it sends no more.
    would_send = module.check_mode and result["chosen"] and not result["stopped_by"]
    module.exit_json(changed=bool(result["taken_up"] or result["replayed"] or would_send), **result)


if __name__ == "__main__":
    main()
