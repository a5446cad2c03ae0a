# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How soon pages of a running service answer, and how much a browser has to load for each."""

from __future__ import annotations

import http.client
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode


@dataclass(frozen=True)
class Visit:
    """One page.

    Attributes:
        path: of it.
        first_byte_seconds: from the request to the first line of the answer, the median of several.
        bytes: of it and of every file of the service that it names, as they go over the wire without compression.
    """

    path: str
    first_byte_seconds: float
    bytes: int


def visit(port: int, token: str, paths: Sequence[str], times: int = 9) -> list[Visit]:
    """Sign in by a token, and load each of these pages so many times."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    form = urlencode({"token": token})
    origin = {"Origin": f"http://127.0.0.1:{port}", "Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", "/signin", form, origin)
    answer = connection.getresponse()
    answer.read()
    if answer.status != 303:
        raise AssertionError(f"signing in answered {answer.status}")
    cookie = {"Cookie": (answer.getheader("Set-Cookie") or "").partition(";")[0]}

    def load(path: str) -> tuple[float, bytes]:
        began = time.perf_counter()
        connection.request("GET", path, headers=cookie)
        one = connection.getresponse()
        seconds = time.perf_counter() - began
        body = one.read()
        if one.status != 200:
            raise AssertionError(f"{path} answered {one.status}")
        return seconds, body

    visits = []
    for path in paths:
        loads = [load(path) for _ in range(times)]
        body = loads[-1][1]
        files = sorted({*re.findall(r'(?:href|src)="(/static/[^"]+)"', body.decode())})
        weight = len(body) + sum(len(load(file)[1]) for file in files)
        visits.append(Visit(path, sorted(seconds for seconds, _body in loads)[times // 2], weight))
    connection.close()
    return visits
