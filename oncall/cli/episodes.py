# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What alerts led to. These commands work on the database of the service, whether it runs or not."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from ..errors import OncallError
from . import display
from .frame import AS_JSON, CONFIG, COUNT, one_line, open_store, user

EPISODE = click.argument("episode", metavar="EPISODE")
STATES = ("queued", "running", "waiting", "ended")


@click.command()
@click.option("--state", "states", multiple=True, type=click.Choice(STATES), help="Only those in this state.")
@COUNT
@CONFIG
@AS_JSON
@one_line
def episodes(config: Path, states: tuple[str, ...], count: int, as_json: bool) -> None:
    """What alerts led to, the newest first.

    \b
    oncall episodes --state waiting
    oncall episodes --json
    """
    with open_store(config) as store:
        found = store.episodes(states, count)
    heads = ("EPISODE", "RECEIVED", "RUNBOOK", "HOST", "STATE", "")
    display.listing(found, as_json, heads, lambda one: (
        one["id"][:12], display.when(one["received_at"]), one["runbook"], one["host"], one["state"], _said(one),
    ))  # fmt: skip


@click.command()
@EPISODE
@CONFIG
@AS_JSON
@one_line
def episode(episode: str, config: Path, as_json: bool) -> None:
    """All that is known of EPISODE: its alert, its runs, what they found, and the plan that a person is asked about.

    \b
    oncall episode 3f2a90c1
    """
    with open_store(config) as store:
        found = store.find(episode)
        runs = store.runs(found["id"])
    if as_json:
        display.document({**found, "runs": runs})
    else:
        display.episode(found, runs)


@click.command()
@EPISODE
@CONFIG
@one_line
def approve(episode: str, config: Path) -> None:
    """Agree to the plan of EPISODE, which is acted on if a fresh diagnosis gives the same plan.

    \b
    oncall approve 3f2a90c1
    """
    with open_store(config) as store:
        found = store.find(episode)
        now, who = time.time(), user()
        agreed = {"state": "queued", "stage": "act", "queued_at": now, "until": None, "reason": "", "cancel": ""}
        if found["state"] != "waiting" or not store.change(found["id"], "waiting", agreed):
            raise OncallError(f"episode {found['id'][:12]} does not wait for a person: {_said(found)}")
        store.note(found["id"], f"agreed by {who}")
    click.echo(f"agreed; {found['runbook']} acts on {found['host']} as soon as nothing holds it back: oncall episodes")


@click.command()
@EPISODE
@CONFIG
@click.option("--reason", default="a person wanted it", help="Why; people read it in the episode.")
@one_line
def cancel(episode: str, config: Path, reason: str) -> None:
    """End EPISODE: before its run, while it waits for a person, or by killing its run.

    \b
    oncall cancel 3f2a90c1 --reason "done by hand"
    """
    with open_store(config) as store:
        found = store.find(episode)
        why = f"canceled by {user()}: {reason}"
        ended = {"state": "ended", "outcome": "canceled", "summary": why, "ended_at": time.time()}
        if not (store.change(found["id"], "queued", ended) or store.change(found["id"], "waiting", ended)):
            if not store.change(found["id"], "running", {"cancel": why}):
                raise OncallError(f"episode {found['id'][:12]} has ended already: {_said(found)}")
            click.echo(f"{found['runbook']} on {found['host']} is being killed")
            return
    click.echo(f"{found['runbook']} on {found['host']} is canceled")


@click.command()
@CONFIG
@COUNT
@AS_JSON
@one_line
def quarantine(config: Path, count: int, as_json: bool) -> None:
    """Alerts that mean no runbook or no host, or that a sender left out, the newest first.

    \b
    oncall quarantine -n 5
    """
    with open_store(config) as store:
        found = store.quarantine(count)
    heads = ("LAST", "COUNT", "REASON", "ALERT")
    display.listing(found, as_json, heads, lambda one: (
        display.when(one["last_at"]), one["count"], one["reason"], one["alert"],
    ))  # fmt: skip


@click.command()
@CONFIG
@AS_JSON
@one_line
def proven(config: Path, as_json: bool) -> None:
    """How many remedies helped, per runbook and host.

    \b
    oncall proven --json
    """
    with open_store(config) as store:
        found = store.proven()
    heads = ("RUNBOOK", "HOST", "HELPED", "NOT HELPED IN A ROW")
    display.listing(found, as_json, heads, lambda one: (
        one["runbook"], one["host"], f"{one['helped']} of {one['remedies']}", one["not_helped_in_a_row"],
    ))  # fmt: skip


def _said(episode: dict[str, Any]) -> str:
    words = [episode["outcome"] or episode["mode"], episode["reason"] or episode["summary"]]
    return ": ".join(filter(None, words))
