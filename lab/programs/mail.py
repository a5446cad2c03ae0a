# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mail by two providers, in the shapes that SendGrid and Postmark document: how the worker sends, and what they answer.

Both are played by the lab's provider, and nothing leaves it.
"""

from __future__ import annotations

import json
import os
from typing import Any
from urllib.request import Request, urlopen

from .web import Handler, Refused, Route

SECONDS = 5
FROM, TO = "noreply@shop.example", "a@buyer.example"


def send(subject: str) -> None:
    """Send one message by the provider that MAIL_PROVIDER names; OSError where that one does not take it."""
    url = os.environ.get("MAIL_URL")
    if not url:
        raise OSError("MAIL_URL names nobody who sends mail")
    way = {"sendgrid": _by_sendgrid, "postmark": _by_postmark}[os.environ.get("MAIL_PROVIDER", "sendgrid")]
    path, key, document = way(subject)
    headers = {"Content-Type": "application/json", **key}
    with urlopen(Request(url + path, json.dumps(document).encode(), headers), timeout=SECONDS) as answer:
        answer.read()


def _by_sendgrid(subject: str) -> tuple[str, dict[str, str], dict[str, Any]]:
    document = {
        "personalizations": [{"to": [{"email": TO}]}],
        "from": {"email": FROM},
        "subject": subject,
        "content": [{"type": "text/plain", "value": "hello"}],
    }
    return "/v3/mail/send", {"Authorization": f"Bearer {os.environ.get('SENDGRID_API_KEY')}"}, document


def _by_postmark(subject: str) -> tuple[str, dict[str, str], dict[str, Any]]:
    document = {"From": FROM, "To": TO, "Subject": subject, "TextBody": "hello"}
    return "/email", {"X-Postmark-Server-Token": str(os.environ.get("POSTMARK_TOKEN"))}, document


# ---------------------------------------------------------------------- what the providers answer
def _sendgrid_key(provider: Any, request: Handler) -> None:
    """Refuses where it was told to, and every key but the one that was made and not revoked."""
    provider.as_told()
    told = request.headers.get("Authorization", "")
    if provider.mail_key_revoked or told != f"Bearer {os.environ.get('SENDGRID_API_KEY')}":
        said = "The provided authorization grant is invalid, expired, or revoked"
        raise Refused(401, {"errors": [{"field": None, "message": said}]})


def scopes(provider: Any, request: Handler) -> Any:
    """What a key may do."""
    _sendgrid_key(provider, request)
    return {"scopes": ["mail.send", "user.credits.read"]}


def credits_left(provider: Any, request: Handler) -> Any:
    """How much mail may yet be sent."""
    _sendgrid_key(provider, request)
    return {"remain": 900, "total": 1000, "overage": 0, "used": 100, "reset_frequency": "monthly"}


def sendgrid_send(provider: Any, request: Handler) -> Any:
    _sendgrid_key(provider, request)
    request.body()
    raise Refused(202, {})


def _postmark_token(request: Handler) -> None:
    if request.headers.get("X-Postmark-Server-Token", "") != os.environ.get("POSTMARK_TOKEN"):
        raise Refused(401, {"ErrorCode": 10, "Message": "The Server Token you provided was invalid."})


def server(provider: Any, request: Handler) -> Any:
    """What a token is for."""
    _postmark_token(request)
    return {"ID": 1, "Name": "lab", "DeliveryType": "Live"}


def postmark_send(provider: Any, request: Handler) -> Any:
    _postmark_token(request)
    request.body()
    return {"To": TO, "ErrorCode": 0, "Message": "OK"}


ROUTES: dict[tuple[str, str], Route] = {
    ("GET", "/v3/scopes"): scopes,
    ("GET", "/v3/user/credits"): credits_left,
    ("POST", "/v3/mail/send"): sendgrid_send,
    ("GET", "/server"): server,
    ("POST", "/email"): postmark_send,
}
