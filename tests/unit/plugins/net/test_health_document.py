"""Which parts a health document says are not well, in the shapes that frameworks write."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.oncall.runbooks.plugins.module_utils.net.health_document import unwell_parts

SHAPES = {
    # Spring Boot's actuator.
    "spring": (
        {
            "status": "DOWN",
            "components": {
                "db": {"status": "UP", "details": {"database": "PostgreSQL", "validationQuery": "isValid()"}},
                "redis": {"status": "DOWN", "details": {"error": "RedisConnectionFailureException: ..."}},
                "diskSpace": {"status": "UP", "details": {"total": 1, "exists": True}},
            },
        },
        ["redis"],
    ),
    "spring, a composite": (
        {
            "status": "OUT_OF_SERVICE",
            "components": {
                "db": {"status": "DOWN", "components": {"first": {"status": "UP"}, "second": {"status": "DOWN"}}}
            },
        },
        ["second"],
    ),
    # ASP.NET Core with the writer of AspNetCore.Diagnostics.HealthChecks.
    "aspnet": (
        {
            "status": "Unhealthy",
            "totalDuration": "00:00:01",
            "entries": {
                "npgsql": {"data": {}, "description": "refused", "status": "Unhealthy", "tags": []},
                "redis": {"data": {}, "status": "Healthy", "tags": []},
            },
        },
        ["npgsql"],
    ),
    # draft-inadarei-api-health-check: a list of results for each check.
    "health+json": (
        {
            "status": "fail",
            "checks": {
                "postgres:connections": [{"componentType": "datastore", "status": "fail"}],
                "uptime": [{"status": "pass"}],
            },
        },
        ["postgres:connections"],
    ),
    # NestJS' terminus tells the same part under error and under details.
    "terminus": (
        {
            "status": "error",
            "info": {"database": {"status": "up"}},
            "error": {"redis": {"status": "down", "message": "timeout"}},
            "details": {"database": {"status": "up"}, "redis": {"status": "down", "message": "timeout"}},
        },
        ["redis"],
    ),
    "words": ({"status": "error", "db": "ok", "redis": "down"}, ["redis"]),
    "true and false": ({"ok": False, "checks": {"db": {"ok": True}, "queue": {"ok": False, "lag": 4}}}, ["queue"]),
    "checks with names": ([{"name": "db", "status": "ok"}, {"name": "smtp", "status": "failing"}], ["smtp"]),
    "nothing but itself": ({"status": "DOWN"}, []),
    "all well": ({"status": "UP", "components": {"db": {"status": "UP"}}}, []),
    "no word of health": ({"error": {"code": 503, "message": "down for maintenance", "type": "error"}}, []),
    "what is switched off": ({"status": "ok", "maintenance": False, "features": {"beta": False}}, []),
    "many": ({"checks": {str(n): "fail" for n in range(50)}}, ["0", "1", "2", "3", "4"]),
}


@pytest.mark.parametrize(("document", "parts"), SHAPES.values(), ids=SHAPES)
def test_parts(document, parts):
    assert unwell_parts(json.dumps(document).encode()) == parts


@pytest.mark.parametrize("body", [b"", b"no json", b"\xff{", b"[" * 100_000, b"3", b"null", b'"down"'])
def test_what_names_no_part(body):
    assert unwell_parts(body) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["down", "UP", "fail"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=40,
)


@given(JSON)
def test_any_document_gives_a_few_names_that_are_in_it(document):
    text = json.dumps(document, ensure_ascii=False)
    parts = unwell_parts(text.encode("utf-8", "surrogatepass"))
    assert len(parts) <= 5
    assert all(json.dumps(part, ensure_ascii=False)[1:-1] in text for part in parts)
