# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON from another service over HTTP, with a token of a file that may change at any time."""

from __future__ import annotations

import http.client
import json
import ssl
import urllib.error
import urllib.request
from typing import Any

from ..shared import masked
from .settings import secret

TIMEOUT_SECONDS = 10.0
MOST_BYTES = 64 * 1024 * 1024
# Of an answer that is no success, so that no secret is cut before it is masked.
SAID_BYTES = 8192


class CallFailed(Exception):
    """It did not answer, or not with what was asked for; the message is one line.

    Attributes:
        status: that of the answer; 0 where there was none.
    """

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


def call(url: str, token_file: str = "", send: Any = None, ca: str = "") -> Any:
    """The JSON that ``url`` answers with.

    Args:
        url: http or https, as the settings have checked.
        token_file: with the token to show; "" for none.
        send: JSON to be sent with POST; None for a GET.
        ca: file of the certificates to trust; "" for those of the system.

    Raises:
        CallFailed: no answer, or not one of success.
    """
    body = None if send is None else json.dumps(send).encode()
    request = urllib.request.Request(url, body, {"Accept": "application/json"})  # noqa: S310 - checked with the settings
    if body is not None:
        request.add_header("Content-Type", "application/json")
    if token_file:
        request.add_header("Authorization", f"Bearer {secret(token_file)}")
    # Neither a proxy of the environment nor another host by redirect is given the token.
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({}), _NoRedirect()]
    try:
        if url.startswith("https:"):
            handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca or None)))
        with urllib.request.build_opener(*handlers).open(request, timeout=TIMEOUT_SECONDS) as answer:
            text = answer.read(MOST_BYTES)
            return json.loads(text) if text.strip() else None
    except urllib.error.HTTPError as error:
        said = masked(error.read(SAID_BYTES).decode("utf-8", "replace"))
        raise CallFailed(f"{_shown(url)} answers {error.code}: {said}", error.code) from None
    except (OSError, ValueError, http.client.HTTPException, RecursionError) as error:
        raise CallFailed(f"{_shown(url)}: {getattr(error, 'reason', '') or error}") from None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_arguments: Any, **_named: Any) -> None:
        return None


def _shown(url: str) -> str:
    return url.partition("?")[0]
