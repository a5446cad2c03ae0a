"""What many looks ask, in one pass: each question once, where its look would have asked it."""

from __future__ import annotations

from typing import Any

from ansible_collections.oncall.runbooks.plugins.module_utils import observe, observe_each
from ansible_collections.oncall.runbooks.plugins.plugin_utils.triaging.looks import Asked
from ansible_collections.oncall.runbooks.plugins.plugin_utils.triaging.questions import answered

URL = "http://127.0.0.1:9/metrics"
METRICS = {"metrics": {"endpoints": {"api": URL}, "metrics": {"a": "a"}}}
SERVICES = {"service": {"services": {"api": {"manager": "systemd", "name": "api.service"}}}}


class Place:
    """Notes what is asked there, and answers with its own name."""

    def __init__(self, name: str) -> None:
        self.name, self.asked = name, []

    def __call__(self, questions: list[dict[str, Any]]) -> list[dict[str, Any]]:
        self.asked += questions
        return [
            {"name": next(iter(one)), "answer": {"available": True, "from": self.name}, "seconds": 0.1}
            for one in questions
        ]


def asked(**questions: dict[str, Any]) -> dict[str, Asked]:
    return {name: Asked(dict(one)) for name, one in questions.items()}


def test_the_same_question_is_asked_once_and_answered_to_each():
    there = Place("host")
    told = answered(asked(a=METRICS, b={**METRICS, **SERVICES}, c=SERVICES), False, Place("here"), there)
    assert [sorted(one) for one in there.asked] == [["metrics"], ["service"]]
    assert told["a"]["metrics"] == told["b"]["metrics"] == {"available": True, "from": "host"}
    assert set(told["b"]) == {"metrics", "service"}


def test_a_look_that_needs_the_host_is_taken_there_as_a_whole():
    here, there = Place("here"), Place("host")
    told = answered(asked(a=METRICS, b={**METRICS, **SERVICES}), True, here, there)
    assert (told["a"]["metrics"]["from"], told["b"]["metrics"]["from"]) == ("here", "host")
    assert (len(here.asked), len(there.asked)) == (1, 2)


def test_a_question_that_makes_no_sense_stops_no_other():
    there = Place("host")
    told = answered(asked(a={"metrics": {"window_seconds": "long"}}, b=SERVICES), False, Place("here"), there)
    assert told["a"]["metrics"]["available"] is False
    assert told["a"]["metrics"]["reason"].startswith("metrics cannot be asked: ")
    assert told["b"]["service"]["available"] is True


def test_where_nothing_can_be_asked_nothing_is_run():
    there = Place("host")
    assert answered(asked(a={}), False, Place("here"), there) == {"a": {}}
    assert there.asked == []


def test_observe_each_answers_in_the_order_of_its_questions():
    told = observe.observe_each(
        {
            "questions": [
                {
                    "metrics": {
                        "endpoints": {"api": URL},
                        "metrics": {"a": "a"},
                        "window_seconds": 0,
                        "timeout_seconds": 1.0,
                    }
                },
                {"metrics": {"endpoints": {}, "metrics": {}, "timeout_seconds": 1.0}},
            ]
        }
    )["answers"]
    assert [one["name"] for one in told] == ["metrics", "metrics"]
    assert "refused" in told[0]["answer"]["reason"]
    # One that makes no sense is an answer of its own.
    assert told[1]["answer"] == {
        "available": False,
        "reason": "metrics cannot be asked: endpoints: name at least one, or a Prometheus server",
    }
    assert all(one["seconds"] >= 0 for one in told)


def test_observe_each_takes_what_observe_takes():
    assert observe_each.SPEC["questions"]["options"] is observe.SPEC
