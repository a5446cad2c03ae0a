# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an inventory calls a measurement: looked up, and refused in one line where it is none."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.oncall.runbooks.plugins.filter.errors_around import errors_around
from ansible_collections.oncall.runbooks.plugins.filter.system_metric import system_metric
from docs.generate import metrics as page
from docs.generate.source import Runbook, SourceError, load, runbook_names

HIT = {"family": "cache_gets_total", "labels": {"result": "hit"}}
TAKEN = [
    "cache_hits_total",
    "app.cache.hits",
    HIT,
    {"family": HIT},
    {"sum": ["a", HIT]},
    {"of": "total", "minus": "idle"},
    {"of": HIT, "minus": [{"sum": ["a", "b"]}, HIT]},
    {"measure": "promql", "promql": "sum(a)"},
    {"family": "a", "aggregate": "max"},
]


@pytest.mark.parametrize("said", TAKEN, ids=str)
def test_what_is_said_of_a_family_is_given_on(said):
    assert system_metric({"cache_hits": said}, "cache_hits") == said
    asked = system_metric({"cache_hits": said}, "cache_hits", required=True, measure="increase", counts=True)
    assert asked == {"measure": "increase", "counts": True, "family": said}


@pytest.mark.parametrize("said", [None, {}, "", {"cache_hits": None}, {"cache_hits": ""}, {"other": "x"}], ids=str)
def test_what_is_not_said_is_empty_or_named(said):
    assert system_metric(said, "cache_hits", measure="increase") == ""
    with pytest.raises(AnsibleFilterError, match=r"^set system_metrics\.cache_hits$"):
        system_metric(said, "cache_hits", required=True)


def test_a_name_that_is_nearly_right_is_told():
    with pytest.raises(AnsibleFilterError, match=r"^set system_metrics\.cache_hits; cache_hit is not a name that"):
        system_metric({"cache_hit": "x", "misses": "y"}, "cache_hits", required=True)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (3, "write the name of a family or a dict, not 3"),
        (True, "write the name of a family or a dict, not true or false"),
        (["a", "b"], "write the name of a family or a dict, not a list or a dict"),
        ({}, "family must be the name of a metric family, not nothing"),
        ({"labels": {"a": "b"}}, "family must be the name of a metric family, not nothing"),
        ({"family": 3}, "family must be the name of a metric family, not 3"),
        ({"family": ["a"]}, "family must be the name of a metric family, not a list or a dict"),
        ({"family": "a", "labels": ["b"]}, "labels must be a dict of label name to value"),
        ({"family": "a", "labels": {"b": "~("}}, "labels: label b: '(' is no regular expression"),
        (
            {"family": "a", "label": {"b": "c"}},
            "'label' is not known; known: aggregate, by, counts, endpoints, family, labels",
        ),
        ({"measure": "ratio", "of": "a", "to": "b"}, "'to' is not known"),
        ({"measure": "promql", "promql": "a", "sum": ["b", "c"], "x": 1}, "'x' is not known"),
        ({"sum": ["a"]}, "sum must be a list of at least 2 families"),
        ({"sum": ["a", None]}, "write the name of a family or a dict, not nothing"),
        ({"of": "a"}, "write a family, or sum, or both of and minus"),
        ({"minus": "a"}, "write a family, or sum, or both of and minus"),
        ({"of": "a", "minus": {"sum": ["b", {"promql": "c"}]}}, "'promql' is not known for a side"),
        (" ", "family must be the name of a metric family"),
    ],
    ids=str,
)
def test_what_is_no_family_is_refused_with_its_place(said, message):
    with pytest.raises(AnsibleFilterError) as caught:
        system_metric({"cache_hits": said}, "cache_hits", measure="increase")
    assert str(caught.value).startswith("system_metrics.cache_hits: ")
    assert message in str(caught.value)
    assert not re.search(r"object at 0x|<class|Traceback|\n", str(caught.value))


@pytest.mark.parametrize("metrics", [["a"], "a", 3], ids=str)
def test_what_is_no_dictionary_is_refused(metrics):
    with pytest.raises(AnsibleFilterError, match=r"^system_metrics has to be a dictionary of names to families$"):
        system_metric(metrics, "cache_hits")


def test_every_runbook_asks_for_every_metric_in_this_way():
    """So that each entry of system_metrics can be written in every way."""
    for name in runbook_names():
        text = str(load("roles", name, "meta", "runbook.yml").get("options"))
        assert not re.findall(r"system_metrics\.[a-z_]+|system_metrics\[", text), name


def test_the_list_names_each_metric_once_with_who_asks_for_it():
    asked = page.users([Runbook(name) for name in runbook_names()])
    described = load("roles", "system", "meta", "metrics.yml")
    assert asked["db_pool_waiting"] == {"api_down": False, "db_pool": True, "error_rate": False, "latency": False}
    text = page.page(described, asked)
    assert all(text.count(f"\n| `{name}` |") == 1 for name in asked)
    with pytest.raises(SourceError, match="does not describe more, which some asks for"):
        page.page(described, {**asked, "more": {"some": True}})
    with pytest.raises(SourceError, match="describes more, which no runbook asks for"):
        page.page({**described, "more": {}}, asked)


def promql(answers: dict[str, Any], what: str) -> str:
    asked = errors_around(answers, {"status": "~5.."}, {"labels": {"job": "api"}}, 100, 200, 50, 1000)
    return asked[what]["promql"]


def test_the_history_of_a_sum_or_difference_is_that_of_its_sides():
    plain = promql({"family": "f"}, "before_answers")
    assert plain.startswith("sum((")
    labelled = promql({"family": HIT}, "after_errors")
    assert labelled.count('cache_gets_total{job="api",result="hit",status=~"5.."}') == 3
    assert labelled.endswith(" or vector(0)")
    summed = promql({"sum": ["f", "g"]}, "before_answers")
    assert summed == f"({plain}) + ({promql({'family': 'g'}, 'before_answers')})"
    less = promql({"of": "f", "minus": "g"}, "after_errors")
    assert less == f"({promql({'family': 'f'}, 'after_errors')}) - ({promql({'family': 'g'}, 'after_errors')})"
