# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The metrics observer on a real Prometheus server, and the same questions on the endpoints it scrapes."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.metrics import measure as metrics
from ansible_collections.oncall.runbooks.tests.support import debian_programs
from ansible_collections.oncall.runbooks.tests.support.http_servers import Handler, HttpServer
from lab.tools.prometheus import Prometheus, ensure_prometheus

WINDOW_SECONDS = 2.0
NASTY = 'a"b\\c\nd{e}=~ünï'


class Target(HttpServer):
    """Counters, gauges and histograms that change steadily, so that any two looks at them agree."""

    def __init__(self, speed: float) -> None:
        self.speed = speed
        self.began = time.monotonic()
        self.late: list[str] = []
        target = self

        class Asked(Handler):
            def do_GET(self) -> None:
                with suppress(OSError):
                    self.give(target.text().encode(), Content_Type="text/plain; version=0.0.4")

        super().__init__(Asked)

    def text(self) -> str:
        seconds = time.monotonic() - self.began
        done = 1000 + 100 * self.speed * seconds
        nasty = NASTY.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        lines = [
            *("# TYPE app_answers_total counter", f'app_answers_total{{status="200",route="/a"}} {done}'),
            f'app_answers_total{{status="500",route="/a"}} {0.1 * done}',
            f'app_answers_total{{status="503",route="/b"}} {0.1 * done}',
            *("# TYPE app_pool gauge", f'app_pool{{name="one"}} {3 * self.speed}', 'app_pool{name="two"} 4'),
            *("# TYPE app_nasty gauge", f'app_nasty{{value="{nasty}"}} 7', 'app_nasty{value="plain"} 8'),
            *("# TYPE app_memory_bytes gauge", f"app_memory_bytes {5000 + 50 * self.speed * seconds}"),
            *("# TYPE app_level gauge", "app_level 5", "app_level 5.0", "# TYPE app_unset gauge", "app_unset NaN"),
            "# TYPE app_seconds histogram",
        ]
        for route, share in (("/a", 0.9), ("/b", 0.1)):
            for bound, part in (("0.1", share), ("0.5", share + 0.05), ("+Inf", 1.0)):
                lines.append(f'app_seconds_bucket{{route="{route}",le="{bound}"}} {part * done}')
            lines.append(f'app_seconds_count{{route="{route}"}} {done}')
        return "\n".join([*lines, *self.late, ""])


@pytest.fixture(scope="module")
def program() -> str:
    return debian_programs.program(ensure_prometheus)


@pytest.fixture(scope="module")
def targets() -> Iterator[list[Target]]:
    targets = [Target(1), Target(3)]
    yield targets
    for target in targets:
        target.close()


@pytest.fixture(scope="module")
def server(program: str, targets: list[Target], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A server that has scraped both targets for longer than the window."""
    server = Prometheus(program, tmp_path_factory.mktemp("prometheus"), {"api": [target.place for target in targets]})
    try:
        server.wait_for(f"count(up offset {WINDOW_SECONDS * 1000 + 1000:g}ms == 1) == 2")
        yield server
    finally:
        server.stop()


def ask(server: Prometheus, wanted: dict[str, Any], **options: Any) -> dict[str, Any]:
    prometheus = {"url": server.url, "labels": {"job": "api"}, "endpoints": {}, "window_seconds": WINDOW_SECONDS}
    result = metrics.observe({"prometheus": {**prometheus, **options}, "metrics": wanted, "timeout_seconds": 5})
    json.dumps(result, allow_nan=False)
    return result


SAME: dict[str, Any] = {
    "answers": "app_answers_total",
    "answers_named_otherwise": "app_answers",
    "answers_per_second": {"family": "app_answers_total", "measure": "rate"},
    "grown": {"family": "app_answers", "measure": "increase", "by": ["status"]},
    "errors_per_second": {"family": "app_answers_total", "measure": "rate", "labels": {"status": "~5.."}},
    "errors_by_route": {
        "family": "app_answers_total",
        "measure": "rate",
        "labels": {"status": "~5.."},
        "by": ["route"],
    },
    "error_ratio": {"measure": "ratio", "of": "errors_per_second", "to": "answers_per_second"},
    "pool": "app_pool",
    "pool_one": {"family": "app_pool", "labels": {"name": "one"}, "aggregate": "max"},
    "pools": {"family": "app_pool", "aggregate": "count"},
    "pool_avg": {"family": "app_pool", "aggregate": "avg", "by": ["name"]},
    "pool_min": {"family": "app_pool", "aggregate": "min"},
    "not_one": {"family": "app_pool", "aggregate": "count", "labels": {"name": "three"}},
    "nasty": {"family": "app_nasty", "labels": {"value": NASTY}},
    "nasty_by": {"family": "app_nasty", "by": ["value"]},
    "p95": {"family": "app_seconds", "measure": "quantile", "quantile": 0.93, "labels": {"route": "/a"}},
    "p50_by": {"family": "app_seconds", "measure": "quantile", "quantile": 0.05, "by": ["route"]},
    "p50_life": {"family": "app_seconds", "measure": "quantile", "quantile": 0.5, "lifetime": True},
    "life": {"family": "app_seconds_count", "measure": "increase", "lifetime": True, "by": ["route"]},
    "nothing_counted": {"family": "app_answers_total", "measure": "rate", "labels": {"status": "404"}},
    "memory": "app_memory_bytes",
    "memory_slope": {"family": "app_memory_bytes", "measure": "slope"},
    "memory_seconds_left": {"measure": "seconds_to", "of": "memory", "slope": "memory_slope", "limit": 1000000},
    "memory_is_there": {"measure": "seconds_to", "of": "memory", "slope": "memory_slope", "limit": "level"},
    "sum": {"sum": [{"family": "app_pool", "labels": {"name": name}} for name in ("one", "two")]},
    "sum_by": {"sum": ["app_level", {"family": "app_pool", "labels": {"name": "one"}}], "aggregate": "max"},
    "less": {
        "of": "app_level",
        "minus": {"family": "app_pool", "labels": {"name": "one"}},
        "aggregate": "max",
        "counts": False,
    },
    "good": {
        "of": "app_answers_total",
        "minus": {"family": "app_answers_total", "labels": {"status": "~5.."}},
        "measure": "rate",
        "by": ["route"],
    },
    "level": "app_level",
    "level_slope": {"family": "app_level", "measure": "slope"},
    "level_seconds_left": {"measure": "seconds_to", "of": "level", "slope": "level_slope", "limit": 100},
}


def test_both_sources_give_the_same_answers(server, targets):
    endpoints = {f"api{number}": f"http://{target.place}/metrics" for number, target in enumerate(targets)}
    text = metrics.observe(
        {"endpoints": endpoints, "metrics": SAME, "window_seconds": WINDOW_SECONDS, "samples": 3, "timeout_seconds": 5}
    )
    asked = ask(server, SAME)
    assert (text["available"], text.get("reason")) == (True, None)
    assert (asked["available"], asked.get("reason")) == (True, None)
    assert set(asked["value"]) == set(SAME)
    for name in SAME:
        of_text, of_server = text["value"][name], asked["value"][name]
        if isinstance(of_text, dict):
            assert of_server == pytest.approx(of_text, rel=0.1), name
        elif of_text is None:
            assert of_server is None, name
        else:
            assert of_server == pytest.approx(of_text, rel=0.1), name
        assert {key: text["metric"][name][key] for key in ("available", "family", "series")} == {
            key: asked["metric"][name][key] for key in ("available", "family", "series")
        }
    # Exact where nothing moves, so that the tolerance hides nothing.
    value = asked["value"]
    assert (value["pool"], value["pools"], value["nasty"], value["nothing_counted"]) == (20.0, 4.0, 14.0, 0.0)
    assert value["memory_is_there"] == 0.0
    # Of each target by itself: 3 + 4 and 9 + 4, 5 - 3 and 5 - 9.
    assert (value["sum"], value["sum_by"], value["less"]) == (20.0, 14.0, 2.0)
    assert value["level_seconds_left"] is None
    assert value["memory_slope"] == pytest.approx(200, rel=0.05)
    assert asked["endpoints"] == {"prometheus": {"available": True, "url": server.url}}
    assert asked["metric"]["answers_per_second"]["seconds"] == WINDOW_SECONDS


MISSING = [
    ({"x": "app_pols"}, {}, "app_pols is not there, or not with the labels"),
    ({"x": "app_pool"}, {"labels": {"job": "worker"}}, "app_pool is not there, or not with the labels"),
    ({"x": "app_seconds"}, {}, "app_seconds is a histogram or summary: use app_seconds_count"),
    ({"x": {"family": "app_pool", "measure": "quantile"}}, {}, "app_pool is not there|app_pool is no histogram"),
    ({"x": {"family": "app_pool", "labels": {"nome": "one"}}}, {}, "no series of app_pool has the label nome"),
    ({"x": {"family": "app_pool", "labels": {"nome": "~.*"}}}, {}, "no series of app_pool has the label nome"),
    ({"x": {"family": "app_pool", "by": ["nome"]}}, {}, "no series of app_pool has the label nome"),
    ({"x": {"family": "app_pool", "labels": {"name": "three"}}}, {}, "app_pool has no value: none of its series"),
    ({"x": "app_unset"}, {}, "the value is NaN"),
    (
        {"x": {"of": "app_level", "minus": {"family": "app_pool", "labels": {"name": "one"}}}},
        {},
        "app_level - app_pool{name=one} shows -4, which cannot be a count",
    ),
    ({"x": {"sum": ["app_level", "app_gone"]}}, {}, "app_gone is not there, or not with the labels given"),
    ({"x": {"of": "app_pool", "minus": "app_level"}}, {}, "what tells them apart belongs under labels of each side"),
    (
        {"x": {"family": "app_seconds", "measure": "quantile", "labels": {"route": "/c"}}},
        {},
        "app_seconds: no observations with these labels",
    ),
    (
        {"x": {"family": "app_answers", "measure": "rate", "labels": {"status": "5"}}},
        {"window_seconds": 0.01},
        "there are not two samples of app_answers within 0.01 s",
    ),
    ({"x": {"family": "app_pool", "labels": {"name": "~(?!x)"}}}, {}, "answered 400, bad_data: "),
    ({"x": {"measure": "promql", "promql": "sum("}}, {}, "answered 400, bad_data: "),
    ({"x": {"measure": "promql", "promql": "app_pool"}}, {}, "4 results, more than one for each combination of by"),
    ({"x": {"measure": "promql", "promql": "app_pols"}}, {}, "the expression has no result"),
    ({"x": {"measure": "promql", "promql": "app_pool[5m]"}}, {}, "answered 200 with a matrix, not an instant vector"),
    ({"x": {"measure": "promql", "promql": "'text'"}}, {}, "answered 200 with a string, not an instant vector"),
]


@pytest.mark.parametrize(("wanted", "options", "reason"), MISSING)
def test_what_is_not_there_is_no_number(server, wanted, options, reason):
    result = ask(server, wanted, **options)
    assert (result["available"], result["value"]) == (False, {})
    assert re.search(reason, result["metric"]["x"]["reason"])
    assert "\n" not in result["reason"]


def test_a_regular_expression_and_a_quote_stay_data(server):
    labels = {"name": '~one"} or vector(99) or app_pool{name="two'}
    result = ask(server, {"x": {"family": "app_pool", "labels": labels}})
    assert result["metric"]["x"]["reason"] == "app_pool has no value: none of its series has these labels"


def test_an_expression_of_ones_own(server):
    wanted = {
        "all": {"measure": "promql", "promql": 'sum(app_pool{job="api"})'},
        "number": {"measure": "promql", "promql": "1 + 1"},
        "by": {"measure": "promql", "promql": "sum by (name) (app_pool)", "by": ["name"]},
        "share": {"measure": "ratio", "of": "by", "to": "all"},
    }
    assert ask(server, wanted)["value"] == {
        "all": 20.0,
        "number": 2.0,
        "by": {"one": 12.0, "two": 8.0},
        "share": {"one": 0.6, "two": 0.4},
    }


def test_an_endpoint_is_its_labels(server, targets):
    one, two = ({"instance": target.place} for target in targets)
    wanted = {"one": {"family": "app_pool", "endpoints": ["first"]}, "all": "app_pool"}
    params = {"url": server.url, "labels": {"job": "api"}, "window_seconds": 1}
    result = metrics.observe(
        {
            "endpoints": {"first": "", "second": ""},
            "prometheus": {**params, "endpoints": {"first": one, "second": two}},
            "metrics": wanted,
            "timeout_seconds": 5,
        }
    )
    assert result["value"] == {"one": 7.0, "all": 20.0}


def test_the_first_error_of_all_is_counted(server, targets):
    """A counter with a new label starts at what it has counted: rate() alone would show 0."""
    targets[0].late = ["# TYPE app_failures counter", 'app_failures{kind="old"} 1']
    server.wait_for(f'app_failures{{kind="old"}} offset {WINDOW_SECONDS * 1000 + 500:g}ms')
    targets[0].late.append('app_failures{kind="new"} 37')
    server.wait_for('app_failures{kind="new"}')
    wanted = {
        "grown": {"family": "app_failures", "measure": "increase", "by": ["kind"]},
        "per_second": {"family": "app_failures", "measure": "rate"},
    }
    assert ask(server, wanted)["value"] == {"grown": {"old": 0.0, "new": 37.0}, "per_second": 37 / WINDOW_SECONDS}


def test_a_target_that_is_down_makes_its_metrics_unknown_and_no_others(program, tmp_path):
    up, down = Target(1), Target(1)
    up.late = ["# TYPE app_alone gauge", "app_alone 5"]
    server = Prometheus(program, tmp_path, {"api": [up.place, down.place]})
    try:
        server.wait_for("count(app_pool) == 4 and on () app_alone")
        down.close()
        server.wait_for("up == 0")
        result = ask(server, {"pool": "app_pool", "alone": "app_alone"})
    finally:
        server.stop()
        up.close()
    assert result["value"] == {"alone": 5.0}
    assert result["metric"]["pool"]["reason"] == (
        f"target api {down.place} is down: what the others show would look like the whole"
    )


def test_a_server_that_went_away_is_one_line(program, tmp_path):
    target = Target(1)
    server = Prometheus(program, tmp_path, {"api": [target.place]})
    server.wait_for("up")
    server.stop()
    target.close()
    result = ask(server, {"pool": "app_pool"})
    assert result["available"] is False
    assert f"POST {server.url}/api/v1/query: connection refused" in result["reason"]
    assert result["value"] == {}
