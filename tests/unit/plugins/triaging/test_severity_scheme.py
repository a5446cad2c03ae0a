"""How severe it is: the scheme of an inventory, and what was found -> the level, and the rule by which it was taken."""

from __future__ import annotations

import pytest
import yaml

from ansible_collections.oncall.runbooks.plugins.plugin_utils.role_contract import ROLES
from ansible_collections.oncall.runbooks.plugins.plugin_utils.triaging.severity import level, trouble_with, words_of

DEFAULT = yaml.safe_load((ROLES / "system" / "defaults" / "main.yml").read_text())["system_severities"]
# As another document has it.
OTHER = [
    {"level": "SEV1", "means": "system-wide outage", "when": ["database_unusable", "most_requests_fail", "auth_failures"]},
    {"level": "SEV2", "means": "degraded", "when": ["critical", "high", "medium"]},
]  # fmt: skip
FAILS = {"every_request_fails": "every request fails (3 of 3 endpoints fail)"}


@pytest.mark.covers("JO-0-3")
@pytest.mark.parametrize(
    ("scheme", "facts", "problems", "expected"),
    [
        (DEFAULT, FAILS, {"api_down": "critical"}, ("P0", "every request fails (3 of 3 endpoints fail)")),
        (DEFAULT, {}, {"api_down": "critical"}, ("P1", "what api_down has found is critical")),
        (DEFAULT, {}, {"latency": "medium", "cache": "high"}, ("P1", "what cache has found is high")),
        (DEFAULT, {}, {"latency": "medium"}, ("P2", "what latency has found is medium")),
        (DEFAULT, {}, {}, None),
        (OTHER, {}, {"auth_failures": "high"}, ("SEV1", "auth_failures has found something")),
        (OTHER, {}, {"latency": "medium"}, ("SEV2", "what latency has found is medium")),
        (OTHER, FAILS, {}, None),
    ],
)
def test_level(scheme, facts, problems, expected):
    found = level(scheme, facts, problems)
    assert (found and (found.name, found.since)) == expected


def test_a_word_that_nobody_knows_is_named_with_those_that_are_known():
    known = words_of(FAILS, ["api_down"])
    assert trouble_with(DEFAULT[1:], known) == ""
    line = trouble_with([{"level": "P0", "when": ["everything_burns"]}], known)
    assert line.startswith(
        "system_severities: P0 has the unknown word 'everything_burns' in when; known are api_down, critical,"
    )
