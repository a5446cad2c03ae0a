# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What psql in a container is given: by its standard input, as everybody can read an argument list."""

from __future__ import annotations

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.postgres.client import PARAMETERS, Client
from ansible_collections.oncall.runbooks.tests.support.postgres_servers import postgres_programs, server

# Of docker exec only what comes after the container is run, here.
DOCKER = """#!/bin/sh
printf '%s\\n' "$*" >> {log}
while [ "$1" != psql ]; do shift; done
shift
exec {psql} "$@"
"""
VALUES = [
    "plain",
    "",
    "'",
    "''",
    "\\",
    "\\'",
    "it's \"quoted\" \\n \n \t :name :'parameters' $1 % %s ü€",
    # More than one argument may hold.
    "a" * 200_000,
]


@pytest.fixture(scope="module")
def port():
    with server() as running:
        yield running.port


@pytest.mark.parametrize("alone", [None, "one after the other"])
def test_what_is_asked_with_is_in_no_argument_list(port, tmp_path, monkeypatch, alone):
    log, docker = tmp_path / "log", tmp_path / "docker"
    docker.write_text(DOCKER.format(log=log, psql=postgres_programs() / "psql"))
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    reach = {
        "transport": "docker",
        "container": "db",
        "name": "shop",
        "host": "127.0.0.1",
        "port": port,
        "user": "postgres",
    }
    statement = f"SELECT json_build_object('value', {PARAMETERS}::jsonb->>'value')::text"
    with Client(reach, 60, alone=alone) as client:
        for value in VALUES:
            given = {"value": f"{value} dont-show-this"}
            assert client.query(statement, given) == given
        assert client.query("SELECT '1'::text") == 1
    assert "dont-show-this" not in log.read_text()
