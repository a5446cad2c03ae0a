# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every request has to pass, and what every answer carries."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from ..settings import Page, Settings

MOST_FORM_BYTES = 256 * 1024
# Of all forms that are being read: who sends many at once does not fill the memory.
MOST_BYTES = 16 * 1024 * 1024
MOST_FIELDS = 200
SLOW_SECONDS = 10.0
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: with that, a browser does not say where a form comes from.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cache-Control": "no-store",
}
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


@dataclass(frozen=True)
class Refused(Exception):
    """A request that is not heard; what is wrong is one line."""

    status: int
    why: str


def is_secure(settings: Settings, page: Page) -> bool:
    """Whether browsers reach the page by HTTPS."""
    return settings.tls is not None or page.origin.startswith("https:")


def check_host(host: str, settings: Settings, page: Page) -> None:
    """Raise where a browser was led here under a name that is not ours, as by a name that somebody else points to this machine."""
    try:
        name = (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        name = ""
    ours = page.origin.partition("//")[2]
    # A certificate proves a name; without one, only this machine may be meant.
    if not name or (host.lower() != ours and settings.tls is None and name not in LOOPBACK):
        raise Refused(421, f"this page is not called so; open {page.address or settings.listen}")


def check_origin(headers: Mapping[str, str], settings: Settings, page: Page) -> None:
    """Raise where a form comes from somewhere else."""
    origin, site = headers.get("origin", "").lower(), headers.get("sec-fetch-site", "")
    scheme = "https" if settings.tls is not None else "http"
    if origin not in {page.origin, f"{scheme}://{headers.get('host', '').lower()}"} - {""}:
        raise Refused(
            403, "this form comes from another site, or your browser does not say from where; open the page itself"
        )
    if site not in ("", "same-origin"):
        raise Refused(403, "this form comes from another site; open the page itself")


class Forms:
    """Reads forms, so many bytes at once."""

    def __init__(self) -> None:
        self._bytes = 0

    async def read(self, headers: Mapping[str, str], receive: Receive) -> dict[str, str]:
        """The fields of a form; of one that is there several times, the last."""
        _check_kind(headers)
        body = bytearray()
        try:
            async with asyncio.timeout(SLOW_SECONDS):
                more = True
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Refused(400, "the form did not come to its end")
                    part, more = message.get("body", b""), message.get("more_body", False)
                    body += part
                    self._bytes += len(part)
                    if len(body) > MOST_FORM_BYTES:
                        raise Refused(413, f"a form may have {MOST_FORM_BYTES // 1024} KiB; say it shorter")
                    if self._bytes > MOST_BYTES:
                        raise Refused(503, "too much is being sent at this moment; send it again")
            return _fields(bytes(body))
        except TimeoutError:
            raise Refused(408, "the form is too slow") from None
        finally:
            self._bytes -= len(body)


def _check_kind(headers: Mapping[str, str]) -> None:
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise Refused(415, "only the forms of this page are read")
    if "content-encoding" in headers:
        raise Refused(415, "an encoded body is not read")


def _fields(body: bytes) -> dict[str, str]:
    try:
        return dict(
            parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="replace")
        )
    except ValueError:
        raise Refused(400, "this is no form of this page") from None
