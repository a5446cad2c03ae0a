"""What the whole repository has to keep: dependencies pinned and explained, nothing of the machine it was made on."""

from __future__ import annotations

import functools
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from collection import ROOT, load, tracked

REQUIREMENTS = ("run", "oncall", "programs", "lab", "test", "rulebook")
# Hosts that a text may name. Examples use names that exist nowhere.
HOSTS = {
    "pypi.org",
    "www.gnu.org",
    "fsf.org",
    "docs.ansible.com",
    "galaxy.ansible.com",
    "github.com",
    "prometheus.io",
    "json-schema.org",
}
RESERVED = (".invalid", ".example", ".test", ".localhost", "example.com", "example.org", "example.net")


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def requirements(part: str) -> dict[str, str]:
    """The requirements that one file pins: name -> version."""
    found = {}
    for line in (ROOT / "requirements" / f"{part}.txt").read_text().splitlines():
        line = line.split("#")[0].strip()
        if line and not line.startswith("-"):
            matched = re.fullmatch(r"([A-Za-z0-9._-]+)(?:\[[a-z,]+\])?==([0-9][0-9A-Za-z.]*)", line)
            assert matched, f"{part}.txt: {line} is not name==version"
            found[canonical(matched[1])] = matched[2]
    return found


def explained() -> set[str]:
    """What docs/dependencies.md gives a reason for."""
    rows = re.findall(r"^\| `([^`]+)` \| *(.*?) *\|$", (ROOT / "docs" / "dependencies.md").read_text(), re.M)
    return {canonical(name) for name, reason in rows if reason}


@pytest.mark.parametrize("part", REQUIREMENTS)
def test_requirements_are_pinned(part):
    constraints = requirements("constraints")
    pinned = requirements(part)
    assert pinned == {name: constraints.get(name) for name in pinned}
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


def test_no_package_index_of_a_machine(repository):
    for name, text in repository.items():
        assert sorted(host for host in index_hosts() - HOSTS if host in text) == [], name


@functools.cache
def index_hosts() -> set[str]:
    """The hosts of the package indexes that this machine is set up for."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {host for url in re.findall(r"\w+://[^\s'\"]+", listed) if (host := urlsplit(url).hostname)}
