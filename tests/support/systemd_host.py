# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container that boots systemd, with units of a test's own."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

from ansible_collections.oncall.runbooks.tests.support.containers import docker
from ansible_collections.oncall.runbooks.tests.support.plays import REPOSITORY
from ansible_collections.oncall.runbooks.tests.support.supervisord import until

INSTALL = (
    "apt-get -qq update && DEBIAN_FRONTEND=noninteractive "
    "apt-get -qq install --no-install-recommends systemd systemd-sysv dbus python3 && rm -rf /var/lib/apt/lists"
)


def image(base: str) -> str:
    """An image with systemd, made once and kept: its tag is the recipe's hash.

    Args:
        base: an image of Debian.
    """
    recipe = f"{docker('image', 'inspect', '--format', '{{.Id}}', base)} {INSTALL}"
    tag = f"oncall-test-systemd:{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    if docker("images", "--quiet", tag):
        return tag
    name = f"oncall-test-{uuid.uuid4().hex[:8]}"
    try:
        # The engine's own network may have no name server that answers.
        docker("run", "--name", name, "--network", "host", "--user", "root", base, "sh", "-c", INSTALL)
        docker("commit", "--change", 'CMD ["/sbin/init"]', name, tag)
    finally:
        docker("rm", "--force", name)
    return tag


class SystemdHost:
    """A running container whose process 1 is systemd.

    Args:
        base: an image of Debian.
        units: the text of each unit by its name.
    """

    def __init__(self, base: str, units: dict[str, str]) -> None:
        self.name = f"oncall-test-{uuid.uuid4().hex[:8]}"
        rights = ["--cap-add", "SYS_ADMIN", "--security-opt", "seccomp=unconfined", "--cgroupns", "host"]
        places = ["--volume", "/sys/fs/cgroup:/sys/fs/cgroup:rw", "--tmpfs", "/run", "--tmpfs", "/tmp"]
        label = ["--label", "oncall.test=systemd", "--memory", "512m", "--network", "none"]
        docker("run", "--detach", "--name", self.name, *rights, *places, *label, image(base))
        until(lambda: self.run("systemctl is-system-running || true") in ("running", "degraded"))
        for name, text in units.items():
            self.run(f"cat > /etc/systemd/system/{name}.service", text)
        self.run("systemctl daemon-reload")

    def run(self, script: str, text: str = "") -> str:
        """What a shell script in it prints."""
        argv = ["docker", "exec", "--interactive", self.name, "sh", "-c", script]
        done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"{script}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def show(self, unit: str, name: str) -> str:
        """One property of a unit."""
        return self.run(f"systemctl show --value --property {name} {unit}")

    def variables(self) -> list[str]:
        """Options of ansible-playbook with which it works in this container, whatever host a play names."""
        wanted = {
            "ansible_connection": "community.docker.docker",
            "ansible_host": self.name,
            "ansible_python_interpreter": "/usr/bin/python3",
        }
        return ["--extra-vars", json.dumps(wanted)]

    def module(self, name: str, folder: Path, **arguments: Any) -> dict[str, Any]:
        """What a module of this collection answers that Ansible runs in it."""
        config = folder / "ansible.cfg"
        config.write_text(f"[defaults]\ncollections_path = {REPOSITORY}/collections\n")
        argv = ["localhost", *self.variables(), "-m", f"oncall.runbooks.{name}", "-a", json.dumps(arguments)]
        done = subprocess.run(
            [str(Path(sys.executable).with_name("ansible")), *argv],
            env=os.environ
            | {
                "ANSIBLE_CONFIG": str(config),
                "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1",
                "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
            },
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)["plays"][0]["tasks"][0]["hosts"]["localhost"]

    def remove(self) -> None:
        """Take it down with all that runs in it."""
        docker("rm", "--force", "--volumes", self.name)
