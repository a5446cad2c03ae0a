# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The running service under thousands of notifications that mean harm: what they reach, what is left of them, and of secrets."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible.template import Templar, trust_as_template

from ansible_collections.oncall.runbooks.tests.support.hostile_alerts import Hostile, corpus, templates
from ansible_collections.oncall.runbooks.tests.support.serving import (
    HEADERS,
    TOKEN,
    Serving,
    alert,
    notification,
    wait_until_empty,
)
from ansible_collections.oncall.runbooks.tests.support.waiting import until

SENDERS = 32
VAULT_PASSWORD = "planted-vault-password-4711"
SECRETS = {
    "environment": "planted-environment-4711",
    "vault": "planted-vault-4711",
    "vault password": VAULT_PASSWORD,
    "settings": "planted-settings-4711",
    "token": TOKEN,
}
# Where a person has put them.
KNOWS_THEM = {"tokens", "serve.yml", "vault-password"}


@pytest.fixture
def serving(tmp_path, monkeypatch):
    """A service with secrets wherever one can have them; paused, and three hosts whose Redis is down."""
    monkeypatch.setenv("SOME_API_TOKEN", SECRETS["environment"])
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    variables = {"some_password": SECRETS["settings"]}
    serving = Serving(tmp_path, hosts=3, runbooks={"cache": {"mode": "suggest", "variables": variables}})
    vaulted = VaultLib([("default", VaultSecret(VAULT_PASSWORD.encode()))]).encrypt(SECRETS["vault"])
    inventory = json.loads((tmp_path / "inventory.json").read_text())
    for variables in inventory["all"]["children"]["web"]["hosts"].values():
        variables["vaulted"] = {"__ansible_vault": vaulted.decode()}
        variables["system_redis"]["password"] = "{{ vaulted }}"
    (tmp_path / "inventory.json").write_text(json.dumps(inventory))
    (tmp_path / "vault-password").write_text(VAULT_PASSWORD)
    (tmp_path / "ansible.cfg").write_text("[defaults]\nvault_password_file = vault-password\n")
    (tmp_path / "state").mkdir(mode=0o700)
    (tmp_path / "state" / "pause").write_text("until all are sorted")
    yield serving.start()
    serving.stop()


def answers(port: int, some: list[Hostile]) -> list[tuple[int, str]]:
    """Send them one after another; what is answered."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    told = []
    for one in some:
        connection.request("POST", "/alerts", one.body, HEADERS)
        answer = connection.getresponse()
        told.append((answer.status, answer.read().decode()))
    connection.close()
    return told


def shown_safely(text: str) -> bool:
    """Whether a terminal would only show it."""
    return all(line.isprintable() for line in text.replace("\t", "").split("\n"))


class Watch:
    """Looks for secrets in the arguments of every process, and in the environments of runs, until it is over."""

    def __init__(self, serving: Serving) -> None:
        self.found: list[str] = []
        self.runs: set[int] = set()
        self._serving, self._over = serving, threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.05):
            runs = self._serving.processes()
            self.runs.update(runs)
            files = [*Path("/proc").glob("[0-9]*/cmdline"), *(Path(f"/proc/{pid}/environ") for pid in runs)]
            for file in files:
                try:
                    content = file.read_text(errors="replace")
                except OSError:
                    continue
                self.found += [f"{name} in {file}" for name, secret in SECRETS.items() if secret in content]


def left_behind(folder: Path) -> list[str]:
    """The files in which a secret is, beside those into which a person has put it."""
    files = [file for file in folder.rglob("*") if file.is_file() and file.name not in KNOWS_THEM]
    assert {"oncall.sqlite3", "workflows.sqlite3", "serve.log"} <= {file.name for file in files}
    return [
        f"{name} in {file}"
        for file in files
        for name, secret in SECRETS.items()
        if secret.encode() in file.read_bytes()
    ]


@pytest.mark.parametrize("number", [0, 1, 2, 6, 8])
def test_a_template_would_make_the_canary_if_it_were_one(tmp_path, number):
    canary = tmp_path / "canary"
    text = templates(str(canary), "http://127.0.0.1:1/")[number]
    Templar(loader=DataLoader(), variables={}).template(trust_as_template(text))
    assert canary.exists()


def test_thousands_that_mean_harm(serving, tmp_path):
    canary = tmp_path / "canary"
    with socket.create_server(("127.0.0.1", 0)) as asked:
        url = f"http://127.0.0.1:{asked.getsockname()[1]}/canary"
        hostile = [*corpus([host.name for host in serving.hosts], "web", "cache", str(canary), url)]
        assert len({one.body for one in hostile}) >= 500
        send_all(serving, hostile)
        sorted_by_names_alone(serving, hostile)
        what_people_see(serving)
        run_three_of_them(serving)
        assert serving.terminate() == 0
        assert not canary.exists()
        asked.setblocking(False)
        # Whoever had asked would stand in line.
        with pytest.raises(BlockingIOError):
            asked.accept()
    for line in serving.log.read_text().splitlines():
        told = json.loads(line)
        assert line.isascii() and line.isprintable()
        assert told["level"] in ("info", "warning"), line
    assert "Traceback" not in serving.log.read_text()
    assert left_behind(tmp_path) == []


def send_all(serving: Serving, hostile: list[Hostile]) -> None:
    """None of them gets an answer that says more than that it is taken, or why not."""
    parts = [hostile[number::SENDERS] for number in range(SENDERS)]
    with ThreadPoolExecutor(SENDERS) as pool:
        told = [*pool.map(answers, [serving.port] * SENDERS, parts)]
    for one, (status, text) in zip(
        [one for part in parts for one in part], [x for part in told for x in part], strict=True
    ):
        assert status in (202, 400), f"{one.name}: {status} {text}"
        assert status == 202 or not one.host, f"{one.name}: {text}"
        assert text.isprintable() and len(text) < 1000, one.name
    assert serving.get("/readyz") == (200, "ok\n")
    for body, headers, status in (
        (b"x" * 33 * 1024 * 1024, {}, 413),
        (notification([alert()]), {"Content-Encoding": "gzip"}, 415),
        (notification([alert()]), {"Authorization": f"Bearer  {TOKEN}"}, 401),
    ):
        connection = http.client.HTTPConnection("127.0.0.1", serving.port, timeout=60)
        try:
            connection.request("POST", "/alerts", body, {**HEADERS, **headers})
        except (BrokenPipeError, ConnectionResetError):
            # It answers and does not read on.
            assert status == 413
        assert connection.getresponse().status == status
        connection.close()


def sorted_by_names_alone(serving: Serving, hostile: list[Hostile]) -> None:
    """A run is for exactly those that name a runbook and a host; the rest is where a person can see it."""
    wait_until_empty(serving)
    episodes = serving.episodes()
    assert {(one["fingerprint"], one["host"]) for one in episodes} == {
        (one.fingerprint, one.host) for one in hostile if one.host
    }
    assert {(one["runbook"], one["state"], one["stage"]) for one in episodes} == {("cache", "queued", "check")}
    store = serving.store()
    try:
        aside = store.quarantine(most=1_000_000)
    finally:
        store.close()
    assert len(aside) > 500
    named = {one["alert"].get("labels", {}).get("instance") for one in aside}
    assert {
        "all",
        "web",
        "*",
        "!h000",
        "&web",
        "@/etc/hosts",
        "h00[0:2]",
        "h000,h001",
        "h000:h001",
        "h000\0",
        "\u202eh000",
    } <= named
    assert all("ansible_" not in name for one in episodes for name in one["alert"]["labels"])
    assert serving.get("/readyz") == (200, "ok\n")


def what_people_see(serving: Serving) -> None:
    for arguments, says in (
        (("episodes", "-n", "1000"), "paused: until all are sorted"),
        (("quarantine", "-n", "1000"), "no host 'all'"),
    ):
        told = serving.command(*arguments)
        assert (told.returncode, told.stderr) == (0, "")
        assert says in told.stdout and shown_safely(told.stdout)
        told = serving.command(*arguments, "--json")
        assert len(json.loads(told.stdout)) > 500 and shown_safely(told.stdout)
    status, text = serving.get("/metrics")
    assert status == 200 and shown_safely(text)


def run_three_of_them(serving: Serving) -> None:
    """For real, one on each host; the others are over before it is their turn."""
    episodes = serving.episodes()
    kept = {host.name: next(one["id"] for one in episodes if one["host"] == host.name) for host in serving.hosts}
    over = [resolved(one) for one in episodes if one["id"] not in kept.values()]
    assert serving.send(*over) == 202
    wait_until_empty(serving)
    with Watch(serving) as watch:
        (serving.folder / "state" / "pause").unlink()
        until(lambda: not serving.episodes("queued", "running"))
    assert watch.runs and watch.found == []
    for one in serving.episodes():
        assert one["outcome"] == ("planned" if one["id"] in kept.values() else "closed"), one["summary"]
    assert [host.effects() for host in serving.hosts] == [0, 0, 0]


def resolved(episode: dict[str, Any]) -> dict[str, Any]:
    told = alert(fingerprint=episode["fingerprint"], startsAt=episode["alert"]["starts_at"], status="resolved")
    return {**told, "labels": {"runbook": episode["runbook"], "instance": episode["host"]}}
