# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The heads of timelines, kept outside of the database: signed, in the state directory.

Whoever can only write the database cannot cut a timeline or write it anew without its being seen here.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ... import trust
from ...errors import OncallError
from ..entries import Head, SignedHead, sign, signed_head

LOG = logging.getLogger("oncall.incidents")
KEY_FILE, FOLDER, LOCK = "incident-key", "incident-heads", "lock"
KEY_BYTES = 32


class Heads:
    """The heads in a state directory.

    Args:
        state_directory: it is made where it is not there, for this user alone.

    Raises:
        OncallError: it cannot be used.
    """

    def __init__(self, state_directory: str) -> None:
        self._folder = Path(state_directory, FOLDER)
        try:
            trust.make_folder(Path(state_directory))
            trust.make_folder(self._folder)
            self.key = _key(Path(state_directory, KEY_FILE))
        except OSError as error:
            raise OncallError(f"cannot use {self._folder}: {error.strerror}") from None

    def keep(self, incident: str, head: Head, name: str = "") -> SignedHead:
        """Sign a head and keep it, if no later one is there; it goes into the log too, where the database does not reach.

        A disk that is full is no reason not to go on: what is kept is then of an earlier entry, and proves less.
        """
        signed = sign(self.key, incident, head)
        LOG.info("%s has %d entries; head of %s: %s", name or incident, head.number, incident, signed)
        try:
            with self._alone():
                if any(kept.number >= head.number for kept in self.of(incident)):
                    return signed
                beside = self._folder / f".{incident}.new"
                descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
                with os.fdopen(descriptor, "w") as file:
                    file.write(f"{signed}\n")
                    file.flush()
                    os.fsync(file.fileno())
                beside.replace(self._folder / incident)
        except OSError as error:
            LOG.error("the head of %s is not kept: %s", name or incident, error.strerror)
        return signed

    def of(self, incident: str) -> list[SignedHead]:
        """What is kept of one; none where there is nothing, or nothing that is a head."""
        with suppress(OSError, ValueError):
            return [signed_head((self._folder / incident).read_text(encoding="ascii"))]
        return []

    def incidents(self) -> list[str]:
        """The ids of those of which something is kept."""
        return _names(self._folder)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with open(self._folder / LOCK, "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def kept_in(state_directory: str) -> list[str]:
    """The ids of incidents of which a head is kept in a state directory; none where there is no such folder."""
    folder = Path(state_directory, FOLDER)
    return _names(folder) if folder.is_dir() else []


def _names(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir() if re.fullmatch(r"[0-9a-f]{32}", one.name))


def _key(file: Path) -> bytes:
    """The key of this state directory; made once, by whoever is first."""
    if not file.exists():
        beside = file.with_name(f".{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
        try:
            with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as made:
                made.write(f"{secrets.token_hex(KEY_BYTES)}\n")
                made.flush()
                os.fsync(made.fileno())
            # Not over one that somebody made meanwhile.
            with suppress(FileExistsError):
                os.link(beside, file)
        finally:
            beside.unlink(missing_ok=True)
    text = file.read_text(encoding="ascii", errors="replace").strip()
    if not re.fullmatch(rf"[0-9a-f]{{{2 * KEY_BYTES}}}", text):
        raise OncallError(
            f"{file} is no key; put back the one that was there, or remove it, and what it signed cannot be proven"
        )
    return bytes.fromhex(text)
