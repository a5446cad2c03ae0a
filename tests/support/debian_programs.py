# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prometheus and what belongs to it, for tests."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.oncall.runbooks.tests.support.plays import REPOSITORY
from lab.tools.debian import NoProgram


def program(ensure: Callable[[Path], str]) -> str:
    """The program, or a test that is skipped with the reason where it cannot be had, as on a machine that is no Debian."""
    try:
        return ensure(REPOSITORY / ".cache" / "prometheus")
    except NoProgram as error:
        if os.environ.get("REQUIRE_DOCKER") == "1":
            raise
        pytest.skip(str(error))
