# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One night on the page of a running service: an alert, a plan that waits, a person in a browser, a fix, and the post-mortem of it."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import sys
from contextlib import ExitStack
from urllib.parse import urlencode

import pytest

from ansible_collections.oncall.runbooks.tests.support.chromium import PHONE, SECONDS, chromium, looking
from ansible_collections.oncall.runbooks.tests.support.postgres_servers import server
from ansible_collections.oncall.runbooks.tests.support.serving import TOKEN, Serving, alert
from ansible_collections.oncall.runbooks.tests.support.waiting import until

ROSA = "r0sa" * 8


@pytest.fixture
def serving(request, tmp_path):
    """A service with its page, on the database that the test names."""
    made = Serving(
        tmp_path,
        runbooks={"cache": {"mode": "approve"}},
        incidents={"systems": {"shop": ["web"]}, "watch_seconds": 5},
        page={},
    )
    with (tmp_path / "tokens").open("a") as tokens:
        tokens.write(f"{ROSA} responder rosa\n")
    with ExitStack() as ended:
        if getattr(request, "param", "SQLite") == "PostgreSQL":
            postgres = ended.enter_context(server())
            postgres.execute("CREATE DATABASE oncall", dbname="postgres")
            made.write(database=f"postgresql://postgres@127.0.0.1:{postgres.port}/oncall")
        ended.callback(made.stop)
        yield made.start()


@pytest.mark.parametrize("serving", ["SQLite", "PostgreSQL"], indirect=True)
def test_from_an_alert_to_the_post_mortem_in_a_browser(serving):
    (host,) = serving.hosts
    serving.send(alert(host.name))
    serving.until_state(host, "waiting")
    with chromium() as browser, looking(browser, f"http://127.0.0.1:{serving.port}", viewport=PHONE) as (page, trouble):
        page.goto("/")
        page.fill("#token", ROSA)
        page.press("#token", "Enter")
        page.wait_for_url("**/")
        # What is new comes into an open page by itself.
        page.locator("a.card-link", has_text="Redis is down").click(timeout=SECONDS * 1000)
        page.wait_for_url("**/incidents/INC-1")
        page.locator("#waits").wait_for()
        page.locator(".attention a.card-link").click()
        page.wait_for_url("**/plans/*")
        told = page.inner_text("main")
        for part in ("What was found", "What would be done", "restart", "What would change", "Your decision"):
            assert part in told, part
        assert host.effects() == 0
        page.fill("#reason", "it is down")
        page.click("text=Approve exactly this")
        page.wait_for_url("**did=approved")
        serving.until_state(host, "ended")
        assert host.effects() == 1
        page.goto("/incidents/INC-1")
        # It helped, then the alert is over, and after the watch so is the incident: without a tap.
        page.locator(".lead .state-mitigated").wait_for(timeout=3 * SECONDS * 1000)
        serving.send(alert(host.name, status="resolved", endsAt="2026-01-01T01:00:00Z"))
        page.locator(".lead .state-resolved").wait_for(timeout=3 * SECONDS * 1000)
        words = page.inner_text("main")
        assert "approved the plan of cache on h000" in words and "rosa" in words
        page.click("text=Open the post-mortem")
        page.click("text=Read the document")
        page.wait_for_url("**/postmortem.html")
        document = page.inner_text("body")
        assert "Redis is down" in document and "rosa" in document and "it is down" in document
        assert page.evaluate("getComputedStyle(document.querySelector('main')).maxWidth") != "none"
        assert trouble == []
    argv = [sys.executable, "-m", "oncall", "incident", "show", "1", "--json"]
    done = subprocess.run(argv, env=serving.environment, cwd=serving.folder, capture_output=True, text=True, check=True)
    record = json.loads(done.stdout)
    (approval,) = [one for one in record["timeline"] if one["kind"] == "approval"]
    assert (approval["who"], approval["data"]["decision"], approval["data"]["reason"]) == (
        "rosa",
        "approved",
        "it is down",
    )
    # Every entry of the record that the document cites is one of it.
    numbers = {int(one) for one in re.findall(r"\(entr(?:y|ies) ([0-9]+)", document)}
    assert numbers and max(numbers) <= len(record["timeline"])


def test_what_machines_ask_and_what_people_look_at_stand_beside_each_other(serving):
    for path in ("/metrics", "/readyz", "/healthz"):
        assert serving.request("GET", path)[0] == 200
    assert serving.request("GET", "/metrics", token="")[0] == 401
    # The page knows people by their sessions, and no machine.
    status, said = serving.request("GET", "/")
    assert (status, said) == (303, "")
    assert serving.request("GET", "/signin")[0] == 200
    form = urlencode({"token": TOKEN}).encode()
    origin = {"Origin": f"http://127.0.0.1:{serving.port}", "Content-Type": "application/x-www-form-urlencoded"}
    connection = http.client.HTTPConnection("127.0.0.1", serving.port, timeout=60)
    connection.request("POST", "/signin", form, origin)
    assert connection.getresponse().status == 403
    connection.close()
    assert TOKEN not in serving.log.read_text() and ROSA not in serving.log.read_text()


def test_who_waits_for_news_does_not_hold_up_the_end(serving):
    with chromium() as browser, looking(browser, f"http://127.0.0.1:{serving.port}") as (page, _trouble):
        page.goto("/")
        page.fill("#token", ROSA)
        page.press("#token", "Enter")
        page.wait_for_url("**/")
        page.wait_for_timeout(1500)
        assert serving.terminate(60) == 0
    until(lambda: "ended" in serving.log.read_text())
