# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which episode may begin a run now, and why the others have to wait. Nothing here looks at anything but its arguments."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from ..settings import Route, Settings, Window

HOUR_SECONDS = 3600
# From nothing to everything.
MODES = ("off", "suggest", "approve", "auto")


@dataclass(frozen=True)
class Waiting:
    """A queued episode.

    Attributes:
        stage: ``check``, or ``act`` once a person agreed to a plan.
        mode: that of its runbook when it came, or what it fell back to.
        agreed: whether a person agreed to its plan.
        resolved: whether the alert is over.
        reason: why it waits, as it was said last.
        runs: how many it had.
    """

    episode: str
    runbook: str
    host: str
    stage: str
    mode: str
    fingerprint: str = ""
    agreed: bool = False
    resolved: bool = False
    reason: str = ""
    runs: int = 0

    @property
    def acts(self) -> bool:
        """Whether its next run may change something."""
        return self.stage == "act"


@dataclass(frozen=True)
class Started:
    """A run that runs, or that acted within the last hour.

    Attributes:
        counts: whether it takes a place among those that run: not if its node is gone, though it may hold its host.
    """

    runbook: str
    host: str
    acts: bool
    at: float
    running: bool
    counts: bool = True


@dataclass(frozen=True)
class Past:
    """What was begun."""

    started: tuple[Started, ...] = ()

    @property
    def running(self) -> int:
        """How many runs run, of nodes that are there."""
        return sum(run.running and run.counts for run in self.started)

    def and_now(self, one: Waiting, now: float) -> Past:
        """The same, with a run that begins now."""
        return Past((*self.started, Started(one.runbook, one.host, one.acts, now, True)))


def mode_now(one: Waiting, route: Route | None, not_helped: int) -> str:
    """The mode in which this episode may begin now: what it was when it came, or less.

    Args:
        one: the episode.
        route: what the settings say of its runbook now; None where they say nothing any more.
        not_helped: how many remedies in a row have not helped on its host.
    """
    allowed = route.mode if route else "off"
    if allowed == "auto" and one.mode == "auto" and route and not_helped >= route.max_not_helped:
        allowed = "approve"
    return min(one.mode, allowed, key=MODES.index)


def may_act(
    host: str,
    agreed: bool,
    settings: Settings,
    members: Mapping[str, frozenset[str]],
    now: float,
    not_helped: Callable[[str, int], int],
) -> tuple[str, ...]:
    """The runbooks whose remedies a run on a host may apply: a runbook that takes over keeps its own mode.

    Args:
        host: of the inventory.
        agreed: whether a person agreed to the plans.
        settings: with the modes and windows.
        members: group of the inventory -> its hosts.
        now: epoch seconds.
        not_helped: (runbook, most) -> how many of its last remedies have not helped on this host.
    """
    return tuple(
        name
        for name, route in settings.runbooks.items()
        if (agreed and route.mode == "approve")
        or (route.mode == "auto" and (agreed or not_helped(name, route.max_not_helped) < route.max_not_helped))
        if not _window(name, host, settings.maintenance, members, now)
    )


def why_not(one: Waiting, past: Past, settings: Settings, members: Mapping[str, frozenset[str]], now: float) -> str:
    """Why no run of this episode may begin; "" where a run may, even if it may only look.

    Args:
        one: the episode.
        past: what was begun.
        settings: with the limits.
        members: group of the inventory -> its hosts.
        now: epoch seconds.
    """
    if window := _window(one.runbook, one.host, settings.maintenance, members, now):
        return f"maintenance until {window.ends_at.isoformat(timespec='minutes')}: {window.reason}"
    if any(run.running and (run.runbook, run.host) == (one.runbook, one.host) for run in past.started):
        return f"{one.runbook} runs on {one.host}"
    if past.running >= settings.limits.running:
        return f"{past.running} runs at once (limits.running)"
    return ""


def why_not_act(one: Waiting, past: Past, settings: Settings, members: Mapping[str, frozenset[str]], now: float) -> str:
    """Why a run of this episode that acts may not begin; "" where it may. The arguments are those of `why_not`."""
    acts = [run for run in past.started if run.acts]
    # Two runbooks on one host would each take the other's work for the incident's.
    if other := next((run for run in acts if run.running and run.host == one.host), None):
        return f"{other.runbook} acts on {one.host}"
    lately = [run for run in acts if run.at > now - HOUR_SECONDS]
    if len(lately) >= settings.limits.remedies_per_hour:
        return f"{len(lately)} remedies within an hour (limits.remedies_per_hour)"
    for group, limit in settings.limits.groups.items():
        hosts = members.get(group, frozenset())
        if one.host not in hosts:
            continue
        hour = {run.host for run in lately if run.host in hosts}
        if one.host not in hour and len(hour) >= limit.hosts_per_hour:
            return f"{len(hour)} hosts of {group} within an hour (limits.groups.{group}.hosts_per_hour)"
        at_once = {run.host for run in acts if run.running and run.counts and run.host in hosts}
        # 0.29 of 100 hosts are 28.999999999999996 of them.
        if len(at_once) + 1 > max(1.0, round(limit.share_at_once * len(hosts), 6)):
            return f"{len(at_once)} of {len(hosts)} hosts of {group} at once (limits.groups.{group}.share_at_once)"
    return ""


def in_turn(waiting: Iterable[Waiting], began: Mapping[tuple[str, str], float]) -> list[Waiting]:
    """The same, in the order in which they may begin: each host in turn, and on a host each runbook in turn.

    Of a runbook on a host, what a person agreed to is first: the others would ask for the same again.

    Args:
        waiting: the oldest first.
        began: (host, runbook) -> when its last run was begun.
    """
    hosts: dict[str, dict[str, list[Waiting]]] = {}
    for one in waiting:
        hosts.setdefault(one.host, {}).setdefault(one.runbook, []).append(one)
    last = {
        host: max((began.get((host, name), 0.0) for name in runbooks), default=0.0) for host, runbooks in hosts.items()
    }
    turns: list[tuple[int, float, Waiting]] = []
    for host, runbooks in hosts.items():
        # What was begun longest ago is first; Python's sort leaves the older before the newer.
        ordered = sorted(runbooks, key=lambda name: began.get((host, name), 0.0))
        agreed_first = (sorted(runbooks[name], key=lambda one: not one.agreed) for name in ordered)
        rounds = itertools.zip_longest(*agreed_first)
        row = [one for part in rounds for one in part if one is not None]
        turns += [(place, last[host], one) for place, one in enumerate(row)]
    return [one for _place, _at, one in sorted(turns, key=lambda turn: turn[:2])]


def _window(
    runbook: str, host: str, windows: Sequence[Window], members: Mapping[str, frozenset[str]], now: float
) -> Window | None:
    moment = datetime.fromtimestamp(now, UTC)
    for window in windows:
        there = not window.hosts or any(host == name or host in members.get(name, ()) for name in window.hosts)
        of_it = not window.runbooks or runbook in window.runbooks
        if there and of_it and window.begins_at <= moment < window.ends_at:
            return window
    return None
