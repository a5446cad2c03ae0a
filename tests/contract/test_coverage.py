"""Every item of the source documents is claimed by its runbook and exercised by a test, and nothing claims what is not there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from collection import ROOT

from docs.generate import coverage
from docs.generate.marks import Exercise, exercises
from docs.generate.source import SourceError


@pytest.fixture(scope="module")
def found():
    began = time.process_time()
    read = coverage.read()
    # It is read before every commit.
    assert time.process_time() - began < 5
    return read


def test_nothing_is_missing(found):
    assert found.holes() == []


def test_pytest_collects_the_marks_that_were_read(found, tmp_path):
    """Each folder by itself: two of them have files of the same name."""
    paths = sorted({one.path for one in found.exercises if one.test})
    collected = set()
    for folder, same in groupby(paths, lambda path: path.split("/")[1]):
        told = tmp_path / f"{folder}.json"
        argv = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "--collect-only",
            "-n0",
            "-p",
            "no:cacheprovider",
            "-p",
            "collected_marks",
        ]
        environment = {**os.environ, "COLLECTED_MARKS": str(told)}
        ran = subprocess.run([*argv, *same], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
        assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]
        collected |= {tuple(one) for one in json.loads(told.read_text())}
    assert collected == {(one.path, one.test, one.item) for one in found.exercises if one.test}


def test_the_command_prints_each_item_with_its_tests(found):
    ran = subprocess.run(
        [sys.executable, "-m", "docs.generate.coverage"], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    for item in found.items:
        assert f"{item['id']:7} {item['runbook']}" in ran.stdout
        # Rows beside tests that count are not among them.
        assert all(one.name in ran.stdout for one in found.of(item))


# ---------------------------------------------------------------------- what a hole is
ITEMS = [
    {"id": "LP-1-1", "runbook": "pool", "kind": "signal", "text": "It fires"},
    {"id": "LP-1-2", "runbook": "pool", "kind": "remediate", "text": "It is raised"},
    {"id": "SY-1-1", "runbook": "later", "kind": "diagnose", "text": "Look"},
]
TABLE, REAL = "tests/unit/tables/test_pool_table.py", "tests/integration/test_pool.py"


def seen(**changes: Any) -> coverage.Coverage:
    whole = {
        "items": ITEMS,
        "claims": {"pool": ["LP-1-1", "LP-1-2"]},
        "exercises": [Exercise("LP-1-1", TABLE, "test_concluded", "full"), Exercise("LP-1-2", REAL, "test_raised")],
        "there": {"pool", "run"},
    }
    return coverage.Coverage(**{**whole, **changes})


def test_an_item_whose_runbook_is_not_there_is_open():
    assert seen().holes() == []
    assert coverage.counted(seen()) == "3 items: 2 exercised, 0 without a test, 1 open."
    assert "| open: there is no such runbook yet |" in coverage.page(seen())


@pytest.mark.parametrize(
    ("changes", "hole"),
    [
        ({"exercises": seen().exercises[:1]}, "LP-1-2 (remediate of pool): no test exercises it: It is raised"),
        (
            {"exercises": [seen().exercises[0], Exercise("LP-1-2", TABLE, "test_concluded", "small")]},
            f"LP-1-2 (remediate of pool): only {TABLE}::test_concluded[small] does, which shows nothing done",
        ),
        (
            {"claims": {"pool": ["LP-1-1"]}},
            "LP-1-2 (remediate of pool): roles/pool/meta does not claim it in covers",
        ),
        (
            {"claims": {"pool": ["LP-1-1", "LP-1-2", "LP-9-9"]}},
            "roles/pool/meta covers LP-9-9, which is no item of tests/coverage.yml",
        ),
        (
            {"claims": {"pool": ["LP-1-1", "LP-1-2", "SY-1-1"]}},
            "roles/pool/meta covers SY-1-1, which is an item of later",
        ),
        ({"claims": {"pool": ["LP-1-1", "LP-1-2", "LP-1-1"]}}, "roles/pool/meta covers LP-1-1 twice"),
        (
            {"exercises": [*seen().exercises, Exercise("LP-9-9", REAL, "test_raised")]},
            f"{REAL}::test_raised covers LP-9-9, which is no item of tests/coverage.yml",
        ),
        (
            {"exercises": [*seen().exercises, Exercise("SY-1-1", REAL, "test_looked")]},
            f"{REAL}::test_looked covers SY-1-1, and there is no later",
        ),
        ({"there": {"pool", "later"}}, "SY-1-1 (diagnose of later): no test exercises it: Look"),
        ({"items": [*ITEMS, ITEMS[0]]}, "tests/coverage.yml has LP-1-1 more than once"),
    ],
)
def test_a_hole_is_one_line(changes, hole):
    assert seen(**changes).holes() == [hole]


# ---------------------------------------------------------------------- where a test says it
ROWS = """
from tables import Case, table
test_concluded = table("pool", {}, {"full": Case({}, covers=("LP-1-1",)), "empty": Case({})})
"""
MARKS = """
import pytest
from rows import BREAKAGES
ONE = pytest.param("one", marks=pytest.mark.covers("LP-1-1"))

@pytest.mark.covers("LP-1-1", "LP-1-2")
@pytest.mark.parametrize("n", [1, 2])
def test_all(n): pass

@pytest.mark.parametrize("n", [ONE, pytest.param("two", id="second", marks=[pytest.mark.covers("LP-1-2")])])
def test_some(n): pass

@pytest.mark.parametrize("case", [row(case) for case in BREAKAGES])
def test_broken(case): pass
"""
BREAKAGES = 'BREAKAGES = [Case("the pool is full", covers=("LP-1-2",))]\n'


def test_marks_of_tests_rows_and_scenarios_are_read(tmp_path):
    written(tmp_path, **{"unit/test_a.py": ROWS, "foreign/test_b.py": MARKS, "foreign/rows.py": BREAKAGES})
    (tmp_path / "molecule" / "pool").mkdir(parents=True)
    (tmp_path / "molecule" / "pool" / "expected.yml").write_text("covers: [LP-1-2]\n")
    assert {(one.item, one.name) for one in exercises(tmp_path)} == {
        ("LP-1-1", "tests/unit/test_a.py::test_concluded[full]"),
        ("LP-1-1", "tests/foreign/test_b.py::test_all"),
        ("LP-1-2", "tests/foreign/test_b.py::test_all"),
        ("LP-1-1", "tests/foreign/test_b.py::test_some[one]"),
        ("LP-1-2", "tests/foreign/test_b.py::test_some[second]"),
        ("LP-1-2", "tests/foreign/test_b.py::test_broken[the pool is full]"),
        ("LP-1-2", "molecule/pool/expected.yml"),
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '@pytest.mark.covers("LP-1-1")\ndef helps(): pass\n',
            "test_a.py:1: this covers belongs to no test that pytest finds",
        ),
        (
            'pytestmark = pytest.mark.covers("LP-1-1")\n',
            "test_a.py:1: this covers belongs to no test that pytest finds",
        ),
        (
            'CASES = {"full": Case({}, covers=("LP-1-1",))}\n',
            "test_a.py:1: this covers belongs to no test that pytest finds",
        ),
        (
            "@pytest.mark.covers(*IDS)\ndef test_it(): pass\n",
            'test_a.py:1: covers takes the ids themselves, such as "LP-3-4"',
        ),
        (
            'test_a = table({"full": Case({}, covers="LP-1-1")})\n',
            'test_a.py:1: covers takes the ids themselves, such as "LP-3-4"',
        ),
        (
            "@pytest.mark.covers()\ndef test_it(): pass\n",
            'test_a.py:1: covers takes the ids themselves, such as "LP-3-4"',
        ),
    ],
)
def test_what_would_say_nothing_is_refused(tmp_path, text, said):
    written(tmp_path, **{"unit/test_a.py": text})
    with pytest.raises(SourceError, match=r"^tests/unit/") as caught:
        exercises(tmp_path)
    assert said in str(caught.value)


def written(folder: Path, **texts: str) -> None:
    for name, text in texts.items():
        (folder / "tests" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "tests" / name).write_text(text)
