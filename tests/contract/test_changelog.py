"""What changes for users stands in the changelog."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from collection import ROOT, load, tracked
from packaging.version import Version

RELEASES = load("changelogs", "changelog.yaml")["releases"]
LAST = max(RELEASES, key=Version)
# What users run.
SHIPPED = ("roles", "plugins", "playbooks", "oncall", "extensions")
# What antsibull-changelog reads.
READ = ("galaxy.yml", "meta", "changelogs", "CHANGELOG.md", "plugins", "roles")
ANTSIBULL = str(Path(sys.executable).with_name("antsibull-changelog"))


def git(*arguments: str) -> list[str]:
    """The lines that git prints; none where it does not know what is asked for."""
    ran = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return ran.stdout.splitlines() if ran.returncode == 0 else []


def beginning() -> str:
    """The commit where this branch left main; on main itself, that of the last release."""
    head = git("rev-parse", "HEAD")
    for main in ("main", "origin/main"):
        left = git("merge-base", "HEAD", main)
        if left and left != head:
            return left[0]
    return git("log", "-1", "--format=%H", f"-S  {LAST}:\n", "--", "changelogs/changelog.yaml")[0]


def changed(commit: str, *paths: str) -> list[str]:
    """The files that differ from a commit, and those that are new."""
    new = git("ls-files", "--others", "--exclude-standard", "--", *paths)
    return git("diff", "--name-only", commit, "--", *paths) + new


def mentioned() -> str:
    """What fragments, and releases after a name was new, say in words."""
    fragments = [path.read_text() for path in (ROOT / "changelogs" / "fragments").glob("*.y*ml")]
    return "\n".join([*fragments, *(str(release.get("changes", "")) for release in RELEASES.values())])


@pytest.fixture(scope="module")
def generated(tmp_path_factory) -> Path:
    """A copy of the collection in which antsibull-changelog has written the changelog again."""
    copy = tmp_path_factory.mktemp("changelog")
    for path in tracked():
        name = path.relative_to(ROOT)
        if name.parts[0] in READ:
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy / name)
    ran = subprocess.run(
        [ANTSIBULL, "generate", "--reload-plugins"], cwd=copy, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return copy


@pytest.fixture(scope="module")
def documented(generated) -> dict[tuple[str, str], str]:
    """The version since when there is each module, plugin and role."""
    found = yaml.safe_load((generated / "changelogs" / ".plugin-cache.yaml").read_text())
    kinds: dict[str, dict[str, Any]] = {**found["plugins"], **found["objects"]}
    return {(kind, name): about["version_added"] for kind, named in kinds.items() for name, about in named.items()}


def released() -> set[tuple[str, str]]:
    """Every module, plugin and role that a release was the first to have."""
    found = set()
    for release in RELEASES.values():
        kinds = {**release.get("plugins", {}), **release.get("objects", {}), "module": release.get("modules", [])}
        found |= {(kind, one["name"]) for kind, named in kinds.items() for one in named}
    return found


def test_fragments_are_valid():
    ran = subprocess.run([ANTSIBULL, "lint"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_a_change_for_users_has_a_fragment():
    since = beginning()
    if changed(since, *SHIPPED):
        assert changed(since, "changelogs"), "add a file to changelogs/fragments (CONTRIBUTING.md says how)"


def test_what_is_new_is_in_a_release_or_in_the_next_one(documented):
    known = released()
    new = {what: since for what, since in documented.items() if what not in known}
    late = {what: since for what, since in new.items() if Version(since or "0") <= Version(LAST)}
    assert late == {}, f"release {LAST} did not have these: give them the version_added of the next one"


def test_what_is_gone_is_told(documented):
    text = mentioned()
    assert [name for kind, name in sorted(released() - set(documented)) if name not in text] == []


def test_the_changelog_is_fresh(generated):
    assert (ROOT / "CHANGELOG.md").read_text() == (generated / "CHANGELOG.md").read_text(), (
        "antsibull-changelog generate"
    )
