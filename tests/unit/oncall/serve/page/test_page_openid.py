# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signing in by OpenID Connect, at a provider that is strict, and at one that says what is wrong."""

from __future__ import annotations

import time

import pytest

from ansible_collections.oncall.runbooks.tests.support.openid_provider import CLIENT, SECRET, OpenIdProvider
from ansible_collections.oncall.runbooks.tests.support.page_site import page_site, words


@pytest.fixture
def provider():
    made = OpenIdProvider()
    yield made
    made.close()


@pytest.fixture
def site(tmp_path, provider):
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    page = {
        "openid": {"issuer": provider.url, "client_id": CLIENT, "client_secret_file": "secret"},
        "roles": {"responder": ["oncall-team"], "admin": ["ada"]},
    }
    with page_site(tmp_path, page) as made:
        # A token that a provider makes now is good now.
        made.clock.now = time.time()
        yield made


def test_a_person_signs_in_at_the_provider_and_acts_under_that_name(site, provider):
    name, browser = site.incident(), site.browser()
    assert 'href="/signin/openid?to=' in browser.get("/signin?to=/plans").text
    went = browser.get("/signin/openid?to=/plans")
    assert went.status_code == 302
    answer = browser.get(provider.agreed(went.headers["location"]))
    assert (answer.status_code, answer.headers["location"]) == (303, "/plans")
    assert browser.send(f"/incidents/{name}/do/acknowledge").status_code == 303
    assert site.incidents.find(name).acknowledged_by == "kim"
    assert len(provider.taken[0]["code_verifier"]) >= 43 and not provider.refused
    assert browser.get("/settings").status_code == 403
    assert browser.send("/signout").status_code == 303 and browser.get("/").status_code == 303


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"aud": "another"},
        {"aud": ["another", "third"]},
        {"nonce": "of somebody else"},
        {"nonce": None},
        {"exp": 1},
        {"exp": None},
        {"sub": None},
        {"azp": "another"},
    ],
)
def test_a_token_that_is_not_for_us_and_for_now_signs_nobody_in(site, provider, claims, caplog):
    provider.claims |= claims
    _nobody(site, provider)
    assert ("expired" if claims == {"exp": 1} else next(iter(claims))) in caplog.text


@pytest.mark.parametrize(("kid", "algorithm"), [("k2", "RS256"), ("k1", "HS256"), ("k1", "none")])
def test_a_signature_that_anybody_could_make_signs_nobody_in(site, provider, kid, algorithm):
    provider.kid, provider.algorithm = kid, algorithm
    _nobody(site, provider)


def test_a_provider_that_calls_itself_something_else_is_not_the_one(site, provider):
    provider.told = {"issuer": "https://evil.example"}
    assert site.browser().get("/signin/openid").status_code == 502


def _nobody(site, provider):
    browser = site.browser()
    answer = browser.get(provider.agreed(browser.get("/signin/openid").headers["location"]))
    assert answer.status_code == 502 and "the sign-in failed; the log of the service says why" in words(answer.text)
    assert browser.get("/").status_code == 303


def test_a_sign_in_comes_back_to_the_browser_that_began_it(site, provider):
    victim, thief = site.browser(), site.browser()
    # Somebody else's code, in the browser of the victim: it would be signed in as somebody else.
    back = provider.agreed(thief.get("/signin/openid").headers["location"])
    answer = victim.get(back)
    assert answer.status_code == 403 and "was not begun in this browser" in words(answer.text)
    victim.get("/signin/openid")
    assert victim.get(back).status_code == 502
    # A state that was changed, and an error of the provider.
    fresh = site.browser()
    assert (
        fresh.get(provider.agreed(fresh.get("/signin/openid").headers["location"], state="x" * 20)).status_code == 502
    )
    fresh.get("/signin/openid")
    assert fresh.get("/signin/openid/back?error=access_denied&error_description=%3Cb%3E").status_code == 502


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"groups": ["others"]}, "you are known as kim, and nobody has given you a role on this page"),
        ({"groups": None}, "nobody has given you a role"),
        ({"preferred_username": "oncall"}, "does not say who you are"),
        ({"preferred_username": None}, "does not say who you are: its token has no preferred_username"),
    ],
)
def test_who_has_no_role_or_no_name_of_a_person_is_told_so(site, provider, claims, why):
    provider.claims |= claims
    browser = site.browser()
    answer = browser.get(provider.agreed(browser.get("/signin/openid").headers["location"]))
    assert answer.status_code == 403 and why in words(answer.text)
    assert browser.get("/").status_code == 303


def test_a_provider_that_is_away_is_one_clear_line(site, provider):
    provider.close()
    answer = site.browser().get("/signin/openid")
    assert answer.status_code == 502 and "the sign-in failed" in words(answer.text)


def test_a_role_that_is_taken_back_holds_from_the_next_look_on(tmp_path, provider):
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    openid = {"issuer": provider.url, "client_id": CLIENT, "client_secret_file": "secret"}

    def looks(roles, cookies):
        """What is answered to those cookies by a service that was started anew with these roles; and new ones, where there are none."""
        with page_site(tmp_path, {"openid": openid, "roles": roles}) as site:
            site.clock.now = time.time()
            browser = site.browser()
            if not cookies:
                browser.get(provider.agreed(browser.get("/signin/openid").headers["location"]))
                cookies.update(browser.client.cookies)
            browser.client.cookies.update(cookies)
            return browser.get("/settings").status_code, browser.get("/").status_code

    provider.claims["groups"] = ["oncall-team", "of no meaning"]
    kept = {}
    assert looks({"admin": ["oncall-team"]}, kept) == (200, 200)
    assert looks({"admin": ["oncall-team"]}, kept) == (200, 200)
    assert looks({"responder": ["oncall-team"]}, kept) == (403, 200)
    assert looks({"admin": ["kim"], "viewer": ["oncall-team"]}, kept) == (200, 200)
    # Nobody any more.
    assert looks({"admin": ["ada"]}, kept) == (303, 303)
