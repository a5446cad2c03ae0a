# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual environments of what tests run beside this project, made once in .cache."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
REQUIREMENTS = REPOSITORY / "requirements"
INSTALL_SECONDS = 600


def environment(part: str, *paths: Path) -> Path:
    """The virtual environment with what a list of requirements pins.

    Args:
        part: ``rulebook`` for requirements/rulebook.txt.
        paths: folders that its Python imports from besides.
    """
    home, pins = REPOSITORY / ".cache" / part, REQUIREMENTS / f"{part}.txt"
    home.mkdir(parents=True, exist_ok=True)
    wanted = hashlib.sha256(sys.version.encode() + pins.read_bytes())
    stamp = home / "stamp"
    # Tests that start at the same moment make it once.
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.is_file() or stamp.read_text() != wanted.hexdigest():
            stamp.unlink(missing_ok=True)
            _run(sys.executable, "-m", "venv", "--clear", str(home / "venv"))
            python = str(home / "venv" / "bin" / "python")
            _run(python, "-m", "pip", "install", "--quiet", "--requirement", str(pins))
            (packages,) = home.glob("venv/lib/python*/site-packages")
            if paths:
                (packages / "oncall.pth").write_text("".join(f"{path}\n" for path in paths))
            stamp.write_text(wanted.hexdigest())
    return home / "venv"


def _run(*argv: str) -> None:
    quiet = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(argv, capture_output=True, text=True, timeout=INSTALL_SECONDS, env=quiet, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)}: {done.stdout[-500:]}{done.stderr[-1500:]}")
