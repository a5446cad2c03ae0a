# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The texts that DNS has under a name (TXT), asked of a resolver over UDP, and over TCP where the answer is too long.

In the standard library nothing asks for TXT, managed hosts have no package for it, and many have no ``dig``: so this is the little of
the protocol (RFC 1035) that such a question needs. A resolver follows aliases (CNAME) by itself.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
import struct

from ..deadline import Deadline, DeadlineExceeded
from ..text.one_line import one_line

RESOLV_CONF = "/etc/resolv.conf"
# As the C library: more of them are not asked.
_MOST_RESOLVERS = 3
_TRIES = 2
_PORT = 53
_TXT, _CNAME, _IN = 16, 5, 1
_RECURSION_DESIRED, _TRUNCATED, _RESPONSE = 0x0100, 0x0200, 0x8000
_NO_ERROR, _NO_SUCH_NAME = 0, 3
_CODES = {1: "it could not read the question", 2: "it could not find out", 4: "it does not do this", 5: "it refuses"}
_MOST_RECORDS = 100
_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\Z")


class DnsError(Exception):
    """No answer that can be used, in one line."""


class _Damaged(Exception):
    """It is no answer to the question."""


def is_name(name):
    """Whether a text is a name that can be asked for, without a dot at its end."""
    return isinstance(name, str) and len(name) <= 253 and all(_LABEL.match(label) for label in name.split("."))


def resolvers_in(text):
    """The resolvers that a ``resolv.conf`` names, as pairs of an address and a port. Pure."""
    found = []
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 2 and words[0] == "nameserver":
            found.append((words[1].partition("%")[0], _PORT))
    return found[:_MOST_RESOLVERS]


def resolver_of(text):
    """A resolver as an inventory writes it, ``ADDRESS`` or ``ADDRESS:PORT``, with brackets around an address of IPv6 with a port.

    Raises:
        ValueError: it is none; the message says so.
    """
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::([0-9]{1,5}))?|([0-9A-Fa-f:]+)", str(text))
    try:
        if not match:
            raise ValueError
        address = str(ipaddress.ip_address(match.group(1) or match.group(2) or match.group(4)))
        port = int(match.group(3) or _PORT)
        if not 0 < port < 65536:
            raise ValueError
    except ValueError:
        raise ValueError(f"{one_line(text, 60)} is no resolver; write its address, or [ADDRESS]:PORT") from None
    return address, port


def texts(name, timeout_seconds, resolvers=None):
    """The texts under a name, each as one string.

    Args:
        name: a host or domain name.
        timeout_seconds: for all of it.
        resolvers: pairs of an address and a port; those of this host where not given.

    Returns:
        A list; empty where the name is not there or has no text.

    Raises:
        DnsError: nobody told.
    """
    if not is_name(name):
        raise DnsError(f"{one_line(name, 60)} is no name that DNS can be asked for")
    deadline = Deadline(timeout_seconds)
    servers = list(resolvers or _own_resolvers())
    problem = f"TXT {name}: no resolver to ask: {RESOLV_CONF} names none"
    # The second round is for what was lost on its way.
    for turn in range(_TRIES):
        for position, server in enumerate(servers):
            left = (_TRIES - turn) * len(servers) - position
            try:
                return _asked(name, server, Deadline(deadline.remaining_seconds() / left))
            except (DnsError, _Damaged, OSError, DeadlineExceeded) as error:
                problem = f"TXT {name}: {server[0]} port {server[1]}: {_why(error)}"
            try:
                deadline.remaining_seconds()
            except DeadlineExceeded:
                raise DnsError(problem) from None
    raise DnsError(problem)


def _why(error):
    if isinstance(error, (DeadlineExceeded, socket.timeout)):
        return "no answer in time"
    return one_line(getattr(error, "strerror", None) or error)


def _own_resolvers():
    try:
        with open(RESOLV_CONF, encoding="utf-8", errors="replace") as file:
            return resolvers_in(file.read(65536))
    except OSError:
        return []


def _asked(name, server, deadline):
    question, number = question_of(name)
    answer = _over_udp(question, number, server, deadline)
    if answer[2] & (_TRUNCATED >> 8):
        answer = _over_tcp(question, server, deadline)
    return texts_in(answer, question)


def _over_udp(question, number, server, deadline):
    family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        # Connected: what comes from elsewhere is not received.
        sock.settimeout(deadline.remaining_seconds())
        sock.connect(server)
        sock.send(question)
        while True:
            sock.settimeout(deadline.remaining_seconds())
            answer = sock.recv(65535)
            if len(answer) >= 12 and answer[:2] == number:
                return answer


def _over_tcp(question, server, deadline):
    with socket.create_connection(server, deadline.remaining_seconds()) as sock:
        sock.sendall(struct.pack("!H", len(question)) + question)
        (length,) = struct.unpack("!H", _exactly(sock, 2, deadline))
        return _exactly(sock, length, deadline)


def _exactly(sock, length, deadline):
    data = b""
    while len(data) < length:
        sock.settimeout(deadline.remaining_seconds())
        more = sock.recv(length - len(data))
        if not more:
            raise _Damaged("it closed the connection")
        data += more
    return data


def question_of(name, number=None):
    """The bytes that ask for the texts under a name, and their number."""
    number = os.urandom(2) if number is None else number
    labels = b"".join(bytes([len(label)]) + label.encode("ascii") for label in name.split("."))
    header = struct.pack("!HHHHH", _RECURSION_DESIRED, 1, 0, 0, 0)
    return number + header + labels + b"\x00" + struct.pack("!HH", _TXT, _IN), number


def texts_in(answer, question):
    """The texts in an answer. Pure.

    Args:
        answer: as it was received.
        question: of :func:`question_of`.

    Raises:
        DnsError: the resolver says that it could not find out.
        _Damaged: it is no answer to the question.
    """
    try:
        return _texts_in(answer, question)
    except (IndexError, struct.error, UnicodeDecodeError):
        raise _Damaged("its answer is cut off or damaged") from None


def _texts_in(answer, question):
    number, flags, questions, records = struct.unpack("!2sHHH", answer[:8])
    asked = question[12:]
    if number != question[:2] or not flags & _RESPONSE or questions != 1:
        raise _Damaged("it answers another question")
    if answer[12 : 12 + len(asked)].lower() != asked.lower():
        raise _Damaged("it answers another question")
    code = flags & 0x000F
    if code == _NO_SUCH_NAME:
        return []
    if code != _NO_ERROR:
        raise DnsError(_CODES.get(code, f"it answers with the code {code}"))
    at, found = 12 + len(asked), []
    for _record in range(min(records, _MOST_RECORDS)):
        at = _after_name(answer, at)
        kind, group, _ttl, length = struct.unpack("!HHIH", answer[at : at + 10])
        data, at = answer[at + 10 : at + 10 + length], at + 10 + length
        if len(data) != length:
            raise IndexError
        if (kind, group) == (_TXT, _IN):
            found.append(_joined(data))
    return found


def _after_name(answer, at):
    """Where a name ends that may point to an earlier one. What it is does not matter: only aliases are between it and the question."""
    while True:
        length = answer[at]
        if length & 0xC0 == 0xC0:
            return at + 2
        at += 1 + length
        if not length:
            return at


def _joined(data):
    parts, at = [], 0
    while at < len(data):
        length = data[at]
        part = data[at + 1 : at + 1 + length]
        if len(part) != length:
            raise IndexError
        parts.append(part)
        at += 1 + length
    return b"".join(parts).decode("utf-8", "replace")
