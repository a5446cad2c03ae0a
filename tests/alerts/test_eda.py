# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rulebooks and event filters of extensions/eda, in one real ansible-rulebook that everything is posted to."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from hostile_alerts import Hostile, corpus, templates
from http_servers import Handler, HttpServer
from rulebook import Rulebook, environment, plain_ruleset, post
from serving import Host, alert, notification
from waiting import until

from lab.ports import free_port
from oncall.serve.intake.alerts import read

REPOSITORY = Path(__file__).resolve().parents[2]
EDA = REPOSITORY / "extensions" / "eda"
# What ansible-rulebook's templates would take for a number, like the name of the host 1e3.
TOKEN = "4711000047110000"
SERVE_TOKEN = "into-oncall-serve-4712"
# Tells what a playbook is given.
GIVEN = """
import json, os
from ansible import context
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = "{name: given, type: notification, short_description: what a play is given}"

class CallbackModule(CallbackBase):
    CALLBACK_VERSION, CALLBACK_TYPE, CALLBACK_NAME, CALLBACK_NEEDS_ENABLED = 2.0, "notification", "given", True

    def v2_playbook_on_play_start(self, play):
        given = {"limit": context.CLIARGS["subset"], "variables": play.get_variable_manager().extra_vars}
        with open(os.environ["GIVEN"], "a") as file:
            file.write(json.dumps(given) + "\\n")
"""
# What a terminal might act on.
NOT_PLAIN = re.compile("[^ -~]")
SAYS = [{"hosts": "all", "gather_facts": False, "tasks": [{"ansible.builtin.debug": {"msg": "{{ text }}"}}]}]


class Receiver(HttpServer):
    """Stands where ``oncall serve`` would: an HTTP server that keeps what it is sent, and answers as it is told.

    Attributes:
        answer: the status of its answers; 0 hangs up without one.
        seen: path, headers and body of each request.
        go_on: while it is not set, nothing is answered.
    """

    def __init__(self, port: int) -> None:
        self.answer, self.seen, self.go_on = 202, list[tuple[str, dict[str, str], bytes]](), threading.Event()
        self.go_on.set()
        outer = self

        class Asked(Handler):
            def do_GET(self) -> None:
                outer.seen.append((self.path, {}, b""))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.seen.append((self.path, dict(self.headers), body))
                outer.go_on.wait(120)
                if outer.answer:
                    self.send_response(outer.answer)
                    self.send_header("Location", "http://127.0.0.1:1/alerts")
                    self.end_headers()
                    self.wfile.write(b"{}")

        super().__init__(Asked, port)


class Eda:
    """The running process, and the ports of its three rulesets.

    Args:
        folder: an empty folder.
        closing: ends what is started here.
    """

    def __init__(self, folder: Path, closing: ExitStack) -> None:
        self.folder = folder
        self.canary = folder / "canary"
        self.records = folder / "records"
        self.forward_port, self.run_port, self.naive_port = (free_port() for _ in range(3))
        self.serve_port = free_port()
        self.receiver = Receiver(self.serve_port)
        closing.callback(lambda: self.receiver.close())
        self.url = f"http://127.0.0.1:{self.serve_port}"
        self.hosts = {name: Host(folder / "hosts", name, 0.1) for name in ("h000", "h001", "1e3", "fd00::1")}
        for host in self.hosts.values():
            closing.callback(host.stop)
        for name in ("1e3", "fd00::1"):
            self.hosts[name].restart()
        inventory, token = folder / "hosts.json", folder / "token"
        web = {name: host.variables() for name, host in self.hosts.items()}
        inventory.write_text(json.dumps({"all": {"children": {"web": {"hosts": web}}}}))
        token.write_text(f"{SERVE_TOKEN}\n")
        settings = {
            "inventories": [str(inventory)],
            "state_directory": str(folder / "state"),
            "runbooks": {"cache": {"mode": "auto"}, "db_pool": {"mode": "off"}},
        }
        (folder / "serve.yml").write_text(yaml.safe_dump(settings))
        (folder / "plays").mkdir()
        (folder / "plays" / "naive.yml").write_text(yaml.safe_dump(SAYS))
        (folder / "callbacks").mkdir()
        (folder / "callbacks" / "given.py").write_text(GIVEN)
        # The rulebooks as they are, but for what differs from machine to machine.
        forward, run = (
            yaml.safe_load((EDA / "rulebooks" / f"oncall_{name}.yml").read_text()) for name in ("forward", "run")
        )
        forward[0]["sources"][0]["eda.builtin.webhook"]["port"] = self.forward_port
        forward[0]["sources"][0]["filters"][0]["oncall.runbooks.oncall_forward"] = {
            "url": f"{self.url}/alerts",
            "token_file": str(token),
        }
        # What whoever trusts a text of an alert gets.
        text = {"text": "{{ event.payload.alerts[0].annotations.summary }}"}
        naive = plain_ruleset(self.naive_port, "h000", folder / "plays" / "naive.yml", text)
        (folder / "rulebook.yml").write_text(yaml.safe_dump([*forward, *run, naive]))
        self.process = Rulebook(
            folder,
            folder / "rulebook.yml",
            inventory,
            {"oncall_port": self.run_port, "oncall_token": TOKEN},
            [self.forward_port, self.run_port, self.naive_port],
            {
                "ONCALL_CONFIG": str(folder / "serve.yml"),
                "ONCALL_RECORD_DIRECTORY": str(self.records),
                "ANSIBLE_CALLBACK_PLUGINS": str(folder / "callbacks"),
                "ANSIBLE_CALLBACKS_ENABLED": "oncall.runbooks.record,given",
                "GIVEN": str(folder / "given"),
            },
        )
        closing.callback(self.process.stop)
        self._awaited: list[tuple[str, str, str]] = []

    def forward(self, body: bytes, **more: Any) -> int:
        return post(f"http://127.0.0.1:{self.forward_port}/alerts", body, TOKEN, **more)

    def run(self, body: bytes, path: str = "alerts", **more: Any) -> int:
        return post(f"http://127.0.0.1:{self.run_port}/{path}", body, TOKEN, **more)

    def runs(self) -> list[tuple[str, str, str]]:
        """Runbook, host and outcome of every run there was, in order."""
        records = sorted(self.records.glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
        runs = [run for path in records for run in json.loads(path.read_text())["runs"]]
        return [(run["runbook"], run["host"], run["outcome"]) for run in runs]

    def wait_for(self, host: str, outcome: str) -> None:
        """Until the runbook has run on this host, and since the last call on no other."""
        self._awaited.append(("cache", host, outcome))
        until(lambda: len(self.runs()) >= len(self._awaited))
        assert self.runs() == self._awaited, self.process.said()[-3000:]

    def given(self) -> list[dict[str, Any]]:
        """What each play was given: ``limit`` and ``variables``."""
        return [json.loads(line) for line in (self.folder / "given").read_text().splitlines()]

    def remedies(self) -> dict[str, int]:
        """How many were begun on each host."""
        return {name: host.effects() for name, host in self.hosts.items()}


@pytest.fixture(scope="module")
def running(tmp_path_factory) -> Iterator[Eda]:
    with ExitStack() as closing:
        yield Eda(tmp_path_factory.mktemp("eda"), closing)


@pytest.fixture
def eda(running) -> Iterator[Eda]:
    """It lives before and after each test, and nothing from outside was executed."""
    running.receiver.answer = 202
    running.receiver.seen.clear()
    yield running
    running.receiver.go_on.set()
    assert running.process.alive(), running.process.said()[-3000:]
    assert not running.canary.exists()
    assert not any(path == "/canary" for path, _headers, _body in running.receiver.seen)


def body(*alerts: dict[str, Any]) -> bytes:
    return notification(alerts)


# ---------------------------------------------------------------- handed on to oncall serve
def test_what_is_handed_on_is_what_came(eda):
    text = '{{ 7 * 7 }} "quoted" \\ \u2028 \U0001f600 \x1b[31m \x00 1e3 null'
    sent = body(
        alert(annotations={"summary": text, "n": "0x10"}),
        alert("[::1]:9100", status="resolved", labels={"ansible_host": "all", "meta": text}),
        {"status": "no alert", "labels": [1, 2.5, 10**30, True, None]},
    )
    assert eda.forward(sent) == 200
    ((path, headers, received),) = eda.receiver.seen
    assert (path, headers["Authorization"], headers["Content-Type"]) == (
        "/alerts", f"Bearer {SERVE_TOKEN}", "application/json",
    )  # fmt: skip
    assert json.loads(received) == json.loads(sent)
    alerts = [*read(sent).each()]
    assert [*read(received).each()] == alerts and len(alerts) == 2


def test_nobody_is_acknowledged_before_oncall_serve_has_answered(eda):
    eda.receiver.go_on.clear()
    with ThreadPoolExecutor(1) as pool:
        posted = pool.submit(eda.forward, body(alert()))
        until(lambda: eda.receiver.seen)
        with pytest.raises(TimeoutError):
            posted.result(0.5)
        eda.receiver.go_on.set()
        assert posted.result(90) == 200


@pytest.mark.parametrize("answer", [503, 500, 401, 400, 429, 302, 0])
def test_what_is_not_taken_is_not_acknowledged_and_is_logged(eda, answer):
    eda.receiver.answer = answer
    before = eda.process.said().count("is not acknowledged")
    assert eda.forward(body(alert())) == 503
    until(lambda: eda.process.said().count("is not acknowledged") == before + 1)
    eda.receiver.answer = 202
    assert eda.forward(body(alert())) == 200


def test_while_oncall_serve_is_down_and_when_it_is_back(eda):
    eda.receiver.close()
    try:
        assert eda.forward(body(alert())) == 503
    finally:
        eda.receiver = Receiver(eda.serve_port)
    assert eda.forward(body(alert())) == 200


@pytest.mark.parametrize("missing", [True, False])
def test_a_token_that_cannot_be_read(eda, missing):
    token = eda.folder / "token"
    token.rename(eda.folder / "away")
    if not missing:
        token.write_bytes(b"\xff\xfe")
    try:
        assert eda.forward(body(alert())) == 503
        assert eda.receiver.seen == []
    finally:
        (eda.folder / "away").rename(token)
    assert eda.forward(body(alert())) == 200


def test_what_is_too_long_for_the_source(eda):
    assert eda.forward(body(alert(annotations={"summary": "x" * 1024 * 1024}))) == 413
    assert eda.receiver.seen == []


def test_strangers(eda):
    for port in (eda.forward_port, eda.run_port):
        for given in ("", "wrong", TOKEN[:-1], f" {TOKEN}"):
            assert post(f"http://127.0.0.1:{port}/alerts", body(alert()), given) == 401
    assert eda.receiver.seen == []


@pytest.mark.parametrize("name", ["oncall_forward", "oncall_run"])
def test_without_a_token_it_does_not_start(tmp_path, name):
    settings_in(tmp_path, cache={})
    with pytest.raises(AssertionError, match=r"(?s)has ended.*'oncall_token' is undefined"):
        Rulebook(tmp_path, EDA / "rulebooks" / f"{name}.yml", tmp_path / "hosts.yml", {"oncall_port": 1}, [1])


# ---------------------------------------------------------------- run by ansible-rulebook
def nasty(eda: Eda) -> list[str]:
    return [text for text in templates(str(eda.canary), f"{eda.url}/canary") if "\0" not in text]


def test_the_canary_sings_where_nothing_protects(eda):
    text = f"{{{{ lookup('ansible.builtin.pipe', 'touch {eda.canary}') }}}}"
    assert text in nasty(eda)
    assert post(f"http://127.0.0.1:{eda.naive_port}/", body(alert(annotations={"summary": text}))) == 200
    until(eda.canary.exists)
    eda.canary.unlink()


def test_an_alert_is_run_once_on_its_host_whatever_its_texts_say(eda):
    texts = nasty(eda)
    sound = {name: number for name, number in eda.remedies().items() if name != "h000"}
    known = {"meta": "all", "ansible_host": texts[0], "__ansible_unsafe": texts[0], "run_hosts": "all"}
    first = alert(
        annotations={f"a{number}": text for number, text in enumerate(texts)} | {texts[0]: texts[0]},
        labels={f"l{number}": text for number, text in enumerate(texts)} | {texts[0]: texts[0]} | known,
        generatorURL=texts[0],
        endsAt=texts[1],
        meta={"hosts": "all"},
        ansible_eda={"event": texts[0]},
    )
    around = {"meta": {"hosts": "all"}, "hosts": "all", "externalURL": texts[0], "groupKey": texts[0]}
    whole = json.dumps({**json.loads(body(first)), **around}).encode()
    assert eda.run(whole, path="%7B%7B%20lookup('pipe','id')%20%7D%7D", headers={"X-Meta": texts[0]}) == 200
    eda.wait_for("h000", "resolved")
    assert eda.remedies() == {"h000": 1, **sound}
    given = eda.given()[-1]
    assert not any(text in json.dumps(given) for text in ("touch", "lookup", "X-Meta", "pipe"))
    event = given["variables"]["ansible_eda"].pop("event")
    meta = event.pop("meta")
    assert set(meta) == {"hosts", "source", "received_at", "uuid", "rule_engine"} and meta["hosts"] == "h000"
    assert re.fullmatch("[0-9a-f]{20}", event.pop("episode"))
    assert event == {"runbook": "cache", "host": "h000", "run_until": "verify"}
    assert given == {
        "limit": "h000",
        "variables": {
            "run_hosts": "h000",
            "run_until": "verify",
            "ansible_eda": {"ruleset": "Run the runbooks of alerts", "rule": "Run the runbook"},
        },
    }
    # Again, by an Alertmanager of another time zone, and in the group of others.
    again = alert(startsAt="2026-01-01T01:00:00.000000000+01:00")
    for whole in (body(first), body(again), body(again, alert("[fd00::1]:9100"), alert(status="resolved"))):
        assert eda.run(whole) == 200
    eda.wait_for("fd00::1", "healthy")
    # A new episode.
    assert eda.run(body(alert(number=1))) == 200
    eda.wait_for("h000", "healthy")
    assert eda.remedies() == {"h000": 1, **sound}


def hostile(eda: Eda) -> Iterator[Hostile]:
    return corpus(["h000", "h001"], "web", "cache", str(eda.canary), f"{eda.url}/canary")


def test_no_attack_runs_anything_anywhere(eda):
    answers = [eda.run(one.body) for one in hostile(eda) if not one.host]
    assert len(answers) > 500 and set(answers) <= {200, 400, 413, 500}
    # One after the other: whatever they began would have come before this one.
    assert eda.run(body(alert("1e3:9100", number=2))) == 200
    eda.wait_for("1e3", "healthy")
    said = [line for line in eda.process.said().splitlines() if " oncall.eda " in line]
    assert sum("is dropped" in line for line in said) > 500
    assert not any(map(NOT_PLAIN.search, said))


# ---------------------------------------------------------------- the filter alone
def filtered(folder: Path, *notifications: dict[str, Any]) -> tuple[list[Any], list[str]]:
    """What comes of notifications with the settings in a folder, None where they are not taken; and what was logged."""
    program = """
import json, runpy, sys
from aiohttp.web import HTTPServiceUnavailable
main = runpy.run_path(sys.argv[1])["main"]
for line in sys.stdin:
    try:
        print(json.dumps(main({"payload": json.loads(line)}, sys.argv[2])))
    except HTTPServiceUnavailable:
        print("null")
"""
    argv = [str(environment() / "bin" / "python"), "-c", program]
    ended = subprocess.run(
        [*argv, str(EDA / "plugins" / "event_filter" / "oncall_alerts.py"), str(folder / "serve.yml")],
        input="".join(f"{json.dumps(one)}\n" for one in notifications),
        capture_output=True, text=True, timeout=240, check=True,
    )  # fmt: skip
    return [json.loads(line) for line in ended.stdout.splitlines()], ended.stderr.splitlines()


def settings_in(folder: Path, **runbooks: dict[str, Any]) -> None:
    settings = {"inventories": ["hosts.yml"], "state_directory": "state", "runbooks": runbooks}
    (folder / "hosts.yml").write_text("{web: {hosts: {h000: , h001: }}}")
    (folder / "serve.yml").write_text(yaml.safe_dump(settings))


def test_how_far_a_run_goes_is_what_the_mode_says(tmp_path):
    modes = {"cache": "auto", "db_pool": "approve", "db_down": "suggest", "latency": "off"}
    settings_in(tmp_path, **{name: {"mode": mode} for name, mode in modes.items()})
    ((*events,),), logged = filtered(tmp_path, json.loads(body(*(alert(labels={"runbook": name}) for name in modes))))
    assert [(event["runbook"], event["run_until"]) for event in events] == [
        ("cache", "verify"), ("db_pool", "plan"), ("db_down", "plan"),
    ]  # fmt: skip
    assert len({event["episode"] for event in events}) == 3 and logged == []


def test_nothing_of_what_an_alert_says_is_left(eda, tmp_path):
    settings_in(tmp_path, cache={})
    sent, wanted = [], []
    for one in hostile(eda):
        with suppress(ValueError, RecursionError):
            # As the source reads it.
            sent.append(json.loads(one.body.decode()))
            wanted.append(one.host)
    events, logged = filtered(tmp_path, *sent)
    rest = {"runbook": "cache", "run_until": "plan"}
    for found, host in zip(events, wanted, strict=True):
        episodes = [event.pop("episode") for event in found]
        assert all(re.fullmatch("[0-9a-f]{20}", episode) for episode in episodes)
        assert found in ([], [{**rest, "host": host, "meta": {"hosts": host}}] if host else [])
    assert sum(map(bool, events)) > 500 and not any(map(NOT_PLAIN.search, logged))


@pytest.mark.parametrize("name", ["serve.yml", "hosts.yml"])
def test_where_the_rules_cannot_be_read_nothing_is_taken(tmp_path, name):
    settings_in(tmp_path, cache={})
    (tmp_path / name).write_text("[")
    events, (logged,) = filtered(tmp_path, json.loads(body()))
    assert events == [None] and name in logged


def test_the_installed_collection_has_it(tmp_path):
    (tmp_path / "ansible.cfg").touch()
    places = {
        "ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg"),
        "ANSIBLE_HOME": str(tmp_path / "home"),
        "ANSIBLE_COLLECTIONS_PATH": str(tmp_path / "collections"),
        "ONCALL_CONFIG": str(tmp_path / "serve.yml"),
    }

    def galaxy(*arguments: object) -> None:
        argv = [str(environment() / "bin" / "ansible-galaxy"), "collection", *map(str, arguments)]
        subprocess.run(argv, cwd=tmp_path, env={**os.environ, **places}, capture_output=True, timeout=240, check=True)

    galaxy("build", REPOSITORY, "--output-path", tmp_path)
    galaxy("install", "--offline", "--no-deps", *tmp_path.glob("*.tar.gz"))
    installed = tmp_path / "collections" / "ansible_collections" / "oncall" / "runbooks" / "extensions" / "eda"
    files = {path.relative_to(EDA) for path in EDA.rglob("*.*") if "__pycache__" not in path.parts}
    assert {path.relative_to(installed) for path in installed.rglob("*.*")} == files
    settings_in(tmp_path, cache={})
    port = free_port()
    variables = {"oncall_port": port, "oncall_token": TOKEN}
    with Rulebook(tmp_path, "oncall.runbooks.oncall_run", tmp_path / "hosts.yml", variables, [port], places) as running:
        assert post(f"http://127.0.0.1:{port}/alerts", body(alert("all")), TOKEN) == 200
        until(lambda: "an alert is dropped: \"no host 'all'" in running.said())
