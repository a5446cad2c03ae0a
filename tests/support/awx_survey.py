# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The surveys, as extensions/awx makes them."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

from ansible_collections.oncall.runbooks.tests.support import yaml_files

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = runpy.run_path(str(ROOT / "extensions" / "awx" / "filter_plugins" / "awx_survey.py"))
FILTERS = PLUGINS["FilterModule"]().filters()


def survey(runbook: str, workflow: bool = False) -> dict[str, Any]:
    """That of a runbook's job template, or of its workflow."""
    specs = [yaml_files.load(ROOT / "roles" / role / "meta" / "argument_specs.yml") for role in (runbook, "run")]
    return FILTERS["awx_survey"](runbook, *specs, workflow=workflow)
