# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Leases of nodes on a real PostgreSQL: a node that is cut off, loses its power or hangs, and what the others do then."""

from __future__ import annotations

import shutil
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from ansible_collections.oncall.runbooks.plugins.action.ledger import why_not
from ansible_collections.oncall.runbooks.tests.support.postgres_servers import server
from ansible_collections.oncall.runbooks.tests.support.serving import Serving, alert, wait_until_empty
from ansible_collections.oncall.runbooks.tests.support.stores import connected, execute, new_store
from ansible_collections.oncall.runbooks.tests.support.waiting import until
from ansible_collections.oncall.runbooks.tests.support.wire import Wire
from oncall import OncallError
from oncall.folders import Left
from oncall.serve.play.executor import CUT_OFF, Order
from oncall.serve.play.local import Local
from oncall.serve.settings import load
from oncall.serve.store.engine import engine
from oncall.serve.store.lease import Fenced, Lease, Peer, boot_seconds
from oncall.serve.store.runs import Fence
from oncall.serve.store.tables import NODES

SECONDS = 5.0
# From the moment in which a node is gone until another one sees to all that it left.
TAKEN_OVER_SECONDS = 60.0


@pytest.fixture
def cut(tmp_path, database) -> Iterator[tuple[Serving, Serving, Wire]]:
    """Two nodes of the same hosts, of which the first reaches the database through a wire; not started."""
    head, _, name = database.rpartition("/")
    address, _, port = head.rpartition(":")
    wire = Wire(int(port))
    folders = [tmp_path / name for name in ("east", "west")]
    for folder in folders:
        folder.mkdir()
    east = Serving(
        folders[0], hosts=3, database=f"{address}:{wire.port}/{name}", node="east", lease_seconds=SECONDS,
    )  # fmt: skip
    west = east.beside(folders[1], database=database, node="west")
    try:
        yield east, west, wire
    finally:
        for node in (east, west):
            node.stop()
        wire.close()


def effects(node: Serving) -> list[int]:
    return [host.effects() for host in node.hosts]


def test_what_a_node_without_power_left_is_taken_over(cut):
    east, west, wire = cut
    for host in east.hosts:
        host.restart_takes(60)
    east.start()
    west.start()
    west.pause("so that the other one begins it")
    assert east.send(*(alert(host.name) for host in east.hosts)) == 202
    # As many as may run at once: what it leaves takes every place.
    until(lambda: sum(effects(east)) == 2)
    wire.cut()
    east.kill()
    west.resume()
    gone_at = time.monotonic()
    for host in east.hosts:
        host.restart_takes(0)
    until(lambda: "node east is gone; 0 runs are queued again, 2 taken over" in west.log.read_text())
    assert time.monotonic() - gone_at < TAKEN_OVER_SECONDS
    ended = west.ended(3)
    assert sorted(episode["outcome"] for episode in ended) == ["interrupted", "interrupted", "resolved"]
    assert effects(east) == [1, 1, 1]


def test_a_node_that_is_cut_off_begins_no_remedy(cut):
    east, west, wire = cut
    for host in east.hosts:
        host.restart_takes(0, status_seconds=8)
    east.start()
    west.start()
    west.pause("so that the other one begins it")
    assert east.send(*(alert(host.name) for host in east.hosts)) == 202
    until(lambda: sum(host.looks() for host in east.hosts) == 2)
    wire.cut()
    west.resume()
    # Its looks come to their end after its lease.
    until(lambda: "no lease" in east.get("/readyz")[1])
    until(lambda: "2 taken over" in west.log.read_text())
    for host in east.hosts:
        host.restart_takes(0)
    ended = west.ended(3)
    assert sorted(episode["outcome"] for episode in ended) == ["interrupted", "interrupted", "resolved"]
    assert sum(effects(east)) == 1
    wire.mend()
    until(lambda: east.get("/readyz")[0] == 200)
    # What it knew of its runs is of no use to anybody any more.
    time.sleep(2)
    assert sorted(episode["outcome"] for episode in west.episodes("ended")) == [
        "interrupted",
        "interrupted",
        "resolved",
    ]
    assert sum(effects(east)) == 1


def test_a_node_that_hangs_is_taken_over_and_comes_back(cut):
    east, west, _wire = cut
    for host in east.hosts:
        host.restart_takes(60)
    east.start()
    assert east.send(*(alert(host.name) for host in east.hosts[:1])) == 202
    until(lambda: sum(effects(east)) == 1)
    west.start()
    assert east.process is not None
    east.process.send_signal(signal.SIGSTOP)
    try:
        (ended,) = west.ended(1)
    finally:
        east.process.send_signal(signal.SIGCONT)
    assert ended["outcome"] == "interrupted"
    until(lambda: [node.get("/readyz")[0] for node in (east, west)] == [200, 200])
    for host in east.hosts:
        host.restart_takes(0)
    # It has a lease again, and does its part.
    assert east.send(*(alert(host.name, 1) for host in east.hosts[1:])) == 202
    east.ended(3)
    assert sum(effects(east)) == 3


def test_a_database_that_restarts_in_the_midst_of_a_takeover_strands_nothing(tmp_path):
    folders = [tmp_path / name for name in ("east", "west")]
    for folder in folders:
        folder.mkdir()
    with server() as postgres:
        url = f"postgresql://postgres@127.0.0.1:{postgres.port}/shop"
        east = Serving(folders[0], hosts=3, database=url, node="east", lease_seconds=SECONDS)
        west = east.beside(folders[1], node="west")
        try:
            for host in east.hosts:
                host.restart_takes(60)
            east.start()
            assert east.send(*(alert(host.name) for host in east.hosts)) == 202
            until(lambda: sum(effects(east)) == 2)
            # A look takes so long that the database goes in the midst of it.
            for host in east.hosts:
                host.restart_takes(0, status_seconds=3)
            west.start()
            east.kill()
            until(lambda: "taken over" in west.log.read_text())
            looks = sum(host.looks() for host in east.hosts)
            until(lambda: sum(host.looks() for host in east.hosts) > looks)
            postgres.stop()
            time.sleep(4)
            postgres.start()
            ended = west.ended(3, seconds=120)
            assert sorted(episode["outcome"] for episode in ended) == ["interrupted", "interrupted", "resolved"]
            assert effects(east) == [1, 1, 1]
        finally:
            east.stop()
            west.stop()


def test_nobody_is_gone_only_because_the_database_was_away(tmp_path):
    folders = [tmp_path / name for name in ("east", "west")]
    for folder in folders:
        folder.mkdir()
    with server() as postgres:
        url = f"postgresql://postgres@127.0.0.1:{postgres.port}/shop"
        east = Serving(folders[0], pause_seconds=3 * SECONDS, database=url, node="east", lease_seconds=SECONDS)
        west = east.beside(folders[1], node="west")
        try:
            east.start()
            west.start()
            west.pause("so that the other one begins it")
            assert east.send(alert("h000")) == 202
            until(lambda: sum(effects(east)) == 1)
            postgres.stop()
            time.sleep(SECONDS * 1.5)
            postgres.start()
            (ended,) = east.ended(1)
            assert (ended["outcome"], effects(east)) == ("resolved", [1])
            assert "is gone" not in west.log.read_text() + east.log.read_text()
        finally:
            east.stop()
            west.stop()


def test_an_answer_that_never_comes_is_waited_for_a_while_and_not_for_ever(cut):
    """As behind a pooler that has lost its server: each packet is acknowledged, and only new connections are answered."""
    east, _west, wire = cut
    east.start()
    assert east.send(alert("h000")) == 202
    east.ended(1)
    wire.strand()
    until(lambda: east.send(alert("h001")) == 202)
    ended = east.ended(2)
    assert [episode["outcome"] for episode in ended] == ["resolved", "resolved"]
    assert effects(east) == [1, 1, 0]
    until(lambda: east.get("/readyz")[0] == 200)


def test_a_name_is_one_nodes_and_a_killed_one_starts_at_once(cut, tmp_path):
    east, _west, _wire = cut
    east.start()
    twin = east.beside(tmp_path / "west", node="east")
    refused = twin.command("serve")
    assert (refused.returncode, refused.stderr.count("another oncall serve is node east")) == (64, 1)
    assert east.get("/readyz")[0] == 200
    east.kill()
    began = time.monotonic()
    east.start()
    until(lambda: east.get("/readyz")[0] == 200)
    assert "its lease runs out" not in east.log.read_text()
    # That it waits for no lease is not said by its time alone, as a busy machine takes longer.
    assert time.monotonic() - began < 60


def test_a_statement_without_an_answer_ends_its_connection_alone(database):
    with closing_engine(engine(database, answer_seconds=0.5)) as made:
        with made.connect() as connection, pytest.raises(sa.exc.OperationalError, match=r"has not answered for 0\.5 s"):
            connection.execute(sa.text("SELECT pg_sleep(60)"))
        with made.connect() as connection:
            assert connection.scalar(sa.text("SELECT 1 FROM pg_sleep(0.3)")) == 1


# ---------------------------------------------------------------------- the lease alone
@pytest.fixture
def url(database, tmp_path, monkeypatch) -> str:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
    new_store(tmp_path / "state", database).close()
    return database


def lease(url: str, node: str = "east", goes_on=lambda: True, seconds: float = 2.0) -> Lease:
    return Lease(url, node, seconds, goes_on)


@contextmanager
def closing_engine(made: sa.Engine) -> Iterator[sa.Engine]:
    try:
        yield made
    finally:
        made.dispose()


def rows(url: str) -> dict[str, tuple[int, int]]:
    with connected(url) as connection:
        return {row.node: (row.number, row.renewals) for row in connection.execute(sa.select(NODES))}


def test_a_lease_is_renewed_while_its_node_goes_on(url):
    works = [True]
    with closing(lease(url, goes_on=lambda: works[0])) as held:
        number, file = held.number, held.file
        until(lambda: rows(url)["east"][1] >= 3)
        assert why_not(file) == ""
        works[0] = False

        def is_over() -> bool:
            try:
                held.check()
            except Fenced:
                return True
            return False

        until(is_over)
        assert "the lease of the oncall serve" in why_not(file)
        with pytest.raises(Fenced, match="node east has no lease"):
            _ = held.number
        works[0] = True
        until(lambda: not is_over())
        # A play of the lease of before never acts again.
        assert held.number > number and held.file != file and why_not(file) and not why_not(held.file)
    assert rows(url) == {}


def test_a_renewal_that_fails_of_whatever_is_said_and_done_again(url, monkeypatch, caplog):
    renew, left = Lease.renew, [1]

    def fails_once(self: Lease) -> None:
        if left and self._number:
            raise ValueError(f"nobody thought of this {left.pop()}")
        renew(self)

    monkeypatch.setattr(Lease, "renew", fails_once)
    with closing(lease(url)) as held:
        until(lambda: not left and rows(url)["east"][1] >= 2)
        held.check()
    assert "the lease of node east is not renewed: nobody thought of this 1" in caplog.text


def test_who_is_gone_is_seen_without_a_clock(url):
    execute(
        url,
        "INSERT INTO oncall_nodes VALUES ('south', 5, 7, 3, 'elsewhere 1 2 3', now() + interval '1 hour'),"
        " ('north', 5, 7, 3, 'elsewhere 1 2 3', now() - interval '1 year'),"
        " ('slow', 5, 7, 600, 'elsewhere 1 2 3', now())",
    )
    with closing(lease(url, seconds=3.0)) as held:
        assert held.gone(lambda: ["north", "south", "slow", "nobody"]) == []
        until(lambda: execute(url, "UPDATE oncall_nodes SET renewals = renewals + 1 WHERE node = 'south'") or
              {*held.gone(lambda: ["north", "south", "slow", "nobody", "east"])} == {Peer("north", 5, 7, 3.0), Peer("nobody")})  # fmt: skip


def test_nodes_that_were_not_heard_of_for_a_day_are_forgotten(url, monkeypatch):
    monkeypatch.setattr("oncall.serve.store.lease.FORGET_SECONDS", 2.0)
    execute(url, "INSERT INTO oncall_nodes VALUES ('north', 5, 7, 600, 'elsewhere 1 2 3', now())")
    with closing(lease(url)), closing(lease(url, "west")):
        until(lambda: {*rows(url)} == {"east", "west"})
        time.sleep(3)
        assert {*rows(url)} == {"east", "west"}


def test_what_came_back_is_not_taken_over(url, tmp_path):
    store = new_store(tmp_path / "state", url)
    with closing(store), closing(lease(url)) as held:
        row = {
            "id": "e", "runbook": "cache", "host": "h", "fingerprint": "f", "alert": "{}", "mode": "auto", "state": "queued",
            "stage": "act", "received_at": 1.0, "seen_at": 1.0, "queued_at": 1.0,
        }  # fmt: skip
        store.sort([], [row], [], [], {})
        with store.decision() as decision:
            (one,) = decision.waiting(["e"])
            run = decision.admit(one, "east", 2.0)
        number = held.number
        seen = Peer("east", *rows(url)["east"])
        until(lambda: rows(url)["east"] != (seen.number, seen.renewals))
        assert store.take_over(seen, "west") == (0, [])
        begun = store.begin(run, "east", number, 3.0)
        assert begun is not None and begun.token > 0 and begun.source
        # Another node takes over, in the very moment between two renewals.
        while (taken := store.take_over(Peer("east", *rows(url)["east"]), "west")) == (0, []):
            pass
        assert taken == (0, [run])
        with pytest.raises(Fenced):
            store.begin(run, "east", number, 4.0)
        # It takes part again, under another number.
        until(lambda: rows(url).get("east", (number, 0))[0] > number)
        assert store.open_runs("west") == [run]
        assert store.put_back("east") == 0


def test_a_node_that_cannot_write_down_its_lease_is_gone(url, tmp_path):
    """Its plays could claim nothing, and its dispatcher begins nothing: it must not look alive to the others."""
    with closing(lease(url)) as held, closing(lease(url, "west")) as other:
        folder = Path(held.file).parent
        # West has its files elsewhere, as on another machine.
        other._files = tmp_path / "elsewhere", other._files[1]
        shutil.rmtree(folder)
        folder.write_text("as on a disk on which nothing can be written")

        def is_fenced() -> bool:
            try:
                held.check()
            except Fenced as error:
                return "cannot write the lease" in str(error) and str(folder) in str(error)
            return False

        until(is_fenced)
        until(lambda: [peer.node for peer in other.gone(lambda: ["east"])] == ["east"], 20)
        folder.unlink()
        until(lambda: not is_fenced() and why_not(held.file) == "")
        until(lambda: other.gone(lambda: ["east"]) == [])


def test_a_start_that_cannot_write_down_its_lease_is_one_line(url, tmp_path):
    folder = tmp_path / "runtime" / "oncall" / "leases"
    folder.parent.mkdir(parents=True)
    folder.write_text("")
    with pytest.raises(OncallError, match=f"cannot write .*{folder}"):
        lease(url)
    assert rows(url) == {}


def test_a_lease_of_another_machine_runs_out_first(url):
    execute(url, "INSERT INTO oncall_nodes VALUES ('east', 5, 7, 2, 'elsewhere 1 2 3', now())")
    began = boot_seconds()
    with closing(lease(url)) as held:
        assert boot_seconds() - began >= 2.0
        assert held.number > 5
        with pytest.raises(OncallError, match="another oncall serve is node east"):
            # As if it were another process: only that its holder is another one is seen.
            execute(url, "UPDATE oncall_nodes SET holder = 'elsewhere 1 2 4'")
            lease(url)


@pytest.mark.parametrize(
    ("content", "refused"),
    [("{ahead}", False), ("{behind}", True), ("", True), ("nan", True), ("soon", True), (None, True)],
)
def test_what_a_play_reads(tmp_path, content, refused):
    file = Path(tmp_path, "lease")
    if content is not None:
        file.write_text(content.format(ahead=boot_seconds() + 60, behind=boot_seconds() - 1))
    assert bool(why_not(str(file))) is refused


def test_a_run_without_a_lease_claims_nothing_and_is_queued_again(tmp_path, monkeypatch):
    serving = Serving(tmp_path)
    (host,) = serving.hosts
    file = tmp_path / "lease"
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("ONCALL_RECORD_DIRECTORY", str(tmp_path / "records"))
    play = Local(load(serving.file), Left(), lambda: str(file)).play
    try:
        file.write_text(f"{boot_seconds() - 1}\n")
        ended = play(Order("r1", "cache", host.name, True, may_act=("cache",), fence=Fence("d", 1)), threading.Event())
        assert (ended.outcome, host.effects()) == (CUT_OFF, 0)
        file.write_text(f"{boot_seconds() + 600}\n")
        ended = play(Order("r2", "cache", host.name, True, may_act=("cache",), fence=Fence("d", 2)), threading.Event())
        assert (ended.outcome, host.effects()) == ("resolved", 1)
        # The ledger of the host knows it by its token.
        host.stop()
        ended = play(Order("r1", "cache", host.name, True, may_act=("cache",), fence=Fence("d", 1)), threading.Event())
        assert (ended.outcome, host.effects()) == ("blocked", 1)
        assert "is out of date: its service took it for lost" in ended.summary
    finally:
        serving.stop()


def test_what_waits_is_empty_beside(cut):
    east, _west, wire = cut
    east.start()
    # Neither an alert is lost nor an acknowledgement given while the wire is cut.
    wire.cut()
    started = time.monotonic()
    assert east.send(alert("h000")) in (500, 503)
    assert time.monotonic() - started < TAKEN_OVER_SECONDS
    wire.mend()
    until(lambda: east.send(alert("h000")) == 202)
    wait_until_empty(east)
