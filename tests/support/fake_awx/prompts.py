# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a template takes at its launch."""

from __future__ import annotations

import json

from ansible_collections.oncall.runbooks.tests.support.fake_awx.kinds import Item
from ansible_collections.oncall.runbooks.tests.support.fake_awx.surveys import answer_error


def accept(template: Item, survey: Item, asked: Item) -> tuple[Item, Item, Item]:
    """What of ``asked`` a template takes and ignores, and what is wrong; as AWX's ``_accept_or_ignore_job_kwargs``."""
    taken: Item = {}
    ignored: Item = {}
    errors: Item = {}
    for name in ("inventory", "limit", "job_type", "scm_branch", "diff_mode", "verbosity"):
        if name in asked and asked[name] != template.get(name):
            (taken if template[f"ask_{name}_on_launch"] else ignored)[name] = asked[name]
    given = asked.get("extra_vars") or {}
    variables = dict(json.loads(given) if isinstance(given, str) else given)
    kept: Item = {}
    wrong = []
    for question in survey.get("spec", ()) if template["survey_enabled"] else ():
        name = question["variable"]
        if message := answer_error(question, variables):
            wrong.append(message)
            variables.pop(name, None)
        elif name in variables:
            kept[name] = variables.pop(name)
    if wrong:
        errors["variables_needed_to_start"] = wrong
    if template["ask_variables_on_launch"]:
        kept |= variables
    elif variables:
        ignored["extra_vars"] = variables
    if kept:
        taken["extra_vars"] = kept
    return taken, ignored, errors
