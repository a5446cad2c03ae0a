# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read out of a metrics text."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from ansible_collections.oncall.runbooks.plugins.module_utils.metrics import exposition
from ansible_collections.oncall.runbooks.plugins.module_utils.metrics.exposition import scan
from ansible_collections.oncall.runbooks.plugins.module_utils.metrics.histogram import bucket_groups
from ansible_collections.oncall.runbooks.plugins.module_utils.metrics.near_names import family_names, near_names

DATA = Path(__file__).parent / "data"
CAPTURED = [
    ("metrics_prometheus_client.txt", parse_text),
    ("metrics_openmetrics.txt", parse_openmetrics),
    ("metrics_node_app.txt", parse_text),
]
nan, inf = math.nan, math.inf


def canonical(samples):
    """Samples in an order of their own, with NaN equal to NaN."""
    return sorted((sorted(labels.items()), repr(float(value))) for labels, value in samples)


@pytest.mark.parametrize(("name", "parse"), CAPTURED)
def test_every_captured_sample_is_read_as_the_reference_parser_reads_it(name, parse):
    body = (DATA / name).read_bytes()
    expected = {}
    for family in parse(body.decode()):
        for sample in family.samples:
            expected.setdefault(sample.name, []).append((sample.labels, sample.value))
    assert len(expected) > 15
    for sample_name, samples in expected.items():
        assert canonical(scan(body, {sample_name}, ("",))[sample_name]) == canonical(samples), sample_name


def test_all_captured_families_at_once_are_the_same_as_one_by_one():
    body = (DATA / "metrics_prometheus_client.txt").read_bytes()
    names = {
        "app_db_pool_waiting",
        "app_response_status",
        "app_request_duration_seconds",
        "app_payload_bytes",
    }
    together = scan(body, names)
    assert sorted(together) == [
        "app_db_pool_waiting",
        "app_payload_bytes_count",
        "app_payload_bytes_sum",
        "app_request_duration_seconds_bucket",
        "app_request_duration_seconds_count",
        "app_request_duration_seconds_sum",
        "app_response_status_total",
    ]
    assert together["app_db_pool_waiting"] == [({}, 3.0)]
    assert len(together["app_request_duration_seconds_bucket"]) == 30


@pytest.mark.parametrize(
    ("line", "labels", "value"),
    [
        ("f 1", {}, 1.0),
        ("f{} 1", {}, 1.0),
        ("f\t\t1", {}, 1.0),
        ("  f 1  ", {}, 1.0),
        ("f 1 1700000000000", {}, 1.0),
        ("f 1 -1700000000.5", {}, 1.0),
        ("f 1e-3", {}, 0.001),
        ("f -2.5E+2", {}, -250.0),
        ("f NaN", {}, nan),
        ("f Nan", {}, nan),
        ("f +Inf", {}, inf),
        ("f -Inf", {}, -inf),
        ("f\r", None, None),
        ("f 1\r", {}, 1.0),
        ('f{a="b"}1', {"a": "b"}, 1.0),
        ('f {a="b"} 1', {"a": "b"}, 1.0),
        ('f{ a = "b" , c = "d" , } 1', {"a": "b", "c": "d"}, 1.0),
        ('f{a=""} 1', {"a": ""}, 1.0),
        ('f{a="x}y{z,w=\\"v"} 1', {"a": 'x}y{z,w="v'}, 1.0),
        ('f{a="\\\\",b="\\n",c="\\""} 1', {"a": "\\", "b": "\n", "c": '"'}, 1.0),
        ('f{a="\\\\n"} 1', {"a": "\\n"}, 1.0),
        ('f{a="ü 数 … f 9"} 1', {"a": "ü 数 … f 9"}, 1.0),
        ('f{"some.label"="b"} 1', {"some.label": "b"}, 1.0),
        ('f{a="# {b}"} 1 1.5 # {trace_id="x # {"} 0.5 1.2', {"a": "# {b}"}, 1.0),
        ("f 1 # {} 0.5", {}, 1.0),
        ("f", None, None),
        ("f one", None, None),
        ("f 1_0", None, None),
        ("f 1 2 3", None, None),
        ("f 1 trailing", None, None),
        ("f{ 1", None, None),
        ('f{a="b} 1', None, None),
        ("f{a=b} 1", None, None),
        ('f{a="b"c="d"} 1', None, None),
        ('f{a="b",a="c"} 1', None, None),
        ("f{,} 1", None, None),
        ('f{a="b"}', None, None),
        ("f=1", None, None),
    ],
)
def test_a_line_is_a_sample_or_names_its_number(line, labels, value):
    body = f"# TYPE f gauge\nother 3\n{line}\n# EOF\n".encode()
    if labels is None:
        with pytest.raises(ValueError, match=r"^line 3 \(f\) is not valid: "):
            scan(body, {"f"})
        assert scan(body, {"other"}) == {"other": [({}, 3.0)]}
    else:
        assert canonical(scan(body, {"f"})["f"]) == canonical([(labels, value)])


NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("line", "fresh"),
    [
        ("f 1", True),
        # milliseconds, as in the text format; seconds, as in OpenMetrics
        ("f 1 1700000000000", True),
        ("f 1 1699999800000", True),
        ("f 1 1699996400000", False),
        ("f 1 1700000000.5", True),
        ("f 1 1699996400", False),
        ("f 1 0", False),
        ("f 1 -1700000000.5", False),
        ('f{a="b"} 1 1699996400000 # {trace_id="x"} 0.5 1700000000', False),
        ("f 1 1700003600000", True),
    ],
)
def test_what_says_that_it_is_old_is_not_read_where_that_matters(line, fresh):
    body = f"# TYPE f gauge\n{line}\n".encode()
    assert len(scan(body, {"f"})["f"]) == 1
    if fresh:
        assert len(scan(body, {"f"}, oldest=NOW - 300)["f"]) == 1
    else:
        with pytest.raises(ValueError, match=r"^line 2 \(f\) is not valid: it is stale"):
            scan(body, {"f"}, oldest=NOW - 300)
    assert scan(body, {"other"}, oldest=NOW - 300) == {}


def test_labels_that_are_not_utf_8_name_their_line():
    with pytest.raises(ValueError, match=r"^line 1 \(f\) is not valid: not UTF-8$"):
        scan(b'f{a="\xff"} 1\n', {"f"})


@pytest.mark.parametrize(
    ("body", "family", "expected"),
    [
        # where the line stands
        ("f 1", "f", {"f": [1]}),
        ("x 0\r\nf 1\r\n# EOF\r\n", "f", {"f": [1]}),
        ('f{a="b"} 1\nf 2', "f", {"f": [1, 2]}),
        # what only looks like it
        ("app_db_pool_waiting 1\napp_db_pool 2\n", "app_db_pool", {"app_db_pool": [2]}),
        ("app_db_pool_waiting 1\napp_db_pool:rate 2\napp_db_pool.x 2\n", "app_db_pool", {}),
        ("# HELP f f 9\\nf 8\n# f 7\nf 1\n", "f", {"f": [1]}),
        ('x{a="f 9\\nf 8"} 0\nf 1\n', "f", {"f": [1]}),
        ("xf 1\n", "f", {}),
        ("a:b:c 1\na:b 2\n", "a:b", {"a:b": [2]}),
        ("a_b 1\na.b 2\n", "a_b", {"a_b": [1]}),
        # counters with and without _total, asked for either way
        ("# TYPE c counter\nc_total 5\nc_created 1\n", "c", {"c_total": [5]}),
        ("# TYPE c counter\nc_total 5\n", "c_total", {"c_total": [5]}),
        ("# TYPE c counter\nc 5\n", "c_total", {"c": [5]}),
        ("# TYPE c gauge\nc 5\n", "c_total", {}),
        ("c 5\n", "c_total", {}),
        # declared, but nothing in it yet
        ("# TYPE c counter\n", "c", {"c": []}),
        ("# TYPE c counter\n", "c_total", {"c_total": []}),
        ("# TYPE c_total counter\nd 1\n", "c_total", {"c_total": []}),
        ("# HELP x # TYPE c counter\n", "c", {}),
        ("# EOF\n", "c", {}),
        ("", "c", {}),
    ],
)
def test_only_the_family_asked_for_is_read(body, family, expected):
    found = scan(body.encode(), {family})
    assert {name: [value for _, value in samples] for name, samples in found.items()} == expected


def quoted_name(line):
    return line.replace("NAME", '"app.db.pool.in_use"')


@pytest.mark.parametrize(
    ("line", "family", "labels"),
    [
        ("{NAME} 5", "app.db.pool.in_use", {}),
        ('{NAME,pool="main"} 5', "app.db.pool.in_use", {"pool": "main"}),
        ('{NAME,"db.pool"="main"} 5', "app.db.pool.in_use", {"db.pool": "main"}),
        (' { NAME , pool = "main" , } 5 1700000000000', "app.db.pool.in_use", {"pool": "main"}),
        ('{pool="main",NAME} 5', "app.db.pool.in_use", {"pool": "main"}),
        ('{NAME,pool="}, {"} 5 # {trace_id="x"} 1', "app.db.pool.in_use", {"pool": "}, {"}),
        ('{"plain_name",pool="main"} 5', "plain_name", {"pool": "main"}),
        ('{"größe.数"} 5', "größe.数", {}),
        ('{"a \\"b\\" \\\\ c"} 5', 'a "b" \\ c', {}),
        ('{"a{b} 7"} 5', "a{b} 7", {}),
        ('{"app.db",x="app.db"} 5', "app.db", {"x": "app.db"}),
    ],
)
def test_names_in_quotes_are_read_as_the_reference_parser_reads_them(line, family, labels):
    body = quoted_name(line) + "\n"
    assert scan(body.encode(), {family}, ("",)) == {family: [(labels, 5.0)]}
    [of_reference] = parse_text(body)
    [sample] = of_reference.samples
    assert (sample.name, sample.labels, sample.value) == (family, labels, 5.0)


@pytest.mark.parametrize(
    "body",
    [
        '{"app.db.more"} 5',
        '{"more.app.db"} 5',
        '{"other",x="app.db"} 5',
        '{"other","app.db"="x"} 5',
        '{x="app.db"} 5',
        'other{x="app.db"} 5',
        'other{"app.db"="x"} 5',
        '# HELP other {"app.db"} 5',
        '# {"app.db"} 5',
        '{"app_db"} 5',
    ],
)
def test_a_quoted_text_that_is_not_the_name_is_not_taken_for_it(body):
    assert scan(body.encode(), {"app.db"}) == {}


@pytest.mark.parametrize(
    "line", ['{"f"}', '{"f"} one', '{"f",a=b} 1', '{"f","g"} 1', 'f{"g"} 1', '{"f",a="b",a="c"} 1']
)
def test_a_damaged_line_with_a_name_in_quotes_names_its_number(line):
    with pytest.raises(ValueError, match=r"^line 2 \(f\) is not valid: "):
        scan(f"other 3\n{line}\n".encode(), {"f"})


def test_a_counter_and_a_histogram_with_names_in_quotes():
    body = (
        b'# TYPE "a.b" counter\n{"a.b_total",x="1"} 5\n# TYPE "c.d" histogram\n{"c.d_bucket",le="1"} 1\n'
        b'{"c.d_bucket",le="+Inf"} 2\n{"c.d_count"} 2\n# TYPE "e.f" gauge\n'
    )
    assert scan(body, {"a.b"}) == {"a.b_total": [({"x": "1"}, 5.0)]}
    assert scan(body, {"a.b_total"}) == {"a.b_total": [({"x": "1"}, 5.0)]}
    assert len(scan(body, {"c.d"}, ("_bucket",))["c.d_bucket"]) == 2
    assert scan(body, {"e.f"}) == {"e.f": []}
    assert family_names(body) == {"a.b", "a.b_total", "c.d", "c.d_bucket", "c.d_count", "e.f"}
    assert near_names(body, "a_b")[0] == "a.b"


@pytest.mark.parametrize(
    ("name", "needed"), [("a_b:c9", False), ("a.b", True), ("9a", True), ("a b", True), ("ü", True)]
)
def test_what_can_be_written_only_in_quotes(name, needed):
    assert exposition.needs_utf8(name) is needed


ONCE = [
    ("f 5\nf 5\n", [({}, 5)]),
    ("f 5\n# TYPE f gauge\n# HELP f x\nf 5.0\n# TYPE f gauge\n# HELP f x\nf 5e0\n", [({}, 5)]),
    ('f{a="1",b="2"} 5\nf{b="2",a="1"} 5\n', [({"a": "1", "b": "2"}, 5)]),
    ('f{a="1"} 5\nf{ a = "1" , } 5\n', [({"a": "1"}, 5)]),
    ('f{a="1"} 5\n{"f",a="1"} 5\n', [({"a": "1"}, 5)]),
    ('f{a="1"} 5\nf{"a"="1"} 5\n', [({"a": "1"}, 5)]),
    ('f{a=""} 5\nf 5\n', [({"a": ""}, 5)]),
    ('f 5 # {trace_id="x"} 1\nf 5 # {trace_id="y"} 2\n', [({}, 5)]),
    ("f NaN\nf Nan\n", [({}, nan)]),
    ("f +Inf\nf Inf\n", [({}, inf)]),
    ("f 5 1700000000000\nf 5 1700000000000\n", [({}, 5)]),
    ("f 5\nf 5 1700000000000\n", [({}, 5)]),
    # a later one counts, as in Prometheus
    ("f 5 1700000000000\nf 7 1700000001000\n", [({}, 7)]),
    ("f 7 1700000001\nf 5 1700000000\n", [({}, 7)]),
    # what only looks like the same
    ('f{a="1"} 5\nf{a="2"} 5\n', [({"a": "1"}, 5), ({"a": "2"}, 5)]),
    ('f{a="1"} 5\nf{a="1.0"} 6\n', [({"a": "1"}, 5), ({"a": "1.0"}, 6)]),
    ('f{a="1"} 5\nf 6\n', [({"a": "1"}, 5), ({}, 6)]),
    ('f{quantile="0.5"} 5\nf{quantile="0.50"} 5\n', [({"quantile": "0.5"}, 5)]),
]


@pytest.mark.parametrize(("body", "samples"), ONCE)
def test_the_same_series_twice_counts_once(body, samples):
    assert canonical(scan(body.encode(), {"f"})["f"]) == canonical(samples)


TWICE = [
    ("f 5\nf 6\n", "f is there twice, with 5 in line 1 and 6 in line 2"),
    ("f 5\nx 1\nf 5.0000001\n", "f is there twice, with 5 in line 1 and 5.0000001 in line 3"),
    ('f{b="2",a="1"} 5\nf{a="1",b="2"} 6\n', 'f{a="1",b="2"} is there twice, with 5 in line 1 and 6 in line 2'),
    ('{"f",a="1"} 5\nf{a="1"} 6\n', 'f{a="1"} is there twice, with 5 in line 1 and 6 in line 2'),
    ("f 5\nf NaN\n", "f is there twice, with 5 in line 1 and nan in line 2"),
    ("f +Inf\nf -Inf\n", "f is there twice, with inf in line 1 and -inf in line 2"),
    ("f 5 1700000000000\nf 6 1700000000000\n", "f is there twice"),
    ("f 5\nf 6 1700000000000\n", "f is there twice"),
    ("f 5 # {} 1\nf 6 # {} 1\n", "f is there twice"),
    ("f 5\nf 5\nf 6\n", "f is there twice, with 5 in line 1 and 6 in line 3"),
]


@pytest.mark.parametrize(("body", "reason"), TWICE)
def test_the_same_series_with_two_values_is_no_measurement(body, reason):
    with pytest.raises(ValueError) as caught:
        scan(body.encode(), {"f"})
    assert str(caught.value).startswith(reason)


def test_buckets_twice_count_once_however_their_bound_is_written():
    buckets = 'f_bucket{le="1"} 3\nf_bucket{le="+Inf"} 4\n'
    again = 'f_bucket{le="1.0"} 3\nf_bucket{le="Inf"} 4\n'
    for body in (buckets, buckets + buckets, buckets + again):
        found = scan(body.encode(), {"f"}, ("_bucket",))["f_bucket"]
        assert bucket_groups(found) == {(): {1.0: 3.0, inf: 4.0}}
    with pytest.raises(ValueError, match=r'^f_bucket\{le="1.0"\} is there twice'):
        scan((buckets + again.replace("3", "2")).encode(), {"f"}, ("_bucket",))


def test_a_counter_under_both_of_its_names_is_the_one_asked_for():
    for body in (b"# TYPE f counter\nf 5\nf_total 5\n", b"# TYPE f counter\nf_total 5\n# TYPE f_total counter\nf 5\n"):
        for family in ("f", "f_total"):
            assert exposition.samples_of(scan(body, {family}), family) == [({}, 5.0)]


@pytest.mark.parametrize("family", ["f", "f_total"])
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("# TYPE f counter\nf 5\nf_total 6\n", "f is there twice, with 5 and as f_total with 6"),
        ('# TYPE f counter\nf{a="1"} 5\nf_total{a="1"} 6\n', 'f{a="1"} is there twice, with 5 and as f_total with 6'),
        ('# TYPE f counter\nf{a="1"} 5\nf_total{a="2"} 6\n', ""),
        ('# TYPE f counter\nf{a="1"} 5\nf_total{a="1"} 5.0\n', ""),
        ("# TYPE f counter\nf NaN\nf_total NaN\n", ""),
        # a gauge and a counter, of which each has its own name
        ("# TYPE f gauge\nf 5\n# TYPE f_total counter\nf_total 600\n", ""),
        ("f 5\nf_total 600\n", ""),
    ],
)
def test_one_counter_with_two_values_under_its_two_names(body, reason, family):
    if reason:
        with pytest.raises(ValueError) as caught:
            scan(body.encode(), {family})
        assert str(caught.value) == reason
    else:
        [(_labels, value), *_] = exposition.samples_of(scan(body.encode(), {family}), family)
        wanted = [line.split()[1] for line in body.splitlines() if line.startswith((f"{family} ", f"{family}{{"))]
        assert repr(value) == repr(float(wanted[0]))


def test_the_older_of_two_samples_may_be_stale():
    stale, fresh = NOW - 3600, NOW
    assert scan(f"f 5 {stale}\nf 7 {fresh}\n".encode(), {"f"}, oldest=NOW - 300) == {"f": [({}, 7.0)]}


@pytest.mark.parametrize(
    ("body", "content_type", "cut_off"),
    [
        (b"f 1\n# EOF\n", "application/openmetrics-text; version=1.0.0; charset=utf-8", False),
        (b"f 1\n# EOF", "application/openmetrics-text", False),
        (b"f 1\n", "application/openmetrics-text; version=1.0.0", True),
        (b"f 1\n# EO", "Application/OpenMetrics-Text", True),
        (b"f 1\n", "text/plain; version=0.0.4", False),
        (b"f 1\n", "", False),
    ],
)
def test_openmetrics_without_its_end_may_be_cut_off(body, content_type, cut_off):
    assert exposition.is_cut_off(body, content_type) is cut_off


@pytest.mark.parametrize("family", ["f", "f_total"])
def test_a_counter_is_found_under_the_other_name(family):
    for body in (b"# TYPE f counter\nf 5\n", b"# TYPE f counter\nf_total 5\n"):
        assert exposition.samples_of(scan(body, {family}), family) == [({}, 5.0)]
    assert exposition.samples_of({}, family) is None


@given(st.lists(st.tuples(st.text(max_size=20), st.floats(), st.text(max_size=5)), max_size=5))
@settings(max_examples=150, deadline=None, database=None)
def test_whatever_a_label_holds_comes_back(rows):
    registry = CollectorRegistry()
    gauge = Gauge("f", "f 1", ["a", "b"], registry=registry)
    Gauge("f_more", "f_more 1", registry=registry)
    expected = {}
    for first, value, second in rows:
        if all(character < "\ud800" or character > "\udfff" for character in first + second):
            gauge.labels(first, second).set(value)
            expected[(first, second)] = value
    found = scan(generate_latest(registry), {"f"})
    labelled = [({"a": first, "b": second}, value) for (first, second), value in expected.items()]
    assert canonical(found["f"]) == canonical(labelled)


@pytest.mark.parametrize(
    "line",
    [
        b"f{" + b'a="' * 30000,
        b"f" + b" " * 60000 + b"?",
        b'f{a="' + b"\\" * 60001,
        b"f 1" + b" # " * 30000,
        b"f{" + b"," * 60000,
    ],
)
def test_no_line_takes_long_to_refuse(line):
    with pytest.raises(ValueError, match="line 1"):
        scan(line + b"\n", {"f"})


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "an empty body"),
        (b" \r\n\n", "an empty body"),
        (b"<!DOCTYPE html><html>f 1\n</html>", "an HTML or XML page, not metrics"),
        (b'{"status": "ok"}', "JSON, not metrics"),
        (b'[{"a": 1}]', "JSON, not metrics"),
        (b"\x0a\x05gauge\x12\x00\x01", "binary data, not the text format"),
        (b"Not found\n", "text without a single line of metrics"),
        (b"# EOF\n", None),
        (b"# HELP f text\n", None),
        (b"f 1\n", None),
        (b'\n  f{a="b"} NaN\n', None),
        (b'{"some.name",a="b"} 1\n', None),
        (b'{"some.name",url="http://x/"} 1\n', None),
        (b'{ "some.name" } 1\n', None),
        (b'{a="b","some.name"} 1\n', None),
        (b'{"some.name": 1}', "JSON, not metrics"),
        (b'{"a" : "b", "c": "{}"}', "JSON, not metrics"),
        (b'{\n"some.name" : 1\n}', "JSON, not metrics"),
    ],
)
def test_what_cannot_be_metrics_says_why(body, reason):
    assert exposition.not_metrics_reason(body) == reason


@pytest.mark.parametrize("name", [name for name, _ in CAPTURED])
def test_captured_texts_look_like_metrics(name):
    assert exposition.not_metrics_reason((DATA / name).read_bytes()) is None


def test_near_names_are_those_of_the_body():
    body = (DATA / "metrics_node_app.txt").read_bytes()
    assert {"app_db_pool_waiting", "app_request_duration_seconds"} <= family_names(body)
    assert near_names(body, "app_db_pool_wating")[0] == "app_db_pool_waiting"
    assert near_names(body, "zzz") == []
    many = b"".join(b"other_%d 1\n" % number for number in range(5000)) + body
    assert near_names(many, "app_db_pool_wating")[0] == "app_db_pool_waiting"
