# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a timeline was changed, and what is kept of it elsewhere."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...errors import OncallError
from ...results import EXIT_CODES, Outcome
from .. import display
from .options import NAME, RECORDS, command, incident, open_incidents

if TYPE_CHECKING:
    from ...incidents.books import Incidents
    from ...incidents.entries import Verdict
    from ...incidents.folder import Folder


@incident.command()
@click.argument("names", metavar="[INCIDENT]...", nargs=-1)
@click.option("--head", "heads", multiple=True, help="A head out of the log or of a message, of the one INCIDENT.")
@click.option(
    "--file", "file", type=click.Path(path_type=Path), help="A document that was exported, instead of the database."
)
@RECORDS
@command
def verify(
    config: Path,
    state_directory: Path | None,
    names: tuple[str, ...],
    heads: tuple[str, ...],
    file: Path | None,
    records: Path | None,
    as_json: bool,
) -> int:
    """Look whether a timeline was changed, cut or reordered, and say what cannot be told. Without INCIDENT, all of them.

    Exit code 21 where something is wrong.

    \b
    oncall incident verify
    oncall incident verify 12 --head 7:9f86...:1b4f0e98:60303a...
    """
    from ...incidents import entries

    try:
        known = [entries.signed_head(one) for one in heads]
    except ValueError as error:
        raise OncallError(str(error)) from None
    if known and len(names) != 1 and file is None:
        raise OncallError("a head is of one incident; name it")
    found: list[dict[str, Any]] = []
    if records is not None:
        if known or file is not None:
            raise OncallError("of a folder of records no head is kept, and it is no file: give --records alone")
        for id_, called, verdict in in_folder(records).verified(names):
            found.append({"id": id_, "name": called, **verdict.to_dict()})
        return _said(found, bool(names), as_json)
    with open_incidents(config, state_directory) as incidents:
        if file is not None:
            id_, called, verdict = verified_file(file, incidents, known)
            found.append({"id": id_, "name": called, **verdict.to_dict()})
        elif names:
            for name in names:
                one, verdict = incidents.verify(name, known)
                found.append({"id": one.id, "name": one.name, **verdict.to_dict()})
        else:
            for id_, there, verdict in incidents.verify_all():
                found.append({"id": id_, "name": there.name if there else "", **verdict.to_dict()})
    return _said(found, bool(names or file), as_json)


def _said(found: list[dict[str, Any]], whole: bool, as_json: bool) -> int:
    is_sound = all(one["sound"] for one in found)
    if as_json:
        display.document({"sound": is_sound, "incidents": found})
    else:
        _verdicts(found, whole)
    return 0 if is_sound else EXIT_CODES[Outcome.UNRESOLVED]


def verified_file(file: Path, incidents: Incidents, heads: list[Any]) -> tuple[str, str, Verdict]:
    """The id and the name of an incident that was exported, and what is known of its timeline."""
    from ...incidents import entries

    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        id_, name = str(told["incident"]["id"]), str(told["incident"]["name"])
        timeline = [entries.of_dict(one) for one in told["timeline"]]
    except OSError as error:
        raise OncallError(f"cannot read {file}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise OncallError(f"{file} is no exported incident: {display.shown(error, 200)}") from None
    return id_, name, incidents.verify_document(told, timeline, heads)


def _verdicts(found: list[dict[str, Any]], whole: bool) -> None:
    for one in found:
        name = display.shown(one["name"] or one["id"])
        for problem in one["problems"]:
            where = f"entry {problem['number']}: " if problem["number"] else ""
            click.echo(f"{name}: {where}{display.shown(problem['what'])}")
        if whole:
            for line in one["proven"]:
                click.echo(f"{name}: {display.shown(line)}")
            for line in one["not_proven"]:
                click.echo(f"{name}: not proven: {display.shown(line)}")
    wrong = sum(not one["sound"] for one in found)
    click.echo(f"{len(found)} looked at, {wrong} with something wrong")


def in_folder(records: Path) -> Folder:
    from ...incidents.folder import Folder

    return Folder(records)


def document_of(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise OncallError(f"cannot read {file}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise OncallError(f"{file} is no exported incident: {display.shown(error, 200)}") from None


@incident.command()
@NAME
@click.option(
    "--file", "file", type=click.Path(path_type=Path), help="Where it goes, for you alone; else to standard output."
)
@command
def export(config: Path, state_directory: Path | None, incident: str, file: Path | None, as_json: bool) -> None:
    """All of INCIDENT as one JSON document, which `verify --file` and `postmortem` take.

    \b
    oncall incident export 12 --file inc-12.json
    """
    with open_incidents(config, state_directory) as incidents:
        told = incidents.document(incident)
    if file is None:
        display.document(told)
        return
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            json.dump(told, out, indent=2)
            out.write("\n")
    except FileExistsError:
        raise OncallError(f"{file} is there already, and stays as it is; name another one") from None
    except OSError as error:
        raise OncallError(f"cannot write {file}: {error.strerror}") from None
    if as_json:
        display.document({"file": str(file)})
    else:
        click.echo(f"{told['incident']['name']} is in {file}")
