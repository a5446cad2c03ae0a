# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What connector_action asks of a real HTTP server, and what it never does."""

from __future__ import annotations

import json
import sys

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.oncall.runbooks.plugins.filter.sync_moved import sync_moved
from ansible_collections.oncall.runbooks.plugins.module_utils.connectors.act import act
from ansible_collections.oncall.runbooks.plugins.module_utils.connectors.failures import SourceError
from ansible_collections.oncall.runbooks.plugins.modules.connector_action import ARGUMENT_SPEC
from ansible_collections.oncall.runbooks.plugins.plugin_utils.connector_ways import missing_for
from ansible_collections.oncall.runbooks.tests.support.observing import answering

TOKEN = "tok-5e1d77aa"
NOTHING = {"status": None, "last_line": "", "errors": [], "traces": []}


def ask(params, verb="sync", connector="crm"):
    given = {"source": "app", "verb": verb, "connector": connector, "error_classes": {"validation": ["flux"]}, **params}
    validated = ArgumentSpecValidator(ARGUMENT_SPEC).validate(given)
    assert not validated.error_messages
    return act(validated.validated_parameters)


def requests(url, **more):
    return {"request": {"url": url, **more}, "auth": {"bearer": TOKEN}}


def test_the_name_is_in_the_url_and_in_the_body():
    with answering(**{"v1__connectors__Acme%20Corp__sync": (202, b"", {})}) as server:
        entry = requests(
            server.url + "/v1/connectors/{connector}/sync", body={"connector": ["{connector}"], "full": True}
        )
        assert ask(entry, connector="Acme Corp") == {**NOTHING, "status": 202}
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


def python(text):
    return {"argv": [sys.executable, "-c", text, "--client", "{connector}"]}


def test_what_a_command_prints_is_counted_and_not_executed(tmp_path):
    text = f"import sys\nprint('$(touch {tmp_path}/made)')\nfor n in range(3): print(f'ERROR flux {{n}}')\nprint('done ' + sys.argv[2])"
    done = ask(python(text), connector="Acme Corp")
    assert (done["last_line"], done["errors"]) == (
        "done Acme Corp",
        [{"error_class": "validation", "count": 3, "last": "ERROR flux <n>"}],
    )
    assert list(tmp_path.iterdir()) == []


def test_a_command_that_fails_is_one_line_with_its_class():
    with pytest.raises(SourceError) as raised:
        ask(python("import sys; print('x' * 10_000_000); sys.exit('connect ETIMEDOUT password=s3cretdata')"))
    assert raised.value.kind == "timeout"
    assert str(raised.value).startswith("system_connectors.app.commands.sync: python")
    assert "ended with exit code 1: connect ETIMEDOUT password=********" in str(raised.value)


def test_traces_are_kept_before_tasks_are_restarted():
    status = {
        "tasks": [{"id": 0, "state": "RUNNING"}, {"id": 1, "state": "FAILED", "trace": "Boom\npassword=s3cretdata"}]
    }
    answers = {"connectors__orders__status": json.dumps(status).encode(), "connectors__orders__restart": (202, b"", {})}
    with answering(**answers) as server:
        done = ask({"kafka_connect_url": server.url + "/"}, "restart_tasks", "orders")
    assert done == {**NOTHING, "status": 202, "traces": [{"task": 1, "trace": ["Boom", "password=********"]}]}
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


def test_where_the_inventory_says_it_is_named():
    place = "circuit_breaker_dependencies.crm.connector"
    with pytest.raises(SourceError) as raised:
        ask({**python("import sys; sys.exit(3)"), "source": "", "place": place}, connector="")
    assert str(raised.value).startswith(f"{place}: python")
    with pytest.raises(ValueError, match=rf"{place}: nothing says how"):
        ask({"source": "", "place": place}, connector="")
