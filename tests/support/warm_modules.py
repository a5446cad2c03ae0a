# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules of warm plays without the start of Python: most of the processor time of a module goes into what it imports.

A server imports that once. For each module that a warm play starts on this host it forks, and the fork executes the very text that
Ansible would have given to ``python``, in the folder and with the environment of the play. All else goes Ansible's own way: another
connection, user or interpreter, and a module with an environment of its own.

So a warm play does not see that a file is missing in what Ansible packs. Molecule, the containers' own plays, the demo and all that
goes through ``oncall`` do.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import json
import os
import pkgutil
import socket
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from types import ModuleType
from typing import IO, Any, NoReturn

COLLECTIONS = Path(__file__).resolve().parents[2] / "collections"
OWN = "ansible_collections.oncall.runbooks.plugins.module_utils"
# What most modules import besides; it is nothing but saved time.
IMPORTED = (
    "ansible.module_utils.basic",
    "ansible.module_utils.urls",
    "ansible.module_utils._internal._ansiballz._loader",
    "ansible.module_utils._internal._json._profiles._module_legacy_c2m",
    "ansible.module_utils._internal._json._profiles._module_legacy_m2c",
    *("docker", "psycopg", "redis", "requests"),
)


def begun() -> socket.socket:
    """Start the server; how it is asked. It ends with the last that can."""
    requests, served = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with served:
        subprocess.Popen(
            [sys.executable, __file__, str(served.fileno())], pass_fds=[served.fileno()], stdin=subprocess.DEVNULL
        )
    return requests


def use(requests: socket.socket) -> None:
    """Have the local connection of this process and its forks send modules to the server.

    Args:
        requests: of :func:`begun`.
    """
    from ansible.plugins.connection import local

    otherwise = local.Connection.exec_command
    # As a piped module is started where nothing else is asked for.
    plain = f"/bin/sh -c '{sys.executable} && sleep 0'"

    def exec_command(
        self: Any, cmd: str, in_data: bytes | None = None, sudoable: bool = True
    ) -> tuple[int, bytes, bytes]:
        if not in_data or cmd != plain:
            return otherwise(self, cmd, in_data, sudoable)
        return _asked(requests, in_data, os.fsdecode(self.cwd or "."))

    local.Connection.exec_command = exec_command


def _asked(requests: socket.socket, text: bytes, folder: str) -> tuple[int, bytes, bytes]:
    """The return code, the output and the errors of Python with such a text."""
    request = json.dumps(
        {"environment": dict(os.environ), "folder": str(Path(folder).absolute()), "umask": _umask()}
    ).encode()
    told, telling = socket.socketpair()
    with contextlib.ExitStack() as files, told:
        given, output, errors = (files.enter_context(tempfile.TemporaryFile()) for _ in range(3))
        given.write(text)
        given.seek(0)
        with telling:
            socket.send_fds(requests, [request], [given.fileno(), output.fileno(), errors.fileno(), telling.fileno()])
        with told.makefile() as lines:
            _pid, code = map(int, lines)
        return code, _all_of(output), _all_of(errors)


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


def _all_of(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


def serve(requests: socket.socket) -> None:
    """Execute a module for each request until nobody can send one any more."""
    import forks

    # A module does not import from the folder of the tests.
    del sys.path[0]
    _import()
    forks.serve(requests, _execute, 3)


def _import() -> None:
    for name in IMPORTED:
        # Not every version of Ansible has them all.
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    sys.path.insert(0, str(COLLECTIONS))
    package = importlib.import_module(OWN)
    for one in pkgutil.walk_packages(package.__path__, OWN + "."):
        importlib.import_module(one.name)
    del sys.path[0]
    # What holds the packages of a module is what Ansible packed: it has other collections as well.
    parents = OWN.split(".")[:-1]
    for count in range(len(parents)):
        del sys.modules[".".join(parents[: count + 1])]


def _execute(request: dict[str, Any], standard: list[int]) -> NoReturn:
    """What ``python`` does with a text on its standard input."""
    for number, descriptor in enumerate(standard):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    os.umask(request["umask"])
    sys.argv = ["-"]
    main = ModuleType("__main__")
    sys.modules["__main__"] = main
    code = 0
    try:
        exec(compile(sys.stdin.read(), "<stdin>", "exec"), vars(main))
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
