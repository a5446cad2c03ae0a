# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role service on a real Compose project and on plain containers; whatever it does, the others are left alone."""

from __future__ import annotations

import json
import subprocess

import pytest

from ansible_collections.oncall.runbooks.tests.support.containers import Containers, docker
from ansible_collections.oncall.runbooks.tests.support.service_role import play, step

MIB = 1024**2
SLEEP = ["python3", "-uc", "import time; time.sleep(1000)"]
# Its health check answers once it is up, which takes a moment.
API = (
    "import os, time; print('pool', os.environ['PG_POOL_MAX']); time.sleep(0.5); open('/tmp/up', 'w'); time.sleep(1000)"
)


class Project:
    """A Compose project in a folder whose name no shell would like."""

    def __init__(self, folder, containers):
        self.folder = folder / "the shop's; $(id)"
        self.folder.mkdir()
        self.name = containers.prefix.rstrip("-")
        self.environment = self.folder / "api.env"
        self.environment.write_text(
            "# the pool\nPG_POOL_MAX=25 # connections\nDATABASE_URL='postgres://app:s3cret@db/app?connection_limit=5'\n"
        )
        common = {"image": containers.image, "init": True, "stop_grace_period": "1s", "network_mode": "none"}
        check = {"interval": "0.5s", "retries": 3}
        self.file = {
            "name": self.name,
            "services": {
                "db": {**common, "command": SLEEP, "healthcheck": {"test": ["CMD", "true"], **check}},
                "api": {
                    **common,
                    "command": ["python3", "-uc", API],
                    "env_file": ["api.env"],
                    "mem_limit": "64m",
                    "depends_on": {"db": {"condition": "service_healthy"}},
                    "healthcheck": {"test": ["CMD", "test", "-e", "/tmp/up"], **check},
                },
                "web": {
                    **common,
                    "command": SLEEP,
                    "depends_on": {"api": {"condition": "service_started", "restart": True}},
                },
                "sick": {
                    **common,
                    "command": SLEEP,
                    "healthcheck": {"test": ["CMD-SHELL", "echo no disk; exit 1"], **check},
                },
                "ends": {**common, "command": ["python3", "-c", "import sys; sys.exit('ERROR PORT is not set')"]},
                "renews": {**common, "command": ["python3", "-c", "import time; time.sleep(3)"]},
                "loops": {
                    **common,
                    "command": ["sh", "-c", "echo FATAL no; exit 2"],
                    "restart": "always",
                    "profiles": ["x"],
                },
            },
        }
        for service in self.file["services"].values():
            service["labels"] = [containers.label]
        self.write()

    def write(self):
        (self.folder / "compose.yaml").write_text(json.dumps(self.file))

    def compose(self, *arguments):
        argv = ["docker", "compose", "--project-directory", str(self.folder), *arguments]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def service(self, **more):
        return {"manager": "compose", "project": str(self.folder), "environment_file": str(self.environment), **more}

    def of(self, name):
        """What the engine says about the containers of a service."""
        ids = docker(
            "ps",
            "-aq",
            "--filter",
            f"label=com.docker.compose.project={self.name}",
            "--filter",
            f"label=com.docker.compose.service={name}",
        ).split()
        return json.loads(docker("inspect", *sorted(ids))) if ids else []

    def lives(self, *names):
        """Which container each service has, and since when."""
        return {name: sorted((one["Id"], one["State"]["StartedAt"]) for one in self.of(name)) for name in names}


@pytest.fixture(scope="module")
def containers():
    some = Containers()
    try:
        some.run("plain", "import time; time.sleep(1000)", "--init", "-m", "64m")
        some.run("other", "import time; time.sleep(1000)", "--init")
        yield some
    finally:
        some.remove()


@pytest.fixture(scope="module")
def project(containers, tmp_path_factory):
    here = Project(tmp_path_factory.mktemp("compose"), containers)
    here.compose("up", "--detach", "db", "api", "web")
    return here


def test_verbs_of_compose(project, tmp_path):
    bystanders = project.lives("db", "web")
    first = project.lives("api")
    variable = {"service_variable": "PG_POOL_MAX", "service_value": "35"}
    limit = {"service_variable": "DATABASE_URL", "service_url_parameter": "connection_limit", "service_value": "35"}
    memory = {"service_memory_limit_bytes": 96 * MIB}
    evidence = tmp_path / "evidence"

    found, output = play(
        tmp_path,
        {"api": project.service()},
        [
            step("restart", service_evidence_directory=str(evidence)),
            step("scale", service_replicas=2),
            step("scale", service_replicas=2),
            step("set_memory_limit", **memory),
            step("set_memory_limit", **memory),
        ],
    )
    assert found == [{"failed": None, "changed": changed} for changed in (True, True, False, True, False)]
    api = project.of("api")
    assert len(api) == 2
    assert first["api"][0][0] in [one["Id"] for one in api]  # restarted and kept, not made anew
    assert first["api"][0] not in project.lives("api")["api"]
    assert [one["HostConfig"]["Memory"] for one in api] == [96 * MIB] * 2
    assert [one["HostConfig"]["MemorySwap"] for one in api] == [160 * MIB] * 2  # as much swap as before
    (saved,) = evidence.iterdir()
    assert saved.read_text().splitlines()[1] == "pool 25"

    # One of the two, and the other goes on.
    second = api[1]["Name"].lstrip("/")
    lived = project.lives("api")["api"]
    found, output = play(tmp_path, {"api": project.service()}, [step("restart", service_members=[second])])
    assert found == [{"failed": None, "changed": True}], output
    assert len(set(lived) & set(project.lives("api")["api"])) == 1

    before = project.lives("api")
    found, output = play(
        tmp_path,
        {"api": project.service()},
        [
            step("set_environment", **variable),
            step("set_environment", **variable),
            step("set_environment", **limit),
            step("stop"),
            step("stop"),
            step("start"),
            step("start"),
        ],
    )
    assert found == [{"failed": None, "changed": changed} for changed in (True, False, True, True, False, True, False)]
    api = project.of("api")
    assert len(api) == 2
    assert not {life[0] for life in before["api"]} & {one["Id"] for one in api}
    for one in api:
        assert one["State"]["Health"]["Status"] == "healthy"
        assert "PG_POOL_MAX=35" in one["Config"]["Env"]
        assert "DATABASE_URL=postgres://app:s3cret@db/app?connection_limit=35" in one["Config"]["Env"]
    assert "PG_POOL_MAX=35 # connections\n" in project.environment.read_text()
    assert "s3cret" not in output
    assert project.lives("db", "web") == bystanders

    # Its container is gone: it is made again, and nothing else.
    docker("rm", "--force", *[one["Id"] for one in api])
    (found,), _output = play(tmp_path, {"api": project.service()}, [step("restart")])
    assert found == {"failed": None, "changed": True}
    assert len(project.of("api")) == 1
    assert project.lives("db", "web") == bystanders


def test_verbs_of_docker(containers, tmp_path):
    other = containers.state("other")["StartedAt"]
    memory = {"service_memory_limit_bytes": 96 * MIB}
    before = containers.state("plain")["StartedAt"]
    docker("pause", containers.prefix + "plain")
    found, _output = play(
        tmp_path,
        {"api": containers.service("plain")},
        [
            step("start"),
            step("restart"),
            step("set_memory_limit", **memory),
            step("set_memory_limit", **memory),
            step("stop"),
            step("stop"),
            step("start"),
        ],
    )
    assert found == [{"failed": None, "changed": changed} for changed in (True, True, True, False, True, False, True)]
    plain = containers.state("plain")
    assert (plain["Status"], plain["StartedAt"] == before) == ("running", False)
    assert docker("inspect", "--format", "{{.HostConfig.Memory}}", containers.prefix + "plain") == str(96 * MIB)
    assert containers.state("other")["StartedAt"] == other


def test_check_mode_changes_nothing(project, containers, tmp_path):
    before = project.lives("db", "api", "web")
    text = project.environment.read_text()
    plain = containers.state("plain")
    found, _output = play(
        tmp_path,
        {"api": project.service(), "plain": containers.service("plain")},
        [
            step("restart", service_evidence_directory=str(tmp_path / "evidence")),
            step("scale", service_replicas=3),
            step("set_environment", service_variable="PG_POOL_MAX", service_value="77"),
            step("set_memory_limit", service_memory_limit_bytes=128 * MIB),
            step("stop", "plain"),
        ],
        "--check",
    )
    assert found == [{"failed": None, "changed": True}] * 5
    assert project.lives("db", "api", "web") == before
    assert project.environment.read_text() == text
    assert containers.state("plain") == plain
    assert not (tmp_path / "evidence").exists()


def test_what_cannot_be_done_is_one_line_and_changes_nothing(project, containers, tmp_path):
    before = project.lives("db", "api", "web")
    text = project.environment.read_text()
    broken, empty = tmp_path / "broken", tmp_path / "empty"
    for folder in (broken, empty):
        folder.mkdir()
    (broken / "compose.yaml").write_text("services:\n  api: [\n")
    variable = {"service_variable": "PG_POOL_MAX", "service_value": "50"}
    services = {
        "api": project.service(),
        "apy": project.service(),
        "odd": project.service(name='a b\'; rm -rf / "$(id)" é'),
        "dash": project.service(name="--help"),
        "gone": project.service(project=str(tmp_path / "none")),
        "broken": project.service(project=str(broken)),
        "empty": project.service(project=str(empty)),
        "deaf": project.service(docker_host="unix:///none.sock"),
        "plain": containers.service("plain"),
        "missing": containers.service("plein"),
        "strange": {"manager": "docker", "name": "; reboot"},
        "bare": {"manager": "compose", "project": str(project.folder), "name": "api"},
    }
    found, output = play(
        tmp_path,
        services,
        [
            step("restart", "apy"),
            step("restart", "odd"),
            step("stop", "dash"),
            step("restart", "gone"),
            step("restart", "broken"),
            step("restart", "empty"),
            step("restart", "deaf"),
            step("set_environment", "plain", **variable),
            step("restart", "missing"),
            step("restart", "strange"),
            step("set_memory_limit", service_memory_limit_bytes=1000),
            step("set_environment", "bare", **variable),
            step("set_environment", service_variable="A", service_value="it's # s3cret"),
            step("scale", service_replicas=-1),
        ],
    )
    expected = [
        f"service apy: the project {project.name} has no service apy; it has: api, ",
        f'service odd: the project {project.name} has no service a b\'; rm -rf / "$(id)" é; it has: ',
        f"service dash: the project {project.name} has no service --help; it has: ",
        f"service gone: the folder {tmp_path}/none of its Compose project does not exist: check project",
        "service broken: has no container, and its Compose file cannot be read: docker ended with exit code ",
        f"service empty: {empty} has no compose.yaml, compose.yml, docker-compose.yaml or docker-compose.yml: check",
        "service deaf: the Docker Engine cannot be reached at /none.sock (No such file or directory): start it, or set",
        "service plain: the manager docker has no set_environment; it can: restart, set_memory_limit, start, stop",
        f"service missing: there is no container {containers.prefix}plein; the nearest names are ",
        "service strange: '; reboot' cannot be one: a container's name is made of letters",
        "service api uses ",
        "service bare: set_environment under the manager compose needs system_services.bare.environment_file",
        f"cannot set A in {project.environment}: the value for A holds a single quote or a backslash",
        "",
    ]
    failed = [outcome["failed"] for outcome in found]
    assert [line[: len(start)] for line, start in zip(failed, expected)] == expected
    assert all("\n" not in line for line in failed)
    assert "s3cret" not in output.replace("it's # s3cret", "")
    assert project.lives("db", "api", "web") == before
    assert project.environment.read_text() == text


def test_a_change_that_nobody_applied_is_not_applied_along(project, tmp_path):
    before = project.lives("db", "api", "web")
    text = project.environment.read_text()
    project.file["services"]["api"]["mem_limit"] = "80m"
    project.write()
    try:
        found, _output = play(
            tmp_path,
            {"api": project.service()},
            [step("set_environment", service_variable="PG_POOL_MAX", service_value="60"), step("start")],
        )
        assert "its container is not what its Compose file says now" in found[0]["failed"]
        assert found[1] == {"failed": None, "changed": False}
        assert project.lives("db", "api", "web") == before
        assert project.environment.read_text() == text
    finally:
        project.file["services"]["api"]["mem_limit"] = "64m"
        project.write()


def test_one_that_does_not_come_up_is_reported_with_the_reason(project, tmp_path):
    before = project.lives("db", "api", "web")
    services = {name: project.service(name=name) for name in ("sick", "ends", "loops")}
    found, _output = play(
        tmp_path,
        services,
        [
            step("start", "sick", service_wait_seconds=15),
            step("start", "ends", service_wait_seconds=60),
            step("start", "loops", service_wait_seconds=2),
        ],
    )
    failed = [outcome["failed"] for outcome in found]
    assert failed[0] == (
        "service sick does not run after start, waited up to 15 s: running, unhealthy, last health check: no disk"
    )
    exited = "exited, exit code 1: ended with an error of its own, last error in its log: ERROR PORT is not set"
    assert failed[1] == f"service ends does not run after start, waited up to 60 s: {exited}"
    assert "exit code 2: ended with an error of its own, often wrong usage" in failed[2]
    assert all("\n" not in line for line in failed)
    assert project.lives("db", "api", "web") == before


def test_what_runs_once_is_waited_for_until_it_has_ended(project, containers, tmp_path):
    containers.run_all({"renewed": ("import time; time.sleep(2)",), "refused": ("raise SystemExit(4)",)})
    services = {
        "renews": project.service(name="renews"),
        "ends": project.service(name="ends"),
        "renewed": containers.service("renewed"),
        "refused": containers.service("refused"),
    }
    found, _output = play(tmp_path, services, [step("start", name, service_runs_once=True) for name in services])
    failed = [outcome["failed"] for outcome in found]
    badly = "has not ended well after start, waited up to 15 s: exited, exit code"
    assert [failed[0], failed[2]] == [None, None]
    assert failed[1].startswith(f"service ends {badly} 1: ")
    assert failed[3].startswith(f"service refused {badly} 4: ")
    assert [one["State"]["ExitCode"] for one in project.of("renews")] == [0]
