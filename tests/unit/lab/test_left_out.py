"""A test that cannot run is left out with its reason, and is a failure where one may not be."""

from __future__ import annotations

import subprocess

import pytest

from ansible_collections.oncall.runbooks.tests.support.debian_programs import left_out, program
from lab.tools import debian


def missing(_cache):
    raise debian.NoProgram("no such program here")


@pytest.mark.parametrize(("required", "ends"), [("1", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_it_fails_where_it_is_required(required, ends, monkeypatch):
    monkeypatch.setenv("REQUIRE_DOCKER", required)
    with pytest.raises(ends, match="no such program here"):
        left_out("no such program here")
    with pytest.raises(ends, match="no such program here"):
        program(missing)


def test_a_package_without_the_program_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(debian.shutil, "which", lambda program: None)
    (tmp_path / "p_1.deb").write_text("")
    done = subprocess.CompletedProcess([], 0, "", "")
    monkeypatch.setattr(debian.subprocess, "run", lambda *arguments, **more: done)
    with pytest.raises(debian.NoProgram, match="the package p has none"):
        debian.ensure("prog", "p", tmp_path)
    (tmp_path / "root" / "usr" / "sbin").mkdir(parents=True)
    (tmp_path / "root" / "usr" / "sbin" / "prog").write_text("")
    assert debian.ensure("prog", "p", tmp_path).endswith("/usr/sbin/prog")
