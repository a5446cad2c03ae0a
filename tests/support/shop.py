# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small application in a container, deployed from a real git checkout, and its users."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path
from typing import Any

from ansible_collections.oncall.runbooks.tests.support.containers import base_image
from ansible_collections.oncall.runbooks.tests.support.http_servers import Handler, HttpServer
from ansible_collections.oncall.runbooks.tests.support.reaper import reap
from ansible_collections.oncall.runbooks.tests.support.waiting import until
from lab.ports import free_port

ROUTES = ("/orders", "/stats", "/items", "/rates")
APP = """
import collections, http.server, os, pathlib, traceback, urllib.request

FAILS = {fails!r}
answers, provider_errors = collections.Counter(), collections.Counter()


def total(order):
    return order["price"] * order["amount"]


def answer(path):
    if path == "/metrics":
        lines = ["# TYPE app_response_status_total counter", "# TYPE app_provider_errors_total counter"]
        lines += ['app_response_status_total{{status="%s",route="%s"}} %d' % (*key, n) for key, n in answers.items()]
        lines += ['app_provider_errors_total{{host="%s"}} %d' % pair for pair in provider_errors.items()]
        return 200, "\\n".join(lines) + "\\n"
    if path == "/health":
        return (503 if path in FAILS else 200), "health"
    if path in FAILS or path in pathlib.Path("/state/broken").read_text().split():
        return 200, total({{"price": 3}})
    if path == "/rates" and os.environ["CRM_ENABLED"] == "1":
        try:
            urllib.request.urlopen("http://127.0.0.1:%s/" % os.environ["CRM_PORT"], timeout=1).read()
        except OSError:
            provider_errors["crm"] += 1
            raise
    return 200, "fine"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            status, body = answer(self.path)
        except Exception:
            traceback.print_exc()
            status, body = 500, "error"
        if self.path not in ("/metrics", "/health"):
            answers[str(status), self.path] += 1
        self.send_response(status)
        self.end_headers()
        self.wfile.write(str(body).encode())

    def log_message(self, *arguments):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
COMMAND = ["docker", "compose", "--project-directory", "..", "up", "--detach", "--force-recreate", "--no-deps", "api"]


class Shop:
    """The application ``api``, a bystander ``worker``, a provider, users, and an inventory.

    Args:
        folder: an empty folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.release = folder / "release"
        self.port, self.crm_port = free_port(), free_port()
        self.name = f"shop{uuid.uuid4().hex[:8]}"
        reap(f"oncall.runbooks.test={self.name}")
        self._crm: HttpServer | None = None
        self._closed = threading.Event()
        self._write_project()
        self._users = threading.Thread(target=self._visit, daemon=True)

    def _write_project(self) -> None:
        (self.folder / "state").mkdir()
        service = {"image": base_image(), "pull_policy": "never", "init": True, "network_mode": "host"}
        service |= {"stop_grace_period": "1s", "labels": {"oncall.runbooks.test": self.name}}
        api = {
            **service,
            "command": ["python3", "-u", "/srv/app.py"],
            "env_file": ["api.env"],
            "volumes": ["./release:/srv:ro", "./state:/state:ro"],
        }
        worker = {**service, "command": ["sleep", "infinity"]}
        project = {"name": self.name, "services": {"api": api, "worker": worker}}
        # JSON is YAML.
        (self.folder / "compose.yaml").write_text(json.dumps(project))
        self.inventory = self.folder / "inventory.json"
        self.inventory.write_text(json.dumps({"all": {"hosts": {"shop": self._variables()}}}))

    def _variables(self) -> dict[str, Any]:
        service = {"manager": "compose", "project": str(self.folder), "project_name": self.name}
        url = f"http://127.0.0.1:{self.port}"
        api = {**service, "environment_file": str(self.folder / "api.env"), "health_url": f"{url}/health"}
        return {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "system_state_directory": str(self.folder / "oncall"),
            "system_services": {"api": api, "worker": service},
            "system_endpoints": {"api": f"{url}/metrics"},
            "system_metrics": {
                "responses": "app_response_status_total",
                "provider_errors": "app_provider_errors_total",
            },
            "system_deployment": {"path": str(self.release), "deploy_command": COMMAND, "services": ["api"]},
            "error_rate_window_seconds": 2,
            "error_rate_min_answers": 8,
            "run_verify_seconds": 1,
            "run_verify_timeout_seconds": 60,
            "run_verify_every_seconds": 1,
            "run_confirm_seconds": 0.2,
            "run_cooldown_seconds": 0,
            "run_budget_count": 100,
            "run_ineffective_limit": 0,
        }

    # ------------------------------------------------------------------ the checkout
    def git(self, *arguments: str, at: float = 0) -> str:
        date = f"{int(at or time.time())} +0000"
        who = {f"GIT_{role}_{what}": "shop" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.release,
            env={**kept, **who, "GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def commit(self, subject: str, *fails: str, at: float = 0) -> str:
        """One more commit, of an application whose routes ``fails`` do not work; its full name."""
        (self.release / "app.py").write_text(f"# {subject}\n" + APP.format(fails=fails))
        self.git("add", "--all", at=at)
        self.git("commit", "--quiet", "--message", subject, at=at)
        return self.head()

    def head(self) -> str:
        return self.git("rev-parse", "HEAD")

    def deploy(self) -> None:
        done = subprocess.run(COMMAND, cwd=self.release, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stderr

    # ------------------------------------------------------------------ the application
    def begin(self, *subjects: tuple[str, tuple[str, ...]]) -> list[str]:
        """A new checkout of commits of yesterday, the last one deployed, everything sound. Their names."""
        self.break_routes()
        self.start_crm()
        (self.folder / "api.env").write_text(f"PORT={self.port}\nCRM_PORT={self.crm_port}\nCRM_ENABLED=1\n")
        subprocess.run(["rm", "-rf", str(self.release)], check=True)
        self.release.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")
        yesterday = time.time() - 86400
        chosen = subjects or (("First", ()), ("Second", ()))
        names = [self.commit(subject, *fails, at=yesterday) for subject, fails in chosen]
        # A folder that was replaced is another one for a container that has it.
        subprocess.run(
            ["docker", "compose", "up", "--detach", "--force-recreate", "--timeout", "1"],
            cwd=self.folder, check=True, capture_output=True, timeout=240,
        )  # fmt: skip
        until(lambda: self.status("/metrics") == 200)
        if not self._users.is_alive():
            self._users.start()
        return names

    def break_routes(self, *routes: str) -> None:
        """Routes that fail whatever is deployed."""
        (self.folder / "state" / "broken").write_text(" ".join(routes))

    def status(self, path: str) -> int:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=2) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def started(self, service: str) -> str:
        """When the container of a service was started last."""
        name = f"{self.name}-{service}-1"
        command = ["docker", "inspect", "--format", "{{.State.StartedAt}}", name]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def _visit(self) -> None:
        while not self._closed.is_set():
            for route in ROUTES:
                self.status(route)
            self._closed.wait(0.1)

    # ------------------------------------------------------------------ the provider
    def start_crm(self) -> None:
        if self._crm is None:

            class Fine(Handler):
                def do_GET(self) -> None:
                    self.give()

            self._crm = HttpServer(Fine, self.crm_port)

    def stop_crm(self) -> None:
        if self._crm is not None:
            self._crm.close()
            self._crm = None

    def remove(self) -> None:
        self._closed.set()
        self.stop_crm()
        subprocess.run(
            ["docker", "compose", "down", "--timeout", "1", "--volumes"],
            cwd=self.folder,
            capture_output=True,
            check=True,
        )
