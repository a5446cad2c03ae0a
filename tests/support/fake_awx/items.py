# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The items of AWX: how they are made, checked and shown."""

from __future__ import annotations

import itertools
import json
import time
from datetime import datetime, timezone
from typing import Any

from ansible_collections.oncall.runbooks.tests.support.fake_awx.kinds import (
    KINDS,
    NODE_LINKS,
    TEMPLATES,
    UPDATES,
    Item,
    known,
)
from ansible_collections.oncall.runbooks.tests.support.fake_awx.prompts import accept
from ansible_collections.oncall.runbooks.tests.support.fake_awx.refusals import Refused


def now() -> str:
    return datetime.now(timezone.utc).isoformat().replace("+00:00", "Z")


class Items:
    """Everything that is there.

    Args:
        playbooks: the files that a project's update finds.
    """

    def __init__(self, playbooks: tuple[str, ...] = ()) -> None:
        self.playbooks = playbooks
        self.items: dict[str, dict[int, Item]] = {kind: {} for kind in (*KINDS, *UPDATES.values(), "jobs")}
        self.links: dict[tuple[str, int, str], list[int]] = {}
        self.surveys: dict[int, Item] = {}
        # Why git does not answer; "" where it does.
        self.git_fault = ""
        self._ids = itertools.count(1)

    def named(self, kind: str, name: str, field_name: str = "name") -> Item:
        """The one item of this name."""
        (item,) = (one for one in self.items[kind].values() if one[field_name] == name)
        return item

    def add(self, kind: str, **fields: Any) -> Item:
        """Make an item as a POST does."""
        return self._make(kind, fields)

    def _make(self, kind: str, sent: Item) -> Item:
        given = known(kind, sent)
        missing = [name for name in KINDS[kind].required if given.get(name) in (None, "")]
        if missing:
            raise Refused(400, {name: ["This field is required."] for name in missing})
        item = {**json.loads(json.dumps(KINDS[kind].defaults)), **given}
        self._check(kind, item, 0)
        item["id"] = next(self._ids)
        self.items[kind][item["id"]] = item
        if kind == "projects" and item["scm_url"]:
            self._update_of(kind, item)
        return item

    def _check(self, kind: str, item: Item, number: int) -> None:
        """What AWX's serializers check."""
        unique = ("name", "organization", "inventory", "project") if kind != "workflow_job_template_nodes" else (
            "identifier", "workflow_job_template",
        )  # fmt: skip
        for other in self.items[kind].values() if kind != "workflow_approval_templates" else ():
            if other["id"] != number and all(other.get(name) == item.get(name) for name in unique):
                raise Refused(400, {"__all__": [f"{KINDS[kind].item} with this name already exists."]})
        references = {
            "organization": "organizations", "project": "projects", "source_project": "projects",
            "inventory": "inventories", "execution_environment": "execution_environments",
            "default_environment": "execution_environments", "credential": "credentials",
            "workflow_job_template": "workflow_job_templates",
        }  # fmt: skip
        for name, of in references.items():
            if item.get(name) is not None and item[name] not in self.items[of]:
                raise Refused(400, {name: [f'Invalid pk "{item[name]}" - object does not exist.']})
        if kind == "job_templates":
            if item["playbook"] not in self.items["projects"][item["project"]].get("playbook_files", ()):
                raise Refused(400, {"playbook": ["Playbook not found for project."]})
            if item["job_type"] not in ("run", "check"):
                raise Refused(400, {"job_type": [f'"{item["job_type"]}" is not a valid choice.']})
        if kind == "workflow_job_template_nodes" and item["unified_job_template"] in self.items["job_templates"]:
            prompts = {name: item[name] for name in ("inventory", "limit", "job_type") if item[name] is not None}
            template = self.items["job_templates"][item["unified_job_template"]]
            _taken, left, errors = accept(
                template, self.surveys.get(template["id"], {}), {**prompts, "extra_vars": item["extra_data"]}
            )
            if left or errors:
                raise Refused(400, errors or {name: ["Field is not configured to prompt on launch."] for name in left})

    def _shown(self, kind: str, item: Item) -> Item:
        if kind in ("jobs", *UPDATES.values()):
            return item["shown"]()
        url = f"/api/v2/{kind}/{item['id']}/"
        related = {name: f"{url}{name}/" for name in KINDS[kind].related}
        summary: Item = {}
        shown = {
            name: value
            for name, value in item.items()
            if name not in ("playbook_files", "current_update", "last_update")
        }
        if update := item.get("last_update") if kind == "projects" else None:
            state = self.items["project_updates"][update]["shown"]()["status"]
            related["last_update"] = f"/api/v2/project_updates/{update}/"
            summary |= {"current_update": {"id": update}} if state == "running" else {}
            shown |= {"status": item["status"], "scm_revision": item["scm_revision"]}
        if kind == "job_templates":
            # Read only: that of its project.
            shown["organization"] = self.items["projects"][item["project"]]["organization"]
        if shown.get("organization"):
            summary["organization"] = {"name": self.items["organizations"][shown["organization"]]["name"]}
        if kind == "workflow_job_template_nodes":
            shown |= {name: self.links.get((kind, item["id"], name), []) for name in NODE_LINKS}
            if (template := item["unified_job_template"]) is not None:
                (of,) = (name for name in (*TEMPLATES, "workflow_approval_templates") if template in self.items[name])
                related["unified_job_template"] = f"/api/v2/{of}/{template}/"
        return {"type": KINDS[kind].item, "url": url, "related": related, "summary_fields": summary, **shown}

    def _shown_template(self, item: Item) -> Item:
        (kind,) = (name for name in TEMPLATES if self.items[name].get(item["id"]) is item)
        shown = self._shown(kind, item)
        return {name: shown.get(name) for name in ("id", "type", "url", "name", "organization", "related")}

    def _update_of(self, kind: str, item: Item) -> Item:
        began, number = time.monotonic(), next(self._ids)
        of, fault = UPDATES[kind], self.git_fault if kind == "projects" else ""

        def shown() -> Item:
            over = time.monotonic() - began > 0.05
            status = ("failed" if fault else "successful") if over else "running"
            if over and kind == "projects" and item["last_update"] == number:
                item["status"] = status
                if not fault:
                    item.update(playbook_files=self.playbooks, scm_revision="0" * 40)
            return {
                "id": number, "type": of[:-1], "url": f"/api/v2/{of}/{number}/", "failed": bool(over and fault),
                "status": status, "finished": now() if over else None,
            }  # fmt: skip

        def events() -> list[Item]:
            data = {"task": "Update project using git", "res": {"msg": fault}}
            one = {"id": 1, "type": "project_update_event", "event": "runner_on_failed", "counter": 1, "failed": True,
                   "event_data": data, "stdout": f"fatal: [localhost]: FAILED! => {data}"}  # fmt: skip
            return [one] if shown()["failed"] else []

        item["last_update"] = number
        self.items[of][number] = {"id": number, "shown": shown, "events": events}
        return self.items[of][number]
