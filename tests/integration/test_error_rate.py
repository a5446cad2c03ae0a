# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runbook error_rate on the embedded stack; tests/containers has its causes."""

from __future__ import annotations

import threading

from ansible_collections.oncall.runbooks.tests.support.waiting import until
from lab.database import connect

PLAYBOOK = "playbooks/error_rate.yml"
HANGING = 8


def test_users_who_wait_for_ever_are_not_overlooked(healthy_lab, player):
    lab = healthy_lab
    quiet = player.play(playbook=PLAYBOOK, run_until="plan")
    assert (quiet.code, quiet.outcome) == (0, "healthy"), quiet.output
    assert "no traffic" in quiet.run["summary"]

    asking = [threading.Thread(target=lab.request, args=("/orders", "GET", 300), daemon=True) for _ in range(HANGING)]
    with connect(lab.layout, "postgres") as connection:
        connection.execute("BEGIN")
        connection.execute("LOCK TABLE orders")
        for one in asking:
            one.start()
        until(lambda: lab.measure().blocked(0) == HANGING)
        hanging = player.play(playbook=PLAYBOOK, run_until="plan")
        uncounted = player.play(playbook=PLAYBOOK, run_until="plan", error_rate_in_progress="")
        connection.execute("ROLLBACK")
    for one in asking:
        one.join()
    assert (hanging.outcome, hanging.causes()) == ("planned", ["requests_hang"]), hanging.output
    assert f"{HANGING} requests are in progress, and no user was answered" in hanging.run["summary"]
    assert hanging.run["plan"]["steps"] == []
    assert uncounted.outcome == "unknown", uncounted.output
    assert "no answers to users within 4 s" in uncounted.run["summary"]
