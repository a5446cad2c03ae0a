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

from ansible_collections.oncall.runbooks.tests.support.containers import base_image, docker
from ansible_collections.oncall.runbooks.tests.support.plays import REPOSITORY
from ansible_collections.oncall.runbooks.tests.support.reaper import reap
from ansible_collections.oncall.runbooks.tests.support.waiting import until

INSTALL = (
    "apt-get -qq update && DEBIAN_FRONTEND=noninteractive "
    "apt-get -qq install --no-install-recommends systemd systemd-sysv dbus python3 && rm -rf /var/lib/apt/lists"
)
GROUPS = Path("/sys/fs/cgroup")
# systemd mounts, makes folders and remounts there; in a container with the host's folder it would do so to the host.
OWN_GROUPS = {
    # It mounts each hierarchy by itself and sees, with a namespace of its own, no group above the container's.
    "1": (["--tmpfs", str(GROUPS)], "exec /sbin/init"),
    # The engine has mounted the container's own group, and only for reading; "bind" changes this one mount alone.
    "2": ([], f"mount -o remount,bind,rw {GROUPS} && exec /sbin/init"),
}


def host_groups() -> list[str]:
    """How this machine's control groups are mounted, and which there are; a container has to leave it as it is."""
    mounts = [line.split(" ", 4)[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    hierarchies = [line.split() for line in Path("/proc/cgroups").read_text().splitlines()]
    # With version 2 these are groups, which come and go.
    folders = [] if (GROUPS / "cgroup.controllers").exists() else [path.name for path in GROUPS.iterdir()]
    return sorted(
        [mount for mount in mounts if mount.startswith(str(GROUPS))]
        + [f"{name} in hierarchy {number}" for name, number, *_ in hierarchies]
        + folders
    )


def image() -> str:
    """An image with systemd, made once and kept: its tag is the recipe's hash."""
    base = base_image()
    recipe = f"{docker('image', 'inspect', '--format', '{{.Id}}', base)} {INSTALL}"
    tag = f"oncall-test-systemd:{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    if docker("images", "--quiet", tag):
        return tag
    name = f"oncall-test-{uuid.uuid4().hex[:8]}"
    try:
        # The engine's own network may have no name server that answers.
        docker("run", "--name", name, "--network", "host", "--user", "root", base, "sh", "-c", INSTALL)
        docker("commit", name, tag)
    finally:
        docker("rm", "--force", name)
    return tag


class SystemdHost:
    """A running container whose process 1 is systemd.

    Args:
        units: the text of each unit by its name.
    """

    def __init__(self, units: dict[str, str]) -> None:
        self.name = f"oncall-test-{uuid.uuid4().hex[:8]}"
        own, command = OWN_GROUPS[docker("info", "--format", "{{.CgroupVersion}}")]
        rights = ["--cap-add", "SYS_ADMIN", *(f"--security-opt={name}=unconfined" for name in ("seccomp", "apparmor"))]
        places = ["--cgroupns", "private", *own, "--tmpfs", "/run", "--tmpfs", "/tmp"]
        reap(mine := f"oncall.runbooks.test={self.name}")
        label = ["--label", mine, "--memory", "512m", "--network", "none"]
        chosen = image()
        self._groups = host_groups()
        docker("run", "--detach", "--name", self.name, *rights, *places, *label, chosen, "sh", "-c", command)
        try:
            until(lambda: self.run("systemctl is-system-running || true") in ("running", "degraded"))
        except BaseException:
            self.remove()
            raise
        for name, text in units.items():
            self.run(f"cat > /etc/systemd/system/{name}.service", text)
        self.run("systemctl daemon-reload")

    def run(self, script: str, text: str = "") -> str:
        """What a shell script in it prints."""
        argv = ["docker", "exec", "--interactive", self.name, "sh", "-c", script]
        done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=240)
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
            timeout=240,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)["plays"][0]["tasks"][0]["hosts"]["localhost"]

    def remove(self) -> None:
        """Take it down with all that runs in it; this machine's own control groups are what they were."""
        booted = host_groups()
        docker("rm", "--force", "--volumes", self.name)
        assert booted == host_groups() == self._groups
