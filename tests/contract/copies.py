"""A copy of the repository, in which a test may break what it likes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from collection import ROOT, tracked


def copy_to(folder: Path) -> Path:
    """The files of the repository in another folder, known to a git of its own."""
    for path in tracked():
        target = folder / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
    for path in (ROOT / "collections").rglob("*"):
        if path.is_symlink():
            target = folder / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(path.readlink())
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    return folder


def run(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A Python module, in a copy."""
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=300)


def contract(root: Path, file: str, chosen: str = "") -> subprocess.CompletedProcess[str]:
    """The contract tests of one file, those that a copy has; some of them, by what pytest takes for -k."""
    return run(root, "pytest", "-q", "-n0", "-p", "no:cacheprovider", f"tests/contract/{file}", "-k", chosen)
