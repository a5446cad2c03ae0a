"""What host_info tells of this host, and of what its kernel would say on another."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.host import usage as host_usage
from ansible_collections.oncall.runbooks.plugins.module_utils.observe import needs_host
from ansible_collections.oncall.runbooks.tests.support.modules import run_module

MEMORY = """\
MemTotal:        8056276 kB
MemFree:          180020 kB
MemAvailable:    2014069 kB
SwapTotal:       1048572 kB
SwapFree:         524286 kB
HugePages_Total:       0
"""
BEFORE = "cpu  100 10 50 1000 40 0 0 0 0 0\ncpu0 100 10 50 1000 40 0 0 0 0 0\n"
AFTER = "cpu  170 10 60 1015 45 0 0 0 0 0\n"


def test_memory():
    assert host_usage.memory_of(MEMORY) == {
        "memory_total_bytes": 8249626624,
        "memory_available_bytes": 2062406656,
        "memory_used_ratio": 0.75,
        "swap_total_bytes": 1073737728,
        "swap_free_bytes": 536868864,
    }


def test_processors():
    before, after = host_usage.processor_ticks(BEFORE), host_usage.processor_ticks(AFTER)
    assert (before, after) == ((1200, 1040), (1300, 1060))
    assert host_usage.busy_ratio(before, after) == 0.8
    assert host_usage.busy_ratio(after, after) is None


def test_the_largest_process_and_a_busy_processor(tmp_path):
    code = "data = bytearray(b'x' * 300_000_000)\nprint('.', flush=True)\nwhile True: pass"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        try:
            process.stdout.read(1)
            returned, told = run_module("host_info", tmp_path, window_seconds=0.5, top_processes=10)
        finally:
            # It would never end, and be waited for.
            process.kill()
    assert (returned, told["changed"], told["available"]) == (0, False, True)
    assert process.pid in [one["pid"] for one in told["top_processes"]]
    assert len(told["top_processes"]) <= 10
    sizes = [one["rss_bytes"] for one in told["top_processes"]]
    assert sizes == sorted(sizes, reverse=True)
    assert told["cpu_ratio"] >= 0.8 / told["cores"]
    assert told["cores"] == os.cpu_count()
    assert 0 < told["memory_available_bytes"] < told["memory_total_bytes"]
    assert told["oom_kills"] is None or isinstance(told["oom_kills"], list)


def test_what_was_not_asked_for_is_not_there():
    told = host_usage.observe({"window_seconds": 0, "top_processes": 0, "timeout_seconds": 5})
    assert (told["cpu_ratio"], told["top_processes"]) == (None, None)


def test_a_host_without_proc(monkeypatch):
    def refuse(path):
        raise FileNotFoundError(2, "No such file or directory", path)

    monkeypatch.setattr(host_usage, "_read", refuse)
    told = host_usage.observe({"window_seconds": 0, "top_processes": 0, "timeout_seconds": 5})
    assert told["available"] is False
    assert "/proc" in told["reason"]


@pytest.mark.parametrize("bad", [{"window_seconds": -1}, {"top_processes": -1}])
def test_bad_parameters(bad):
    with pytest.raises(ValueError, match="below 0"):
        host_usage.observe({"window_seconds": 0, "top_processes": 0, "timeout_seconds": 5, **bad})


def test_it_is_about_the_managed_host():
    assert needs_host({}) is False, "nothing was asked for"
    assert needs_host({"host": {"window_seconds": 0}}) is True
