# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of an inventory makes another plan: what changed since it was approved -> whether it is the same."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.template import trust_as_template

from ansible_collections.oncall.runbooks.plugins.plugin_utils.judge import CannotTell
from ansible_collections.oncall.runbooks.plugins.plugin_utils.reach import reach
from ansible_collections.oncall.runbooks.tests.support.tables import diagnose, steps_that_act

DOWN = {
    "redis": {"available": False, "reason": "connection refused", "reachable": False, "kind": "refused"},
    "service": {"available": True, "services": {"redis": {"state": "stopped", "available": True}}},
}
COMMANDS = {"status": ["redisctl", "status"], "restart": ["redisctl", "restart"]}
INVENTORY: dict[str, Any] = {
    "ansible_connection": "ssh",
    "ansible_host": "192.0.2.1",
    "ansible_port": 22,
    "system_services": {"redis": {"manager": "command", "commands": COMMANDS}},
    "system_redis": {
        "transport": "redis", "host": "127.0.0.1", "port": 6379, "service": "redis", "password": "one",
    },
    "system_database": {"transport": "postgres", "host": "db.example", "port": 5432, "password": "one"},
    "system_deployment": {"path": "/srv/shop", "services": ["redis"]},
    "system_connectors": {"app": {"source": "table", "requests": {"sync": {"url": "https://app.example/", "auth": {"bearer": "one"}}}}},
    "system_queues": {"mail": {"engine": "pgboss", "queue": "mail", "database": {"name": "jobs", "password": "one"}}},
}  # fmt: skip


def plan(**changed: Any) -> str:
    result = diagnose("cache", DOWN, **{**INVENTORY, **changed})
    assert steps_that_act(result), result["plan"]
    return result["plan"]["hash"]


def within(variable: str, **changed: Any) -> dict[str, Any]:
    return {variable: {**INVENTORY[variable], **changed}}


@pytest.mark.parametrize(
    "changed",
    [
        {"ansible_host": "192.0.2.2"},
        {"ansible_ssh_host": "192.0.2.2"},
        {"ansible_port": 2222},
        {"ansible_connection": "local"},
        {"ansible_host": trust_as_template("{{ '192.0.2.' ~ 2 }}")},
        within("system_redis", port=6380),
        within("system_redis", host="cache.example"),
        within("system_redis", unix_socket="/run/other.sock"),
        within("system_database", host="db2.example"),
        within("system_database", port=5433),
        within("system_database", name="other"),
        within("system_deployment", path="/srv/other"),
        within(
            "system_connectors",
            app={"source": "table", "requests": {"sync": {"url": "https://other.example/", "auth": {"bearer": "one"}}}},
        ),
        within(
            "system_queues",
            mail={"engine": "pgboss", "queue": "other", "database": {"name": "jobs", "password": "one"}},
        ),
        within(
            "system_queues",
            mail={"engine": "pgboss", "queue": "mail", "database": {"name": "other", "password": "one"}},
        ),
    ],
    ids=str,
)
def test_another_place_is_another_plan(changed):
    assert plan(**changed) != plan()


@pytest.mark.parametrize(
    "changed",
    [
        {},
        within("system_redis", password="two"),
        within("system_database", password="two"),
        within(
            "system_queues", mail={"engine": "pgboss", "queue": "mail", "database": {"name": "jobs", "password": "two"}}
        ),
        within(
            "system_connectors",
            app={"source": "table", "requests": {"sync": {"url": "https://app.example/", "auth": {"bearer": "two"}}}},
        ),
        within("system_redis", port=trust_as_template("{{ 6379 }}")),
        {"ansible_user": "another"},
        {"unused": 1},
    ],
    ids=str,
)
def test_the_same_place_is_the_same_plan(changed):
    assert plan(**changed) == plan()


def test_a_password_is_not_even_rendered():
    rendered: list[Any] = []

    def template(value: Any) -> Any:
        rendered.append(value)
        return {"host": "db", "password": "s3cret"} if value == "{{ whole }}" else value

    told = reach({"system_redis": {"host": "h", "password": "s3cret"}, "system_database": "{{ whole }}"}, template)
    assert told == {"system_redis": {"host": "h"}, "system_database": {"host": "db"}}
    assert {"host": "h"} in rendered and "s3cret" not in str(rendered)


def test_what_cannot_be_rendered_stops_no_diagnosis():
    def template(_value: Any) -> Any:
        raise CannotTell("no such variable")

    assert reach({"system_redis": "{{ nowhere }}"}, template) == {"system_redis": None}
