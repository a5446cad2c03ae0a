# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The post-mortem, how far it is, and what is to be done after it."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...errors import OncallError
from .. import display
from ..frame import user
from .options import MOMENT, NAME, RECORDS, command, done, incident, open_incidents
from .proof import document_of, in_folder, verified_file

if TYPE_CHECKING:
    from ...incidents.books import Incidents
    from ...incidents.entries import Verdict


@incident.command()
@click.argument("name", metavar="[INCIDENT]", default="")
@click.option(
    "--file", "file", type=click.Path(path_type=Path), help="A document that was exported, instead of the database."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["markdown", "html", "json"]),
    default="markdown",
    help="What it is printed as.",
)
@RECORDS
@command
def postmortem(
    config: Path,
    state_directory: Path | None,
    name: str,
    file: Path | None,
    form: str,
    records: Path | None,
    as_json: bool,
) -> None:
    """The post-mortem of INCIDENT: worked out from its timeline, with nothing in it that is not there.

    \b
    oncall incident postmortem 12
    oncall incident postmortem 12 --format html > inc-12.html
    oncall incident postmortem --file inc-12.json
    oncall incident postmortem 12 --records incidents
    """
    from ...incidents import postmortem as found

    if bool(name) == (file is not None):
        raise OncallError("name an incident, or a file that was exported")
    if records is not None:
        if file is not None:
            raise OncallError("give a file that was exported, or --records with an incident")
        folder = in_folder(records)
        told = found.of(folder.document(name), found.Template.of({}))
        _refuse_changed(name, folder.verify(name)[1])
    else:
        with open_incidents(config, state_directory) as incidents:
            told = incidents.postmortem(name) if file is None else _of_file(incidents, file)
    if as_json or form == "json":
        display.document(told.to_dict())
    else:
        sys.stdout.write(found.html(told).decode() if form == "html" else found.markdown(told))


def _refuse_changed(name: str, verdict: Verdict) -> None:
    """A post-mortem of a timeline that was changed tells what did not happen."""
    if why := verdict.why_not(name):
        raise OncallError(why)


def _of_file(incidents: Incidents, file: Path) -> Any:
    document = document_of(file)
    try:
        told = incidents.postmortem_of(document)
    except OncallError as error:
        raise OncallError(f"{file}: {error}; make one with: oncall incident export") from None
    _refuse_changed(str(file), verified_file(file, incidents, [])[2])
    return told


@incident.command()
@NAME
@click.argument("state", type=click.Choice(["due", "draft", "review", "done"]))
@click.option("--owner", default="", help="Whose it is from now on.")
@click.option("--due", "due_at", type=MOMENT, help="Until when: 48h, or a time with a zone.")
@click.option("--why", default="", help="Such as what is to be changed.")
@command
def review(config: Path, state_directory: Path | None, incident: str, state: str, as_json: bool, **more: Any) -> None:
    """Say how far the post-mortem of INCIDENT is.

    \b
    oncall incident review 12 draft --owner ann
    oncall incident review 12 done
    """
    with open_incidents(config, state_directory) as incidents:
        done(incidents.review(incident, state, who=user(), **more), as_json)


@incident.command()
@NAME
@click.argument("text", default="")
@click.option("--item", default="", help="The name of one that is there, to change it.")
@click.option("--owner", default="", help="Who does it.")
@click.option("--due", "due_at", type=MOMENT, help="Until when: 7d, or a time with a zone.")
@click.option("--done", is_flag=True, help="It is done.")
@command
def item(config: Path, state_directory: Path | None, incident: str, text: str, as_json: bool, **more: Any) -> None:
    """Write down what is to be done so that it does not happen again, or that it is done.

    \b
    oncall incident item 12 "measure the pool" --owner ann --due 7d
    oncall incident item 12 --item A1 --done
    """
    with open_incidents(config, state_directory) as incidents:
        done(incidents.action_item(incident, text, who=user(), **more), as_json)


@incident.command()
@command
def due(config: Path, state_directory: Path | None, as_json: bool) -> None:
    """The post-mortems and action items that are not done, those due first at the head.

    \b
    oncall incident due
    """
    with open_incidents(config, state_directory) as incidents:
        reviews, items = incidents.outstanding()
    if as_json:
        display.document(
            {"postmortems": [asdict(one) for one in reviews], "action_items": [asdict(one) for one in items]}
        )
        return
    lines = [
        (one.name, display.when(one.due_at), one.owner, f"post-mortem ({one.state}): {one.title}") for one in reviews
    ]
    lines += [
        (one.name, "" if one.due_at is None else display.when(one.due_at), one.owner, f"{one.item}: {one.text}")
        for one in items
    ]
    display.rows(("INCIDENT", "DUE", "WHOSE", "WHAT"), [[display.shown(part, 300) for part in line] for line in lines])
