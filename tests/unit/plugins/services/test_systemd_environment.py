# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One variable set in an EnvironmentFile, so that systemd sees it."""

from __future__ import annotations

import ctypes
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.oncall.runbooks.plugins.module_utils.services.systemd_environment import (
    assignments,
    changed,
    why_not_seen,
)
from ansible_collections.oncall.runbooks.plugins.module_utils.text.variable import CannotChange
from ansible_collections.oncall.runbooks.tests.support.modules import run_module
from lab.compose.engine import required

LIBRARIES = sorted(Path("/usr/lib").glob("*/systemd/libsystemd-shared-*.so"))


@pytest.mark.parametrize(
    ("text", "value", "after"),
    [
        ("X=1\n", "2", "X=2\n"),
        ("", "2", "X=2\n"),
        ("A=1", "2", "A=1\nX=2\n"),
        # A comment goes on in the next line, in an older systemd.
        ("# see C:\\docs\\\nX=10\n", "35", "# see C:\\docs\\\n\nX=35\n"),
        ("# see C:\\docs\\\nX=10\nA=1\n", "35", "# see C:\\docs\\\nX=10\nA=1\nX=35\n"),
        ("# see C:\\docs\\\nA=1\n", "35", "# see C:\\docs\\\nA=1\nX=35\n"),
        ("# ends so\\", "35", "# ends so\\\n\nX=35\n"),
        # systemd knows no export: the line stays, and has no effect.
        ("export X=1\n", "2", "export X=1\nX=2\n"),
        # What is behind a value belongs to it.
        ("X=10 # note\n", "35", "X=35\n"),
        ("; X=1\n", "2", "; X=1\nX=2\n"),
        ("  X = 1 \n", "2", "  X =2\n"),
        ('X="a" b\nA=1\n', "2", "X=2\nA=1\n"),
        ("X=a\\\nb\nA=1\n", "2", "X=2\nA=1\n"),
        ("X=1\nX=3\n", "2", "X=1\nX=2\n"),
        ("X=1\n", "two words # and $HOME", 'X="two words # and \\$HOME"\n'),
        ("X=1\n", 'it\'s "x" \\', 'X="it\'s \\"x\\" \\\\"\n'),
        ("A=1\nX=2\nX=3\n", None, "A=1\n"),
        ("X='2'\n", "2", "X='2'\n"),
        ("A=1\r\n", "2", "A=1\r\nX=2\r\n"),
    ],
)
def test_set(text, value, after):
    assert changed(text, "X", value)["text"] == after


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A='open\n", "opens a quote"),
        ('A="open', "opens a quote"),
    ],
)
def test_what_cannot_be_written(text, message):
    with pytest.raises(CannotChange, match=message):
        changed(text, "X", "1")


@pytest.mark.skipif(not LIBRARIES and not required(), reason="systemd is not installed")
@given(text=st.text(alphabet="AX=ab \t\n'\"\\#;$`", max_size=30))
def test_a_file_reads_as_the_real_systemd_reads_it(text, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "environment"
    path.write_text(text)
    version = int("".join(sign for sign in LIBRARIES[-1].name.split("-")[-1].split(".")[0] if sign.isdigit()))
    own = {one["name"]: one["value"] for one in assignments(text, version < 254) if one["is_used"]}
    read = {name: value for name, value in _of_systemd(path).items() if re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name)}
    assert own == read


@given(text=st.text(alphabet="AX=ab \t\n'\"\\#;$`", max_size=30), value=st.text(alphabet="1a '\"\\#;$`", max_size=8))
def test_what_is_written_reads_back_in_every_version_and_nothing_else_changes(text, value):
    try:
        after = changed(text, "X", value)["text"]
    except CannotChange:
        return
    for older in (False, True):
        was, now = ({one["name"]: one["value"] for one in assignments(each, older)} for each in (text, after))
        assert now.pop("X") == value
        was.pop("X", None)
        assert {name: was[name] for name in was if name} == now


def _of_systemd(path):
    load = ctypes.CDLL(str(LIBRARIES[-1])).load_env_file
    load.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.POINTER(ctypes.POINTER(ctypes.c_char_p))]
    found = ctypes.POINTER(ctypes.c_char_p)()
    assert load(None, str(path).encode(), ctypes.byref(found)) == 0
    read, number = {}, 0
    while found and found[number]:
        name, _sign, value = found[number].decode().partition("=")
        read[name] = value
        number += 1
    return read


OWN = "EnvironmentFiles=/etc/web.env (ignore_errors=no)\n"
LATER = "EnvironmentFiles=/etc/local.env (ignore_errors=yes)\n"


@pytest.mark.parametrize(
    ("shown", "texts", "reason"),
    [
        (OWN, {}, ""),
        ("EnvironmentFiles=\nUnsetEnvironment=\n", {}, ""),
        ("EnvironmentFiles=/etc/*.env (ignore_errors=yes)\n", {}, ""),
        (OWN + LATER, {"/etc/local.env": "A=1\n"}, ""),
        (OWN + LATER, {"/etc/local.env": "X=2\n"}, ""),
        (OWN + LATER, {"/etc/local.env": "X=9\n"}, "/etc/local.env sets X as well"),
        (LATER + OWN, {"/etc/local.env": "X=9\n"}, ""),
        (OWN + LATER, {"/etc/local.env": "export X=9\n#X=9\n"}, ""),
        (LATER, {}, "the unit does not read it"),
        (OWN + "UnsetEnvironment=A X\n", {}, "UnsetEnvironment="),
        (OWN + "UnsetEnvironment=X=2\n", {}, "UnsetEnvironment="),
        (OWN + "UnsetEnvironment=X=1\n", {}, ""),
    ],
)
def test_which_of_several_files_wins(shown, texts, reason):
    found = why_not_seen(shown, "/etc/web.env", "X", "2", texts)
    assert reason in found
    assert bool(found) == bool(reason)


def test_the_module(tmp_path):
    path = tmp_path / "web.env"
    path.write_text("# see C:\\docs\\\nX=10\nexport A=1\n")
    params = {"path": str(path), "format": "systemd", "name": "X", "value": "35"}
    code, result = run_module("service_environment", tmp_path, **params)
    assert (code, result["changed"]) == (0, True)
    assert path.read_text() == "# see C:\\docs\\\nX=10\nexport A=1\nX=35\n"
    code, result = run_module("service_environment", tmp_path, **params)
    assert (code, result["changed"]) == (0, False)
