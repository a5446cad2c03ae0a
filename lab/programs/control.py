# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The application's own command for its queue of events: ``pause``, ``resume``, or ``validate 1,2,3``.

The last one sends the events of these proposals again. What it connects with is in the environment, as for the worker.
"""

from __future__ import annotations

import sys

import psycopg

from .application import database_parameters

PAUSE = "UPDATE event_queue SET paused = %s"
VALIDATE = "INSERT INTO events (kind, proposal) SELECT 'validate', unnest(%s::bigint[])"


def main() -> None:
    verb, *ids = sys.argv[1:]
    with psycopg.connect(**database_parameters("lab-control"), autocommit=True) as connection:
        if verb == "validate":
            connection.execute(VALIDATE, [ids[0].split(",")])
        else:
            connection.execute(PAUSE, [{"pause": True, "resume": False}[verb]])


if __name__ == "__main__":
    main()
