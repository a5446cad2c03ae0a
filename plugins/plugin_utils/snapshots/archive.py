# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An archive on the disk: whole under its name, or not there; and the list of all that are in its folder."""

from __future__ import annotations

import fcntl
import gzip
import io
import json
import os
import tarfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ...module_utils.file_in_one_step import put
from ...module_utils.text.one_line import one_line
from ...module_utils.trusted_path import make_folder
from .names import stamp_of

ENDING = ".tar.gz"
MANIFEST = "manifest.json"
# An overview lists the newest of them; a manifest is some lines for each file.
MOST_LISTED = 200
_LOCK_SECONDS = 15.0
_LEFT_SECONDS = 86400.0
_MOST_MANIFEST_BYTES = 4 * 1024 * 1024


class NoArchive(Exception):
    """It cannot be written; the text is one line for the user."""


def packed(stem: str, files: Mapping[str, bytes], at_seconds: float) -> bytes:
    """Files as a tar archive, packed with gzip, all of them in one folder and readable for their owner only.

    Args:
        stem: the folder.
        files: path -> content, in their order: the first one is read the soonest.
        at_seconds: the time that they have.
    """
    buffer = io.BytesIO()
    packing = gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=6, mtime=int(at_seconds))
    with packing, tarfile.open(fileobj=packing, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for path, content in files.items():
            member = tarfile.TarInfo(f"{stem}/{path}")
            member.size, member.mtime, member.mode = len(content), int(at_seconds), 0o600
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def prepare(directory: Path) -> None:
    """Make the folder where it is not there, and take away what a snapshot left in it that was killed.

    Raises:
        NoArchive: it cannot be made, or nothing can be written in it.
    """
    try:
        make_folder(str(directory))
    except OSError as error:
        raise NoArchive(_cannot(directory, error)) from None
    for left in directory.glob(".*.new"):
        # Of a snapshot that was killed while it wrote; one that goes on is never that old.
        with suppress(OSError):
            if time.time() - left.lstat().st_mtime > _LEFT_SECONDS:
                left.unlink()
    if not os.access(directory, os.W_OK | os.X_OK):
        raise NoArchive(
            f"nothing can be written in {directory}: it belongs to somebody else; set snapshot_directory to a folder of yours"
        )


def keep(path: Path, content: bytes) -> None:
    """Put a file under its name in one step, readable for its owner only.

    Raises:
        NoArchive: it cannot be done; nothing is left of it.
    """
    try:
        put(path, content)
    except OSError as error:
        raise NoArchive(f"{path.name} ({len(content)} bytes) is not written: {_cannot(path.parent, error)}") from None


def _cannot(directory: Path, error: OSError) -> str:
    return (
        f"{directory}: {one_line(error.strerror or error)}; set snapshot_directory to a folder with room, or make some"
    )


def manifest_of(archive: Path) -> dict[str, Any]:
    """The manifest of an archive, which is its first file.

    Raises:
        ValueError: it is no archive of a snapshot.
        OSError: it cannot be read.
    """
    try:
        with tarfile.open(archive, "r|gz") as members:
            first = members.next()
            if first is None or not first.name.endswith(f"/{MANIFEST}") or first.size > _MOST_MANIFEST_BYTES:
                raise ValueError("its first file is no manifest")
            content = members.extractfile(first)
            found = json.loads(content.read() if content else b"")
    except (tarfile.TarError, EOFError, ValueError, gzip.BadGzipFile) as error:
        raise ValueError(f"it is no whole archive of a snapshot: {one_line(error)}") from None
    if not isinstance(found, dict):
        raise ValueError("its manifest is no dictionary")
    return found


def listed(directory: Path) -> list[dict[str, Any]]:
    """The newest archives of a folder, each ``archive`` (its name), ``bytes``, and ``manifest`` or ``problem``."""
    names = [path for path in directory.glob(f"*{ENDING}") if stamp_of(path.name.removesuffix(ENDING))]
    names.sort(key=lambda path: (stamp_of(path.name.removesuffix(ENDING)), path.name), reverse=True)
    found = []
    for path in names[:MOST_LISTED]:
        row: dict[str, Any] = {"archive": path.name}
        try:
            row["bytes"] = path.stat().st_size
            row["manifest"] = manifest_of(path)
        except FileNotFoundError:
            continue  # somebody takes old ones away
        except (OSError, ValueError) as error:
            row["problem"] = one_line(error)
        found.append(row)
    return found


@contextmanager
def alone(directory: Path) -> Iterator[None]:
    """Until this ends, nobody else writes the overview of a folder: who writes last has seen every archive.

    Raises:
        NoArchive: there is no lock to be had.
    """
    try:
        descriptor = os.open(directory / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise NoArchive(_cannot(directory, error)) from None
    try:
        _lock(descriptor, directory)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, directory: Path) -> None:
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise NoArchive(f"another snapshot has held {directory}/.lock for {_LOCK_SECONDS:g} s") from None
            time.sleep(0.05)
        except OSError as error:
            raise NoArchive(_cannot(directory, error)) from None
