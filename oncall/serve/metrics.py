# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the service tells Prometheus about itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from sqlalchemy.exc import SQLAlchemyError

from ..incidents.teams import feed_named
from ..results import Outcome
from .decide.pruning import held
from .play.executor import CANCELED, CUT_OFF, INTERRUPTED
from .store.statements import Store

EXPIRED = "expired"
ENDS = (*map(str, Outcome), INTERRUPTED, CUT_OFF, CANCELED, EXPIRED)
SECONDS = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800)


class Metrics:
    """Counters of this node since it was started, and gauges of the database that all nodes share.

    Args:
        store: the database.
        paused: why everything is paused; "" where it is not.
    """

    def __init__(self, store: Store, paused: Callable[[], str]) -> None:
        self._store, self._paused = store, paused
        self._registry = CollectorRegistry()
        self.notifications = Counter(
            "oncall_notifications",
            "Notifications by what became of them; stranger: any request without a valid token.",
            ["result"],
            registry=self._registry,
        )
        self.truncated = Counter(
            "oncall_truncated_alerts",
            "Alerts that senders left out of notifications, as truncatedAlerts says; nobody works on them.",
            registry=self._registry,
        )
        self._runs = Counter(
            "oncall_runs",
            "Runs that ended, and as expired the plans that nobody agreed to in time.",
            ["runbook", "outcome"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "oncall_run_seconds", "How long runs took.", ["runbook"], buckets=SECONDS, registry=self._registry
        )
        for word in ("taken", "refused", "turned_away", "stranger"):
            self.notifications.labels(word)
        self._registry.register(_Gauges(store, paused))

    def know(self, runbooks: Iterable[str]) -> None:
        """Begin at 0, so that the first of a kind is an increase."""
        for runbook in runbooks:
            for outcome in ENDS:
                self._runs.labels(runbook, outcome)

    def expired(self, runbook: str) -> None:
        """Nobody agreed to a plan in time."""
        self._runs.labels(runbook, EXPIRED).inc()

    def ended(self, runbook: str, outcome: str, seconds: float) -> None:
        """A run has ended."""
        self._runs.labels(runbook, outcome).inc()
        self._seconds.labels(runbook).observe(seconds)

    def text(self) -> bytes:
        """In the text format."""
        return generate_latest(self._registry)


class _Gauges:
    def __init__(self, store: Store, paused: Callable[[], str]) -> None:
        self._store, self._paused = store, paused

    def collect(self) -> Iterator[GaugeMetricFamily]:
        now = time.time()
        try:
            counts, controls, proof = self._store.counts(), self._store.controls(), self._store.proven()
        except SQLAlchemyError:
            counts = None
        yield GaugeMetricFamily("oncall_database_up", "1 where the database answers.", float(counts is not None))
        if counts is None:
            return
        episodes = GaugeMetricFamily("oncall_episodes", "Episodes by state.", labels=["state", "runbook"])
        for (state, runbook), number in counts["episodes"].items():
            episodes.add_metric([state, runbook], number)
        yield episodes
        held_back = GaugeMetricFamily(
            "oncall_held_back_episodes",
            "Queued episodes that a limit, a window, a silence or a pause holds back.",
            labels=["runbook"],
        )
        for (runbook,), number in counts["held_back"].items():
            held_back.add_metric([runbook], number)
        yield held_back
        proven = GaugeMetricFamily(
            "oncall_remedies_helped_ratio",
            "The share of remedies that were proven to help.",
            labels=["runbook", "host"],
        )
        for one in proof:
            proven.add_metric([one["runbook"], one["host"]], one["helped"] / one["remedies"])
        yield proven
        ages = {
            "oncall_inbox_age_seconds": ("inbox_oldest", "The oldest notification that is not sorted yet."),
            "oncall_queue_age_seconds": ("queue_oldest", "The longest that an episode waits for its run."),
        }
        for name, (key, text) in ages.items():
            yield GaugeMetricFamily(name, text, max(0.0, now - counts[key]) if counts[key] else 0.0)
        yield GaugeMetricFamily("oncall_inbox_notifications", "Notifications not sorted yet.", counts["inbox"])
        yield GaugeMetricFamily("oncall_quarantined_alerts", "Alerts that were put aside.", counts["quarantined"])
        name = "oncall_pruning_held_seconds"
        yield GaugeMetricFamily(
            name, "For how long nothing is dropped yet, because a clock jumped ahead.", held(controls)
        )
        yield GaugeMetricFamily("oncall_paused", "1 where everything is paused.", float(bool(self._paused())))
        feeds = GaugeMetricFamily(
            "oncall_on_call_feed_age_seconds",
            "Since a feed of who is on call was last read and was good.",
            labels=["system", "schedule"],
        )
        for control, (_value, at) in controls.items():
            if told := feed_named(control):
                feeds.add_metric([*told], max(0.0, now - at))
        yield feeds
        if "watchdog" in controls:
            name = "oncall_watchdog_age_seconds"
            yield GaugeMetricFamily(
                name, "Since the alert that always fires was seen last.", now - controls["watchdog"][1]
            )
