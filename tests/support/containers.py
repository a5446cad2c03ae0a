# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small real containers for tests, all of which are removed again."""

from __future__ import annotations

import json
import subprocess
import uuid
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

from ansible_collections.oncall.runbooks.tests.support.reaper import reap
from lab.compose.images import images


@cache
def base_image() -> str:
    """The image with Python that the lab's programs run in; it is Debian's."""
    return images(print)["python"]


def docker(*arguments: str, check: bool = True) -> str:
    """The output of the docker command."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 or not check, f"docker {arguments[0]}: {done.stderr}"
    return done.stdout.strip()


class Containers:
    """Containers whose names begin alike, and that carry a label of their own."""

    def __init__(self) -> None:
        self.image = base_image()
        self.prefix = f"svc{uuid.uuid4().hex[:8]}-"
        self.label = f"oncall.runbooks.test={self.prefix}"
        reap(self.label)

    def run(self, name: str, code: str, *options: str) -> None:
        """Start one that runs some Python, with the options of ``docker run``."""
        docker(
            *("run", "--detach", "--name", self.prefix + name, "--label", self.label, "--stop-timeout", "1"),
            *("--network", "none", *options, self.image, "python3", "-uc", code),
        )

    def run_all(self, wanted: dict[str, tuple[str, ...]]) -> None:
        """Start several at once: name -> code and options."""
        with ThreadPoolExecutor(4) as pool:
            for started in [pool.submit(self.run, name, *how) for name, how in wanted.items()]:
                started.result()

    def service(self, name: str, **more: Any) -> dict[str, Any]:
        """What an inventory says about one."""
        return {"manager": "docker", "name": self.prefix + name, **more}

    def state(self, name: str) -> dict[str, Any]:
        """What the engine says about the state of one."""
        return json.loads(docker("inspect", "--format", "{{json .State}}", self.prefix + name))

    def remove(self) -> None:
        """Remove those that were started, and the networks they were given."""
        ids = docker("ps", "--all", "--quiet", "--filter", f"label={self.label}").split()
        if ids:
            docker("rm", "--force", "--volumes", *ids)
