# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Postmark: the server that a token is for. Of the answer, which has all tokens of that server, only what is named here is kept."""

from __future__ import annotations

import time

from .answers import fields_of, known, number, passed, refused, request, share, trouble, untold, word

URL = "https://api.postmarkapp.com"
KEYS = ("token",)
MORE_KEYS = ()
SECRETS = ("token",)
IS_MAIL = True
NOT_TOLD = ("quota", "whether the domain of the sender is verified", "how many addresses are suppressed")


def calls(provider, now):
    """What one check asks."""
    return [request(provider["url"] + "/server", {"X-Postmark-Server-Token": provider["token"]})]


def read(provider, answers):
    """What the answer to :func:`calls` says."""
    (answer,) = answers
    said = fields_of(answer["document"])
    bad = trouble(
        answer, f"ErrorCode {said.get('ErrorCode')}, {word(said.get('Message'))}" if "ErrorCode" in said else None
    )
    if bad:
        return bad
    delivery = word(said.get("DeliveryType"))
    if not isinstance(said.get("ID"), int):
        return untold(f"{answer['where']} answers without the ID of the server")
    facts = known(credentials_valid=True, sandbox=None if delivery is None else delivery == "sandbox")
    if facts.get("sandbox"):
        return refused("suspended", "the server is a sandbox, which delivers nothing", **facts)
    return passed(**facts)


def more_calls(provider, now):
    """What else is worth to know: the figures of yesterday and today."""
    yesterday, today = (time.strftime("%Y-%m-%d", time.gmtime(now - seconds)) for seconds in (86400, 0))
    url = f"{provider['url']}/stats/outbound?fromdate={yesterday}&todate={today}"
    return [request(url, {"X-Postmark-Server-Token": provider["token"]})]


def read_more(answers):
    """What the answer to :func:`more_calls` says."""
    found = fields_of(answers[0]["document"]) if answers[0]["status"] == 200 else {}
    sent = number(found.get("Sent"))
    return known(
        sent_lately=sent,
        bounce_ratio=share(number(found.get("Bounced")), sent),
        complaint_ratio=share(number(found.get("SpamComplaints")), sent),
    )
