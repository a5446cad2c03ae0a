# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runbook latency on the compose lab: each fault is real, is named, and changes nothing before it is acted on."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.observers.postgres_activity import SPEC
from ansible_collections.oncall.runbooks.plugins.module_utils.postgres import activity as postgres_activity

PLAYBOOK = "playbooks/latency.yml"
NAMED = [
    pytest.param(
        "latency_slow_provider", "slow_provider", "provider takes ", marks=pytest.mark.covers("SY-4-1", "SY-4-5")
    ),
    pytest.param(
        *("latency_n_plus_one", "n_plus_one", "SELECT name FROM customers WHERE id = $1"),
        marks=pytest.mark.covers("SY-4-4"),
    ),
    pytest.param(
        *("latency_slow_statement", "slow_statement", "FROM orders ORDER BY id DESC LIMIT $1"),
        marks=pytest.mark.covers("SY-4-3"),
    ),
]


def finding(play: Any, cause: str) -> dict[str, Any]:
    (found,) = [found for found in play.run["findings"] if found["cause"] == cause]
    return found


def test_a_sound_stack_is_normal(compose_lab, compose_player):
    play = compose_player.play(playbook=PLAYBOOK)
    assert (play.code, play.outcome) == (0, "healthy"), play.output
    assert "95th percentile" in finding(play, "normal")["summary"]


@pytest.mark.parametrize(("fault", "cause", "said"), NAMED)
def test_it_is_named(compose_lab, compose_player, fault, cause, said):
    compose_lab.inject(fault)
    try:
        play = compose_player.play(playbook=PLAYBOOK, run_until="plan")
    finally:
        compose_lab.heal(fault)
    assert play.causes() == [cause], play.output
    assert said in finding(play, cause)["summary"]


def test_a_busy_one_that_cannot_be_scaled_because_of_its_port_is_left_alone(compose_lab, compose_player):
    compose_lab.inject("latency_busy")
    try:
        play = compose_player.play(playbook=PLAYBOOK, run_until="plan")
    finally:
        compose_lab.heal("latency_busy")
    assert play.causes() == ["saturation"], play.output
    assert "of the processor time it may" in finding(play, "saturation")["summary"]
    (step,) = play.run["plan"]["steps"]
    assert (step["remedy"], step["available"], step["targets"]) == ("scale_out", False, [])
    assert any("The host port" in line for line in finding(play, "saturation")["advice"])


@pytest.mark.covers("SY-4-3", "SY-4-6")
def test_statements_of_a_window_with_plan_and_indexes(compose_lab):
    compose_lab.target.load(20, "/customers")
    compose_lab.target.begin("cache_off")
    params = {name: option.get("default") for name, option in SPEC.items()}
    layout = compose_lab.layout
    reached = {"transport": "psycopg", "host": "127.0.0.1", "port": layout.ports["database"], "name": "labpics"}
    try:
        found = postgres_activity.observe(
            {
                **params,
                # The owner of the tables, which the role that only looks may not read.
                "database": {**reached, "user": "app", "password": layout.secrets()["app"]},
                "window_seconds": 1.5,
                "explain": "analyze",
            }
        )
    finally:
        compose_lab.target.end("cache_off")
        compose_lab.target.load(5)
    statements = found["statements"]
    assert statements["available"], statements
    assert {"calls", "mean_milliseconds", "max_milliseconds", "query"} <= set(statements["slowest"][0])
    (row,) = [row for row in statements["window"]["statements"] if "GROUP BY country" in row["query"]]
    assert row["calls"] >= 10
    assert row["calls_per_second"] == pytest.approx(row["calls"] / statements["window"]["seconds"], rel=0.01)
    assert row["plan"]["available"], row
    assert row["plan"]["read_in_full"] == ["public.customers"]
    assert any(", took " in line for line in row["plan"]["lines"])
    assert "customers_pkey" in [index["name"] for index in row["indexes"]]
