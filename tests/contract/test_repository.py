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
from requirement_files import asked_for, canonical, locked, versions

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
# What `make pins` writes.
LOCKED = ("run", "oncall", "programs", "lab", "test", "rulebook", "peers", "core-2.20", "pins")
FILES = [(part, python) for part in LOCKED for python in PYTHONS if (part, python) != ("core-2.20", "3.11")]
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
    # Part of the name of SVG.
    "www.w3.org",
    # Where providers of messages and of payments have their APIs.
    *(
        "api.eu.mailgun.net",
        "api.mailgun.net",
        "api.postmarkapp.com",
        "api.sendgrid.com",
        "api.stripe.com",
        "api.twilio.com",
        "slack.com",
    ),
    # Where pagers and status pages have theirs.
    *("api.eu.opsgenie.com", "api.opsgenie.com", "api.statuspage.io", "events.pagerduty.com"),
    # What the documents of the five systems name.
    *("api.panidobro.com", "dash.zeabur.com", "journey-api.zeabur.app", "status.attio.com", "status.linear.app"),
    # What SQLAlchemy writes into its errors, and an application into its log.
    "sqlalche.me",
    # What their documentation has in answers, and in examples of signatures.
    *("example.amazonaws.com", "iam.amazonaws.com", "internal.amazon.com", "shop.slack.com", "www.twilio.com"),
}
RESERVED = (".invalid", ".example", ".test", ".localhost", "example.com", "example.org", "example.net")


def explained() -> set[str]:
    """What docs/dependencies.md gives a reason for."""
    rows = re.findall(r"^\| `([^`]+)` \| *(.*?) *\|$", (ROOT / "docs" / "dependencies.md").read_text(), re.M)
    return {canonical(name) for name, reason in rows if reason}


@pytest.mark.parametrize("part", LOCKED)
def test_requirements_are_pinned_with_hashes(part):
    for wanted, hashes in locked(part):
        assert re.fullmatch(r"==[0-9][0-9A-Za-z.]*", str(wanted.specifier)), f"{part}.txt: {wanted}"
        assert hashes, f"{part}.txt: {wanted} has no hash"


@pytest.mark.parametrize(("part", "python"), FILES)
def test_what_is_asked_for_is_pinned(part, python):
    pinned = versions(part, python)
    for name, wanted in asked_for(part).items():
        assert name in pinned, f"make pins: {wanted} of {part} is not in {part}.txt"
        assert wanted.specifier.contains(pinned[name]), f"make pins: {part}.txt has {name} {pinned[name]}"


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("part", ["run", "oncall", "lab", "rulebook"])
def test_a_name_has_one_version(part, python):
    everything = versions("test", python)
    assert {
        name: version for name, version in versions(part, python).items() if everything.get(name, version) != version
    } == {}


def test_the_newest_core_for_each_python():
    series = {python: versions("test", python)["ansible-core"].rpartition(".")[0] for python in PYTHONS}
    assert series == {"3.11": "2.19", "3.12": "2.21", "3.13": "2.21", "3.14": "2.21"}


def test_every_dependency_has_its_reason_and_no_other_has_one():
    direct = {name for part in LOCKED for name in asked_for(part)}
    collections = {canonical(name) for name in load("galaxy.yml")["dependencies"]}
    packages = {canonical(name) for name in load("tests", "support", "npm", "package.json")["dependencies"]}
    assert explained() == direct | collections | packages


def test_packages_of_npm_are_pinned_with_hashes_and_name_no_registry():
    lock = load("tests", "support", "npm", "package-lock.json")["packages"]
    asked = load("tests", "support", "npm", "package.json")["dependencies"]
    assert lock[""]["dependencies"] == asked
    assert {name: lock[f"node_modules/{name}"]["version"] for name in asked} == asked
    installed = [one for name, one in lock.items() if name]
    assert all(one["integrity"].startswith("sha512-") and "resolved" not in one for one in installed)


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


HOOKS = {hook["id"]: hook for repo in load(".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]}


def test_hooks_download_nothing():
    assert {hook["language"] for hook in HOOKS.values()} == {"system", "pygrep"}
    programs = {hook["entry"].split()[0] for hook in HOOKS.values() if hook["language"] == "system"}
    assert programs == {f".venv/bin/{name}" for name in ("ruff", "yamllint", "python", "antsibull-changelog")}


@pytest.mark.parametrize(
    ("message", "accepted"),
    [
        ("store: refuse a newer schema\n\nAn old program would break it.", True),
        ("postgres, redis: name the host", True),
        ("extensions/awx: SQLAlchemy is not needed", True),
        ("Merge branch 'serve'", True),
        ('Revert "store: refuse a newer schema"', True),
        ("fixup! store: refuse a newer schema", True),
        ("Refuse a newer schema", False),
        ("Refuse a newer schema\n\nstore: that is where", False),
        ("store:", False),
        ("store: " + "x" * 100, False),
    ],
)
def test_subjects_name_the_area(message, accepted):
    # As pre-commit reads it.
    assert bool(re.search(HOOKS["subject"]["entry"], message + "\n", re.MULTILINE)) is accepted
