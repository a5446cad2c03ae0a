# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""supervisord: its configuration, one file per program, and its XML-RPC interface over a private socket."""

from __future__ import annotations

import http.client
import os
import shlex
import socket
import subprocess
import sys
import time
import xmlrpc.client
from pathlib import Path
from typing import Any

from ..layout import REPOSITORY, LabError, Layout, unprivileged_user


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=30)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = str(path)

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        connection = _Connection(self._path)
        # Where close() looks for what it has to close.
        self._connection = (host, connection)
        return connection


class Supervisor:
    """The supervisord of one lab."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def call(self, method: str, *args: Any) -> Any:
        """One call of supervisord's ``supervisor.*`` interface; LabError when it refuses or is away."""
        transport = _Transport(self._layout.supervisor_socket)
        try:
            with xmlrpc.client.ServerProxy("http://localhost", transport=transport) as proxy:
                return getattr(proxy.supervisor, method)(*args)
        except xmlrpc.client.Fault as error:
            raise LabError(f"supervisord refuses {method} {' '.join(map(str, args))}: {error.faultString}") from None
        except (OSError, http.client.HTTPException) as error:
            raise LabError(f"supervisord does not answer ({error}); run: python -m lab up") from None

    def alive(self) -> bool:
        try:
            return self.call("getState")["statename"] == "RUNNING"
        except LabError:
            return False

    def states(self) -> dict[str, dict[str, Any]]:
        """Every program's ``{"statename": str, "pid": int, ...}`` by name."""
        return {info["name"]: info for info in self.call("getAllProcessInfo")}

    def running(self, name: str) -> bool:
        info = self.states().get(name)
        return info is not None and info["statename"] in ("RUNNING", "STARTING", "BACKOFF")

    def start(self, name: str) -> None:
        if not self.running(name):
            self.call("startProcess", name, False)

    def stop(self, name: str) -> None:
        if self.running(name):
            self.call("stopProcess", name, True)

    def restart(self, name: str) -> None:
        self.stop(name)
        self.start(name)

    def load(self, name: str) -> None:
        """Make supervisord take over a program's changed, new or removed file; what changed starts anew."""
        added, changed, removed = self.call("reloadConfig")[0]
        if name in changed + removed:
            self._unload(name)
        if name in added + changed:
            self.call("addProcessGroup", name)

    def _unload(self, name: str) -> None:
        """Have it forget a program, also where that has just ended, and is started again after the stop found nothing to stop."""
        while True:
            self.stop(name)
            try:
                self.call("removeProcessGroup", name)
            except LabError:
                if not self.running(name):
                    raise
            else:
                return

    def program_file(self, name: str) -> Path:
        return self._layout.programs / f"{name}.conf"

    def write_main(self) -> None:
        layout = self._layout
        user = "user=root\n" if unprivileged_user() else ""
        layout.config.write_text(f"""\
[unix_http_server]
file={layout.supervisor_socket}
chmod=0700

[supervisord]
logfile={layout.logs}/supervisord.log
logfile_maxbytes=5MB
logfile_backups=1
pidfile={layout.home}/supervisord.pid
childlogdir={layout.logs}
directory={layout.home}
identifier={layout.cluster}
{user}
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://{layout.supervisor_socket}

[include]
files=supervisor.d/*.conf
""")

    def launch(self) -> None:
        """Start supervisord, detached, and wait until it answers."""
        # Nothing of the caller's environment: a PGHOST there would lead the programs to another database.
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "HOME": str(Path.home()),
        }
        done = subprocess.run(
            [sys.executable, "-m", "supervisor.supervisord", "-c", str(self._layout.config)],
            env=environment, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=60, check=False,
        )  # fmt: skip
        end = time.monotonic() + 60
        while done.returncode == 0 and time.monotonic() < end:
            if self.alive():
                return
            time.sleep(0.03)
        reason = " ".join(done.stdout.split())[-300:] or "no answer on its socket"
        raise LabError(f"supervisord does not start: {reason}; see {self._layout.logs}/supervisord.log")


def program(
    layout: Layout,
    name: str,
    argv: list[str],
    *,
    environment: dict[str, str] | None = None,
    user: str | None = None,
    directory: Path = REPOSITORY,
    **options: Any,
) -> str:
    """The text of one program's file."""
    settings: dict[str, Any] = {
        "command": shlex.join(argv),
        "directory": directory,
        "autostart": "true",
        "autorestart": "true",
        "startsecs": 1,
        "startretries": 20,
        "stopwaitsecs": 10,
        "redirect_stderr": "true",
        "stdout_logfile": layout.logs / f"{name}.log",
        "stdout_logfile_maxbytes": "5MB",
        "stdout_logfile_backups": 1,
        **options,
    }
    if environment:
        settings["environment"] = ",".join(f'{key}="{value}"' for key, value in environment.items())
    if user:
        settings["user"] = user
    return f"[program:{name}]\n" + "".join(f"{key}={value}\n" for key, value in settings.items())
