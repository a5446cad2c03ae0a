"""What the files in ``requirements`` ask for and pin, for the contract tests."""

from __future__ import annotations

import re

import tomllib
from collection import ROOT
from packaging.requirements import Requirement


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def asked_for(part: str) -> dict[str, Requirement]:
    """What somebody wrote into a list of requirements, each by its name; those of ``oncall`` stand in pyproject.toml."""
    if part == "oncall":
        lines = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    else:
        text = (ROOT / "requirements" / f"{part}.in").read_text()
        lines = [line for line in text.splitlines() if line and not line.startswith(("#", "-r "))]
    return {canonical(wanted.name): wanted for wanted in map(Requirement, lines)}


def locked(part: str) -> list[tuple[Requirement, int]]:
    """Every requirement that a list pins, with how many hashes it has."""
    text = (ROOT / "requirements" / f"{part}.txt").read_text()
    logical = [line for line in text.replace("\\\n", " ").splitlines() if line and not line.lstrip().startswith("#")]
    return [(Requirement(line.partition(" --hash")[0]), line.count("--hash=sha256:")) for line in logical]


def versions(part: str, python: str) -> dict[str, str]:
    """What pip installs of a list on a version of Python: name -> version."""
    here = {"python_version": python, "python_full_version": f"{python}.0"}
    fitting = [wanted for wanted, _ in locked(part) if wanted.marker is None or wanted.marker.evaluate(here)]
    found = {canonical(wanted.name): str(wanted.specifier) for wanted in fitting}
    assert len(found) == len(fitting), f"{part}.txt has two versions of a name for Python {python}"
    return {name: version.removeprefix("==") for name, version in found.items()}
