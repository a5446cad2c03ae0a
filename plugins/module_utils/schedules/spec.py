# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an inventory says about a schedule, whatever engine it has. Checks, no I/O."""

from __future__ import annotations

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ..postgres.spec import DATABASE
from ..text.one_line import one_line, without_secrets

OPTIONS = {
    "engine": {"type": "str"},
    "database": dict(DATABASE, required=False),
    "jobs": {"type": "list", "elements": "str", "default": []},
    "grace_seconds": {"type": "float"},
    "time_zone": {"type": "str"},
    # Not for looking: what starts the jobs.
    "service": {"type": "str"},
    # For a person to read.
    "by_hand": {"type": "str"},
}


def described(name, schedule, params, engines):
    """A schedule with all its options.

    Args:
        name: of the schedule in the inventory.
        schedule: what the inventory says.
        params: as in :data:`observers.job_schedule.SPEC`.
        engines: module by name.

    Returns:
        The options by name, and ``reach``, how its database is reached.

    Raises:
        ValueError: one line that names the schedule and what is wrong.
    """
    place = f"schedule {one_line(name)}"
    if not isinstance(schedule, dict):
        raise ValueError(f"{place} must be a dict with at least the key engine")
    if schedule.get("engine") not in engines:
        known = ", ".join(sorted(engines))
        raise ValueError(f"{place}: unknown engine {one_line(schedule.get('engine'))}; known engines: {known}")
    engine = engines[schedule["engine"]]
    validated = ArgumentSpecValidator({**OPTIONS, **engine.OPTIONS}).validate(schedule)
    if validated.error_messages:
        database = schedule.get("database")
        password = database.get("password") if isinstance(database, dict) else None
        said = without_secrets("; ".join(validated.error_messages), password)
        raise ValueError(f"{place}: {one_line(said)}")
    found = dict(validated.validated_parameters)
    found["reach"] = found.get("database") or params.get("database")
    if not found["reach"]:
        raise ValueError(f"{place}: nothing says how its database is reached; give it database, or set system_database")
    if (found["grace_seconds"] or 0) < 0:
        raise ValueError(f"{place}: grace_seconds must not be below 0")
    engine.check(place, found)
    return found
