# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""status_page_info against real servers with captured pages: data/README.md tells where they come from."""

from __future__ import annotations

import copy
import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.net.status_pages import urls_of
from ansible_collections.oncall.runbooks.plugins.plugin_utils.finishing import status_page
from ansible_collections.oncall.runbooks.tests.support.observing import Answers, observed

DATA = Path(__file__).parent / "data"
SUMMARY, BETTER, COMPONENTS, INSTATUS = (
    json.loads((DATA / f"{name}.json").read_text())
    for name in ("statuspage_summary", "better_stack_index", "instatus_components", "instatus_summary")
)
INCIDENT = "Amazon Web Services (AWS) is currently experiencing an outage"
UNTRUSTED = "{{ lookup('pipe', 'id') }}"


def ago(seconds: float) -> str:
    return (datetime.now(timezone.utc) - timedelta(seconds=seconds)).isoformat()


def summary(seconds: float = 60, **changes: Any) -> dict[str, Any]:
    """The captured summary, written lately."""
    page = copy.deepcopy(SUMMARY)
    page["page"]["updated_at"] = ago(seconds)
    return {**page, **changes}


def better(status: str = "operational", days: int = 0, reports: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    """The captured index, with a history until some days ago."""
    page = copy.deepcopy(BETTER)
    (resource,) = [one["attributes"] for one in page["included"] if one["type"] == "status_page_resource"]
    resource["status"] = status
    resource["status_history"][0]["day"] = ago(days * 86400)[:10]
    page["included"] += [{"type": "status_report", "id": str(n), "attributes": one} for n, one in enumerate(reports)]
    return page


def report(title: str, resource: str = "4018902", **more: Any) -> dict[str, Any]:
    affected = [{"status_page_resource_id": resource, "status": more.pop("of_resource", "downtime")}]
    return {
        "title": title,
        "report_type": "automatic",
        "starts_at": ago(600),
        "ends_at": None,
        "aggregate_state": "downtime",
        "affected_resources": affected,
        **more,
    }


@pytest.fixture
def told():
    """A function: the kind of a page, its documents by path, its keys -> what is told of it."""
    servers = []

    def tell(kind: str, documents: dict[str, Any], component: str = "", **given: Any) -> dict[str, Any]:
        bodies = {
            path: json.dumps(one).encode() if isinstance(one, (dict, list)) else one for path, one in documents.items()
        }
        servers.append(Answers(bodies))
        page = {"url": servers[-1].url, "kind": kind, **({"component": component} if component else {}), **given}
        return observed("status_page_info", pages={"it": page}, timeout_seconds=15)["pages"]["it"]

    yield tell
    for server in servers:
        server.close()


def of_statuspage(told, component: str, page: Any = None, **given: Any) -> dict[str, Any]:
    return told("statuspage", {"/api/v2/summary.json": summary() if page is None else page}, component, **given)


def test_the_component_and_what_is_open_of_it(told):
    page = of_statuspage(told, "— Catalog")
    assert (page["available"], page["status"], page["incidents"], page["incidents_elsewhere"]) == (
        True,
        "operational",
        [],
        1,
    )
    assert 55 < page["age_seconds"] < 1000
    assert page["complete"] is True

    page = of_statuspage(told, "web application")
    assert (page["status"], page["component"], page["incidents_elsewhere"]) == ("degraded", "Web Application", 0)
    (incident,) = page["incidents"]
    assert incident["name"].startswith(INCIDENT)
    assert {key: incident[key] for key in ("status", "impact")} == {"status": "identified", "impact": "minor"}
    assert incident["url"] == "https://status.example/0vf16sb2j8xn"
    assert incident["started_at"] == datetime.fromisoformat("2021-12-07T09:06:43.172-07:00").timestamp()


@pytest.mark.parametrize("component", ["Canvas", "9dlvqx1drp3d", "canvas / canvas"])
def test_a_group_with_the_name_of_its_component_is_not_meant(told, component):
    page = summary()
    for one in page["components"]:
        one["status"] = (
            "operational" if one["group"] else "major_outage" if one["id"] == "9dlvqx1drp3d" else one["status"]
        )
    assert of_statuspage(told, component, page)["status"] == "major_outage"


def test_a_group_can_be_meant_and_has_the_incidents_of_its_members(told):
    page = of_statuspage(told, "Portfolium")
    assert (page["status"], len(page["incidents"])) == ("degraded", 1)


def test_maintenance_counts_while_it_goes_on(told):
    incident = SUMMARY["incidents"][0]
    planned = [dict(incident, name=state, status=state) for state in ("scheduled", "in_progress", "completed")]
    page = of_statuspage(
        told, "Website", summary(incidents=[dict(incident, status="resolved")], scheduled_maintenances=planned)
    )
    assert [(one["name"], one["impact"]) for one in page["incidents"]] == [("in_progress", "maintenance")]


WORDS = {
    "operational": "operational",
    "degraded_performance": "degraded",
    "partial_outage": "partial_outage",
    "major_outage": "major_outage",
    "under_maintenance": "maintenance",
}


@pytest.mark.parametrize("word", WORDS)
def test_words_of_a_statuspage(told, word):
    page = summary()
    page["components"] = [dict(page["components"][0], name="It", status=word)]
    assert of_statuspage(told, "It", page)["status"] == WORDS[word]


def with_two_of_a_name() -> dict[str, Any]:
    page = summary()
    page["components"] += [
        dict(one, id="other", group_id="41wg86q5vc14") for one in page["components"] if one["name"] == "Website"
    ]
    return page


NOT_KNOWN = {
    "no such component": ("Mail", summary(), "the page has no component Mail; it has Website, Canvas, Canvas, Portfolium"),
    "several of the name": ("Website", with_two_of_a_name(), "Portfolium / Website (j7jp6sq831c2), Canvas / Website (other)"),
    "stale": ("Website", summary(91 * 86400), "the page is stale: it was written 78"),
    "from tomorrow": ("Website", summary(-86400), "one of the clocks is wrong"),
    "a word that is none": ("It", summary(components=[{"id": "1", "name": "It", "status": "fine"}]), "the status of It is fine"),
    "no status": ("It", summary(components=[{"id": "1", "name": "It"}]), "the status of It is "),
    "another shape": ("Website", {"status": "ok"}, "this is no summary of a Statuspage"),
    "a list": ("Website", [], "this is no summary of a Statuspage"),
    "HTML": ("Website", b"<html>inactive</html>", "with HTML or XML and not JSON"),
    "cut off": ("Website", json.dumps(SUMMARY).encode()[:500], "the JSON is cut off after 500 bytes"),
    "to another host": ("Website", (302, b"", {"Location": "https://www.example.com/"}), "redirects to another place"),
    "500": ("Website", (500, b"{}", {}), "answers 500"),
}  # fmt: skip


@pytest.mark.parametrize("case", NOT_KNOWN)
def test_what_is_not_known_is_never_operational(told, case):
    component, document, says = NOT_KNOWN[case]
    page = of_statuspage(told, component, document)
    assert (page["available"], page["status"], page["complete"]) == (False, "unknown", False)
    assert says in page["reason"]
    assert page["reason"].isprintable()


def test_how_old_a_page_may_be_is_said(told):
    assert of_statuspage(told, "Website", summary(600), max_age_seconds=300)["status"] == "unknown"
    assert of_statuspage(told, "Website", summary(55 * 86400))["status"] == "degraded", (
        "where nothing happens nothing is written"
    )
    page = summary()
    del page["page"]["updated_at"]
    assert of_statuspage(told, "Website", page)["age_seconds"] is None
    assert "does not say when" in of_statuspage(told, "Website", page, max_age_seconds=300)["reason"]


def test_text_of_a_page_is_data(told):
    incident = dict(SUMMARY["incidents"][0], name=UNTRUSTED + "\x1b[2J" + "x" * 1000)
    (one,) = of_statuspage(told, "Website", summary(incidents=[incident]))["incidents"]
    assert one["name"].startswith(UNTRUSTED)
    assert len(one["name"]) == 200
    assert one["name"].isprintable()


def test_incidents_without_end(told):
    page = of_statuspage(told, "Website", summary(incidents=SUMMARY["incidents"] * 40))
    assert (len(page["incidents"]), page["complete"]) == (20, False)
    assert page["limits"] == ["40 incidents are open, and 20 are told"]


def of_better_stack(told, page: dict[str, Any], **given: Any) -> dict[str, Any]:
    return told("better_stack", {"/index.json": page}, "Better Stack", **given)


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("operational", "operational"),
        ("degraded", "degraded"),
        ("downtime", "major_outage"),
        ("maintenance", "maintenance"),
    ],
)
def test_words_of_better_stack(told, word, status):
    page = of_better_stack(told, better(word))
    assert (page["status"], page["incidents"], page["incidents_elsewhere"]) == (status, [], 0)


def test_what_better_stack_does_not_monitor_is_not_known(told):
    page = of_better_stack(told, better("not_monitored"))
    assert (page["status"], page["reason"]) == (
        "unknown",
        "the status of Better Stack is not_monitored, which tells nothing",
    )


def test_reports_of_better_stack(told):
    reports = (
        report("down"),
        # As captured: resolved, and no end.
        report("over", aggregate_state="resolved"),
        report("of others", "4188758"),
        report("well again, others not", of_resource="resolved"),
        report("now", report_type="maintenance", ends_at=ago(-60)),
        report("tomorrow", report_type="maintenance", starts_at=ago(-86400)),
        report("ended", report_type="maintenance", ends_at=ago(60)),
    )
    page = of_better_stack(told, better("downtime", reports=reports))
    assert [(one["name"], one["impact"]) for one in page["incidents"]] == [("down", ""), ("now", "maintenance")]
    assert page["incidents_elsewhere"] == 2


def test_better_stack_is_as_old_as_its_last_day(told):
    assert of_better_stack(told, better())["age_seconds"] == 0
    assert of_better_stack(told, better(days=9))["status"] == "unknown"
    assert of_better_stack(told, BETTER)["status"] == "unknown", "as captured, its last day is one in June"


def of_instatus(told, components: Any, page: Any, component: str = "Group Record", **given: Any) -> dict[str, Any]:
    return told("instatus", {"/v3/components.json": components, "/summary.json": page}, component, **given)


def test_instatus(told):
    page = of_instatus(told, COMPONENTS, INSTATUS)
    assert (page["available"], page["status"], page["incidents"], page["incidents_elsewhere"]) == (
        True,
        "operational",
        [],
        0,
    )
    assert page["age_seconds"] is None
    assert page["complete"] is True


def test_incidents_of_instatus_are_told_by_their_title(told):
    started = "Sat Jun 11 2022 18:55:50 GMT+0000 (Coordinated Universal Time)"
    one = {
        "id": "1",
        "status": "INVESTIGATING",
        "impact": "MAJOROUTAGE",
        "started": started,
        "url": "https://status.example/1?x=1",
    }
    active = [
        dict(one, name="Errors in group record"),
        dict(one, name="Mail is late"),
        dict(one, name="x", status="RESOLVED"),
    ]
    planned = [dict(one, name="Group Record moves", status=status) for status in ("NOTSTARTEDYET", "INPROGRESS")]
    components = {"components": [dict(COMPONENTS["components"][0], status="MAJOROUTAGE")]}
    page = of_instatus(told, components, {**INSTATUS, "activeIncidents": active, "activeMaintenances": planned})
    assert page["status"] == "major_outage"
    assert page["incidents"][0] == {
        "name": "Errors in group record", "status": "investigating", "impact": "majoroutage", "url": "https://status.example/1",
        "started_at": 1654973750.0, "updated_at": None,
    }  # fmt: skip
    assert [(one["name"], one["impact"]) for one in page["incidents"][1:]] == [("Group Record moves", "maintenance")]
    assert page["incidents_elsewhere"] == 1


def test_components_of_instatus_in_a_list_with_children(told):
    group = {"id": "g", "name": "Data", "status": "OPERATIONAL", "isParent": True, "children": [{"id": "c", "name": "Data", "status": "PARTIALOUTAGE"}]}  # fmt: skip
    assert of_instatus(told, [group], INSTATUS, "Data")["status"] == "partial_outage"


def test_instatus_without_its_summary(told):
    page = of_instatus(told, COMPONENTS, (500, b"", {}))
    assert (page["status"], page["complete"], page["incidents_elsewhere"]) == ("operational", False, None)
    assert page["limits"][0].startswith("which incidents are open was not seen: GET ")


FREE = {
    "generated": "",
    "services": [{"id": "sync", "state": "yellow"}],
    "open": [{"name": UNTRUSTED, "url": "https://s.example/?k=1"}, "late"],
}
FREE_KEYS = {
    "status": "services[?id=='sync'].state | [0]",
    "words": {"green": "operational", "yellow": "degraded"},
    "incidents": "open",
    "updated_at": "generated",
}


def of_free(told, document: Any, **changes: Any) -> dict[str, Any]:
    return told("jmespath", {"/": document}, **{**FREE_KEYS, **changes})


def test_any_other_page(told):
    page = of_free(told, {**FREE, "generated": ago(30)})
    assert (page["available"], page["status"], page["incidents_elsewhere"]) == (True, "degraded", None)
    assert [(one["name"], one["url"]) for one in page["incidents"]] == [(UNTRUSTED, "https://s.example/"), ("late", "")]
    assert 25 < page["age_seconds"] < 100


@pytest.mark.parametrize(
    ("document", "changes", "says"),
    [
        ({**FREE, "generated": "2026-11-29T07:00:00"}, {}, "updated_at finds no time with a zone"),
        ({**FREE, "generated": ago(0), "services": []}, {}, "status finds nothing in the answer"),
        ({**FREE, "generated": ago(0), "services": [{"id": "sync", "state": "blue"}]}, {}, "is blue, which tells nothing: say in words"),
        ({**FREE, "generated": ago(0), "open": "late"}, {}, "incidents finds no list"),
        ({**FREE, "generated": ago(0)}, {"status": "services"}, "status finds no single value"),
        ({**FREE, "generated": ago(9 * 86400)}, {}, "stale"),
    ],
)  # fmt: skip
def test_any_other_page_that_is_not_known(told, document, changes, says):
    page = of_free(told, document, **changes)
    assert (page["available"], page["status"]) == (False, "unknown")
    assert says in page["reason"]


def test_without_the_library_only_what_needs_it_is_not_known(told, monkeypatch):
    monkeypatch.setattr(status_page, "library", lambda: None)
    assert "jmespath is not installed" in of_free(told, {**FREE, "generated": ago(0)})["reason"]
    assert of_statuspage(told, "Website")["available"] is True


def test_all_pages_at_once(told):
    server = Answers({"/api/v2/summary.json": json.dumps(summary()).encode()})
    page = {"url": server.url, "kind": "statuspage"}
    pages = {"web": {**page, "component": "Website"}, "mail": {**page, "component": "Mail"}}
    found = observed("status_page_info", pages=pages, timeout_seconds=15)
    server.close()
    assert (found["available"], found["complete"], found["unknown"]) == (True, False, ["mail"])
    assert found["limits"] == [f"mail: {found['pages']['mail']['reason']}"]


BAD = {
    "no kind": ({"component": "a"}, r"^system_status_pages\.it\.kind: must be one of statuspage, better_stack"),
    "no component": ({"kind": "instatus"}, r"it\.component: must be the name or the id"),
    "an expression where none belongs": (
        {"kind": "statuspage", "component": "a", "status": "a"},
        r"it: unknown key status",
    ),
    "a bad expression": ({"kind": "jmespath", "status": "a.#"}, r"^system_status_pages\.it\.status: .*at column 3$"),
    "no expression": ({"kind": "jmespath"}, r"it\.status: must be a JMESPath expression"),
    "a word for nothing": ({"kind": "jmespath", "status": "a", "words": {"green": "fine"}}, r"it\.words: must be"),
    "no age": ({"kind": "statuspage", "component": "a", "max_age_seconds": "x"}, r"it\.max_age_seconds: must be"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_page_is_told_with_its_place(case):
    given, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        observed("status_page_info", pages={"it": {"url": "http://h.example/", **given}}, timeout_seconds=5)


def test_nothing_to_ask():
    assert "no status page to ask" in observed("status_page_info", pages={}, timeout_seconds=5)["reason"]


def test_documents_of_a_page():
    assert urls_of("statuspage", "https://s.example/") == ["https://s.example/api/v2/summary.json"]
    assert urls_of("instatus", "https://s.example") == [
        "https://s.example/v3/components.json",
        "https://s.example/summary.json",
    ]
    older = "https://s.example/v2/components.json"
    assert urls_of("instatus", older) == [older, "https://s.example/summary.json"]
    assert urls_of("better_stack", "https://s.example/index.json") == ["https://s.example/index.json"]
