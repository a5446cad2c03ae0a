# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificates that TLS servers show, whoever issued them: for whom they are, and how long they are good."""

from __future__ import annotations

import socket
import ssl
import time
from urllib.parse import parse_qs, urlsplit

from ..deadline import Deadline, DeadlineExceeded, all_within, within
from ..text.one_line import one_line
from .x509 import is_for, parse

_PORTS = {"https": 443, "tls": None, "postgresql": 5432}
_SSL_REQUEST = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"
_HANDSHAKE, _CERTIFICATE = 22, 11
_DAY = 86400
_NO_TLS = {
    b"": "it closed the connection",
    b"E": "it answered with an error of PostgreSQL",
    b"N": "it offers no TLS, and its sslmode asks for it",
}


def observe(params):
    """Look at every address of every endpoint at once.

    Args:
        params: see ``observers.certificate.SPEC``.

    Returns:
        What ``certificate_info`` documents.

    Raises:
        ValueError: an endpoint is described in a way that cannot be used.
    """
    if params["timeout_seconds"] <= 0:
        raise ValueError("timeout_seconds must be above 0")
    targets = [_target(str(name), url) for name, url in params["endpoints"].items()]
    deadline, now = Deadline(params["timeout_seconds"]), time.time()
    found = {"served": [], "without_tls": [], "limits": []}
    looks = [lambda target=target: _look(target, deadline, now) for target in targets]
    for target, answer in zip(targets, all_within(deadline.seconds + 0.5, looks)):
        for place, one in [(target["host"], answer)] if isinstance(answer, Exception) else answer:
            if isinstance(one, Exception):
                found["limits"].append(f"{_named(target, place)}: {_why(one)}")
            elif one is None:
                found["without_tls"].append(target["name"])
            else:
                found["served"].append(one)
    complete = not found["limits"]
    found.update(complete=complete, chains_complete=all(one["chain_complete"] for one in found["served"]))
    if complete or found["served"] or found["without_tls"]:
        return dict(found, available=True, at=_shown(now))
    return dict(found, available=False, at=_shown(now), reason=found["limits"][0])


def _target(name, url):
    try:
        parts = urlsplit(url)
        port = _PORTS[parts.scheme] if parts.port is None else parts.port
        # A URL may hold a password: only host and port are kept of it.
        host = (parts.hostname or "").encode("idna").decode()
    except (AttributeError, KeyError, TypeError, ValueError):
        host = port = None
    if not (host and port):
        known = "https://HOST[:PORT], tls://HOST:PORT or postgresql://HOST[:PORT]"
        raise ValueError(f"endpoint {one_line(name)} must be {known}")
    is_postgres = parts.scheme == "postgresql"
    # As libpq: with any other sslmode a database is taken for itself whatever its certificate says.
    asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
    mode = asked.get("sslmode")
    wants = not is_postgres or mode in ("require", "verify-ca", "verify-full")
    named = not is_postgres or mode == "verify-full"
    # Behind one address there may be many names; the query of an https URL is for its server.
    wanted = asked.get("name", host) if parts.scheme == "tls" else host
    target = {"name": name, "host": host, "port": port, "wanted": wanted}
    return dict(target, postgres=is_postgres, named=named, wants_tls=wants)


def _look(target, deadline, now):
    """Pairs of an address and what is served there, None where no TLS is offered, or the exception that says why not."""

    def resolve():
        # Without an own address of a family, those of the other side in it are not reached by anybody here.
        found = socket.getaddrinfo(target["host"], target["port"], 0, socket.SOCK_STREAM, 0, socket.AI_ADDRCONFIG)
        return list(dict.fromkeys((family, address) for family, _kind, _protocol, _name, address in found))

    def ask(family, address):
        chain, is_whole = _chain(target, family, address, deadline)
        return _described(target, address, [parse(der) for der in chain], is_whole, now) if chain else None

    places = within(deadline.remaining_seconds(), resolve)
    answers = all_within(deadline.remaining_seconds(), [lambda place=place: ask(*place) for place in places])
    return [(address[0], answer) for (_family, address), answer in zip(places, answers)]


def _chain(target, family, address, deadline):
    """The certificates that a server shows, its own first, and whether these are all. None where it offers no TLS."""
    # Up to TLS 1.2 they come in the clear: so all of them can be read, and where the server then wants one of ours, too.
    for newest in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.MAXIMUM_SUPPORTED):
        with socket.socket(family, socket.SOCK_STREAM) as connection:
            connection.settimeout(deadline.remaining_seconds())
            connection.connect(address)
            if target["postgres"]:
                connection.sendall(_SSL_REQUEST)
                answer = connection.recv(1)
                if answer == b"N" and not target["wants_tls"]:
                    return [], True
                if answer != b"S":
                    raise ConnectionError(_NO_TLS.get(answer, "it does not speak the protocol of PostgreSQL"))
            tls, received, error = _shake_hands(connection, target["wanted"], newest, deadline)
        if chain := shown_in(received):
            return chain, True
        if error is None:
            # From Python 3.13 on.
            whole = getattr(tls, "get_unverified_chain", None)
            return (whole(), True) if whole else ([tls.getpeercert(binary_form=True)], False)
    raise error


def _shake_hands(connection, host, newest, deadline):
    """The TLS object, all that the server sent, and what went wrong, or None."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # It looks at what others may refuse, and sends nothing.
    context.check_hostname, context.verify_mode, context.maximum_version = False, ssl.CERT_NONE, newest
    incoming, outgoing, received = ssl.MemoryBIO(), ssl.MemoryBIO(), b""
    tls = context.wrap_bio(incoming, outgoing, server_hostname=host)
    while True:
        try:
            try:
                tls.do_handshake()
                return tls, received, None
            except ssl.SSLWantReadError:
                connection.settimeout(deadline.remaining_seconds())
                connection.sendall(outgoing.read())
                data = connection.recv(65536)
            if not data:
                raise ConnectionError("it closed the connection")
        except (ssl.SSLError, ConnectionError) as error:
            return tls, received, error
        received += data
        incoming.write(data)


def shown_in(received):
    """The certificates (DER) in what a server sent in a handshake, none where it is encrypted."""
    messages, at = b"", 0
    while received[at : at + 1] == bytes([_HANDSHAKE]):
        length = int.from_bytes(received[at + 3 : at + 5], "big")
        messages += received[at + 5 : at + 5 + length]
        at += 5 + length
    while messages:
        kind, length = messages[0], int.from_bytes(messages[1:4], "big")
        body, messages = messages[4 : 4 + length], messages[4 + length :]
        if kind == _CERTIFICATE and len(body) == length:
            return list(_each(body[3:]))
    return []


def _each(body):
    while body:
        length = int.from_bytes(body[:3], "big")
        yield body[3 : 3 + length]
        body = body[3 + length :]


def _issuers(own, others):
    """Those of the others that issued it, or issued what did."""
    found, left, wanted = [], list(others), {own["by"]}
    while True:
        new = [one for one in left if one["of"] in wanted]
        if not new:
            return found
        found, left = found + new, [one for one in left if one not in new]
        wanted = {one["by"] for one in new}


def _described(target, address, chain, is_whole, now):
    own, *others = chain
    # A root counts, too: clients that trust this very copy refuse it when it has ended.
    issuers = _issuers(own, others)
    earlier = [one for one in issuers if one["not_after"] < own["not_after"]]
    last = min(earlier, key=lambda one: one["not_after"], default=None)
    begins = max(one["not_before"] for one in [own, *issuers])
    days = (own["not_after"] - now) / _DAY
    ends = f"ends in {days:.1f} days" if days > 0 else f"ended {-days:.1f} days ago"
    return {
        "endpoint": target["name"],
        "host": target["host"],
        "address": address[0],
        "port": target["port"],
        "subject": one_line(own["subject"] or ", ".join(own["names"])),
        "issuer": one_line(own["issuer"]),
        "names": [one_line(name) for name in own["names"]],
        "sha256": own["sha256"],
        "not_before": _shown(begins),
        "not_after": _shown(own["not_after"]),
        "days_until_valid": round((begins - now) / _DAY, 4),
        "days_left": round(days, 4),
        "matches": is_for(target["wanted"], own, target["postgres"]) if target["named"] else None,
        # Whose issuer is not shown may lack what its clients need, or be of an authority that they know.
        "chain_complete": is_whole and (own["by"] == own["of"] or bool(issuers)),
        "chain_subject": one_line(last["subject"]) if last else "",
        "chain_days_left": round((last["not_after"] - now) / _DAY, 4) if last else None,
        "description": f"{_named(target, address[0])} {ends}, {_shown(own['not_after'])}",
    }


def _named(target, address):
    at = f" at {address}" if address != target["host"] else ""
    return f"{one_line(target['name'])} ({target['host']}{at}, port {target['port']})"


def _shown(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _why(error):
    if isinstance(error, ssl.SSLError):
        reason = (getattr(error, "reason", None) or str(error)).replace("_", " ").lower()
        return one_line(f"no TLS, or none that it can speak: {reason}")
    if isinstance(error, socket.gaierror):
        return f"the name does not resolve: {error.strerror}"
    if isinstance(error, (DeadlineExceeded, socket.timeout)):
        return "no complete answer in time"
    if isinstance(error, (OSError, ValueError)):
        return one_line(getattr(error, "strerror", None) or error)
    raise error
