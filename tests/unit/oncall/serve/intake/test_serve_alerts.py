# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read of a notification, and which of its alerts are of one episode."""

from __future__ import annotations

import json
import tracemalloc
from itertools import combinations

import msgspec
import pytest

from ansible_collections.oncall.runbooks.tests.support.serving import alert, notification
from oncall.serve.intake.alerts import (
    MOST_ALERTS,
    MOST_BYTES_OF_TEXTS,
    MOST_LABELS,
    MOST_TEXT,
    RULER,
    Alert,
    Bad,
    LeftOut,
    Refused,
    episode_id,
    host_of,
    in_words,
    kept,
    read,
    sender_of,
)


def parts(body: bytes) -> tuple[list[Alert], list[Bad]]:
    """What can be read of it, and what cannot."""
    kept = read(body)
    return [*kept.each()], kept.bad


def one(**changed) -> Alert:
    good, bad = parts(notification([alert(**changed)]))
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
    good, bad = parts(json.dumps({"alerts": [told]}).encode())
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


# --- Grafana, and who else sends something ---------------------------------------------------------------------


def grafana(**changed) -> bytes:
    """A notification of Grafana Alerting."""
    told = {
        **alert(), "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "https://grafana/alerting/x/edit", "values": {"A": 1.5, "B": None},
        "valueString": "[ var='A' labels={} value=1.5 ]", "silenceURL": "https://grafana/alerting/silence/new", "dashboardURL": "",
        "panelURL": "",
    }  # fmt: skip
    return json.dumps(
        {
            "receiver": "oncall", "status": "firing", "orgId": 1, "alerts": [told], "groupLabels": {}, "commonLabels": {},
            "commonAnnotations": {}, "externalURL": "https://grafana/", "version": "1", "groupKey": "{}:{}", "truncatedAlerts": 0,
            "title": "[FIRING:1]", "state": "alerting", "message": "**Firing**", **changed,
        }
    ).encode()  # fmt: skip


def test_a_notification_of_grafana_is_taken_and_means_the_same():
    told = read(grafana())
    assert ([*told.each()], told.bad, told.left_out) == ([one()], [], None)
    # The fields that Grafana adds are not kept.
    assert kept(msgspec.json.encode(told)) == told
    assert b"silence" not in msgspec.json.encode(told)


def test_of_grafana_too_one_bad_alert_does_not_cost_the_others():
    told = read(grafana(alerts=[alert(), alert(fingerprint="?")], truncatedAlerts=2))
    assert (len(told.alerts), len(told.bad), told.left_out) == (1, 1, LeftOut(2, "oncall", "{}:{}"))


@pytest.mark.parametrize("version", ["1", "2", "3", "5", "04", " 4", "", "\x1b[2J\n", "x" * 10_000])
def test_another_version_is_named(version):
    with pytest.raises(Refused) as raised:
        read(json.dumps({"alerts": [alert()], "version": version}).encode())
    text = str(raised.value)
    assert f"its version is {version[:20]!r}; " in text and text.isprintable() and len(text) < 300


RULED = {
    "labels": {"alertname": "x"},
    "annotations": {},
    "startsAt": "2026-01-01T00:00:00Z",
    "generatorURL": "http://vmalert",
}
LEGACY = {
    "dashboardId": 1, "evalMatches": [{"value": 1, "metric": "Count", "tags": {}}], "orgId": 1, "panelId": 2, "ruleId": 1,
    "ruleName": "Panel Title alert", "ruleUrl": "http://grafana/d/x", "state": "alerting", "tags": {}, "title": "[Alerting] Panel",
}  # fmt: skip
NAMED = [
    ([RULED], "send it to an Alertmanager, and name this address in its webhook_configs"),
    (
        [RULED, {**RULED, "endsAt": "0001-01-01T00:00:00Z", "status": {"state": "active"}, "fingerprint": "a0"}],
        "vmalert",
    ),
    (LEGACY, "Grafana's legacy alerting, whose alerts have no labels: use Grafana Alerting"),
    ({**LEGACY, "evalMatches": None, "state": "ok"}, "Grafana's legacy alerting"),
    ({"ruleId": 1, "ruleName": "x", "state": "no_data"}, "Grafana's legacy alerting"),
    ({"ruleName": "x", "ruleUrl": "http://x", "state": "ok"}, "Grafana's legacy alerting"),
    ({"status": "success", "data": [RULED]}, "an answer of an API"),
    ({"status": "success", "data": {"alerts": []}}, "an answer of an API"),
    ({"Type": "Notification", "TopicArn": "arn:aws:sns:x", "Message": "{}"}, "Amazon SNS"),
    ({"channel": "#ops", "attachments": [{"title": "x"}]}, "made for a chat or a pager"),
    ({"text": "x"}, "made for a chat or a pager"),
    ({"content": "x", "embeds": []}, "made for a chat or a pager"),
    ({"@type": "MessageCard", "@context": "x"}, "made for a chat or a pager"),
    ({"routing_key": "x", "event_action": "trigger", "payload": {}}, "made for a chat or a pager"),
]


@pytest.mark.parametrize(("document", "says"), NAMED)
def test_what_another_program_sends_is_refused_by_name(document, says):
    with pytest.raises(Refused, match=r"^this is no notification of Alertmanager's webhook: it is ") as raised:
        read(json.dumps(document).encode())
    assert says in str(raised.value) and str(raised.value).isprintable()


@pytest.mark.parametrize(
    "document",
    [
        None,
        1,
        "x",
        [],
        [1],
        [{}],
        [{"labels": []}],
        [RULED, 1],
        {},
        {"status": "firing"},
        {"alert": RULED},
        {"orgId": 1},
        {"data": []},
    ],
)
def test_what_nobody_is_known_to_send_is_not_given_a_name(document):
    assert sender_of(document) == ""


def test_a_notification_with_more_in_it_is_still_one():
    told = read(json.dumps({"alerts": [alert()], "text": "x", "evalMatches": [], "data": 1}).encode())
    assert [*told.each()] == [one()]


def test_what_is_too_large_is_not_looked_into():
    with pytest.raises(Refused) as raised:
        read(json.dumps([RULED] * 20_000).encode())
    assert RULER not in str(raised.value)


SIZE = 1_000_000


def filled(before: bytes, unit: bytes, after: bytes, size: int = SIZE) -> bytes:
    """So many of a unit as there are in a large notification."""
    return before + (unit * (size // len(unit))).rstrip(b",") + after


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (filled(b'{"alerts":[', b"1,", b"]}"), "it has more than 10000 parts"),
        (filled(b'{"alerts":[', b"{},", b"]}"), "it has more than 10000 parts"),
        (filled(b'{"alerts":[', b"[],", b"]}"), "it has more than 10000 parts"),
        (filled(b'{"alerts":[', b'"",', b"]}"), "it has more than 10000 parts"),
        (filled(b'{"alerts":[', b'{"a":[{}]},', b"]}"), "it has more than 10000 parts"),
        (filled(b'{"alerts":[],"version":"\xf0\x9f\x98\x80', b"x", b'"}'), "its version is '?'"),
        (filled(b'{"alerts":[],"version":[', b"{},", b"]}"), "its version is '?'"),
        (filled(b'{"x":[', b"{},", b"]}"), "missing required field `alerts`"),
        (filled(b"[", b"{},", b"]"), "Expected `object`, got `array`"),
        (filled(b"{", b'"":1,', b"}"), "missing required field `alerts`"),
        (filled(b'{"x":{', b'"":[],', b"}}"), "missing required field `alerts`"),
        (filled(b'{"alerts":["', b'\\"', b""), "truncated"),
        (filled(b'{"alerts":"', b"x", b'"}'), "Expected `array`, got `str`"),
    ],
    ids=lambda one: repr(one[:24]) if isinstance(one, bytes) else "",
)
def test_what_is_refused_takes_no_more_room_than_it_has(body, says):
    body = bytearray(body)
    tracemalloc.start()
    try:
        with pytest.raises(Refused, match=says):
            read(body)
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # With the body itself it is three times its size.
    assert peak < 2 * len(body)


@pytest.mark.parametrize(
    ("hostile", "says"),
    [
        (filled(b"[", b"1,", b"]"), "it has more than 4000 parts"),
        (filled(b"[[", b"1,", b"]]"), "it has more than 4000 values"),
        (filled(b'{"labels":{', b'"":"",', b"}}"), "it has more than 4000 values"),
        # With one such character, each of the others takes four bytes.
        (filled(b'{"labels":{"\xf0\x9f\x98\x80', b"x", b'":""}}', MOST_BYTES_OF_TEXTS), "a text in it is too long"),
        (filled(b'{"labels":{"a":"', b"\\n", b'"}}'), "a text in it is too long"),
        (filled(b'"', b"\\n", b'"'), "a text in it is too long"),
    ],
    ids=lambda one: repr(one[:24]) if isinstance(one, bytes) else "",
)
def test_an_alert_that_would_be_too_much_is_put_aside_and_costs_no_other(hostile, says):
    body = b'{"alerts":[' + json.dumps(alert()).encode() + b"," + hostile + b"]}"
    tracemalloc.start()
    try:
        told = read(body)
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [*told.each()] == [one()] and [bad.reason for bad in told.bad] == [says]
    assert peak < 2 * len(body)


def test_a_long_text_that_nobody_reads_costs_no_alert():
    told = read(b'{"alerts":[' + json.dumps({**alert(), "generatorURL": "x" * 1_000_000}).encode() + b"]}")
    assert len([*told.each()]) == 1 and told.bad == []


def test_an_alert_with_as_much_as_it_may_have_is_read():
    texts = {f"label{number:04}": "é" * 1000 for number in range(996)}
    long = one(labels=texts, annotations={**texts, "long": '"' * 16_384, "escaped": "é" * 16_384})
    assert len(long.labels) == 999 and len(long.annotations) == 998


@pytest.mark.parametrize(
    ("said", "left_out"),
    [
        (0, None), (None, None), (False, None), ("", None), (0.0, None),
        (9000, LeftOut(9000, "r", "g")), (1, LeftOut(1, "r", "g")), (10**12, LeftOut(10**9, "r", "g")),
        (-1, LeftOut(0, "r", "g")), ("9000", LeftOut(0, "r", "g")), (True, LeftOut(0, "r", "g")), ([], LeftOut(0, "r", "g")),
        (1.5, LeftOut(0, "r", "g")), ({"a": 1}, LeftOut(0, "r", "g")),
    ],
)  # fmt: skip
def test_what_was_left_out_is_seen_and_costs_no_alert(said, left_out):
    told = read(json.dumps({"alerts": [alert()], "truncatedAlerts": said, "receiver": "r", "groupKey": "g"}).encode())
    assert ([*told.each()], told.left_out) == ([one()], left_out)
    assert kept(msgspec.json.encode(told)) == told


@pytest.mark.parametrize(("receiver", "shown"), [(None, ""), (5, "5"), ("x" * 1000, "x" * 300), (["a"], "['a']")])
def test_who_left_it_out_is_told_where_that_is_said(receiver, shown):
    told = read(json.dumps({"alerts": [], "truncatedAlerts": 3, "receiver": receiver}).encode())
    assert told.left_out == LeftOut(3, shown)
    assert in_words(told.left_out) == "3 alerts were left out"
    assert in_words(LeftOut(0)) == "some alerts were left out"


def test_what_an_older_program_kept_is_read():
    assert kept(b'{"alerts":[],"bad":[]}').left_out is None


def test_ten_thousand_alerts_are_not_too_many():
    good, bad = parts(b'{"alerts": [' + b"0," * (MOST_ALERTS - 1) + json.dumps(alert()).encode() + b"]}")
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
    good, bad = parts(notification([alert("a"), {**alert("b"), **changed}, alert("c")]))
    assert [told.labels["instance"] for told in good] == ["a", "c"]
    (told,) = bad
    # It is kept and shown: in no column and on no terminal may it do anything.
    assert says in told.reason and told.reason.isprintable() and len(told.reason) <= 3000
    assert len(told.text) <= 2000


@pytest.mark.parametrize("missing", ["status", "labels", "startsAt", "fingerprint"])
def test_what_an_alert_has_to_have(missing):
    told = alert()
    del told[missing]
    assert f"missing required field `{missing}`" in read(notification([told])).bad[0].reason


@pytest.mark.parametrize("raw", [b"null", b"1", b"1e999", b'"x"', b"[]", b"[[]]", b"true"])
def test_an_alert_that_is_none(raw):
    good, (bad,) = parts(b'{"alerts": [%s]}' % raw)
    assert (good, bad.text) == ([], raw.decode())


def test_of_a_key_that_stands_there_twice_the_last_one_counts():
    told = json.dumps(alert()).replace('"instance": "h000:6379"', '"instance": "h000:6379", "instance": "all"')
    good, _ = parts(f'{{"alerts": [], "alerts": [{told}]}}'.encode())
    assert [one.labels["instance"] for one in good] == ["all"]


def test_bytes_that_are_no_text_cost_one_alert():
    body = notification([alert("a"), alert("b", annotations={"x": "caf@"})]).replace(b"caf@", b"caf\xe9\xed\xa0\x80")
    good, (bad,) = parts(body)
    assert [told.labels["instance"] for told in good] == ["a"]
    assert "utf-8" in bad.reason


def test_what_is_kept_can_be_read_again():
    good, bad = parts(notification([alert(labels={"x": "\0\u2028\U0001f600"}), alert(status="\0")]))
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
