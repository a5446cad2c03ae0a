# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Slack: ``auth.test`` with a token, or a webhook, which says no to an empty message and so shows that it is there."""

from __future__ import annotations

from .answers import fields_of, known, passed, refused, request, trouble, untold, word

URL = "https://slack.com"
KEYS = ()
MORE_KEYS = ("token", "webhook_url")
SECRETS = ("token", "webhook_url", "webhook_path")
IS_MAIL = False
NOT_TOLD = ("quota", "failed messages")
_SUSPENDED = ("account_inactive", "team_access_not_granted", "org_login_required", "user_is_restricted")
_DOWN = ("internal_error", "fatal_error", "service_unavailable", "request_timeout")
# A webhook says these to a message without a text, after it has found the place where that would go.
_ALIVE = ("no_payload", "invalid_payload", "no_text", "missing_text_or_fallback_or_attachments")


def check_keys(place, given):
    """Raises ValueError where it is not known what to ask."""
    from urllib.parse import urlsplit

    if bool(given.get("token")) == bool(given.get("webhook_url")):
        raise ValueError(f"{place}: a provider of the kind slack needs either token or webhook_url")
    if given.get("webhook_url"):
        try:
            given["webhook_path"] = urlsplit(str(given["webhook_url"])).path
        except ValueError:
            raise ValueError(f"{place}.webhook_url: must be a URL") from None


def calls(provider, now):
    """What one check asks."""
    if provider.get("token"):
        return [
            request(provider["url"] + "/api/auth.test", {"Authorization": f"Bearer {provider['token']}"}, "POST", b"")
        ]
    return [request(provider["webhook_url"], {"Content-Type": "application/json"}, "POST", b"")]


def read(provider, answers):
    """What the answer to :func:`calls` says."""
    (answer,) = answers
    if not provider.get("token"):
        return _of_webhook(answer)
    bad = trouble(answer)
    if bad:
        return bad
    found = fields_of(answer["document"])
    if found.get("ok") is True:
        return _with_scopes(answer)
    error = word(found.get("error"))
    if found.get("ok") is not False or error is None:
        return untold(f"{answer['where']} answers without ok")
    reason = f"{answer['where']} answers {error}"
    if error == "ratelimited":
        return refused("rate_limited", reason)
    if error in _DOWN:
        return refused("down", reason)
    return refused("suspended" if error in _SUSPENDED else "credentials", reason)


def _with_scopes(answer):
    scopes = answer["headers"].get("x-oauth-scopes")
    if scopes is not None and "chat:write" not in [one.strip() for one in scopes.split(",")]:
        return refused("forbidden", "the token is valid, and has no scope chat:write", credentials_valid=True)
    return passed(**known(credentials_valid=True))


def _of_webhook(answer):
    said = answer["text"].strip().lower()
    if answer["status"] == 400 and said in _ALIVE:
        return passed(credentials_valid=True)
    if answer["status"] in (403, 404, 410):
        return refused(
            "credentials",
            f"the webhook answers {answer['status']}: {said or 'nothing'}; it was taken away, or its channel was",
        )
    if answer["status"] is not None and 200 <= answer["status"] < 300:
        return untold("the webhook takes an empty message: it is none of Slack")
    return trouble(answer)
