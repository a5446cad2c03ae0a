# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small real resolver for TXT, over UDP and TCP on one port of loopback."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Mapping

Answer = Callable[[bytes], bytes | None]


def packed(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def asked_in(question: bytes) -> str:
    """The name in a question."""
    at, labels = 12, []
    while length := question[at]:
        labels.append(question[at + 1 : at + 1 + length].decode())
        at += 1 + length
    return ".".join(labels)


def answer(
    question: bytes, texts: list[str], alias: str = "", code: int = 0, flags: int = 0x8180, count: int | None = None
) -> bytes:
    """An answer as a resolver gives it: the texts under a name, each in pieces of 255 bytes; behind an alias where one is named."""
    owner, records = b"\xc0\x0c", []
    if alias:
        data = packed(alias)
        records.append(owner + struct.pack("!HHIH", 5, 1, 60, len(data)) + data)
        owner = data
    for text in texts:
        raw = text.encode()
        data = b"".join(bytes([len(raw[n : n + 255])]) + raw[n : n + 255] for n in range(0, len(raw), 255))
        records.append(owner + struct.pack("!HHIH", 16, 1, 60, len(data)) + data)
    header = question[:2] + struct.pack("!HHHHH", flags | code, 1, len(records) if count is None else count, 0, 0)
    return header + question[12:] + b"".join(records)


class Resolver:
    """Answers with the texts of each name; a name without any does not exist.

    Args:
        texts: a list by name, or a function from the question to the bytes of an answer (None for silence).

    Attributes:
        asked: the names asked for, each with ``udp`` or ``tcp``.
    """

    def __init__(self, texts: Mapping[str, list[str] | Answer]) -> None:
        self.texts = dict(texts)
        self.asked: list[tuple[str, str]] = []
        self._tcp = socket.create_server(("127.0.0.1", 0))
        self.port = self._tcp.getsockname()[1]
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", self.port))
        self._over = threading.Event()
        self._threads = [threading.Thread(target=serve, daemon=True) for serve in (self._serve_udp, self._serve_tcp)]
        for thread in self._threads:
            thread.start()

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.port}"

    def _answer(self, question: bytes, over: str) -> bytes | None:
        name = asked_in(question)
        self.asked.append((name, over))
        found = self.texts.get(name)
        if callable(found):
            return found(question)
        if found is None:
            return answer(question, [], code=3)
        whole = answer(question, found)
        if over == "udp" and len(whole) > 512:
            # Too long for it: without records, and with the mark that says so.
            return answer(question, [], flags=0x8380)
        return whole

    def _serve_udp(self) -> None:
        while True:
            question, peer = self._udp.recvfrom(4096)
            if self._over.is_set():
                return
            if (found := self._answer(question, "udp")) is not None:
                self._udp.sendto(found, peer)

    def _serve_tcp(self) -> None:
        while True:
            try:
                connection, _peer = self._tcp.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(10)
                length = struct.unpack("!H", connection.recv(2, socket.MSG_WAITALL))[0]
                if (found := self._answer(connection.recv(length, socket.MSG_WAITALL), "tcp")) is not None:
                    connection.sendall(struct.pack("!H", len(found)) + found)

    def __enter__(self) -> Resolver:
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        # What waits in a call of the system is not woken by a close.
        self._tcp.shutdown(socket.SHUT_RDWR)
        self._tcp.close()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", ("127.0.0.1", self.port))
        self._threads[0].join(10)
        self._udp.close()
