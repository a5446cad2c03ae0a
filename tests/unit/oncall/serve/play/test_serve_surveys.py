# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A question of a survey and a value -> what is wrong; and AWX refuses the same."""

from __future__ import annotations

import pytest

from ansible_collections.oncall.runbooks.tests.support.fake_awx.surveys import answer_error
from oncall.serve.play.surveys import misfits

NOT_GIVEN = object()
CHOICES = "low\n\nhigh"
CASES = [
    ("text", {}, "p0", ""),
    ("text", {}, "", ""),
    ("text", {}, ["p0"], "has to be text, and is a list"),
    ("text", {}, 7, "has to be text, and is a number"),
    ("text", {}, None, "has to be text, and is nothing"),
    ("text", {}, {}, "has to be text, and is a mapping"),
    ("text", {"min": 1}, "", "has to have at least 1 characters, and has 0"),
    ("text", {"max": 3}, "abcd", "may have 3 characters at most, and has 4"),
    ("text", {"min": 1, "max": 3}, "abc", ""),
    ("text", {"min": "", "max": None}, "abc", ""),
    ("textarea", {}, "a\nb", ""),
    ("textarea", {}, True, "has to be text, and is true or false"),
    ("password", {}, "x", ""),
    ("password", {"min": 3}, "x", "has to have at least 3 characters, and has 1"),
    ("integer", {}, 7, ""),
    ("integer", {}, "7", "has to be an integer, and is text"),
    ("integer", {}, 7.0, "has to be an integer, and is a number"),
    ("integer", {}, True, "has to be an integer, and is true or false"),
    ("integer", {"min": 5}, 4, "has to be at least 5"),
    ("integer", {"max": 5}, 6, "may be 5 at most"),
    ("integer", {"min": 5, "max": 5}, 5, ""),
    ("float", {}, 7, ""),
    ("float", {}, 0.5, ""),
    ("float", {}, False, "has to be a number, and is true or false"),
    ("float", {}, "0.5", "has to be a number, and is text"),
    ("float", {"min": 1}, 0.5, "has to be at least 1"),
    ("multiplechoice", {"choices": CHOICES}, "low", ""),
    ("multiplechoice", {"choices": ["low", "high"]}, "high", ""),
    ("multiplechoice", {"choices": CHOICES}, "none", "has to be one of low, high"),
    ("multiplechoice", {"choices": CHOICES}, "", "has to be one of low, high"),
    ("multiselect", {"choices": CHOICES}, ["low", "high"], ""),
    ("multiselect", {"choices": CHOICES}, ["low", "none"], "has to be one of low, high"),
    ("multiselect", {"choices": CHOICES}, "low", "has to be a list, and is text"),
    ("text", {"required": True}, NOT_GIVEN, "is required, and is not given"),
    ("text", {"required": False}, NOT_GIVEN, ""),
]


@pytest.mark.parametrize(("kind", "more", "value", "why"), CASES)
def test_a_variable_and_a_question(kind, more, value, why):
    question = {"question_name": "?", "variable": "v", "type": kind, "required": False, **more}
    given = {"not_asked": ["about"], **({} if value is NOT_GIVEN else {"v": value})}
    assert misfits({"spec": [question]}, given) == ({"v": why} if why else {})
    assert bool(answer_error(question, given)) == bool(why)


@pytest.mark.parametrize("survey", [{}, {"name": "", "description": "", "spec": []}, {"spec": None}, {"spec": ["odd"]}])
def test_no_survey_refuses_nothing(survey):
    assert misfits(survey, {"v": 1}) == {}
