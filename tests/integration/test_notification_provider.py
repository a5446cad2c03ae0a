# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runbook notification_provider on a real application that sends out of a table of PostgreSQL, by two real servers of SMTP."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.providers.marks import file_of
from ansible_collections.oncall.runbooks.tests.support.mail_servers import MailServer
from ansible_collections.oncall.runbooks.tests.support.outbox import Outbox
from ansible_collections.oncall.runbooks.tests.support.plays import Play, Player, Started
from ansible_collections.oncall.runbooks.tests.support.postgres_servers import server
from ansible_collections.oncall.runbooks.tests.support.supervisord import Supervisord
from ansible_collections.oncall.runbooks.tests.support.waiting import until

DOWN = {"MAIL": "451 4.3.0 try again later"}


class Stack:
    """An application, and the two that send its mail."""

    def __init__(self, outbox: Outbox, first: MailServer, second: MailServer) -> None:
        self.outbox, self.first, self.second = outbox, first, second

    def heal(self) -> None:
        """Both take messages, the first is used, and nothing waits."""
        for one in (self.first, self.second):
            one.says.clear()
            one.holds = False
            # What it kept waiting is another test's.
            until(lambda one=one: one.held == 0)
        self.outbox.start("first")
        for one in (self.first, self.second):
            one.taken.clear()

    def sent(self) -> dict[str, set[str]]:
        """The numbers of the messages that each took; none twice."""
        found = {}
        for name, one in (("first", self.first), ("second", self.second)):
            numbers = [message["content"].splitlines()[0].removeprefix("Subject: ") for message in one.taken]
            assert len(numbers) == len(set(numbers)), numbers
            found[name] = set(numbers)
        assert not found["first"] & found["second"], "a message was sent by both"
        return found

    def break_first(self) -> None:
        """The first refuses, so that messages fail; and more come."""
        self.first.says.update(DOWN)
        self.outbox.add(12)
        until(lambda: self.outbox.counts() == {"failed": 12})

    def fails_no_more(self, lately_seconds: float) -> None:
        """Wait until what failed, failed longer ago than that."""
        ago = f"SELECT count(*) FROM outbox WHERE status = 'failed' AND ended_at > now() - make_interval(secs => {lately_seconds})"
        until(lambda: self.outbox.run(ago)[0][0] == 0)


@pytest.fixture(scope="module")
def running(tmp_path_factory) -> Iterator[Stack]:
    with server() as postgres, MailServer() as first, MailServer() as second:
        supervisord = Supervisord()
        try:
            supervisord.wait_for(idle="STOPPED")
            yield Stack(Outbox(postgres, supervisord, (first.port, second.port)), first, second)
        finally:
            supervisord.stop()


@pytest.fixture
def stack(running) -> Stack:
    running.heal()
    return running


class Plays:
    """Plays of the runbook against the stack."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.state = folder / "oncall"
        self.state.mkdir()
        channel = {
            "from": "noreply@shop.example",
            "queue": "mail",
            "providers": [stack.first.reach(name="first"), stack.second.reach(name="second")],
            "switch": {"services": ["worker"], "variable": "MAIL_PROVIDER"},
        }
        self.variables: dict[str, Any] = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "run_confirm_seconds": 0,
            "run_verify_seconds": 1,
            "run_verify_every_seconds": 1,
            "run_verify_timeout_seconds": 30,
            "run_cooldown_seconds": 0,
            "run_budget_count": 100,
            "system_state_directory": str(self.state),
            "system_services": {"worker": stack.outbox.service()},
            "system_queues": {"mail": stack.outbox.queue()},
            "system_notification_providers": {"mail": channel},
            "notification_provider_check_window_seconds": 0.5,
            "notification_provider_window_seconds": 1,
            "notification_provider_back_after_seconds": 0,
        }
        inventory = folder / "inventory.json"
        inventory.write_text(json.dumps({"all": {"hosts": {"stack": self.variables}}}))
        self._inventory, self._player = inventory, Player(folder, folder)

    def start(self, *arguments: str, playbook: str = "notification_provider", **more: object) -> Started:
        book = f"playbooks/{playbook}.yml"
        return self._player.start("-i", str(self._inventory), *arguments, playbook=book, run_hosts="stack", **more)

    def __call__(self, *arguments: str, **more: object) -> Play:
        return self.start(*arguments, **more).wait()

    def noted(self) -> list[str]:
        """What a run noted of the channel."""
        paths = [self.state / file_of("mail", about) for about in ("queue", "turned")]
        texts = [json.loads(path.read_text()) for path in paths if path.exists()]
        return [name for text in texts for name, value in text.items() if value is True]


@pytest.fixture
def play(stack, tmp_path) -> Plays:
    return Plays(stack, tmp_path)


@pytest.mark.covers("PD-3-1", "PD-3-2")
def test_the_first_is_down_and_there_and_back_again(stack, play):
    stack.break_first()
    checked = play("--check")
    assert (checked.code, checked.outcome, checked.causes()) == (0, "planned", ["provider_down"]), checked.output
    assert (stack.outbox.environment(), stack.outbox.said(), play.noted()) == ("first", [], [])

    fixed = play()
    assert (fixed.code, fixed.outcome, fixed.causes()) == (0, "resolved", ["provider_down"]), fixed.output
    (action,) = fixed.run["actions"]
    assert (action["remedy"], action["helped"]) == ("fall_back", True)
    assert (stack.outbox.environment(), stack.outbox.said()) == ("second", ["pause", "resume"])
    stack.outbox.add(5)
    until(lambda: stack.outbox.counts() == {"failed": 12, "sent": 5})
    assert {name: len(numbers) for name, numbers in stack.sent().items()} == {"first": 0, "second": 5}

    again = play()
    assert (again.code, again.outcome, again.run["actions"]) == (0, "healthy", []), again.output
    assert "mail sends by another provider than the first" in again.run["summary"]

    # It works again, but that has not been so for long.
    stack.first.says.clear()
    early = play(notification_provider_back_after_seconds=3600)
    assert (early.outcome, stack.outbox.environment()) == ("healthy", "second"), early.output
    back = play()
    assert (back.code, back.outcome, back.causes()) == (0, "resolved", ["back_again"]), back.output
    assert (stack.outbox.environment(), play.noted()) == ("first", ["turned"])
    stack.outbox.add(3)
    until(lambda: stack.outbox.counts() == {"failed": 12, "sent": 8})
    assert {name: len(numbers) for name, numbers in stack.sent().items()} == {"first": 3, "second": 5}

    last = play()
    assert (last.code, last.outcome, last.run["actions"]) == (0, "healthy", []), last.output


@pytest.mark.covers("PD-3-2")
def test_what_is_in_progress_is_waited_for_and_what_waited_goes_out_slowly(stack, play):
    stack.break_first()
    # One message is on its way with the first while that refuses all others, and more wait.
    stack.first.says.clear()
    stack.first.holds = True
    stack.outbox.add(21)
    until(lambda: stack.first.held == 1)
    stack.first.says.update(DOWN)
    started = play.start(notification_provider_drain_at_once=4, notification_provider_drain_per_minute=120)
    until(lambda: stack.outbox.said() == ["pause"], 300)
    stack.first.holds = False
    fixed = started.wait()
    assert (fixed.code, fixed.outcome) == (0, "resolved"), fixed.output
    assert stack.outbox.said() == ["pause", "limit 120", "resume", "limit 0"]
    until(lambda: stack.outbox.counts() == {"failed": 12, "sent": 21})
    assert {name: len(numbers) for name, numbers in stack.sent().items()} == {"first": 1, "second": 20}
    # 16 of them one after the other, two in a second: not all at once.
    (span,) = stack.outbox.run(
        "SELECT extract(epoch FROM max(ended_at) - min(ended_at))::float FROM outbox WHERE provider = 'second'"
    )[0]
    assert span > 5


def test_a_message_that_does_not_end_keeps_it_where_it_is(stack, play):
    stack.break_first()
    stack.first.says.clear()
    stack.first.holds = True
    stack.outbox.add(2)
    until(lambda: stack.first.held == 1)
    stack.first.says.update(DOWN)
    told = play(notification_provider_finish_seconds=2)
    assert (told.code, told.outcome) == (2, "unresolved"), told.output
    assert "1 messages were still in progress 2 s after its queue was paused" in told.output
    assert (stack.outbox.environment(), stack.outbox.said(), play.noted()) == (
        "first",
        ["pause", "resume"],
        [],
    )


def test_a_queue_that_is_not_paused_though_its_command_ended_well_keeps_it_where_it_is(stack, play):
    stack.break_first()
    queue = stack.outbox.queue()
    goes_on = {**queue, "commands": {**queue["commands"], "pause": ["true"]}}
    told = play(system_queues={"mail": goes_on})
    assert (told.code, told.outcome) == (2, "unresolved"), told.output
    assert "mail is not turned: the queue mail goes on" in told.output
    assert (stack.outbox.environment(), play.noted()) == ("first", [])


def test_a_second_that_does_not_help_is_left_again(stack, play):
    stack.break_first()
    # It passes every check, and takes no message.
    stack.second.says["DATA"] = "554 5.7.1 we do not like it"
    started = play.start(run_verify_timeout_seconds=8, notification_provider_failing=3)
    until(lambda: stack.outbox.environment() == "second", 300)
    stack.outbox.add(30)
    told = started.wait()
    assert (told.code, told.outcome) == (2, "unresolved"), told.output
    assert [(one["remedy"], one["state"], one["helped"]) for one in told.run["actions"]] == [
        ("fall_back", "rolled_back", False)
    ]
    assert (stack.outbox.environment(), play.noted()) == ("first", ["turned"])
    assert stack.sent() == {"first": set(), "second": set()}


@pytest.mark.covers("PD-3-2")
def test_a_run_that_was_cut_off_leaves_nothing_paused_for_long(stack, play):
    stack.break_first()
    stack.first.says.clear()
    stack.first.holds = True
    stack.outbox.add(3)
    until(lambda: stack.first.held == 1)
    stack.first.says.update(DOWN)
    started = play.start(run_lock_seconds=1)
    until(lambda: stack.outbox.said() == ["pause"], 300)
    started.process.kill()
    started.process.wait()
    stack.first.holds = False
    stack.first.says.clear()
    until(lambda: stack.outbox.counts().get("running", 0) == 0)
    stack.fails_no_more(lately_seconds=5)
    found = play("--check", notification_provider_lately_seconds=5)
    assert (found.outcome, found.causes()) == ("planned", ["queue_paused"]), found.output
    # The ledger holds back what comes after a run that was cut off, until a person has looked and says so.
    held = play(notification_provider_lately_seconds=5)
    assert (held.code, held.outcome) == (2, "blocked"), held.output
    (run_id,) = set(re.findall(r"state: release and run_id: (\w+)", held.output))
    assert play.start(playbook="release", run_release_run_id=run_id).wait().code == 0
    fixed = play(run_override="looked at", notification_provider_lately_seconds=5)
    assert (fixed.code, fixed.outcome, fixed.causes()) == (0, "resolved", ["queue_paused"]), fixed.output
    assert (stack.outbox.said(), play.noted()) == (["pause", "resume"], [])
    until(lambda: stack.outbox.counts() == {"failed": 12, "sent": 3})
    assert len(stack.sent()["first"]) == 3


# ---------------------------------------------------------------------- what looks the same and is something else
@pytest.mark.covers("PD-3-1")
def test_a_backlog_of_a_provider_that_is_well_is_handed_over(stack, play):
    stack.outbox.supervisord.rpc("stopProcess", "worker")
    stack.outbox.add(120, seconds_ago=900)
    unset = play.variables["system_notification_providers"]["mail"]
    told = play(run_until="plan", system_notification_providers={"mail": {**unset, "switch": {}}})
    assert told.runs[0]["hand_over"] == ["worker_queue"], told.output
    assert stack.outbox.said() == []


@pytest.mark.covers("PD-3-2")
def test_an_application_with_another_key(stack, play):
    stack.first.says["DATA"] = "535 5.7.8 Authentication credentials invalid"
    stack.outbox.add(12)
    until(lambda: stack.outbox.counts() == {"failed": 12})
    told = play()
    assert (told.code, told.outcome, told.causes()) == (0, "advised", ["application_refused"]), told.output
    assert stack.outbox.environment() == "first"


def test_both_are_down(stack, play):
    stack.break_first()
    stack.second.says.update(DOWN)
    told = play()
    assert (told.code, told.outcome, told.causes()) == (0, "advised", ["both_down"]), told.output
    assert (stack.outbox.environment(), stack.outbox.said()) == ("first", [])


def test_what_cannot_be_seen_is_no_healthy_night(stack, play):
    gone = {**stack.outbox.queue(), "database": {**stack.outbox.queue()["database"], "port": 1}}
    told = play(system_queues={"mail": gone})
    assert (told.code, told.outcome) == (2, "unknown"), told.output


def test_all_is_well(stack, play):
    stack.outbox.add(3)
    until(lambda: stack.outbox.counts() == {"sent": 3})
    told = play()
    assert (told.code, told.outcome) == (0, "healthy"), told.output
    assert "mail: first passed 5 of 5 checks" in told.run["summary"]
    assert stack.sent() == {"first": {"1", "2", "3"}, "second": set()}
