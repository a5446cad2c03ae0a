# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What connector_action asks of a real HTTP server, and what it never does."""

from __future__ import annotations

import json

import pytest

from ansible_collections.oncall.runbooks.plugins.filter.sync_moved import sync_moved
from ansible_collections.oncall.runbooks.plugins.module_utils.connectors.act import act
from ansible_collections.oncall.runbooks.plugins.module_utils.connectors.failures import SourceError
from ansible_collections.oncall.runbooks.plugins.plugin_utils.connector_ways import missing_for
from ansible_collections.oncall.runbooks.tests.support.observing import answering

TOKEN = "tok-5e1d77aa"


def ask(entry, verb="sync", connector="crm"):
    return act("system_connectors.app", entry, verb, connector, 10.0)


def requests(url, **more):
    return {"source": "table", "requests": {"sync": {"url": url, "auth": {"bearer": TOKEN}, **more}}}


def test_the_name_is_in_the_url_and_in_the_body():
    with answering(**{"v1__connectors__Acme%20Corp__sync": (202, b"", {})}) as server:
        entry = requests(
            server.url + "/v1/connectors/{connector}/sync", body={"connector": ["{connector}"], "full": True}
        )
        assert ask(entry, connector="Acme Corp") == {"status": 202, "traces": []}
    ((method, _path, headers, body),) = server.asked
    assert (method, headers["authorization"]) == ("POST", f"Bearer {TOKEN}")
    assert json.loads(body) == {"connector": ["Acme Corp"], "full": True}


@pytest.mark.parametrize("name", ["'; DROP TABLE x; --", "../x", "--reset", "a\nb", "a/b", "a?b", "{connector}"])
def test_a_name_that_is_not_plain_is_never_asked_for(name):
    with answering() as server:
        with pytest.raises(ValueError, match="cannot have the name"):
            ask(requests(server.url + "/{connector}"), connector=name)
        assert server.asked == []


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ((500, f'{{"wrong": "{TOKEN}"}}'.encode(), {}), "/sync answers 500: "),
        ((409, b"<html>busy</html>", {}), "/sync answers 409"),
        ((302, b"", {"Location": "http://elsewhere.example/"}), "/sync answers 302"),
        ((200, b" " * 50_000_000, {}), "larger than"),
    ],
    ids=["500", "HTML", "redirect", "50 MB"],
)
def test_what_was_not_done_is_one_line_without_secrets(given, says):
    with answering(sync=given) as server, pytest.raises(SourceError) as raised:
        ask(requests(server.url + "/sync"))
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)
    assert TOKEN not in str(raised.value)


def test_traces_are_kept_before_tasks_are_restarted():
    status = {
        "tasks": [{"id": 0, "state": "RUNNING"}, {"id": 1, "state": "FAILED", "trace": "Boom\npassword=s3cretdata"}]
    }
    answers = {"connectors__orders__status": json.dumps(status).encode(), "connectors__orders__restart": (202, b"", {})}
    with answering(**answers) as server:
        done = ask({"source": "kafka_connect", "url": server.url + "/"}, "restart_tasks", "orders")
    assert done == {"status": 202, "traces": [{"task": 1, "trace": ["Boom", "password=********"]}]}
    assert [(method, path) for method, path, _headers, _body in server.asked] == [
        ("GET", "/connectors/orders/status"),
        ("POST", "/connectors/orders/restart?includeTasks=true&onlyFailed=true"),
    ]


@pytest.mark.parametrize(
    ("source", "connector", "verb", "missing"),
    [
        ("app", "crm", "sync", ""),
        ("app", "../x", "sync", "the name ../x is not plain, and no command or URL gets it"),
        ("app", "crm", "reset", "nothing says how: add system_connectors.app.commands.reset or .requests.reset"),
        ("kafka", "orders", "restart_tasks", ""),
        ("gone", "crm", "sync", "gone is not in system_connectors"),
    ],
)
def test_connector_missing(source, connector, verb, missing):
    entries = {"app": {"source": "table", "commands": {"sync": ["sync"]}}, "kafka": {"source": "kafka_connect"}}
    assert missing_for(entries, source, connector, verb) == missing


def seen(**connector):
    return {"sources": {"app": {"connectors": [{"name": "crm", **connector}]}}}


BEFORE = {"last_success_at_seconds": 100.0, "watermark_at_seconds": 50.0, "state": "failed"}


@pytest.mark.parametrize(
    ("after", "moved"),
    [
        ({"last_success_at_seconds": 200.0, "watermark_at_seconds": 150.0, "state": "ok"}, True),
        ({"last_success_at_seconds": 200.0, "watermark_at_seconds": 50.0, "state": "ok"}, False),
        ({"last_success_at_seconds": 100.0, "watermark_at_seconds": 150.0, "state": "ok"}, False),
        ({"last_success_at_seconds": 200.0, "watermark_at_seconds": 150.0, "state": "failed"}, False),
        ({"state": "ok"}, True),
        ({"state": "ok", "failed_tasks": [1]}, False),
        ({}, False),
    ],
)
def test_sync_moved(after, moved):
    assert sync_moved(seen(**after), seen(**BEFORE), "app", "crm") is moved
    assert not sync_moved(seen(**after), seen(**BEFORE), "app", "another")
