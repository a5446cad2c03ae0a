# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plugin of pytest that writes what each table test concluded, for tests/contract: ``-p recorded_tables``.

With RECORDED_TABLES_LOOKS, only what each looked at first, and the words of its row, among which are the causes that it
expects: judging costs most of the time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
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
        seen = {"observed": arguments[1], "variables": variables}
        if "RECORDED_TABLES_LOOKS" in os.environ:
            found.append({**seen, "words": sorted(words_of(request))})
            pytest.skip("its look is recorded")
        result = diagnose(*arguments, **variables)
        found.append({**seen, "status": result["status"], "acts": tables.steps_that_act(result)})
        return result

    monkeypatch.setattr(tables, "diagnose", diagnose_and_record)


def words_of(request: pytest.FixtureRequest) -> set[str]:
    """The words of a row: those beside what was observed, which is in dictionaries."""
    parameters = getattr(getattr(request.node, "callspec", None), "params", {}).values()
    tables = [value for value in vars(request.module).values() if isinstance(value, dict)]
    rows = [table[one] for one in parameters if isinstance(one, str) for table in tables if one in table]
    return {word for one in [*parameters, *rows] for word in _words_in(getattr(one, "problems", one))}


def _words_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, tuple, set)):
        for one in value:
            yield from _words_in(one)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.failed:
        CONCLUDED.pop(report.nodeid, None)


def pytest_sessionfinish() -> None:
    Path(os.environ["RECORDED_TABLES"]).write_text(json.dumps(CONCLUDED))
