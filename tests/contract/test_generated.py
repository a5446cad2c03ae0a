"""The generated pages say what the roles say now."""

from __future__ import annotations

import subprocess
import sys

import pytest
from collection import ROLES, ROOT

from docs.generate.words import readable


def generate(root, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "docs.generate", *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


def test_fresh():
    checked = generate(ROOT, "--check")
    assert (checked.stdout, checked.stderr, checked.returncode) == ("", "", 0)


def test_stale_is_told_and_written(tmp_path):
    for part in (
        *("roles", "docs", "playbooks", "molecule", "plugins", "meta", "inventories", "oncall", "collections"), "tests/coverage.yml", "README.md",
    ):  # fmt: skip
        (tmp_path / part).parent.mkdir(exist_ok=True)
        subprocess.run(["cp", "-R", str(ROOT / part), str((tmp_path / part).parent)], check=True)
    assert generate(tmp_path).returncode == 0
    page = tmp_path / "roles" / "run" / "README.md"
    fresh = page.read_text()
    page.write_text(fresh + "more\n")
    (tmp_path / "docs" / "runbooks.md").unlink()

    checked = generate(tmp_path, "--check")
    assert (checked.returncode, checked.stdout.splitlines()) == (
        1,
        ["roles/run/README.md is stale: run `make docs`", "docs/runbooks.md is stale: run `make docs`"],
    )
    assert page.read_text() != fresh, "a check writes nothing"

    assert generate(tmp_path).returncode == 0
    assert page.read_text() == fresh
    assert generate(tmp_path).stdout == ""
    assert generate(tmp_path, "--check").returncode == 0


def test_a_misspelt_option_writes_nothing():
    misspelt = generate(ROOT, "--chek")
    assert (misspelt.returncode, misspelt.stdout) == (2, "")
    assert "unrecognized arguments: --chek" in misspelt.stderr


def test_tables_are_whole():
    """Every row has as many cells as its head."""
    pages = [ROOT / "docs" / "runbooks.md", *(ROOT / "roles" / role / "README.md" for role in ROLES)]
    for page in pages:
        width = 0
        for line in page.read_text().splitlines():
            cells = line.replace("\\|", "").count("|") if line.startswith("|") else 0
            assert not (width and cells) or cells == width, f"{page.relative_to(ROOT)}: {line}"
            width = cells


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{{ metrics.value.waiting | int }} requests wait", "«waiting» requests wait"),
        ("more than {{ limit }} s", "more than 300 s"),
        ("{{ rows | map(attribute='mount') | join(', ') }} is full", "«mount» is full"),
        ("down{{ ', since ' ~ age_seconds if age_seconds else '' }}", "down, since «age seconds»"),
        ("{{ 'a' if __private_name else 'b' }}", "a or b"),
        ("{{ (1 > 0) }}", "…"),
    ],
)
def test_a_reader_sees_words_and_no_expression(template, words):
    assert readable(template, {"limit": 300}) == words
