# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kill -9 while timers fire and messages leave, and several nodes: no step is lost, none is told twice, and what cannot be known is said."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from ansible_collections.oncall.runbooks.tests.support.duty_desk import BEGAN, desk
from ansible_collections.oncall.runbooks.tests.support.told_under_kills import tell_under_kills
from oncall.serve.store.engine import FILE


def test_of_a_timer_and_its_message_nothing_is_lost_and_nothing_comes_twice(tmp_path):
    told = tell_under_kills(tmp_path, kills=25, incidents=12)
    assert (told.steps_lost, told.steps_twice, told.lost, told.twice, told.disagreeing) == (0, 0, 0, 0, 0), told
    # It was killed where it matters, or this test shows nothing.
    assert told.unknown


def test_a_command_that_is_killed_is_done_or_not_and_the_next_one_works(tmp_path):
    folder = ["--state-directory", str(tmp_path / "state")]

    def begin(*arguments: str) -> subprocess.Popen[bytes]:
        argv = [sys.executable, "-m", "oncall", "incident", *arguments, *folder]
        return subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def says(*arguments: str) -> Any:
        argv = [sys.executable, "-m", "oncall", "incident", *arguments, *folder, "--json"]
        return json.loads(subprocess.run(argv, capture_output=True, check=True, timeout=60).stdout)

    says("open", "the disk is full")
    done, killed = set(), set()
    for number in range(30):
        running = begin("note", "1", f"note {number}")
        # The database is open from here on: what is killed later is killed at its work.
        while running.poll() is None and not opens(running.pid, FILE):
            time.sleep(0.001)
        time.sleep(0.0015 * number)
        running.kill()
        _, errors = running.communicate(timeout=60)
        assert running.returncode in (0, -signal.SIGKILL), errors
        (done if running.returncode == 0 else killed).add(f"note {number}")
    written = [one["words"] for one in says("show", "1")["timeline"] if one["kind"] == "note"]
    assert len(written) == len({*written}) and done <= {*written} <= done | killed
    assert killed, "none was killed, so this shows nothing"
    assert says("verify")["sound"] is True
    says("note", "1", "it goes on")
    assert says("verify")["sound"] is True


def opens(pid: int, name: str) -> bool:
    """Whether a process has a file of this name open."""
    with suppress(OSError):
        return any(one.readlink().name == name for one in Path(f"/proc/{pid}/fd").iterdir())
    return False


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
