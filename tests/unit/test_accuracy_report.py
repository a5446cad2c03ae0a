# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is counted of the judged cases, and that nothing wrong is missing on the page."""

from __future__ import annotations

import json

import pytest


def case(verdict="named", runbook="db_pool", kind="fault", nameable=True, **more):
    return {
        "scene": "blocker", "kind": kind, "runbook": runbook, "verdict": verdict, "why": "", "nameable": nameable, "outcome": "planned",
        "causes": ["blocker"], "remedies": [], "beside": [], "handed_over": [], "summary": "a session blocks", "signal": None, **more,
    }  # fmt: skip


def results(*cases, **more):
    machine = {"cores": 2, "python": "3.11.2", "ansible_core": "2.19.14", "collection": "0.2.0", "commit": "abc"}
    one = {
        "date": "2026-01-01", "minutes": 3.0, "machine": machine, "left_out": {}, "not_made": {}, "scenes": 40, "part": False,
        "cases": list(cases), **more,
    }  # fmt: skip
    return {"embedded": one}


@pytest.fixture(scope="module")
def report():
    from ansible_collections.oncall.runbooks.tests.support.accuracy import report

    return report


def met(report, *cases):
    return [goal.met for goal in report.goals(cases)]


def test_all_goals_are_met(report):
    assert met(report, *[case()] * 251) == [True] * 4


@pytest.mark.parametrize(
    ("cases", "missed"),
    [
        ([case()] * 250, 0),
        ([case()] * 251 + [case("false healthy")], 1),
        ([case()] * 251 + [case("needless remedy", nameable=False)], 2),
        # Honest or not: a name that could have been given was not.
        ([case()] * 240 + [case("honest")] * 13, 3),
        # A wrong name counts also where none was to be given.
        ([case()] * 240 + [case("named wrong", nameable=False)] * 13, 3),
        ([case("healthy", nameable=False)] * 251, 3),
    ],
)
def test_a_goal_that_is_missed_is_one(report, cases, missed):
    assert [number for number, is_met in enumerate(met(report, *cases)) if not is_met] == [missed]


def test_what_has_no_name_to_give_does_not_count_for_names(report):
    assert met(report, *[case()] * 251, *[case("honest", nameable=False)] * 100)[3]


def test_every_verdict_is_in_one_column(report):
    from ansible_collections.oncall.runbooks.tests.support.accuracy import verdicts

    words = {value for name, value in vars(verdicts).items() if name.isupper() and isinstance(value, str)}
    assert len(words) == 10
    for word in words:
        assert sum(has(case(word)) for has in report.COLUMNS.values()) == 1, word


def test_the_rows_add_up(report):
    cases = [
        case(),
        case("honest", runbook="cache"),
        case("false healthy", runbook="cache"),
        case("broke off", runbook="latency"),
    ]
    *rows, everything = report.counted(cases, "runbook")
    assert [row[:2] for row in rows] == [["cache", "2"], ["db_pool", "1"], ["latency", "1"]]
    assert everything[:2] == ["**all**", "4"]
    assert sum(int(cell) for cell in everything[2:] if cell) == 4


@pytest.mark.parametrize("word", ["false healthy", "needless remedy", "named wrong", "not named", "broke off"])
def test_all_that_is_wrong_is_on_the_page_with_what_was_said(report, word):
    said = case(word, runbook="cache", why="db_pool has blocker", summary="all | is well <b> [x](http://evil.example)")
    page = report.page(results(case(), said))
    assert (
        f"| {word} | cache | embedded: blocker | db_pool has blocker | all \\| is well &lt;b> \\[x](http://evil.example) |"
        in page
    )
    assert page.count("\n| named |") == 0


def test_what_was_not_tried_is_on_the_page(report):
    page = report.page(
        results(case(), left_out={"payment_webhook": "no provider"}, not_made={"disk": "takes root"}, part=True)
    )
    assert "- embedded: payment_webhook: no provider" in page
    assert "- embedded: disk: takes root" in page
    assert "- compose: this stack was not run" in page
    assert "- embedded: this stack" not in page
    assert "1 cases in 1 scenes of 40: it is **part of a run**" in page


def test_a_name_that_was_not_given_is_on_the_page(report):
    page = report.page(
        results(case("honest", summary="too little was seen"), case("honest", nameable=False, summary="none"))
    )
    assert page.count("| db_pool | embedded: blocker |  | too little was seen |") == 1
    assert "none |" not in page


def test_a_name_too_many_is_on_the_page(report):
    assert "| db_pool | embedded: blocker | pool_leak |" in report.page(results(case(beside=["pool_leak"])))


def test_the_file_is_json_with_a_line_for_each_case(report):
    found = results(case(), case("honest"))
    text = report.as_json({**found, "compose": found["embedded"]})
    assert json.loads(text) == {**found, "compose": found["embedded"]}
    assert text.count("\n    {") == 4


def test_no_place_of_a_machine_and_no_long_text(report):
    assert report.without_places("see /tmp/x1/lab/log", ["/tmp/x1/lab"]) == "see PLACE-1/log"
    assert len(report.without_places("x" * 9999, [])) < 500


def test_the_stacks_that_can_be_run_are_those_that_are_told(report):
    from ansible_collections.oncall.runbooks.tests.support.accuracy import stacks

    assert tuple(stacks.STACKS) == report.STACKS
