# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""GET, HEAD and POST over HTTP with one deadline and one size limit, whatever the other side does."""

from __future__ import annotations

import io
import re
import time

from ..deadline import (
    Deadline,
    DeadlineExceeded,
    within,
)
from ..text.one_line import one_line

MAX_BYTES = 16 * 1024 * 1024
_MAX_REDIRECTS = 3
_CHUNK_BYTES = 65536
_DEFAULT_PORTS = {"http": 80, "https": 443}
_REDIRECTS = (301, 302, 303, 307, 308)
_NOT_IN_A_URL = re.compile(r"[^\x21-\x7e]")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NOT_IN_A_HEADER = re.compile(r"[^\x20-\x7e\xa0-\xff]")


class FetchError(Exception):
    """No answer that can be used; the message is one line and holds no secret.

    ``kind`` says what it was: ``dns``, ``refused``, ``unreachable``, ``timeout``, ``tls``, ``reset``, ``redirect``, ``too_large`` or
    ``protocol``; ``connected`` whether somebody was there to answer.
    """

    def __init__(self, message, kind="protocol", connected=False):
        super().__init__(message)
        self.kind = kind
        self.connected = connected


class _Target:
    """The parts of one URL."""

    def __init__(self, url):
        from urllib.parse import unquote, urlsplit

        self.shown = public_url(url)
        if not isinstance(url, str) or _NOT_IN_A_URL.search(url):
            raise FetchError(f"{self.shown}: a URL may hold neither spaces nor control nor non-ASCII characters")
        try:
            parts = urlsplit(url)
            self.scheme, self.host, port = parts.scheme.lower(), parts.hostname, parts.port
        except ValueError:
            raise FetchError(f"{self.shown} is not a valid URL") from None
        if self.scheme not in _DEFAULT_PORTS:
            raise FetchError(f"{self.shown}: only http and https are read, not {self.scheme or 'a URL without scheme'}")
        if not self.host:
            raise FetchError(f"{self.shown} names no host")
        self.port = port or _DEFAULT_PORTS[self.scheme]
        self.path = (parts.path or "/") + ("?" + parts.query if parts.query else "")
        self.url = url
        self.user, self.password = unquote(parts.username or ""), unquote(parts.password or "")

    def origin(self):
        return self.scheme, self.host, self.port


class TimedReader(io.RawIOBase):
    """What HTTPResponse reads from: every single receive gets only the time that is left.

    A socket's own timeout starts anew with every byte, so a server that drips would never run into it.
    """

    def __init__(self, sock, deadline):
        self._sock = sock
        self._deadline = deadline

    def makefile(self, mode):
        return io.BufferedReader(self, _CHUNK_BYTES)

    def readable(self):
        return True

    def readinto(self, buffer):
        self._sock.settimeout(self._deadline.remaining_seconds())
        return self._sock.recv_into(buffer)


def retry_after_seconds(headers):
    """The seconds that a server asks to wait, or None."""
    text = headers.get("retry-after", "")
    if re.fullmatch(r"\s*[0-9]{1,9}\s*", text):
        return float(text)
    at = moment_in_header(text)
    if at is None:
        return None
    # By its own clock, where it says what that shows.
    now = moment_in_header(headers.get("date", ""))
    return max(0.0, round(at - (time.time() if now is None else now), 1))


def moment_in_header(text):
    """The seconds since 1970 of a time in a header, or None."""
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(text).timestamp()
    except (IndexError, OverflowError, TypeError, ValueError):
        return None


def public_url(url):
    """``url`` fit to be shown: without user, password, query and fragment."""
    from urllib.parse import urlsplit

    # Cut only afterwards: a cut before the @ would make a password look like a host.
    text = one_line(url, len(str(url)) + 1)
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return text.split(":", 1)[0][:10] + "://…" if "://" in text else "…"
    if not parts.scheme or not parts.netloc:
        # Without a host nothing says where a password would stand.
        return text if re.fullmatch(r"[A-Za-z0-9+.:/_-]{0,200}", text) else "…"
    # An @ this late is most likely a password with an unescaped slash before it.
    path = "/…" if "@" in parts.path else parts.path
    host = f"[{host}]" if ":" in host else host
    return one_line(f"{parts.scheme}://{host}{'' if port is None else f':{port}'}{path}", 200)


def fetch(url, timeout_seconds, max_bytes=MAX_BYTES, headers=None, body=None, method="", noted=None, redirects=True):
    """Read one URL with GET or, with a body, POST.

    The deadline covers everything: name resolution, every address, TLS, redirects, the last byte of the body.
    At most three redirects of a GET are followed, only within the same scheme, host and port. Proxy settings of
    the environment are not used.

    Args:
        url: http or https; ``user:password@`` in it becomes basic authentication.
        timeout_seconds: for the whole answer.
        max_bytes: limit of the body, as transferred and as unpacked.
        headers: dict of more request headers.
        body: bytes to send, whose type the headers say.
        method: HEAD, for instance; by default as said above.
        noted: a dict that gets the ``certificate`` of https, as ``ssl.SSLSocket.getpeercert`` gives it.
        redirects: False where one is the answer wanted.

    Returns:
        ``(status, headers, body)``: the status as int, whatever it is; the answer's headers with lower-case
        names, each ``set-cookie`` on a line of its own; the unpacked body as bytes.

    Raises:
        FetchError: no usable answer.
    """
    deadline = Deadline(timeout_seconds)
    target = first = _Target(url)
    request_headers = _request_headers(first, headers or {})
    for _attempt in range(_MAX_REDIRECTS + 1):
        status, answer_headers, answer, location = _ask(
            target, request_headers, body, deadline, max_bytes, method or ("GET" if body is None else "POST"), noted
        )
        if location is None or not redirects:
            return status, answer_headers, answer
        if body is not None:
            message = f"POST {first.shown} is redirected ({status}), which is not followed; is it a login?"
            raise FetchError(message, "redirect", connected=True)
        target = _redirected(target, location)
    raise FetchError(f"{first.shown}: more than {_MAX_REDIRECTS} redirects", "redirect", connected=True)


def _request_headers(target, extra):
    sent = {"accept": "*/*", "user-agent": "oncall.runbooks"}
    if target.user or target.password:
        from base64 import b64encode

        credentials = f"{target.user}:{target.password}".encode()
        sent["authorization"] = "Basic " + b64encode(credentials).decode("ascii")
    for name, value in extra.items():
        if not _HEADER_NAME.fullmatch(str(name)):
            raise FetchError(f"{target.shown}: a request header has an invalid name")
        if _NOT_IN_A_HEADER.search(str(value)):
            raise FetchError(f"{target.shown}: the request header {name} holds characters that cannot be sent")
        sent[str(name).lower()] = str(value)
    # Not for the caller to change: what is understood here is one answer, packed with gzip at most.
    host = f"[{target.host}]" if ":" in target.host else target.host
    default_port = target.port == _DEFAULT_PORTS[target.scheme]
    sent["host"] = host if default_port else f"{host}:{target.port}"
    sent["accept-encoding"] = "gzip"
    sent["connection"] = "close"
    return sent


def _redirected(target, location):
    from urllib.parse import urljoin

    try:
        if _NOT_IN_A_URL.search(location):
            raise ValueError
        new = _Target(urljoin(target.url, location))
    except FetchError as error:
        raise FetchError(f"{target.shown} redirects: {error}", "redirect", connected=True) from None
    except ValueError:
        message = f"{target.shown} redirects to something that is no URL"
        raise FetchError(message, "redirect", connected=True) from None
    if new.origin() == target.origin():
        return new
    message = f"{target.shown} redirects to another place, {new.scheme}://{new.host}:{new.port}; not followed"
    if (target.scheme, new.scheme) == ("http", "https") and new.host == target.host:
        message = f"{target.shown} redirects to https: write {new.shown} instead"
    raise FetchError(message, "redirect", connected=True)


def _ask(target, headers, body, deadline, max_bytes, method, noted):
    """One request. Returns ``(status, headers, body, location)``; with a location there is no body."""
    import http.client

    progress = {"doing": "resolving the name"}
    sock = None
    try:
        sock = _connect(target, deadline, progress)
        if noted is not None and target.scheme == "https":
            noted["certificate"] = sock.getpeercert()
        progress["doing"] = "waiting for the answer"
        connection = http.client.HTTPConnection(target.host, target.port)
        connection.sock = sock
        sock.settimeout(deadline.remaining_seconds())
        connection.request(method, target.path, body, headers)
        with http.client.HTTPResponse(TimedReader(sock, deadline), method=method) as response:
            response.begin()
            answer_headers = _headers(response.getheaders())
            location = answer_headers.get("location") if response.status in _REDIRECTS else None
            if location is not None:
                return response.status, answer_headers, b"", location
            progress["doing"] = "reading the body"
            return response.status, answer_headers, _body(response, answer_headers, max_bytes), None
    except Exception as error:
        message = one_line(_explain(error, target, method, deadline, progress["doing"]))
        is_connected = progress["doing"] not in ("resolving the name", "connecting")
        raise FetchError(message, _kind(error), is_connected) from None
    finally:
        if sock is not None:
            sock.close()


def _headers(pairs):
    """The headers by their names in small letters; of several alike the last, but each cookie on a line of its own."""
    found = {name.lower(): value for name, value in pairs}
    cookies = [value for name, value in pairs if name.lower() == "set-cookie"]
    return {**found, "set-cookie": "\n".join(cookies)} if cookies else found


def _connect(target, deadline, progress):
    import socket

    # Nothing can interrupt the system's resolver; it may be left behind in its thread.
    addresses = within(
        deadline.remaining_seconds(), socket.getaddrinfo, target.host, target.port, 0, socket.SOCK_STREAM
    )
    progress["doing"] = "connecting"
    problem = OSError("the name has no address")
    for position, (family, kind, protocol, _canonical, address) in enumerate(addresses):
        sock = socket.socket(family, kind, protocol)
        try:
            # A silent address must leave time for the ones after it.
            sock.settimeout(deadline.remaining_seconds() / (len(addresses) - position))
            sock.connect(address)
            if target.scheme == "https":
                progress["doing"] = "agreeing on TLS"
                sock = _tls(sock, target.host, deadline)
            return sock
        except OSError as error:
            sock.close()
            problem = error
            if progress["doing"] != "connecting":
                break
        except BaseException:
            sock.close()
            raise
    raise problem


def _tls(sock, host, deadline):
    import ssl

    context = ssl.create_default_context()
    sock.settimeout(deadline.remaining_seconds())
    return context.wrap_socket(sock, server_hostname=host)


def _body(response, headers, max_bytes):
    encoding = headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise FetchError(f"the body is packed with {one_line(encoding, 40)}, which was not asked for")
    transfer = headers.get("transfer-encoding", "").strip().lower()
    if transfer not in ("", "identity", "chunked"):
        raise FetchError(f"the transfer encoding {one_line(transfer, 40)} is not understood")
    too_large = FetchError(f"the body is larger than {max_bytes} bytes", "too_large")
    if response.length is not None and response.length > max_bytes:
        raise too_large
    gunzip = _Gunzip() if encoding.endswith("gzip") else None
    parts = []
    raw_bytes = body_bytes = 0
    while True:
        raw = response.read(_CHUNK_BYTES)
        if not raw:
            break
        raw_bytes += len(raw)
        for part in gunzip.unpack(raw) if gunzip else (raw,):
            body_bytes += len(part)
            if body_bytes > max_bytes:
                raise too_large
            parts.append(part)
        if raw_bytes > max_bytes:
            raise too_large
    if response.length:
        raise FetchError(f"the body ended {response.length} bytes before its Content-Length")
    if gunzip and raw_bytes and not gunzip.complete():
        raise FetchError("the gzip body is cut off")
    return b"".join(parts)


class _Gunzip:
    """Unpacks in small pieces, so that a bomb is noticed while it is small."""

    def __init__(self):
        self._member = None

    def unpack(self, raw):
        import zlib

        while raw:
            if self._member is None or self._member.eof:
                self._member = zlib.decompressobj(wbits=31)
            part = self._member.decompress(raw, _CHUNK_BYTES)
            raw = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            if part:
                yield part

    def complete(self):
        return self._member is not None and self._member.eof


def _kind(error):
    import errno
    import http.client
    import socket
    import ssl

    if isinstance(error, FetchError):
        return error.kind
    if isinstance(error, http.client.HTTPException) and not isinstance(error, ConnectionError):
        return "reset" if isinstance(error, http.client.IncompleteRead) else "protocol"
    kinds = (
        ((DeadlineExceeded, socket.timeout), "timeout"),
        (socket.gaierror, "dns"),
        (ssl.SSLError, "tls"),
        (ConnectionRefusedError, "refused"),
        (ConnectionError, "reset"),
    )
    for classes, kind in kinds:
        if isinstance(error, classes):
            return kind
    is_unreachable = getattr(error, "errno", None) in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ETIMEDOUT)
    return "unreachable" if is_unreachable else "protocol"


def _explain(error, target, method, deadline, doing):
    import http.client
    import socket
    import ssl
    import zlib

    asked = f"{method} {target.shown}"
    if isinstance(error, (DeadlineExceeded, socket.timeout)):
        return f"{asked}: no complete answer within {deadline.seconds:g} s, given up while {doing}"
    if isinstance(error, FetchError):
        return f"{asked}: {error}"
    if isinstance(error, socket.gaierror):
        return f"{asked}: the name {target.host} does not resolve ({error.strerror})"
    if isinstance(error, ssl.SSLError):
        detail = getattr(error, "verify_message", "") or error.reason or error
        return f"{asked}: TLS failed: {detail}"
    if isinstance(error, ConnectionRefusedError):
        where = f"{target.host}:{target.port}"
        return f"{asked}: connection refused by {where}; does the service run, on this port?"
    if isinstance(error, http.client.RemoteDisconnected):
        return f"{asked}: the connection was closed without an answer"
    if isinstance(error, http.client.IncompleteRead):
        return f"{asked}: the body was cut off"
    if isinstance(error, http.client.HTTPException):
        return f"{asked}: not an HTTP answer ({type(error).__name__})"
    if isinstance(error, zlib.error):
        return f"{asked}: the gzip body is damaged"
    if isinstance(error, OSError):
        return f"{asked}: {error.strerror or type(error).__name__} while {doing}"
    return f"{asked}: {type(error).__name__} while {doing}"
