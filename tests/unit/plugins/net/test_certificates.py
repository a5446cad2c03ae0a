"""certificate_info against real TLS servers: what ends when, for whom it is, and what cannot be told."""

from __future__ import annotations

import random
import socket
import ssl
import subprocess

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.net import certificates, x509
from ansible_collections.oncall.runbooks.tests.support.modules import run_module
from ansible_collections.oncall.runbooks.tests.support.tls_servers import Issued, TlsServer

ROOT = Issued(4000, "root")
TLS_1_3 = {"minimum_version": ssl.TLSVersion.TLSv1_3}


def look(url: str, **more):
    return certificates.observe({"endpoints": {"it": url}, "timeout_seconds": 5.0, **more})


def seen(server: TlsServer, url: str = "https://127.0.0.1:{}"):
    found = look(url.format(server.port))
    assert (found["available"], found["complete"], found["limits"]) == (True, True, [])
    (one,) = found["served"]
    return one


@pytest.mark.parametrize("days", [90, 2.5, -3])
def test_a_certificate(tmp_path, days):
    with TlsServer(Issued(days, "127.0.0.1", by=ROOT).write(tmp_path)) as server:
        one = seen(server)
    assert one["days_left"] == pytest.approx(days, abs=0.001)
    assert (one["subject"], one["issuer"], one["names"]) == ("127.0.0.1", "root", ["127.0.0.1"])
    # Its issuer is not shown: it may be one that clients know, or one that they would need.
    assert (one["matches"], one["chain_complete"], one["chain_days_left"]) == (True, False, None)
    assert one["description"].startswith(f"it (127.0.0.1, port {server.port}) {'ends in' if days > 0 else 'ended'} ")


def test_a_chain_is_complete_where_the_issuer_is_shown_or_it_is_its_own(tmp_path):
    own, by_root, by_lower = (tmp_path / name for name in ("own", "by_root", "by_lower"))
    for folder in (own, by_root, by_lower):
        folder.mkdir()
    lower = Issued(200, "lower", by=ROOT)
    files = [
        Issued(60, "127.0.0.1").write(own),
        Issued(60, "127.0.0.1", by=ROOT).write(by_root, root=True),
        # As it should be: the root is with the clients.
        Issued(60, "127.0.0.1", by=lower).write(by_lower),
    ]
    for file in files:
        with TlsServer(file) as server:
            assert seen(server)["chain_complete"], file


@pytest.mark.parametrize("settings", [{}, {"verify_mode": ssl.CERT_REQUIRED}], ids=["", "wants a certificate of ours"])
def test_an_issuer_that_ends_first(tmp_path, settings):
    root = Issued(30, "root")
    upper = Issued(9, "upper", by=root)
    file = Issued(60, "localhost", begins=2, by=Issued(200, "lower", by=upper)).write(tmp_path, root=True)
    with TlsServer(file, **settings) as server:
        one = seen(server)
    assert (one["chain_subject"], one["chain_days_left"]) == ("upper", pytest.approx(9, abs=0.001))
    assert (one["days_until_valid"], one["matches"]) == (pytest.approx(2, abs=0.001), False)


def test_an_ended_root_and_an_issuer_that_begins_later(tmp_path):
    # Clients that trust this very root say "certificate has expired", and "is not yet valid" of the other.
    root = Issued(-1, "old root")
    file = Issued(60, "127.0.0.1", by=Issued(200, "new", begins=5, by=root)).write(tmp_path, root=True)
    with TlsServer(file) as server:
        one = seen(server)
    assert (one["chain_subject"], one["chain_days_left"]) == ("old root", pytest.approx(-1, abs=0.001))
    assert one["days_until_valid"] == pytest.approx(5, abs=0.001)


def test_tls_1_3_alone(tmp_path):
    with TlsServer(Issued(60, "127.0.0.1", by=Issued(9, "upper", by=ROOT)).write(tmp_path), **TLS_1_3) as server:
        one, chains = seen(server), look(f"https://127.0.0.1:{server.port}")["chains_complete"]
    # Python shows them all from 3.13 on.
    is_whole = hasattr(ssl.SSLObject, "get_unverified_chain")
    assert (one["chain_complete"], chains, one["chain_subject"]) == (is_whole, is_whole, "upper" if is_whole else "")
    assert one["days_left"] == pytest.approx(60, abs=0.001)


def test_postgresql(tmp_path):
    with TlsServer(Issued(9, "db", alternative=False).write(tmp_path), postgres="S") as server:
        one = seen(server, "postgresql://oncall:s3cret@127.0.0.1:{}/app")
        assert (one["days_left"], one["matches"]) == (pytest.approx(9, abs=0.001), None)
        assert seen(server, "postgresql://127.0.0.1:{}?sslmode=verify-full")["matches"] is False
    with TlsServer(Issued(9, "db").write(tmp_path), postgres="N") as server:
        found = look(f"postgresql://127.0.0.1:{server.port}")
        wanted = look(f"postgresql://127.0.0.1:{server.port}?sslmode=require")
    assert (found["without_tls"], found["served"], found["complete"]) == (["it"], [], True)
    assert (wanted["available"], wanted["without_tls"]) == (False, [])
    assert wanted["reason"].endswith("it offers no TLS, and its sslmode asks for it")


def test_a_name_behind_an_address(tmp_path):
    with TlsServer(Issued(-1, "shop.example").write(tmp_path)) as server:
        one = seen(server, "tls://127.0.0.1:{}?name=shop.example")
        other = seen(server, "https://127.0.0.1:{}/?name=shop.example")
    assert (one["matches"], other["matches"]) == (True, False)


def test_every_address_of_a_name(tmp_path, monkeypatch):
    addresses = ["127.0.0.2", "127.0.0.1", "127.0.0.3"]
    with TlsServer(Issued(60, "shop.example").write(tmp_path)) as server:
        known = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, server.port)) for one in addresses]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_asked: known)
        with TlsServer(Issued(2, "*.example").write(tmp_path), "127.0.0.2", server.port):
            found = look(f"https://shop.example:{server.port}")
    ends = {one["address"]: (round(one["days_left"]), one["matches"]) for one in found["served"]}
    assert ends == {"127.0.0.1": (60, True), "127.0.0.2": (2, True)}
    refused = f"it (shop.example at 127.0.0.3, port {server.port}): Connection refused"
    assert (found["available"], found["complete"], found["limits"]) == (True, False, [refused])


def raised(error: Exception):
    raise error


def test_what_cannot_be_told(tmp_path, monkeypatch):
    file = Issued(9, "a").write(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        for url in (f"https://127.0.0.1:{port}", f"postgresql://127.0.0.1:{port}"):
            found = look(url, timeout_seconds=0.5)
            assert (found["available"], found["served"]) == (False, [])
            assert found["reason"] == f"it (127.0.0.1, port {port}): no complete answer in time"
    with TlsServer(file, postgres="H") as other:
        assert "it does not speak the protocol" in look(f"postgresql://127.0.0.1:{other.port}")["reason"]
        # It hears what it does not understand, and hangs up.
        assert "Connection reset" in look(f"https://127.0.0.1:{other.port}")["reason"]
    nobody = socket.gaierror(-2, "Name or service not known")
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_asked: raised(nobody))
    assert (
        look("https://nobody.example")["reason"]
        == f"it (nobody.example, port 443): the name does not resolve: {nobody.strerror}"
    )


@pytest.mark.parametrize(
    "url", ["http://a", "tls://a", "https://a:0", "https://a:b", "https://", "a", {"url": "https://a"}, None]
)
def test_refused(tmp_path, url):
    code, answer = run_module("certificate_info", tmp_path, endpoints={"it": url})
    assert (code, answer["msg"][:21]) == (1, "endpoint it must be h")


@pytest.mark.parametrize(
    ("host", "named", "is_it"),
    [
        ("a.example", ["b.example", "A.Example"], True),
        ("a.b.example", ["*.example", "b.example"], False),
        ("example", ["*.example"], False),
        ("example", ["*."], False),
        ("10.0.0.1", ["*.0.0.1"], False),
        ("0:0::1", ["::1"], True),
        ("a.example", [], False),
    ],
)
def test_names(host, named, is_it):
    assert x509.is_for(host, {"names": named, "addresses": ["::1"] if "::1" in named else [], "subject": host}) is is_it


def test_an_address_written_as_a_name_counts_for_a_database_only():
    certificate = {"names": ["10.0.0.1"], "addresses": [], "subject": ""}
    assert [x509.is_for("10.0.0.1", certificate, common_name) for common_name in (False, True)] == [False, True]


def test_no_garbage_of_a_server_is_taken_for_a_certificate(tmp_path):
    # By OpenSSL itself, with other string types, dates beyond 2050 and no extension.
    made = [
        *(
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            str(tmp_path / "key"),
            "-days",
            "20000",
        ),
        *("-subj", "/C=CH/O=Shop/CN=Büro", "-utf8", "-outform", "DER", "-out", str(tmp_path / "der")),
    ]
    subprocess.run(made, check=True, capture_output=True)
    der = (tmp_path / "der").read_bytes()
    assert (x509.parse(der)["subject"], x509.parse(der)["issuer"], x509.parse(der)["names"]) == ("Büro", "Büro", [])
    assert x509.parse(der)["not_after"] - x509.parse(der)["not_before"] == 20000 * 86400
    chance = random.Random(1)
    for _ in range(3000):
        broken = bytearray(der)
        broken[chance.randrange(60)] = chance.randrange(256)
        try:
            x509.parse(bytes(broken[: chance.randrange(len(der))]))
        except ValueError:
            continue
