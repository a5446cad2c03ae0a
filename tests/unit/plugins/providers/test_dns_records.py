# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts of DNS from a small real resolver, and what they say of the sender's domain."""

from __future__ import annotations

import itertools

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.net import dns
from ansible_collections.oncall.runbooks.plugins.module_utils.net.dns import DnsError, resolver_of, resolvers_in, texts
from ansible_collections.oncall.runbooks.plugins.module_utils.providers.dns_records import look, problem_of
from ansible_collections.oncall.runbooks.tests.support.dns_servers import Resolver, answer
from lab.ports import free_port

LONG = "v=DKIM1; k=rsa; p=" + "A" * 900


def asked(resolver: Resolver, name: str = "shop.example", seconds: float = 20) -> list[str]:
    return texts(name, seconds, [resolver_of(resolver.place)])


def test_the_texts_under_a_name():
    with Resolver({"shop.example": ["v=spf1 include:sendgrid.net -all", "another \xe9"]}) as resolver:
        assert asked(resolver) == ["v=spf1 include:sendgrid.net -all", "another \xe9"]
        assert asked(resolver, "_dmarc.shop.example") == []
        assert resolver.asked == [("shop.example", "udp"), ("_dmarc.shop.example", "udp")]


def test_a_long_text_comes_over_tcp_in_one_piece():
    with Resolver({"s1._domainkey.shop.example": [LONG]}) as resolver:
        assert asked(resolver, "s1._domainkey.shop.example") == [LONG]
        assert [over for _name, over in resolver.asked] == ["udp", "tcp"]


def test_an_alias_is_followed():
    with Resolver(
        {"shop.example": lambda question: answer(question, ["p=x"], alias="s1.domainkey.sendgrid.net")}
    ) as resolver:
        assert asked(resolver) == ["p=x"]


@pytest.mark.parametrize(
    ("answered", "told"),
    [
        (lambda question: answer(question, [], code=2), "it could not find out"),
        (lambda question: answer(question, [], code=5), "it refuses"),
        (lambda question: answer(question, [], code=9), "it answers with the code 9"),
        (lambda question: None, "no answer in time"),
        # Another question, and a number that was not asked.
        (lambda question: answer(question[:13] + b"x" + question[14:], ["a"]), "it answers another question"),
        (lambda question: answer(bytes(2) + question[2:], ["a"]) if question[:2] != bytes(2) else None, "no answer in time"),
        (lambda question: answer(question, ["abcdef"])[:-3], "cut off or damaged"),
        (lambda question: answer(question, ["abcdef"], count=7), "cut off or damaged"),
        (lambda question: question[:12], "another question"),
        # It says that the text is longer than the record.
        (lambda question: answer(question, ["abc"])[:-4] + b"\xffabc", "cut off or damaged"),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_said_and_never_taken_for_no_text(answered, told):
    with Resolver({"shop.example": answered}) as resolver, pytest.raises(DnsError) as raised:
        asked(resolver, seconds=1.5)
    assert f"TXT shop.example: 127.0.0.1 port {resolver.port}: " in str(raised.value)
    assert told in str(raised.value)


def test_what_got_lost_is_asked_again():
    turns = itertools.count()
    with Resolver({"shop.example": lambda question: answer(question, ["a"]) if next(turns) else None}) as resolver:
        assert asked(resolver, seconds=4) == ["a"]


def test_the_next_resolver_is_asked():
    with Resolver({"shop.example": ["a"]}) as resolver:
        assert texts("shop.example", 20, [("127.0.0.1", free_port()), resolver_of(resolver.place)]) == ["a"]


def test_without_a_resolver(monkeypatch, tmp_path):
    monkeypatch.setattr(dns, "RESOLV_CONF", str(tmp_path / "none"))
    with pytest.raises(DnsError, match="no resolver to ask"):
        texts("shop.example", 1)


@pytest.mark.parametrize("name", ["", "a..b", "x" * 64 + ".example", "shop.example; id", "-x.example", "../x", None])
def test_what_is_no_name_is_not_asked_for(name):
    with Resolver({}) as resolver:
        with pytest.raises(DnsError, match="is no name"):
            asked(resolver, name)
        assert resolver.asked == []


def test_the_resolvers_of_a_host():
    text = "# of systemd\nsearch example\nnameserver 10.0.0.2\noptions edns0\nnameserver fe80::1%eth0\nnameserver ::1\nnameserver 10.0.0.9\n"
    assert resolvers_in(text) == [("10.0.0.2", 53), ("fe80::1", 53), ("::1", 53)]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("10.0.0.2", ("10.0.0.2", 53)),
        ("127.0.0.1:5353", ("127.0.0.1", 5353)),
        ("::1", ("::1", 53)),
        ("[::1]:5353", ("::1", 5353)),
    ],
)
def test_a_resolver_of_the_inventory(written, read):
    assert resolver_of(written) == read


@pytest.mark.parametrize(
    "written", ["dns.example", "10.0.0.2:0", "10.0.0.2:70000", "10.0.0", "", None, "[::1]", "10.0.0.2:5353:1"]
)
def test_what_is_no_resolver(written):
    if written == "[::1]":
        assert resolver_of(written) == ("::1", 53)
        return
    with pytest.raises(ValueError, match="is no resolver"):
        resolver_of(written)


@pytest.mark.parametrize(
    ("kind", "found", "problem"),
    [
        ("spf", ["v=spf1 -all"], ""),
        ("spf", ["google-site-verification=x"], "missing"),
        ("spf", ["v=spf10 -all"], "missing"),
        ("spf", ["v=spf1 -all", "V=SPF1 include:a.example -all"], "several"),
        ("dkim", ["v=DKIM1; k=rsa; p=MIGf\tMA0"], ""),
        ("dkim", ["k=rsa;p=MIGf"], ""),
        ("dkim", ["v=DKIM1; p="], "wrong"),
        ("dkim", ["v=DKIM1; p=", "v=DKIM1; p=MIGf"], ""),
        ("dkim", ["something"], "missing"),
        ("dmarc", ["v=DMARC1; p=none"], ""),
        ("dmarc", ["v = DMARC1; p=none"], ""),
        ("dmarc", ["v=DMARC1; p=none", "v=DMARC1; p=reject"], "several"),
        ("dmarc", [], "missing"),
    ],
)
def test_what_is_wrong_with_a_record(kind, found, problem):
    assert problem_of(kind, found) == problem


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("v=spf1 include:SendGrid.net ~all", ""),
        ("v=spf1 +include:sendgrid.net -all", ""),
        ("v=spf1 redirect=_spf.shop.example", ""),
        ("v=spf1 include:sendgrid.net.evil.example -all", "wrong"),
    ],
)
def test_what_spf_has_to_include(text, problem):
    assert problem_of("spf", [text], "sendgrid.net") == problem


GOOD = {
    "shop.example": ["v=spf1 include:sendgrid.net -all"],
    "s1._domainkey.shop.example": [LONG],
    "_dmarc.shop.example": ["v=DMARC1; p=reject"],
}


def records(texts, domain="shop.example", selectors=("s1",), seconds=20.0):
    with Resolver(texts) as resolver:
        rows = look(
            domain, list(selectors), "sendgrid.net", ["spf", "dkim", "dmarc"], [resolver_of(resolver.place)], seconds
        )
    return {row["record"]: (row["found"], row["problem"]) for row in rows}, rows


def test_the_records_of_a_domain():
    assert records(GOOD)[0] == dict.fromkeys(("spf", "dkim", "dmarc"), (True, ""))
    assert records({**GOOD, "s1._domainkey.shop.example": []})[0]["dkim"] == (False, "missing")


def test_dmarc_is_inherited_and_spf_is_not():
    found, rows = records({**GOOD, "mail.shop.example": []}, "mail.shop.example", ())
    assert found == {"spf": (False, "missing"), "dmarc": (True, "")}
    assert rows[1]["name"] == "_dmarc.shop.example"


def test_a_resolver_that_is_silent_makes_no_record_missing():
    found, rows = records(
        dict.fromkeys(("shop.example", "s1._domainkey.shop.example", "_dmarc.shop.example"), lambda question: None),
        seconds=1.0,
    )
    assert found == dict.fromkeys(("spf", "dkim", "dmarc"), (None, ""))
    assert all("no answer in time" in row["reason"] for row in rows)
