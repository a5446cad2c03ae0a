# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of incidents -> the numbers that are told of them; and what a team says of its severities and its people."""

from __future__ import annotations

import pytest

from ansible_collections.oncall.runbooks.tests.support.incident_books import books
from oncall.incidents.books import NotDone, Rules
from oncall.incidents.figures import figures, quantile, week


def row(**more):
    return {
        "id": "a", "number": 1, "title": "t", "system": "s", "severity": "P1", "runbook": "db_pool", "state": "closed", "opened_at": 1000.0,
        "first_acknowledged_at": None, "mitigated_at": None, "resolved_at": None, "closed_at": None, "reopenings": 0, "alerts": 1,
        "outcomes": {}, "helped": 0, "not_helped": 0, "woken": {}, **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("values", "part", "is_"),
    [
        ([], 0.5, None),
        ([3], 0.9, 3),
        ([1, 2], 0.5, 1),
        ([1, 2, 3], 0.5, 2),
        ([*range(1, 11)], 0.9, 9),
        ([*range(1, 12)], 0.9, 10),
    ],
)
def test_a_quantile_is_one_of_the_values(values, part, is_):
    assert quantile(values, part) == is_


@pytest.mark.parametrize(
    ("at", "is_"),
    [
        (1_609_459_200.0, "2020-W53"),
        (1_609_718_399.0, "2020-W53"),
        (1_609_718_400.0, "2021-W01"),
        (float("inf"), ""),
        (1e18, ""),
    ],
)
def test_a_week_is_that_of_iso_8601(at, is_):
    assert week(at) == is_


def test_what_has_no_time_yet_is_not_quick():
    told = figures([row(first_acknowledged_at=1060.0), row(), row(first_acknowledged_at=1300.0, resolved_at=4600.0)])
    assert told["acknowledge"] == {"count": 2, "median": 60.0, "p90": 300.0}
    assert told["resolve"] == {"count": 1, "median": 3600.0, "p90": 3600.0}
    assert told["mitigate"] == {"count": 0, "median": None, "p90": None}


def test_of_nothing_there_are_no_numbers():
    told = figures([])
    assert (told["incidents"], told["fixes"]["share"], told["recurs"], told["by"]["week"]) == (0, None, [], {})


def test_what_recurs_what_helped_and_who_was_woken():
    told = figures([
        row(outcomes={"resolved": 2}, helped=2, woken={"ann": 1}),
        row(outcomes={"unresolved": 1, "resolved": 1}, helped=1, not_helped=1, woken={"ann": 2, "bob": 1}, reopenings=1),
        row(runbook="", title="odd"),
    ])  # fmt: skip
    assert told["runs"] == {"resolved": 3, "unresolved": 1}
    assert told["fixes"] == {"helped": 3, "not_helped": 1, "share": 0.75}
    assert told["recurs"] == [{"what": "s db_pool", "count": 2}]
    assert told["woken"] == [{"who": "ann", "count": 3}, {"who": "bob", "count": 1}]
    assert (told["reopened"], told["by"]["runbook"]["db_pool"]["incidents"]) == (1, 2)


def test_what_a_team_has_said_holds_for_all_who_ask_the_books(tmp_path):
    rules = Rules(lambda scheme: {"synap": ("P0", "P1")}.get(scheme, ()), ("ann", "bob"))
    with books(tmp_path, rules=rules) as (incidents, _store):
        with pytest.raises(NotDone, match="no severity 'P7' in the scheme synap; there are P0, P1"):
            incidents.open("x", who="ann", severity="P7", scheme="synap")
        incidents.open("x", who="ann", severity="p1", scheme="synap")
        with pytest.raises(NotDone, match="no severity 'P2' in the scheme synap"):
            incidents.severity("1", "P2", who="ann")
        assert incidents.severity("1", "P0", who="ann").entries[0].data["raised"] is True
        with pytest.raises(NotDone, match="nobody is called 'zoe'; there are ann, bob"):
            incidents.assign("1", "zoe", who="ann")
        with pytest.raises(NotDone, match="nobody is called 'bobb'; did you mean bob"):
            incidents.role("1", "scribe", "bobb", who="ann")
        told = []
        incidents._on_done = told.append
        incidents.assign("1", "bob", who="ann")
        incidents.assign("1", "bob", who="ann")
        assert [one.entries[0].kind for one in told] == ["assigned"]
