"""Severity: the schemes of the five systems, what their matrix proposes and why, and what a person says instead."""

from __future__ import annotations

import pytest
import yaml

from ansible_collections.oncall.runbooks.plugins.plugin_utils.role_contract import ROLES
from lab.shape import group_vars
from oncall import catalog
from oncall.incidents import severity
from oncall.incidents.severity import Proposal, SchemeError, Seen, scheme_of
from oncall.incidents.team import Known, rules_of

# What the documents say.
SCHEMES = {
    "insightengine": ("P1-P4", [900.0, 3600.0, 14400.0, None]),
    "journey": ("P0-P2", [300.0, 1800.0, 7200.0]),
    "labpics": ("P0-P3", [None] * 4),
    "panidobro": ("Critical-Medium", [None] * 3),
    "synap": ("P0-P3", [None] * 4),
}
FAILS = {"every_request_fails": "every request fails (3 of 3)"}
JOURNEY = scheme_of(group_vars("journey"))


@pytest.mark.parametrize("system", SCHEMES)
def test_the_scheme_of_each_system_is_that_of_its_document(system):
    scheme = scheme_of(group_vars(system))
    assert (scheme.name, [level.respond_seconds for level in scheme.levels]) == SCHEMES[system]
    triage = yaml.safe_load((ROLES / "triage" / "vars" / "main.yml").read_text())
    runbooks = list(catalog.runbooks())
    assert severity.trouble_with_words(scheme, triage["triage_facts"], triage["triage_hints"], runbooks) == ""


def test_next_sprint_is_a_time_in_words():
    assert scheme_of(group_vars("insightengine")).level("p4").respond == "next sprint"
    assert [level.respond for level in JOURNEY.levels] == ["within 5 min", "within 30 min", "within 2 h"]


@pytest.mark.parametrize(
    ("seen", "level", "first", "advice"),
    [
        (Seen(FAILS, problems={"api_down": "critical"}), "P0", "P0: every request fails (3 of 3)", ["All users affected: P0, escalate immediately"]),
        (Seen(problems={"latency": "medium"}), "P2", "P2: what latency has found is medium", []),
        (Seen(problems={"latency": "medium"}, answers=["All users affected"]), "P0", "P0: All users affected, since a person says so",
         ["All users affected: P0, escalate immediately"]),
        (Seen(problems={"error_rate": "high"}, hints={"recent_deployment": "deployed 3 min ago"}), "P1", "P1: what error_rate has found is high",
         ["Recent deployment: Consider rollback first"]),
        (Seen(problems={"sync_lag": "medium"}, hints={"one_of_several": "acme alone"}), "P2", "P2: what sync_lag has found is medium",
         ["Only one client: Check client-specific config"]),
        (Seen(problems={"db_pool": "high"}), "P1", "P1: what db_pool has found is high", ["Database errors: Check connection pool"]),
        (Seen(label="warning"), "P2", "P2: the alert says warning", []),
        (Seen(label="p1"), "P1", "P1: the alert says p1", []),
        (Seen(label="low"), "P2", "P2: the alert says low", []),
        (Seen(label="sev-what"), "P0", "P0: the alert says sev-what, which is no severity here: taken as the most severe", []),
        (Seen(), "P0", "nothing tells how severe it is: taken as the most severe until a person decides", []),
    ],
)  # fmt: skip
def test_the_matrix_proposes_with_its_reasons(seen, level, first, advice):
    proposal = severity.propose(JOURNEY, seen)
    assert (proposal.level, proposal.reasons[0], list(proposal.advice)) == (level, first, advice)


def test_it_proposes_what_triage_says():
    """Both take the level by the same rules, so that no page says P0 where the other said P1."""
    triage = severity.plugin_util("triaging.severity")
    for system in SCHEMES:
        said = group_vars(system)
        scheme = scheme_of(said)
        rows = said.get("system_severities") or severity.levels_of_triage()
        for problems in ({"api_down": "critical"}, {"cache": "high"}, {"latency": "medium"}, {"log_growth": "low"}):
            for facts in ({}, FAILS):
                taken = triage.level(rows, facts, problems)
                if taken:
                    assert severity.propose(_without_matrix(scheme), Seen(facts, problems=problems)).level == taken.name


def _without_matrix(scheme):
    return severity.Scheme(scheme.levels)


def test_a_secret_in_a_reason_is_masked():
    proposal = severity.propose(JOURNEY, Seen({"every_request_fails": "password=hunter2 fails"}))
    assert "hunter2" not in " ".join(proposal.reasons)


@pytest.mark.parametrize(
    ("before", "after", "raised", "lowered"),
    [("P2", "P0", True, False), ("P0", "P2", False, True), ("P1", "p1", False, False), ("SEV9", "P2", True, False)],
)
def test_raising_arms_anew_and_lowering_never(before, after, raised, lowered):
    change = severity.change(JOURNEY, before, after)
    assert (change.raised, change.lowered, change.arms_anew) == (raised, lowered, raised)


def test_a_person_overrides_and_both_are_kept():
    proposal = Proposal("P1", ("P1: what cache has found is high",))
    said = severity.decided(JOURNEY, proposal, "P1", "p2", "one customer only")
    assert said == {
        "from": "P1", "to": "P2", "scheme": "P0-P2", "why": "one customer only", "proposed": False, "raised": False,
        "proposal": {"level": "P1", "reasons": ["P1: what cache has found is high"]},
    }  # fmt: skip
    assert severity.decided(JOURNEY, proposal, "")["proposed"] is True
    with pytest.raises(SchemeError, match="there is no severity 'SEV1' here; there are P0, P1, P2"):
        severity.decided(JOURNEY, proposal, "P1", "SEV1", "")


ONE = {"system_severities": [{"level": "A", "when": ["high"]}, {"level": "B", "when": ["low"]}]}


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ({**ONE, "incident_severities": {"A": {}}}, "system_severities: B is not in incident_severities"),
        (
            {**ONE, "incident_severities": {"A": {}, "B": {}, "C": {}}},
            "incident_severities: C is not in system_severities",
        ),
        (
            {**ONE, "incident_severities": {"A": {"nme": "high"}, "B": {}}},
            "incident_severities: A has the unknown key 'nme'",
        ),
        ({**ONE, "incident_severities": {"A": {"name": "bad"}, "B": {}}}, "incident_severities: A has the name 'bad'"),
        (
            {**ONE, "incident_severities": {"A": {"respond_within_minutes": "5"}, "B": {}}},
            "incident_severities: A has to say respond_within_minutes",
        ),
        ({**ONE, "incident_severities": ["A"]}, "incident_severities: has to be a mapping"),
        (
            {**ONE, "incident_decisions": [{"if": "x", "level": "C"}]},
            "incident_decisions: 'x' means the unknown level 'C'; there are A, B",
        ),
        ({**ONE, "incident_decisions": [{"then": "x"}]}, "incident_decisions: each row needs an if"),
        ({**ONE, "incident_decisions": [{"if": "x", "thn": "x"}]}, "incident_decisions: 'x' has the unknown key 'thn'"),
        ({"system_severities": [{"level": "A"}, {"level": "A"}]}, "system_severities: A is there twice"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(said, line):
    with pytest.raises(SchemeError) as error:
        scheme_of(said)
    assert str(error.value).startswith(line)
    assert "\n" not in str(error.value)


def test_a_word_that_triage_never_says_is_named():
    scheme = scheme_of({**ONE, "incident_decisions": [{"if": "x", "when": ["moon"]}]})
    assert severity.trouble_with_words(scheme, [], ["hint"], []).startswith(
        "incident_decisions: 'x' has the unknown word 'moon' in when"
    )
    assert severity.trouble_with_words(
        scheme_of({"system_severities": [{"level": "A", "when": ["moon"]}]}), [], [], []
    ).startswith("system_severities: A has the unknown word 'moon'")


def test_a_scheme_that_leaves_out_a_level_refuses_none_of_another_team():
    teams = {
        "shop": Known(scheme="P0-P3", levels=("P0", "P1", "P2", "P3")),
        "forum": Known(scheme="P0-P3", levels=("P0", "P3")),
        "wiki": Known(scheme="P0-P3", levels=("P0", "P2b", "P3")),
    }
    for order in (["shop", "forum", "wiki"], ["wiki", "forum", "shop"]):
        rules = rules_of({name: teams[name] for name in order})
        assert rules.levels("P0-P3") == ("P0", "P1", "P2", "P2b", "P3")
