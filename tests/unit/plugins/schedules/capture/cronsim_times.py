# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What cronsim says of expressions: when each was due last, and is due next. ``pip install cronsim``, then run this.

python cronsim_times.py > ../data/cronsim_times.json
"""

import json
import random
from datetime import datetime

from cronsim import CronSim
from zoneinfo import ZoneInfo

# Each with the two nights of 2026 in which its clocks change, in UTC; the last never changes them. Not Lord Howe, whose clock changes by half an
# hour: there cronsim 2.7 skips from hour to hour and misses the first half of the next one.
ZONES = {
    "Europe/Berlin": ("2026-03-29T01:00:00+00:00", "2026-10-25T01:00:00+00:00"),
    "America/New_York": ("2026-03-08T07:00:00+00:00", "2026-11-01T06:00:00+00:00"),
    "America/Santiago": ("2026-09-06T04:00:00+00:00", "2026-04-05T03:00:00+00:00"),
    "Asia/Kolkata": ("2026-06-01T00:00:00+00:00",),
}
FIELDS = ((0, 59), (0, 23), (1, 28), (1, 12), (0, 7))
HOUR = 3600


def field(chance: random.Random, least: int, greatest: int) -> str:
    first = chance.randint(least, greatest - 1)
    last = chance.randint(first + 1, greatest)
    kinds = ["*", "*", "*", f"*/{chance.randint(1, greatest)}", str(first), f"{first}-{last}", f"{first},{last}"]
    return chance.choice([*kinds, f"{first}-{last}/{chance.randint(1, 9)}"])


def seconds(expression: str, at: int, zone: str, reverse: bool) -> float | None:
    # It begins a second beside the time that it is given.
    begin = datetime.fromtimestamp(at + (1 if reverse else 0), ZoneInfo(zone))
    found = next(CronSim(expression, begin, reverse=reverse), None)
    return found.timestamp() if found else None


def main() -> None:
    chance = random.Random(20261129)
    rows = []
    for number in range(600):
        zone = chance.choice(list(ZONES))
        by_night = number % 2 == 0
        if by_night:
            change = datetime.fromisoformat(chance.choice(ZONES[zone])).timestamp()
            at = int(change) + chance.randint(-3 * HOUR, 3 * HOUR)
            # As time passes, every few minutes of some hours.
            expression = (
                f"{chance.choice(['*', '*/7', '*/30', '5', '17,47'])} {chance.choice(['*', '*/2', '*/3'])} * * *"
            )
        else:
            at = chance.randint(1_780_000_000, 1_790_000_000)
            expression = " ".join(field(chance, *bounds) for bounds in FIELDS)
        rows.append([expression, zone, at, seconds(expression, at, zone, True), seconds(expression, at, zone, False)])
    print("[\n" + ",\n".join(map(json.dumps, rows)) + "\n]")


if __name__ == "__main__":
    main()
