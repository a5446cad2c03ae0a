"""Which runbook comes first: findings and severities -> the order, and who explains whom."""

from __future__ import annotations

import pytest

from ansible_collections.oncall.runbooks.plugins.plugin_utils.triaging.rank import ranked

SEVERITY = {
    "api_down": "critical",
    "cache": "high",
    "crash_loop": "critical",
    "db_down": "critical",
    "db_pool": "high",
    "error_rate": "high",
    "latency": "medium",
    "worker_queue": "high",
}


def finds(*owners: str) -> list[dict]:
    """A problem for each: that of another runbook, or its own ("")."""
    return [
        {"cause": f"c{n}", "status": "problem", **({"hand_over": owner} if owner else {})}
        for n, owner in enumerate(owners)
    ]


def order(**findings: list[dict]) -> list[str]:
    return [one.runbook for one in ranked(findings, SEVERITY)]


@pytest.mark.covers("PD-0-1", "JO-0-3")
@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        pytest.param({}, [], id="nothing"),
        pytest.param({"latency": finds(""), "cache": finds("")}, ["cache", "latency"], id="the more severe one"),
        pytest.param(
            {"api_down": finds("db_down"), "db_down": finds("")}, ["db_down", "api_down"], id="as severe as its effect"
        ),
        pytest.param(
            {"api_down": finds("db_pool"), "db_pool": finds(""), "crash_loop": finds("")},
            ["db_pool", "crash_loop", "api_down"],
            id="less severe than its effect",
        ),
        pytest.param(
            {"latency": finds("db_pool"), "error_rate": finds("db_pool"), "db_pool": finds(""), "cache": finds("")},
            ["db_pool", "cache", "error_rate", "latency"],
            id="of two effects",
        ),
        pytest.param(
            {"error_rate": finds("db_down"), "db_down": finds("crash_loop"), "crash_loop": finds("")},
            ["crash_loop", "db_down", "error_rate"],
            id="down a chain",
        ),
        pytest.param(
            {"worker_queue": finds(""), "cache": finds("")}, ["cache", "worker_queue"], id="two at once by their names"
        ),
        pytest.param({"api_down": finds("db_down"), "cache": finds("")}, ["api_down", "cache"], id="an owner that sees nothing"),
    ],
)  # fmt: skip
def test_order(findings, expected):
    assert order(**findings) == expected


def test_a_cause_counts_for_as_much_as_the_worst_that_it_explains():
    first, second = ranked({"api_down": finds("db_pool"), "db_pool": finds("")}, SEVERITY)
    assert (first.runbook, first.severity, first.explains) == ("db_pool", "critical", ("api_down",))
    assert (second.runbook, second.explained_by) == ("api_down", ("db_pool",))


def test_one_that_has_a_problem_of_its_own_as_well_is_not_explained():
    ranks = {one.runbook: one for one in ranked({"api_down": finds("db_pool", ""), "db_pool": finds("")}, SEVERITY)}
    assert ranks["db_pool"].explains == ("api_down",)
    assert ranks["api_down"].explained_by == ()


def test_what_is_no_problem_explains_nothing():
    seen = [{"cause": "a", "status": "ok", "hand_over": "db_pool"}, *finds("")]
    assert [one.explains for one in ranked({"api_down": seen, "db_pool": finds("")}, SEVERITY)] == [(), ()]


def test_a_circle_comes_to_an_end():
    circle = {"db_down": finds("db_pool"), "db_pool": finds("db_down")}
    assert sorted(order(**circle)) == ["db_down", "db_pool"]
