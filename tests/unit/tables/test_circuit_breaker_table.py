# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was measured -> what must be concluded, for every cause of the runbook circuit_breaker."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.template import trust_as_template

from ansible_collections.oncall.runbooks.plugins.module_utils.net import http_probe
from ansible_collections.oncall.runbooks.tests.support.observed_services import running
from ansible_collections.oncall.runbooks.tests.support.tables import Case, diagnose, table

URL = "https://api.crm.example/v1/me"
SYNC = "http://127.0.0.1:8080/v1/connectors/crm/sync"
CRM = {
    "probe": {"url": URL, "headers": {"Authorization": "Bearer s3cret"}},
    "status_page": "crm",
    "connector": {"url": f"{SYNC}?key=s3cret", "headers": {"Cookie": "session=s3cret"}},
    "threshold": {"variable": "CRM_THRESHOLD", "maximum": 80},
    "reset": {"variable": "CRM_RESET_MS", "maximum": 120000},
}
REPLICAS = ("web-1", "web-2")
SYSTEM = {
    "system_services": {"api": {"manager": "compose", "project": "/srv/app", "environment_file": "/srv/app/api.env"}},
    "system_endpoints": {"api": {name: f"http://{name}:8080/metrics" for name in REPLICAS}},
    "system_metrics": {
        "circuit_breaker_codes": "app_circuit_breaker",
        "circuit_breaker_failure_percent": "app_circuit_breaker_failure_percent",
        "circuit_breaker_opened": "app_circuit_breaker_opened_total",
    },
    "system_status_pages": {"crm": {"url": "https://status.crm.example", "kind": "statuspage", "component": "API"}},
    "circuit_breaker_dependencies": {"crm": CRM},
    "circuit_breaker_codes": {"0": "closed", "1": "open", "2": "half-open", "3": "isolated", "4": "disabled"},
}
CODES = {"closed": 0.0, "open": 1.0, "half_open": 2.0, "forced_open": 3.0, "disabled": 4.0, "odd": 7.0}


def metrics(
    *crm: str | None, mail: str = "closed", percent: float | None = None, opened: float | None = None
) -> dict[str, Any]:
    """What each replica shows of the breaker crm, and of mail beside it. None: it does not answer."""
    refused = {"available": False, "reason": "endpoint web-2: GET http://web-2:8080/metrics: connection refused"}
    found: dict[str, Any] = {"available": None not in crm, "endpoints": {}, "metric": {}, "value": {}, "unmoved": []}
    for replica, state in zip(REPLICAS, crm, strict=True):
        groups = {
            "codes": state and {"crm": CODES[state], "mail": CODES[mail]},
            "failure_percent": None if percent is None else {"crm": percent},
            "opened": None if opened is None else {"crm": opened},
        }
        found["endpoints"][replica] = {"available": True} if state else refused
        for name, value in groups.items():
            found["metric"][f"{name}@{replica}"] = {"available": True} if value else refused
            if value:
                found["value"][f"{name}@{replica}"] = value
    return found if found["available"] else {**found, "reason": refused["reason"]}


def probed(status: int | None = 200, error: str = "", **more: Any) -> dict[str, Any]:
    """What a request to the dependency gives; with an error, none came back."""
    described = http_probe._described("crm", URL)
    if error in ("dns", "unreachable"):
        found = http_probe._not_measured(described, error, f"GET {URL}: {error}")
    elif error:
        found = {**http_probe._empty(described), "error": error, "reason": f"GET {URL}: {error}"}
    else:
        found = http_probe._judged(described, status, b"")
    found = {**found, "seconds": 0.2, **more}
    return {"available": found["available"], "failing": [], "unknown": [], "limits": [], "endpoints": {"crm": found}}


def page(status: str = "operational", *incidents: str) -> dict[str, Any]:
    """What their status page says."""
    found = {
        "available": True,
        "status": status,
        "component": "API",
        "incidents": [{"name": name} for name in incidents],
    }
    if status == "unknown":
        found = {"available": False, "status": status, "reason": "https://status.crm.example answers 404"}
    return {"available": found["available"], "complete": True, "limits": [], "pages": {"crm": found}}


def service(uptime: float = 7200.0, **numbers: float) -> dict[str, Any]:
    """The application, with the numbers in its environment."""
    return {"available": True, "services": {"api": running(uptime_seconds=uptime, numbers=numbers)}}


def look(*crm: str | None, probe: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """Both replicas, and the dependency where anything is open."""
    others = {key: more.pop(key) for key in ("service", "api") if key in more}
    told = more.pop("status_page", page("unknown"))
    return {"metrics": metrics(*crm, **more), "http_probe": probe or probed(), "status_page": told, **others}


def flapping(percent: float | None, service: dict[str, Any], before: float = 4.0) -> Case:
    """A breaker that opened twice more between the two looks, 30 seconds apart."""
    now = look("open", "open", percent=percent, opened=before + 2, service=service)
    then = {"metrics": metrics("open", "open", percent=percent, opened=before)}
    # As a row is judged, and not as this file is read.
    known = {"names": {"looked_at": trust_as_template("{{ now().timestamp() - 30 }}")}}
    variables = {"__circuit_breaker_first": then, "__circuit_breaker_again": now, "__circuit_breaker_further": known}
    return Case(now, variables=variables)


def of(case: Case, **changes: Any) -> Case:
    return Case(case.observed, variables=case.variables, **changes)


OPEN = ("open", "open")
# The look before, half a minute ago.
NOW_AND_THEN = {
    "__circuit_breaker_first": {"metrics": metrics("open", "open", opened=39.0)},
    "__circuit_breaker_again": {"metrics": metrics("closed", "closed", opened=40.0)},
    "__circuit_breaker_further": {
        "names": {"looked_at": trust_as_template("{{ now().timestamp() - 30 }}"), "tripped_names": ["crm"]}
    },
}
HEALTHY = {"metrics": metrics("closed", "closed")}
LOST = {"available": False, "reason": "endpoint web-1: GET http://web-1:8080/metrics: connection refused", "value": {}}
RETRIED = {"problems": ["stays_open"], "acts": ["retry"], "risk": "low"}
NO_DEPENDENCY = {"circuit_breaker_dependencies": {}}
SOON = service(uptime=600.0)
TIGHT = service(uptime=600.0, CRM_THRESHOLD=10.0)

test_concluded = table(
    "circuit_breaker",
    SYSTEM,
    {
        "all closed": Case(HEALTHY, says=["crm: closed in 2; mail: closed in 2"]),
        "a person opened one": Case(
            {"metrics": metrics("closed", "closed", mail="forced_open")}, problems=["forced_open"],
            says=["Somebody opened mail in web-1 and web-2 by hand"],
        ),
        # ------------------------------------------------------------------ they are down
        "their page says so": Case(
            look(*OPEN, status_page=page("major_outage", "API unavailable")), problems=["they_are_down"],
            says=["crm is open in web-1 and web-2", "their page says of API: major_outage (API unavailable)"],
        ),
        "their page says that they are slow": Case(look(*OPEN, status_page=page("degraded")), problems=["they_are_down"]),
        "they maintain it": Case(look(*OPEN, status_page=page("maintenance")), problems=["they_are_down"]),
        "they answer 503": Case(look(*OPEN, probe=probed(503)), problems=["they_are_down"], says=["answers 503"]),
        "they answer 503, though their page is well": Case(
            look(*OPEN, probe=probed(503), status_page=page()), problems=["they_are_down"]
        ),
        "they do not answer in time": Case(look(*OPEN, probe=probed(error="timeout")), problems=["they_are_down"]),
        "they do not answer, and their page is not known": Case(
            look(*OPEN, probe=probed(error="refused"), status_page=page("unknown")), problems=["they_are_down"]
        ),
        "they are down, and one breaker is about to test them": Case(
            look("half_open", "open", probe=probed(503)), problems=["they_are_down"]
        ),
        # ------------------------------------------------------------------ we are wrong
        "they are up, and not to be reached": Case(
            look(*OPEN, probe=probed(error="timeout"), status_page=page()), problems=["way_there"]
        ),
        "no way to their network": Case(look(*OPEN, probe=probed(error="unreachable"), status_page=page()), problems=["way_there"]),
        "their name is not found": Case(look(*OPEN, probe=probed(error="dns")), problems=["wrong_name"]),
        "their certificate is not trusted": Case(look(*OPEN, probe=probed(error="tls")), problems=["wrong_certificate"]),
        "our key is not taken": Case(look(*OPEN, probe=probed(401)), problems=["credentials"]),
        "a key is asked for, and none was sent": Case(
            look(*OPEN, probe=probed(401)), problems=["wrong_answer"], variables={"circuit_breaker_dependencies": {"crm": {**CRM, "probe": URL}}},
        ),
        "our key may not do it": Case(look(*OPEN, probe=probed(403)), problems=["credentials"]),
        "our key is not taken while they are down": Case(
            look(*OPEN, probe=probed(401), status_page=page("major_outage")), problems=["they_are_down"]
        ),
        "too many requests": Case(
            look(*OPEN, probe=probed(429, retry_after_seconds=60.0)), problems=["rate_limited"], says=["they ask to wait 60 s"]
        ),
        "too many requests, and they do not say for how long": Case(look(*OPEN, probe=probed(429)), problems=["rate_limited"]),
        "their API is another one": Case(look(*OPEN, probe=probed(404)), problems=["wrong_answer"]),
        "they send us elsewhere": Case(look(*OPEN, probe=probed(error="redirect")), problems=["wrong_answer"]),
        # ------------------------------------------------------------------ they are well
        "it stays open, though they are well": Case(look(*OPEN, status_page=page()), **RETRIED, says=["stays open though they are well", "operational"]),
        "it waits for a call to test them with": Case(look("half_open", "half_open"), **RETRIED),
        "it stays open, and nothing says how to call it": Case(
            look(*OPEN), problems=["stays_open"], why_not="circuit_breaker_dependencies.crm.connector does not say",
            variables={"circuit_breaker_dependencies": {"crm": {"probe": URL}}},
        ),
        "it is open in one replica": Case(
            look("closed", "open"), problems=["one_replica"], says=["crm is open in web-2 alone, and closed in web-1"]
        ),
        "it opened often lately, with a threshold that binds": of(
            flapping(12.0, TIGHT), problems=["threshold_too_tight"], acts=["raise_threshold"], risk="medium",
            says=["crm opened 6 times, the last time at 12 % of failures, with a threshold of 10"],
        ),
        "it opened often, and the next threshold would not have held": of(flapping(35.0, TIGHT), problems=["keeps_tripping"]),
        "it opened often, far below the threshold of the process": of(
            flapping(12.0, service(uptime=600.0, CRM_THRESHOLD=50.0)), problems=["keeps_tripping"],
            says=["crm opened 6 times, though https://api.crm.example/v1/me answers 200"],
        ),
        "it opened often, with the highest threshold that it may have": of(
            flapping(85.0, service(uptime=600.0, CRM_THRESHOLD=80.0)), problems=["keeps_tripping"]
        ),
        "it opened often, and no share of failures is shown": of(flapping(None, TIGHT), problems=["keeps_tripping"]),
        "it opens again with each test": of(
            flapping(100.0, service(uptime=600.0, CRM_RESET_MS=15000.0)), problems=["tests_too_early"],
            acts=["raise_reset_time"], risk="medium", says=["each time it was tested after 15000 (CRM_RESET_MS)"],
        ),
        "it opens more often than it tests": of(
            flapping(100.0, service(uptime=600.0, CRM_RESET_MS=60000.0)), problems=["keeps_tripping"]
        ),
        "it opened often, and the process shows no variable": of(flapping(12.0, SOON), problems=["keeps_tripping"]),
        "it opened often, and nothing says which variable": Case(
            look(*OPEN, opened=6.0, service=SOON), problems=["keeps_tripping"],
            variables={"circuit_breaker_dependencies": {"crm": {"probe": URL}}},
        ),
        "it opened often, long ago": Case(look(*OPEN, opened=9.0, service=service(uptime=7200.0)), **RETRIED),
        "it opened once": Case(look(*OPEN, opened=1.0, service=SOON), **RETRIED),
        # ------------------------------------------------------------------ nobody knows
        "nothing says how to ask": Case(
            look(*OPEN), problems=["unknown_dependency"], variables=NO_DEPENDENCY, says=["crm is open in web-1 and web-2"]
        ),
        "only their page is known, and is well": Case(
            look(*OPEN, status_page=page()), problems=["unknown_dependency"],
            variables={"circuit_breaker_dependencies": {"crm": {"status_page": "crm"}}},
        ),
        "nobody takes the connection, and their page is not known": Case(
            look(*OPEN, probe=probed(error="unreachable")), unknown=None, says=["GET https://api.crm.example/v1/me: unreachable"]
        ),
        "it could not be asked": Case(
            {**look(*OPEN), "http_probe": {"available": False, "reason": "observer http_probe failed"}}, unknown=None
        ),
        "their page could not be asked": Case(
            {**look(*OPEN), "status_page": {"available": False, "reason": "no page"}}, unknown=None
        ),
        "it is open, and the other replica does not answer": Case(look("open", None), unknown=None),
        "one replica does not answer, and the other is well": Case({"metrics": metrics("closed", None)}, unknown=None),
        "it closes and opens again all the time, and is closed now": Case(
            {**look("closed", "closed", opened=40.0, service=SOON), "metrics": metrics("closed", "closed", opened=40.0)},
            problems=["keeps_tripping"], variables=NOW_AND_THEN,
        ),
        "it opened often when its process began, and no more": Case(
            look("closed", "closed", opened=40.0, service=SOON), variables={**NOW_AND_THEN, "__circuit_breaker_first": {"metrics": metrics("closed", "closed", opened=40.0)}},
        ),
        "words for numbers, the wrong way round": Case(
            HEALTHY, unknown=None, variables={"circuit_breaker_codes": {"closed": 0, "open": 1}}, says=["circuit_breaker_codes: closed has to be a number"]
        ),
        "an API that is not there": Case(
            HEALTHY, unknown=None, variables={"circuit_breaker_apis": ["healht"]}, says=["circuit_breaker_apis: healht is not in system_apis"]
        ),
        "a number that is no state": Case({"metrics": metrics("closed", "odd")}, unknown=None),
        "no replica answers": Case({"metrics": LOST}, unknown=None),
        "nothing shows a breaker": Case({}, variables={"system_metrics": {}}, unknown=None),
        "it is open, and described wrongly": Case(
            look(*OPEN), unknown=None, variables={"circuit_breaker_dependencies": {"crm": {**CRM, "page": "crm"}}}
        ),
        "a dependency is described wrongly": Case(
            HEALTHY, unknown=None, variables={"circuit_breaker_dependencies": {"crm": {"probe": URL, "statuspage": "crm"}}},
        ),
    },
)  # fmt: skip

STATES = {"system_metrics": {"circuit_breaker_states": "resilience4j_circuitbreaker_state"}}


def states(*words: str, mail: str = "closed", processes: int = 1) -> dict[str, Any]:
    """The breaker crm of resilience4j in each replica, and mail, which is the same in all."""
    value = {
        f"states@{name}": {
            f"{breaker},{state}": float(processes * (state == word))
            for breaker, word in (("crm", crm), ("mail", mail))
            for state in ("closed", "open", "half_open", "forced_open", "disabled", "metrics_only")
        }
        for name, crm in zip(REPLICAS, words, strict=True)
    }
    observed = {"available": True, "metric": {}, "value": value}
    return {"metrics": observed, "http_probe": probed(), "status_page": page()}


def one_of_four() -> dict[str, Any]:
    """Of four processes of a replica, whose numbers are added, one has it open."""
    found = states(*CLOSED, processes=4)
    found["metrics"]["value"]["states@web-1"].update({"crm,closed": 3.0, "crm,open": 1.0})
    return found


CLOSED = ("closed", "closed")
test_of_one_gauge_for_each_state = table(
    "circuit_breaker",
    {**SYSTEM, **STATES},
    {
        "closed": Case(states(*CLOSED)),
        "a person opened it": Case(
            states(*CLOSED, mail="forced_open"), problems=["forced_open"], says=["Somebody opened mail in web-1 and web-2 by hand"]
        ),
        "a person opened it in one": Case(states("closed", "forced_open"), problems=["forced_open"], says=["crm in web-2"]),
        "a person switched it off": Case(states(*CLOSED, mail="disabled"), says=["mail never opens"]),
        "open": Case(states(*OPEN), **RETRIED),
        "closed in each of four processes": Case(states(*CLOSED, processes=4), says=["crm: closed in 8"]),
        "open in one of four processes": Case(one_of_four(), unknown=None, says=["closed, open is shown at once"]),
    },
)  # fmt: skip


@pytest.mark.parametrize(("mail", "cause"), [("disabled", "switched_off"), ("metrics_only", "switched_off")])
def test_what_needs_nobody_is_told(mail, cause):
    result = diagnose("circuit_breaker", states(*CLOSED, mail=mail), **{**SYSTEM, **STATES})
    assert [one["cause"] for one in result["findings"] if one.get("summary")] == [cause]


def test_one_that_closed_by_itself_is_told():
    first = {"metrics": metrics("open", "closed")}
    known = {"names": {"tripped_names": ["crm"], "look_again": ["crm"], "looked_at": 0.0}}
    variables = {
        "__circuit_breaker_first": first,
        "__circuit_breaker_again": HEALTHY,
        "__circuit_breaker_further": known,
    }
    result = diagnose("circuit_breaker", HEALTHY, **SYSTEM, **variables)
    assert result["status"] == "healthy"
    (told,) = [one for one in result["findings"] if one["cause"] == "recovered"]
    assert told["summary"] == "crm closed by itself within 30 s"


@pytest.mark.parametrize(("number", "to"), [(10.0, 20), (15.0, 25), (12.5, 22.5)])
def test_what_is_raised(number, to):
    case = flapping(number + 1, service(uptime=600.0, CRM_THRESHOLD=number))
    (step,) = diagnose("circuit_breaker", case.observed, **SYSTEM, **case.variables)["plan"]["steps"]
    assert step["targets"] == [
        {"service": "api", "breaker": "crm", "variable": "CRM_THRESHOLD", "from": number, "to": to}
    ]
    assert step["undo"] == {"numbers": {"CRM_THRESHOLD": number}}


def test_every_replica_is_called_for_and_no_secret_is_shown():
    result = diagnose("circuit_breaker", look(*OPEN), **SYSTEM)
    (step,) = result["plan"]["steps"]
    assert step["targets"] == [{"breaker": "crm", "calls": f"POST {SYNC}", "replica": name} for name in REPLICAS]
    assert "s3cret" not in str(result)


# ---------------------------------------------------------------------- what looks the same and is something else
def test_what_a_replica_left_behind_that_is_gone_does_not_count():
    value = {"codes": {"crm,web-1": 0.0, "crm,web-9": 1.0}, "up": {"web-1": 1.0}}
    server = {"system_prometheus": {"url": "http://prometheus"}}
    result = diagnose(
        "circuit_breaker", {"metrics": {"available": True, "metric": {}, "value": value}}, **SYSTEM, **server
    )
    assert (result["status"], result["msg"]) == ("healthy", "crm: closed in 1")


def test_a_replica_whose_text_does_not_move_is_not_known_to_be_of_now():
    stale = {"metrics": {**metrics("closed", "open"), "unmoved": ["web-2"]}}
    result = diagnose("circuit_breaker", stale, **SYSTEM)
    assert result["status"] == "unknown"
    assert "it gave the very same text twice" in result["msg"]


# The rows that every runbook has; tests/contract sees that they conclude this.
HEALTHY_ROW = "test_concluded[all closed]"
WRONG_CAUSE_ROW = "test_concluded[their page says so]"
NO_TELEMETRY_ROW = "test_concluded[no replica answers]"
