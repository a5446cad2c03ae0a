# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plugin of pytest that writes which tests it collected with which items of tests/coverage.yml: ``-p collected_marks``."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest


def pytest_collection_finish(session: pytest.Session) -> None:
    found = {
        (item.path.relative_to(session.config.rootpath).as_posix(), getattr(item, "originalname", item.name), one)
        for item in session.items
        for mark in item.iter_markers("covers")
        for one in mark.args
    }
    Path(os.environ["COLLECTED_MARKS"]).write_text(json.dumps(sorted(found)))
