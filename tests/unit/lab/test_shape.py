# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab in the shape of a system: what it is called there, and who operates it."""

from __future__ import annotations

import json

import pytest
from prometheus_client import generate_latest

from lab.layout import LabError
from lab.programs import settings, web
from lab.programs.shaped import Shaped
from lab.shape import Shape, filled, operated, shape


@pytest.fixture
def told(tmp_path, monkeypatch):
    """A function: what the programs are told of a shape."""

    def tell(**said):
        (tmp_path / "shape.json").write_text(json.dumps(Shape(**said).told()))
        monkeypatch.setenv("SHAPE_FILE", str(tmp_path / "shape.json"))
        settings.shape.cache_clear()

    yield tell
    settings.shape.cache_clear()


def test_metrics_have_the_system_s_names_and_no_others():
    web.RESPONSES.labels("200", "/orders", "GET").inc()
    web.DURATION.labels("/orders", "GET").observe(0.2)
    families = {
        "app_response_status_total": "http_requests_total",
        "app_request_duration_seconds": "api_request_duration_seconds",
    }
    text = generate_latest(Shaped(families, {"route": "path"})).decode()
    assert '\nhttp_requests_total{method="GET",path="/orders",status="200"} ' in text
    assert '\napi_request_duration_seconds_bucket{le="0.5",method="GET",path="/orders"} ' in text
    assert "# TYPE http_requests_total counter\n" in text
    assert "app_" not in text


def test_paths_of_the_system_are_answered_by_the_lab_s_routes(told):
    told(metrics={}, routes={"api": {"GET /api/health/ready": "/readyz"}})
    found = web.as_shaped("api", {("GET", "/readyz"): web.metrics})
    assert found[("GET", "/api/health/ready")] is web.metrics
    assert ("GET", "/debug/metrics") in found
    assert set(web.as_shaped("worker", {("GET", "/health"): web.metrics})) == {
        ("GET", "/health"),
        ("GET", "/debug/metrics"),
    }


def test_the_lab_s_own_shape_changes_nothing():
    routes = {("GET", "/readyz"): web.metrics}
    assert web.as_shaped("api", routes) is routes
    assert (shape("").database, shape("").metrics_path) == ("labpics", "/metrics")


def test_what_the_deployment_says_is_in_the_environment(tmp_path, monkeypatch):
    (tmp_path / "release.env").write_text(
        "# A release\nLAB_START_FAULTS=errors?route=/stats\nAPP_REVISION=abc\nno variable\n"
    )
    monkeypatch.setenv("RELEASE_FILE", str(tmp_path / "release.env"))
    for name in ("LAB_START_FAULTS", "APP_REVISION"):
        monkeypatch.setenv(name, "before")
    settings.load_release()
    assert [settings.os.environ[name] for name in ("LAB_START_FAULTS", "APP_REVISION")] == [
        "errors?route=/stats",
        "abc",
    ]
    monkeypatch.setenv("RELEASE_FILE", str(tmp_path / "none"))
    settings.load_release()


def test_facts_are_filled_in_and_an_unknown_one_is_told():
    facts = {"home": "/tmp/lab", "api_port": 8080}
    assert filled({"a": ["$home/x", 7], "b": "{{ jinja }} {jobs}"}, facts) == {
        "a": ["/tmp/lab/x", 7],
        "b": "{{ jinja }} {jobs}",
    }
    with pytest.raises(LabError, match="the facts are api_port, home"):
        filled("$hoem/x", facts)


def test_services_keep_what_the_inventory_says_and_are_operated_by_the_lab():
    said = {"jobs": {"manager": "compose", "project": "/opt/x", "depends_on": ["db"], "health_url": "{{ url }}/health"}}
    by = {"worker": {"manager": "supervisor", "name": "worker"}}
    assert operated(said, {"jobs": "worker"}, by) == {
        "jobs": {"depends_on": ["db"], "health_url": "{{ url }}/health", "manager": "supervisor", "name": "worker"}
    }
    with pytest.raises(LabError, match="which program plays jobs"):
        operated(said, {}, by)


def test_an_unknown_system_is_told_with_those_there_are():
    with pytest.raises(LabError, match="no system 'nope'; the known ones are insightengine, "):
        shape("nope")
