# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetches a feed of who is on call: a file, or an address. Bounded in size and in time; :mod:`.feeds` reads what came."""

from __future__ import annotations

import http.client
import ssl
import time
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from ...shared import masked
from .feeds import MOST_BYTES, FeedError

SECONDS = 15.0
_MOST_REDIRECTS = 3


def fetched(where: str, seconds: float = SECONDS) -> bytes:
    """The bytes of a feed.

    Args:
        where: a path, or an address of http, https or webcal. It may hold a secret: no message has more of it than the host.
        seconds: for all of it.

    Raises:
        FeedError: it is not there, or too large, or takes too long.
    """
    if "://" not in where:
        return _read(Path(where))
    address = f"https{where[6:]}" if where.startswith("webcal://") else where
    end = time.monotonic() + seconds
    for _hop in range(_MOST_REDIRECTS + 1):
        try:
            status, text, leads_to = _asked(address, end)
        except TimeoutError:
            raise FeedError(f"{_host(address)}: no feed within {seconds:g} s") from None
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise FeedError(
                f"{_host(address)}: {masked(getattr(error, 'strerror', None) or error, 160) or type(error).__name__}"
            ) from None
        if not leads_to:
            if status != 200:
                raise FeedError(f"{_host(address)} answers {status}")
            return text
        further = urljoin(address, leads_to)
        if address.startswith("https://") and not further.startswith("https://"):
            raise FeedError(f"{_host(address)} leads away from https")
        address = further
    raise FeedError(f"{_host(where)} leads elsewhere again and again")


def _read(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise FeedError(f"{path.name}: there is no such file")
        with path.open("rb") as file:
            text = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise FeedError(f"{path.name}: {error.strerror}") from None
    if len(text) > MOST_BYTES:
        raise FeedError(f"the feed is larger than {MOST_BYTES // 1024**2} MB")
    return text


def _asked(address: str, end: float) -> tuple[int, bytes, str]:
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("a feed is at an address of http, https or webcal")
    left = max(0.01, end - time.monotonic())
    connection = (
        http.client.HTTPSConnection(parts.hostname, parts.port, timeout=left, context=ssl.create_default_context())
        if parts.scheme == "https"
        else http.client.HTTPConnection(parts.hostname, parts.port, timeout=left)
    )
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", target, headers={"User-Agent": "oncall", "Accept": "text/calendar, application/json"})
        with connection.getresponse() as answer:
            if answer.status in (301, 302, 303, 307, 308):
                return answer.status, b"", answer.getheader("Location") or ""
            return answer.status, _bounded(answer, end), ""
    finally:
        connection.close()


def _bounded(answer: http.client.HTTPResponse, end: float) -> bytes:
    found: list[bytes] = []
    size = 0
    # A part at a time, so that who sends a byte now and then is left in time.
    while part := answer.read1(64 * 1024):
        found.append(part)
        size += len(part)
        if size > MOST_BYTES:
            raise FeedError(f"the feed is larger than {MOST_BYTES // 1024**2} MB")
        if time.monotonic() > end:
            raise TimeoutError
    return b"".join(found)


def _host(address: str) -> str:
    try:
        parts = urlsplit(address)
        return f"{parts.scheme}://{parts.hostname}"
    except ValueError:
        return "the feed's address"
