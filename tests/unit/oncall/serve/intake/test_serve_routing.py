# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which runbook and which host an alert means, and what becomes of one that means neither."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.oncall.runbooks.tests.support.serving import alert, notification
from oncall.inventory import Names
from oncall.serve.intake.alerts import Bad, LeftOut, read
from oncall.serve.intake.routing import Sorted, sort
from oncall.serve.settings import parse

SETTINGS = parse(
    """\
inventories: [hosts.yml]
state_directory: state
runbooks:
  cache: {mode: auto, alerts: [RedisDown, "1e3", "None"]}
  db_pool: {mode: approve}
  api_down: {mode: suggest, alerts: [ApiDown]}
  crash_loop: {mode: "off"}
""",
    Path("/srv/serve.yml"),
)
HOSTS = frozenset({"shop", "shop-2.example.com", "2001:db8::7", "web", "x*", "odd:6379", "0x10"})
KNOWN = Names(HOSTS, frozenset({"all", "ungrouped", "web"}), {"all": HOSTS, "web": frozenset({"shop"})})


def sorted_(*alerts: dict, settings=SETTINGS, bad=()) -> Sorted:
    kept = read(notification(alerts))
    assert not kept.bad
    return sort(kept.each(), bad, settings, KNOWN, 1000.0)


def labels(**changed: str) -> dict:
    """An alert of exactly these labels."""
    told = alert()
    told["labels"] = changed
    return told


@pytest.mark.parametrize(
    ("told", "runbook", "host", "stage"),
    [
        (labels(runbook="cache", instance="shop:6379"), "cache", "shop", "act"),
        (labels(runbook="db_pool", instance="shop"), "db_pool", "shop", "check"),
        (labels(alertname="ApiDown", instance="shop-2.example.com:443"), "api_down", "shop-2.example.com", "check"),
        (labels(alertname="1e3", instance="shop"), "cache", "shop", "act"),
        (labels(alertname="None", instance="0x10"), "cache", "0x10", "act"),
        # The label is more than the name.
        (labels(alertname="ApiDown", runbook="cache", instance="shop"), "cache", "shop", "act"),
        (labels(runbook="cache", instance="[2001:db8::7]:9100"), "cache", "2001:db8::7", "act"),
        (labels(runbook="cache", instance="2001:db8::7"), "cache", "2001:db8::7", "act"),
    ],
)
def test_an_alert_that_means_a_runbook_on_a_host(told, runbook, host, stage):
    found = sorted_(told)
    (row,) = found.firing
    assert (row["runbook"], row["host"], row["stage"], row["state"]) == (runbook, host, stage, "queued")
    assert (found.aside, found.resolved) == ([], [])


@pytest.mark.parametrize(
    ("told", "says"),
    [
        (labels(instance="shop"), "no label runbook, and no runbook has the alert ''"),
        (labels(alertname="redisdown", instance="shop"), "no runbook has the alert 'redisdown'"),
        (labels(alertname="RedisDown\n", instance="shop"), r"'RedisDown\n'"),
        (labels(runbook="", alertname="RedisDown", instance="shop"), "the label runbook is ''"),
        (labels(runbook="none", alertname="RedisDown", instance="shop"), "the label runbook is 'none'"),
        (labels(runbook="Cache", instance="shop"), "'Cache', which is no key of runbooks"),
        (labels(runbook="cache ", instance="shop"), "'cache ', which"),
        (labels(runbook="\u0441ache", instance="shop"), "which is no key of runbooks"),
        (labels(runbook="../cache", instance="shop"), "which is no key of runbooks"),
        # There is such a runbook, but the settings do not name it.
        (labels(runbook="disk_full", instance="shop"), "'disk_full', which is no key of runbooks"),
        (labels(runbook="cache"), "the label instance is '', which names no host"),
        (labels(runbook="cache", instance=""), "which names no host"),
        (labels(runbook="cache", instance="all"), "no host 'all' in the inventory"),
        (labels(runbook="cache", instance="ungrouped"), "no host 'ungrouped'"),
        (labels(runbook="cache", instance="sho"), "no host 'sho'"),
        (labels(runbook="cache", instance="SHOP"), "no host 'SHOP'"),
        (labels(runbook="cache", instance="shop."), "no host 'shop.'"),
        (labels(runbook="cache", instance="shop,web"), "no host 'shop,web'"),
        (labels(runbook="cache", instance="!shop"), "no host '!shop'"),
        (labels(runbook="cache", instance="localhost"), "no host 'localhost'"),
        (labels(runbook="cache", instance="127.0.0.1"), "no host '127.0.0.1'"),
        (labels(runbook="cache", instance="shop\0"), r"no host 'shop\x00'"),
        (labels(runbook="cache", instance="sh\u043ep"), "no host"),
        # In the inventory, but Ansible would take the name for more, or for something else.
        (labels(runbook="cache", instance="web"), "that of a group"),
        (labels(runbook="cache", instance="x*"), "that of a pattern"),
        (labels(runbook="cache", instance="odd:6379"), "that of a pattern"),
    ],
)
def test_an_alert_that_means_none_is_put_aside(told, says):
    found = sorted_(told)
    (row,) = found.aside
    assert says in row["reason"] and row["reason"].isprintable()
    # To look for near names takes long, and there may be thousands of such alerts.
    assert "did you mean" not in row["reason"]
    assert (found.firing, found.resolved) == ([], [])
    assert json.loads(row["alert"])["labels"] == {name: value[:300] for name, value in told["labels"].items()}


@pytest.mark.parametrize("length", [100, 101, 16_000])
def test_what_is_long_is_not_shown_whole(length):
    for told in (labels(runbook="x" * length, instance="shop"), labels(runbook="cache", instance="y" * length)):
        (row,) = sorted_(told).aside
        assert len(row["reason"]) <= 300 and len(row["alert"]) <= 1000


def test_a_resolved_one_closes_and_runs_nothing():
    firing, resolved = alert("shop"), alert("shop", status="resolved")
    found = sorted_(firing, resolved)
    assert found.resolved == [(found.firing[0]["id"], 1000.0)]
    only = sorted_(resolved)
    assert (only.firing, only.aside, len(only.resolved)) == ([], [], 1)


def test_a_resolved_one_that_means_nothing_is_nothing():
    found = sorted_(alert("nobody", status="resolved"))
    assert (found.firing, found.aside, found.resolved) == ([], [], [])


def test_one_whose_runbook_is_off_is_counted_and_its_end_still_closes():
    told = {"labels": {"runbook": "crash_loop"}}
    found = sorted_(alert("shop", **told), alert("shop", status="resolved", **told))
    assert (found.off, found.firing, len(found.resolved)) == (1, [], 1)


def test_the_watchdog_is_only_seen():
    told = labels(alertname="Watchdog", runbook="cache", instance="shop")
    found = sorted_(told)
    assert (found.seen, found.firing, found.aside) == ({"watchdog": 1000.0}, [], [])
    without = parse("inventories: [a]\nstate_directory: b\nrunbooks: {cache: {}}\nwatchdog_alert: ''\n", Path("/s.yml"))
    found = sorted_(told, labels(alertname="", runbook="cache", instance="shop"), settings=without)
    assert (found.seen, len(found.firing)) == ({}, 1)


def test_other_labels_may_name_the_runbook_and_the_host():
    text = "inventories: [a]\nstate_directory: b\nrunbooks: {cache: {}}\nrunbook_label: book\nhost_label: node\n"
    told = labels(runbook="db_pool", instance="web", book="cache", node="shop")
    (row,) = sorted_(told, settings=parse(text, Path("/s.yml"))).firing
    assert (row["runbook"], row["host"]) == ("cache", "shop")


def test_the_same_one_twice_in_a_notification_is_one():
    again = alert("shop", annotations={"summary": "later"})
    found = sorted_(alert("shop"), again, alert("shop", number=1))
    assert len(found.firing) == 2
    assert json.loads(found.firing[0]["alert"])["annotations"] == {"summary": "Redis is down"}
    assert len(sorted_(alert("nobody"), alert("nobody")).aside) == 1
    assert len(sorted_(alert("nobody"), alert("nobody", fingerprint="ab")).aside) == 2


def test_what_could_not_be_read_is_kept_for_a_person():
    found = sorted_(bad=[Bad("because", "{\0"), Bad("because", "{\0"), Bad("because", "[")])
    assert [row["reason"] for row in found.aside] == ["cannot be read: because"] * 2
    assert json.loads(found.aside[0]["alert"]) == {"text": "{\0"}


def test_an_episode_keeps_what_a_person_recognises_and_a_playbook_gets_none_of_it():
    (row,) = sorted_(alert("shop", annotations={"summary": "{{ 1 + 1 }}"})).firing
    assert json.loads(row["alert"])["annotations"] == {"summary": "{{ 1 + 1 }}"}
    given = {name: value for name, value in row.items() if name in ("id", "runbook", "host")}
    assert "{{" not in json.dumps(given)


def test_what_was_left_out_is_put_aside_once_for_a_group():
    def aside(*left_out: LeftOut) -> list[dict]:
        return [row for one in left_out for row in sort([], [], SETTINGS, KNOWN, 1000.0, one).aside]

    first, more, other = aside(LeftOut(9000, "oncall", "g"), LeftOut(12, "oncall", "g"), LeftOut(9000, "oncall", "h"))
    assert first["id"] == more["id"] != other["id"]
    assert first["reason"].startswith("alerts were left out of a notification by its sender: raise max_alerts")
    assert json.loads(first["alert"]) == {"left_out": 9000, "receiver": "oncall", "group": "g"}
    found = sort(read(notification([alert()])).each(), [], SETTINGS, KNOWN, 1000.0, LeftOut(1))
    assert len(found.aside) == 2 and "left out" in found.aside[0]["reason"]
