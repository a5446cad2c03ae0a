# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's programs for tests, which are never left out in silence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from ansible_collections.oncall.runbooks.tests.support.plays import REPOSITORY
from lab.compose import engine
from lab.tools.debian import NoProgram


def left_out(reason: str) -> NoReturn:
    """Leave a test out for want of a program, with the reason; where a test that cannot run is a failure, fail."""
    if engine.required():
        pytest.fail(f"REQUIRE_DOCKER=1, but {reason}")
    pytest.skip(reason)


def program(ensure: Callable[[Path], str], folder: str = "prometheus") -> str:
    """The program, or a test that is left out where it cannot be had, as on a machine that is no Debian."""
    try:
        return ensure(REPOSITORY / ".cache" / folder)
    except NoProgram as error:
        left_out(str(error))
