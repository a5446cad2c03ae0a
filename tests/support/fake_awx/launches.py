# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs of AWX: how they are launched, launched again and canceled."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.oncall.runbooks.tests.support.fake_awx.items import Items, now
from ansible_collections.oncall.runbooks.tests.support.fake_awx.jobs import Course, Job
from ansible_collections.oncall.runbooks.tests.support.fake_awx.kinds import BELOW, Item
from ansible_collections.oncall.runbooks.tests.support.fake_awx.prompts import accept
from ansible_collections.oncall.runbooks.tests.support.fake_awx.refusals import Refused, allow, refuse


class Launches(Items):
    """Items, and the jobs of templates.

    Attributes:
        courses: how the next jobs of a template go, by its name.
        launches: every job that was launched.
    """

    def __init__(self, playbooks: tuple[str, ...] = ()) -> None:
        super().__init__(playbooks)
        self.courses: dict[str, Course] = {}
        self.launches: list[Item] = []

    def _launch(self, method: str, _kind: str, item: Item, sent: Item, _below: str) -> tuple[int, Any]:
        allow(method, "GET", "POST")
        if method == "GET":
            return 200, {name: item[name] for name in item if name.startswith("ask_")}
        taken, ignored, errors = accept(item, self.surveys.get(item["id"], {}), sent)
        project = self.items["projects"].get(item["project"], {})
        if project.get("status") in ("failed", "error") and not project["scm_update_on_launch"]:
            errors["playbook"] = ["Missing a revision to run due to failed project update."]
        if errors:
            raise Refused(400, errors)
        template_vars = json.loads(item["extra_vars"] or "{}")
        job = {name: taken.get(name, item[name]) for name in ("limit", "job_type", "inventory")}
        job |= {"name": item["name"], "job_template": item["id"], "launch_type": "manual"}
        job |= {"extra_vars": json.dumps({**template_vars, **taken.get("extra_vars", {})})}
        made = self._begin(job)
        return 201, {"job": made["id"], "ignored_fields": ignored, **made}

    def _begin(self, fields: Item) -> Item:
        number = next(self._ids)
        job = {
            **fields, "id": number, "type": "job", "created": now(), "url": f"/api/v2/jobs/{number}/",
            "related": {name: f"/api/v2/jobs/{number}/{name}/" for name in BELOW["jobs"]},
        }  # fmt: skip
        made = Job(job, self.courses.get(fields["name"], Course()))
        self.items["jobs"][number] = {**job, "shown": made.shown, "events": made.events, "made": made}
        self.launches.append(job)
        return made.shown()

    def _relaunch(self, method: str, _kind: str, item: Item, _sent: Item, _below: str) -> tuple[int, Any]:
        """With the same variables, the approved plan and the mark of its run among them."""
        allow(method, "GET", "POST")
        same = {name: item[name] for name in ("name", "job_template", "limit", "job_type", "inventory", "extra_vars")}
        return (201, self._begin({**same, "launch_type": "relaunch"})) if method == "POST" else (200, {})

    def _cancel(self, method: str, _kind: str, item: Item, _sent: Item, _below: str) -> tuple[int, Any]:
        allow(method, "GET", "POST")
        if method == "GET":
            return 200, {"can_cancel": item["shown"]()["status"] in ("new", "pending", "waiting", "running")}
        if not item["made"].cancel():
            raise refuse(405, 'Method "POST" not allowed.')
        return 202, None
