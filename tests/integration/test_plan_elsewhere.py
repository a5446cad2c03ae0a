# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan that was approved for a host, whose name means another machine or another Redis by now."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.oncall.runbooks.tests.support.serving import Host
from lab.ports import free_port
from oncall import Runbooks


@pytest.fixture
def host(tmp_path, monkeypatch) -> Iterator[Host]:
    """One whose Redis is down."""
    monkeypatch.setenv("ONCALL_RECORD_DIRECTORY", str(tmp_path / "records"))
    host = Host(tmp_path, "h000", pause_seconds=0)
    yield host
    host.stop()


def runbooks(folder: Path, host: Host, **changed: Any) -> Runbooks:
    """Of an inventory in which some variables of the host are others."""
    file = folder / "inventory.json"
    file.write_text(json.dumps({"all": {"hosts": {host.name: {**host.variables(), **changed}}}}))
    return Runbooks([str(file)])


def test_what_was_approved_for_one_place_is_done_nowhere_else(tmp_path, host):
    planned = runbooks(tmp_path, host).run("cache", mode="check").hosts[host.name]
    approved = [planned.runs[0].plan.hash]
    redis = host.variables()["system_redis"]
    for changed in ({"ansible_host": "127.0.0.2"}, {"system_redis": {**redis, "port": free_port()}}):
        told = runbooks(tmp_path, host, **changed).run("cache", approve=approved).hosts[host.name]
        assert (told.outcome, told.runs[0].guard, host.effects()) == ("blocked", "plan", 0), told.summary
    told = runbooks(tmp_path, host).run("cache", approve=approved).hosts[host.name]
    assert (told.outcome, host.effects()) == ("resolved", 1), told.summary
