# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal of a replay: a file that begins with a copy of every message, and to which each step is added before and after it.

It is there as a whole or not at all, and every line is on the disk before anything is done for it. What a kill leaves at its end
is half a line, for which nothing was done yet: that is cut off.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import time
from pathlib import Path

from ..file_in_one_step import put
from ..text.one_line import one_line
from ..trusted_path import make_folder, objection
from .accounts import added_up

# A replay is counted for so long.
KEEP_SECONDS = 90 * 86400
_ENDING = ".jsonl"
_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,40}\Z")
_LOCK_PAUSE_SECONDS = 0.1


class JournalError(Exception):
    """A journal cannot be used; one line that says which, why and what to do. Nothing was sent for it."""


class Journals:
    """The journals of one queue, for one run at a time.

    Args:
        directory: ``system_state_directory``.
        queue: the name of the queue in the inventory.
        wait_seconds: how long to wait for another run.
        write: whether something is to be written; else nothing is made, and no other run is waited for.
    """

    def __init__(self, directory, queue, wait_seconds, write=True):
        self.folder = Path(directory, "replays", _folder_of(queue))
        self._wait_seconds, self._write = wait_seconds, write
        # Of the lock: what is started with it keeps the lock for as long as it lives.
        self.descriptor = None

    def __enter__(self):
        if not self.folder.is_absolute():
            raise JournalError(f"no journal can be kept: {self.folder} is no absolute path")
        with _told(self.folder):
            if self._write:
                make_folder(str(self.folder))
            found = objection(str(self.folder), beside=True)
            if found:
                raise JournalError(f"no journal can be kept: {found}")
            if self._write:
                self.descriptor = os.open(str(self.folder / "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                self._take()
        return self

    def __exit__(self, *_exception):
        if self.descriptor is not None:
            os.close(self.descriptor)

    def _take(self):
        import fcntl

        end = time.monotonic() + self._wait_seconds
        while True:
            try:
                return fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= end:
                    os.close(self.descriptor)
                    raise JournalError(
                        f"another replay of this queue is at work (it holds {self.folder / 'lock'}); wait for its end"
                    ) from None
            time.sleep(_LOCK_PAUSE_SECONDS)

    def all(self):
        """Every journal, the oldest first.

        Raises:
            JournalError: one of them cannot be read.
        """
        return [Journal(path) for path in self._paths()]

    def _paths(self):
        with _told(self.folder):
            there = self.folder.iterdir() if self.folder.is_dir() else ()
            return sorted(path for path in there if path.name.endswith(_ENDING))

    def begin(self, begun):
        """Make a new journal, which has the copies of all messages from the first moment on.

        Args:
            begun: its first event.

        Raises:
            JournalError: it cannot be made.
        """
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(begun["at_seconds"]))
        path = self.folder / f"{stamp}-{os.urandom(4).hex()}{_ENDING}"
        with _told(path):
            put(str(path), _line(begun))
        return Journal(path)

    def forget(self, now_seconds):
        """Remove the journals that ended too long ago to be counted."""
        for journal in self.all():
            is_old = journal.account.begun["at_seconds"] < now_seconds - KEEP_SECONDS
            if is_old and journal.account.is_closed:
                with _told(journal.path):
                    journal.path.unlink()


class Journal:
    """One of them.

    Args:
        path: of its file.

    Attributes:
        path: of its file.
        account: what its events add up to.

    Raises:
        JournalError: it cannot be read.
    """

    def __init__(self, path):
        self.path = path
        with _told(path):
            content = path.read_bytes()
        self._whole_bytes = content.rfind(b"\n") + 1
        self._is_whole = self._whole_bytes == len(content)
        try:
            events = [json.loads(line) for line in content[: self._whole_bytes].splitlines()]
            self.account = added_up(events)
        except (ValueError, RecursionError) as error:
            raise JournalError(
                f"the journal {path} cannot be read: {one_line(error)}; look what changed it, and move it away only "
                "when you know where each of its messages is"
            ) from None

    def add(self, event, **more):
        """Write an event, and return when it is on the disk.

        Args:
            event: its name.
            more: what it says.

        Raises:
            JournalError: it cannot be written.
        """
        whole = dict(more, event=event, at_seconds=time.time())
        with _told(self.path):
            descriptor = os.open(str(self.path), os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
            try:
                if not self._is_whole:
                    os.ftruncate(descriptor, self._whole_bytes)
                self._is_whole = False
                line = _line(whole)
                if os.write(descriptor, line) != len(line):
                    raise OSError("only a part of a line could be written")
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        self._whole_bytes += len(line)
        self._is_whole = True
        self.account.add(whole)


def _line(event):
    return json.dumps(event, sort_keys=True).encode() + b"\n"


def _folder_of(queue):
    """A name for the folder of a queue, whatever that is called."""
    plain = queue if _PLAIN.match(queue) else ""
    return plain or hashlib.sha256(queue.encode("utf-8", "surrogateescape")).hexdigest()[:40] + ".queue"


@contextlib.contextmanager
def _told(path):
    """An error of the system becomes one line that names the file."""
    try:
        yield
    except OSError as error:
        raise JournalError(f"the journal {path} cannot be used: {one_line(error.strerror or error)}") from None
