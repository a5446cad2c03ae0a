# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends what a channel built, within a time, and says what is known of it. The one module here that reaches a network."""

from __future__ import annotations

import http.client
import json
import math
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from ...shared import masked
from . import apprising
from .answers import Answer
from .channels import Call, Notify

SECONDS = 10.0
MOST_BYTES = 64 * 1024
MOST_RETRY_SECONDS = 3600.0
# A gateway answers for somebody who may have done it.
_PERHAPS = frozenset({502, 504})
# Where certificates to trust are; nothing else of the environment concerns a message.
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
_AGAIN = frozenset({408, 420, 425, 429})


def send(what: Call | Notify, seconds: float = SECONDS) -> Answer:
    """Tell somebody. It takes no longer than ``seconds`` and a moment, whatever the other side does, and raises nothing."""
    return _call(what, seconds) if isinstance(what, Call) else _notify(what, seconds)


# ---------------------------------------------------------------------- HTTP
def _call(call: Call, seconds: float) -> Answer:
    parts = urlsplit(call.url)
    port = f":{parts.port}" if parts.port else ""
    where = f"{parts.scheme}://{parts.hostname}{port}"
    end = time.monotonic() + seconds
    try:
        connection = _connected(parts, seconds)
    except (OSError, ValueError, http.client.HTTPException) as error:
        return Answer("failed", f"{where}: no connection: {masked(_said(error), 160)}")
    # A timeout of a socket counts from each byte: who sends one now and then would never end.
    late = threading.Event()
    watch = threading.Timer(max(0.01, end - time.monotonic()), _hang_up, [connection.sock, late])
    watch.daemon = True
    watch.start()
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request(call.method, target, call.body, dict(call.headers))
        # Who answers and closes has taken the socket out of the connection: the answer is closed by itself.
        with connection.getresponse() as answer:
            said = answer.read(MOST_BYTES)
    except (OSError, ValueError, http.client.HTTPException) as error:
        is_late = late.is_set() or time.monotonic() >= end
        why = f"no answer within {seconds:g} s" if is_late else f"no answer: {masked(_said(error), 160)}"
        return _not_known(call, f"{where}: {why}")
    finally:
        watch.cancel()
        connection.close()
    if late.is_set():
        # What was cut off by hanging up looks like a whole answer.
        return _not_known(call, f"{where}: no answer within {seconds:g} s")
    return _judged(call, where, answer.status, dict(answer.getheaders()), said)


def _connected(parts: Any, seconds: float) -> http.client.HTTPConnection:
    host = str(parts.hostname)
    if parts.scheme == "https":
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            host, parts.port, timeout=seconds, context=ssl.create_default_context()
        )
    else:
        connection = http.client.HTTPConnection(host, parts.port, timeout=seconds)
    connection.connect()
    return connection


def _hang_up(sock: socket.socket, late: threading.Event) -> None:
    late.set()
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


def _said(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or error) or type(error).__name__


def _judged(call: Call, where: str, status: int, headers: dict[str, str], body: bytes) -> Answer:
    names = {name.lower(): value for name, value in headers.items()}
    says = masked(body[:2000].decode("utf-8", "replace"), 200)
    shown = f"{where} answers {status}" + (f": {says}" if says else "")
    if 200 <= status < 300:
        return _proven(call, where, status, body)
    if 300 <= status < 400:
        return Answer("refused", f"{where} answers {status} and leads elsewhere, where nothing is sent", None, status)
    retry_after = _retry_after(names.get("retry-after", ""), names.get("date", ""))
    if status in _PERHAPS:
        return _not_known(call, shown, status)
    if status in _AGAIN or status >= 500:
        return Answer("failed", shown, retry_after, status)
    return Answer("refused", shown, None, status)


def _proven(call: Call, where: str, status: int, body: bytes) -> Answer:
    """An answer of success that is none of this service's comes from something in between, such as a page to sign in."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        said = None
    found = said.get(call.proof) if isinstance(said, dict) and call.proof else None
    if call.proof and (found is None or (call.proof_value and found != call.proof_value)):
        return _not_known(
            call,
            f"{where} answers {status} with what is no answer of this service: {masked(body[:500].decode('utf-8', 'replace'), 120)}",
            status,
        )
    reference = said.get(call.reference, "") if isinstance(said, dict) and call.reference else ""
    return Answer("sent", f"{where} answers {status}", None, status, str(reference)[:200])


def _not_known(call: Call, why: str, status: int = 0) -> Answer:
    if call.repeatable:
        return Answer("failed", why, None, status)
    return Answer("unknown", f"{why}; whether it arrived is not known, and it is not sent again", None, status)


def _retry_after(text: str, date: str) -> float | None:
    """In how many seconds, by a number or by a date on the other side's clock."""
    word = text.strip()
    if not word:
        return None
    try:
        if word.isascii() and word.isdigit():
            seconds = float(word[:12])
        else:
            since = parsedate_to_datetime(date).timestamp() if date else time.time()
            seconds = parsedate_to_datetime(word).timestamp() - since
    except (ValueError, TypeError, OverflowError):
        return None
    return min(MOST_RETRY_SECONDS, max(0.0, seconds)) if math.isfinite(seconds) else None


# ---------------------------------------------------------------------- apprise
def _notify(what: Notify, seconds: float) -> Answer:
    """By apprise, in a process of its own: its hundred services take 50 MB of memory, and one that hangs is ended."""
    asked = {
        "path": sys.path,
        "address": what.address,
        "subject": what.subject,
        "body": what.body,
        "tone": what.tone,
        "seconds": seconds,
    }
    argv = [sys.executable, "-I", str(Path(apprising.__file__))]
    environment = {name: os.environ[name] for name in _CERTIFICATES if name in os.environ}
    process = subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        text=True,
        encoding="utf-8",
    )
    try:
        out, _err = process.communicate(json.dumps(asked), timeout=seconds + apprising.START_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        out, _err = process.communicate()
    # What was known last: a line is written before anything leaves, and another one when it is over.
    lines = [line for line in out[: MOST_BYTES * 4].splitlines() if line.startswith("{")]
    try:
        said = msgspec.json.decode(lines[-1], type=_Said) if lines else None
    except msgspec.DecodeError:
        said = None
    if said is None:
        return Answer("failed", "apprise could not be started")
    why = _without(masked(said.why, 300), what.address)
    if said.result == "unknown":
        why = f"{why}; whether it arrived is not known, and it is not sent again"
    retry_after = None if said.retry_after is None else min(MOST_RETRY_SECONDS, max(0.0, said.retry_after))
    return Answer(said.result, why, retry_after, said.status)  # type: ignore[arg-type]


class _Said(msgspec.Struct, frozen=True):
    result: str
    why: str
    status: int = 0
    retry_after: float | None = None


def _without(text: str, address: str) -> str:
    """An address of apprise is a secret in itself: no part of it is shown."""
    for part in sorted(
        {address, *address.replace("://", "/").replace("?", "/").replace("@", "/").split("/")}, key=len, reverse=True
    ):
        if len(part) >= 6:
            text = text.replace(part, "********")
    return text
