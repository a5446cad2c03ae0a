# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates that end when a test wants, and real servers that show them."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import struct
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

# As a client of PostgreSQL asks for TLS.
SSL_REQUEST = struct.pack("!ii", 8, 80877103)


class Issued:
    """A certificate and its key; with those that issued it, a chain.

    Args:
        days: until it ends.
        names: the hosts and addresses that it is for; the first is also its common name.
        begins: days until it begins.
        by: who issued it; nobody else where not given.
    """

    def __init__(
        self, days: float, *names: str, begins: float = -30, by: Issued | None = None, alternative: bool = True
    ) -> None:
        now = datetime.now(UTC)
        self.key, self.by = ec.generate_private_key(ec.SECP256R1()), by
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        builder = (
            x509.CertificateBuilder(by.name if by else self.name, self.name, self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + timedelta(days=min(begins, days - 1)))
            .not_valid_after(now + timedelta(days=days, seconds=30))
        )
        if alternative:
            builder = builder.add_extension(x509.SubjectAlternativeName([_named(name) for name in names]), False)
        self.certificate = builder.sign(by.key if by else self.key, SHA256())

    def write(self, folder: Path, root: bool = False) -> Path:
        """A file with the key, the certificate and those above it, the root only where it is wanted."""
        chain: list[Issued] = [self]
        while (above := chain[-1].by) is not None:
            chain.append(above)
        kept = chain if root or len(chain) == 1 else chain[:-1]
        none, pkcs8 = serialization.NoEncryption(), serialization.PrivateFormat.PKCS8
        parts = [self.key.private_bytes(serialization.Encoding.PEM, pkcs8, none)]
        parts += [one.certificate.public_bytes(serialization.Encoding.PEM) for one in kept]
        path = folder / f"{self.certificate.serial_number}.pem"
        path.write_bytes(b"".join(parts))
        return path


def _named(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class TlsServer:
    """A server on loopback that shows a certificate to whoever begins with TLS.

    Args:
        file: certificate and key.
        rereads: it reads them again for each connection, and not only when it starts.
        postgres: it wants to be asked for TLS as PostgreSQL does; "N" to have it refuse.
        settings: of its context, such as minimum_version.
    """

    def __init__(
        self,
        file: Path,
        address: str = "127.0.0.1",
        port: int = 0,
        postgres: str = "",
        rereads: bool = False,
        **settings: object,
    ) -> None:
        self._file, self._postgres, self._rereads, self._settings = file, postgres, rereads, settings
        self._load()
        self._listening = socket.create_server((address, port))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _load(self) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(self._file)
        for name, value in self._settings.items():
            setattr(self._context, name, value)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            try:
                with connection:
                    connection.settimeout(10)
                    if self._postgres:
                        if connection.recv(len(SSL_REQUEST)) != SSL_REQUEST:
                            continue
                        connection.sendall(self._postgres.encode())
                    if self._postgres != "N":
                        if self._rereads:
                            self._load()
                        self._context.wrap_socket(connection, server_side=True).close()
            except OSError:
                continue  # a client that has seen enough

    def __enter__(self) -> TlsServer:
        return self

    def __exit__(self, *_error: object) -> None:
        # What waits in accept is not woken by a close.
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
