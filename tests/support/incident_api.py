# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""People who ask the API of a running service."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema

from ansible_collections.oncall.runbooks.tests.support.serving import TOKEN, Serving
from oncall.serve.api.document import document

TOKENS = {name: f"the-token-of-{name}-0123456789" for name in ("ann", "ben", "vic", "eve", "prometheus")}
ROLES = {"ann": "responder", "ben": "responder", "vic": "viewer", "eve": "admin", "prometheus": "sender"}
# Of a run, as the callback record writes it.
RECORD = {
    "runs": [
        {
            "run_id": "0d5afce3", "runbook": "cache", "host": "h000", "outcome": "resolved", "summary": "hangs: restart_redis helped",
            "started_at": 1_700_000_000.0, "finished_at": 1_700_000_030.0,
            "findings": [{"cause": "hangs", "status": "problem", "summary": "Redis hangs", "evidence": {}}],
            "actions": [
                {"remedy": "restart_redis", "cause": "hangs", "risk": "medium", "state": "done", "targets": ["redis"], "helped": True}
            ],
        }
    ]
}  # fmt: skip


def with_people(folder: Path, **settings: Any) -> Serving:
    """A service that keeps incidents, and knows people."""
    serving = Serving(folder, incidents={"systems": {"shop": ["web"]}}, **settings)
    lines = [TOKEN, "# people", *(f"{token} {ROLES[name]} {name}" for name, token in TOKENS.items())]
    (folder / "tokens").write_text("\n".join([*lines, ""]))
    return serving


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def told(self) -> Any:
        return json.loads(self.body)

    @property
    def detail(self) -> str:
        """Why it was not done: a problem, in one line."""
        assert self.headers["content-type"] == "application/problem+json", (self.status, self.headers, self.body[:300])
        told = self.told
        assert told["status"] == self.status and told["detail"] and "\n" not in told["detail"], told
        return str(told["detail"])


class Person:
    """Asks under a name."""

    def __init__(self, serving: Serving, name: str = "ann") -> None:
        self.port, self.token = serving.port, TOKENS.get(name, name)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Ask, with a body that becomes JSON unless it is bytes."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        if data is not None:
            told.setdefault("Content-Type", "application/json")
        if self.token:
            told["Authorization"] = f"Bearer {self.token}"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, f"/api/v1{path}", data, told)
            answer = connection.getresponse()
            return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def get(self, path: str) -> Any:
        """What is answered, which is as the document says."""
        answer = self.ask("GET", path)
        assert answer.status == 200, answer.body
        return as_documented(answer, "get", path)

    def do(self, path: str, body: Any = None, status: int = 200, **headers: str) -> Any:
        """Have it done; what is answered, which is as the document says."""
        answer = self.ask("POST", path, {} if body is None else body, **headers)
        assert answer.status == status, answer.body
        return as_documented(answer, "post", path)

    def open(self, title: str = "checkout is down", **more: Any) -> str:
        """Open one; the path of it."""
        return f"/incidents/{self.do('/incidents', {'title': title, 'anyway': True, **more}, 201)['incident']['name']}"

    def said(self, path: str) -> list[dict[str, Any]]:
        """What people have written; the service writes down besides whom it told."""
        return [one for one in self.get(f"{path}/timeline")["entries"] if one["who"] != "oncall"]

    def refused(self, path: str, body: Any, status: int, **headers: str) -> str:
        """Why it is not done."""
        answer = self.ask("POST", path, body, **headers)
        assert answer.status == status, (answer.status, answer.body)
        return answer.detail


def as_documented(answer: Answer, method: str, path: str) -> Any:
    """What was answered, held against the document of OpenAPI."""
    known = json.loads(document())
    parts = path.partition("?")[0].split("/")
    template = "/".join(["/api/v1", *parts[1:2], *(["{incident}"] if len(parts) > 2 else []), *parts[3:]])
    schema = known["paths"][template][method]["responses"][str(answer.status)]["content"]["application/json"]["schema"]
    jsonschema.Draft202012Validator({**schema, "components": known["components"]}).validate(answer.told)
    return answer.told
