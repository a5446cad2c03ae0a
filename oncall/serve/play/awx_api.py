# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an AWX is asked. The API: https://docs.ansible.com/projects/awx/en/latest/rest_api/ ."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from ...errors import OncallError
from ...shared import masked
from ..api_calls import CallFailed, call
from ..settings import Awx

# What a launch has to be able to say. AWX ignores the rest, and would run on all hosts.
ASKED = ("ask_limit_on_launch", "ask_job_type_on_launch", "ask_variables_on_launch")
Item = dict[str, Any]


class AwxApi:
    """One AWX. What goes wrong with a call is `CallFailed`, whose message has no secrets in it."""

    def __init__(self, awx: Awx) -> None:
        self._awx = awx
        self._url = awx.url.rstrip("/")

    def send(self, path: str, send: Any = None) -> Any:
        """What AWX answers; a POST where there is something to ``send``."""
        try:
            return call(f"{self._url}{path}", self._awx.token_file, send, self._awx.ca)
        except OncallError as error:
            # A token that cannot be read: the next look may do better.
            raise CallFailed(f"{path}: {error}") from None

    def one(self, path: str, send: Any = None) -> Item:
        """An answer that has to be an object."""
        answer = self.send(path, send)
        if not isinstance(answer, dict):
            raise CallFailed(f"{path} answers with no JSON object")
        return answer

    def listed(self, path: str, **query: Any) -> list[Item]:
        """A page of what there is."""
        found = self.one(f"{path}?{urlencode(query)}").get("results")
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise CallFailed(f"{path} answers with no list")
        return found

    def template(self, runbook: str) -> Item:
        """The job template of a runbook; OncallError where there is none that a launch can rely on."""
        of = {"organization__name": self._awx.organization} if self._awx.organization else {}
        found = self.listed("/api/v2/job_templates/", name=runbook, **of)
        if len(found) != 1:
            raise OncallError(f"AWX has {len(found)} job templates {runbook}; extensions/awx makes one")
        if missing := [name for name in ASKED if found[0].get(name) is not True]:
            raise OncallError(f"the job template {runbook} does not ask on launch: {', '.join(missing)}")
        if found[0].get("job_slice_count", 1) != 1:
            raise OncallError(f"the job template {runbook} is sliced, which would make several jobs of one run")
        if type(found[0].get("id")) is not int:
            raise CallFailed("/api/v2/job_templates/ answers with no job template")
        return found[0]

    def survey(self, template: Item) -> Item:
        """What a job template asks before a launch; {} where it asks nothing."""
        asks = template.get("survey_enabled")
        return self.one(f"/api/v2/job_templates/{template['id']}/survey_spec/") if asks else {}

    def job(self, job: int) -> Item:
        """How it goes on."""
        told = self.one(f"/api/v2/jobs/{job}/")
        if not isinstance(told.get("status"), str):
            raise CallFailed(f"/api/v2/jobs/{job}/ answers with no job")
        return told

    def address(self, job: int) -> str:
        """Where a person looks at a job."""
        return f"{self._url}/#/jobs/playbook/{job}/output"

    def why_failed(self, job: int, told: Item) -> str:
        """Why a job failed, in one line without secrets; "" where AWX does not know.

        Args:
            job: its number.
            told: what AWX says of it.
        """
        traced = str(told.get("result_traceback") or "").strip().splitlines()
        reasons = [self._failed_task(job), told.get("job_explanation"), traced[-1] if traced else ""]
        return masked("; ".join(dict.fromkeys(masked(one) for one in reasons if one)))

    def _failed_task(self, job: int) -> str:
        """The last task that failed, and what it said."""
        query = {"event__in": "runner_on_failed,runner_on_unreachable", "failed": "true", "order_by": "-counter"}
        try:
            found = self.listed(f"/api/v2/jobs/{job}/job_events/", page_size=1, **query)
        except CallFailed:
            # AWX says less to some; what it says of the job itself has to do.
            return ""
        data = found[0].get("event_data") if found else None
        if not isinstance(data, dict):
            return ""
        said = data.get("res")
        message = said.get("msg") if isinstance(said, dict) else None
        return f"{data.get('task') or 'a task'}: {message or found[0].get('stdout') or 'no message'}"
