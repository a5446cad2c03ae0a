# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which runbook an alert means, and which host: by exact names only. What means neither is put aside for a person to see."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ... import inventory
from ...errors import OncallError
from ..settings import Settings
from .alerts import Alert, Bad, LeftOut, episode_id, host_of

SHOWN = 300
CUT_OFF = "alerts were left out of a notification by its sender: raise max_alerts of that receiver or leave it at 0"


class Aside(Exception):
    """The alert means no runbook on no host; the message says why."""


class Stranger(Aside):
    """The inventory has no such host, or not yet."""


@dataclass
class Sorted:
    """What notifications come to.

    Attributes:
        firing: rows of episodes.
        resolved: ids of episodes, with when they were over.
        aside: rows of the quarantine.
        seen: what only shows that alerts come -> when.
        off: how many alerts mean a runbook whose mode is off.
        strangers: how many alerts name a host that the inventory does not have.
    """

    firing: list[dict[str, Any]] = field(default_factory=list)
    resolved: list[tuple[str, float]] = field(default_factory=list)
    aside: list[dict[str, Any]] = field(default_factory=list)
    seen: dict[str, float] = field(default_factory=dict)
    off: int = 0
    strangers: int = 0


def sort(
    alerts: Iterable[Alert],
    bad: Iterable[Bad],
    settings: Settings,
    known: inventory.Names,
    received_at: float,
    left_out: LeftOut | None = None,
) -> Sorted:
    """Sort what a notification brought."""
    found = Sorted()
    if left_out:
        # Without the number, so that a group that stays too large has one row.
        what = {"left_out": left_out.alerts, "receiver": left_out.receiver, "group": left_out.group}
        found.aside.append(_aside(CUT_OFF, what, f"{left_out.receiver}\0{left_out.group}", received_at))
    for one in bad:
        found.aside.append(_aside(f"cannot be read: {one.reason}", {"text": one.text}, one.text, received_at))
    for alert in alerts:
        if alert.labels.get("alertname") == settings.watchdog_alert != "":
            found.seen["watchdog"] = received_at
            continue
        try:
            runbook = runbook_of(alert, settings)
            host = exact_host(alert, settings, known)
        except Aside as reason:
            found.strangers += isinstance(reason, Stranger)
            if alert.status == "firing":
                labels = {name[:SHOWN]: value[:SHOWN] for name, value in [*alert.labels.items()][:40]}
                found.aside.append(_aside(str(reason), {"labels": labels}, alert.fingerprint, received_at))
            continue
        route = settings.runbooks[runbook]
        episode = episode_id(alert, runbook, host)
        if alert.status == "resolved":
            found.resolved.append((episode, received_at))
        elif route.mode == "off":
            found.off += 1
        else:
            found.firing.append(_episode(episode, alert, runbook, host, route.mode, received_at))
    # A statement cannot take the same row twice.
    found.firing = [*{row["id"]: row for row in reversed(found.firing)}.values()][::-1]
    found.aside = [*{row["id"]: row for row in found.aside}.values()]
    return found


def runbook_of(alert: Alert, settings: Settings) -> str:
    """The key of the routing table that the alert names, or that has its name; Aside where there is none."""
    named = alert.labels.get(settings.runbook_label)
    if named is not None:
        if named not in settings.runbooks:
            raise Aside(f"the label {settings.runbook_label} is {_quoted(named)}, which is no key of runbooks")
        return named
    name = alert.labels.get("alertname", "")
    for runbook, route in settings.runbooks.items():
        if name in route.alerts:
            return runbook
    raise Aside(f"no label {settings.runbook_label}, and no runbook has the alert {_quoted(name)}")


def exact_host(alert: Alert, settings: Settings, known: inventory.Names) -> str:
    """The host of the inventory that the alert names; Aside where there is none."""
    named = alert.labels.get(settings.host_label, "")
    host = named if named in known.hosts else host_of(named)
    if not host:
        raise Aside(f"the label {settings.host_label} is {_quoted(named)}, which names no host")
    if host not in known.hosts:
        # Without the near names: each look for them takes 12 ms among 500 hosts, and there may be thousands of such alerts.
        raise Stranger(f"no host {_quoted(host)} in the inventory")
    try:
        return inventory.exact(host, known)
    except OncallError as error:
        raise Aside(str(error)[:SHOWN]) from None


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 100 else f"{text[:100]}…")


def _episode(episode: str, alert: Alert, runbook: str, host: str, mode: str, at: float) -> dict[str, Any]:
    # Only what a person has to recognise: it is never given to a playbook.
    shown = {"labels": alert.labels, "starts_at": alert.starts_at, "annotations": alert.annotations}
    return {
        "id": episode, "runbook": runbook, "host": host, "fingerprint": alert.fingerprint, "alert": json.dumps(shown),
        "mode": mode, "state": "queued", "stage": "act" if mode == "auto" else "check", "received_at": at,
        "seen_at": at, "queued_at": at,
    }  # fmt: skip


def _aside(reason: str, what: dict[str, Any], who: str, at: float) -> dict[str, Any]:
    name = hashlib.sha256(f"{len(reason)}:{reason}{who}".encode("utf-8", "replace")).hexdigest()[:20]
    return {"id": name, "reason": reason, "alert": json.dumps(what), "first_at": at, "last_at": at, "count": 1}
