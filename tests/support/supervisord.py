# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real supervisord with small programs, for tests."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy

from supervisor.xmlrpc import Faults, SupervisorTransport

from ansible_collections.oncall.runbooks.tests.support.waiting import until
from lab.ports import free_port

WEB = """
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        ok = self.path == "/health"
        body = os.environ.get("PG_POOL_MAX", "unset").encode()
        self.send_response(200 if ok else 503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass
print("2026-01-01 00:00:01 ERROR pool exhausted after 31 ms", flush=True)
print("2026-01-01 00:00:09 ERROR pool exhausted after 44 ms", flush=True)
sys.stdout.buffer.write("2026-01-01 00:00:10 INFO caf\\u00e9 \\x1b[31mred\\x1b[0m\\n".encode() + b"\\xff\\n")
sys.stdout.flush()
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""

MAIN = """
[unix_http_server]
file=%(here)s/s.sock
{credentials}
[supervisord]
logfile=%(here)s/main.log
pidfile=%(here)s/supervisord.pid
childlogdir=%(here)s
nodaemon=true
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://%(here)s/s.sock
{credentials}
[include]
files=conf.d/*.conf
[program:broken]
command={python} -c "import sys; print('FATAL: no configuration', file=sys.stderr); sys.exit(3)"
startsecs=60
startretries=0
stdout_logfile=NONE
stderr_logfile=%(here)s/broken.log
[program:looping]
command={python} -c "import sys; sys.exit(4)"
startsecs=60
startretries=1000
stdout_logfile=NONE
stderr_logfile=NONE
[program:ended]
command={python} -c "import time, sys; time.sleep(0.3); sys.exit(7)"
startsecs=0
autorestart=false
[program:idle]
command=sleep 1000
autostart=false
[program:killed]
command=sleep 1000
startsecs=0
autorestart=false
[program:several]
command=sleep 1000
process_name=%(program_name)s_%(process_num)02d
numprocs=2
startsecs=0
"""

API = """; the web application
[program:api]
command={python} {web} {port}
environment=DATABASE_URL="postgres://app:se%%40cret@db/app?connection_limit=5",PG_POOL_MAX="25" ; pool
startsecs=0
stopsignal=KILL
redirect_stderr=true
"""


def unload(rpc: Callable[..., Any], group: str) -> None:
    """Have a supervisord forget a group, also where a program of it has just ended: that is started again after the stop found
    nothing to stop.

    Args:
        rpc: asks that supervisord: ``rpc(method, *arguments)``.
        group: the name of the group, or of the program where that is alone.
    """
    while True:
        with contextlib.suppress(Fault):
            rpc("stopProcessGroup", group)
        try:
            rpc("removeProcessGroup", group)
        except Fault as refused:
            if refused.faultCode != Faults.STILL_RUNNING:
                raise
        else:
            return


class Supervisord:
    """A running supervisord in a folder of its own, whose path is short enough for a socket."""

    def __init__(self, username: str | None = None, password: str | None = None) -> None:
        self.username, self.password = username, password
        credentials = f"username={username}\npassword={password}" if username else ""
        self.home = Path(tempfile.mkdtemp(prefix="sv", dir="/tmp"))
        self.config = self.home / "supervisord.conf"
        self.program_config = self.home / "conf.d" / "api.conf"
        self.socket = self.home / "s.sock"
        self.port = free_port()
        self.health_url = f"http://127.0.0.1:{self.port}/health"
        self.program_config.parent.mkdir()
        (self.home / "web.py").write_text(WEB)
        self.config.write_text(MAIN.format(python=sys.executable, credentials=credentials))
        self.program_config.write_text(API.format(python=sys.executable, web=self.home / "web.py", port=self.port))
        # In its folder: the account that runs the tests may not be allowed to enter another one.
        self.process = subprocess.Popen(
            [str(Path(sys.executable).parent / "supervisord"), "-c", str(self.config)],
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def rpc(self, method: str, *arguments: object):
        """What supervisor's own client returns for one call."""
        transport = SupervisorTransport(self.username, self.password, f"unix://{self.socket}")
        try:
            return getattr(ServerProxy("http://127.0.0.1", transport=transport).supervisor, method)(*arguments)
        finally:
            transport.close()

    def state(self, name: str) -> str:
        """The state of a program, in supervisor's word for it."""
        return self.rpc("getProcessInfo", name)["statename"]

    def wait_for(self, **states: str) -> None:
        """Wait until programs are in the given states (supervisor's words for them)."""
        until(lambda: self.socket.exists() and all(self.state(name) == state for name, state in states.items()))

    def service(self, name: str = "api", **more: str) -> dict[str, object]:
        """What an inventory says about one of its programs."""
        return {"manager": "supervisor", "name": name, "config": str(self.config), **more}

    def stop(self) -> None:
        """End it with all its programs, and remove its folder."""
        pids = []
        with contextlib.suppress(OSError):  # it may never have come up
            pids = [program["pid"] for program in self.rpc("getAllProcessInfo") if program["pid"]]
        self.process.kill()  # first, so that it starts nothing again; an orderly end takes seconds
        self.process.wait()
        for pid in pids:
            # Each program is the first of its group. What it has started would go on without it, into the next test.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        shutil.rmtree(self.home)
