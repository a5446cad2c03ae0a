# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runbook circuit_breaker on a real opossum, before a provider that really fails."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ansible_collections.oncall.runbooks.tests.support.observing import Answers
from ansible_collections.oncall.runbooks.tests.support.peers import peers
from ansible_collections.oncall.runbooks.tests.support.plays import QUICK, Play, Player
from ansible_collections.oncall.runbooks.tests.support.supervisord import Supervisord, unload
from ansible_collections.oncall.runbooks.tests.support.waiting import until
from lab.ports import free_port

APP = Path(__file__).parents[1] / "support" / "opossum_app.js"
SESSION, KEY = "s3ss10n-of-ours", "k3y-of-ours"
PROGRAM = """[program:web]
command=node {app}
directory={folder}
environment={environment}
startsecs=0
autorestart=false
stopsignal=KILL
redirect_stderr=true
stdout_logfile={folder}/web.log
"""
PENALTY_SECONDS = 1.5
RESET_SECONDS = 0.3


class Provider:
    """A CRM. It always says whose key it is, and how it answers calls is changed by tests.

    Attributes:
        calls: answers a call with a status; it gets the number of the call and the process that calls.
        me: the status of the question whose key it is.
    """

    def __init__(self) -> None:
        self._count = 0
        self._penalized_until = 0.0
        self._is_test = False
        self.server = Answers({"/call": self._call, "/me": self._me, "/status": self._status})
        self.url = self.server.url
        self.well()

    def well(self) -> None:
        self.calls = lambda number, pid: 200
        self.me, self.page = 200, "operational"
        self._count = 0

    def fail_one_in_five(self, takes: Callable[[str], bool] = lambda pid: True) -> None:
        """Every call with which a breaker tests is taken; of all others each fifth is not.

        Args:
            takes: whether calls of a process are taken at all.
        """

        def call(number: int, pid: str) -> int:
            fails = number % 5 == 0 and not self._is_test
            return 503 if fails or not takes(pid) else 200

        self.calls = call

    def penalize(self) -> None:
        """Whoever calls within 1.5 s of a call that was not taken is not taken either."""
        self._penalized_until = time.monotonic() + PENALTY_SECONDS

        def call(_number: int, _pid: str) -> int:
            is_penalized = time.monotonic() < self._penalized_until
            if is_penalized:
                self._penalized_until = time.monotonic() + PENALTY_SECONDS
            return 503 if is_penalized else 200

        self.calls = call

    def _call(self, headers: dict[str, str]) -> tuple[int, bytes, dict[str, str]]:
        self._count += 1
        self._is_test = headers["x-half-open"] == "true"
        return self.calls(self._count, headers["x-pid"]), b"{}", {}

    def _me(self, headers: dict[str, str]) -> tuple[int, bytes, dict[str, str]]:
        known = headers.get("authorization") == f"Bearer {KEY}"
        return (self.me if known else 401), b"{}", {}

    def _status(self, _headers: dict[str, str]) -> bytes:
        return json.dumps({"api": self.page}).encode()


class Stack:
    """The application, which supervisord runs, and the provider."""

    def __init__(self, supervisord: Supervisord) -> None:
        self.supervisord, self.provider = supervisord, Provider()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.settings = supervisord.home / "conf.d" / "web.conf"

    def start(self, traffic_ms: int = 0, threshold: int = 50, reset_ms: int = int(RESET_SECONDS * 1000)) -> None:
        """Run the application anew with these settings."""
        environment = {
            "CRM_KEY": KEY, "CRM_RESET_MS": reset_ms, "CRM_THRESHOLD": threshold, "CRM_URL": f"{self.provider.url}/call",
            "NODE_PATH": peers() / "node_modules", "PORT": self.port, "SESSION": SESSION, "TRAFFIC_MS": traffic_ms,
        }  # fmt: skip
        line = ",".join(f'{name}="{value}"' for name, value in environment.items())
        self.settings.write_text(PROGRAM.format(app=APP, folder=self.supervisord.home, environment=line))
        self.supervisord.rpc("reloadConfig")
        if "web" in [program["name"] for program in self.supervisord.rpc("getAllProcessInfo")]:
            unload(self.supervisord.rpc, "web")
        self.supervisord.rpc("addProcessGroup", "web")
        until(self.events)

    def sync(self) -> int:
        """Call the connector; what it answers."""
        request = urllib.request.Request(
            f"{self.url}/v1/connectors/crm/sync", b"", {"Cookie": f"session={SESSION}"}, method="POST"
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    def events(self) -> dict[str, float]:
        """What opossum counted."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        counted = [line.split() for line in lines if line.startswith("circuit{")]
        return {group.split('event="')[1].split('"')[0]: float(number) for group, number in counted} or {"none": 0}

    def opened(self) -> float:
        return self.events().get("open", 0)

    def closed(self) -> float:
        return self.events().get("close", 0)

    def open(self) -> None:
        """Have it open, by calls that the provider does not take."""
        self.provider.calls = lambda number, pid: 503
        until(lambda: self.sync() == 502 and self.opened())

    @property
    def pid(self) -> int:
        return self.supervisord.rpc("getProcessInfo", "web")["pid"]

    def set_to(self, name: str) -> str:
        """A variable in the file that it is started from."""
        return self.settings.read_text().split(f'{name}="')[1].split('"')[0]


@pytest.fixture(scope="module")
def running() -> Iterator[Stack]:
    supervisord = Supervisord()
    try:
        supervisord.wait_for(idle="STOPPED")
        stack = Stack(supervisord)
        yield stack
        stack.provider.server.close()
    finally:
        supervisord.stop()


@pytest.fixture
def stack(running) -> Stack:
    running.provider.well()
    return running


@pytest.fixture
def play(stack, tmp_path):
    (tmp_path / "oncall").mkdir()
    variables = {
        **QUICK,
        "system_state_directory": str(tmp_path / "oncall"),
        "system_services": {"web": stack.supervisord.service("web", program_config=str(stack.settings))},
        "system_roles": {"api": "web"},
        "system_endpoints": {"web": f"{stack.url}/metrics"},
        "system_metrics": {
            "circuit_breaker_events": "circuit",
            "circuit_breaker_failure_percent": "crm_failure_percent",
        },
        "system_apis": {
            "sync": {
                "url": f"{stack.url}/v1/connectors",
                "auth": {"cookie": f"session={SESSION}"},
                "list": "@",
                "fields": {"name": "name", "state": "state"},
            }
        },
        "system_status_pages": {
            "crm": {"kind": "jmespath", "url": f"{stack.provider.url}/status", "component": "API", "status": "api"},
        },
        "circuit_breaker_connectors": ["sync"],
        "circuit_breaker_probe_seconds": 2,
        "circuit_breaker_window_seconds": 0.2,
        "circuit_breaker_dependencies": {
            "crm": {
                "probe": {"url": f"{stack.provider.url}/me", "headers": {"Authorization": f"Bearer {KEY}"}},
                "status_page": "crm",
                "connector": {
                    "url": f"{stack.url}/v1/connectors/crm/sync",
                    "body": {"key": KEY},
                    "auth": {"cookie": f"session={SESSION}"},
                },
                "threshold": {"variable": "CRM_THRESHOLD", "step": 35, "maximum": 60},
                "reset": {"variable": "CRM_RESET_MS", "factor": 10, "maximum": 10000},
            },
        },
    }
    inventory = tmp_path / "inventory.json"
    inventory.write_text(json.dumps({"all": {"hosts": {"stack": variables}}}))
    player = Player(tmp_path, tmp_path)

    def run(*arguments: str, **more: object) -> Play:
        book = "playbooks/circuit_breaker.yml"
        ended = player.play("-i", str(inventory), *arguments, playbook=book, run_hosts="stack", **more)
        assert SESSION not in ended.output + str(ended.runs)
        assert KEY not in ended.output + str(ended.runs)
        return ended

    return run


@pytest.mark.covers("LP-2-2", "LP-2-3", "LP-2-6")
def test_it_stays_open_though_they_are_well(stack, play):
    stack.start()
    stack.open()
    stack.provider.well()
    checked = play("--check")
    assert (checked.code, checked.outcome, checked.causes()) == (0, "planned", ["stays_open"]), checked.output
    assert stack.closed() == 0
    assert "crm" in checked.run["summary"]
    # Which the application tells only who is signed in.
    assert [one["name"] for one in checked.run["evidence"]["connectors"]["sync"]["things"]] == ["crm"]

    pid = stack.pid
    fixed = play()
    assert (fixed.code, fixed.outcome, fixed.causes()) == (0, "resolved", ["stays_open"]), fixed.output
    (action,) = fixed.run["actions"]
    assert (action["remedy"], action["helped"]) == ("retry", True)
    assert (stack.closed(), stack.pid) == (1, pid)

    again = play()
    assert (again.code, again.outcome, again.run["actions"]) == (0, "healthy", []), again.output
    assert "crm: closed in 1" in again.run["summary"]


@pytest.mark.covers("LP-2-7")
def test_a_threshold_that_is_too_tight_is_raised(stack, play):
    stack.provider.fail_one_in_five()
    stack.start(traffic_ms=40, threshold=5)
    until(lambda: stack.opened() >= 3)
    fixed = play()
    assert (fixed.code, fixed.outcome, fixed.causes()) == (0, "resolved", ["threshold_too_tight"]), fixed.output
    (action,) = fixed.run["actions"]
    assert (action["remedy"], action["helped"], action["targets"][0]["from"]) == ("raise_threshold", True, 5)
    assert (stack.set_to("CRM_THRESHOLD"), stack.opened()) == ("40", 0)


@pytest.mark.covers("LP-2-7")
def test_a_higher_threshold_that_does_not_help_is_put_back(stack, play):
    # Not before it runs: the process of the test before would be the first that calls.
    stack.start(traffic_ms=40, threshold=5)
    first = str(stack.pid)
    stack.provider.fail_one_in_five(lambda pid: pid == first)
    until(lambda: stack.opened() >= 3)
    told = play(run_verify_timeout_seconds=4)
    assert (told.code, told.outcome) == (2, "unresolved"), told.output
    (action,) = told.run["actions"]
    assert (action["remedy"], action["helped"], action["state"]) == ("raise_threshold", False, "rolled_back")
    assert stack.set_to("CRM_THRESHOLD") == "5"


@pytest.mark.covers("LP-2-7")
def test_one_that_tests_too_early_waits_longer(stack, play):
    stack.start(traffic_ms=40)
    until(lambda: stack.events().get("success"))
    stack.provider.penalize()
    until(lambda: stack.opened() >= 3)
    fixed = play()
    assert (fixed.code, fixed.outcome, fixed.causes()) == (0, "resolved", ["tests_too_early"]), fixed.output
    assert [(one["remedy"], one["helped"]) for one in fixed.run["actions"]] == [("raise_reset_time", True)]
    assert stack.set_to("CRM_RESET_MS") == "3000"


@pytest.mark.covers("LP-2-6")
def test_a_retry_that_does_not_close_it_is_told(stack, play):
    stack.start()
    stack.open()
    # They know our key, and do not take the call. Nothing of a request is shown, however much is.
    told = play("-vvv", run_verify_timeout_seconds=3)
    assert (told.code, told.outcome, told.causes()) == (2, "unresolved", ["stays_open"]), told.output
    assert "POST http://127.0.0.1" in told.output
    assert "answers 502" in told.output
    assert stack.closed() == 0


@pytest.mark.covers("LP-2-4")
def test_one_that_closes_by_itself_is_only_waited_for(stack, play):
    stack.provider.calls = lambda number, pid: 503
    stack.start(traffic_ms=40)
    until(stack.opened)

    def metrics(_headers: dict[str, str]) -> bytes:
        with urllib.request.urlopen(f"{stack.url}/metrics", timeout=10) as answer:
            text = answer.read()
        # The first look took both of its samples: from here on the breaker's own test is taken.
        if len([one for one in before.asked if one[1] == "/metrics"]) == 2:
            stack.provider.well()
        return text

    before = Answers({"/metrics": metrics})
    try:
        told = play(system_endpoints={"web": f"{before.url}/metrics"})
    finally:
        before.close()
    assert (told.code, told.outcome, told.run["actions"]) == (0, "healthy", []), told.output
    assert "crm closed by itself within 2 s" in told.run["summary"]


# ---------------------------------------------------------------------- what looks the same and is something else
@pytest.mark.covers("LP-2-5")
@pytest.mark.parametrize(
    ("change", "cause", "says"),
    [
        ({"me": 503}, "they_are_down", "/me answers 503"),
        ({"page": "major_outage"}, "they_are_down", "their page says of API: major_outage"),
        ({"me": 401}, "credentials", "They do not take our credentials"),
    ],
)
def test_what_a_person_has_to_see_to_is_told_and_nothing_is_done(stack, play, change, cause, says):
    stack.start()
    stack.open()
    vars(stack.provider).update(change)
    told = play()
    assert (told.code, told.outcome, told.causes(), told.run["actions"]) == (0, "advised", [cause], []), told.output
    assert says in told.run["summary"]
    assert stack.closed() == 0


def test_errors_without_an_open_breaker_are_another_runbooks(stack, play):
    stack.provider.calls = lambda number, pid: 503 if number % 10 == 0 else 200
    stack.start(traffic_ms=40)
    until(lambda: stack.events().get("failure", 0) >= 2)
    told = play()
    assert (told.code, told.outcome, stack.opened()) == (0, "healthy", 0), told.output


def test_what_cannot_be_seen_is_no_healthy_night(stack, play):
    told = play(system_endpoints={"web": f"http://127.0.0.1:{free_port()}/metrics"})
    assert (told.code, told.outcome) == (2, "unknown"), told.output
    assert "connection refused" in told.run["summary"]
