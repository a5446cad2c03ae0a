# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runbook cache on the embedded stack; tests/containers has more of its causes."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from ansible_collections.oncall.runbooks.tests.support.lab_parts import pids
from ansible_collections.oncall.runbooks.tests.support.waiting import going_on, until
from lab import Lab

PLAYBOOK = "playbooks/cache.yml"


@contextlib.contextmanager
def redis_of(lab: Lab, **more: Any) -> Iterator[redis.Redis]:
    with contextlib.closing(redis.Redis(port=lab.layout.ports["redis"], **more)) as client:
        yield client


@contextlib.contextmanager
def users(lab: Lab, path: str = "/customers") -> Iterator[None]:
    """Somebody asks the API for what it caches, some twenty times a second."""
    with going_on(lambda: lab.request(path), 0.03):
        yield


@pytest.mark.covers("LP-4-4", "PD-1-3")
def test_one_that_hangs_is_restarted_and_the_api_is_not(healthy_lab, player):
    lab = healthy_lab
    before = pids(lab)
    os.kill(before["redis"], signal.SIGSTOP)
    with users(lab):
        fixed = player.play(playbook=PLAYBOOK, cache_timeout_seconds=1)
        assert (fixed.code, fixed.outcome, fixed.causes()) == (0, "resolved", ["hangs"]), fixed.output
        assert [(a["remedy"], a["helped"]) for a in fixed.run["actions"]] == [("restart_redis", True)]
        assert {name for name, pid in pids(lab).items() if pid != before[name]} == {"redis"}
        assert lab.request("/readyz")[0] == 200

        again = player.play(playbook=PLAYBOOK)
    assert (again.code, again.outcome) == (0, "healthy"), again.output
    assert again.causes() == again.causes("unknown") == []


@pytest.mark.covers("LP-4-2", "LP-4-3", "LP-4-5")
def test_a_cold_cache_is_left_alone_and_what_was_looked_at_is_shown(healthy_lab, player):
    lab = healthy_lab
    lab.supervisor.restart("redis")
    until(lambda: lab.request("/readyz")[0] == 200)
    # As after its start: hardly anything that is asked for is in it yet.
    with redis_of(lab) as client, users(lab), going_on(lambda: client.delete("customers"), 0.002):
        client.set("greeting", "hello")
        cold = player.play(playbook=PLAYBOOK, cache_window_seconds=5)
        # The same, long after its start.
        little = player.play(playbook=PLAYBOOK, run_until="plan", cache_window_seconds=5, cache_cold_seconds=0)
    assert (cold.code, cold.outcome, cold.run["actions"]) == (0, "healthy", []), cold.output
    assert "the cache is cold, no action" in cold.run["summary"]
    assert little.causes() == ["low_hit_rate"], little.output
    shown = little.run["evidence"]
    assert shown["application"]["enabled"] == 1 and shown["application"]["misses"] > shown["application"]["hits"]
    assert shown["redis"]["used_memory_bytes"] > 0 and shown["redis"]["keys"] >= 1
    assert shown["redis"]["ping_seconds"] < 1
    assert shown["service"]["state"] == "running"
    assert 0 < len(shown["service"]["log_tail"]) <= 50
    assert any("Ready to accept connections" in line for line in shown["service"]["log_tail"])


@pytest.mark.covers("LP-4-6")
def test_a_sync_that_empties_it_all_the_time(healthy_lab, player):
    healthy_lab.request("/debug/invalidations?per_second=20", "POST")
    try:
        with users(healthy_lab):
            play = named(healthy_lab, player, "invalidation_storm", cache_window_seconds=5)
    finally:
        healthy_lab.request("/debug/invalidations", "DELETE")
    assert "longer TTL" in str(play.run["findings"])


def named(lab: Lab, player: Any, *causes: str, **variables: Any) -> Any:
    """The play that names these causes, which have no remedy, and touches nothing."""
    before = pids(lab)
    play = player.play(playbook=PLAYBOOK, run_until="plan", **variables)
    assert (play.code, play.outcome, play.causes()) == (0, "planned", [*causes]), play.output
    assert play.run["plan"]["steps"] == []
    assert pids(lab) == before
    return play


def test_it_cannot_save(healthy_lab, player):
    blocked = healthy_lab.home / "blocked.rdb"
    blocked.mkdir()
    with redis_of(healthy_lab) as client:
        client.config_set("dbfilename", blocked.name)
        client.config_set("save", "900 1")
        try:
            client.bgsave()
            while client.info()["rdb_bgsave_in_progress"] or client.info()["rdb_last_bgsave_status"] != "err":
                time.sleep(0.05)
            named(healthy_lab, player, "persistence_failing")
        finally:
            client.config_set("save", "")
            client.config_set("dbfilename", "dump.rdb")
            blocked.rmdir()
            client.bgsave()


def test_it_refuses_writes_for_want_of_replicas(healthy_lab, player):
    with redis_of(healthy_lab) as client:
        client.config_set("min-replicas-to-write", 1)
        try:
            named(healthy_lab, player, "no_replicas")
        finally:
            client.config_set("min-replicas-to-write", 0)


def test_it_lost_its_primary(healthy_lab, player):
    with redis_of(healthy_lab) as client:
        try:
            # Nothing listens there.
            client.replicaof("127.0.0.1", 1)
            named(healthy_lab, player, "read_only")
            client.config_set("replica-read-only", "no")
            play = named(healthy_lab, player, "read_only")
        finally:
            client.config_set("replica-read-only", "yes")
            client.replicaof("NO", "ONE")
    assert "takes no writes but for itself" in play.run["summary"]


def test_its_clients_are_paused(healthy_lab, player):
    with redis_of(healthy_lab) as client:
        client.execute_command("CLIENT PAUSE 20000 ALL")
        try:
            play = named(healthy_lab, player, "clients_paused", cache_timeout_seconds=1)
        finally:
            # Whatever is asked now is answered when the pause is over.
            client.ping()
    assert "Do not restart it" in str(play.run["findings"])


def test_the_application_has_the_wrong_password(healthy_lab, player):
    lab = healthy_lab
    reach = {"host": "127.0.0.1", "port": lab.layout.ports["redis"], "service": "redis", "password": "s3cret"}
    with redis_of(lab) as client:
        time.sleep(max(0.0, 3 - client.info()["uptime_in_seconds"]))
        client.config_set("requirepass", "s3cret")
        try:
            client.client_kill_filter(_type="normal", skipme=True)
            with users(lab):
                play = named(lab, player, "application_refused", "unreachable_from_app", system_redis=reach)
            assert "s3cret" not in play.output + str(play.run)
            named(lab, player, "credentials", system_redis={**reach, "password": "old"})
        finally:
            client.config_set("requirepass", "")


def test_something_else_answers_there(healthy_lab, player):
    reach = {"host": "127.0.0.1", "port": healthy_lab.layout.ports["api"], "service": "redis"}
    before = pids(healthy_lab)
    play = player.play(playbook=PLAYBOOK, system_redis=reach)
    assert (play.code, play.outcome) == (2, "unknown"), play.output
    assert "it takes connections and closes them" in play.run["summary"]
    assert pids(healthy_lab) == before
