# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was measured -> what must be concluded, for every cause of the runbook break_glass; and a cause of any runbook that needs a token."""

from __future__ import annotations

import time
from typing import Any
from unittest.mock import patch

import pytest
from ansible.template import trust_as_template as trusted

from ansible_collections.oncall.runbooks.plugins.module_utils.break_glass import journal, look
from ansible_collections.oncall.runbooks.plugins.module_utils.break_glass.issuer import IssuerError
from ansible_collections.oncall.runbooks.tests.support.tables import Case, diagnose, table

NOW = time.time()
GLASS: dict[str, Any] = {
    "start": {"url": "http://shop.example/break-glass", "auth": {"basic": {"user": "admin", "password": "s3cret"}}},
    "id": "id",
    "revoke": {"url": "http://shop.example/break-glass/{id}/revoke"},
    "open": {"url": "http://shop.example/break-glass"},
    "read_only": {"url": "http://shop.example/state", "field": "read_only"},
    "writes": {
        "release_orders": {
            "url": "http://shop.example/orders/release",
            "why": "lets held orders through",
            "done": {"url": "http://shop.example/state", "field": "orders", "equals": "released"},
        }
    },
}
SYSTEM = {"system_break_glass": GLASS}
ASKED = {"break_glass_write": "release_orders", "break_glass_reason": "INC-42 orders are stuck"}
DOWN = IssuerError("system_break_glass.read_only: GET http://shop.example/state: connection refused")


def given(
    state: str = "revoked", held: bool = False, reference: str = "ab" * 8, left_seconds: float = 600.0
) -> dict[str, Any]:
    """A token as it is noted on the host."""
    return {
        "reference": reference,
        "who": "alice",
        "why": "INC-41",
        "given_at_seconds": NOW - 60,
        "expires_at_seconds": NOW + left_seconds,
        "revoked_at_seconds": NOW - 30 if state == "revoked" else None,
        "state": state,
        "how": "",
        "id": "7",
        "held": held,
        "path": "/var/lib/oncall/break_glass/x.json",
    }


def shown(
    *entries: dict[str, Any],
    read_only: Any = True,
    orders: Any = "held",
    listed: Any = (),
    limits: tuple[str, ...] = (),
    glass: dict[str, Any] = GLASS,
    write: str = "release_orders",
) -> dict[str, Any]:
    """What the observer makes of what the system says, and of what is noted on the host."""

    def value_at(place: str, _given: Any, _seconds: float) -> Any:
        value = read_only if place.endswith("read_only") else orders
        if isinstance(value, Exception):
            raise value
        return value

    def open_ones(_settings: Any, _seconds: float) -> Any:
        if isinstance(listed, Exception):
            raise listed
        return [{"id": str(number), "reason": "x", "reference": one} for number, one in enumerate(listed)]

    asked = {"break_glass": glass, "writes": [write], "directory": "/var/lib/oncall", "timeout_seconds": 5.0}
    noted = patch.object(journal, "read", lambda _directory: (list(entries), list(limits)))
    with noted, patch.object(look, "value_at", value_at), patch.object(look, "open_ones", open_ones):
        return {"break_glass": look.observe(asked)}


WITHOUT_REVOKE = {key: value for key, value in GLASS.items() if key != "revoke"}
WRITES: dict[str, Any] = {"problems": ["write_wanted"], "acts": ["write"], "risk": "high"}

test_concluded = table(
    "break_glass",
    SYSTEM,
    {
        "read-only, and no token is open": Case(
            shown(), says=["the system is read-only", "0 tokens given here, none left"]
        ),
        "not read-only": Case(shown(read_only=False), says=["the system takes writes"]),
        "one was given and revoked": Case(shown(given()), says=["1 tokens given here, none left"]),
        "one is in use": Case(shown(given("open", held=True), listed=["ab" * 8])),
        "one was left": Case(
            shown(given("open")),
            problems=["tokens_left"],
            acts=["revoke"],
            risk="low",
            says=["1 break-glass token is open", "alice (INC-41)"],
        ),
        "one was left in the midst of asking": Case(
            shown(given("asking")), problems=["tokens_left"], acts=["revoke"], risk="low"
        ),
        "one was left and has ended by itself": Case(shown(given("open", left_seconds=-1))),
        "one was left, and nothing says how to revoke it": Case(
            shown(given("open"), glass=WITHOUT_REVOKE),
            problems=["tokens_left"],
            why_not="revoke does not say how to revoke one; the last ends by itself in",
            variables={"system_break_glass": WITHOUT_REVOKE},
        ),
        "a record cannot be read": Case(shown(limits=("x.json is no record of a token",)), unknown=["tokens_left"]),
        "a person has one": Case(
            shown(listed=[""]), says=["1 open token is of a person or of another host; not touched"]
        ),
        "it is not known whether it is read-only": Case(
            shown(read_only=DOWN), unknown=["tokens_left"], says=["connection refused"]
        ),
        "a write is asked for": Case(
            shown(), **WRITES, variables=ASKED, says=["release_orders is asked for and not done", "INC-42"]
        ),
        "a write is asked for, and the system takes writes": Case(
            shown(read_only=False), **WRITES, variables=ASKED, says=["the system takes writes"]
        ),
        "a write is asked for and done": Case(
            shown(orders="released"), variables=ASKED, says=["release_orders is done"]
        ),
        "a write is asked for, and nobody knows whether it is done": Case(
            shown(orders=DOWN), unknown=["tokens_left", "write_wanted"], variables=ASKED
        ),
        "a write is asked for, and nobody knows whether it is read-only": Case(
            shown(read_only=DOWN),
            problems=["write_wanted"],
            why_not="it is not known whether the system is read-only",
            variables=ASKED,
        ),
        "a write is asked for, and another token was left": Case(
            shown(given("open")),
            problems=["tokens_left", "write_wanted"],
            acts=["revoke", "write"],
            risk="high",
            variables=ASKED,
        ),
        "one was noted as revoked, and is open": Case(
            shown(given(), listed=["ab" * 8]), problems=["tokens_left"], acts=["revoke"], risk="low"
        ),
        "one was noted as not given, and is open": Case(
            shown(given("not_given"), listed=["ab" * 8]), problems=["tokens_left"], acts=["revoke"], risk="low"
        ),
        "one ends by itself, and is open": Case(shown(given("ends_by_itself"), listed=["ab" * 8])),
        "no reason": Case(
            shown(),
            problems=["reason_missing"],
            variables={**ASKED, "break_glass_reason": "INC"},
        ),
        "another name": Case(
            shown(write="release"),
            problems=["unknown_write"],
            says=["release is not in"],
            variables={**ASKED, "break_glass_write": "release"},
        ),
        "too long": Case(
            shown(),
            problems=["write_wanted"],
            why_not="must be from 60 to 3600",
            variables={**ASKED, "break_glass_ttl_seconds": 86400},
        ),
        "nothing answers": Case(
            shown(read_only=DOWN, orders=DOWN, listed=DOWN), unknown=None, says=["connection refused"]
        ),
    },
)


def step(**variables: Any) -> dict[str, Any]:
    (found,) = diagnose("break_glass", shown(), **{**SYSTEM, **ASKED, **variables})["plan"]["steps"]
    return found


def test_the_plan_says_for_what_a_token_is_asked():
    found = step()
    assert found["needs"] == {"break_glass": {"reason": "INC-42 orders are stuck", "ttl_seconds": 600}}
    assert found["words"].endswith("with a break-glass token for 600 s where the system is read-only")
    assert "s3cret" not in str(found)


def test_what_others_have_is_told_and_left_alone():
    (finding,) = [
        one
        for one in diagnose("break_glass", shown(listed=[""]), **SYSTEM)["findings"]
        if one["cause"] == "others_have_one"
    ]
    assert (finding["status"], finding["evidence"][0]["reason"]) == ("ok", "x")


def test_another_reason_or_another_time_is_another_plan():
    def plan(**more: Any) -> str:
        return diagnose("break_glass", shown(), **{**SYSTEM, **ASKED, **more})["plan"]["hash"]

    other = {
        **GLASS,
        "writes": {"release_orders": {**GLASS["writes"]["release_orders"], "url": "http://shop.example/orders/delete"}},
    }
    plans = [
        plan(),
        plan(break_glass_reason="INC-43 others"),
        plan(break_glass_ttl_seconds=60),
        plan(system_break_glass=other),
    ]
    assert len(set(plans)) == len(plans)
    renewed = {**GLASS, "start": {**GLASS["start"], "auth": {"basic": {"user": "admin", "password": "another"}}}}
    assert plan(system_break_glass=renewed) == plans[0]


# A cause that an inventory adds to another runbook.
OWN = {
    "wants_a_write": {
        "when": trusted("1 == 1"),
        "summary": "a write",
        "remedy": "renew",
        "risk": "high",
        "targets": trusted("{{ [{'path': '/x'}] }}"),
        "needs": {"break_glass": {"reason": "INC-42 it has to be written", "ttl_seconds": 120}},
        "advice": "look",
    }
}


@pytest.mark.parametrize(
    ("variables", "available", "why_not"),
    [
        (SYSTEM, True, ""),
        ({}, False, "set system_break_glass"),
        ({"system_break_glass": {"token": "x"}}, False, "give system_break_glass.start, a dict with the key url"),
    ],
)
def test_any_runbook_may_need_a_token(variables, available, why_not):
    own = {"certificate_expiry_extra_causes": OWN}
    seen = {
        "certificate": {
            "available": True,
            "complete": True,
            "limits": [],
            "served": [],
            "chains_complete": True,
            "without_tls": [],
        }
    }
    settings = {"system_endpoints": {"web": "https://127.0.0.1/"}, **own, **variables}
    (found,) = diagnose("certificate_expiry", seen, **settings)["plan"]["steps"]
    assert (found["available"], found["needs"]["break_glass"]["ttl_seconds"]) == (available, 120)
    assert why_not in found["why_not"]


# The rows that every runbook has; tests/contract sees that they conclude this.
HEALTHY_ROW = "test_concluded[read-only, and no token is open]"
WRONG_CAUSE_ROW = "test_concluded[a person has one]"
NO_TELEMETRY_ROW = "test_concluded[nothing answers]"
