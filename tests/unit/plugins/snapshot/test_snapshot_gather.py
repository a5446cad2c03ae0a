# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module snapshot_info: everything at once, and no trouble with one takes another away."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from modules import run_module

from ansible_collections.oncall.runbooks.plugins.module_utils.deadline import Deadline, DeadlineExceeded
from ansible_collections.oncall.runbooks.plugins.module_utils.observe import OBSERVERS
from ansible_collections.oncall.runbooks.plugins.module_utils.snapshot import gather as module
from ansible_collections.oncall.runbooks.plugins.module_utils.snapshot.gather import OWN, gather, needs_host, validated
from ansible_collections.oncall.runbooks.plugins.module_utils.snapshot.parallel import each
from ansible_collections.oncall.runbooks.tests.support.http_servers import Handler, HttpServer

EXPOSED = b'# TYPE up gauge\nup 1\npool_size{url="postgres://shop:planted4711value@db/shop"} 8\n'


@contextlib.contextmanager
def serving(answers: dict[str, tuple[int, bytes]]) -> Iterator[str]:
    """The URL of a server that gives these answers, by path."""

    class Answers(Handler):
        def do_GET(self) -> None:
            status, body = answers[self.path]
            self.give(body, status)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

    with contextlib.closing(HttpServer(Answers)) as server:
        yield f"http://{server.place}"


@contextlib.contextmanager
def silent() -> Iterator[int]:
    """The port of a server that takes connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def look(look: str, **parameters: Any) -> dict[str, Any]:
    return {"look": look, "parameters": parameters}


def test_each_has_its_answer_or_its_reason(tmp_path):
    told = gather(
        {
            "fine": look("platform"),
            "twice": look("platform"),
            "unknown": look("nothing"),
            "misspelt": look("service", servces={}),
            "wrong": look("service", services={"api": {"manager": "horse"}}),
            "negative": look("postgres_size", database={"name": "shop", "host": "127.0.0.1", "port": 1}, tables=0),
            "refused": look("postgres_size", database={"name": "shop", "host": "127.0.0.1", "port": 1}),
            "ledger": look("ledger", path=str(tmp_path / "none.sqlite3")),
            "functions": look("functions", queues={"mail": {"engine": "bullmq"}}),
        },
        30,
    )
    assert [name for name, answer in told.items() if answer["available"]] == ["fine", "twice", "ledger"]
    reasons = {name: answer["reason"] for name, answer in told.items() if not answer["available"]}
    assert reasons["unknown"].startswith("unknown look nothing; known are api, ")
    assert "servces" in reasons["misspelt"]
    assert (
        reasons["wrong"]
        == "service api: unknown manager horse; known managers: command, compose, docker, supervisor, systemd"
    )
    assert reasons["negative"] == "tables must be 1 or more"
    assert "refused" in reasons["refused"]
    assert "no engine of system_queues has functions" in reasons["functions"]
    assert not (tmp_path / "none.sqlite3").exists(), "a snapshot makes no ledger"


def test_a_service_that_is_not_described_right_takes_no_other_away():
    good = {"manager": "command", "commands": {"status": ["true"]}}
    told = gather({"s": look("service", services={"good": good, "bad": {"manager": "horse"}, "worse": 3})}, 20)["s"]
    assert (told["available"], list(told["services"])) == (True, ["good"])
    assert [line.partition(":")[0] for line in told["limits"]] == [
        "service bad",
        "service worse must be a dict with at least the key manager",
    ]


def test_one_that_hangs_is_late_and_the_others_are_there(monkeypatch):
    released = threading.Event()
    monkeypatch.setitem(module.OWN, "platform", ({}, lambda _params: released.wait(60)))
    began = time.monotonic()
    told = gather({"hangs": look("platform"), "fine": look("ledger", path="/nowhere/l.sqlite3")}, 1.0)
    assert time.monotonic() - began < 10
    released.set()
    assert told["hangs"]["reason"].startswith("no complete answer within 1 s")
    assert told["fine"]["available"]


def test_a_fault_of_ours_is_told_as_one(monkeypatch):
    def broken(_params: Any) -> None:
        raise KeyError("password=planted4711value")

    monkeypatch.setitem(module.OWN, "platform", ({}, broken))
    reason = gather({"broken": look("platform")}, 10)["broken"]["reason"]
    assert "please report this" in reason and "planted" not in reason


def test_a_database_in_need_gets_few_sessions_at_once(monkeypatch):
    at_once, most, lock = 0, 0, threading.Lock()

    class Slow:
        SPEC: dict[str, Any] = {}

        @staticmethod
        def load() -> Any:
            def observe(_params: Any) -> dict[str, Any]:
                nonlocal at_once, most
                with lock:
                    at_once += 1
                    most = max(most, at_once)
                time.sleep(0.05)
                with lock:
                    at_once -= 1
                return {"available": True}

            return observe

    for name in module._IN_A_DATABASE:
        monkeypatch.setitem(OBSERVERS, name, Slow)
    told = gather({name: look(name) for name in module._IN_A_DATABASE}, 30)
    assert all(answer["available"] for answer in told.values()) and len(told) == 8
    assert most <= 3


def test_metrics_as_they_are_exposed_without_secrets():
    with serving({"/metrics": (200, EXPOSED), "/page": (200, b"<html>login</html>")}) as url, silent() as port:
        endpoints = {"api": f"{url}/metrics", "web": f"{url}/page", "gone": "http://127.0.0.1:1/metrics"}
        endpoints["hangs"] = f"http://127.0.0.1:{port}/metrics"
        told = gather({"m": look("exposition", endpoints=endpoints, max_bytes=100_000, timeout_seconds=2)}, 20)["m"]
    (file,) = told["files"]
    assert (file["name"], file["of_bytes"]) == ("api", len(EXPOSED))
    assert file["text"].startswith('# TYPE up gauge\nup 1\npool_size{url="postgres://********@db/shop"')
    assert len(told["limits"]) == 3 and "HTML" in " ".join(told["limits"]) and "refused" in " ".join(told["limits"])


def test_metrics_that_are_too_long_are_cut_after_a_line():
    body = b"".join(b"metric_%d 1\n" % number for number in range(2000))
    with serving({"/metrics": (200, body)}) as url:
        told = gather({"m": look("exposition", endpoints={"api": f"{url}/metrics"}, max_bytes=1000)}, 20)["m"]
    (file,) = told["files"]
    assert (file["kept_bytes"], file["of_bytes"]) == (1000, len(body))
    assert file["text"].endswith(" 1\n") and len(file["text"]) <= 1000


def test_what_a_prometheus_has_of_a_stack():
    rows = [{"metric": {"__name__": "up", "job": "api", "note": 'a"b'}, "value": [1.0, "1"]}]
    body = json.dumps({"status": "success", "data": {"resultType": "vector", "result": rows}}).encode()
    with serving({"/api/v1/query": (200, body)}) as url:
        asked = {"url": url, "labels": {"namespace": "shop"}}
        told = gather({"m": look("exposition", prometheus=asked, max_bytes=1000)}, 20)["m"]
        assert told["files"][0]["text"] == 'up{job="api",note="a\\"b"} 1\n'
        without = gather({"m": look("exposition", prometheus={"url": url}, max_bytes=1000)}, 20)["m"]
        assert "system_prometheus.labels is empty" in without["reason"]


def test_the_functions_of_a_job_engine():
    apps = [
        {"externalID": "shop", "name": "shop", "url": "http://u:planted4711value@app.example/api/inngest", "connected": False,
         "error": "connect failed: token=planted4711value", "functionCount": 2,
         "functions": [{"slug": "shop-mail", "name": "Mail"}, {"slug": "shop-validate", "name": "Validate"}]},
        {"externalID": "other", "name": "other", "url": None, "connected": True, "error": None, "functionCount": 0, "functions": []},
    ]  # fmt: skip
    with serving({"/v0/gql": (200, json.dumps({"data": {"apps": apps}}).encode())}) as url:
        queues = {"jobs": {"engine": "inngest", "url": url, "apps": ["shop"]}, "mail": {"engine": "bullmq"}}
        told = gather({"f": look("functions", queues=queues)}, 20)["f"]
    assert told["available"], told
    assert told["queues"]["jobs"]["functions"] == [
        {"app": "shop", "slug": "shop-mail", "name": "Mail"},
        {"app": "shop", "slug": "shop-validate", "name": "Validate"},
    ]
    (app,) = told["queues"]["jobs"]["apps"]
    assert (app["connected"], app["functions"]) == (False, 2)
    assert "planted" not in json.dumps(told)


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (404, b"", "does the server run with --no-ui"),
        (401, b"", "check the signing key"),
        (200, b"<html>", "no JSON"),
        (200, b'{"data": null}', "no list of applications"),
        (200, b'{"data": {"apps": [3]}}', "no list of applications"),
    ],
)
def test_functions_that_are_not_told(status, body, reason):
    with serving({"/v0/gql": (status, body)}) as url:
        told = gather({"f": look("functions", queues={"jobs": {"engine": "inngest", "url": url}})}, 20)["f"]
    assert not told["available"] and reason in told["reason"]


def test_what_can_be_asked_from_anywhere():
    here = {name for name in (*OWN, "http_probe", "api") if not needs_host(name, {})}
    assert here == {"exposition", "functions", "http_probe", "api"}
    assert needs_host(
        "postgres_size",
        validated("postgres_size", {"database": {"name": "x", "transport": "docker", "container": "db"}}),
    )


def test_each_gives_up_at_its_deadline():
    began = time.monotonic()
    found = each([*range(50)], lambda number: time.sleep(0.2) or number, Deadline(0.5))
    assert time.monotonic() - began < 5
    assert 0 in found and any(isinstance(one, DeadlineExceeded) for one in found)


def test_the_module_tells_neither_its_arguments_nor_a_password(tmp_path):
    asked = {
        "size": look(
            "postgres_size", database={"name": "shop", "host": "127.0.0.1", "port": 1, "password": "planted4711value"}
        )
    }
    code, told = run_module("snapshot_info", tmp_path, looks=asked, seconds=20)
    assert (code, told["changed"], told["answers"]["size"]["available"]) == (0, False, False)
    assert "planted" not in json.dumps(told)
