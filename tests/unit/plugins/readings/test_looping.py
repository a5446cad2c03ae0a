# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of a service -> whether it ends by itself again and again, whatever it does in the moment of the look."""

from __future__ import annotations

import pytest

from ansible_collections.oncall.runbooks.plugins.plugin_utils.looping import crashes, works

OFTEN = {"available": True, "restarts": 5, "restarts_per_hour": 5, "stopped_by_person": False}


@pytest.mark.parametrize(
    ("seen", "loops"),
    [
        ({"state": "running", "uptime_seconds": 1.0}, True),
        ({"state": "starting", "uptime_seconds": 0.2}, True),
        ({"state": "restarting"}, True),
        ({"state": "backoff"}, True),
        ({"state": "fatal"}, True),
        ({"state": "exited", "exit_code": 1}, True),
        # It ends without an error, and is started again each time.
        ({"state": "exited", "exit_code": 0}, True),
        ({"state": "exited", "exit_code": 0, "stopped_by_person": True}, False),
        ({"state": "exited", "exit_code": 0, "restarts_per_hour": 0}, False),
        ({"state": "exited", "exit_code": 0, "restarts": 0, "restarts_per_hour": None}, False),
        ({"state": "running", "uptime_seconds": 9000.0, "restarts_per_hour": 0}, False),
        ({"state": "running", "uptime_seconds": 1.0, "restarts": 1, "restarts_per_hour": 1}, False),
    ],
)
def test_it_is_the_same_in_each_moment(seen, loops):
    assert crashes({**OFTEN, **seen}) is loops


@pytest.mark.parametrize(
    ("seen", "does"),
    [
        ({"state": "running", "uptime_seconds": 9000.0, "restarts_per_hour": 0}, True),
        ({"state": "starting", "restarts": 0, "restarts_per_hour": 0}, True),
        ({"state": "running", "uptime_seconds": 1.0}, False),
        ({"state": "stopped", "restarts_per_hour": 0}, False),
        ({"state": "paused", "restarts_per_hour": 0}, False),
        ({"state": "absent"}, False),
        ({"state": "unknown"}, None),
        ({"state": None}, None),
    ],
)
def test_a_state_that_says_nothing_is_neither(seen, does):
    assert works({**OFTEN, **seen}) is does
