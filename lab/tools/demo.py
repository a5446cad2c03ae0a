# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``make demo``: the stack runs out of database connections for real, and the runbook fixes it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..embedded.stack import Lab
from ..layout import LabError

FAULT = "idle_in_transaction"
CHECKOUT = Path(__file__).parents[2]
PLAYBOOK = ["ansible-playbook", "-i", "inventories/lab", "playbooks/db_pool.yml"]
REQUESTS = 30
# A user has gone by then. The pool itself gives up after 5 s.
PATIENCE_SECONDS = 3


def step(text: str) -> None:
    print(f"\n\033[1m== {text}\033[0m" if sys.stdout.isatty() else f"\n== {text}", flush=True)


def ask(url: str) -> float | None:
    """The seconds one request took, or None where it failed or took too long."""
    began = time.monotonic()
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE_SECONDS) as response:
            response.read()
    except (urllib.error.URLError, OSError):
        return None
    return time.monotonic() - began


def requests_succeed(lab: Lab) -> int:
    """Send requests that need the database, say how they went, and return how many succeeded."""
    with ThreadPoolExecutor(REQUESTS) as users:
        took = [seconds for seconds in users.map(ask, [f"{lab.url}/orders"] * REQUESTS) if seconds is not None]
    slowest = f", the slowest in {max(took):.2f} s" if took else ""
    pool = lab.pool()
    print(
        f"{len(took)} of {REQUESTS} requests to /orders succeed{slowest}; "
        f"app_db_pool: in use {pool['in_use']} of {pool['max']}, waiting {pool['waiting']}",
        flush=True,
    )
    return len(took)


def demo(lab: Lab) -> None:
    step("1. Start a real stack: PostgreSQL, Redis, an API and a worker, all on this machine")
    lab.up()
    lab.heal_all()
    requests_succeed(lab)

    step("2. Break it: handlers keep their database transactions open, until the pool is empty")
    lab.inject(FAULT)
    if requests_succeed(lab) == REQUESTS:
        raise LabError("the requests still succeed, so there is nothing to show; please report this")

    step(f"3. Run the runbook: {' '.join(PLAYBOOK)}")
    # The lab's sessions are idle for seconds, not minutes, before they count: inventories/lab/host_vars/lab.yml.
    time.sleep(4)
    records = lab.home / "records"
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "LAB_HOME": str(lab.home),
        "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
        "ONCALL_RECORD_DIRECTORY": str(records),
    }
    code = subprocess.run(PLAYBOOK, cwd=CHECKOUT, env=environment, check=False).returncode
    if code != 0:
        raise LabError(f"ansible-playbook ended with {code}; its message is above")

    step("4. Look again")
    if requests_succeed(lab) != REQUESTS:
        raise LabError("not all requests succeed again; please report this with the record named above")
    newest = max(records.glob("*.md"), key=lambda path: path.stat().st_mtime)
    print(f"what happened, in full: {newest}")


def main() -> int:
    lab = Lab(say=lambda line: print(line, flush=True))
    try:
        demo(lab)
    except (LabError, OSError, subprocess.SubprocessError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demo: interrupted", file=sys.stderr)
        return 130
    finally:
        step("5. Stop the stack")
        lab.down()
    print("\nNext: point it at a stack of your own. README.md says how, in ten lines.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
