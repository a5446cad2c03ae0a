# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``oncall serve`` behind client certificates, without tokens."""

from __future__ import annotations

import asyncio
import http.client
import ipaddress
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ansible_collections.oncall.runbooks.tests.support.serving import Serving, alert, notification
from ansible_collections.oncall.runbooks.tests.support.waiting import until
from oncall.serve.intake import server, web


class Authority:
    """Makes certificates that are valid for a day."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.file = self._write(name, self._signed(name, self._key, True))

    def _signed(self, name: str, key: ec.EllipticCurvePrivateKey, authority: bool) -> x509.Certificate:
        now = datetime.now(UTC)

        def called(who: str) -> x509.Name:
            return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, who)])

        built = (
            x509.CertificateBuilder()
            .subject_name(called(name))
            .issuer_name(called(self._name))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
            )
        )
        return built.sign(self._key, hashes.SHA256())

    def _write(self, name: str, *parts: x509.Certificate | ec.EllipticCurvePrivateKey) -> Path:
        file = self._folder / f"{self._name}-{name}.pem"
        pem, none = serialization.Encoding.PEM, serialization.NoEncryption()
        with file.open("wb") as stream:
            for part in parts:
                if isinstance(part, x509.Certificate):
                    stream.write(part.public_bytes(pem))
                else:
                    stream.write(part.private_bytes(pem, serialization.PrivateFormat.PKCS8, none))
        return file

    def certificate(self, name: str) -> Path:
        """A file with a certificate and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        return self._write(name, self._signed(name, key, False), key)


@pytest.fixture
def ours(tmp_path) -> Authority:
    return Authority(tmp_path, "ours")


@pytest.fixture
def serving(tmp_path, ours) -> Iterator[Serving]:
    certificate = str(ours.certificate("service"))
    tls = {"certificate": certificate, "key": certificate, "client_ca": str(ours.file)}
    found = Serving(tmp_path, tls=tls, tokens_file="")
    (tmp_path / "state").mkdir(mode=0o700)
    (tmp_path / "state" / "pause").write_text("this is about who is listened to")
    # Only clients with a certificate are let in, so not even the test can look whether it is up.
    found.answers = lambda: "listening on" in found.log.read_text()  # type: ignore[method-assign]
    try:
        yield found.start()
    finally:
        found.stop()


def status(serving: Serving, ca: Path, certificate: Path | None) -> int:
    context = ssl.create_default_context(cafile=str(ca))
    if certificate:
        context.load_cert_chain(str(certificate))
    connection = http.client.HTTPSConnection("127.0.0.1", serving.port, timeout=60, context=context)
    try:
        connection.request("POST", "/alerts", notification([alert()]), {"Content-Type": "application/json"})
        return connection.getresponse().status
    finally:
        connection.close()


def test_only_those_with_a_certificate_are_listened_to(serving, ours, tmp_path):
    theirs = Authority(tmp_path, "theirs")
    until(lambda: status(serving, ours.file, ours.certificate("alertmanager")) == 202)
    for stranger in (None, theirs.certificate("alertmanager")):
        with pytest.raises(OSError):
            status(serving, ours.file, stranger)
    with pytest.raises(OSError):
        serving.get("/healthz")
    assert serving.process is not None and serving.process.poll() is None


@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01\x02\x00\x01"])
def test_who_does_not_shake_hands_is_not_waited_for(ours, monkeypatch, said):
    monkeypatch.setattr(web, "SLOW_SECONDS", 0.5)
    certificate = str(ours.certificate("service"))
    tls = {"ssl_certfile": certificate, "ssl_keyfile": certificate}

    async def closed_after() -> float:
        made = server.Server(lambda *_: None, tls)
        with socket.create_server(("127.0.0.1", 0)) as listening:
            serving = asyncio.create_task(made.serve(sockets=[listening]))
            await asyncio.to_thread(until, lambda: made.started)
            reader, writer = await asyncio.open_connection(*listening.getsockname())
            began = time.monotonic()
            writer.write(said)
            with suppress(ConnectionError):
                await asyncio.wait_for(reader.read(), 30)
            seconds = time.monotonic() - began
            writer.close()
            made.end()
            await serving
        return seconds

    assert 0.4 < asyncio.run(closed_after()) < 20


def test_a_certificate_that_is_not_there_is_said_in_one_line(serving, tmp_path):
    serving.terminate()
    serving.write(
        tls={"certificate": str(tmp_path / "gone.pem"), "key": str(tmp_path / "gone.pem")}, tokens_file="tokens"
    )
    said = serving.command("serve")
    assert (said.returncode, len(said.stderr.splitlines())) == (64, 1), said.stderr
    assert "gone.pem" in said.stderr
