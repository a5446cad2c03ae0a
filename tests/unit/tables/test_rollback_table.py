# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was measured -> what must be concluded, for every cause of the runbook rollback."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.oncall.runbooks.tests.support.tables import seconds_ago

OLD, NEW, OTHER = "a" * 40, "b" * 40, "c" * 40
COMMAND = ["./deploy", "--now"]
SYSTEM = {
    "system_services": {
        "api": {"manager": "compose", "project": "/srv/shop", "health_url": "http://127.0.0.1:8080/health"},
        "worker": {"manager": "compose", "project": "/srv/shop"},
    },
    "system_deployment": {"path": "/srv/shop", "deploy_command": COMMAND, "services": ["api", "worker"]},
}


def revision(name: str, is_ancestor: bool | None = True, subject: str = "Before") -> dict[str, Any]:
    return {"given": name, "revision": name, "is_ancestor": is_ancestor, "subject": subject, "reason": ""}


NOT_FOUND = {
    "given": "v9",
    "revision": None,
    "is_ancestor": None,
    "reason": "v9 is no commit of /srv/shop: fetch it first",
}


def deployment(minutes: float | None = 600, **changes: Any) -> dict[str, Any]:
    return {
        "available": True,
        "path": "/srv/shop",
        "revision": NEW,
        "branch": "main",
        "upstream": "origin/main",
        "commits": [{"revision": NEW, "committed_at_seconds": 1, "subject": "Now"}],
        "deployed_at_seconds": None if minutes is None else -60 * minutes,
        "previous": revision(OLD),
        "wanted": None,
        "changed_files": [],
        "changed_files_count": 0,
        "untracked_files": [],
        "untracked_files_count": 0,
        "unfinished": "",
        "shallow": False,
        **changes,
    }


def service(state: str = "running", health: str | None = "healthy", minutes: float = 500) -> dict[str, Any]:
    return {"available": True, "state": state, "health": health, "started_at_seconds": -60 * minutes}


def services(api: Any = None, worker: Any = None) -> dict[str, Any]:
    return {"available": True, "services": {"api": api or service(), "worker": worker or service(health="none")}}


NO_ENGINE = {"available": False, "reason": "service worker: the engine does not answer"}
GONE = {"available": False, "reason": "service worker: no container", "state": "absent"}
ANSWERS = {"available": True, "failing": [], "unknown": [], "endpoints": {"api": {"available": True, "ok": True}}}
FAILS = {"available": True, "failing": ["api"], "unknown": [], "endpoints": {"api": {"available": True, "ok": False}}}
UNREACHABLE = {
    "available": False,
    "reason": "GET http://x: the name x does not resolve",
    "failing": [],
    "unknown": ["api"],
    "endpoints": {"api": {"available": False, "reason": "GET http://x: the name x does not resolve"}},
}
NO_CHECKOUT = {"available": False, "reason": "/srv/shop is no git checkout", "path": "/srv/shop"}
WANTED = {"wanted": revision(OLD)}

# name: deployment, service, http_probe, rollback_to -> status, causes
TABLE: dict[str, tuple[dict, dict, dict, str, str, list[str]]] = {
    "healthy": (deployment(), services(), ANSWERS, "", "healthy", []),
    "never moved": (deployment(None, previous=None), services(), ANSWERS, "", "healthy", []),
    "dirty, and nobody wants to move": (deployment(changed_files_count=2), services(), ANSWERS, "", "healthy", []),
    "asked for": (deployment(**WANTED), services(), ANSWERS, "v1", "problem", ["rollback_requested"]),
    "there and healthy": (deployment(wanted=revision(NEW)), services(), ANSWERS, "v2", "healthy", []),
    "there, health fails": (
        deployment(wanted=revision(NEW)),
        services(),
        FAILS,
        "v2",
        "problem",
        ["rollback_requested"],
    ),
    "there, a service starts": (
        *(deployment(wanted=revision(NEW)), services(api=service(health="starting")), ANSWERS, "v2"),
        *("problem", ["rollback_requested"]),
    ),
    "there, a container is gone": (
        *(deployment(wanted=revision(NEW)), services(worker=GONE), ANSWERS, "v2"),
        *("problem", ["rollback_requested"]),
    ),
    "there, nobody can look": (deployment(wanted=revision(NEW)), services(), UNREACHABLE, "v2", "unknown", []),
    "no such revision": (deployment(wanted=NOT_FOUND), services(), ANSWERS, "v9", "problem", ["revision_not_found"]),
    "dirty": (
        *(deployment(changed_files_count=1, changed_files=["app"], **WANTED), services(), ANSWERS, "v1"),
        *("problem", ["checkout_not_clean"]),
    ),
    "a merge half done": (
        *(deployment(unfinished="a merge", **WANTED), services(), ANSWERS, "v1"),
        *("problem", ["checkout_not_clean"]),
    ),
    "unhealthy after a deployment": (
        deployment(10),
        services(api=service(minutes=9)),
        FAILS,
        "",
        "problem",
        ["bad_deployment"],
    ),
    "unhealthy long after": (deployment(600), services(), FAILS, "", "problem", ["service_not_healthy"]),
    "crash loop after a deployment": (
        *(deployment(10), services(api=service("restarting", None, 1)), ANSWERS, ""),
        *("problem", ["bad_deployment"]),
    ),
    "checked out and not deployed": (deployment(10), services(), ANSWERS, "", "problem", ["not_deployed"]),
    "deployed a second after it was checked out": (*(deployment(500), services(), ANSWERS, "", "healthy", []),),
    "no checkout": (NO_CHECKOUT, services(), ANSWERS, "v1", "unknown", []),
    "no engine": (deployment(), services(worker=NO_ENGINE), ANSWERS, "", "unknown", []),
    "no engine, yet asked for": (
        *(deployment(**WANTED), services(worker=NO_ENGINE), ANSWERS, "v1"),
        *("problem", ["rollback_requested"]),
    ),
    "nothing observed": (
        {"available": False, "reason": "x"},
        {"available": False, "reason": "y"},
        ANSWERS,
        "",
        "unknown",
        [],
    ),
}


def judged(diagnose: Any, git: dict, service: dict, probe: dict, rollback_to: Any, **changes: Any) -> dict[str, Any]:
    observed = {"deployment": git, "service": service, "http_probe": probe}
    return diagnose("rollback", seconds_ago(observed), **{**SYSTEM, "rollback_to": rollback_to, **changes})


@pytest.mark.parametrize("case", TABLE)
def test_concluded(diagnose, case):
    *measured, status, causes = TABLE[case]
    concluded = judged(diagnose, *measured)
    assert [one["cause"] for one in concluded["findings"] if one["status"] == "problem"] == causes
    assert concluded["status"] == status


def test_every_cause_is_in_the_table():
    named = {cause for *_measured, causes in TABLE.values() for cause in causes} | {"deployed"}
    assert named == {
        *("revision_not_found", "checkout_not_clean", "rollback_requested", "bad_deployment"),
        *("service_not_healthy", "not_deployed", "deployed"),
    }


def test_the_plan_is_one_exact_move(diagnose):
    (step,) = judged(diagnose, deployment(**WANTED), services(), ANSWERS, "v1")["plan"]["steps"]
    assert (step["remedy"], step["risk"], step["available"]) == ("roll_back", "high", True)
    assert step["targets"] == [{"path": "/srv/shop", "from": NEW, "to": OLD, "command": COMMAND}]
    assert step["undo"] == {"revision": NEW}


@pytest.mark.parametrize("case", [case for case, row in TABLE.items() if row[5] != ["rollback_requested"]])
def test_nothing_else_starts_a_rollback(diagnose, case):
    assert judged(diagnose, *TABLE[case][:4])["plan"]["steps"] == []


@pytest.mark.parametrize(
    "deployment_is", [{"path": "/srv/shop", "services": ["api"]}, {**SYSTEM["system_deployment"], "deploy_command": []}]
)
def test_without_a_command_there_is_nothing_to_do(diagnose, deployment_is):
    (step,) = judged(diagnose, deployment(**WANTED), services(), ANSWERS, "v1", system_deployment=deployment_is)[
        "plan"
    ]["steps"]
    assert step["available"] is False


def test_where_it_is_already_there_nothing_moves(diagnose):
    (step,) = judged(diagnose, deployment(wanted=revision(NEW)), services(), FAILS, "v2")["plan"]["steps"]
    assert step["available"] is False


def test_without_services_nobody_can_say_that_it_is_healthy(diagnose):
    concluded = judged(
        diagnose, deployment(wanted=revision(NEW)), {"available": True, "services": {}}, {}, "v2",
        system_deployment={"path": "/srv/shop", "deploy_command": COMMAND},
    )  # fmt: skip
    assert concluded["status"] == "unknown"
    assert "names no service" in concluded["msg"]


def test_the_last_commits_are_shown_where_all_is_well(diagnose):
    concluded = judged(diagnose, deployment(), services(), ANSWERS, "")
    (finding,) = [one for one in concluded["findings"] if one["cause"] == "deployed"]
    assert finding["evidence"][0]["subject"] == "Now"
    assert "bbbbbbbbbbbb (Now) is checked out" in concluded["msg"]


def test_the_way_back_is_named_and_only_where_it_is_one(diagnose):
    def advice(**changes: Any) -> str:
        findings = judged(diagnose, deployment(10, **changes), services(), FAILS, "")["findings"]
        return next(one["advice"] for one in findings if one["cause"] == "bad_deployment")

    assert f"rollback_to={OLD}" in advice()
    for previous in (revision(OLD, is_ancestor=False), revision(OLD, is_ancestor=None), None):
        assert "rollback_to=" not in advice(previous=previous)


def test_a_number_is_a_revision_too(diagnose):
    concluded = judged(diagnose, deployment(**WANTED), services(), ANSWERS, 1234567)
    assert concluded["plan"]["steps"][0]["targets"][0]["to"] == OLD


def test_subjects_are_data(diagnose):
    git = deployment(wanted=revision(OLD, subject="{{ 7 * 7 }}"))
    git["commits"][0]["subject"] = "{{ lookup('env', 'HOME') }}"
    assert "{{ 7 * 7 }}" in judged(diagnose, git, services(), ANSWERS, "v1")["msg"]


# The rows that every runbook has; tests/contract sees that they conclude this.
HEALTHY_ROW = "test_concluded[healthy]"
WRONG_CAUSE_ROW = "test_concluded[unhealthy long after]"
NO_TELEMETRY_ROW = "test_concluded[nothing observed]"
