# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""extensions/prometheus with the real programs: its rules, its examples, and an alert on its whole way to a webhook."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.oncall.runbooks.tests.support.debian_programs import program
from ansible_collections.oncall.runbooks.tests.support.http_servers import Handler, HttpServer
from ansible_collections.oncall.runbooks.tests.support.plays import REPOSITORY
from ansible_collections.oncall.runbooks.tests.support.waiting import until
from lab.tools.alertmanager import Alertmanager, ensure_alertmanager, ensure_amtool
from lab.tools.prometheus import (
    Prometheus,
    ensure_prometheus,
    ensure_promtool,
    hurried,
)
from oncall.serve.intake import alerts

EXTENSION = REPOSITORY / "extensions" / "prometheus"
RULES = sorted((EXTENSION / "rules").glob("*.yml"))
# A minute of the rules is a second here.
TIMES = 60
TOKEN = "a-token-of-the-tests"


def ran(*argv: object) -> str:
    done = subprocess.run([str(part) for part in argv], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_rules_are_rules():
    said = ran(program(ensure_promtool), "check", "rules", *RULES)
    assert said.count("SUCCESS") == len(RULES) > 0


# The signals that the source documents ask for.
SIGNALS = [
    pytest.param("api_down", marks=pytest.mark.covers("PD-1-1")),
    pytest.param("cache", marks=pytest.mark.covers("LP-4-1", "PD-1-3")),
    pytest.param("circuit_breaker", marks=pytest.mark.covers("LP-2-1")),
    pytest.param("db_down", marks=pytest.mark.covers("SY-3-1", "PD-1-2")),
    pytest.param("db_pool", marks=pytest.mark.covers("LP-3-1")),
    pytest.param("disk_full", marks=pytest.mark.covers("PD-1-4")),
    pytest.param("error_rate", marks=pytest.mark.covers("LP-1-1", "SY-1-1")),
    pytest.param("job_scheduler", marks=pytest.mark.covers("PD-2-3")),
    pytest.param("latency", marks=pytest.mark.covers("SY-4-1")),
    pytest.param("notification_provider", marks=pytest.mark.covers("PD-3-1")),
    pytest.param("payment_webhook", marks=pytest.mark.covers("PD-3-3")),
    pytest.param("resource_usage", marks=pytest.mark.covers("LP-6-1", "PD-2-5")),
    pytest.param("stalled_workflow", marks=pytest.mark.covers("SY-5-1")),
    pytest.param("sync_lag", marks=pytest.mark.covers("JO-3-1")),
    pytest.param("worker_queue", marks=pytest.mark.covers("SY-2-1")),
]
OTHERS = {path.stem for path in (EXTENSION / "tests").glob("*.yml")} - {one.values[0] for one in SIGNALS}


@pytest.mark.parametrize("runbook", [*SIGNALS, *sorted(OTHERS)])
def test_rules_fire_when_they_have_to_and_only_then(runbook):
    said = ran(program(ensure_promtool), "test", "rules", EXTENSION / "tests" / f"{runbook}.yml")
    assert said.count("SUCCESS") == 1


def test_the_example_for_prometheus_is_valid(tmp_path):
    shutil.copytree(EXTENSION, tmp_path, dirs_exist_ok=True)
    (tmp_path / "oncall-token").write_text(TOKEN)
    said = ran(program(ensure_promtool), "check", "config", tmp_path / "prometheus.yml")
    assert f"{len(RULES)} rule files found" in said


def test_the_example_for_alertmanager_is_valid():
    assert "SUCCESS" in ran(program(ensure_amtool), "check-config", EXTENSION / "alertmanager.yml")


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        (["alertname=DbPoolExhausted", "runbook=db_pool", "instance=shop"], "oncall,people"),
        (["alertname=OfSomebodyElse", "instance=shop"], "people"),
        (["alertname=OncallDown", "job=oncall"], "people"),
        (["alertname=Watchdog"], "watchdog"),
    ],
)
def test_who_is_told(labels, receivers):
    config = f"--config.file={EXTENSION / 'alertmanager.yml'}"
    assert ran(program(ensure_amtool), "config", "routes", "test", config, *labels).split() == [receivers]


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("for: 2m", "for: 2000ms"),
        ("[1h:1m] offset 15m", "[60000ms:1000ms] offset 15000ms"),
        ("group_wait: 0s", "group_wait: 0ms"),
        ("x > 0.95 and y >= 1800, 5xx, a1m, p95", "x > 0.95 and y >= 1800, 5xx, a1m, p95"),
    ],
)
def test_only_durations_are_made_shorter(text, short):
    assert hurried(text, TIMES) == short


class Outside(HttpServer):
    """The application that is scraped, and all who are told: answers every request, and remembers those with a body."""

    def __init__(self) -> None:
        self.waiting = 0
        self.told: list[tuple[str, str, bytes]] = []
        outside = self

        class Asked(Handler):
            def do_GET(self) -> None:
                body = f"# TYPE app_db_pool_waiting gauge\napp_db_pool_waiting {outside.waiting}\n".encode()
                self.give(body, Content_Type="text/plain; version=0.0.4")

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outside.told.append((self.path, self.headers.get("Authorization", ""), body))
                self.give(b"{}")

        super().__init__(Asked)

    def heard(self, path: str) -> list[dict[str, Any]]:
        """The alerts that came there, the first first."""
        return [alert for where, _, body in [*self.told] if where == path for alert in json.loads(body)["alerts"]]


@pytest.fixture
def outside() -> Iterator[Outside]:
    found = Outside()
    yield found
    found.close()


def configuration(place: str) -> str:
    """The example for Alertmanager, with everybody who is told at this place."""
    text = (EXTENSION / "alertmanager.yml").read_text()
    for url in ("http://127.0.0.1:9095", "https://dead-mans-switch.example", "https://people.example"):
        assert url in text
        text = text.replace(url, f"http://{place}{'/people' if 'people' in url else ''}")
    return hurried(text, TIMES)


@pytest.mark.covers("LP-3-1")
def test_an_alert_of_a_rule_arrives_and_is_over(outside: Outside, tmp_path: Path):
    rules = []
    for name in ("db_pool", "oncall"):
        rules.append(tmp_path / f"{name}.yml")
        rules[-1].write_text(hurried((EXTENSION / "rules" / f"{name}.yml").read_text(), TIMES))
    (tmp_path / "oncall-token").write_text(TOKEN)
    outside.waiting = 3
    alertmanager = Alertmanager(program(ensure_alertmanager), tmp_path, configuration(outside.place))
    try:
        alertmanager.wait_until_ready()
        jobs = {"api": [outside.place]}
        prometheus = Prometheus(
            program(ensure_prometheus), tmp_path / "prometheus", jobs, "shop", rules, alertmanager.place
        )
        try:
            firing = until(lambda: [one for one in outside.heard("/alerts") if "runbook" in one["labels"]])[0]
            outside.waiting = 0
            over = until(lambda: [one for one in outside.heard("/alerts") if one["status"] == "resolved"])[0]
            until(lambda: {"DbPoolExhausted", "OncallDown"} <= names(outside.heard("/people/alerts")))
        finally:
            prometheus.stop()
    finally:
        alertmanager.stop()
    labels = {"alertname": "DbPoolExhausted", "instance": "shop", "runbook": "db_pool", "severity": "high"}
    assert (firing["status"], firing["labels"], over["labels"]) == ("firing", labels, labels)
    assert firing["annotations"]["runbook_url"] == "roles/db_pool/README.md"
    # Over is an episode that had fired.
    episodes = {(one["fingerprint"], one["startsAt"]) for one in outside.heard("/alerts") if one["status"] == "firing"}
    assert (over["fingerprint"], over["startsAt"]) in episodes
    # People hear of it too; of oncall serve itself, which nobody scrapes here, they hear alone.
    assert names(outside.heard("/people/alerts")) == {"DbPoolExhausted", "OncallDown"}
    assert names(outside.heard("/alerts")) == {"DbPoolExhausted", "Watchdog"}
    assert names(outside.heard("/oncall")) == {"Watchdog"}
    # The service reads all of it, and knows who sends it.
    sent = [(header, body) for path, header, body in outside.told if path == "/alerts"]
    assert {header for header, _ in sent} == {f"Bearer {TOKEN}"}
    assert [bad for _, body in sent for bad in alerts.read(body).bad] == []
    # Each alert is a group of its own.
    assert {len(json.loads(body)["alerts"]) for _, body in sent} == {1}


def names(heard: list[dict[str, Any]]) -> set[str]:
    return {alert["labels"]["alertname"] for alert in heard}
