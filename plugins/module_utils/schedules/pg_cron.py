# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""pg_cron: jobs that the database starts by itself. What a job runs is not read: it can hold a secret."""

from __future__ import annotations

import re

from ..postgres.client import DatabaseError
from ..queues.answer import kind_of_error, name_of
from ..queues.in_database import missing
from .answer import MOST_JOBS, MOST_STARTS, age, latest

OPTIONS = {}
_SECONDS = re.compile(r"\s*(\d{1,2}) seconds?\s*\Z")
_PLACE = """SELECT json_build_object('jobs', to_regclass('cron.job') IS NOT NULL,
  'runs', to_regclass('cron.job_run_details') IS NOT NULL,
  'zone', coalesce(current_setting('cron.timezone', true), 'GMT'))::text"""
_JOBS = f"""SELECT json_build_object('hidden', row_security_active('cron.job'::regclass), 'jobs', (
  SELECT coalesce(json_agg(t), '[]') FROM (
    SELECT jobid, to_jsonb(j)->>'jobname' AS name, schedule, active FROM cron.job j ORDER BY jobid LIMIT {MOST_JOBS + 1}) t))::text"""
# The newest are found from the end of the key. Runs are kept for ever where nobody deletes them, so there is a second way.
_RUNS = f"""SELECT coalesce(json_agg(t), '[]')::text FROM (SELECT r.* FROM cron.job j CROSS JOIN LATERAL (
  SELECT jobid, status, return_message, start_time, end_time FROM cron.job_run_details d
  WHERE d.jobid = j.jobid AND start_time IS NOT NULL ORDER BY runid DESC LIMIT {MOST_STARTS}) r) t"""
_SOME = 10000
_SOME_RUNS = f"""SELECT coalesce(json_agg(t), '[]')::text FROM (
  SELECT jobid, status, CASE WHEN status = 'failed' THEN return_message END AS return_message, start_time, end_time
  FROM cron.job_run_details WHERE start_time IS NOT NULL ORDER BY runid DESC LIMIT {_SOME}) t"""
# Of sessions of others only their ids are seen without that role, and then none is no answer.
_LAUNCHER = """SELECT json_build_object(
  'runs', CASE WHEN pg_has_role('pg_read_all_stats', 'USAGE') THEN count(*) > 0 END,
  'age_seconds', extract(epoch FROM clock_timestamp() - min(backend_start)))::text
  FROM pg_stat_activity WHERE backend_type = 'pg_cron launcher'"""
_RUNNING = ("starting", "running", "sending", "connecting")


def check(place, schedule):
    """Nothing: pg_cron has its names."""


def look(client, partly, schedule, lately_seconds, now_seconds):
    """What is told of one schedule: ``jobs``, ``absent``, ``launcher``, ``launcher_age_seconds``, ``time_zone`` and ``limits``.

    Args:
        client: a :class:`postgres.client.Client`.
        partly: a :class:`queues.in_database.Partly` for what may be missing.
        schedule: of the inventory.
        lately_seconds: not used: as many runs are read of each job, however old.
        now_seconds: by the database's clock.
    """
    place = client.query(_PLACE)
    if not place["jobs"]:
        raise missing(schedule["reach"], "no table cron.job, so no pg_cron")
    found = client.query(_JOBS)
    limits = []
    runs = _runs(client, limits) if place["runs"] else None
    launcher = partly.query("whether pg_cron runs is not known", _LAUNCHER, {}, None)
    return answer(found, runs, launcher, dict(schedule, zone=place["zone"]), now_seconds, limits)


def _runs(client, limits):
    try:
        return client.query(_RUNS)
    except DatabaseError as error:
        if error.kind != "statement_timeout":
            limits.append(f"runs are not known: {error}")
            return None
    limits.append(f"only the last {_SOME} runs were looked at: delete old rows of cron.job_run_details")
    return client.query(_SOME_RUNS)


def answer(found, runs, launcher, schedule, now_seconds, limits):
    """What pg_cron tells, in the words of all schedules. Pure.

    Args:
        found: ``jobs``, and whether those of other roles are ``hidden``.
        runs: dictionaries by column; None where they are not told.
        launcher: whether it ``runs``, and its ``age_seconds``; None where that is not told.
        schedule: of the inventory, with ``zone``.
        now_seconds: by the database's clock.
        limits: what could not be seen.
    """
    limits = list(limits)
    if found["hidden"]:
        limits.append(
            "only the jobs of the role that asks are seen: give it BYPASSRLS, or name a role that owns them all"
        )
    if runs is None and not limits:
        limits.append("this pg_cron keeps no runs: it has no table cron.job_run_details")
    of_job = {}
    for run in runs or []:
        of_job.setdefault(run["jobid"], []).append(run)
    jobs = [_job(one, of_job.get(one["jobid"], []), schedule["zone"], now_seconds) for one in found["jobs"][:MOST_JOBS]]
    if len(found["jobs"]) > MOST_JOBS:
        limits.append(f"more than {MOST_JOBS} jobs are there, and {MOST_JOBS} were read")
    launched = launcher or {}
    since = launched.get("age_seconds")
    if launcher is not None and launched["runs"] is None:
        limits.append("whether pg_cron runs is not known: grant pg_monitor to the role that asks")
    return {
        "jobs": jobs,
        "absent": sorted(name for name in set(schedule["jobs"]) if name_of(name) not in {job["name"] for job in jobs}),
        "launcher": launched.get("runs"),
        "launcher_age_seconds": None if since is None else round(max(0.0, since), 3),
        "time_zone": name_of(schedule["zone"]),
        "limits": limits,
    }


def _job(row, runs, zone, now_seconds):
    # In the order in which they began, the last first.
    runs = sorted(
        (dict(run, age_seconds=age(run["start_time"], now_seconds)) for run in runs), key=lambda run: run["age_seconds"]
    )
    ended = [run for run in runs if run["status"] not in _RUNNING and run["end_time"] is not None]
    bad = [run for run in ended if run["status"] == "failed"]
    good = [run for run in ended if run["status"] == "succeeded"]
    going = [run for run in runs if run["status"] in _RUNNING]
    seconds = _SECONDS.match(row["schedule"])
    found = {
        "name": name_of(row["name"]) or f"job {row['jobid']}",
        "schedule": None if seconds else name_of(row["schedule"]),
        "period_seconds": float(seconds.group(1)) if seconds else None,
        "time_zone": name_of(zone),
        "enabled": row["active"],
        "started_age_seconds": runs[0]["age_seconds"] if runs else None,
        "succeeded_age_seconds": age(good[0]["end_time"], now_seconds) if good else None,
        "failed_age_seconds": age(bad[0]["end_time"], now_seconds) if bad else None,
        "running_seconds": going[-1]["age_seconds"] if going else None,
        "failures": next((n for n, run in enumerate(ended) if run["status"] != "failed"), len(ended)) if runs else None,
        "error": kind_of_error(bad[0]["return_message"]) or None if bad else None,
        "starts": latest([{"age_seconds": run["age_seconds"]} for run in runs]),
    }
    return {name: value for name, value in found.items() if value is not None}
