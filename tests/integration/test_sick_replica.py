# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two replicas under a real supervisord at a real PostgreSQL, one of which is not let in: that one is named, and nothing else blamed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from postgres_servers import Server, server

from ansible_collections.oncall.runbooks.plugins.module_utils.observers import service as service_observer
from ansible_collections.oncall.runbooks.plugins.module_utils.services.states import observe
from ansible_collections.oncall.runbooks.tests.support import tables
from ansible_collections.oncall.runbooks.tests.support.supervisord import Supervisord, until

ORDERS = """
import sys, time
import psycopg
while True:
    try:
        psycopg.connect(host="127.0.0.1", port=int(sys.argv[1]), user=sys.argv[2], dbname="shop").close()
        print("INFO stored an order", flush=True)
    except psycopg.Error as error:
        print("ERROR cannot store an order:", " ".join(str(error).split()), flush=True)
    time.sleep(0.1)
"""
# The second has the credentials of a role that is not there.
PROGRAM = """[program:web]
command={python} {script} {port} app%(process_num)d
process_name=%(program_name)s_%(process_num)d
numprocs=2
redirect_stderr=true
"""
METRICS = {
    "available": True,
    # "1 requests wait" in one sample decides nothing.
    "value": {
        "answers": 1000.0, "errors": 180.0, "answers_by_status": {"200": 820.0, "500": 180.0},
        "answers_by_route": {"/orders": 900.0, "/stats": 100.0}, "errors_by_route": {"/orders": 170.0, "/stats": 10.0},
        "in_progress": 2.0, "pool_waiting": 1.0, "provider_errors": {},
    },
    "metric": {"answers": {"available": True, "seconds": 10.0}},
}  # fmt: skip


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    with server() as running:
        running.execute("CREATE ROLE app0 LOGIN")
        yield running


@pytest.fixture(scope="module")
def supervisord(postgres: Server) -> Iterator[Supervisord]:
    running = Supervisord()
    try:
        running.wait_for(api="RUNNING")
        script = running.home / "orders.py"
        script.write_text(ORDERS)
        running.program_config.write_text(PROGRAM.format(python=sys.executable, script=script, port=postgres.port))
        running.rpc("reloadConfig")
        running.rpc("addProcessGroup", "web")
        yield running
    finally:
        running.stop()


def look(supervisord: Supervisord) -> dict[str, Any]:
    defaults = {key: dict(option).get("default") for key, option in service_observer.SPEC.items()}  # type: ignore[call-overload]
    return observe({**defaults, "services": {"web": supervisord.service("web:*")}, "log_lines": 200})


def errors(seen: dict[str, Any]) -> list[int]:
    return [sum(one["count"] for one in member["log_tail_errors"]) for member in seen["services"]["web"]["members"]]


def test_the_replica_that_is_not_let_in_is_named(supervisord, postgres):
    until(lambda: errors(look(supervisord))[1] > 10)
    seen = look(supervisord)
    assert errors(seen)[0] == 0
    assert (seen["services"]["web"]["state"], seen["services"]["web"]["replicas_running"]) == ("running", 2)
    result = tables.diagnose(
        "error_rate",
        {"metrics": METRICS, "service": seen, "postgres_activity": postgres.look()},
        __error_rate_history={"skipped": True, "changed": False},
        system_roles={"api": "web"},
        system_services={"web": supervisord.service("web:*")},
        system_endpoints={"web": "http://127.0.0.1:8080/metrics"},
        system_metrics={"responses": "r", "db_pool_waiting": "w", "requests_in_progress": "p"},
        system_database={"name": "shop"},
    )
    assert tables.causes_that_are(result, "problem") == ["one_replica"], result["msg"]
    assert "web:web_1 (" in result["msg"] and 'role "app1" does not exist' in result["msg"], result["msg"]
    assert "web:web_0" not in result["msg"] and not result["plan"]["steps"]
