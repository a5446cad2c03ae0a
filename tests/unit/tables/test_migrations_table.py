# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was measured -> what must be concluded, for every cause of the runbook migrations."""

from __future__ import annotations

from typing import Any

from ansible_collections.oncall.runbooks.tests.support.observed_services import running
from ansible_collections.oncall.runbooks.tests.support.tables import Case, table

SYSTEM = {"system_services": {"api": {"manager": "compose", "project": "/srv/app"}}}


def service(**seen: Any) -> dict[str, Any]:
    return {"service": {"available": True, "services": {"api": running(**seen)}}}


UNSEEN = {"service": {"available": False, "reason": "Docker does not answer", "services": {}}}

test_concluded = table(
    "migrations",
    SYSTEM,
    {
        "it runs": Case(service()),
        "it has ended": Case(service(state="exited"), problems=["not_running"], says=["api is exited"]),
        "something else: it runs and is unhealthy": Case(service(health="unhealthy")),
        "its state cannot be told": Case(service(state="unknown"), unknown=["not_running"]),
        "nothing can be seen": Case(UNSEEN, unknown=["not_running"]),
    },
)

# The rows that every runbook has; tests/contract sees that they conclude this.
HEALTHY_ROW = "test_concluded[it runs]"
WRONG_CAUSE_ROW = "test_concluded[something else: it runs and is unhealthy]"
NO_TELEMETRY_ROW = "test_concluded[nothing can be seen]"
