# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes room for a dump, publishes it when it is proven, and leaves nothing half done under a name that counts."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from pathlib import Path

from ..text.one_line import one_line
from ..trusted_path import make_folder
from .files import free_bytes, opened

# A dump that was not written to for so long, and that no process has open, was left behind.
QUIET_SECONDS = 60
_TEMPORARY = ".oncall-"
# What a dump is by the end of its name, and how pg_dump is told so. The rest are archives.
_PLAIN = {".sql": "", ".gz": "--compress=6"}
# By what community.postgresql.postgresql_db tells a format.
_ENDINGS = {"custom": ".pgc", "tar": ".tar"}
_PACKED_ENDINGS = {"": ".sql", "gzip": ".sql.gz", "bzip2": ".sql.bz2", "xz": ".sql.xz"}


class Refused(Exception):
    """It is not done; the text says why, in one line, and what to do."""


def planned(folder, pattern, now_seconds):
    """The names of a new dump, and how it is made. Pure.

    Args:
        folder: its path.
        pattern: of the names there, with exactly one star.
        now_seconds: the time.

    Returns:
        A dict ``path``, ``temporary`` (the same for all dumps of this pattern, so that two at once meet) and ``dump_extra_args``.

    Raises:
        Refused: the pattern does not tell a name.
    """
    if pattern.count("*") != 1 or any(sign in pattern for sign in "?[]"):
        raise Refused(f"pattern {one_line(pattern)} has not exactly one star to put the time into; set command instead")
    name = pattern.replace("*", time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now_seconds)))
    ending = Path(name).suffix
    if ending in (".bz2", ".xz", ".zst", ".tar", ".gpg", ".age"):
        raise Refused(f"pg_dump makes no {ending}; set command to what makes these backups")
    mark = hashlib.sha256(pattern.encode()).hexdigest()[:10]
    suffix = ".sql" if ending in _PLAIN else ".pgc"
    return {
        "path": str(Path(folder, name)),
        "temporary": str(Path(folder, f"{_TEMPORARY}{mark}.part{suffix}")),
        "dump_extra_args": _PLAIN.get(ending, ""),
    }


def conninfo(name):
    """The name of a database so that no program of PostgreSQL takes it for anything else, such as ``a=b`` or a URL. Pure."""
    escaped = name.replace("\\", "\\\\").replace("'", "\\'")
    return f"dbname='{escaped}'"


def see_room(folder, needed_bytes):
    """Raises Refused where a folder has no room for another backup."""
    free = free_bytes(folder)
    if free < needed_bytes:
        raise Refused(
            f"there is no room for a dump in {one_line(folder)}: {free} bytes are free and {int(needed_bytes)} are needed;"
            " run disk_full, or make room"
        )


def prepare(folder, pattern, needed_bytes):
    """An empty file that only this user may read, for a dump to be written into.

    Args:
        folder: its path.
        pattern: see :func:`planned`.
        needed_bytes: what has to be free there.

    Returns:
        What :func:`planned` gives, and ``removed``, whether one that was left behind had to go.

    Raises:
        Refused: there is no room, or another dump is under way.
        OSError: it cannot be made.
    """
    found = planned(folder, pattern, time.time())
    see_room(folder, needed_bytes)
    removed = _remove_left_behind(found["temporary"])
    try:
        descriptor = os.open(found["temporary"], os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise Refused(f"another dump into {one_line(folder)} has just begun; wait for it") from None
    os.close(descriptor)
    return dict(found, removed=removed)


def _remove_left_behind(path):
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return False
    is_quiet = time.time() - max(status.st_mtime, status.st_ctime) > QUIET_SECONDS
    if not is_quiet or _is_open(status):
        raise Refused(f"another dump is under way: {one_line(path)} is being written; wait for it")
    Path(path).unlink()
    return True


def _is_open(status):
    """Whether a process has a file open, as far as this user may see."""
    with contextlib.suppress(OSError):
        for process in Path("/proc").iterdir():
            if not process.name.isdigit():
                continue
            with contextlib.suppress(OSError):
                for descriptor in (process / "fd").iterdir():
                    with contextlib.suppress(OSError):
                        other = descriptor.stat()
                        if (other.st_dev, other.st_ino) == (status.st_dev, status.st_ino):
                            return True
    return False


def publish(temporary, path):
    """Give a dump its name in one step; what has that name already stays.

    Raises:
        Refused: it is no temporary file of ours, or the name is taken.
        OSError: it cannot be done.
    """
    _is_ours(temporary)
    with opened(temporary) as (descriptor, _status):
        os.fsync(descriptor)
        try:
            # A hard link takes no name from another file, as a renaming would.
            os.link(temporary, path, follow_symlinks=False)
        except FileExistsError:
            raise Refused(
                f"{one_line(path)} is there already, and stays; {one_line(temporary)} is the new dump"
            ) from None
    Path(temporary).unlink()
    folder = os.open(str(Path(path).parent), os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def discard(temporary):
    """Remove a temporary file of ours; whether it was there."""
    _is_ours(temporary)
    try:
        Path(temporary).unlink()
    except FileNotFoundError:
        return False
    return True


def _is_ours(path):
    if not Path(path).name.startswith(_TEMPORARY) or ".part" not in Path(path).name:
        raise Refused(f"{one_line(path)} is no temporary file of a dump, and is left alone")


def stage(state_directory, path, proof):
    """A link to a backup under a plain name that tells its format, in a folder of our own.

    Args:
        state_directory: ``system_state_directory``.
        path: of the backup; its name may hold anything.
        proof: what was proven of it.

    Returns:
        The path of the link.

    Raises:
        Refused: nothing here restores this format.
    """
    form, packed = proof["format"], proof["packed"]
    if form == "plain" and packed in _PACKED_ENDINGS:
        ending = _PACKED_ENDINGS[packed]
    elif form in _ENDINGS and not packed:
        ending = _ENDINGS[form]
    else:
        raise Refused(f"nothing here restores a backup of the format {one_line(packed or form)}")
    folder = str(Path(state_directory, "backups", "staged"))
    make_folder(folder)
    link = str(Path(folder, f"{hashlib.sha256(path.encode()).hexdigest()[:16]}{ending}"))
    with contextlib.suppress(FileNotFoundError):
        Path(link).unlink()
    Path(link).symlink_to(path)
    return link


def objection_to(path):
    """Why a backup is not restored from where it is, or an empty text: others could have put it there.

    What is in a dump is run as whoever restores it. Its owner may be whoever makes the backups, but nobody else may write there.
    """
    from ..trusted_path import objection

    try:
        with opened(path) as (_descriptor, status):
            return objection(path, uid=status.st_uid)
    except OSError as error:
        return str(error)
