# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands that have to do with alerts. They work on the database of the service, whether it runs or not."""

from __future__ import annotations

import getpass
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import OncallError
from . import display

if TYPE_CHECKING:
    from ..serve.store.statements import Store

CONFIG = click.option(
    "-c",
    "--config",
    "config",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="ONCALL_CONFIG",
    default="/etc/oncall/serve.yml",
    show_default=True,
    show_envvar=True,
    help="The settings of the service.",
)
EPISODE = click.argument("episode", metavar="EPISODE")
COUNT = click.option("-n", "--count", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many.")
STATES = ("queued", "running", "waiting", "ended")


def user() -> str:
    """Who says so; in a container, a number may have no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


@contextmanager
def _store(config: Path) -> Iterator[Store]:
    from ..serve.settings import load
    from ..serve.store.statements import Store
    from ..serve.store.tables import FILE

    settings = load(config)
    file = Path(settings.state_directory, FILE)
    # One made here would be another one than that of a service whose database somebody removed.
    if not settings.database and not file.is_file():
        raise OncallError(f"there is no {file}: oncall serve makes it, with the same settings")
    store = Store(settings.database or f"sqlite:///{file}")
    try:
        yield store
    finally:
        store.close()


def commands(one_line: Callable[..., Any], as_json: Callable[..., Any]) -> list[click.Command]:
    """The commands, for the group they belong to."""

    @click.command()
    @CONFIG
    @click.option("--check", "only_check", is_flag=True, help="Only check the settings and the inventory.")
    @one_line
    def serve(config: Path, only_check: bool) -> None:
        """Take alerts from Alertmanager and run their runbooks.

        \b
        oncall serve -c serve.yml --check
        oncall serve -c serve.yml

        SIGHUP reads the settings again; SIGTERM lets runs in progress end first.
        """
        from ..serve.intake.tokens import Tokens
        from ..serve.service import Inventory, Service, tls_of
        from ..serve.settings import load

        if only_check:
            settings = load(config)
            names = Inventory(settings, config).names(False)
            if settings.tokens_file:
                Tokens(settings.tokens_file)
            tls_of(settings)
            click.echo(f"{config} is right; runbooks: {len(settings.runbooks)}, hosts: {len(names.hosts)}")
            return
        Service(config).run()

    @click.command()
    @click.option("--state", "states", multiple=True, type=click.Choice(STATES), help="Only those in this state.")
    @COUNT
    @CONFIG
    @as_json
    @one_line
    def episodes(config: Path, states: tuple[str, ...], count: int, as_json: bool) -> None:
        """What alerts led to, the newest first.

        \b
        oncall episodes --state waiting
        oncall episodes --json
        """
        with _store(config) as store:
            found = store.episodes(states, count)
        heads = ("EPISODE", "RECEIVED", "RUNBOOK", "HOST", "STATE", "")
        display.listing(found, as_json, heads, lambda one: (
            one["id"][:12], display.when(one["received_at"]), one["runbook"], one["host"], one["state"], _said(one),
        ))  # fmt: skip

    @click.command()
    @EPISODE
    @CONFIG
    @as_json
    @one_line
    def episode(episode: str, config: Path, as_json: bool) -> None:
        """All that is known of EPISODE: its alert, its runs, what they found, and the plan that a person is asked about.

        \b
        oncall episode 3f2a90c1
        """
        with _store(config) as store:
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
        with _store(config) as store:
            found = store.find(episode)
            now, who = time.time(), user()
            agreed = {"state": "queued", "stage": "act", "queued_at": now, "until": None, "reason": "", "cancel": ""}
            if found["state"] != "waiting" or not store.change(found["id"], "waiting", agreed):
                raise OncallError(f"episode {found['id'][:12]} does not wait for a person: {_said(found)}")
            store.note(found["id"], f"agreed by {who}")
        click.echo(
            f"agreed; {found['runbook']} acts on {found['host']} as soon as nothing holds it back: oncall episodes"
        )

    @click.command()
    @EPISODE
    @CONFIG
    @click.option("--reason", default="a person wanted it", help="For whoever reads it later.")
    @one_line
    def cancel(episode: str, config: Path, reason: str) -> None:
        """End EPISODE: before its run, while it waits for a person, or by killing its run.

        \b
        oncall cancel 3f2a90c1 --reason "done by hand"
        """
        with _store(config) as store:
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
    @click.option("--reason", required=True, help="For whoever wonders why nothing is done.")
    @one_line
    def pause(config: Path, reason: str) -> None:
        """Begin no run until `oncall resume`. Alerts are still taken.

        \b
        oncall pause --reason "storage is moved"
        """
        with _store(config) as store:
            store.set("paused", f"{reason} ({user()})")
        click.echo("paused")

    @click.command()
    @CONFIG
    @one_line
    def resume(config: Path) -> None:
        """Begin runs again.

        \b
        oncall resume
        """
        with _store(config) as store:
            if not store.unset("paused"):
                raise OncallError("nothing is paused by command; if it is by a file, remove the file")
        click.echo("resumed")

    @click.command()
    @CONFIG
    @COUNT
    @as_json
    @one_line
    def quarantine(config: Path, count: int, as_json: bool) -> None:
        """Alerts that mean no runbook or no host, the newest first.

        \b
        oncall quarantine -n 5
        """
        with _store(config) as store:
            found = store.quarantine(count)
        heads = ("LAST", "COUNT", "REASON", "ALERT")
        display.listing(found, as_json, heads, lambda one: (
            display.when(one["last_at"]), one["count"], one["reason"], one["alert"],
        ))  # fmt: skip

    @click.command()
    @CONFIG
    @as_json
    @one_line
    def proven(config: Path, as_json: bool) -> None:
        """How many remedies helped, per runbook and host.

        \b
        oncall proven --json
        """
        with _store(config) as store:
            found = store.proven()
        heads = ("RUNBOOK", "HOST", "HELPED", "NOT HELPED IN A ROW")
        display.listing(found, as_json, heads, lambda one: (
            one["runbook"], one["host"], f"{one['helped']} of {one['remedies']}", one["not_helped_in_a_row"],
        ))  # fmt: skip

    return [serve, episodes, episode, approve, cancel, pause, resume, quarantine, proven]


def _said(episode: dict[str, Any]) -> str:
    words = [episode["outcome"] or episode["mode"], episode["reason"] or episode["summary"]]
    return ": ".join(filter(None, words))
