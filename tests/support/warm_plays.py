# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``ansible-playbook`` without its start: half of the processor time of a play is the import of Ansible and the packing of modules.

A server imports Ansible once. For each play it forks, and the fork runs the same ``main`` as the program, in the folder and
with the environment, arguments and output that it was given. Modules that an earlier play packed are not packed again, templates
that one compiled are not compiled again (:mod:`warm_templates`), and modules begin without the start of Python
(:mod:`warm_modules`). What a play does after that is the same. Tests that look at the program itself (its arguments in the list of
processes, its death) start the program; so do molecule, the demo, and all that goes through ``oncall``.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import importlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, NoReturn

# What a play imports in any case; it is nothing but saved time.
IMPORTED = (
    "ansible.cli.playbook",
    "ansible.executor.module_common",
    "ansible.executor.playbook_executor",
    "ansible.executor.process.worker",
    "ansible.executor.task_executor",
    "ansible.executor.task_queue_manager",
    "ansible.inventory.manager",
    "ansible.plugins.action",
    "ansible.plugins.callback",
    "ansible.plugins.connection",
    "ansible.plugins.inventory",
    "ansible.plugins.shell",
    "ansible.plugins.strategy",
    "ansible.template",
    "ansible.vars.manager",
    "ansible.vars.hostvars",
    "jinja2.nativetypes",
    "jmespath",
    "psutil",
    "cryptography.fernet",
)
PACKED = "ansiballz_cache"
COMPILED = "compiled_templates"


class Process:
    """A play that runs, with the methods of :class:`subprocess.Popen` that the tests need."""

    def __init__(self, told: socket.socket) -> None:
        self._told = told.makefile("r")
        told.close()
        self.pid = int(self._told.readline())
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """How it ended, or None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """How it ended; a signal is negative.

        Raises:
            subprocess.TimeoutExpired: it still runs after so many seconds.
        """
        if self.returncode is None:
            if timeout is not None and not _readable(self._told, timeout):
                raise subprocess.TimeoutExpired("ansible-playbook", timeout)
            self.returncode = int(self._told.readline())
            self._told.close()
        return self.returncode

    def kill(self) -> None:
        """kill -9."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


class Warm:
    """The server, for as long as this process lives.

    Args:
        of_ansible: the variables of the environment that Ansible reads when it is imported.
    """

    def __init__(self, of_ansible: Mapping[str, str]) -> None:
        self._requests, served = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTHON"))}
        with served:
            self._server = subprocess.Popen(
                [sys.executable, __file__, str(served.fileno())],
                env={**environment, **of_ansible},
                pass_fds=[served.fileno()],
                stdin=subprocess.DEVNULL,
            )
        atexit.register(self.close)

    def start(self, argv: Sequence[str], cwd: Path, env: Mapping[str, str], output: IO[str]) -> Process:
        """Begin a play.

        Args:
            argv: of ansible-playbook, with its own name.
            cwd: where it runs.
            env: all of its environment; what is Ansible's own is that of the server.
            output: for what it says, both kinds.
        """
        told, telling = socket.socketpair()
        request = json.dumps({"argv": list(argv), "cwd": str(cwd), "env": dict(env)}).encode()
        with telling:
            socket.send_fds(self._requests, [request], [output.fileno(), telling.fileno()])
        return Process(told)

    def close(self) -> None:
        self._requests.close()
        self._server.wait(30)


@functools.cache
def server(of_ansible: tuple[tuple[str, str], ...]) -> Warm:
    """The server of this process for such settings of Ansible."""
    return Warm(dict(of_ansible))


def _readable(file: IO[str], seconds: float) -> bool:
    return bool(select.select([file], [], [], seconds)[0])


def serve(requests: socket.socket) -> None:
    """Fork for each request until nobody can send one any more."""
    import forks
    import warm_modules
    import warm_templates
    from ansible import constants
    from ansible.utils.path import cleanup_tmp_file

    # The program does not import from the folder of the tests.
    del sys.path[0]
    modules = warm_modules.begun()
    for name in IMPORTED:
        importlib.import_module(name)
    # A fork would remove what is the server's.
    atexit.unregister(cleanup_tmp_file)
    kept = Path(constants.DEFAULT_LOCAL_TMP)
    (kept / COMPILED).mkdir()
    warm_templates.keep(kept / COMPILED)
    warm_modules.use(modules)

    def run(request: dict, descriptors: list[int]) -> NoReturn:
        (output,) = descriptors
        _play(request, output, kept)

    forks.serve(requests, run, 1)
    shutil.rmtree(kept, ignore_errors=True)


def _play(request: dict, output: int, kept: Path) -> NoReturn:
    """What the program ansible-playbook does. Does not return."""
    from ansible import constants
    from ansible.cli.playbook import main

    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    sys.argv = request["argv"]
    code = 1
    with tempfile.TemporaryDirectory(prefix="ansible-local-", dir=kept.parent) as own:
        constants.DEFAULT_LOCAL_TMP = own
        _share(kept / PACKED, Path(own, PACKED))
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        finally:
            _share(Path(own, PACKED), kept / PACKED)
            atexit._run_exitfuncs()
            sys.stdout.flush()
            sys.stderr.flush()
    os._exit(code)


def _share(there: Path, here: Path) -> None:
    """Link modules that were packed there, and that are not here yet. One that is being written is left out."""
    here.mkdir(exist_ok=True)
    if there.is_dir():
        for one in there.iterdir():
            if not one.name.endswith("-part"):
                with contextlib.suppress(FileExistsError):
                    os.link(one, here / one.name)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
