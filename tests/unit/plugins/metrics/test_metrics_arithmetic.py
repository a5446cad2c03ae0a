# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is worked out of samples: which count, how they grow, how much they are together, quantiles of histograms."""

from __future__ import annotations

import math

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.metrics import arithmetic
from ansible_collections.oncall.runbooks.plugins.module_utils.metrics.histogram import bucket_groups, histogram_quantile

nan, inf = math.nan, math.inf


SERIES = [
    ({"status": "200", "route": "/a"}, 90.0),
    ({"status": "500", "route": "/a"}, 6.0),
    ({"status": "503", "route": "/b"}, 4.0),
    ({"route": "/c"}, 1.0),
]


@pytest.mark.parametrize(
    ("labels", "values"),
    [
        ({}, [90, 6, 4, 1]),
        ({"status": "500"}, [6]),
        ({"status": "~5.."}, [6, 4]),
        ({"status": "~5"}, []),
        ({"status": "~5..", "route": "/b"}, [4]),
        ({"status": ""}, [1]),
        ({"status": "~.+"}, [90, 6, 4]),
    ],
)
def test_series_are_selected_by_labels(labels, values):
    selected = arithmetic.select(SERIES, arithmetic.label_tests(labels))
    assert [value for _, value in selected] == values


def test_an_expression_that_does_not_compile_is_named():
    with pytest.raises(ValueError, match="label status: '\\(' is no regular expression"):
        arithmetic.label_tests({"status": "~("})


@pytest.mark.parametrize(
    ("how", "by", "expected"),
    [
        ("sum", (), {(): 101}),
        ("max", (), {(): 90}),
        ("min", (), {(): 1}),
        ("avg", (), {(): 25.25}),
        ("count", (), {(): 4}),
        ("sum", ("route",), {("/a",): 96, ("/b",): 4, ("/c",): 1}),
        ("sum", ("status", "route"), {("200", "/a"): 90, ("500", "/a"): 6, ("503", "/b"): 4, ("", "/c"): 1}),
    ],
)
def test_series_are_aggregated(how, by, expected):
    assert arithmetic.aggregate(SERIES, how, by) == expected


@pytest.mark.parametrize("how", ["sum", "max", "min", "avg"])
@pytest.mark.parametrize("values", [(nan, 1.0), (1.0, nan), (inf, -inf, nan)])
def test_a_nan_is_never_aggregated_away(how, values):
    assert math.isnan(arithmetic.aggregate([({}, value) for value in values], how)[()])


def test_no_series_give_no_group():
    assert arithmetic.aggregate([], "sum") == {}
    assert arithmetic.aggregate([({}, inf), ({}, 1.0)], "sum") == {(): inf}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"a": 5}, {"a": 9}, {"a": 4}),
        ({"a": 5}, {"a": 5}, {"a": 0}),
        ({"a": 500}, {"a": 3}, {"a": 3}),  # reset
        ({}, {"a": 7}, {"a": 7}),  # first counted during the window
        ({"a": 5, "b": 1}, {"a": 6}, {"a": 1}),  # gone
        ({"a": 500, "b": 1}, {"a": 3, "b": 2}, {"a": 3, "b": 1}),
    ],
)
def test_counters_grow_also_over_a_reset(before, after, expected):
    def samples(values):
        return [({"s": name, "t": ""}, float(value)) for name, value in values.items()]

    grown = arithmetic.increase(samples(before), samples(after))
    assert {labels["s"]: value for labels, value in grown} == expected
    assert arithmetic.per_second(grown, 2.0) == [(labels, value / 2) for labels, value in grown]


def test_the_buckets_of_one_histogram_are_reset_together():
    def buckets(route, *counts):
        return [
            ({"route": route, "le": le}, float(count)) for le, count in zip(("0.1", "1", "+Inf"), counts, strict=True)
        ]

    # /a was fast for 5 of 100 and, since a restart, is for 20 of 21; /b was not restarted.
    before, after = (
        buckets("/a", 5, 90, 100) + buckets("/b", 1, 2, 2),
        buckets("/a", 20, 20, 21) + buckets("/b", 3, 5, 5),
    )
    assert arithmetic.increase(before, after) == buckets("/a", 20, 20, 21) + buckets("/b", 2, 3, 3)


@pytest.mark.parametrize(("of", "to", "expected"), [(1.0, 4.0, 0.25), (0.0, 4.0, 0.0), (4.0, 4.0, 1.0)])
def test_ratio(of, to, expected):
    assert arithmetic.ratio(of, to) == expected


@pytest.mark.parametrize(("of", "message"), [(0.0, "0 / 0"), (3.0, "3 / 0")])
def test_a_ratio_to_nothing_is_no_number(of, message):
    with pytest.raises(ValueError, match=message):
        arithmetic.ratio(of, 0.0)


@pytest.mark.parametrize(
    ("quantile", "buckets", "expected"),
    [
        # rank 50 is the end of the first bucket, 75 the middle of the second
        (0.5, {1: 50, 2: 100, inf: 100}, 1.0),
        (0.75, {1: 50, 2: 100, inf: 100}, 1.5),
        (0.25, {1: 50, 2: 100, inf: 100}, 0.5),
        (1.0, {1: 50, 2: 100, inf: 100}, 2.0),
        (0.0, {1: 50, 2: 100, inf: 100}, 0.0),
        (0.0, {1: 0, 2: 100, inf: 100}, 0.0),
        # in the +Inf bucket: the last finite bound
        (0.95, {1: 50, 2: 60, inf: 100}, 2.0),
        # an empty bucket is passed over
        (0.9, {1: 50, 2: 50, 4: 100, inf: 100}, 3.6),
        # a first bound that is not positive has no lower end
        (0.1, {-1: 50, 2: 100, inf: 100}, -1.0),
        (0.75, {-1: 50, 2: 100, inf: 100}, 0.5),
        # a bucket below the one before it
        (0.5, {1: 60, 2: 50, inf: 100}, 50 / 60),
    ],
)
def test_quantiles_are_those_of_prometheus(quantile, buckets, expected):
    assert histogram_quantile(quantile, buckets) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("buckets", "message"),
    [
        ({}, r"no \+Inf bucket"),
        ({1: 50, 2: 100}, r"no \+Inf bucket"),
        ({inf: 100}, r"only the \+Inf bucket"),
        ({1: 0, 2: 0, inf: 0}, "no observations"),
        ({1: 0, 2: 0, inf: nan}, "no observations"),
    ],
)
def test_a_quantile_that_cannot_be_told_says_why(buckets, message):
    with pytest.raises(ValueError, match=message):
        histogram_quantile(0.95, buckets)


def test_buckets_of_several_series_are_added_by_their_bound():
    samples = [
        ({"le": "1", "route": "/a"}, 1.0),
        ({"le": "1.0", "route": "/b"}, 2.0),
        ({"le": "+Inf", "route": "/a"}, 3.0),
        ({"le": "+Inf", "route": "/b"}, 4.0),
    ]
    assert bucket_groups(samples) == {(): {1.0: 3.0, inf: 7.0}}
    assert bucket_groups(samples, ["route"]) == {
        ("/a",): {1.0: 1.0, inf: 3.0},
        ("/b",): {1.0: 2.0, inf: 4.0},
    }
    for le in ("", "wide", "NaN"):
        with pytest.raises(ValueError, match="a bucket with le="):
            bucket_groups([({"le": le}, 1.0)])
