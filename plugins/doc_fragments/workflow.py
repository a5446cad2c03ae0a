# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of what looks at the records of workflows."""

from __future__ import annotations

from ..doc_fragments.postgres import DATABASE
from ..doc_fragments.queue import of_things

OF_WORKFLOWS = of_things(DATABASE, "the database", "database", "workflows")
WORKFLOW = r"""
      - C(table) is its name, or C(schema.name), as the database keeps it (capital letters count); C(waiting) the states in which a record
        must not stay, and C(limit_seconds) for how long it may.
      - "C(id_column) (C(id)) and C(status_column) (C(status)); C(since_column), when a record came into its state, and C(created_column), when
        it came to be. Without C(since_column) the age is that of the record, and how many left their state lately is not known. Each is a
        time, with or without a zone, or seconds or milliseconds since 1970; C(time_zone) (C(UTC)) says what a time without a zone means.
        Without it, that is what the database takes it for if a record has changed within the last 15 minutes; else no age is known."
      - C(scope_column) is whose record it is, such as a workspace. C(switches) is a query with the columns C(scope) and C(value), which says for
        whom the step is switched on; every value that is not in C(switched_on) means off, one that is not set is the empty text. C(parameters)
        are values for C(:name) in it. A scope without a row counts as on.
      - C(database), where it is another one than the one for all of them.
"""
OPTIONS = (
    r"""
  workflows:
    description:
      - The workflows to look at by name, as the variable C(system_workflows) of the inventory describes them.
"""
    + WORKFLOW
    + r"""
      - Other keys are for the runbook P(oncall.runbooks.stalled_workflow#role) and are ignored here.
      - The role in PostgreSQL needs C(USAGE) on the schema and C(SELECT) on the table, and on what C(switches) reads.
    type: dict
    required: true
"""
    + OF_WORKFLOWS
    + r"""  record:
    description: One record to look up besides.
    type: dict
    suboptions:
      workflow:
        description: The key of its workflow in C(workflows).
        type: str
        required: true
      id:
        description: Its id, as text. What the column cannot hold is no id of any record.
        type: str
        required: true
  limit_seconds:
    description: For so long a record may wait, where the workflow does not say.
    type: float
    default: 900
  lately_seconds:
    description: What counts as lately, for records that left the states in which they must not stay.
    type: float
    default: 600
  window_seconds:
    description:
      - Time between two looks at the same records, which tell whether any of them gets on. With V(0) there is one look, and that is absent.
    type: float
    default: 0
  most_stuck:
    description: How many of the records that have waited for too long to list.
    type: int
    default: 50
  watched:
    description: How many records to look at twice, the oldest first.
    type: int
    default: 500
  timeout_seconds:
    description: The time in seconds for all of it, beside the window. Databases are asked at the same time.
    type: float
    default: 5
"""
)


class ModuleDocFragment:
    DOCUMENTATION: str = "options:" + OPTIONS

    STORE: str = "options:\n" + OF_WORKFLOWS
