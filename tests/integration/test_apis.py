# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""api_info and status_page_info in real plays, from the host and from the controller: what is registered, and what is shown."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.oncall.runbooks.tests.support.host_log import host_log
from ansible_collections.oncall.runbooks.tests.support.observing import Answers
from ansible_collections.oncall.runbooks.tests.support.plays import AS_ELSEWHERE

REPOSITORY = Path(__file__).resolve().parents[2]
TOKEN = "tok-5e1d77aa"
TEMPLATE = "{{ lookup('pipe', 'touch TEMPLATED') }}"
CONNECTORS = {"connectors": [{"name": TEMPLATE, "lag": 7}], "beside": "left-5e1d77aa-over", "padding": "x" * 200_000}
TASKS = """
- name: Look at several things at once
  oncall.runbooks.observe:
    api: {apis: "{{ system_apis }}", timeout_seconds: 20}
    status_page: {pages: "{{ system_status_pages }}", timeout_seconds: 20}
    http_probe: {endpoints: {api: "{{ system_apis.crm.url }}"}, timeout_seconds: 20}
  register: seen
- name: Look at one thing
  oncall.runbooks.api_info: {apis: "{{ system_apis }}", timeout_seconds: 20}
  register: alone
- name: Look with a key in a header
  oncall.runbooks.http_probe_info: {endpoints: {api: {url: "{{ system_apis.crm.url }}", headers: {X-Key: "{{ token }}"}}}}
- name: Use a field
  ansible.builtin.debug: {msg: "it says {{ alone.apis.crm.things[0].name }}"}
- name: Give a bad expression
  oncall.runbooks.api_info: {apis: {crm: {url: "{{ system_apis.crm.url }}", fields: {lag: "a.b.# c"}}}}
  ignore_errors: true
  register: bad
- name: Tell what was seen
  ansible.builtin.debug: {msg: "TOLD {{ [seen, alone, bad] | to_json }}"}
"""
ONE_TASK = """
- name: Look at one thing
  oncall.runbooks.api_info: {apis: "{{ system_apis }}", timeout_seconds: 20}
  register: alone
- name: Tell what was seen
  ansible.builtin.debug: {msg: "TOLD {{ alone | to_json }}"}
"""


@pytest.fixture
def server():
    def connectors(headers: dict[str, str]) -> tuple[int, bytes, dict[str, str]]:
        return 200, json.dumps({**CONNECTORS, "sent": headers.get("authorization")}).encode(), {}

    def refuses(headers: dict[str, str]) -> tuple[int, bytes, dict[str, str]]:
        return 401, json.dumps({"wrong": headers.get("authorization")}).encode(), {}

    page = {"state": "up", "padding": "x"}
    running = Answers({"/connectors": connectors, "/refuses": refuses, "/page": json.dumps(page).encode()})
    yield running
    running.close()


def play(folder: Path, server: Answers, place: str, tasks: str, *paths: str) -> tuple[str, Any]:
    """What a play shows with -vvv, and what it registered."""
    auth = {"bearer": TOKEN}
    fields = {"name": "name", "lag": "lag"}
    variables = {
        "ansible_connection": "local",
        "ansible_python_interpreter": AS_ELSEWHERE,
        "system_observe_from": place,
        "token": TOKEN,
        "system_apis": {
            "crm": {"url": f"{server.url}/connectors", "auth": auth, "list": "connectors", "fields": fields},
            "sent": {"url": f"{server.url}/connectors", "auth": auth, "fields": {"sent": "sent"}},
            "no": {"url": f"{server.url}/refuses", "auth": auth, "fields": fields},
        },
        "system_status_pages": {
            "mail": {
                "url": f"{server.url}/page",
                "kind": "jmespath",
                "status": "state",
                "words": {"up": "operational"},
            },
            "gone": {"url": server.url, "kind": "statuspage", "component": "API"},
        },
    }
    (folder / "inventory.json").write_text(json.dumps({"all": {"hosts": {"stack": variables}}}))
    book = [{"hosts": "stack", "gather_facts": False, "tasks": yaml.safe_load(tasks)}]
    (folder / "play.yml").write_text(yaml.safe_dump(book))
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
    environment.update(
        ANSIBLE_CONFIG=str(REPOSITORY / "ansible.cfg"),
        ANSIBLE_COLLECTIONS_PATH=str(REPOSITORY / "collections"),
        ONCALL_RECORD_DIRECTORY=str(folder / "records"),
        PYTHONPATH=os.pathsep.join([*paths, *filter(None, [os.environ.get("PYTHONPATH")])]),
    )
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "inventory.json", "-vvv", "play.yml"]
    ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    told = [json.loads(text) for text in re.findall(r'"msg": (".*")', ran.stdout)]
    (seen,) = [text.removeprefix("TOLD ") for text in told if text.startswith("TOLD ")]
    return ran.stdout + ran.stderr, json.loads(seen)


@pytest.mark.parametrize("place", ["host", "controller"])
def test_from_both_places(tmp_path, server, place):
    file = host_log(tmp_path / "logs")
    output, (seen, alone, bad) = play(tmp_path, server, place, TASKS, str(file.parent))

    for apis in (seen["api"], alone):
        assert (apis["available"], apis["complete"], apis["unknown"]) == (True, False, ["no"])
        assert apis["apis"]["crm"]["things"] == [{"name": TEMPLATE, "lag": 7}]
        assert apis["apis"]["sent"]["things"] == [{"sent": "Bearer ********"}]
        assert "answers 401, expected was 200 to 299" in apis["apis"]["no"]["reason"]
        assert "document" not in json.dumps(apis)
    pages = seen["status_page"]["pages"]
    assert (pages["mail"]["status"], pages["gone"]["status"]) == ("operational", "unknown")
    assert seen["http_probe"]["available"] is True
    assert alone["changed"] is False
    assert bad["failed"] is True
    assert bad["msg"].startswith("system_apis.crm.fields.lag: ")
    assert bad["msg"].endswith(" at column 5")

    # What was fetched and not named is nowhere; nor is a secret, nor was a template worked out.
    records = "".join(path.read_text() for path in tmp_path.rglob("records/**/*") if path.is_file())
    log = file.read_text() if file.exists() else ""
    for text in (output, records, log):
        assert TOKEN not in text
        assert "left-5e1d77aa-over" not in text
        assert "x" * 300 not in text
    assert f"it says {TEMPLATE}" in output
    assert not list(tmp_path.rglob("TEMPLATED"))


def test_without_the_library_on_the_controller(tmp_path, server):
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "jmespath.py").write_text("raise ImportError('not here')\n")
    _output, alone = play(tmp_path, server, "host", ONE_TASK, str(hidden))
    assert alone["available"] is False
    assert alone["reason"].startswith("the Python library jmespath is not installed on the controller")
    assert server.asked == [], "nothing was fetched"
