# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Docker Engine asked over its socket, with one deadline and with limits on what is kept."""

from __future__ import annotations

import json
import os
import socket

from ..deadline import DeadlineExceeded
from ..net.bounded_http import TimedReader
from ..text.masking import masked
from ..text.one_line import one_line

DEFAULT_SOCKET = "/var/run/docker.sock"
_ANSWER_LIMIT_BYTES = 16 * 1024 * 1024
_CHUNK_BYTES = 65536
_HEADER_BYTES = 8


class EngineError(Exception):
    """The engine gave no usable answer; the text is one line. ``status`` is its HTTP status, or None."""

    def __init__(self, text, status=None):
        super().__init__(text)
        self.status = status


class Engine:
    """Questions to one engine, all of them before one deadline.

    Args:
        docker_host: as in DOCKER_HOST, ``unix:///var/run/docker.sock``. Empty for what the environment says.
        deadline: a ``Deadline``.

    Raises:
        EngineError: it is not reached through a socket.
    """

    def __init__(self, docker_host, deadline):
        self.docker_host = str(docker_host or os.environ.get("DOCKER_HOST") or f"unix://{DEFAULT_SOCKET}")
        self.deadline = deadline
        if not self.docker_host.startswith("unix://"):
            raise EngineError(
                f"a Docker Engine is asked through its socket on its own host, not at {one_line(self.docker_host)}: "
                "set docker_host to unix:// and a path"
            )
        self.socket_path = self.docker_host[len("unix://") :]

    def get(self, path, **query):
        """The JSON that the engine answers.

        Raises:
            EngineError: no answer, an error, or more than 16 MiB.
        """
        body = b"".join(self.chunks(path, _ANSWER_LIMIT_BYTES, **query))
        try:
            return json.loads(body.decode("utf-8"))
        except ValueError:
            raise EngineError(
                f"what listens at {self.socket_path} does not answer as a Docker Engine does: check docker_host"
            ) from None

    def chunks(self, path, limit_bytes, **query):
        """The body of an answer in pieces, as it comes.

        Raises:
            EngineError: no answer, an error, or more than ``limit_bytes``.
        """
        import http.client
        from urllib.parse import urlencode

        target = path + ("?" + urlencode(query) if query else "")
        received = 0
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
                sock.settimeout(self.deadline.remaining_seconds())
                sock.connect(self.socket_path)
                request = f"GET {target} HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n"
                sock.sendall(request.encode("ascii"))
                with http.client.HTTPResponse(TimedReader(sock, self.deadline), method="GET") as response:
                    response.begin()
                    if response.status != 200:
                        raise EngineError(_refusal(response), response.status)
                    while True:
                        chunk = response.read1(_CHUNK_BYTES)
                        if not chunk:
                            return
                        received += len(chunk)
                        if received > limit_bytes:
                            raise TooMuch(f"the Docker Engine answered more than {limit_bytes} bytes")
                        yield chunk
        except (DeadlineExceeded, socket.timeout):
            raise EngineError(
                f"the Docker Engine at {self.socket_path} gave no complete answer within "
                f"{self.deadline.seconds:g} s: see whether docker ps hangs too"
            ) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise EngineError(self._explained(error)) from None

    def _explained(self, error):
        place = f"the Docker Engine cannot be reached at {self.socket_path}"
        why = one_line(getattr(error, "strerror", None) or error or type(error).__name__)
        if isinstance(error, PermissionError):
            return f"{place} ({why}): become root, or put the user of this host's connection into the group docker"
        if isinstance(error, (FileNotFoundError, ConnectionRefusedError)):
            return f"{place} ({why}): start it, or set docker_host where its socket is elsewhere"
        return f"{place} ({why})"


class TooMuch(EngineError):
    """The answer is longer than allowed."""


def _refusal(response):
    body = response.read(_CHUNK_BYTES).decode("utf-8", "replace")
    try:
        message = json.loads(body)["message"]
    except (ValueError, KeyError, TypeError):
        message = body
    return f"the Docker Engine answered with HTTP {response.status}: {masked(message) or 'nothing else'}"


def payloads(chunks):
    """What a container without a terminal wrote: the frames of the engine's stream without their headers.

    A header is a byte for the stream, three zeros, and the length of what follows as four bytes.
    """
    buffer, wanted = b"", 0
    for chunk in chunks:
        while chunk:
            if wanted:
                yield chunk[:wanted]
                wanted, chunk = wanted - len(chunk[:wanted]), chunk[wanted:]
                continue
            missing = _HEADER_BYTES - len(buffer)
            buffer, chunk = buffer + chunk[:missing], chunk[missing:]
            if len(buffer) == _HEADER_BYTES:
                wanted, buffer = int.from_bytes(buffer[4:], "big"), b""


def end_of(chunks, keep_bytes):
    """The last ``keep_bytes`` of a stream, never holding more than about twice that; and whether it was longer."""
    kept, length, cut = [], 0, False
    for chunk in chunks:
        kept.append(chunk)
        length += len(chunk)
        if length > 2 * keep_bytes:
            kept = [b"".join(kept)[-keep_bytes:]]
            length, cut = len(kept[0]), True
    whole = b"".join(kept)
    return whole[-keep_bytes:], cut or len(whole) > keep_bytes
