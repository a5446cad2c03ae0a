# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runbook auth_failures on a real application that checks tokens, and a real identity provider that changes its keys."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.oncall.runbooks.tests.support.identity import Provider
from ansible_collections.oncall.runbooks.tests.support.plays import AS_ELSEWHERE, Play, on_host
from ansible_collections.oncall.runbooks.tests.support.supervisord import Supervisord
from ansible_collections.oncall.runbooks.tests.support.tls_servers import Issued, TlsServer
from ansible_collections.oncall.runbooks.tests.support.waiting import until
from lab.ports import free_port

PASSWORD = "c4nary-s3cret-pw"
APP = Path(__file__).parents[1] / "support" / "guarded_app.py"
PROGRAM = """[program:shop]
command={command}
startsecs=1
autorestart=false
redirect_stderr=true
stdout_logfile={folder}/shop.log
stdout_logfile_maxbytes=0
"""


class Stack:
    """The application under supervisord, and its identity provider."""

    def __init__(self, supervisord: Supervisord, provider: Provider) -> None:
        self.supervisord, self.provider, self.port = supervisord, provider, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.settings = supervisord.home / "settings.json"
        self.log = supervisord.home / "shop.log"
        self.set()
        command = shlex.join([sys.executable, str(APP), str(self.settings)])
        (supervisord.home / "conf.d" / "shop.conf").write_text(PROGRAM.format(command=command, folder=supervisord.home))
        supervisord.rpc("reloadConfig")
        supervisord.rpc("addProcessGroup", "shop")
        self.until_up()

    def set(self, **changed: Any) -> None:
        """What the application is from its next start on."""
        settings = {"port": self.port, "issuer": self.provider.url, "password": PASSWORD, **changed}
        self.settings.write_text(json.dumps(settings))

    def restart(self, **changed: Any) -> None:
        self.set(**changed)
        self.supervisord.rpc("stopProcess", "shop")
        self.log.write_text("")
        self.supervisord.rpc("startProcess", "shop")
        self.until_up()

    def until_up(self) -> None:
        until(lambda: self.ask("/health")[0] in (200, 401))

    def ask(self, path: str, client: str = "10.0.0.1", token: str = "", body: Any = None) -> tuple[int, Any]:
        headers = {
            "X-Forwarded-For": client,
            "User-Agent": "browser",
            **({"Authorization": f"Bearer {token}"} if token else {}),
        }
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(urllib.request.Request(self.url + path, data, headers), timeout=20) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, None
        except OSError:
            return 0, None

    def users(self, clients: int = 6, each: int = 6, path: str = "/api/me") -> list[int]:
        """Users who log in and ask, each from an address of his own."""
        statuses = []
        for number in range(clients):
            client = f"10.0.0.{number + 10}"
            _status, answer = self.ask("/api/auth/login", client, body={"email": f"u{number}", "password": PASSWORD})
            token = (answer or {}).get("access_token", "none")
            statuses += [self.ask(path, client, token)[0] for _request in range(each)]
        return statuses

    def pid(self) -> int:
        return self.supervisord.rpc("getProcessInfo", "shop")["pid"]

    def variables(self, **login: Any) -> dict[str, Any]:
        return {
            "system_services": {"shop": self.supervisord.service("shop")},
            "system_auth": {
                "service": "shop",
                "login": {
                    "url": f"{self.url}/api/auth/login",
                    "body": {"email": "canary@shop.example", "password": PASSWORD},
                    "token": "access_token",
                    "route": f"{self.url}/api/canary",
                    **login,
                },
                "issuer": self.provider.url,
                "audience": "shop",
            },
            "auth_failures_min_refused": 20,
        }


@pytest.fixture(scope="module")
def running() -> Iterator[Stack]:
    supervisord, provider = Supervisord(), Provider()
    try:
        supervisord.wait_for(idle="STOPPED")
        yield Stack(supervisord, provider)
    finally:
        supervisord.stop()
        provider.close()


@pytest.fixture
def stack(running) -> Stack:
    provider = running.provider
    provider.kid, provider.kids, provider.ahead_seconds, provider.algorithm = "k1", ["k1"], 0.0, "RS256"
    provider.claims.clear()
    provider.answers.clear()
    running.restart()
    return running


@pytest.fixture
def play(tmp_path, stack) -> Callable[..., Play]:
    return on_host(tmp_path, "auth_failures", stack.variables())


def secretless(played: Play, folder: Path) -> None:
    """Neither the password nor a token is in what a play printed or left behind."""
    texts = [played.output, json.dumps(played.runs)]
    for path in folder.rglob("*"):
        # What the test gave the play is no artifact of it.
        if path.is_file() and path.name not in ("inventory.json", "variables.json"):
            texts.append(path.read_text(errors="replace"))
    for text in texts:
        assert PASSWORD not in text
        assert not re.search(r"eyJ[\w-]{10,}\.", text)


@pytest.mark.covers("IE-3-3")
@pytest.mark.parametrize("where", ["host", "controller"])
def test_a_stack_that_is_well(stack, play, tmp_path, where):
    assert set(stack.users()) == {200}
    played = play("-vvv", system_observe_from=where, ansible_python_interpreter=AS_ELSEWHERE)
    assert (played.code, played.outcome) == (0, "healthy"), played.output
    assert "the canary logged in" in played.run["summary"]
    secretless(played, tmp_path)


@pytest.mark.covers("IE-3-3", "IE-3-4")
def test_keys_that_were_not_read_again(stack, play, tmp_path):
    stack.provider.rotate("k2")
    assert set(stack.users()) == {401}
    before = stack.pid()

    checked = play("--check")
    assert (checked.code, checked.outcome, checked.causes()) == (0, "planned", ["stale_keys"]), checked.output
    assert stack.pid() == before

    fixed = play("-vvv")
    assert (fixed.code, fixed.outcome) == (0, "resolved"), fixed.output
    (action,) = fixed.run["actions"]
    assert (action["remedy"], action["helped"], action["targets"]) == ("read_keys_again", True, [{"service": "shop"}])
    assert stack.pid() != before
    assert set(stack.users()) == {200}
    secretless(fixed, tmp_path)

    after = stack.pid()
    # Those who were refused before are in the log still.
    again = play()
    assert (again.outcome, again.run["actions"]) == ("healthy", []), again.output
    assert "since it was started" in again.run["summary"]
    assert stack.pid() == after


@pytest.mark.covers("IE-3-4")
def test_keys_are_read_again_by_the_command_of_the_application(stack, play):
    stack.provider.rotate("k2")
    assert set(stack.users()) == {401}
    before = stack.pid()
    control = [str(Path(sys.executable).parent / "supervisorctl"), "-c", str(stack.supervisord.config)]
    reload = [*control, "signal", "HUP", "shop"]
    fixed = play(system_auth={**stack.variables()["system_auth"], "reload": reload})
    assert (fixed.code, fixed.outcome) == (0, "resolved"), fixed.output
    (action,) = fixed.run["actions"]
    assert (action["remedy"], action["helped"]) == ("read_keys_again", True)
    assert action["targets"] == [{"service": "shop", "command": reload}]
    # Nobody was logged out, and nothing stood still.
    assert stack.pid() == before
    assert set(stack.users()) == {200}


@pytest.mark.covers("IE-3-4")
def test_a_restart_that_does_not_help_is_no_success(stack, play):
    """The application reads its keys where there are only the old ones."""
    stack.provider.rotate("k2")
    stack.set(issuer=stack.provider.url)
    from ansible_collections.oncall.runbooks.tests.support.identity import published

    stack.users()
    old = Provider()
    try:
        old.answers["/token"] = (200, json.dumps({"token": stack.provider.token()}).encode(), {})
        old.answers["/jwks"] = (200, json.dumps({"keys": [published("k1")]}).encode(), {})
        stack.set(issuer=old.url)
        played = play(run_verify_timeout_seconds=4)
    finally:
        old.close()
    assert (played.code, played.outcome) == (2, "unresolved"), played.output
    assert played.run["actions"][0]["helped"] is False


def test_a_rotation_on_the_provider_alone_is_advice(stack, play):
    stack.provider.kid = "k2"
    stack.users()
    before = stack.pid()
    played = play()
    assert (played.code, played.outcome, played.causes()) == (0, "advised", ["key_not_published"]), played.output
    assert stack.pid() == before


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ((200, b"<html>sorry</html>", {"Content-Type": "text/html"}), "HTML"),
        ((500, b"{}", {}), "answers 500"),
        ((302, b"", {"Location": "http://evil.example/"}), "not followed"),
        ((200, b'{"keys": [', {}), "cut off"),
    ],
    ids=["HTML", "500", "another host", "cut off"],
)
def test_a_provider_that_answers_otherwise_is_advice(stack, play, answer, says):
    stack.provider.answers["/jwks"] = answer
    before = stack.pid()
    played = play()
    assert (played.code, played.outcome, played.causes()) == (0, "advised", ["provider_answers_wrong"]), played.output
    assert says in json.dumps(played.run["findings"])
    assert stack.pid() == before


def test_a_certificate_of_the_provider_that_has_ended_is_named(stack, play, tmp_path):
    before = stack.pid()
    auth = stack.variables()["system_auth"]
    with TlsServer(Issued(-2, "127.0.0.1").write(tmp_path)) as provider:
        jwks = {"issuer": "", "jwks_url": f"https://127.0.0.1:{provider.port}/jwks"}
        played = play(system_auth={**auth, **jwks})
    assert (played.code, played.outcome, played.causes()) == (0, "advised", ["provider_certificate"]), played.output
    assert "ended or ends soon" in played.run["summary"]
    assert stack.pid() == before


def test_a_clock_that_is_an_hour_off_is_named_and_nothing_restarted(stack, play):
    stack.provider.ahead_seconds = 3600.0
    stack.users()
    before = stack.pid()
    played = play()
    assert (played.code, played.outcome) == (0, "advised"), played.output
    assert played.causes() == ["clock_off"]
    assert stack.pid() == before


def test_a_canary_with_a_wrong_password_is_not_everybody_and_is_never_locked(stack, play, tmp_path):
    stack.restart(locks_after=4)
    assert set(stack.users()) == {200}
    wrong = stack.variables(body={"email": "canary@shop.example", "password": "wr0ng-passw0rd"})
    outcomes = []
    for _look in range(4):
        played = play(**wrong)
        outcomes.append((played.outcome, played.causes()))
        assert "wr0ng-passw0rd" not in played.output
    assert outcomes[:2] == [("advised", ["canary_refused"])] * 2, outcomes
    # It has been refused as often as it may be. That is said, and it is no claim about users.
    assert [outcome for outcome, _causes in outcomes[2:]] == ["unknown"] * 2
    assert "another wrong login might lock it" in played.output
    tries = [line for line in stack.log.read_text().splitlines() if "POST /api/auth/login" in line and "oncall" in line]
    assert len(tries) == 2
    assert stack.ask("/api/auth/login", body={"email": "canary@shop.example", "password": PASSWORD})[0] == 200


def test_one_client_is_not_all_users(stack, play):
    stack.users(clients=8, each=4)
    for _request in range(60):
        stack.ask("/api/me", "203.0.113.7", "not-a-token")
    before = stack.pid()
    played = play()
    assert (played.outcome, played.causes()) == ("advised", ["one_client"]), played.output
    assert "203.0.113.7" in played.run["summary"]
    assert stack.pid() == before


def test_a_feature_that_is_switched_off_is_not_all_users(stack, play):
    stack.restart(forbidden=["/api/beta"])
    stack.users(clients=8, each=4)
    stack.users(clients=8, each=6, path="/api/beta")
    played = play()
    assert (played.outcome, played.causes()) == ("advised", ["one_route"]), played.output


# The service that keeps the sessions; idle stands in for it.


def sessions_in_idle(stack: Stack) -> dict[str, Any]:
    variables = stack.variables()
    return {
        "system_services": {**variables["system_services"], "sessions": stack.supervisord.service("idle")},
        "system_auth": {**variables["system_auth"], "session_service": "sessions"},
    }


def test_what_keeps_the_sessions_is_down_and_then_has_lost_them(stack, play):
    before = stack.pid()
    down = play(**sessions_in_idle(stack))
    assert (down.outcome, down.causes()) == ("advised", ["session_service_down"]), down.output

    stack.supervisord.rpc("startProcess", "idle")
    try:
        for number in range(60):
            stack.ask("/api/me", f"10.0.0.{number % 6 + 10}", "a-session-of-before")
        lost = play(**sessions_in_idle(stack))
    finally:
        stack.supervisord.rpc("stopProcess", "idle")
    assert (lost.code, lost.causes(), lost.run["actions"]) == (0, ["sessions_lost"], []), lost.output
    assert "the sessions of before are gone" in lost.run["summary"]
    assert stack.pid() == before


# Deployments.


def git(folder: Path, *arguments: str) -> None:
    identity = {
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@b",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@b",
    }
    subprocess.run(
        ["git", "-C", str(folder), *arguments], check=True, capture_output=True, env={**os.environ, **identity}
    )


def deploying(stack: Stack, folder: Path, *versions: dict[str, Any]) -> dict[str, Any]:
    """A checkout with the settings of these versions, the last of which is deployed; how it is deployed."""
    checkout = folder / "checkout"
    checkout.mkdir()
    git(checkout, "init", "-q", "-b", "main")
    for number, version in enumerate(versions):
        settings = {"port": stack.port, "issuer": stack.provider.url, "password": PASSWORD, **version}
        (checkout / "settings.json").write_text(json.dumps(settings))
        git(checkout, "add", "settings.json")
        git(checkout, "commit", "-q", "-m", f"version {number}")
    script = folder / "deploy.sh"
    control = [
        str(Path(sys.executable).parent / "supervisorctl"),
        "-c",
        str(stack.supervisord.config),
        "restart",
        "shop",
    ]
    script.write_text(f"#!/bin/sh\ncp {checkout}/settings.json {stack.settings} && exec {shlex.join(control)}\n")
    script.chmod(0o755)
    return {"system_deployment": {"path": str(checkout), "deploy_command": [str(script)], "services": ["shop"]}}


def log_of_before(stack: Stack, seconds: int) -> None:
    """Requests of the time before a deployment, as the application logged them then."""
    import time

    lines = []
    for number in range(120):
        at = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(time.time() - seconds - number))
        lines.append(f'10.0.0.{number % 6 + 10} - - [{at}] "GET /api/me HTTP/1.1" 200 12 "-" "browser"\n')
    # supervisord writes on at the end.
    with stack.log.open("a") as log:
        log.writelines(lines)


COOKIE = {"cookie": "Path=/; HttpOnly", "token": False}


@pytest.mark.covers("IE-3-4")
def test_a_cookie_that_a_deployment_broke_is_rolled_back(stack, play, tmp_path):
    broken = {"cookie": "Path=/; Domain=staging.shop.example", "token": False}
    stack.restart(**COOKIE)
    deployment = deploying(stack, tmp_path, COOKIE, broken)
    stack.restart(**broken)
    backdate(tmp_path / "checkout", 130)
    log_of_before(stack, 200)
    for number in range(60):
        stack.ask("/api/me", f"10.0.0.{number % 6 + 10}")
    wait_a_minute(stack)
    login = stack.variables(token="", cookie="sid")
    checked = play("--check", **login, **deployment)
    assert (checked.outcome, checked.causes()) == ("planned", ["cookie_of_deployment"]), checked.output
    refused = play(**login, **deployment)
    assert refused.outcome == "blocked", "its risk is high"

    fixed = play(**login, **deployment, run_max_risk="high")
    assert (fixed.code, fixed.outcome) == (0, "resolved"), fixed.output
    assert json.loads(stack.settings.read_text())["cookie"] == COOKIE["cookie"]


def test_a_deployment_that_changed_only_a_health_route_is_left_alone(stack, play, tmp_path):
    guarded = {"health_is_guarded": True}
    deployment = deploying(stack, tmp_path, {}, guarded)
    stack.restart(**guarded)
    backdate(tmp_path / "checkout", 130)
    log_of_before(stack, 200)
    assert set(stack.users()) == {200}
    for _request in range(80):
        stack.ask("/health", "10.9.0.1")
    before = stack.pid()
    played = play(**deployment, run_max_risk="high")
    assert (played.outcome, played.causes()) == ("advised", ["one_client"]), played.output
    assert stack.pid() == before
    assert json.loads((tmp_path / "checkout" / "settings.json").read_text())["health_is_guarded"] is True


def backdate(checkout: Path, seconds: int) -> None:
    """Have the reflog say that the last commit was checked out so long ago."""
    import time

    at = int(time.time()) - seconds
    for name in ("HEAD", "refs/heads/main"):
        path = checkout / ".git" / "logs" / name
        path.write_text(re.sub(r"> \d+ ", f"> {at} ", path.read_text()))


def wait_a_minute(stack: Stack) -> None:
    """Have what was refused be of the minute after the deployment, and not of this one, in which it is not over."""
    import time

    lines = stack.log.read_text().splitlines(keepends=True)
    moved = []
    for line in lines:
        found = re.search(r"\[([^\]]+)\] \"GET /api/me HTTP/1.1\" 401", line)
        at = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(time.time() - 65))
        moved.append(line.replace(found[1], at) if found else line)
    stack.log.write_text("".join(moved))
