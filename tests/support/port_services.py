# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A supervised service whose port others can take, and the inventory that names it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from ansible_collections.oncall.runbooks.tests.support.supervisord import Supervisord, unload
from ansible_collections.oncall.runbooks.tests.support.waiting import until

API = """[program:api]
command={python} {web} {port}
startsecs=1
startretries=0
stopsignal=KILL
redirect_stderr=true
"""
LISTEN = "import socket, sys, time; kept = socket.create_server(('127.0.0.1', int(sys.argv[1]))); time.sleep(1000)"


class PortServices(Supervisord):
    """A supervisord whose program ``api`` gives up at once where it cannot have its port."""

    def __init__(self) -> None:
        super().__init__()
        self.inventory = self.home / "inventory.json"
        self.others: list[subprocess.Popen] = []
        self.wait_for(api="RUNNING")
        self.program_config.write_text(API.format(python=sys.executable, web=self.home / "web.py", port=self.port))
        self.rpc("reloadConfig")
        unload(self.rpc, "api")
        self.rpc("addProcessGroup", "api")
        self.wait_for(api="RUNNING")
        (self.home / "oncall").mkdir()
        self.write_inventory()

    def write_inventory(self, **changes: Any) -> None:
        """An inventory with this stack as the host ``stack``."""
        api = self.service(health_url=self.health_url) | {"port": self.port} | changes
        variables = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "system_state_directory": str(self.home / "oncall"),
            "system_services": {"api": api, "idle": self.service("idle")},
            "run_confirm_seconds": 0,
            "run_verify_seconds": 1,
            "run_verify_timeout_seconds": 60,
            "run_verify_every_seconds": 1,
            "run_cooldown_seconds": 1,
            "run_budget_count": 1000,
        }
        self.inventory.write_text(json.dumps({"all": {"hosts": {"stack": variables}}}))

    def pid(self, name: str = "api") -> int:
        return self.rpc("getProcessInfo", name)["pid"]

    def fails_to_start(self) -> None:
        """Have api started where something has its port."""
        self.rpc("startProcess", "api", False)
        self.wait_for(api="FATAL")

    def taken(self) -> subprocess.Popen:
        """A stranger takes the port while api is down, and api fails to start."""
        self.rpc("stopProcess", "api")
        other = subprocess.Popen([sys.executable, "-c", LISTEN, str(self.port), "--api-token", "s3cret"])
        self.others.append(other)
        until(lambda: self.listens(other.pid))
        self.fails_to_start()
        return other

    def listens(self, pid: int) -> bool:
        """Whether a process has the port open."""
        from ansible_collections.oncall.runbooks.plugins.module_utils.deadline import Deadline
        from ansible_collections.oncall.runbooks.plugins.module_utils.net.sockets import owners_of, sockets_on

        inodes = {one["inode"] for one in sockets_on({self.port}) if one["listening"]}
        owners, _hidden = owners_of(inodes, Deadline(5), [pid])
        return any(owners.values())

    def healthy(self) -> None:
        """api runs and has its port, and nothing else does."""
        for other in self.others:
            if other.poll() is None:
                other.kill()
            other.wait()
        self.others.clear()
        self.write_inventory()
        if self.state("api") != "RUNNING":
            self.rpc("startProcess", "api")
        until(lambda: self.listens(self.pid()))

    def stop(self) -> None:
        for other in self.others:
            other.kill()
            other.wait()
        super().stop()


def state_of(services: PortServices) -> dict[str, Any]:
    """What a look must not change."""
    files = {str(path): path.read_bytes() for path in sorted(Path(services.home, "oncall").glob("*"))}
    programs = {one["name"]: (one["statename"], one["pid"]) for one in services.rpc("getAllProcessInfo")}
    programs.pop("looping")
    return {"programs": programs, "files": files, "others": [other.poll() for other in services.others]}
