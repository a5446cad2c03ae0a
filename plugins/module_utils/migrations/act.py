# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrates, or takes away the lock row of one who is gone: by the tool's own command, and after everything was looked at again."""

from __future__ import annotations

import os
import re
from time import monotonic

from ..run_command import failure, last_line, run
from ..text.log_lines import error_positions
from ..text.masking import masked, masked_lines
from .backup import standing
from .holding import Held
from .look import look, with_environment
from .spec import described
from .tools import CALLED, TOOLS

APPLICATION_NAME = "oncall-migrates"
_OUTPUT_LINES = 20
# Statements, and what is in the rows that they are about.
_DATA = re.compile(r"\s*\[?(SQL|parameters|DETAIL|CONTEXT|STATEMENT|QUERY|Key)\b\s*[:(]", re.IGNORECASE)
_MOST_NAMED = 5
_LIMITS = re.compile(r"^limits (\d+) (\d+)\s*$", re.MULTILINE)


class Refused(Exception):
    """Nothing was done; one line that says why."""


class Failed(Exception):
    """It was begun, and did not come to its end.

    Attributes:
        told: what was found afterwards, as :func:`act` returns it.
    """

    def __init__(self, message, told):
        super().__init__(message)
        self.told = told


def act(params):
    """Do it.

    Args:
        params: of the module ``migration_action``.

    Returns:
        A dict ``applied`` (the names that were pending before and are not now), ``pending`` (those that are), ``output`` (its last lines) and
        ``seconds``.

    Raises:
        ValueError: what the inventory says cannot be used; one line.
        Refused: something is not as it has to be. Nothing was done.
        Failed: the command did not end well, or did not bring about what it is for.
        DatabaseError, Taken: the database could not be asked, or somebody else migrates. Nothing was done.
    """
    one = described(params["name"], params["migration"], params["database"])
    verb = params["verb"]
    if not one[verb]:
        raise ValueError(
            f"system_migrations.{params['name']}: nothing says how; give it {verb}, a command without a shell"
        )
    lacking = ""
    if verb == "migrate" and not params["without_backup"]:
        # It may take long to read, so before the lock.
        lacking = standing({params["name"]: one}, params)[params["name"]]["reason"]
    with Held(one["reach"], min(10.0, params["timeout_seconds"])) as held:
        environment = variables(one, params)
        before = look(one, params, environment)
        objection = (
            objection_to_migrate(before, params) or lacking if verb == "migrate" else objection_to_unlock(before)
        )
        if verb == "migrate" and not objection:
            objection = objection_to_limits(one, params, environment)
        if objection:
            raise Refused(f"{objection}; nothing was done")
        argv = with_environment(one["run"], environment if verb == "migrate" else (), one[verb])
        began = monotonic()
        # The lock is in it too, should this process be killed: nobody else migrates while it still does.
        ended = run(argv, params["migrate_timeout_seconds"], keep_open=held.descriptors)
        told = {"output": _output(ended), "seconds": round(monotonic() - began, 1), "applied": [], "pending": None}
        try:
            after = look(one, params)
        except Exception as error:
            raise Failed(f"{_how(one, argv, ended, params)}; what it did is not known: {error}", told) from None
    if verb == "unlock":
        if ended["error"] or ended["exit_code"] != 0 or (after["lock"] or {}).get("locked"):
            raise Failed(f"{_how(one, argv, ended, params)}; the lock row is still there", told)
        return told
    left = after.get("pending")
    told["pending"] = left
    told["applied"] = (
        []
        if left is None
        else [name for name in before["pending"] if name not in left and name not in _names(after["failed"])]
    )
    if ended["error"] or ended["exit_code"] != 0 or left is None or left or after["failed"]:
        raise Failed(_what_happened(one, argv, ended, params, before, after, told), told)
    return told


def variables(one, params):
    """What the commands run with: limits for every statement of the migration, where its driver reads them. Pure."""
    if not TOOLS[one["tool"]].READS_PGOPTIONS or one["timeouts_in_command"]:
        return []
    own = one["pgoptions"] or ("" if one["run"] else os.environ.get("PGOPTIONS", ""))
    limits = f"-c lock_timeout={int(params['lock_timeout_seconds'] * 1000)} -c statement_timeout={int(params['statement_timeout_seconds'] * 1000)}"
    return [f"PGOPTIONS={f'{own} {limits}'.strip()}", f"PGAPPNAME={APPLICATION_NAME}"]


def objection_to_migrate(before, params):
    """Why nothing may be migrated now, or "". Pure.

    Args:
        before: what :func:`look.look` tells, with the lock of this project's own held.
        params: of the module.
    """
    if not before["complete"]:
        return f"not everything could be seen: {'; '.join(before['limits'])}"
    if before["in_recovery"]:
        return "the database is a standby"
    if before.get("unknown"):
        return f"{_some(before['unknown'])} is applied and not in the image"
    if before["disagrees"]:
        return f"the command sees another database than the one that is asked: {before['disagrees']}"
    if before["is_new"]:
        return "no migration was ever applied there"
    for key, words in (
        ("failed", "ended in the midst"),
        ("drifted", "was changed after it was applied"),
        ("out_of_order", "is older than what is applied"),
    ):
        if before[key]:
            return f"{_some(_names(before[key]))} {words}"
    if before["refusal"]:
        return f"the tool refuses: {before['refusal']}"
    if before["heads"] and before["pending"] and not params["migration"].get("migrate"):
        return f"there are several heads: {_some(before['heads'])}"
    if (before["lock"] or {}).get("locked"):
        return "somebody migrates, or a lock row was left behind"
    others = [row for row in before["working"] if "oncall.runbooks" not in row["does"]]
    if others:
        return f"{_session(others[0])} {others[0]['does']}"
    invalid = [row["name"] for row in before["invalid_indexes"] if row["name"] not in params["accept_invalid_indexes"]]
    if invalid:
        return f"the index {_some(invalid)} is invalid"
    if before["long_transactions"]:
        row = before["long_transactions"][0]
        return f"{_session(row)} has been in a transaction for {row['seconds']:.0f} s, and would hold the migration up"
    # Of several branches, either may be named first.
    if sorted(before["pending"]) != sorted(params["pending"]):
        return f"other migrations are pending by now ({_some(before['pending']) or 'none'}), and not those of the plan ({_some(params['pending'])})"
    return ""


def objection_to_limits(one, params, environment):
    """Why the limits would not hold the migration, as far as the tool itself tells what its sessions have; or ""."""
    if not environment or not one["limits"]:
        return ""
    ended = run(with_environment(one["run"], environment, one["limits"]), params["timeout_seconds"])
    told = _LIMITS.search(ended["stdout"]) if ended["exit_code"] == 0 else None
    if not told or "0" not in told.groups():
        return ""
    which = "lock_timeout" if told[1] == "0" else "statement_timeout"
    return (
        f"{which} does not reach the migration, and it could hold everybody up: {TOOLS[one['tool']].LIMITS_ADVICE}; set both limits there, and "
        f"timeouts_in_command of system_migrations.{params['name']}"
    )


def objection_to_unlock(before):
    """Why the lock row may not be taken away, or "". Pure."""
    if before["in_recovery"]:
        return "the database is a standby"
    if not (before["lock"] or {}).get("locked"):
        return "there is no lock row any more"
    if before["limits"] and any("hidden" in line for line in before["limits"]):
        return f"who migrates is not known: {before['limits'][0]}"
    others = [row for row in before["working"] if "oncall.runbooks" not in row["does"]]
    if others:
        return f"{_session(others[0])} {others[0]['does']}"
    # A migration that is in no transaction, and only moves rows, is seen by nothing else.
    return f"{_session(before['busy'][0])} has been at work for a while, and may be the one" if before["busy"] else ""


def _what_happened(one, argv, ended, params, before, after, told):
    """What a person has to know of a migration that failed, in one line."""
    said = [_how(one, argv, ended, params)]
    left, failed = after.get("pending"), after["failed"]
    if left is None:
        said.append("what is applied now is not known: " + "; ".join(after["limits"]))
    else:
        said.append(f"applied: {_some(told['applied']) or 'none'}; still pending: {_some(left) or 'none'}")
    if failed:
        said.append(f"marked as failed: {_some(_names(failed))}")
    there = {row["name"] for row in before["invalid_indexes"]}
    broken = [row["name"] for row in after["invalid_indexes"] if row["name"] not in there]
    if broken:
        said.append(
            f"left behind an invalid index, which stays until somebody drops it: DROP INDEX CONCURRENTLY {broken[0]}"
        )
    if (after["lock"] or {}).get("locked"):
        said.append("its lock row is still there")
    at_work = [row for row in after["working"] if "oncall.runbooks" not in row["does"]]
    if at_work:
        said.append(f"{_session(at_work[0])} is still at work: {at_work[0]['does']}")
    return "; ".join(said)


def _how(one, argv, ended, params):
    called = CALLED[one["tool"]]
    if ended["error"]:
        return f"{called}: {failure(argv, ended, params['migrate_timeout_seconds'])}"
    if ended["exit_code"] != 0:
        how = f"was ended by {ended['signal']}" if ended["signal"] else f"ended with exit code {ended['exit_code']}"
        return f"{called} {how}: {reason_of(ended)}"
    return f"the command ended well: {last_line(ended['stdout']) or last_line(ended['stderr']) or 'it printed nothing'}"


def reason_of(ended):
    """The last line that says what was wrong: what comes after it are hints, and statements, which are not shown. Pure."""
    lines = [line for part in ("stdout", "stderr") for line in ended[part].splitlines() if line.strip()]
    errors = [lines[position] for position in error_positions(lines)]
    return masked((errors or lines or ["it printed nothing"])[-1])


def _output(ended):
    lines = [line for part in ("stdout", "stderr") for line in ended[part].splitlines() if line.strip()]
    return masked_lines([line for line in lines if not _DATA.match(line)][-_OUTPUT_LINES:])


def _session(row):
    who = f"process {row['pid']}" if row["pid"] else "the prepared transaction"
    return f"{who} ({row['application_name'] or 'unnamed'} of {row['user']})"


def _names(rows):
    return [row["name"] if isinstance(row, dict) else row for row in rows]


def _some(names):
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
