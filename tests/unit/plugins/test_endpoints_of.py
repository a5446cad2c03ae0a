"""The filter that names the metrics endpoints of a service."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.oncall.runbooks.plugins.filter.endpoints_of import endpoints_of

ONE, TWO, THREE = (f"http://10.0.0.{number}:8080/metrics" for number in (1, 2, 3))


@pytest.mark.parametrize(
    ("said", "service", "named"),
    [
        ({"web": ONE}, "web", {"web": ONE}),
        ({"web": {"blue": ONE, "green": TWO}}, "web", {"blue": ONE, "green": TWO}),
        ({"web": [ONE, TWO]}, "web", {"web-1": ONE, "web-2": TWO}),
        ({"web": [ONE]}, "web", {"web-1": ONE}),
        ({"web": [ONE, TWO], "worker": THREE}, "", {"web-1": ONE, "web-2": TWO, "worker": THREE}),
        ({"worker": THREE}, "web", {}),
        ({"web": ""}, "web", {}),
        ({}, "", {}),
    ],
)
def test_every_replica_has_a_name(said, service, named):
    assert endpoints_of(said, service) == named


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ({}, r"system_endpoints has no web: give the URL .* system_roles: \{api: NAME\}"),
        ({"web": None}, "system_endpoints has no web"),
        ({"web": 8080}, "system_endpoints.web has to be a URL, or a dictionary or a list"),
        ({"web": [ONE, {"url": TWO}]}, "system_endpoints.web has to be a URL"),
        ([ONE], "system_endpoints has to be a dictionary of services"),
    ],
)
def test_what_cannot_be_meant_is_one_line(said, line):
    with pytest.raises(AnsibleFilterError, match=line):
        endpoints_of(said, "web", required=True)


def test_two_replicas_of_one_name_are_not_taken_for_one():
    with pytest.raises(AnsibleFilterError, match="two endpoints web-1"):
        endpoints_of({"web": [ONE, TWO], "web-1": THREE})
