"""http_probe_info against real servers: what answers, what does not, and what cannot be told."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.net.bounded_http import retry_after_seconds
from ansible_collections.oncall.runbooks.plugins.module_utils.net.http_probe import observe
from ansible_collections.oncall.runbooks.plugins.module_utils.observe import needs_host
from lab.ports import free_port

HEALTH = {"status": "ok", "db": {"connected": True, "pools": [{"free": 3}]}, "version": "1.2", "none": None}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/hang":
            self.server.released.wait(60)
            return
        if path == "/reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            self.connection.close()
            return
        if path in ("/moved", "/away", "/circle"):
            target = {"/moved": "/health", "/away": "http://other.example/", "/circle": "/circle"}[path]
            self.answer(302, b"", Location=target)
            return
        bodies = {
            "/health": json.dumps(HEALTH).encode(),
            "/sick": json.dumps({"db": {"connected": False}}).encode(),
            "/text": b"no json",
            "/latin": b"\xff\xfe{",
            "/deep": b"[" * 100_000,
            "/large": b"x" * (1024 * 1024 + 1),
            "/error": b"Traceback\n  password=hunter2 \x1b[2J" + b"y" * 500,
            "/echo": (self.headers.get("authorization") or "").encode(),
        }
        if path == "/limited":
            self.answer(429, b"", **{"Retry-After": "30"})
            return
        status = 503 if path in ("/sick", "/error", "/echo") else 200 if path in bodies else 404
        self.answer(status, bodies.get(path, b""))

    do_HEAD = do_GET

    def do_POST(self) -> None:
        self.answer(201 if self.headers.get("content-length") == "0" else 400, b"")

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 50

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.released = threading.Event()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away, and the reset made on purpose."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    server = Server()
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server
    server.released.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def ask(server):
    """A function: the path and the keys of one endpoint -> what is told of it."""

    def one(path: str, seconds: float = 30, **more: Any) -> dict[str, Any]:
        url = f"http://127.0.0.1:{server.server_port}{path}"
        return probe({"url": url, **more}, seconds)["endpoints"]["it"]

    return one


def probe(endpoint: Any, seconds: float = 30) -> dict[str, Any]:
    return observe({"endpoints": {"it": endpoint}, "timeout_seconds": seconds})


ASKED_TOLD = {
    "health": ("/health", {}, 200, ""),
    "not there": ("/nothing", {}, 404, "bad_status"),
    "another status is right": ("/nothing", {"status": [404]}, 404, ""),
    "one status, not in a list": ("/nothing", {"status": 404}, 404, ""),
    "a field as expected": ("/health", {"json": {"db.connected": True, "db.pools.0.free": 3, "none": None}}, 200, ""),
    "a field to be read only": ("/health", {"json": {"version": None}}, 200, ""),
    "another value": ("/health", {"json": {"status": "fine"}}, 200, "bad_json"),
    "true is not 1": ("/health", {"json": {"db.connected": 1}}, 200, "bad_json"),
    "a path that is not there": ("/health", {"json": {"db.pools.7.free": 3}}, 200, "bad_json"),
    "no single value": ("/health", {"json": {"db": None}}, 200, "bad_json"),
    "text instead of JSON": ("/text", {"json": {"status": "ok"}}, 200, "bad_json"),
    "bytes that are no text": ("/latin", {"json": {"status": "ok"}}, 200, "bad_json"),
    "JSON nested without end": ("/deep", {"json": {"status": "ok"}}, 200, "bad_json"),
    "too large": ("/large", {}, None, "too_large"),
    "reset": ("/reset", {}, None, "reset"),
    "redirect within": ("/moved", {}, 200, ""),
    "redirect as wanted": ("/moved", {"status": [302]}, 302, ""),
    "redirect to another place": ("/away", {}, None, "redirect"),
    "redirects without end": ("/circle", {}, None, "redirect"),
    "HEAD": ("/health", {"method": "head"}, 200, ""),
    "POST": ("/anything", {"method": "POST", "status": [201]}, 201, ""),
}


@pytest.mark.parametrize("asked", ASKED_TOLD)
def test_answers(ask, asked):
    path, more, status, error = ASKED_TOLD[asked]
    told = ask(path, **more)
    assert (told["available"], told["ok"], told["status"], told["error"]) == (True, not error, status, error)
    assert bool(told["reason"]) == bool(error)
    assert 0 <= told["seconds"] < 30
    assert told["certificate_days_left"] is None


def test_fields_are_read_from_a_failing_answer_too(ask):
    told = ask("/sick", json={"db.connected": True})
    assert (told["error"], told["fields"]) == ("bad_status", {"db.connected": False})


def test_how_long_it_asks_to_wait(ask):
    assert (ask("/limited")["status"], ask("/limited")["retry_after_seconds"]) == (429, 30.0)
    assert ask("/health")["retry_after_seconds"] is None


def test_a_time_to_wait_for_is_read_by_the_clock_that_says_it():
    until = {"retry-after": "Fri, 15 Jan 2027 09:10:00 GMT"}
    assert retry_after_seconds({**until, "date": "Fri, 15 Jan 2027 09:00:00 GMT"}) == 600.0
    assert retry_after_seconds({**until, "date": "Fri, 15 Jan 2027 09:20:00 GMT"}) == 0.0


def test_a_failure_shows_one_short_line_without_secrets(ask):
    told = ask("/error")
    assert told["excerpt"].startswith("Traceback password=********")
    assert len(told["excerpt"]) == 200
    assert told["excerpt"].isprintable()


def test_a_header_is_sent_and_never_shown(ask):
    told = ask("/echo", headers={"Authorization": "Bearer abcdefgh"})
    assert told["status"] == 503
    assert told["excerpt"] == "Bearer ********" or "abcdefgh" not in json.dumps(told)
    assert "abcdefgh" not in json.dumps(told)
    assert told["excerpt"]


def test_a_password_in_the_url_is_never_shown(server):
    told = probe(f"http://user:hunter2@127.0.0.1:{server.server_port}/echo?key=secret")
    assert "hunter2" not in json.dumps(told)
    assert "secret" not in json.dumps(told)


def test_refused_is_a_measurement():
    told = probe(f"http://127.0.0.1:{free_port()}/")
    assert told["available"] is True
    assert told["failing"] == ["it"]
    assert (told["endpoints"]["it"]["ok"], told["endpoints"]["it"]["error"]) == (False, "refused")


def test_silence_after_the_connection_is_a_measurement(ask):
    told = ask("/hang", seconds=0.4)
    assert (told["available"], told["ok"], told["error"]) == (True, False, "timeout")
    assert 0.3 < told["seconds"] < 20


def test_what_may_be_our_own_network_is_not():
    told = probe("http://no-such-host.invalid/")
    assert told["available"] is False
    assert told["failing"] == []
    assert told["unknown"] == ["it"]
    assert "no-such-host.invalid" in told["reason"]
    assert told["endpoints"]["it"]["ok"] is None
    assert told["endpoints"]["it"]["error"] in ("dns", "timeout")


def test_nobody_accepts_the_connection():
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        held = []
        for _ in range(4):
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", port))
            held.append(sock)
        told = probe(f"http://127.0.0.1:{port}/", seconds=0.4)
        for sock in held:
            sock.close()
    assert told["available"] is False
    assert told["endpoints"]["it"]["error"] == "timeout"


def test_one_that_hangs_stops_no_other(server):
    url = f"http://127.0.0.1:{server.server_port}"
    endpoints = {"hang": f"{url}/hang", "health": f"{url}/health", "name": "http://no-such-host.invalid/"}
    told = observe({"endpoints": endpoints, "timeout_seconds": 3})
    assert told["available"] is True
    assert told["failing"] == ["hang"]
    assert told["unknown"] == ["name"]
    assert len(told["limits"]) == 1
    assert told["endpoints"]["health"]["ok"] is True


def certificate(folder: Path, days: int) -> tuple[Path, Path]:
    key, file = folder / f"key{days}", folder / f"certificate{days}"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-keyout", str(key), "-out", str(file), "-days", str(days), "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    return key, file


@pytest.fixture(scope="module")
def secure(tmp_path_factory) -> Iterator[tuple[int, str]]:
    key, file = certificate(tmp_path_factory.mktemp("tls"), 10)
    server = Server()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server.server_port, os.fspath(file)
    server.shutdown()
    server.server_close()


def test_days_left_of_the_certificate(secure, monkeypatch):
    port, file = secure
    monkeypatch.setenv("SSL_CERT_FILE", file)
    told = probe(f"https://127.0.0.1:{port}/health")["endpoints"]["it"]
    assert told["ok"] is True
    assert 9.9 < told["certificate_days_left"] <= 10


def test_a_certificate_that_nobody_vouches_for(secure):
    port, _file = secure
    told = probe(f"https://127.0.0.1:{port}/health")["endpoints"]["it"]
    assert (told["available"], told["ok"], told["error"]) == (True, False, "tls")


BAD = {
    "no url": ({"method": "GET"}, "must be a URL"),
    "a number": (5, "must be a URL"),
    "a method that changes": ({"url": "http://h/", "method": "DELETE"}, "unknown method DELETE"),
    "a key with a slip": ({"url": "http://h/", "stauts": [200]}, "unknown key stauts"),
    "a status that is none": ({"url": "http://h/", "status": ["fine"]}, "list of status codes"),
    "json that is none": ({"url": "http://h/", "json": ["status"]}, "must be dicts"),
    "HEAD has no body": ({"url": "http://h/", "method": "HEAD", "json": {"a": 1}}, "has no body"),
}


@pytest.mark.parametrize("bad", BAD)
def test_bad_parameters(bad):
    endpoint, message = BAD[bad]
    with pytest.raises(ValueError, match=message):
        probe(endpoint)


def test_no_time_is_a_bad_parameter():
    with pytest.raises(ValueError, match="timeout_seconds"):
        probe("http://h/", seconds=0)


@pytest.mark.parametrize("url", ["ftp://h/", "http://", "http://h h/", "http://h:port/"])
def test_no_url_measures_nothing(url):
    told = probe(url)
    assert told["available"] is False
    assert told["reason"]


def test_nothing_to_ask():
    assert observe({"endpoints": {}, "timeout_seconds": 1})["available"] is False


def test_module_and_observer_run_where_the_inventory_says():
    """http_probe_info looks from either place."""
    assert needs_host({"http_probe": {"endpoints": {}}}) is False
