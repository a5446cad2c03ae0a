# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that only read, many at once, through redis-py or through redis-cli inside a container."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess

from ..deadline import DeadlineExceeded, all_within, within
from .client import error_of, redis_cli, redis_py

# Nothing else is ever sent: a reader that writes is stopped here, whatever it was made of.
# CLIENT SETNAME changes nothing but the name of this connection.
# fmt: off
READS = frozenset((
    "client list", "client setname", "exists", "get", "hget", "hlen", "hmget", "hstrlen", "hvals", "info", "lindex", "llen",
    "lrange", "memory usage", "pttl", "scard", "sismember", "smembers", "time", "type", "xinfo consumers", "xinfo groups", "xlen",
    "xpending", "xrange", "xrevrange", "zcard", "zcount", "zrange", "zrangebyscore", "zrevrange", "zscore",
))
# fmt: on
_PLAIN = re.compile(rb"[A-Za-z0-9:._+(-]+\Z")
_ELAPSED = re.compile(rb"\(\d+\.\d\ds\)\Z")
_ITEM = re.compile(rb" *(\d+)\) ")
_ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|.)", re.DOTALL)
_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"a": b"\a", b"b": b"\b"}


class Refused(Exception):
    """What a server answered instead of a value, in its own words."""


class Commands:
    """A Redis that answers commands.

    Args:
        server: as in :data:`observers.redis.SERVER`.
        deadline: for everything that is asked.

    Attributes:
        server: which one it is.
    """

    def __init__(self, server, deadline):
        self.server = server
        self._deadline = deadline
        self._client = None

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        if self._client is not None:
            with contextlib.suppress(Exception):
                self._client.connection_pool.disconnect()

    def ask(self, commands, seconds=None):
        """What each command is answered with: bytes, an int, None, a list of these, or a :class:`Refused`.

        Args:
            commands: tuples of a name and its arguments. One that is not in :data:`READS` is not sent.
            seconds: the most that this may take; the deadline where not given.

        Raises:
            RedisError: the server could not be asked.
        """
        for command in commands:
            if not READS.intersection((command[0].lower(), " ".join(map(str, command[:2])).lower())):
                raise AssertionError(f"{command[0]} is not known as a command that only reads")
        if not commands:
            return []
        transport = self._ask_docker if self.server["transport"] == "docker" else self._ask_redis_py
        try:
            left = self._deadline.remaining_seconds()
            left = left if seconds is None else min(left, seconds)
            return within(left, transport, commands, left)
        except DeadlineExceeded as error:
            # The thread left behind still holds it.
            self._client = None
            raise error_of(self.server, "timeout", error) from None

    def needed(self, *commands):
        """As :meth:`ask`, where nothing can be told without the answer.

        Raises:
            RedisError: the server could not be asked, or refused one of them.
        """
        answers = self.ask(commands)
        for answer in answers:
            if isinstance(answer, Refused):
                raise self.refusal(answer)
        return answers

    def refusal(self, refused):
        """The error that says what was refused."""
        return error_of(self.server, None, refused)

    def _ask_redis_py(self, commands, seconds):
        redis, arguments = redis_py(self.server, seconds)
        try:
            if self._client is None:
                self._client = redis.Redis(**arguments)
                # As they are, so that both transports are read in one way.
                self._client.response_callbacks.clear()
            pipeline = self._client.pipeline(transaction=False)
            for command in commands:
                pipeline.execute_command(*command)
            answers = pipeline.execute(raise_on_error=False)
        except (redis.RedisError, OSError, ValueError) as error:
            kind = "protocol" if isinstance(error, redis.InvalidResponse) else None
            raise error_of(self.server, kind, str(error) or type(error).__name__) from None
        return [_plain(redis, answer) for answer in answers]

    def _ask_docker(self, commands, seconds):
        argv, environment = redis_cli(self.server, "-i")
        raw = [number for number, command in enumerate(commands) if _is_raw(command)]
        others = [number for number in range(len(commands)) if number not in raw]
        script = b"".join(b" ".join(map(quoted, commands[number])) + b"\n" for number in others)
        calls = [([*argv, *commands[number]], b"") for number in raw] + (
            [([*argv, "--no-raw"], script)] if others else []
        )
        ended = all_within(
            seconds, [lambda call=call: _fed(*call, environment, seconds, self.server) for call in calls]
        )
        answers = [None] * len(commands)
        for number, one in zip(raw, ended):
            answers[number] = self._raw_answer(*_or_raised(one))
        if others:
            output, errors = _or_raised(ended[-1])
            found = parsed(output)
            if len(found) != len(others):
                self._raw_answer(b"", errors)
            for number, answer in zip(others, found):
                answers[number] = answer
        return answers

    def _raw_answer(self, output, errors):
        text = output.strip()
        if re.match(rb"[A-Z]+ \S", text):
            return Refused(text.decode("utf-8", "replace"))
        if not text:
            said = errors.decode("utf-8", "replace").strip() or "redis-cli gave no answer that can be read"
            raise error_of(self.server, None, said.splitlines()[-1])
        return text


def _plain(redis, answer):
    if isinstance(answer, redis.ResponseError):
        # redis-py takes the code of some of them away.
        code = "NOPERM " if isinstance(answer, redis.exceptions.NoPermissionError) else ""
        return Refused(code + str(answer))
    if isinstance(answer, Exception):
        return Refused(str(answer))
    if isinstance(answer, (list, tuple)):
        return [_plain(redis, one) for one in answer]
    return answer.encode() if isinstance(answer, str) else answer


def _is_raw(command):
    """Whether redis-cli prints its answer as it is, whatever it was asked to do."""
    return command[0].lower() == "info" or " ".join(map(str, command[:2])).lower() == "client list"


def _or_raised(ended):
    if isinstance(ended, Exception):
        raise ended
    return ended


def _fed(argv, script, environment, seconds, server):
    """What a program prints that reads a script from its input."""
    try:
        # Observers run in the controller as well, where there is no module and so no run_command.
        process = subprocess.Popen(  # pylint: disable=ansible-bad-function
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
    except OSError as error:
        raise error_of(server, "no_engine", f"docker cannot be run: {error.strerror}") from None
    try:
        output, errors = process.communicate(script, timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise error_of(server, "timeout", f"no complete answer within {seconds:g} s") from None
    return output, errors


def quoted(argument):
    """An argument as redis-cli reads it from a line: nothing in it can end the argument or the line. Pure."""
    data = argument if isinstance(argument, bytes) else str(argument).encode("utf-8", "surrogateescape")
    if _PLAIN.match(data):
        return data
    return b'"' + b"".join(b"\\x%02x" % byte for byte in data) + b'"'


def parsed(output):
    """The answers that ``redis-cli --no-raw`` printed. Pure."""
    lines = [line for line in output.split(b"\n") if line and not _ELAPSED.match(line)]
    answers, at = [], 0
    while at < len(lines):
        answer, at = _value(lines, at, 0)
        answers.append(answer)
    return answers


def _value(lines, at, column):
    """The value that begins at a column of a line, and the number of the line after it."""
    item = _ITEM.match(lines[at], column)
    if not item:
        return _scalar(lines[at][column:]), at + 1
    found, width = [], item.end() - column
    while item and int(item.group(1)) == len(found) + 1 and item.end() - column == width:
        one, at = _value(lines, at, item.end())
        found.append(one)
        is_blank = at < len(lines) and not lines[at][:column].strip()
        item = _ITEM.match(lines[at], column) if is_blank else None
    return found, at


def _scalar(text):
    if text.startswith(b'"') and text.endswith(b'"'):
        return _ESCAPE.sub(_unescaped, text[1:-1])
    if text.startswith(b"(integer) "):
        return int(text[10:])
    if text == b"(nil)":
        return None
    if text.startswith(b"(empty "):
        return []
    if text.startswith(b"(error) "):
        return Refused(text[8:].decode("utf-8", "replace"))
    return text


def _unescaped(match):
    sign = match.group(1)
    if len(sign) == 3:
        return bytes((int(sign[1:], 16),))
    return _ESCAPES.get(sign, sign)
