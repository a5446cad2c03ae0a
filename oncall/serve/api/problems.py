# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is answered where a request is not done: a problem of RFC 9457, with one line that says why and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.responses import Response

KIND = "application/problem+json"
MOST_DETAIL = 600
HEADERS = {503: {"Retry-After": "5"}, 401: {"WWW-Authenticate": "Bearer"}}


class Problem(Exception):
    """A request is not done.

    Args:
        status: of HTTP.
        detail: one line.
        more: what else is told, such as the incident as it is now.
    """

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None, **more: Any) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers, self.more = status, detail, headers or {}, more

    def response(self) -> Response:
        """As it is answered."""
        headers = {**HEADERS.get(self.status, {}), **self.headers}
        return Response(encoded(self.status, self.detail, **self.more), self.status, headers, KIND)


def encoded(status: int, detail: str, **more: Any) -> bytes:
    """Its JSON."""
    # Text of the request may be in it.
    line = " ".join("".join(one if one.isprintable() else " " for one in detail[:MOST_DETAIL]).split())
    told = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": line, **more}
    return msgspec.json.encode(told)
