# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mailgun: the state of the domain that sends. A domain of the EU is asked at https://api.eu.mailgun.net.

A key that may only send gets 401 here: give a key of the account that may read.
"""

from __future__ import annotations

from .answers import basic, fields_of, known, number, passed, refused, request, share, trouble, untold, word

URL = "https://api.mailgun.net"
KEYS = ("api_key", "domain")
MORE_KEYS = ()
SECRETS = ("api_key",)
IS_MAIL = True
NOT_TOLD = ("quota",)


def calls(provider, now):
    """What one check asks."""
    return [request(f"{provider['url']}/v3/domains/{provider['domain']}", basic("api", provider["api_key"]))]


def read(provider, answers):
    """What the answer to :func:`calls` says."""
    (answer,) = answers
    if answer["status"] == 404:
        return refused(
            "unverified", f"the account has no domain {provider['domain']} in this region", credentials_valid=True
        )
    bad = trouble(answer)
    if bad:
        return bad
    domain = fields_of(answer["document"], "domain")
    state = word(domain.get("state"))
    if state is None:
        return untold(f"{answer['where']} answers without the state of the domain")
    facts = known(credentials_valid=True, domain_state=state, records_wrong=_wrong(answer["document"]))
    if domain.get("is_disabled") is True or state == "disabled":
        why = word(fields_of(domain, "disabled").get("reason"))
        return refused(
            "suspended", f"the domain {provider['domain']} is disabled" + (f": {why}" if why else ""), **facts
        )
    if state != "active":
        return refused("unverified", f"the domain {provider['domain']} is {state}", domain_verified=False, **facts)
    return passed(domain_verified=True, **facts)


def _wrong(document):
    rows = fields_of(document).get("sending_dns_records")
    if not isinstance(rows, list):
        return None
    return sorted(
        {
            word(one.get("name")) or ""
            for one in rows
            if isinstance(one, dict) and one.get("valid") not in ("valid", None)
        }
    )


def more_calls(provider, now):
    """What else is worth to know: the figures of the last day."""
    events = "&".join(f"event={name}" for name in ("accepted", "failed", "complained"))
    url = f"{provider['url']}/v3/{provider['domain']}/stats/total?{events}&duration=1d"
    return [request(url, basic("api", provider["api_key"]))]


def read_more(answers):
    """What the answer to :func:`more_calls` says."""
    rows = fields_of(answers[0]["document"]).get("stats") if answers[0]["status"] == 200 else None
    if not isinstance(rows, list):
        return {}

    def total(*path):
        return sum(number(fields_of(row, *path[:-1]).get(path[-1])) or 0 for row in rows)

    sent = total("accepted", "outgoing") or total("accepted", "total")
    return known(
        sent_lately=sent,
        bounce_ratio=share(total("failed", "permanent", "bounce"), sent),
        complaint_ratio=share(total("complained", "total"), sent),
        suppressed_ratio=share(
            sum(
                total("failed", "permanent", name)
                for name in ("suppress-bounce", "suppress-unsubscribe", "suppress-complaint")
            ),
            sent,
        ),
    )
