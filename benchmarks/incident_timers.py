# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How late timers of incidents fire where many are armed, and what it costs to watch over them.

Usage: PYTHONPATH=collections python benchmarks/incident_timers.py [--armed 1000] [--seconds 60]

Prints one line of JSON: how late the timers fired, in seconds, and which part of a processor it took while none was due. Ends with 1 where one
was more than two seconds late. Their times are spread over so many seconds; nobody is told, as no message is part of it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from oncall.incidents.books import Incidents
from oncall.incidents.duty.driver import Duty, Node
from oncall.incidents.duty.plan import Way
from oncall.incidents.store.heads import Heads
from oncall.incidents.store.timeline import IncidentStore
from oncall.incidents.team import team_of
from oncall.serve.store import schema
from oncall.serve.store.engine import url_of

MOST_SECONDS = 2.0
IDLE_SECONDS = 10.0
TEAM: dict[str, Any] = {
    "incident_people": {"ann": {"reach": ["slack://nowhere"]}},
    "incident_contacts": {"engineer": {"people": ["ann"]}},
}


def armed(books: Incidents, count: int, begins: float, seconds: float) -> None:
    """So many incidents, each with a step whose time comes within these seconds."""
    for number in range(count):
        due = begins + seconds * number / count - time.time()
        step = {"roles": ["nobody"], "name": "first", "after_minutes": due / 60}
        books.open(f"incident {number}", who="bench", system="shop", policy={"steps": [step]})


def measure(count: int, seconds: float) -> dict[str, Any]:
    """Arm so many timers, and see how late they fire.

    Returns:
        ``armed``, ``fired``, ``ready_before_seconds`` (the first was due), ``late_seconds`` (``median``, ``99 of 100``, ``most``) and
        ``of_a_processor_while_none_is_due``, a ratio.
    """
    with tempfile.TemporaryDirectory() as folder:
        url = url_of("", str(Path(folder, "state")))
        schema.migrate(url)
        store = IncidentStore(url)
        books = Incidents(store, Heads(str(Path(folder, "state"))))
        team = team_of("shop", TEAM)
        duty = Duty(books, store, Node("bench", lambda: None, lambda _system: team, lambda: True, Way))
        # To open and to arm them takes a while.
        begins = time.time() + count * 0.08 + IDLE_SECONDS + 10
        armed(books, count, begins, seconds)
        duty.start()
        while len(duty._seen) < count or any(not one.number for one in duty._seen.values()):
            time.sleep(0.1)
        left, worked = begins - time.time(), time.process_time()
        time.sleep(IDLE_SECONDS)
        idle = (time.process_time() - worked) / IDLE_SECONDS
        time.sleep(max(0.0, begins + seconds + 5 - time.time()))
        duty.stop()
        late = []
        for one in store.ids():
            fired = [entry for entry in books.timeline(one) if entry.kind == "timer" and entry.data["state"] == "fired"]
            late += [entry.written_at - entry.data["due_at"] for entry in fired]
        store.close()
    late.sort()
    return {
        "armed": count,
        "fired": len(late),
        "ready_before_seconds": round(left, 1),
        "late_seconds": {
            "median": round(statistics.median(late), 3),
            "99 of 100": round(late[int(len(late) * 0.99)], 3),
            "most": round(late[-1], 3),
        },
        "of_a_processor_while_none_is_due": round(idle, 4),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--armed", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    told = measure(options.armed, options.seconds)
    print(json.dumps(told))
    return 0 if told["fired"] == options.armed and told["late_seconds"]["most"] <= MOST_SECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
