# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dead messages of a real Graphile Worker and of a table, sent again by queue_replay and the role queue, and by runs that are killed."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ansible_collections.oncall.runbooks.tests.support.captured_queues import look
from ansible_collections.oncall.runbooks.tests.support.graphile import Graphile
from ansible_collections.oncall.runbooks.tests.support.letters import TABLE, Letters
from ansible_collections.oncall.runbooks.tests.support.modules import begun, run_module
from ansible_collections.oncall.runbooks.tests.support.postgres_servers import Server, server
from ansible_collections.oncall.runbooks.tests.support.replays import counts, killed_often, options, replay
from ansible_collections.oncall.runbooks.tests.support.service_role import play
from ansible_collections.oncall.runbooks.tests.support.waiting import going_on, until

KILLS = 50


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    with server() as running:
        yield running


# ---------------------------------------------------------------------- Graphile Worker
@pytest.fixture(scope="module")
def graphile(postgres, tmp_path_factory) -> Graphile:
    return Graphile(postgres, tmp_path_factory.mktemp("graphile"))


@pytest.fixture
def mail(graphile) -> Iterator[Callable[..., list[str]]]:
    """Makes jobs that failed while mail was down."""

    def make(count: int, why: str = "550 no mailbox for someone@example.com") -> list[str]:
        graphile.ill(why)
        ids: list[str] = graphile.add("mail", count)
        graphile.run("--once")
        graphile.well()
        return ids

    yield make
    graphile.postgres.execute(
        "SELECT graphile_worker.complete_jobs(array_agg(id)) FROM graphile_worker.jobs",
        dbname=graphile.name,
        user="app",
    )


@pytest.fixture
def worker(graphile) -> Iterator[subprocess.Popen[bytes]]:
    with graphile.start("--poll-interval", "100", "--jobs", "4") as process:
        try:
            # What there was no time to see is not there.
            until(lambda: look(graphile.queue(task="mail")).get("workers") == 1)
            yield process
        finally:
            process.kill()


@pytest.mark.covers("PD-2-4")
def test_what_failed_runs_again_in_steps(graphile, mail, worker, tmp_path):
    ids = mail(30)
    planned = replay(tmp_path, graphile.queue(task="mail"), check=True)
    assert (planned["changed"], planned["chosen"], counts(planned)) == (True, 30, {"found": 30, "left": 30})
    assert list(tmp_path.iterdir()) == [] and graphile.tries() == {}
    told = replay(tmp_path, graphile.queue(task="mail"))
    assert counts(told) == {"found": 30, "replayed": 30, "done": 30}, told
    assert (told["changed"], told["stopped_by"], told["taken_up"], told["more"]) == (True, "", False, False)
    assert [(one["error"], one["name"], one["became"]) for one in told["groups"]] == [
        ("550 no mailbox for <address>", "mail", {"done": 30})
    ]
    assert graphile.tries() == dict.fromkeys(ids, 1)
    events = [json.loads(line) for line in Path(told["journal"]).read_text().splitlines()]
    assert [len(one["ids"]) for one in events if one["event"] == "sent"] == [1, 10, 19]
    assert [one["id"] for one in events[0]["messages"]] == ids, "the oldest first"
    assert {len(one["sha256"]) for one in events[0]["messages"]} == {64}
    assert "example.com" not in Path(told["journal"]).read_text()
    again = replay(tmp_path, graphile.queue(task="mail"))
    assert (again["changed"], counts(again)) == (False, {})


def test_a_canary_that_fails_again_stops_everything(graphile, mail, worker, tmp_path):
    queue = graphile.queue(task="mail")
    first, *others = mail(12)
    graphile.ill("550 no mailbox", first)
    told = replay(tmp_path, queue)
    assert counts(told) == {"found": 12, "replayed": 1, "left": 11, "failed_again": 1}
    assert (told["stopped_by"], told["stopped"]) == ("failed_again", f"message {first} failed again: 550 no mailbox")
    assert graphile.tries() == {first: 1}
    # It comes last the next time, and is not sent more often than it may be.
    told = replay(tmp_path, queue)
    assert counts(told) == {"found": 12, "replayed": 12, "done": 11, "failed_again": 1}
    told = replay(tmp_path, queue)
    assert counts(told) == {"found": 1, "set_aside": 1} and not told["changed"]
    assert graphile.tries() == {first: 2, **dict.fromkeys(others, 1)}


@pytest.mark.covers("PD-2-4")
def test_a_poison_group_is_set_aside_and_the_others_are_sent(graphile, mail, worker, tmp_path):
    queue = graphile.queue(task="mail")
    poison = mail(3, "TypeError: no total of order 4711")
    for one in poison:
        graphile.ill("TypeError: no total of order 4711", one)
    for _time in range(2):
        assert replay(tmp_path, queue)["stopped_by"] == "failed_again"
    good = mail(3)
    for one in poison:
        graphile.ill("TypeError: no total of order 4711", one)
    told = replay(tmp_path, queue)
    assert counts(told) == {"found": 6, "replayed": 3, "set_aside": 3, "done": 3}, told
    assert [(one["fate"], one["why"]) for one in told["groups"]] == [
        ("chosen", ""),
        ("set_aside", "poison: 2 replays of it failed again, and none ended well"),
    ]
    assert graphile.tries() == dict.fromkeys(good, 1)
    # A person may say that it is none any more.
    graphile.well()
    told = replay(tmp_path, queue, groups=[told["groups"][1]["id"]])
    assert counts(told) == {"found": 3, "replayed": 3, "done": 3}


def test_what_is_too_old_is_kept_and_not_sent(graphile, mail, worker, tmp_path):
    mail(3)
    told = replay(tmp_path, graphile.queue(task="mail"), expires_seconds=0.001)
    assert counts(told) == {"found": 3, "expired": 3} and graphile.tries() == {}
    assert look(graphile.queue(task="mail"))["dead"] == 3


def test_a_queue_that_is_not_worked_on_is_given_nothing(graphile, mail, tmp_path):
    mail(3)
    told = replay(tmp_path, graphile.queue(task="mail"))
    assert (told["stopped_by"], told["stopped"], counts(told)) == (
        "no_worker",
        "nobody works on the queue",
        {"found": 3, "left": 3},
    )
    graphile.add("mail", 3)
    worker = graphile.start("--jobs", "1", "--poll-interval", "3600000")
    graphile.postgres.execute("SELECT 1", dbname=graphile.name)
    worker.kill()
    worker.wait()


def test_a_backlog_is_given_nothing(graphile, mail, worker, tmp_path):
    mail(3)
    # Nobody knows this task.
    graphile.postgres.execute(
        "SELECT graphile_worker.add_job('letter') FROM generate_series(1, 20)", dbname=graphile.name, user="app"
    )
    told = replay(tmp_path, graphile.queue(), most_waiting=10)
    assert (told["stopped_by"], counts(told)) == ("backlog", {"found": 3, "left": 3})
    assert "20 messages wait in the queue, and more than 10 may not" in told["stopped"]


@pytest.mark.covers("PD-2-4")
def test_kills_of_a_replay_with_graphile_worker(graphile, mail, worker, tmp_path):
    queue = graphile.queue(task="mail")
    made: list[str] = []

    def is_quiet() -> bool:
        # What a killed run was about to commit is seen only when the server is done with it.
        if sessions_of_replays(graphile):
            return False
        seen = look(queue)
        # What there was no time to see is not there.
        return (seen.get("running"), seen.get("ready")) == (0, 0)

    def more() -> None:
        # What was sent and has not run yet is not to fail for this.
        until(is_quiet)
        graphile.ill("451 try later")
        made.extend(graphile.add("mail", 80))
        until(is_quiet)
        graphile.postgres.execute("TRUNCATE outages", dbname=graphile.name, user="app")

    def dead() -> int:
        # Not as the observer tells it, which on a busy machine may have no time to count.
        counted = "SELECT count(*) FROM graphile_worker.jobs WHERE locked_at IS NULL AND attempts >= max_attempts"
        return int(graphile.postgres.execute(counted, dbname=graphile.name, user="app")[0][0])

    graphile.ill("x", "none")
    graphile.well()
    killed_often(tmp_path, queue, dead, more, KILLS)
    # Once when it failed, and once when it was sent again. How it ended tells what failed again from what was sent twice.
    assert graphile.ends() == {one: ["451 try later", None] for one in made}
    assert dead() == 0


# What waits for a test as it is committed: by then the client has said all that it has to say.
HELD = """CREATE FUNCTION held() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN WHILE NOT pg_try_advisory_xact_lock(42) LOOP PERFORM pg_sleep(0.02); END LOOP; RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER held AFTER UPDATE ON graphile_worker._private_jobs DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
WHEN (OLD.attempts > NEW.attempts) EXECUTE FUNCTION held()"""


def test_what_a_killed_run_was_about_to_commit_is_not_sent_again(graphile, mail, worker, tmp_path):
    queue = graphile.queue(task="mail")
    (one,) = mail(1)
    graphile.postgres.execute(HELD, dbname=graphile.name, user="app")
    try:
        with closing(graphile.postgres.connect(dbname=graphile.name)) as holder:
            holder.execute("SELECT pg_advisory_lock(42)")
            with begun("queue_replay", tmp_path, **options(tmp_path, queue)) as killed:
                until(lambda: sessions_of_replays(graphile, "query = 'COMMIT' AND state = 'active'"))
                killed.kill()
                killed.communicate()
            # Nothing shows it yet, and what looks for it waits.
            shown = "SELECT count(*) FROM graphile_worker.jobs WHERE attempts < max_attempts"
            assert graphile.postgres.execute(shown, dbname=graphile.name) == [(0,)]
            with begun("queue_replay", tmp_path, **options(tmp_path, queue)) as next_one:
                until(lambda: sessions_of_replays(graphile, "wait_event_type = 'Lock'"))
                holder.execute("SELECT pg_advisory_unlock(42)")
                told = json.loads(next_one.communicate()[0])
    finally:
        graphile.postgres.execute("DROP FUNCTION held CASCADE", dbname=graphile.name, user="app")
    assert (told["taken_up"], counts(told)) == (True, {"found": 1, "replayed": 1, "done": 1}), told
    assert graphile.ends() == {one: [None]}


def sessions_of_replays(graphile: Graphile, where: str = "true") -> int:
    """How many sessions of ours the database has."""
    counted = f"SELECT count(*) FROM pg_stat_activity WHERE application_name = 'oncall.runbooks' AND {where}"
    return int(graphile.postgres.execute(counted, dbname=graphile.name)[0][0])


# ---------------------------------------------------------------------- a table of one's own
@pytest.fixture
def letters(postgres) -> Iterator[Letters]:
    yield Letters(postgres)
    postgres.execute("DROP TABLE letters", user="app")


def test_rows_of_a_table_are_sent_again(letters, tmp_path):
    ids = letters.die(15)
    late = letters.die(2, ends="now() - interval '1 minute'")
    with letters.worked_on():
        told = replay(tmp_path, letters.queue())
    assert counts(told) == {"found": 17, "replayed": 15, "expired": 2, "done": 15}, told
    assert letters.column("tries") == [1] * len(ids) + [0] * len(late)
    begun_with = json.loads(Path(told["journal"]).read_text().splitlines()[0])
    # Of the bytes as they are: a pickle, which nobody reads.
    assert {one["sha256"] for one in begun_with["messages"]} == {hashlib.sha256(b"\x80\x02]q\x00.").hexdigest()}


def test_a_row_that_changes_meanwhile_is_left(letters, tmp_path):
    ids = letters.die(4)
    queue = letters.queue()
    # It dies once more between its copy and its turn.
    queue["statements"] = {
        **queue["statements"],
        "dead": queue["statements"]["dead"].replace(
            "died_at AS dead_at", f"CASE WHEN id = {ids[1]} THEN now() ELSE died_at END AS dead_at"
        ),
    }
    with letters.worked_on():
        told = replay(tmp_path, queue)
    assert counts(told) == {"found": 4, "replayed": 3, "left": 1, "done": 3}, told
    assert letters.column("tries") == [1, 0, 1, 1]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"actions": {}}, "queue mail: a replay needs actions.replay"),
        (
            {"statements": {"counts": TABLE["statements"]["counts"]}},
            "queue mail: a replay needs statements.dead and statements.whereabouts",
        ),
        (
            {"actions": {"replay": "DELETE FROM letters; SELECT 1"}},
            "queue mail: actions.replay: a statement is one query",
        ),
    ],
)
def test_an_inventory_that_does_not_say_enough_is_one_line(letters, tmp_path, changes, said):
    letters.die(1)
    code, told = run_module("queue_replay", tmp_path, **options(tmp_path, letters.queue(**changes)))
    assert code != 0 and said in told["msg"] and "\n" not in told["msg"]


@pytest.mark.parametrize(
    ("statement", "old", "new", "said"),
    [
        ("dead", "died_at AS dead_at,", "", "give it payload or payload_sha256, and mark or dead_at"),
        ("dead", "payload,", "", "give it payload or payload_sha256, and mark or dead_at"),
        (
            "whereabouts",
            "died_at AS dead_at,",
            "",
            "is listed as dead, but where it is is told as dead, or with another mark; and so are all others",
        ),
        ("whereabouts", "ELSE status", "ELSE 'done'", "is told as done"),
    ],
)
def test_statements_that_contradict_each_other_send_nothing(letters, tmp_path, statement, old, new, said):
    letters.die(3)
    queue = letters.queue()
    queue["statements"] = {**queue["statements"], statement: queue["statements"][statement].replace(old, new)}
    code, told = run_module("queue_replay", tmp_path, **options(tmp_path, queue))
    assert code != 0 and said in told["msg"], told
    assert set(letters.column("status")) == {"dead"}


def test_an_action_that_does_nothing_is_told(letters, tmp_path):
    letters.die(3)
    with letters.worked_on():
        told = replay(
            tmp_path, letters.queue(actions={"replay": TABLE["actions"]["replay"].replace("'dead'", "'deceased'")})
        )
    assert (told["stopped_by"], counts(told)) == ("refused", {"found": 3, "left": 3})


def test_an_action_that_sends_all_of_them_sends_none(letters, tmp_path):
    letters.die(3)
    all_of_them = "UPDATE letters SET status = 'pending' WHERE status = 'dead' RETURNING id"
    code, told = run_module(
        "queue_replay", tmp_path, **options(tmp_path, letters.queue(actions={"replay": all_of_them}))
    )
    assert (
        code != 0 and "actions.replay has to leave alone what :jobs does not name, such as message 2" in told["msg"]
    ), told
    assert set(letters.column("status")) == {"dead"}


def test_a_message_without_an_id_is_not_sent(letters, tmp_path):
    letters.die(2)
    queue = letters.queue()
    queue["statements"] = {
        **queue["statements"],
        "dead": queue["statements"]["dead"].replace("id,", "nullif(id, 2) AS id,"),
    }
    code, told = run_module("queue_replay", tmp_path, **options(tmp_path, queue))
    assert code != 0 and "a dead message without an id" in told["msg"], told
    assert set(letters.column("status")) == {"dead"}


def test_what_nobody_ends_is_not_proven(letters, tmp_path):
    letters.die(3)
    told = replay(tmp_path, letters.queue(), proof_seconds=0.5)
    assert counts(told) == {"found": 3, "replayed": 1, "left": 2, "still_running": 1}
    assert told["stopped_by"] == "not_proven" and told["stopped"].endswith("did not end within 0.5 s")


def test_rows_that_are_gone_are_done_only_where_the_inventory_says_so(letters, tmp_path):
    letters.die(3)
    gone = "DELETE FROM letters WHERE status = 'pending'"
    with closing(letters.postgres.connect(user="app")) as connection, going_on(lambda: connection.execute(gone), 0.02):
        told = replay(tmp_path, letters.queue())
        assert (told["stopped_by"], counts(told)) == ("lost", {"found": 3, "replayed": 1, "left": 2, "lost": 1})
        told = replay(tmp_path, letters.queue(gone_is_done=True))
        assert counts(told) == {"found": 2, "replayed": 2, "done": 2}


@pytest.mark.covers("PD-2-4")
def test_kills_of_a_replay_with_a_table(letters, tmp_path):
    with letters.worked_on():
        killed_often(
            tmp_path,
            letters.queue(),
            lambda: letters.column("status").count("dead"),
            lambda: letters.die(60),
            KILLS // 2,
        )
    assert set(letters.column("status")) == {"done"}
    assert set(letters.column("tries")) == {1}


# ---------------------------------------------------------------------- the role
def test_the_role(letters, tmp_path):
    letters.die(3)
    queues = {
        "letters": letters.queue(),
        "runs": {"engine": "inngest", "url": "http://127.0.0.1:1"},
        "own": {"engine": "sidekiq", "commands": {"replay": ["true"]}},
    }
    step = {"queue_name": "letters", "queue_verb": "replay"}
    steps = [step, {**step, "queue_name": "runs"}, {**step, "queue_name": "own"}]
    variables = {"system_queues": queues, "system_state_directory": str(tmp_path / "state")}
    outcomes, _output = play(tmp_path, {}, steps, "--check", role="queue", **variables)
    assert [one["changed"] for one in outcomes] == [True, False, False]
    assert set(letters.column("status")) == {"dead"}
    with letters.worked_on():
        outcomes, _output = play(tmp_path, {}, steps, role="queue", **variables)
    assert [(one["changed"], one["failed"]) for one in outcomes] == [
        (True, None),
        (False, "queue runs: the engine inngest has no replay; it can: nothing by itself"),
        (False, "queue own: the engine sidekiq has no replay; it can: nothing by itself"),
    ]
    assert set(letters.column("status")) == {"done"}


def test_the_role_fails_where_the_canary_does(letters, tmp_path):
    (one, *_others) = letters.die(3)
    letters.postgres.execute("UPDATE letters SET ill = true", user="app")
    variables = {"system_queues": {"letters": letters.queue()}, "system_state_directory": str(tmp_path / "state")}
    with letters.worked_on():
        outcomes, _output = play(
            tmp_path, {}, [{"queue_name": "letters", "queue_verb": "replay"}], role="queue", **variables
        )
    assert outcomes == [
        {"failed": f"message {one} failed again: it is ill; of 3 messages 1 was sent again", "changed": True}
    ]
