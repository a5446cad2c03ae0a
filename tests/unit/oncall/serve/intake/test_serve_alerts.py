# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read of a notification, and which of its alerts are of one episode."""

from __future__ import annotations

import json
from itertools import combinations

import msgspec
import pytest

from ansible_collections.oncall.runbooks.tests.support.serving import alert, notification
from oncall.serve.intake.alerts import (
    MOST_ALERTS,
    MOST_LABELS,
    MOST_TEXT,
    Alert,
    Refused,
    episode_id,
    host_of,
    read,
)


def one(**changed) -> Alert:
    good, bad = read(notification([alert(**changed)]))
    assert bad == []
    return good[0]


def test_a_notification_is_taken_as_it_is():
    odd = {"a": "1e3", "b": "None", "c": "0x10", "d": "{{ x }}", "e": "true", "f": " \u202e\0\x1b[31m ", "": "empty"}
    told = one(labels=odd, annotations=odd)
    assert (told.labels["instance"], told.status) == ("h000:6379", "firing")
    assert {name: told.labels[name] for name in odd} == told.annotations == odd


def test_a_notification_of_an_old_alertmanager_names_no_version_and_may_have_no_annotations():
    told = alert()
    del told["annotations"]
    good, bad = read(json.dumps({"alerts": [told]}).encode())
    assert (len(good), bad) == (1, [])


def test_labels_that_ansible_would_take_for_its_own_are_dropped():
    own = {"ansible_host": "a", "ansible_": "b", "__ansible_unsafe": "c", "meta": "d", "ansible_\nhost": "e"}
    others = {"xansible_host": "a", "metal": "b", "__ansible": "c", "Ansible_host": "d", "hostvars": "e", "a.b": "f"}
    told = one(labels={**own, **others}, annotations={**own, **others})
    assert told.annotations == others
    assert told.labels.keys() == {"alertname", "runbook", "instance", *others}


@pytest.mark.parametrize(
    "body",
    [
        b"", b" ", b"{", b"null", b"true", b"1", b'"alerts"', b"[]", b"{}", b'[{"alerts": []}]', b"\0", b"NaN",
        b'{"alerts": null}', b'{"alerts": {}}', b'{"alerts": "x"}', b'{"alerts": 1}', b'{"Alerts": []}',
        b'{"alerts": []} x', b'{"alerts": []}{"alerts": []}', b'{"alerts": [],}', b"{'alerts': []}", b'{"alerts": [NaN]}',
        b'{"alerts": [Infinity]}', b'{"alerts": [{"a": -Infinity}]}', b'{"alerts": [{"a": \'b\'}]}', b"{alerts: []}",
        b'{"alerts": [], "version": "3"}', b'{"alerts": [], "version": 4}', b'{"alerts": [], "version": null}',
        b'\xef\xbb\xbf{"alerts": []}', '{"alerts": []}'.encode("utf-16"), '{"alerts": []}'.encode("utf-32"),
        b'{"alerts": [{"a": "\x00"}]}', b'{"alerts": [{"a": "\n"}]}', b'{"alerts": [{"a": "\\ud800"}]}',
        b"[" * 100_000, b"[" * 100_000 + b"]" * 100_000, b'{"alerts": [' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"]}",
        b'{"alerts": [' + b"0," * MOST_ALERTS + b"0]}", b"<?xml version='1.0'?><a/>", b"--- {alerts: []}", b"\x1f\x8b\x08",
    ],
    ids=lambda body: repr(body[:30]),
)  # fmt: skip
def test_what_is_no_notification(body):
    with pytest.raises(Refused) as raised:
        read(body)
    assert str(raised.value).startswith("this is no notification") and str(raised.value).isprintable()


def test_ten_thousand_alerts_are_not_too_many():
    good, bad = read(b'{"alerts": [' + b"0," * (MOST_ALERTS - 1) + json.dumps(alert()).encode() + b"]}")
    assert (len(good), len(bad)) == (1, MOST_ALERTS - 1)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"status": "FIRING"}, "Invalid enum value 'FIRING'"),
        ({"status": "firing\0\u202e\x1b[2J"}, "Invalid enum value"),
        ({"status": None}, "$.status"),
        ({"status": ["firing"]}, "$.status"),
        ({"labels": []}, "$.labels"),
        ({"labels": None}, "$.labels"),
        ({"labels": "{}"}, "$.labels"),
        ({"annotations": {"a": 1}}, "$.annotations"),
        ({"annotations": {"a": None}}, "$.annotations"),
        ({"annotations": {"a": {"b": "c"}}}, "$.annotations"),
        ({"annotations": {"a": "x" * (MOST_TEXT + 1)}}, "length <="),
        ({"annotations": {"x" * (MOST_TEXT + 1): "a"}}, "length <="),
        ({"annotations": {str(number): "" for number in range(MOST_LABELS + 1)}}, "length <="),
        ({"fingerprint": ""}, "$.fingerprint"),
        ({"fingerprint": "A0"}, "$.fingerprint"),
        ({"fingerprint": "a0\n"}, "$.fingerprint"),
        ({"fingerprint": "' OR 1=1 --"}, "$.fingerprint"),
        ({"fingerprint": "a" * 65}, "$.fingerprint"),
        ({"fingerprint": 12}, "$.fingerprint"),
        ({"startsAt": ""}, "$.startsAt"),
        ({"startsAt": "now"}, "$.startsAt"),
        ({"startsAt": 1_767_225_600}, "$.startsAt"),
        ({"startsAt": "2026-01-01"}, "$.startsAt"),
        ({"startsAt": "2026-01-01 00:00:00Z"}, "$.startsAt"),
        ({"startsAt": "2026-01-01T00:00:00"}, "$.startsAt"),
        ({"startsAt": "2026-01-01T00:00:00Z\n"}, "$.startsAt"),
        ({"startsAt": "2026-01-01T00:00:00.Z"}, "$.startsAt"),
        ({"startsAt": "2026-01-01T00:00:00.0000000001Z"}, "$.startsAt"),
        ({"startsAt": "\uff12\uff10\uff12\uff16-01-01T00:00:00Z"}, "$.startsAt"),
        ({"startsAt": "2026-01-01T00:00:00.\u0663Z"}, "$.startsAt"),
        ({"startsAt": "0000-01-01T00:00:00Z"}, "year"),
        ({"startsAt": "2026-02-30T00:00:00Z"}, "day"),
        ({"startsAt": "2026-01-01T24:00:00Z"}, "hour"),
        ({"startsAt": "2016-12-31T23:59:60Z"}, "second"),
        ({"startsAt": "2026-01-01T00:00:00+24:00"}, "offset"),
    ],
)
def test_one_bad_alert_does_not_cost_the_others(changed, says):
    good, bad = read(notification([alert("a"), {**alert("b"), **changed}, alert("c")]))
    assert [told.labels["instance"] for told in good] == ["a", "c"]
    (told,) = bad
    # It is kept and shown: in no column and on no terminal may it do anything.
    assert says in told.reason and told.reason.isprintable() and len(told.reason) <= 3000
    assert len(told.text) <= 2000


@pytest.mark.parametrize("missing", ["status", "labels", "startsAt", "fingerprint"])
def test_what_an_alert_has_to_have(missing):
    told = alert()
    del told[missing]
    assert f"missing required field `{missing}`" in read(notification([told]))[1][0].reason


@pytest.mark.parametrize("raw", [b"null", b"1", b"1e999", b'"x"', b"[]", b"[[]]", b"true"])
def test_an_alert_that_is_none(raw):
    good, (bad,) = read(b'{"alerts": [%s]}' % raw)
    assert (good, bad.text) == ([], raw.decode())


def test_of_a_key_that_stands_there_twice_the_last_one_counts():
    told = json.dumps(alert()).replace('"instance": "h000:6379"', '"instance": "h000:6379", "instance": "all"')
    good, _ = read(f'{{"alerts": [], "alerts": [{told}]}}'.encode())
    assert [one.labels["instance"] for one in good] == ["all"]


def test_bytes_that_are_no_text_cost_one_alert():
    body = notification([alert("a"), alert("b", annotations={"x": "caf@"})]).replace(b"caf@", b"caf\xe9\xed\xa0\x80")
    good, (bad,) = read(body)
    assert [told.labels["instance"] for told in good] == ["a"]
    assert "utf-8" in bad.reason


def test_what_is_kept_can_be_read_again():
    good, bad = read(notification([alert(labels={"x": "\0\u2028\U0001f600"}), alert(status="\0")]))
    again = msgspec.json.decode(msgspec.json.encode([good, bad]))
    assert again[0][0]["labels"]["x"] == "\0\u2028\U0001f600" and len(again[1]) == 1


@pytest.mark.parametrize(
    ("instance", "host"),
    [
        ("shop", "shop"),
        ("shop:9100", "shop"),
        ("shop.example.com:443", "shop.example.com"),
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7:9100", "192.0.2.7"),
        ("2001:db8::7", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("[2001:db8::7]:9100", "2001:db8::7"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("[fe80::1%eth0]:1", "fe80::1%eth0"),
        ("shop:0", "shop"),
        ("shop:65535", "shop"),
        # No part of it is cut off or put right: whether there is such a host is for the inventory to say.
        ("all", "all"),
        (" shop ", " shop "),
        ("shop\n:1", "shop\n"),
        ("a,b:1", "a,b"),
        ("@file", "@file"),
        # None at all
        ("", ""),
        (":9100", ""),
        ("shop:", ""),
        ("shop:65536", ""),
        ("shop:099999", ""),
        ("shop:-1", ""),
        ("shop:1e3", ""),
        ("shop:\u0663", ""),
        ("shop:1\n", ""),
        ("shop:9100:9100", ""),
        ("shop:web", ""),
        ("[shop]", ""),
        ("[shop]:1", ""),
        ("[]", ""),
        ("[::1", ""),
        ("::1]", ""),
        ("[::1]1", ""),
        ("[[::1]]", ""),
        ("[192.0.2.7]:1", "192.0.2.7"),
        ("h[1:3]", ""),
        ("http://shop:80/", ""),
        ("http://shop/", ""),
    ],
)
def test_the_host_of_an_instance(instance, host):
    assert host_of(instance) == host


SAME = ("2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", "2025-12-31T18:30:00-05:30", "2026-01-01T00:00:00.0Z",
        "2026-01-01T00:00:00.000000000+00:00", "2026-01-01T00:00:00-00:00")  # fmt: skip


def test_the_same_instant_is_the_same_episode_wherever_it_is_written():
    assert len({episode_id(one(startsAt=at), "cache", "h") for at in SAME}) == 1


def test_everything_else_is_another_one():
    others = [
        ("a1", "2026-01-01T00:00:00Z", "cache", "h"),
        ("a2", "2026-01-01T00:00:00Z", "cache", "h"),
        ("a1", "2026-01-01T00:00:00.000000001Z", "cache", "h"),
        ("a1", "2026-01-01T00:00:01Z", "cache", "h"),
        ("a1", "2026-01-01T00:00:00+01:00", "cache", "h"),
        ("a1", "0001-01-01T00:00:00Z", "cache", "h"),
        ("a1", "0001-01-01T00:00:00+23:59", "cache", "h"),
        ("a1", "9999-12-31T23:59:59-23:59", "cache", "h"),
        ("a1", "2026-01-01T00:00:00Z", "db_pool", "h"),
        ("a1", "2026-01-01T00:00:00Z", "cache", "h2"),
        # What is between two of them belongs to one of them.
        ("a1", "2026-01-01T00:00:00Z", "cach", "eh"),
        ("a1", "2026-01-01T00:00:00Z", "cache1:h", ""),
    ]
    ids = [episode_id(one(fingerprint=mark, startsAt=at), runbook, host) for mark, at, runbook, host in others]
    assert all(left != right for left, right in combinations(ids, 2))
    assert all(len(name) == 20 and set(name) <= set("0123456789abcdef") for name in ids)


def test_it_is_neither_the_status_nor_the_text_that_makes_an_episode():
    changed = {"status": "resolved", "annotations": {"summary": "later"}, "endsAt": "2026-01-02T00:00:00Z"}
    assert episode_id(one(**changed), "cache", "h") == episode_id(one(), "cache", "h")
