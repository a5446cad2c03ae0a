# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Points of a metric -> its figures and its picture: gaps, one point, a constant, very many, no numbers, a clock set back."""

from __future__ import annotations

import math
import re
import time
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.oncall.runbooks.tests.support.incident_documents import BEGAN, Told, story
from oncall.incidents import postmortem
from oncall.incidents.postmortem import plot, points
from oncall.incidents.postmortem.html import plots
from oncall.incidents.postmortem.plot import Mark, svg
from oncall.incidents.postmortem.timeline import Entry

NAN = math.nan
WINDOW = (BEGAN, BEGAN + 600)


def metric(told, window=WINDOW, name="error_rate", unit="ratio"):
    entry = Entry(number=3, at=BEGAN, kind="metric", data={"name": name, "unit": unit, "points": told})
    return points.metric(name, [entry], window, (1, 2))


def every(seconds, values, begin=BEGAN):
    return [[begin + seconds * place, value] for place, value in enumerate(values)]


def drawn(told, marks=(), **more):
    """The picture: its lines as lists of points, its single points, its words; it is well-formed XML."""
    picture = svg(metric(told), marks, **more)
    root = ElementTree.fromstring(picture)
    curves = re.findall(r'class="curve" d="M([^"]*)"', picture)
    lines = [[tuple(map(float, pair.split())) for pair in curve.split("L")] for curve in curves]
    dots = [
        tuple(map(float, pair))
        for pair in re.findall(r'<circle class="curve-point" cx="([\d.-]+)" cy="([\d.-]+)"', picture)
    ]
    numbers = [float(one) for line in lines for pair in line for one in pair] + [one for dot in dots for one in dot]
    assert all(0 <= one <= plot.WIDTH for one in numbers), picture
    return lines, dots, " ".join(root.itertext())


def test_the_picture_is_the_metric():
    lines, dots, said = drawn(every(60, [0.0, 0.5, 1.0]))
    assert (lines, dots) == ([[(8.0, 194.0), (210.0, 130.0), (412.0, 66.0)]], [])
    assert "0 to 1 ratio" in said and "03:07:12" in said and "03:09:12 UTC" in said


@pytest.mark.parametrize(
    ("told", "lines", "dots"),
    [
        # Ten minutes without a point are no line from one end to the other.
        (every(30, range(5)) + every(30, range(5), BEGAN + 720), [5, 5], 0),
        # Where a value is missing, there is none.
        (every(30, [1, 2, NAN, 3, 4]), [2, 2], 0),
        (every(30, [1, 2, None, 3, math.inf, 4, 5]), [2, 2], 1),
        # One point, or two at the same moment.
        (every(30, [7]), [], 1),
        ([[BEGAN, 1], [BEGAN, 2]], [2], 0),
        # A constant.
        (every(30, [3] * 5), [5], 0),
        # The clock was set back by ten minutes: two lines, none that runs backwards.
        (every(30, range(10), BEGAN + 600) + every(30, range(10)), [10, 10], 0),
        # Nothing.
        ([], [], 0),
        (every(30, [NAN, None, math.inf]), [], 0),
    ],
)
def test_what_is_not_measured_is_not_drawn(told, lines, dots):
    found, single, _said = drawn(told)
    assert ([len(line) for line in found], len(single)) == (lines, dots)
    assert all(one[0] <= other[0] for line in found for one, other in zip(line, line[1:], strict=False))


def test_a_constant_stands_in_the_middle_and_names_its_value_once():
    ((first, *_rest),), _dots, said = drawn(every(30, [3] * 5))
    assert first[1] == 130.0
    assert " 3 ratio " in said and "3 to" not in said


def test_without_a_value_it_says_so():
    assert "no value is known" in drawn([])[2]
    found = metric(every(30, [NAN, NAN]))
    assert (found.count, found.not_measured, found.figures) == (2, 2, ())
    assert found.not_known == "the record has no value of it from that time"
    assert (
        plot.description(found)
        == "error_rate: the record has no value of it from that time. 2 of 2 points have no value."
    )


def test_what_is_no_point_is_none():
    found = metric(
        [
            [BEGAN, 1],
            [BEGAN],
            "x",
            [None, 2],
            [NAN, 3],
            ["1", 4],
            [BEGAN + 1, "5"],
            [BEGAN + 2, True],
            {"at": 1},
            [BEGAN + 3, 6],
        ]
    )
    assert found.points == ((BEGAN, 1), (BEGAN + 1, None), (BEGAN + 2, None), (BEGAN + 3, 6))
    assert metric(None).points == metric("points").points == ()


def test_figures_are_those_of_the_window():
    told = every(60, [99, 5, 1, 9, 4, 77], BEGAN - 60)
    found = metric(told, (BEGAN, BEGAN + 180))
    assert [(one.name, one.at - BEGAN, one.value) for one in found.figures] == [
        ("first", 0, 5), ("lowest", 60, 1), ("highest", 120, 9), ("last", 180, 4),
    ]  # fmt: skip
    assert (found.count, found.step_seconds, found.set_back) == (4, 60, 0)
    assert len(found.points) == 6


def test_a_clock_set_back_is_counted_and_told():
    found = metric(every(30, range(4), BEGAN + 300) + every(30, range(4)))
    assert found.set_back == 1
    assert "The clock was set back 1 times." in plot.description(found)
    assert [(one.name, one.at - BEGAN) for one in found.figures if one.name in ("first", "last")] == [
        ("first", 0),
        ("last", 390),
    ]


def test_a_hundred_thousand_points_are_thinned_and_no_extreme_is_lost():
    values = [math.sin(place / 1000) for place in range(100_000)]
    values[31_415], values[92_653] = 40.0, -40.0
    told = every(1, values)
    began = time.process_time()
    found = metric(told, (BEGAN, BEGAN + 100_000))
    picture = svg(found)
    assert time.process_time() - began < 2
    assert len(found.points) <= 4 * points.COLUMNS + 4 and len(picture) < 40_000
    assert {one.value for one in found.figures if one.name in ("lowest", "highest")} == {40.0, -40.0}
    assert {tuple(one) for one in told} >= set(found.points) >= {(BEGAN + 31_415, 40.0), (BEGAN + 92_653, -40.0)}
    assert len(points.lines(found.points, 3 * 100_000 / points.COLUMNS)) == 1


def test_a_gap_among_very_many_stays_one():
    told = every(1, range(20_000)) + every(1, range(20_000), BEGAN + 60_000)
    lines, dots, _said = drawn(told)
    assert (len(lines), dots) == (2, [])


def test_a_clock_that_jumps_all_the_time_gives_one_line_in_order():
    told = [[BEGAN + (place if place % 2 else 100_000 - place), place] for place in range(100_000)]
    found = metric(told)
    assert found.set_back > 1000 and len(found.points) <= 4 * points.COLUMNS + 4
    assert [at for at, _value in found.points] == sorted(at for at, _value in found.points)


POINT = st.tuples(
    st.floats(0, 1e10, allow_nan=False),
    st.one_of(
        st.none(), st.floats(allow_nan=True, allow_infinity=True), st.integers(-(10**400), 10**400), st.booleans()
    ),
)


@given(st.lists(POINT, max_size=30), st.integers(1, 5))
def test_whatever_the_points_are_they_fit_the_picture_and_stand_in_the_record(told, columns):
    drawn([list(one) for one in told], [Mark(one[0], place, "x") for place, one in enumerate(told, start=1)])
    clean = [point for entry in [told] for point in points._points([list(one) for one in entry])]
    kept = points.thinned(clean, columns)
    assert set(kept) <= set(clean)
    measured = [value for _at, value in clean if value is not None]
    if measured:
        left = [value for _at, value in kept if value is not None]
        assert (min(left), max(left)) == (min(measured), max(measured))


def test_actions_are_marked_with_the_numbers_of_their_entries():
    marks = [Mark(BEGAN + 60, 4, "restart cache"), Mark(BEGAN + 62, 9, "roll back"), Mark(BEGAN + 1e6, 11, "too late")]
    picture = svg(metric(every(30, range(10))), marks)
    assert re.findall(r"#(\d+)<", picture) == ["4", "9"] and picture.count('class="mark"') == 2
    heights = re.findall(r'class="mark-name" x="[\d.]+" y="(\d+)"', picture)
    assert len(set(heights)) == 2
    assert (
        "Marked are 2 actions: #4 at 2026-06-09 03:08:12 UTC: restart cache; #9 at 2026-06-09 03:08:14 UTC: roll back."
        in picture
    )


def test_a_hundred_marks_do_not_write_over_each_other():
    picture = svg(metric(every(30, range(10))), [Mark(BEGAN + place, place + 2, "x") for place in range(100)])
    assert picture.count('class="mark"') == 100
    named = [(float(x), int(y)) for x, y in re.findall(r'class="mark-name" x="([\d.]+)" y="(\d+)"', picture)]
    for row in {y for _x, y in named}:
        places = sorted(x for x, y in named if y == row)
        assert all(later - earlier >= 36 for earlier, later in zip(places, places[1:], strict=False))


def test_it_has_a_title_and_words_that_its_role_points_to():
    picture = svg(metric(every(30, [1, 2])), name="plot-7")
    root = ElementTree.fromstring(picture)
    assert (root.get("role"), root.get("aria-labelledby")) == ("img", "plot-7-title plot-7-text")
    assert [(one.tag, one.get("id"), one.text) for one in root][:2] == [
        ("title", "plot-7-title", "error_rate"),
        ("desc", "plot-7-text", plot.description(metric(every(30, [1, 2])))),
    ]


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", '"/><image href="http://evil.example"/>', "\x1b[31mred\u202e", "&amp;&#0;"]
)
def test_names_and_units_are_text(name):
    picture = svg(metric(every(30, [1, 2]), name=name, unit=name), [Mark(BEGAN + 10, 5, name)], alone=True)
    kinds = {one.tag.rpartition("}")[2] for one in ElementTree.fromstring(picture).iter()}
    assert kinds <= {"svg", "title", "desc", "style", "rect", "path", "text", "circle"}
    assert not re.search(r"[\x00-\x08\x1b\u202e]", picture)


def test_one_alone_brings_its_colours_and_loads_nothing():
    pictures = plots(postmortem.of(story("synap").document()), alone=True)
    assert len(pictures) == 1
    assert 'xmlns="http://www.w3.org/2000/svg"' in pictures[0] and "prefers-color-scheme: dark" in pictures[0]
    assert not re.search(r"href|url\(|@import|<script", pictures[0])


def test_over_several_days_the_days_are_named():
    assert "2026-06-09 03:07:12" in drawn(every(86_400, [1, 2, 3]))[2]


def test_metrics_of_one_name_are_one_picture_with_all_their_entries():
    told = Told()
    told.add("opened", "down", later=0, title="down", system="synap")
    for part in range(3):
        told.add("metric", "more", name="error_rate", unit="ratio", points=every(30, range(4), BEGAN + 120 * part))
    told.add("metric", "more", name="latency", unit="s", points=every(30, range(4)))
    found = postmortem.of(told.document())
    assert [(one.name, len(one.points), one.entries) for one in found.metrics] == [
        ("error_rate", 12, (1, 2, 3, 4, 5)),
        ("latency", 4, (1, 5)),
    ]
