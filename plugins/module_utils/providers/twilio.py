# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Twilio: the account, its balance, and how its last messages fared. Of these messages nothing is kept but how many failed, and why."""

from __future__ import annotations

from collections import Counter

from .answers import basic, fields_of, known, number, passed, refused, request, share, trouble, untold, word

URL = "https://api.twilio.com"
KEYS = ("account_sid", "auth_token")
# With a key of its own: its SID here, and its secret as auth_token.
MORE_KEYS = ("api_key_sid",)
SECRETS = ("auth_token",)
IS_MAIL = False
NOT_TOLD = ("numbers that wrote STOP",)
_LATELY = 50
_ENDED = ("delivered", "sent", "failed", "undelivered", "read")


def check_keys(place, given):
    """Raises ValueError where a name could lead to another path."""
    if not str(given["account_sid"]).isalnum():
        raise ValueError(f"{place}.account_sid: must be the SID of an account")


def _base(provider):
    return f"{provider['url']}/2010-04-01/Accounts/{provider['account_sid']}"


def _login(provider):
    return basic(provider.get("api_key_sid") or provider["account_sid"], provider["auth_token"])


def calls(provider, now):
    """What one check asks."""
    return [request(_base(provider) + path, _login(provider)) for path in (".json", "/Balance.json")]


def read(provider, answers):
    """What the answers to :func:`calls` say."""
    account, balance = answers
    said = fields_of(account["document"])
    bad = trouble(account, f"code {said.get('code')}, {word(said.get('message'))}" if "code" in said else None)
    if bad:
        return bad
    status = word(said.get("status"))
    if status is None:
        return untold(f"{account['where']} answers without the status of the account")
    money = fields_of(balance["document"]) if balance["status"] == 200 else {}
    left = number(money.get("balance"))
    facts = known(
        credentials_valid=True,
        account_status=status,
        sandbox=word(said.get("type")) == "trial",
        balance=left,
        currency=word(money.get("currency")),
    )
    if status != "active":
        return refused("suspended", f"the account is {status}", **facts)
    if facts["sandbox"]:
        return refused("suspended", "the account is a trial, which delivers to verified numbers only", **facts)
    if left is not None and left <= 0:
        return refused("quota", f"the balance is {left:.2f} {facts.get('currency', '')}".rstrip(), **facts)
    return passed(**facts)


def more_calls(provider, now):
    """What else is worth to know: the last messages."""
    return [request(f"{_base(provider)}/Messages.json?PageSize={_LATELY}", _login(provider))]


def read_more(answers):
    """What the answer to :func:`more_calls` says."""
    rows = fields_of(answers[0]["document"]).get("messages") if answers[0]["status"] == 200 else None
    if not isinstance(rows, list):
        return {}
    ended = [one for one in rows if isinstance(one, dict) and one.get("status") in _ENDED]
    failed = [one for one in ended if one["status"] in ("failed", "undelivered")]
    codes = Counter(one["error_code"] for one in failed if isinstance(one.get("error_code"), int))
    return known(
        sent_lately=float(len(ended)),
        bounce_ratio=share(len(failed), len(ended)),
        error_codes=[str(code) for code, _count in codes.most_common(5)] or None,
    )
