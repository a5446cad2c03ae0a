"""What the repository as a whole has to keep: pinned and explained dependencies, nothing of the machine it was made on."""

from __future__ import annotations

import getpass
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from collection import ROOT, load, tracked

REQUIREMENTS = ("run", "lab", "test")
# Hosts that a text may name. Examples use names that exist nowhere.
HOSTS = {"www.gnu.org", "fsf.org", "docs.ansible.com", "galaxy.ansible.com", "github.com", "prometheus.io"}
RESERVED = (".invalid", ".example", ".test", ".localhost", "example.com", "example.org", "example.net")


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def requirements(part: str) -> dict[str, str]:
    """The direct requirements of one file: name -> version, or "" where constraints.txt has it."""
    found = {}
    for line in (ROOT / "requirements" / f"{part}.txt").read_text().splitlines():
        line = line.split("#")[0].strip()
        if line and not line.startswith("-"):
            matched = re.fullmatch(r"([A-Za-z0-9._-]+)(?:\[[a-z,]+\])?(?:==([0-9][0-9A-Za-z.]*))?", line)
            assert matched, f"{part}.txt: {line} is not name==version"
            found[canonical(matched[1])] = matched[2] or ""
    return found


def explained() -> set[str]:
    """What docs/dependencies.md gives a reason for: the first cell of each row, where the last is not empty."""
    rows = re.findall(r"^\| `([^`]+)` \|.*\| *([^|]+?) *\|$", (ROOT / "docs" / "dependencies.md").read_text(), re.M)
    return {canonical(name) for name, reason in rows if reason}


@pytest.mark.parametrize("part", REQUIREMENTS)
def test_requirements_are_pinned(part):
    constraints = requirements("constraints")
    assert all(constraints.values())
    for name, version in requirements(part).items():
        assert constraints.get(name), f"{name} is not in constraints.txt"
        assert version in ("", constraints[name]), f"{name} differs from constraints.txt"
    assert "-c constraints.txt" in (ROOT / "requirements" / f"{part}.txt").read_text().splitlines()


def test_every_dependency_has_its_reason_and_no_other_has_one():
    direct = {name for part in REQUIREMENTS for name in requirements(part)}
    collections = {canonical(name) for name in load("galaxy.yml")["dependencies"]}
    assert explained() == direct | collections


def test_galaxy_requirements_are_those_of_the_collection():
    listed = {entry["name"]: entry["version"] for entry in load("requirements.yml")["collections"]}
    assert listed == load("galaxy.yml")["dependencies"]


def test_pip_brings_the_collections_in_the_versions_asked_for():
    from ansible.galaxy.dependency_resolution.versioning import meets_requirements

    site = Path(sys.prefix).glob("lib/python*/site-packages/ansible_collections")
    (bundled,) = [path for path in site if (path / "community").is_dir()]
    for name, wanted in load("galaxy.yml")["dependencies"].items():
        version = load(str(bundled / name.replace(".", "/") / "MANIFEST.json"))["collection_info"]["version"]
        assert meets_requirements(version, wanted), f"{name} {version}"


def texts() -> dict[str, str]:
    """Every text file of the repository."""
    found = {}
    for path in tracked():
        data = path.read_bytes()
        if b"\0" not in data:
            found[path.relative_to(ROOT).as_posix()] = data.decode()
    return found


@pytest.fixture(scope="module")
def repository():
    return texts()


def test_no_paths_of_a_machine(repository):
    foreign = re.compile(r"(?<![\w.:/-])/(?:home|Users|root|work|workspace)/[\w.-]")
    here = [path for path in (str(ROOT), str(Path.home())) if path.count("/") > 1]
    for name, text in repository.items():
        assert foreign.findall(text) == [], name
        assert [path for path in here if path in text] == [], name


def test_no_hosts_but_known_ones(repository):
    url = re.compile(r"https?://(?:[^/@\s\"']*@)?((?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,})")
    for name, text in repository.items():
        hosts = {host.lower() for host in url.findall(text)}
        assert sorted(host for host in hosts - HOSTS if not host.endswith(RESERVED)) == [], name


def test_nothing_of_whoever_made_it(repository):
    foreign = index_hosts() | people()
    for name, text in repository.items():
        assert sorted(each for each in foreign if each in text) == [], name


def index_hosts() -> set[str]:
    """The package index hosts that this machine is set up for."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {host for url in re.findall(r"\w+://[^\s'\"]+", listed) if (host := urlsplit(url).hostname)}


def people() -> set[str]:
    """The account of this machine and the addresses of the authors."""
    command = ["git", "log", "--format=%ae%n%ce"]
    addresses = set(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split())
    account = getpass.getuser()
    return addresses | ({f"{account}@"} if account not in ("root", "runner", "oncall", "user") else set())
