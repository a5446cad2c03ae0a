# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the program that began a play knows by a file of it that is there no more."""

from __future__ import annotations

import os
from pathlib import Path

from ansible.errors import AnsibleActionFail


def note(name: str) -> None:
    """Remove a file for good, so that it does not come back after a power failure; AnsibleActionFail where that fails."""
    file = Path(name)
    try:
        file.unlink(missing_ok=True)
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise AnsibleActionFail(f"cannot note that remedies may begin: {error}; nothing was begun") from None
