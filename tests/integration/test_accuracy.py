# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The short form of `make accuracy`: a fault, a pair, a red herring and what cannot be seen, each asked about by several runbooks."""

from __future__ import annotations

import pytest

# Those that look at once; others wait for their windows.
SCENES = {
    "blocker": ("api_down", "crash_loop", "db_pool", "job_scheduler"),
    "redis_down + database_down": ("cache", "crash_loop", "db_down", "db_pool"),
    "idle sessions of another application": ("crash_loop", "db_down", "db_pool"),
    "a role without rights": ("db_down", "db_pool", "job_scheduler"),
}


@pytest.mark.parametrize("name", SCENES)
def test_nothing_that_is_said_is_wrong(healthy_lab, tmp_path, name):
    # The collection can be imported once pytest has configured itself.
    from ansible_collections.oncall.runbooks.tests.support.accuracy import asking
    from ansible_collections.oncall.runbooks.tests.support.accuracy.stacks import Embedded
    from ansible_collections.oncall.runbooks.tests.support.accuracy.verdicts import NAMED, WRONG

    stack = Embedded(tmp_path, healthy_lab)
    (scene,) = [one for one in stack.scenes() if one.name == name]
    found = asking.cases(stack, scene, SCENES[name])
    assert [case["runbook"] for case in found] == list(SCENES[name])
    assert [case for case in found if case["verdict"] in WRONG] == []
    assert [case for case in found if case["nameable"] and case["verdict"] != NAMED] == []
