# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A supervisord asked over its own XML-RPC interface, with what its configuration file says about how."""

from __future__ import annotations

import configparser
import os
import socket
from pathlib import Path

from ..text.masking import masked
from ..text.one_line import one_line, without_secrets

_ANSWER_LIMIT_BYTES = 4 * 1024 * 1024


class SupervisorError(Exception):
    """supervisord cannot be asked; the text is one line for the user, without secrets."""


def server_from_config(path):
    """Where the supervisord of a configuration file listens.

    Args:
        path: the main configuration file of supervisord.

    Returns:
        A dict ``url`` (``unix:///run/supervisor.sock`` or ``http://127.0.0.1:9001``), ``username`` and
        ``password`` (None where no password is asked for) and ``section`` (where they were found).

    Raises:
        SupervisorError: the file cannot be read, or says nothing usable.
    """
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"), strict=False)
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            parser.read_file(file)
    except OSError as error:
        raise SupervisorError(f"cannot read the supervisor configuration {path}: {error.strerror}") from None
    except configparser.Error as error:
        # The parser quotes the offending line, which may be the one with a password.
        name = type(error).__name__
        raise SupervisorError(f"{path} is not a supervisor configuration ({name}): check config") from None
    return _server(parser, path)


def _server(parser, path):
    expansions = {"here": str(Path(path).absolute().parent), "host_node_name": socket.gethostname()}
    expansions.update({f"ENV_{name}": value for name, value in os.environ.items()})

    def get(section, option):
        value = parser.get(section, option, fallback=None) if parser.has_section(section) else None
        if value is None:
            return None
        try:
            return (value % expansions).strip()
        except (KeyError, ValueError, TypeError):
            raise SupervisorError(
                f"{path}: {option} in [{section}] holds a %(...)s that is known only to supervisord: "
                "write its value there"
            ) from None

    def server(url, section):
        password = get(section, "password")
        if password and password.upper().startswith("{SHA}"):
            section = "supervisorctl"  # the server keeps a hash; its client has the password
        return {
            "url": url,
            "username": get(section, "username"),
            "password": get(section, "password"),
            "section": section,
        }

    file = get("unix_http_server", "file")
    if file:
        file = str(Path(expansions["here"], Path(file).expanduser()))
        return server("unix://" + file, "unix_http_server")
    port = get("inet_http_server", "port")
    if port:
        host, _colon, port = port.rpartition(":")
        return server(f"http://{'127.0.0.1' if host in ('', '*') else host}:{port}", "inet_http_server")
    url = get("supervisorctl", "serverurl")
    if url:
        return server(url, "supervisorctl")
    raise SupervisorError(
        f"{path} has no [unix_http_server], no [inet_http_server] and no serverurl in [supervisorctl]: "
        "supervisord cannot be asked"
    )


class Supervisor:
    """Calls to one supervisord, all of them before one deadline.

    Args:
        server: what :func:`server_from_config` returned.
        config: the configuration file, for messages.
        deadline: a ``Deadline``.
    """

    def __init__(self, server, config, deadline):
        self.server = server
        self.config = config
        self.deadline = deadline
        self.is_local = server["url"].startswith(("unix://", "http://127.", "http://localhost:"))

    def multicall(self, *calls):
        """Several calls in one request.

        Args:
            calls: tuples of a method's name and its arguments.

        Returns:
            A list as long as ``calls``: what each call returned, or None where supervisord reported a fault.

        Raises:
            SupervisorError: no answer, or one that is not supervisord's.
        """
        requests = [{"methodName": call[0], "params": list(call[1:])} for call in calls]
        answers = self.call("system.multicall", requests)
        if not isinstance(answers, list) or len(answers) != len(calls):
            raise self._error("answered something that is not supervisord's: check what listens there")
        return [None if isinstance(answer, dict) and "faultCode" in answer else answer for answer in answers]

    def call(self, method, *params):
        """The value that one XML-RPC method returns.

        Raises:
            SupervisorError: no answer, or one that is not supervisord's.
        """
        import http.client
        import xmlrpc.client
        from xml.parsers.expat import ExpatError

        request = xmlrpc.client.dumps(params, method).encode("utf-8")
        try:
            status, body = self._post(request)
            if status == 200:
                return xmlrpc.client.loads(_valid_xml(body))[0][0]
        except xmlrpc.client.Fault as fault:
            raise self._error(f"refused {method}: {masked(fault.faultString)}") from None
        except (http.client.HTTPException, ExpatError, ValueError, LookupError, xmlrpc.client.Error):
            raise self._error("answered something that is not supervisord's: check what listens there") from None
        except socket.timeout:  # not TimeoutError before Python 3.10
            raise self._error(
                f"gave no complete answer within {self.deadline.seconds:g} s: it hangs or is overloaded"
            ) from None
        except OSError as error:
            reason = one_line(error.strerror or error)
            raise self._error(f"cannot be reached ({reason}): is it running, and may this user connect to it") from None
        if status == 401:
            given = "the user name and password" if self.server["password"] else "no password given: those"
            raise self._error(f"refused {given} of [{self.server['section']}] (HTTP 401)")
        if status == 404:
            raise self._error("has no XML-RPC interface (HTTP 404): add [rpcinterface:supervisor]")
        raise self._error(f"answered HTTP {status} to {method}: see its log")

    def _error(self, what):
        text = f"supervisord at {self.server['url']} (config {self.config}) {what}"
        return SupervisorError(masked(without_secrets(text, self.server["password"])))

    def _post(self, body):
        import http.client

        headers = {"Content-Type": "text/xml"}
        if self.server["password"] is not None:
            import base64

            credentials = f"{self.server['username'] or ''}:{self.server['password']}".encode()
            headers["Authorization"] = "Basic " + base64.b64encode(credentials).decode("ascii")
        connection = http.client.HTTPConnection("localhost")
        with self._connected_socket() as sock:
            connection.sock = sock
            connection.request("POST", "/RPC2", body, headers)
            sock.settimeout(self._remaining_seconds())
            # The response keeps the connection open for as long as it is not closed itself.
            with connection.getresponse() as response:
                return response.status, self._read(sock, response)

    def _read(self, sock, response):
        chunks, size = [], 0
        # Python 3.13 closes response and socket with the last byte; earlier ones return nothing after it.
        while not response.isclosed():
            # A timeout of the socket alone would start anew with every byte that drips in.
            sock.settimeout(self._remaining_seconds())
            chunk = response.read1(65536)
            if not chunk:
                break
            chunks.append(chunk)
            size += len(chunk)
            if size > _ANSWER_LIMIT_BYTES:
                raise ValueError("the answer is too large")
        return b"".join(chunks)

    def _connected_socket(self):
        url = self.server["url"]
        if url.startswith("unix://"):
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                sock.settimeout(self._remaining_seconds())
                sock.connect(url[len("unix://") :])
            except BaseException:
                sock.close()
                raise
            return sock
        host, _colon, port = url.partition("://")[2].rstrip("/").rpartition(":")
        return socket.create_connection((host.strip("[]"), int(port)), timeout=self._remaining_seconds())

    def _remaining_seconds(self):
        from ..deadline import DeadlineExceeded

        try:
            return self.deadline.remaining_seconds()
        except DeadlineExceeded:
            raise socket.timeout from None


def _valid_xml(body):
    # Logs hold terminal escapes; supervisord passes them on although XML cannot hold them.
    return body.translate(None, bytes(set(range(32)) - {9, 10, 13}))
