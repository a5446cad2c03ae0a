"""extensions/awx with the real modules of awx.awx, and what its workflow hands over with real plays."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from awx_survey import survey
from plays import Started

from ansible_collections.oncall.runbooks.tests.support.fake_awx.server import TOKEN, FakeAwx

REPOSITORY = Path(__file__).resolve().parents[2]
# Not all of them: each costs seven calls of modules.
RUNBOOKS = ("latency",)
PLAYBOOKS = (
    *(f"playbooks/{name}.yml" for name in (*RUNBOOKS, "triage")),
    *(f"extensions/awx/{name}.yml" for name in ("remediate", "tell")),
)
GIVEN = {
    "awx_scm_url": "https://git.example.com/runbooks.git",
    "awx_execution_environment_image": "registry.example.com/oncall-runbooks",
    "awx_inventories": [
        {"name": "production", "source_path": "production", "source_project": "our inventories++others"},
        {"name": "staging"},
    ],
    "awx_credentials": ["ssh of oncall", "vault++"],
    "awx_notifications": ["chat"],
}


@pytest.fixture(scope="module")
def extension(tmp_path_factory):
    """The extension beside the roles of a few runbooks."""
    folder = tmp_path_factory.mktemp("collection")
    shutil.copytree(REPOSITORY / "extensions" / "awx", folder / "extensions" / "awx")
    for role in ("run", "system", "triage", *RUNBOOKS):
        shutil.copytree(REPOSITORY / "roles" / role, folder / "roles" / role)
    return folder / "extensions" / "awx"


@pytest.fixture(scope="module")
def awx():
    server = FakeAwx(PLAYBOOKS)
    # Another organization has the same names.
    ours, others = (server.add("organizations", name=name)["id"] for name in ("oncall", "others"))
    for organization in (others, ours):
        server.add("credentials", name="ssh of oncall", organization=organization)
        server.add("notification_templates", name="chat", organization=organization)
    server.add("credentials", name="vault")
    server.add("inventories", name="production", organization=others)
    server.add("projects", name="our inventories", organization=others)
    server.add("projects", name="oncall-runbooks", organization=others)
    yield server
    server.stop()


@pytest.fixture
def configure(extension, awx, tmp_path):
    """A function: runs the playbook; what it printed and what was changed."""

    def run(*arguments: str, code: int = 0, token: str = TOKEN, **given: object) -> tuple[str, list[tuple[str, str]]]:
        (tmp_path / "awx.yml").write_text(json.dumps(given))
        program = str(Path(sys.executable).with_name("ansible-playbook"))
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "CONTROLLER_"))
        }
        environment |= {
            "CONTROLLER_HOST": awx.url,
            "CONTROLLER_OAUTH_TOKEN": token,
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_PIPELINING": "true",
        }
        environment |= {"ANSIBLE_LOCALHOST_WARNING": "false", "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false"}
        done = subprocess.run(
            [program, str(extension / "configure.yml"), "-e", f"@{tmp_path / 'awx.yml'}", "-e",
             f"ansible_python_interpreter={sys.executable}", *arguments],
            capture_output=True, text=True, env=environment, timeout=240, cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        assert "[WARNING]" not in done.stdout + done.stderr
        writes, awx.writes = awx.writes, []
        return done.stdout, writes

    return run


def test_what_is_missing_is_said_before_anything_is_asked(configure):
    said, writes = configure(code=2)
    assert "awx_scm_url (where AWX gets this collection)" in said
    assert writes == []


def test_a_wrong_token_changes_nothing(configure, awx):
    said, writes = configure(code=2, token="wrong", **GIVEN)
    assert "Invalid authentication credentials" in said
    assert writes == [] and not awx.items["job_templates"]


def test_from_nothing_to_everything_and_no_further(configure, awx):
    said, writes = configure("--check", awx_organization="new", **GIVEN)
    assert writes == [] and "changed=1 " in said

    _said, writes = configure(**GIVEN)
    assert writes
    _made_as_documented(awx)

    # Again: nothing but what somebody has changed since.
    template, workflow = awx.named("job_templates", "latency"), awx.named("workflow_job_templates", "latency_workflow")
    template["ask_limit_on_launch"] = False
    awx.surveys[workflow["id"]]["spec"].pop()
    nodes = {one["identifier"]: one["id"] for one in awx.items["workflow_job_template_nodes"].values()}
    # It would act without an approval.
    awx.links["workflow_job_template_nodes", nodes["diagnose"], "always_nodes"] = [nodes["remediate"]]
    awx.links["workflow_job_template_nodes", nodes["tell"], "failure_nodes"] = [nodes["remediate"]]
    said, writes = configure(**GIVEN)
    assert "changed=4 " in said
    assert writes == [
        ("PATCH", f"/api/v2/job_templates/{template['id']}/"),
        ("POST", f"/api/v2/workflow_job_templates/{workflow['id']}/survey_spec/"),
        ("POST", f"/api/v2/workflow_job_template_nodes/{nodes['tell']}/failure_nodes/"),
        ("POST", f"/api/v2/workflow_job_template_nodes/{nodes['diagnose']}/always_nodes/"),
    ]
    _made_as_documented(awx)


def test_what_is_named_and_not_there_is_said_in_one_line(configure):
    inventories = [{"name": "production", "source_path": "x", "source_project": "their inventories"}]
    given = {"awx_inventories": inventories, "awx_credentials": ["ssh of oncall++nobody"], "awx_scm_credential": "git"}
    said, writes = configure(code=2, **{**GIVEN, **given})
    assert (
        "AWX does not have the credential 'ssh of oncall' of the organization 'nobody', nor the credential 'git' of the organization "
        "'oncall', nor the project 'their inventories' of the organization 'oncall'. Make it there"
    ) in said
    assert writes == []


def test_a_project_that_was_never_read_ends_it_with_the_reason(configure, awx):
    awx.git_fault = "fatal: Authentication failed"
    said, _writes = configure(code=2, **{**GIVEN, "awx_project": "never-read"})
    awx.git_fault = ""
    assert "the project never-read could not be updated: fatal: Authentication failed." in said
    assert "Make the inventories" not in said


def test_a_project_that_cannot_be_updated_is_told_at_the_end(configure, awx):
    """After everything else was made: what AWX had read before stays."""
    awx.git_fault = "fatal: unable to access: Could not resolve host: git.example.com"
    survey_of = awx.named("workflow_job_templates", "latency_workflow")["id"]
    awx.surveys[survey_of]["spec"].pop()
    said, _writes = configure(code=2, **{**GIVEN, "awx_scm_branch": "v2"})
    assert f"the project oncall-runbooks could not be updated: {awx.git_fault}. What AWX had read before stays" in said
    assert awx.surveys[survey_of] == survey("latency", workflow=True)


def of(awx: FakeAwx, kind: str, name: str) -> dict:
    """The one of our organization."""
    ours = awx.named("organizations", "oncall")["id"]
    (item,) = (one for one in awx.items[kind].values() if (one["name"], one["organization"]) == (name, ours))
    return item


def _made_as_documented(awx: FakeAwx) -> None:
    organization = awx.named("organizations", "oncall")
    project = of(awx, "projects", "oncall-runbooks")
    image = awx.named("execution_environments", "oncall-runbooks")
    production = of(awx, "inventories", "production")
    assert (project["scm_url"], project["scm_update_on_launch"]) == (GIVEN["awx_scm_url"], False)
    assert (project["organization"], project["default_environment"]) == (organization["id"], image["id"])
    assert image["image"] == GIVEN["awx_execution_environment_image"]
    assert {item["name"] for item in awx.items["inventories"].values()} == {"production", "staging"}
    told = awx.named("job_templates", "oncall_tell")
    assert (told["playbook"], told["inventory"], told["limit"]) == (
        "extensions/awx/tell.yml", production["id"], "no-host-was-named",
    )  # fmt: skip
    assert {key for key, value in told.items() if key.startswith("ask_") and value} == {
        "ask_inventory_on_launch", "ask_limit_on_launch",
    }  # fmt: skip
    assert awx.links["job_templates", told["id"], "notification_templates_success"] == [
        of(awx, "notification_templates", "chat")["id"]
    ]
    triage = awx.named("job_templates", "triage")
    assert (triage["playbook"], triage["inventory"], triage["limit"], triage["job_type"]) == (
        "playbooks/triage.yml", production["id"], "no-host-was-named", "run",
    )  # fmt: skip
    assert {key for key, value in triage.items() if key.startswith("ask_") and value} == {
        "ask_inventory_on_launch", "ask_limit_on_launch", "ask_job_type_on_launch", "ask_variables_on_launch",
    }  # fmt: skip
    assert len(awx.links["job_templates", triage["id"], "credentials"]) == 2 and triage["survey_enabled"]
    (source,) = awx.items["inventory_sources"].values()
    assert (source["inventory"], source["source_path"]) == (production["id"], "production")
    assert (source["source_project"], source["update_on_launch"]) == (
        awx.named("projects", "our inventories")["id"], False,
    )  # fmt: skip
    assert len(awx.items["inventory_updates"]) == 1

    for name in RUNBOOKS:
        template, remediate = awx.named("job_templates", name), awx.named("job_templates", f"{name}_remediate")
        workflow = awx.named("workflow_job_templates", f"{name}_workflow")
        for one in (template, remediate, workflow):
            asks = {key for key, value in one.items() if key.startswith("ask_") and value}
            more = {"ask_job_type_on_launch", "ask_variables_on_launch"} if one is template else set()
            assert asks == {"ask_inventory_on_launch", "ask_limit_on_launch"} | more, one["name"]
            assert one["allow_simultaneous"] and one["inventory"] == production["id"]
            assert one["limit"] == "no-host-was-named"
        for one in (template, remediate):
            assert awx.links["job_templates", one["id"], "credentials"] == [
                of(awx, "credentials", "ssh of oncall")["id"], awx.named("credentials", "vault")["id"],
            ]  # fmt: skip
            assert (one["project"], one["execution_environment"]) == (project["id"], image["id"])
        assert (template["job_type"], template["playbook"]) == ("run", f"playbooks/{name}.yml")
        assert (remediate["job_type"], remediate["playbook"]) == ("run", "extensions/awx/remediate.yml")
        assert json.loads(remediate["extra_vars"]) == {"remediate_runbook": name}
        assert awx.surveys == {
            template["id"]: survey(name), workflow["id"]: survey(name, workflow=True), triage["id"]: survey("triage"),
        }  # fmt: skip
        assert template["survey_enabled"] and workflow["survey_enabled"] and not remediate["survey_enabled"]

        nodes = {one["identifier"]: one for one in awx.items["workflow_job_template_nodes"].values()}
        assert {one["workflow_job_template"] for one in nodes.values()} == {workflow["id"]}
        diagnose, approve, act = nodes["diagnose"], nodes["approve"], nodes["remediate"]
        assert (diagnose["unified_job_template"], diagnose["job_type"]) == (template["id"], "check")
        assert diagnose["extra_data"] == {"run_until": "plan"}
        assert (act["unified_job_template"], nodes["tell"]["unified_job_template"]) == (remediate["id"], told["id"])
        approval = awx.items["workflow_approval_templates"][approve["unified_job_template"]]
        assert (approval["name"], approval["timeout"]) == (f"Approve the plan of {name}", 3600)
        links = {key: {*numbers} for key, numbers in awx.links.items() if key[2].endswith("_nodes") and numbers}
        # Nothing acts but after an approval, and nothing is asked but after a diagnosis that came to its end.
        assert links == {
            ("workflow_job_template_nodes", diagnose["id"], "success_nodes"): {approve["id"], nodes["tell"]["id"]},
            ("workflow_job_template_nodes", approve["id"], "success_nodes"): {act["id"]},
        }


# ------------------------------------------------------------------ what is told beside the approval
STEP = {"remedy": "end_blocker", "cause": "blocker", "risk": "low", "words": "session 7", "available": True}
FINDINGS = [{"cause": "blocker", "summary": "7 blocks 12 sessions"}, {"cause": "leak", "summary": "?"}]


@pytest.mark.parametrize(
    ("published", "lines"),
    [
        ({"shop": {"db_pool": {"outcome": "planned", "findings": FINDINGS, "plan": {"steps": [STEP]}}}},
         ["shop: db_pool: blocker (7 blocks 12 sessions); remedy end_blocker (risk low) on session 7"]),
        ({"shop": {"db_pool": {"outcome": "healthy", "plan": {"steps": [{**STEP, "available": False}]}}}},
         ["shop: db_pool is healthy, nothing to approve"]),
        ({}, ["nothing to approve: the diagnosis has no plan"]),
    ],
)  # fmt: skip
def test_what_waits_is_told_with_its_link(tmp_path, published, lines):
    (tmp_path / "oncall.yml").write_text(as_awx_hands_it_over({"oncall": published}))
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    done = subprocess.run(
        [program, str(REPOSITORY / "extensions" / "awx" / "tell.yml"), "-i", "shop,", "-e", f"@{tmp_path / 'oncall.yml'}",
         "-e", "awx_workflow_job_id=42"],
        capture_output=True, text=True, timeout=240, cwd=tmp_path,
        env={**os.environ, "AWX_HOST": "https://awx.example", "ANSIBLE_SHOW_CUSTOM_STATS": "1", "ANSIBLE_NOCOLOR": "1",
             "ANSIBLE_STDOUT_CALLBACK": "default"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (told,) = (line for line in done.stdout.splitlines() if "oncall_told" in line)
    said = json.loads(told.partition("RUN: ")[2])["oncall_told"]
    assert said.splitlines() == [*lines, "https://awx.example/#/jobs/workflow/42/output"]


# ------------------------------------------------------------------ the workflow's last node, for real
QUICK = {"run_confirm_seconds": 0, "run_verify_seconds": 0}


def as_awx_hands_it_over(artifacts: object) -> str:
    """Extra vars as AWX writes them for a job: a text of a job before is marked as one that is no template."""

    class Dumper(yaml.SafeDumper):
        pass

    Dumper.add_representer(str, lambda dumper, text: dumper.represent_scalar("!unsafe", text))
    return yaml.dump(artifacts, Dumper=Dumper)


def test_the_workflow_acts_on_what_was_approved_and_on_nothing_else(healthy_lab, player, tmp_path):
    def remediate(name: str, artifacts: object) -> Started:
        (tmp_path / name).write_text(as_awx_hands_it_over(artifacts))
        playbook = "extensions/awx/remediate.yml"
        return player.start("-e", f"@{tmp_path / name}", playbook=playbook, remediate_runbook="db_pool", **QUICK)

    healthy_lab.inject("idle_in_transaction")
    planned = player.play("--check", run_until="plan", **QUICK).run
    assert planned["outcome"] == "planned"
    approved = {"oncall": {"lab": {"db_pool": planned}}}

    another = {**planned, "plan": {**planned["plan"], "hash": "p000000000000000"}}
    refused = [
        remediate("none.yml", {}),
        remediate("other_plan.yml", {"oncall": {"lab": {"db_pool": another}}}),
        # The same job once more: AWX launches it with the variables of then.
        remediate("again.yml", {**approved, "awx_job_launch_type": "relaunch"}),
    ]
    for play in [one.wait() for one in refused]:
        assert (play.code, play.outcome, play.run["guard"]["name"]) == (2, "blocked", "plan"), play.output
        assert play.run["actions"] == []

    done = remediate("approved.yml", {**approved, "awx_job_launch_type": "workflow"}).wait()
    assert (done.code, done.outcome) == (0, "resolved"), done.output
    assert [action["remedy"] for action in done.run["actions"]] == ["end_idle_in_transaction"]
