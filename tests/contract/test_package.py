"""The artifact for Galaxy, built for real, installed and used from elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import tomllib
from collection import NAME, ROOT, RUNBOOKS, load, tracked

BELONGS = {
    *("MANIFEST.json", "FILES.json", "LICENSE", "README.md", "CHANGELOG.md", "requirements.yml"),
    *("changelogs", "docs", "extensions", "meta", "oncall", "playbooks", "plugins", "roles"),
}
SHIPPED = (
    *("plugins/", "roles/", "playbooks/", "docs/", "extensions/", "meta/"),
    *("LICENSE", "README.md", "requirements.yml"),
)


def run(program: str, *arguments: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A program of Ansible, without the configuration of this checkout."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
    ran = subprocess.run(
        [str(Path(sys.executable).with_name(program)), *map(str, arguments)],
        cwd=cwd,
        env={**clean, "ANSIBLE_HOME": str(cwd / "home"), "ANSIBLE_NOCOLOR": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran


@pytest.fixture(scope="module")
def artifact(tmp_path_factory):
    """The path of the built artifact."""
    target = tmp_path_factory.mktemp("artifact")
    run("ansible-galaxy", "collection", "build", ROOT, "--output-path", target, cwd=target)
    (built,) = target.glob("*.tar.gz")
    return built


@pytest.fixture(scope="module")
def installed(artifact, tmp_path_factory):
    """A folder with nothing but the installed collection in ``collections``."""
    home = tmp_path_factory.mktemp("elsewhere")
    arguments = ("collection", "install", artifact, "-p", home / "collections", "--offline", "--no-deps")
    run("ansible-galaxy", *arguments, cwd=home, ANSIBLE_COLLECTIONS_PATH=str(home / "collections"))
    return home


@pytest.fixture(scope="module")
def packed(artifact):
    """The names of the files in the artifact."""
    with tarfile.open(artifact) as archive:
        return {member.name for member in archive.getmembers() if not member.isdir()}


def test_name(artifact):
    galaxy = load("galaxy.yml")
    assert artifact.name == f"{galaxy['namespace']}-{galaxy['name']}-{galaxy['version']}.tar.gz"


def test_only_what_a_user_needs_is_packed(packed):
    assert sorted({name.split("/")[0] for name in packed} - BELONGS) == []
    assert sorted(name for name in packed if "__pycache__" in name or "/." in name or name.endswith(".pyc")) == []


def test_all_that_a_user_needs_is_packed(packed):
    names = {path.relative_to(ROOT).as_posix() for path in tracked()}
    shipped = {name for name in names if name.startswith(SHIPPED) and not name.startswith("docs/generate/")}
    assert sorted(shipped - packed) == []
    assert load("galaxy.yml")["readme"] in packed


@pytest.mark.parametrize("runbook", RUNBOOKS)
def test_installed_runbook_is_found(installed, runbook):
    path = str(installed / "collections")
    name = f"{NAME}.{runbook}"
    ran = run("ansible-playbook", name, "--syntax-check", "-i", "some,", cwd=installed, ANSIBLE_COLLECTIONS_PATH=path)
    assert f"playbook: {installed}" in ran.stdout, "it was found elsewhere"


def test_installed_documentation_is_found(installed):
    path = str(installed / "collections")
    for kind, name in (("module", "ledger"), ("role", RUNBOOKS[0]), ("callback", "record"), ("filter", "identities")):
        ran = run("ansible-doc", "-t", kind, f"{NAME}.{name}", cwd=installed, ANSIBLE_COLLECTIONS_PATH=path)
        assert str(installed) in ran.stdout, "it was found elsewhere"


def test_the_python_package_has_the_version_of_the_collection():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == load("galaxy.yml")["version"]


def test_the_wheel_carries_the_collection(tmp_path):
    argv = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        str(tmp_path),
        str(ROOT),
    ]
    subprocess.run(argv, check=True, capture_output=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    inside = "oncall/collections/ansible_collections/oncall/runbooks/"
    with zipfile.ZipFile(wheel) as archive:
        packed = {name.removeprefix(inside) for name in archive.namelist() if name.startswith(inside)}
        archive.extractall(tmp_path / "installed")
    names = {path.relative_to(ROOT).as_posix() for path in tracked()}
    wanted = {name for name in names if name.startswith(("extensions/", "meta/", "playbooks/", "plugins/", "roles/"))}
    assert packed == wanted | {"galaxy.yml"}
    # As installed: nothing of the checkout is on its path.
    listed = subprocess.run(
        [sys.executable, "-c", "from oncall.cli import main; main(['list'])"],
        capture_output=True, text=True, cwd=tmp_path / "installed", check=True,
    )  # fmt: skip
    assert [line.split("\t")[0] for line in listed.stdout.splitlines()] == RUNBOOKS
    # With its migrations.
    made = subprocess.run(
        [sys.executable, "-c", "from oncall.serve.store import schema; print(schema.migrate('sqlite:///made.sqlite3').done())"],
        capture_output=True, text=True, cwd=tmp_path / "installed", check=True,
    )  # fmt: skip
    assert made.stdout.startswith("the tables of the database are made")
