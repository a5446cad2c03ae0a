# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What alerts led to. These commands work on the database of the service, whether it runs or not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import OncallError
from ..shared import masked, masked_values
from . import display
from .frame import AS_JSON, CONFIG, COUNT, one_line, open_plans, open_store, user

if TYPE_CHECKING:
    from ..serve.decide.plans import Decided, Plans

EPISODE = click.argument("episode", metavar="EPISODE")
STATES = ("queued", "running", "waiting", "ended")
REASON = click.option("--reason", default="", help="Why; people read it in the timeline of the incident.")
PLAN = click.option(
    "--plan", default="", metavar="HASH", help="Of the plan that you have read: no other is decided on."
)
# Of a text of an alert.
MOST_ALERT = 2000


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
        found = [_without_secrets(one) for one in store.episodes(states, count)]
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
        found = _without_secrets(store.find(episode))
        runs = store.runs(found["id"])
    if as_json:
        display.document({**found, "runs": runs})
    else:
        display.episode(found, runs)


@click.command()
@EPISODE
@REASON
@PLAN
@CONFIG
@AS_JSON
@one_line
def approve(episode: str, reason: str, plan: str, config: Path, as_json: bool) -> None:
    """Approve the plan of EPISODE, under your name. It is acted on if a fresh diagnosis gives the same plan.

    \b
    oncall approve 3f2a90c1
    oncall approve 3f2a90c1 --plan p0123456789abcde --reason "as agreed"
    """
    with open_plans(config) as plans:
        told = _decide(plans, episode, plan, "approved", reason)
    _print(told, f"{told.runbook} acts on {told.host} as soon as nothing holds it back: oncall episodes", as_json)


@click.command()
@EPISODE
@click.option("--reason", default="", help="Why, which is needed; people read it in the timeline of the incident.")
@PLAN
@CONFIG
@AS_JSON
@one_line
def reject(episode: str, reason: str, plan: str, config: Path, as_json: bool) -> None:
    """Reject the plan of EPISODE, under your name. Nothing is done, and the episode ends.

    \b
    oncall reject 3f2a90c1 --reason "these sessions are of a migration"
    """
    if not reason.strip():
        raise OncallError("say with --reason why it is rejected; who comes next has to know")
    with open_plans(config) as plans:
        told = _decide(plans, episode, plan, "rejected", reason)
    _print(told, f"{told.runbook} does nothing on {told.host}", as_json)


@click.command()
@EPISODE
@click.option("--reason", default="", help="Why; people read it in the episode, and in the timeline of its incident.")
@CONFIG
@AS_JSON
@one_line
def cancel(episode: str, reason: str, config: Path, as_json: bool) -> None:
    """End EPISODE: before its run, or by killing its run. A plan of it that waits for a person is rejected.

    \b
    oncall cancel 3f2a90c1 --reason "done by hand"
    """
    with open_plans(config) as plans:
        told, how = plans.cancel(plans.store.find(episode)["id"], reason, user())
    _print(told, how, as_json)


def _decide(plans: Plans, episode: str, plan: str, decision: str, reason: str) -> Decided:
    found = plans.store.find(episode)
    return plans.decide(found["id"], plan or found["plan_hash"], decision, reason, user())


def _print(told: Decided, how: str, as_json: bool) -> None:
    from ..serve.decide.plans import CANCELED

    if as_json:
        display.document(told.to_dict())
        return
    entry = f" ({told.incident}, entry {told.entry})" if told.incident else ""
    shown = f"{how}{entry}" if told.decision == CANCELED else f"{told.decision}{entry}; {how}"
    click.echo(display.shown(shown))


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
        found = [_without_secrets(one) for one in store.quarantine(count)]
    heads = ("LAST", "COUNT", "REASON", "ALERT")
    display.listing(found, as_json, heads, lambda one: (
        display.when(one["last_at"]), one["count"], one["reason"], display.pairs(one["alert"].get("labels") or one["alert"]),
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


def _without_secrets(told: dict[str, Any]) -> dict[str, Any]:
    """The same with what its alert says, which nobody has looked through."""
    alert = told["alert"]
    shown = masked_values(alert, MOST_ALERT) if isinstance(alert, Mapping) else masked(alert, MOST_ALERT)
    return {**told, "alert": shown}


def _said(episode: dict[str, Any]) -> str:
    words = [episode["outcome"] or episode["mode"], episode["reason"] or episode["summary"]]
    return ": ".join(filter(None, words))
