# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A metric that is a sum or a difference of families, from endpoints and from a server."""

from __future__ import annotations

import itertools
import json
from typing import Any
from urllib.parse import parse_qs

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.metrics import endpoints, measure, server

PARAMS = {"window_seconds": 0.01, "timeout_seconds": 5}
# node-postgres tells total and idle; the replicas are of one pool each.
POOL = {"a": "pool_total 10\npool_idle 4\n", "b": "pool_total 10\npool_idle 9\n"}
IN_USE = {"of": "pool_total", "minus": "pool_idle"}
# HikariCP through Micrometer, and one gauge with states.
STATES = 'conn{pool="m",state="active"} 3\nconn{pool="m",state="idle"} 5\nconn{pool="m",state="wait"} 2\nconn_max{pool="m"} 10\n'


@pytest.fixture
def observe(monkeypatch):
    """Observes endpoints whose texts are given by name; a list of texts is shown one after the other."""

    def observe(texts: dict[str, Any], **wanted: Any) -> dict[str, Any]:
        turns = {
            name: itertools.chain(text, itertools.repeat(text[-1]))
            if isinstance(text, list)
            else itertools.repeat(text)
            for name, text in texts.items()
        }

        def fetch(url: str, *_args: Any, **_kwargs: Any) -> tuple[int, dict[str, str], bytes]:
            return 200, {}, next(turns[url.rpartition("/")[2]]).encode()

        monkeypatch.setattr(endpoints, "fetch", fetch)
        urls = {name: f"http://127.0.0.1/{name}" for name in texts}
        result = measure.observe({"endpoints": urls, "metrics": wanted, **PARAMS})
        json.dumps(result, allow_nan=False)
        return result

    return observe


MEASURED = [
    (POOL, IN_USE, 7),
    (POOL, {**IN_USE, "aggregate": "max"}, 6),
    (POOL, {**IN_USE, "aggregate": "min"}, 1),
    (POOL, {**IN_USE, "aggregate": "count"}, 2),
    (POOL, {"of": {"family": "pool_total"}, "minus": ["pool_idle"]}, 7),
    (POOL, {**IN_USE, "endpoints": ["b"]}, 1),
    (POOL, {"family": IN_USE, "counts": True}, 7),
    (POOL, {"family": {"family": IN_USE}, "aggregate": "max"}, 6),
    (POOL, {"sum": ["pool_total", "pool_idle"]}, 33),
    (POOL, {"sum": ["pool_total", "pool_idle"], "aggregate": "max"}, 19),
    ({"a": STATES}, {"sum": [{"family": "conn", "labels": {"state": state}} for state in ("active", "idle")]}, 8),
    ({"a": STATES}, {"of": "conn_max", "minus": {"family": "conn", "labels": {"state": "idle"}}}, 5),
    # a side of several series of its own
    ({"a": STATES}, {"of": "conn_max", "minus": {"family": "conn", "labels": {"state": "~.*"}}}, 0),
    (
        {"a": STATES},
        {"of": "conn_max", "minus": {"sum": [{"family": "conn", "labels": {"state": s}} for s in ("idle", "wait")]}},
        3,
    ),
    (
        {"a": STATES},
        {"of": "conn_max", "minus": {"family": "conn", "labels": {"state": "idle"}}, "by": ["pool"]},
        {"m": 5},
    ),
    (
        {"a": STATES},
        {"of": "conn_max", "minus": {"family": "conn", "labels": {"state": "idle"}}, "labels": {"pool": "m"}},
        5,
    ),
    # what only rounding makes different
    ({"a": 'x 0.3\ny{n="1"} 0.1\ny{n="2"} 0.2\n'}, {"of": "x", "minus": {"family": "y", "labels": {"n": "~.*"}}}, 0),
    # of a difference below 0 it may be said that it is one
    ({"a": "x 1\ny 3\n"}, {"of": "x", "minus": "y", "counts": False}, -2),
    ({"a": '{"db.total"} 9\n{"db.idle"} 2\n'}, {"of": "db.total", "minus": "db.idle"}, 7),
    # of families whose labels differ only a sum over all of them is known
    ({"a": 'l1_hits{cache="x"} 3\nl2_hits{db="0"} 4\n'}, {"sum": ["l1_hits", "l2_hits"]}, 7),
    # families of two endpoints
    (
        {"a": "x 1\n", "b": "y 3\n"},
        {"sum": [{"family": "x", "endpoints": ["a"]}, {"family": "y", "endpoints": ["b"]}]},
        4,
    ),
]


@pytest.mark.parametrize(("texts", "spec", "value"), MEASURED)
def test_a_sum_or_difference_is_measured_series_by_series(observe, texts, spec, value):
    result = observe(texts, x=spec)
    assert "reason" not in result
    assert result["value"] == {"x": value}


NOT_MEASURED = [
    (POOL | {"c": "pool_total 10\n"}, IN_USE, "endpoint c: GET http://127.0.0.1/c: pool_idle is not there"),
    (
        POOL | {"c": "# TYPE pool_idle gauge\npool_total 3\n"},
        IN_USE,
        "pool_total has a series {} on endpoint c and pool_idle",
    ),
    # the replicas do not make up for each other
    (
        {"a": "pool_total 10\npool_idle 4\n", "b": "pool_total 3\npool_idle 9\n"},
        IN_USE,
        "shows -6, which cannot be a count",
    ),
    (
        {"a": 't{p="1"} 5\nt{p="2"} 5\ni{p="1"} 5\n'},
        {"of": "t", "minus": "i"},
        "t has a series {p=2} on endpoint a and i has not",
    ),
    ({"a": 't 5\ni{p="1"} 5\n'}, {"of": "t", "minus": "i"}, "belongs under labels of each side"),
    ({"a": "t 5\ni NaN\n"}, {"of": "t", "minus": "i"}, "the value is NaN"),
    ({"a": "t 5\nt 6\ni 1\n"}, {"of": "t", "minus": "i"}, "t is there twice"),
    (
        {"a": STATES},
        {"of": "conn_max", "minus": {"family": "conn", "labels": {"state": "gone"}}},
        "conn has no value: none of its 3",
    ),
    (
        {"a": STATES},
        {"of": "conn_max", "minus": {"family": "conn", "labels": {"stat": "x"}}},
        "no series of conn has the label stat",
    ),
    ({"a": "x 1\n# TYPE y gauge\n", "b": "x 1\ny 3\n"}, {"sum": ["x", "y"]}, "x is there for a and y is not"),
    (
        {"a": 'x{p="1"} 1\ny{q="1"} 1\n'},
        {"sum": ["x", "y"], "aggregate": "max"},
        "x has a series {p=1} on endpoint a and y",
    ),
]


@pytest.mark.parametrize(("texts", "spec", "reason"), NOT_MEASURED)
def test_what_one_side_does_not_tell_is_not_measured(observe, texts, spec, reason):
    result = observe(texts, x=spec)
    assert result["value"] == {}
    assert reason in result["metric"]["x"]["reason"]


GREW = [
    # lookups less hits are misses
    ("gets 10\nhits 4\n", "gets 20\nhits 9\n", {"of": "gets", "minus": "hits"}, 5),
    # a counter with labels has no series before it first counts
    ('g{c="1"} 10\n# TYPE h counter\n', 'g{c="1"} 12\n# TYPE h counter\n', {"of": "g", "minus": "h"}, 2),
    ('# TYPE g counter\nh{c="1"} 1\n', '# TYPE g counter\nh{c="1"} 5\n', {"sum": ["g", "h"]}, 4),
    ('g{c="1"} 10\nh{d="1"} 4\n', 'g{c="1"} 20\nh{d="1"} 9\n', {"sum": ["g", "h"]}, 15),
    ("g 10\nh 400\n", "g 20\nh 3\n", {"of": "g", "minus": "h"}, 7),
]


@pytest.mark.parametrize(("before", "after", "spec", "increase"), GREW)
def test_what_is_counted_grows_on_each_side(observe, before, after, spec, increase):
    result = observe({"a": [before, after]}, x={"measure": "increase", "family": spec})
    assert result["value"] == {"x": increase}
    assert result["metric"]["x"]["seconds"] > 0


def test_what_was_not_counted_in_the_whole_cannot_be_taken_away(observe):
    texts = {"a": ['g{c="1"} 10\nh{d="1"} 4\n', 'g{c="1"} 20\nh{d="1"} 9\n']}
    result = observe(texts, x={"measure": "increase", "of": "g", "minus": "h"})
    assert result["value"] == {}
    assert "h has a series {d=1} on endpoint a and g has not" in result["reason"]


def test_the_answer_says_of_what_it_is_made_and_a_ratio_takes_it(observe):
    result = observe(POOL, in_use=IN_USE, max="pool_total", usage={"measure": "ratio", "of": "in_use", "to": "max"})
    assert result["metric"]["in_use"] == {
        "available": True,
        "series": 4,
        "family": "pool_total - pool_idle",
        "by_endpoint": {"a": 6, "b": 1},
    }
    assert result["metric"]["max"]["by_endpoint"] == {"a": 10, "b": 10}
    assert result["value"] == {"in_use": 7, "max": 20, "usage": 0.35}


@pytest.mark.parametrize(
    ("spec", "value"),
    [
        ({"family": "f", "suffix": "_count"}, 7),
        ({"family": {"family": "f_bucket", "labels": {"r": "1"}}, "suffix": "_count"}, 3),
        ({"family": {"sum": ["f", "g"]}, "suffix": "_count"}, 8),
        ({"family": "f", "suffix": ""}, None),
    ],
)
def test_a_suffix_is_of_every_family(observe, spec, value):
    result = observe({"a": 'f_count{r="1"} 3\nf_count{r="2"} 4\ng_count 1\n'}, x=spec)
    assert result["value"].get("x") == value


REFUSED = [
    ({"sum": "f"}, "metric x: sum must be a list of at least 2 families"),
    ({"sum": ["f"]}, "metric x: sum must be a list of at least 2 families"),
    ({"sum": []}, "metric x: sum must be a list of at least 2 families"),
    ({"of": "f", "minus": []}, "metric x: minus must be a list of at least 1 families"),
    ({"minus": "f"}, "metric x: write a family, or sum, or both of and minus"),
    ({"sum": ["f", "g"], "of": "h", "minus": "i"}, "metric x: write a family, or sum, or both of and minus"),
    ({"sum": ["f", "g"], "family": "f"}, "metric x: 'family' is not known for measure value"),
    ({"sum": ["f", None]}, "metric x: write the name of a family or a dict, not nothing"),
    ({"sum": ["f", 3]}, "metric x: write the name of a family or a dict, not 3"),
    ({"sum": ["f", ["g"]]}, "metric x: write the name of a family or a dict, not a list or a dict"),
    ({"sum": ["f", {}]}, "metric x: family must be the name of a metric family, not nothing"),
    (
        {"sum": ["f", {"family": "g", "by": ["a"]}]},
        "metric x: 'by' is not known for a side; known: endpoints, family, labels",
    ),
    ({"sum": ["f", {"promql": "g"}]}, "metric x: 'promql' is not known for a side"),
    ({"measure": "quantile", "sum": ["f", "g"]}, "metric x: a quantile is of one family, not of a sum or a difference"),
    ({"measure": "ratio", "sum": ["f", "g"]}, "metric x: a ratio is of one family"),
    ({"of": "f", "minus": {"family": "g", "endpoints": ["z"]}}, "metric x: endpoints: 'z' is not known; known: a"),
    ({"of": "f", "minus": "g", "aggregate": "most"}, "metric x: aggregate 'most' is not known"),
    ({"family": None}, "metric x: family must be the name of a metric family, not nothing"),
    ({"family": {"labels": {"a": "b"}}}, "metric x: family must be the name of a metric family, not nothing"),
    ({"family": ["f"]}, "metric x: family must be the name of a metric family, not a list or a dict"),
    (None, "metric x: write the name of a family or a dict, not nothing"),
    (True, "metric x: write the name of a family or a dict, not true or false"),
    ({"family": "f", "suffix": 3}, "metric x: suffix must be what follows the family's name"),
    (
        {"family": {"measure": "promql", "promql": "f"}, "measure": "increase"},
        "metric x: the increase of an expression of PromQL is not known; name a family for it",
    ),
    ({"family": {"promql": "f"}, "labels": {"a": "b"}}, "metric x: an expression of PromQL takes no labels"),
]


@pytest.mark.parametrize(("spec", "message"), REFUSED)
def test_what_makes_no_sense_is_refused_in_one_line(observe, spec, message):
    with pytest.raises(ValueError) as caught:
        observe({"a": "f 1\n"}, x=spec)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


# --- from a server -------------------------------------------------------------------------------------------


@pytest.fixture
def ask(monkeypatch):
    """Asks a server that has these series, by name; it knows no PromQL but the name of one series and what is counted."""

    def ask(series: dict[str, list[tuple[dict[str, str], float]]], **wanted: Any) -> dict[str, Any]:
        def fetch(_url: str, *_args: Any, body: bytes, **_kwargs: Any) -> tuple[int, dict[str, str], bytes]:
            query = parse_qs(body.decode())["query"][0]
            named = [rows for name, rows in series.items() if f"({name})" in query]
            rows = named[0] if named and "== 0" not in query else []
            if query.startswith("count("):
                rows = [({}, float(len(rows)))] if rows else []
            elif query.startswith("count by (__name__)"):
                rows = [({"__name__": name}, 1.0) for name in series if name in query]
            result = [{"metric": labels, "value": [1, str(number)]} for labels, number in rows]
            return (
                200,
                {},
                json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}).encode(),
            )

        monkeypatch.setattr(server, "fetch", fetch)
        prometheus = {"url": "http://127.0.0.1", "labels": {}, "endpoints": {}, "window_seconds": 60.0}
        return measure.observe({"prometheus": prometheus, "metrics": wanted, "timeout_seconds": 5})

    return ask


def of(instance: str, **labels: str) -> dict[str, str]:
    return {"__name__": "any", "job": "api", "instance": instance, **labels}


def test_a_server_gives_the_series_and_they_are_matched_here(ask):
    series = {
        "pool_total": [(of("1"), 10.0), (of("2"), 10.0)],
        "pool_idle": [(of("2"), 9.0), (of("1"), 4.0)],
    }
    assert ask(series, x=IN_USE)["value"] == {"x": 7.0}
    assert ask(series, x={**IN_USE, "aggregate": "max"})["value"] == {"x": 6.0}
    result = ask(series, x={**IN_USE, "by": ["instance"]})
    assert result["value"] == {"x": {"1": 6.0, "2": 1.0}}
    assert result["metric"]["x"]["series"] == 4


@pytest.mark.parametrize(
    ("idle", "spec", "reason"),
    [
        ([(of("1"), 4.0)], IN_USE, "pool_total has a series {instance=2,job=api} and pool_idle has not"),
        ([(of("1"), 4.0)], {"sum": ["pool_total", "pool_idle"]}, "pool_total is there for api 2 and pool_idle is not"),
        ([(of("1"), 4.0), (of("2"), 11.0)], IN_USE, "shows -1, which cannot be a count"),
        ([], IN_USE, "pool_idle is not there"),
    ],
)
def test_of_a_server_too_what_one_side_does_not_tell_is_not_measured(ask, idle, spec, reason):
    series = {"pool_total": [(of("1"), 10.0), (of("2"), 10.0)], "pool_idle": idle}
    if not idle:
        del series["pool_idle"]
    result = ask(series, x=spec)
    assert result["value"] == {}
    assert reason in result["reason"]


def test_an_expression_takes_what_the_runbook_asks_of_a_family(ask):
    spec = {"family": {"measure": "promql", "promql": "max(pool_total)"}, "aggregate": "min", "counts": True}
    assert ask({"pool_total": [({}, 3.0)]}, x=spec)["value"] == {"x": 3.0}
    below = ask({"pool_total": [({}, -3.0)]}, x=spec)
    assert "shows -3, which cannot be a count" in below["reason"]
