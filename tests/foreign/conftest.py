# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One foreign stack for all tests of a worker."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="session")
def stack() -> Iterator[Any]:
    # The collection can be imported only where pytest has begun.
    from foreign_stack import running

    with running() as started:
        yield started


@pytest.fixture
def shop(stack: Any) -> Iterator[Any]:
    """The stack with nothing wrong, before the test and after it."""
    stack.heal()
    yield stack
    stack.heal()
