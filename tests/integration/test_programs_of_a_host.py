# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What crash_loop and resource_usage show of programs under a real supervisord: one that panics, and a worker with large batches."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from ansible_collections.oncall.runbooks.tests.support.observing import Answers
from ansible_collections.oncall.runbooks.tests.support.plays import on_host
from ansible_collections.oncall.runbooks.tests.support.supervisord import Supervisord
from ansible_collections.oncall.runbooks.tests.support.waiting import until

# As a program in Go ends.
BACKEND = """
import sys, time
for number in range(60):
    print("2026-01-01T00:00:00Z INFO request", number, "served", flush=True)
print("2026-01-01T00:00:01Z ERROR cannot read tenant 17", flush=True)
time.sleep(1.2)
print("panic: runtime error: index out of range [5] with length 3\\n\\ngoroutine 1 [running]:", flush=True)
sys.exit(2)
"""
WORKER = """
import time
kept = bytearray(80_000_000)
print("2026-01-01 00:00:00 INFO sync of crm: batch of 50000 rows", flush=True)
print("2026-01-01 00:00:01 WARNING slow query: 2310 ms: SELECT * FROM contacts", flush=True)
print("2026-01-01 00:00:02 WARNING cannot allocate memory for the next batch of 90000 rows, splitting it", flush=True)
time.sleep(1000)
"""
PROGRAM = """[program:{name}]
command={python} {file}
startsecs=1
startretries=100
redirect_stderr=true
stdout_logfile={folder}/{name}.log
"""
METRICS = b"# TYPE go_goroutines gauge\ngo_goroutines 4217\n# TYPE process_resident_memory_bytes gauge\nprocess_resident_memory_bytes 9.1e+07\n"


@pytest.fixture(scope="module")
def supervisord() -> Iterator[Supervisord]:
    running = Supervisord()
    try:
        running.wait_for(idle="STOPPED")
        for name, text in (("backend", BACKEND), ("worker", WORKER)):
            file = running.home / f"{name}.py"
            file.write_text(text)
            program = PROGRAM.format(name=name, python=sys.executable, file=file, folder=running.home)
            (running.home / "conf.d" / f"{name}.conf").write_text(program)
        running.rpc("reloadConfig")
        for name in ("backend", "worker"):
            running.rpc("addProcessGroup", name)
        running.wait_for(worker="RUNNING")
        # Started three times again.
        until(lambda: (running.home / "backend.log").read_text().count("panic:") >= 4)
        yield running
    finally:
        running.stop()


@pytest.fixture
def backend() -> Iterator[Answers]:
    """What is left of it: a side process with its metrics, and the path of a proxy."""
    server = Answers({"/metrics": METRICS, "/api/health/ready": (503, b'{"database": "ok", "status": "starting"}', {})})
    yield server
    server.close()


@pytest.mark.covers("LP-7-1", "IE-3-1")
def test_one_that_panics_again_and_again(supervisord, backend, tmp_path):
    play = on_host(
        tmp_path,
        "crash_loop",
        {
            "system_services": {"backend": supervisord.service("backend")},
            "system_endpoints": {"backend": f"{backend.url}/metrics"},
            "crash_loop_ready_urls": {"backend": f"{backend.url}/api/health/ready"},
        },
    )
    told = play(run_until="plan")
    assert (told.code, told.outcome, told.causes()) == (0, "planned", ["unexplained"]), told.output
    (step,) = told.run["plan"]["steps"]
    assert (step["remedy"], step["targets"]) == ("clean_restart", [{"service": "backend"}])
    shown = told.run["evidence"]
    assert shown["services"]["backend"]["restarts"] >= 3
    assert shown["services"]["backend"]["state"] in ("running", "starting", "backoff", "exited")
    (facts,) = shown["looping"]
    assert facts["exit"].startswith("2: "), facts
    log = shown["log_before_the_crash"]
    assert len(log) == 200 and any(line.startswith("panic: runtime error") for line in log)
    assert "cannot read tenant 17" in str(told.run["findings"])
    assert shown["metrics"] == {"goroutines": 4217, "resident_memory_bytes": 91000000}
    assert shown["ready"]["backend"]["status"] == 503


@pytest.mark.covers("LP-6-2", "LP-6-5", "JO-4-1")
def test_what_takes_the_memory_and_what_the_logs_say_of_it(supervisord, backend, tmp_path):
    play = on_host(
        tmp_path,
        "resource_usage",
        {
            "system_services": {"worker": supervisord.service("worker")},
            "system_endpoints": {"worker": f"{backend.url}/metrics"},
            "resource_usage_window_seconds": 1,
            # Nobody says how full and how busy a machine for tests is: here it counts as busy.
            "resource_usage_memory_ratio": 2,
            "resource_usage_host_cpu_ratio": 0,
        },
    )
    told = play(run_until="plan")
    assert (told.code, told.outcome, told.causes()) == (0, "planned", ["host_busy"]), told.output
    shown = told.run["evidence"]
    worker = shown["services"]["worker"]
    assert worker["memory_used_bytes"] > 80_000_000
    assert worker["top_processes"][0]["pid"] == supervisord.rpc("getProcessInfo", "worker")["pid"]
    largest = [one["rss_bytes"] for one in shown["host"]["top_processes"]]
    assert len(largest) == 10 and largest == sorted(largest, reverse=True)
    assert shown["process_metrics"] == {"resident_memory_bytes": 91000000}
    assert [line for line in shown["slow_queries"] if "slow query: 2310 ms" in line]
    said = str(shown["memory_and_batches_in_logs"])
    assert "batch of 50000 rows" in said and "cannot allocate memory" in said
