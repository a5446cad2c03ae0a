# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The git checkout that a lab's API is deployed from."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

from .layout import LabError

# As many a team's: what is checked out becomes the project's, and what changed is made anew.
BY_COMPOSE = """\
#!/bin/sh
set -eu
cp release.env ../release.env
echo "APP_REVISION=$(git rev-parse --short=12 HEAD)" > ../revision.env
cd ..
exec docker compose up --detach --no-deps --timeout 5 api
"""

BY_SUPERVISOR = """\
#!/bin/sh
set -eu
cp release.env ../release.env
echo "APP_REVISION=$(git rev-parse --short=12 HEAD)" >> ../release.env
exec "{python}" -m supervisor.supervisorctl -c "{config}" restart {program}
"""


class Release:
    """The checkout of a lab, in its project's folder.

    Args:
        project: the folder of the project.
        deploys: the script that deploys what is checked out.
        script: where the script is, in the checkout.

    Every method raises LabError.
    """

    def __init__(self, project: Path, deploys: str = BY_COMPOSE, script: str = "deploy") -> None:
        self.path = project / "release"
        self._deploys, self._script = deploys, script

    def begin(self) -> None:
        """A new checkout with two sound commits of yesterday; what was there before is forgotten."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")
        script = self.path / self._script
        script.parent.mkdir(exist_ok=True)
        script.write_text(self._deploys)
        script.chmod(0o755)
        for hours, subject in ((48, "First release"), (24, "Say hello to the users")):
            self.commit(subject, at=time.time() - 3600 * hours)
        self.git("tag", "sound")

    def commit(self, subject: str, faults: str = "", at: float = 0) -> str:
        """One more commit, checked out and not deployed; its full name.

        Args:
            subject: its first line.
            faults: what the API does wrong from then on, as LAB_START_FAULTS.
            at: when, in epoch seconds; now by default.
        """
        (self.path / "release.env").write_text(f"# {subject}\n" + (f"LAB_START_FAULTS={faults}\n" if faults else ""))
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", subject, at=at)
        return self.head()

    def head(self) -> str:
        return self.git("rev-parse", "HEAD").strip()

    def deploy(self) -> None:
        self._run(f"./{self._script}")

    def git(self, *arguments: str, at: float = 0) -> str:
        date = f"{int(at or time.time())} +0000"
        who = {f"GIT_{role}_{what}": f"lab{'@localhost' * (what == 'EMAIL')}"
               for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}  # fmt: skip
        return self._run("git", *arguments, **who, GIT_AUTHOR_DATE=date, GIT_COMMITTER_DATE=date)

    def _run(self, *argv: str, **more: str) -> str:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "COMPOSE_", "LAB_"))}
        try:
            done = subprocess.run(
                argv, cwd=self.path, env=kept | more, capture_output=True, text=True, timeout=120, check=False
            )
        except FileNotFoundError:
            raise LabError(f"there is no {argv[0]}; install it") from None
        except subprocess.TimeoutExpired:
            raise LabError(f"{' '.join(argv[:2])} in {self.path} has not ended after 120 s") from None
        if done.returncode != 0:
            last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no output"]
            raise LabError(f"{' '.join(argv[:2])} in {self.path} ends with {done.returncode}: {last[0]}")
        return done.stdout
