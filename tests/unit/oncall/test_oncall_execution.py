# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that cannot be begun says so, and is none that was cut off."""

from __future__ import annotations

import resource
import threading

import pytest

from oncall.errors import OncallError
from oncall.folders import Left
from oncall.serve.play.executor import Order
from oncall.serve.play.local import Local
from oncall.serve.settings import load


@pytest.mark.parametrize("what", ["full", "no folder"])
def test_where_nothing_can_be_written_nothing_is_begun(tmp_path, monkeypatch, what):
    """A limit on the size of a file has the same effect as a disk that is full."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
    (tmp_path / "inventory").write_text("h0\n")
    settings = tmp_path / "serve.yml"
    settings.write_text("inventories: [inventory]\nstate_directory: state\nrunbooks: {cache: {mode: auto}}\n")
    play = Local(load(settings), Left()).play
    order = Order("r1", "cache", "h0", True, may_act=("cache",))
    if what == "no folder":
        (tmp_path / "runtime" / "oncall" / "runs-in-progress.lock").mkdir(parents=True)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        if what == "full":
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
        with pytest.raises(
            OncallError, match=f"cannot prepare a run in {tmp_path}/runtime/oncall: .*; make room there"
        ):
            play(order, threading.Event())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [*(tmp_path / "runtime" / "oncall" / "runs-in-progress").iterdir()] == []
