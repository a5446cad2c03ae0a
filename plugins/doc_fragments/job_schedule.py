# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of what looks at jobs that are started at their time."""

from __future__ import annotations

from ..doc_fragments.postgres import DATABASE

_NAME, _DESCRIPTION, _HOW = DATABASE.lstrip("\n").split("\n", 2)
OPTIONS = (
    r"""
  schedules:
    description:
      - The schedules to look at by name, as the variable C(system_schedules) of the inventory describes them.
      - Every schedule has the key C(engine), which is C(table) or C(pg_cron). C(database) says how its database is reached, where that is
        another one than the one for all of them. C(jobs) are the names of the jobs that have to be there. C(grace_seconds) is how late a start may be,
        where a job says nothing else. C(time_zone) is that of the expressions of jobs that name none (C(UTC)). C(service) and
        C(by_hand) are for those who act on it.
      - "C(table): C(statements.jobs), a query of a row for each job with the columns C(name); C(schedule), a cron expression of five
        fields or a nickname such as C(@daily), or else C(period_seconds); C(time_zone); C(last_started_at), C(last_succeeded_at),
        C(last_failed_at), C(running_since) and C(created_at), times with a zone or seconds since 1970; C(failures), how often it has
        failed in a row; C(error), the text of the last one; C(enabled); C(owner) and C(owner_seen_at), which scheduler has it and when that
        gave its last sign of life; and C(grace_seconds). Only C(name) has to be there, and what is not there is not known."
      - "C(statements.starts), a query of the last starts of all jobs with the columns C(name), C(started_at) and, where it is known,
        C(owner). Of each job the last 10 are looked at. C(lock), a list of the one or two numbers of the advisory lock that the scheduler
        holds. C(parameters) are values for C(:name) in the statements, as text; C(:lately_seconds) is there as well. Each is one query,
        in a read-only session and with a timeout."
      - "C(pg_cron): nothing else. The role needs C(USAGE) on the schema C(cron), C(SELECT) on its tables, C(BYPASSRLS) to see the jobs of
        other roles, and C(pg_monitor) to see since when pg_cron runs. It has to be asked in the database that C(cron.database_name) names."
    type: dict
    required: true
  database:
    description: How to reach the database for schedules that do not have a C(database) of their own, usually the inventory's C(system_database).
"""
    + _HOW.replace("    required: true\n", "", 1)
    + r"""  grace_seconds:
    description: How late a start may be, in seconds, where neither the schedule nor the job says.
    type: float
    default: 300
  lately_seconds:
    description: The value of C(:lately_seconds) in statements.
    type: float
    default: 3600
  timeout_seconds:
    description: The time in seconds for all of it. Databases are asked at the same time.
    type: float
    default: 5
"""
)


class ModuleDocFragment:
    DOCUMENTATION: str = "options:" + OPTIONS
