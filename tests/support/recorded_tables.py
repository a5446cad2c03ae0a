# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plugin of pytest that writes what each table test concluded, for tests/contract: ``-p recorded_tables``."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

CONCLUDED: dict[str, list[dict[str, Any]]] = {}


@pytest.fixture(autouse=True)
def recorded(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    from ansible_collections.oncall.runbooks.tests.support import tables

    found = CONCLUDED.setdefault(request.node.nodeid, [])
    diagnose = tables.diagnose

    def diagnose_and_record(*arguments: Any, **variables: Any) -> dict[str, Any]:
        result = diagnose(*arguments, **variables)
        seen = {"observed": arguments[1], "variables": variables}
        found.append({**seen, "status": result["status"], "acts": tables.steps_that_act(result)})
        return result

    monkeypatch.setattr(tables, "diagnose", diagnose_and_record)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.failed:
        CONCLUDED.pop(report.nodeid, None)


def pytest_sessionfinish() -> None:
    Path(os.environ["RECORDED_TABLES"]).write_text(json.dumps(CONCLUDED))
