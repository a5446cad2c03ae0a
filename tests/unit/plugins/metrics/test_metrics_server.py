# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Prometheus server as a source of metrics: what is asked of it, and what its answers mean."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.metrics import measure as metrics
from ansible_collections.oncall.runbooks.plugins.module_utils.metrics.promql import Questions, quoted
from ansible_collections.oncall.runbooks.plugins.module_utils.metrics.server import rows_of
from ansible_collections.oncall.runbooks.plugins.module_utils.metrics.spec import parse_specs
from ansible_collections.oncall.runbooks.tests.support.http_servers import Handler, HttpServer

SERVER: dict[str, Any] = {"url": "http://prometheus:9090", "labels": {}, "endpoints": {}, "window_seconds": 60.0}


def questions(spec: Any, names: tuple[str, ...] = (), /, **server: Any) -> tuple[Questions, dict[str, Any]]:
    return Questions({**SERVER, **server}), parse_specs({"x": spec}, names, True)["x"]


def number(spec: Any, **server: Any) -> str:
    asked, parsed = questions(spec, **server)
    return " ".join(asked.number(parsed).split())


def grown(series: str, up: str = "up") -> str:
    """What a rate is asked as: also of a series that is new."""
    born = f"(({series} unless {series} offset 60000ms) and on (job, instance) ({up} offset 60000ms == 1))"
    return f"({born} / 60.0 or rate({series}[60000ms]))"


TRANSLATED = [
    ("f", "sum (f) or sum (f_total)"),
    ("f_total", "sum (f_total) or sum (f)"),
    ({"family": "f", "aggregate": "max", "by": ["a", "b"]}, "max by (a, b) (f) or max by (a, b) (f_total)"),
    ({"family": "f", "labels": {"s": "500"}}, 'sum (f{s="500"}) or sum (f_total{s="500"})'),
    ({"family": "f", "labels": {"s": 500}}, 'sum (f{s="500"}) or sum (f_total{s="500"})'),
    ({"family": "f", "labels": {"s": "~5..|x"}}, 'sum (f{s=~"5..|x"}) or sum (f_total{s=~"5..|x"})'),
    ({"family": "f", "labels": {"s": 'a"} or v{'}}, 'sum (f{s="a\\"} or v{"}) or sum (f_total{s="a\\"} or v{"})'),
    ({"family": 'a "b" \\ c'}, 'sum ({__name__="a \\"b\\" \\\\ c"}) or sum ({__name__="a \\"b\\" \\\\ c_total"})'),
    (
        {"family": "f.g", "labels": {"a.b": "~x"}},
        'sum ({__name__="f.g","a.b"=~"x"}) or sum ({__name__="f.g_total","a.b"=~"x"})',
    ),
    ({"family": "ns:f.g"}, 'sum ({__name__="ns:f.g"}) or sum ({__name__="ns:f.g_total"})'),
    ({"family": "f.g", "by": ["a.b"]}, 'sum by ("a.b") ({__name__="f.g"}) or sum by ("a.b") ({__name__="f.g_total"})'),
    ({"family": "f", "measure": "rate"}, f"sum ({grown('f')}) or sum ({grown('f_total')})"),
    (
        {"family": "f", "measure": "increase", "lifetime": True, "by": ["a"]},
        "sum by (a) (f) or sum by (a) (f_total)",
    ),
    ({"family": "f", "measure": "slope"}, "sum (deriv(f[60000ms])) or sum (deriv(f_total[60000ms]))"),
    (
        {"family": "f_bucket", "measure": "quantile", "quantile": 0.5, "by": ["a"]},
        f"histogram_quantile(0.5, sum by (le, a) ({grown('f_bucket')}))",
    ),
    (
        {"family": "f", "measure": "quantile", "lifetime": True},
        "histogram_quantile(0.95, sum by (le) (f_bucket))",
    ),
    ({"measure": "promql", "promql": "a + b"}, "a + b"),
]


@pytest.mark.parametrize(("spec", "promql"), TRANSLATED)
def test_translation(spec, promql):
    assert number(spec) == promql


def test_an_increase_is_not_divided():
    born = "((f unless f offset 60000ms) and on (job, instance) (up offset 60000ms == 1))"
    assert number({"family": "f", "measure": "increase"}).startswith(f"sum (({born} or increase(f[60000ms])))")


def test_the_labels_of_the_server_narrow_everything_and_cannot_be_widened():
    asked, spec = questions({"family": "f", "measure": "rate", "labels": {"job": "~.*"}}, labels={"job": "api"})
    series, up = 'f{job="api",job=~".*"}', 'up{job="api"}'
    assert " ".join(asked.number(spec).split()).startswith(f"sum ({grown(series, up)})")
    assert asked.down() == f"{up} == 0"
    for text in (asked.series(spec), asked.everything(spec), asked.names(spec), asked.lost(spec)):
        assert text.count('job="api"') >= 1
    assert 'job=~".*"' not in asked.everything(spec)


def test_endpoints_become_their_labels():
    endpoints = {"api": {"job": "api"}, "worker": {"job": "worker"}}
    asked, spec = questions("f", ("api", "worker", "other"), endpoints=endpoints, labels={"env": "prod"})
    assert asked.series(spec).startswith(
        'count(f{env="prod",job="api"} or f{env="prod",job="worker"} or f{env="prod"}) or count('
    )
    asked, spec = questions({"family": "f", "endpoints": ["api"]}, ("api", "worker"), endpoints=endpoints)
    assert asked.series(spec) == 'count(f{job="api"}) or count(f_total{job="api"})'


@pytest.mark.parametrize(
    ("text", "expected"),
    [('a"b', '"a\\"b"'), ("a\\d", '"a\\\\d"'), ("a\nb", '"a\\nb"'), ("\x00", '"\\u0000"'), ("ü", '"ü"'), ("'", '"\'"')],
)
def test_text_is_quoted(text, expected):
    assert quoted(text) == expected


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"prometheus": {**SERVER, "url": "prometheus:9090"}}, "prometheus: url must be http or https"),
        ({"prometheus": {**SERVER, "url": "http://p/graph?x=1"}}, "prometheus: url must be http or https"),
        ({"prometheus": {**SERVER, "window_seconds": 0}}, "prometheus: window_seconds must be above 0"),
        ({"prometheus": {**SERVER, "endpoints": {"api": "x"}}}, "prometheus: endpoints: api must be a dict"),
        ({"metrics": {"x": {"family": "f", "labels": {"a": "\ud800"}}}}, "holds half a character"),
        ({"metrics": {"x": {"measure": "promql"}}}, "metric x: promql must be an expression, not None"),
        (
            {"prometheus": None, "endpoints": {"a": "http://a/"}, "metrics": {"x": {"measure": "promql", "promql": "a"}}},
            "metric x: promql needs a Prometheus server",
        ),
        ({"prometheus": None}, "endpoints: name at least one, or a Prometheus server"),
        ({"prometheus": None, "endpoints": {"a": "http://a/"}, "samples": 1}, "samples: must be at least 2, not 1"),
        (
            {"metrics": {"x": {"measure": "seconds_to", "of": "v", "slope": "v", "limit": 1}, "v": "f"}},
            "metric x: slope must name an entry that is a slope, not 'v'; known: none",
        ),
        (
            {"metrics": {"x": {"measure": "seconds_to", "of": "v", "slope": "s", "limit": "l"}, "v": "f",
                         "s": {"family": "f", "measure": "slope"}}},
            "metric x: limit must name an entry that is no ratio, not 'l'; known: v",
        ),
        (
            {"metrics": {"x": {"measure": "seconds_to", "of": "v", "slope": "s", "limit": 1},
                         "v": {"family": "f", "by": ["a"]}, "s": {"family": "f", "measure": "slope"}}},
            "metric x: of is by \\['a'\\] but slope is by nothing",
        ),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_said_before_anything_is_asked(params, message):
    with pytest.raises(ValueError, match=message):
        metrics.observe({"prometheus": SERVER, "metrics": {}, "timeout_seconds": 1, **params})


def vector(*rows: tuple[dict[str, str], str], **more: Any) -> bytes:
    result = [{"metric": labels, "value": [1.5, value]} for labels, value in rows]
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}, **more}).encode()


ANSWERS = [
    (200, vector(), []),
    (200, vector(({"a": "b"}, "1.5"), ({}, "+Inf")), [({"a": "b"}, 1.5), ({}, float("inf"))]),
    (200, vector(({}, "1"), infos=["metric might not be a counter"]), [({}, 1.0)]),
    (200, vector(({}, "1"), infos=["PromQL info: metric might not be a counter"], warnings=[]), [({}, 1.0)]),
    (200, vector(({}, "1"), isPartial=False, stats={"seriesFetched": "1"}), [({}, 1.0)]),
    (200, vector(({}, "1"), isPartial=None, warnings=None), [({}, 1.0)]),
    # of a label, not of the answer
    (200, vector(({"isPartial": "true"}, "1")), [({"isPartial": "true"}, 1.0)]),
    (200, b'{"status":"success","data":{"resultType":"scalar","result":[1,"2"]}}', [({}, 2.0)]),
]


@pytest.mark.parametrize(("status", "body", "rows"), ANSWERS)
def test_an_answer_is_read(status, body, rows):
    assert rows_of(status, body) == rows


NO_ANSWERS = [
    (401, b"Unauthorized", "answered 401: it wants other credentials than those in the URL"),
    (403, b"<html>", "answered 403: it wants other credentials than those in the URL"),
    (404, b"404 page not found", "answered 404 with something that is no answer of its API"),
    (200, b" <html><title>Login", "answered 200 with an HTML or XML page; is this the address of a Prometheus server"),
    (200, b"", "answered 200 with an empty body"),
    (502, b"\xff\xfe", "answered 502 with something that is no answer"),
    (200, b"[1]", "answered 200 with something that is no answer"),
    (200, b'{"status":"success"}', "answered 200 with something that is no answer"),
    (200, b'{"status":"success","data":null}', "answered 200 with something that is no answer"),
    (400, b'{"status":"error","errorType":"bad_data","error":"parse\\nerror"}', "answered 400, bad_data: parse error"),
    (
        422,
        b'{"status":"error","errorType":"execution","error":"too many samples"}',
        "answered 422, execution: too many",
    ),
    (503, b'{"status":"error","errorType":"timeout","error":"query timed out"}', "answered 503, timeout: query timed"),
    (200, vector(({}, "1"), warnings=["store is down"]), "the answer may be partial: store is down$"),
    (200, vector(({}, "1"), warnings=["a is down", "b is down"]), "may be partial: a is down; b is down$"),
    (200, vector(({}, "1"), warnings="remote read failed"), "may be partial: remote read failed$"),
    (200, vector(({}, "1"), isPartial=True), "the answer may be partial: isPartial is set"),
    (200, vector(isPartial=True), "the answer may be partial: isPartial is set"),
    (200, vector(({}, "1"), isPartial="true"), "the answer may be partial: isPartial is set"),
    (
        200,
        vector(({}, "1"), infos=["Query result may contain partial data."]),
        "may be partial: Query result may contain",
    ),
    (
        200,
        vector(({}, "1"), warnings=['PromQL warning: bucket label "le" is missing']),
        'the server warns of the answer: PromQL warning: bucket label "le" is missing$',
    ),
    (
        200,
        vector(({}, "1"), warnings=["PromQL warning: x", "receive store 10.0.0.1:10901: unavailable"]),
        "may be partial: receive store 10.0.0.1:10901: unavailable$",
    ),
    (
        200,
        b'{"status":"success","data":{"resultType":"vector","isPartial":true,"result":[]}}',
        "the answer may be partial: isPartial is set",
    ),
    (200, b'{"status":"success","data":{"resultType":"matrix","result":[]}}', "answered 200 with a matrix, not an"),
    (200, vector(({}, "one")), "a vector that is not one of plain numbers"),
    (
        200,
        b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"histogram":[1,{}]}]}}',
        "a vector that is not one of plain numbers",
    ),
]


@pytest.mark.parametrize(("status", "body", "reason"), NO_ANSWERS)
def test_no_answer_is_one_line(status, body, reason):
    with pytest.raises(ValueError, match=reason) as caught:
        rows_of(status, body)
    assert "\n" not in str(caught.value)


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[str], tuple[int, bytes, dict[str, str]]]], str]]:
    servers = []

    def start(answer: Callable[[str], tuple[int, bytes, dict[str, str]]]) -> str:
        class Asked(Handler):
            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                status, body, headers = answer(form["query"][0])
                with suppress(OSError):
                    self.give(body, status, **headers)

        servers.append(HttpServer(Asked))
        return f"http://user:secret@{servers[-1].place}"

    yield start
    for server in servers:
        server.close()


def ask(url: str, wanted: dict[str, Any], timeout_seconds: float = 30) -> dict[str, Any]:
    result = metrics.observe(
        {"prometheus": {**SERVER, "url": url}, "metrics": wanted, "timeout_seconds": timeout_seconds}
    )
    assert "secret" not in json.dumps(result)
    return result


def test_a_redirect_to_a_login_is_not_followed(serve):
    result = ask(serve(lambda _query: (302, b"", {"Location": "/login"})), {"x": "f"})
    assert "is redirected (302), which is not followed; is it a login?" in result["reason"]
    assert result["value"] == {}


def test_one_answer_that_is_partial_makes_one_metric_unknown(serve):
    def answer(query: str) -> tuple[int, bytes, dict[str, str]]:
        if query.startswith("up"):
            return 200, vector(), {}
        warnings = {"warnings": ["store is down"]} if "broken" in query else {}
        return 200, vector(({}, "3"), **warnings), {}

    result = ask(serve(answer), {"x": "f", "y": "broken"})
    assert result["value"] == {"x": 3.0}
    assert result["available"] is False
    assert result["reason"].startswith("metric y (broken): POST http://127.0.0.1:")


def test_a_server_that_says_isPartial_measures_nothing(serve):
    result = ask(serve(lambda _query: (200, vector(({}, "3"), isPartial=True), {})), {"x": "f"})
    assert result["value"] == {}
    assert "the answer may be partial" in result["reason"]


def test_a_server_that_says_nothing_is_given_up_in_time(serve):
    stopped = threading.Event()

    def answer(_query: str) -> tuple[int, bytes, dict[str, str]]:
        stopped.wait(60)
        return 200, vector(), {}

    result = ask(serve(answer), {"x": "f"}, timeout_seconds=0.3)
    stopped.set()
    assert "no complete answer within 0.3 s" in result["metric"]["x"]["reason"]
    assert result["value"] == {}
