# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a path leads only through what this user and root may change, as ssh asks of a key (StrictModes).

Who may write to a folder may put another file under any name in it. So what decides what is done, such as the ledger and the
settings of a service, is only as good as every folder on the way to it, and every link.

Imports nothing of this collection: the package oncall loads this file as it is.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

_MOST_LINKS = 40
_ACCESS_LIST = "system.posix_acl_access"


def objection(path, beside=False, uid=None):
    """Why a path cannot be trusted, or "". What is not there yet is no reason: see :func:`make_folder`.

    Args:
        path: absolute path of a file or a folder.
        beside: whether what else lies in a folder counts as well, as the journals of SQLite beside its file do.
        uid: whose it has to be, or root's; this process' user where not given.

    Raises:
        OSError: the way to it cannot be looked at.
    """
    uid = os.geteuid() if uid is None else uid
    steps = [*_steps(path)]
    for number, (name, status) in enumerate(steps):
        following = steps[number + 1][1].st_uid if number + 1 < len(steps) else None
        if stat.S_ISLNK(status.st_mode):
            # Who may change a link is a matter of its folder.
            continue
        is_end = following is None and os.path.realpath(path) == name
        is_private = _is_private_group(status.st_uid, status.st_gid) and not _has_access_list(name)
        found = wrong(status, uid, is_private, following, by_all=beside and is_end)
        if found:
            return "{0} {1} {2} {0}".format(name, *found)
    return ""


def wrong(status, uid, is_private=False, entry_uid=None, by_all=False):
    """What is wrong with one folder or file on the way, and the command that mends it; None where nothing is. Pure.

    Args:
        status: its ``os.stat_result``.
        uid: whose it has to be, or root's.
        is_private: whether its group has no member but its owner.
        entry_uid: whose that is which the way goes through next; None where there is nothing.
        by_all: whether everything in the folder counts, and not only what the way goes through.
    """
    mode = stat.S_IMODE(status.st_mode)
    if status.st_uid not in (uid, 0):
        who = f"uid {uid} or root" if uid else "root"
        return f"belongs to uid {status.st_uid}, and not to {who}; look who made it, then", f"chown {uid}"
    by_group = mode & 0o020 and not is_private
    if not by_group and not mode & 0o002:
        return None
    who = "everybody" if mode & 0o002 else f"the group {status.st_gid}"
    may = f"may be written to by {who} (mode {mode:04o})"
    if not stat.S_ISDIR(status.st_mode):
        return f"{may}, who could change it; look who did, then", "chmod go-w"
    if not mode & stat.S_ISVTX:
        return f"{may}, who could put other files there; look who did, then", "chmod go-w"
    # As /tmp is, where each may only take away what is their own.
    if by_all:
        return f"{may}, who could put other files there;", "use a folder of your own below"
    if entry_uid not in (None, uid, 0):
        return (
            f"{may}, and what the path goes through there belongs to uid {entry_uid};",
            "use a folder of your own below",
        )
    return None


def make_folder(path):
    """Make a folder for this user alone, and what is missing above it so that nobody else may write there.

    Raises:
        OSError: it cannot be made, or something else is there.
    """
    last = Path(path)
    missing = [one for one in (last, *last.parents) if not one.is_dir()]
    for one in reversed(missing):
        try:
            # Not as the umask has it, which can be 0.
            one.mkdir(0o700 if one == last else 0o755)
        except FileExistsError:
            if not one.is_dir():
                raise


def _steps(path):
    """Each folder, link and file that a path goes through, as it is and in this order, as far as it is there."""
    import errno

    here, links = Path("/"), 0
    parts = _parts(path)
    yield str(here), here.lstat()
    while parts:
        part = parts.pop()
        if part == "..":
            here = here.parent
            continue
        try:
            status = (here / part).lstat()
        except FileNotFoundError:
            return
        yield str(here / part), status
        if not stat.S_ISLNK(status.st_mode):
            here = here / part
            continue
        links += 1
        if links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        target = os.readlink(str(here / part))
        parts += _parts(target)
        if target.startswith("/"):
            here = Path("/")


def _parts(path):
    """The names in a path, the first one last."""
    return [part for part in path.split("/") if part not in ("", ".")][::-1]


def _is_private_group(uid, gid):
    """Whether a group is the one that a user alone is in, as most systems make it, or root's without members."""
    import grp
    import pwd

    try:
        owner, group = pwd.getpwuid(uid), grp.getgrgid(gid)
    except KeyError:
        return False
    same = owner.pw_gid == gid and group.gr_name == owner.pw_name
    return (same or gid == 0) and not set(group.gr_mem) - {owner.pw_name, "root"}


def _has_access_list(name):
    """Whether a list says more than the mode does; the bits of the group are then the most that anybody in it has."""
    try:
        return _ACCESS_LIST in getattr(os, "listxattr", lambda _name: [])(name)
    except OSError:
        return False
