# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the limits of a migration reach it, as far as its tool tells."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.oncall.runbooks.plugins.module_utils.migrations.act import objection_to_limits, variables
from ansible_collections.oncall.runbooks.plugins.module_utils.migrations.spec import described

PARAMS: dict[str, Any] = {
    "name": "shop",
    "timeout_seconds": 20.0,
    "lock_timeout_seconds": 5.0,
    "statement_timeout_seconds": 60.0,
}


def objection(script: str, **more: Any) -> str:
    """What is said where the shell of Django is this script."""
    given = {"tool": "django", "program": ["sh", "-c", script], **more}
    one = described("shop", given, {"name": "shop"})
    return objection_to_limits(one, PARAMS, variables(one, PARAMS))


@pytest.mark.parametrize(
    ("prints", "says"),
    [
        ("12 objects imported automatically.\\nlimits 5000 60000\\n", ""),
        ("limits 0 0\\n", "lock_timeout does not reach the migration"),
        ("limits 5000 0\\n", "statement_timeout does not reach the migration"),
        # Nothing is told, and nothing is known.
        ("<html>limits</html>", ""),
        ("", ""),
    ],
)
def test_what_the_tool_tells_of_its_limits(prints, says):
    found = objection(f"printf '{prints}'")
    assert found.startswith(says) and bool(found) is bool(says)
    if says:
        assert "set both limits there, and timeouts_in_command of system_migrations.shop" in found


def test_it_runs_as_the_migration_does():
    assert (
        objection("""case "$PGOPTIONS" in *lock_timeout=5000*) echo limits 5000 60000;; *) echo limits 0 0;; esac""")
        == ""
    )


def test_nobody_is_asked_in_vain():
    zero = "echo limits 0 0"
    assert objection(f"{zero}; exit 1") == ""
    assert objection(zero, timeouts_in_command=True) == ""
    # A command of one's own may be about another database.
    assert objection(zero, migrate=["python", "manage.py", "migrate", "--database=other"]) == ""
    assert objection(zero) != ""
