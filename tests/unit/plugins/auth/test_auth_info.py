# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""auth_info against a real application and a real identity provider, and against all that these can do wrong."""

from __future__ import annotations

import json
import os
import random
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.auth import budget
from ansible_collections.oncall.runbooks.plugins.module_utils.auth.cookies import cookies_of, told
from ansible_collections.oncall.runbooks.plugins.module_utils.auth.look import _of_window, observe
from ansible_collections.oncall.runbooks.plugins.module_utils.auth.refusals import Tally
from ansible_collections.oncall.runbooks.plugins.module_utils.auth.request_lines import Reader, route_of
from ansible_collections.oncall.runbooks.plugins.module_utils.auth.spec import checked
from ansible_collections.oncall.runbooks.plugins.module_utils.auth.token_errors import counted, kind_of
from ansible_collections.oncall.runbooks.plugins.module_utils.observers.auth import SPEC
from ansible_collections.oncall.runbooks.plugins.plugin_utils.finishing import auth as finishing
from ansible_collections.oncall.runbooks.tests.support.identity import InProcess, Provider, published

PASSWORD = "c4nary-s3cret"
DEFAULTS = {name: option.get("default") for name, option in SPEC.items()}


@pytest.fixture
def provider():
    running = Provider()
    yield running
    running.close()


@pytest.fixture
def app(provider):
    running = InProcess(provider, password=PASSWORD)
    yield running
    running.close()


def auth_of(app: InProcess, provider: Provider, **more: Any) -> dict[str, Any]:
    login = {
        "url": f"{app.url}/api/auth/login",
        "body": {"email": "canary@shop.example", "password": PASSWORD},
        "token": "access_token",
        "route": f"{app.url}/api/me",
        **more.pop("login", {}),
    }
    return {"login": login, "issuer": provider.url, "audience": "shop", **more}


def seen(auth: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The answer of the observer; asserts that no secret is in it."""
    params = {**DEFAULTS, "auth": auth, "timeout_seconds": 5.0, **more}
    answer = finishing.finish(params, observe(params))
    text = json.dumps(answer)
    assert PASSWORD not in text
    assert "eyJ" not in text
    return answer


def test_who_gets_in(app, provider):
    found = seen(auth_of(app, provider))
    assert (found["login"]["state"], found["login"]["route"]["state"]) == ("in", "in")
    token = found["token"]
    assert (token["kind"], token["kid"], token["signature"], token["key_published"]) == ("signed", "k1", True, True)
    assert (token["issuer_right"], token["audience_right"], token["reason"]) == (True, True, "")
    assert found["discovery"]["issuer_right"] is True
    assert (found["published"]["count"], found["published"]["private"]) == (1, [])
    assert abs(found["login"]["clock_ahead_seconds"]) <= 2
    assert app.app.logins == 1


def test_keys_that_the_application_has_not_read_again(app, provider):
    provider.rotate("k2")
    found = seen(auth_of(app, provider))
    assert (found["login"]["state"], found["login"]["route"]["state"]) == ("in", "refused")
    assert (found["token"]["signature"], found["token"]["key_published"]) == (True, True)
    assert kind_of(app.log.getvalue()) == "unknown_key"


def test_a_rotation_on_one_side_only(app, provider):
    provider.kid = "k2"
    token = seen(auth_of(app, provider))["token"]
    assert (token["key_published"], token["signature"]) == (False, None)


def test_another_key_under_the_same_name(app, provider):
    other = {**published("k3"), "kid": "k1"}
    provider.answers["/jwks"] = (200, json.dumps({"keys": [other]}).encode(), {})
    token = seen(auth_of(app, provider))["token"]
    assert (token["key_published"], token["signature"]) == (True, False)


def test_a_token_without_a_signature_is_never_taken_for_valid(app, provider):
    provider.algorithm = "none"
    found = seen(auth_of(app, provider))
    assert (found["token"]["kind"], found["token"]["signature"]) == ("unsigned", None)
    assert found["login"]["route"]["state"] == "refused"


def test_a_shared_secret_is_nothing_that_can_be_checked_from_here(app, provider):
    provider.algorithm = "HS256"
    token = seen(auth_of(app, provider))["token"]
    assert (token["kind"], token["signature"]) == ("shared_secret", None)


def test_a_published_key_is_no_shared_secret(provider):
    """A forger signs with HS256 and the public key as the secret."""
    import base64
    import hashlib
    import hmac

    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    head = f"{part({'alg': 'HS256', 'kid': 'k1'})}.{part({'iss': provider.url, 'aud': 'shop'})}"
    digest = hmac.new(published("k1")["n"].encode(), head.encode(), hashlib.sha256).digest()
    forged = f"{head}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"
    told_of = finishing.token_told(forged, [published("k1")], checked({"issuer": provider.url}), time.time())
    assert (told_of["kind"], told_of["signature"]) == ("shared_secret", None)


@pytest.mark.parametrize(
    "text", ["a.b.c", "eyJhbGciOiJSUzI1NiJ9..", "." * 2, "x" * 5000 + ".y.z", "eyJhbGciOiAibm9uZSJ9.W10.", "é.é.é"]
)
def test_what_looks_like_a_token_and_is_none(text):
    told_of = finishing.token_told(text, [published("k1")], checked({"issuer": "http://id.example"}), 0.0)
    assert told_of["signature"] is None
    assert "no JSON Web Token" in told_of["reason"]
    assert text[:20] not in json.dumps(told_of) or len(text) < 10


@pytest.mark.parametrize("ahead", [3600.0, -3600.0])
def test_a_clock_that_is_an_hour_off(app, provider, ahead):
    provider.ahead_seconds = ahead
    found = seen(auth_of(app, provider))
    assert abs(found["discovery"]["clock_ahead_seconds"] - ahead) < 5
    assert abs(found["token"]["issued_ahead_seconds"] - ahead) < 5
    assert found["token"]["signature"] is True
    assert found["login"]["route"]["state"] == "refused"


PRIVATE = published("k1", private=True)
WRONG = {
    "HTML": ((200, b"<!DOCTYPE html><title>maintenance</title>", {"Content-Type": "text/html"}), "html"),
    "500": ((500, b'{"error": "database gone"}', {}), "bad_status"),
    "another host": ((302, b"", {"Location": "http://evil.example/x"}), "redirect"),
    "cut off": ((200, b'{"issuer": "http', {}), "bad_json"),
    "a list": ((200, b"[]", {}), "bad_json"),
    "50 MB": ((200, b'{"keys": "' + b"x" * 50_000_000 + b'"}', {}), "too_large"),
    "nested": ((200, b"[" * 100_000, {}), "bad_json"),
    "empty": ((200, b"", {}), "bad_json"),
}


@pytest.mark.parametrize("document", ["/.well-known/openid-configuration", "/jwks"])
@pytest.mark.parametrize(("answer", "error"), WRONG.values(), ids=list(WRONG))
def test_a_provider_that_answers_otherwise(app, provider, document, answer, error):
    provider.answers[document] = answer
    found = seen(auth_of(app, provider))
    part = found["discovery"] if "well-known" in document else found["published"]
    assert (part["available"], part["error"]) == (False, error), part
    assert "\n" not in part["reason"]
    assert len(part["reason"]) < 400
    # Nothing is known of the key, and that is no "not published".
    assert found["token"]["key_published"] is None
    assert part["reason"] in found["limits"]


def test_ten_thousand_keys(app, provider):
    keys = [{**published("k1"), "kid": f"old-{number}"} for number in range(9_999)] + [published("k1")]
    provider.answers["/jwks"] = (200, json.dumps({"keys": keys}).encode(), {})
    began = time.monotonic()
    found = seen(auth_of(app, provider))
    assert time.monotonic() - began < 20
    assert (found["published"]["count"], len(found["published"]["kids"])) == (10_000, 20)
    assert found["token"]["signature"] is True


def test_a_private_key_among_the_published_ones_is_named_and_not_kept(app, provider):
    provider.answers["/jwks"] = (200, json.dumps({"keys": [PRIVATE]}).encode(), {})
    found = seen(auth_of(app, provider))
    assert found["published"]["private"] == ["k1"]
    assert PRIVATE["d"] not in json.dumps(found)
    assert found["token"]["signature"] is True


def test_keys_at_another_host_are_not_asked_for(app, provider):
    document = {"issuer": provider.url, "jwks_uri": "http://127.0.0.1:1/keys"}
    provider.answers["/.well-known/openid-configuration"] = (200, json.dumps(document).encode(), {})
    found = seen(auth_of(app, provider))
    assert found["published"]["error"] == "not_asked"
    assert "system_auth.jwks_url" in found["published"]["reason"]
    assert seen(auth_of(app, provider, jwks_url=f"{provider.url}/jwks"))["published"]["count"] == 1


def test_the_issuer_is_compared_byte_for_byte(app, provider):
    document = {"issuer": provider.url + "/", "jwks_uri": f"{provider.url}/jwks"}
    provider.answers["/.well-known/openid-configuration"] = (200, json.dumps(document).encode(), {})
    assert seen(auth_of(app, provider))["discovery"]["issuer_right"] is False


def test_without_the_library_only_the_token_is_not_read(app, provider, monkeypatch):
    monkeypatch.setattr(finishing, "library", lambda: None)
    found = seen(auth_of(app, provider))
    assert found["login"]["route"]["state"] == "in"
    assert "pip install PyJWT" in found["token"]["reason"]
    assert found["complete"] is False


# The canary.


def test_a_wrong_password_never_locks_the_canary(app, provider, tmp_path):
    app.app.settings["locks_after"] = 3
    app.app.settings["password"] = "another one"
    states = [seen(auth_of(app, provider), marks_directory=str(tmp_path))["login"] for _look in range(20)]
    assert [one["state"] for one in states] == ["refused"] * 2 + ["not_probed"] * 18
    assert app.app.logins == 2
    assert "another wrong login might lock it" in states[-1]["reason"]
    assert [path.stat().st_mode & 0o777 for path in tmp_path.iterdir()] == [0o600]
    assert PASSWORD not in "".join(path.read_text() for path in tmp_path.iterdir())
    # Another password is another probe; one that is let in has no refused ones behind it.
    app.app.settings["password"] = "new"
    again = auth_of(app, provider, login={"body": {"email": "canary@shop.example", "password": "new"}})
    assert seen(again, marks_directory=str(tmp_path))["login"]["state"] == "in"


def test_a_good_login_forgets_the_refused_ones(app, provider, tmp_path):
    good = app.app.settings["password"]
    for _round in range(3):
        app.app.settings["password"] = "another one"
        assert seen(auth_of(app, provider), marks_directory=str(tmp_path))["login"]["state"] == "refused"
        app.app.settings["password"] = good
        assert seen(auth_of(app, provider), marks_directory=str(tmp_path))["login"]["state"] == "in"


def test_one_probe_at_a_time(tmp_path):
    with budget.probe(str(tmp_path), "x", 2, 60), pytest.raises(budget.MayNot, match="another look"), budget.probe(
        str(tmp_path), "x", 2, 60
    ):
        pass


def test_a_probe_that_was_killed_counts_as_refused(tmp_path):
    for _killed in range(2):
        with budget.probe(str(tmp_path), "x", 2, 60):
            pass
    with pytest.raises(budget.MayNot, match="refused 2 times"), budget.probe(str(tmp_path), "x", 2, 60):
        pass


@pytest.mark.parametrize("content", ["no json", "[]", '{"refused_at_seconds": "x"}', "{}"])
def test_a_count_that_cannot_be_read_sends_nothing(tmp_path, content):
    with budget.probe(str(tmp_path), "x", 2, 60) as settle:
        settle("in")
    (file,) = tmp_path.iterdir()
    file.write_text(content)
    with pytest.raises(budget.MayNot, match="delete it"), budget.probe(str(tmp_path), "x", 2, 60):
        pass


def test_a_count_that_is_a_link_or_a_pipe_sends_nothing(tmp_path):
    with budget.probe(str(tmp_path), "x", 2, 60):
        pass
    (file,) = tmp_path.iterdir()
    for make in (lambda: file.symlink_to("/etc/passwd"), lambda: os.mkfifo(file)):
        file.unlink()
        make()
        with pytest.raises(budget.MayNot), budget.probe(str(tmp_path), "x", 2, 60):
            pass


def test_a_locked_account_is_told_from_a_wrong_password(app, provider):
    app.app.settings["locks_after"] = 1
    app.app.wrong["canary@shop.example"] = 1
    found = seen(auth_of(app, provider))
    assert (found["login"]["state"], found["login"]["status"]) == ("locked", 423)


def test_what_an_answer_echoes_is_not_shown(app, provider):
    app.app.settings["password"] = "another one"
    found = seen(auth_of(app, provider))
    assert "invalid credentials" in found["login"]["reason"]
    assert "canary@shop.example" not in json.dumps(found)


def test_a_redirect_of_the_login_is_not_followed(app, provider):
    provider.answers["/login"] = (307, b"", {"Location": f"{app.url}/api/auth/login"})
    found = seen(auth_of(app, provider, login={"url": f"{provider.url}/login"}))
    assert found["login"]["state"] == "unreadable"
    assert app.app.logins == 0


@pytest.mark.parametrize(
    ("auth", "words"),
    [
        (
            {"login": {"url": "http://a.example", "token": "t", "route": "http://b.example/me"}},
            "must be on the host of url",
        ),
        ({"login": {"url": "http://a.example"}}, "needs token"),
        ({"login": {"url": "ftp://a.example", "token": "t"}}, "must be a URL"),
        ({"login": {"url": "http://a.example", "token": "t", "pasword": "x"}}, "unknown key pasword"),
        ({"isuer": "x"}, "unknown key isuer"),
        ({"issuer": "id.example"}, "must be a URL"),
        ({"logs": "api"}, "must be a list"),
        ("api", "must be a dict"),
    ],
)
def test_an_inventory_that_cannot_be_used(auth, words):
    with pytest.raises(ValueError, match=words):
        checked(auth)


# Cookies.


@pytest.mark.parametrize(
    ("header", "url", "problems"),
    [
        ("sid=x; Path=/; Secure; HttpOnly", "https://shop.example/login", []),
        ("sid=x; Domain=.shop.example; Path=/", "https://api.shop.example/login", []),
        ("sid=x; Domain=shop.example; Path=/", "https://other.example/login", ["domain"]),
        ("sid=x; Domain=staging.shop.example; Path=/", "https://api.shop.example/login", ["domain"]),
        ("sid=x; Domain=example; Path=/", "https://shop.example/login", ["domain"]),
        ("sid=x; Path=/; Secure", "http://shop.example/login", ["secure"]),
        ("sid=x; Path=/; SameSite=None", "https://shop.example/login", ["same_site"]),
        ("__Host-sid=x; Path=/; Secure; Domain=shop.example", "https://shop.example/login", ["prefix"]),
        ("__Secure-sid=x; Path=/", "https://shop.example/login", ["prefix"]),
        ("sid=x; Path=/admin", "https://shop.example/login", ["path"]),
        ("sid=x; Path=/ap", "https://shop.example/login", ["path"]),
        ("sid=x; Path=/; Max-Age=0", "https://shop.example/login", ["ended"]),
        ("sid=x; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "https://shop.example/login", ["ended"]),
        ("sid=x; Path=/; Expires=whenever", "https://shop.example/login", []),
        # Without a path it is that of the URL.
        ("sid=x", "https://shop.example/api/auth/login", ["path"]),
    ],
)
def test_what_a_browser_makes_of_a_cookie(header, url, problems):
    route = url.rpartition("/")[0].removesuffix("/auth").removesuffix("/api") + "/api/me"
    (cookie,) = cookies_of(header)
    assert told(cookie, url, route, time.time())["problems"] == problems


def test_each_cookie_of_an_answer_is_kept(app, provider):
    provider.answers["/two"] = (200, b"{}", {})
    assert [
        one["name"] for one in cookies_of("a=1; Path=/\nb=2=3; Expires=Thu, 01 Jan 1970 00:00:00 GMT\nbroken\n=x")
    ] == ["a", "b"]


def test_a_session_that_is_kept_in_a_cookie(app, provider):
    app.app.settings.update(cookie="Path=/; HttpOnly", token=False)
    login = {"token": "", "cookie": "sid"}
    found = seen(auth_of(app, provider, login=login))
    assert (found["login"]["state"], found["login"]["route"]["state"], found["login"]["cookies"][0]["problems"]) == (
        "in",
        "in",
        [],
    )
    app.app.settings["cookie"] = "Path=/; Domain=staging.shop.example"
    found = seen(auth_of(app, provider, login=login))
    assert found["login"]["cookies"][0]["problems"] == ["domain"]
    assert (found["login"]["route"]["state"], found["login"]["route"]["status"]) == ("refused", None)


FORM: dict[str, Any] = {"token": "", "cookie": "sid", "body": "name=canary&password=" + PASSWORD}
COOKIE = {"Set-Cookie": "sid=anonymous1; Path=/; HttpOnly", "Content-Type": "text/html"}
PAGE = b"<!doctype html><form>Name or password is wrong</form>"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((302, b"", {**COOKIE, "Location": "/login?error"}), "it leads back to the login"),
        ((303, b"", {**COOKIE, "Location": "/login"}), "it leads back to the login"),
        ((302, b"", {**COOKIE, "Location": "/start?failed=1"}), "or to an error"),
        ((200, PAGE, COOKIE), "its cookie lets nobody in"),
    ],
)
def test_a_cookie_that_everybody_gets_is_no_login_and_never_locks_the_canary(provider, app, tmp_path, answer, words):
    """A server with sessions gives one to whoever asks, also where the password is wrong."""
    provider.answers.update({"/login": answer, "/me": (302, b"", {"Location": "/login"})})
    auth = {"login": {"url": f"{provider.url}/login", "route": f"{provider.url}/me", **FORM}}
    found = [seen(auth, marks_directory=str(tmp_path))["login"] for _look in range(4)]
    assert [one["state"] for one in found] == ["refused", "refused", "not_probed", "not_probed"]
    assert words in found[0]["reason"]


@pytest.mark.parametrize(
    "answer", [(302, b"", {**COOKIE, "Location": "/home"}), (200, b"<html>Welcome</html>", COOKIE)]
)
def test_a_form_that_lets_in(provider, app, tmp_path, answer):
    provider.answers.update({"/login": answer, "/me": (200, b"{}", {})})
    auth = {"login": {"url": f"{provider.url}/login", "route": f"{provider.url}/me", **FORM}}
    found = [seen(auth, marks_directory=str(tmp_path))["login"] for _look in range(4)]
    assert [(one["state"], one["route"]["state"]) for one in found] == [("in", "in")] * 4


@pytest.mark.parametrize(
    ("status", "body", "state"),
    [
        (401, b'{"error": "mfa_required"}', "more_wanted"),
        (200, b'{"mfa_required": true, "methods": ["totp"]}', "more_wanted"),
        (403, b'{"message": "Your password has expired"}', "more_wanted"),
        (403, b'{"code": "PASSWORD_CHANGE_REQUIRED"}', "more_wanted"),
        (401, b'{"error": "invalid credentials", "mfa_required": false}', "refused"),
        (401, b'{"error": "wrong password"}', "refused"),
        (200, b'{"access_token": "opaque-thing", "user": {"two_factor": "off"}}', "in"),
        (403, b"<html>Access denied</html>", "refused"),
    ],
)
def test_more_than_a_password_is_no_wrong_password(provider, app, tmp_path, status, body, state):
    provider.answers["/login"] = (status, body, {})
    found = [
        seen(auth_of(app, provider, login={"url": f"{provider.url}/login"}), marks_directory=str(tmp_path))["login"]
        for _look in range(3)
    ]
    assert found[0]["state"] == state
    # What may count as a wrong login is not sent again and again.
    assert found[2]["state"] == ("not_probed" if status != 200 else state)
    assert ("a proxy or a firewall" in found[0]["reason"]) == body.startswith(b"<")


@pytest.mark.parametrize(
    ("leads_to", "state"),
    [("/me/", "unreadable"), ("https://127.0.0.1/me", "unreadable"), ("/login", "refused"), ("", "refused")],
)
def test_a_redirect_to_the_same_path_refuses_nobody(provider, app, leads_to, state):
    provider.answers["/login"] = (200, b'{"access_token": "opaque-thing"}', {})
    provider.answers["/me"] = (307, b"", {"Location": leads_to} if leads_to else {})
    login = {"url": f"{provider.url}/login", "route": f"{provider.url}/me"}
    assert seen(auth_of(app, provider, login=login))["login"]["route"]["state"] == state


# Logs.

LINES = {
    "nginx": '10.0.0.1 - - [30/Nov/2026:05:26:29 +0000] "GET /api/me?token=s3cret HTTP/1.1" 401 12 "-" "curl"',
    "behind the name of a program": (
        '2026-11-30 05:26:29,123 INFO lab.api: 10.0.0.1 - - [30/Nov/2026:05:26:29 +0000] "GET /api/me HTTP/1.1" 401 0'
    ),
    "common": '10.0.0.1 - alice [30/Nov/2026:05:26:29 +0000] "GET /api/me HTTP/1.1" 401 12',
    "uvicorn": '2026-11-30T05:26:29Z INFO:     10.0.0.1:51234 - "GET /api/me HTTP/1.1" 401 Unauthorized',
    "gin": '2026-11-30T05:26:29Z [GIN] 2026/11/30 - 05:26:29 | 401 |     12.3µs |        10.0.0.1 | GET      "/api/me"',
    "pino": '{"level":40,"time":1796016389000,"req":{"method":"GET","url":"/api/me?x=1","remoteAddress":"10.0.0.1"},"res":{"statusCode":401}}',
    "zap": '{"ts":1796016389.1,"method":"GET","path":"/api/me","status":401,"client_ip":"10.0.0.1"}',
    "nginx in JSON": (
        '{"time_iso8601":"2026-11-30T05:26:29+00:00","remote_addr":"10.0.0.1","request":"GET /api/me?a={b} HTTP/1.1","status":"401","ua":"{\\"x\\":1}"}'
    ),
    "nginx in JSON, with the time of its log": (
        '{"time_local":"30/Nov/2026:05:26:29 +0000","remote_addr":"10.0.0.1","request":"GET /api/me HTTP/1.1","status":401}'
    ),
    "nginx in JSON, in seconds": (
        '{"msec":"1796016389.000","remote_addr":"10.0.0.1","request_method":"GET","request_uri":"/api/me","status":"401"}'
    ),
    "traefik in JSON": (
        '{"ClientHost":"10.0.0.1","DownstreamStatus":401,"RequestMethod":"GET","RequestPath":"/api/me","time":"2026-11-30T05:26:29Z"}'
    ),
    "logfmt": "time=2026-11-30T05:26:29Z level=warn method=GET path=/api/me status=401 remote_addr=10.0.0.1:5000",
}


@pytest.mark.parametrize("line", LINES.values(), ids=list(LINES))
def test_a_request_in_the_shapes_of_servers(line):
    request = Reader().request(line)
    assert request is not None
    assert (request.method, request.route, request.status, request.client) == ("GET", "/api/me", 401, "10.0.0.1")
    assert request.at_seconds is not None
    assert abs(request.at_seconds - 1796016389) < 1


@pytest.mark.parametrize(
    "line",
    [
        "",
        "ERROR pool exhausted after 401 ms",
        "GET is 401 words",
        '{"status": 401}',
        '{"path": "/x", "status": "ok"}',
        "{" * 5000,
        "status=up x=1",
    ],
)
def test_what_is_no_request(line):
    assert Reader().request(line) is None


@pytest.mark.parametrize(
    "stamp",
    [
        "%Y-%m-%d %H:%M:%S,123 WARNING",
        "%Y/%m/%d %H:%M:%S [error]",
        "%Y-%m-%dT%H:%M:%SZ",
        '10.0.0.1 - - [%d/%b/%Y:%H:%M:%S +0000] "GET',
        '{"level":40,"time":%s000,"msg":"',
    ],
)
def test_lines_of_long_ago_say_nothing_of_now(stamp):
    def lines(ago_seconds: float) -> list[str]:
        at = datetime.fromtimestamp(time.time() - ago_seconds, timezone.utc)
        shown = at.strftime(stamp.replace("%s", str(int(at.timestamp()))))
        return [shown + " refused", "  token refused: unknown kid k2"]

    old, new = lines(4 * 86400), lines(60)
    assert _of_window(Reader(), [*old, *new], time.time(), 900.0) == new
    # What has no time at all counts: nobody knows.
    assert _of_window(Reader(), ["unknown kid k2"], time.time(), 900.0) == ["unknown kid k2"]


def test_a_request_of_morgan_has_neither_time_nor_client():
    request = Reader().request("GET /api/me 401 3.214 ms - 12")
    assert (request.status, request.client, request.at_seconds) == (401, None, None)


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/users/42/orders/7?x=1", "/users/#/orders/#"),
        ("/magic/Zk3j9aLq20fjKd8sPq", "/magic/#"),
        ("/u/a@b.example", "/u/#"),
        ("https://shop.example/api/me#x", "/api/me"),
        ("/" + "a" * 500, "/#"),
        ("/a" * 100, "/a" * 11),
    ],
)
def test_a_route_holds_neither_numbers_nor_secrets(path, route):
    assert route_of(path) == route


def test_a_million_lines_are_counted_within_bounds():
    """Of a log of any length so much is read as is said; counting a million lines takes time in proportion, and little memory."""
    rng = random.Random(7)
    lines = [
        f'10.0.{rng.randrange(256)}.{rng.randrange(256)} - - [30/Nov/2026:05:26:{second:02} +0000] "GET /api/things/{number} HTTP/1.1" '
        f'{401 if number % 4 else 200} 12 "-" "x"'
        for number in range(2_000)
        for second in (number % 60,)
    ]
    reader, tally = Reader(), Tally(1796016389 + 60, 900.0)
    for _round in range(500):
        for line in lines:
            tally.add(reader.request(line))
    found = tally.told()
    assert (found["requests"], found["unauthorized"], found["let_in"]) == (1_000_000, 750_000, 250_000)
    assert found["routes_total"] == 1
    assert len(json.dumps(found)) < 20_000


def test_requests_by_route_and_client():
    tally = Tally(1_000_000.0, 900.0, "/login")
    reader = Reader()
    del reader
    from ansible_collections.oncall.runbooks.plugins.module_utils.auth.request_lines import Request

    for number in range(30):
        tally.add(Request(1_000_000.0 - 60 * (number % 3), "GET", "/a", 401, f"c{number % 5}"))
    tally.add(Request(1_000_000.0, "GET", "/a", 200, "c9"))
    tally.add(Request(1_000_000.0, "GET", "/open", 200, "c8"))
    tally.add(Request(1_000_000.0, "POST", "/login", 401, "c1"))
    tally.add(Request(1_000_000.0, "POST", "/login", 200, "c9"))
    tally.add(Request(1_000_000.0 - 901, "GET", "/a", 401, "old"))
    tally.add(Request(1_000_000.0 + 7200, "GET", "/a", 401, "ahead"))
    found = tally.told()
    assert (found["unauthorized"], found["let_in"], found["answered"], found["requests"]) == (30, 1, 3, 34)
    assert (found["clients"], found["clients_refused"], found["clients_only_refused"], found["clients_let_in"]) == (
        7,
        5,
        5,
        1,
    )
    assert found["logins"] == {
        "let_in": 1,
        "refused": 1,
        "locked": 0,
        "failed": 0,
        "clients_let_in": 1,
        "clients_refused": 1,
    }
    assert [one["minutes_ago"] for one in found["minutes"]] == [0, 1, 2]
    assert (tally.older, tally.ahead) == (1, 1)


SAID = {
    "Signature has expired": "expired",
    "JsonWebTokenError: invalid signature": "signature",
    "TokenExpiredError: jwt expired": "expired",
    "jwt audience invalid. expected: shop": "audience",
    "jwt issuer invalid. expected: https://id.example": "issuer",
    "NotBeforeError: jwt not active": "not_yet_valid",
    'PyJWKClientError: Unable to find a signing key that matches: "k2"': "unknown_key",
    "JWKSNoMatchingKey: no applicable key found in the JSON Web Key Set": "unknown_key",
    "JWSSignatureVerificationFailed: signature verification failed": "signature",
    'JWTClaimValidationFailed: unexpected "aud" claim value': "audience",
    'JWTClaimValidationFailed: unexpected "iss" claim value': "issuer",
    'JWTExpired: "exp" claim timestamp check failed': "expired",
    "token is unverifiable: error while executing keyfunc: key not found": "unknown_key",
    "token has invalid claims: token is expired": "expired",
    'oidc: id token issued by a different provider, expected "a" got "b"': "issuer",
    "failed to verify signature: failed to verify id token signature": "signature",
    "An error occurred while attempting to decode the Jwt: Jwt expired at 2026-11-30T05:00:00Z": "expired",
    "Signed JWT rejected: Another algorithm expected, or no matching key(s) found": "unknown_key",
    "IDX10223: Lifetime validation failed. The token is expired.": "expired",
    "IDX10501: Signature validation failed. Unable to match key": "unknown_key",
    "IDX10214: Audience validation failed.": "audience",
    "The token is not yet valid (iat)": "not_yet_valid",
    "Token used before issued": "not_yet_valid",
    "[next-auth][error][JWT_SESSION_ERROR] decryption operation failed": "signature",
    "session not found in store": "session",
    "token has been revoked": "revoked",
    "jwt malformed": "malformed",
    "token has invalid claims: token is not valid yet": "not_yet_valid",
    "failed to verify token: oidc: current time 2026-11-30 before the nbf (not before) time: 2026-12-01": "not_yet_valid",
    "An error occurred while attempting to decode the Jwt: Jwt used before 2026-11-30T05:00:00Z": "not_yet_valid",
    "JWT before use time": "not_yet_valid",
    "JWT::InvalidIatError: Invalid iat": "not_yet_valid",
    "Token used too early, 1764565200 < 1764568800. Check that your computer's clock is set correctly.": "not_yet_valid",
    "invalid_token: The token is not valid yet": "not_yet_valid",
    "invalid_claim: Invalid claim 'aud' in the token": "audience",
    "invalid_claim: Invalid claim 'iss' in the token": "issuer",
    "jwt.exceptions.InvalidAudienceError: Audience doesn't match": "audience",
    'Firebase ID token has incorrect "aud" (audience) claim. Expected "shop"': "audience",
    'Firebase ID token has incorrect "iss" (issuer) claim. Expected "https://id.example"': "issuer",
    'Firebase ID token has "kid" claim which does not correspond to a known public key. Most likely the ID token is expired': "unknown_key",
    "The specified alg value is not allowed for this token": "algorithm",
}


@pytest.mark.parametrize(("text", "kind"), SAID.items(), ids=list(SAID))
def test_why_a_token_was_refused_in_the_words_of_libraries(text, kind):
    assert kind_of(f"2026-11-30T05:26:29Z WARNING {text}") == kind


@pytest.mark.parametrize(
    "text",
    [
        "issued a token for alice",
        "session opened",
        "INFO token refreshed",
        "coupon expired",
        "",
        "the audience was pleased",
        "signature of the parcel was given",
    ],
)
def test_lines_that_refuse_no_token(text):
    assert kind_of(text) is None


def test_a_token_in_a_line_is_not_told(provider):
    (one,) = counted([f"jwt expired: {provider.token()}"])
    assert "eyJ" not in one["last"]


@pytest.mark.parametrize(
    ("states", "since"),
    [
        ({"started_at_seconds": 60.0}, {"refused": 1, "let_in": 1}),
        ({"members": [{"started_at_seconds": 60.0}, {"started_at_seconds": 200.0}]}, {"refused": 3, "let_in": 1}),
        ({"members": [{"started_at_seconds": 60.0}, {"started_at_seconds": None}]}, None),
        ({}, None),
    ],
    ids=["one", "the first of two", "one of two unknown", "unknown"],
)
def test_who_was_refused_since_the_service_was_started(app, provider, monkeypatch, states, since):
    from ansible_collections.oncall.runbooks.plugins.module_utils.auth import look

    def ago(seconds: float) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - seconds))

    def started(one: dict[str, Any]) -> dict[str, Any]:
        told = {key: None if value is None else time.time() - value for key, value in one.items() if key != "members"}
        return {**told, **({"members": [started(each) for each in one["members"]]} if "members" in one else {})}

    lines = [
        f"{ago(at)} GET /api/me {status}" for at, status in ((300, 401), (150, 401), (100, 401), (30, 401), (10, 200))
    ]
    monkeypatch.setattr(look, "read_log", lambda *_asked: ([("api", "\n".join(lines))], ""))
    monkeypatch.setattr(look.states, "observe", lambda _asked: {"services": {"api": started(states)}})
    services = {"api": {"manager": "compose", "project": "/srv/shop"}}
    requests = seen(auth_of(app, provider, service="api"), services=services)["requests"]
    assert (requests["unauthorized"], requests["let_in"]) == (4, 1)
    told = requests["since_start"]
    assert (told and {key: told[key] for key in ("refused", "let_in")}) == since


@pytest.mark.parametrize(
    ("line", "available", "reason"),
    [
        # Nobody but the canary asked yet.
        ('{at} GET /api/me 200 "oncall.runbooks/0.2.0"', True, ""),
        ("{at} started", False, "a shape that is known"),
        ("{ahead} GET /api/me 401", False, "dated in the future"),
    ],
)
def test_a_log_without_a_request_of_users(app, provider, monkeypatch, line, available, reason):
    from ansible_collections.oncall.runbooks.plugins.module_utils.auth import look

    at, ahead = (time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + more)) for more in (0, 3600))
    monkeypatch.setattr(look, "read_log", lambda *_asked: ([("api", line.format(at=at, ahead=ahead))], ""))
    monkeypatch.setattr(look, "_started_at_seconds", lambda *_asked: None)
    services = {"api": {"manager": "compose", "project": "/srv/shop"}}
    requests = seen(auth_of(app, provider, service="api"), services=services)["requests"]
    assert (requests["available"], requests.get("requests", 0)) == (available, 0)
    assert reason in requests.get("reason", "")


def test_the_log_of_a_service_that_is_no_file(tmp_path, provider, app):
    from ansible_collections.oncall.runbooks.plugins.module_utils.auth import look

    services = {"api": {"manager": "command", "commands": {"status": ["true"]}}}
    found = seen(auth_of(app, provider, service="api"), services=services)
    assert found["requests"]["available"] is False
    assert "shows no log" in found["requests"]["reason"]
    assert found["complete"] is False
    with pytest.raises(ValueError, match="not in system_services"):
        look.observe({**DEFAULTS, "auth": auth_of(app, provider, service="web"), "timeout_seconds": 5.0})
    assert not list(Path(tmp_path).iterdir())
