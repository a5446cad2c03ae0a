# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service from its start to its end."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sqlite3
import sys
import threading
import time
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from ..errors import OncallError, first_line
from ..folders import Left, sweep
from ..incidents.books import Incidents
from ..incidents.store.heads import Heads
from ..incidents.store.timeline import IncidentStore
from ..incidents.teams import Read
from . import logs
from .api.app import Api
from .checks import trusted
from .decide.dispatcher import Dispatcher, Node
from .decide.rules import may_act
from .decide.silences import Silences
from .hosts import Inventory
from .incidents import IncidentWork
from .intake.group_commit import GroupCommit
from .intake.server import Server, listen, many_files, tls_of
from .intake.tokens import Tokens
from .intake.web import Application, Web
from .metrics import Metrics
from .page.app import PageSite
from .page.visit import Sources
from .play import workflows
from .play.awx import AwxExecutor
from .play.executor import Executor
from .play.local import Local
from .play.player import Player
from .settings import Route, not_reloaded
from .store import schema, shrink
from .store.engine import check_sqlite, url_of, workflows_url
from .store.files import Files
from .store.lease import Lease
from .store.nodes import Alone, Membership
from .store.statements import Store
from .store.written import check_before_start

LOG = logging.getLogger("oncall.service")
# A dispatcher that has not come round for so long hangs.
HANGS_SECONDS = 60.0
# A workflow begins within a moment, wherever it waits to be begun.
LEFT_ALONE_SECONDS = 10.0
# Of the dispatcher's time, whenever it tidies up.
SHRINK_SECONDS = 0.5
# Python's own is ten times as long.
SWITCH_SECONDS = 0.0005


class Service:
    """Everything, wired.

    Args:
        file: the settings.

    Raises:
        OncallError: it cannot be started; one line that says what to do.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self.settings = trusted(file)
        self._tokens = Tokens(self.settings.tokens_file) if self.settings.tokens_file else None
        check_sqlite(self.settings.database)
        if not self.settings.database:
            check_before_start(self.settings.state_directory)
        url = url_of(self.settings.database, self.settings.state_directory)
        self._tls = tls_of(self.settings)
        self._socket = listen(*self.settings.address)
        self._draining = False
        alone = None if self.settings.database else Alone(self.settings.state_directory)
        self._inventory = Inventory(self.settings, file)
        self._migration = schema.migrate(url)
        self._files: Files | None = None
        if not self.settings.database:
            shrink.prepare(self.settings.state_directory)
            self._files = Files(self.settings.state_directory)
        self._store = Store(url, self._files)
        self._membership: Membership = alone or Lease(
            url, self.settings.node, self.settings.lease_seconds, self._goes_on
        )
        self._metrics = Metrics(self._store, lambda: self._dispatcher.paused(self.settings))
        self._metrics.know(self.settings.runbooks)
        self._player = Player(
            self._store, self._executor, self.settings.node, self._membership, self._route, self._may_act, self._ended
        )
        this_node = Node(
            name=self.settings.node,
            check=self._check,
            gone=lambda: self._membership.gone(self._store.nodes),
            take_over=self._take_over,
            begin=workflows.begin,
            any_running=lambda: bool(self._player.running),
            cancel=self._player.cancel,
            expired=self._metrics.expired,
            forget=workflows.forget,
            tidy=self._tidy,
            attach=self._attach,
        )
        self._dispatcher = Dispatcher(self._store, lambda: self.settings, self._inventory.names, Silences(), this_node)
        # None as long as the settings want no incidents.
        self.incidents: IncidentWork | None = None
        if self.settings.incidents is not None:
            self._keep_incidents()
        self._inbox_size = (0, 0.0)
        self._left = Left()
        self._group_commit = GroupCommit(self._store.keep, self._dispatcher.wake)
        self._api = Api(lambda: self.incidents.books if self.incidents and self.settings.incidents else None)
        self._web = Web(
            self._group_commit,
            self._tokens,
            self._crowded,
            self._metrics.text,
            self.why_not_ready,
            lambda word: self._metrics.notifications.labels(word).inc(),
            # At least one, where it cannot be read how many.
            lambda left_out: self._metrics.truncated.inc(left_out.alerts or 1),
            self._api,
            self._beside,
        )
        self._page = self._site() if self.settings.page is not None else None
        self._server: Server | None = None
        self._left_alone: dict[str, float] = {}
        self._hurry = threading.Event()

    # ------------------------------------------------------------------ what the parts ask
    def _executor(self) -> Executor:
        if self.settings.executor == "awx":
            return AwxExecutor(self.settings)
        return Local(self.settings, self._left, lambda: self._membership.file)

    def _route(self, runbook: str) -> Route | None:
        return self.settings.runbooks.get(runbook)

    def _may_act(self, host: str, agreed: bool) -> tuple[str, ...]:
        members = self._inventory.names(False).members
        return may_act(
            host,
            agreed,
            self.settings,
            members,
            time.time(),
            lambda name, most: self._store.not_helped(name, host, most),
        )

    def _ended(self, runbook: str, outcome: str, seconds: float) -> None:
        self._metrics.ended(runbook, outcome, seconds)
        LOG.info("a run of %s has ended after %.1f s: %s", runbook, seconds, outcome)
        self._dispatcher.wake()

    def _keep_incidents(self) -> None:
        self.incidents = IncidentWork(self._store, lambda: self.settings, self._inventory, self._membership.check)

    def _keep_incidents_from_now(self) -> None:
        try:
            self._keep_incidents()
        except OncallError as error:
            LOG.error("no incidents are kept: %s", error)
            return
        assert self.incidents is not None
        self.incidents.start()

    def _site(self) -> PageSite:
        beside: Incidents | None = None

        def books() -> Incidents:
            nonlocal beside
            if self.incidents is not None:
                return self.incidents.books
            if beside is None:
                # None are kept of alerts; people may still look at those that there are.
                beside = Incidents(IncidentStore.beside(self._store), Heads(self.settings.state_directory))
            return beside

        return PageSite(
            Sources(
                store=self._store,
                books=books,
                settings=lambda: self.settings,
                names=lambda: self._inventory.names(False),
                teams=lambda: self.incidents.teams.all() if self.incidents is not None else Read(),
                link_keys=lambda: [self.incidents.link_key] if self.incidents is not None else [],
                paused=lambda: self._dispatcher.paused(self.settings),
                wake=self._dispatcher.wake,
                going_down=lambda: self._draining,
                tokens=self._tokens,
            )
        )

    def _beside(self, _path: str) -> Application | None:
        """Who answers what no machine asks for."""
        return self._page

    def _attach(self) -> bool:
        """Bring what is new to its incidents; whether there may be more."""
        return self.incidents is not None and self.settings.incidents is not None and self.incidents.attach()

    async def _crowded(self) -> str:
        """Why no more notifications are taken; looked at now and then, as it need not be exact."""
        if self._draining:
            return "the service is going down"
        size, at = self._inbox_size
        if time.monotonic() - at > 1.0:
            self._inbox_size = (size, time.monotonic())
            try:
                size = await asyncio.to_thread(self._store.inbox_size)
            except SQLAlchemyError as error:
                # Where its files were touched, that is why.
                why = await asyncio.to_thread(self._why_no_files)
                return why or f"the database does not answer: {type(error).__name__}"
            self._inbox_size = (size, time.monotonic())
        most = self.settings.limits.queued_notifications
        return f"{size} notifications are not sorted yet (limits.queued_notifications)" if size >= most else ""

    def _why_no_files(self) -> str:
        """Why the files of the database cannot be relied on; "" where they can, or where it has none here."""
        if self._files is None:
            return ""
        try:
            self._files.look()
        except OncallError as error:
            return str(error)
        except sqlite3.Error as error:
            return f"the database does not answer: {first_line(error)}"
        return ""

    def why_not_ready(self) -> str:
        """Why the service is not ready; "" where it is."""
        if self._draining:
            return "going down"
        if time.monotonic() - self._dispatcher.turned_at > HANGS_SECONDS:
            return "the dispatcher hangs"
        try:
            self._membership.check()
        except OncallError:
            return "this node has no lease, and begins nothing; the log says why"
        if why := self._why_no_files():
            return why
        if self._group_commit.failure:
            return "notifications cannot be kept; the log says why"
        if self._tokens is not None and self._tokens.look():
            return "nobody is known by a token any more; the log says why"
        # Strangers may ask this.
        return "the dispatcher cannot do its work; the log says why" if self._dispatcher.failure else ""

    def _check(self) -> None:
        """Raise where this node may do nothing now."""
        if self._files is not None:
            self._files.turn()
        self._membership.check()

    def _tidy(self) -> None:
        if self._tokens is not None:
            # Whether or not anybody asks.
            self._tokens.look()
        self._see_to_what_is_left()
        if self._files is not None:
            shrink.shrink(self.settings.state_directory, SHRINK_SECONDS)
            self._files.tidy()

    def _goes_on(self) -> bool:
        """Whether this node does its work: its dispatcher comes round, or what runs comes to its end."""
        dispatcher = getattr(self, "_dispatcher", None)
        return self._draining or dispatcher is None or time.monotonic() - dispatcher.turned_at < HANGS_SECONDS

    def _nodes(self) -> set[str]:
        """The nodes that are in the midst of something."""
        senders = self.incidents.senders() if self.incidents is not None else set()
        return {*self._store.nodes(), *senders}

    def _take_over(self) -> None:
        """What nodes left that are gone."""
        for peer in self._membership.gone(self._nodes):
            waiting, runs = self._store.take_over(peer, self.settings.node)
            if waiting or runs:
                LOG.warning("node %s is gone; %d runs are queued again, %d taken over", peer.node, waiting, len(runs))
            workflows.take_up(runs)
            if self.incidents is not None:
                self.incidents.took_over(peer.node)

    def _see_to_what_is_left(self) -> None:
        """Take up the runs of this node that nobody is in the midst of, such as those that the database cut off."""
        now = time.monotonic()
        left = [run for run in self._store.open_runs(self.settings.node) if not workflows.is_alive(run)]
        self._left_alone = {run: self._left_alone.get(run, now) for run in left}
        for run, since in self._left_alone.items():
            if workflows.is_over(run):
                # Nobody sees to it any more, for whatever reason: a person has to know.
                self._player.give_up(run)
            elif now - since >= LEFT_ALONE_SECONDS:
                LOG.warning("nobody is in the midst of run %s any more; it is taken up", run)
                workflows.take_up([run])

    # ------------------------------------------------------------------ its life
    def run(self) -> None:
        """Serve until SIGTERM or SIGINT, and then until what runs has ended."""
        logs.set_up()
        if self._migration.is_needed:
            LOG.info("%s", self._migration.done())
        many_files()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        # Until it can read the settings again.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            asyncio.run(self._serve())
        finally:
            self._drain()

    async def _serve(self) -> None:
        settings = self.settings
        # The loop itself would forget them.
        tasks: set[asyncio.Task[None]] = set()
        self._server = Server(self._web, self._tls)
        reloading = asyncio.Lock()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, lambda: tasks.add(loop.create_task(self._reload(reloading))))
        # What runs left behind goes, before anything is played here.
        self._left = await asyncio.to_thread(sweep)
        # Admitted and not begun: it has done nothing, and today it may not be allowed any more.
        self._store.put_back(settings.node)
        await asyncio.to_thread(
            workflows.launch, workflows_url(settings.database, settings.state_directory), settings.node, self._player
        )
        for run in self._store.open_runs(settings.node):
            workflows.begin(run)
        self._dispatcher.start()
        if self.incidents is not None:
            self.incidents.start()
        # What has been made by now stays. Looking through it for garbage would hold the loop for 0.15 s, again and again.
        gc.collect()
        gc.freeze()
        # The loop comes to its turn sooner, whatever a thread computes: it answers those who wait.
        sys.setswitchinterval(SWITCH_SECONDS)
        LOG.info("listening on %s as node %s, process %d", settings.listen, settings.node, os.getpid())
        await self._server.serve(sockets=[self._socket])

    def _stop(self, _number: int, _frame: Any) -> None:
        if self._draining:
            self._hurry.set()
        self._draining = self._player.draining = True
        if self._server is None:
            raise SystemExit(0)
        self._server.end()

    async def _reload(self, alone: asyncio.Lock) -> None:
        """Settings that are wrong change nothing."""
        async with alone:
            try:
                new = await asyncio.to_thread(trusted, self._file)
                await asyncio.to_thread(self._inventory.use, new)
            except OncallError as error:
                LOG.error("the settings stay what they were: %s", error)
                return
            for name in not_reloaded(self.settings, new):
                LOG.warning("%s holds only after the next start", name)
            self.settings = new
            if self._server is not None:
                self._server.renew_certificate()
            self._metrics.know(new.runbooks)
            if self.incidents is not None:
                self.incidents.reload()
            elif new.incidents is not None:
                self._keep_incidents_from_now()
            self._dispatcher.wake()
            LOG.info("settings read again from %s", self._file)

    def _drain(self) -> None:
        """Let what runs end, for a while; kill what does not."""
        self._draining = self._player.draining = True
        self._dispatcher.stop()
        if self.incidents is not None:
            self.incidents.stop()
        deadline = time.monotonic() + self.settings.drain_seconds
        if self._player.running:
            LOG.info("waiting for %d runs to end", len(self._player.running))
        while self._player.running and time.monotonic() < deadline and not self._hurry.wait(0.5):
            try:
                self._dispatcher.cancel_wanted()
            except SQLAlchemyError as error:
                LOG.error("the database does not say which runs are canceled: %s", type(error).__name__)
        self._player.going_down = True
        for run in self._player.running:
            LOG.warning("run %s is killed; the next start sees what it left", run)
            self._player.cancel(run)
        while self._player.running and time.monotonic() < deadline + 15:
            time.sleep(0.05)
        workflows.stop()
        self._api.close()
        self._group_commit.close()
        if self._page is not None:
            self._page.close()
        self._store.close()
        if self._files is not None:
            self._files.close()
        self._membership.close()
        LOG.info("ended")
