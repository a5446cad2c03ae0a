# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runbook certificate_expiry on real TLS servers, and a renewal that replaces their file."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from ansible_collections.oncall.runbooks.tests.support.plays import Play, Player
from ansible_collections.oncall.runbooks.tests.support.tls_servers import Issued, TlsServer
from lab.ports import free_port

LIMITS = {
    "run_confirm_seconds": 0,
    "run_verify_seconds": 1,
    "run_verify_every_seconds": 1,
    "run_verify_timeout_seconds": 6,
}


@pytest.fixture
def play(tmp_path):
    (tmp_path / "oncall").mkdir()
    copy = ["cp", str(tmp_path / "new.pem"), str(tmp_path / "live.pem")]
    variables = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        **LIMITS,
        "system_state_directory": str(tmp_path / "oncall"),
        "system_services": {"certificate_renewal": {"manager": "command", "commands": {"start": copy}}},
    }
    inventory = tmp_path / "inventory.json"
    inventory.write_text(json.dumps({"all": {"hosts": {"stack": variables}}}))
    player = Player(tmp_path, tmp_path)

    def run(*arguments: str, **more: object) -> Play:
        book = "playbooks/certificate_expiry.yml"
        return player.play("-i", str(inventory), *arguments, playbook=book, run_hosts="stack", **more)

    return run


def issued(folder: Path, name: str, days: float, *names: str, **more: object) -> Path:
    return Issued(days, *(names or ["127.0.0.1"]), **more).write(folder).rename(folder / f"{name}.pem")


@pytest.fixture
def live(tmp_path) -> Path:
    issued(tmp_path, "new", 90)
    return issued(tmp_path, "live", 1)


def test_not_renewed(tmp_path, live, play):
    old = live.read_bytes()
    with TlsServer(live, rereads=True) as web, TlsServer(live, rereads=True, postgres="S") as db:
        stack = {
            "system_endpoints": {"web": f"https://127.0.0.1:{web.port}/metrics", "plain": "http://127.0.0.1:1/"},
            "system_database": {"name": "app", "host": "127.0.0.1", "port": db.port, "password": "s3cret"},
        }
        checked = play("--check", **stack)
        assert (checked.code, checked.outcome, checked.causes()) == (0, "planned", ["not_renewed"]), checked.output
        assert live.read_bytes() == old

        fixed = play(**stack)
        assert (fixed.code, fixed.outcome) == (0, "resolved"), fixed.output
        (action,) = fixed.run["actions"]
        assert (action["remedy"], action["helped"]) == ("renew", True)
        assert sorted(one["endpoint"] for one in action["targets"]) == ["system_database", "web"]
        assert "s3cret" not in fixed.output + json.dumps(fixed.runs)

        again = play(**stack, system_observe_from="controller")
        assert (again.code, again.outcome) == (0, "healthy"), again.output


def test_a_server_that_does_not_load_the_new_file_is_not_fixed(tmp_path, live, play):
    with TlsServer(live) as web:
        played = play(system_endpoints={"web": f"https://127.0.0.1:{web.port}/"})
    assert (played.code, played.outcome) == (2, "unresolved"), played.output
    assert live.read_bytes() == (tmp_path / "new.pem").read_bytes()
    assert "have the server load it" in json.dumps(played.run["findings"])


def test_what_a_renewal_does_not_help_is_advice(tmp_path, play):
    issuer = Issued(9, "issuer", by=Issued(900, "root"))
    files = {
        "soon": issued(tmp_path, "soon", 9),
        "chain": issued(tmp_path, "chain", 60, by=issuer),
        "early": issued(tmp_path, "early", 60, begins=1),
        "name": issued(tmp_path, "name", -1, "other.example"),
    }
    servers = {name: TlsServer(file) for name, file in files.items()}
    with servers["soon"], servers["chain"], servers["early"], servers["name"]:
        played = play(
            certificate_expiry_endpoints={name: f"tls://127.0.0.1:{one.port}" for name, one in servers.items()}
        )
    assert (played.code, played.outcome) == (0, "advised"), played.output
    assert played.causes() == ["ends_soon", "chain_ends", "not_yet_valid", "wrong_name"]


def test_what_does_not_answer_is_unknown_and_what_shows_none_is_well(play):
    unknown = play(system_endpoints={"web": f"https://127.0.0.1:{free_port()}/"})
    assert (unknown.code, unknown.outcome) == (2, "unknown"), unknown.output
    assert "Connection refused" in unknown.run["summary"]
    none = play(system_endpoints={"web": "http://127.0.0.1:1/"})
    assert (none.code, none.outcome) == (0, "healthy"), none.output
    assert "nothing here shows a certificate" in none.run["summary"]
