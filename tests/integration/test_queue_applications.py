# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dead messages of BullMQ, pg-boss, RQ and Celery, sent again with the library of their application."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.oncall.runbooks.tests.support.modules import begun, run_module
from ansible_collections.oncall.runbooks.tests.support.postgres_servers import Server as Postgres
from ansible_collections.oncall.runbooks.tests.support.postgres_servers import server
from ansible_collections.oncall.runbooks.tests.support.queue_applications import Application
from ansible_collections.oncall.runbooks.tests.support.redis_servers import Server as Redis
from ansible_collections.oncall.runbooks.tests.support.replays import counts, killed_often, options, replay
from ansible_collections.oncall.runbooks.tests.support.waiting import until

KILLS = 8


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with server() as running:
        yield running


@pytest.fixture(scope="module")
def redis(tmp_path_factory) -> Iterator[Redis]:
    running = Redis(tmp_path_factory.mktemp("redis")).wait()
    yield running
    running.stop()


@pytest.fixture(scope="module", params=["bullmq", "pgboss", "rq", "celery"])
def application(request, postgres, redis, tmp_path_factory) -> Iterator[Application]:
    one = Application(request.param, redis, postgres, tmp_path_factory.mktemp(request.param))
    with one.worked_on():
        yield one


def test_what_failed_is_sent_again_in_steps(application, tmp_path):
    ids = application.die(14)
    queue = application.queue()
    planned = replay(tmp_path, queue, check=True)
    assert (planned["chosen"], counts(planned)) == (14, {"found": 14, "left": 14}), planned
    told = replay(tmp_path, queue)
    assert counts(told) == {"found": 14, "replayed": 14, "done": 14}, told
    assert application.tries() == dict.fromkeys(ids, 1)
    text = Path(told["journal"]).read_text()
    events = [json.loads(line) for line in text.splitlines()]
    assert [len(one["ids"]) for one in events if one["event"] == "sent"] == [1, 10, 3]
    (group,) = told["groups"]
    assert "550 no mailbox for <address>" in group["error"] and group["name"]
    assert not [one for one in ("s3cretdata", "example.com") if one in text]
    assert {len(one["sha256"]) for one in events[0]["messages"]} == {64}
    assert counts(replay(tmp_path, queue)) == {}


def test_a_canary_that_fails_again_stops_everything(application, tmp_path):
    ids = application.die(3)
    application.ill("all")
    queue = application.queue()
    told = replay(tmp_path, queue)
    assert (told["stopped_by"], counts(told)) == (
        "failed_again",
        {"found": 3, "replayed": 1, "left": 2, "failed_again": 1},
    ), told
    assert "550 no mailbox" in told["stopped"]
    assert sum(application.tries().values()) == 1
    # Another one is the first the next time; then the cause is known to be poison.
    assert replay(tmp_path, queue)["stopped_by"] == "failed_again"
    assert counts(replay(tmp_path, queue)) == {"found": 3, "set_aside": 3}
    tries = application.tries()
    assert sorted(tries.values()) == [1, 1] and set(tries) < set(ids)
    application.well()
    told = replay(tmp_path, queue, groups=[told["groups"][0]["id"]])
    assert counts(told) == {"found": 3, "replayed": 3, "done": 3}, told


# Celery does not tell whether a message was sent: see the last test.
@pytest.mark.parametrize("application", ["bullmq", "pgboss", "rq"], indirect=True)
def test_kills_of_a_replay(application, tmp_path):
    application.well()
    made: list[str] = []
    queue = application.queue()

    def dead() -> int:
        return int(replay(tmp_path / "other", queue, check=True)["found"])

    tried: dict[str, int] = {}

    def more() -> None:
        # What was sent and has not ended yet is not to be forgotten.
        application.settle()
        tried.update(application.tries())
        made.extend(application.die(30))

    killed_often(tmp_path, queue, dead, more, KILLS, seconds=4.0)
    tried.update(application.tries())
    assert tried == dict.fromkeys(made, 1)


def test_what_the_application_does_not_have_is_one_line(application, tmp_path):
    application.die(1)
    queue = application.queue()
    queue["application"] = ["env", "-i", "-C", str(tmp_path), *queue["application"][-2:]]
    code, told = run_module("queue_replay", tmp_path, **options(tmp_path, queue))
    assert code != 0 and "the program in its application" in told["msg"] and "\n" not in told["msg"], told
    assert application.tries() == {}
    # It was about to be sent, and nobody has said that it was not.
    told = replay(tmp_path, application.queue())
    # Of Celery its own program was to list what is dead, and already that was not possible.
    assert counts(told) == {"found": 1, "replayed": 1, "done": 1}
    assert told["taken_up"] == (application.engine != "celery")


@pytest.mark.parametrize("application", ["celery"], indirect=True)
def test_what_may_have_been_sent_to_celery_is_for_a_person(application, tmp_path):
    (one,) = application.die(1)
    queue = application.queue()
    # As a run leaves it that is killed while it sends.
    cut = options(tmp_path, queue)
    cut["program"] = cut["program"].replace(
        "        app.send_task(", "        raise RuntimeError('killed')\n        app.send_task("
    )
    code, told = run_module("queue_replay", tmp_path, **cut)
    assert code != 0 and "could not send again: RuntimeError: killed" in told["msg"], told
    told = replay(tmp_path, queue)
    assert (told["stopped_by"], counts(told)) == ("lost", {"found": 1, "replayed": 1, "lost": 1}), told
    told = replay(tmp_path, queue)
    assert counts(told) == {"found": 1, "set_aside": 1} and application.tries() == {}
    told = replay(tmp_path, queue, groups=[told["groups"][0]["id"]])
    assert counts(told) == {"found": 1, "replayed": 1, "done": 1} and application.tries() == {one: 1}


# Sends one of a batch, says who it is, and goes no further.
SENT = "        sent.append(identity)\n"
HANGS = """        if len(REQUEST["marks"]) > 1:
            import os
            open({path!r}, "w").write(str(os.getpid()))
            time.sleep(300)
"""


@pytest.mark.parametrize("application", ["celery"], indirect=True)
def test_a_replay_with_celery_that_is_killed_between_two_messages_sends_none_twice(application, tmp_path):
    ids = application.die(8)
    queue, sends = application.queue(), tmp_path / "sends"
    cut = options(tmp_path, queue, batch_size=3)
    assert SENT in cut["program"]
    cut["program"] = cut["program"].replace(SENT, SENT + HANGS.format(path=str(sends)))
    with begun("queue_replay", tmp_path, **cut) as process:
        until(lambda: sends.exists() and sends.read_text())
        process.kill()
        process.communicate()
        os.kill(int(sends.read_text()), signal.SIGKILL)
    told = replay(tmp_path, queue, batch_size=3)
    # The one before them, and the first of the batch. Of the others nobody knows, as nothing shows that a message waits.
    assert (told["taken_up"], told["stopped_by"], counts(told)) == (
        True,
        "lost",
        {"found": 8, "replayed": 4, "left": 4, "done": 2, "lost": 2},
    ), told
    told = replay(tmp_path, queue, batch_size=3)
    assert counts(told) == {"found": 6, "replayed": 4, "set_aside": 2, "done": 4}, told
    application.settle()
    assert sorted(application.tries().values()) == [1] * 6
    # None is forgotten: a person has looked.
    told = replay(tmp_path, queue, groups=[told["groups"][0]["id"]])
    assert counts(told) == {"found": 2, "replayed": 2, "done": 2}, told
    application.settle()
    assert application.tries() == dict.fromkeys(ids, 1)
