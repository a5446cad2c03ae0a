# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runbooks there are: read from the collection's own metadata."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from .errors import OncallError, UnknownRunbook

COLLECTION = Path("ansible_collections", "oncall", "runbooks")
# Safe both, and one of them ten times as fast.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# It judges the tables of all runbooks, and is none itself.
TRIAGE = "triage"


@dataclass(frozen=True)
class Runbook:
    """A runbook, as its role says.

    Attributes:
        name: of the role and of its playbook.
        title: the incident in one line.
        signal: what is seen when it happens.
        alerts: names of the alerts it answers.
        severity: ``critical``, ``high``, ``medium`` or ``low``.
        escalation: whom to call, by role.
        remedies: remedy -> what it does.
        rollbacks: remedy -> how it is undone. The others cannot be undone.
        causes: the names of the likely causes, most likely first.
        options: its variables -> ``type``, ``default``, ``description`` and the like, as in its argument specs.
        playbook: the file.
    """

    name: str
    title: str
    signal: str
    alerts: tuple[str, ...]
    severity: str
    escalation: str
    remedies: dict[str, str]
    rollbacks: dict[str, str]
    causes: tuple[str, ...]
    options: dict[str, dict[str, Any]]
    playbook: Path


def collections_path() -> Path:
    """The folder with ``ansible_collections``: inside the installed package, in the checkout, or around the installed collection."""
    package = Path(__file__).resolve().parent
    for folder in (package / "collections", package.parent / "collections", *package.parents[3:4]):
        if (folder / COLLECTION / "plugins" / "plugin_utils").is_dir():
            return folder
    raise OncallError(f"the collection oncall.runbooks is not beside {package}; install the package again")


def collection() -> Path:
    return collections_path() / COLLECTION


@cache
def runbooks() -> dict[str, Runbook]:
    """All runbooks by name."""
    roles = collection() / "roles"
    names = sorted(file.parents[1].name for file in roles.glob("*/meta/runbook.yml"))
    return {name: _read(roles / name) for name in names}


def find(name: str) -> Runbook:
    """One runbook; UnknownRunbook with the near names where there is none."""
    known = runbooks()
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name.replace("-", "_").lower(), known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(known)}"
    raise UnknownRunbook(f"no runbook {name!r}; {hint}", near)


def playbook(name: str) -> Path:
    """The file of a runbook, or of triage; UnknownRunbook where it is neither."""
    return collection() / "playbooks" / f"{TRIAGE}.yml" if name == TRIAGE else find(name).playbook


@cache
def variables() -> frozenset[str]:
    """What a run takes: the options of all roles, and the hosts of the playbooks."""
    files = (collection() / "roles").glob("*/meta/argument_specs.yml")
    entries = [entry for file in files for entry in _yaml(file)["argument_specs"].values()]
    return frozenset({"run_hosts"}.union(*(entry.get("options") or () for entry in entries)))


def check_variables(names: Iterable[str]) -> None:
    """OncallError where one is meant for a role and is none of its options: a guard that is misspelt would not hold."""
    for name in sorted({*names} - variables()):
        near = difflib.get_close_matches(name, variables(), n=3, cutoff=0.88)
        if near or name.startswith("run_"):
            hint = f"did you mean {' or '.join(near)}?" if near else "roles/run/README.md has them all"
            raise OncallError(f"no variable {name}; {hint}")


def _read(role: Path) -> Runbook:
    meta = _yaml(role / "meta" / "runbook.yml")
    remedies = meta.get("remedies") or {}
    specs = _yaml(role / "meta" / "argument_specs.yml")["argument_specs"]
    return Runbook(
        name=role.name,
        title=meta["title"],
        signal=" ".join(meta["signal"].split()),
        alerts=tuple(meta.get("alerts") or ()),
        severity=meta["severity"],
        escalation=meta["escalation"],
        remedies={name: said["does"] for name, said in remedies.items()},
        rollbacks={name: said["undone"] for name, said in remedies.items() if "undone" in said},
        causes=tuple(_causes(_yaml(role / "vars" / "main.yml")[f"{role.name}_causes"])),
        options=dict(specs["main"]["options"]),
        playbook=role.parents[1] / "playbooks" / f"{role.name}.yml",
    )


def _causes(table: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """The causes of a table, those of its sections among them."""
    for name, entry in table.items():
        yield from entry.get("causes", (name,))


def _yaml(path: Path) -> Any:
    return yaml.load(path.read_bytes(), Loader=_LOADER)  # noqa: S506
