# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's programs without installing them, and servers made of them: on loopback, with their data in a folder that goes with them."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path

from ..ports import free_port


class NoProgram(Exception):
    """There is no such program on this machine, and it cannot be had; says so in one line."""


def ensure(program: str, package: str, cache: Path, *libraries: str) -> str:
    """The program: the machine's own or, on Debian and Ubuntu, that of the package, unpacked below ``cache``.

    Nothing is installed and no service is started, so this needs no root. ``libraries`` are packages that it needs besides.
    """
    if found := shutil.which(program):
        return found
    return fetched(f"*bin/{program}", program, cache, *libraries, package)


def fetched(pattern: str, what: str, cache: Path, *packages: str) -> str:
    """A file of Debian's packages, unpacked below ``cache``.

    Args:
        pattern: of its path below ``usr``.
        what: it is, for messages.
        cache: the folder.
        packages: the last of them has it.
    """
    cache.mkdir(parents=True, exist_ok=True)
    # Tests that start at the same moment fetch it once, and nobody starts a program that is half unpacked.
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (found := _unpacked(pattern, cache)):
            try:
                _run(what, cache, "apt-get", "download", *packages)
            except NoProgram:
                # Lists that are missing or too old; only root can have them fetched.
                _run(what, cache, "apt-get", "update")
                _run(what, cache, "apt-get", "download", *packages)
            # The program's own comes last: where it is there, all of it is.
            for one in packages:
                newest = max(cache.glob(f"{one}_*.deb"), key=lambda path: path.stat().st_mtime)
                _run(what, cache, "dpkg-deb", "-x", str(newest), str(cache / "root"))
            found = _unpacked(pattern, cache)
    if not found:
        raise NoProgram(f"no {what} here, and the package {packages[-1]} has none")
    return found


def _unpacked(pattern: str, cache: Path) -> str:
    return next(map(str, (cache / "root" / "usr").glob(pattern)), "")


def _run(program: str, folder: Path, *argv: str) -> None:
    try:
        done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=180)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoProgram(f"no {program} here, and {argv[0]} cannot fetch it: {error}") from None
    if done.returncode != 0:
        said = " ".join(done.stderr.split())[-200:]
        raise NoProgram(f"no {program} here, and {argv[0]} cannot fetch it: {said}")


class Server:
    """A program that listens on a free port of loopback.

    Args:
        folder: for its configuration, data and log.
        name: of its log.
        argv: what to run, with ``{port}`` where the port belongs.
        cwd: where to run it.
    """

    def __init__(self, folder: Path, name: str, argv: list[str], cwd: Path | None = None) -> None:
        port = free_port()
        self.place = f"127.0.0.1:{port}"
        self.url = f"http://{self.place}"
        self._log = folder / f"{name}.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [part.replace("{port}", str(port)) for part in argv], cwd=cwd, stdout=log, stderr=log
            )

    def wait_until_ready(self, seconds: float = 90) -> None:
        """Until it says that it is."""
        end = time.monotonic() + seconds
        while True:
            try:
                with urllib.request.urlopen(f"{self.url}/-/ready", timeout=2):
                    return
            except OSError:
                self.check()
            if time.monotonic() > end:
                raise TimeoutError(f"it is not ready within {seconds:g} s: {self.said()}")
            time.sleep(0.05)

    def check(self) -> None:
        """RuntimeError where it has ended."""
        if self._process.poll() is not None:
            raise RuntimeError(f"{self._log.stem} ended: {self.said()}")

    def said(self) -> str:
        """The end of its log."""
        return self._log.read_text(errors="replace")[-500:]

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(60)
