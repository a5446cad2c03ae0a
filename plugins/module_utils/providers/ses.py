# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Amazon SES, version 2 of its API: the account, and the identity that sends. The key needs ses:GetAccount and ses:GetEmailIdentity.

What a key may not read it may yet send: then nothing is told.
"""

from __future__ import annotations

from datetime import datetime, timezone

from ..net.sigv4 import signed
from .answers import fields_of, known, number, passed, refused, request, share, trouble, untold, word

KEYS = ("access_key", "secret_key", "region")
MORE_KEYS = ("session_token",)
SECRETS = ("access_key", "secret_key", "session_token")
IS_MAIL = True
NOT_TOLD = ("bounces, complaints and suppressed addresses (Amazon has them in CloudWatch)",)
_CREDENTIALS = ("UnrecognizedClientException", "InvalidSignatureException", "InvalidClientTokenId", "ExpiredTokenException",
                "SignatureDoesNotMatch", "IncompleteSignature", "MissingAuthenticationTokenException")  # fmt: skip


def check_keys(place, given):
    """Raises ValueError where a name could lead to another host."""
    region = str(given["region"])
    if not (region.isascii() and region.replace("-", "").isalnum()):
        raise ValueError(f"{place}.region: must be the name of a region, such as eu-west-1")


def calls(provider, now):
    """What one check asks."""
    paths = ["/v2/email/account"]
    if provider.get("domain"):
        paths.append(f"/v2/email/identities/{provider['domain']}")
    return [_signed(provider, path, now) for path in paths]


def _signed(provider, path, now):
    url = (provider["url"] or f"https://email.{provider['region']}.amazonaws.com") + path
    token = provider.get("session_token")
    headers = {"x-amz-security-token": token} if token else {}
    at = datetime.fromtimestamp(now, timezone.utc)
    return request(
        url,
        signed("GET", url, headers, b"", at, provider["region"], "ses", provider["access_key"], provider["secret_key"]),
    )


def read(provider, answers):
    """What the answers to :func:`calls` say."""
    account = answers[0]
    kind = (account["headers"].get("x-amzn-errortype") or "").partition(":")[0]
    if account["status"] in (400, 403) and kind in _CREDENTIALS:
        return refused("credentials", f"{account['where']} answers {account['status']}: {kind}")
    if account["status"] == 403:
        return untold(
            f"{account['where']} answers 403: {kind or account['text']}; the key may not read the account", "forbidden"
        )
    bad = trouble(account)
    if bad:
        return bad
    found = fields_of(account["document"])
    if not isinstance(found.get("SendingEnabled"), bool):
        return untold(f"{account['where']} answers without SendingEnabled")
    quota = fields_of(found, "SendQuota")
    limit, used = number(quota.get("Max24HourSend")), number(quota.get("SentLast24Hours"))
    # Below 0 there is none.
    limit = None if limit is not None and limit < 0 else limit
    facts = known(
        credentials_valid=True,
        account_status=word(found.get("EnforcementStatus")),
        sandbox=None
        if not isinstance(found.get("ProductionAccessEnabled"), bool)
        else not found["ProductionAccessEnabled"],
        quota_limit=limit,
        quota_left=None if limit is None or used is None else max(0.0, limit - used),
        quota_used_ratio=share(used, limit),
        sent_lately=used,
        **_identity(answers[1:]),
    )
    if not found["SendingEnabled"] or facts.get("account_status") == "shutdown":
        return refused(
            "suspended",
            f"the account may not send in {provider['region']} ({facts.get('account_status', 'no status')})",
            **facts,
        )
    if limit is not None and used is not None and used >= limit:
        return refused("quota", f"{used:.0f} of {limit:.0f} messages were sent within 24 hours", **facts)
    if facts.get("sandbox"):
        return refused(
            "suspended",
            f"the account is in the sandbox of {provider['region']}, which delivers to verified addresses only",
            **facts,
        )
    if facts.get("domain_verified") is False:
        return refused(
            "unverified", f"{provider['domain']} is not verified for sending in {provider['region']}", **facts
        )
    return passed(**facts)


def _identity(answers):
    if not answers:
        return {}
    if answers[0]["status"] == 404:
        return {"domain_verified": False, "domain_state": "absent"}
    found = fields_of(answers[0]["document"]) if answers[0]["status"] == 200 else {}
    verified = found.get("VerifiedForSendingStatus")
    state = word(fields_of(found, "DkimAttributes").get("Status"))
    return known(domain_verified=verified if isinstance(verified, bool) else None, domain_state=state)
