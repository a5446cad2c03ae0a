# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What everybody sees: each page answers, is light, and shows data as data."""

from __future__ import annotations

import pytest

from ansible_collections.oncall.runbooks.tests.support.page_site import PEOPLE, page_site

PAGES = (
    "/",
    "/incidents",
    "/incidents/new",
    "/plans",
    "/hosts",
    "/hosts/shop",
    "/oncall",
    "/runbooks",
    "/runbooks/db_pool",
    "/numbers",
)


@pytest.fixture
def site(tmp_path):
    with page_site(tmp_path) as made:
        yield made


def test_a_person_signs_in_by_a_token_finds_an_incident_and_acknowledges_it(site):
    name = site.incident()
    browser = site.browser()
    assert browser.get("/").headers["location"] == "/signin"
    assert browser.get(f"/incidents/{name}").headers["location"] == f"/signin?to=/incidents/{name}"
    answer = browser.post("/signin", token=PEOPLE["rosa"][1], to=f"/incidents/{name}")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/incidents/{name}")
    assert "HttpOnly" in answer.headers["set-cookie"] and "SameSite=lax" in answer.headers["set-cookie"]
    assert "One incident is open" in browser.text("/")
    assert "The pool of the shop is full" in browser.text("/incidents?q=pool")
    assert "6 sessions are idle in a transaction" in browser.text(f"/incidents/{name}")
    answer = browser.send(f"/incidents/{name}/do/acknowledge")
    assert answer.headers["location"] == f"/incidents/{name}?did=acknowledged"
    assert "You have acknowledged it." in browser.text(answer.headers["location"])
    known = site.incidents.find(name)
    assert (known.state, known.acknowledged_by) == ("acknowledged", "rosa")
    assert site.incidents.timeline(name)[-1].who == "rosa"
    # Who comes second is told.
    assert site.of("omar").send(f"/incidents/{name}/do/acknowledge").headers["location"].endswith("did=already")
    assert site.incidents.find(name).acknowledged_by == "rosa"


@pytest.mark.parametrize("path", PAGES)
def test_every_page_answers_and_is_light(site, path):
    site.episode(incident=site.incident())
    answer = site.of("ada").get(path)
    assert answer.status_code == 200, answer.text[:3000]
    assert len(answer.content) < 60_000
