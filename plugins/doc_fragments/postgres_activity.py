# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of what looks at the sessions of a database."""

from __future__ import annotations

from ..doc_fragments.postgres import DATABASE

OPTIONS = (
    DATABASE
    + r"""
  idle_in_transaction_seconds:
    description: A session idle in transaction at least this long is listed in C(idle_in_transaction).
    type: float
    default: 300
  idle_seconds:
    description: A session idle at least this long is listed in C(idle).
    type: float
    default: 600
  unused_seconds:
    description: >-
      A session idle at least this long counts as C(unused) in C(applications), and as C(unused_in_transaction) where it is idle in a transaction.
    type: float
    default: 30
  long_query_seconds:
    description: A statement running at least this long is listed in C(long_running).
    type: float
    default: 300
  blocked_seconds:
    description: A session that has kept another waiting at least this long is listed in C(blockers).
    type: float
    default: 30
  ignore_applications:
    description: Values of C(application_name) whose sessions are in no list but C(blockers) and C(longest).
    type: list
    elements: str
    default: []
  query_length:
    description: Characters of each statement that are returned. Literals are replaced before the cut.
    type: int
    default: 80
  window_seconds:
    description: Time between two looks at C(pg_stat_statements), which tell what ran meanwhile. With V(0) there is one.
    type: float
    default: 0
  explain:
    description:
      - With a window, whether the three statements that took the most time in it are explained. Only a single C(SELECT) is,
        and by a superuser only its own.
      - V(plan) runs none of them. A statement that takes values needs PostgreSQL 16.
      - V(analyze) runs those that take no values and call only functions known to change nothing, in a read-only session with a
        statement timeout.
    type: str
    choices: [none, plan, analyze]
    default: none
  timeout_seconds:
    description: Time for connecting and the whole answer.
    type: float
    default: 5
"""
)


class ModuleDocFragment:
    DOCUMENTATION: str = "options:" + OPTIONS
