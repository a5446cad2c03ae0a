# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redis and PostgreSQL in plain containers, with an inventory of their own, and nothing that they are used by."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from ansible_collections.oncall.runbooks.lab.images import images
from ansible_collections.oncall.runbooks.tests.support.containers import Containers, docker
from ansible_collections.oncall.runbooks.tests.support.supervisord import until

PASSWORD = "s3cret"
POSTGRES = """
set -eu
PATH="$(echo /usr/lib/postgresql/*/bin):$PATH"
data=/var/lib/postgresql/cluster
as_postgres="setpriv --reuid=postgres --regid=postgres --init-groups"
mkdir -p /var/run/postgresql /var/lib/postgresql
chown postgres:postgres /var/run/postgresql /var/lib/postgresql
[ -d "$data" ] || $as_postgres initdb -D "$data" -U postgres --no-sync --auth=trust >/dev/null
rm -f "$data/postmaster.pid"
exec $as_postgres postgres -D "$data" -c fsync=off -c hot_standby=off -c max_connections=10
"""


class ContainerStack:
    """The containers ``redis`` and ``db``.

    Args:
        folder: an empty folder, for the ledger and the inventory.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        chosen = images(print)
        self._containers = Containers()
        self._label = self._containers.label
        self._run("redis", chosen["redis"], "redis-server", "--requirepass", PASSWORD, "--save", "")
        self._run("db", chosen["database"], "/bin/sh", "-c", POSTGRES, "--stop-signal", "SIGINT")
        self.inventory = folder / "inventory.json"
        self.inventory.write_text(json.dumps({"all": {"hosts": {"stack": self._variables()}}}))

    def _run(self, name: str, image: str, entrypoint: str, *rest: str) -> None:
        signal = rest[-2:] if "--stop-signal" in rest else ()
        command = rest[: len(rest) - len(signal)]
        docker(
            *("run", "--detach", "--name", self.name(name), "--label", self._label, "--network", "none"),
            *("--restart", "unless-stopped", "--stop-timeout", "5", *signal),
            *("--entrypoint", entrypoint, image, *command),
        )

    def _variables(self) -> dict[str, Any]:
        redis = {"transport": "docker", "container": self.name("redis"), "password": PASSWORD, "service": "redis"}
        database = {"transport": "docker", "container": self.name("db"), "name": "postgres", "user": "postgres"}
        return {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "system_state_directory": str(self.folder / "oncall"),
            "system_services": {name: self._containers.service(name) for name in ("redis", "db")},
            "system_redis": redis,
            "system_database": {**database, "service": "db"},
            "cache_window_seconds": 1,
            "cache_timeout_seconds": 3,
            "db_down_timeout_seconds": 3,
            "run_verify_seconds": 2,
            "run_verify_timeout_seconds": 20,
            "run_verify_every_seconds": 1,
            "run_confirm_seconds": 1,
            "run_cooldown_seconds": 1,
            "run_budget_count": 100,
        }

    def name(self, service: str) -> str:
        return self._containers.prefix + service

    def started(self) -> dict[str, str]:
        """When each container was started last."""
        return {name: self._containers.state(name)["StartedAt"] for name in ("redis", "db")}

    def answers(self) -> bool:
        ping = docker("exec", "-e", f"REDISCLI_AUTH={PASSWORD}", self.name("redis"), "redis-cli", "PING", check=False)
        select = docker("exec", self.name("db"), "psql", "-U", "postgres", "-Atc", "SELECT 1", check=False)
        return (ping, select) == ("PONG", "1")

    def heal(self) -> None:
        """Have both run, and answer."""
        for name in ("redis", "db"):
            if self._containers.state(name)["Status"] == "paused":
                docker("unpause", self.name(name))
            docker("start", self.name(name))
        until(self.answers, 60)

    def remove(self) -> None:
        self._containers.remove()
