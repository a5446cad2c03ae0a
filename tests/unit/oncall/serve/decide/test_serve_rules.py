# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which episode may begin now: every limit, one run below it and one run at it."""

from __future__ import annotations

from pathlib import Path

import pytest

from oncall.serve.decide.rules import (
    HOUR_SECONDS,
    MODES,
    Past,
    Started,
    Waiting,
    in_turn,
    may_act,
    mode_now,
    why_not,
    why_not_act,
)
from oncall.serve.settings import Route, Settings, parse

# 2026-01-01T12:00:00Z
NOW = 1_767_268_800.0
WEB = frozenset(f"w{number}" for number in range(10))
MEMBERS = {"all": WEB | {"db1", "db2"}, "web": WEB, "db": frozenset({"db1", "db2"}), "empty": frozenset()}


def settings(limits: str = "{}", maintenance: str = "[]") -> Settings:
    text = "inventories: [a]\nstate_directory: b\nrunbooks: {cache: {mode: auto}, db_pool: {mode: auto}}\n"
    return parse(f"{text}limits: {limits}\nmaintenance: {maintenance}\n", Path("/serve.yml"))


def ask(host: str = "w0", runbook: str = "cache", stage: str = "act") -> Waiting:
    return Waiting("e", runbook, host, stage, "auto")


def running(host: str, runbook: str = "cache", acts: bool = True, ago: float = 10) -> Started:
    return Started(runbook, host, acts, NOW - ago, running=True)


def ended(host: str, ago: float = 10) -> Started:
    return Started("cache", host, True, NOW - ago, running=False)


def answer(one: Waiting, *started: Started, limits: str = "{}", maintenance: str = "[]", now: float = NOW) -> str:
    return why(one, Past(started), settings(limits, maintenance), MEMBERS, now)


def why(one: Waiting, past: Past, limits: Settings, members: dict[str, frozenset[str]], now: float) -> str:
    """Why it may not begin: no run of it, or none that acts."""
    return why_not(one, past, limits, members, now) or (
        why_not_act(one, past, limits, members, now) if one.acts else ""
    )


FREE = "{groups: {}}"


@pytest.mark.parametrize(
    ("one", "started", "says"),
    [
        (ask(), (), ""),
        # The same runbook on the same host: never, not even to look.
        (ask(), (running("w0"),), "cache runs on w0"),
        (ask(), (running("w0", acts=False),), "cache runs on w0"),
        (ask(stage="check"), (running("w0", acts=False),), "cache runs on w0"),
        (ask(stage="check"), (running("w0"),), "cache runs on w0"),
        (ask(), (ended("w0"),), ""),
        # Another runbook on the same host: only where but one of them acts.
        (ask(), (running("w0", "db_pool"),), "db_pool acts on w0"),
        (ask(), (running("w0", "db_pool", acts=False),), ""),
        (ask(stage="check"), (running("w0", "db_pool"),), ""),
        # Another host
        (ask(), (running("w1"),), ""),
    ],
)
def test_one_at_a_time_on_a_host(one, started, says):
    assert answer(one, *started, limits=FREE) == says


@pytest.mark.parametrize("stage", ["check", "act"])
@pytest.mark.parametrize(("others", "says"), [(2, ""), (3, "3 runs at once (limits.running)"), (4, "4 runs at once")])
def test_how_many_run_at_once(stage, others, says):
    started = [running(f"w{number + 1}", acts=bool(number % 2)) for number in range(others)]
    told = answer(ask(stage=stage), *started, limits="{running: 3, groups: {}}")
    assert told.startswith(says) and bool(told) == bool(says)


@pytest.mark.parametrize(
    ("ago", "stage", "says"),
    [
        ((1, 2), "act", "2 remedies within an hour (limits.remedies_per_hour)"),
        ((1, HOUR_SECONDS - 0.001), "act", "2 remedies within an hour"),
        ((1, HOUR_SECONDS), "act", ""),
        ((1,), "act", ""),
        # Whoever only looks changes nothing.
        ((1, 2, 3), "check", ""),
    ],
)
def test_how_many_remedies_an_hour(ago, stage, says):
    started = [ended(f"w{number + 1}", seconds) for number, seconds in enumerate(ago)]
    told = answer(ask(stage=stage), *started, limits="{remedies_per_hour: 2, groups: {}}")
    assert told.startswith(says) and bool(told) == bool(says)


def test_only_what_may_act_counts_as_a_remedy():
    looked = Started("cache", "w1", False, NOW - 1, running=False)
    assert answer(ask(), looked, looked, limits="{remedies_per_hour: 1, groups: {}}") == ""


@pytest.mark.parametrize(
    ("one", "started", "says"),
    [
        (ask("w0"), (ended("w1"),), ""),
        (ask("w0"), (ended("w1"), ended("w2")), "2 hosts of web within an hour (limits.groups.web.hosts_per_hour)"),
        # The same host again is no further host.
        (ask("w0"), (ended("w1"), ended("w0")), ""),
        (ask("w0"), (ended("w1"), ended("w1")), ""),
        (ask("w0"), (ended("w1"), ended("w2", HOUR_SECONDS)), ""),
        (ask("w0"), (ended("w1"), running("w2")), "2 hosts of web within an hour"),
        # Another group
        (ask("w0"), (ended("db1"), ended("db2")), ""),
        (ask("db1"), (ended("w1"), ended("w2")), ""),
        (ask("w0", stage="check"), (ended("w1"), ended("w2")), ""),
    ],
)
def test_how_many_hosts_of_a_group_an_hour(one, started, says):
    told = answer(one, *started, limits="{groups: {web: {hosts_per_hour: 2, share_at_once: 1}}}")
    assert told.startswith(says) and bool(told) == bool(says)


@pytest.mark.parametrize(
    ("group", "share", "others", "says"),
    [
        ("web", 0.3, 2, ""),
        ("web", 0.3, 3, "3 of 10 hosts of web at once (limits.groups.web.share_at_once)"),
        # Never more than the share, not even by a part of a host.
        ("web", 0.39, 3, "3 of 10 hosts"),
        ("web", 1, 9, ""),
        # Always one, however small the group or the share.
        ("web", 0.01, 0, ""),
        ("web", 0.01, 1, "1 of 10 hosts"),
        ("db", 0.5, 0, ""),
        ("db", 0.5, 1, "1 of 2 hosts of db at once"),
        ("db", 0.99, 1, "1 of 2 hosts of db at once"),
        ("db", 1, 1, ""),
        # A group that is not there, or has nobody in it, holds nobody up.
        ("empty", 0.01, 1, ""),
        ("none", 0.01, 1, ""),
    ],
)
def test_what_share_of_a_group_at_once(group, share, others, says):
    names = sorted(MEMBERS.get(group) or WEB)
    started = [running(name) for name in names[1 : others + 1]]
    limits = f"{{running: 100, groups: {{{group}: {{hosts_per_hour: 100, share_at_once: {share}}}}}}}"
    told = answer(ask(names[0]), *started, limits=limits)
    assert told.startswith(says) and bool(told) == bool(says)


def test_the_share_is_not_spoilt_by_binary_fractions():
    hosts = frozenset(map(str, range(100)))
    limits = settings(
        "{running: 200, remedies_per_hour: 1000, groups: {all: {hosts_per_hour: 1000, share_at_once: 0.29}}}"
    )
    for others, says in ((28, ""), (29, "29 of 100 hosts of all at once (limits.groups.all.share_at_once)")):
        past = Past(tuple(running(str(number + 1)) for number in range(others)))
        assert why(ask("0"), past, limits, {"all": hosts}, NOW) == says


def test_one_that_ended_or_only_looks_is_not_at_once():
    limits = "{groups: {db: {hosts_per_hour: 9, share_at_once: 0.5}}}"
    assert answer(ask("db1"), ended("db2"), limits=limits) == ""
    assert answer(ask("db1"), running("db2", acts=False), limits=limits) == ""


def test_every_group_of_a_host_has_its_say():
    limits = "{groups: {all: {share_at_once: 1}, web: {share_at_once: 0.1}}}"
    assert "hosts of web at once" in answer(ask("w0"), running("w1"), limits=limits)
    limits = "{groups: {web: {share_at_once: 1}, all: {share_at_once: 0.01}}}"
    assert "of 12 hosts of all at once" in answer(ask("w0"), running("db1"), limits=limits)


def test_what_begins_now_counts_for_the_next_one():
    limits = settings("{groups: {db: {share_at_once: 0.5}}}")
    past = Past()
    assert why(ask("db1"), past, limits, MEMBERS, NOW) == ""
    past = past.and_now(ask("db1"), NOW)
    assert "1 of 2 hosts of db" in why(ask("db2"), past, limits, MEMBERS, NOW)
    assert why(ask("db1"), past, limits, MEMBERS, NOW) == "cache runs on db1"


WINDOW = "{reason: the move, begins_at: 2026-01-01T12:00:00Z, ends_at: 2026-01-01T14:00:00+01:00"


@pytest.mark.parametrize(
    ("more", "one", "at", "waits"),
    [
        ("", ask(), 0, True),
        ("", ask(stage="check"), 0, True),
        # From its beginning until right before its end.
        ("", ask(), -0.001, False),
        ("", ask(), 3599.9, True),
        ("", ask(), 3600, False),
        (", hosts: [w0]", ask("w0"), 0, True),
        (", hosts: [w0]", ask("w1"), 0, False),
        (", hosts: [web]", ask("w1"), 0, True),
        (", hosts: [web]", ask("db1"), 0, False),
        (", hosts: [all]", ask("db1"), 0, True),
        (", hosts: [none]", ask("db1"), 0, False),
        (", runbooks: [cache]", ask(), 0, True),
        (", runbooks: [cache]", ask(runbook="db_pool"), 0, False),
        (", hosts: [w0], runbooks: [cache]", ask("w1"), 0, False),
        (", hosts: [w0], runbooks: [cache]", ask("w0", "db_pool"), 0, False),
        (", hosts: [db1, web], runbooks: [db_pool, cache]", ask("w3"), 0, True),
    ],
)
def test_a_window_in_which_nothing_is_run(more, one, at, waits):
    told = answer(one, maintenance=f"[{WINDOW}{more}}}]", now=NOW + at)
    assert told == ("maintenance until 2026-01-01T14:00+01:00: the move" if waits else "")


def test_a_second_window_counts_as_well():
    past = "{reason: over, begins_at: 2025-01-01T00:00:00Z, ends_at: 2025-01-02T00:00:00Z}"
    assert "the move" in answer(ask(), maintenance=f"[{past}, {WINDOW}}}]")


@pytest.mark.parametrize("came", MODES)
@pytest.mark.parametrize("now", MODES)
def test_a_mode_is_never_more_than_it_was_or_than_it_is(came, now):
    one = Waiting("e", "cache", "h", "act", came)
    assert mode_now(one, Route(mode=now), 0) == min(came, now, key=MODES.index)


@pytest.mark.parametrize(
    ("came", "now", "not_helped", "mode"),
    [
        ("auto", "auto", 1, "auto"),
        ("auto", "auto", 2, "approve"),
        ("auto", "auto", 3, "approve"),
        ("auto", "suggest", 2, "suggest"),
        ("approve", "auto", 2, "approve"),
        ("suggest", "auto", 2, "suggest"),
    ],
)
def test_what_did_not_help_asks_a_person(came, now, not_helped, mode):
    assert mode_now(Waiting("e", "cache", "h", "act", came), Route(mode=now, max_not_helped=2), not_helped) == mode


@pytest.mark.parametrize(
    ("agreed", "not_helped", "maintenance", "may"),
    [
        (False, {}, "[]", {"cache", "db_pool"}),
        (True, {}, "[]", {"cache", "db_pool", "crash_loop"}),
        (False, {"db_pool": 2}, "[]", {"cache"}),
        (True, {"db_pool": 2}, "[]", {"cache", "db_pool", "crash_loop"}),
        (False, {"db_pool": 1}, "[]", {"cache", "db_pool"}),
        (True, {}, f"[{WINDOW}, runbooks: [db_pool]}}]", {"cache", "crash_loop"}),
        (True, {}, f"[{WINDOW}, runbooks: [db_pool], hosts: [w1]}}]", {"cache", "db_pool", "crash_loop"}),
        (True, {}, f"[{WINDOW}}}]", set()),
    ],
)
def test_a_runbook_that_is_handed_over_to_keeps_its_own_mode(agreed, not_helped, maintenance, may):
    modes = "{cache: {mode: auto}, db_pool: {mode: auto}, crash_loop: {mode: approve}, disk_full: {}, api_down: {mode: off}}"
    text = f"inventories: [a]\nstate_directory: b\nrunbooks: {modes}\nmaintenance: {maintenance}\n"
    told = may_act(
        "w0", agreed, parse(text, Path("/serve.yml")), MEMBERS, NOW, lambda name, _most: not_helped.get(name, 0)
    )
    assert set(told) == may


@pytest.mark.parametrize(
    ("waiting", "began", "order"),
    [
        ("", {}, ""),
        ("a1 a2 b1", {}, "a1 b1 a2"),
        # What was begun longest ago is first.
        ("a1 a2 b1", {"a": 5}, "b1 a1 a2"),
        ("a1 b1", {"a": 5, "b": 6}, "a1 b1"),
        ("a1 b1", {"a": 6, "b": 5}, "b1 a1"),
        ("a1 a2 a3 b1 c1 c2", {"a": 5, "b": 6}, "c1 a1 b1 c2 a2 a3"),
        # On a host, each runbook in turn: capitals are another runbook.
        ("a1 a2 A3 b1", {}, "a1 b1 A3 a2"),
        ("a1 a2 A3 b1", {"a": 5}, "b1 A3 a1 a2"),
        ("a1 A2 b1", {"A": 5, "b": 6}, "a1 b1 A2"),
    ],
)
def test_each_host_and_each_runbook_has_its_turn(waiting, began, order):
    def called(name: str) -> tuple[str, str]:
        return name[0].lower(), "db_pool" if name[0].isupper() else "cache"

    some = [Waiting(name, called(name)[1], called(name)[0], "act", "auto") for name in waiting.split()]
    told = in_turn(some, {called(name): at for name, at in began.items()})
    assert " ".join(one.episode for one in told) == order


def test_a_runbook_that_the_settings_do_not_name_any_more_is_off():
    assert mode_now(ask(), None, 0) == "off"
