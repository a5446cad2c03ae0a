# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The embedded lab."""

from __future__ import annotations

import pytest
from embedded_lab import healthy_lab, lab, player

__all__ = ["healthy_lab", "lab", "player"]


@pytest.fixture
def old_transaction(healthy_lab):
    """The process id of a session idle in transaction for long enough."""
    # The collection can be imported once pytest has configured itself.
    from lab_parts import a_transaction_held

    with a_transaction_held(healthy_lab) as pid:
        yield pid
