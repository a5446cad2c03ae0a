# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several nodes of ``oncall serve`` that share a real PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from psycopg import sql

from ansible_collections.oncall.runbooks.tests.support.serving import Serving, alert, wait_until_empty
from ansible_collections.oncall.runbooks.tests.support.stores import new_store
from ansible_collections.oncall.runbooks.tests.support.waiting import until
from lab.database import connect
from oncall.serve.decide.pruning import DAY_SECONDS, Pruning


@pytest.fixture
def nodes(tmp_path, database) -> Iterator[list[Serving]]:
    """Two nodes of the same hosts."""
    folders = [tmp_path / name for name in ("east", "west")]
    for folder in folders:
        folder.mkdir()
    east = Serving(folders[0], hosts=3, database=database, node="east")
    both = [east, east.beside(folders[1], node="west")]
    try:
        yield [node.start() for node in both]
    finally:
        for node in both:
            node.stop()


def test_two_that_are_told_the_same_do_it_once(nodes):
    told = [alert(host.name, number) for host in nodes[0].hosts for number in (0, 1)]
    assert [node.send(*told) for node in nodes] == [202, 202]
    ended = nodes[0].ended(6, seconds=120)
    assert [episode["runs"] for episode in ended] == [1] * 6
    assert sorted(episode["outcome"] for episode in ended) == ["healthy"] * 3 + ["resolved"] * 3
    assert [host.effects() for host in nodes[0].hosts] == [1, 1, 1]


def test_limits_hold_over_all_nodes(nodes):
    east, _west = nodes
    for node in nodes:
        node.reload(limits={"running": 4, "groups": {"web": {"hosts_per_hour": 2, "share_at_once": 0.34}}})
    told = [alert(host.name) for host in east.hosts]
    assert [node.send(*told) for node in nodes] == [202, 202]
    running = []

    def two_have_ended() -> bool:
        running.append(len(east.episodes("running")))
        return len(east.episodes("ended")) == 2

    until(two_have_ended)
    until(lambda: ["hosts_per_hour" in episode["reason"] for episode in east.episodes("queued")] == [True])
    assert (max(running), sum(host.effects() for host in east.hosts)) == (1, 2)
    assert 'oncall_held_back_episodes{runbook="cache"} 1.0' in east.get("/metrics")[1]


def test_what_a_node_leaves_another_takes_over(nodes):
    east, west = nodes
    for host in east.hosts:
        host.restart_takes(60)
    east.command("pause", "--reason", "so that the other one takes none of it")
    assert east.send(*(alert(host.name) for host in east.hosts)) == 202
    wait_until_empty(east)
    west.terminate()
    east.command("resume")
    until(lambda: sum(host.effects() for host in east.hosts) == 2)
    east.kill()
    for host in east.hosts:
        host.restart_takes(0)
    west.start()
    # A lease runs out after a minute, and then the runs take their time.
    ended = west.ended(3, seconds=300)
    assert sorted(episode["outcome"] for episode in ended) == ["interrupted", "interrupted", "resolved"]
    assert [host.effects() for host in east.hosts] == [1, 1, 1]


def test_a_database_that_was_away(nodes, healthy_lab, database):
    east, west = nodes
    second = west.beside(west.folder, node="east")
    refused = second.command("serve")
    assert (refused.returncode, len(refused.stderr.splitlines())) == (64, 1)
    assert "another oncall serve is node east" in refused.stderr

    # Every connection is cut, and those that come can only read.
    name = database.rpartition("/")[2]
    with connect(healthy_lab.layout, "postgres") as session:
        for value, status in (("on", 503), ("off", 202)):
            only_read = sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = {}")
            session.execute(only_read.format(sql.Identifier(name), sql.SQL(value)))
            session.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
            assert {east.send(alert("h001", number)) for number in range(3)} <= {503, status}
    until(lambda: east.send(alert("h000")) == 202)
    ended = east.until_state(east.hosts[0], "ended")
    assert (ended["outcome"], east.hosts[0].effects()) == ("resolved", 1)
    until(lambda: [node.get("/readyz")[0] for node in nodes] == [200, 200])


def test_queues_in_postgresql(database, tmp_path):
    store = new_store(tmp_path, database)
    try:
        rows = [
            {
                "id": f"e{number}", "runbook": "cache", "host": "h0", "fingerprint": f"f{number}", "alert": "{}", "mode": "auto",
                "state": "queued", "stage": "act", "received_at": 1.0, "seen_at": 1.0, "queued_at": 1.0 + number,
                "plan_hash": "p" if number == 7 else "",
            }
            for number in range(9)
        ]  # fmt: skip
        store.sort([], rows, [("e8", 2.0)], [], {})
        silenced = [f"f{number}" for number in range(6)]
        found = {tuple(queue.ids): queue for queue in store.queues(8, silenced)}
        assert {ids: queue.count for ids, queue in found.items()} == {
            ("e0", "e1"): 6,
            ("e6",): 1,
            ("e7",): 1,
            ("e8",): 1,
        }
        assert store.hold_queue(found["e0", "e1"], "silenced", silenced) is False
        assert {one["id"] for one in store.episodes() if one["reason"] == "silenced"} == {
            f"e{number}" for number in range(6)
        }
        assert store.newest(2) == ["e8", "e7"]
        with store.decision() as decision:
            assert [one.episode for one in decision.waiting(["e7", "e6", "x"])] == ["e6", "e7"]
            assert decision.began(100.0) == {}
    finally:
        store.close()


def test_a_node_whose_clock_is_behind_makes_nothing_old(database, tmp_path):
    store = new_store(tmp_path, database)
    try:
        behind = time.time() - 40 * DAY_SECONDS
        row = {
            "id": "e", "runbook": "cache", "host": "h0", "fingerprint": "f", "alert": "{}", "mode": "auto", "state": "ended",
            "stage": "act", "received_at": behind, "seen_at": behind, "queued_at": behind,
        }  # fmt: skip
        store.set("pruning held on right", "0")
        right = Pruning(store, "right")
        # Dropped by the node whose clock is right, it would be begun anew when Alertmanager repeats it.
        for _ in range(2):
            store.sort([], [row], [], [], {})
            store.forget(right.before(30 * DAY_SECONDS), lambda _runs: None)
            assert [one["id"] for one in store.episodes()] == ["e"]
    finally:
        store.close()
