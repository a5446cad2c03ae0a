# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One lab's Docker Compose project: its folder, its containers, and how both are operated."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from .. import database, inventory
from ..layout import DATABASE, POOL_MAX, REPOSITORY, LabError, Layout, write_private

SERVICES = ("db", "redis", "api", "worker", "frontend", "provider")
# Published on loopback, by what .env calls them.
PORTS = {"db": "database", "redis": "redis", "api": "api", "worker": "worker", "frontend": "frontend",
         "provider": "provider"}  # fmt: skip
COMPOSE_FILE = REPOSITORY / "lab" / "compose" / "compose.yaml"
BACKEND = f"""\
DATABASE_URL=postgresql://app@db:5432/{DATABASE}
DATABASE_PASSWORD_FILE=/run/secrets/app_password
REDIS_URL=redis://redis:6379/0
"""
API_ENVIRONMENT = f"""\
{BACKEND}PROVIDER_URL=http://provider:8080
METRICS_OFF_FILE=/srv/faults/metrics_missing.json
CACHE_ENABLED=1
PG_POOL_MAX={POOL_MAX}
"""
POSTGRES = f"""\
{database.SETTINGS}
listen_addresses = '*'
unix_socket_directories = '/var/run/postgresql'
shared_preload_libraries = 'pg_stat_statements'
wal_level = replica
"""


class Project:
    """The Compose project of a lab.

    Attributes:
        folder: where its compose.yaml is.
        name: derived from the lab's folder, so that labs do not meet.
        label: on every container, network and volume of it.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.folder = layout.home / "project"
        self.name = f"oncall-lab-{layout.short_hash}"
        self.label = f"oncall.lab={layout.short_hash}"

    # ------------------------------------------------------------------ files
    def baseline(self, images: dict[str, str], packages: Path) -> dict[str, str]:
        """The text of every file of the sound project by its name."""
        ports = self.layout.ports
        passwords, payments = self.layout.secrets(), self.layout.payments()
        entry = "".join(f"{name}={key}\n" for name, key in self.layout.entry_keys().items())
        issuer = f"ISSUER={inventory.issuer(self.layout)}\n"
        mail_keys = "".join(f"{name}={key}\n" for name, key in self.layout.mail_keys().items())
        variables = {
            "COMPOSE_PROJECT_NAME": self.name,
            "LAB_ID": self.layout.short_hash,
            "LAB_USER": f"{os.geteuid()}:{os.getegid()}",
            "LAB_CHECKOUT": REPOSITORY,
            "LAB_PACKAGES": packages,
            **{f"LAB_{role.upper()}_IMAGE": image for role, image in images.items()},
            **{f"LAB_{name.upper()}_PORT": ports[name] for name in PORTS.values()},
        }
        return {
            ".env": "".join(f"{name}={value}\n" for name, value in variables.items()),
            "compose.yaml": COMPOSE_FILE.read_text(),
            "release.env": "",
            "revision.env": "APP_REVISION=1\n",
            "api.env": f"{API_ENVIRONMENT}PAYMENT_SECRETS={payments['secret']}\n{issuer}{entry}",
            "provider.env": f"PAYMENT_URL={inventory.payment_url(self.layout)}\nPAYMENT_SEND_TO=http://api:8080/webhooks/payments\n"
            f"PAYMENT_SECRETS={payments['secret']}\nPAYMENT_KEY={payments['key']}\n{issuer}{mail_keys}",
            "worker.env": f"{BACKEND}WORKER_BATCH_MB=0\nMAIL_URL=http://provider:8080\nMAIL_PROVIDER=sendgrid\n{mail_keys}",
            "postgresql.conf": POSTGRES,
            "schema.sql": f"CREATE EXTENSION pg_stat_statements;\n\n{database.SCHEMA}",
            "secrets/app_password": passwords["app"],
            "secrets/roles.sql": f"ALTER ROLE postgres PASSWORD '{passwords['postgres']}';\n\n"
            + database.ROLES.format(database=DATABASE, **passwords),
        }

    def write(self, files: dict[str, str]) -> bool:
        """Write the files that are not so already; whether any was not."""
        (self.folder / "secrets").mkdir(mode=0o700, parents=True, exist_ok=True)
        changed = False
        for name, text in files.items():
            path = self.folder / name
            if not path.exists() or path.read_text(errors="replace") != text:
                # The database reads its files as another user.
                write_private(path, text)
                path.chmod(0o600 if name.startswith("secrets/") else 0o644)
                changed = True
        return changed

    # ------------------------------------------------------------------ commands
    def docker(self, *argv: str, seconds: float = 120, text: str | None = None) -> str:
        """What ``docker ...`` prints; LabError with its last line where it fails."""
        # Nothing of the caller's environment: it would win over the project's .env.
        kept = {
            name: value for name, value in os.environ.items() if name in ("PATH", "HOME") or name.startswith("DOCKER_")
        }
        try:
            done = subprocess.run(
                ["docker", *argv], cwd=self.folder if self.folder.is_dir() else "/", env=kept, input=text,
                capture_output=True, text=True, errors="replace", timeout=seconds, check=False,
            )  # fmt: skip
        except FileNotFoundError:
            raise LabError("there is no docker command; run: python -m lab engine") from None
        except subprocess.TimeoutExpired:
            raise LabError(f"docker {argv[0]} has not ended after {seconds:.0f} s; does the engine answer?") from None
        if done.returncode != 0:
            lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
            raise LabError(f"docker {' '.join(argv[:2])} ends with {done.returncode}: {(lines or ['no output'])[-1]}")
        return done.stdout

    def compose(self, *argv: str, seconds: float = 180) -> str:
        """What ``docker compose ...`` prints, in this project."""
        return self.docker("compose", *argv, seconds=seconds)

    # ------------------------------------------------------------------ containers
    def containers(self) -> dict[str, list[dict[str, Any]]]:
        """What ``docker inspect`` tells of the project's containers, by service; the oldest first."""
        ids = self._ids("ps", "--all")
        found: dict[str, list[dict[str, Any]]] = {}
        # A container that is removed meanwhile makes inspect fail, though it shows the others.
        for container in json.loads(self.docker("inspect", *ids)) if ids else []:
            service = container["Config"]["Labels"].get("com.docker.compose.service", "")
            found.setdefault(service, []).append(container)
        for same in found.values():
            same.sort(key=lambda container: container["Created"])
        return found

    def container(self, service: str) -> dict[str, Any]:
        """What ``docker inspect`` tells of a service's only container."""
        same = self.containers().get(service, [])
        if not same:
            raise LabError(f"there is no container of {service}; run: python -m lab heal --all")
        return same[0]

    def port(self, service: str) -> int:
        return self.layout.ports[PORTS[service]]

    def remove(self) -> None:
        """Remove all containers, networks and volumes of this lab, by its label: no file is needed for that."""
        if ids := self._ids("ps", "--all"):
            self.docker("rm", "--force", "--volumes", *ids)
        if ids := self._ids("network", "ls"):
            self.docker("network", "rm", *ids)
        if ids := self._ids("volume", "ls"):
            self.docker("volume", "rm", "--force", *ids)

    def purge(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def _ids(self, *command: str) -> list[str]:
        return self.docker(*command, "--quiet", "--filter", f"label={self.label}").split()
