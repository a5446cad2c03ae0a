# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The document of OpenAPI, made of the operations and of the types and schemas that they are checked with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

from . import requests as ask
from .operations import JSON, OPERATIONS, ROOT, Operation, Schema, refer
from .problems import KIND

KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Names this request: sent again with the same, it is not done again.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,200}$"},
}
PROBLEMS = {
    400: "It is not as this document says.",
    401: "No valid token.",
    403: "The role of the token does not allow it.",
    404: "There is no such incident, or none are kept here.",
    409: "It cannot be done to the incident as it is now, or somebody else was first. `incident` is how it is now.",
    413: "The body is too large.",
    415: "The body is no JSON.",
    422: "It is as this document says, and makes no sense: a severity or a person that nobody knows, a time that is over.",
    503: "Not at this moment; come again.",
}
PROBLEM: Schema = {
    "type": "object",
    "properties": {
        "type": {"const": "about:blank"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "One line: why, and what to do."},
        "incident": refer("incident"),
    },
    "required": ["type", "title", "status", "detail"],
    "additionalProperties": False,
}


@cache
def document() -> bytes:
    """The whole of it."""
    bodies = list(dict.fromkeys(one.body for one in OPERATIONS if one.body is not None))
    queries = {one.query: _schema(one.query) for one in OPERATIONS}
    given, of_bodies = msgspec.json.schema_components(bodies, ref_template="#/components/schemas/{name}")
    schemas = dict(zip(bodies, given, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for one in OPERATIONS:
        body = schemas[one.body] if one.body else None
        paths.setdefault(f"{ROOT}{one.path}", {})[one.method.lower()] = _operation(
            one, queries[one.query], body, of_bodies
        )
    told = {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "Incidents",
            "version": "1",
            "description": "Who acts is the name of the token. Roles: viewer reads, responder and admin write too.",
            "license": {"name": "GPL-3.0-or-later", "identifier": "GPL-3.0-or-later"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {**of_bodies, **_answers(), "problem": PROBLEM},
            "responses": {str(status): _problem(said) for status, said in PROBLEMS.items()},
        },
    }
    return msgspec.json.encode(told)


def _operation(one: Operation, query: Schema, body: Schema | None, of_bodies: Mapping[str, Any]) -> Schema:
    parameters = [
        {"name": name, "in": "query", "schema": _open(schema), "description": schema.get("description", "")}
        for name, schema in query["properties"].items()
    ]
    if "{incident}" in one.path:
        schema = _of_path()
        parameters.append({
            "name": "incident", "in": "path", "required": True, "schema": schema, "description": schema.pop("description"),
        })  # fmt: skip
    told: Schema = {
        "operationId": one.name,
        "summary": one.summary,
        "description": f"Needs a token of a {one.role}, or more.",
        "parameters": parameters,
        "responses": {
            **{str(status): _done(one) for status in sorted({one.status, 200})},
            **{str(status): {"$ref": f"#/components/responses/{status}"} for status in _statuses(one)},
        },
    }
    if body is not None:
        parameters.append(KEY)
        needed = of_bodies[body["$ref"].rpartition("/")[2]].get("required", [])
        told["requestBody"] = {"required": bool(needed), "content": {JSON: {"schema": body}}}
    return told


def _statuses(one: Operation) -> list[int]:
    writing = {409, 413, 415}
    # Nothing is made of a timeline that was changed.
    made = {409} if one.name.startswith("postmortem") else set()
    return [status for status in PROBLEMS if one.writes or status in made or status not in writing]


def _done(one: Operation) -> Schema:
    told: Schema = {"description": one.summary, "content": {one.kind: {"schema": one.says}}}
    if one.name == "open":
        # With what is answered, each of the others can be asked.
        told["links"] = {
            other.name: {"operationId": other.name, "parameters": {"incident": "$response.body#/incident/name"}}
            for other in OPERATIONS
            if "{incident}" in other.path
        }
        told["headers"] = {"Location": {"schema": {"type": "string"}, "description": "Where it is."}}
    return told


def _problem(said: str) -> Schema:
    return {"description": said, "content": {KIND: {"schema": refer("problem")}}}


def _schema(kind: type) -> Schema:
    """Of what stands after the question mark: each of its parts on its own."""
    (told,), components = msgspec.json.schema_components([kind], ref_template="{name}")
    found: Schema = components[told["$ref"]]
    return found


def _open(schema: Schema) -> Schema:
    """Of a part of it: what is not there is null, and nobody can say null there."""
    told = {name: value for name, value in schema.items() if name not in ("description", "default")}
    if kinds := [one for one in told.pop("anyOf", ()) if one != {"type": "null"}]:
        (kind,) = kinds
        told = {**kind, **told}
    told.pop("description", None)
    if schema.get("default") not in (None, "", []):
        told["default"] = schema["default"]
    return told


def _of_path() -> Schema:
    return dict(msgspec.json.schema(ask.Of))


def _answers() -> Schema:
    """What the commands print with --json is what is answered here."""
    printed = _read("output.schema.json")["$defs"]
    names = ("incident", "entry", "incident_done", "incident_show", "incident_verify", "incident_due")
    found: Schema = {name: _moved(printed[name], "") for name in names}
    for name, place in (
        ("stats", "incidents/stats.schema.json"),
        ("postmortem", "incidents/postmortem/postmortem.schema.json"),
    ):
        whole = _read(place)
        parts = whole.pop("$defs")
        whole.pop("$schema")
        found[name] = _moved(whole, f"{name}_")
        found |= {f"{name}_{part}": _moved(schema, f"{name}_") for part, schema in parts.items()}
    return found


def _moved(schema: Any, prefix: str) -> Any:
    if isinstance(schema, dict):
        return {
            name: f"#/components/schemas/{prefix}{value.removeprefix('#/$defs/')}"
            if name == "$ref" and isinstance(value, str)
            else _moved(value, prefix)
            for name, value in schema.items()
        }
    return [_moved(one, prefix) for one in schema] if isinstance(schema, list) else schema


def _read(place: str) -> Any:
    return json.loads(files("oncall").joinpath(place).read_text(encoding="utf-8"))
