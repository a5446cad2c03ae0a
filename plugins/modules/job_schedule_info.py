#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at jobs that are started at their time."""

from __future__ import annotations

DOCUMENTATION = r"""
module: job_schedule_info
version_added: 0.2.0
short_description: Look at scheduled jobs, when they were due and when they were started
description:
  - For each job of a table of the application's own, or of pg_cron, when it was started, when that went well, when it was due, and who
    has it.
  - All ages are by the clock of the database. How far that is from the clock of the machine that asks is told as well.
  - When a cron expression was due is worked out on the controller, in the time zone of the job. A time that the clock skips is not
    due; one that the clock shows twice is due from the first time on, and late only after the second, because schedulers differ in that.
    A job whose minute or hour begins with C(*) goes by the time that passes.
  - Reading changes nothing. What a job runs is not read.
author: oncall.runbooks maintainers (@oncall-runbooks)
extends_documentation_fragment:
  - oncall.runbooks.observer
  - oncall.runbooks.job_schedule
requirements:
  - psycopg2 or psycopg; the docker command for the transport C(docker)
"""

EXAMPLES = r"""
- name: Was every job started at its time
  oncall.runbooks.job_schedule_info:
    schedules:
      app:
        engine: table
        jobs: [digest, invoices]
        statements:
          jobs: >-
            SELECT name, cron AS schedule, zone AS time_zone, started_at AS last_started_at, succeeded_at AS last_succeeded_at
            FROM scheduled_jobs
      database: {engine: pg_cron, grace_seconds: 60}
    database: {host: 10.0.0.5, name: labpics, user: oncall, password: "{{ vault_oncall_password }}"}
  register: observed

- name: Who starts them, where several schedulers take turns by an advisory lock
  oncall.runbooks.job_schedule_info:
    schedules:
      app:
        engine: table
        lock: [4711]
        statements:
          jobs: SELECT name, period_seconds, max(started_at) AS last_started_at FROM jobs JOIN runs USING (name) GROUP BY 1, 2
          starts: >-
            SELECT name, started_at, host AS owner FROM runs
            WHERE started_at > now() - make_interval(secs => :lately_seconds::float)
    database: {host: 10.0.0.5, name: labpics, user: oncall}
"""

RETURN = r"""
available:
  description: Whether at least one schedule could be seen.
  type: bool
  returned: always
reason:
  description: Why none could be seen, in one line.
  type: str
  returned: when not available
complete:
  description: Whether every schedule was seen, and each as far as it was asked.
  type: bool
  returned: when available
limits:
  description: Which schedules were not seen, and why, a line each.
  type: list
  elements: str
  returned: when available
schedules:
  description: What was seen of each schedule, by its name.
  type: dict
  returned: always
  contains:
    engine:
      description: What keeps the schedule.
      type: str
      returned: always
    available:
      description: >-
        Whether the schedule could be seen. If not, only RV(schedules.reason), RV(schedules.error) and RV(schedules.engine) come with it.
      type: bool
      returned: always
    reason:
      description: What was tried, on what, what came back and what to do next, in one line.
      type: str
      returned: when the schedule is not available
    error:
      description: What kind of trouble it is, or empty. C(no_queue) where there is no pg_cron; else as
        M(oncall.runbooks.postgres_activity_info) tells it.
      type: str
      returned: always
    complete:
      description: Whether all of it could be read.
      type: bool
      returned: when the schedule is available
    limits:
      description: What could not be read, a line each.
      type: list
      elements: str
      returned: when the schedule is available
    now_seconds:
      description: The time by the database's clock, in seconds since 1970.
      type: float
      returned: when the schedule is available
    clock_ahead_seconds:
      description: How far the clock of the machine that asked is before that of the database, in seconds; below 0 where it is behind.
      type: float
      returned: when the schedule is available
    clock_within_seconds:
      description: How exact that is.
      type: float
      returned: when the schedule is available
    launcher:
      description: Whether pg_cron itself runs.
      type: bool
      returned: with C(pg_cron), when known
    launcher_age_seconds:
      description: For how long it has.
      type: float
      returned: with C(pg_cron), when known
    time_zone:
      description: The time zone in which pg_cron reads its expressions.
      type: str
      returned: with C(pg_cron)
    absent:
      description: Those of C(jobs) that are not there.
      type: list
      elements: str
      returned: when the schedule is available
    holders:
      description:
        - The sessions that hold the advisory lock (C(granted)), or wait for it, each with C(pid), and as far as known C(application_name),
          C(client) (its address), C(state), C(age_seconds), how long there has been this session, and C(quiet_seconds), how long it has been
          in that state.
      type: list
      elements: dict
      returned: with C(table), where a C(lock) is named
    jobs:
      description: Each job. What is not known of one is absent. An age below 0 is a time that has not come yet by the database's clock.
      type: list
      elements: dict
      returned: when the schedule is available
      contains:
        name:
          description: Its name.
          type: str
        schedule:
          description: Its cron expression.
          type: str
        period_seconds:
          description: How often it is due, where it has no expression.
          type: float
        time_zone:
          description: The time zone of its expression.
          type: str
        grace_seconds:
          description: How late a start may be.
          type: float
        enabled:
          description: Whether it is to be started at all.
          type: bool
        owner:
          description: The scheduler that has it.
          type: str
        owner_age_seconds:
          description: When that gave its last sign of life.
          type: float
        created_age_seconds:
          description: Since when it is there.
          type: float
        started_age_seconds:
          description: When it was started last.
          type: float
        succeeded_age_seconds:
          description: When it went well last.
          type: float
        failed_age_seconds:
          description: When it failed last.
          type: float
        running_seconds:
          description: How long it has run, while it does.
          type: float
        failures:
          description: How often it has failed in a row. With C(pg_cron) of its last 10 runs.
          type: int
        error:
          description: The last error in one line, in which secrets, addresses, ids, quoted texts and numbers are replaced.
          type: str
        interval_seconds:
          description: The period, or the time between the last two times at which it was due.
          type: float
        due_since_seconds:
          description: Since when it has been due, by its expression, the last time whose grace is over.
          type: float
        due_ages_seconds:
          description: That time and the two before it, the last first; of a time that the clock shows twice, the second.
          type: list
          elements: float
        due_in_seconds:
          description: When it is due next, by its expression.
          type: float
        starts:
          description:
            - Its last starts, the last first, each with C(age_seconds) and, where known, C(owner); of a job that is due every hour or less
              often also C(offset_seconds), how long after the time at which it was due that is nearest, or before, where below 0.
          type: list
          elements: dict
"""

from ..module_utils.observer_module import run
from ..module_utils.observers import job_schedule


def main():
    """Run the module."""
    run(job_schedule)


if __name__ == "__main__":
    main()
