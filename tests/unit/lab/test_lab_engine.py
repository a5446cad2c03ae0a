# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What there is of Docker on a machine -> what the lab does until it can be used."""

from __future__ import annotations

import pytest

from lab.compose.engine import Found, NoDocker, major, plan

ROOT = {"root": True, "system": "debian"}
BOTH = {"client": True, "daemon": True}


@pytest.mark.parametrize(
    ("found", "steps"),
    [
        ({"engine": "20.10.24", "compose": "2.26.1"}, []),
        ({"engine": "28.0.1", "compose": "v2.33.0"}, []),
        ({"engine": "28.0.1", "compose": "5.1.0"}, []),
        ({"engine": "28.0.1", "compose": "2.33.0", "address": "tcp://build:2376"}, []),
        ({**ROOT}, ["install engine", "start engine", "install compose"]),
        ({**ROOT, "client": True}, ["install engine", "start engine", "install compose"]),
        ({**ROOT, **BOTH}, ["start engine", "install compose"]),
        ({**ROOT, **BOTH, "compose": "2.26.1"}, ["start engine"]),
        ({**ROOT, **BOTH, "engine": "20.10.24"}, ["install compose"]),
        ({**ROOT, **BOTH, "engine": "20.10.24", "compose": "1.29.2"}, ["install compose"]),
        ({**ROOT, **BOTH, "system": "ubuntu", "compose": "2.33.0"}, ["start engine"]),
    ],
)
def test_steps(found, steps):
    assert plan(Found(**found)) == steps


@pytest.mark.parametrize(
    ("found", "says"),
    [
        ({}, "no Docker engine answers (there is no docker command), and only root"),
        ({"root": True}, "only root on Debian or Ubuntu may install it"),
        ({"system": "debian", **BOTH, "compose": "2.26.1", "reason": "permission denied"}, "(permission denied)"),
        ({"system": "debian", "engine": "28.0.1"}, "there is no Docker Compose v2, and only root"),
        ({**ROOT, **BOTH, "compose": "2.26.1", "address": "tcp://build:2376"}, "DOCKER_HOST=tcp://build:2376 names it"),
    ],
)
def test_where_none_may_be_installed_one_line_says_so(found, says):
    with pytest.raises(NoDocker) as caught:
        plan(Found(**found))
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("version", "number"),
    [("2.26.1-4", 2), ("v2.33.0+ds1-0ubuntu1", 2), ("1.29.2-3", 1), ("5.0.1", 5), ("", 0), ("(none)", 0), ("dev", 0)],
)
def test_major_version(version, number):
    assert major(version) == number
