# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Prometheus server of one's own: Debian's, on loopback, with its data in a folder that goes with it."""

from __future__ import annotations

import fcntl
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

SCRAPE_SECONDS = 0.25


class NoPrometheus(Exception):
    """There is no Prometheus on this machine, and it cannot be had; says so in one line."""


def ensure_prometheus(cache: Path) -> str:
    """The program: the machine's own or, on Debian and Ubuntu, their package unpacked below ``cache``.

    Nothing is installed and no service is started, so this needs no root.
    """
    if found := shutil.which("prometheus"):
        return found
    unpacked = cache / "root" / "usr" / "bin" / "prometheus"
    cache.mkdir(parents=True, exist_ok=True)
    # Tests that start at the same moment fetch it once, and nobody starts a program that is half unpacked.
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not unpacked.exists():
            try:
                _run(cache, "apt-get", "download", "prometheus")
            except NoPrometheus:
                # Lists that are missing or too old; only root can have them fetched.
                _run(cache, "apt-get", "update")
                _run(cache, "apt-get", "download", "prometheus")
            newest = max(cache.glob("prometheus_*.deb"), key=lambda path: path.stat().st_mtime)
            _run(cache, "dpkg-deb", "-x", str(newest), str(cache / "root"))
    return str(unpacked)


def _run(folder: Path, *argv: str) -> None:
    try:
        done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=180)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoPrometheus(f"no prometheus here, and {argv[0]} cannot fetch it: {error}") from None
    if done.returncode != 0:
        said = " ".join(done.stderr.split())[-200:]
        raise NoPrometheus(f"no prometheus here, and {argv[0]} cannot fetch it: {said}")


class Prometheus:
    """A server that scrapes a few targets four times a second.

    Args:
        program: of :func:`ensure_prometheus`.
        folder: for its configuration, data and log.
        jobs: name of each job to its targets, as ``host:port``.
    """

    def __init__(self, program: str, folder: Path, jobs: dict[str, list[str]]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        every = f"{round(SCRAPE_SECONDS * 1000)}ms"
        configuration = {
            "global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": "1h"},
            "scrape_configs": [
                {"job_name": name, "static_configs": [{"targets": targets}]} for name, targets in jobs.items()
            ],
        }
        folder.mkdir(parents=True, exist_ok=True)
        # JSON is YAML.
        (folder / "prometheus.yml").write_text(json.dumps(configuration))
        with (folder / "prometheus.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    program,
                    f"--config.file={folder / 'prometheus.yml'}",
                    f"--storage.tsdb.path={folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{port}",
                ],
                stdout=log,
                stderr=log,
            )
        self._log = folder / "prometheus.log"

    def query(self, expression: str) -> list[Any]:
        body = urllib.parse.urlencode({"query": expression}).encode()
        with urllib.request.urlopen(f"{self.url}/api/v1/query", body, timeout=2) as answer:
            return list(json.load(answer)["data"]["result"])

    def wait_for(self, expression: str, seconds: float = 15) -> None:
        """Until the expression has a result."""
        end = time.monotonic() + seconds
        while True:
            try:
                if self.query(expression):
                    return
            except urllib.error.HTTPError as error:
                # 503 until it has read its data; anything else is the expression's fault.
                if error.code != 503:
                    raise ValueError(f"{expression}: {error.read().decode(errors='replace')[-200:]}") from None
            except OSError:
                if self._process.poll() is not None:
                    raise RuntimeError(f"prometheus ended: {self._log.read_text()[-500:]}") from None
            if time.monotonic() > end:
                raise TimeoutError(f"{expression} has no result within {seconds:g} s: {self._log.read_text()[-500:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)
