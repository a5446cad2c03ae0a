"""The database through a real PgBouncer: it is named, asked, and never taken for the server."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from debian_programs import program
from postgres_servers import Server, Sessions, server, until

from lab.layout import as_unprivileged, unprivileged_user
from lab.ports import free_port
from lab.tools.debian import ensure


class Bouncer:
    """A PgBouncer before a server, on a port of its own."""

    def __init__(self, folder: Path, behind: int, **settings: object) -> None:
        folder.chmod(0o755)
        self.port = free_port()
        users = folder / "users.txt"
        users.write_text('"app" ""\n"oncall" ""\n')
        everything = {
            "listen_addr": "127.0.0.1", "listen_port": self.port, "auth_type": "trust", "auth_file": users, "unix_socket_dir": "",
            "pool_mode": "transaction", "default_pool_size": 2, "stats_users": "oncall", "admin_users": "boss", **settings,
        }  # fmt: skip
        lines = ["[databases]", f"shop = host=127.0.0.1 port={behind}", "[pgbouncer]"]
        (folder / "pgbouncer.ini").write_text("\n".join([*lines, *(f"{key} = {value}" for key, value in everything.items()), ""]))

        def fetch(cache: Path) -> str:
            ensure("pgbouncer", "libc-ares2", cache) if False else None
            return ensure("pgbouncer", "pgbouncer", cache)

        self._process = subprocess.Popen(
            [program(fetch), "-q", str(folder / "pgbouncer.ini")], stderr=subprocess.DEVNULL, cwd="/", **as_unprivileged()
        )

    def reach(self, **more: Any) -> dict[str, Any]:
        return {"transport": "psycopg", "host": "127.0.0.1", "port": self.port, "name": "shop", "user": "oncall", **more}

    def stop(self) -> None:
        self._process.kill()
        self._process.wait(30)
