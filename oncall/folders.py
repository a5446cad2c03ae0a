# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folders of runs in progress, and what is left of runs that were killed with their program."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from .errors import OncallError
from .processes import kill, processes_of

UNTOUCHED, UNTOUCHED_FILE = "untouched", "ONCALL_UNTOUCHED_FILE"
NOT_BEGUN, NOT_BEGUN_FILE = "not_begun", "ONCALL_NOT_BEGUN_FILE"
# So long may a task that is in progress go on when this program was killed.
ORPHAN_SECONDS = 120.0
SEEN_EVERY_SECONDS = 10.0


def runtime_folder() -> Path:
    """Where running plays have their folders, for this user alone."""
    base = os.environ.get("XDG_RUNTIME_DIR") or f"{Path('~/.local/state').expanduser()}"
    folder = Path(base) / "oncall" / "runs-in-progress"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise OncallError(f"cannot make {folder}: {error.strerror}; set XDG_RUNTIME_DIR to a folder of yours") from None
    return folder


@contextmanager
def private_folder(run_id: str) -> Iterator[Path]:
    """A folder for one run, 0700; locked while the run lives, and removed with all that ansible-runner wrote."""
    base = runtime_folder()
    with base.with_suffix(".lock").open("w") as gate:
        # One at a time: a folder that is not locked yet would look like a folder left behind by a dead run.
        fcntl.flock(gate, fcntl.LOCK_EX)
        _sweep(base.iterdir(), spare_living=True)
        folder = Path(tempfile.mkdtemp(prefix=f"{run_id}-", dir=base))
        lock = (folder / "lock").open("w")
        fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        lock.close()


@dataclass(frozen=True)
class Left:
    """Runs that were killed with their program, and whose processes are dead.

    Attributes:
        untouched: those that certainly claimed nothing in a ledger.
        not_begun: those that certainly began no remedy, whatever they had claimed.
    """

    untouched: frozenset[str] = frozenset()
    not_begun: frozenset[str] = frozenset()


def sweep() -> Left:
    """Remove what runs left behind that were killed with their program: folders, and processes that still go on."""
    base = runtime_folder()
    with base.with_suffix(".lock").open("w") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        return _sweep(base.iterdir(), spare_living=False)


def _sweep(folders: Iterable[Path], spare_living: bool) -> Left:
    """Those whose lock nobody holds any more."""
    untouched: set[str] = set()
    not_begun: set[str] = set()
    for folder in folders:
        with suppress(OSError), (folder / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            run = folder.name.partition("-")[0]
            # Cut off between a stop and a start, it would leave a service down. What goes on for so long does not end itself.
            is_late = abs(time.time() - os.fstat(lock.fileno()).st_mtime) > ORPHAN_SECONDS + SEEN_EVERY_SECONDS
            if spare_living and not is_late and processes_of(run):
                continue
            # While one lives, it may still begin one.
            is_dead = kill(run)
            for name, runs in ((UNTOUCHED, untouched), (NOT_BEGUN, not_begun)):
                if is_dead and (folder / name).exists():
                    runs.add(run)
            shutil.rmtree(folder, ignore_errors=True)
    return Left(frozenset(untouched), frozenset(not_begun))
