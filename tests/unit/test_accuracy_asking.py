# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a scene is asked about: what breaks off ends nothing else, what could not be made or did not last is no case, all is mended."""

from __future__ import annotations

import argparse
import contextlib

import pytest

from lab.layout import LabError
from lab.rights import right


@pytest.fixture(scope="module")
def accuracy():
    """The modules; the collection can be imported once pytest has configured itself."""
    from ansible_collections.oncall.runbooks.tests.support.accuracy import asking, scenes, stacks, verdicts

    return asking, scenes, stacks, verdicts


@pytest.fixture
def fake(accuracy, tmp_path):
    """A stack of which nothing is real but the order of things."""
    _asking, _scenes, stacks, _verdicts = accuracy

    class Fake(stacks.Stack):
        name = "fake"
        places = ()
        breaks_off, tells_why, lasting, plays, mended, measured = "", False, True, [], 0, {"cache": True}

        @staticmethod
        def scenes():
            return []

        def start(self): ...

        def stop(self): ...

        def mend(self):
            self.mended += 1

        def signals(self):
            return dict(self.measured)

        def lasts(self, scene):
            return self.lasting

        def inventories(self):
            return []

        def _play(self, runbooks, variables):
            self.plays = [*self.plays, list(runbooks)]
            heard = runbooks[: runbooks.index(self.breaks_off)] if self.breaks_off in runbooks else runbooks
            answers = {name: [self.said(name)] for name in heard}
            if self.tells_why and self.breaks_off in runbooks:
                answers[self.breaks_off] = [{"runbook": self.breaks_off, "outcome": "unknown", "summary": "set it"}]
            return answers

        @staticmethod
        def said(name):
            return {"runbook": name, "outcome": "healthy", "summary": "all  is\nwell", "findings": [], "plan": None}

    return Fake(tmp_path)


def scene(accuracy, breaks=contextlib.nullcontext, **rights):
    _asking, scenes, _stacks, verdicts = accuracy
    return scenes.Scene("fake", scenes.FAULT, "a fault", "it is broken", breaks, verdicts.Truth(rights))


def test_one_play_asks_all(fake):
    assert list(fake.ask(["cache", "latency"], {})) == ["cache", "latency"]
    assert fake.plays == [["cache", "latency"]]


@pytest.mark.parametrize("breaks_off", ["api_down", "cache", "latency"])
def test_what_breaks_off_is_no_answer_and_those_behind_are_asked_again(fake, breaks_off):
    fake.breaks_off = breaks_off
    answers = fake.ask(["api_down", "cache", "latency"], {})
    assert {name: bool(runs) for name, runs in answers.items()} == {
        name: name != breaks_off for name in ("api_down", "cache", "latency")
    }
    assert sum(breaks_off in play for play in fake.plays) == 1, "it has one chance"


def test_what_breaks_off_and_says_why_takes_no_answer_from_the_next(fake):
    fake.breaks_off, fake.tells_why = "api_down", True
    found = fake.ask(["cache", "api_down", "db_down", "db_pool"], {})
    assert fake.plays == [["cache", "api_down", "db_down", "db_pool"], ["db_down", "db_pool"]]
    assert (found["api_down"][0]["summary"], found["db_down"][0]["outcome"]) == ("set it", "healthy")


def test_answers_are_judged_with_what_was_measured(accuracy, fake):
    asking = accuracy[0]
    found = asking.cases(fake, scene(accuracy, db_pool=right("blocker")), ["cache", "db_pool", "latency"])
    assert [(case["runbook"], case["verdict"], case["kind"], case["signal"]) for case in found] == [
        ("cache", "false healthy", "wrong cause", True),
        ("db_pool", "false healthy", "fault", None),
        ("latency", "healthy", "wrong cause", None),
    ]
    assert [case["nameable"] for case in found] == [False, True, False]
    assert found[0]["summary"] == "all is well"
    assert fake.mended == 1


def test_a_signal_that_comes_or_goes_is_not_held_against_it(accuracy, fake):
    asking = accuracy[0]
    measured = iter([{"cache": True}, {"cache": False}])
    fake.signals = lambda: next(measured)
    (case,) = asking.cases(fake, scene(accuracy), ["cache"])
    assert (case["verdict"], case["signal"]) == ("healthy", False)


def test_what_cannot_be_made_is_no_case_and_is_mended(accuracy, fake):
    asking = accuracy[0]

    @contextlib.contextmanager
    def never(_stack):
        raise LabError("it takes root\nto mount")
        yield

    with pytest.raises(asking.NotMade, match=r"^it takes root to mount$"):
        asking.cases(fake, scene(accuracy, never), ["cache"])
    assert (fake.plays, fake.mended) == ([], 1)


def test_what_did_not_last_is_no_case(accuracy, fake):
    asking = accuracy[0]
    fake.lasting = False
    with pytest.raises(asking.Ended):
        asking.cases(fake, scene(accuracy), ["cache"])
    assert fake.mended == 1


def test_one_that_cannot_see_a_sound_stack_is_not_worth_asking(accuracy):
    asking = accuracy[0]
    said = [{"runbook": "cache", "outcome": "healthy"}, {"runbook": "latency", "outcome": "unknown"}]
    assert list(asking.worth_asking(said)) == [("cache", True), ("latency", False)]


def test_scenes_that_are_asked_about_again_replace_their_cases_and_no_others(accuracy, fake):
    from benchmarks.accuracy import measured

    _asking, scenes, _stacks, verdicts = accuracy
    names = ("nothing is wrong", "a fault", "another fault")
    made = [
        scenes.Scene("fake", scenes.FAULT, one, one, lambda _stack: contextlib.nullcontext(), verdicts.Truth({}))
        for one in names
    ]
    fake.scenes = lambda: made
    options = argparse.Namespace(scene=[], again=False, runbook=None, others=None)
    kept: list[dict] = []
    measured(fake, options, kept.append, None)
    first = kept[-1]
    assert not first["part"] and {case["scene"] for case in first["cases"]} == {*names} and "again" not in first
    assert [one["part"] for one in kept] == [True, True, False]

    fake.plays = []
    options.again, options.scene = True, ["a f*"]
    measured(fake, options, kept.append, first)
    last = kept[-1]
    assert len(fake.plays) == 1 and [one["scenes"] for one in last["again"]] == [["a fault"]]
    assert (len(last["cases"]), last["part"], kept[-2]["part"]) == (len(first["cases"]), False, True)
    assert {case["scene"] for case in last["cases"]} == {*names}
