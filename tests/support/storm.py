# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that behave like Alertmanager, in numbers: what is not acknowledged with a 2xx they send again."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

RETRY_SECONDS = 0.05


@dataclass
class Storm:
    """What clients have seen.

    Attributes:
        acknowledged: the numbers of the alerts that were.
        seconds: how long each acknowledgement took, whether the first try or not.
        refused: status -> how many answers, of those that are no acknowledgement.
        broken: connections that were.
    """

    acknowledged: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    refused: dict[int, int] = field(default_factory=dict)
    broken: int = 0

    def percentile(self, percent: float) -> float:
        """Of the seconds of an acknowledgement."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else 0.0


class Clients:
    """Send each of some notifications until it is acknowledged.

    Args:
        port: on 127.0.0.1.
        count: clients at once.
        notifications: (the numbers of its alerts, its body).
        headers: of each request.
    """

    def __init__(
        self,
        port: int,
        count: int,
        notifications: Iterable[tuple[list[int], bytes]],
        headers: dict[str, str],
        path: str = "/alerts",
    ) -> None:
        self.seen = Storm()
        self._port, self._path, self._headers = port, path, headers
        self._left: Iterator[tuple[list[int], bytes]] = iter(notifications)
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._client, daemon=True) for _ in range(count)]

    def start(self) -> Clients:
        for thread in self._threads:
            thread.start()
        return self

    def join(self, seconds: float) -> Storm:
        """Until all is acknowledged."""
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        assert not any(thread.is_alive() for thread in self._threads), f"{self.count} were acknowledged in {seconds} s"
        return self.seen

    def stop(self) -> Storm:
        """Send nothing more."""
        self._over.set()
        for thread in self._threads:
            thread.join(60)
        return self.seen

    @property
    def count(self) -> int:
        with self._lock:
            return len(self.seen.acknowledged)

    def _client(self) -> None:
        connection: http.client.HTTPConnection | None = None
        while not self._over.is_set():
            with self._lock:
                one = next(self._left, None)
            if one is None:
                break
            numbers, body = one
            while not self._over.is_set():
                began = time.monotonic()
                try:
                    if connection is None:
                        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=120)
                    connection.request("POST", self._path, body, self._headers)
                    answer = connection.getresponse()
                    answer.read()
                except (OSError, http.client.HTTPException):
                    if connection is not None:
                        connection.close()
                    connection = None
                    with self._lock:
                        self.seen.broken += 1
                    self._over.wait(RETRY_SECONDS)
                    continue
                if 200 <= answer.status < 300:
                    with self._lock:
                        self.seen.acknowledged.extend(numbers)
                        self.seen.seconds.append(time.monotonic() - began)
                    break
                with self._lock:
                    self.seen.refused[answer.status] = self.seen.refused.get(answer.status, 0) + 1
                self._over.wait(RETRY_SECONDS)
        if connection is not None:
            connection.close()


def in_groups(
    numbers: Iterable[int],
    size: int,
    alert: Callable[[int], dict[str, Any]],
    body: Callable[[list[dict[str, Any]]], bytes],
) -> Iterator[tuple[list[int], bytes]]:
    """Notifications of ``size`` alerts each."""
    left = iter(numbers)
    while group := [*islice(left, size)]:
        yield group, body([alert(number) for number in group])
