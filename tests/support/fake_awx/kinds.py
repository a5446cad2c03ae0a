# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collections of the API, and what their items have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

VERSION = "24.6.1"
NODE_LINKS = ("success_nodes", "failure_nodes", "always_nodes")
# What else can be linked, and of which kind it is.
LINKS = {"credentials": "credentials", "notification_templates_success": "notification_templates",
         **dict.fromkeys(NODE_LINKS, "workflow_job_template_nodes")}  # fmt: skip
BELOW = {"jobs": ("cancel", "relaunch", "job_events"), "project_updates": ("events",)}
ASKS = ("inventory", "limit", "job_type", "scm_branch", "diff_mode", "verbosity", "variables")
Item = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """A collection of the API.

    Attributes:
        item: what ``type`` says of its items.
        required: fields that a new item has to have.
        defaults: the other fields.
        related: what can be found below an item.
    """

    item: str
    required: tuple[str, ...]
    defaults: Item
    related: tuple[str, ...] = ()


_TEMPLATE = {
    "description": "", "inventory": None, "limit": "", "extra_vars": "", "survey_enabled": False,
    "allow_simultaneous": False, "scm_branch": "", **{f"ask_{name}_on_launch": False for name in ASKS},
}  # fmt: skip
_SOURCE = {"description": "", "scm_branch": "", "credential": None, "execution_environment": None, "timeout": 0}
KINDS = {
    "organizations": Kind("organization", ("name",), {"description": "", "default_environment": None}),
    "credentials": Kind("credential", ("name",), {"description": "", "organization": None}),
    "notification_templates": Kind("notification_template", ("name", "organization"), {"description": ""}),
    "execution_environments": Kind(
        "execution_environment",
        ("name", "image"),
        {"description": "", "organization": None, "credential": None, "pull": ""},
    ),
    "projects": Kind(
        "project",
        ("name", "organization"),
        {**_SOURCE, "scm_type": "", "scm_url": "", "scm_update_on_launch": False, "default_environment": None,
         "scm_revision": "", "status": "never updated"},
        ("update",),
    ),
    "inventories": Kind(
        "inventory",
        ("name", "organization"),
        {"description": "", "kind": "", "host_filter": None, "variables": ""},
    ),
    "inventory_sources": Kind(
        "inventory_source",
        ("name", "inventory", "source"),
        {**_SOURCE, "source_project": None, "source_path": "", "source_vars": "", "overwrite": False,
         "overwrite_vars": False, "update_on_launch": False},
        ("update",),
    ),
    "job_templates": Kind(
        "job_template",
        ("name", "project", "playbook"),
        {**_TEMPLATE, "job_type": "run", "execution_environment": None, "job_slice_count": 1, "timeout": 0},
        ("survey_spec", "launch", "credentials", "notification_templates_success"),
    ),
    "workflow_job_templates": Kind(
        "workflow_job_template", ("name",), {**_TEMPLATE, "organization": None}, ("survey_spec",)
    ),
    "workflow_job_template_nodes": Kind(
        "workflow_job_template_node",
        ("workflow_job_template",),
        {"identifier": "", "unified_job_template": None, "extra_data": {}, "inventory": None, "limit": None,
         "job_type": None, "scm_branch": None, "all_parents_must_converge": False},
        (*NODE_LINKS, "create_approval_template"),
    ),
    "workflow_approval_templates": Kind("workflow_approval_template", ("name",), {"description": "", "timeout": 0}),
}  # fmt: skip
TEMPLATES = ("projects", "inventory_sources", "job_templates", "workflow_job_templates")
UPDATES = {"projects": "project_updates", "inventory_sources": "inventory_updates"}


def known(kind: str, sent: Item) -> Item:
    """What AWX takes of an item; it passes over the rest without a word."""
    return {name: value for name, value in sent.items() if name in (*KINDS[kind].required, *KINDS[kind].defaults)}


def class_of(kind: str) -> str:
    """What AWX calls the model of a kind."""
    item = KINDS[kind].item if kind in KINDS else kind[:-1]
    return "".join(part.title() for part in item.split("_"))
