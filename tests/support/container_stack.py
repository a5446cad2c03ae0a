# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redis or PostgreSQL in a plain container, with an inventory of its own, and nothing that it is used by."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from ansible_collections.oncall.runbooks.tests.support.containers import Containers, docker
from ansible_collections.oncall.runbooks.tests.support.waiting import until
from lab.compose.images import images

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
# Options of `docker run`, entrypoint, arguments.
OPTIONS = {"redis": (), "db": ("--stop-signal", "SIGINT")}
COMMANDS = {
    "redis": ("redis-server", "--requirepass", PASSWORD, "--save", ""),
    "db": ("/bin/sh", "-c", POSTGRES),
}


class ContainerStack:
    """One container, which nothing brings back by itself.

    Args:
        folder: an empty folder, for the ledger and the inventory.
        service: ``redis``, which wants PASSWORD, or ``db``.
    """

    def __init__(self, folder: Path, service: str) -> None:
        self.folder = folder
        self._service = service
        self._containers = Containers()
        self.name = f"{self._containers.prefix}{service}"
        image = images(print)["redis" if service == "redis" else "database"]
        docker(
            *("run", "--detach", "--name", self.name, "--label", self._containers.label, "--network", "none", "--init"),
            *("--stop-timeout", "1", *OPTIONS[service], "--entrypoint", COMMANDS[service][0], image),
            *COMMANDS[service][1:],
        )
        self.inventory = folder / "inventory.json"
        self.inventory.write_text(json.dumps({"all": {"hosts": {"stack": self._variables()}}}))

    def _variables(self) -> dict[str, Any]:
        reach = {"transport": "docker", "container": self.name, "service": self._service}
        return {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "system_state_directory": str(self.folder / "oncall"),
            "system_services": {self._service: self._containers.service(self._service)},
            "system_redis": {**reach, "password": PASSWORD},
            "system_database": {**reach, "name": "postgres", "user": "postgres"},
            "cache_window_seconds": 1,
            "cache_timeout_seconds": 10,
            "db_down_timeout_seconds": 10,
            "run_verify_seconds": 1,
            "run_verify_timeout_seconds": 60,
            "run_verify_every_seconds": 1,
            "run_confirm_seconds": 0.5,
            "run_cooldown_seconds": 0,
            "run_budget_count": 100,
        }

    def started(self) -> str:
        """When it was started last."""
        return str(self._containers.state(self._service)["StartedAt"])

    def answers(self) -> bool:
        if self._service == "redis":
            return (
                docker("exec", "-e", f"REDISCLI_AUTH={PASSWORD}", self.name, "redis-cli", "PING", check=False) == "PONG"
            )
        return docker("exec", self.name, "psql", "-U", "postgres", "-Atc", "SELECT 1", check=False) == "1"

    def crash(self) -> None:
        """Kill its program from inside, which the engine does not take for a person's doing."""
        # With its program the container ends, and the shell with it: how the command ends says nothing.
        docker("exec", self.name, "/bin/sh", "-c", "kill -KILL $(cat /proc/1/task/1/children)", check=False)
        docker("wait", self.name)

    def heal(self) -> None:
        """Have it run, and answer."""
        if self._containers.state(self._service)["Status"] == "paused":
            docker("unpause", self.name)
        docker("start", self.name)
        until(self.answers)

    def remove(self) -> None:
        self._containers.remove()
