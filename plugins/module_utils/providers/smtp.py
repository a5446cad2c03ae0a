# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A provider over SMTP: the conversation up to the sender, which is taken back. No recipient is named, so nothing is sent."""

from __future__ import annotations

import io
import smtplib
import socket
import ssl
import time

from ..deadline import Deadline, DeadlineExceeded, within
from ..net.bounded_http import TimedReader
from ..text.masking import masked
from ..text.one_line import without_secrets
from .answers import passed, refused, untold

KEYS = ("host", "from")
MORE_KEYS = ("port", "tls", "user", "password", "ca_file")
SECRETS = ("password",)
IS_MAIL = True
NOT_TOLD = ("quota", "bounces", "how many addresses are suppressed", "whether the domain of the sender is verified")
_PORTS = {"starttls": 587, "implicit": 465, "none": 25}
# All that a server says in one conversation: no line of it is kept for longer.
_MOST_BYTES = 65536
_QUOTA_WORDS = ("quota", "limit exceeded", "5.4.5", "4.5.3", "too many messages", "rate limit", "4.7.28")
_SUSPENDED_WORDS = ("suspend", "disabled", "deactivated", "account closed")


def check_keys(place, given):
    """Raises ValueError where the conversation cannot be led."""
    mode = given.get("tls", "starttls")
    if mode not in _PORTS:
        raise ValueError(f"{place}.tls: must be one of {', '.join(sorted(_PORTS))}")
    if bool(given.get("user")) != bool(given.get("password")):
        raise ValueError(f"{place}: user and password go together")
    try:
        is_port = 0 < int(given.get("port") or _PORTS[mode]) < 65536
    except (TypeError, ValueError):
        is_port = False
    if not is_port:
        raise ValueError(f"{place}.port: must be the number of a port")


class _TooMuch(Exception):
    """It talks without an end. No OSError, which smtplib takes for a server that hung up."""


class _Bounded(TimedReader):
    """What a server says, no more of it than a limit, and no longer than the deadline."""

    def __init__(self, sock, deadline):
        super().__init__(sock, deadline)
        self._left = _MOST_BYTES

    def readinto(self, buffer):
        try:
            count = super().readinto(buffer)
        except socket.timeout:
            raise DeadlineExceeded("no answer in time") from None
        self._left -= count
        if self._left < 0:
            raise _TooMuch(f"it said more than {_MOST_BYTES} bytes")
        return count


class _Conversation(smtplib.SMTP):
    """A client of SMTP that keeps one deadline for all of a conversation."""

    def __init__(self, deadline, secure_from_start=None):
        super().__init__(timeout=deadline.remaining_seconds(), local_hostname="localhost")
        self._deadline, self._context = deadline, secure_from_start

    def _get_socket(self, host, port, timeout):
        sock = socket.create_connection((host, port), self._deadline.remaining_seconds())
        if self._context is None:
            return sock
        return self._context.wrap_socket(sock, server_hostname=host)

    def getreply(self):
        if self.file is None and self.sock is not None:
            self.file = io.BufferedReader(_Bounded(self.sock, self._deadline), 4096)
        return super().getreply()

    def send(self, s):
        if self.sock is not None:
            self.sock.settimeout(self._deadline.remaining_seconds())
        return super().send(s)


def check(provider, seconds):
    """One conversation.

    Args:
        provider: of :mod:`spec`.
        seconds: the time for all of it.

    Returns:
        A finding, see :mod:`answers`.
    """
    progress = {"doing": "connecting", "facts": {}}
    try:
        # The system's resolver cannot be interrupted, and may be left behind in its thread.
        return within(seconds + 0.5, _talk, provider, Deadline(seconds), progress)
    except Exception as error:
        return finding_of(error, progress, provider)


def _talk(provider, deadline, progress):
    mode = provider.get("tls", "starttls")
    context = ssl.create_default_context(cafile=provider.get("ca_file"))
    with _closing(_Conversation(deadline, context if mode == "implicit" else None)) as smtp:
        port = int(provider.get("port") or _PORTS[mode])
        code, said = smtp.connect(provider["host"], port)
        # For STARTTLS: smtplib takes the name for the certificate from what it was made with.
        smtp._host = provider["host"]
        _expect((220,), code, said)
        progress["doing"] = "EHLO"
        smtp.ehlo_or_helo_if_needed()
        if mode == "starttls":
            progress["doing"] = "STARTTLS"
            if not smtp.has_extn("starttls"):
                raise ssl.SSLError(
                    "the server offers no STARTTLS; without it the password could be read by anybody on the way"
                )
            smtp.starttls(context=context)
            smtp.ehlo_or_helo_if_needed()
        if mode != "none":
            progress["facts"]["certificate_days_left"] = _days_left(smtp.sock.getpeercert())
        if provider.get("user"):
            progress["doing"] = "AUTH"
            _log_in(smtp, provider, mode != "none")
            progress["facts"]["credentials_valid"] = True
        progress["doing"] = "MAIL FROM"
        code, said = smtp.mail(provider["from"])
        _expect((250,), code, said)
        progress["doing"] = "RSET"
        smtp.rset()
        return passed(**progress["facts"])


def _log_in(smtp, provider, is_secret):
    """Log in once: a password that is refused is not tried in another way, as accounts are locked after some of these."""
    ways = {"PLAIN": smtp.auth_plain, "LOGIN": smtp.auth_login, "CRAM-MD5": smtp.auth_cram_md5}
    offered = smtp.esmtp_features.get("auth", "").upper().split()
    order = ("PLAIN", "LOGIN", "CRAM-MD5") if is_secret else ("CRAM-MD5", "PLAIN", "LOGIN")
    way = next((one for one in order if one in offered), None)
    if way is None:
        raise smtplib.SMTPNotSupportedError("no way to log in that is known here")
    smtp.user, smtp.password = provider["user"], provider["password"]
    smtp.auth(way, ways[way])


class _closing:
    """Says QUIT, and hangs up whatever comes of it."""

    def __init__(self, smtp):
        self._smtp = smtp

    def __enter__(self):
        return self._smtp

    def __exit__(self, *_error):
        try:
            if self._smtp.sock is not None:
                self._smtp.docmd("QUIT")
        except (OSError, smtplib.SMTPException, DeadlineExceeded):
            return
        finally:
            self._smtp.close()


def _expect(codes, code, said):
    if code not in codes:
        raise smtplib.SMTPResponseException(code, said)


def _days_left(certificate):
    return round((ssl.cert_time_to_seconds(certificate["notAfter"]) - time.time()) / 86400, 2)


def finding_of(error, progress, provider):
    """What an error means that came up while something was done.

    Args:
        error: the exception.
        progress: ``doing``, and the ``facts`` known until then.
        provider: for its host and secrets.
    """
    where = f"SMTP {provider['host']}: {progress['doing']}"
    facts = progress["facts"]
    if isinstance(error, smtplib.SMTPResponseException):
        text = (
            error.smtp_error.decode("utf-8", "replace")
            if isinstance(error.smtp_error, bytes)
            else str(error.smtp_error)
        )
        reason = masked(without_secrets(f"{where} answers {error.smtp_code} {text}", *provider["secrets"]))
        return _of_code(error.smtp_code, text.lower(), progress["doing"], reason, facts)
    if isinstance(error, (DeadlineExceeded, socket.timeout)):
        return refused("down", f"{where}: no answer in time", **facts)
    if isinstance(error, socket.gaierror):
        return refused("dns", f"{where}: the name does not resolve ({error.strerror})", **facts)
    if isinstance(error, ssl.SSLError):
        detail = getattr(error, "verify_message", "") or (error.args[-1] if error.args else error)
        return refused("tls", masked(f"{where}: TLS failed: {detail}"), **facts)
    if isinstance(error, smtplib.SMTPServerDisconnected):
        return refused("down", f"{where}: the server hung up", **facts)
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return untold(f"{where}: the server offers no way to log in that is known here", **facts)
    if isinstance(error, OSError) and not isinstance(error, smtplib.SMTPException):
        return refused("down", masked(f"{where}: {error.strerror or type(error).__name__}"), **facts)
    what = str(error) if isinstance(error, _TooMuch) else f"{type(error).__name__}: {error}"
    return untold(masked(without_secrets(f"{where}: {what}", *provider["secrets"])), **facts)


def _of_code(code, text, doing, reason, facts):
    if code < 200:
        return untold(f"{reason.rpartition(' answers ')[0]}: no answer of SMTP; is it another server?", **facts)
    if any(word in text for word in _QUOTA_WORDS):
        return refused("rate_limited" if code < 500 else "quota", reason, **facts)
    if any(word in text for word in _SUSPENDED_WORDS):
        return refused("suspended", reason, **facts)
    if code < 500:
        # 454 while logging in: the server cannot check it at the moment.
        return refused("rate_limited" if code == 450 and doing == "MAIL FROM" else "down", reason, **facts)
    if doing == "AUTH" or code in (530, 534, 535, 538):
        return refused("credentials", reason, **facts)
    if doing == "MAIL FROM":
        return refused("unverified", reason, **facts)
    return refused("down", reason, **facts)
