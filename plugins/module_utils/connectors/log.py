# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The errors in the log of a synchronisation: the end of a file, of which only groups of masked lines are told."""

from __future__ import annotations

import os
import stat
import time

from ..text.log_lines import group_error_lines
from .error_classes import counted
from .failures import SourceError

# The end of a file that is read; a line has some hundred bytes.
_MOST_BYTES = 1024 * 1024


def errors_of(path, lines, table):
    """What the last lines of a log say is wrong.

    Args:
        path: of the file; ``{date}`` in it is today's date on this host, as 2026-01-31.
        lines: how many to read.
        table: of :func:`error_classes.table_of`.

    Returns:
        ``available``, ``path``, ``lines`` (that were read), ``groups`` (as :func:`group_error_lines`) and ``classes`` (as
        :func:`error_classes.counted`).

    Raises:
        SourceError: it cannot be read.
    """
    path = path.replace("{date}", time.strftime("%Y-%m-%d"))
    text = _end_of(path).decode("utf-8", "replace")
    read = text.splitlines()[-lines:] if lines else []
    groups = group_error_lines(text, lines)
    return {"available": True, "path": path, "lines": len(read), "groups": groups, "classes": counted(read, table)}


def _end_of(path):
    # What is no file, such as a pipe, must not be waited for.
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise SourceError("log", f"the log {path} cannot be read: {error.strerror}") from None
    try:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode):
            raise SourceError("log", f"the log {path} is no file")
        return os.pread(descriptor, _MOST_BYTES, max(0, state.st_size - _MOST_BYTES))
    finally:
        os.close(descriptor)
