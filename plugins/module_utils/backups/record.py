# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was proven of backups, kept in one small file on the managed host: proofs, the last run from here, the last test restore.

A test restore takes its time, so what it showed holds for exactly the file that it was done with.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from ..file_in_one_step import put
from ..trusted_path import make_folder, objection

MOST_BYTES = 4 * 1024 * 1024
_KEPT = 30


def path_of(state_directory, name):
    """Where the record of a backup is. Its name may hold anything."""
    plain = "".join(sign if sign.isalnum() and sign.isascii() else "_" for sign in name)[:40]
    return str(Path(state_directory, "backups", f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:12]}.json"))


def read(state_directory, name):
    """The record, and why there is none that can be used, in a line or an empty text.

    Returns:
        ``(record, why)``; a record has ``proofs`` (by identity of the file), and where there was one ``run`` and ``drill``.
    """
    path = path_of(state_directory, name)
    nothing = {"proofs": {}}
    try:
        if not Path(path).is_file():
            return nothing, ""
        wrong = objection(path)
        if wrong:
            return nothing, f"what was proven before does not count: {wrong}"
        with open(path, "rb") as file:
            found = json.loads(file.read(MOST_BYTES))
    except (OSError, ValueError) as error:
        return nothing, f"what was proven before cannot be read: {error}"
    if not isinstance(found, dict) or not isinstance(found.get("proofs"), dict):
        return nothing, "what was proven before cannot be read: it has another shape"
    return found, ""


def write(state_directory, name, changes):
    """Put something into the record.

    Args:
        state_directory: ``system_state_directory``.
        name: of the backup.
        changes: ``proofs`` are added, everything else takes the place of what was there.

    Raises:
        OSError: it cannot be written; what was there is as it was.
    """
    found, _why = read(state_directory, name)
    proofs = {**found["proofs"], **changes.get("proofs", {})}
    newest = sorted(proofs.items(), key=lambda one: one[1].get("at_seconds", 0), reverse=True)[:_KEPT]
    content = {**found, **changes, "proofs": dict(newest)}
    path = path_of(state_directory, name)
    make_folder(str(Path(path).parent))
    put(path, json.dumps(content, sort_keys=True).encode())
