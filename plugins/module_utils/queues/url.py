# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An engine that is asked over HTTP."""

from __future__ import annotations

import json

from ..net.bounded_http import FetchError, fetch, public_url

# An answer with a hundred runs has some 60 KB; one with everything that they returned is not read.
_MAX_BYTES = 4 * 1024 * 1024


class UrlError(Exception):
    """A server could not be asked, or its answer cannot be used.

    Attributes:
        kind: of the trouble: that of :class:`net.bounded_http.FetchError`, ``credentials``, ``status`` or ``protocol``.
    """

    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind


class Url:
    """A server that answers with JSON.

    Args:
        url: where its paths begin.
        deadline: for everything that is asked.
    """

    def __init__(self, url, deadline):
        self._url = url.rstrip("/")
        self._deadline = deadline

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        """Nothing: each question has a connection of its own."""

    def ask(self, path, headers, body=None, seconds=None):
        """The status and the JSON document, None where the status says that there is none.

        Args:
            path: with a query, if any.
            headers: of the request.
            body: plain data to send; without it nothing is sent.
            seconds: the most that this may take.

        Raises:
            UrlError: no usable answer.
        """
        url = self._url + path
        headers = dict(headers, Accept="application/json")
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        left = self._deadline.remaining_seconds()
        try:
            status, _headers, content = fetch(
                url, min(left, seconds or left), max_bytes=_MAX_BYTES, headers=headers, body=data, redirects=False
            )
        except FetchError as error:
            raise UrlError(error.kind, str(error)) from None
        if status in (401, 403):
            raise UrlError("credentials", f"{public_url(url)} answers {status}: check the signing key of the queue")
        if status != 200:
            return status, None
        try:
            return status, json.loads(content)
        except (ValueError, RecursionError):
            raise UrlError("protocol", f"{public_url(url)} answers 200 with what is no JSON") from None

    def error(self, path, kind, message):
        """An error that names what was asked."""
        return UrlError(kind, f"{public_url(self._url + path)} {message}")
