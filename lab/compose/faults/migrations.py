# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A migration that the image has and the database has not, and a backup that was read to its end."""

from __future__ import annotations

import json

from lab.compose.target import Fault, Target
from lab.layout import DATABASE
from lab.rights import right

from .crash_loop import LAST_MIGRATION

DUMP = "/tmp/orders.dump"


def _take_back(target: Target) -> None:
    target.sql("ALTER TABLE orders DROP COLUMN note")
    target.sql("DELETE FROM schema_migrations WHERE version = %s", LAST_MIGRATION)
    # As it is before a migration: there is a dump, and its archive was read.
    target.run_in("db", "pg_dump", "--format=custom", f"--file={DUMP}", DATABASE, user="postgres")
    target.run_in("db", "pg_restore", "--file=/dev/null", DUMP, user="postgres")
    folder = target.layout.home / "backups"
    folder.mkdir(mode=0o700, exist_ok=True)
    target.docker("cp", f"{target.container('db')['Id']}:{DUMP}", str(folder / "orders.dump"))
    # The copy has the time of what was copied, by the clock of the container.
    (folder / "orders.dump").touch()


def _is_pending(target: Target) -> tuple[bool, str]:
    status, body = target.api("/readyz")
    return status == 503 and json.loads(body).get("migrations_current") is False, f"/readyz answers {status}: {body}"


def _apply(target: Target) -> None:
    target.run_in("api", "python3", "-m", "lab.programs.migrations", "migrate")
    (target.layout.home / "backups" / "orders.dump").unlink(missing_ok=True)


FAULTS = {
    "migration_pending": Fault(
        "the database has not the last migration of the API's image",
        _take_back,
        _is_pending,
        _apply,
        rights={"migrations": right("pending", "migrate")},
    )
}
