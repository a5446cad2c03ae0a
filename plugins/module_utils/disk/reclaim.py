# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making room on a filesystem: only what was named, looked at again, and only until there is enough."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ..deadline import Deadline
from ..disk import expired_files, filesystems, open_files
from ..docker import space as docker_space
from ..docker.engine import Engine, EngineError
from ..run_command import failure, run
from ..text.one_line import one_line

ENOUGH = "there is room enough"


class Left(Exception):
    """Why one target is left alone."""


class Reclaim:
    """One call: what was reclaimed, what was left alone and why, and what failed.

    Args:
        params: the options of M(oncall.runbooks.disk_reclaim).
        check: only say what would go, as if all of it had the effect hoped for.
    """

    def __init__(self, params, check):
        self._params = params
        self._check = check
        self._deadline = Deadline(params["timeout_seconds"])
        self._freed = {}
        self._short_of_inodes = {}
        self.reclaimed, self.left_alone, self.errors = [], [], []

    def each(self, targets, name, act):
        """Act on the targets one by one. ``act(target)`` gives the bytes it made free, or raises :class:`Left`."""
        for target in targets:
            try:
                size = act(target)
            except Left as why:
                self.left_alone.append({"what": target[name], "why": str(why)})
            except (OSError, EngineError) as error:
                self.errors.append(f"{target[name]}: {one_line(getattr(error, 'strerror', None) or error)}")
            else:
                self.reclaimed.append({"what": target[name], "bytes": size})

    def want_room(self, place, gives_inodes=False):
        """Raise :class:`Left` where the filesystem of a path or descriptor has room enough.

        Args:
            place: what is on it.
            gives_inodes: whether what is about to go gives an inode back; only then a lack of them is a reason.

        Returns:
            The device, for :meth:`freed`.
        """
        values = os.statvfs(place)
        device = os.fstat(place).st_dev if isinstance(place, int) else Path(place).stat().st_dev
        size, count = self._freed.get(device, (0, 0))
        used = (values.f_blocks - values.f_bfree) * values.f_frsize - size
        whole = used + size + values.f_bavail * values.f_frsize
        inodes_used = values.f_files - values.f_ffree - count
        target = self._params["target_ratio"]
        # Decided once: a filesystem that was not short of inodes at the start does not become so by being cleaned up.
        short = self._short_of_inodes.setdefault(
            device, inodes_used >= self._params["inodes_ratio"] * values.f_files > 0
        )
        want_inodes = gives_inodes and short and inodes_used > target * values.f_files
        if used <= target * whole and not want_inodes:
            raise Left(ENOUGH)
        return device

    def freed(self, device, size, count=0):
        """In check mode, what is only thought to be free."""
        if self._check:
            had = self._freed.get(device, (0, 0))
            self._freed[device] = (had[0] + size, had[1] + count)
        return size

    def container_logs(self):
        """Cut the logs of containers, but for their last lines."""
        engine = Engine(self._params["docker_host"], self._deadline)
        largest_first = sorted(self._params["container_logs"], key=lambda target: -_size(target["path"]))
        self.each(largest_first, "path", lambda target: self._cut(engine, target))

    def _cut(self, engine, target):
        try:
            log = docker_space.log_of(engine.get(f"/containers/{target['container']}/json"))
        except EngineError as error:
            if error.status == 404:
                raise Left("the container is gone") from None
            raise
        if not log or log["path"] != target["path"]:
            raise Left("it is not this container's json-file log")
        with expired_files.opened_folder(str(Path(target["path"]).parent)) as folder:
            flags = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK
            descriptor = os.open(Path(target["path"]).name, flags, dir_fd=folder)
            try:
                status = os.fstat(descriptor)
                if not stat.S_ISREG(status.st_mode) or (status.st_dev, status.st_ino) != (
                    target["device"],
                    target["inode"],
                ):
                    raise Left("it was replaced since it was looked at")
                if status.st_blocks * 512 < self._params["min_log_bytes"]:
                    raise Left("it is small by now")
                device = self.want_room(descriptor)
                size = max(0, status.st_blocks * 512 - self._params["keep_log_bytes"])
                if not self._check:
                    _cut_but_end(descriptor, status.st_size, self._params["keep_log_bytes"])
                return self.freed(device, size)
            finally:
                os.close(descriptor)

    def files(self):
        """Delete files that the rules let go at this moment, and that are what they were when they were looked at."""
        params, allowed = self._params, {}
        for rule in params["rotated_logs"] + params["backups"]:
            expired_files.check_rule(rule)
            try:
                allowed.update((one["path"], one) for one in expired_files.expired(rule, self._deadline))
            except OSError as error:
                self.errors.append(f"{rule['path']}: {error.strerror}")
        in_use = open_files.scan(self._deadline)["in_use"]
        oldest_first = sorted(params["files"], key=lambda target: int(target["modified"]))
        self.each(oldest_first, "path", lambda target: self._delete(target, allowed, in_use))

    def _delete(self, target, allowed, in_use):
        if target["path"] not in allowed:
            raise Left("it is gone, or no rule lets it go now")
        if allowed[target["path"]] != target:
            raise Left("it was replaced since it was looked at")
        if (target["device"], target["inode"]) in in_use:
            raise Left("a process has it open, so that deleting it would give nothing back")
        folder, name = os.path.split(target["path"])
        with expired_files.opened_folder(folder) as descriptor:
            device = self.want_room(descriptor, gives_inodes=True)
            status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
            if not stat.S_ISREG(status.st_mode) or expired_files.identity(target["path"], status) != target:
                raise Left("it was replaced since it was looked at")
            if not self._check:
                os.unlink(name, dir_fd=descriptor)
            return self.freed(device, target["bytes"], 1)

    def images(self):
        """Remove images that have no name and that no container uses."""
        engine = Engine(self._params["docker_host"], self._deadline)
        root = engine.get("/info")["DockerRootDir"]
        self.each(
            [{"id": one} for one in self._params["images"]], "id", lambda target: self._image(engine, root, target)
        )

    def _image(self, engine, root, target):
        try:
            image = engine.get(f"/images/{target['id']}/json")
        except EngineError as error:
            if error.status == 404:
                raise Left("it is gone") from None
            raise
        if image["Id"] != target["id"] or docker_space.named(image):
            raise Left("it has a name by now")
        if any(one["ImageID"] == target["id"] for one in engine.get("/containers/json", all=1)):
            raise Left("a container uses it")
        device = self.want_room(root)
        if not self._check:
            # Without --force the engine itself refuses an image that is in use.
            self._run(["docker", *self._docker_host(), "image", "rm", target["id"]])
        return self.freed(device, image["Size"])

    def build_cache(self):
        """Empty the build cache, but for what a build uses."""
        engine = Engine(self._params["docker_host"], self._deadline)
        root = engine.get("/info")["DockerRootDir"]

        def kept():
            return sum(one["Size"] for one in engine.get("/system/df").get("BuildCache") or () if not one.get("InUse"))

        argv = ["docker", *self._docker_host(), "builder", "prune", "--all", "--force"]
        self.each([{"what": "build cache"}], "what", lambda _target: self._by_command(argv, kept, 0, root))

    def journal(self):
        """Delete the journal's oldest files down to a size."""

        def kept():
            return sum(one["bytes"] for one in filesystems.journal(self._deadline)["folders"])

        limit = self._params["journal_bytes"]
        argv = ["journalctl", f"--vacuum-size={limit}"]
        folder = next((top for top in filesystems.JOURNALS if Path(top).is_dir()), None)
        if folder is None:
            self.left_alone.append({"what": "journal", "why": "there is none"})
            return
        self.each([{"what": "journal"}], "what", lambda _target: self._by_command(argv, kept, limit, folder))

    def _by_command(self, argv, kept, limit, place):
        before = kept()
        if before <= limit:
            raise Left("it is small already")
        device = self.want_room(place)
        if self._check:
            return self.freed(device, before - limit)
        self._run(argv)
        freed = before - kept()
        if freed <= 0:
            raise Left("what is there is in use")
        return freed

    def _docker_host(self):
        return ["--host", self._params["docker_host"]] if self._params["docker_host"] else []

    def _run(self, argv):
        seconds = self._deadline.remaining_seconds()
        ended = run(argv, seconds)
        if ended["error"] or ended["exit_code"] != 0:
            raise OSError(failure(argv, ended, seconds))


def _size(path):
    try:
        return Path(path).lstat().st_size
    except OSError:
        return 0


def _cut_but_end(descriptor, size, keep_bytes):
    """Empty a file whose writer appends, then append its last whole lines again."""
    end = os.pread(descriptor, keep_bytes, max(0, size - keep_bytes))
    if size > keep_bytes:
        end = end.partition(b"\n")[2]
    os.ftruncate(descriptor, 0)
    while end:
        end = end[os.write(descriptor, end) :]
