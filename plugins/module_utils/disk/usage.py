# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies below a mount point: its largest folders, as du counts them."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from ..deadline import DeadlineExceeded, within
from .open_files import as_text

# Deeper folders count for the one above them, so that a tree of millions keeps a table of thousands.
DEPTH = 6
LISTED = 10
# A folder is not worth a line where one folder in it holds nearly all it has.
_NEARLY_ALL = 0.9


class Usage:
    """The folders below one mount point, on its filesystem only; symbolic links are not followed.

    Attributes:
        complete: whether all was seen in time.
        denied: how many folders could not be read.
    """

    def __init__(self, mount):
        self._mount = mount
        self.complete = False
        self.denied = 0
        self._own = {}
        self._linked = set()

    def walk(self, deadline):
        """Count until all was seen or the time is over."""
        with contextlib.suppress(DeadlineExceeded):
            within(deadline.remaining_seconds(), self._walk, deadline)

    def _walk(self, deadline):
        device = Path(self._mount).stat().st_dev
        queue = [(self._mount, 0)]
        while queue:
            deadline.remaining_seconds()
            folder, depth = queue.pop()
            counted = self._own.setdefault(_ancestor(self._mount, folder, depth), [0, 0])
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        self._count(entry, device, counted, queue, depth)
            except OSError:
                self.denied += 1
        self.complete = True

    def _count(self, entry, device, counted, queue, depth):
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError:
            return
        if status.st_dev != device:
            return
        if entry.is_dir(follow_symlinks=False):
            queue.append((entry.path, depth + 1))
        elif status.st_nlink > 1:
            if status.st_ino in self._linked:
                return
            self._linked.add(status.st_ino)
        counted[0] += status.st_blocks * 512
        counted[1] += 1

    def largest(self):
        """``{"bytes": [...], "entries": [...]}``: the folders with the most of each, with all below them."""
        # A copy: a walk that hangs is left behind and may go on.
        own = {path: tuple(counted) for path, counted in list(self._own.items())}
        totals = totals_of(self._mount, own)
        return {name: most(totals, index, self._mount) for index, name in enumerate(("bytes", "entries"))}


def parent_of(path):
    """The folder that holds a path. Pure."""
    return path.rpartition("/")[0] or "/"


def _ancestor(mount, folder, depth):
    for _level in range(depth - DEPTH):
        folder = parent_of(folder)
    return folder


def totals_of(mount, own):
    """Own numbers of folders -> with those of all folders below them. Pure.

    Args:
        mount: where to stop.
        own: path -> (bytes, entries).
    """
    totals = {}
    for path, (size, entries) in own.items():
        while True:
            had = totals.get(path, (0, 0))
            totals[path] = (had[0] + size, had[1] + entries)
            if path == mount or path == "/":
                break
            path = parent_of(path)
    return totals


def most(totals, index, mount):
    """The folders with the most bytes (index 0) or entries (1), without those that stand for one below them. Pure."""
    largest_child = {}
    for path, counted in totals.items():
        if path != mount:
            parent = parent_of(path)
            largest_child[parent] = max(largest_child.get(parent, 0), counted[index])
    telling = [
        path
        for path, counted in totals.items()
        if (path != mount or len(totals) == 1)
        and counted[index]
        and largest_child.get(path, 0) < _NEARLY_ALL * counted[index]
    ]
    ranked = sorted(telling, key=lambda path: (-totals[path][index], path))[:LISTED]
    return [{"path": as_text(path), "bytes": totals[path][0], "entries": totals[path][1]} for path in ranked]
