# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Providers with an HTTP API: their documented answers from a real server on loopback."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.oncall.runbooks.tests.support import provider_answers as answers
from ansible_collections.oncall.runbooks.tests.support.observing import Answers, observed
from ansible_collections.oncall.runbooks.tests.support.provider_answers import (
    DOMAIN,
    GOOD,
    KEYS,
    OTHER_TOKEN,
    REACH,
    everywhere,
    reply,
)
from lab.ports import free_port

NO_RECORDS = {"records": []}
TOO_MUCH = b'{"a": "' + b"x" * 1_100_000 + b'"}'
HTML = (200, b"<html><body>please log in, password=hunter2</body></html>", {"Content_Type": "text/html"})


@pytest.fixture
def told():
    """A function: a kind and its answers by path -> what is told of the provider, and its server."""
    servers = []

    def tell(
        kind: str, documents: dict[str, Any], params: dict[str, Any] | None = None, **given: Any
    ) -> tuple[dict[str, Any], Answers]:
        servers.append(Answers(documents))
        provider = {"name": "it", "kind": kind, "url": servers[-1].url, **REACH[kind], **given}
        found = observed(
            "notification_provider_info",
            channels={"mail": {"providers": [provider], **NO_RECORDS}},
            timeout_seconds=15,
            **(params or {}),
        )
        (one,) = found["channels"]["mail"]["providers"]
        # Whatever is answered, no secret of the inventory or of the provider comes out.
        for secret in (*KEYS.values(), OTHER_TOKEN, "hunter2", "15005550009", "Ihr Code"):
            assert secret not in json.dumps(found)
        return one, servers[-1]

    yield tell
    for server in servers:
        server.close()


FACTS: dict[str, dict[str, Any]] = {
    "sendgrid": {
        "credentials_valid": True, "quota_left": 40.0, "quota_limit": 100.0, "quota_used_ratio": 0.6,
        "sent_lately": 200.0, "bounce_ratio": 0.03, "complaint_ratio": 0.01, "suppressed_ratio": 0.02,
    },
    "mailgun": {
        "credentials_valid": True, "domain_state": "active", "domain_verified": True, "records_wrong": [],
        "sent_lately": 200.0, "bounce_ratio": 0.04, "complaint_ratio": 0.005, "suppressed_ratio": 0.02,
    },
    "ses": {
        "credentials_valid": True, "account_status": "healthy", "sandbox": False, "quota_limit": 50000.0, "quota_left": 49900.0,
        "quota_used_ratio": 0.002, "sent_lately": 100.0, "domain_verified": True, "domain_state": "success",
    },
    "postmark": {"credentials_valid": True, "sandbox": False, "sent_lately": 200.0, "bounce_ratio": 0.08, "complaint_ratio": 0.005},
    "twilio": {
        "credentials_valid": True, "account_status": "active", "sandbox": False, "balance": 10.5, "currency": "eur",
        "sent_lately": 20.0, "bounce_ratio": 0.25, "error_codes": ["30003"],
    },
    "slack": {"credentials_valid": True},
}  # fmt: skip


@pytest.mark.parametrize("kind", GOOD)
def test_a_provider_that_would_take_a_message(told, kind):
    one, server = told(kind, GOOD[kind]())
    assert (one["state"], one["error"], one["reason"], one["facts"]) == ("good", "", "", FACTS[kind])
    # Nothing that sends was asked.
    assert {(method, path.partition("?")[0]) for method, path, _headers, _body in server.asked} == {
        ("POST" if kind == "slack" else "GET", path) for path in GOOD[kind]()
    }
    assert all(not body for _method, _path, _headers, body in server.asked)


@pytest.mark.parametrize(
    ("kind", "headers"),
    [
        ("sendgrid", {"authorization": f"Bearer {KEYS['sendgrid']}"}),
        ("mailgun", {"authorization": "Basic YXBpOmtleS0wMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZg=="}),
        ("postmark", {"x-postmark-server-token": KEYS["postmark"]}),
        ("slack", {"authorization": f"Bearer {KEYS['slack']}"}),
    ],
)
def test_how_it_logs_in(told, kind, headers):
    _one, server = told(kind, GOOD[kind]())
    assert headers.items() <= server.asked[0][2].items()


def test_a_request_to_amazon_is_signed_for_its_region(told):
    _one, server = told("ses", answers.ses(), session_token="AQoDYXdz0123")
    sent = server.asked[0][2]
    assert (
        "/eu-west-1/ses/aws4_request, SignedHeaders=host;x-amz-date;x-amz-security-token, Signature="
        in sent["authorization"]
    )
    assert sent["x-amz-security-token"] == "AQoDYXdz0123"


def test_a_key_of_ones_own_logs_in_to_twilio(told):
    _one, server = told("twilio", answers.twilio(), api_key_sid="SK1")
    assert server.asked[0][2]["authorization"] == "Basic U0sxOjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVm"


UNAUTHORIZED = {
    "sendgrid": reply({"errors": [{"field": None, "message": "authorization required"}]}, 401),
    "mailgun": (401, b"Forbidden", {"Content_Type": "text/plain"}),
    "ses": answers.ses_error("UnrecognizedClientException"),
    "postmark": reply({"ErrorCode": 10, "Message": "No Account or Server API tokens were supplied"}, 401),
    "twilio": reply(
        {
            "code": 20003,
            "message": "Authenticate",
            "more_info": "https://www.twilio.com/docs/errors/20003",
            "status": 401,
        },
        401,
    ),
    "slack": reply({"ok": False, "error": "invalid_auth"}),
}


@pytest.mark.parametrize("kind", UNAUTHORIZED)
def test_credentials_that_are_refused(told, kind):
    one, _server = told(kind, everywhere(kind, UNAUTHORIZED[kind]))
    assert (one["state"], one["error"], one["facts"]) == ("failing", "credentials", {}), one


CASES: dict[str, tuple[str, dict[str, Any], str, str]] = {
    # what is answered: (kind, answers, error, what is said)
    "sendgrid: an address that is not allowed": ("sendgrid", everywhere("sendgrid", reply({"errors": [{"field": None, "message": "access forbidden"}]}, 403)), "forbidden", "403"),
    "sendgrid: no scope to send": ("sendgrid", answers.sendgrid(scopes=("stats.read",)), "forbidden", "no scope mail.send"),
    "sendgrid: no credit": ("sendgrid", answers.sendgrid(remain=0), "quota", "no credit of 100 is left"),
    "sendgrid: an account that is closed": ("sendgrid", everywhere("sendgrid", reply({"errors": [{"field": None, "message": "Your account has been suspended"}]}, 403)), "suspended", "suspended"),
    "sendgrid: credits exceeded": ("sendgrid", everywhere("sendgrid", reply({"errors": [{"message": "Maximum credits exceeded", "field": None, "help": None}]}, 401)), "quota", "Maximum credits exceeded"),
    "mailgun: not verified": ("mailgun", answers.mailgun("unverified"), "unverified", "is unverified"),
    "mailgun: disabled": ("mailgun", answers.mailgun(is_disabled=True), "suspended", "account disabled"),
    "mailgun: of another region": ("mailgun", {}, "unverified", "has no domain shop.example in this region"),
    "ses: quota": ("ses", answers.ses(sent=200.0, limit=200.0, production=False), "quota", "200 of 200"),
    "ses: paused": ("ses", answers.ses(sending=False), "suspended", "may not send in eu-west-1"),
    "ses: shut down": ("ses", answers.ses(enforcement="SHUTDOWN"), "suspended", "(shutdown)"),
    "ses: sandbox": ("ses", answers.ses(production=False), "suspended", "delivers to verified addresses only"),
    "ses: not verified": ("ses", answers.ses(verified=False), "unverified", "not verified for sending"),
    "ses: no such identity": ("ses", {**answers.ses(), f"/v2/email/identities/{DOMAIN}": reply({"message": "Email identity shop.example does not exist."}, 404, x_amzn_ErrorType="NotFoundException:")}, "unverified", "not verified"),
    "ses: a signature that does not fit": ("ses", everywhere("ses", answers.ses_error("InvalidSignatureException")), "credentials", "InvalidSignatureException"),
    "postmark: sandbox": ("postmark", answers.postmark("Sandbox"), "suspended", "delivers nothing"),
    "twilio: suspended": ("twilio", answers.twilio("suspended"), "suspended", "is suspended"),
    "twilio: trial": ("twilio", answers.twilio(kind="Trial"), "suspended", "delivers to verified numbers only"),
    "twilio: not active": ("twilio", everywhere("twilio", reply({"code": 20005, "message": "Account not active", "status": 403}, 403)), "suspended", "account not active"),
    "twilio: closed": ("twilio", answers.twilio("closed"), "suspended", "is closed"),
    "twilio: nothing left": ("twilio", answers.twilio(balance="-0.37"), "quota", "the balance is -0.37 eur"),
    "slack: taken back": ("slack", answers.slack_error("token_revoked"), "credentials", "token_revoked"),
    "slack: closed": ("slack", answers.slack_error("account_inactive"), "suspended", "account_inactive"),
    "slack: their fault": ("slack", answers.slack_error("internal_error"), "down", "internal_error"),
    "slack: too often": ("slack", answers.slack_error("ratelimited"), "rate_limited", "ratelimited"),
    "slack: no scope to write": ("slack", answers.slack("users:read,chat:write.public"), "forbidden", "no scope chat:write"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_it_says_against_it(told, case):
    kind, documents, error, said = CASES[case]
    one, _server = told(kind, documents)
    assert (one["state"], one["error"]) == ("failing", error), one
    assert said in one["reason"]


@pytest.mark.parametrize("kind", GOOD)
@pytest.mark.parametrize(("status", "error"), [(429, "rate_limited"), (500, "down"), (503, "down")])
def test_what_any_of_them_answers_in_trouble(told, kind, status, error):
    one, _server = told(kind, everywhere(kind, reply({"message": "no"}, status, Retry_After="30")))
    assert (one["state"], one["error"]) == ("failing", error), one


STRANGE = {
    "HTML of a proxy": HTML,
    "the page of a firewall": (403, b"<!DOCTYPE html><html>Attention required</html>", {}),
    "the page of a proxy that wants a login": (401, b"<html>Sign in</html>", {}),
    "no JSON": (200, b"{", {}),
    "an empty document": reply({}),
    "a list": reply([]),
    "another shape": reply(
        {"scopes": "mail.send", "domain": [], "ok": "true", "SendingEnabled": "yes", "ID": "1", "status": 3}
    ),
    "a redirect to another host": (302, b"", {"Location": "http://127.0.0.2:9/login"}),
    "50 MB, as far as it is read": (200, TOO_MUCH, {}),
    "a teapot": reply({"message": "no"}, 418),
}


@pytest.mark.parametrize("kind", GOOD)
@pytest.mark.parametrize("strange", STRANGE)
def test_what_tells_nothing_is_unknown(told, kind, strange):
    one, _server = told(kind, everywhere(kind, STRANGE[strange]))
    assert (one["state"], one["last_passed"]) == ("unknown", None), one
    assert one["reason"]


def test_what_may_not_be_read_may_yet_be_sent_with(told):
    one, _server = told("ses", everywhere("ses", answers.ses_error("AccessDeniedException")))
    assert (one["state"], one["error"]) == ("unknown", "forbidden")


@pytest.mark.parametrize(
    ("kind", "missing"),
    [
        ("sendgrid", "/v3/user/credits"),
        ("sendgrid", "/v3/stats"),
        ("twilio", f"/2010-04-01/Accounts/{answers.SID}/Balance.json"),
    ],
)
def test_what_a_key_may_not_read_is_left_out(told, kind, missing):
    one, _server = told(kind, {**GOOD[kind](), missing: reply({"errors": [{"message": "access forbidden"}]}, 403)})
    assert one["state"] == "good"
    left = set(FACTS[kind]) - set(one["facts"])
    assert left and left <= {
        "quota_left",
        "quota_limit",
        "quota_used_ratio",
        "sent_lately",
        "bounce_ratio",
        "complaint_ratio",
        "suppressed_ratio",
        "balance",
        "currency",
    }


def test_an_account_without_a_limit_has_none(told):
    one, _server = told("sendgrid", answers.sendgrid(remain=None, total=None))
    assert one["state"] == "good"
    assert "quota_left" not in one["facts"]


def test_what_goes_beyond_the_credits_is_granted(told):
    assert told("sendgrid", answers.sendgrid(remain=0, overage=12))[0]["state"] == "good"


def test_a_server_that_repeats_the_key(told):
    def echo(headers):
        return 401, json.dumps({"errors": [{"message": f"bad key {headers['authorization']}"}]}).encode(), {}

    one, _server = told("sendgrid", everywhere("sendgrid", echo))
    assert "bad key" in one["reason"]


@pytest.mark.parametrize(
    ("answer", "state", "error"),
    [
        ((400, b"no_text", {}), "good", ""),
        ((400, b"invalid_payload", {}), "good", ""),
        ((403, b"action_prohibited", {}), "failing", "credentials"),
        ((404, b"no_service", {}), "failing", "credentials"),
        ((410, b"channel_is_archived", {}), "failing", "credentials"),
        ((429, b"", {"Retry_After": "1"}), "failing", "rate_limited"),
        ((500, b"rollup_error", {}), "failing", "down"),
        ((400, b"bad request", {}), "unknown", "unreadable"),
        # It took an empty message: what it is nobody knows.
        ((200, b"ok", {}), "unknown", "unreadable"),
    ],
)
def test_a_webhook_says_no_to_an_empty_message(told, answer, state, error):
    path = "/services/T0000000/B0000000/s3crets3crets3cret"
    with_secret = Answers({path: answer})
    try:
        found = observed(
            "notification_provider_info",
            channels={"chat": {"providers": [{"name": "it", "kind": "slack", "webhook_url": with_secret.url + path}]}},
            timeout_seconds=15,
        )
        assert [body for _method, _path, _headers, body in with_secret.asked] == [b""]
    finally:
        with_secret.close()
    (one,) = found["channels"]["chat"]["providers"]
    assert (one["state"], one["error"]) == (state, error), one
    assert "s3cret" not in json.dumps(found)


def test_nobody_listens():
    provider = {"name": "it", "kind": "sendgrid", "url": f"http://127.0.0.1:{free_port()}", **REACH["sendgrid"]}
    found = observed(
        "notification_provider_info", channels={"mail": {"providers": [provider], **NO_RECORDS}}, timeout_seconds=15
    )
    (one,) = found["channels"]["mail"]["providers"]
    assert (one["state"], one["error"], found["available"]) == ("failing", "down", True)
    assert "connection refused" in one["reason"]


def test_a_name_that_does_not_resolve():
    provider = {"name": "it", "kind": "sendgrid", "url": "https://api.provider.invalid", **REACH["sendgrid"]}
    found = observed(
        "notification_provider_info", channels={"mail": {"providers": [provider], **NO_RECORDS}}, timeout_seconds=15
    )
    assert found["channels"]["mail"]["providers"][0]["error"] == "dns"


# ---------------------------------------------------------------------- several checks
class Turns:
    """Answers in turn; the last one from then on."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)

    def __call__(self, _headers: dict[str, str]) -> Any:
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


BAD, WELL = reply({"error": "no"}, 503), answers.slack()["/api/auth.test"]
STRANGE_ONE = (200, b"{", {})


@pytest.mark.parametrize(
    ("turns", "state", "checks", "passed"),
    [
        ((WELL,), "good", 5, 5),
        ((BAD,), "failing", 3, 0),
        ((BAD, BAD, WELL), "unsteady", 5, 3),
        ((WELL, WELL, BAD), "failing", 5, 2),
        ((WELL, WELL, WELL, WELL, BAD), "unsteady", 5, 4),
        ((BAD, BAD, STRANGE_ONE, BAD), "failing", 6, 0),
        ((STRANGE_ONE,), "unknown", 5, 0),
        ((WELL, STRANGE_ONE), "unsteady", 5, 1),
    ],
)
def test_how_several_checks_are_judged(told, turns, state, checks, passed):
    params = {"failures": 3, "samples": max(5, checks), "window_seconds": 0.1}
    one, _server = told("slack", {"/api/auth.test": Turns(*turns)}, params)
    assert (one["state"], one["checks"], one["passed"]) == (state, checks, passed), one


# ---------------------------------------------------------------------- mistakes of an inventory
MISTAKES: dict[str, tuple[Any, str]] = {
    "no channel": ([], "system_notification_providers.mail: must be a dict"),
    "no provider": ({"providers": []}, "a list of one or more"),
    "an unknown key": ({"providers": [{"name": "a", "kind": "slack", "token": "x"}], "que": "mail"}, "unknown key que"),
    "an unknown kind": ({"providers": [{"name": "a", "kind": "sparkpost"}]}, "providers[0].kind: must be one of mailgun, postmark"),
    "no key": ({"providers": [{"name": "a", "kind": "mailgun", "api_key": "x"}]}, "also needs domain"),
    "a name with a path": ({"providers": [{"name": "../x", "kind": "slack", "token": "x"}]}, "name: must be a name of letters"),
    "a name of SQL": ({"providers": [{"name": "'; DROP TABLE x; --", "kind": "slack", "token": "x"}]}, "name: must be a name of letters"),
    "twice": ({"providers": [{"name": "a", "kind": "slack", "token": "x"}] * 2}, "two providers have the name a"),
    "twice the value": ({"providers": [{"name": "a", "kind": "slack", "token": "x"}, {"name": "b", "value": "a", "kind": "slack", "token": "x"}]}, "two providers have the value a"),
    "a region of elsewhere": ({"providers": [{"name": "a", "kind": "ses", "access_key": "x", "secret_key": "x", "region": "x.evil.example/"}]}, "region: must be the name of a region"),
    "an account of elsewhere": ({"providers": [{"name": "a", "kind": "twilio", "account_sid": "../x", "auth_token": "x"}]}, "account_sid: must be the SID"),
    "neither token nor webhook": ({"providers": [{"name": "a", "kind": "slack"}]}, "needs either token or webhook_url"),
    "a sender with a line": ({"providers": [{"name": "a", "kind": "smtp", "host": "x", "from": "a@b.example>\r\nRCPT TO:<x@y.example"}]}, "from: must be a bare address"),
    "a mode of TLS": ({"providers": [{"name": "a", "kind": "smtp", "host": "x", "from": "a@b.example", "tls": "ssl"}]}, "tls: must be one of implicit, none, starttls"),
    "a user without a password": ({"providers": [{"name": "a", "kind": "smtp", "host": "x", "from": "a@b.example", "user": "u"}]}, "user and password go together"),
    "a domain": ({"domain": "shop example", "providers": [{"name": "a", "kind": "slack", "token": "x"}]}, "is no name of a domain"),
    "a resolver": ({"resolvers": ["dns"], "providers": [{"name": "a", "kind": "slack", "token": "x"}]}, "dns is no resolver"),
    "a record": ({"records": ["mx"], "providers": [{"name": "a", "kind": "slack", "token": "x"}]}, "records: must be a list of some of spf"),
    "a switch": ({"switch": {"show": "cat"}, "providers": [{"name": "a", "kind": "slack", "token": "x"}]}, "switch.show: must be a list"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_in_one_line(mistake):
    from ansible.errors import AnsibleActionFail

    channel, said = MISTAKES[mistake]
    with pytest.raises(AnsibleActionFail) as raised:
        observed("notification_provider_info", channels={"mail": channel}, timeout_seconds=5)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
