"""The five systems: their inventories are what the roles take, the lab can take their shape, and each runbook that they name is tested."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest
import yaml
from collection import ROOT, load

from docs.generate.source import Runbook, runbook_names
from docs.generate.systems import items
from lab.shape import group_vars, names, shape
from oncall.incidents.team import VARIABLES

SYSTEMS = ("insightengine", "journey", "labpics", "panidobro", "synap")
FILES = ["incident.yml", "runbooks.yml", "stack.yml", "vault.yml.example"]
# What every incident needs to know.
INCIDENT = {"incident_severities", "incident_steps", "incident_escalation", "incident_contacts", "incident_review"}
# Runbooks without a test in tests/systems, and why. A test there takes the name out of here.
NOT_HERE = {"incident": "tests/alerts/test_incident_systems.py asks it of each inventory, beside the service"}

# What the documents say in numbers.
NUMBERS = {
    "insightengine": {
        "crash_loop_log_lines": 500, "db_pool_idle_seconds": 600, "resource_usage_memory_raise_to_bytes": 2 * 1024**3,
        "incident_watch": {"every_minutes": 5, "for_minutes": 30},
    },
    "journey": {"incident_watch": {"for_minutes": 15}, "sync_lag_log_lines": 500, "sync_lag_wait_seconds": 60},
    "labpics": {
        "circuit_breaker_probe_seconds": 30, "crash_loop_log_tail_lines": 200, "db_pool_idle_in_transaction_seconds": 300,
        "db_pool_raise_to": 35, "error_rate_ratio": 0.05, "resource_usage_memory_ratio": 0.88, "sync_lag_limit_seconds": 3600,
    },
    "panidobro": {
        "api_down_log_lines": 500, "disk_full_used_ratio": 0.85, "backup_max_age_seconds": 26 * 3600, "break_glass_ttl_seconds": 60 * 60,
        "resource_usage_cpu_ratio": 0.8, "resource_usage_memory_ratio": 0.85,
    },
    "synap": {
        "db_pool_idle_seconds": 600, "db_pool_max_connections_raise_to": 200, "error_rate_ratio": 0.05, "error_rate_verified_ratio": 0.01,
        "latency_p95_seconds": 0.5, "latency_replicas": 3, "synap_stuck_seconds": 300, "worker_queue_depth": 100,
    },
}  # fmt: skip
RESPONSE_MINUTES = {"insightengine": [15, 60, 240], "journey": [5, 30, 120]}


def of(system: str, *file: str) -> dict:
    return load("inventories", system, *file)


def folder(system: str):
    return ROOT / "inventories" / system / "group_vars" / system


def test_these_are_the_systems():
    assert tuple(names()) == SYSTEMS
    assert tuple(sorted(path.stem for path in (ROOT / "docs" / "systems").glob("*.yml"))) == SYSTEMS
    assert {path.name for path in (ROOT / "inventories").iterdir()} == {*SYSTEMS, "lab"}


@pytest.mark.parametrize("system", SYSTEMS)
def test_an_inventory_has_the_same_files_as_the_others(system):
    assert sorted(path.name for path in folder(system).iterdir() if path.name != "vault.yml") == FILES
    (group,) = of(system, "hosts.yml")["all"]["children"]
    assert group == system
    assert set(yaml.safe_load((folder(system) / "incident.yml").read_text())) >= INCIDENT


@pytest.mark.parametrize("system", SYSTEMS)
def test_what_an_inventory_says_of_incidents_is_read(system):
    said = {
        name for name in yaml.safe_load((folder(system) / "incident.yml").read_text()) if name.startswith("incident_")
    }
    # Of the service, or by another variable of the inventory.
    named = "".join((folder(system) / name).read_text() for name in FILES[:3])
    assert {one for one in said - {*VARIABLES} if not re.search(rf"{{{{ *{one}\b", named)} == set()


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_secret_is_of_the_vault_and_the_example_names_it(system):
    said = "".join((folder(system) / name).read_text() for name in FILES[:3])
    example = yaml.safe_load((folder(system) / FILES[3]).read_text())
    assert set(example) == set(re.findall(r"\bvault_\w+", said))
    assert set(example.values()) == {""}
    # What is secret is nowhere written out.
    for secret in re.findall(r"(?:password|api_key|token|signing_key)'?: *'?([^,}\n]+)", said):
        # Where an answer has a token is no secret.
        assert "vault_" in secret or f"{system}_token_field" in secret, secret


@pytest.mark.parametrize("system", SYSTEMS)
def test_escalation_calls_roles_that_have_a_contact(system):
    said = group_vars(system)
    assert {role for step in said["incident_escalation"] for role in step["roles"]} <= set(said["incident_contacts"])
    for severity in said["incident_severities"].values():
        assert severity["name"] in ("critical", "high", "medium", "low")


@pytest.mark.parametrize("system", SYSTEMS)
def test_what_it_says_to_a_runbook_is_an_option_of_it(system):
    options = {name for role in runbook_names() for name in Runbook(role).options}
    prefixes = tuple(f"{role}_" for role in runbook_names())
    known = options | set(load("roles", "system", "meta", "argument_specs.yml")["argument_specs"]["main"]["options"])
    said = {name for name in group_vars(system) if name.startswith((*prefixes, "system_", "run_"))}
    assert sorted(said - known - set(load("roles", "run", "defaults", "main.yml"))) == []


@pytest.mark.parametrize("system", SYSTEMS)
def test_its_numbers_are_those_of_the_document(system):
    said = group_vars(system)
    assert {name: said.get(name) for name in NUMBERS[system]} == NUMBERS[system]
    minutes = [
        one["respond_within_minutes"] for one in said["incident_severities"].values() if "respond_within_minutes" in one
    ]
    assert minutes == RESPONSE_MINUTES.get(system, [])
    if system == "synap":
        assert [step["after_minutes"] for step in said["incident_escalation"]] == [0, 15, 30, 60]


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_role_system_takes_it(system, tmp_path):
    """As Ansible validates it, with the vault filled in."""
    vault = yaml.safe_load((folder(system) / FILES[3]).read_text())
    (tmp_path / "vault.json").write_text(json.dumps(dict.fromkeys(vault, "s3cret")))
    role = {"ansible.builtin.import_role": {"name": "oncall.runbooks.system"}}
    play = {"hosts": "all", "gather_facts": False, "connection": "local", "tasks": [role]}
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]))
    done = subprocess.run(
        [f"{sys.prefix}/bin/ansible-playbook", "-i", f"inventories/{system}", str(tmp_path / "play.yml"), "-e", f"@{tmp_path}/vault.json"],
        cwd=ROOT, env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}, capture_output=True, text=True, check=False,
        timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ok=1" in done.stdout, done.stdout


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_lab_plays_every_service_of_it(system):
    said, it = group_vars(system), shape(system)
    assert set(it.services) == set(said["system_services"])
    assert set(it.services.values()) <= set(it.all_programs)
    metrics = json.dumps(said["system_metrics"])
    # Nothing is told under a name that the inventory does not know, but for what is only shown.
    for name in (it.metrics or {}).values():
        family = name.removesuffix("_count")
        assert family in metrics or family in json.dumps(said) or "process_" in family, name


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_runbook_that_its_document_names_is_played(system):
    prefix = load("docs", "systems", f"{system}.yml")["prefix"]
    asked = {item["runbook"] for key, item in items().items() if key.startswith(f"{prefix}-")}
    text = (ROOT / "tests" / "systems" / f"test_{system}.py").read_text()
    marked = [
        key
        for ids in re.findall(r"@pytest\.mark\.covers\((.*?)\)", text, re.S)
        for key in re.findall(r'"([^"]+)"', ids)
    ]
    assert [key for key in marked if not key.startswith(f"{prefix}-")] == []
    played = {items()[key]["runbook"] for key in marked}
    assert asked - played <= set(NOT_HERE)
