# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""As much of AWX's REST API v2 as the collection awx.awx and ``oncall serve`` use, over real HTTP.

It answers as AWX 24.6.1 does where something is wrong: 401 without the token, 403 without the role, 404 for what is not there,
405 for what cannot be done, 400 for a field that has to be given, for a filter or a playbook that is not known, for a survey
that AWX would not take, or a launch that its survey or its project refuses. A launch takes only what the template asks for,
and names the rest in ``ignored_fields``.
"""

from __future__ import annotations

import itertools
import json
import re
import socket
import threading
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from ansible_collections.oncall.runbooks.tests.support.fake_awx_jobs import Course, Job
from ansible_collections.oncall.runbooks.tests.support.fake_awx_surveys import answer_error, survey_error

VERSION = "24.6.1"
TOKEN = "token-of-the-fake-awx"
FORBIDDEN = "You do not have permission to perform this action."
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


class Refused(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, answer: Any) -> None:
        super().__init__(status, answer)
        self.status, self.answer = status, answer


def refuse(status: int, answer: str) -> Refused:
    return Refused(status, {"detail": answer})


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
        # Token -> the roles of a person: (kind, number, Read or Execute). TOKEN may do everything.
        self.people: dict[str, set[tuple[str, int, str]]] = {}
        # Why git does not answer; "" where it does.
        self.git_fault = ""
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
        found = re.fullmatch(r"/api/v2/(?:([a-z_]+)/)?(?:(\d+|[^/]*\+\+[^/]*)/)?(?:([a-z_]+)/)?", parts.path)
        if not found:
            raise refuse(404, "The requested resource could not be found.")
        kind, name, below = found[1], found[2] or "", found[3]
        if kind != "ping" and token != TOKEN and token not in self.people:
            raise refuse(
                401, "Authentication credentials were not provided. To establish a login session, visit /api/login/."
            )
        number = int(name) if name.isdigit() else self._named(kind, unquote(name)) if name else 0
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
            return self._route(method, kind, number, below, query, sent, token or "")

    def _named(self, kind: str | None, name: str) -> int:
        """The item of a named URL, ``name++organization``."""
        plain, _, organization = name.partition("++")
        of = {one["id"] for one in self.items["organizations"].values() if one["name"] == organization}
        # Of a credential such a URL names the type as well.
        for item in self.items.get(kind or "", {}).values() if kind != "credentials" else ():
            if item.get("name") == plain and item.get("organization") in of:
                return int(item["id"])
        raise refuse(404, f"No {_class(kind or '')} matches the given query.")

    def may(self, token: str, kind: str, item: Item, role: str) -> bool:
        """Whether a person has a role, Read or Execute, on an item; on a job, that of its template."""
        if token == TOKEN:
            return True
        on = ("job_templates", item["job_template"]) if kind == "jobs" else (kind, item["id"])
        has = {of for *where, of in self.people[token] if tuple(where) == on}
        return bool(has & ({"Execute"} if role == "Execute" else {"Read", "Execute"}))

    def _route(
        self,
        method: str,
        kind: str | None,
        number: int,
        below: str | None,
        query: dict[str, str],
        sent: Item,
        token: str,
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
            return 200, _listed(
                [self._shown_template(item) for item in several], query, "/api/v2/unified_job_templates/"
            )
        if kind not in self.items:
            raise refuse(404, "The requested resource could not be found.")
        if not number:
            if kind not in KINDS:
                _allow(method, "GET")
            _allow(method, "GET", "POST")
            if method == "POST":
                if token != TOKEN:
                    raise refuse(403, FORBIDDEN)
                return 201, self._shown(kind, self._make(kind, sent))
            seen = [item for item in self.items[kind].values() if self.may(token, kind, item, "Read")]
            return 200, _listed([self._shown(kind, item) for item in seen], query, f"/api/v2/{kind}/")
        if number not in self.items[kind]:
            raise refuse(404, f"No {_class(kind)} matches the given query.")
        item = self.items[kind][number]
        role = "Execute" if below in ("launch", "cancel", "relaunch") and method == "POST" else "Read"
        if not self.may(token, kind, item, role) or (
            method not in ("GET", "OPTIONS") and role == "Read" and token != TOKEN
        ):
            raise refuse(403, FORBIDDEN)
        if below is None:
            return self._detail(method, kind, item, sent)
        if below not in (KINDS[kind].related if kind in KINDS else BELOW.get(kind, ())):
            raise refuse(404, "The requested resource could not be found.")
        if below in ("events", "job_events"):
            _allow(method, "GET")
            return 200, _listed(item["events"](), query, f"/api/v2/{kind}/{number}/{below}/")
        return getattr(self, f"_{below}" if below not in LINKS else "_linked")(method, kind, item, sent, below)

    def _detail(self, method: str, kind: str, item: Item, sent: Item) -> tuple[int, Any]:
        if kind not in KINDS:
            _allow(method, "GET")
            return 200, self._shown(kind, item)
        _allow(method, "GET", "PATCH", "DELETE")
        if method == "PATCH":
            before = item.get("scm_url"), item.get("scm_branch")
            self._check(kind, {**item, **_known(kind, sent)}, item["id"])
            item.update(_known(kind, sent))
            if kind == "projects" and before != (item["scm_url"], item["scm_branch"]):
                self._update_of(kind, item)
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
            _taken, left, errors = self._accept(template, {**prompts, "extra_vars": item["extra_data"]})
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

    # ------------------------------------------------------------------ below an item
    def _update(self, method: str, kind: str, item: Item, _sent: Item, _below: str) -> tuple[int, Any]:
        _allow(method, "GET", "POST")
        return (200, {"can_update": True}) if method == "GET" else (202, self._update_of(kind, item)["shown"]())

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
                "status": status, "finished": _now() if over else None,
            }  # fmt: skip

        def events() -> list[Item]:
            data = {"task": "Update project using git", "res": {"msg": fault}}
            one = {"id": 1, "type": "project_update_event", "event": "runner_on_failed", "counter": 1, "failed": True,
                   "event_data": data, "stdout": f"fatal: [localhost]: FAILED! => {data}"}  # fmt: skip
            return [one] if shown()["failed"] else []

        item["last_update"] = number
        self.items[of][number] = {"id": number, "shown": shown, "events": events}
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
        of = LINKS[below]
        links = self.links.setdefault((kind, item["id"], below), [])
        if method == "GET":
            return 200, _listed([self._shown(of, self.items[of][number]) for number in links], {})
        other = sent.get("id")
        if other not in self.items[of]:
            raise Refused(400, {"msg": "object does not exist."})
        if sent.get("disassociate"):
            links.remove(other)
        elif below in NODE_LINKS and any(other in self.links.get((kind, item["id"], one), ()) for one in NODE_LINKS):
            raise Refused(400, {"Error": "Relationship not allowed."})
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

    def _launch(self, method: str, _kind: str, item: Item, sent: Item, _below: str) -> tuple[int, Any]:
        _allow(method, "GET", "POST")
        if method == "GET":
            return 200, {name: item[name] for name in item if name.startswith("ask_")}
        taken, ignored, errors = self._accept(item, sent)
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
            **fields, "id": number, "type": "job", "created": _now(), "url": f"/api/v2/jobs/{number}/",
            "related": {name: f"/api/v2/jobs/{number}/{name}/" for name in BELOW["jobs"]},
        }  # fmt: skip
        made = Job(job, self.courses.get(fields["name"], Course()))
        self.items["jobs"][number] = {**job, "shown": made.shown, "events": made.events, "made": made}
        self.launches.append(job)
        return made.shown()

    def _relaunch(self, method: str, _kind: str, item: Item, _sent: Item, _below: str) -> tuple[int, Any]:
        """With the same variables, the approved plan and the mark of its run among them."""
        _allow(method, "GET", "POST")
        same = {name: item[name] for name in ("name", "job_template", "limit", "job_type", "inventory", "extra_vars")}
        return (201, self._begin({**same, "launch_type": "relaunch"})) if method == "POST" else (200, {})

    def _cancel(self, method: str, _kind: str, item: Item, _sent: Item, _below: str) -> tuple[int, Any]:
        _allow(method, "GET", "POST")
        if method == "GET":
            return 200, {"can_cancel": item["shown"]()["status"] in ("new", "pending", "waiting", "running")}
        if not item["made"].cancel():
            raise refuse(405, 'Method "POST" not allowed.')
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


def _known(kind: str, sent: Item) -> Item:
    """What AWX takes of an item; it passes over the rest without a word."""
    return {name: value for name, value in sent.items() if name in (*KINDS[kind].required, *KINDS[kind].defaults)}


def _allow(method: str, *methods: str) -> None:
    if method not in methods:
        raise refuse(405, f'Method "{method}" not allowed.')


def _now() -> str:
    return datetime.now(timezone.utc).isoformat().replace("+00:00", "Z")


def _class(kind: str) -> str:
    """What AWX calls the model of a kind."""
    item = KINDS[kind].item if kind in KINDS else kind[:-1]
    return "".join(part.title() for part in item.split("_"))


def _listed(items: list[Item], query: dict[str, str], path: str = "") -> Item:
    """A page of what a query is about."""
    all_of: list[tuple[str, str]] = []
    either: list[tuple[str, str]] = []
    for name, value in query.items():
        if name in ("page", "page_size", "order_by"):
            continue
        field, _, how = name.removeprefix("or__").partition("__")
        if (items and field not in items[0]) or how not in ("", "in", "name", "isnull"):
            raise refuse(400, f"{_class(items[0]['type'] + 's') if items else 'It'} has no field named '{field}'")
        (either if name.startswith("or__") else all_of).append((name.removeprefix("or__"), value))
    found = [item for item in items if all(_fits(item, name, value) for name, value in all_of)]
    if either:
        found = [item for item in found if any(_fits(item, name, value) for name, value in either)]
    if order := query.get("order_by"):
        found.sort(key=lambda item: item[order.lstrip("-")], reverse=order.startswith("-"))
    size, page = min(int(query.get("page_size", 25)), 200), int(query.get("page", 1))
    shown = found[(page - 1) * size : page * size]
    if page > 1 and not shown:
        raise refuse(404, "Invalid page.")
    more = f"{path}?{urlencode({**query, 'page': page + 1})}" if page * size < len(found) else None
    return {"count": len(found), "next": more, "previous": None, "results": shown}


def _fits(item: Item, name: str, value: str) -> bool:
    field, _, how = name.partition("__")
    if how == "name":
        return bool(item["summary_fields"].get(field, {}).get("name") == value)
    has = item.get(field)
    if how == "isnull":
        return (has is None) == (value.lower() in ("true", "1", "yes"))
    if isinstance(has, bool):
        return has == (value.lower() in ("true", "1", "yes"))
    return ("" if has is None else str(has)) in (value.split(",") if how == "in" else [value])


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
