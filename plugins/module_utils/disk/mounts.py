# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mounted filesystems: which are real, and how full they are."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from ..deadline import all_within
from ..text.one_line import one_line

# Those of the kernel itself, and those that are made full: an image is no place to write to.
_PSEUDO = {
    *(
        "autofs",
        "binfmt_misc",
        "bpf",
        "cgroup",
        "cgroup2",
        "configfs",
        "debugfs",
        "devpts",
        "devtmpfs",
        "efivarfs",
        "erofs",
    ),
    *(
        "fusectl",
        "hugetlbfs",
        "iso9660",
        "mqueue",
        "nfsd",
        "nsfs",
        "proc",
        "pstore",
        "ramfs",
        "rpc_pipefs",
        "securityfs",
    ),
    *("selinuxfs", "squashfs", "sysfs", "tracefs", "udf"),
}
# A container's own view of a filesystem that is listed itself.
_VIEWS = {"overlay", "aufs", "fuse.fuse-overlayfs"}
_KERNEL = ("/proc/", "/sys/")


def parse_mountinfo(text):
    """The real filesystems of /proc/self/mountinfo, as it is now on top of each mount point. Pure.

    Args:
        text: the file's content.

    Returns:
        A list of dicts ``mount``, ``type``, ``source``, ``device`` (major:minor), ``read_only`` (the filesystem itself,
        and not only this view of it), in the order of their mount points.
    """
    found = {}
    for line in text.splitlines():
        fields, separator, rest = line.partition(" - ")
        left, right = fields.split(" "), rest.split(" ")
        if not separator or len(left) < 6 or len(right) < 3:
            continue
        mount = _unescaped(left[4])
        # What was mounted before on the same place is hidden now.
        found.pop(mount, None)
        if right[0] in _PSEUDO or mount.startswith(_KERNEL) or (right[0] in _VIEWS and mount != "/"):
            continue
        found[mount] = {
            "mount": mount,
            "type": right[0],
            "source": _unescaped(right[1]),
            "device": left[2],
            "read_only": bool({"ro", "emergency_ro"} & set(right[2].split(","))),
        }
    return [found[mount] for mount in sorted(found)]


def _unescaped(text):
    if "\\" not in text:
        return text
    import re

    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), text)


def parse_uppers(text):
    """The folders that containers write to, by the device they see: pairs of device (major:minor) and path. Pure."""
    for line in text.splitlines():
        fields, _separator, rest = line.partition(" - ")
        right = rest.split(" ")
        if right[0] == "overlay" and len(right) >= 3:
            options = dict(option.partition("=")[::2] for option in right[2].split(","))
            if options.get("upperdir"):
                yield fields.split(" ")[2], _unescaped(options["upperdir"])


def writable_in_fstab(mount, fstab):
    """Whether /etc/fstab says that what is mounted there can be written to. Pure."""
    for line in fstab.splitlines():
        fields = line.split("#")[0].split()
        if len(fields) >= 4 and _unescaped(fields[1]) == mount:
            return "ro" not in fields[3].split(",")
    return False


def sizes(values, limits):
    """The numbers of one filesystem as df counts them. Pure.

    Args:
        values: an object as os.statvfs returns it.
        limits: ``used_ratio``, ``inodes_ratio`` (full from there on) and ``target_ratio`` (enough below that).

    Returns:
        A dict; ``full`` lists ``bytes`` and ``inodes``, whichever is used up; ``excess_bytes`` and ``excess_inodes`` are what has
        to go. What only root may use counts as neither used nor available. None without a size, as of a pseudo filesystem.
    """
    if not values.f_blocks:
        return None
    used, available = (values.f_blocks - values.f_bfree) * values.f_frsize, values.f_bavail * values.f_frsize
    # Some count no inodes, because they make them as they need them.
    inodes, inodes_used = values.f_files or None, values.f_files - values.f_ffree
    used_ratio = _ratio(used, used + available)
    inodes_ratio = _ratio(inodes_used, inodes) if inodes else None
    # A target above the limit would leave a full filesystem with nothing in excess, as if all was well.
    target = min(limits["target_ratio"], limits["used_ratio"])
    inodes_target = min(limits["target_ratio"], limits["inodes_ratio"])
    full = ["bytes"] if used_ratio >= limits["used_ratio"] else []
    if inodes and inodes_ratio >= limits["inodes_ratio"]:
        full.append("inodes")
    return {
        "total_bytes": values.f_blocks * values.f_frsize,
        "used_bytes": used,
        "available_bytes": available,
        "used_ratio": used_ratio,
        "inodes": inodes,
        "inodes_used": inodes_used if inodes else None,
        "inodes_used_ratio": inodes_ratio,
        "full": full,
        "excess_bytes": max(1, int(used - target * (used + available))) if "bytes" in full else 0,
        "excess_inodes": max(1, int(inodes_used - inodes_target * inodes)) if "inodes" in full else 0,
    }


def _ratio(part, whole):
    return round(part / whole, 4) if whole > 0 else 1.0


def look(params, seconds):
    """How full the filesystems are.

    Args:
        params: as in :data:`observers.filesystem.SPEC`; with ``paths``, only the filesystems that hold these.
        seconds: the time for all of them; a hanging filesystem, such as a lost NFS server's, stops no other.

    Returns:
        The filesystems as dicts; those that could not be looked at, as dicts ``mount`` and ``reason``; and a function that
        gives the filesystem of a device, also where only a container sees it, or None.

    Raises:
        OSError: /proc is not there.
    """
    with open("/proc/self/mountinfo", errors="replace") as file:
        text = file.read()
    mounts = parse_mountinfo(text)
    paths = params["paths"]
    calls = [lambda path=path: _measured(path, params) for path in paths or [one["mount"] for one in mounts]]
    answers = all_within(seconds, calls)
    filesystems, unreachable = _sorted_out(mounts, paths, answers)
    by_device = {one["device"]: one for one in filesystems}

    def holding(device):
        return by_device.get(device) or by_device.get(_uppers(text).get(device))

    return filesystems, unreachable, holding


def _uppers(text):
    devices = {}
    for device, path in parse_uppers(text):
        major, _colon, minor = device.partition(":")
        try:
            devices[os.makedev(int(major), int(minor))] = Path(path).stat().st_dev
        except (OSError, ValueError):
            continue
    return devices


def _measured(path, params):
    values, status = os.statvfs(path), Path(path).stat()
    return sizes(values, params), status.st_dev


def _sorted_out(mounts, paths, answers):
    filesystems, unreachable = {}, []
    for index, answer in enumerate(answers):
        about = mounts[index] if not paths else _holding(paths[index], mounts, answer)
        if isinstance(answer, Exception):
            unreachable.append({"mount": paths[index] if paths else about["mount"], "reason": _reason(answer)})
            continue
        numbers, device = answer
        if not numbers:
            if paths:
                unreachable.append({"mount": paths[index], "reason": "it is on no filesystem that has a size"})
            continue
        known = filesystems.get(device)
        # The same filesystem can be mounted in several places; the shortest is the one people mean.
        if known is None or len(about["mount"]) < len(known["mount"]):
            expected = about["read_only"] and writable_in_fstab(about["mount"], _fstab())
            filesystems[device] = dict(about, device=device, unexpected_read_only=expected, **numbers)
    return sorted(filesystems.values(), key=lambda one: one["mount"]), unreachable


def _holding(path, mounts, answer):
    """The mount that holds a path: the longest mount point above it."""
    if isinstance(answer, Exception):
        return None
    real = os.path.realpath(path)
    above = [one for one in mounts if real == one["mount"] or real.startswith(one["mount"].rstrip("/") + "/")]
    nothing = {"mount": real, "type": "unknown", "source": "unknown", "read_only": False}
    return max(above, key=lambda one: len(one["mount"])) if above else nothing


def _reason(error):
    if isinstance(error, OSError):
        if error.errno == errno.ENOENT:
            return "it is not there (any more)"
        return one_line(error.strerror or error)
    return f"{one_line(error)}; does its server answer?"


def _fstab():
    try:
        with open("/etc/fstab", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
