# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a cron expression is due, also in the nights in which clocks change."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path

import pytest
from zoneinfo import ZoneInfo

from ansible_collections.oncall.runbooks.plugins.plugin_utils.cron import Due, due_after, due_before, parsed

# What cronsim says, which does as Debian's cron does: capture/cronsim_times.py wrote it.
CAPTURED = json.loads((Path(__file__).parent / "data" / "cronsim_times.json").read_text())
BERLIN = ZoneInfo("Europe/Berlin")


def seconds(text: str) -> float:
    """Seconds since 1970 of a time of UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp()


def last(expression: str, at: str, zone: ZoneInfo = BERLIN) -> tuple[str, str] | None:
    """The first and the last moment of the time that was due last, in UTC."""
    due = due_before(parsed(expression), zone, seconds(at))
    return due and (told(due.first), told(due.last))


def told(at: float) -> str:
    return datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%d %H:%M")


@pytest.mark.parametrize("row", CAPTURED, ids=lambda row: f"{row[0]} at {row[2]} in {row[1]}")
def test_as_cronsim_has_it(row):
    expression, zone, at, before, after = row
    cron = parsed(expression)
    assert (due_before(cron, ZoneInfo(zone), at), due_after(cron, ZoneInfo(zone), at)) == (
        before and Due(before, before),
        after and Due(after, after),
    )


@pytest.mark.parametrize("change", ["2026-04-04T15:00", "2026-10-03T15:30"])
@pytest.mark.parametrize("expression", ["* */3 * * *", "*/7 * * * *", "15 */2 * * *"])
def test_as_every_minute_is_looked_at_where_clocks_change_by_half_an_hour(expression, change):
    cron, zone = parsed(expression), ZoneInfo("Australia/Lord_Howe")
    begin = seconds(change) - 12 * 3600
    minutes = [(begin + 60 * number, datetime.fromtimestamp(begin + 60 * number, zone)) for number in range(24 * 60)]
    due = [at for at, wall in minutes if wall.minute in cron.minutes and wall.hour in cron.hours]
    for at in range(int(begin) + 8 * 3600, int(begin) + 16 * 3600, 300):
        before, after = max(one for one in due if one <= at), min(one for one in due if one > at)
        assert (due_before(cron, zone, at), due_after(cron, zone, at)) == (Due(before, before), Due(after, after))


@pytest.mark.parametrize(
    ("expression", "at", "due"),
    [
        # On 2026-03-29 there is no 2:30 in Berlin: the clock goes from 2:00 to 3:00 at 1:00 of UTC.
        ("30 2 * * *", "2026-03-28T12:00", ("2026-03-28 01:30", "2026-03-28 01:30")),
        ("30 2 * * *", "2026-03-29T12:00", ("2026-03-28 01:30", "2026-03-28 01:30")),
        ("30 2 * * *", "2026-03-30T12:00", ("2026-03-30 00:30", "2026-03-30 00:30")),
        ("0 3 * * *", "2026-03-29T12:00", ("2026-03-29 01:00", "2026-03-29 01:00")),
        # As time passes: nothing at 2:30, and every half hour before and after.
        ("*/30 * * * *", "2026-03-29T00:59", ("2026-03-29 00:30", "2026-03-29 00:30")),
        ("*/30 * * * *", "2026-03-29T01:29", ("2026-03-29 01:00", "2026-03-29 01:00")),
        ("*/30 2 * * *", "2026-03-29T12:00", ("2026-03-28 01:30", "2026-03-28 01:30")),
        # On 2026-10-25 2:30 is there twice, at 0:30 and at 1:30 of UTC. Before the second one nothing is late.
        ("30 2 * * *", "2026-10-25T00:29", ("2026-10-24 00:30", "2026-10-24 00:30")),
        ("30 2 * * *", "2026-10-25T01:29", ("2026-10-24 00:30", "2026-10-24 00:30")),
        ("30 2 * * *", "2026-10-25T01:30", ("2026-10-25 00:30", "2026-10-25 01:30")),
        ("30 2 * * *", "2026-10-25T12:00", ("2026-10-25 00:30", "2026-10-25 01:30")),
        ("30 3 * * *", "2026-10-25T12:00", ("2026-10-25 02:30", "2026-10-25 02:30")),
        ("*/30 * * * *", "2026-10-25T00:59", ("2026-10-25 00:30", "2026-10-25 00:30")),
        ("*/30 * * * *", "2026-10-25T01:01", ("2026-10-25 01:00", "2026-10-25 01:00")),
        ("45 * * * *", "2026-10-25T01:20", ("2026-10-25 00:45", "2026-10-25 00:45")),
        # The day of the month or the day of the week, where both are given.
        ("0 12 13 * 5", "2026-11-14T00:00", ("2026-11-13 11:00", "2026-11-13 11:00")),
        ("0 12 13 * 5", "2026-11-21T00:00", ("2026-11-20 11:00", "2026-11-20 11:00")),
        ("0 12 13 * *", "2026-12-01T00:00", ("2026-11-13 11:00", "2026-11-13 11:00")),
        ("0 12 */2 * 5", "2026-11-30T00:00", ("2026-11-27 11:00", "2026-11-27 11:00")),
        # Names, Sunday by both of its numbers, nicknames, a leap day.
        ("0 12 * nov SUN", "2026-11-30T00:00", ("2026-11-29 11:00", "2026-11-29 11:00")),
        ("0 12 * * 7", "2026-11-30T00:00", ("2026-11-29 11:00", "2026-11-29 11:00")),
        ("0 12 * * fri-7", "2026-11-30T00:00", ("2026-11-29 11:00", "2026-11-29 11:00")),
        ("@daily", "2026-11-30T00:00", ("2026-11-29 23:00", "2026-11-29 23:00")),
        ("@weekly", "2026-12-01T00:00", ("2026-11-28 23:00", "2026-11-28 23:00")),
        ("0 12 29 2 *", "2027-01-01T00:00", ("2024-02-29 11:00", "2024-02-29 11:00")),
        ("5/20 12 * * *", "2026-11-30T00:00", ("2026-11-29 11:45", "2026-11-29 11:45")),
        ("0 12 31 2 *", "2026-11-30T00:00", None),
    ],
)  # fmt: skip
def test_due_last(expression, at, due):
    assert last(expression, at) == due


def test_a_time_that_comes_twice_is_next_from_its_first_moment_on():
    due = due_after(parsed("30 2 * * *"), BERLIN, seconds("2026-10-24T12:00"))
    assert due and (told(due.first), told(due.last)) == ("2026-10-25 00:30", "2026-10-25 01:30")


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("", "five fields"),
        ("* * * *", "five fields"),
        ("* * * * * *", "five fields"),
        ("@reboot", "five fields"),
        ("@every 5m", "five fields"),
        ("60 * * * *", "the minute of a cron expression is 0 to 59, and not '60'"),
        ("* 24 * * *", "the hour"),
        ("* * 0 * *", "the day of month"),
        ("* * * 13 *", "the month"),
        ("* * * * 8", "the day of week"),
        ("* * * * l", "and not 'l'"),
        ("5-1 * * * *", "cannot be '5-1'"),
        ("*/0 * * * *", "cannot be '*/0'"),
        ("1,,2 * * * *", "cannot be ''"),
        ("-1 * * * *", "cannot be '-1'"),
        ("\N{ARABIC-INDIC DIGIT ONE} * * * *", "the minute"),
        ("'; DROP TABLE jobs; --", "the minute"),
        ("* " * 10_000, "five fields"),
    ],
)
def test_what_is_no_expression_says_so(expression, said):
    with pytest.raises(ValueError, match="cron expression") as caught:
        parsed(expression)
    assert said in str(caught.value)
