# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One stack for all tests of a system: the file says which as SYSTEM."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="module")
def stack(request: Any, tmp_path_factory: Any) -> Iterator[Any]:
    # The collection can be imported only where pytest has begun.
    from system_stack import SystemStack

    running = SystemStack(request.module.SYSTEM, tmp_path_factory.mktemp(request.module.SYSTEM))
    try:
        yield running
    finally:
        running.close()


@pytest.fixture
def synced(stack: Any) -> Iterator[None]:
    """Every connector has just synchronised, before the test and after it."""
    stack.wait_until_synced()
    yield
    stack.wait_until_synced()
