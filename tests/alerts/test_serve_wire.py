# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The receiver of ``oncall serve`` byte by byte: who is answered before anything is read, who is too slow, who speaks no HTTP."""

from __future__ import annotations

import itertools
import json
import logging
import re
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
import uvicorn

from ansible_collections.oncall.runbooks.tests.support.serving import TOKEN, alert, notification
from ansible_collections.oncall.runbooks.tests.support.waiting import until
from oncall.serve.intake import web
from oncall.serve.intake.alerts import LeftOut, read
from oncall.serve.intake.group_commit import GroupCommit
from oncall.serve.intake.tokens import Tokens

# In the tests of what is too slow; everywhere else, a busy machine is not to be taken for a slow client.
SLOW_SECONDS = 1.0
PATIENT_SECONDS = 60.0
# So long after it, something hangs.
LATE_SECONDS = SLOW_SECONDS + 30
MOST_BODY_BYTES = 200_000
BODY = notification([alert()])
KNOWN = f"Authorization: Bearer {TOKEN}"
JSON = "Content-Type: application/json"


class Receiver:
    """It listens on a port, in a thread of this process, and keeps notifications in a list."""

    def __init__(self, tokens: Tokens) -> None:
        self.kept: list[bytes] = []
        self.counted: list[str] = []
        self.left_out: list[LeftOut] = []
        self.crowd = ""
        self.database = threading.Event()
        self.database.set()
        self._journal = GroupCommit(self._keep, lambda: None)
        app = web.Web(
            self._journal, tokens, self._crowded, lambda: b"", lambda: "", self.counted.append, self.left_out.append
        )
        config = uvicorn.Config(
            app, http=web.Patience, ws="none", lifespan="off", log_config=None, access_log=False, server_header=False,
            proxy_headers=False, timeout_keep_alive=30,
        )  # fmt: skip
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]})
        self._thread.start()

    async def _crowded(self) -> str:
        return self.crowd

    def _keep(self, notifications: list[bytes]) -> None:
        assert self.database.wait(PATIENT_SECONDS)
        self.kept += notifications

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(PATIENT_SECONDS)
        self._journal.close()
        self._socket.close()


class Wire:
    """A connection on which anything can be said."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=LATE_SECONDS)
        self.heard = b""

    def say(self, *parts: bytes, every: float = 0.0) -> None:
        for part in parts:
            self._socket.sendall(part)
            time.sleep(every)

    def ask(self, *headers: str, body: bytes = b"", line: str = "POST /alerts HTTP/1.1", known: bool = True) -> Wire:
        """A request, with what is given of its headers."""
        kind = [] if any(header.lower().startswith("content-type") for header in headers) else [JSON]
        lines = [line, "Host: oncall", *kind, *([KNOWN] if known else []), *headers]
        self.say("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        return self

    def statuses(self, count: int = 1) -> list[int]:
        """Those of so many answers; fewer where the connection is closed before. ConnectionError where it hangs."""
        try:
            while len(found := re.findall(rb"HTTP/1\.1 (\d{3}) ", self.heard)) < count and (
                part := self._socket.recv(65536)
            ):
                self.heard += part
        except ConnectionResetError:
            pass
        except TimeoutError:
            raise ConnectionError(f"no answer in {LATE_SECONDS} s; heard {self.heard!r}") from None
        return [int(status) for status in found]

    def is_closed(self) -> bool:
        """Whether it is, at last."""
        try:
            while part := self._socket.recv(65536):
                self.heard += part
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False
        return True

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(scope="module")
def listening(tmp_path_factory) -> Iterator[Receiver]:
    file = tmp_path_factory.mktemp("wire") / "tokens"
    file.touch(mode=0o600)
    file.write_text(f"{TOKEN}\n")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(web, "SLOW_SECONDS", PATIENT_SECONDS)
        patched.setattr(web, "KEEP_SECONDS", PATIENT_SECONDS)
        patched.setattr(web, "MOST_BODY_BYTES", MOST_BODY_BYTES)
        receiver = Receiver(Tokens(str(file)))
        yield receiver
        receiver.stop()


@pytest.fixture
def hurried(monkeypatch) -> None:
    """Who takes a second is too slow."""
    monkeypatch.setattr(web, "SLOW_SECONDS", SLOW_SECONDS)
    monkeypatch.setattr(web, "KEEP_SECONDS", SLOW_SECONDS)


@pytest.fixture
def receiver(listening, caplog) -> Iterator[Receiver]:
    """Whatever it is told, it logs no error, and takes the next notification."""
    listening.kept.clear()
    listening.counted.clear()
    listening.left_out.clear()
    yield listening
    before = len(listening.kept)
    wire = Wire(listening.port)
    assert wire.ask(length(BODY), body=BODY).statuses() == [202]
    wire.close()
    assert len(listening.kept) == before + 1
    errors = [
        one.getMessage() for one in (*caplog.get_records("call"), *caplog.records) if one.levelno >= logging.ERROR
    ]
    assert errors == []


@pytest.fixture
def wire(receiver) -> Iterator[Wire]:
    wire = Wire(receiver.port)
    yield wire
    wire.close()


def length(body: bytes) -> str:
    return f"Content-Length: {len(body)}"


# ---------------------------------------------------------------------- strangers
@pytest.mark.parametrize(
    "headers",
    [
        [],
        ["Authorization:"],
        ["Authorization: Bearer"],
        [f"Authorization: Bearer  {TOKEN}"],
        [f"Authorization: Bearer\t{TOKEN}"],
        [f"Authorization: Bearer {TOKEN}x"],
        [f"Authorization: Bearer {TOKEN[:-1]}"],
        [f"Authorization: Bearer {TOKEN.upper()}"],
        [f"Authorization: Basic {TOKEN}"],
        [f"Authorization: {TOKEN}"],
        ["Authorization: Bearer \xff\xfe"],
        [KNOWN, KNOWN],
        [KNOWN, "Authorization: Bearer x"],
        [f"X-Authorization: Bearer {TOKEN}"],
        [f"Cookie: Authorization=Bearer {TOKEN}"],
        ["X-Forwarded-For: 127.0.0.1"],
    ],
)
@pytest.mark.parametrize("size", ["Content-Length: 30000000", "Transfer-Encoding: chunked"])
def test_a_stranger_is_turned_away_before_a_body_is_read(receiver, wire, headers, size):
    # What is announced is never sent.
    assert wire.ask(*headers, size, known=False).statuses() == [401]
    assert (receiver.kept, receiver.counted) == ([], ["stranger"])


@pytest.mark.parametrize(
    "path", ["/alerts", "/metrics", "/", "/none", "/alerts/", "//alerts", "/healthz/", f"/alerts?token={TOKEN}"]
)
def test_a_stranger_learns_nothing_but_that_it_lives(wire, path):
    assert wire.ask(line=f"GET {path} HTTP/1.1", known=False).statuses() == [401]
    assert wire.ask(line="GET /healthz HTTP/1.1", known=False).statuses(2) == [401, 200]


def test_a_stranger_who_waits_to_be_asked_for_his_body_is_not(wire):
    assert wire.ask("Expect: 100-continue", "Content-Length: 1000000", known=False).statuses() == [401]


def test_a_scheme_in_small_letters_is_the_same(wire):
    told = wire.ask(f"authorization: bearer {TOKEN}", length(BODY), body=BODY, known=False)
    assert told.statuses() == [202]


# ---------------------------------------------------------------------- ways to say it
def test_in_pieces(receiver, wire):
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (BODY[:7], BODY[7:100], BODY[100:]))
    assert wire.ask("Transfer-Encoding: chunked", body=chunks + b"0\r\n\r\n").statuses() == [202]
    assert [one["labels"]["instance"] for one in json.loads(receiver.kept[0])["alerts"]] == ["h000:6379"]


def test_as_it_was_said_long_ago(receiver, wire):
    assert wire.ask(length(BODY), body=BODY, line="POST /alerts HTTP/1.0").statuses() == [202]
    assert wire.is_closed() and len(receiver.kept) == 1


def test_what_cannot_be_taken_now_is_to_be_sent_again(receiver, wire):
    receiver.crowd = "10000 notifications are not sorted yet (limits.queued_notifications)"
    wire.ask(length(BODY), body=BODY)
    assert wire.statuses() == [503]
    receiver.crowd = ""
    assert b"\r\nretry-after: 5\r\n" in wire.heard.lower()
    assert (receiver.kept, receiver.counted) == ([], ["turned_away"])


def test_one_after_the_other_without_waiting(receiver, wire):
    one = f"POST /alerts HTTP/1.1\r\nHost: oncall\r\n{KNOWN}\r\n{JSON}\r\n{length(BODY)}\r\n\r\n".encode() + BODY
    look = b"GET /healthz HTTP/1.1\r\nHost: oncall\r\n\r\n"
    bad = one.replace(TOKEN.encode(), b"x" * len(TOKEN))
    wire.say(one + look + one + bad + one)
    # The body of a stranger is not read, and so nothing that comes after it.
    assert wire.statuses(5) == [202, 200, 202, 401]
    assert len(receiver.kept) == 2


def test_what_is_sent_when_it_is_asked_for(receiver, wire):
    wire.ask("Expect: 100-continue", length(BODY))
    assert wire.statuses() == [100]
    wire.say(BODY)
    assert wire.statuses(2) == [100, 202]


def test_a_kept_connection_is_answered_at_once(wire):
    seconds = []
    for number in range(40):
        began = time.monotonic()
        assert len(wire.ask(line="GET /healthz HTTP/1.1").statuses(number + 1)) == number + 1
        seconds.append(time.monotonic() - began)
    # Where the second part of an answer may not go before the client has confirmed the first, every other one takes 40 ms. A busy
    # machine makes some slow, and not one of each two.
    assert min(max(pair) for pair in itertools.pairwise(seconds)) < 0.03


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("GET /alerts HTTP/1.1", 405), ("PUT /alerts HTTP/1.1", 405), ("DELETE /alerts HTTP/1.1", 405), ("HEAD /alerts HTTP/1.1", 405),
        ("OPTIONS /alerts HTTP/1.1", 405), ("post /alerts HTTP/1.1", 400), ("TRACE / HTTP/1.1", 404), ("POST / HTTP/1.1", 404),
        ("POST /api/v2/alerts HTTP/1.1", 404), ("POST /alerts/../metrics HTTP/1.1", 404), ("POST //alerts HTTP/1.1", 404),
        ("POST /healthz HTTP/1.1", 405), ("GET /..%2f..%2fetc%2fpasswd HTTP/1.1", 404), ("GET /%00 HTTP/1.1", 404), ("GET /%ff HTTP/1.1", 404),
        ("GET * HTTP/1.1", 404), ("GET http://metadata.example/x HTTP/1.1", 404), ("GET /metrics HTTP/1.1", 200), ("GET /readyz HTTP/1.1", 200),
    ],
)  # fmt: skip
def test_another_way_or_another_place(receiver, wire, line, status):
    assert wire.ask("Content-Length: 0", line=line).statuses() == [status]
    assert receiver.kept == []


@pytest.mark.parametrize("path", ["/api/v1/alerts", "/api/v2/alerts", "/alerts/api/v1/alerts", "/alerts/api/v2/alerts"])
def test_what_is_sent_to_an_alertmanager_is_told_that_this_is_none(receiver, wire, path):
    assert wire.ask("Content-Length: 0", line=f"POST {path} HTTP/1.1").statuses() == [404]
    assert (receiver.kept, receiver.counted) == ([], ["refused"])
    assert wire.ask("Content-Length: 0", line=f"POST {path} HTTP/1.1", known=False).statuses(2) == [404, 401]
    assert b"this is no Alertmanager: it is a list of alerts" in wire.heard


@pytest.mark.parametrize("alerts", [[alert()], []])
def test_what_was_left_out_is_logged_and_counted_and_kept(receiver, wire, caplog, alerts):
    caplog.set_level(logging.WARNING)
    body = json.dumps(
        {"version": "4", "alerts": alerts, "truncatedAlerts": 9000, "receiver": "oncall\n", "groupKey": "g"}
    ).encode()
    assert wire.ask(length(body), body=body).statuses() == [202]
    assert wire.ask(line="GET /healthz HTTP/1.1").statuses(2) == [202, 200]
    assert b'{"alerts":%d,"not_readable":0,"left_out":9000}' % len(alerts) in wire.heard
    assert receiver.counted == ["taken"]
    assert receiver.left_out == [LeftOut(9000, "oncall\n", "g")]
    assert json.loads(receiver.kept[0])["left_out"] == {"alerts": 9000, "receiver": "oncall\n", "group": "g"}
    (line,) = [one.getMessage() for one in caplog.records if "left out" in one.getMessage()]
    assert line.startswith(
        "9000 alerts were left out of a notification from 127.0.0.1 (receiver 'oncall\\n'): raise max_alerts"
    )


def test_a_refusal_names_who_sends_such_a_thing(receiver, wire):
    body = json.dumps([{"labels": {"alertname": "x"}, "startsAt": "2026-01-01T00:00:00Z"}]).encode()
    assert wire.ask(length(body), body=body).statuses() == [400]
    assert wire.ask(line="GET /healthz HTTP/1.1").statuses(2) == [400, 200]
    assert b"as Prometheus, vmalert and Grafana send it to the API of an Alertmanager" in wire.heard
    assert receiver.kept == []


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "gzip, identity", "identity, gzip", "x", "GZIP", "\xff"])
def test_what_is_encoded_is_not_read(receiver, wire, encoding):
    assert wire.ask(f"Content-Encoding: {encoding}", "Content-Length: 1000").statuses() == [415]
    assert receiver.kept == []


# ---------------------------------------------------------------------- too much
@pytest.mark.parametrize("said", [MOST_BODY_BYTES + 1, 10**12, "9" * 19])
def test_more_than_is_read_is_said_before_it_is_read(receiver, wire, said):
    assert wire.ask(f"Content-Length: {said}").statuses() == [413]


def test_more_than_is_read_is_not_read_whatever_was_said(receiver, wire):
    wire.ask("Transfer-Encoding: chunked")
    chunk = b"%x\r\n%s\r\n" % (50_000, b" " * 50_000)
    wire.say(chunk, chunk, chunk, chunk)
    wire.say(b"1\r\n \r\n")
    assert wire.statuses() == [413]
    assert receiver.counted == ["refused"]


def test_as_much_as_may_be_is_read(receiver, wire):
    body = BODY + b" " * (MOST_BODY_BYTES - len(BODY))
    assert wire.ask(length(body), body=body).statuses() == [202]


@pytest.mark.parametrize(("blanks", "beside"), [(0, False), (50_000, True)])
def test_what_is_large_is_read_beside_the_loop(wire, monkeypatch, blanks, beside):
    threads = []
    monkeypatch.setattr(web, "read", lambda body: threads.append(threading.current_thread().name) or read(body))
    body = BODY + b" " * blanks
    assert wire.ask(length(body), body=body).statuses() == [202]
    assert [name.startswith("reading") for name in threads] == [beside]


def test_all_that_is_read_at_once_is_bounded_and_counted_down_again(receiver, monkeypatch):
    monkeypatch.setattr(web, "MOST_BYTES", 100_000)
    wires = [Wire(receiver.port).ask("Content-Length: 90000", body=b" " * 80_000) for _ in range(2)]
    # Whoever came second has to come again.
    ready, _, _ = select.select(wires, [], [], LATE_SECONDS)
    assert [wire.statuses() for wire in ready] == [[503]]
    for wire in wires:
        wire.close()

    def taken() -> bool:
        again = Wire(receiver.port)
        body = BODY + b" " * 90_000
        try:
            return again.ask(length(body), body=body).statuses() == [202]
        finally:
            again.close()

    until(taken)


def test_what_is_announced_and_never_sent_keeps_no_small_notification_away(receiver, wire, monkeypatch):
    monkeypatch.setattr(web, "MOST_BYTES", 100_000)
    # Of two that announce all there is, the second has no room any more.
    silent = [Wire(receiver.port).ask("Content-Length: 100000") for _ in range(2)]
    ready, _, _ = select.select(silent, [], [], LATE_SECONDS)
    assert [one.statuses() for one in ready] == [[503]]
    assert wire.ask(length(BODY), body=BODY).statuses() == [202]
    for one in silent:
        one.close()


# ---------------------------------------------------------------------- too slow
@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("begun", [b"", b"{"])
def test_a_body_that_does_not_come(receiver, wire, begun):
    began = time.monotonic()
    assert wire.ask(length(BODY), body=begun).statuses() == [408]
    assert SLOW_SECONDS <= time.monotonic() - began < LATE_SECONDS
    assert wire.is_closed() and receiver.counted == ["refused"]


@pytest.mark.usefixtures("hurried")
def test_a_body_that_drips(receiver, wire):
    began = time.monotonic()
    wire.ask(length(BODY))
    with suppress(BrokenPipeError, ConnectionResetError):
        wire.say(*[b" "] * 8, every=SLOW_SECONDS / 5)
    assert wire.statuses() == [408]
    assert time.monotonic() - began < LATE_SECONDS and receiver.kept == []


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("begun", [b"", b"P", b"POST /alerts HTTP/1.1\r\nHost: oncall\r\nX: "])
def test_headers_that_do_not_come(receiver, begun):
    began = time.monotonic()
    wire = Wire(receiver.port)
    wire.say(begun)
    assert wire.is_closed() and wire.heard == b""
    assert SLOW_SECONDS * 0.9 <= time.monotonic() - began < LATE_SECONDS
    wire.close()


@pytest.mark.usefixtures("hurried")
def test_headers_that_drip(wire):
    with pytest.raises(ConnectionError):
        wire.say(b"GET /healthz HTTP/1.1\r\n", *[b"X: y\r\n"] * 30, every=SLOW_SECONDS / 5)


@pytest.mark.usefixtures("hurried")
def test_a_second_request_that_does_not_come_to_its_end(wire):
    wire.say(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
    assert wire.statuses() == [200]
    time.sleep(SLOW_SECONDS * 1.5)
    # To keep a connection is no crime.
    began = time.monotonic()
    wire.say(b"GET /healthz HTTP/1.1\r\nHost:")
    assert wire.is_closed() and wire.statuses(2) == [200]
    assert SLOW_SECONDS * 0.9 <= time.monotonic() - began < LATE_SECONDS


@pytest.mark.usefixtures("hurried")
def test_a_database_that_does_not_answer(receiver, wire):
    receiver.database.clear()
    try:
        assert wire.ask(length(BODY), body=BODY).statuses() == [503]
        assert b"retry-after" in wire.heard.lower() and receiver.counted == ["turned_away"]
    finally:
        receiver.database.set()
    # It may still come to be kept: what was not acknowledged comes again in any case.
    until(lambda: len(receiver.kept) == 1)


# ---------------------------------------------------------------------- no HTTP, or not quite
@pytest.mark.parametrize(
    "said",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
        b"GET /healthz HTTP/11\r\nHost: a\r\n\r\n",
        b"\0" * 1000,
        b"\xff" * 70_000,
        b"GET /healthz\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 100_000,
        b"GET /" + b"y" * 100_000,
        b"GET /healthz HTTP/2.0\r\nHost: a\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 20_000,
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n",
        b"GET /\x80 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /\x1b[2J HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /alerts HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST /alerts HTTP/1.1\r\nHost: a\r\nContent-Length: 1e3\r\n\r\n",
        b"POST /alerts HTTP/1.1\r\nHost: a\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"POST /alerts HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /alerts HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"POST /alerts HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
    ids=lambda said: repr(said[:60]),
)
def test_what_is_no_request(receiver, wire, said):
    # It may not even be listened to.
    with suppress(BrokenPipeError, ConnectionResetError):
        wire.say(said)
    assert wire.statuses() in ([400], [])
    assert wire.is_closed() and receiver.kept == []


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("chunk", [b"xyz\r\n", b"-1\r\n", b"5\r\nabcdefgh\r\n", b"f" * 100 + b"\r\n", b"\xff\r\n",
    b"1;" + b"x" * 400_000, b"0\r\nX: " + b"y" * 400_000])  # fmt: skip
def test_a_body_that_breaks_the_rules(receiver, wire, known, chunk):
    wire.ask("Transfer-Encoding: chunked", known=known)
    if not known:
        # Its answer is out when the rules are broken.
        assert wire.statuses() == [401]
    with suppress(BrokenPipeError, ConnectionResetError):
        wire.say(chunk)
    assert wire.is_closed() and receiver.kept == []


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("line", ["POST /alerts HTTP/1.1", "GET /healthz HTTP/1.1", "POST /none HTTP/1.1"])
def test_two_lengths_of_one_body_end_the_connection(receiver, wire, known, line):
    inner = f"POST /alerts HTTP/1.1\r\nHost: oncall\r\n{KNOWN}\r\n{JSON}\r\n{length(BODY)}\r\n\r\n".encode() + BODY
    both = ["Transfer-Encoding: chunked", f"Content-Length: {len(inner) + 5}"]
    wire.ask(*both, body=b"0\r\n\r\n" + inner, known=known, line=line)
    assert wire.statuses(2) == [400] and wire.is_closed()
    # The parser refuses it, before anybody could count it.
    assert (receiver.kept, receiver.counted) == ([], [])


@pytest.mark.parametrize(
    "said", [f"POST /alerts HTTP/1.1\r\nHost: a\r\n{KNOWN}\r\nContent-Length: 1000\r\n\r\n{{", "POST /al"]
)
def test_who_hangs_up_in_the_midst_of_it_is_not_missed(receiver, wire, said):
    wire.say(said.encode())
    wire.close()
    assert receiver.kept == []


def test_an_upgrade_is_none(receiver, wire):
    upgrade = [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: eHh4eHh4eHh4eHh4eHh4eA==",
    ]
    assert wire.ask(*upgrade, line="GET /alerts HTTP/1.1", known=False).statuses() == [401]
    assert receiver.kept == []
