# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every runbook meets the foreign stack while nothing is wrong: it says so with figures, and would change nothing."""

from __future__ import annotations

import re

import pytest
from breakages import BOOKS, vault_whole

from ansible_collections.oncall.runbooks.tests.support.plays import REPOSITORY

# Those that hold, release and show the ledger are no runbooks.
RUNBOOKS = sorted(path.name for path in (REPOSITORY / "roles").iterdir() if (path / "meta" / "runbook.yml").exists())


def test_every_runbook_is_met():
    assert len(RUNBOOKS) >= 12


@pytest.mark.parametrize("runbooks", [RUNBOOKS[part::3] for part in range(3)], ids="-".join)
def test_nothing_is_wrong(shop, runbooks):
    with vault_whole(shop):
        play = shop.play(*runbooks, system_backups=BOOKS)
    runs = {run["runbook"]: run for run in play.runs}
    assert [run["runbook"] for run in play.runs] == runbooks, play.output[-3000:]
    for run in runs.values():
        assert run["outcome"] == "healthy", run["summary"]
        assert not run["plan"]["steps"]
        assert any(character.isdigit() for character in run["summary"]), run["summary"]
    assert len(re.findall(r"^corner-shop +: healthy ", play.output, re.MULTILINE)) == len(runbooks), "each is told once"
