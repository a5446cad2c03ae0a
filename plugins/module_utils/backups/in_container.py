# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""pg_dump, pg_restore and psql in the container of a server, with the file on this side."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile

from ..deadline import Deadline, DeadlineExceeded
from .act import conninfo
from .files import opened
from .unpack import plain_chunks, unpacked_chunks

_ERROR_BYTES = 4096


def command(database, program, *arguments):
    """The argument list of a program in the container, and its environment. Pure, but for this process' own environment.

    Args:
        database: as in :data:`postgres.spec.DATABASE`.
        program: in the container.
        arguments: of the program, besides those that say where the server is.
    """
    environment = dict(os.environ)
    argv = ["docker", "exec", "-i"]
    if database.get("password"):
        # Named only: docker takes the value from its environment.
        environment["PGPASSWORD"] = database["password"]
        argv += ["-e", "PGPASSWORD"]
    argv += [database["container"], program, "--no-password"]
    for flag, key in (("--username", "user"), ("--host", "host"), ("--port", "port")):
        if database.get(key):
            argv.append(f"{flag}={database[key]}")
    return [*argv, *arguments], environment


def reason_of(stderr):
    """The line that says why a program of PostgreSQL failed: its statement and a summary may come after it. Pure."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if "ERROR:" in line or "FATAL:" in line or "error:" in line]
    # The last one is the one that ended it.
    return (errors or lines or ["it printed nothing"])[-1]


def dumped(params):
    """Dump into a file that is there; the exit code and the end of stderr."""
    form = (
        ["--format=plain", *(["--compress=6"] if params["packed"] else [])]
        if params["is_plain"]
        else ["--format=custom"]
    )
    name = f"--dbname={conninfo(params['database']['name'])}"
    argv, environment = command(params["database"], "pg_dump", *form, name)
    descriptor = os.open(params["path"], os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC)
    with open(descriptor, "wb") as file:
        return _run(argv, environment, None, file, Deadline(params["timeout_seconds"]))


def restored(params):
    """Restore into a database; the exit code and the end of stderr."""
    name = f"--dbname={params['into']}"
    deadline = Deadline(params["timeout_seconds"])
    if params["is_plain"]:
        arguments = ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--single-transaction", name]
        argv, environment = command(params["database"], "psql", *arguments)
    else:
        argv, environment = command(params["database"], "pg_restore", "--exit-on-error", name)
    with opened(params["path"]) as (file, _status):
        chunks = unpacked_chunks(file, params["packed"]) if params["packed"] else plain_chunks(file)
        return _run(argv, environment, chunks, subprocess.DEVNULL, deadline)


def _run(argv, environment, chunks, output, deadline):
    with tempfile.TemporaryFile() as errors:
        # Modules have run_command, which keeps all output in memory.
        process = subprocess.Popen(  # pylint: disable=ansible-bad-function
            argv,
            stdin=subprocess.DEVNULL if chunks is None else subprocess.PIPE,
            stdout=output,
            stderr=errors,
            env=environment,
            start_new_session=True,
        )
        try:
            if chunks is not None:
                _write(process.stdin, chunks, deadline)
            code = process.wait(timeout=deadline.remaining_seconds())
        except subprocess.TimeoutExpired:
            raise DeadlineExceeded(f"it had not ended within {deadline.seconds:g} s") from None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        errors.seek(0, os.SEEK_END)
        errors.seek(max(0, errors.tell() - _ERROR_BYTES))
        return code, errors.read().decode("utf-8", "replace")


def _write(pipe, chunks, deadline):
    """Give a program what it reads. One that has ended says by itself why."""
    try:
        for chunk in chunks:
            deadline.remaining_seconds()
            pipe.write(chunk)
        pipe.close()
    except BrokenPipeError:
        pass
