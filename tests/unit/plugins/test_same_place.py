# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a module would run on the controller, as its user and by its interpreter, it can be done without."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from ansible_collections.oncall.runbooks.plugins.plugin_utils.same_place import runs_here

OWN = {"ansible_python_interpreter": sys.executable}


def action(transport="local", become=None, environment=()):
    return SimpleNamespace(
        _connection=SimpleNamespace(transport=transport, become=become),
        _task=SimpleNamespace(environment=list(environment)),
        _templar=SimpleNamespace(template=lambda value: value),
    )


@pytest.mark.parametrize(
    ("changed", "variables", "here"),
    [
        ({}, OWN, True),
        ({"environment": [{}]}, OWN, True),
        ({"transport": "ssh"}, OWN, False),
        ({"transport": "community.docker.docker"}, OWN, False),
        ({"become": object()}, OWN, False),
        ({"environment": [{}, {"PGHOST": "elsewhere"}]}, OWN, False),
        ({"environment": ["{{ theirs }}"]}, OWN, False),
        ({}, {}, False),
        ({}, {"ansible_python_interpreter": "/usr/bin/python3"}, False),
        ({}, {"ansible_python_interpreter": "auto"}, False),
    ],
)
def test_only_where_nothing_at_all_would_be_otherwise(changed, variables, here):
    assert runs_here(action(**changed), variables) is here
