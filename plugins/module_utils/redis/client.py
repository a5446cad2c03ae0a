# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two ways to ask Redis: redis-py, or redis-cli inside a container."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import time

from ..deadline import (
    Deadline,
    DeadlineExceeded,
    all_within,
    within,
)
from ..run_command import failure, run
from ..text.one_line import without_secrets

# A server whose clients are paused holds every command, but refuses at once a command that lacks its argument.
_INCOMPLETE = b"*1\r\n$4\r\nECHO\r\n"
_REFUSAL = "wrong number of arguments"
# Time for that, beyond the time in which nothing was answered.
_REFUSAL_SECONDS = {"redis": 0.5, "docker": 1.0}
# Commands that never wait for anything by themselves. Of a module's commands nobody knows.
# fmt: off
_NEVER_BLOCK = frozenset((
    "append", "decr", "decrby", "del", "eval", "evalsha", "exec", "expire", "getdel", "getset", "hdel", "hincrby",
    "hmset", "hset", "incr", "incrby", "incrbyfloat", "lpop", "lpush", "ltrim", "mset", "pexpire", "pfadd", "psetex",
    "publish", "rename", "rpop", "rpush", "sadd", "set", "setex", "setnx", "spop", "srem", "unlink", "xadd", "zadd",
    "zincrby", "zrem",
))
# fmt: on


class RedisError(Exception):
    """Redis could not be asked, or answered with an error.

    Attributes:
        kind: a key of :data:`troubles.ADVICE`, such as ``refused``, ``timeout``, ``credentials``, ``loading`` or ``no_driver``.
    """

    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind


def where(server):
    """What was asked, for messages: no user, no password."""
    if server["transport"] == "docker":
        return f"Redis in container {server['container']}"
    if server.get("unix_socket"):
        return f"Redis at {server['unix_socket']}"
    return f"Redis at {server.get('host') or '127.0.0.1'}:{server.get('port') or 6379}"


def error_of(server, kind, message):
    """A :class:`RedisError` with one line that says what was asked, what came back and what to do.

    Args:
        server: as in :data:`observers.redis.SERVER`.
        kind: of the trouble, or None where the message tells it.
        message: what came back.
    """
    from ..text.masking import masked
    from .troubles import ADVICE, kind_of

    text = masked(without_secrets(str(message), server.get("password")))
    kind = kind or kind_of(str(message))
    return RedisError(kind, f"{where(server)}: {text}; {ADVICE[kind]}")


def ask(server, deadline):
    """Ask for PING and INFO.

    Args:
        server: as in :data:`observers.redis.SERVER`.
        deadline: for both answers.

    Returns:
        ``(info, trouble, ping_seconds)``: the text of INFO; None, or the :class:`RedisError` that PING was answered with, as
        a server that is loading or cannot save does; the time of a PING, None where it cannot be told.

    Raises:
        RedisError: no INFO could be had.
    """
    transport = _ask_docker if server["transport"] == "docker" else _ask_redis_py
    try:
        seconds = deadline.remaining_seconds()
        return within(seconds, transport, server, seconds)
    except DeadlineExceeded as error:
        silence = error_of(server, "timeout", error)
    except RedisError as error:
        if error.kind != "timeout":
            raise
        silence = error
    if _reads_commands(server):
        again = _answer_now(transport, server)
        if again is not None:
            # Whoever asked was late, on a machine that has too much to do, and not the server.
            return again
        raise error_of(
            server, "clients_paused", "it holds every answer back, and refuses at once what is no whole command"
        )
    raise silence


def waiting_writes(clients):
    """How many clients wait with a command that never waits by itself: those that CLIENT PAUSE holds. Pure.

    Args:
        clients: what CLIENT LIST is answered with.
    """
    count = 0
    for line in clients.splitlines():
        fields = dict(pair.partition("=")[::2] for pair in line.split())
        count += "b" in fields.get("flags", "") and fields.get("cmd", "").lower() in _NEVER_BLOCK
    return count


def _somebody_waits(info):
    return re.search(r"^blocked_clients:[1-9]", info, re.MULTILINE) is not None


def _is_in_a_cluster(info):
    return re.search(r"^cluster_enabled:1", info, re.MULTILINE) is not None


def _paused_writes(server, clients):
    """None, or the :class:`RedisError` that says that writes are held."""
    count = waiting_writes(clients)
    return error_of(server, "clients_paused", f"{count} clients wait for the answer to a write") if count else None


def _answer_now(transport, server):
    """What a second, short question is answered with; None where it is held back like the first."""
    seconds = _REFUSAL_SECONDS[server["transport"]]
    try:
        return within(seconds, transport, server, seconds)
    except (DeadlineExceeded, RedisError):
        return None


def _reads_commands(server):
    seconds = _REFUSAL_SECONDS[server["transport"]]
    try:
        return _REFUSAL in within(seconds, _refusal, server, seconds)
    except (DeadlineExceeded, OSError):
        return False


def _refusal(server, seconds):
    if server["transport"] == "docker":
        argv, environment = redis_cli(server)
        return run([*argv, "ECHO"], seconds, environment)["stdout"]
    if server.get("unix_socket"):
        connection = socket.socket(socket.AF_UNIX)
    else:
        address = (server.get("host") or "127.0.0.1", server.get("port") or 6379)
        connection = socket.create_connection(address, seconds)
    with connection:
        connection.settimeout(seconds)
        if server.get("unix_socket"):
            connection.connect(server["unix_socket"])
        connection.sendall(_INCOMPLETE)
        return connection.recv(200).decode("utf-8", "replace")


def redis_py(server, seconds):
    """The module redis-py and the arguments with which its client reaches a server without a second try.

    Raises:
        RedisError: there is no redis-py.
    """
    try:
        import redis
    except ImportError:
        raise error_of(server, "no_driver", "no redis-py for this Python") from None
    arguments = {"socket_timeout": seconds, "socket_connect_timeout": seconds, "db": server.get("database") or 0}
    for key, name in (("username", "username"), ("password", "password"), ("unix_socket", "unix_socket_path")):
        if server.get(key):
            arguments[name] = server[key]
    if not server.get("unix_socket"):
        arguments.update(host=server.get("host") or "127.0.0.1", port=server.get("port") or 6379)
    if redis.VERSION >= (5, 0):
        # Version 3 of the protocol begins with a greeting that trips over what is not Redis.
        arguments["protocol"] = 2
    if redis.VERSION >= (4, 0):
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        # Newer ones try again for seconds, and a refusal would look like a server that does not answer.
        arguments["retry"] = Retry(NoBackoff(), 0)
    return redis, arguments


def _ask_redis_py(server, seconds):
    redis, arguments = redis_py(server, seconds)
    try:
        client = redis.Redis(**arguments)
        try:
            # As it stands, so that both transports are read in one way.
            client.set_response_callback("INFO", lambda answer, **_options: answer)
            info = client.execute_command("INFO")
            trouble, ping_seconds = None, None
            began = time.monotonic()
            try:
                client.execute_command("PING")
                ping_seconds = round(time.monotonic() - began, 6)
            except (redis.ResponseError, redis.BusyLoadingError) as error:
                trouble = error_of(server, None, error)
            info = _text(info)
            if trouble is None and _somebody_waits(info):
                # A user that may not ask this can still tell the rest.
                with contextlib.suppress(redis.ResponseError):
                    trouble = _paused_writes(server, _text(client.execute_command("CLIENT", "LIST")))
            if trouble is None and _is_in_a_cluster(info):
                # It has the form of INFO.
                with contextlib.suppress(redis.ResponseError):
                    info += "\n" + _text(client.execute_command("CLUSTER", "INFO"))
            return info, trouble, ping_seconds
        finally:
            client.connection_pool.disconnect()
    except (redis.RedisError, OSError, ValueError) as error:
        text = f"{type(error).__name__}: {error}" if isinstance(error, redis.InvalidResponse) else str(error)
        kind = "protocol" if isinstance(error, redis.InvalidResponse) else None
        raise error_of(server, kind, text or type(error).__name__) from None


def _text(answer):
    return answer.decode("utf-8", "replace") if isinstance(answer, bytes) else str(answer)


def redis_cli(server, *options):
    """The arguments to which a command is added, and the environment they need.

    Args:
        server: as in :data:`observers.redis.SERVER`.
        options: of ``docker exec``.
    """
    environment = dict(os.environ)
    argv = ["docker", "exec", *options]
    if server.get("password"):
        # Named only: docker takes the value from its environment, so that it is in no argument list.
        environment["REDISCLI_AUTH"] = server["password"]
        argv += ["-e", "REDISCLI_AUTH"]
    argv += [server["container"], "redis-cli"]
    for flag, key in (
        ("-h", "host"),
        ("-p", "port"),
        ("-s", "unix_socket"),
        ("--user", "username"),
        ("-n", "database"),
    ):
        if server.get(key):
            argv += [flag, str(server[key])]
    return argv, environment


def _ask_docker(server, seconds):
    deadline = Deadline(seconds)
    argv, environment = redis_cli(server)
    commands = [[*argv, "INFO"], [*argv, "PING"]]
    ended = all_within(seconds, [lambda argv=argv: run(argv, seconds, environment) for argv in commands])
    texts = []
    for argv, one in zip(commands, ended):
        if isinstance(one, Exception):
            raise one
        if one["exit_code"] != 0:
            text = failure(argv, one, seconds)
            raise error_of(server, "timeout" if one["error"] == "timeout" else None, text)
        # redis-cli ends well whatever the server says; what it says about its own login is on the other stream.
        texts.append(one["stdout"].strip() or one["stderr"].strip())
    info, ping = texts
    if not info.startswith("#"):
        raise error_of(server, None, info)
    if ping != "PONG":
        return info, error_of(server, None, ping), None
    trouble = None
    if _somebody_waits(info):
        clients = run([*argv, "CLIENT", "LIST"], deadline.remaining_seconds(), environment)["stdout"]
        trouble = _paused_writes(server, clients)
    if trouble is None and _is_in_a_cluster(info):
        info += "\n" + run([*argv, "CLUSTER", "INFO"], deadline.remaining_seconds(), environment)["stdout"]
    return info, trouble, None
