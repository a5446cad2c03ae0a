# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of a channel besides its providers: which one is in use, what an earlier run left behind, the records of the domain."""

from __future__ import annotations

import json
import os
import sys
import time

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.providers import marks
from ansible_collections.oncall.runbooks.tests.support.dns_servers import Resolver
from ansible_collections.oncall.runbooks.tests.support.modules import run_module
from ansible_collections.oncall.runbooks.tests.support.observing import Answers
from ansible_collections.oncall.runbooks.tests.support.provider_answers import REACH, sendgrid, slack

TOKEN = "tok-7f3a9c-s3cret"


@pytest.fixture(scope="module")
def server():
    running = Answers(
        {
            **sendgrid(),
            **slack(),
            "/mail": json.dumps({"mail": {"provider": "post"}, "port": 25}).encode(),
            "/html": b"<html>",
        }
    )
    yield running
    running.close()


@pytest.fixture
def told(server, tmp_path):
    """A function: more of the channel -> what the module tells of it."""

    def tell(marks_directory: str = "", **channel: object) -> dict:
        providers = [
            {
                "name": "first",
                "kind": "sendgrid",
                "url": server.url,
                **REACH["sendgrid"],
                "dkim_selectors": ["s1"],
                "spf": "sendgrid.net",
            },
            {"name": "second", "kind": "slack", "url": server.url, "value": "post", **REACH["slack"]},
        ]
        code, found = run_module(
            "notification_provider_info",
            tmp_path,
            channels={"mail": {"providers": providers, "records": [], **channel}},
            marks_directory=marks_directory,
        )
        assert code == 0, found
        assert TOKEN not in json.dumps({key: value for key, value in found.items() if key != "invocation"})
        return found

    return tell


def test_a_command_says_which_one_is_in_use(told):
    found = told(switch={"show": [sys.executable, "-c", "print('starting'); print('post')"]})
    assert found["channels"]["mail"]["current"] == "second"
    assert found["complete"]


def test_a_command_names_another_one(told):
    assert told(switch={"show": [sys.executable, "-c", "print('pigeon')"]})["channels"]["mail"]["current"] == ""


@pytest.mark.parametrize(
    ("script", "said"),
    [("raise SystemExit('no such app')", "ended with exit code 1: no such app"), ("", "printed nothing")],
)
def test_a_command_that_says_nothing(told, script, said):
    found = told(switch={"show": [sys.executable, "-c", script]})
    assert found["channels"]["mail"]["current"] is None
    assert said in found["channels"]["mail"]["current_reason"]
    assert not found["complete"]


@pytest.mark.parametrize(
    ("path", "field", "current", "said"),
    [
        ("/mail", "mail.provider", "second", ""),
        ("/mail", "port", "", ""),
        ("/mail", "mail", None, "no text at mail"),
        ("/mail", "mail.provider.x", None, "no text at"),
        ("/html", "mail", None, "no JSON"),
        ("/none", "mail", None, "no JSON"),
    ],
)
def test_a_url_says_which_one_is_in_use(told, server, path, field, current, said):
    found = told(switch={"show": {"url": server.url + path, "field": field, "auth": {"bearer": TOKEN}}})["channels"][
        "mail"
    ]
    assert found["current"] == current
    assert said in found["current_reason"]


def test_nothing_says_which_one_is_in_use(told):
    found = told(switch={"services": ["worker"], "variable": "MAIL_PROVIDER"})
    assert (found["channels"]["mail"]["current"], found["complete"]) == (None, True)


@pytest.mark.parametrize(
    ("content", "paused", "limited", "said"),
    [
        (None, False, False, ""),
        ({"channel": "mail", "paused": True}, True, False, ""),
        ({"channel": "mail", "paused": False, "limited": True, "fell_back": True}, False, True, ""),
        ({"channel": "other", "paused": True}, None, None, "about another channel"),
        ("{", None, None, "no JSON"),
    ],
)
def test_what_an_earlier_run_left_behind(told, tmp_path, content, paused, limited, said):
    if content is not None:
        (tmp_path / marks.file_of("mail", "queue")).write_text(
            content if isinstance(content, str) else json.dumps(content)
        )
    mark = told(str(tmp_path))["channels"]["mail"]["mark"]
    assert (mark["paused"], mark["limited"]) == (paused, limited)
    assert (mark["turned"], mark["fell_back"]) == ((None, None) if said else (False, False))
    assert said in mark["reason"]


def test_the_records_of_the_domain_of_those_that_send_mail(told):
    texts = {"shop.example": ["v=spf1 include:sendgrid.net -all"], "s1._domainkey.shop.example": ["p=MIGf"]}
    with Resolver(texts) as resolver:
        found = told(domain="shop.example", resolvers=[resolver.place], records=["spf", "dkim", "dmarc"])["channels"][
            "mail"
        ]
    assert {row["record"]: (row["name"], row["found"], row["problem"]) for row in found["records"]} == {
        "spf": ("shop.example", True, ""),
        "dkim": ("s1._domainkey.shop.example", True, ""),
        "dmarc": ("_dmarc.shop.example", False, "missing"),
    }


def test_a_record_that_no_resolver_tells_is_a_limit(told):
    with Resolver({"shop.example": lambda question: None}) as resolver:
        found = told(domain="shop.example", resolvers=[resolver.place], records=["spf"])
    assert found["channels"]["mail"]["records"][0]["found"] is None
    assert not found["complete"]


@pytest.mark.parametrize(("ago", "known"), [(1800, True), (-3600, False)])
def test_since_when_is_told_by_the_clock_of_the_host(told, tmp_path, ago, known):
    path = tmp_path / marks.file_of("mail", "turned")
    path.write_text(json.dumps({"channel": "mail", "turned": True, "fell_back": True}))
    os.utime(path, (time.time() - ago, time.time() - ago))
    age = told(str(tmp_path))["channels"]["mail"]["mark"]["age_seconds"]
    assert (ago <= age < ago + 60) if known else age is None
