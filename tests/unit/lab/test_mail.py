"""The lab's providers of mail answer what the runbook reads, and the worker sends by the one that it is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.providers.look import check
from ansible_collections.oncall.runbooks.plugins.module_utils.providers.spec import channel_of
from lab.programs import mail
from lab.programs.provider import ROUTES, Provider
from lab.programs.web import Server

KEYS = {"SENDGRID_API_KEY": "SG.0123456789", "POSTMARK_TOKEN": "0123-4567-89ab"}
SECONDS = 10


@pytest.fixture
def lab(monkeypatch) -> Iterator[tuple[Provider, str]]:
    """The provider, and its URL."""
    provider = Provider()
    server = Server(provider, ROUTES, 0)
    url = f"http://127.0.0.1:{server.server_port}"
    for name, value in {**KEYS, "MAIL_URL": url}.items():
        monkeypatch.setenv(name, value)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield provider, url
    server.shutdown()
    thread.join()
    server.server_close()


def _checked(url: str) -> list[dict[str, Any]]:
    providers = [
        {"name": "first", "kind": "sendgrid", "url": url, "api_key": KEYS["SENDGRID_API_KEY"]},
        {"name": "second", "kind": "postmark", "url": url, "token": KEYS["POSTMARK_TOKEN"]},
    ]
    return [check(one, SECONDS) for one in channel_of("mail", {"providers": providers})["providers"]]


@pytest.mark.parametrize("name", ["sendgrid", "postmark"])
def test_each_takes_a_message(lab, monkeypatch, name):
    monkeypatch.setenv("MAIL_PROVIDER", name)
    mail.send("hello")
    assert [one["passed"] for one in _checked(lab[1])] == [True, True]


def test_a_key_that_is_revoked_and_the_other_one_still_sends(lab, monkeypatch):
    provider, url = lab
    provider.mail_key_revoked = True
    with pytest.raises(OSError, match="401"):
        mail.send("hello")
    assert [(one["passed"], one["error"]) for one in _checked(url)] == [(False, "credentials"), (True, "")]
    monkeypatch.setenv("MAIL_PROVIDER", "postmark")
    mail.send("hello")


@pytest.mark.parametrize("name", ["sendgrid", "postmark"])
def test_a_message_without_a_key_is_refused(lab, monkeypatch, name):
    monkeypatch.setenv("MAIL_PROVIDER", name)
    way = {"sendgrid": "_by_sendgrid", "postmark": "_by_postmark"}[name]
    path, _, document = getattr(mail, way)("hello")
    monkeypatch.setattr(mail, way, lambda subject: (path, {}, document))
    with pytest.raises(OSError, match="401"):
        mail.send("hello")


def test_without_anybody_who_sends(monkeypatch):
    monkeypatch.delenv("MAIL_URL", raising=False)
    with pytest.raises(OSError, match="names nobody"):
        mail.send("hello")
