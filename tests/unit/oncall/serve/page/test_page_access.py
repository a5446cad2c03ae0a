# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may see and do what: sessions, forms of other sites, other names of this machine, roles, a proxy."""

from __future__ import annotations

import jwt
import pytest

from ansible_collections.oncall.runbooks.tests.support.page_site import BASE, MACHINE, PEOPLE, page_site, words
from oncall.serve.page.people import Person, Role, is_of, plain_name, role_of, with_a_role
from oncall.serve.page.signin import inside
from oncall.serve.settings import Page

PROXY = {
    "proxy": {"addresses": ["10.1.0.0/16", "::1/128"]},
    "roles": {"responder": ["oncall-team"], "viewer": ["*"], "admin": ["ada"]},
}


@pytest.fixture
def site(tmp_path):
    with page_site(tmp_path) as made:
        yield made


def test_every_answer_forbids_what_a_page_of_somebody_else_would_need(site):
    browser = site.of("rosa")
    for answer in (
        browser.get("/"),
        browser.get("/nothing"),
        site.browser().get("/signin"),
        browser.post("/pause"),
        browser.get("/", Host="evil.example"),
    ):
        policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
        assert (
            policy["default-src"] == "'none'"
            and policy["frame-ancestors"] == "'none'"
            and policy["form-action"] == "'self'"
        )
        assert policy["script-src"] == policy["style-src"] == "'self'"
        assert (
            answer.headers["x-content-type-options"] == "nosniff" and answer.headers["referrer-policy"] == "same-origin"
        )
        assert answer.headers["cache-control"] == "no-store"
        # Nothing in the page needs more than that.
        assert " style=" not in answer.text and "<style" not in answer.text and "javascript:" not in answer.text
        assert answer.text.count("<script") == answer.text.count("<script src=")


def test_forms_of_other_sites_and_of_other_sessions_do_nothing(site):
    name = site.incident()
    browser, path = site.of("rosa"), f"/incidents/{name}/do/acknowledge"
    csrf = browser.csrf("/")
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": BASE, "Sec-Fetch-Site": "cross-site"},
        {"Origin": ""},
    ):
        assert browser.post(path, headers=headers, csrf=csrf).status_code == 403
    assert browser.client.post(path, data={"csrf": csrf}).status_code == 403
    assert browser.post(path, csrf="").status_code == 403
    assert browser.post(path, csrf=site.of("omar").csrf("/")).status_code == 403
    # Only a form can be sent by another site without asking first, and only forms are read.
    assert browser.client.post(path, json={"csrf": csrf}, headers={"Origin": BASE}).status_code == 415
    assert browser.get(path).status_code == 405
    assert browser.client.put(path).status_code == 405
    assert site.incidents.find(name).state == "triggered"
    assert browser.post(path, csrf=csrf).status_code == 303


def test_a_name_that_somebody_else_points_to_this_machine_is_not_ours(site):
    browser = site.of("rosa")
    for host in ("evil.example", "evil.example:9095", "", "127.0.0.1.evil.example"):
        assert browser.get("/", Host=host).status_code == 421
    # A port that is forwarded by SSH.
    assert browser.get("/", Host="localhost:8080").status_code == 200


def test_a_large_or_a_wrong_form_is_one_clear_line(site):
    browser = site.of("rosa")
    answer = browser.post("/incidents", csrf=browser.csrf("/"), title="x" * 300_000)
    assert answer.status_code == 413 and "256 KiB" in words(answer.text)
    headers = {"Origin": BASE, "Content-Type": "application/x-www-form-urlencoded"}
    assert browser.client.post("/incidents", content="é".encode(), headers=headers).status_code == 400
    assert browser.client.post("/incidents", content="a=1&" * 1000, headers=headers).status_code == 400
    # Many at once, of which none is larger than it may be.
    site.page._forms._bytes = 16 * 1024 * 1024
    assert browser.client.post("/incidents", content="a=1", headers=headers).status_code == 503
    site.page._forms._bytes = 0
    assert browser.client.post("/incidents", content="a=1", headers=headers).status_code == 403
    assert site.page._forms._bytes == 0


@pytest.mark.parametrize(
    ("who", "path", "least"),
    [
        ("vera", "/incidents/INC-1/do/acknowledge", "responder"),
        ("vera", "/pause", "responder"),
        ("vera", "/hosts/shop/hold", "responder"),
        ("vera", "/incidents", "responder"),
        ("rosa", "/settings/check", "admin"),
    ],
)
def test_nobody_does_what_the_role_does_not_allow(site, who, path, least):
    name, episode = site.incident(), site.episode()
    answer = site.of(who).send(path, reason="x", title="x")
    assert answer.status_code == 403 and f"this takes the role {least}" in words(answer.text)
    assert (
        site.of("vera").send(f"/plans/{episode}", decision="approved", plan_hash="p0123456789abcde").status_code == 403
    )
    assert (site.incidents.find(name).state, site.store.episode(episode)["state"], site.store.control("paused")) == (
        "triggered",
        "waiting",
        None,
    )
    assert site.of("rosa").get("/settings").status_code == 403
    # Nor are they shown the buttons.
    shown = site.of("vera").get(f"/incidents/{name}").text
    assert "/do/" not in shown and 'name="decision"' not in site.of("vera").get(f"/plans/{episode}").text


def test_a_session_ends_when_nobody_looks_and_at_its_end_whatever_happens(tmp_path):
    with page_site(tmp_path, {"session_minutes": 60, "session_hours": 2}) as site:
        browser = site.of("rosa")
        for _ in range(3):
            site.clock.now += 30 * 60
            answer = browser.get("/")
            assert answer.status_code == 200 and "set-cookie" in answer.headers
        # Two hours are over.
        site.clock.now += 30 * 60
        assert browser.get("/").status_code == 303
        browser = site.of("rosa")
        site.clock.now += 61 * 60
        assert browser.get("/").status_code == 303
        # A clock that was set back makes no session last longer.
        browser = site.of("rosa")
        site.clock.now -= 3600
        assert browser.get("/").status_code == 303


def test_a_session_hangs_on_its_token_and_a_copied_cookie_is_worth_nothing_after_signing_out(site, tmp_path):
    browser = site.of("rosa")
    copied = dict(browser.client.cookies)
    thief = site.browser()
    thief.client.cookies.update(copied)
    assert thief.get("/").status_code == 200
    assert browser.send("/signout").headers["location"] == "/signin?did=signed-out"
    assert thief.get("/").status_code == 303
    omar = site.of("omar")
    people = tmp_path / "people"
    people.write_text("".join(line for line in people.read_text().splitlines(keepends=True) if "omar" not in line))
    assert omar.get("/").status_code == 303
    # Another role holds from the next look on.
    ada = site.of("ada")
    people.write_text(people.read_text().replace(" admin ", " viewer "))
    assert ada.get("/settings").status_code == 403


def test_a_cookie_that_was_made_up_or_changed_is_no_session(site):
    browser = site.of("vera")
    told = jwt.decode(browser.client.cookies["oncall"], options={"verify_signature": False})
    for key, algorithm in ((b"0" * 32, "HS256"), (None, "none")):
        forged = jwt.encode({**told, "role": 3}, key, algorithm=algorithm)
        other = site.browser()
        other.client.cookies.set("oncall", forged)
        assert other.get("/").status_code == 303
    # Another key of the same page signs no session.
    other.client.cookies.set("oncall", jwt.encode(told, site.page.sessions.key_for("openid"), algorithm="HS256"))
    assert other.get("/").status_code == 303


def test_who_guesses_tokens_has_to_wait_and_is_told_nothing(site):
    browser = site.browser()
    for number in range(10):
        answer = browser.post("/signin", token=f"{number}" * 32)
        assert answer.status_code == 403 and "nobody has this token" in words(answer.text)
    assert browser.post("/signin", token=PEOPLE["rosa"][1]).status_code == 429


@pytest.mark.parametrize(
    "to",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "/a\nb",
        "",
        "/signin",
        "http:/x",
    ],
)
def test_nobody_is_led_somewhere_else_after_signing_in(to):
    assert inside(to) == "/"


def test_where_it_is_reached_by_https_cookies_go_nowhere_else(tmp_path):
    base = "https://oncall.example.org"
    with page_site(tmp_path, {"address": base}) as site:
        browser = site.browser(base)
        answer = browser.post("/signin", token=PEOPLE["rosa"][1])
        assert answer.headers["set-cookie"].startswith("__Host-oncall=") and "; Secure" in answer.headers["set-cookie"]
        assert "strict-transport-security" in answer.headers
        assert browser.get("/").status_code == 200


# ---------------------------------------------------------------------- a proxy
def test_a_proxy_says_who_somebody_is_and_nobody_else_does(tmp_path):
    with page_site(tmp_path, PROXY) as site:
        name = site.incident()
        said = {"X-Forwarded-User": "kim", "X-Forwarded-Groups": "shop, oncall-team"}
        browser = site.browser(client=("10.1.2.3", 5))
        answer = browser.get("/", **said)
        assert answer.status_code == 200 and "kim" in words(answer.text) and "Sign out" not in words(answer.text)
        csrf = answer.text.partition('name="csrf" value="')[2][:32]
        csrf = csrf or browser.get(f"/incidents/{name}", **said).text.partition('name="csrf" value="')[2][:32]
        path = f"/incidents/{name}/do/acknowledge"
        assert browser.post(path, headers=said, csrf="0" * 32).status_code == 403
        assert browser.post(path, headers=said, csrf=csrf).status_code == 303
        assert site.incidents.find(name).acknowledged_by == "kim"
        # From elsewhere the same headers say nothing.
        assert site.browser(client=("10.2.0.1", 5)).get("/", **said).status_code == 303
        assert site.browser(client=("testclient", 5)).get("/", **said).status_code == 303
        # What a client smuggles past the proxy, or a name that is the program's own.
        both = [("X-Forwarded-User", "kim"), ("X-Forwarded-User", "ada")]
        assert browser.client.get("/", headers=both).status_code == 303
        for wrong in ("oncall", "OnCall", "node1", "", "x" * 101):
            assert browser.get("/", **{"X-Forwarded-User": wrong}).status_code == 303
        # By the role that everybody has, one looks.
        assert browser.get("/incidents/new", **{"X-Forwarded-User": "eve"}).status_code == 403
        assert browser.get("/settings", **{"X-Forwarded-User": "ada"}).status_code == 200
        # A proxy sends UTF-8, or each character as a byte.
        for sent in ("José".encode(), "José".encode("latin-1")):
            answer = browser.client.get("/", headers=[(b"X-Forwarded-User", sent)])
            assert answer.status_code == 200 and "José viewer" in words(answer.text)


def test_what_the_proxy_says_comes_before_an_older_session(tmp_path):
    with page_site(tmp_path, PROXY) as site:
        browser = site.browser(client=("::1", 5))
        assert browser.post("/signin", token=PEOPLE["ada"][1]).status_code == 303
        assert "ada" in browser.text("/")
        told = words(browser.get("/", **{"X-Forwarded-User": "eve"}).text)
        assert "eve viewer" in told and "ada" not in told


ROLES = Page(roles={"responder": ("team-shop",), "admin": ("person:ada", "group:admins"), "viewer": ("group:all",)})


@pytest.mark.parametrize(
    ("name", "groups", "role"),
    [
        ("kim", ["team-shop"], Role.RESPONDER),
        # A bare name is of a person or of a group.
        ("team-shop", [], Role.RESPONDER),
        ("ada", [], Role.ADMIN),
        ("kim", ["ada"], None),
        ("kim", ["admins"], Role.ADMIN),
        ("admins", [], None),
        ("group:admins", [], None),
        ("kim", ["person:ada"], None),
        ("*", ["*"], None),
    ],
)
def test_nobody_has_the_role_of_a_group_by_a_name(name, groups, role):
    assert role_of(ROLES, name, groups) is role
    # What a session keeps of the groups gives the same.
    assert role_of(ROLES, name, with_a_role(ROLES, groups)) is role


def test_networks():
    assert (
        is_of("10.1.2.3", ["10.1.0.0/16"]) and is_of("::ffff:10.1.2.3", ["10.1.0.0/16"]) and is_of("::1", ["::1/128"])
    )
    assert not is_of("10.2.0.1", ["10.1.0.0/16"]) and not is_of("", ["0.0.0.0/0"]) and not is_of("shop", ["0.0.0.0/0"])


# ---------------------------------------------------------------------- tokens
def test_a_token_of_a_machine_or_of_the_program_itself_signs_nobody_in(tmp_path):
    with page_site(tmp_path) as site:
        people = tmp_path / "people"
        people.write_text(
            f"{people.read_text()}{'s' * 32} sender Alertmanager\n{'n' * 32} admin node1\n{'d' * 32} responder Vera  van Dam\n"
        )
        for token in (MACHINE, "s" * 32, "n" * 32, "", "é"):
            assert site.browser().post("/signin", token=token).status_code == 403
        browser = site.browser()
        assert browser.post("/signin", token="d" * 32).status_code == 303
        assert "Vera van Dam responder" in browser.text("/")


def test_a_file_of_tokens_that_cannot_be_read_is_said_and_signs_everybody_out(tmp_path):
    with page_site(tmp_path) as site:
        browser = site.of("rosa")
        (tmp_path / "people").chmod(0o644)
        assert browser.get("/").status_code == 303
        answer = browser.post("/signin", token=PEOPLE["rosa"][1])
        assert answer.status_code == 403 and "nobody is known by a token at this moment" in words(answer.text)


def test_names_and_roles():
    assert (
        plain_name("a\x1b[2J\u202eb") == "a [2J b"
        and plain_name(" OnCall ") == ""
        and plain_name("node1", ["node1"]) == ""
    )
    person = Person("Vera", Role.RESPONDER, "token")
    assert person.may(Role.VIEWER) and not person.may(Role.ADMIN)
