# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kill -9 while timers fire and messages leave, and several nodes: no step is lost, none is told twice, and what cannot be known is said."""

from __future__ import annotations

import threading

from ansible_collections.oncall.runbooks.tests.support.duty_desk import BEGAN, desk
from ansible_collections.oncall.runbooks.tests.support.told_under_kills import tell_under_kills


def test_of_a_timer_and_its_message_nothing_is_lost_and_nothing_comes_twice(tmp_path):
    told = tell_under_kills(tmp_path, kills=25, incidents=12)
    assert (told.steps_lost, told.steps_twice, told.lost, told.twice, told.disagreeing) == (0, 0, 0, 0, 0), told
    # It was killed where it matters, or this test shows nothing.
    assert told.unknown


def test_nodes_on_a_postgresql_fire_and_tell_once(database, tmp_path):
    told = team_in_memory()
    with desk(tmp_path, told, database) as made:
        nodes = [made.another(name) for name in ("two", "three", "four")]
        for number in range(8):
            made.books.open(f"incident {number}", who="oncall", system="shop", severity="P1")
        for minutes in (0, 1, 2):
            made.clock.now = BEGAN + 60.0 * minutes
            threads = [threading.Thread(target=one.turn) for one in nodes for _ in range(3)]
            for one in threads:
                one.start()
            for one in threads:
                one.join()
        for one in nodes:
            one.stop()
        made.turn()
        for number in range(1, 9):
            timers = [one["timer"] for one in made.entries("timer", str(number)) if one["state"] == "fired"]
            assert len(timers) == len({*timers}) == 2
            messages = [one["message"] for one in made.entries("message", str(number))]
            assert sorted(one["message"] for one in made.entries("delivery", str(number))) == sorted({*messages})
            assert made.books.verify(str(number))[1].is_sound
        assert len(made.calls) == 8 * 3


def team_in_memory() -> dict:
    """A team whose messages never leave."""
    return {
        "system_severities": [{"level": "P1", "means": "all", "when": ["critical"]}],
        "incident_tell": {
            "channels": {
                name: {"kind": "webhook", "url": f"http://127.0.0.1:9/{name}"} for name in ("chat", "ada", "bob")
            },
            "by_severity": {"P1": ["chat"]},
        },
        "incident_people": {"ada": {"reach": ["slack://ada/token"]}, "bob": {"reach": ["slack://bob/token"]}},
        "incident_contacts": {"engineer": {"people": ["ada"]}, "lead": {"people": ["bob"]}},
        "incident_escalation": [{"roles": ["engineer"]}, {"roles": ["lead"], "after_minutes": 1}],
    }
