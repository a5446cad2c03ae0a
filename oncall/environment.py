# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a play sees of the environment, and which programs it is run with."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Collection, Mapping
from configparser import ConfigParser
from configparser import Error as ConfigError
from contextlib import suppress
from pathlib import Path

from . import folders
from .catalog import collections_path
from .errors import OncallError
from .processes import RUN_ID

# What a play may see of the environment. Everything else, tokens above all, stays outside.
KEPT = {
    "HOME",
    "LANG",
    "LANGUAGE",
    "LOGNAME",
    "PATH",
    "SSH_AUTH_SOCK",
    "TMPDIR",
    "TZ",
    "USER",
    "ONCALL_RECORD_DIRECTORY",
}
KEPT_PREFIXES = ("ANSIBLE_", "LC_", "XDG_")
# What would hide from this program how a run ended, or play another one than was asked for.
LEFT_OUT = (
    "ANSIBLE_GALAXY_", "ANSIBLE_STDOUT_CALLBACK", "ANSIBLE_CALLBACKS_ENABLED", "ANSIBLE_COLLECTIONS_PATH", "ANSIBLE_NO_LOG",
    "ANSIBLE_RUN_TAGS", "ANSIBLE_SKIP_TAGS",
)  # fmt: skip
RUNNERS_LEFT_OUT = ("ANSIBLE_HOST_KEY_CHECKING", "ORIGINAL_STDOUT_CALLBACK")
# The play runs in another folder.
PATHS = ("ANSIBLE_CONFIG", "ANSIBLE_VAULT_PASSWORD_FILE")
RECORD_ID = "ONCALL_RECORD_ID"
# Tells the callback `record` whose play it is: see plugin_utils/parent_death.py.
PROGRAM = "ONCALL_PROGRAM"


def environment_of(run_id: str, keep: Collection[str], prepared: Mapping[str, str]) -> dict[str, str]:
    """What the play sees: what is kept of ours, what ansible-runner needs, and where the collection is.

    Args:
        run_id: names the run, and each process of it.
        keep: names of variables that the play may see as well.
        prepared: what ansible-runner has made ready.
    """
    inherited = {
        name: value
        for name, value in os.environ.items()
        if (name in KEPT or name.startswith(KEPT_PREFIXES) or name in keep) and not name.startswith(LEFT_OUT)
    }
    # Not what it would rather have: unchecked host keys, another callback.
    runners = {
        name: str(value)
        for name, value in prepared.items()
        if os.environ.get(name) != value and name not in RUNNERS_LEFT_OUT
    }
    environment = {"LANG": "C.UTF-8", **inherited, **runners}
    if "ANSIBLE_CONFIG" not in environment and Path("ansible.cfg").is_file():
        environment["ANSIBLE_CONFIG"] = "ansible.cfg"
    for name in PATHS:
        if environment.get(name):
            environment[name] = str(Path(environment[name]).expanduser().absolute())
    environment.update(
        ANSIBLE_COLLECTIONS_PATH=os.pathsep.join([str(collections_path()), *_collection_paths(environment)]),
        ANSIBLE_CALLBACKS_ENABLED="oncall.runbooks.record",
        ANSIBLE_PIPELINING=environment.get("ANSIBLE_PIPELINING", "true"),
        # Each would only be a warning, and a run on fewer hosts than were meant a good one.
        ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED="true",
        ANSIBLE_HOST_PATTERN_MISMATCH="error",
        # Whatever a file of settings says: what is hidden from the log is hidden from this program.
        ANSIBLE_NO_LOG="false",
        **{RUN_ID: run_id, RECORD_ID: run_id, PROGRAM: f"{os.getpid()} {folders.ORPHAN_SECONDS:g}"},
    )
    return environment


def _collection_paths(environment: Mapping[str, str]) -> list[str]:
    """Where else this user keeps collections."""
    if named := os.environ.get("ANSIBLE_COLLECTIONS_PATH"):
        return named.split(os.pathsep)
    config = ConfigParser(interpolation=None, strict=False)
    if "ANSIBLE_CONFIG" in environment:
        file = Path(environment["ANSIBLE_CONFIG"])
        with suppress(OSError, ConfigError, UnicodeDecodeError):
            config.read_string(file.read_text(encoding="utf-8"))
            if named := config.get("defaults", "collections_path", fallback=""):
                return [str(file.parent / Path(path).expanduser()) for path in named.split(os.pathsep)]
    return [str(Path("~/.ansible/collections").expanduser()), "/usr/share/ansible/collections"]


def beside_python(program: str) -> str:
    """The program of the environment that this runs in, which need not be on PATH."""
    beside = Path(sys.executable).parent / program
    found = str(beside) if beside.is_file() else shutil.which(program)
    if not found:
        raise OncallError(f"there is no {program} beside {sys.executable} or on PATH; install ansible-core there")
    return found
