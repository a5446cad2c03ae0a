# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A migration that the image has and the database has not."""

from __future__ import annotations

import json

from lab.compose.target import Fault, Target
from lab.rights import right

from .crash_loop import LAST_MIGRATION


def _take_back(target: Target) -> None:
    target.sql("ALTER TABLE orders DROP COLUMN note")
    target.sql("DELETE FROM schema_migrations WHERE version = %s", LAST_MIGRATION)


def _is_pending(target: Target) -> tuple[bool, str]:
    status, body = target.api("/readyz")
    return status == 503 and json.loads(body).get("migrations_current") is False, f"/readyz answers {status}: {body}"


def _apply(target: Target) -> None:
    target.run_in("api", "python3", "-m", "lab.programs.migrations", "migrate")


FAULTS = {
    "migration_pending": Fault(
        "the database has not the last migration of the API's image",
        _take_back,
        _is_pending,
        _apply,
        rights={"migrations": right("pending", "migrate")},
    )
}
