# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documented answers of providers that a test cannot have, by path, for :class:`observing.Answers`; and how an inventory reaches them.

They are written down from the providers' own documentation, with names and numbers of their own.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ansible_collections.oncall.runbooks.plugins.module_utils.providers import kinds

KEYS = {
    "sendgrid": "SG.k3yk3yk3yk3yk3yk3y.s3crets3crets3crets3cret",
    "mailgun": "key-0123456789abcdef0123456789abcdef",
    "ses": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    "postmark": "2f4e8a5c-aaaa-bbbb-cccc-0123456789ab",
    "twilio": "0123456789abcdef0123456789abcdef",
    "slack": "xoxb-not-a-real-token-0123",
}
SID = "AC00000000000000000000000000000001"
OTHER_TOKEN = "77777777-aaaa-bbbb-cccc-0123456789ab"
DOMAIN = "shop.example"
REACH: dict[str, dict[str, Any]] = {
    "sendgrid": {"api_key": KEYS["sendgrid"]},
    "mailgun": {"api_key": KEYS["mailgun"], "domain": DOMAIN},
    "ses": {"access_key": "AKIDEXAMPLE", "secret_key": KEYS["ses"], "region": "eu-west-1", "domain": DOMAIN},
    "postmark": {"token": KEYS["postmark"]},
    "twilio": {"account_sid": SID, "auth_token": KEYS["twilio"]},
    "slack": {"token": KEYS["slack"]},
}

Json = dict[str, Any]


def reply(document: Any, status: int = 200, **headers: str) -> tuple[int, bytes, dict[str, str]]:
    return status, json.dumps(document).encode(), {"Content_Type": "application/json", **headers}


def sendgrid(
    scopes: tuple[str, ...] = ("mail.send", "user.credits.read"),
    remain: int | None = 40,
    total: int | None = 100,
    overage: int = 0,
) -> Json:
    stats = [
        {
            "date": "2026-11-28",
            "stats": [
                {
                    "metrics": {
                        "requests": 180,
                        "delivered": 170,
                        "bounces": 5,
                        "blocks": 1,
                        "bounce_drops": 4,
                        "spam_reports": 2,
                    }
                }
            ],
        },
        {
            "date": "2026-11-29",
            "stats": [
                {
                    "metrics": {
                        "requests": 20,
                        "delivered": 20,
                        "bounces": 0,
                        "blocks": 0,
                        "bounce_drops": 0,
                        "spam_reports": 0,
                    }
                }
            ],
        },
    ]
    used = None if remain is None or total is None else total - remain
    credits = {"remain": remain, "total": total, "overage": overage, "used": used, "last_reset": "2026-11-01", "next_reset": "2026-12-01",
               "reset_frequency": "monthly"}  # fmt: skip
    return {
        "/v3/scopes": reply({"scopes": list(scopes)}),
        "/v3/user/credits": reply(credits),
        "/v3/stats": reply(stats),
    }


def mailgun(state: str = "active", is_disabled: bool = False, dkim: str = "valid") -> Json:
    domain = {
        "name": DOMAIN,
        "state": state,
        "type": "custom",
        "smtp_login": f"postmaster@{DOMAIN}",
        "is_disabled": is_disabled,
    }
    if is_disabled:
        domain["disabled"] = {"code": "disabled", "reason": "Account disabled", "note": ""}
    records = [
        {"record_type": "TXT", "valid": "valid", "name": DOMAIN, "value": "v=spf1 include:mailgun.org ~all"},
        {"record_type": "TXT", "valid": dkim, "name": f"mx._domainkey.{DOMAIN}", "value": "k=rsa; p=MIGf"},
    ]
    stats = {"stats": [{"accepted": {"outgoing": 200, "incoming": 0, "total": 200}, "complained": {"total": 1},
                        "failed": {"permanent": {"bounce": 8, "suppress-bounce": 4, "suppress-unsubscribe": 0, "suppress-complaint": 0, "total": 12},
                                   "temporary": {"espblock": 0}}}]}  # fmt: skip
    whole = {"domain": domain, "receiving_dns_records": [], "sending_dns_records": records}
    return {f"/v3/domains/{DOMAIN}": reply(whole), f"/v3/{DOMAIN}/stats/total": reply(stats)}


def ses(
    sent: float = 100.0,
    enforcement: str = "HEALTHY",
    sending: bool = True,
    production: bool = True,
    verified: bool = True,
    limit: float = 50000.0,
) -> Json:
    account = {"DedicatedIpAutoWarmupEnabled": False, "EnforcementStatus": enforcement, "ProductionAccessEnabled": production, "SendingEnabled": sending,
               "SendQuota": {"Max24HourSend": limit, "MaxSendRate": 14.0, "SentLast24Hours": sent},
               "SuppressionAttributes": {"SuppressedReasons": ["BOUNCE", "COMPLAINT"]}}  # fmt: skip
    identity = {"IdentityType": "DOMAIN", "FeedbackForwardingStatus": True, "VerifiedForSendingStatus": verified,
                "DkimAttributes": {"SigningEnabled": True, "Status": "SUCCESS" if verified else "FAILED", "Tokens": ["a", "b", "c"]}}  # fmt: skip
    return {"/v2/email/account": reply(account), f"/v2/email/identities/{DOMAIN}": reply(identity)}


def ses_error(kind: str, status: int = 403) -> tuple[int, bytes, dict[str, str]]:
    return reply(
        {"message": "The security token included in the request is invalid."},
        status,
        x_amzn_ErrorType=f"{kind}:http://internal.amazon.com/",
    )


def postmark(delivery: str = "Live") -> Json:
    server = {
        "ID": 1,
        "Name": "shop",
        "ApiTokens": [KEYS["postmark"], OTHER_TOKEN],
        "Color": "red",
        "SmtpApiActivated": True,
        "DeliveryType": delivery,
    }
    stats = {
        "Sent": 200,
        "Bounced": 16,
        "SMTPApiErrors": 0,
        "BounceRate": 8.0,
        "SpamComplaints": 1,
        "SpamComplaintsRate": 0.5,
    }
    return {"/server": reply(server), "/stats/outbound": reply(stats)}


def twilio(status: str = "active", balance: str = "10.50", kind: str = "Full") -> Json:
    base = f"/2010-04-01/Accounts/{SID}"
    account = {"sid": SID, "status": status, "type": kind, "friendly_name": "shop", "auth_token": OTHER_TOKEN}
    messages = [{"sid": f"SM{n}", "status": "undelivered" if n < 5 else "delivered", "error_code": 30003 if n < 5 else None, "to": "+15005550009", "body": "Ihr Code"}
                for n in range(20)]  # fmt: skip
    return {
        base + ".json": reply(account),
        base + "/Balance.json": reply({"account_sid": SID, "balance": balance, "currency": "EUR"}),
        base + "/Messages.json": reply({"messages": [*messages, {"status": "queued", "error_code": None}]}),
    }


def slack(scopes: str = "chat:write,users:read") -> Json:
    said = {
        "ok": True,
        "url": "https://shop.slack.com/",
        "team": "shop",
        "user": "bot",
        "team_id": "T1",
        "user_id": "U1",
        "bot_id": "B1",
    }
    return {"/api/auth.test": reply(said, X_OAuth_Scopes=scopes)}


def slack_error(error: str) -> Json:
    return {"/api/auth.test": reply({"ok": False, "error": error})}


GOOD: dict[str, Callable[[], Json]] = {
    "sendgrid": sendgrid,
    "mailgun": mailgun,
    "ses": ses,
    "postmark": postmark,
    "twilio": twilio,
    "slack": slack,
}


def everywhere(kind: str, answer: Any) -> Json:
    """The same answer to everything that is asked of a kind."""
    return dict.fromkeys(GOOD[kind](), answer)


def finding(kind: str, documents: Json) -> dict[str, Any]:
    """What the reading of a kind makes of such answers, without a server."""
    provider = {"url": "", "name": kind, **REACH[kind]}
    return kinds.kind(kind).read(
        provider, [_answer(one["url"], documents) for one in kinds.kind(kind).calls(provider, 0.0)]
    )


def more(kind: str, documents: Json) -> Json:
    """What else it tells."""
    provider = {"url": "", "name": kind, **REACH[kind]}
    return kinds.kind(kind).read_more(
        [_answer(one["url"], documents) for one in kinds.kind(kind).more_calls(provider, 0.0)]
    )


def _answer(url: str, documents: Json) -> dict[str, Any]:
    status, body, headers = documents.get(url.partition("?")[0], (404, b"not here", {}))
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    return {
        "status": status,
        "error": "",
        "reason": "",
        "document": document,
        "text": body.decode()[:200],
        "headers": {name.lower().replace("_", "-"): value for name, value in headers.items()},
        "where": f"GET {url}",
        "is_page": body.lstrip().startswith(b"<"),
    }
