# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What queue_info tells of lists and streams of Redis, and of the documented shapes of Sidekiq and Inngest."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.observe import needs_host
from ansible_collections.oncall.runbooks.plugins.module_utils.queues import engines, redis_stream
from ansible_collections.oncall.runbooks.tests.support.captured_queues import DEFAULTS, look
from ansible_collections.oncall.runbooks.tests.support.http_servers import Handler, HttpServer
from ansible_collections.oncall.runbooks.tests.support.modules import run_module
from ansible_collections.oncall.runbooks.tests.support.redis_servers import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    running = Server(tmp_path_factory.mktemp("redis")).wait()
    yield running
    running.stop()


@pytest.fixture
def client(server):
    with server.client() as connected:
        connected.flushall()
        yield connected


def test_redis_list(client, server):
    now = time.time()
    for number in range(3):
        client.lpush("jobs", json.dumps({"type": "sync", "at": now - 60 + number, "secret": "s3cretdata"}))
    client.lpush("taken", json.dumps({"id": 7, "type": "sync", "at": (now - 900) * 1000}))
    client.lpush("lost", json.dumps({"type": "mail", "error": "550 no mailbox for a@example.com"}))
    names = {"name_field": "type", "time_field": "at", "id_field": "id", "error_field": "error"}
    found = look(
        {"engine": "redis_list", "queue": "jobs", "running": "taken", "dead": "lost", "redis": server.reach(), **names}
    )
    assert (found["ready"], found["running"], found["dead"], found["complete"]) == (3, 1, 1, True)
    assert 59 < found["oldest_ready_age_seconds"] < 120
    assert [(one["id"], one["name"]) for one in found["running_over_limit"]] == [("7", "sync")]
    assert found["by_name"] == [{"name": "sync", "count": 3}]
    assert found["errors"] == [{"text": "550 no mailbox for <address>", "count": 1, "names": ["mail"]}]


@pytest.mark.parametrize("job", [b"\x80\x04\x95.", b"7", b'{"at": "soon"}', b"[" * 5000])
def test_redis_list_of_what_cannot_be_read(client, server, job):
    client.lpush("jobs", job)
    found = look(
        {"engine": "redis_list", "queue": "jobs", "time_field": "at", "redis": server.reach()}, window_seconds=0.05
    )
    assert (found["ready"], "oldest_ready_age_seconds" in found, found["complete"]) == (1, False, False)
    assert found["oldest_ready_age_at_least_seconds"] >= 0.05


def test_redis_list_an_empty_one_and_none_are_the_same(client, server):
    found = look({"engine": "redis_list", "queue": "'; DROP TABLE x; --", "redis": server.reach()})
    assert (found["ready"], found["complete"]) == (0, False)


def test_what_is_no_list(client, server):
    client.set("jobs", "x")
    found = look({"engine": "redis_list", "queue": "jobs", "redis": server.reach()})
    assert (found["available"], "WRONGTYPE" in found["reason"]) == (False, True)


def test_redis_stream(client, server):
    now_ms = int(time.time() * 1000)
    for number in range(5):
        client.xadd("events", {"type": "sync", "secret": "s3cretdata"}, id=f"{now_ms - 60_000 + number}-0")
    client.xgroup_create("events", "workers", id="0")
    client.xreadgroup("workers", "one", {"events": ">"}, count=2)
    client.xack("events", "workers", f"{now_ms - 60_000}-0")
    client.xadd("lost", {"type": "sync"}, id=f"{now_ms - 3_600_000}-0")
    client.xadd("lost", {"type": "sync"})
    queue = {"engine": "redis_stream", "queue": "events", "group": "workers", "dead": "lost", "name_field": "type"}
    found = look({**queue, "redis": server.reach()})
    assert (found["ready"], found["running"], found["running_over_limit_count"], found["workers"]) == (3, 1, 0, 1)
    assert (found["dead"], found["dead_lately"], found["complete"]) == (2, 1, True)
    assert 59 < found["oldest_ready_age_seconds"] < 120
    assert found["by_name"] == [{"name": "sync", "count": 3}]
    late = look({**queue, "redis": server.reach(), "limit_seconds": 0.0})["running_over_limit"]
    assert [one["id"] for one in late] == [f"{now_ms - 60_000 + 1}-0"]


@pytest.mark.parametrize(("queue", "group"), [("events", "other"), ("../x", "workers")])
def test_redis_stream_without_such_a_group(client, server, queue, group):
    client.xadd("events", {"type": "sync"})
    client.xgroup_create("events", "workers")
    found = look({"engine": "redis_stream", "queue": queue, "group": group, "redis": server.reach()})
    assert (found["available"], found["error"]) == (False, "no_queue")


def test_redis_stream_that_is_longer_than_what_is_counted(client, server, monkeypatch):
    monkeypatch.setattr(redis_stream, "_COUNTED", 10)
    client.xgroup_create("events", "workers", mkstream=True)
    for _number in range(20):
        client.xadd("events", {"type": "sync"})
    found = look({"engine": "redis_stream", "queue": "events", "group": "workers", "redis": server.reach()})
    assert (found["ready"], found["complete"]) == (10, False)


def test_redis_stream_of_a_server_that_counts():
    before = {"ready": 5, "read": 100, "pending": 3}
    assert redis_stream.between(before, {"ready": 2, "read": 110, "pending": 4}, 2.0) == {"throughput_per_second": 4.5}
    assert redis_stream.between(before, {"ready": 2, "read": None, "pending": 4}, 2.0) == {}


def test_sidekiq(client, server):
    now = time.time()

    def job(**more):
        return json.dumps({"class": "Sync", "queue": "default", "jid": "j1", "args": ["s3cretdata"], **more})

    client.sadd("queues", "default", "low")
    # Before 8.0 times are seconds, since then milliseconds.
    client.lpush("queue:default", job(enqueued_at=now - 90), job(enqueued_at=int((now - 30) * 1000)))
    client.zadd(
        "dead",
        {job(error_class="Net::OpenTimeout", error_message="after 5 seconds"): now - 5, job(queue="low"): now - 5},
    )
    client.zadd("retry", {job(error_class="KeyError", error_message="s"): now + 60})
    client.zadd("schedule", {job(): now + 60, job(jid="j2"): now - 60})
    client.sadd("processes", "host:1:a", "host:2:b")
    client.hset("host:1:a", mapping={"beat": now - 3, "quiet": "false", "info": json.dumps({"queues": ["default"]})})
    client.hset("host:2:b", mapping={"beat": now - 300, "quiet": "false", "info": json.dumps({"queues": ["default"]})})
    client.hset(
        "host:1:a:work", "t1", json.dumps({"queue": "default", "payload": job(jid="j9"), "run_at": int(now) - 400})
    )
    found = look({"engine": "sidekiq", "redis": server.reach()})
    assert (found["ready"], found["delayed"], found["overdue"], found["running"], found["workers"]) == (3, 2, 1, 1, 1)
    assert 89 < found["oldest_ready_age_seconds"] < 150
    assert [(one["id"], one["name"]) for one in found["running_over_limit"]] == [("j9", "Sync")]
    assert (found["dead"], found["dead_lately"], found["paused"], found["complete"]) == (1, 1, False, True)
    assert {one["text"] for one in found["errors"]} == {"Net::OpenTimeout: after <n> seconds", "KeyError: s"}
    client.sadd("paused", "default")
    client.hset("host:1:a", "quiet", "true")
    quiet = look({"engine": "sidekiq", "redis": server.reach()})
    assert (quiet["workers"], quiet["paused"]) == (0, True)
    assert look({"engine": "sidekiq", "queue": "none", "redis": server.reach()})["error"] == "no_queue"


def at(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%S.123Z", time.gmtime(time.time() - seconds))


class Inngest(Handler):
    """Speaks the documented shapes: GraphQL without a key, REST version 2 with one, HTML where the UI should be."""

    has_graphql = True
    broken: bytes | None = None
    asked: list[str] = []

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self.has_graphql:
            self.give(b"404 page not found", 404)
            return
        if self.broken is not None:
            self.give(self.broken)
            return
        assert body["variables"]["open"]["status"] == ["QUEUED"]
        node = {
            "id": "01J",
            "queuedAt": at(90),
            "startedAt": None,
            "endedAt": None,
            "function": {"name": "Sync", "slug": "app-sync"},
        }
        running = {**node, "id": "01K", "startedAt": at(400)}
        runs = {
            "ready": ([node], 120),
            "running": ([running], 1),
            "dead": ([], 7),
            "deadLately": ([], 2),
            "ended": ([], 60),
        }
        data = {
            name: {"totalCount": count, "edges": [{"node": one} for one in nodes]}
            for name, (nodes, count) in runs.items()
        }
        self.give(json.dumps({"data": data}).encode())

    def do_GET(self):
        self.asked.append(self.path)
        if self.headers["Authorization"] != "Bearer signkey-s3cret":
            self.give(b"Authentication failed", 401)
            return
        status = self.path.partition("status=")[2].partition("&")[0]
        count = {"QUEUED": 150, "RUNNING": 1, "FAILED": 3, "COMPLETED": 0}[status]
        begin = 100 if "cursor=next" in self.path else 0
        run = {
            "function": {"id": "f1", "slug": "app-sync"},
            "queued_at": at(90),
            "started_at": at(400),
            "ended_at": at(5),
            "output": "r3turned",
        }
        data = [{**run, "id": f"{status}{number}"} for number in range(begin, min(count, begin + 100))]
        has_more = count > begin + 100
        self.give(
            json.dumps({"data": data, "page": {"hasMore": has_more, "cursor": "next" if has_more else None}}).encode()
        )


@pytest.fixture
def inngest(monkeypatch):
    """A function: more options -> what is told of a server that speaks as Inngest does."""
    monkeypatch.setattr(Inngest, "asked", [])
    running = HttpServer(Inngest)
    yield lambda **more: look({"engine": "inngest", "url": f"http://{running.place}", **more})
    running.close()


def test_inngest(inngest):
    found = inngest()
    assert (found["ready"], found["running"], found["dead"], found["dead_lately"], found["complete"]) == (
        120,
        1,
        7,
        2,
        True,
    )
    assert found["throughput_per_second"] == pytest.approx(0.1)
    assert 89 < found["oldest_ready_age_seconds"] < 150
    assert [(one["id"], one["name"]) for one in found["running_over_limit"]] == [("01K", "app-sync")]
    assert Inngest.asked == []


def test_inngest_without_graphql(inngest, monkeypatch):
    monkeypatch.setattr(Inngest, "has_graphql", False)
    found = inngest(signing_key="signkey-s3cret")
    assert (found["ready"], found["running"], found["dead"], found["dead_lately"], found["complete"]) == (
        150,
        1,
        3,
        3,
        True,
    )
    assert found["by_name"] == [{"name": "app-sync", "count": 150}]
    refused = inngest(signing_key="other-s3cret")
    assert (refused["available"], refused["error"]) == (False, "credentials")
    assert "s3cret" not in str(refused)


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>",
        b"[]",
        b'{"data": null}',
        b'{"data": {"ready"',
        b'{"errors": [{"message": "Cannot query field"}], "data": null}',
        b"7",
    ],
)
def test_inngest_answers_that_are_none(inngest, monkeypatch, answer):
    monkeypatch.setattr(Inngest, "broken", answer)
    found = inngest()
    assert (found["available"], found["error"]) == (False, "protocol")
    assert "\n" not in found["reason"]


def test_a_queue_that_is_not_seen_makes_the_answer_incomplete(client, server):
    from ansible_collections.oncall.runbooks.plugins.module_utils.queues.look import observe

    client.lpush("jobs", "x")
    queues = {"seen": {"engine": "redis_list", "queue": "jobs"}, "lost": {"engine": "rq", "queue": "no"}}
    found = observe({**DEFAULTS, "queues": queues, "redis": server.reach()})
    assert (found["available"], found["complete"], len(found["limits"])) == (True, False, 1)
    assert found["limits"][0].startswith("queue lost is not seen: ")
    assert observe({**DEFAULTS, "queues": {}})["available"] is False


@pytest.mark.parametrize(
    ("queue", "told"),
    [
        (7, "queue it must be a dict with at least the key engine"),
        ({}, "queue it: unknown engine None; known engines: bullmq, celery"),
        ({"engine": "kafka"}, "queue it: unknown engine kafka"),
        ({"engine": "bullmq", "redis": {"password": "s3cret"}}, "missing required arguments: queue"),
        ({"engine": "rq", "queu": "x"}, "queue it: .*queu"),
        ({"engine": "rq"}, "nothing says how its redis is reached"),
        ({"engine": "pgboss"}, "nothing says how its database is reached"),
        ({"engine": "rq", "redis": {"transport": "telnet", "password": "s3cret"}}, "telnet"),
    ],
)
def test_queues_that_are_not_described(queue, told):
    with pytest.raises(ValueError, match=told) as raised:
        look(queue)
    assert "s3cret" not in str(raised.value)


def test_every_engine_is_in_the_registry():
    folder = Path(engines.__file__).parent
    files = {path.stem for path in folder.glob("*.py") if "\nOPTIONS = {" in path.read_text()}
    assert files == set(engines.STORES)
    assert all(engines.engine(name).__name__.endswith(f".{name}") for name in engines.STORES)


def test_the_module(client, server, tmp_path):
    client.lpush("jobs", "x")
    queue = {"engine": "redis_list", "queue": "jobs", "redis": {"port": server.port, "password": "s3cret"}}
    code, result = run_module("queue_info", tmp_path, queues={"jobs": queue})
    assert (code, result["changed"], result["queues"]["jobs"]["error"]) == (0, False, "credentials")
    queue["redis"] = {"port": server.port}
    code, result = run_module("queue_info", tmp_path, queues={"jobs": queue}, check=True)
    assert (code, result["queues"]["jobs"]["ready"]) == (0, 1)
    code, result = run_module("queue_info", tmp_path, queues={"jobs": {"engine": "kafka"}})
    assert (code, "unknown engine kafka" in result["msg"]) == (1, True)


@pytest.mark.parametrize(
    ("store", "is_needed"),
    [
        ({}, False),
        ({"redis": {"transport": "docker"}}, True),
        ({"queues": {"a": {"database": {"transport": "docker"}}}}, True),
    ],
)
def test_where_it_can_look_from(store, is_needed):
    assert needs_host({"queue": {"queues": {}, **store}}) is is_needed


@pytest.mark.parametrize("params", [{"timeout_seconds": 0}, {"window_seconds": -1}, {"lately_seconds": 0}, {"top": 0}])
def test_bounds_that_are_none(params):
    with pytest.raises(ValueError, match="must be above 0"):
        look({"engine": "rq", "redis": {}}, **params)
