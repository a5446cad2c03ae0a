# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The log of the managed host, in a file: what modules write there."""

from __future__ import annotations

from pathlib import Path

_SYSLOG = """
import pathlib
def openlog(*arguments): pass
def syslog(*arguments):
    with open(pathlib.Path(__file__).with_name("log"), "a") as log: print(*arguments, file=log)
def __getattr__(name): return 0
"""


def host_log(folder: Path) -> Path:
    """Make the folder, whose path belongs into the PYTHONPATH of a play.

    Returns:
        The file that the log is written to; it is there when something is.
    """
    folder.mkdir()
    (folder / "syslog.py").write_text(_SYSLOG)
    return folder / "log"
