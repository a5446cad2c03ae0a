# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much faster reading three families is than parsing the whole text, and how much memory it takes.

Usage: PYTHONPATH=collections python benchmarks/metrics_scan.py [series]

Prints one line of JSON. ``ratio`` is prometheus_client's time over ours, on the same text of 100,000 series;
``peak_mebibytes`` is what the scan allocates above the body, ``ratio_histogram`` and
``peak_histogram_mebibytes`` the same where the family asked for is the large histogram itself.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
import tracemalloc

from prometheus_client.parser import text_string_to_metric_families

from ansible_collections.oncall.runbooks.plugins.module_utils.metrics.exposition import scan

BUCKETS = ("0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf")
POOL = {"app_db_pool_waiting", "app_db_pool_in_use", "app_db_pool_max"}


def exposition(series):
    """A text like an application's: mostly one histogram by route, with the pool gauges near the end."""
    lines = [
        "# HELP app_request_duration_seconds Time to answer.",
        "# TYPE app_request_duration_seconds histogram",
    ]
    route = 0
    while len(lines) < series - 10:
        labels = f'method="GET",route="/v1/customers/{route}/orders",status="{200 + route % 5}"'
        for position, bound in enumerate(BUCKETS):
            lines.append(f'app_request_duration_seconds_bucket{{{labels},le="{bound}"}} {route + position}')
        lines.append(f"app_request_duration_seconds_sum{{{labels}}} {route * 0.137:.6f}")
        lines.append(f"app_request_duration_seconds_count{{{labels}}} {route + len(BUCKETS)}")
        route += 1
    for name, value in (("waiting", 3), ("in_use", 25), ("max", 25)):
        lines += [
            f"# HELP app_db_pool_{name} Pool.",
            f"# TYPE app_db_pool_{name} gauge",
            f"app_db_pool_{name} {value}",
        ]
    return "\n".join(lines) + "\n"


def seconds(function, repeat):
    """The median time of ``function()`` in seconds."""
    times = []
    for _ in range(repeat):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def peak_bytes(function):
    """The most memory ``function()`` held at once, in bytes."""
    tracemalloc.start()
    function()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def main():
    series = int(sys.argv[1]) if len(sys.argv) > 1 else 100000
    text = exposition(series)
    body = text.encode()
    found = scan(body, POOL)
    assert {name: samples[0][1] for name, samples in found.items()} == {
        "app_db_pool_waiting": 3.0,
        "app_db_pool_in_use": 25.0,
        "app_db_pool_max": 25.0,
    }
    histogram = {"app_request_duration_seconds"}
    parser = seconds(lambda: sum(1 for _ in text_string_to_metric_families(text)), 3)
    ours = seconds(lambda: scan(body, POOL), 15)
    ours_histogram = seconds(lambda: scan(body, histogram), 3)
    print(
        json.dumps(
            {
                "series": series,
                "body_mebibytes": round(len(body) / 2**20, 1),
                "prometheus_client_ms": round(parser * 1000),
                "scan_ms": round(ours * 1000, 2),
                "ratio": round(parser / ours, 1),
                "peak_mebibytes": round(peak_bytes(lambda: scan(body, POOL)) / 2**20, 3),
                "ratio_histogram": round(parser / ours_histogram, 1),
                "peak_histogram_mebibytes": round(peak_bytes(lambda: scan(body, histogram)) / 2**20, 1),
            }
        )
    )


if __name__ == "__main__":
    main()
