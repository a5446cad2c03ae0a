#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at the records of workflows."""

from __future__ import annotations

DOCUMENTATION = r"""
module: workflow_info
version_added: 0.2.0
short_description: Look at records that an application brings from one state into the next
description:
  - How many records there are in each state and since when, which of them have stayed for too long where they must not stay, and whether any
    of them gets on.
  - The table, its columns and the states are those of the inventory. Their names are checked, and every value is a bound parameter.
  - Ages are by the database's own clock. Nothing is changed, and the session is read-only.
  - The database counts; of a table of a million records no more than O(watched) ids leave it. Where there is no time to count them all, some are
    counted, and the answer says so. What cannot be told is absent, and never V(0).
author: oncall.runbooks maintainers (@oncall-runbooks)
extends_documentation_fragment:
  - oncall.runbooks.observer
  - oncall.runbooks.workflow
requirements:
  - psycopg2 or psycopg for O(database.transport=psycopg); the docker command for O(database.transport=docker)
"""

EXAMPLES = r"""
- name: Proposals that nobody validates, and the workspaces that have it switched off
  oncall.runbooks.workflow_info:
    workflows:
      proposals:
        table: proposals
        since_column: updated_at
        created_column: created_at
        waiting: [pending, validating]
        limit_seconds: 900
        scope_column: workspace_id
        switches: SELECT id AS scope, settings->>'aiAutoApprove' AS value FROM workspaces
        switched_on: ["true"]
    database: {host: 10.0.0.5, name: synap, user: oncall, password: "{{ vault_oncall_password }}"}
    window_seconds: 5
  register: observed
"""

RETURN = r"""
available:
  description: Whether at least one workflow could be seen.
  type: bool
  returned: always
reason:
  description: Why none could be seen, in one line.
  type: str
  returned: when not available
complete:
  description: Whether every workflow was seen, and all of each.
  type: bool
  returned: when available
limits:
  description: Which workflows were not seen, and why, a line each.
  type: list
  elements: str
  returned: when available
workflows:
  description: What was seen of each workflow, by its name.
  type: dict
  returned: always
  contains:
    available:
      description: Whether the workflow could be seen. If not, only RV(workflows.reason) and RV(workflows.error) come with it.
      type: bool
      returned: always
    reason:
      description: What was tried, on what, what came back and what to do next, in one line.
      type: str
      returned: when the workflow is not available
    error:
      description: >-
        What kind of trouble it is, or empty. C(no_table) where there is no such table or column; else as
        M(oncall.runbooks.postgres_activity_info) tells it.
      type: str
      returned: always
    complete:
      description: Whether all of it was seen.
      type: bool
      returned: when the workflow is available
    limits:
      description: What could not be seen, a line each.
      type: list
      elements: str
      returned: when the workflow is available
    limit_seconds:
      description: For how long a record may wait.
      type: float
      returned: when the workflow is available
    is_part:
      description: Whether only a part was counted, so that RV(workflows.stuck_count) and RV(workflows.oldest_seconds) are the least.
      type: bool
      returned: when the workflow is available
    waiting:
      description: Records in the states in which none must stay.
      type: int
      returned: when all were counted
    waiting_at_least:
      description: The least that this is.
      type: int
      returned: when only a part was counted
    oldest_seconds:
      description: How long the one that has waited longest is in its state.
      type: float
      returned: when a record waits, and its time is known
    timeless:
      description: How many of them have no time.
      type: int
      returned: when the workflow is available
    stuck_count:
      description: How many of them have waited for longer than RV(workflows.limit_seconds).
      type: int
      returned: when the times are known
    stuck_off_count:
      description: How many of these are of a scope for which the step is switched off.
      type: int
      returned: with C(switches)
    stuck:
      description:
        - The records that have waited for too long, as many as O(most_stuck), the oldest first and last those for whose scope the step is
          switched off. Each has C(id), C(state), C(age_seconds), C(switched_off), and C(scope) where it has one.
      type: list
      elements: dict
      returned: when the times are known
    states:
      description: How many records there are in each C(state), with C(count) and C(oldest_seconds), the most first, at most 50 states.
      type: list
      elements: dict
      returned: when there was time to count them
    newest_age_seconds:
      description: How long ago the newest record was created.
      type: float
      returned: with C(created_column), when there is a record
    left_lately:
      description: How many records came into another state than those in which none must stay, within O(lately_seconds).
      type: int
      returned: with C(since_column)
    switches:
      description: How many scopes C(switches) knows.
      type: int
      returned: with C(switches)
    switched_off_count:
      description: For how many of them the step is switched off.
      type: int
      returned: with C(switches)
    switched_off:
      description: The first 20 of these.
      type: list
      elements: str
      returned: with C(switches)
    lock_waits:
      description: Sessions that wait for a lock, and hold or want one on this table.
      type: int
      returned: when locks could be seen
    window_seconds:
      description: The time between the two looks.
      type: float
      returned: when O(window_seconds) is above 0, and a record waits
    watched:
      description: How many records were looked at twice.
      type: int
      returned: when there were two looks
    watched_left:
      description: How many of them waited no longer at the second look.
      type: int
      returned: when there were two looks
    stuck_watched:
      description: How many of RV(workflows.watched) had waited for too long, though the step is on for them.
      type: int
      returned: when there were two looks
    stuck_left:
      description: How many of those waited no longer at the second look.
      type: int
      returned: when there were two looks
    record:
      description:
        - What is known of the record in O(record). C(count) says how many have this id; where it is one, its C(id), C(state), C(age_seconds) and
          C(scope) come with it, and where the id is none that the column can hold, the C(reason).
      type: dict
      returned: when it was asked for
"""

from ..module_utils.observer_module import run
from ..module_utils.observers import workflow


def main():
    """Run the module."""
    run(workflow)


if __name__ == "__main__":
    main()
