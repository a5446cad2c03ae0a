# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read of circuit breakers in the texts that the libraries write, by the functions that observe; data/README.md names them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.oncall.runbooks.plugins.filter.on_each_endpoint import on_each_endpoint
from ansible_collections.oncall.runbooks.plugins.module_utils.metrics.measure import observe
from ansible_collections.oncall.runbooks.plugins.module_utils.observers.metrics import SPEC
from ansible_collections.oncall.runbooks.plugins.plugin_utils.readings.circuit_breaker import (
    api_breakers,
    metric_breakers,
    misdescribed,
)
from ansible_collections.oncall.runbooks.tests.support.observing import answering, observed
from lab.ports import free_port

DATA = Path(__file__).parent / "data"
BEFORE, AFTER, RESILIENCE4J = (
    (DATA / f"{name}.txt").read_bytes() for name in ("opossum_before", "opossum_after", "resilience4j")
)
CODES = {0: "closed", 1: "open", 2: "half-open"}
EVENTS = {"family": "circuit", "by": ["name", "event"]}
STATES = {"family": "resilience4j_circuitbreaker_state", "by": ["name", "state"]}
PERCENT = {"family": "resilience4j_circuitbreaker_failure_rate", "by": ["name"]}
OPENED = 'shut, by "hand"'


def measured(texts: dict[str, Any], metrics: dict[str, Any]) -> dict[str, Any]:
    """What the observer ``metrics`` returns of replicas that show these texts; of two, first the one and then the other."""
    with answering() as server:
        for name, text in texts.items():
            given = iter(text if isinstance(text, list) else [text] * 9)
            server.answers[f"/{name}"] = lambda _headers, given=given: next(given)
        endpoints = {
            name: f"{server.url}/{name}" if text else f"http://127.0.0.1:{free_port()}/" for name, text in texts.items()
        }
        params = {key: option.get("default") for key, option in SPEC.items()}
        return observe({**params, "endpoints": endpoints, "metrics": metrics, "window_seconds": 0.05})


def seen(texts: dict[str, Any], metrics: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    """The rows of these texts, each replica asked by itself."""
    asked = on_each_endpoint(metrics, texts)
    return metric_breakers(measured(texts, asked), asked, CODES, **more)


def states(rows: list[dict[str, Any]]) -> dict[str, str]:
    return {row["name"]: row["state"] + (" or half_open" if row["or_half_open"] else "") for row in rows}


def test_opossum_before_the_probe():
    rows = seen({"web": BEFORE}, {"events": EVENTS})
    # What opossum said itself: `half` to `by_hand` are open, the others closed.
    opened = dict.fromkeys(["half", "closed", "reopened", "flaps", "by_hand"], "open or half_open")
    assert states(rows) == {"never": "closed", "opened": "closed", OPENED: "closed", **opened}


def test_opossum_after_the_probe():
    """What opossum said: `half` is half open, `flaps` and `reopened` are open, `closed` and `by_hand` are closed."""
    alone = states(seen({"web": AFTER}, {"events": EVENTS}))
    assert alone == {
        "never": "closed",
        "opened": "open or half_open",
        "half": "open or half_open",
        "closed": "closed",
        "reopened": "open or half_open",
        "flaps": "unknown",
        "by_hand": "closed",
        OPENED: "closed",
    }


def rows_of(events: dict[str, float], rose: dict[str, float]) -> dict[str, Any]:
    value = {"events": {f"it,{event}": number for event, number in events.items()}}
    value["rose"] = {f"it,{event}": number for event, number in rose.items()}
    value = {f"{key}@web": groups for key, groups in value.items()}
    (row,) = metric_breakers({"value": value}, value, CODES)
    return row


@pytest.mark.parametrize(
    ("events", "rose", "state"),
    [
        ({"fire": 9, "success": 9}, {}, "closed"),
        ({"open": 2, "close": 1}, {}, "unknown"),
        ({"open": 2, "close": 1}, {"open": 1}, "open"),
        ({"open": 2, "close": 1}, {"close": 1}, "closed"),
        ({"open": 2, "close": 1}, {"open": 1, "close": 1}, "unknown"),
        # Where the application itself listens to halfOpen, it is counted.
        ({"open": 1, "halfOpen": 1}, {}, "half_open"),
        ({"open": 2, "halfOpen": 1}, {}, "open"),
        ({"open": 2, "halfOpen": 2, "close": 1}, {"halfOpen": 1}, "half_open"),
        ({"open": 2, "halfOpen": 2, "close": 1}, {}, "unknown"),
        # What came last is long ago, and calls tell: they pass, are rejected, or nobody calls.
        ({"open": 5, "close": 2}, {"success": 3}, "closed"),
        ({"open": 5, "close": 2}, {"failure": 1, "timeout": 1}, "closed"),
        ({"open": 5, "close": 2}, {"reject": 3, "fire": 3}, "open"),
        ({"open": 5, "close": 2}, {"reject": 3, "success": 1}, "unknown"),
        ({"open": 5, "close": 2}, {"fire": 0}, "unknown"),
    ],
)  # fmt: skip
def test_what_rose_last(events, rose, state):
    row = rows_of(events, rose)
    assert row["state"] == state
    assert bool(row["reason"]) == (state == "unknown")
    assert row["or_half_open"] == (state == "open" and "halfOpen" not in events)


def test_two_samples_tell_what_rose_last():
    opened_again = BEFORE.replace(
        b'circuit{name="flaps",event="open"} 1',
        b'circuit{name="flaps",event="open"} 1\ncircuit{name="flaps",event="close"} 1',
    )
    asked = {"events": EVENTS, "rose": {**EVENTS, "measure": "increase"}}
    rows = seen({"web": [opened_again, AFTER]}, asked)
    # The events of the last sample.
    assert states(rows)["flaps"] == "open or half_open"


def test_what_rose_since_the_look_before_tells_too():
    asked = on_each_endpoint({"events": EVENTS}, ["web"])
    now = {"value": {"events@web": {"it,open": 7.0, "it,close": 2.0, "it,reject": 40.0}}}

    def row(**before: float) -> dict[str, Any]:
        earlier = {"events@web": {f"it,{event}": number for event, number in before.items()}}
        (found,) = metric_breakers(now, asked, CODES, earlier=earlier, earlier_seconds=30.0)
        return found

    since = row(open=4.0, close=2.0, reject=10.0)
    assert (since["state"], since["opened"], since["opened_lately"], since["lately_seconds"]) == (
        "open",
        7.0,
        3.0,
        30.0,
    )
    assert row(open=7.0, close=1.0, reject=40.0)["state"] == "closed"
    # Counters that began anew tell how often it opened since, and not what came last.
    anew = row(open=9.0, close=2.0, reject=10.0)
    assert (anew["state"], anew["opened_lately"]) == ("unknown", 7.0)
    # One that was not there tells nothing.
    (new,) = metric_breakers(now, asked, CODES, earlier={"events@web": {"other,open": 1.0}}, earlier_seconds=30.0)
    assert (new["state"], new["opened_lately"]) == ("unknown", None)


def server(value: dict[str, Any], *asked: str, seconds: float = 300.0) -> list[dict[str, Any]]:
    metrics = {"value": value, "metric": {"rose": {"available": True, "seconds": seconds}}}
    return metric_breakers(
        metrics, {key: {} for key in (*asked, "up")}, CODES, circuit_breaker_replica_label="instance"
    )


def test_of_a_prometheus_server_each_target_that_is_there_counts():
    codes = {"crm,web-1": 0.0, "crm,web-2": 1.0, "a\\,b,web-1": 0.0, "crm,web-9": 1.0}
    rows = server({"codes": codes, "up": {"web-1": 1.0, "web-2": 1.0, "database": 1.0}}, "codes")
    assert [(row["name"], row["replica"], row["state"]) for row in rows] == [
        ("crm", "web-1", "closed"), ("a,b", "web-1", "closed"), ("crm", "web-2", "open"),
    ]  # fmt: skip


def test_of_a_prometheus_server_each_target_of_their_job_has_to_show_them():
    value = {"codes": {"crm,web-1": 0.0}, "up": {"web-1": 1.0, "web-2": 1.0, "web-3": 0.0}}
    asked = {"codes": {}, "up": {"family": {"family": "up", "labels": {"job": "web"}}}}
    rows = metric_breakers({"value": value, "metric": {}}, asked, CODES, circuit_breaker_replica_label="instance")
    assert [(row["replica"], row["state"]) for row in rows] == [
        ("web-1", "closed"), ("web-2", "unknown"), ("web-3", "unknown"),
    ]  # fmt: skip


def test_of_a_prometheus_server_the_range_tells_how_often_it_opened():
    events = {"crm,open,web-1": 9.0, "crm,close,web-1": 9.0, "crm,open,web-2": 2.0, "crm,close,web-2": 2.0}
    rose = {"crm,open,web-1": 3.9, "crm,open,web-2": 0.0}
    rows = server({"events": events, "rose": rose, "up": {"web-1": 1.0, "web-2": 1.0}}, "events", "rose")
    assert [(row["replica"], row["opened_lately"], row["lately_seconds"]) for row in rows] == [
        ("web-1", 4, 300.0), ("web-2", 0, 300.0),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "value",
    [{"codes": {"crm,web-1": 0.0}}, {"up": {"web-1": 1.0}}, {"codes": {"crm,web-9": 0.0}, "up": {"web-1": 1.0}}],
)
def test_of_a_prometheus_server_what_it_does_not_have_is_not_known(value):
    (row,) = server(value, "codes")
    assert row["state"] == "unknown"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({}, []),
        ({"probe": "http://crm", "status_page": "crm", "service": "web"}, []),
        ("http://crm", ["circuit_breaker_dependencies.crm has to be a dictionary with keys of probe"]),
        ({"statuspage": "crm"}, ["circuit_breaker_dependencies.crm has the unknown key statuspage; known are probe"]),
        ({"threshold": {"variable": "X"}}, ["circuit_breaker_dependencies.crm.threshold needs the key maximum"]),
        ({"reset": {"variable": "X", "maximum": 9, "step": 1}}, ["circuit_breaker_dependencies.crm.reset has the unknown key step"]),
        (
            {"reset": {"variable": "X", "maximum": "high", "unit": "min"}},
            [
                "circuit_breaker_dependencies.crm.reset.maximum has to be a number above 0, and not 'high'",
                "circuit_breaker_dependencies.crm.reset.unit has to be ms or s, and not 'min'",
            ],
        ),
        ({"connector": {"method": "POST"}}, ["circuit_breaker_dependencies.crm.connector needs either url or command"]),
        ({"connector": {"url": "http://web", "command": ["sync"]}}, ["circuit_breaker_dependencies.crm.connector needs either"]),
    ],
)  # fmt: skip
def test_how_a_dependency_is_described(said, told):
    found = misdescribed({"crm": said}, CODES, [], {})
    assert len(found) == len(told)
    assert all(line.startswith(begin) for line, begin in zip(found, told, strict=True))


def test_resilience4j():
    rows = seen({"web": RESILIENCE4J}, {"states": STATES, "failure_percent": PERCENT})
    assert states(rows) == {
        "mail": "closed", "crm": "open", "pay": "half_open", "sms": "forced_open", "map": "disabled", "none": "unknown",
    }  # fmt: skip
    percents = {row["name"]: row["failure_percent"] for row in rows}
    assert percents == {"mail": None, "crm": 75.0, "pay": 0.0, "sms": None, "map": None, "none": None}


def test_every_replica_has_its_own_state():
    other = RESILIENCE4J.replace(b'name="crm",state="closed",} 0.0', b'name="crm",state="closed",} 1.0').replace(
        b'name="crm",state="open",} 1.0', b'name="crm",state="open",} 0.0'
    )
    rows = seen({"web-1": RESILIENCE4J, "web-2": other, "web-3": None}, {"states": STATES})
    assert {row["replica"]: row["state"] for row in rows if row["name"] == "crm"} == {
        "web-1": "open",
        "web-2": "closed",
    }
    (lost,) = [row for row in rows if row["replica"] == "web-3"]
    assert (lost["name"], lost["state"]) == ("", "unknown")
    assert "connection refused" in lost["reason"]

    asked = {"states": STATES}
    together = metric_breakers(measured({"web-1": RESILIENCE4J, "web-2": other}, asked), asked, CODES)
    assert [(row["state"], row["replicas"]) for row in together if row["name"] == "crm"] == [("closed", 1), ("open", 1)]
    assert [(row["state"], row["replicas"]) for row in together if row["name"] == "mail"] == [("closed", 2)]


def test_two_states_at_once_are_none():
    both = RESILIENCE4J.replace(b'name="mail",state="open",} 0.0', b'name="mail",state="open",} 1.0')
    rows = seen({"web": both}, {"states": STATES})
    (row,) = [row for row in rows if row["name"] == "mail"]
    assert (row["state"], row["reason"]) == ("unknown", "closed, open is shown at once")


OWN = b"""# TYPE app_circuit_breaker gauge
app_circuit_breaker{breaker="crm"} 1
app_circuit_breaker{breaker="mail"} 0
app_circuit_breaker{breaker="pay"} 2
app_circuit_breaker{breaker="x"} 7
"""


def test_a_gauge_of_ones_own():
    asked = {"codes": {"family": "app_circuit_breaker", "by": ["breaker"]}}
    rows = seen({"web": OWN}, asked)
    assert states(rows) == {"crm": "open", "mail": "closed", "pay": "half_open", "x": "unknown"}
    assert next(row["reason"] for row in rows if row["name"] == "x") == "7 is no state in circuit_breaker_codes"


def test_a_document():
    with answering(actuator__circuitbreakers=(DATA / "circuitbreakers.json").read_bytes()) as server:
        fields = {"name": "key", "state": "value.state", "failure_percent": "value.failureRate"}
        asked = {
            "web-1": {"url": f"{server.url}/actuator/circuitbreakers", "list": "circuitBreakers", "fields": fields}
        }
        asked["web-2"] = {**asked["web-1"], "url": f"{server.url}/nothing"}
        told = observed("api_info", apis=asked, timeout_seconds=15)
    *rows, lost = api_breakers(told, ["web-1", "web-2"])
    assert (lost["name"], lost["replica"], lost["state"]) == ("", "web-2", "unknown")
    assert "answers 404" in lost["reason"]
    assert [(row["name"], row["replica"], row["state"], row["failure_percent"]) for row in rows] == [
        ("time", "web-1", "open", 100.0),
        ("probe", "web-1", "half_open", None),
    ]


@pytest.mark.parametrize(("state", "reason"), [(None, "no state is shown"), ("BROKEN", "the state is BROKEN")])
def test_a_document_without_a_state_that_is_known(state, reason):
    with answering(it=json.dumps({"name": "it", "state": state}).encode()) as server:
        fields = {"name": "name", "state": "state"}
        told = observed("api_info", apis={"it": {"url": f"{server.url}/it", "fields": fields}}, timeout_seconds=15)
    (row,) = api_breakers(told, ["it"])
    assert (row["state"], row["reason"]) == ("unknown", reason)
