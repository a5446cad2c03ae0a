# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""notification_provider_switch: an application is turned to another provider by a command, or by an HTTP call to a real server."""

from __future__ import annotations

import json
import sys

import pytest

from ansible_collections.oncall.runbooks.tests.support.modules import run_module
from ansible_collections.oncall.runbooks.tests.support.observing import Answers

TOKEN = "tok-7f3a9c-s3cret"
WRITE = "import sys; open(sys.argv[1], 'a').write(sys.argv[2] + '\\n')"
ODD = "post; touch /tmp/x $(id) {{ 1 }}"


@pytest.fixture
def turn(tmp_path):
    """A function: how, and which provider -> the code and the result of the module."""

    def run(how, provider="post", **more):
        code, found = run_module(
            "notification_provider_switch", tmp_path, channel="mail", set=how, provider=provider, **more
        )
        assert TOKEN not in json.dumps(found)
        return code, found

    return run


@pytest.mark.parametrize("provider", ["post", ODD])
def test_a_command_turns_it_and_reads_no_shell_into_it(turn, tmp_path, provider):
    code, found = turn([sys.executable, "-c", WRITE, str(tmp_path / "told"), "by {provider}"], provider)
    assert (code, found["changed"]) == (0, True), found
    assert (tmp_path / "told").read_text() == f"by {provider}\n"


def test_a_command_that_fails_is_one_line(turn):
    code, found = turn([sys.executable, "-c", f"raise SystemExit('no app, password={TOKEN}')"])
    assert code == 1
    assert found["msg"].startswith("mail still sends as before: ")
    assert "ended with exit code 1: no app" in found["msg"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_a_call_turns_it(turn, method):
    server = Answers({"/mail/post%2Fx": b"{}"})
    try:
        how = {
            "url": server.url + "/mail/{provider}",
            "method": method,
            "auth": {"bearer": TOKEN},
            "body": {"use": ["{provider}"]},
        }
        code, found = turn(how, "post/x")
        assert (code, found["changed"]) == (0, True), found
        ((asked, path, headers, body),) = server.asked
        assert (asked, path, headers["authorization"], json.loads(body)) == (
            method, "/mail/post%2Fx", f"Bearer {TOKEN}", {"use": ["post/x"]},
        )  # fmt: skip
    finally:
        server.close()


def test_a_call_that_is_refused_is_one_line(turn):
    server = Answers({"/mail": lambda headers: (403, f"no, {headers['authorization']}".encode(), {})})
    try:
        code, found = turn({"url": server.url + "/mail", "auth": {"bearer": TOKEN}, "body": {"use": "{provider}"}})
    finally:
        server.close()
    assert code == 1
    assert "mail still sends as before: the application answers 403" in found["msg"]


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("post", "must be a list"),
        ({"url": "x", "method": "GET"}, "unknown method"),
        ({}, "must be a dict with the key url"),
    ],
)
def test_a_mistake_is_one_line(turn, how, said):
    code, found = turn(how)
    assert (code, said in found["msg"]) == (1, True), found


def test_check_mode_does_nothing(turn, tmp_path):
    code, found = turn([sys.executable, "-c", WRITE, str(tmp_path / "told"), "x"], check=True)
    assert (code, found["changed"], (tmp_path / "told").exists()) == (0, True, False)
