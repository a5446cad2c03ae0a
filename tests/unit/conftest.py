"""What the unit tests share."""

from __future__ import annotations

import pytest


@pytest.fixture
def diagnose():
    """A function: role, observed, other variables -> what the action ``diagnosis`` returns."""
    # The collection can be imported once pytest has configured itself.
    from ansible_collections.oncall.runbooks.tests.support import tables

    return tables.diagnose
