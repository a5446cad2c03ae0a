# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Engines of queues and circuit breakers that are npm packages, installed as tests/support/npm/package-lock.json pins them."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
from functools import cache
from pathlib import Path

from ansible_collections.oncall.runbooks.tests.support.debian_programs import left_out
from ansible_collections.oncall.runbooks.tests.support.plays import REPOSITORY

PINS = Path(__file__).parent / "npm"
INSTALL_SECONDS = 300


@cache
def peers() -> Path:
    """The folder with their ``node_modules``; a test is left out where there is no npm that can install them."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            left_out(f"there is no {program}")
    wanted = hashlib.sha256((PINS / "package-lock.json").read_bytes()).hexdigest()
    folder = REPOSITORY / ".cache" / "peers"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder.parent / "peers.lock").open("w") as lock:
        # Several of pytest's workers install them once.
        fcntl.flock(lock, fcntl.LOCK_EX)
        installed = folder / "installed"
        if not installed.exists() or installed.read_text() != wanted:
            for name in ("package.json", "package-lock.json"):
                shutil.copy2(PINS / name, folder)
            argv = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=INSTALL_SECONDS)
            if done.returncode != 0:
                left_out(f"npm cannot install {PINS}: {(done.stderr.strip().splitlines() or ['it said nothing'])[-1]}")
            installed.write_text(wanted)
    return folder
