# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that has imported what takes long, and forks for each request."""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
from collections.abc import Callable
from typing import Any, NoReturn

REQUEST_BYTES = 1 << 18


def serve(requests: socket.socket, run: Callable[[dict[str, Any], list[int]], NoReturn], count: int) -> None:
    """Fork for each request until nobody can send one any more.

    Args:
        requests: a request is JSON with that many file descriptors, and one more, to which the id of its process is written, and
            then how that ended, a line each; a signal is negative.
        run: what the fork does, with the request and its descriptors.
        count: of its descriptors.
    """
    gc.freeze()
    # A fork waits for its own and tells how that ended; nobody waits for that fork.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        request, descriptors, _flags, _address = socket.recv_fds(requests, REQUEST_BYTES, count + 1)
        if not request:
            return
        if os.fork() == 0:
            requests.close()
            _watch(json.loads(request), descriptors, run)
        for descriptor in descriptors:
            os.close(descriptor)


def _watch(
    request: dict[str, Any], descriptors: list[int], run: Callable[[dict[str, Any], list[int]], NoReturn]
) -> NoReturn:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    *given, telling = descriptors
    pid = os.fork()
    if pid == 0:
        os.close(telling)
        run(request, given)
    os.write(telling, b"%d\n" % pid)
    _pid, status = os.waitpid(pid, 0)
    os.write(telling, b"%d\n" % os.waitstatus_to_exitcode(status))
    os._exit(0)
