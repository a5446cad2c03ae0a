# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Providers over SMTP, against real servers: the conversation ends before a recipient is named."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ansible_collections.oncall.runbooks.tests.support.mail_servers import MailServer
from ansible_collections.oncall.runbooks.tests.support.observing import observed
from ansible_collections.oncall.runbooks.tests.support.tls_servers import Issued
from lab.ports import free_port

PASSWORD = "s3cret pass\\word"
LOGIN = ("shop", PASSWORD)
SENDER = "noreply@shop.example"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Key and certificate of the server, and of another host."""
    folder = tmp_path_factory.mktemp("tls")
    return {name: Issued(30, host).write(folder) for name, host in (("right", "127.0.0.1"), ("wrong", "10.9.9.9"))}


def told(seconds: float = 15, **reach: Any) -> dict[str, Any]:
    found = observed(
        "notification_provider_info",
        channels={"mail": {"from": SENDER, "records": [], "providers": [{"name": "it", "kind": "smtp", **reach}]}},
        timeout_seconds=seconds,
    )
    assert PASSWORD not in json.dumps(found) and "s3cret" not in json.dumps(found)
    (one,) = found["channels"]["mail"]["providers"]
    return one


@pytest.mark.parametrize(
    ("tls", "tls_first"),
    [("none", False), ("starttls", False), ("implicit", True)],
    ids=["none", "starttls", "implicit"],
)
def test_it_logs_in_and_takes_the_sender_back(files, tls, tls_first):
    certificate = None if tls == "none" else files["right"]
    with MailServer(login=LOGIN, certificate=certificate, tls_first=tls_first) as server:
        one = told(**server.reach(tls=tls, ca_file=str(files["right"])))
        assert (one["state"], one["error"], one["facts"].pop("credentials_valid")) == ("good", "", True), one
        assert (server.commands[-2:], "RCPT" in server.commands, server.taken) == (["MAIL", "RSET"], False, [])
    days = one["facts"].pop("certificate_days_left", None)
    assert (days is None) if tls == "none" else 29 < days <= 30.01
    assert one["facts"] == {}


@pytest.mark.parametrize(
    ("says", "error", "said"),
    [
        ({"AUTH": "535 5.7.8 Bad credentials"}, "credentials", "AUTH answers 535 5.7.8 Bad credentials"),
        ({"AUTH": "534 5.7.9 Application-specific password required"}, "credentials", "534"),
        ({"AUTH": "454 4.7.0 Temporary authentication failure"}, "down", "454"),
        ({"AUTH": "535 5.7.1 Account suspended"}, "suspended", "Account suspended"),
        ({"MAIL": "550 5.4.5 Daily user sending quota exceeded"}, "quota", "MAIL FROM answers 550"),
        ({"MAIL": "450 4.2.1 come back later"}, "rate_limited", "450"),
        ({"MAIL": "421 4.7.28 rate limit"}, "rate_limited", "421"),
        ({"MAIL": "451 4.3.0 try again"}, "down", "451"),
        ({"MAIL": "553 5.7.1 noreply@shop.example is not verified"}, "unverified", "not verified"),
    ],
)
def test_what_it_says_against_it(says, error, said):
    with MailServer(says, login=LOGIN) as server:
        one = told(**server.reach())
    assert (one["state"], one["error"]) == ("failing", error), one
    assert said in one["reason"]


def test_a_password_that_is_not_right():
    with MailServer(login=("shop", "another")) as server:
        one = told(**server.reach(password=PASSWORD))
    assert (one["state"], one["error"], one["facts"]) == ("failing", "credentials", {}), one
    # In one way, though the server offers several: each counts where accounts are locked.
    assert server.commands.count("AUTH") == 1


def test_a_server_that_wants_a_login():
    with MailServer(login=LOGIN) as server:
        one = told(kind="smtp", host="127.0.0.1", port=server.port, tls="none")
    assert (one["state"], one["error"]) == ("failing", "credentials"), one


def test_no_password_goes_out_without_tls():
    with MailServer(login=LOGIN) as server:
        one = told(**server.reach(tls="starttls"))
        assert (one["state"], one["error"], server.commands) == ("failing", "tls", []), one
    assert "offers no STARTTLS" in one["reason"]


@pytest.mark.parametrize(
    ("file", "trusted", "said"), [("wrong", "wrong", "doesn't match|not valid for"), ("right", "wrong", "self.signed")]
)
def test_a_certificate_that_is_not_its_own(files, file, trusted, said):
    import re

    with MailServer(login=LOGIN, certificate=files[file]) as server:
        one = told(**server.reach(tls="starttls", ca_file=str(files[trusted])))
        assert (one["state"], one["error"], server.commands) == ("failing", "tls", []), one
    assert re.search(said, one["reason"]), one


def test_nobody_listens():
    one = told(host="127.0.0.1", port=free_port(), tls="none")
    assert (one["state"], one["error"]) == ("failing", "down"), one


def test_a_name_that_does_not_resolve():
    one = told(host="smtp.provider.invalid", tls="none")
    assert (one["state"], one["error"]) == ("failing", "dns"), one


@contextmanager
def talking(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that talks in its own way: its port."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(20)
                try:
                    talk(connection)
                except OSError:
                    continue

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()


def silent(connection: socket.socket) -> None:
    connection.recv(1)


def busy(connection: socket.socket) -> None:
    connection.sendall(b"421 4.3.2 too many connections\r\n")


def endless(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"220-hello\r\n" * 1000)


def dripping(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"2")
        connection.settimeout(0.2)
        try:
            if not connection.recv(1):
                return
        except TimeoutError:
            continue


def of_http(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def hanging_up(connection: socket.socket) -> None:
    connection.sendall(b"220 mail.test\r\n")
    connection.recv(100)


@pytest.mark.parametrize(
    ("talk", "state", "error", "said"),
    [
        (silent, "failing", "down", "no answer in time"),
        (dripping, "failing", "down", "no answer in time"),
        (busy, "failing", "down", "too many connections"),
        (hanging_up, "failing", "down", "hung up"),
        (endless, "unknown", "unreadable", "more than 65536 bytes"),
        (of_http, "unknown", "unreadable", ""),
    ],
)
def test_a_server_that_talks_in_its_own_way(talk, state, error, said):
    with talking(talk) as port:
        one = told(seconds=2, host="127.0.0.1", port=port, tls="none")
    assert (one["state"], one["error"]) == (state, error), one
    assert said in one["reason"]
