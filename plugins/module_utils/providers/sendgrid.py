# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SendGrid: the scopes of the key, and the credits of the account.

An API key can have any set of scopes, and all of them may read that set. Credits and figures need ``user.credits.read`` and ``stats.read``.
"""

from __future__ import annotations

import time

from .answers import fields_of, known, number, passed, refused, request, share, trouble, untold

URL = "https://api.sendgrid.com"
KEYS = ("api_key",)
MORE_KEYS = ()
SECRETS = ("api_key",)
IS_MAIL = True
NOT_TOLD = ("whether the domain of the sender is verified",)


def calls(provider, now):
    """What one check asks."""
    headers = {"Authorization": f"Bearer {provider['api_key']}"}
    return [request(provider["url"] + path, headers) for path in ("/v3/scopes", "/v3/user/credits")]


def read(provider, answers):
    """What the answers to :func:`calls` say."""
    scopes, credits = answers
    bad = trouble(scopes)
    if bad:
        return bad
    names = fields_of(scopes["document"]).get("scopes")
    if not isinstance(names, list):
        return untold(f"{scopes['where']} answers without scopes")
    facts = _quota(credits)
    if "mail.send" not in names:
        return refused("forbidden", "the key is valid, and has no scope mail.send", credentials_valid=True, **facts)
    if facts.get("quota_left") == 0 and not facts.pop("overage", 0):
        limit = facts.get("quota_limit")
        of = "" if limit is None else f" of {limit:.0f}"
        return refused("quota", f"no credit{of} is left, and none beyond is granted", credentials_valid=True, **facts)
    facts.pop("overage", None)
    return passed(credentials_valid=True, **facts)


def _quota(answer):
    # A key without this scope gets 403, and an account without a limit has null.
    found = fields_of(answer["document"]) if answer["status"] == 200 else {}
    left, limit = number(found.get("remain")), number(found.get("total"))
    used = None if left is None or not limit else limit - left
    return known(
        quota_left=left, quota_limit=limit, quota_used_ratio=share(used, limit), overage=number(found.get("overage"))
    )


def more_calls(provider, now):
    """What else is worth to know: today's and yesterday's figures, and whether anybody is suppressed."""
    headers = {"Authorization": f"Bearer {provider['api_key']}"}
    day = time.strftime("%Y-%m-%d", time.gmtime(now - 86400))
    return [request(f"{provider['url']}/v3/stats?aggregated_by=day&start_date={day}", headers)]


def read_more(answers):
    """What the answers to :func:`more_calls` say."""
    days = answers[0]["document"]
    if answers[0]["status"] != 200 or not isinstance(days, list):
        return {}
    rows = [
        fields_of(one, "metrics")
        for day in days
        if isinstance(day, dict)
        for one in (day.get("stats") if isinstance(day.get("stats"), list) else [])
    ]
    totals = {
        name: sum(number(row.get(name)) or 0 for row in rows)
        for name in ("requests", "bounces", "blocks", "spam_reports")
    }
    totals["suppressed"] = sum(number(row.get("bounce_drops")) or 0 for row in rows)
    sent = totals["requests"]
    return known(
        sent_lately=sent,
        bounce_ratio=share(totals["bounces"] + totals["blocks"], sent),
        complaint_ratio=share(totals["spam_reports"], sent),
        suppressed_ratio=share(totals["suppressed"], sent),
    )
