# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page in a real browser: readable for everybody, on a phone, in both themes, by keyboard; fresh with scripts, and whole without."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ansible_collections.oncall.runbooks.tests.support.chromium import (
    PHONE,
    WIDE,
    axe,
    chromium,
    looking,
    served,
    width,
)
from ansible_collections.oncall.runbooks.tests.support.page_site import PEOPLE, page_site
from lab.ports import free_port
from oncall.incidents.commands import Write

# Where pictures for the docs go, if somebody wants them: PAGE_SHOTS=docs/images.
SHOTS = os.environ.get("PAGE_SHOTS", "")
SHOWN = {
    "now wide light": "now",
    "plan phone light": "plan",
    "incident wide light": "incident",
    "incident phone dark": "incident-phone",
}


@pytest.fixture(scope="module")
def browser():
    with chromium() as made:
        yield made


@pytest.fixture
def site(tmp_path):
    port = free_port()
    with page_site(tmp_path, clock=time.time, listen=f"127.0.0.1:{port}") as made, served(made.page, port) as base:
        made.base = base
        yield made


def _filled(site):
    """Incidents as they are at night."""
    now = time.time()
    name = site.incident("The connection pool of the shop is full", at=now - 340)
    site.incidents.write(
        name,
        Write(who="oncall", at=now - 200, kind="plan", words="db_pool plans terminate_sessions (p0123456789abcde)",
              data={"runbook": "db_pool", "hash": "p0123456789abcde", "steps": [], "diff": ""}),
    )  # fmt: skip
    episode = site.episode(incident=name, received_at=now - 330, queued_at=now - 330, until=now + 2900)
    other = site.incident("Checkout answers one in five customers with 502", severity="P0", at=now - 4000)
    site.incidents.acknowledge(other, who="rosa")
    site.incidents.step(other, "steps", "acknowledge", who="rosa")
    site.incidents.update(
        other,
        "payments are slow, orders arrive",
        who="rosa",
        actions="the last deployment is taken back",
        next_update_at=now + 900,
    )
    over = site.incident("The nightly backup is 4 h late", severity="P2", at=now - 90_000)
    site.incidents.mitigate(over, "the worker was started again", who="omar")
    site.incidents.resolve(over, "the backup is there, and was restored once", who="omar")
    site.store.set("paused", "storage is moved (omar)")
    return name, episode, over


def _sign_in(page, who):
    page.goto("/signin")
    page.fill("#token", PEOPLE[who][1])
    page.press("#token", "Enter")
    page.wait_for_url("**/")


def _shot(page, name):
    if SHOTS and name in SHOWN:
        page.screenshot(path=Path(SHOTS, f"page-{SHOWN[name]}.png"))


@pytest.mark.parametrize(("size", "scheme"), [(WIDE, "light"), (PHONE, "dark"), (PHONE, "light"), (WIDE, "dark")])
def test_every_page_can_be_read_by_everybody(site, browser, size, scheme):
    name, episode, over = _filled(site)
    pages = {
        "now": "/", "incidents": "/incidents", "new": "/incidents/new", "incident": f"/incidents/{name}", "entry": f"/incidents/{name}/entries/3",
        "proof": f"/incidents/{name}/verify",
        "closed": f"/incidents/{over}", "plans": "/plans", "plan": f"/plans/{episode}", "hosts": "/hosts", "host": "/hosts/shop",
        "oncall": "/oncall", "runbooks": "/runbooks", "runbook": "/runbooks/db_pool", "numbers": "/numbers", "settings": "/settings",
        "postmortem": f"/incidents/{over}/postmortem", "problem": "/incidents/INC-99",
    }  # fmt: skip
    found = {}
    with looking(browser, site.base, viewport=size, color_scheme=scheme) as (page, trouble):
        page.goto("/signin")
        found["signin"] = axe(page)
        _sign_in(page, "ada")
        for title, path in pages.items():
            page.goto(path)
            page.locator("details").evaluate_all(
                "all => all.forEach((one) => { if (!one.matches('.act, .more, .inline')) one.open = true; })"
            )
            found[title] = axe(page)
            assert width(page) <= size["width"], title
            page.locator("details").evaluate_all("all => all.forEach((one) => { one.open = false; })")
            _shot(page, f"{title} {'phone' if size is PHONE else 'wide'} {scheme}")
        trouble = [line for line in trouble if "404" not in line]
        assert trouble == []
    assert {title: lines for title, lines in found.items() if lines} == {}


def test_everything_can_be_reached_by_keyboard(site, browser):
    name, _episode, _over = _filled(site)
    with looking(browser, site.base, viewport=WIDE) as (page, trouble):
        _sign_in(page, "rosa")
        page.goto(f"/incidents/{name}")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.keyboard.press("Enter")
        for _ in range(3):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.textContent") == "Acknowledge":
                break
        page.keyboard.press("Enter")
        page.wait_for_url("**did=acknowledged")
        # A form opens with its first field ready, and closes by Escape.
        page.locator("summary", has_text="Note").focus()
        page.keyboard.press("Enter")
        page.wait_for_function("document.activeElement.id === 'text'")
        page.keyboard.press("Escape")
        page.wait_for_function("document.querySelector('details.act[open]') === null")
        assert trouble == []
    assert site.incidents.find(name).acknowledged_by == "rosa"


def test_a_page_that_is_open_stays_fresh_and_interrupts_nobody_who_writes(site, browser):
    name, _episode, _over = _filled(site)
    with looking(browser, site.base, viewport=WIDE) as (page, trouble):
        _sign_in(page, "rosa")
        page.goto(f"/incidents/{name}")
        page.wait_for_timeout(2500)
        site.incidents.note(name, "the pool is at 18 of 20 <b>now</b>", who="omar")
        page.wait_for_selector("text=the pool is at 18 of 20 <b>now</b>")
        page.locator("summary", has_text="Note").click()
        page.fill("#text", "half a sentence")
        site.incidents.note(name, "and at 19 now", who="omar")
        page.wait_for_selector("text=There is news. Look again")
        assert page.input_value("#text") == "half a sentence"
        page.click("text=There is news. Look again")
        page.wait_for_selector("text=and at 19 now")
        assert trouble == []


def test_a_page_that_grows_old_says_so(site, browser):
    name, _episode, _over = _filled(site)
    with looking(browser, site.base, viewport=WIDE) as (page, _trouble):
        _sign_in(page, "rosa")
        page.goto(f"/incidents/{name}")
        page.wait_for_timeout(2500)
        other = page.context.new_page()
        other.goto(f"{site.base}/")
        other.locator("summary", has_text="More").click()
        other.click("text=Sign out")
        other.wait_for_url("**/signin**")
        # Nothing of what is written from now on is shown here.
        site.incidents.note(name, "a word for those who are known", who="omar")
        page.click("text=This page is not kept fresh any more. Look again", timeout=20_000)
        page.wait_for_url(f"**/signin?to=/incidents/{name}")


def test_without_scripts_all_of_it_works(site, browser):
    _name, episode, _over = _filled(site)
    with looking(browser, site.base, viewport=PHONE, java_script_enabled=False) as (page, trouble):
        _sign_in(page, "rosa")
        page.click("text=The connection pool of the shop is full")
        page.click("button:has-text('Acknowledge')")
        page.wait_for_url("**did=acknowledged")
        page.locator("summary", has_text="Update").click()
        page.fill("#conditions", "sessions hold all connections")
        page.locator("details.act[open] button").click()
        page.wait_for_url("**did=changed")
        page.click("a:has-text('db_pool: 6 sessions')")
        page.fill("#reason", "as the diagnosis says")
        page.click("text=Approve exactly this")
        page.wait_for_url("**did=approved")
        assert "approved by rosa" in page.inner_text("main")
        page.locator("summary", has_text="More").click()
        page.click("text=Sign out")
        page.wait_for_url("**/signin**")
        assert trouble == []
    assert site.store.episode(episode)["note"] == "approved by rosa"
