# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab's own programs have in common: their log, and their settings from the environment."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from functools import cache
from pathlib import Path
from typing import Any, NoReturn


def start_log() -> None:
    """Set up the log; ``--home`` only tells in the process list whose program this is."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--home")
    parser.parse_args()
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # Every failed attempt of a pool to grow would be a line.
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)


def give_up(reason: str) -> NoReturn:
    logging.getLogger("lab").critical("cannot start: %s", reason)
    raise SystemExit(1)


def required(name: str) -> str:
    """A variable the program cannot do without; ends the program with 1 where it is missing."""
    value = os.environ.get(name, "").strip()
    if not value:
        give_up(f"missing required environment variable {name}")
    return value


def number(name: str, default: int | None = None) -> int:
    value = required(name) if default is None else os.environ.get(name, "").strip() or str(default)
    if not value.isdecimal():
        give_up(f"environment variable {name} is no number: {value}")
    return int(value)


def enabled(name: str, default: bool = False) -> bool:
    return os.environ.get(name, "1" if default else "0").strip() == "1"


def database_password() -> str:
    """From the file that DATABASE_PASSWORD_FILE names: an environment can be read by too many."""
    file = Path(required("DATABASE_PASSWORD_FILE"))
    try:
        return file.read_text().strip()
    except OSError as error:
        give_up(f"cannot read the database's password: {error}")


@cache
def shape() -> dict[str, Any]:
    """What this program's system calls its metrics, paths and more, from the file that SHAPE_FILE names; {} for the lab's own names."""
    file = os.environ.get("SHAPE_FILE")
    return json.loads(Path(file).read_text(encoding="utf-8")) if file else {}


def load_release() -> None:
    """What the deployment says, from the file that RELEASE_FILE names: each line a variable of the environment."""
    file = Path(os.environ.get("RELEASE_FILE") or os.devnull)
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else ():
        name, is_set, value = line.partition("=")
        if is_set and not name.startswith("#"):
            os.environ[name] = value
