# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the embedded lab does not have by itself: a checkout from which something was deployed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

# Older than any lab: what is checked out is what runs.
DEPLOYED_AT = "2026-01-01T00:00:00Z"


def deployed(folder: Path) -> Path:
    """The checkout in a folder, made if it is not there."""
    checkout = folder / "deployed"
    if checkout.exists():
        return checkout
    git = ["git", "-c", "user.name=lab", "-c", "user.email=lab@localhost", "-C", str(checkout)]
    checkout.mkdir()
    (checkout / "release").write_text("1\n")
    for argv in (["init", "--quiet"], ["add", "release"], ["commit", "--quiet", "-m", "release 1"]):
        subprocess.run([*git, *argv], check=True, env={**os.environ, "GIT_COMMITTER_DATE": DEPLOYED_AT})
    return checkout
