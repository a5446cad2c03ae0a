# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at every set of migrations of an inventory at once: at its table, at what else goes on in its database, and at its image."""

from __future__ import annotations

from ..deadline import Deadline, DeadlineExceeded, all_within
from ..postgres.client import Client, DatabaseError, where
from ..queues.statement import wrapped
from ..run_command import failure, run
from ..text.masking import masked
from ..told import failed, summary
from . import sessions
from .backup import NOT_LOOKED_AT, standing
from .compare import compared
from .spec import described
from .statements import OWN_ROWS, ROW_LIMIT, ROWS, STATE, TABLES
from .told import NotUnderstood
from .tools import CALLED, TOOLS, whose

# More than a list of 20000 migrations. What a command prints beyond is not read.
OUTPUT_BYTES = 1024 * 1024
# What applications do all the time takes less.
BUSY_SECONDS = 2.0


def observe(params):
    """Observe sets of migrations.

    Args:
        params: as in :data:`observers.migrations.SPEC`.

    Returns:
        A dict ``available`` (whether the table of at least one could be read), ``reason`` where none could, ``backup`` and ``migrations``, both with
        every name, as documented in the module ``migrations_info``.

    Raises:
        ValueError: they are not described in a way that can be used.
    """
    for option in ("timeout_seconds", "long_transaction_seconds", "read_seconds"):
        if params[option] <= 0:
            raise ValueError(f"{option} must be above 0")
    sets = {name: described(name, one, params.get("database")) for name, one in params["migrations"].items()}
    calls = [lambda one=one: look(one, params) for one in sets.values()]
    # Each keeps the deadline itself; this is for what slips past it.
    outcomes = all_within(params["timeout_seconds"] + 2, calls)
    found = {}
    for (name, one), outcome in zip(sets.items(), outcomes):
        answer = failed(outcome, f"migrations {name}") if isinstance(outcome, Exception) else outcome
        found[name] = dict(answer, tool=one["tool"])
    # It takes time to read a backup. Where nothing is pending, nobody needs one.
    wanting = {name: one for name, one in sets.items() if found[name].get("pending_count")}
    return together(found, {**dict.fromkeys(sets, NOT_LOOKED_AT), **standing(wanting, params)})


def together(found, backup):
    """The answer for several sets, with what could not be seen of each. Pure."""
    answer = summary("migration", found)
    if answer["available"]:
        answer["limits"] = answer["limits"] + [
            f"{name}: {line}" for name, one in found.items() if one["available"] for line in one["limits"]
        ]
    return dict(answer, backup=backup)


def look(one, params, environment=()):
    """What is told of one set.

    Args:
        one: as :func:`spec.described` gives it.
        params: ``timeout_seconds`` and ``long_transaction_seconds``.
        environment: what its commands run with, as VARIABLE=VALUE.

    Raises:
        DatabaseError: its table could not be read.
    """
    seconds = params["timeout_seconds"]
    tool, told, deadline = TOOLS[one["tool"]], {}, Deadline(seconds)
    calls = [lambda: _in_database(one, tool, Deadline(seconds), params["long_transaction_seconds"])]
    calls += [lambda argv=argv: _printed(one["run"], argv, environment, seconds) for argv in one["asks"].values()]
    outcomes = all_within(seconds + 1, calls)
    for outcome in outcomes:
        if isinstance(outcome, Exception) and not isinstance(outcome, (DatabaseError, DeadlineExceeded)):
            raise outcome
    if isinstance(outcomes[0], Exception):
        raise outcomes[0]
    for which, outcome in zip(one["asks"], outcomes[1:]):
        told[which] = outcome if isinstance(outcome, dict) else {"why_not": f"{which}: {outcome}"}
    answer = answered(tool, outcomes[0], told)
    more = one["asks_where_they_differ"]
    if not more or not (answer.get("unknown") or answer.get("disagrees")):
        return answer
    # What it does not tell, or has no time for, is as it was.
    try:
        beside = {
            which: _printed(one["run"], argv, environment, deadline.remaining_seconds()) for which, argv in more.items()
        }
    except DeadlineExceeded:
        return answer
    return answered(
        tool, outcomes[0], {**told, **{which: ended for which, ended in beside.items() if "why_not" not in ended}}
    )


def answered(tool, table, told):
    """What a table and an image tell together. Pure.

    Args:
        tool: its module.
        table: ``rows`` and ``lock``, ``schema`` and ``table``, ``state`` (of :func:`sessions.state`) and ``limits``.
        told: by the name of each command how it ended, with ``why_not`` where it tells nothing.
    """
    image, lost = _image(tool, told)
    answer = compared(tool, table["rows"], image)
    if not answer.get("unknown"):
        # A revision that the image does not have is why some commands fail.
        lost = lost + [ended["why_not"] for ended in told.values() if ended.get("excused")]
    limits = [*table["limits"], *lost]
    return dict(
        answer, **table["state"], available=True, error="", complete=not limits, limits=limits, schema=table["schema"], table=table["table"],
        lock=table["lock"],
    )  # fmt: skip


# The database.


def _in_database(one, tool, deadline, long_seconds):
    # A third for each of the parts that can wait.
    with Client(one["reach"], max(0.5, deadline.remaining_seconds() / 3)) as client:
        schema, table, lock_table = _tables(client, one, tool)
        if one["tool"] == "query":
            rows = client.query(
                wrapped(one["statements"]["applied"], set(one["parameters"]), OWN_ROWS), one["parameters"]
            )
        elif table:
            rows = client.query(ROWS.replace("{rows}", tool.ROWS.replace("{source}", _quoted(schema, table))), {})
        else:
            rows = []
        locks = []
        if lock_table:
            locks = client.query(
                ROWS.replace("{rows}", tool.LOCK_ROWS.replace("{source}", _quoted(schema, lock_table))), {}
            )
        watched = [_quoted(schema, name) for name in (table, lock_table) if name]
        document = client.query(STATE, {"long_seconds": long_seconds, "busy_seconds": BUSY_SECONDS, "tables": watched})
        limits = sessions.limits(document)
        if client.pooler or client.session_pid() not in (0, document["pid"]):
            limits.append(f"{where(one['reach'])} is asked through a pooler; name the server itself in database")
    if len(rows) > ROW_LIMIT:
        raise DatabaseError(
            "other", f"{where(one['reach'])}: the table of the migrations has more than {ROW_LIMIT} rows"
        )
    return {
        "rows": tool.rows(rows, locks),
        "lock": _lock(locks),
        "schema": schema or one["schema"] or "",
        "table": table or one["table"] or "",
        "state": sessions.state(document, tool, schema or "public", table or one["table"] or ""),
        "limits": limits,
    }


def _quoted(schema, table):
    return ".".join('"' + part.replace('"', '""') + '"' for part in (schema, table))


def _lock(locks):
    """The row that keeps others away while somebody migrates, or None where this tool has none."""
    if not locks:
        return None
    held = [row for row in locks if row["locked"]]
    return {"locked": bool(held), "by": str(held[0]["by"])[:200] if held and held[0]["by"] else ""}


def _tables(client, one, tool):
    """The schema and the table of the migrations, and that of the lock; None for what is not there.

    Raises:
        DatabaseError: there are several, or it is that of another tool.
    """
    if not one["table"]:
        return None, None, None
    lock_name = one["table"] + tool.LOCK_SUFFIX if hasattr(tool, "LOCK_SUFFIX") else None
    found = client.query(
        TABLES, {"names": [one["table"], *([lock_name] if lock_name else [])], "schema": one["schema"]}
    )
    own = [row for row in found if row["name"] == one["table"]]
    if not own:
        return None, None, None
    if len(own) > 1:
        schemas = ", ".join(row["schema"] for row in own)
        raise DatabaseError(
            "other",
            f"{where(one['reach'])}: there is a table {one['table']} in several schemas ({schemas}); name one in schema",
        )
    missing = [column for column in tool.COLUMNS if column not in own[0]["columns"]]
    owner = whose(own[0]["columns"], own[0]["has_metadata"]) if one["table"] == "schema_migrations" else ""
    place = f"{where(one['reach'])}: the table {own[0]['schema']}.{one['table']}"
    if owner and owner != CALLED[one["tool"]] and one["tool"] != "query":
        raise DatabaseError(
            "other", f"{place} is that of {owner}, and not of {CALLED[one['tool']]}; correct tool, schema or table"
        )
    if missing:
        raise DatabaseError(
            "other",
            f"{place} has no column {missing[0]}, so it is none of {CALLED[one['tool']]}; correct tool, schema or table",
        )
    lock = [row for row in found if row["name"] == lock_name and row["schema"] == own[0]["schema"]]
    return (
        own[0]["schema"],
        one["table"],
        lock_name if lock and set(tool.LOCK_COLUMNS) <= set(lock[0]["columns"]) else None,
    )


# The image.


def with_environment(prefix, environment, argv):
    """A command as it runs where the image is: the variables are set there, whatever brings it there."""
    return [*prefix, *(["env", *environment] if environment else []), *argv]


def _printed(prefix, argv, environment, seconds):
    full = with_environment(prefix, environment, argv)
    ended = run(full, seconds, limit_bytes=OUTPUT_BYTES + 1)
    if ended["error"] or ended["signal"]:
        return {"why_not": f"{argv[0]}: {failure(full, ended, seconds)}"}
    if len(ended["stdout"].encode("utf-8", "replace")) > OUTPUT_BYTES:
        return {"why_not": f"{argv[0]} prints more than {OUTPUT_BYTES // 1024} KiB: that is no list of migrations"}
    if ended["exit_code"] != 0:
        return dict(ended, why_not=f"{masked(' '.join(argv[:2]))}: {failure(full, ended, seconds)}")
    return ended


def _image(tool, told):
    """What the image has, and why it is not known, in lines."""
    lost = []
    for which, ended in told.items():
        if "why_not" not in ended or ("exit_code" in ended and which in getattr(tool, "OUTCOMES", ())):
            continue
        ended["excused"] = "exit_code" in ended and hasattr(tool, "excuses") and tool.excuses(which, ended)
        if not ended["excused"]:
            lost.append(f"what the image has is not known: {ended['why_not']}")
    if lost:
        return None, lost
    try:
        return tool.read(told), []
    except NotUnderstood as error:
        return None, [f"what the image has is not known: {error}"]
