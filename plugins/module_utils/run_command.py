# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a program without a shell, within its time, and say in one line how it ended."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import PurePath

from .text.masking import masked
from .text.one_line import one_line

OUTPUT_LIMIT_BYTES = 64 * 1024


def failure(argv, ended, timeout_seconds):
    """One line about a command that did not end well: the program's name only, as arguments can be secret."""
    program = one_line(PurePath(str(argv[0])).name)
    if ended["error"] == "timeout":
        return f"{program} was killed: it had not ended within {timeout_seconds:g} s"
    if ended["error"]:
        return f"{program} cannot be run: {ended['error']}"
    how = f"was ended by {ended['signal']}" if ended["signal"] else f"ended with exit code {ended['exit_code']}"
    last = last_line(ended["stderr"]) or last_line(ended["stdout"])
    return f"{program} {how}: {last}" if last else f"{program} {how} and printed nothing"


def last_line(text):
    """The last line that is not blank, fit for a message: short, and without secrets."""
    lines = [line for line in text.splitlines() if line.strip()]
    return masked(lines[-1]) if lines else ""


def run(
    argv, timeout_seconds, environment=None, directory=None, given=None, keep_open=(), limit_bytes=OUTPUT_LIMIT_BYTES
):
    """Run a program without a shell, in a process group of its own that does not outlive the time given.

    Args:
        argv: the program and its arguments.
        timeout_seconds: after this time the whole process group is killed.
        environment: its environment; this process' own where not given.
        directory: the folder it runs in; this process' own where not given.
        given: bytes that it reads from its standard input; nothing where not given.
        keep_open: descriptors of this process that it has too, for as long as it lives.
        limit_bytes: how much is kept of what it prints.

    Returns:
        A dict ``exit_code`` and ``signal`` (None or one of them), ``stdout`` and ``stderr`` (the last 64 KiB
        of each as text, or as much as asked for) and ``error`` (empty, ``timeout``, or why it could not be run).
    """
    import signal
    import subprocess

    ended = {"exit_code": None, "signal": None, "stdout": "", "stderr": "", "error": ""}
    try:
        with _stdin(given) as stdin:
            # Observers run in the controller as well, where there is no module and so no run_command.
            process = subprocess.Popen(  # pylint: disable=ansible-bad-function
                [str(item) for item in argv],
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                cwd=directory,
                start_new_session=True,
                pass_fds=keep_open,
            )
    except (OSError, ValueError) as error:
        return dict(ended, error=one_line(getattr(error, "strerror", None) or error))
    has_ended = False
    try:
        ended["stdout"], ended["stderr"], has_ended = _collect(process, timeout_seconds, limit_bytes)
    finally:
        # Only where time is up: what a command that ended well leaves in the background is there on purpose.
        if not has_ended:
            os.killpg(process.pid, signal.SIGKILL)
        code = process.wait()
        process.stdout.close()
        process.stderr.close()
    if not has_ended:
        return dict(ended, error="timeout")
    if code < 0:
        return dict(ended, signal=_signal_name(-code))
    return dict(ended, exit_code=code)


@contextmanager
def _stdin(given):
    """What a program reads: a file and no pipe, so that nobody waits until it does."""
    import subprocess
    import tempfile

    if given is None:
        yield subprocess.DEVNULL
        return
    with tempfile.TemporaryFile() as file:
        file.write(given)
        file.seek(0)
        yield file


def _signal_name(number):
    import signal

    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIG{number}"


def _collect(process, timeout_seconds, limit_bytes):
    """Read until the program has ended, keeping the end of what it prints."""
    import selectors
    import time

    kept = {process.stdout: b"", process.stderr: b""}
    end = time.monotonic() + timeout_seconds
    with selectors.DefaultSelector() as selector:
        for stream in kept:
            os.set_blocking(stream.fileno(), False)
            selector.register(stream, selectors.EVENT_READ)
        while True:
            # Asked before reading: what an ended program printed is then already in the pipes.
            # WNOWAIT: the process group keeps its number, so that nothing else can be killed in its place.
            has_ended = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
            in_time = time.monotonic() < end
            # A child in the background may hold the pipes open; the program's own end is what counts.
            wait = 0 if has_ended or not in_time else min(0.05, end - time.monotonic())
            if selector.get_map():
                ready = [key.fileobj for key, _events in selector.select(max(0, wait))]
            else:
                time.sleep(max(0, min(0.01, wait)))
                ready = []
            for stream in ready:
                chunk = os.read(stream.fileno(), OUTPUT_LIMIT_BYTES)
                if chunk:
                    kept[stream] = (kept[stream] + chunk)[-limit_bytes:]
                else:
                    selector.unregister(stream)
            if not in_time or (has_ended and not ready):
                out, err = (kept[stream].decode("utf-8", "replace") for stream in (process.stdout, process.stderr))
                return out, err, has_ended
