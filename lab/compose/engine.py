# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker for the compose lab: the engine that answers, or where none does, an engine installed as root on Debian and Ubuntu."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..layout import LabError

START_SECONDS = 60
COMPOSE_PLUGIN_SUITE = "trixie"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
INSTALL = ["apt-get", "install", "--yes", "--no-install-recommends"]


def cache_folder() -> Path:
    """What is made once and kept for all labs: LAB_CACHE, else ``~/.cache/oncall-lab``."""
    folder = Path(os.environ.get("LAB_CACHE") or "~/.cache/oncall-lab").expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LabError(f"cannot make {folder}: {error.strerror}; set LAB_CACHE to another folder") from None
    return folder


class NoDocker(LabError):
    """There is no Docker, and none may or can be installed."""


def required() -> bool:
    """Whether it is a failure not to have Docker."""
    return os.environ.get("REQUIRE_DOCKER") == "1"


@dataclass(frozen=True)
class Found:
    """What there is of Docker on this machine.

    Attributes:
        engine: the version of the engine that answers; "" where none does.
        compose: the version of ``docker compose``; "" where there is none.
        reason: why no engine answers, in one line.
        client: whether there is a ``docker`` command.
        daemon: whether there is a ``dockerd``.
        system: ``debian`` or ``ubuntu``, else "".
        release: its code name, such as ``bookworm``.
        root: whether we may install.
        address: DOCKER_HOST, the engine that is to be used and no other; "" where nothing says so.
    """

    engine: str = ""
    compose: str = ""
    reason: str = "there is no docker command"
    client: bool = False
    daemon: bool = False
    system: str = ""
    release: str = ""
    root: bool = False
    address: str = ""

    @property
    def ready(self) -> bool:
        return bool(self.engine) and self.compose_works

    @property
    def compose_works(self) -> bool:
        """Whether it is Compose v2: 1.29 has no ``--wait``."""
        return major(self.compose) >= 2


def major(version: str) -> int:
    found = re.match(r"v?(\d+)\.", version)
    return int(found[1]) if found else 0


def plan(found: Found) -> list[str]:
    """What has to be done until Docker can be used, in order; NoDocker where that is not possible.

    The steps are ``install engine``, ``start engine`` and ``install compose``.
    """
    if found.ready:
        return []
    missing = "there is no Docker Compose v2" if found.engine else f"no Docker engine answers ({found.reason})"
    if not found.engine and found.address:
        raise NoDocker(f"{missing}, and DOCKER_HOST={found.address} names it; start that one or unset DOCKER_HOST")
    if not (found.root and found.system):
        raise NoDocker(f"{missing}, and only root on Debian or Ubuntu may install it; install Docker and start it")
    steps = []
    if not found.engine:
        if not (found.client and found.daemon):
            steps.append("install engine")
        steps.append("start engine")
    if not found.compose_works:
        steps.append("install compose")
    return steps


def find() -> Found:
    """Look, and change nothing."""
    release = _os_release()
    kind = next((kind for kind in ("debian", "ubuntu") if kind in f"{release.get('ID')} {release.get('ID_LIKE')}"), "")
    client = shutil.which("docker") is not None
    engine, reason = _ask(["docker", "version", "--format", "{{.Server.Version}}"]) if client else ("", Found.reason)
    return Found(
        engine=engine,
        compose=_ask(["docker", "compose", "version", "--short"])[0] if client else "",
        reason=reason,
        client=client,
        daemon=shutil.which("dockerd") is not None,
        system=kind if shutil.which("apt-get") else "",
        release=release.get("VERSION_CODENAME", ""),
        root=os.geteuid() == 0,
        address=os.environ.get("DOCKER_HOST", ""),
    )


def ensure(say: Callable[[str], None] = lambda line: None) -> Found:
    """Docker, ready to be used; NoDocker with one line where there is none and none may or can be installed."""
    acts = {
        "install engine": ("installing docker.io", _install_engine),
        "start engine": ("starting dockerd", _start),
        "install compose": ("installing Docker Compose v2", _install_compose),
    }
    found = find()
    if plan(found):
        # Two that begin together would both install it, or start two engines.
        with (cache_folder() / "engine.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            found = find()
            for step in plan(found):
                words, act = acts[step]
                say(words)
                try:
                    act()
                except LabError as error:
                    raise NoDocker(f"no Docker engine answers, and {words} does not work: {error}") from None
                found = find()
    if not found.ready:
        raise NoDocker(
            f"Docker is installed and does not work: engine {found.engine or found.reason}, compose "
            f"{found.compose or 'missing'}"
        )
    return found


def run(argv: list[str], seconds: float = 600, **options: object) -> str:
    """The output of a command; LabError with its last line where it fails."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=seconds, check=False, env=environment, **options  # type: ignore[call-overload]
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LabError(f"{' '.join(argv[:3])} does not work: {error}") from None
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no output"]
        raise LabError(f"{' '.join(argv[:3])} ends with {done.returncode}: {lines[-1][:400]}")
    return done.stdout


def apt_install(*packages: str) -> None:
    """Debian packages, without what they only recommend."""
    try:
        run([*INSTALL, *packages])
    except LabError:
        # Lists that are missing or too old.
        run(["apt-get", "update"])
        run([*INSTALL, *packages])


def debian_mirror() -> str:
    """Where this machine gets Debian from; "" where it does not, or has no lists yet."""
    output, _ = _ask(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Origin: Debian", "Label: Debian"])
    return next(iter(output.split()), "")


def _os_release() -> dict[str, str]:
    with suppress(OSError):
        lines = Path("/etc/os-release").read_text().splitlines()
        return {name: value.strip('"') for name, _, value in (line.partition("=") for line in lines) if value}
    return {}


def _ask(argv: list[str]) -> tuple[str, str]:
    """What a command says, or "" and why it did not."""
    try:
        # A busy machine needs long to start what it has, and to take that for missing would install it again.
        return run(argv, seconds=60).strip(), ""
    except LabError as error:
        return "", str(error)


def _install_engine() -> None:
    apt_install("docker.io", "iptables")
    if shutil.which("docker") is None:
        # Debian 13 and later have the command in a package of its own.
        apt_install("docker-cli")


def _start() -> None:
    """Start the engine, detached from us, and wait until it answers."""
    log = cache_folder() / "dockerd.log"
    process = None
    # Its package may have started it.
    if not find().engine:
        if Path("/run/systemd/system").is_dir():
            run(["systemctl", "start", "docker"])
        else:
            with log.open("ab") as output:
                process = subprocess.Popen(
                    ["dockerd"], stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, cwd="/"
                )
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if find().engine:
            return
        if process is not None and process.poll() is not None:
            lines = log.read_text(errors="replace").strip().splitlines() or ["its log is empty"]
            raise LabError(f"dockerd ends with {process.returncode}: {lines[-1][:300]}; see {log}")
        time.sleep(0.3)
    raise LabError(f"it does not answer within {START_SECONDS} s")


def _install_compose() -> None:
    for package in ("docker-compose-v2", "docker-compose"):
        if major(_candidate(package)) >= 2:
            apt_install(package)
            return
    _compose_of_a_later_debian()


def _candidate(package: str) -> str:
    """The version apt would install, without the epoch; "" where it knows none."""
    output, _ = _ask(["apt-cache", "policy", package])
    found = re.search(r"Candidate: (?:\d+:)?(\S+)", output)
    return found[1] if found else ""


def _compose_of_a_later_debian() -> None:
    """Compose v2 from a later suite. It needs nothing but libc, so nothing else follows.

    The suite is known to this one call of apt alone: the machine's own sources stay as they are.
    """
    if not Path(KEYRING).exists():
        raise LabError(f"this release has no Docker Compose v2, and {KEYRING}, to check a package with, is missing")
    if not debian_mirror():
        run(["apt-get", "update"])
    mirror = debian_mirror()
    if not mirror:
        raise LabError("this release has no Docker Compose v2, and apt knows no mirror of Debian to get it from")
    folder = cache_folder() / "apt"
    (folder / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    sources = folder / "compose.list"
    sources.write_text(f"deb [signed-by={KEYRING}] {mirror} {COMPOSE_PLUGIN_SUITE} main\n")
    apart = [
        "-o", f"Dir::Etc::SourceList={sources}", "-o", "Dir::Etc::SourceParts=-",
        "-o", f"Dir::State::Lists={folder / 'lists'}",
        "-o", f"Dir::Cache::pkgcache={folder / 'pkgcache.bin'}", "-o", f"Dir::Cache::srcpkgcache={folder / 'src.bin'}",
        "-o", "APT::Sandbox::User=root",
    ]  # fmt: skip
    run(["apt-get", *apart, "update"])
    run(["apt-get", *apart, "download", "docker-compose"], cwd=folder)
    package = max(folder.glob("docker-compose_*.deb"), key=lambda path: path.stat().st_mtime)
    run(["dpkg", "--install", str(package)])
    shutil.rmtree(folder)
