# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The compose lab's images: the official ones, or one made from Debian packages; and the programs' packages."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..layout import REPOSITORY, LabError
from .engine import apt_install, cache_folder, debian_mirror, run

OFFICIAL = {"python": "python:3.11-slim-bookworm", "database": "postgres:16-bookworm", "redis": "redis:7-bookworm"}
PULL_SECONDS = 300
# A registry that is there answers well before that.
FIRST_PULL_SECONDS = 60
SUITE = "bookworm"
PACKAGES = ("python3", "postgresql-15", "redis-server", "ca-certificates", "procps", "git")
# The lab's PostgreSQL compiles no expressions (jit = off), and nobody reads manuals in there.
LEFT_OUT = (
    "./var/cache/apt/*", "./var/lib/apt/lists/*", "./var/lib/postgresql/*", "./var/log/*", "./usr/share/man/*",
    "./usr/share/doc/*", "./usr/share/locale/*", "./usr/share/i18n/*", "./usr/lib/*/libLLVM*",
    "./usr/lib/postgresql/*/lib/llvmjit*", "./usr/lib/postgresql/*/lib/bitcode", "./proc/*", "./sys/*", "./dev/*",
)  # fmt: skip
# `make pins` pins requirements/programs.txt for it.
PYTHON = "3.11"


def images(say: Callable[[str], None]) -> dict[str, str]:
    """The image of each role (``python``, ``database``, ``redis``), present in the engine."""
    with _one_at_a_time():
        if all(_present(image) for image in OFFICIAL.values()):
            return dict(OFFICIAL)
        made = f"oncall-lab-base:{_recipe()}"
        if not _present(made) and not _pull_all(say):
            _build(made, say)
        return dict.fromkeys(OFFICIAL, made) if _present(made) else dict(OFFICIAL)


def packages(say: Callable[[str], None]) -> Path:
    """The folder with the Python packages of the lab's programs, for the Python in the containers."""
    requirements = REPOSITORY / "requirements" / "programs.txt"
    key = hashlib.sha256(requirements.read_bytes() + PYTHON.encode()).hexdigest()[:12]
    folder = cache_folder() / f"packages-{key}"
    with _one_at_a_time():
        if not folder.is_dir():
            say("installing the programs' Python packages")
            partial = folder.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            run([sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile",
                 "--target", str(partial), "--python-version", PYTHON, "--only-binary=:all:",
                 "--requirement", str(requirements)])  # fmt: skip
            partial.rename(folder)
    return folder


def _present(image: str) -> bool:
    return bool(run(["docker", "images", "--quiet", image], seconds=30).strip())


def _pull_all(say: Callable[[str], None]) -> bool:
    """Whether a registry has given us the official images. The first pull decides."""
    say("asking the registry for the official images")
    for number, image in enumerate(OFFICIAL.values()):
        try:
            run(["docker", "pull", "--quiet", image], seconds=PULL_SECONDS if number else FIRST_PULL_SECONDS)
        except LabError as error:
            if number:
                raise
            say(f"none answers: {error}")
            return False
    return True


def _recipe() -> str:
    return hashlib.sha256(repr((SUITE, PACKAGES, LEFT_OUT)).encode()).hexdigest()[:12]


def _build(image: str, say: Callable[[str], None]) -> None:
    if os.geteuid() != 0:
        raise LabError("no registry gives the official images, and only root can make one from Debian packages")
    if shutil.which("debootstrap") is None:
        say("installing debootstrap")
        apt_install("debootstrap", "debian-archive-keyring")
    say(f"making the image {image} from Debian packages (a minute, once)")
    # Beside the cache: /tmp may be small, or forbid devices and programs.
    with tempfile.TemporaryDirectory(dir=cache_folder(), prefix="image-") as folder:
        root = Path(folder) / "root"
        # debootstrap knows a mirror itself where this machine has none.
        mirror = [found] if (found := debian_mirror()) else []
        run(["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, str(root), *mirror])
        argv = ["tar", "--directory", str(root), *(f"--exclude={path}" for path in LEFT_OUT), "--create", "."]
        with subprocess.Popen(argv, stdout=subprocess.PIPE) as tar:
            run(["docker", "import", "--change", "LABEL oncall.lab.image=base", "-", image], stdin=tar.stdout)
        if tar.returncode:
            raise LabError(f"tar ends with {tar.returncode}; is the disk of {cache_folder()} full?")


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Labs that start at the same moment make images and packages once."""
    with (cache_folder() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
