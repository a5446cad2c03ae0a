# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The foreign stack, broken: each runbook names what a person would name or says that it cannot see, and plans nothing needless."""

from __future__ import annotations

import pytest
from breakages import CASES, verdict


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=case.name.replace(" ", "-"), marks=case.marks()) for case in CASES]
)
def test_it_is_judged_right(shop, case):
    with case.breaks(shop):
        play = shop.play(*case.rights, **case.settings(shop))
    runs = {run["runbook"]: run for run in play.runs}
    assert set(case.rights) <= set(runs), play.output[-2000:]
    judged = {runbook: verdict(one, runs[runbook]) for runbook, one in case.rights.items()}
    wrong = {runbook: [said, runs[runbook]["summary"]] for runbook, said in judged.items() if said.startswith("WRONG")}
    assert not wrong, f"{case.expert}\n{wrong}"
