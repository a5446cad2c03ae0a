# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests do with the parts of a running embedded lab: its processes, and sessions in its database."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import psycopg

from ansible_collections.oncall.runbooks.tests.support.plays import REPOSITORY
from lab import Lab

# A session idle in transaction counts after 4 s in the lab.
IDLE_SECONDS = 5


def pids(lab: Lab) -> dict[str, int]:
    """The process id of each program."""
    return {name: service["pid"] for name, service in lab.status()["services"].items()}


def session(
    lab: Lab, application: str, role: str = "app", database: str = "", **options: Any
) -> psycopg.Connection[Any]:
    """A session from outside of the lab's own programs."""
    return psycopg.connect(
        host="127.0.0.1",
        port=lab.layout.ports["database"],
        dbname=database or lab.layout.shape.database,
        user=role,
        password=lab.layout.secrets()[role],
        application_name=application,
        **options,
    )


@contextlib.contextmanager
def a_transaction_held(lab: Lab) -> Iterator[int]:
    """A session of the application, idle in transaction for long enough to count; gives its process id."""
    with contextlib.closing(session(lab, "forgetful")) as held:
        held.execute("SELECT 1")
        time.sleep(IDLE_SECONDS)
        yield held.info.backend_pid


@contextlib.contextmanager
def clients(lab: Lab, number: int, path: str, pause_seconds: float = 0.0) -> Iterator[None]:
    """So many users who ask the API again and again. What they still wait for at the end is left to come to its own."""
    over = threading.Event()

    def ask() -> None:
        while not over.wait(pause_seconds):
            lab.request(path, seconds=60)

    for _ in range(number):
        threading.Thread(target=ask, daemon=True).start()
    try:
        yield
    finally:
        over.set()


def inventory_says(lab: Any, expression: str) -> str:
    """What the inventory of the lab makes of an expression, as Ansible prints it, with what it says of trouble."""
    done = subprocess.run(
        [f"{sys.prefix}/bin/ansible", "lab", "-i", "inventories/lab", "-m", "ansible.builtin.debug", "-a",
         json.dumps({"msg": "{{ " + expression + " }}"})],
        cwd=REPOSITORY, env={**os.environ, "LAB_HOME": str(lab.home)},
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr
