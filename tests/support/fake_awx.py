# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""As much of AWX's REST API v2 as the collection awx.awx and ``oncall serve`` use, over real HTTP.

It answers as AWX does where something is wrong: 401 without the token, 404 for what is not there, 405 for what cannot be
done, 400 for a field that has to be given, for a filter or a playbook that is not known, for a survey that AWX would not
take. A launch takes only what the template asks for, and names the rest in ``ignored_fields``.
"""

from __future__ import annotations

import itertools
import json
import re
import socket
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

VERSION = "24.6.1"
TOKEN = "token-of-the-fake-awx"
NODE_LINKS = ("success_nodes", "failure_nodes", "always_nodes")
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
    "execution_environments": Kind(
        "execution_environment",
        ("name", "image"),
        {"description": "", "organization": None, "credential": None, "pull": ""},
    ),
    "projects": Kind(
        "project",
        ("name", "organization"),
        {**_SOURCE, "scm_type": "", "scm_url": "", "scm_update_on_launch": False, "default_environment": None,
         "scm_revision": ""},
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
        ("survey_spec", "launch", "credentials"),
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
# As awx/api/views: the type of a question, and that of its default.
QUESTIONS = {
    "text": str, "textarea": str, "password": str, "multiplechoice": str, "multiselect": str, "integer": int,
    "float": float,
}  # fmt: skip


class Refused(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, answer: Any) -> None:
        super().__init__(status, answer)
        self.status, self.answer = status, answer


def refuse(status: int, answer: str) -> Refused:
    return Refused(status, {"detail": answer})


@dataclass
class Course:
    """How the next job of a template goes.

    Attributes:
        states: (seconds after the launch, the status from then on).
        artifacts: of the job when it has ended by itself.
        explanation: its ``job_explanation``.
        canceling_seconds: how long it goes on after it was canceled; None for ever.
    """

    states: tuple[tuple[float, str], ...] = ((0, "pending"), (0.02, "running"), (0.06, "successful"))
    artifacts: Any = field(default_factory=dict)
    explanation: str = ""
    canceling_seconds: float | None = 0.02


@dataclass
class Trouble:
    """What goes wrong with requests: ``status`` and ``body`` are answered; or ``how`` is hang, drop, noise, half or late."""

    method: str
    path: str
    how: str = ""
    status: int = 500
    body: str = ""
    times: int = 1_000_000


class FakeAwx:
    """A server on a free port of the loopback.

    Args:
        playbooks: the files that a project's update finds.
    """

    def __init__(self, playbooks: tuple[str, ...] = ()) -> None:
        self.playbooks = playbooks
        self.items: dict[str, dict[int, Item]] = {kind: {} for kind in (*KINDS, *UPDATES.values(), "jobs")}
        self.links: dict[tuple[str, int, str], list[int]] = {}
        self.surveys: dict[int, Item] = {}
        self.courses: dict[str, Course] = {}
        self.troubles: list[Trouble] = []
        # (method, path) of every request that changes something.
        self.writes: list[tuple[str, str]] = []
        self.launches: list[Item] = []
        self._ids = itertools.count(1)
        self._lock = threading.RLock()
        self._released = threading.Event()
        self._port = 0
        self.start()

    # ------------------------------------------------------------------ its life
    def start(self) -> None:
        """Listen, on the same port as before."""
        self._released.clear()
        self._server = _Server(("127.0.0.1", self._port), type("Handler", (_Handler,), {"awx": self}))
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def stop(self) -> None:
        """Be gone: connections are refused."""
        self._released.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def named(self, kind: str, name: str, field_name: str = "name") -> Item:
        """The one item of this name."""
        (item,) = (one for one in self.items[kind].values() if one[field_name] == name)
        return item

    def add(self, kind: str, **fields: Any) -> Item:
        """Make an item as a POST does."""
        return self._make(kind, fields)

    # ------------------------------------------------------------------ requests
    def answer(self, method: str, target: str, token: str | None, body: bytes) -> tuple[int, Any]:
        """Status and JSON."""
        parts = urlsplit(target)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        found = re.fullmatch(r"/api/v2/(?:([a-z_]+)/)?(?:(\d+)/)?(?:([a-z_]+)/)?", parts.path)
        if not found:
            raise refuse(404, "The requested resource could not be found.")
        kind, number, below = found[1], int(found[2] or 0), found[3]
        if kind != "ping" and token != TOKEN:
            raise refuse(
                401, "Authentication credentials were not provided. To establish a login session, visit /api/login/."
            )
        sent = {}
        if body:
            try:
                sent = json.loads(body)
            except ValueError:
                raise refuse(400, "JSON parse error") from None
            if not isinstance(sent, dict):
                raise refuse(400, "JSON parse error - not all data was a JSON object")
        with self._lock:
            if method not in ("GET", "OPTIONS"):
                self.writes.append((method, parts.path))
            return self._route(method, kind, number, below, query, sent)

    def _route(
        self, method: str, kind: str | None, number: int, below: str | None, query: dict[str, str], sent: Item
    ) -> tuple[int, Any]:
        if kind in ("ping", "config") and not number:
            _allow(method, "GET")
            return 200, {
                "version": VERSION,
                "active_node": "fake",
                **({"license_info": {}} if kind == "config" else {}),
            }
        if kind == "unified_job_templates" and not number:
            _allow(method, "GET")
            several = [item for name in TEMPLATES for item in self.items[name].values()]
            return 200, _listed([self._shown_template(item) for item in several], query)
        if kind not in self.items:
            raise refuse(404, "The requested resource could not be found.")
        if not number:
            if kind not in KINDS:
                _allow(method, "GET")
            _allow(method, "GET", "POST")
            if method == "POST":
                return 201, self._shown(kind, self._make(kind, sent))
            return 200, _listed([self._shown(kind, item) for item in self.items[kind].values()], query)
        if number not in self.items[kind]:
            raise refuse(404, "Not found.")
        item = self.items[kind][number]
        if below is None:
            return self._detail(method, kind, item, sent)
        if below not in (KINDS[kind].related if kind in KINDS else ("cancel",) if kind == "jobs" else ()):
            raise refuse(404, "The requested resource could not be found.")
        return getattr(self, f"_{below}" if below not in (*NODE_LINKS, "credentials") else "_linked")(
            method, kind, item, sent, below
        )

    def _detail(self, method: str, kind: str, item: Item, sent: Item) -> tuple[int, Any]:
        if kind not in KINDS:
            _allow(method, "GET")
            return 200, self._shown(kind, item)
        _allow(method, "GET", "PATCH", "DELETE")
        if method == "PATCH":
            self._check(kind, {**item, **_known(kind, sent)}, item["id"])
            item.update(_known(kind, sent))
        if method == "DELETE":
            del self.items[kind][item["id"]]
            return 204, None
        return 200, self._shown(kind, item)

    # ------------------------------------------------------------------ items
    def _make(self, kind: str, sent: Item) -> Item:
        given = _known(kind, sent)
        missing = [name for name in KINDS[kind].required if given.get(name) in (None, "")]
        if missing:
            raise Refused(400, {name: ["This field is required."] for name in missing})
        item = {**json.loads(json.dumps(KINDS[kind].defaults)), **given}
        self._check(kind, item, 0)
        item["id"] = next(self._ids)
        self.items[kind][item["id"]] = item
        if kind == "projects" and item["scm_url"]:
            item["current_update"] = self._update_of(kind, item)["id"]
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
            _taken, left, errors = self._accept(template, {**prompts, "extra_vars": item["extra_data"]})
            if left or errors:
                raise Refused(400, errors or {name: ["Field is not configured to prompt on launch."] for name in left})

    def _shown(self, kind: str, item: Item) -> Item:
        if kind in ("jobs", *UPDATES.values()):
            return item["shown"]()
        url = f"/api/v2/{kind}/{item['id']}/"
        related = {name: f"{url}{name}/" for name in KINDS[kind].related}
        summary: Item = {}
        shown = {name: value for name, value in item.items() if name not in ("playbook_files", "current_update")}
        update = item.get("current_update")
        if update and self.items["project_updates"][update]["shown"]()["status"] != "successful":
            summary["current_update"] = {"id": update}
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

    # ------------------------------------------------------------------ below an item
    def _update(self, method: str, kind: str, item: Item, _sent: Item, _below: str) -> tuple[int, Any]:
        _allow(method, "GET", "POST")
        return (200, {"can_update": True}) if method == "GET" else (202, self._update_of(kind, item)["shown"]())

    def _update_of(self, kind: str, item: Item) -> Item:
        began, number = time.monotonic(), next(self._ids)
        of = UPDATES[kind]

        def shown() -> Item:
            over = time.monotonic() - began > 0.05
            if over and kind == "projects":
                item.update(playbook_files=self.playbooks, scm_revision="0" * 40)
            return {
                "id": number, "type": of[:-1], "url": f"/api/v2/{of}/{number}/", "failed": False,
                "status": "successful" if over else "running", "finished": _now() if over else None,
            }  # fmt: skip

        self.items[of][number] = {"id": number, "shown": shown}
        return self.items[of][number]

    def _survey_spec(self, method: str, _kind: str, item: Item, sent: Item, _below: str) -> tuple[int, Any]:
        _allow(method, "GET", "POST", "DELETE")
        if method == "POST":
            if wrong := survey_error(sent):
                raise Refused(400, {"error": wrong})
            self.surveys[item["id"]] = sent
            return 200, None
        if method == "DELETE":
            self.surveys.pop(item["id"], None)
            return 200, None
        return 200, self.surveys.get(item["id"], {})

    def _linked(self, method: str, kind: str, item: Item, sent: Item, below: str) -> tuple[int, Any]:
        _allow(method, "GET", "POST")
        of = kind if below in NODE_LINKS else below
        links = self.links.setdefault((kind, item["id"], below), [])
        if method == "GET":
            return 200, _listed([self._shown(of, self.items[of][number]) for number in links], {})
        other = sent.get("id")
        if other not in self.items[of]:
            raise Refused(400, {"msg": "object does not exist."})
        if sent.get("disassociate"):
            links.remove(other)
        elif other not in links:
            links.append(other)
        return 204, None

    def _create_approval_template(
        self, method: str, _kind: str, item: Item, sent: Item, _below: str
    ) -> tuple[int, Any]:
        _allow(method, "GET", "POST")
        made = self._make("workflow_approval_templates", sent)
        item["unified_job_template"] = made["id"]
        return 201, self._shown("workflow_approval_templates", made)

    # ------------------------------------------------------------------ jobs
    def _accept(self, template: Item, asked: Item) -> tuple[Item, Item, Item]:
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
        survey = self.surveys.get(template["id"], {}) if template["survey_enabled"] else {}
        wrong = []
        for question in survey.get("spec", ()):
            name = question["variable"]
            if name not in variables:
                wrong += [f"'{name}' value missing"] if question["required"] else []
            elif message := _answer_error(question, variables.pop(name)):
                wrong.append(message)
            else:
                kept[name] = (json.loads(given) if isinstance(given, str) else given)[name]
        if wrong:
            errors["variables_needed_to_start"] = wrong
        if template["ask_variables_on_launch"]:
            kept |= variables
        elif variables:
            ignored["extra_vars"] = variables
        if kept:
            taken["extra_vars"] = kept
        return taken, ignored, errors

    def _launch(self, method: str, _kind: str, item: Item, sent: Item, _below: str) -> tuple[int, Any]:
        _allow(method, "GET", "POST")
        if method == "GET":
            return 200, {name: item[name] for name in item if name.startswith("ask_")}
        taken, ignored, errors = self._accept(item, sent)
        if errors:
            raise Refused(400, errors)
        number = next(self._ids)
        course, began, created = self.courses.get(item["name"], Course()), time.monotonic(), _now()
        template_vars = json.loads(item["extra_vars"] or "{}")
        job = {name: taken.get(name, item[name]) for name in ("limit", "job_type", "inventory")}
        job |= {"id": number, "name": item["name"], "job_template": item["id"], "created": created, "type": "job"}
        job |= {"extra_vars": json.dumps({**template_vars, **taken.get("extra_vars", {})}), "canceled_at": None}

        def shown() -> Item:
            status = [status for after, status in course.states if time.monotonic() - began >= after][-1]
            if job["canceled_at"] is not None and course.canceling_seconds is not None:
                over = time.monotonic() - job["canceled_at"] >= course.canceling_seconds
                status = "canceled" if over else "running"
            by_itself = status in ("successful", "failed")
            return {
                **{name: value for name, value in job.items() if name not in ("canceled_at", "shown")},
                "url": f"/api/v2/jobs/{number}/", "status": status, "failed": status in ("failed", "error", "canceled"),
                "artifacts": course.artifacts if by_itself else {}, "job_explanation": course.explanation,
                "related": {"cancel": f"/api/v2/jobs/{number}/cancel/"},
            }  # fmt: skip

        self.items["jobs"][number] = {**job, "shown": shown, "job": job}
        self.launches.append(job)
        return 201, {"job": number, "ignored_fields": ignored, **shown()}

    def _cancel(self, method: str, _kind: str, item: Item, _sent: Item, _below: str) -> tuple[int, Any]:
        _allow(method, "GET", "POST")
        can = item["shown"]()["status"] in ("pending", "waiting", "running")
        if method == "GET":
            return 200, {"can_cancel": can}
        if not can:
            raise refuse(405, 'Method "POST" not allowed.')
        item["job"]["canceled_at"] = item["job"]["canceled_at"] or time.monotonic()
        return 202, None

    # ------------------------------------------------------------------ trouble
    def trouble_with(self, method: str, path: str) -> Trouble | None:
        with self._lock:
            for trouble in self.troubles:
                if trouble.times > 0 and trouble.method == method and re.search(trouble.path, path):
                    trouble.times -= 1
                    return trouble
        return None

    def wait_until_gone(self) -> None:
        """For a request that hangs."""
        self._released.wait(30)


def survey_error(spec: Item) -> str:
    """Why AWX would not take a survey; "" where it would."""
    for name, wanted in (("name", str), ("description", str), ("spec", list)):
        if not isinstance(spec.get(name), wanted):
            return f"Field '{name}' is missing from survey spec."
    if not spec["spec"]:
        return "'spec' doesn't contain any items."
    seen = set()
    for index, question in enumerate(spec["spec"]):
        for name in ("type", "question_name", "variable", "required"):
            if not isinstance(question.get(name), bool if name == "required" else str):
                return f"'{name}' missing from survey question {index}"
        kind = QUESTIONS.get(question["type"])
        if kind is None:
            return f"'{question['type']}' in survey question {index} is not one of the allowed question types."
        if question["variable"] in seen:
            return f"'variable' '{question['variable']}' duplicated in survey question {index}."
        seen.add(question["variable"])
        if question.get("default", "") != "" and not isinstance(question["default"], kind):
            return f"Default value of question {index} expected to be {kind.__name__}."
        if [name for name in ("min", "max") if question.get(name) is not None and type(question[name]) is not int]:
            return f"The min or max limit in survey question {index} expected to be integer."
        if question["type"] in ("multiplechoice", "multiselect") and "choices" not in question:
            return f"Survey question {index} of type {question['type']} must specify choices."
    return ""


def _answer_error(question: Item, value: Any) -> str:
    name, kind = question["variable"], question["type"]
    if kind in ("text", "textarea", "password"):
        if not isinstance(value, str):
            return f"Value {value} for '{name}' expected to be a string."
        if len(value) < (question.get("min") or 0):
            return f"'{name}' value {value} is too small"
        if question.get("max") is not None and len(value) > question["max"]:
            return f"'{name}' value {value} is too large"
    elif kind == "integer" and type(value) is not int:
        return f"Value {value} for '{name}' expected to be an integer."
    elif kind == "float" and type(value) not in (int, float):
        return f"Value {value} for '{name}' expected to be a numeric type."
    elif kind == "multiplechoice" and value not in question["choices"].splitlines():
        return f"Value {value} for '{name}' expected to be one of {question['choices'].splitlines()}."
    return ""


def _known(kind: str, sent: Item) -> Item:
    """What AWX takes of an item; it passes over the rest without a word."""
    return {name: value for name, value in sent.items() if name in (*KINDS[kind].required, *KINDS[kind].defaults)}


def _allow(method: str, *methods: str) -> None:
    if method not in methods:
        raise refuse(405, f'Method "{method}" not allowed.')


def _now() -> str:
    return datetime.now(timezone.utc).isoformat().replace("+00:00", "Z")


def _listed(items: list[Item], query: dict[str, str]) -> Item:
    """A page of what a query is about."""
    all_of: list[tuple[str, str]] = []
    either: list[tuple[str, str]] = []
    for name, value in query.items():
        if name in ("page", "page_size", "order_by"):
            continue
        plain = name.removeprefix("or__")
        if items and plain not in items[0] and plain != "organization__name":
            raise refuse(400, f"{items[0]['type']} has no field named '{plain}'")
        if name != plain:
            either.append((plain, value))
        else:
            all_of.append((plain, value))
    found = [item for item in items if all(_text(item, name) == value for name, value in all_of)]
    if either:
        found = [item for item in found if any(_text(item, name) == value for name, value in either)]
    if order := query.get("order_by"):
        found.sort(key=lambda item: item[order.lstrip("-")], reverse=order.startswith("-"))
    size, page = min(int(query.get("page_size", 25)), 200), int(query.get("page", 1))
    shown = found[(page - 1) * size : page * size]
    return {"count": len(found), "next": None if page * size >= len(found) else "?", "previous": None, "results": shown}


def _text(item: Item, name: str) -> str:
    of_it = name == "organization__name"
    value = item["summary_fields"].get("organization", {}).get("name") if of_it else item.get(name)
    return "" if value is None else str(value)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away."""


class _Handler(BaseHTTPRequestHandler):
    awx: FakeAwx
    protocol_version = "HTTP/1.1"

    def _handle(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        trouble = self.awx.trouble_with(self.command, self.path)
        if trouble and trouble.how in ("hang", "drop", "noise"):
            if trouble.how == "hang":
                self.awx.wait_until_gone()
            if trouble.how == "noise":
                self.wfile.write(b"this is not HTTP\r\n\r\n")
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        scheme, _, token = (self.headers.get("Authorization") or "").partition(" ")
        if trouble and not trouble.how:
            self._send(trouble.status, trouble.body.encode())
            return
        try:
            status, answer = self.awx.answer(self.command, self.path, token if scheme == "Bearer" else None, body)
        except Refused as refused:
            status, answer = refused.status, refused.answer
        if trouble and trouble.how == "late":
            # Done, and nobody is told.
            self.awx.wait_until_gone()
            self.close_connection = True
            return
        self._send(status, b"" if answer is None else json.dumps(answer).encode(), half=bool(trouble))

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = do_OPTIONS = _handle

    def _send(self, status: int, body: bytes, half: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("X-API-Product-Name", "AWX")
        self.send_header("X-API-Product-Version", VERSION)
        self.send_header("Content-Length", str(len(body)))
        if half:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if half else body)

    def log_message(self, *_arguments: Any) -> None:
        """Nothing on the terminal."""
