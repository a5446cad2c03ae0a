# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Events replayed into a real handler with a real database: each once, whatever else sends them and whenever it is killed."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.oncall.runbooks.tests.support.modules import COLLECTIONS, run_module
from ansible_collections.oncall.runbooks.tests.support.payment_stack import (
    FORMER_SECRET,
    READ_KEY,
    SECRET,
    WRITE_KEY,
    payment_stack,
)
from ansible_collections.oncall.runbooks.tests.support.postgres_servers import server
from ansible_collections.oncall.runbooks.tests.support.waiting import going_on, until
from lab.ports import free_port

KILLS = int(os.environ.get("ONCALL_KILLS", "12"))


@pytest.fixture(scope="module")
def postgres():
    with server() as running:
        yield running


@pytest.fixture
def stack(postgres):
    with payment_stack(postgres) as one:
        yield one


@pytest.fixture
def state(tmp_path):
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    return folder


def options(stack, state, events, **more):
    return {
        "webhook": stack.webhook(**more.pop("webhook", {})),
        "database": stack.postgres.reach("app"),
        "events": events,
        "state_directory": str(state),
        "answer_seconds": 2,
        "proof_seconds": 2,
        "per_minute": 60000,
        **more,
    }


def replay(stack, state, events, check=False, **more):
    code, result = run_module("webhook_replay", state, check=check, **options(stack, state, events, **more))
    assert SECRET not in json.dumps(result.get("invocation", {}))
    return code, result


def posted(stack):
    """How often each event came, without our own."""
    return {one: count for one, count in stack.taker.posts.items() if not one.startswith("evt_oncall_")}


@pytest.mark.covers("PD-3-4")
def test_each_missing_event_is_replayed_once_the_oldest_first(stack, state):
    ids = stack.add(30)
    checked = replay(stack, state, ids, check=True)[1]
    assert (checked["changed"], checked["chosen"], checked["replayed"], posted(stack)) == (True, 30, 0, {})
    assert not (state / "replays").exists()

    code, done = replay(stack, state, ids, batch_size=7)
    assert (code, done["changed"], done["found"], done["done"], done["stopped_by"]) == (0, True, 30, 30, "")
    assert list(posted(stack).items()) == [(one, 1) for one in ids], "each once, the oldest first"
    assert stack.rows() == {"events": 30, "payments": 30}
    journal = Path(done["journal"]).read_text()
    asked = [len(event["ids"]) for event in map(json.loads, journal.splitlines()) if event["event"] == "asked"]
    assert asked == [1, 7, 7, 7, 7, 1], "a canary, a few, then batches"
    assert Path(done["journal"]).stat().st_mode & 0o777 == 0o600
    assert "pi_" not in journal, "who paid what is in no journal"

    code, again = replay(stack, state, ids)
    assert (code, again["changed"], again["found"], len(again["came_by_themselves"])) == (0, False, 0, 30)


def test_a_handler_that_fails_gets_one_event_and_no_more(stack, state):
    ids = stack.add(5)
    stack.taker.broken = {ids[0]}
    code, result = replay(stack, state, ids)
    assert (code, result["failed"], result["failed_again"], result["left"]) == (1, True, 1, 4)
    assert "answers 500: it broke" in result["msg"]
    assert posted(stack) == {ids[0]: 1}
    # What has failed comes last, so that it keeps no other waiting.
    code, result = replay(stack, state, ids)
    assert (code, result["done"], result["failed_again"]) == (1, 4, 1)
    code, result = replay(stack, state, ids)
    assert (code, result["set_aside"], posted(stack)[ids[0]]) == (0, 1, 2)


def test_what_a_handler_takes_and_forgets_is_not_proven(stack, state):
    ids = stack.add(5)
    stack.taker.mode = "forgets"
    code, result = replay(stack, state, ids, proof_seconds=0.5)
    assert (code, result["stopped_by"], result["still_running"]) == (1, "not_proven", 1)
    assert posted(stack) == {ids[0]: 1}


@pytest.mark.parametrize("mode", ["fails", 404])
def test_nothing_is_sent_into_an_endpoint_that_does_not_work(stack, state, mode):
    ids = stack.add(2)
    stack.taker.mode = mode
    code, result = replay(stack, state, ids)
    assert (code, posted(stack)) == (1, {})
    assert "does not take what is signed right, so nothing is sent" in result["msg"]


def test_the_secret_that_is_right_signs(stack, state):
    ids = stack.add(3)
    stack.taker.secrets = [FORMER_SECRET]
    code, result = replay(stack, state, ids, webhook={"secrets": [SECRET, FORMER_SECRET]})
    assert (code, result["done"]) == (0, 3)


def test_without_a_statement_nothing_is_sent(stack, state):
    ids = stack.add(1)
    code, result = replay(stack, state, ids, webhook={"statements": {}})
    assert (code, posted(stack)) == (1, {})
    assert "must say how the database shows that an event was processed" in result["msg"]


def test_what_the_provider_keeps_no_longer_is_said(stack, state):
    (old,) = stack.add(1, ago_seconds=31 * 86400)
    code, result = replay(stack, state, [old])
    assert (code, result["changed"], result["not_kept"]) == (0, False, [old])


def test_the_database_is_asked_and_it_is_not_there(stack, state):
    ids = stack.add(1)
    code, result = replay(stack, state, ids, database={**stack.postgres.reach("app"), "port": free_port()})
    assert (code, posted(stack)) == (1, {})
    assert "refused" in result["msg"]


def test_what_the_provider_sends_meanwhile_is_not_doubled(stack, state):
    ids = stack.add(40, give_up=False)
    stack.payments.retry_seconds = [0.1] * 100
    stack.taker.pause_seconds = 0.01
    with going_on(stack.payments.deliver_due):
        code, result = replay(stack, state, ids)
    assert code == 0, result
    assert result["done"] + len(result["came_by_themselves"]) == 40
    assert result["came_by_themselves"], "the provider never won, so nothing is proved"
    assert {one: stack.taker.applied[one] for one in ids} == dict.fromkeys(ids, 1)
    assert stack.rows() == {"events": 40, "payments": 40}


@pytest.mark.covers("PD-3-4")
def test_a_kill_loses_none_and_sends_none_twice(stack, state):
    ids = stack.add(12 * KILLS)
    stack.taker.pause_seconds = 0.02
    picks = random.Random(7)
    kills = in_the_midst = 0
    while kills < KILLS:
        before = stack.rows()["events"]
        process = subprocess.Popen(
            [sys.executable, "-m", "ansible_collections.oncall.runbooks.plugins.modules.webhook_replay"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=dict(os.environ, PYTHONPATH=str(COLLECTIONS)),
        )  # fmt: skip
        given = options(stack, state, ids, batch_size=5, answer_seconds=0.5)
        process.stdin.write(json.dumps({"ANSIBLE_MODULE_ARGS": {**given, "_ansible_remote_tmp": str(state)}}).encode())
        process.stdin.close()
        # Somewhere in the midst of what it sends.
        upto = min(before + picks.randint(0, 8), len(ids) - 1)
        until(lambda: stack.rows()["events"] >= upto or process.poll() is not None)  # noqa: B023
        time.sleep(picks.random() * 0.03)
        process.send_signal(signal.SIGKILL)
        process.wait()
        kills += 1
        journal = max((state / "replays").glob("*/*.jsonl"), default=None)
        in_the_midst += journal is not None and json.loads(journal.read_text().splitlines()[-1])["event"] == "asked"
    assert in_the_midst >= KILLS // 3, "few were killed while they sent, so little is proved"
    code, result = replay(stack, state, ids, answer_seconds=0.5)
    assert (code, result["stopped_by"]) == (0, ""), result
    assert stack.rows() == {"events": len(ids), "payments": len(ids)}, "none is lost"
    assert {one: stack.taker.applied[one] for one in ids} == dict.fromkeys(ids, 1), "none is done twice"
    assert set(posted(stack).values()) == {1}, "none is sent twice"


@pytest.mark.covers("PD-3-4")
def test_the_report_is_for_finance_and_for_nobody_else(stack, state):
    ids = stack.add(3)
    stack.taker.broken = {ids[2]}
    replay(stack, state, ids)
    stack.payments.add(
        "payment_intent.succeeded", {"id": "pi_x", "amount_received": 5, "currency": "=HYPERLINK(1)"}, 7100
    )
    stack.postgres.execute("UPDATE payments SET amount = 1 WHERE amount = 1001")
    given = {
        key: value
        for key, value in options(stack, state, []).items()
        if key in ("webhook", "database", "state_directory")
    }
    code, result = run_module("webhook_report", state, directory=str(state / "evidence"), **given)
    assert (code, result["rows"]) == (0, 4), result
    for name in ("csv", "markdown"):
        assert Path(result[name]).stat().st_mode & 0o777 == 0o600
    assert (state / "evidence").stat().st_mode & 0o077 == 0
    rows = list(csv.DictReader(Path(result["csv"]).read_text(encoding="utf-8-sig").splitlines()))
    assert [(row["state"], row["amount at the provider (minor units)"], row["amount in the database (minor units)"]) for row in rows] == [
        ("ok", "1000", "1000"), ("amount_differs", "1001", "1"), ("undelivered", "1002", ""), ("undelivered", "5", ""),
    ]  # fmt: skip
    assert [row["what was done"].partition(" (")[0] for row in rows] == [
        "replayed",
        "replayed",
        "replayed, and failed again",
        "",
    ]
    text = Path(result["markdown"]).read_text()
    assert "| amount\\_differs | 1 | the database has another amount or another currency |" in text
    assert READ_KEY not in text + str(rows)
    checked = run_module("webhook_report", state, check=True, directory=str(state / "elsewhere"), **given)[1]
    assert (checked["changed"], (state / "elsewhere").exists()) == (True, False)


def test_an_endpoint_is_enabled_and_disabled_again(stack, state):
    stack.endpoint.status = "disabled"
    given = {"webhook": stack.webhook(write_key=WRITE_KEY), "endpoint": stack.endpoint.id}
    # What lists the endpoints is the key that reads.
    checked = run_module("webhook_endpoint", state, check=True, state="enabled", **given)[1]
    assert (checked["changed"], stack.endpoint.status) == (True, "disabled")
    code, done = run_module("webhook_endpoint", state, state="enabled", **given)
    assert (code, done["changed"], done["before"], stack.endpoint.status) == (0, True, "disabled", "enabled")
    assert run_module("webhook_endpoint", state, state="enabled", **given)[1]["changed"] is False
    assert run_module("webhook_endpoint", state, state="disabled", **given)[1]["changed"] is True
    code, told = run_module(
        "webhook_endpoint", state, state="enabled", webhook=stack.webhook(), endpoint=stack.endpoint.id
    )
    assert (code, "write_key is missing" in told["msg"], stack.endpoint.status) == (1, True, "disabled")
    code, told = run_module(
        "webhook_endpoint",
        state,
        state="enabled",
        webhook=stack.webhook(write_key=READ_KEY),
        endpoint=stack.endpoint.id,
    )
    assert (code, "answers 403" in told["msg"]) == (1, True)
