# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a Redis is down after its alert came: `oncall serve` beside ansible-rulebook, with the same runbook on the same hosts."""

from __future__ import annotations

import socket
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_collections.oncall.runbooks.tests.support.rulebook import Rulebook, post
from ansible_collections.oncall.runbooks.tests.support.serving import TOKEN, Host, Serving, alert, notification
from lab.ports import free_port

TARGET = 1.0
LONGEST_SECONDS = 60


def measure(folder: Path, turns: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Let both take turns; the first turn only warms up.

    Returns:
        ``oncall_serve_ms``, ``ansible_rulebook_ms`` (medians), ``ratio``, ``target_ratio``, ``met`` and ``turns``.
    """
    (folder / "serve").mkdir()
    (folder / "rulebook").mkdir()
    serving = Serving(folder / "serve", hosts=2 * turns, pause_seconds=0)
    port = free_port()
    inventory = serving.folder / "inventory.json"
    times: dict[str, list[float]] = {"serve": [], "rulebook": []}
    try:
        serving.start()
        variables = {"oncall_port": port, "oncall_token": TOKEN}
        more = {name: value for name, value in serving.environment.items() if name.startswith(("XDG_", "ONCALL_"))}
        with Rulebook(folder / "rulebook", "oncall.runbooks.oncall_run", inventory, variables, [port], more) as other:
            for turn in range(turns):
                say(f"\ralert to fixed: turn {turn + 1} of {turns} ")
                first, second = serving.hosts[2 * turn : 2 * turn + 2]
                for who in ("serve", "rulebook") if turn % 2 else ("rulebook", "serve"):
                    if who == "serve":
                        seconds = fixed_after(first, lambda body: serving.request("POST", "/alerts", body)[0])
                    else:
                        url = f"http://127.0.0.1:{port}/alerts"
                        seconds = fixed_after(second, lambda body: post(url, body, TOKEN))  # noqa: B023
                    if turn:
                        times[who].append(seconds * 1000)
            assert other.alive()
        say("\n")
    finally:
        serving.stop()
    ours, theirs = (statistics.median(times[who]) for who in ("serve", "rulebook"))
    return {
        "oncall_serve_ms": round(ours),
        "ansible_rulebook_ms": round(theirs),
        "ratio": round(ours / theirs, 3),
        "target_ratio": TARGET,
        "met": ours / theirs <= TARGET,
        "turns": turns - 1,
    }


def fixed_after(host: Host, send: Callable[[bytes], int]) -> float:
    """Seconds from sending the alert until its Redis takes connections."""
    began = time.monotonic()
    status = send(notification([alert(host.name)]))
    assert 200 <= status < 300, status
    while time.monotonic() - began < LONGEST_SECONDS:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", host.port)) == 0:
                return time.monotonic() - began
        time.sleep(0.01)
    raise AssertionError(f"{host.name} was not fixed within {LONGEST_SECONDS} s")
