# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""insightengine: what its runbook is about happens, and what that tells a person to do is what the plan says, by its own inventory."""

from __future__ import annotations

import pytest

from ansible_collections.oncall.runbooks.tests.support.system_stack import MIB, done, named

SYSTEM = "insightengine"


@pytest.mark.covers("IE-2-1", "IE-3-1")
def test_a_backend_that_crashes_is_told_with_what_it_said(stack):
    """Affected services, dashboards; docker logs backend | grep error, panic, fatal; go_goroutines, process_resident_memory; /api/health/ready."""
    assert stack.lab.request("/api/health/ready")[0] == 200
    with stack.migration_that_fails():
        seen = stack.play("triage")
        assert "crash_loop" in named(seen), seen.output
        assert seen.run["severity"] == "P1"
        assert "http://localhost:9090/graph" in seen.output and "http://localhost:3001/dashboards" in seen.output
        told = stack.plan("crash_loop")
        assert told.causes()[0] == "migration_failed", told.output
        assert "backend" in told.run["summary"]
    # It runs again, and tells of itself.
    after = stack.plan("crash_loop", crash_loop_settled_seconds=3600)
    assert {"goroutines", "resident_memory_bytes"} <= set(after.run["evidence"]["metrics"]), after.output


@pytest.mark.covers("IE-3-2")
def test_what_makes_it_slow_is_named(stack):
    """query_execution_duration, connection_pool."""
    with stack.fault("blocker"):
        told = stack.plan("latency")
        assert told.runs[0]["hand_over"] == ["db_pool"], told.output
        assert {"query_execution_duration", "connection_pool"} <= set(told.runs[0]["evidence"]), told.output


@pytest.mark.covers("IE-3-3", "IE-3-4")
def test_a_backend_with_keys_of_before_is_restarted(stack):
    """curl -X POST /api/auth/login; docker logs backend | grep jwt, token, auth; restart."""
    before = stack.pid("api")
    with stack.keys_of_before():
        fixed = stack.play("auth_failures")
        assert done(fixed) == {"read_keys_again": [{"service": "backend"}]}
        assert "Unable to find a signing key" in fixed.output
    assert stack.pid("api") != before
    assert stack.logged_in() == 200
    assert stack.lab.layout.entry_keys()["CANARY_PASSWORD"] not in fixed.output


@pytest.mark.covers("IE-6-1")
def test_a_backend_that_is_nearly_out_of_memory_is_to_have_2g(stack):
    """docker stats backend; docker update --memory=2g backend."""
    with stack.nearly_out_of_memory():
        told = stack.plan("resource_usage")
        assert told.causes() == ["memory_plateau"], told.output
        (step,) = told.run["plan"]["steps"]
        target = {"service": "backend", "from": 384 * MIB, "to": 2048 * MIB, "restart": False}
        assert (step["remedy"], step["targets"]) == ("raise_memory_limit", [target])
        # supervisord, which runs it here, has no limits; tests/containers/test_resource_usage.py raises one.
        assert not step["available"]


@pytest.mark.covers("IE-6-2")
def test_idle_sessions_are_ended(stack):
    """SELECT pg_terminate_backend(pid) where idle for more than 10 minutes."""
    with stack.fault("leaked_sessions"):
        fixed = stack.play("db_pool")
        assert list(done(fixed)) == ["end_leaked_sessions"]
        assert "reports leaks" in fixed.run["summary"]


@pytest.mark.covers("IE-6-3", "IE-6-4")
def test_who_has_the_port_is_ended_and_the_backend_started(stack):
    """lsof -i :8080; kill -9; docker restart backend."""
    with stack.port_taken() as stranger:
        # It is nobody's that this inventory knows, so a person has to say so.
        ended = done(stack.play("port_conflict", run_max_risk="high"))
        assert [target["pid"] for target in ended["end_process"] if "pid" in target] == [stranger]
        assert stack.lab.request("/api/health/ready")[0] == 200
