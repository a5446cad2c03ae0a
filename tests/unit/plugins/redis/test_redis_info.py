# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What redis_info tells of real Redis servers, most of them ill, and of what is none."""

from __future__ import annotations

import contextlib
import itertools
import signal
import socket
import sys
import threading
import time

import pytest
import redis

from ansible_collections.oncall.runbooks.plugins.module_utils.observe import needs_host
from ansible_collections.oncall.runbooks.plugins.module_utils.redis import client
from ansible_collections.oncall.runbooks.plugins.module_utils.redis import server as redis_server
from ansible_collections.oncall.runbooks.plugins.module_utils.redis.troubles import kind_of
from ansible_collections.oncall.runbooks.tests.support.modules import run_module
from ansible_collections.oncall.runbooks.tests.support.redis_servers import Server
from ansible_collections.oncall.runbooks.tests.support.waiting import going_on, until
from lab.ports import free_port

PASSWORD = "s3cret'%word"


@pytest.fixture
def start(tmp_path):
    """A function that starts a Redis with lines of configuration and waits for it."""
    servers = []
    numbers = itertools.count()

    def begin(*options, wait=True, folder=None, **more):
        if folder is None:
            folder = tmp_path / f"redis-{next(numbers)}"
            folder.mkdir()
        servers.append(Server(folder, *options, **more))
        return servers[-1].wait() if wait else servers[-1]

    yield begin
    for server in servers:
        server.stop()


def look(reach, **params):
    began = time.monotonic()
    found = redis_server.observe({"server": reach, "window_seconds": 0, "timeout_seconds": 30, **params})
    assert time.monotonic() - began < params.get("timeout_seconds", 30) + params.get("window_seconds", 0) + 20
    if found["error"]:
        assert "\n" not in found["reason"]
        assert PASSWORD not in found["reason"]
    else:
        assert "reason" not in found
    return found


def test_healthy(start):
    server = start("maxmemory 32mb", "maxmemory-policy allkeys-lru")
    with server.client() as client:
        client.mset({"a": 1, "b": 2, "c": 3})
        client.mget("a", "none")
    found = look(server.reach())
    assert (found["available"], found["error"], found["role"], found["mode"]) == (True, "", "master", "standalone")
    assert (found["keys"], found["keyspace_hits"], found["keyspace_misses"]) == (3, 1, 1)
    assert 0 < found["ping_seconds"] < 5
    assert 0 <= found["uptime_seconds"] < 60
    assert found["maxmemory_bytes"] == 32 * 1024 * 1024
    assert found["memory_ratio"] == pytest.approx(found["used_memory_bytes"] / found["maxmemory_bytes"], abs=1e-3)
    assert (found["loading"], found["aof_enabled"], found["rdb_last_bgsave_status"]) == (False, False, "ok")
    assert (found["replica_read_only"], found["master_link_status"]) == (None, None)
    assert "window" not in found


def test_keys_are_those_of_the_database_asked_about(start):
    server = start()
    with server.client(db=3) as client:
        client.set("a", 1)
    assert (look(server.reach())["keys"], look(server.reach(database=3))["keys"]) == (0, 1)


def test_what_happens_in_a_window(start):
    server = start("maxmemory 2mb", "maxmemory-policy allkeys-lru")
    numbers = itertools.count()
    with server.client() as client:

        def work():
            pipeline = client.pipeline(transaction=False)
            for number in itertools.islice(numbers, 100):
                pipeline.set(f"key-{number}", "x" * 1000)
                pipeline.get(f"key-{number}")
                pipeline.get(f"none-{number}")
            pipeline.execute()

        with going_on(work):
            until(lambda: client.info()["evicted_keys"] > 0)
            found = look(server.reach(), window_seconds=0.5)
    assert found["error"] == ""
    assert found["window"]["evicted_keys_per_second"] > 10
    assert found["window"]["lookups"] > 100
    assert found["window"]["hit_ratio"] == pytest.approx(0.5, abs=0.1)
    assert found["window"]["seconds"] == pytest.approx(0.5, abs=0.3)
    assert found["window"]["rejected_connections_per_second"] == 0


def test_eviction_cannot_help_where_its_own_overhead_is_above_the_limit(start):
    server = start("maxmemory 100kb", "maxmemory-policy allkeys-lru")
    with server.client() as client, pytest.raises(redis.exceptions.OutOfMemoryError):
        client.set("a", "x" * 100)
    found = look(server.reach(), window_seconds=0.2)
    assert (found["available"], found["error"]) == (True, "out_of_memory")


def test_nobody_asks_in_the_window(start):
    window = look(start().reach(), window_seconds=0.1)["window"]
    assert (window["lookups"], window["hit_ratio"], window["evicted_keys_per_second"]) == (0, None, 0)


@pytest.mark.parametrize(
    ("login", "error"),
    [
        ({}, "credentials"),
        ({"password": PASSWORD[:-1] + "!"}, "credentials"),
        ({"username": "nobody", "password": PASSWORD}, "credentials"),
        ({"username": "blind", "password": "blind"}, "not_allowed"),
        ({"password": PASSWORD}, ""),
        ({"username": "default", "password": PASSWORD}, ""),
    ],
)
def test_login(start, login, error):
    server = start("user blind on >blind +ping", password=PASSWORD)
    found = look(server.reach(**login))
    assert (found["available"], found["error"]) == (not error, error)


def test_a_password_where_none_is_set(start):
    assert look(start().reach(password=PASSWORD))["error"] == "credentials"


# The second may evict only what expires, and there is nothing of that.
@pytest.mark.parametrize("policy", ["noeviction", "volatile-lru"])
def test_full_and_no_eviction(start, policy):
    server = start("maxmemory 2mb", f"maxmemory-policy {policy}")
    with server.client() as client, pytest.raises(redis.exceptions.OutOfMemoryError):
        for number in range(100_000):
            client.set(f"key-{number}", "x" * 1000)
    found = look(server.reach())
    assert (found["available"], found["error"]) == (True, "out_of_memory")
    assert policy in found["reason"]


def test_full_and_something_expires(start):
    server = start("maxmemory 2mb", "maxmemory-policy volatile-lru")
    with server.client() as client:
        for number in range(3000):
            client.set(f"key-{number}", "x" * 1000, ex=600)
    found = look(server.reach())
    assert (found["available"], found["error"], found["memory_ratio"] > 0.9) == (True, "", True)


def test_its_policy_evicts_and_what_it_needs_itself_is_too_much(start):
    server = start("maxmemory-policy allkeys-lru")
    with server.client() as client:
        client.config_set("maxmemory", 100_000)

        def work():
            with contextlib.suppress(redis.exceptions.OutOfMemoryError):
                client.set("key", "x")

        with pytest.raises(redis.exceptions.OutOfMemoryError):
            client.set("key", "x")
        assert client.ping()
        with going_on(work):
            found = look(server.reach(), window_seconds=0.3)
    assert (found["available"], found["error"]) == (True, "out_of_memory")
    assert "not by what it keeps" in found["reason"]
    assert found["window"]["refused"].get("OOM", 0) > 0


def test_a_node_of_a_cluster_that_is_not_whole(start):
    server = start("cluster-enabled yes")
    found = look(server.reach())
    assert (found["error"], found["cluster_enabled"], found["cluster_state"]) == ("cluster_down", True, "fail")
    with server.client() as client:
        client.execute_command("CLUSTER", "ADDSLOTS", *range(16384))
    until(lambda: look(server.reach())["cluster_state"] == "ok")
    assert look(server.reach())["error"] == ""


def test_who_may_not_ask_for_the_cluster_is_not_told_that_it_is_whole(start):
    server = start("cluster-enabled yes")
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "watch", "on", ">w", "+ping", "+info")
    found = look(server.reach(username="watch", password="w"))
    assert (found["error"], found["cluster_enabled"], found["cluster_state"]) == ("", True, None)


def test_a_client_with_a_wrong_password(start):
    server = start(password=PASSWORD)

    def work():
        client = redis.Redis(port=server.port, password="wrong")
        with contextlib.closing(client), contextlib.suppress(redis.AuthenticationError):
            client.ping()

    with going_on(work):
        found = look(server.reach(password=PASSWORD), window_seconds=0.3)
    assert found["error"] == ""
    assert found["window"]["refused"]["WRONGPASS"] > 0


def test_it_cannot_save(start, tmp_path):
    server = start("save 900 1", "dbfilename dump.rdb")
    (server.folder / "dump.rdb").mkdir()
    with server.client() as client:
        client.set("a", 1)
        client.bgsave()
        until(lambda: client.info()["rdb_last_bgsave_status"] == "err")
        with pytest.raises(redis.ResponseError, match="MISCONF"):
            client.set("a", 2)
    found = look(server.reach())
    assert (found["available"], found["error"], found["rdb_last_bgsave_status"]) == (True, "misconf", "err")
    assert found["ping_seconds"] is None


def test_loading(start):
    server = start("rdbcompression no")
    with server.client() as client:
        client.mset({f"key-{number}": "x" * 20_000 for number in range(1000)})
        client.save()
    server.stop()
    # It looks up from its file after every 2 MiB, a hundred keys.
    slow = start("key-load-delay 3000", wait=False, folder=server.folder)
    until(lambda: look(slow.reach())["error"] != "refused")
    assert look(slow.reach())["error"] == "loading"


def test_it_hangs(start):
    server = start()
    server.process.send_signal(signal.SIGSTOP)
    found = look(server.reach(), timeout_seconds=0.5)
    assert (found["available"], found["error"]) == (False, "timeout")


def test_a_script_keeps_it_busy(start):
    server = start("lua-time-limit 50")
    with server.client() as client, server.client() as other:

        def spin():
            with contextlib.suppress(redis.ResponseError):
                client.eval("while true do end", 0)

        thread = threading.Thread(target=spin)
        thread.start()
        try:
            until(lambda: look(server.reach())["error"] == "busy")
        finally:
            other.execute_command("SCRIPT KILL")
            thread.join()


def test_every_connection_is_taken(start):
    server = start("maxclients 2")
    with server.client() as one, server.client() as two:
        one.ping(), two.ping()
        found = look(server.reach())
    assert (found["available"], found["error"]) == (False, "too_many_clients")


@pytest.mark.parametrize(("stale", "error"), [("yes", "read_only"), ("no", "read_only")])
def test_a_replica_that_lost_its_primary(start, stale, error):
    server = start(f"replicaof 127.0.0.1 {free_port()}", f"replica-serve-stale-data {stale}", wait=False)
    until(lambda: look(server.reach())["error"] != "refused")
    found = look(server.reach())
    assert (found["available"], found["error"], found["role"]) == (True, error, "slave")
    assert (found["master_link_status"], found["replica_read_only"]) == ("down", True)


def test_a_replica_that_takes_writes_and_lost_its_primary(start):
    server = start(f"replicaof 127.0.0.1 {free_port()}", "replica-read-only no")
    found = look(server.reach())
    assert (found["available"], found["error"], found["replica_read_only"]) == (True, "primary_down", False)


def test_writes_need_a_replica_and_there_is_none(start):
    server = start("min-replicas-to-write 1")
    found = look(server.reach())
    assert (found["available"], found["error"], found["good_replicas"]) == (True, "no_replicas", 0)


def test_writes_need_two_replicas_and_there_is_one(start):
    server = start("min-replicas-to-write 2")
    start(f"replicaof 127.0.0.1 {server.port}")
    until(lambda: look(server.reach())["good_replicas"] == 1)

    def write():
        with server.client() as client, contextlib.suppress(redis.ResponseError):
            client.set("a", 1)

    with going_on(write):
        found = look(server.reach(), window_seconds=0.2)
    assert (found["error"], found["window"]["no_replicas_errors"] > 0) == ("", True)


def test_writes_are_paused(start):
    server = start()
    with server.client() as client, server.client() as writer, server.client() as reader:
        # One that waits by itself is no sign of a pause.
        waiting = threading.Thread(target=lambda: reader.blpop("list"))
        waiting.start()
        until(lambda: client.info()["blocked_clients"] == 1)
        assert look(server.reach())["error"] == ""
        client.execute_command("CLIENT PAUSE 60000 WRITE")
        writing = threading.Thread(target=lambda: writer.set("a", 1))
        writing.start()
        until(lambda: client.info()["blocked_clients"] == 2)
        found = look(server.reach())
        client.execute_command("CLIENT UNPAUSE")
        client.rpush("list", 1)
        waiting.join(), writing.join()
    assert (found["available"], found["error"]) == (True, "clients_paused")
    assert "1 clients wait for the answer to a write" in found["reason"]
    assert look(server.reach())["error"] == ""


@pytest.mark.parametrize("password", [None, PASSWORD])
def test_every_client_is_paused(start, password):
    server = start(password=password)
    with server.client() as client:
        client.execute_command("CLIENT PAUSE 10000 ALL")
    found = look(server.reach(**({"password": password} if password else {})), timeout_seconds=0.5)
    assert (found["available"], found["error"]) == (False, "clients_paused"), found


@pytest.mark.parametrize("window_seconds", [0, 0.2])
def test_a_question_that_comes_late_is_asked_again_before_clients_count_as_paused(start, monkeypatch, window_seconds):
    """Whoever asks may have too little of the machine. The server answers all the time."""
    server = start()
    asked = []
    really = client._ask_redis_py

    def late_at_first(reach, seconds):
        asked.append(seconds)
        if len(asked) == 1:
            time.sleep(0.7)
        return really(reach, seconds)

    monkeypatch.setattr(client, "_ask_redis_py", late_at_first)
    found = look(server.reach(), timeout_seconds=0.5, window_seconds=window_seconds)
    assert len(asked) >= 2
    assert (found["available"], found["error"]) == (True, ""), found


def test_every_client_is_paused_on_its_socket(start, tmp_path):
    server = start(f"unixsocket {tmp_path}/s.sock")
    with server.client() as client:
        client.execute_command("CLIENT PAUSE 10000 ALL")
    found = look({"transport": "redis", "unix_socket": f"{tmp_path}/s.sock"}, timeout_seconds=0.5)
    assert (found["available"], found["error"]) == (False, "clients_paused"), found


@contextlib.contextmanager
def answering(reply):
    """Something that listens, and answers everything with the same bytes (nothing: it closes)."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    connection, _address = listener.accept()
                    with connection, contextlib.suppress(OSError):
                        while reply and connection.recv(4096):
                            connection.sendall(reply)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield {"transport": "redis", "host": "127.0.0.1", "port": listener.getsockname()[1]}
        finally:
            listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    ("reply", "errors"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", {"protocol"}),
        (b"+OK\r\n", {"protocol"}),
        (b":1\r\n", {"protocol"}),
        (b"\xff\x00\xfe\r\n" * 100, {"protocol"}),
        (b"$99999999999\r\n", {"timeout"}),
        (b"-ERR \x1b[31mbroken\r\n", {"other"}),
        (b"", {"closed"}),
    ],
)
def test_what_answers_is_no_redis(reply, errors):
    with answering(reply) as reach:
        found = look(reach, timeout_seconds=1 if errors == {"timeout"} else 30)
    assert (found["available"], found["error"]) == (False, found["error"])
    assert found["error"] in errors, found["reason"]
    assert "\x1b" not in found["reason"]


def test_nothing_listens():
    found = look({"transport": "redis", "host": "127.0.0.1", "port": free_port()})
    assert (found["available"], found["error"]) == (False, "refused")


def test_no_such_host():
    found = look({"transport": "redis", "host": "no-such-host.invalid"})
    assert (found["available"], found["error"]) == (False, "name_resolution")


def test_no_socket(tmp_path):
    found = look({"transport": "redis", "unix_socket": str(tmp_path / "none.sock")})
    assert (found["available"], found["error"]) == (False, "refused")


def test_its_socket(start, tmp_path):
    server = start(f"unixsocket {tmp_path}/s.sock")
    assert look({"transport": "redis", "unix_socket": f"{tmp_path}/s.sock"})["error"] == ""
    assert server.process.poll() is None


def test_no_driver(monkeypatch):
    monkeypatch.setitem(sys.modules, "redis", None)
    found = look({"transport": "redis", "host": "127.0.0.1", "port": 1})
    assert (found["available"], found["error"]) == (False, "no_driver")


def test_no_docker(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    found = look({"transport": "docker", "container": "none", "password": PASSWORD})
    assert (found["available"], found["error"]) == (False, "no_engine")


# What redis-cli and docker of Debian 12 print.
@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("Could not connect to Redis at 127.0.0.1:6379: Connection refused", "refused"),
        ("Could not connect to Redis at cache:6379: Name or service not known", "name_resolution"),
        ("Error: Connection reset by peer", "closed"),
        ("NOAUTH Authentication required.", "credentials"),
        ("AUTH failed: WRONGPASS invalid username-password pair or user is disabled.", "credentials"),
        ("ERR AUTH <password> called without any password configured for the default user.", "credentials"),
        ("LOADING Redis is loading the dataset in memory", "loading"),
        ("MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.", "misconf"),
        ("ERR max number of clients reached", "too_many_clients"),
        ("docker ended with exit code 1: Error: No such container: cache", "no_engine"),
        ("docker ended with exit code 1: Error response from daemon: Container 1f is not running", "no_engine"),
        ("docker ended with exit code 1: Cannot connect to the Docker daemon at unix:///run/d.sock.", "no_engine"),
        ("docker was killed: it had not ended within 5 s", "timeout"),
        ('docker ended with exit code 126: exec: "redis-cli": executable file not found in $PATH', "no_engine"),
        ("ERR something else", "other"),
    ],
)
def test_kinds(message, kind):
    assert kind_of(message) == kind


def test_a_restart_in_the_window_is_no_rate():
    before = {"keyspace_hits": "100", "keyspace_misses": "50", "evicted_keys": "7"}
    after = {"keyspace_hits": "1", "keyspace_misses": "60", "evicted_keys": "7"}
    window = redis_server.changes(before, after, 2.0)
    assert (window["hit_ratio"], window["lookups"], window["evicted_keys_per_second"]) == (None, None, 0)
    assert window["commands_per_second"] is None


def test_what_is_missing_or_odd_in_info_is_not_known():
    info = redis_server.parse("# Server\r\nredis_version:7.2.0\r\nused_memory:many\r\nrole\r\ndb0:keys=4,expires=1\r\n")
    found = redis_server.summarize(info, {"database": None}, None, 0.1)
    assert (found["version"], found["used_memory_bytes"], found["role"], found["keys"]) == ("7.2.0", None, None, 4)
    assert (found["memory_ratio"], found["error"]) == (None, "")


def test_info_tells_of_loading_where_it_can_be_had():
    info = redis_server.parse("redis_version:7.0.15\r\nloading:1\r\nloading_eta_seconds:12\r\n")
    found = redis_server.summarize(info, {}, None, None)
    assert (found["loading"], found["loading_eta_seconds"], found["error"]) == (True, 12, "loading")


def test_the_container_is_on_the_managed_host():
    assert needs_host({"redis": {"server": {"transport": "docker"}}})
    assert not needs_host({"redis": {"server": {"transport": "redis"}}})


def test_the_module_is_the_function(start, tmp_path):
    server = start(password=PASSWORD)
    code, result = run_module("redis_info", tmp_path, check=True, server=server.reach(password=PASSWORD))
    assert (code, result["changed"], result["error"]) == (0, False, "")
    assert PASSWORD not in str({key: value for key, value in result.items() if key != "invocation"})


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "missing required arguments: server"),
        ({"server": {"transport": "docker"}}, "missing: container"),
        ({"server": {}, "timeout_seconds": 0}, "timeout_seconds must be above 0"),
        ({"server": {}, "window_seconds": -1}, "window_seconds not below 0"),
    ],
)
def test_the_module_fails_on_bad_parameters(tmp_path, params, message):
    code, result = run_module("redis_info", tmp_path, **params)
    assert (code, result["failed"]) == (1, True)
    assert message in result["msg"]


FULL = {"redis_version": "7.0.15", "maxmemory": "1000", "maxmemory_policy": "allkeys-lru", "used_memory": "2000"}


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({}, "out_of_memory"),
        ({"db0": "keys=3,expires=0", "used_memory_dataset": "100"}, "out_of_memory"),
        ({"db0": "keys=3,expires=0", "used_memory_dataset": "1500"}, ""),
        ({"mem_not_counted_for_evict": "1500"}, ""),
        ({"used_memory": "900"}, ""),
        ({"maxmemory": "0"}, ""),
    ],
)
def test_whether_evicting_can_help(more, error):
    assert redis_server.summarize({**FULL, **more}, {}, None, None)["error"] == error


@pytest.mark.parametrize(
    ("before", "after", "refused"),
    [
        (
            {"total_error_replies": "4", "errorstat_ERR": "count=4"},
            {"total_error_replies": "4", "errorstat_ERR": "count=4"},
            {},
        ),
        ({"total_error_replies": "0"}, {"total_error_replies": "2", "errorstat_OOM": "count=2"}, {"OOM": 2}),
        # CONFIG RESETSTAT.
        ({"total_error_replies": "9", "errorstat_OOM": "count=9"}, {"total_error_replies": "0"}, None),
        # Before 6.2.
        ({}, {}, None),
    ],
)
def test_what_was_refused_in_the_window(before, after, refused):
    assert redis_server.changes(before, after, 1.0)["refused"] == refused
