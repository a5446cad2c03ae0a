# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection between two programs that can be cut: then nothing gets through, and neither side hears that the other is gone."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

LOOK_EVERY_SECONDS = 0.05


class Wire:
    """Listens on a port of its own, and passes on what comes.

    Args:
        port: on 127.0.0.1, to which it leads.
    """

    def __init__(self, port: int) -> None:
        self._to = port
        self._whole = threading.Event()
        self._whole.set()
        self._stranded: list[threading.Event] = []
        self._over = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Lose every packet from now on."""
        self._whole.clear()

    def mend(self) -> None:
        """Deliver what was sent meanwhile, as TCP does, and what comes."""
        self._whole.set()

    def strand(self) -> None:
        """Lose what goes over the connections that there are, as a pooler does whose server is gone; new ones are served."""
        self._whole.clear()
        self._stranded.append(self._whole)
        self._whole = threading.Event()
        self._whole.set()

    def close(self) -> None:
        self._over.set()
        for whole in (self._whole, *self._stranded):
            whole.set()
        self._listening.close()

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._connect, args=(near,), daemon=True).start()

    def _connect(self, near: socket.socket) -> None:
        # Who connects while it is cut waits for an answer.
        whole = self._whole
        whole.wait()
        try:
            far = socket.create_connection(("127.0.0.1", self._to), timeout=10)
        except OSError:
            near.close()
            return
        far.settimeout(None)
        for source, target in ((near, far), (far, near)):
            threading.Thread(target=self._pass_on, args=(source, target, whole), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, whole: threading.Event) -> None:
        try:
            while data := source.recv(65536):
                whole.wait()
                target.sendall(data)
        except OSError:
            pass
        # Also that a side is gone is a packet.
        whole.wait()
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
