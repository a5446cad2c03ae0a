# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The metrics observer against real servers on the loopback interface, most of them ill."""

from __future__ import annotations

import base64
import contextlib
import datetime
import gzip
import ipaddress
import json
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ansible_collections.oncall.runbooks.plugins.module_utils.metrics import endpoints
from ansible_collections.oncall.runbooks.plugins.module_utils.metrics import measure as metrics
from ansible_collections.oncall.runbooks.plugins.module_utils.net import bounded_http
from ansible_collections.oncall.runbooks.plugins.module_utils.net.bounded_http import FetchError, fetch, public_url
from lab.ports import free_port

DATA = Path(__file__).parent / "data"
POOL = b"# TYPE app_db_pool_waiting gauge\napp_db_pool_waiting 3\napp_db_pool_in_use 25\napp_db_pool_max 25\n"


def response(body, status="200 OK", length=True, **headers):
    """The bytes of one HTTP answer."""
    lines = [f"HTTP/1.1 {status}"] + [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Server:
    """Answers every connection with ``answer(server, connection, request)`` on a thread of its own."""

    def __init__(self, answer, context=None):
        self.answer = answer
        self.context = context
        self.requests = []
        self.stopped = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.threads = [threading.Thread(target=self._accept, daemon=True)]
        self.threads[0].start()

    def url(self, path="/metrics", userinfo="", scheme="http"):
        return f"{scheme}://{userinfo}127.0.0.1:{self.port}{path}"

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self.threads.append(thread)
            thread.start()

    def _serve(self, connection):
        # The client going away in the middle is what most of these tests are about.
        with connection, contextlib.suppress(OSError):
            stream = self.context.wrap_socket(connection, server_side=True) if self.context else connection
            with stream:
                request = b""
                while b"\r\n\r\n" not in request:
                    received = stream.recv(65536)
                    if not received:
                        return
                    request += received
                self.requests.append(request.decode())
                self.answer(self, stream, request.decode())

    def close(self):
        self.stopped.set()
        # Closing alone would leave the thread in accept.
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self.threads:
            thread.join(5)


@pytest.fixture
def serve():
    servers = []

    def start(answer, context=None):
        """A server that always sends these bytes, or calls this function."""
        send = answer if callable(answer) else lambda _server, connection, _request: connection.sendall(answer)
        servers.append(Server(send, context))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def drip(head, byte):
    """Sends ``head``, then one byte every 50 ms without end."""

    def answer(server, connection, _request):
        connection.sendall(head)
        while not server.stopped.wait(0.05):
            connection.sendall(byte)

    return answer


def endless(head, piece):
    """Sends ``head``, then ``piece`` as fast as the other side reads."""

    def answer(server, connection, _request):
        connection.sendall(head)
        while not server.stopped.is_set():
            connection.sendall(piece)

    return answer


def silent(server, _connection, _request):
    server.stopped.wait()


def observe(urls, wanted=None, **params):
    endpoints = urls if isinstance(urls, dict) else {"server": urls}
    result = metrics.observe({"endpoints": endpoints, "metrics": wanted or {}, **params})
    json.dumps(result, allow_nan=False)
    return result


# --- fetch: what is read -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        response(POOL),
        response(POOL, length=False),
        response(gzip.compress(POOL), Content_Encoding="gzip"),
        response(gzip.compress(POOL[:20]) + gzip.compress(POOL[20:]), Content_Encoding="x-gzip"),
        response(b"5\r\n" + POOL[:5] + b"\r\n%x\r\n" % len(POOL[5:]) + POOL[5:] + b"\r\n0\r\n\r\n", length=False,
                 Transfer_Encoding="chunked"),
        b"HTTP/1.1 100 Continue\r\n\r\n" + response(POOL),
        b"HTTP/1.0 200 OK\r\n\r\n" + POOL,
    ],
    ids=["length", "until close", "gzip", "two gzip members", "chunked", "100 first", "HTTP/1.0"],
)  # fmt: skip
def test_a_body_is_read_however_it_is_sent(serve, answer):
    server = serve(answer)
    status, headers, body = fetch(server.url(), 30)
    assert (status, body) == (200, POOL)
    assert all(name == name.lower() for name in headers)


def test_the_request_says_what_is_understood(serve):
    server = serve(response(POOL))
    fetch(server.url("/metrics?x=1#y", userinfo="us%40er:p%3Ass@"), 2, headers={"Accept": "text/plain", "X-A": 1})
    line, *headers = server.requests[0].strip().split("\r\n")
    assert line == "GET /metrics?x=1 HTTP/1.1"
    assert sorted(headers) == sorted(
        [
            f"host: 127.0.0.1:{server.port}",
            "accept: text/plain",
            "accept-encoding: gzip",
            "authorization: Basic " + base64.b64encode(b"us@er:p:ss").decode(),
            "connection: close",
            "user-agent: oncall.runbooks",
            "x-a: 1",
        ]
    )


@pytest.mark.parametrize("status", ["404 Not Found", "500 Internal Server Error", "304 Not Modified"])
def test_any_status_is_an_answer(serve, status):
    assert fetch(serve(response(b"", status)).url(), 2)[0] == int(status[:3])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_within_the_same_origin_is_followed(serve, status):
    def answer(server, connection, request):
        if request.startswith("GET /metrics "):
            connection.sendall(response(b"moved", f"{status} Moved", Location="/real?a=b"))
        elif request.startswith("GET /real?a=b "):
            connection.sendall(response(b"", "302 Found", Location=server.url("/last")))
        else:
            connection.sendall(response(POOL))

    server = serve(answer)
    assert fetch(server.url(userinfo="user:secret@"), 30)[2] == POOL
    assert [request.split()[1] for request in server.requests] == ["/metrics", "/real?a=b", "/last"]
    assert all("authorization: Basic " in request for request in server.requests)


# --- fetch: what is refused ----------------------------------------------------------------------------------

REFUSED_ANSWERS = {
    "redirect to another host": (
        response(b"", "302 Found", Location="http://localhost:1/x"),
        r"redirects to another place, http://localhost:1; not followed",
    ),
    "redirect to another scheme": (
        response(b"", "302 Found", Location="file:///etc/passwd"),
        r"file:///etc/passwd: only http and https are read, not file",
    ),
    "redirect to https": (
        response(b"", "301 Moved", Location="https://127.0.0.1/x?token=secret"),
        r"redirects to https: write https://127\.0\.0\.1/x instead",
    ),
    "redirect with credentials elsewhere": (
        response(b"", "302 Found", Location="http://a:secret@localhost/x"),
        r"redirects to another place, http://localhost:80; not followed",
    ),
    "redirect to no URL": (
        response(b"", "302 Found", Location="/a b"),
        r"redirects to something that is no URL",
    ),
    "redirect in a circle": (response(b"", "302 Found", Location="/metrics"), r"more than 3 redirects"),
    "announced too large": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 17825792\r\n\r\n",
        r"the body is larger than 16777216 bytes",
    ),
    "cut off": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nf 1\n",
        r"the body ended 496 bytes before its Content-Length",
    ),
    "chunk cut off": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nf 1\n",
        r"the body was cut off",
    ),
    "chunks without an end": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nf 1\n\r\n",
        r"the body was cut off",
    ),
    "gzip cut off": (
        response(gzip.compress(POOL)[:-9], Content_Encoding="gzip"),
        r"the gzip body is cut off",
    ),
    "gzip damaged": (response(b"\x1f\x8b\x08nonsense", Content_Encoding="gzip"), r"the gzip body is damaged"),
    "gzip that is none": (response(POOL, Content_Encoding="gzip"), r"the gzip body is damaged"),
    "other encoding": (
        response(POOL, Content_Encoding="br"),
        r"the body is packed with br, which was not asked for",
    ),
    "other transfer encoding": (
        response(POOL, length=False, Transfer_Encoding="gzip, chunked"),
        r"the transfer encoding gzip, chunked is not understood",
    ),
    "no answer": (b"", r"the connection was closed without an answer"),
    "no HTTP": (b"SSH-2.0-OpenSSH_9.6\r\n", r"not an HTTP answer \(BadStatusLine\)"),
    "endless line": (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70000, r"not an HTTP answer \(LineTooLong\)"),
    "too many headers": (
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        r"not an HTTP answer \(HTTPException\)",
    ),
}


@pytest.mark.parametrize("case", REFUSED_ANSWERS)
def test_an_answer_that_cannot_be_used_says_why(serve, case):
    answer, message = REFUSED_ANSWERS[case]
    server = serve(answer)
    with pytest.raises(FetchError, match=message) as caught:
        fetch(server.url("/metrics?token=secret", userinfo="user:secret@"), 30)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("file:///etc/passwd", "only http and https are read, not file"),
        ("ftp://127.0.0.1/x", "only http and https are read, not ftp"),
        ("127.0.0.1:9/metrics", "…: only http and https|only http and https"),
        ("/metrics", "only http and https are read, not a URL without scheme"),
        ("http:///metrics", "names no host"),
        ("http://user:secret@/metrics", "names no host"),
        ("http://127.0.0.1:99999/", "is not a valid URL"),
        ("http://[::1/", "is not a valid URL"),
        ("http://user:secret/x@127.0.0.1/", "is not a valid URL"),
        ("http://127.0.0.1/a b", "a URL may hold neither spaces"),
        ("http://127.0.0.1/a\r\nX: y", "a URL may hold neither spaces"),
        ("http://127.0.0.1/\tsecret@", "a URL may hold neither spaces"),
        ("http://127.0.0.1/\x00", "a URL may hold neither spaces"),
        ("http://127.0.0.1/ü", "a URL may hold neither spaces"),
        (" http://user:secret@127.0.0.1/", "a URL may hold neither spaces"),
    ],
)
def test_what_is_no_url_to_read_is_refused(url, message):
    with pytest.raises(FetchError, match=message) as caught:
        fetch(url, 1)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://user:secret@h:8080/metrics?token=secret#secret", "http://h:8080/metrics"),
        ("https://secret@h/metrics", "https://h/metrics"),
        ("http://[::1]:80/x", "http://[::1]:80/x"),
        ("http://user:secret/more@h/", "http://…"),
        ("http://h/@team/metrics", "http://h/…"),
        ("user:secret@h/metrics", "…"),
        ("http://" + "secret" * 100 + "@h/metrics", "http://h/metrics"),
        ("http://h/" + "x" * 300, "http://h/" + "x" * 190 + "…"),
    ],
)
def test_a_url_is_shown_without_what_may_be_secret(url, shown):
    assert public_url(url) == shown


@pytest.mark.parametrize("headers", [{"X-Token": "secret\r\nX: y"}, {"X-Token": "secret…"}, {"X Token": "secret"}])
def test_a_header_that_cannot_be_sent_is_refused_without_its_value(headers):
    with pytest.raises(FetchError, match="request header") as caught:
        fetch("http://127.0.0.1:1/", 1, headers=headers)
    assert "secret" not in str(caught.value)


# --- fetch: how long and how much ----------------------------------------------------------------------------

NEVER_ENDING = {
    "silence": (silent, "waiting for the answer"),
    "drip in the status line": (drip(b"HTTP/1.1 2", b"0"), "waiting for the answer"),
    "drip in the headers": (drip(b"HTTP/1.1 200 OK\r\nX: ", b"x"), "waiting for the answer"),
    "drip of headers": (drip(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"), "waiting for the answer"),
    "endless 100 Continue": (endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "waiting for the answer"),
    "drip in the body": (drip(response(b"", length=False), b"x"), "reading the body"),
    "drip up to a length": (drip(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n", b"x"), "reading the body"),
    "drip of chunks": (
        drip(response(b"", length=False, Transfer_Encoding="chunked"), b"1\r\nx\r\n"),
        "reading the body",
    ),
    "endless trailer": (
        drip(response(b"0\r\n", length=False, Transfer_Encoding="chunked"), b"X: y\r\n"),
        "reading the body",
    ),
}


@pytest.mark.parametrize("case", NEVER_ENDING)
def test_the_deadline_holds_whatever_drips(serve, case):
    answer, doing = NEVER_ENDING[case]
    server = serve(answer)
    started = time.monotonic()
    with pytest.raises(FetchError, match=f"no complete answer within 1 s, given up while {doing}"):
        fetch(server.url(), 1)
    assert 0.9 < time.monotonic() - started < 20


def test_the_deadline_holds_over_redirects(serve):
    def answer(server, connection, _request):
        server.stopped.wait(0.3)
        connection.sendall(response(b"", "302 Found", Location="/metrics"))

    server = serve(answer)
    started = time.monotonic()
    with pytest.raises(FetchError, match=r"no complete answer within 0.5 s"):
        fetch(server.url(), 0.5)
    assert time.monotonic() - started < 20


def test_the_deadline_holds_while_a_name_is_resolved(monkeypatch):
    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: release.wait(60))
    started = time.monotonic()
    try:
        with pytest.raises(FetchError, match=r"no complete answer within 0.3 s, given up while resolving the name"):
            fetch("http://name.invalid/metrics", 0.3)
        assert time.monotonic() - started < 20
    finally:
        release.set()


def test_a_dead_address_leaves_time_for_the_next(serve, monkeypatch):
    server = serve(response(POOL))
    # Nobody accepts here and the backlog is full, so that connecting hangs as it does at a dropped packet.
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        with socket.create_connection(full.getsockname()):
            addresses = [
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", address)
                for address in (full.getsockname(), ("127.0.0.1", server.port))
            ]
            monkeypatch.setattr(socket, "getaddrinfo", lambda *_: addresses)
            assert fetch("http://two.invalid/metrics", 6)[2] == POOL


@pytest.mark.parametrize(
    "answer",
    [
        endless(response(b"", length=False), b"f 1\n" * 16384),
        endless(response(b"", length=False, Transfer_Encoding="chunked"), b"10000\r\n" + b"f 1\n" * 16384 + b"\r\n"),
        response(gzip.compress(b"\x00" * 40_000_000), Content_Encoding="gzip"),
        response(gzip.compress(b"f 1\n" * 4_400_000), Content_Encoding="gzip"),
        response(b"f 1\n" * (17 * 1024 * 256)),
    ],
    ids=["endless", "endless chunks", "gzip bomb", "17 MiB packed", "17 MiB"],
)
def test_no_more_than_the_limit_is_read(serve, answer):
    with pytest.raises(FetchError, match="the body is larger than 16777216 bytes"):
        fetch(serve(answer).url(), 10)


def test_a_bomb_is_noticed_while_it_is_small(serve):
    import tracemalloc

    bomb = response(gzip.compress(b"\x00" * 200_000_000), Content_Encoding="gzip")
    server = serve(bomb)
    tracemalloc.start()
    with pytest.raises(FetchError, match="larger than 1000000 bytes"):
        fetch(server.url(), 10, max_bytes=1_000_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4_000_000


def test_the_limit_itself_is_still_read(serve):
    for answer in (response(b"x" * 1000), response(gzip.compress(b"x" * 1000), Content_Encoding="gzip")):
        server = serve(answer)
        assert fetch(server.url(), 2, max_bytes=1000)[2] == b"x" * 1000
        with pytest.raises(FetchError, match="larger than 999 bytes"):
            fetch(server.url(), 2, max_bytes=999)


# --- fetch: TLS ----------------------------------------------------------------------------------------------


@pytest.fixture
def certificate(tmp_path):
    """A self-signed certificate for 127.0.0.1, and a server's TLS context that uses it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "lab")])
    now = datetime.datetime.now(datetime.timezone.utc)
    day = datetime.timedelta(days=1)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "certificate.pem"
    encoding = serialization.Encoding.PEM
    path.write_bytes(built.public_bytes(encoding))
    key_path = tmp_path / "key.pem"
    key_path.write_bytes(key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, key_path)
    return path, context


def test_tls_is_read_when_the_certificate_is_trusted(serve, certificate, monkeypatch):
    path, context = certificate
    server = serve(response(POOL), context)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    assert fetch(server.url(scheme="https"), 5)[2] == POOL


def test_the_deadline_holds_within_tls(serve, certificate, monkeypatch):
    path, context = certificate
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    server = serve(drip(response(b"", length=False), b"x"), context)
    started = time.monotonic()
    with pytest.raises(FetchError, match=r"within 2 s, given up while reading the body"):
        fetch(server.url(scheme="https"), 2)
    assert time.monotonic() - started < 20


def test_tls_that_cannot_be_trusted_says_so(serve, certificate):
    server = serve(response(POOL), certificate[1])
    with pytest.raises(FetchError, match=r"TLS failed: .*self.signed"):
        fetch(server.url(scheme="https"), 5)


def test_a_server_without_tls_says_so():
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer():
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        with pytest.raises(FetchError, match=r"TLS failed: WRONG_VERSION_NUMBER"):
            fetch(f"https://127.0.0.1:{listener.getsockname()[1]}/", 5)
        thread.join(5)


def test_the_deadline_holds_while_tls_is_agreed_on():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        started = time.monotonic()
        with pytest.raises(FetchError, match=r"within 0.4 s, given up while agreeing on TLS"):
            fetch(f"https://127.0.0.1:{listener.getsockname()[1]}/", 0.4)
        assert time.monotonic() - started < 20


# --- observe: endpoints --------------------------------------------------------------------------------------

ILL = {
    "not found": (response(b"gone", "404 Not Found"), r"answered 404 instead of 200"),
    "failing": (response(b"oops", "500 Internal Server Error"), r"answered 500 instead of 200"),
    "HTML": (response(b"<html>login</html>"), r"an HTML or XML page, not metrics"),
    "JSON": (response(b'{"status": "ok"}'), r"JSON, not metrics"),
    "binary": (response(b"\x00\x01\x02"), r"binary data"),
    "empty": (response(b""), r"an empty body"),
    "endless": (endless(response(b"", length=False), b"app_db_pool_waiting 1\n" * 4096), r"larger than 16777216"),
    "17 MiB": (response(b"f 1\n" * (17 * 1024 * 256)), r"larger than 16777216 bytes"),
    "silent": (silent, r"no complete answer within 1 s"),
}


@pytest.mark.parametrize("case", ILL)
def test_an_ill_endpoint_is_unavailable_with_one_clear_line(serve, case):
    answer, message = ILL[case]
    server = serve(answer)
    result = observe(
        server.url("/metrics?token=secret", userinfo="user:secret@"),
        {"waiting": "app_db_pool_waiting"},
        timeout_seconds=1.0 if case == "silent" else 30.0,
    )
    url = f"http://127.0.0.1:{server.port}/metrics"
    assert result["available"] is False
    assert re.fullmatch(rf"endpoint server: GET {re.escape(url)}: .*{message}.*", result["reason"])
    assert result["endpoints"]["server"]["available"] is False
    assert result["endpoints"]["server"]["url"] == url
    assert result["metric"]["waiting"]["available"] is False
    assert result["metric"]["waiting"]["reason"].startswith("endpoint server: GET ")
    assert result["value"] == {}
    assert "secret" not in json.dumps(result)


def test_a_refused_connection_and_a_url_that_is_not_read_are_unavailable():
    port = free_port()
    result = observe({"down": f"http://127.0.0.1:{port}/metrics", "file": "file:///etc/passwd"})
    place = f"127.0.0.1:{port}"
    down = f"GET http://{place}/metrics: connection refused by {place}; does the service run, on this port?"
    assert result["available"] is False
    assert result["reason"] == f"endpoint down: {down}"
    assert result["endpoints"]["down"]["reason"] == down
    assert result["endpoints"]["file"]["reason"] == "file:///etc/passwd: only http and https are read, not file"


def test_endpoints_are_read_at_once_and_a_hanging_one_takes_no_longer_than_the_timeout(serve):
    servers = {f"slow_{number}": serve(silent).url() for number in range(8)}
    servers["good"] = serve(response(POOL)).url()
    wanted = {
        "good": {"family": "app_db_pool_waiting", "endpoints": ["good"]},
        "all": "app_db_pool_waiting",
    }
    started = time.monotonic()
    result = observe(servers, wanted, timeout_seconds=3)
    # One after the other, they would take 24 s.
    assert time.monotonic() - started < 15
    assert result["value"] == {"good": 3.0}
    assert result["endpoints"]["good"]["available"] is True
    assert result["endpoints"]["good"]["status"] == 200
    assert result["endpoints"]["good"]["bytes"] == len(POOL)
    assert result["metric"]["all"]["reason"].startswith("endpoint slow_0: ")


def test_a_resolver_that_hangs_does_not_hold_the_others(serve, monkeypatch):
    release = threading.Event()
    resolve = socket.getaddrinfo

    def getaddrinfo(host, *args):
        return release.wait(60) if host == "name.invalid" else resolve(host, *args)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    started = time.monotonic()
    try:
        result = observe({"bad": "http://name.invalid/", "good": serve(response(POOL)).url()}, timeout_seconds=2)
        assert time.monotonic() - started < 20
    finally:
        release.set()
    assert "no complete answer within 2 s" in result["endpoints"]["bad"]["reason"]
    assert result["endpoints"]["good"]["available"] is True


# --- observe: values -----------------------------------------------------------------------------------------

NODE = response((DATA / "metrics_node_app.txt").read_bytes())
STATUS = "app_response_status_total"
LATENCY = "app_request_duration_seconds"


@pytest.mark.parametrize(
    ("spec", "expected", "series"),
    [
        ("app_db_pool_waiting", 4.0, 1),
        ({"family": "app_db_pool"}, 25.0, 1),
        ({"family": STATUS}, 19040.0, 5),
        ({"family": "app_response_status"}, 19040.0, 5),
        ({"family": STATUS, "labels": {"status": 500}}, 31.0, 1),
        ({"family": STATUS, "labels": {"status": "~5.."}, "aggregate": "max"}, 31.0, 2),
        ({"family": STATUS, "labels": {"status": "~5.."}, "aggregate": "min"}, 7.0, 2),
        ({"family": STATUS, "labels": {"status": "~5.."}, "aggregate": "avg"}, 19.0, 2),
        ({"family": STATUS, "aggregate": "count"}, 5.0, 5),
        ({"family": STATUS, "by": ["method"]}, {"GET": 18362.0, "POST": 678.0}, 5),
        (
            {"family": STATUS, "by": ["status", "method"], "labels": {"status": "~5.."}},
            {"500,POST": 31.0, "503,POST": 7.0},
            2,
        ),
        ({"family": STATUS, "by": "status", "labels": {"status": "~9.."}}, {}, 0),
        ({"family": STATUS, "labels": {"status": "~9.."}, "aggregate": "count"}, 0.0, 0),
        # a family as an inventory describes it
        (
            {"family": {"family": STATUS, "labels": {"status": "~5.."}}, "by": "method", "labels": {"status": "503"}},
            {"POST": 7.0},
            1,
        ),
        ({"family": "app_circuit_breaker_state", "by": ["host"]}, {"api.linear.app": 0.0, "api.attio.com": 2.0}, 2),
        ({"family": f"{LATENCY}_count", "labels": {"route": "~.*sync"}}, 678.0, 1),
        # counters since the process started, without a second sample
        ({"family": STATUS, "measure": "increase", "lifetime": True, "labels": {"status": "~9.."}}, 0.0, 0),
        ({"family": "app_cache_invalidations_total", "measure": "increase", "lifetime": True}, 0.0, 0),
        # rank 339 of 678: 151 of the 214 between 0.5 and 1
        (
            {
                "family": LATENCY,
                "measure": "quantile",
                "quantile": 0.5,
                "lifetime": True,
                "labels": {"route": "~.*sync"},
            },
            pytest.approx(0.5 + 0.5 * 151 / 214),
            7,
        ),
        (
            {"family": f"{LATENCY}_bucket", "measure": "quantile", "quantile": "1", "lifetime": True, "by": ["route"]},
            {"/v1/customers/:id": 5.0, "/v1/connectors/:name/sync": 5.0},
            14,
        ),
    ],
)
def test_what_is_shown_now_needs_one_sample(serve, spec, expected, series):
    server = serve(NODE)
    result = observe(server.url(), {"x": spec})
    assert "reason" not in result
    assert result["available"] is True
    assert result["value"] == {"x": expected}
    assert result["metric"]["x"]["series"] == series
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("app_db_pool_wating", r"app_db_pool_wating is not there; near: app_db_pool_waiting, .*"),
        ("zzz", r"zzz is not there"),
        ("nodejs_eventloop_lag_stddev_seconds", r"the value is NaN"),
        (
            {"family": STATUS, "labels": {"stauts": "500"}},
            r".* has the label stauts; its labels are method, route, status",
        ),
        ({"family": STATUS, "by": ["code"]}, r".* has the label code; its labels are method, route, status"),
        ({"family": "app_db_pool_max", "by": ["host"]}, r".* has the label host; it has no labels"),
        ({"family": STATUS, "labels": {"status": "999"}}, r".* has no value: none of its 5 series has these labels"),
        ("app_cache_invalidations_total", r".* has no value: it has no series yet"),
        (LATENCY, r".* is a histogram or summary: use app_request_duration_seconds_count or _sum, or .*"),
        ({"family": "app_db_pool_max", "measure": "quantile", "lifetime": True}, r".*app_db_pool_max is no histogram"),
        (
            {"family": LATENCY, "measure": "quantile", "lifetime": True, "labels": {"route": "/x"}},
            r".*no observations with these labels",
        ),
        ({"family": "latency_seconds", "measure": "quantile"}, r".*latency_seconds is not there.*"),
    ],
)
def test_what_could_not_be_measured_has_a_reason_and_no_value(serve, spec, reason):
    result = observe(serve(NODE).url(), {"x": spec, "max": "app_db_pool_max"}, window_seconds=0.05)
    assert result["available"] is False
    assert result["reason"] == f"metric x ({result['metric']['x']['family']}): {result['metric']['x']['reason']}"
    assert re.fullmatch(rf"(endpoint server: GET http://\S+: )?{reason}", result["metric"]["x"]["reason"])
    assert result["value"] == {"max": 25.0}


def test_a_group_without_a_number_is_left_out_and_the_others_stay(serve):
    result = observe(
        serve(response(b'f{a="x"} 1\nf{a="y"} NaN\nf{a="z,\\\\"} +Inf\n')).url(), {"f": {"family": "f", "by": ["a"]}}
    )
    assert result["available"] is True
    assert result["value"] == {"f": {"x": 1.0}}
    assert result["metric"]["f"]["unmeasured"] == {"y": "the value is NaN", "z,\\": "the value is infinite"}


def test_a_damaged_line_spoils_only_its_own_family(serve):
    result = observe(serve(response(POOL + b"broken{ 1\n")).url(), {"broken": "broken", "max": "app_db_pool_max"})
    assert result["metric"]["broken"]["reason"].endswith("line 5 (broken) is not valid: not a sample")
    assert result["value"] == {"max": 25.0}


def test_too_many_groups_are_refused(serve):
    body = b"".join(b'f{path="/%d"} 1\n' % number for number in range(1001))
    result = observe(serve(response(body)).url(), {"f": {"family": "f", "by": ["path"]}, "all": "f"})
    assert result["metric"]["f"]["reason"] == "1001 groups by path, at most 1000: narrow it with labels"
    assert result["value"] == {"all": 1001.0}


def test_commas_in_several_labels_stay_apart(serve):
    body = b'f{a="x,y",b="z"} 1\nf{a="x",b="y,z"} 2\n'
    result = observe(serve(response(body)).url(), {"f": {"family": "f", "by": ["a", "b"]}})
    assert result["value"]["f"] == {"x\\,y,z": 1.0, "x,y\\,z": 2.0}


def test_one_endpoint_without_the_family_leaves_no_sum_of_the_others(serve):
    urls = {
        "a": serve(response(POOL)).url(),
        "b": serve(response(b"other 1\n")).url(),
        "c": serve(response(POOL)).url(),
    }
    wanted = {"all": "app_db_pool_in_use", "two": {"family": "app_db_pool_in_use", "endpoints": ["a", "c"]}}
    result = observe(urls, wanted)
    assert result["value"] == {"two": 50.0}
    assert result["metric"]["two"]["series"] == 2
    assert result["metric"]["all"]["reason"].startswith("endpoint b: ")


# --- observe: the same thing once ------------------------------------------------------------------------------


def test_a_series_twice_counts_once_and_with_two_values_not_at_all(serve):
    body = b'# TYPE a gauge\na 5\n# TYPE a gauge\na 5\nb{x="1"} 5\nc 7\nb{x="1"} 6\n'
    result = observe(serve(response(body)).url(), {"a": "a", "b": "b", "c": "c"})
    assert result["value"] == {"a": 5.0, "c": 7.0}
    assert result["metric"]["a"]["series"] == 1
    assert result["metric"]["b"]["reason"].startswith("endpoint server: GET http://127.0.0.1:")
    assert result["metric"]["b"]["reason"].endswith('b{x="1"} is there twice, with 5 in line 5 and 6 in line 7')


def test_one_url_under_several_names_is_read_once_and_counts_once(serve):
    server, other = serve(response(POOL)), serve(response(POOL))
    urls = {
        "a": server.url(),
        "b": server.url().replace("http://", "HTTP://") + "#x",
        "c": server.url(),
        "d": other.url(),
    }
    wanted = {
        "all": "app_db_pool_in_use",
        "two": {"family": "app_db_pool_in_use", "endpoints": ["b", "c"]},
        "three": {"family": "app_db_pool_in_use", "endpoints": ["c", "d", "b"]},
    }
    result = observe(urls, wanted)
    assert result["value"] == {"all": 50.0, "two": 25.0, "three": 50.0}
    assert result["metric"]["all"]["series"] == 2
    assert {name: entry.get("same_as") for name, entry in result["endpoints"].items()} == {
        "a": None, "b": "a", "c": "a", "d": None,
    }  # fmt: skip
    assert (len(server.requests), len(other.requests)) == (1, 1)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("http://h/metrics", "http://h:80/metrics", True),
        ("https://H/metrics", "https://h:443/metrics", True),
        ("http://h", "http://h/", True),
        ("http://h./m", "http://h/m", True),
        ("http://h/m#a", "http://h/m#b", True),
        ("http://u:p@h/m", "http://u:q@h/m", True),
        ("http://h/m", "https://h/m", False),
        ("http://h/m", "http://h:8080/m", False),
        ("http://h/m?a=1", "http://h/m?a=2", False),
        ("http://h/M", "http://h/m", False),
        ("http://localhost:8080/m", "http://127.0.0.1:8080/m", True),
        ("http://127.0.0.1/m", "http://[::1]/m", False),
        ("http://127.0.0.1/m", "http://127.0.0.2/m", False),
        # one gateway shows each user something else
        ("http://u:p@h/m", "http://v:p@h/m", False),
        ("http://h:x/m", "http://h:y/m", False),
    ],
)
def test_two_spellings_of_a_url_are_one_target(one, other, same):
    assert (endpoints.target_of(one) == endpoints.target_of(other)) is same


def test_names_in_quotes_are_asked_for_only_where_they_are_wanted(serve):
    server = serve(response(b'# TYPE "app.db.in_use" gauge\n{"app.db.in_use",pool="a"} 5\nplain 1\n'))
    assert observe(server.url(), {"x": "app.db.in_use"})["value"] == {"x": 5.0}
    assert observe(server.url(), {"x": "plain"})["value"] == {"x": 1.0}
    assert observe(server.url(), {"x": {"family": "app.db.in_use", "by": "pool"}})["value"] == {"x": {"a": 5.0}}
    asked = ["escaping=allow-utf-8" in request for request in server.requests]
    assert asked == [True, False, True]
    near = observe(server.url(), {"x": "app_db_in_use"})["reason"]
    assert near.endswith("app_db_in_use is not there; near: app.db.in_use")


def test_openmetrics_that_is_cut_off_is_no_measurement(serve):
    openmetrics = "application/openmetrics-text; version=1.0.0"
    whole = serve(response(POOL + b"# EOF\n", Content_Type=openmetrics))
    assert observe(whole.url(), {"x": "app_db_pool_max"})["value"] == {"x": 25.0}
    cut_off = observe(serve(response(POOL, Content_Type=openmetrics)).url(), {"x": "app_db_pool_max"})
    assert cut_off["value"] == {}
    assert "may be partial: it says that it is OpenMetrics and has no # EOF" in cut_off["reason"]


def test_a_replica_in_openmetrics_and_one_in_text_are_two(serve):
    text = b'# TYPE c counter\nc_total 5\nh_bucket{le="1"} 1\nh_bucket{le="+Inf"} 1\n'
    openmetrics = b'# TYPE c counter\nc_total 5\nh_bucket{le="1.0"} 1\nh_bucket{le="+Inf"} 1\n# EOF\n'
    urls = {"a": serve(response(text)).url(), "b": serve(response(openmetrics)).url()}
    wanted = {"c": "c", "h": {"family": "h", "measure": "quantile", "quantile": 1, "lifetime": True}}
    assert observe(urls, wanted)["value"] == {"c": 10.0, "h": 1.0}


# --- observe: two samples ------------------------------------------------------------------------------------


def in_turn(*bodies):
    """Sends one body after the other, the last one again and again."""
    turn = iter(bodies)
    last = {}

    def answer(_server, connection, _request):
        last["body"] = next(turn, last.get("body"))
        connection.sendall(last["body"] if last["body"].startswith(b"HTTP/") else response(last["body"]))

    return answer


def counters(**values):
    return b"# TYPE c counter\n" + b"".join(b'c{s="%s"} %d\n' % (s.encode(), v) for s, v in values.items())


@pytest.mark.parametrize(
    ("before", "after", "labels", "increase"),
    [
        (counters(ok=100), counters(ok=130), {}, 30.0),
        (counters(ok=100), counters(ok=100), {}, 0.0),
        (counters(ok=100, bad=50), counters(ok=7, bad=60), {}, 17.0),
        (counters(ok=100), counters(ok=100, bad=2), {}, 2.0),
        (counters(ok=100), counters(ok=130), {"s": "bad"}, 0.0),
        (counters(), counters(), {}, 0.0),
        (counters(), counters(ok=5), {}, 5.0),
    ],
)
def test_increases_and_rates_come_from_two_samples(serve, before, after, labels, increase):
    server = serve(in_turn(before, after))
    wanted = {name: {"family": "c", "measure": name, "labels": labels} for name in ("increase", "rate")}
    result = observe(server.url(), wanted, window_seconds=0.2)
    assert len(server.requests) == 2
    seconds = result["metric"]["rate"]["seconds"]
    assert 0.15 < seconds < 20
    assert result["value"]["increase"] == increase
    assert result["value"]["rate"] == pytest.approx(increase / seconds, rel=0.01)


def test_only_the_endpoints_that_need_it_are_read_twice_and_the_last_value_counts(serve):
    one, two = serve(in_turn(counters(a=1))), serve(in_turn(counters(a=1) + b"g 1\n", counters(a=3) + b"g 2\n"))
    wanted = {
        "c": {"family": "c", "endpoints": ["one"]},
        "grown": {"family": "c", "measure": "increase", "endpoints": ["two"]},
        "g": {"family": "g", "endpoints": ["two"]},
    }
    result = observe({"one": one.url(), "two": two.url()}, wanted, window_seconds=0.05)
    assert result["value"] == {"c": 1.0, "grown": 2.0, "g": 2.0}
    assert (len(one.requests), len(two.requests)) == (1, 2)


def test_each_endpoint_has_resets_of_its_own(serve):
    urls = {
        "a": serve(in_turn(counters(x=100), counters(x=110))).url(),
        "b": serve(in_turn(counters(x=90), counters(x=4))).url(),
    }
    result = observe(urls, {"c": {"family": "c", "measure": "increase"}}, window_seconds=0.05)
    assert result["value"] == {"c": 14.0}


def test_an_endpoint_that_dies_in_between_is_unavailable(serve):
    server = serve(in_turn(counters(a=1), response(b"", "503 Service Unavailable")))
    result = observe(server.url(), {"c": {"family": "c", "measure": "rate"}}, window_seconds=0.05)
    assert result["value"] == {}
    assert "second sample: GET " in result["reason"]
    assert "answered 503" in result["endpoints"]["server"]["reason"]


def test_without_a_window_there_is_one_sample_and_what_needs_two_is_not_measured(serve):
    # A second one would be asked for in vain.
    url = serve(in_turn(b"a_total 5\nb 3\n")).url()
    result = observe(url, {"grown": {"measure": "increase", "family": "a_total"}, "now": "b"}, window_seconds=0)
    assert result["value"] == {"now": 3.0}
    assert result["metric"]["grown"]["reason"] == "it takes two samples, and window_seconds is 0"
    assert result["available"] is False


def test_a_quantile_over_the_window_forgets_what_was_before(serve):
    def histogram(one, two, all_of_them):
        return b'h_bucket{le="1"} %d\nh_bucket{le="2"} %d\nh_bucket{le="+Inf"} %d\n' % (one, two, all_of_them)

    def quantile(before, after, **spec):
        server = serve(in_turn(before, after))
        spec = {"family": "h", "measure": "quantile", "quantile": 0.5, **spec}
        return observe(server.url(), {"p": spec}, window_seconds=0.05)

    assert quantile(histogram(1000, 1000, 1000), histogram(1000, 1010, 1010))["value"] == {"p": 1.5}
    assert quantile(histogram(1000, 1000, 1000), b"", lifetime=True)["value"] == {"p": 0.5}
    idle = quantile(histogram(1000, 1000, 1000), histogram(1000, 1000, 1000))
    assert idle["value"] == {}
    assert idle["metric"]["p"]["reason"] == "h: no observations"


@pytest.mark.parametrize(
    ("one", "two", "unmoved"),
    [
        ((counters(a=1), counters(a=5)), (counters(a=7), counters(a=7)), ["two"]),
        ((counters(a=1), counters(a=5)), (counters(a=7), counters(a=9)), []),
        # All of them at rest: a quiet night, and nothing is known of it.
        ((counters(a=1), counters(a=1)), (counters(a=7), counters(a=7)), []),
        # One that died in between did not show the same.
        ((counters(a=1), counters(a=5)), (counters(a=7), response(b"", "503 Service Unavailable")), []),
    ],
    ids=["a copy", "both move", "none moves", "one dies"],
)
def test_an_endpoint_that_shows_the_same_while_another_moves_is_named(serve, one, two, unmoved):
    endpoints = {"one": serve(in_turn(*one)).url(), "two": serve(in_turn(*two)).url()}
    wanted = {"c": {"family": "c", "measure": "increase"}}
    assert observe(endpoints, wanted, window_seconds=0.05)["unmoved"] == unmoved


# --- observe: ratios -----------------------------------------------------------------------------------------


def ratio_of(serve, before, after, **labels_and_by):
    by = labels_and_by.get("by", [])
    wanted = {
        "bad": {"family": "c", "measure": "rate", "labels": {"s": "bad"}, "by": by},
        "all": {"family": "c", "measure": "rate", "by": by},
        "ratio": {"measure": "ratio", "of": "bad", "to": "all"},
    }
    return observe(serve(in_turn(before, after)).url(), wanted, window_seconds=0.05)


def test_an_error_ratio_is_known_also_where_there_was_no_error(serve):
    result = ratio_of(serve, counters(ok=0, bad=0), counters(ok=30, bad=10))
    assert result["value"]["ratio"] == pytest.approx(0.25)
    assert result["metric"]["ratio"] == {"available": True, "series": 3, "family": "c / c"}
    assert ratio_of(serve, counters(ok=0), counters(ok=30))["value"]["ratio"] == 0.0


def test_a_ratio_without_traffic_is_not_measured(serve):
    result = ratio_of(serve, counters(ok=5, bad=1), counters(ok=5, bad=1))
    assert result["metric"]["ratio"]["reason"] == "bad / all: 0 / 0: nothing to divide by"
    assert "ratio" not in result["value"]
    missing = observe(serve(response(POOL)).url(), {
        "in_use": "app_db_pool_in_use",
        "max": "app_db_pool_maximum",
        "ratio": {"measure": "ratio", "of": "in_use", "to": "max"},
    })  # fmt: skip
    assert missing["metric"]["ratio"]["reason"].startswith("max: endpoint server: GET ")
    assert missing["value"] == {"in_use": 25.0}


def test_a_ratio_by_label_leaves_out_the_groups_without_traffic(serve):
    def routes(a_ok, a_bad, b_ok):
        return b'c{s="ok",r="a"} %d\nc{s="bad",r="a"} %d\nc{s="ok",r="b"} %d\nc{s="ok",r="idle"} 9\n' % (
            a_ok,
            a_bad,
            b_ok,
        )

    result = ratio_of(serve, routes(0, 0, 0), routes(3, 1, 5), by=["r"])
    assert result["value"]["ratio"] == {"a": pytest.approx(0.25), "b": 0.0}
    assert result["metric"]["ratio"]["unmeasured"] == {"idle": "bad / all: 0 / 0: nothing to divide by"}


def test_a_ratio_by_label_to_one_total(serve):
    wanted = {
        "of": {"family": STATUS, "by": ["method"]},
        "to": STATUS,
        "share": {"measure": "ratio", "of": "of", "to": "to"},
    }
    result = observe(serve(NODE).url(), wanted)
    assert result["value"]["share"] == {"GET": pytest.approx(18362 / 19040), "POST": pytest.approx(678 / 19040)}


# --- observe: parameters -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"x": 5}, "metric x: write the name of a family or a dict, not 5"),
        ({"x": {}}, "metric x: family must be the name of a metric family, not nothing"),
        ({"x": {"family": {"labels": {}}}}, "metric x: family must be the name of a metric family, not nothing"),
        ({"x": {"family": {"family": "f", "labels": 5}}}, "metric x: labels must be a dict"),
        ({"x": ""}, "metric x: family must be the name of a metric family, not ''"),
        ({"x": "a\nb"}, "metric x: family must be"),
        ({"x": {"familly": "f"}}, "metric x: 'familly' is not known for measure value; known: aggregate, by, "),
        ({"x": {"family": "f", "measure": "derivative"}}, "metric x: measure 'derivative' is not known; known: increase, "),
        ({"x": {"family": "f", "measure": ["rate"]}}, "metric x: measure \\['rate'\\] is not known"),
        ({"x": {"family": "f", "aggregate": "median"}}, "metric x: aggregate 'median' is not known; known: sum, max"),
        ({"x": {"family": "f", "quantile": 0.5}}, "metric x: 'quantile' is not known for measure value"),
        ({"x": {"family": "f", "measure": "rate", "lifetime": True}}, "metric x: 'lifetime' is not known for"),
        ({"x": {"family": "f", "measure": "quantile", "quantile": 95}}, "metric x: quantile must be between 0 and 1"),
        ({"x": {"family": "f", "measure": "quantile", "quantile": "p"}}, "metric x: quantile must be between 0 and 1"),
        ({"x": {"family": "f", "measure": "quantile", "aggregate": "max"}}, "metric x: 'aggregate' is not known for"),
        ({"x": {"family": "f", "measure": "quantile", "by": ["le"]}}, "metric x: by cannot hold le"),
        ({"x": {"family": "f", "measure": "quantile", "lifetime": "no"}}, "metric x: lifetime must be true or false"),
        ({"x": {"family": "f", "labels": ["a"]}}, "metric x: labels must be a dict"),
        ({"x": {"family": "f", "labels": {"a": "~("}}}, "metric x: labels: label a: '\\(' is no regular expression"),
        ({"x": {"family": "f", "by": {"a": 1}}}, "metric x: by must be a list of names"),
        ({"x": {"family": "f", "by": [1]}}, "metric x: by must be a list of names"),
        ({"x": {"family": "f", "endpoints": ["srv"]}}, "metric x: endpoints: 'srv' is not known; known: server"),
        ({"x": {"measure": "ratio", "of": "y"}, "y": "f"}, "metric x: to must name an entry .* not None; known: y"),
        ({"x": {"measure": "ratio", "of": "x", "to": "y"}, "y": "f"}, "metric x: of must name an entry .* known: y"),
        ({"x": {"measure": "ratio", "of": "y", "to": "y", "family": "f"}, "y": "f"}, "metric x: 'family' is not known"),
        (
            {"x": {"measure": "ratio", "of": "y", "to": "z"}, "y": "f", "z": {"family": "f", "by": ["a"]}},
            "metric x: of is by nothing but to is by \\['a'\\]",
        ),
    ],
)  # fmt: skip
def test_a_metric_that_makes_no_sense_is_named(wanted, message):
    with pytest.raises(ValueError, match=message):
        observe("http://127.0.0.1:1/metrics", wanted)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"endpoints": {}}, "endpoints: name at least one"),
        ({"endpoints": {"server": None}}, "endpoints: server must be a URL, not NoneType"),
        ({"endpoints": {"server": "http://h/"}, "window_seconds": -1}, "window_seconds: must be above 0"),
        ({"endpoints": {"server": "http://h/"}, "timeout_seconds": -1.0}, "timeout_seconds: must be above 0"),
        ({"endpoints": {"server": "http://h/"}, "timeout_seconds": float("nan")}, "timeout_seconds: must be above 0"),
    ],
)
def test_other_parameters_that_make_no_sense_are_named(params, message):
    with pytest.raises(ValueError, match=message):
        metrics.observe(params)


def test_the_limit_is_16_mebibytes():
    assert bounded_http.MAX_BYTES == 16 * 1024 * 1024


# --- the module ----------------------------------------------------------------------------------------------


def run_module(**params):
    arguments = json.dumps({"ANSIBLE_MODULE_ARGS": params})
    code = "import ansible_collections.oncall.runbooks.plugins.modules.metrics_info as m; m.main()"
    paths = [str(Path(__file__).parents[4] / "collections")]
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {paths!r}\n{code}"],
        input=arguments, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    return json.loads(done.stdout)


def test_the_module_returns_what_the_observer_returns(serve):
    server = serve(response(POOL))
    wanted = {"waiting": "app_db_pool_waiting", "missing": "app_db_pool_mx"}
    result = run_module(endpoints={"server": server.url()}, metrics=wanted, _ansible_check_mode=True)
    observed = observe(server.url(), wanted)
    for answer in (result, observed):
        del answer["endpoints"]["server"]["seconds"]
    assert result["changed"] is False
    assert {key: value for key, value in result.items() if key in observed} == observed
    assert set(result) - set(observed) - {"invocation"} == {"changed"}


def test_the_module_fails_on_parameters_that_make_no_sense():
    result = run_module(
        endpoints={"server": "http://127.0.0.1:1/"}, metrics={"x": {"family": "f", "measure": "derivative"}}
    )
    assert result["failed"] is True
    assert result["msg"].startswith("metric x: measure 'derivative' is not known; known: ")


# --- what cannot be a measurement -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shown", "spec", "expected"),
    [
        (["3"], {"counts": True}, 3.0),
        (["0"], {"counts": True}, 0.0),
        (["-3"], {"counts": True}, "f shows -3, which cannot be a count"),
        # A sum would hide it.
        (["-3", "10"], {"counts": True}, "f shows -3, which cannot be a count"),
        (["1e308"], {"counts": True}, "f shows 1e+308, which cannot be a count"),
        (["NaN"], {"counts": True}, "the value is NaN"),
        # A temperature may be below 0, and bytes may be many.
        (["-3"], {}, -3.0),
        (["2e15"], {}, 2e15),
        (["2e15"], {"measure": "increase", "lifetime": True}, 2e15),
    ],
)
def test_what_cannot_be_a_count_is_no_measurement(serve, shown, spec, expected):
    body = "".join(f'f{{s="{number}"}} {value}\n' for number, value in enumerate(shown)).encode()
    result = observe(serve(response(body)).url(), {"f": {"family": "f", **spec}})
    if isinstance(expected, str):
        assert (result["available"], result["value"]) == (False, {})
        assert result["metric"]["f"]["reason"] == expected
    else:
        assert result["value"] == {"f": expected}


def test_a_counter_that_jumps_beyond_everything_is_no_measurement(serve):
    values = iter([b"f_total 5\n", b"f_total 1e308\n"])

    def answer(_server, connection, _request):
        connection.sendall(response(next(values)))

    wanted = {"f": {"family": "f_total", "measure": "increase"}}
    result = observe(serve(answer).url(), wanted, window_seconds=0.1)
    assert result["metric"]["f"]["reason"] == "f_total shows 1e+308, which cannot be a count"


def test_counts_is_true_or_false():
    with pytest.raises(ValueError, match="metric f: counts must be true or false, not 'yes'"):
        observe("http://127.0.0.1:1/", {"f": {"family": "f", "counts": "yes"}})


@pytest.mark.parametrize(("age_seconds", "available"), [(0, True), (200, True), (3600, False)])
def test_a_sample_that_says_that_it_is_old_is_no_measurement(serve, age_seconds, available):
    body = f"f 1 {(time.time() - age_seconds) * 1000:.0f}\ng 1\n".encode()
    result = observe(serve(response(body)).url(), {"f": "f", "g": "g"})
    assert (result["available"], result["value"]) == (available, {"f": 1.0, "g": 1.0} if available else {"g": 1.0})
    assert available or "line 1 (f) is not valid: it is stale, its timestamp is 3300 s older" in result["reason"]
