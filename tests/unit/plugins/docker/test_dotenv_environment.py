# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One variable set in a dotenv file, and everything else as it was."""

from __future__ import annotations

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.docker.dotenv_environment import assignments, changed
from ansible_collections.oncall.runbooks.plugins.module_utils.text.variable import CannotChange
from ansible_collections.oncall.runbooks.tests.support.modules import run_module

URL = "postgres://app:p%40ss@db/app"


@pytest.mark.parametrize(
    ("text", "name", "value", "after"),
    [
        ("A=1\n", "A", "2", "A=2\n"),
        ("A=1 # why\nB=x\n", "A", "2", "A=2 # why\nB=x\n"),
        ("A=1\nB=x", "C", "2", "A=1\nB=x\nC=2\n"),
        ("A=1\r\n", "C", "2", "A=1\r\nC=2\r\n"),
        ("", "C", "2", "C=2\n"),
        ("  export A = 'one' # x\n", "A", "2", "  export A = 2 # x\n"),
        ("A: 1\n", "A", "2", "A: 2\n"),
        ("A=1\nA=3\n", "A", "2", "A=1\nA=2\n"),
        ("A\nB=1\n", "A", "2", "A=2\nB=1\n"),
        ('A="one\nB=no"\nB=1\n', "B", "2", 'A="one\nB=no"\nB=2\n'),
        ('A="say \\"B\\""\nB=1\n', "B", "2", 'A="say \\"B\\""\nB=2\n'),
        ("A=1\n", "A", "two words # and $HOME", "A='two words # and $HOME'\n"),
        ("A='two words'\n", "A", "two words", "A='two words'\n"),
        ('A="2"\n', "A", "2", 'A="2"\n'),
        ("A=$B\n", "A", "$B", "A='$B'\n"),
        ("A=1\n#A=5\n", "A", "", "A=\n#A=5\n"),
        ("A=1\nB=2 # x\nA=3\n", "A", None, "B=2 # x\n"),
        ("A=1\n", "B", None, "A=1\n"),
        ("A=x#y\n", "B", "1", "A=x#y\nB=1\n"),
    ],
)
def test_set(text, name, value, after):
    assert changed(text, name, value)["text"] == after


@pytest.mark.parametrize(
    ("text", "value", "after", "was_set"),
    [
        (f"U={URL}?pool=5&x=1\n", "35", f"U={URL}?pool=35&x=1\n", True),
        (f'U="{URL}" # db\n', "35", f'U="{URL}?pool=35" # db\n', False),
        (f"U='{URL}?pool=5'\n", None, f"U='{URL}'\n", True),
        ("A=1\n", None, "A=1\n", False),
    ],
)
def test_a_parameter_of_a_url(text, value, after, was_set):
    outcome = changed(text, "U", value, "pool")
    assert (outcome["text"], outcome["was_set"]) == (after, was_set)


@pytest.mark.parametrize(
    ("text", "name", "value", "parameter", "message"),
    [
        ("A='open\n", "B", "1", None, "the value of A opens a quote that is not closed"),
        ("A=1\n", "A", "it's $5", None, "holds a single quote or a backslash"),
        ("A=1\n", "A", "one\ntwo", None, "a line break or another control character"),
        ("A=1\n", "A B", "1", None, "name must be letters"),
        ("A=1\n", "A", "1", "pool", "is not a URL"),
        ("A=1\n", "U", "1", "pool", "U is not set"),
    ],
)
def test_what_cannot_be_written_so_that_all_read_the_same(text, name, value, parameter, message):
    with pytest.raises(CannotChange, match=message):
        changed(text, name, value, parameter)


def test_names():
    text = "# no\nA=1\nexport B='x'\n\nC\nnot a line\n"
    assert [(each["name"], each["raw"]) for each in assignments(text)] == [("A", "1"), ("B", "'x'"), ("C", "")]


def test_the_module_shows_no_value(tmp_path):
    path = tmp_path / "api.env"
    path.write_text("A=s3cret1\n")
    path.chmod(0o640)
    params = {"path": str(path), "format": "dotenv", "name": "A", "value": "s3cret2"}
    code, result = run_module("service_environment", tmp_path, check=True, diff=True, **params)
    assert (code, result["changed"], path.read_text()) == (0, True, "A=s3cret1\n")
    code, result = run_module("service_environment", tmp_path, diff=True, **params)
    assert (code, result["changed"], result["was_set"]) == (0, True, True)
    assert path.read_text() == "A=s3cret2\n"
    assert path.stat().st_mode & 0o777 == 0o640
    assert "s3cret" not in str({key: value for key, value in result.items() if key != "invocation"})
    code, result = run_module("service_environment", tmp_path, **params)
    assert (code, result["changed"]) == (0, False)
