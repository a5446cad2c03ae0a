# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs of real engines, and what queue_action and the role queue do with them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.postgres.client import DatabaseError
from ansible_collections.oncall.runbooks.plugins.module_utils.queues.act import act
from ansible_collections.oncall.runbooks.tests.support.captured_queues import look
from ansible_collections.oncall.runbooks.tests.support.graphile import Graphile
from ansible_collections.oncall.runbooks.tests.support.postgres_servers import Server, server
from ansible_collections.oncall.runbooks.tests.support.service_role import play
from ansible_collections.oncall.runbooks.tests.support.waiting import until


def do(queue: dict[str, Any], verb: str, *jobs: str) -> dict[str, Any]:
    params = {"name": "it", "queue": queue, "verb": verb, "jobs": [*jobs], "reason": "a test", "timeout_seconds": 30}
    return act(params)


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    with server() as running:
        yield running


# ---------------------------------------------------------------------- Graphile Worker
@pytest.fixture(scope="module")
def graphile(postgres, tmp_path_factory) -> Graphile:
    return Graphile(postgres, tmp_path_factory.mktemp("graphile"))


def test_jobs_of_graphile_worker_that_failed_run_again_and_no_others(graphile):
    failed = graphile.add("fails", 3)
    graphile.run("--once")
    seen = look(graphile.queue(task="fails"))
    assert (seen["dead"], seen["ready"]) == (3, 0)
    found = do(graphile.queue(task="fails"), "retry", failed[0], failed[1], failed[0], "4711", "no number")
    assert found["done"] == failed[:2]
    gone = "it is not in the queue any more"
    assert found["left_alone"] == [{"id": "4711", "why": gone}, {"id": "no number", "why": gone}]
    seen = look(graphile.queue(task="fails"))
    assert (seen["dead"], seen["ready"]) == (1, 2)
    # Of another task it is not this queue's.
    assert do(graphile.queue(task="hangs"), "retry", failed[2])["left_alone"] == [{"id": failed[2], "why": gone}]
    # What is set aside is not tried any more, and kept.
    assert do(graphile.queue(task="fails"), "set_aside", *failed[:2])["done"] == failed[:2]
    seen = look(graphile.queue(task="fails"))
    assert (seen["dead"], seen["ready"]) == (3, 0)
    assert any(one["text"] == "a test" for one in seen["errors"])


def test_what_a_worker_holds_is_left_alone(graphile):
    (job,) = graphile.add("hangs")
    worker = graphile.start()
    try:
        until(lambda: look(graphile.queue(task="hangs"))["running"] == 1)
        found = do(graphile.queue(task="hangs"), "set_aside", job)
        assert found == {"done": [], "left_alone": [{"id": job, "why": "the engine left it alone: a worker holds it"}]}
    finally:
        worker.kill()
        worker.wait(30)
    # Of a worker that is gone the lock is left, which would be kept for hours.
    assert look(graphile.queue(task="hangs"))["running"] == 1
    left = do(graphile.queue(task="hangs", limit_seconds=3600), "cancel", job)
    assert left["done"] == []
    assert do(graphile.queue(task="hangs", limit_seconds=0), "cancel", job)["done"] == [job]
    seen = look(graphile.queue(task="hangs"))
    assert (seen["running"], seen["ready"], seen["dead"]) == (0, 0, 1)


def test_a_role_that_may_not_is_one_line(graphile):
    queue = graphile.queue()
    queue["database"]["user"] = "oncall"
    with pytest.raises(DatabaseError) as caught:
        do(queue, "retry", "1")
    assert caught.value.kind == "not_allowed" and "\n" not in str(caught.value)


# ---------------------------------------------------------------------- the role
def test_the_role(graphile, tmp_path):
    (failed,) = graphile.add("fails")
    graphile.run("--once")
    told = tmp_path / "told"
    tell = [sys.executable, "-c", "import sys; open(sys.argv[1], 'a').write(repr(sys.argv[2:]))", str(told)]
    own = {"engine": "bullmq", "queue": "mail", "commands": {"pause": [*tell, "pause"], "retry": [*tell, "{jobs}"]}}
    queues = {"mail": graphile.queue(task="fails"), "own": own}

    def step(queue: str, verb: str, **more: Any) -> dict[str, Any]:
        return {"queue_name": queue, "queue_verb": verb, **more}

    steps = [
        step("mail", "retry", queue_jobs=[failed]),
        step("own", "pause"),
        step("own", "retry", queue_jobs=["7", "; rm -rf x"]),
        step("mail", "retry"),
        step("mail", "resume"),
        step("own", "rate_limit", queue_per_minute=60),
        step("mial", "retry", queue_jobs=["1"]),
    ]
    outcomes, _output = play(tmp_path, {}, steps, role="queue", system_queues=queues)
    assert [one["failed"] for one in outcomes] == [
        None,
        None,
        None,
        "retry of queue mail needs queue_jobs",
        "queue mail: the engine graphile_worker has no resume; it can: cancel, replay, retry, set_aside; or give it system_queues.mail.commands.resume",
        "queue own: the engine bullmq has no rate_limit; it can: replay; or give it system_queues.own.commands.rate_limit",
        "queue mial is not in system_queues; it has: mail, own",
    ]
    assert [one["changed"] for one in outcomes] == [True] * 3 + [False] * 4
    assert look(queues["mail"])["ready"] == 1
    assert told.read_text() == "['pause']['7,; rm -rf x']"


def test_check_mode_changes_nothing(graphile, tmp_path):
    (failed,) = graphile.add("fails")
    graphile.run("--once")
    before = look(graphile.queue(task="fails"))
    step = {"queue_name": "mail", "queue_verb": "retry", "queue_jobs": [failed]}
    queues = {"mail": graphile.queue(task="fails")}
    (outcome,), _output = play(tmp_path, {}, [step], "--check", role="queue", system_queues=queues)
    assert outcome == {"failed": None, "changed": True}
    assert look(graphile.queue(task="fails"))["dead"] == before["dead"]


# ---------------------------------------------------------------------- a table of one's own
OF_THE_TABLE = {
    "engine": "table",
    "statements": {"counts": "SELECT count(*) AS ready FROM events WHERE status = 'pending'"},
    "actions": {
        "retry": "UPDATE events SET status = 'pending' WHERE kind = :kind AND status = 'dead'"
        " AND id IN (SELECT jsonb_array_elements_text(:jobs::jsonb)::int) RETURNING id",
        "set_aside": "UPDATE events SET status = 'aside', said = :reason WHERE id::text IN"
        " (SELECT jsonb_array_elements_text(:jobs::jsonb)) RETURNING id",
    },
    "parameters": {"kind": "sync'; DROP TABLE events; --"},
}


@pytest.fixture(scope="module")
def table(postgres) -> dict[str, Any]:
    postgres.execute("CREATE TABLE events (id serial, kind text, status text, said text)", user="app")
    values = "('sync''; DROP TABLE events; --', 'dead'), ('sync''; DROP TABLE events; --', 'dead'), ('mail', 'dead')"
    postgres.execute(f"INSERT INTO events (kind, status) VALUES {values}", user="app")
    return {**OF_THE_TABLE, "database": {**postgres.reach(), "user": "app"}}


def test_rows_of_a_table(table):
    found = do(table, "retry", "1", "3", "9")
    left = "the statement did not return it"
    assert found == {"done": ["1"], "left_alone": [{"id": "3", "why": left}, {"id": "9", "why": left}]}
    assert look(table)["ready"] == 1
    # A second time there is nothing left to do.
    assert do(table, "retry", "1")["done"] == []
    assert do(table, "set_aside", "1", "2; DROP TABLE events")["done"] == ["1"]
    assert look(table)["ready"] == 0


def test_a_number_that_is_none_is_one_line_and_changes_nothing(table):
    with pytest.raises(DatabaseError) as caught:
        do(table, "retry", "two", "2")
    assert "two" in str(caught.value) and "\n" not in str(caught.value)
    assert look(table)["ready"] == 0


@pytest.mark.parametrize("statement", ["DELETE FROM events; SELECT 1", "UPDATE events SET said = :nobody RETURNING id"])
def test_a_statement_that_is_none_is_refused_before_it_is_asked(table, statement):
    with pytest.raises(ValueError, match=r"queue it: actions\.cancel: "):
        do({**table, "actions": {"cancel": statement}}, "cancel", "1")
