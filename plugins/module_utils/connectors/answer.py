# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a source told, in the words that all connectors have in common. Pure."""

from __future__ import annotations

import re

from ..queues.answer import has_no_zone, kind_of_error, moment_of, name_of, number_of, text_of
from ..text.masking import masked
from .error_classes import class_of, retry_after_of

STATES = ("ok", "running", "retrying", "failed", "paused")
MOST = 500
_WORDS = {
    "ok": "ok success succeeded synced healthy active idle complete completed done uptodate enabled ready scheduled",
    "running": "running syncing inprogress processing started",
    "retrying": "retrying retry backoff backingoff incomplete restarting",
    "failed": "failed failing error errored dead broken crashed unhealthy",
    "paused": "paused disabled stopped suspended inactive",
}
_STATE_OF_WORD = {word: state for state, words in _WORDS.items() for word in words.split()}
# A name that can be an argument of a program or a part of a URL without a thought: no option, no path, no quotes.
_PLAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._:@ -]{0,118}[A-Za-z0-9])?\Z")
# Two clocks that are kept may differ by so much.
CLOCKS_SECONDS = 5.0
# No time of this century is below; what is, counts something else.
_FIRST_MOMENT = 1e9
# How PostgreSQL and programs write the time of what has no end.
_NEVER = ("infinity", "inf")
_TEXT_CHARACTERS = 120
# What a source may tell of a connector.
TIMES = ("last_success_at", "last_run_at", "started_at", "next_attempt_at", "credential_expires_at", "pending_since")
COUNTS = ("retry_count", "max_retries", "record_failures", "pending", "dead_letters")
KEYS = ("name", "status", "watermark", "last_error", "record", *TIMES, *COUNTS)


def is_plain(name):
    """Whether a name may become an argument or a part of a URL: one that may not is told of, and never acted on."""
    return _PLAIN.match(name) is not None and masked(name, _TEXT_CHARACTERS) == name


def told(entry, looks, table, own_now_seconds):
    """What is told of the connectors of one source.

    Args:
        entry: of :func:`spec.described`.
        looks: one or two, each with ``now_seconds`` (None where the source does not tell), ``rows`` and ``limits``; the first of two with
            ``ago_seconds``, how long before the other it was. With ``is_utc`` (True), what it writes without a zone is in UTC.
        table: of :func:`error_classes.table_of`.
        own_now_seconds: this host's clock at the last of them.

    Returns:
        ``connectors``, ``clock_ahead_seconds`` (of the source's clock before this host's; None where it does not tell), ``complete`` and
        ``limits``.
    """
    last = looks[-1]
    limits = list(last["limits"])
    now = own_now_seconds if last["now_seconds"] is None else last["now_seconds"]
    rows = [row for row in last["rows"] if row.get("name") not in (None, "")]
    if len(rows) < len(last["rows"]):
        limits.append(f"{len(last['rows']) - len(rows)} connectors have no name")
    if entry["only"]:
        rows = [row for row in rows if text_of(row["name"]) in entry["only"]]
        names = {text_of(row["name"]) for row in rows}
        limits += [
            f"connector {masked(one, _TEXT_CHARACTERS)} of only is not there"
            for one in entry["only"]
            if one not in names
        ]
    if len(rows) > MOST:
        limits.append(f"{len(rows)} connectors are there, and {MOST} were read")
    if not (entry["times_in_utc"] or last.get("is_utc")):
        rows = _without_times_of_no_zone(rows, limits)
    found = [_connector(row, now, entry, table, limits) for row in rows[:MOST]]
    twice = {one["name"] for one in found if [other["name"] for other in found].count(one["name"]) > 1}
    for name in sorted(twice):
        limits.append(f"several connectors have the name {name}: none of them is acted on")
    for one in found:
        one["plain_name"] = one["plain_name"] and one["name"] not in twice
    if len(looks) > 1:
        _compare(found, looks[0], rows)
    return {
        "connectors": found,
        "clock_ahead_seconds": None
        if last["now_seconds"] is None
        else round(last["now_seconds"] - own_now_seconds, 1) + 0.0,
        "complete": not limits,
        "limits": limits,
    }


def _without_times_of_no_zone(rows, limits):
    """Rows without the times that may be hours off: nothing tells in which zone they were written."""
    keys = sorted({key for row in rows for key in (*TIMES, "watermark") if has_no_zone(row.get(key))})
    if keys:
        limits.append(
            f"{', '.join(keys)}: without a zone; where that is UTC, say so with times_in_utc, else have it written with its zone"
        )
    return [{key: None if key in keys and has_no_zone(value) else value for key, value in row.items()} for row in rows]


def _connector(row, now, entry, table, limits):
    name = text_of(row["name"])
    found = {"name": masked(name, _TEXT_CHARACTERS), "plain_name": is_plain(name)}
    place = found["name"]
    _add_state(found, row, entry, place, limits)
    for key in COUNTS:
        _add_count(found, row, key, place, limits)
    if "max_retries" not in found and entry["max_retries"] is not None:
        found["max_retries"] = entry["max_retries"]
    for key, age in (
        ("last_success_at", "last_success_age_seconds"),
        ("last_run_at", "last_run_age_seconds"),
        ("started_at", "run_seconds"),
        ("pending_since", "pending_age_seconds"),
    ):
        moment = _moment(row, key, place, limits)
        if moment is not None and _is_past(now - moment, f"{place}: {key}", limits):
            found[age] = _seconds(now - moment)
            if key == "last_success_at":
                found["last_success_at_seconds"] = round(moment, 3)
    for key, left in (
        ("next_attempt_at", "next_attempt_seconds"),
        ("credential_expires_at", "credential_left_seconds"),
    ):
        moment = _moment(row, key, place, limits)
        if moment is not None:
            found[left] = round(moment - now, 1)
    _add_watermark(found, row, now, place, limits)
    _add_error(found, row, table, now)
    for key in ("failed_tasks", "tasks", "lag_bytes", "lag_seconds", "slot", "position"):
        if row.get(key) is not None:
            found[key] = row[key]
    if row.get("record") not in (None, ""):
        found["record"] = masked(text_of(row["record"]), _TEXT_CHARACTERS)
    return found


def _add_state(found, row, entry, place, limits):
    if row.get("status") in (None, ""):
        return
    found["status"] = masked(text_of(row["status"]), 60)
    word = _word(row["status"])
    own = {_word(one): state for one, state in entry["states"].items()}
    state = own.get(word) or _STATE_OF_WORD.get(word)
    if state:
        found["state"] = state
    else:
        limits.append(f"{place}: the status {found['status']} tells nothing; say in states what it means")


def _word(text):
    return "".join(sign for sign in text_of(text).lower() if sign.isalnum())


def _add_count(found, row, key, place, limits):
    if row.get(key) in (None, ""):
        return
    number = None if isinstance(row[key], bool) else number_of(row[key])
    if number is None or not 0 <= number < 2**53:
        limits.append(f"{place}: {key} is no count")
    else:
        found[key] = int(number)


def _moment(row, key, place, limits):
    if row.get(key) in (None, "", 0):
        return None
    if key == "credential_expires_at" and text_of(row[key]).lower() in _NEVER:
        return None
    moment = moment_of(row[key])
    if moment is None:
        limits.append(f"{place}: {key} is no time in ISO 8601, in seconds or in milliseconds")
        return None
    if moment < _FIRST_MOMENT:
        # The year 1 and 1970: what programs write where there was none yet.
        return None
    return moment


def _is_past(age_seconds, what, limits):
    if age_seconds >= -CLOCKS_SECONDS:
        return True
    limits.append(
        f"{what} is {-age_seconds:.0f} s in the future: its clock differs from that of what keeps it, or it is kept without its zone"
    )
    return False


def _seconds(value):
    return round(max(0.0, value), 3)


def _add_watermark(found, row, now, place, limits):
    """How late it is: by its watermark, up to which data are there; by its last success only where it keeps no watermark."""
    watermark = row.get("watermark")
    if watermark not in (None, ""):
        moment = moment_of(watermark)
        if moment is None:
            limits.append(f"{place}: watermark is neither a time nor a number")
        elif moment < _FIRST_MOMENT:
            found["position"] = moment
        else:
            found["watermark_at_seconds"] = round(moment, 3)
            if _is_past(now - moment, f"{place}: watermark", limits):
                found.update(lag_seconds=_seconds(now - moment), lag_of="watermark")
        return
    if "watermark" in row or "last_success_age_seconds" not in found:
        # It keeps one, and has none yet: what it has synchronised, nobody knows.
        return
    found.update(lag_seconds=found["last_success_age_seconds"], lag_of="last_success_at")


def _add_error(found, row, table, now):
    error_class = class_of(row.get("last_error"), table)
    if error_class is None:
        return
    text = text_of(row["last_error"])
    found.update(error_class=error_class, error=kind_of_error(text))
    # It was said when it ran, as far as anybody knows.
    wait = retry_after_of(text, now - found.get("last_run_age_seconds", 0.0))
    if wait is not None:
        found["retry_after_seconds"] = wait


def _by_name(rows):
    found = {}
    for row in rows:
        found.setdefault(name_of(row.get("name")), row)
    return found


def _compare(found, before, rows):
    """Add what two looks tell: by how much a watermark, in seconds of data, or a position has moved, and in which time.

    And whether a run in between left what had waited before it.
    """
    earlier, later = _by_name(before["rows"]), _by_name(rows)
    for one in found:
        row = earlier.get(one["name"])
        if row is None:
            continue
        runs = [moment_of(look.get("last_run_at")) for look in (row, later.get(one["name"], row))]
        if None not in runs:
            one["left_waiting"] = runs[1] > runs[0] and (number_of(row.get("pending")) or 0) > 0
        if "lag_bytes" in one and number_of(row.get("lag_bytes")) is not None:
            one["gained_bytes"] = row["lag_bytes"] - one["lag_bytes"]
        if "watermark_at_seconds" in one:
            moment = moment_of(row.get("watermark")) if row.get("watermark") not in (None, "") else None
            moved = None if moment is None else one["watermark_at_seconds"] - round(moment, 3)
        elif one.get("position") is not None:
            number = number_of(row["position"] if row.get("position") is not None else row.get("watermark"))
            moved = None if number is None else one["position"] - number
        else:
            moved = None
        if moved is not None:
            # Without the sign that a zero may have.
            one.update(moved=round(moved, 3) + 0.0, moved_in_seconds=round(before["ago_seconds"], 3))
